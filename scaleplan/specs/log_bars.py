"""Megatron-LM's lines as a table with bars between its cells, by polars: the same numbers as line by line."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl

    from scaleplan.specs.log_rows import LogRows

_STEP = r"iteration +([0-9]{1,15})/ *([0-9]{1,15}) $"
_PLAIN = rf"^ *{_STEP}"
_STAMPED = rf"^ *\[([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} [0-9]{{2}}:[0-9]{{2}}:[0-5][0-9])\] {_STEP}"


class Cell(NamedTuple):
    """What stands in a cell: how it begins, the role of its number, and whether it has none but two with a slash."""

    begins: str
    role: str | None
    two: bool


class Bars(NamedTuple):
    """The cells of a line behind the first, which has the step, and before the last, which says nothing."""

    stamped: bool
    cells: Sequence[Cell]
    scales: Mapping[str, float]


def take_bars(lines: Sequence[str], bars: Bars, rows: LogRows) -> bool:
    """Put lines into rows; whether all were like that."""
    import polars as pl

    cells = _table("\n".join(lines).encode(), len(lines), len(bars.cells) + 2)
    if cells is None:
        return False
    numbers = _first(cells[0], stamped=bars.stamped)
    for cell, texts in zip(bars.cells, cells[1:-1], strict=True):
        if texts.null_count() or not texts.str.starts_with(cell.begins).all():
            return False
        if cell.two and not texts.str.contains("/", literal=True).all():
            return False
        if cell.role is not None and not cell.two:
            values = texts.str.slice(len(cell.begins)).str.strip_chars(" ").cast(pl.Float64, strict=False)
            numbers[cell.role] = values * bars.scales.get(cell.role, 1.0)
    if any(each.null_count() for each in numbers.values()):
        return False
    rows.facts["total_steps"] = float(numbers.pop("total")[-1])
    rows.extend(numbers.pop("step").to_numpy(), {role: each.to_numpy() for role, each in numbers.items()})
    return True


def _table(text: bytes, rows: int, width: int) -> list[pl.Series] | None:
    """The cells of lines that have as many each."""
    import polars as pl

    if text.count(b"|") != rows * (width - 1) or b"\x1b" in text or b"\0" in text:
        return None
    try:
        frame = pl.read_csv(io.BytesIO(text), has_header=False, infer_schema=False, separator="|", quote_char=None)
    except pl.exceptions.PolarsError:
        return None
    return frame.get_columns() if frame.shape == (rows, width) else None


def _first(texts: pl.Series, *, stamped: bool) -> dict[str, pl.Series]:
    """Step, steps in all and time; null where a cell looks otherwise."""
    import polars as pl

    found = texts.str.extract_groups(_STAMPED if stamped else _PLAIN).struct.unnest().get_columns()
    numbers = {role: each.cast(pl.Float64) for role, each in zip(("step", "total"), found[-2:], strict=True)}
    if stamped:
        times = found[0].str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
        numbers["time"] = times.dt.epoch("us") / 1e6
    return numbers
