"""The plan of one budget as a table, the other laws beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scaleplan.conventions import ParamCount
from scaleplan.planning.plan import Plan
from scaleplan.views.inputs import accounting_inputs, law_inputs
from scaleplan.views.table import Grid, Row, Table, band, count, flop, loss, ratio

PLAN_COLUMNS = (
    "law",
    "train_flop",
    "train_flop_low",
    "train_flop_high",
    "params",
    "params_low",
    "params_high",
    "params_nonembedding",
    "tokens",
    "tokens_low",
    "tokens_high",
    "tokens_per_param",
    "tokens_per_param_low",
    "tokens_per_param_high",
    "loss",
    "loss_low",
    "loss_high",
    "method",
)


def plan_inputs(plan: Plan) -> dict[str, Any]:
    """Everything resolved that a plan of one budget answers."""
    problem = plan.problem
    return {
        "name": problem.name,
        "file": problem.file,
        "flops": problem.train_flop,
        "loss": problem.loss,
        "params": problem.params,
        "tokens": problem.tokens,
        "level": problem.level,
        **accounting_inputs(problem.accounting),
        "laws": [law_inputs(each.law) for each in (plan, *plan.cross_check)],
    }


def plan_row(plan: Plan) -> dict[str, Any]:
    """A plan as a data row."""
    return {key: getattr(plan, key) for key in PLAN_COLUMNS[1:]} | {"law": plan.law.id}


def allocation_table(plan: Plan) -> Table:
    """One budget: the plan, and the other laws beside it."""
    plans = (plan, *plan.cross_check)
    rows = [{key: row[key] for key in PLAN_COLUMNS} for row in map(plan_row, plans)]
    return Table(
        verb="allocate",
        inputs=plan_inputs(plan),
        columns=PLAN_COLUMNS,
        rows=rows,
        warnings=plan.warnings,
        grids=lambda: _allocation_grids(plan),
    )


def _allocation_grids(plan: Plan) -> list[Grid]:
    row = plan_row(plan)
    level = f"{plan.problem.level * 100:.6g} % band"
    size = "parameters"
    lines = [_line(row, size, "params", count)]
    if plan.law.counts_params is ParamCount.NONEMBEDDING:
        lines.append(("  without embeddings", count(row["params_nonembedding"]), "-"))
    lines += [
        _line(row, "tokens", "tokens", count),
        _line(row, "tokens per parameter", "tokens_per_param", ratio),
        _line(row, f"loss [{plan.law.measure.unit}]", "loss", loss),
    ]
    budget = _line(row, "training FLOP", "train_flop", flop)
    grids = [
        Grid(
            title=f"{f'{plan.problem.name}, ' if plan.problem.name else ''}{plan.law.id}: {plan.method}",
            headers=("", "plan", level),
            rows=[budget, *lines],
            numeric=(False, True, True),
        )
    ]
    if plan.cross_check:
        grids.append(_cross_check_grid(plan))
    return grids


def _cross_check_grid(plan: Plan) -> Grid:
    """The other laws; the budget is a column only where it differs between them."""
    given_loss = plan.problem.loss is not None
    headers = ("law", *(("FLOP",) if given_loss else ()), "N", "D", "D/N", "loss", "on")
    rows: list[Sequence[str]] = []
    for other in plan.cross_check:
        row = plan_row(other)
        cells = [count(row["params"]), count(row["tokens"]), ratio(row["tokens_per_param"]), loss(row["loss"])]
        flops = [flop(row["train_flop"])] if given_loss else []
        rows.append([other.law.id, *flops, *cells, "-" if row["loss"] is None else other.law.measure.corpus])
    numeric = [False, *[True] * (len(headers) - 2), False]
    return Grid(title="what other laws say", headers=headers, rows=rows, numeric=numeric)


def _line(row: Row, label: str, key: str, write: Callable[[float | None], str]) -> tuple[str, str, str]:
    return label, write(row[key]), band(row[f"{key}_low"], row[f"{key}_high"], write)
