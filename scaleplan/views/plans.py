"""The plan of one budget as a table, the other laws beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from scaleplan.conventions import ParamCount
from scaleplan.planning.agreement import by_corpus, spread
from scaleplan.planning.plan import Plan
from scaleplan.views.inputs import accounting_inputs, law_inputs
from scaleplan.views.table import Grid, Row, Table, band, count, flop, loss, ratio

if TYPE_CHECKING:
    from scaleplan.compute.costing import Costing

PLAN_COLUMNS = (
    "law",
    "fitted_on",
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
    "flop_over_runs",
)
HYPER_COLUMNS = ("learning_rate", "batch_tokens")
FORGIVING_COLUMNS = ("extra_share_at_low", "extra_share_at_high", "extra_share_x1_3", "extra_share_x0_7")
"""Compute lost, as a share, with the parameters at the ends of their band and at 1.3 and 0.7 times the plan's."""
_ALIKE = 5e-4
"""Our choice: nearer than that, relative, are the same four figures."""
_MANY = 10.0
"""Our choice: above ten times more it is written as so many times."""
SPREAD_COLUMNS = ("days_low", "days_high", "cost_usd_low", "cost_usd_high")
"""Bands by draws of what a plan takes, where the law leaves it open."""
COST_COLUMNS = ("accelerator", "accelerators", "mfu", "days", "gpu_hours", "cost_usd", "energy_mwh", "co2_t")


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
        **({} if plan.hyper is None else {"hyper_law": plan.hyper.law, "hyper_counts": plan.hyper.counts}),
        **(_limits_inputs(plan) if problem.constrained else {}),
        **({} if plan.costing is None else _costing_inputs(plan.costing)),
        "laws": [law_inputs(each.law) for each in (plan, *plan.cross_check)],
    }


def plan_row(plan: Plan) -> dict[str, Any]:
    """A plan as a data row."""
    own = {"law": plan.law.id, "fitted_on": plan.law.measure.corpus}
    row = own | {key: getattr(plan, key) for key in PLAN_COLUMNS if key not in own}
    if plan.forgiveness is not None:
        at = plan.forgiveness
        row |= dict(zip(FORGIVING_COLUMNS, (at.at_low, at.at_high, at.above, at.below), strict=True))
    if plan.problem.constrained:
        from scaleplan.views.limits import limits_row

        row |= limits_row(plan)
    if plan.hyper is not None:
        row |= {"learning_rate": plan.hyper.learning_rate, "batch_tokens": plan.hyper.batch_tokens}
    if plan.costing is not None:
        from scaleplan.views.costs import costing_row

        row |= costing_row(plan.costing)
    if plan.spread is not None:
        ends = plan.spread.ends()
        row |= {key: ends.get(key) for key in SPREAD_COLUMNS}
    if plan.regret is not None:
        from scaleplan.views.regrets import regret_rows

        row |= {"regret": regret_rows(plan.regret)}
    return row


def allocation_table(plan: Plan) -> Table:
    """One budget: the plan, and the other laws beside it."""
    plans = (plan, *plan.cross_check)
    # The other laws plan the same FLOPs; the bill is of the plan alone.
    own = (*(HYPER_COLUMNS if plan.hyper else ()), *(COST_COLUMNS if plan.costing else ()))
    own = (*own, *(SPREAD_COLUMNS if plan.spread else ()), *(("regret",) if plan.regret else ()))
    columns = (*PLAN_COLUMNS, *FORGIVING_COLUMNS, *_limits_columns(plan), *own)
    rows = [{key: row.get(key) for key in columns} for _, group in by_corpus(plans) for row in map(plan_row, group)]
    return Table(
        verb="allocate",
        inputs=plan_inputs(plan),
        columns=columns,
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
        _line(row, f"tokens per {'active ' if plan.experts else ''}parameter", "tokens_per_param", ratio),
        _line(row, f"loss [{plan.law.measure.unit}]", "loss", loss),
    ]
    if plan.epochs is not None:
        lines.append(("epochs of its unique tokens", ratio(row["epochs"]), "-"))
    if plan.experts is not None:
        lines.append(("experts", ratio(row["experts"]), "-"))
        lines.append(("active parameters", count(row["params_active"]), "-"))
    if plan.hyper is not None:
        lines.append(("learning rate", f"{plan.hyper.learning_rate:.3g}", "-"))
        lines.append(("batch [tokens]", count(plan.hyper.batch_tokens), "-"))
    budget = _line(row, "training FLOP", "train_flop", flop)
    grids = [
        Grid(
            title=f"{f'{plan.problem.name}, ' if plan.problem.name else ''}{plan.law.id}: {plan.method}",
            headers=("", "plan", level),
            rows=[budget, *lines],
            numeric=(False, True, True),
            note=_forgiving(plan),
        )
    ]
    if plan.problem.constrained:
        from scaleplan.views.limits import limits_grids

        grids += limits_grids(plan)
    if plan.regret is not None:
        from scaleplan.views.regrets import regret_grid

        grids.append(_at_own_speed(plan, regret_grid(plan.regret)))
    if plan.costing is not None:
        from scaleplan.views.costs import bill_grid, speed_grid

        grids += [bill_grid(plan.costing), speed_grid(plan.costing)]
    if plan.cross_check:
        grids.append(_laws_grid(plan))
    return grids


def _at_own_speed(plan: Plan, grid: Grid) -> Grid:
    """The table of regret, told at one speed, and where the plan that is taken has another, a word on it."""
    assert plan.regret is not None
    tokens: Any = plan.tokens
    if abs(tokens / plan.regret.best.tokens - 1) < _ALIKE:
        return grid
    note = f"{grid.note}; at the speed of the first law's plan: at its own the * takes {count(tokens)} tokens"
    return grid._replace(note=note)


def _limits_inputs(plan: Plan) -> dict[str, Any]:
    from scaleplan.views.limits import limits_inputs

    return limits_inputs(plan)


def _limits_columns(plan: Plan) -> tuple[str, ...]:
    if not plan.problem.constrained:
        return ()
    from scaleplan.views.limits import limits_columns

    return limits_columns(plan)


def _forgiving(plan: Plan) -> str | None:
    """What another size costs, in compute: near its optimum a plan is forgiving."""
    at = plan.forgiveness
    if at is None:
        return None
    text = f"at equal loss 30 % more parameters: {_extra(at.above)} compute, 30 % fewer: {_extra(at.below)}"
    if plan.params_low is not None or plan.params_high is not None:
        text += f"; at the ends of their band: {_extra(at.at_low)} and {_extra(at.at_high)}"
    return f"{text}."


def _extra(value: Any) -> str:
    if value is None:
        return "out of reach"
    return f"+{100 * float(value):.3g} %" if value < _MANY else f"x{1 + float(value):,.3g}"


def _costing_inputs(costing: Costing) -> dict[str, Any]:
    from scaleplan.views.costs import costing_inputs

    return costing_inputs(costing)


def _laws_grid(plan: Plan) -> Grid:
    """Every law a row under the text it was fitted on; the budget is a column only where it differs between them."""
    given_loss = plan.problem.loss is not None
    plans = (plan, *plan.cross_check)
    headers = ("fitted on, law", *(("FLOP",) if given_loss else ()), "N", "D", "D/N", "D/N band", "loss", "beyond")
    rows: list[Sequence[str]] = []
    for corpus, group in by_corpus(plans):
        rows.append((corpus, *[""] * (len(headers) - 1)))
        for each in group:
            row = plan_row(each)
            cells = [
                f"- {row['law'] if each.regret is None else each.method}",
                *([flop(row["train_flop"])] if given_loss else []),
                count(row["params"]),
                count(row["tokens"]),
                ratio(row["tokens_per_param"]),
                band(row["tokens_per_param_low"], row["tokens_per_param_high"], ratio),
                loss(row["loss"]),
                _beyond(row["flop_over_runs"]),
            ]
            rows.append(cells)
    numeric = [False, *[True] * (len(headers) - 1)]
    return Grid(title="the laws side by side", headers=headers, rows=rows, numeric=numeric, note=spread_note(plans))


def _beyond(flop_over_runs: float | None) -> str:
    """How many times beyond the dearest run behind a law a plan lies; a dash within, a question mark if not known."""
    if flop_over_runs is None:
        return "?"
    if flop_over_runs <= 1.005:
        return "-"
    return f"{flop_over_runs:,.3g}x" if flop_over_runs < 1e3 else f"{count(float(f'{flop_over_runs:.2e}'))}x"


def spread_note(plans: Sequence[Plan]) -> str:
    """How far the laws lie apart, all of them and those fitted on one text; and what the headings mean."""

    def between(some: Sequence[Plan], key: str, write: Callable[[float | None], str]) -> str:
        low, high = spread(some, key)
        return f"{write(low)} to {write(high)}"

    text = f"N {between(plans, 'params', count)}, D/N {between(plans, 'tokens_per_param', ratio)}"
    parts = [
        f"{corpus} {between(group, 'tokens_per_param', ratio)}"
        for corpus, group in by_corpus(plans)
        if 1 < len(group) < len(plans)
    ]
    inside = f" ({'; '.join(parts)})" if parts else ""
    meaning = "beyond: FLOP over those of the dearest run behind the law (? not known)"
    return f"{meaning}. Spread: {text}{inside}."


def _line(row: Row, label: str, key: str, write: Callable[[float | None], str]) -> tuple[str, str, str]:
    return label, write(row[key]), band(row[f"{key}_low"], row[f"{key}_high"], write)
