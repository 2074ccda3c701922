"""Files that runs leave behind, opened only where they are regular: to open a pipe would wait for its other end."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from scaleplan.errors import InputFileError
from scaleplan.specs.files import shown, unreadable


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """A regular file, to read its bytes.

    Raises:
        InputFileError: missing, a folder, pipe or device, or one that the system does not open.
    """
    name = shown(os.fspath(path))
    try:
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise unreadable(name, error) from None
    mode = os.fstat(number).st_mode
    if stat.S_ISREG(mode):
        return open(number, "rb")
    os.close(number)
    if stat.S_ISDIR(mode):
        raise unreadable(name, IsADirectoryError())
    raise InputFileError(f"{name}: not a regular file")


def exists(path: Path) -> bool:
    """Whether something is there; a link to nowhere counts, so that it is not passed over.

    Raises:
        InputFileError: the system would not say.
    """
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise unreadable(shown(str(path)), error) from None
    return True


def is_regular(path: Path) -> bool:
    """Whether a regular file is there.

    Raises:
        InputFileError: something else is.
    """
    if not exists(path):
        return False
    open_regular(path).close()
    return True
