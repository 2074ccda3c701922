"""A training log as it grows: the rows that were written since the last look, in constant memory.

Lines are taken once they end. A file that was cut down, written anew or moved away is read from the beginning of what
stands in its place; steps then go back as they were written. What is no log of lines (a JSON value, a folder of a tool)
is read again when it has changed, and its rows beyond those given are given.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from scaleplan.errors import Notice
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_again import Again
from scaleplan.specs.log_blocks import LineCutter, Parser, is_packed, without_mark
from scaleplan.specs.log_forms import STORES, WHOLE, form_of, known_form, refuse_binary, store_of
from scaleplan.specs.log_json import is_value
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogRows
from scaleplan.specs.log_sources import (
    Wanted,
    nothing,
    require_log,
    require_one_run,
)
from scaleplan.specs.log_tail import RESTARTS, Pipe, Restart, Tail
from scaleplan.specs.log_text import TextParser

if TYPE_CHECKING:
    from scaleplan.forecasting.readings import Readings


class LogStream:
    """The rows of a log, as they come.

    Args:
        path: as of ``read_log``: a file, a folder of a tool, or ``-`` for standard input.
        form: the format, by one of the names of ``FORMS``; detected where none is given.
        columns: what roles are called in this log, where not as tools call them.
        run: which run, of a log of several.
        wait: the file may not be there yet.

    Raises:
        UsageError: no such format or role.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        form: str | None = None,
        columns: Mapping[str, str] | None = None,
        run: str | None = None,
        wait: bool = False,
    ) -> None:
        self.path = os.fspath(path)
        self._wanted = Wanted(shown(self.path), known_form(form), Roles(columns), run)
        self._wait = wait
        self._source: Tail | Pipe = (
            Pipe(self.path) if self.path == "-" or is_packed(self.path) else Tail(self.path, wait=wait)
        )
        self._cutter = LineCutter(self._wanted.name)
        self._head = b""
        self._peeked = 0
        self._fresh = True
        self._parser: Parser | None = None
        self._again: Again | None = None
        self._known = False
        self._said: list[Notice] = []

    @property
    def form(self) -> str:
        """What the format is called, as in ``TrainingLog.format``; nothing as long as it is not known."""
        rows = self._rows()
        return "" if rows is None else rows.form

    @property
    def notices(self) -> list[Notice]:
        """What there is to say so far of how the log was read."""
        rows = self._rows()
        said = [*self._said, *([] if self._again is None else self._again.said)]
        return said if rows is None else [*said, *rows.said()]

    @property
    def facts(self) -> Mapping[str, float | str]:
        """What the log says so far of the whole run, by role."""
        rows = self._rows()
        return {} if rows is None else rows.facts

    @property
    def ended(self) -> bool:
        """Whether nothing more can come: the end of standard input or of a packed file was read."""
        return self._source.ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._source.close()

    def read(self) -> Readings | None:
        """The next rows of training that were written, some hundred thousand at most; ``None``: nothing new now.

        On standard input it waits for the next lines.

        Raises:
            InputFileError: missing (unless it is waited for), unreadable, binary, a header without steps or losses,
                rows of several runs, JSON that is none.
        """
        if not self._known:
            self._look()
        if self._again is not None:
            return self._again.read()
        while True:
            piece = self._source.read()
            if isinstance(piece, Restart):
                found = self._restarted(piece)
            elif piece:
                found = self._taken(self._cutter.take(piece))
            else:
                return self._at_rest()
            if found is not None or self._again is not None:
                return found if self._again is None else self._again.read()

    def finish(self) -> Readings | None:
        """The rows of a last line without an end, when no more is to come; to be called once ``read`` gave nothing.

        Raises:
            LogContentError: in all of the log there was no row, as ``read_log`` says it.
            InputFileError: no column or run of a name that was given; a file that never came.
        """
        found = None
        if self._again is None:
            found = self._taken(self._cutter.rest(), last=True)
        if self._again is not None:
            found = self._again.read()
            self._again.require()
        rows = self._rows()
        if rows is None:
            if self.path != "-" and not os.path.lexists(self.path):
                raise unreadable(self._wanted.name, FileNotFoundError())
            raise nothing(self._wanted, self._head)
        require_log(rows, self._wanted)
        return found

    def _rows(self) -> LogRows | None:
        if self._again is not None:
            return self._again.rows
        return None if self._parser is None else self._parser.rows

    def _look(self) -> None:
        """Find out, once something is there, whether it is read line by line."""
        if self.path != "-" and self._wait and not os.path.lexists(self.path):
            return
        form = self._wanted.form
        store = form if form in STORES else None if form is not None else store_of(self.path)
        self._known = True
        if store is not None:
            self._begin_again(store)
        elif form in WHOLE and isinstance(self._source, Tail):
            self._begin_again(None)

    def _restarted(self, why: Restart) -> Readings | None:
        self._said.append(Notice(f"log_{why.value}", f"{self._wanted.name} {RESTARTS[why]}"))
        rest = self._cutter.rest()
        # What was cut down is gone with its last line; what was moved away ends with it.
        found = self._taken(rest, last=True) if why is Restart.ROTATED and rest else None
        if self._parser is not None:
            self._parser.restart()
        self._head, self._peeked, self._fresh = b"", 0, True
        return found

    def _at_rest(self) -> Readings | None:
        """Nothing new: a JSON value may stand there without the end of its line."""
        waiting = self._cutter.waiting
        if self._source.ended and (waiting or self._head):
            found = self._taken(self._cutter.rest(), last=True)
            return found if self._again is None else self._again.read()
        if self._parser is None and not self._head.strip() and waiting != self._peeked and self._wanted.form is None:
            self._peeked = waiting
            if is_value(self._cutter.peek()):
                self._begin_again(None)
                return None if self._again is None else self._again.read()
        return None

    def _taken(self, lines: bytes, *, last: bool = False) -> Readings | None:
        """The rows of whole lines."""
        if self._parser is None:
            self._head += lines
            refuse_binary(self._head, self._wanted.name)
            if not self._begun(last=last):
                return None
            lines, self._head = self._head, b""
        if self._fresh and lines:
            lines, self._fresh = without_mark(lines), False
        if not lines or self._parser is None:
            return None
        self._parser.take(lines)
        if isinstance(self._parser, TextParser):
            self._parser.settle()
        rows = self._parser.rows
        require_one_run(rows, self._wanted.name)
        return rows.drain()

    def _begun(self, *, last: bool) -> bool:
        """Whether the first lines say what reads the others."""
        if not self._head.strip():
            return False
        form = self._wanted.form or form_of(self._head, self._wanted.roles, ended=last)
        if form is None:
            return False
        if form not in WHOLE:
            self._parser = self._wanted.parser(form)
        elif isinstance(self._source, Tail):
            self._begin_again(None)
        elif last:
            self._begin_again(None, self._head)
        return form not in WHOLE

    def _begin_again(self, store: str | None, data: bytes | None = None) -> None:
        """What follows is read as a whole."""
        self._again = Again(self.path, self._wanted, store, data)
        self._head = b""
        self._source.close()
