"""Regret of plans under laws as a grid and as rows."""

from __future__ import annotations

from scaleplan.planning.regret import RegretTable
from scaleplan.views.table import Grid, Row, count, share

_MOST_NAMED = 3
"""Our choice: laws whose names fit 80 columns as headings; more are numbered."""
_WHY = {
    "mean": "least expected regret, the laws weighing alike",
    "worst": "least worst regret",
}


def regret_grid(table: RegretTable) -> Grid:
    """Plans down, laws across: how much of its budget a plan wastes where a law is true; ``*`` marks the best bet."""
    laws = [law.id for law in table.worlds]
    numbered = len(laws) > _MOST_NAMED
    names = [plan.name for plan in table.plans]
    if numbered:
        # The laws' own plans come first and in the order of the columns.
        names = [f"{i + 1} {name}" for i, name in enumerate(names)]
    heads = [str(i + 1) for i in range(len(laws))] if numbered else laws
    headers = ["plan", "N", "D", *heads, "expected", "worst"]
    rows = [
        [
            f"{names[i]} *" if i == table.recommended else names[i],
            count(plan.params),
            count(plan.tokens),
            *(_extra(cell.mean) for cell in table.cells[i]),
            _extra(table.expected[i]),
            _extra(table.worst[i]),
        ]
        for i, plan in enumerate(table.plans)
    ]
    return Grid(
        title=_title(table),
        headers=headers,
        rows=rows,
        numeric=[False, *[True] * (len(headers) - 1)],
        note=_note(table) + ("; 1, 2, ...: the laws whose plans these are" if numbered else ""),
    )


def regret_rows(table: RegretTable) -> list[Row]:
    """One row a plan: its numbers, ``expected_regret``, ``worst_regret``, and ``regret`` by law at full precision.

    With draws ``regret`` is their mean, and ``regret_q50``, ``regret_q90`` and ``regret_q95`` stand beside it.
    """
    laws = [law.id for law in table.worlds]
    read = {"regret": "mean"} | ({f"regret_{key}": key for key in ("q50", "q90", "q95")} if any(table.drawn) else {})
    return [
        {
            "plan": plan.name,
            "params": plan.params,
            "tokens": plan.tokens,
            "tokens_per_param": plan.tokens / plan.params,
            "recommended": i == table.recommended,
            "expected_regret": table.expected[i],
            "worst_regret": table.worst[i],
            **{
                name: {law: getattr(cell, key) for law, cell in zip(laws, table.cells[i], strict=True)}
                for name, key in read.items()
            },
        }
        for i, plan in enumerate(table.plans)
    ]


def _title(table: RegretTable) -> str:
    if not table.budget:
        return "regret: what a plan spends beyond the least that reaches the loss, where a law is true"
    what = "FLOPs" if table.budget == ("flops",) else " and ".join(table.budget)
    return f"regret: {what} that a plan wastes, over what its loss calls for where a law is true"


def _extra(value: float | None) -> str:
    return "misses" if value is None else f"+{share(value)}"


def _note(table: RegretTable) -> str:
    note = f"* {_WHY[table.how]}"
    if table.draws is not None and any(table.drawn):
        many = ", ".join(law.id for law, drawn in zip(table.worlds, table.drawn, strict=True) if drawn)
        note += f"; {table.draws:,} draws of {many}: mean, and as worst the 95 % quantile"
    both = [law.id for law in table.worlds if law.allocation is not None]
    if both:
        note += f"; {', '.join(both)} by its loss L(N, D), whose best plan is not its published allocation"
    if any(cell.mean is None for row in table.cells for cell in row):
        note += "; misses: does not reach the loss there"
    return note
