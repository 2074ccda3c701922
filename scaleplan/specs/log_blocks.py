"""Blocks of whole lines of a log: a plain or packed file, or standard input.

Ends of packed names are ``.gz`` (gzip, RFC 1952) and ``.zst`` (Zstandard, RFC 8878; from Python 3.14 on).
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from importlib import import_module
from typing import BinaryIO, Protocol, cast

from scaleplan.errors import InputFileError
from scaleplan.specs.log_files import open_regular
from scaleplan.specs.log_rows import LogContentError, LogRows

BLOCK_BYTES = 2**23
"""Our choice: some 200,000 rows at once, a few tens of megabytes while they are read."""
LONGEST_LINE = 2**26
"""Our choice [bytes]: no tool writes longer lines; a file with one is no log."""
PACKED = (".gz", ".zst")


class Parser(Protocol):
    """Takes blocks of whole lines, the last of which may lack its end, and fills rows."""

    @property
    def rows(self) -> LogRows:
        """What was found so far."""
        ...

    def take(self, block: bytes) -> None:
        """The next lines of the log."""
        ...

    def restart(self) -> None:
        """What follows is the beginning of a file."""
        ...


class LineCutter:
    """Whole lines out of pieces of a file: the beginning of a line waits for its end.

    Args:
        name: of the log, for messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._parts: list[bytes] = []
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many bytes wait for the end of their line."""
        return self._waiting

    def take(self, piece: bytes) -> bytes:
        """The lines that the next piece completes.

        Raises:
            LogContentError: a line of more than 64 MiB.
        """
        end = piece.rfind(b"\n") + 1
        if not end:
            self._parts.append(piece)
            self._waiting += len(piece)
            if self._waiting >= LONGEST_LINE:
                raise LogContentError(f"{self.name}: a line of over 64 MiB, which no training log has")
            return b""
        whole = b"".join((*self._parts, piece[:end])) if self._parts else piece[:end]
        self._parts = [piece[end:]] if end < len(piece) else []
        self._waiting = len(piece) - end
        return whole

    def peek(self) -> bytes:
        """What waits for its end."""
        return b"".join(self._parts)

    def rest(self) -> bytes:
        """What waited for its end, taken as it is."""
        rest = b"".join(self._parts)
        self._parts, self._waiting = [], 0
        return rest


def read_piece(file: BinaryIO, name: str) -> bytes:
    """The next bytes of a file, empty at its end.

    Raises:
        LogContentError: a packed file that is damaged.
    """
    import zlib

    try:
        return file.read(BLOCK_BYTES)
    except (EOFError, zlib.error) as error:
        raise LogContentError(f"{name}: a packed file that is cut off or damaged ({error})") from None
    except OSError as error:
        if error.errno is None:  # gzip.BadGzipFile says so
            raise LogContentError(f"{name}: a packed file that is damaged ({error})") from None
        raise


def is_packed(path: str) -> bool:
    """Whether a name is that of a packed file."""
    return path.lower().endswith(PACKED)


@contextmanager
def open_log(path: str) -> Generator[BinaryIO]:
    """A log, to read its bytes, unpacked where its name says that it is packed; ``-`` is standard input.

    Raises:
        InputFileError: missing, a folder, pipe or device, or packed in a way that this Python cannot read.
    """
    if path == "-":
        import sys

        yield sys.stdin.buffer
        return
    with open_regular(path) as file:
        if path.lower().endswith(".gz"):
            import gzip

            with gzip.GzipFile(fileobj=file) as unpacked:
                yield cast("BinaryIO", unpacked)
        elif path.lower().endswith(".zst"):
            with _zstandard(path, file) as unpacked:
                yield unpacked
        else:
            yield file


def _zstandard(path: str, file: BinaryIO) -> BinaryIO:
    try:
        opener = import_module("compression.zstd")
    except ModuleNotFoundError:
        from scaleplan.specs.files import shown

        name = shown(path)
        raise InputFileError(
            f"{name}: Zstandard is read from Python 3.14 on: unpack the file first (zstd -d)"
        ) from None
    return opener.ZstdFile(file)


def lines_of(block: bytes) -> list[str]:
    """The lines of a block without their ends; bytes that are not UTF-8 become replacement characters."""
    found = block.decode("utf-8", errors="replace").split("\n")
    if not found[-1]:
        found.pop()
    return found


def without_mark(start: bytes) -> bytes:
    """The beginning of a file without a byte order mark."""
    return start.removeprefix(b"\xef\xbb\xbf")
