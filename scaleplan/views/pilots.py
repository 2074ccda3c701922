"""Pilot runs as tables: the runs, what they tell beside other designs, what they are worth; the results collected."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scaleplan import units
from scaleplan.views.inputs import law_inputs
from scaleplan.views.pilot_scores import counting, factor, finite, percent, score_grid, score_row, target_inputs
from scaleplan.views.table import Grid, Table, count, flop, notes, ratio, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scaleplan.pilots.manifest import PilotRun
    from scaleplan.specs.pilot_plan import PilotPlan
    from scaleplan.specs.pilot_results import Collected

PILOT_COLUMNS = (
    "id",
    "stage",
    "role",
    "params",
    "params_nonembedding",
    "tokens",
    "tokens_per_param",
    "shape",
    "layers",
    "width",
    "batch_tokens",
    "steps",
    "learning_rate",
    "seed",
    "train_flop",
    "accelerator",
    "accelerators",
    "days",
    "time_limit_minutes",
    "gpu_hours",
    "cost_usd",
    "decision",
)
COLLECTED_COLUMNS = ("run", "params", "tokens", "loss")


def pilot_table(plan: PilotPlan) -> Table:
    """The runs proposed, cheapest first."""
    runs = () if plan.manifest is None else plan.manifest.runs
    return Table(
        verb="pilot",
        inputs=_inputs(plan),
        columns=PILOT_COLUMNS,
        rows=[_run_row(run, plan.decision) for run in runs],
        warnings=plan.warnings,
        grids=lambda: _plan_grids(plan),
    )


def collected_table(collected: Collected) -> Table:
    """The runs that finished, as a fit reads them."""
    from scaleplan.specs.pilot_results import runs_rows

    return Table(
        verb="pilot",
        inputs={"name": collected.name, "outcomes": [_outcome(each) for each in collected.outcomes]},
        columns=COLLECTED_COLUMNS,
        rows=runs_rows(collected),
        warnings=collected.notices,
        grids=lambda: [_collected_grid(collected)],
    )


def _outcome(outcome: Any) -> dict[str, Any]:
    row: dict[str, Any] = outcome._asdict()
    loss = row["loss"]
    return row | {"loss": loss if loss is None or math.isfinite(loss) else None}


def _run_row(run: PilotRun, decision: str) -> dict[str, Any]:
    from scaleplan.specs.shape_words import shape_in_words

    own = {key: getattr(run, key) for key in PILOT_COLUMNS if hasattr(run, key)}
    layers, width = int(run.shape.layers), int(run.shape.width)
    row = own | {"shape": shape_in_words(run.shape), "layers": layers, "width": width, "decision": decision}
    return {key: row[key] for key in PILOT_COLUMNS}


def _inputs(plan: PilotPlan) -> dict[str, Any]:
    proposal, manifest = plan.proposal, plan.manifest
    words = plan.words._asdict()
    words["share"] = None if plan.words.share is None else plan.words.share._asdict()
    found: dict[str, Any] = {
        "name": plan.name,
        "target": target_inputs(plan),
        "asked": words,
        "flop": plan.flop,
        "spent_flop": plan.spent_flop,
        "decision": plan.decision,
        "law_fitted": None if plan.fitted is None else law_inputs(plan.fitted.law),
        "makespan_days": plan.makespan_days,
        "folder": plan.folder,
        "assumptions": [each._asdict() for each in plan.assumptions],
        **counting(plan),
    }
    if proposal is None or manifest is None:
        return found
    return found | {
        "noise": proposal.ask.noise._asdict(),
        "laws_averaged": list(proposal.ask.plausible.sources),
        "designs": [score_row(each) for each in (proposal.scored, *proposal.others)],
        "params_se_before": finite(proposal.before),
        "value": {**proposal.value._asdict(), "pays": proposal.value.pays},
        "above_bound": finite(proposal.bound),
        "gpu_hours": manifest.gpu_hours,
        "cost_usd": manifest.cost_usd,
    }


def _plan_grids(plan: PilotPlan) -> list[Grid]:
    proposal, manifest = plan.proposal, plan.manifest
    if proposal is None or manifest is None:
        return [notes("pilot runs", [*_target_lines(plan), f"decision: {plan.decision}"])]
    grids = [_run_grid(plan, manifest.runs)]
    if proposal.others:
        grids.append(score_grid((proposal.scored, *proposal.others)))
    return [*grids, notes("what they tell, and what that is worth", _lines(plan))]


def _run_grid(plan: PilotPlan, runs: Sequence[PilotRun]) -> Grid:
    priced = plan.manifest is not None and plan.manifest.gpu_hours is not None
    money = plan.manifest is not None and plan.manifest.cost_usd is not None
    headers = ["run", "N", "D", "D/N", "LxW"]
    headers += ["GPUs", "hours", *(["USD"] if money else [])] if priced else ["batch", "steps", "lr"]
    cells = [
        [
            _name(run),
            count(run.params),
            count(run.tokens),
            ratio(run.tokens_per_param),
            f"{int(run.shape.layers)}x{int(run.shape.width)}",
            *(_taken(run, money=money) if priced else _settings(run)),
            flop(run.train_flop),
        ]
        for run in runs
    ]
    left = "batch, steps and learning rate stand in JSON and in the manifest; " if priced else ""
    note = f"{left}LxW: layers by width; s: another seed, *: held back as the test of the others"
    many = "1 pilot run" if len(runs) == 1 else f"{len(runs)} pilot runs, cheapest first"
    title = f"{plan.name}: {many}"
    numeric = [False, True, True, True, False, True, True, *([True] if money or not priced else []), True]
    return Grid(title=title, headers=[*headers, "FLOP"], rows=cells, numeric=numeric, note=note)


def _name(run: PilotRun) -> str:
    return f"{run.id}{'s' if run.role == 'replicate' else '*' if run.role == 'back-test' else ''}"


def _settings(run: PilotRun) -> list[str]:
    return [count(run.batch_tokens), f"{run.steps:,}", f"{run.learning_rate:.2g}"]


def _taken(run: PilotRun, *, money: bool) -> list[str]:
    days = run.days
    hours = "-" if days is None else f"{24 * days:.3g}"
    return [str(run.accelerators), hours, *([f"{run.cost_usd:,.0f}"] if money else [])]


def _target_lines(plan: PilotPlan) -> list[str]:
    target = plan.plan
    loss = "" if target.loss is None else f", loss {float(target.loss):.4f}"
    text = f"target: {units.flop(plan.target.train_flop)} FLOP, {count(float(target.params))} parameters on "
    lines = [f"{text}{count(float(target.tokens))} tokens by {plan.law.id}{loss}"]
    if plan.fitted is not None:
        part = share(plan.spent_flop / plan.flop)
        lines.append(
            f"finished: {plan.fitted.fitted.runs.count} runs, {units.flop(plan.spent_flop)} FLOP, {part} of all"
        )
    return lines


def _lines(plan: PilotPlan) -> list[str]:
    proposal, manifest = plan.proposal, plan.manifest
    assert proposal is not None
    assert manifest is not None
    worth, scored = proposal.value, proposal.scored
    sources = ", ".join(proposal.ask.plausible.sources)
    known = "published laws leave" if "," in sources else f"the doubt about {sources} leaves"
    known = known if plan.fitted is None else "the finished runs leave"
    saved = worth.gain_flop / plan.target.train_flop
    size, before = factor(scored.params_se), factor(proposal.before)
    gain, cost = units.flop(worth.gain_flop), units.flop(worth.cost_flop)
    part = share(worth.cost_flop / plan.target.train_flop)
    lines = [
        *_target_lines(plan),
        f"they tell N* to a factor of {size}, where {known} {before}, and the loss to {percent(scored.loss_se)}",
        f"the runs cost {cost} FLOP ({part})"
        if plan.held or plan.words.goal == "loss"
        else f"a better size saves {gain} FLOP of it on average ({share(saved)}); the runs cost {cost} ({part})",
        f"decision: {plan.decision}",
    ]
    if manifest.gpu_hours is not None:
        money = "" if manifest.cost_usd is None else f", ${count(manifest.cost_usd)}"
        whole = "" if plan.makespan_days is None else f", {plan.makespan_days:.3g} days in all"
        lines.append(f"they take {manifest.gpu_hours:,.4g} accelerator-hours{money}{whole}")
    if plan.folder is not None:
        lines.append(f"job folder: {plan.folder}; its results come back by `scaleplan pilot --collect`")
    return lines


def _collected_grid(collected: Collected) -> Grid:
    headers = ["run", "status", "N", "D", "D/N", "loss", "read from"]
    cells = [
        [
            each.run_id,
            each.status,
            count(each.params),
            count(each.tokens),
            ratio(each.tokens / each.params if each.params and each.tokens else None),
            "-" if each.loss is None else f"{each.loss:.4f}",
            each.detail or each.how or "-",
        ]
        for each in collected.outcomes
    ]
    done = sum(each.status == "finished" for each in collected.outcomes)
    title = f"{collected.name}: {done} of {len(cells)} runs finished"
    return Grid(title=title, headers=headers, rows=cells, numeric=[False, False, True, True, True, True, False])
