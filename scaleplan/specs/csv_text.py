"""CSV as people write it, into columns of text: every value as it stands, every row with its line.

RFC 4180 with commas; blank lines are passed over, a quoted value ends on its own line.
"""

from __future__ import annotations

import contextlib
import csv
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from scaleplan.errors import InputFileError
from scaleplan.specs.raw_table import Table, distinct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def csv_header(line: bytes, name: str) -> list[str]:
    """The names of the columns, as the first line of a file gives them.

    Raises:
        InputFileError: not UTF-8, not CSV, or a name that stands twice.
    """
    try:
        columns = [column.strip() for column in next(csv.reader([line.decode("utf-8-sig")]), list[str]())]
    except UnicodeDecodeError:
        raise InputFileError(f"{name}:1: not UTF-8 text") from None
    except csv.Error:
        raise InputFileError(f"{name}:1: not CSV with a line feed after each row") from None
    return distinct(columns, f"{name}:1")


def csv_table(body: bytes, header: list[str], name: str, first: int) -> Table:
    """The rows of a block of whole lines, of which the first is the line ``first`` of the file.

    Raises:
        InputFileError: binary, not UTF-8, a quoted value with a line break in it, or a row with more or fewer values
            than the header has columns.
    """
    if b"\0" in body:
        raise InputFileError(f"{name}: a binary file, not CSV text")
    try:
        body.decode()
    except UnicodeDecodeError as error:
        line = first + body[: error.start].count(b"\n")
        raise InputFileError(f"{name}:{line}: not UTF-8 text") from None
    if b'"' in body:
        for i, text in enumerate(body.split(b"\n")):
            if text.count(b'"') % 2:
                raise InputFileError(f"{name}:{first + i}: a quoted value must end on its own line")
    return _rows(body, header, name, first)


def _rows(body: bytes, header: list[str], name: str, first: int) -> Table:
    import polars as pl

    count = body.count(b"\n") + (body != b"" and not body.endswith(b"\n"))
    frame: pl.DataFrame | None = None
    with contextlib.suppress(pl.exceptions.PolarsError):
        frame = pl.read_csv(io.BytesIO(body), has_header=False, infer_schema=False, quote_char='"')
    if frame is None or frame.width != len(header) or frame.height != count:
        return _one_by_one(body, header, name, first)
    # Polars fills short and blank rows in silence: they are among those without a value in the last column.
    empty = frame[frame.columns[-1]].is_null()
    lines: Sequence[int] | NDArray[np.int64] = range(first, first + count)
    if empty.any():
        texts = body.decode().split("\n")
        suspects: list[int] = empty.arg_true().to_list()
        blank = [i for i in suspects if not texts[i].strip()]
        commas = len(header) - 1
        quotes = b'"' in body
        short = [i for i in suspects if texts[i].strip() and (quotes or texts[i].count(",") != commas)]
        _same_width(csv.reader(texts[i] for i in short), [first + i for i in short], header, name)
        if blank:
            import numpy as np

            kept = np.delete(np.arange(count), blank)
            frame, lines = frame[kept], kept + first
    frame = frame.rename(dict(zip(frame.columns, header, strict=True)))
    return Table(name=name, frame=frame, rows=lines, by_line=True)


def _one_by_one(body: bytes, header: list[str], name: str, first: int) -> Table:
    """The same, slower, where polars will not have it."""
    import polars as pl

    texts = {first + i: text for i, text in enumerate(body.decode().split("\n")) if text.strip()}
    lines = list(texts)
    values = _same_width(csv.reader(texts.values()), lines, header, name)
    frame = pl.DataFrame(values, schema=dict.fromkeys(header, pl.String), orient="row")
    return Table(name=name, frame=frame, rows=lines, by_line=True)


def _same_width(values: Iterable[list[str]], lines: Iterable[int], header: list[str], name: str) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = iter(values)
    for line in lines:
        try:
            row = next(reader)
        except (csv.Error, StopIteration):
            raise InputFileError(f"{name}:{line}: not CSV with a line feed after each row") from None
        if len(row) != len(header):
            raise InputFileError(f"{name}:{line}: {len(row)} values, {len(header)} columns in the header")
        rows.append(row)
    return rows
