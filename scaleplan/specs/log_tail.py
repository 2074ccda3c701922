"""Bytes of a file as it grows: what is new since the last look, and whether the file began anew."""

from __future__ import annotations

import os
from enum import Enum
from io import BufferedReader
from typing import BinaryIO, cast

from scaleplan.errors import InputFileError
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_blocks import BLOCK_BYTES, open_log, read_piece
from scaleplan.specs.log_files import open_regular

_MARK_BYTES = 64
"""Our choice: so many bytes before what is new are compared, to see whether a file was written anew."""


class Restart(Enum):
    """Why what follows is the beginning of a file."""

    TRUNCATED = "truncated"
    ROTATED = "rotated"


RESTARTS = {
    Restart.TRUNCATED: "was cut down or written anew: read from its beginning.",
    Restart.ROTATED: "was moved away; the file that took its name is read from its beginning.",
}
"""What is said of it, behind the name of the log."""


class Tail:
    """A regular file that others write.

    Args:
        path: the file.
        wait: it may not be there yet.
    """

    ended = False

    def __init__(self, path: str, *, wait: bool = False) -> None:
        self.path = path
        self._wait = wait
        self._file: BinaryIO | None = None
        self._offset = 0
        self._mark = b""

    def read(self) -> bytes | Restart:
        """What is new, at most some megabytes; nothing where there is nothing new; or that the file begins anew.

        An idle look costs an ``fstat`` and a ``stat``: a file that was moved away is read to its end before the one
        that took its name.

        Raises:
            InputFileError: missing, unless it may be, or not a regular file that can be read.
        """
        try:
            return self._read()
        except OSError as error:
            raise unreadable(shown(self.path), error) from None

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self) -> bytes | Restart:
        if self._file is None and not self._open():
            return b""
        file = self._file
        assert file is not None
        now = os.fstat(file.fileno())
        if now.st_size < self._offset:
            return self._from_start(Restart.TRUNCATED)
        return self._new(file) if now.st_size > self._offset else self._other(now)

    def _new(self, file: BinaryIO) -> bytes | Restart:
        raw = cast("BufferedReader", file).raw  # a buffer would hold what stood here before
        raw.seek(self._offset - len(self._mark), os.SEEK_SET)
        data = raw.read(len(self._mark) + BLOCK_BYTES) or b""
        if not data.startswith(self._mark):
            return self._from_start(Restart.TRUNCATED)
        new = data[len(self._mark) :]
        self._offset += len(new)
        self._mark = data[-_MARK_BYTES:]
        return new

    def _other(self, now: os.stat_result) -> bytes | Restart:
        """Nothing new: whether another file has taken the name."""
        try:
            named = os.stat(self.path)  # noqa: PTH116 - called at every look
        except FileNotFoundError:
            return b""  # moved away: another one is to come
        if (named.st_dev, named.st_ino) == (now.st_dev, now.st_ino):
            return b""
        self.close()
        return self._from_start(Restart.ROTATED)

    def _open(self) -> bool:
        if self._wait and not os.path.lexists(self.path):
            return False
        try:
            self._file = open_regular(self.path)
        except InputFileError:
            if self._wait and not os.path.lexists(self.path):
                return False
            raise
        self._wait = True  # it was there; if it goes, another one may come
        return True

    def _from_start(self, why: Restart) -> Restart:
        self._offset, self._mark = 0, b""
        return why


class Pipe:
    """What can be read once: standard input as it comes, or a packed file.

    Args:
        path: ``-`` or a packed file.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.ended = False
        self._opened = open_log(path)
        self._file: BinaryIO | None = None

    def read(self) -> bytes:
        """What is there, waiting for at least a byte; nothing at the end.

        Raises:
            InputFileError: missing, not a regular file, or damaged.
        """
        try:
            if self._file is None:
                self._file = self._opened.__enter__()
            data = _as_it_comes(self._file) if self.path == "-" else read_piece(self._file, shown(self.path))
        except OSError as error:
            raise unreadable(shown(self.path), error) from None
        self.ended = not data
        return data

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._opened.__exit__(None, None, None)
            self._file = None


def _as_it_comes(file: BinaryIO) -> bytes:
    """What a pipe has now, at least a byte unless it ended."""
    return cast("BufferedReader", file).read1(BLOCK_BYTES)
