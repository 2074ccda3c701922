"""The budget file that stands in a job folder, to go on from, and the table of runs that were finished before."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaleplan.conventions import ParamCount
from scaleplan.specs.accelerators import cluster
from scaleplan.specs.presets import looks_like_path
from scaleplan.specs.yaml12 import yaml_text

if TYPE_CHECKING:
    from scaleplan.specs.machines import Machine
    from scaleplan.specs.pilot_plan import PilotPlan

BUDGET = "budget.yaml"
_PARAMS = {ParamCount.TOTAL: "params", ParamCount.NONEMBEDDING: "params_nonembedding"}
"""How tables of runs, which count in one of these ways, call the column."""
BEFORE = "before.csv"
"""What the runs are called, beside a manifest, that were finished before those in it were designed."""
HEADER = "# What these pilot runs are for. `scaleplan pilot budget.yaml --after runs.csv` says what to run next.\n"
_OF_MACHINE = ("precision", "mfu", "goodput", "price", "network", "cluster")


def pilot_budget_text(plan: PilotPlan) -> str:
    """A budget file with the target of a plan of pilot runs, and everything asked of them as it was resolved.

    Files that it names, a law or an accelerator of one's own, are named by their whole paths.
    """
    document: dict[str, Any] = {"schema": "scaleplan.budget/1", "name": plan.name}
    # After a refit the law is that of the runs, which their table gives again.
    if plan.fitted is None:
        document["law"] = plan.law.id if plan.law.file is None else str(Path(plan.law.file).absolute())
    document["budget"] = {"flops": plan.target.train_flop, **_machine(plan.machine)}
    if plan.held:
        document["limits"] = _limits(plan)
    document["pilots"] = _pilots(plan)
    return HEADER + yaml_text(document)


def _limits(plan: PilotPlan) -> dict[str, Any]:
    """What decides the target's size at these FLOPs: what was given where that is a number, else the size itself."""
    problem = plan.plan.problem
    if problem.tokens is not None and problem.params is None:
        return {"tokens": float(problem.tokens)}
    return {"params": float(plan.plan.params)}


def runs_before_text(plan: PilotPlan) -> str | None:
    """The finished runs that a plan was refitted to, as CSV with ``run, params, tokens, loss``; ``None`` without any.

    Checkpoints of one run keep its name; rows without names are called by their place in the table. Parameters are
    under the heading by which they count, as ``fit`` reads them.
    """
    if plan.fitted is None:
        return None
    runs = plan.fitted.table.runs
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("run", _PARAMS[runs.counts_params], "tokens", "loss"))
    for i in range(len(runs)):
        name = f"{runs.row_word}-{runs.row[i]}" if runs.names is None else runs.names[int(runs.run[i])]
        writer.writerow((name, *(float(column[i]) for column in (runs.params, runs.tokens, runs.loss))))
    return text.getvalue()


def _machine(machine: Machine | None) -> dict[str, Any]:
    """The accelerator, without how many there are for the pilots, and what was given about it."""
    if machine is None or machine.conditions.on is None:
        return {}
    given = machine.conditions._asdict()
    named = {"on": _whole(cluster(machine.conditions.on)[1])}
    return named | {key: given[key] for key in _OF_MACHINE if given[key] is not None}


def _pilots(plan: PilotPlan) -> dict[str, Any]:
    """The heading ``pilots``; accelerator-hours as the share of the target that they came to."""
    words = plan.words
    given = {key: value for key, value in words._asdict().items() if value is not None and key != "share"}
    if words.ratios is not None:
        given["ratios"] = ":".join(f"{each:.15g}" for each in words.ratios)
    if plan.machine is not None and plan.machine.conditions.on is not None:
        many, name = cluster(plan.machine.conditions.on)
        given["on"] = _whole(name) if many is None else f"{many}x{_whole(name)}"
    return {"share": plan.flop / plan.target.train_flop, **given}


def _whole(name: str) -> str:
    return str(Path(name).absolute()) if looks_like_path(name) else name
