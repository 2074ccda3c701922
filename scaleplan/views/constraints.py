"""What holds a plan back, as a grid and as rows."""

from __future__ import annotations

from typing import Any

from scaleplan.planning.clash import written
from scaleplan.planning.why import LOSS, Held, Why
from scaleplan.views.table import Grid, share


def constraints_grid(why: Why) -> Grid:
    """Every constraint with its limit, how much of it is used, and what 1 % more of it gives."""
    targeted = any(each.name == LOSS for each in why.held)
    priced = any(each.usd_per_percent is not None for each in why.held)
    headers = (
        "constraint",
        "limit",
        "used",
        "slack",
        *(() if targeted else ("loss",)),
        "saved" if targeted else "compute",
        *(("USD",) if priced else ()),
    )
    rows = [_cells(each, targeted=targeted, priced=priced) for each in why.held]
    numeric = [False, *[True] * (len(headers) - 1)]
    return Grid("what holds the plan back", headers, rows, numeric, note=_note(why, targeted=targeted, priced=priced))


def constraints_rows(why: Why) -> list[dict[str, Any]]:
    """The same at full precision, one mapping a constraint."""
    return [
        each._asdict() | {"relax_first": each.name == why.relax_first, "together": each.name in why.together}
        for each in why.held
    ]


def _cells(held: Held, *, targeted: bool, priced: bool) -> list[str]:
    cells = [held.name, written(held.limit, held.of), written(held.used, held.of)]
    cells.append("binds" if held.binding else share(held.slack))
    if not targeted:
        cells.append(_gain(held.loss_per_percent, "{:.5f}"))
    cells.append(_gain(held.flop_per_percent, "{:.2f}%"))
    if priced:
        cells.append("-" if not held.usd_per_percent else written(held.usd_per_percent, "USD"))
    return cells


def _gain(value: float | None, form: str) -> str:
    return "-" if not value else form.format(value)


def _note(why: Why, *, targeted: bool, priced: bool) -> str:
    gain = "what is saved of the expense" if targeted else "the fall of the loss and the extra compute that buys it"
    note = f"last columns: what 1 % more of it gives, {gain}{', in USD too' if priced else ''}"
    if why.relax_first is not None:
        note += f"; relax {why.relax_first} first"
    if why.together:
        note += f"; {' and '.join(why.together)} bind together: relaxing one of them alone gives nothing"
    return note
