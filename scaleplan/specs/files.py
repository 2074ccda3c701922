"""Reading files with errors that say what is wrong, and replacing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from scaleplan.errors import InputFileError, UsageError

_MAX_DOCUMENT_BYTES = 4 * 2**20
"""Our choice: budgets, options, laws and models are a few kilobytes; a larger file was not meant."""


def read_document(path: str) -> str:
    """The text of a YAML document; ``-`` is standard input.

    Raises:
        InputFileError: missing, a folder, unreadable, binary, empty, or over 4 MiB.
    """
    name = shown(path)
    try:
        if path == "-":
            import sys

            data = sys.stdin.buffer.read(_MAX_DOCUMENT_BYTES + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(_MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise unreadable(name, error) from None
    if len(data) > _MAX_DOCUMENT_BYTES:
        raise InputFileError(f"{name}: larger than 4 MiB, which no budget, option or law file is")
    if b"\0" in data:
        raise InputFileError(f"{name}: a binary file, not YAML text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputFileError(f"{name}:{line}: not UTF-8 text (byte 0x{data[error.start]:02x})") from None
    if not text.strip():
        raise InputFileError(f"{name}: empty; `scaleplan init` writes a starter budget")
    return text


def shown(path: str) -> str:
    """A path for messages: standard input by name, odd characters spelt out so that a message stays one line."""
    if path == "-":
        return "<stdin>"
    return path if path.isprintable() else repr(path)


def unreadable(name: str, error: OSError) -> InputFileError:
    """The one-line error for a file that the system would not open or read."""
    if isinstance(error, FileNotFoundError):
        return InputFileError(f"{name}: no such file")
    if isinstance(error, IsADirectoryError):
        return InputFileError(f"{name}: a folder, not a file")
    return InputFileError(f"{name}: cannot be read: {(error.strerror or str(error)).lower()}")


@contextmanager
def replacing(path: str) -> Generator[BinaryIO]:
    """A binary file to write in place of ``path``: it takes the name only once whole and on disk.

    Raises:
        UsageError: the folder does not exist, is not writable, or ``path`` is a folder.
    """
    target = _target(path)
    if target.exists() and not target.is_file():
        # A device or a pipe (/dev/stdout, a fifo) cannot be replaced by renaming; it is written to as it is.
        with open(target, "wb") as file:
            yield file
        return
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise UsageError(f"cannot write {shown(path)}: {(error.strerror or str(error)).lower()}") from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(_mode_for(target))
        Path(temporary).replace(target)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise UsageError(f"cannot write {shown(path)}: {(error.strerror or str(error)).lower()}") from None
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _target(path: str) -> Path:
    """The file that a path means, links followed.

    Raises:
        UsageError: empty, a folder, or a path that the system does not take.
    """
    try:
        target = Path(path)
        folder = not path or target.is_dir()
        special = not folder and target.exists() and not target.is_file()
        resolved = target if special else target.resolve()
    except (OSError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or "its links lead in a circle"
        raise UsageError(f"cannot write {shown(path)}: {why.lower()}") from None
    if folder:
        raise UsageError(f"cannot write {shown(path) or 'to an empty path'}{': it is a folder' if path else ''}")
    return resolved


def _mode_for(target: Path) -> int:
    """The mode of the file that is replaced, or what a new file would get."""
    if target.exists():
        return target.stat().st_mode & 0o7777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
