"""Tables as they come: CSV text, NDJSON, Parquet or a dataframe, into columns that know where their rows stood."""

from __future__ import annotations

import io
import json
import math
import os
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs.csv_text import csv_header, csv_table
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.raw_table import Table, distinct

if TYPE_CHECKING:
    import polars as pl

PARQUET = b"PAR1"
"""How a Parquet file begins and ends (format specification, "File format")."""
EMPTY = "empty; the first line must name the columns, such as params,tokens"

Choose = Callable[[list[str], str], Sequence[str]]
"""From the columns of a table, and what messages call their place, to the ones that are wanted."""


def read_table(source: Any, choose: Choose) -> Table:
    """The whole of a table, wanted columns alone.

    Args:
        source: a path, ``-`` for standard input, or a dataframe that narwhals knows. What a file begins with says
            what it is: ``PAR1`` Parquet, ``{`` or ``[`` JSON, anything else CSV.
        choose: the columns that are wanted.

    Raises:
        InputFileError: no such file, no rows, or contents that cannot be read, with their line or row.
        UsageError: neither a path nor a dataframe.
    """
    if not isinstance(source, (str, os.PathLike)):
        return _of_dataframe(source, choose)
    path = os.fspath(cast("str | os.PathLike[str]", source))
    name = shown(path)
    parquet = path.lower().endswith((".parquet", ".pq"))
    table = table_of_bytes(_contents(path, name), name, choose, parquet=parquet)
    if not table.frame.height:
        raise InputFileError(f"{name}: {'a header and no rows' if table.by_line else 'no rows'}")
    return table


def is_csv(start: bytes) -> bool:
    """Whether a file that begins so is read as CSV."""
    return not start.startswith(PARQUET) and start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] not in (b"{", b"[")


def _contents(path: str, name: str) -> bytes:
    try:
        if path == "-":
            import sys

            return sys.stdin.buffer.read()
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise unreadable(name, error) from None


def table_of_bytes(data: bytes, name: str, choose: Choose, *, parquet: bool = False) -> Table:
    """The table that the contents of a file are; ``parquet`` says that nothing else will do.

    Raises:
        InputFileError: contents that cannot be read, with their line or row.
    """
    if parquet or data.startswith(PARQUET):
        return _of_parquet(data, name, choose)
    if not data.strip():
        raise InputFileError(f"{name}: {EMPTY}")
    if not is_csv(data[:1000]):
        return _of_json_lines(data, name, choose)
    if b"\0" in data:
        raise InputFileError(f"{name}: a binary file, not CSV text")
    head, _, body = data.partition(b"\n")
    del data
    header = csv_header(head, name)
    wanted = choose(header, f"{name}:1")
    table = csv_table(body, header, name, 2)
    return Table(name=name, frame=table.frame.select(wanted), rows=table.rows, by_line=True)


def _numbered(name: str, frame: pl.DataFrame) -> Table:
    return Table(name=name, frame=frame, rows=range(1, frame.height + 1), by_line=False)


def _of_parquet(data: bytes, name: str, choose: Choose) -> Table:
    import polars as pl

    if not data.startswith(PARQUET):
        raise InputFileError(f"{name}: not Parquet, which begins with PAR1{'' if data else '; the file is empty'}")
    if len(data) < 12 or not data.endswith(PARQUET):
        raise InputFileError(f"{name}: a truncated Parquet file: its end is missing; copy or write it again")
    try:
        columns = list(pl.read_parquet_schema(io.BytesIO(data)))
        wanted = choose(distinct(columns, name), name)
        return _numbered(name, pl.read_parquet(io.BytesIO(data), columns=list(wanted)))
    except pl.exceptions.PolarsError as error:
        raise InputFileError(f"{name}: damaged Parquet: {_one_line(error)}") from None


def _of_json_lines(data: bytes, name: str, choose: Choose) -> Table:
    import polars as pl

    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        frame = pl.read_ndjson(io.BytesIO(data), infer_schema_length=None)
        # A key that stands twice in an object is overwritten in silence: then it is more frequent than the rows.
        plain = all(data.count(b'"' + column.encode() + b'"') <= frame.height for column in frame.columns)
        plain = plain and not _truth_for_number(data, frame)
    except pl.exceptions.PolarsError:
        frame, plain = None, False
    if frame is None or not plain:
        frame = _columns(_objects(data, name))
    return _numbered(name, frame.select(choose(frame.columns, name)))


def _truth_for_number(data: bytes, frame: pl.DataFrame) -> bool:
    """Whether polars may have read ``true`` as 1."""
    if b"true" not in data and b"false" not in data:
        return False
    names = b"|".join(re.escape(each.name.encode()) for each in frame if each.dtype.is_numeric())
    return bool(names) and re.search(b'"(?:' + names + rb')"\s*:\s*(?:true|false)', data) is not None


def _columns(objects: list[dict[str, Any]]) -> pl.DataFrame:
    """Columns of objects; one of several kinds of value becomes text, so that none passes for another."""
    import polars as pl

    columns: dict[str, pl.Series] = {}
    for name in dict.fromkeys(key for each in objects for key in each):
        values = [each.get(name) for each in objects]
        kinds: set[type[Any]] = {type(value) for value in values if value is not None}
        if len(kinds) > 1 or not kinds <= {bool, float, str}:
            values = [value if value is None or isinstance(value, str) else json.dumps(value) for value in values]
        columns[name] = pl.Series(name, values)
    return pl.DataFrame(columns)


def _objects(data: bytes, name: str) -> list[dict[str, Any]]:
    """The objects of NDJSON one by one, or of one array; slower, and sure to say what is wrong with which line."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputFileError(f"{name}:{line}: not UTF-8 text") from None
    if text.lstrip().startswith("["):
        found = _json(text, f"{name}:1")
        numbered = [(f"{name}, row {i}", each) for i, each in enumerate(cast("list[Any]", found), 1)]
    else:
        lines = [(f"{name}:{i}", line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]
        numbered = [(place, _json(line, place)) for place, line in lines]
    for place, each in numbered:
        if not isinstance(each, dict):
            raise InputFileError(f'{place}: not a JSON object such as {{"params": 1e9, "tokens": 2e10}}')
    return [each for _, each in numbered]


def _json(text: str, place: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        distinct([key for key, _ in pairs], place)
        return dict(pairs)

    try:
        return json.loads(text, object_pairs_hook=once)
    except RecursionError:
        raise InputFileError(f"{place}: not a table: objects within objects without end") from None
    except json.JSONDecodeError as error:
        where = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}"
        raise InputFileError(f"{place}: not JSON, one object a line: {error.msg.lower()} ({where})") from None
    except ValueError:
        raise InputFileError(f"{place}: a number of more digits than any number has") from None


def _of_dataframe(source: Any, choose: Choose) -> Table:
    import narwhals as nw
    from narwhals.exceptions import NarwhalsError

    name = "dataframe"
    try:
        given = nw.from_native(source)
    except TypeError:
        raise UsageError(
            f"runs are a path or a dataframe that narwhals knows, such as of polars, pandas or pyarrow "
            f"(got {type(source).__name__})"
        ) from None
    try:
        columns = list(given.collect_schema().names())
        unnamed = [column for column in columns if not isinstance(column, str)]  # pyright: ignore[reportUnnecessaryIsInstance] # pandas has names of any type
        if unnamed:
            raise InputFileError(f"{name}: columns are called by text (got {unnamed[0]!r})")
        wanted = choose(distinct(columns, name), name)
        frame = given.select(list(wanted))
        eager = frame.collect() if isinstance(frame, nw.LazyFrame) else frame
    except (NarwhalsError, ValueError) as error:
        raise InputFileError(f"{name}: {_one_line(error)}") from None
    if not len(eager):
        raise InputFileError(f"{name}: no rows")
    return _numbered(name, _as_polars(eager))


def _as_polars(frame: Any) -> pl.DataFrame:
    """Column by column, since the whole would need pyarrow for pandas."""
    import polars as pl

    native = frame.to_native()
    if isinstance(native, pl.DataFrame):
        return native
    columns = {
        column: pl.Series(column, series.to_numpy() if series.dtype.is_numeric() else _values(series), strict=False)
        for column, series in ((column, frame[column]) for column in frame.columns)
    }
    return pl.DataFrame(columns)


def _values(series: Any) -> list[Any]:
    """Values that are no numbers; pandas writes a missing one as NaN."""
    return [None if isinstance(value, float) and math.isnan(value) else value for value in series.to_list()]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
