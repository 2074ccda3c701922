"""What is in a folder, by name, for those who look through the folders of others: no hidden files, no circles."""

from __future__ import annotations

import os
from pathlib import Path

from scaleplan.errors import InputFileError
from scaleplan.specs.files import shown, unreadable


def listed(folder: Path) -> list[tuple[Path, bool]]:
    """What is in a folder but hidden files, by name, and whether it is a folder itself.

    Raises:
        InputFileError: the system would not say.
    """
    try:
        with os.scandir(folder) as entries:
            found = sorted((each.name, each.is_dir()) for each in entries if not each.name.startswith("."))
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else str(folder)
        raise unreadable(shown(where), error) from None
    return [(folder / name, is_folder) for name, is_folder in found]


def refuse_loop(path: Path, home: Path) -> None:
    """Refuse a link in ``home``, a resolved path, that leads back to it or to what it is in.

    Raises:
        InputFileError: it does.
    """
    target = path.resolve()
    if target == home or target in home.parents:
        raise InputFileError(f"{shown(str(path))}: a link to a folder that it is in: remove the loop")
