"""The formats that are data (JSON, NDJSON, CSV) and Markdown. None of them goes through rich."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, cast

from scaleplan.errors import Notice
from scaleplan.version import __version__
from scaleplan.views.screen import clean
from scaleplan.views.table import Grid, Row, Stream, Table


def json_envelope(table: Table) -> str:
    """The one envelope: schema, version, inputs, rows, warnings."""
    head = _envelope_head(table.verb, table.inputs)
    rows = ", ".join(_json(row) for row in table.rows)
    return f"{head}{rows}{_envelope_tail(table.warnings)}"


def ndjson_lines(rows: Iterable[Row]) -> Iterator[str]:
    """A JSON object a row and line."""
    for row in rows:
        yield f"{_json(row)}\n"


def csv_text(columns: Sequence[str], rows: Iterable[Row]) -> str:
    """A header and a line a row; absent values are empty."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_csv_cell(row[key]) for key in columns] for row in rows)
    return text.getvalue()


def markdown(grids: Sequence[Grid]) -> str:
    """Each grid as a titled Markdown table."""
    return "\n".join(_markdown_grid(grid) for grid in grids)


def write_stream(stream: Stream, form: str, sink: BinaryIO) -> Sequence[Notice]:
    """Write the blocks of a stream as they come, and return its notices.

    The JSON envelope ends with the warnings, so it too can be written before the last block is known.
    """
    import polars as pl

    head, separator, tail = b"", b"\n", b""
    if form == "json":
        head, separator = _envelope_head(stream.verb, stream.inputs).encode(), b", "
    between = b""
    sink.write(head)
    for i, block in enumerate(stream.blocks):
        frame = pl.DataFrame({key: _column(block[key]) for key in stream.columns})
        if form == "csv":
            frame.write_csv(sink, include_header=i == 0)
        elif form == "ndjson":
            sink.write(frame.write_ndjson().encode())
        else:
            lines = frame.write_ndjson().rstrip("\n").encode().replace(b"\n", separator)
            sink.write(between + lines)
            between = separator
        sink.flush()
    notices = stream.warnings()
    if form == "json":
        tail = _envelope_tail(notices).encode()
    sink.write(tail)
    return notices


def block_rows(block: Mapping[str, Any], columns: Sequence[str]) -> Iterator[Row]:
    """The rows of a block as mappings of plain values."""
    values = [column_values(block, key) for key in columns]
    for row in zip(*values, strict=True):
        yield dict(zip(columns, row, strict=True))


def column_values(block: Mapping[str, Any], key: str) -> list[Any]:
    """One column of a block as plain values, NaN as absent."""
    height = next(len(value) for value in block.values() if hasattr(value, "__len__") and not isinstance(value, str))
    value = block[key]
    if hasattr(value, "tolist"):
        numbers: list[float] = value.tolist()
        return [None if math.isnan(number) else number for number in numbers]
    return cast("list[Any]", value) if isinstance(value, list) else [value] * height


def _column(value: Any) -> Any:
    """A block's column for polars: an array as it is, NaN as null; one value for all rows as a literal."""
    import polars as pl

    if hasattr(value, "dtype"):
        series = pl.Series(value)
        return series.fill_nan(None) if series.is_nan().any() else series
    return value


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _envelope_head(verb: str, inputs: Mapping[str, Any]) -> str:
    head = _json({"schema": f"scaleplan.{verb}/1", "version": __version__, "inputs": inputs})
    return f'{head[:-1]}, "rows": ['


def _envelope_tail(warnings: Sequence[Notice]) -> str:
    return f'], "warnings": {_json([{"code": w.code, "message": w.message} for w in warnings])}}}\n'


def _csv_cell(value: Any) -> Any:
    if isinstance(value, (list, dict)):
        return _json(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else value


def _markdown_grid(grid: Grid) -> str:
    lines = [f"**{_markdown_cell(grid.title)}**\n"] if grid.title else []
    lines.append(f"| {' | '.join(_markdown_cell(header) for header in grid.headers)} |")
    lines.append(f"| {' | '.join('---:' if numeric else '---' for numeric in grid.numeric)} |")
    lines += [f"| {' | '.join(_markdown_cell(cell) for cell in row)} |" for row in grid.rows]
    lines += [f"\n{_markdown_cell(grid.note)}"] if grid.note else []
    return "\n".join(lines) + "\n"


def _markdown_cell(text: str) -> str:
    """User text kept inert: no cell breaks, no HTML, no emphasis, no line breaks."""
    text = clean(" ".join(text.split()))
    for mark in "\\`*_{}[]|~":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
