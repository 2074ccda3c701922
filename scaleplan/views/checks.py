"""What a checked file holds, as a table."""

from __future__ import annotations

from scaleplan.specs.checking import FileCheck
from scaleplan.views.table import Grid, Table

CHECK_COLUMNS = ("file", "schema", "key", "value")


def check_table(check: FileCheck) -> Table:
    """One row for each thing that was read."""
    rows = [{"file": check.path, "schema": check.schema, "key": key, "value": value} for key, value in check.holds]
    grid = Grid(
        title=f"{check.path}: sound ({check.schema})",
        headers=("", ""),
        rows=check.holds,
        numeric=(False, False),
    )
    return Table(
        verb="check", inputs={"file": check.path}, columns=CHECK_COLUMNS, rows=rows, warnings=(), grids=lambda: [grid]
    )
