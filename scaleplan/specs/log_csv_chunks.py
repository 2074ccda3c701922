"""Many rows of CSV at once, by polars: the same rows as line by line, or none where that could not be sure."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

from scaleplan.specs.log_chunks import count_of, fill, lines_in, times_of
from scaleplan.specs.log_rows import LogRows

if TYPE_CHECKING:
    import polars as pl


def csv_chunk(
    block: bytes,
    delimiter: str,
    width: int,
    places: Mapping[str, int],
    scales: Mapping[str, float],
    run: int | None,
    rows: LogRows,
) -> bool:
    """Rows of CSV; whether they were taken.

    Args:
        block: whole lines.
        delimiter: what stands between values.
        width: how many values a row has.
        places: of which role the values at a place are.
        scales: what values of a role are multiplied with.
        run: at which place the name of the run stands.
        rows: to be filled.
    """
    import polars as pl

    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if b'"' in block or b"\r" in block or b"\0" in block:
        return False
    count = lines_in(block)
    if count_of(block, delimiter.encode()) != count * (width - 1):
        return False
    try:
        frame = pl.read_csv(
            io.BytesIO(block), has_header=False, infer_schema=False, separator=delimiter, quote_char=None
        )
    except pl.exceptions.PolarsError:
        return False
    # As many delimiters as full rows have, and polars refuses rows that are too long: then none is too short.
    if frame.width != width or frame.height != count:
        return False
    texts = frame.get_columns()
    odd = 0
    found: dict[str, pl.Series] = {}
    for role, place in places.items():
        numbers, missing = _numbers(texts[place])
        if missing and role == "time":
            numbers, odd = times_of(texts[place])
        elif missing:
            return False
        found[role] = numbers * scales[role] if role in scales else numbers
    taken = fill(rows, found, {} if run is None else {"run": texts[run].fill_null("")})
    rows.roles.odd_times += odd if taken else 0
    return taken


def _numbers(texts: pl.Series) -> tuple[pl.Series, bool]:
    """The numbers of a column, null where a cell is blank, and whether any other cell is no number."""
    import polars as pl

    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() == texts.null_count():
        return numbers, False
    stripped = texts.str.strip_chars(" ")
    numbers = stripped.cast(pl.Float64, strict=False)
    return numbers, numbers.null_count() != texts.null_count() + (stripped == "").sum()
