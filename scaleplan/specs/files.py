"""Reading files with errors that say what is wrong, and replacing files whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from scaleplan.errors import InputFileError, UsageError

_MAX_DOCUMENT_BYTES = 4 * 2**20
"""Our choice: budgets, options, laws and models are a few kilobytes; a larger file was not meant."""
_LONGEST_PATH = 1000
"""Our choice: a longer one is no path that anybody wrote."""


def read_document(path: str, kind: str = "KIND") -> str:
    """The text of a YAML document; ``-`` is standard input.

    Args:
        path: the file.
        kind: the kind of file that is wanted, as ``scaleplan schema`` calls it, where only one is.

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
        raise InputFileError(f"{name}: larger than 4 MiB, which no file of ours is")
    if b"\0" in data:
        raise InputFileError(f"{name}: a binary file, not YAML text")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputFileError(f"{name}:{line}: not UTF-8 text (byte 0x{data[error.start]:02x})") from None
    if not text.strip():
        raise InputFileError(f"{name}: empty; {_made_of(kind)}")
    return text


def _made_of(kind: str) -> str:
    """Where to find what a kind of file is made of."""
    if kind == "budget":
        return "`scaleplan init` writes a starter budget"
    which = ", KIND being law, budget, options, sweep, model, accelerator or ability" if kind == "KIND" else ""
    return f"`scaleplan schema {kind}` prints what such a file is made of{which}"


def shown(path: str) -> str:
    """A path for messages: standard input by name, odd characters spelt out so that a message stays one line."""
    if path == "-":
        return "<stdin>"
    return path if path.isprintable() else repr(path)


def _brief(name: str) -> str:
    return name if len(name) <= _LONGEST_PATH else f"{name[:80]}... ({len(name):,} characters)"


def unreadable(name: str, error: OSError) -> InputFileError:
    """The one-line error for a file that the system would not open or read."""
    name = _brief(name)
    if isinstance(error, FileNotFoundError):
        return InputFileError(f"{name}: no such file")
    if isinstance(error, IsADirectoryError):
        return InputFileError(f"{name}: a folder, not a file")
    return InputFileError(f"{name}: cannot be read: {(error.strerror or str(error)).lower()}")


def require_apart(source: str, outputs: Mapping[str, str | None]) -> None:
    """Refuse outputs that would replace each other or what is read, or have no folder, before any work is done.

    Args:
        source: the path that is read.
        outputs: paths to write by the option that gave each; ``None`` and ``-`` are no files.

    Raises:
        UsageError: two of them are one file, or an output has no folder to be in.
    """
    seen = {} if source == "-" else {Path(source).resolve(): "the input"}
    for option, path in outputs.items():
        if path is None or path == "-":
            continue
        place = Path(path).resolve()
        if place in seen:
            raise UsageError(f"{seen[place]} and {option} both name {shown(path)}: one would replace the other")
        if not place.parent.is_dir():
            raise UsageError(f"{option} {shown(path)}: no such folder as {shown(str(Path(path).parent))}")
        seen[place] = option


@contextmanager
def replacing(path: str) -> Generator[BinaryIO]:
    """A binary file to write in place of ``path``: it takes the name only once whole and on disk.

    Raises:
        UsageError: the folder does not exist, is not writable, or ``path`` is a folder.
    """
    target = _target(path)
    if target.exists() and not target.is_file():
        # A device or a pipe (/dev/stdout, a fifo) cannot be replaced by renaming; it is written to as it is.
        try:
            file = open(target, "wb")  # noqa: SIM115 - closed below, once it is known to be open
        except OSError as error:
            raise _unwritable(path, error) from None
        with file:
            yield file
        return
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent)
    except OSError as error:
        raise _unwritable(path, error) from None
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(_mode_for(target))
        Path(temporary).replace(target)
    except OSError as error:
        Path(temporary).unlink(missing_ok=True)
        raise _unwritable(path, error) from None
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _unwritable(path: str, error: OSError) -> UsageError:
    return UsageError(f"cannot write {_brief(shown(path))}: {(error.strerror or str(error)).lower()}")


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
        raise UsageError(f"cannot write {_brief(shown(path))}: {why.lower()}") from None
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
