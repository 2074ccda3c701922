"""A model's published run beside the estimate of it."""

from __future__ import annotations

from typing import Any

from scaleplan.specs.published_comparison import PublishedComparison, PublishedRow
from scaleplan.views.costs import costing_grids, costing_inputs
from scaleplan.views.marks import LEGEND, by_number, digits, marked
from scaleplan.views.table import Grid, Table, count, notes

PUBLISHED_COLUMNS = ("quantity", "unit", "published", "status", "source", "estimate", "ratio", "reason")


def published_table(comparison: PublishedComparison) -> Table:
    """Every published figure, the estimate, their ratio, and the reason of a large gap."""
    rows = [{key: getattr(row, key) for key in PUBLISHED_COLUMNS} for row in comparison.rows]
    run, costing = comparison.run, comparison.costing
    inputs: dict[str, Any] = {
        "model": comparison.model,
        "hardware": run.hardware,
        "note": run.note,
        "pue_included": run.pue_included,
        **({} if costing is None else costing_inputs(costing)),
    }
    return Table(
        verb="cost-published",
        inputs=inputs,
        columns=PUBLISHED_COLUMNS,
        rows=rows,
        warnings=() if costing is None else costing.warnings,
        grids=lambda: _grids(comparison),
    )


def _grids(comparison: PublishedComparison) -> list[Grid]:
    numbers, sources = by_number([row.source for row in comparison.rows])
    cells = [
        (row.quantity, row.unit, marked(_figure(row.published), row.status), _figure(row.estimate), _ratio(row), number)
        for row, number in zip(comparison.rows, numbers, strict=True)
    ]
    grid = Grid(
        title=f"{comparison.model} as published, on {comparison.run.hardware} ({LEGEND})",
        headers=("", "unit", "published", "estimate", "ratio", "source"),
        rows=cells,
        numeric=(False, False, True, True, True, True),
        note="ratio: estimate over published",
    )
    reasons = _reasons(comparison)
    remarks = [comparison.run.note] if comparison.run.note else []
    blocks = (("why they part", reasons), ("on the run", remarks), ("sources", sources))
    extra = [notes(title, lines) for title, lines in blocks if lines]
    return [grid, *extra, *([] if comparison.costing is None else costing_grids(comparison.costing))]


def _figure(value: float | None) -> str:
    return "-" if value is None else count(value) if value >= 1e5 else digits(value)


def _ratio(row: PublishedRow) -> str:
    return "-" if row.ratio is None else f"{row.ratio:.2f}"


def _reasons(comparison: PublishedComparison) -> list[str]:
    """Why figures part, those of one reason on one line."""
    shared: dict[str, list[str]] = {}
    for row in comparison.rows:
        if row.reason:
            shared.setdefault(row.reason, []).append(row.quantity)
    return [f"{'; '.join(quantities)}: {reason}" for reason, quantities in shared.items()]
