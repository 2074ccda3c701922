"""Logs that are no lines (a JSON value, a folder of a tool), read again whenever they have changed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scaleplan.errors import InputFileError, Notice
from scaleplan.specs.files import unreadable
from scaleplan.specs.log_files import open_regular
from scaleplan.specs.log_rows import LogContentError, LogRows
from scaleplan.specs.log_sources import Wanted, rows_of_store, rows_of_value
from scaleplan.specs.log_tail import RESTARTS, Restart

if TYPE_CHECKING:
    from scaleplan.forecasting.readings import Readings


class Again:
    """A log that is read as a whole whenever it has changed.

    Args:
        path: the file or folder.
        wanted: what is wanted of it.
        store: the format, of what is no text.
        data: all of it, where it cannot be read again.
    """

    def __init__(self, path: str, wanted: Wanted, store: str | None, data: bytes | None = None) -> None:
        self.rows: LogRows | None = None
        self.said: list[Notice] = []
        self._path, self._wanted, self._store, self._data = path, wanted, store, data
        self._seen: object = None
        self._given = 0
        self._last: float | None = None
        self._problem: InputFileError | None = None

    def read(self) -> Readings | None:
        """The rows beyond those given; all of them where fewer, or others, are there than were given."""
        seen = _state(self._path) if self._data is None else "data"
        if seen is None or seen == self._seen:
            return None
        self._seen = seen
        try:
            self.rows, self._problem = self._read(), None
        except LogContentError as error:  # it may be in the middle of being written
            self._problem = error
            return None
        written = self.rows.drain()
        if written is None:
            return None
        if len(written) < self._given or (self._given and float(written.step[self._given - 1]) != self._last):
            self.said.append(Notice("log_truncated", f"{self._wanted.name} {RESTARTS[Restart.TRUNCATED]}"))
            self._given = 0
        new = written.part(slice(self._given, None))
        self._given, self._last = len(written), float(written.step[-1])
        return new if len(new) else None

    def require(self) -> None:
        """Refuse what could not be read when it was looked at last."""
        if self._problem is not None:
            raise self._problem

    def _read(self) -> LogRows:
        if self._store is not None:
            return rows_of_store(self._path, self._store, self._wanted)
        if self._data is not None:
            return rows_of_value(self._data, self._wanted)
        try:
            with open_regular(self._path) as file:
                data = file.read()
        except OSError as error:
            raise unreadable(self._wanted.name, error) from None
        return rows_of_value(data, self._wanted)


def _state(path: str) -> object:
    """What changes when a file or anything in a folder is written; ``None`` where nothing is there."""
    try:
        if not os.path.isdir(path):  # noqa: PTH112 - called at every look
            found = os.stat(path)  # noqa: PTH116 - called at every look
            return found.st_ino, found.st_size, found.st_mtime_ns
        files = [os.stat(os.path.join(root, name)) for root, _, names in os.walk(path) for name in names]  # noqa: PTH116, PTH118 - called at every look
        return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in files)
    except OSError:
        return None
