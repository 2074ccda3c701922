"""From bytes to the rows of a log: the one way that reads whole logs and tells which of their rows can be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from scaleplan.errors import InputFileError, nearest, quoted
from scaleplan.specs.log_blocks import LineCutter, Parser, read_piece, without_mark
from scaleplan.specs.log_csv import FORM as CSV
from scaleplan.specs.log_forms import (
    LOOKED_FOR,
    STORES,
    TEXT,
    WHOLE,
    form_of,
    parser_of,
    refuse_binary,
    store_reader,
)
from scaleplan.specs.log_json import OBJECT, CutOffError, read_json
from scaleplan.specs.log_names import known_names
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogContentError, LogRows


class Wanted(NamedTuple):
    """What is wanted of a log: its name for messages, the format if it is forced, what columns are called, the run.

    ``careful``: every line is read by itself, to compare with.
    """

    name: str
    form: str | None
    roles: Roles
    run: str | None
    careful: bool = False

    def parser(self, form: str) -> Parser:
        """What reads the lines of a format."""
        return parser_of(form, self.name, self.roles, self.run, careful=self.careful)


def rows_of_store(path: str, store: str, wanted: Wanted) -> LogRows:
    """The rows of a log that is no text."""
    assert store in STORES
    return store_reader(store)[1](Path(path), wanted.name, wanted.roles.given, wanted.run)


def rows_of_file(file: BinaryIO, wanted: Wanted) -> LogRows:
    """The rows of a text log, from the beginning to the end.

    Raises:
        LogContentError: empty, blank, binary, JSON that is cut off, or a header without steps or losses.
    """
    pieces = iter(lambda: read_piece(file, wanted.name), b"")
    head, ended = _head(pieces, wanted.name)
    refuse_binary(head, wanted.name)
    if not head.strip():
        raise nothing(wanted, head)
    form = wanted.form or form_of(head, wanted.roles, ended=ended) or TEXT
    if form in WHOLE:
        return rows_of_text(b"".join((head, *pieces)), wanted)
    parser = wanted.parser(form)
    cutter = LineCutter(wanted.name)
    piece = without_mark(head)
    del head
    while piece:
        whole = cutter.take(piece)
        if whole:
            parser.take(whole)
        del whole
        piece = next(pieces, b"")
    rest = cutter.rest()
    if rest:
        parser.take(rest)
    return parser.rows


def nothing(wanted: Wanted, text: bytes) -> LogContentError:
    """The error for a log without any text but blanks."""
    return LogContentError(f"{wanted.name}: {'blank' if text else 'empty'}; looked for {LOOKED_FOR}")


def _head(pieces: Iterator[bytes], name: str) -> tuple[bytes, bool]:
    """The beginning of a log up to what follows its first line, and whether that is all of it."""
    cutter = LineCutter(name)
    whole = b""
    for piece in pieces:
        whole += cutter.take(piece)
        first, _, more = whole.lstrip().partition(b"\n")
        if first and (more.strip() or cutter.waiting):
            return whole + cutter.rest(), False
    return whole + cutter.rest(), True


def rows_of_value(data: bytes, wanted: Wanted) -> LogRows:
    """The rows of a whole file that is one JSON value.

    Raises:
        LogContentError: as of ``rows_of_file``.
    """
    refuse_binary(data, wanted.name)
    if not data.strip():
        raise nothing(wanted, data)
    return rows_of_text(data, wanted)


def rows_of_text(data: bytes, wanted: Wanted) -> LogRows:
    """The rows of a file that is one JSON value, or else of its lines.

    Raises:
        LogContentError: not JSON, or cut off, and no line of it could be read.
    """
    name = wanted.name
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise LogContentError(f"{name}:{line}: not UTF-8 text") from None
    try:
        return read_json(text, name, wanted.roles, wanted.run)
    except CutOffError:
        raise
    except LogContentError:
        if wanted.form is None and text.lstrip().startswith("{"):
            for form in ("ndjson", TEXT):
                parser = wanted.parser(form)
                parser.take(without_mark(data))
                if len(parser.rows):
                    return parser.rows
        raise


def require_log(rows: LogRows, wanted: Wanted) -> None:
    """Refuse what is no log of one run.

    Raises:
        LogContentError: no row could be read, none has a step, or there are several runs and none was chosen.
        InputFileError: no run, or no column, of a name that was given.
    """
    name = wanted.name
    if wanted.run is not None and rows.runs and wanted.run not in rows.runs:
        known = sorted(rows.runs)
        raise InputFileError(
            f"{name}: no run {quoted(wanted.run)}.{nearest(wanted.run, known)} Its runs: "
            f"{', '.join(map(quoted, known[:5]))}{' ...' if len(known) > 5 else ''}"
        )
    if wanted.run is not None and not rows.runs:
        raise InputFileError(f"{name}: no run {quoted(wanted.run)}: its rows name no run")
    require_columns(wanted)
    if not rows.has_loss and not (rows.form == OBJECT and not rows.ignored):
        raise LogContentError(_no_rows(rows, name))
    if not len(rows) and rows.stepless > 1:
        known = known_names("step")
        raise LogContentError(
            f"{name}: {rows.stepless} rows with a loss and none with a step (read as one: {known}); if each is a run, "
            "`scaleplan fit` reads the file as it is"
        )
    require_one_run(rows, name)


def require_columns(wanted: Wanted) -> None:
    """Refuse names of columns that nothing in the log has.

    Raises:
        InputFileError: such a name.
    """
    roles = wanted.roles
    for role, given in roles.given.items():
        if given not in roles.met:
            known = f"; got {', '.join(map(quoted, sorted(roles.met)[:10]))}" if roles.met else ""
            near = nearest(given, roles.met)
            raise InputFileError(f"{wanted.name}: nothing is called {quoted(given)}, given for {role}{known}.{near}")


def require_one_run(rows: LogRows, name: str) -> None:
    """Refuse rows of several runs where none was chosen.

    Raises:
        LogContentError: several.
    """
    if rows.run is None and len(rows.runs) > 1:
        named = ", ".join(quoted(each) for each in sorted(rows.runs)[:2])
        raise LogContentError(
            f"{name}: rows of {len(rows.runs)} runs ({named} ...); a log is of one: name it with --run NAME, "
            "or split the file"
        )


def _no_rows(rows: LogRows, name: str) -> str:
    seen = rows.ignored + rows.unreadable
    if rows.form == CSV and not seen:
        return f"{name}: a header and no rows below it: nothing was logged yet"
    bad = f"; unreadable: {rows.first_unreadable}" if rows.first_unreadable else ""
    what = f"no line of {seen:,} could be read as a training log ({rows.form}){bad}"
    return f"{name}: {what}; looked for {LOOKED_FOR}"
