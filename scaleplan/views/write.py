"""Writing a table or a stream to a file or standard output in one of the formats."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from scaleplan.errors import Notice, UsageError, nearest, quoted
from scaleplan.views import text
from scaleplan.views.formats import Format
from scaleplan.views.screen import for_stderr
from scaleplan.views.table import Row, Stream, Table, named_values

_MOST_NAMES = 24
"""Our choice: so many names still make a readable line."""


def write(result: Table | Stream, *, form: Format, output: str | None, quiet: bool, get: str | None = None) -> None:
    """Print a result; its notices go to stderr unless ``quiet`` (and into JSON always).

    Args:
        result: a table, or a stream, which is written block by block.
        form: the format.
        output: a path, replaced only once the whole result is written; ``None`` or ``-`` for standard output.
        quiet: leave the notices out of stderr.
        get: print only the bare value of this key, of the first row of a table or of every row of a stream, one a line;
            of a table of one entry also the value of the field that goes by this name, of one without rows that of the
            inputs.

    Raises:
        UsageError: no such key, with the nearest; no rows to read it from; or a place that cannot be written.
    """
    if get is not None:
        _require_key(result, get)
    with _sink(output) as sink:
        notices = _write_values(result, get, sink) if get is not None else _write_rows(result, form, sink)
    _notify(notices, quiet)


def _require_key(result: Table | Stream, key: str) -> None:
    """Refuse a key that has no value to print.

    Raises:
        UsageError: the rows do not have it, or there are none.
    """
    fields = list(named_values(result)) if isinstance(result, Table) else []
    if key not in result.columns and key not in fields:
        hint = nearest(key, (*result.columns, *fields))
        others = f"; fields: {_listed(fields)}" if fields else ""
        raise UsageError(
            f"no key {quoted(key)} in the rows of {result.verb}.{hint} It has {', '.join(result.columns)}{others}"
        )
    if isinstance(result, Table) and not result.rows and key not in result.inputs:
        why = "".join(f": {notice.message}" for notice in result.warnings[:1])
        raise UsageError(f"{result.verb} has no rows to read {key} from{why}")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def write_json(document: Mapping[str, Any], *, output: str | None) -> None:
    """Print a document of its own, such as a schema: JSON for people too, one key a line, and no envelope.

    Raises:
        UsageError: a place that cannot be written.
    """
    import json

    with _sink(output) as sink:
        sink.write(f"{json.dumps(document, ensure_ascii=False, indent=2)}\n".encode())


def _write_rows(result: Table | Stream, form: Format, sink: BinaryIO) -> Sequence[Notice]:
    if isinstance(result, Stream) and form in ("table", "markdown"):
        result = _collected(result)
    if isinstance(result, Stream):
        return text.write_stream(result, form, sink)
    sink.writelines(piece.encode("utf-8", "surrogateescape") for piece in _table_text(result, form, sink))
    return result.warnings


def _write_values(result: Table | Stream, key: str, sink: BinaryIO) -> Sequence[Notice]:
    if isinstance(result, Table):
        row = result.rows[0] if result.rows else result.inputs
        sink.write(_bare(row[key] if key in row else named_values(result)[key]))
        return result.warnings
    for block in result.blocks:
        sink.writelines(map(_bare, text.column_values(block, key)))
        sink.flush()
    return result.warnings()


def _plain(value: Any) -> str:
    if not isinstance(value, (list, dict)):
        return repr(value)
    import json

    return json.dumps(value, ensure_ascii=False)


def _bare(value: Any) -> bytes:
    """A value as JSON has it, text without its quotes."""
    if isinstance(value, bool) or value is None:
        shown = {None: "null", True: "true", False: "false"}[value]
    else:
        shown = value if isinstance(value, str) else _plain(value)
    return f"{shown}\n".encode("utf-8", "surrogateescape")


def _table_text(table: Table, form: Format, sink: BinaryIO) -> Iterator[str]:
    if form == "json":
        yield text.json_envelope(table)
    elif form == "ndjson":
        yield from text.ndjson_lines(table.rows)
    elif form == "csv":
        yield text.csv_text(table.columns, table.rows)
    elif form == "markdown":
        yield text.markdown(table.grids())
    else:
        from scaleplan.views.terminal import render

        yield render(table.grids(), terminal=sink is sys.stdout.buffer)


def _collected(stream: Stream) -> Table:
    rows: list[Row] = [row for block in stream.blocks for row in text.block_rows(block, stream.columns)]
    return Table(
        verb=stream.verb,
        inputs=stream.inputs,
        columns=stream.columns,
        rows=rows,
        warnings=stream.warnings(),
        grids=lambda: stream.grids_of(rows),
    )


@contextmanager
def _sink(output: str | None) -> Generator[BinaryIO]:
    if output is None or output == "-":
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    from scaleplan.specs.files import replacing

    with replacing(output) as file:
        yield file


def _notify(notices: Sequence[Notice], quiet: bool) -> None:
    if quiet:
        return
    for notice in notices:
        print(for_stderr(f"warning: {notice.code}: {notice.message}"), file=sys.stderr)
