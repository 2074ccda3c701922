"""The user's own presets: the folder that the environment variable ``SCALEPLAN_PRESETS`` names.

It holds ``laws``, ``models``, ``accelerators`` and ``abilities``, each with one file a preset, called by its id. What
stands there is validated whenever it is read, and may not go by a shipped name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from os import DirEntry, scandir
from pathlib import Path
from stat import S_ISDIR
from typing import Any

from scaleplan.errors import InputFileError, UsageError, nearest
from scaleplan.specs.files import read_document, shown, unreadable
from scaleplan.specs.yaml12 import Document, merged, parse, parse_parts

PRESETS_VARIABLE = "SCALEPLAN_PRESETS"
SINGULAR = {"laws": "law", "models": "model", "accelerators": "accelerator", "abilities": "ability"}
KINDS = tuple(SINGULAR)
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*\.yaml")


def own_files(folder: str, kind: str, is_shipped: Callable[[str], bool]) -> Mapping[str, Path]:
    """The user's files of a kind by their id.

    Args:
        folder: what ``SCALEPLAN_PRESETS`` says.
        kind: one of ``KINDS``.
        is_shipped: whether a shipped preset of that kind goes by a name.

    Raises:
        UsageError: the variable names no folder, or one without a subfolder of any kind.
        InputFileError: what cannot be read, a subfolder of no kind, a file that is not called by an id, or is called
            by a shipped one.
    """
    _require_folder(folder)
    subfolders = {entry.name for entry in _entries(folder) if _is_folder(entry)}
    for name in sorted(subfolders.difference(KINDS)):
        hint = nearest(name, KINDS)
        where = shown(str(Path(folder) / name))
        raise InputFileError(f"{where}: no kind of preset.{hint} {PRESETS_VARIABLE} holds {', '.join(KINDS)}")
    if not subfolders:
        hint = f"; name the folder that {Path(folder).name} stands in" if Path(folder).name in KINDS else ""
        raise UsageError(
            f"{PRESETS_VARIABLE} names {shown(folder)}, which holds no folder {', '.join(KINDS[:-1])} or {KINDS[-1]}: "
            f"your presets go into one of these{hint}"
        )
    if kind not in subfolders:
        return {}
    return {path.stem: path for path in sorted(_presets_in(Path(folder) / kind, kind, is_shipped))}


def read_own(path: str, kind: str, *, called: str | None = None) -> Document:
    """A user's preset, validated; ``-`` is standard input.

    Args:
        path: the file.
        kind: one of ``KINDS``.
        called: the id that the name of the file stands for, in a folder of presets.

    Raises:
        InputFileError: every problem of the file, with its line.
    """
    name = shown(path)
    text = read_document(path, SINGULAR[kind])
    document = merged(parse_parts(text, name)) if kind in ("laws", "models") else parse(text, name)
    document = document._replace(data=_validated(document, kind))
    found = document.data["id"]
    if called is not None and found != called:
        line = document.where(("id",))
        raise InputFileError(f"{line}: id: must be the name of the file, {called} (got {found}); rename either")
    return document


def _validated(document: Document, kind: str) -> dict[str, Any]:
    if kind == "laws":
        from scaleplan.specs.law_document import validate_own

        return validate_own(document)
    from scaleplan.specs.catalogue_document import validate_own as validate_entry

    return validate_entry(document, kind)


def _presets_in(folder: Path, kind: str, is_shipped: Callable[[str], bool]) -> Iterator[Path]:
    """The files that are presets: other kinds of file (a README) may stand beside them."""
    for entry in sorted(_entries(str(folder)), key=lambda entry: entry.name):
        path = folder / entry.name
        if path.suffix.lower() not in (".yaml", ".yml"):
            continue
        if _FILE_NAME.fullmatch(entry.name) is None:
            raise InputFileError(
                f"{shown(str(path))}: a preset is called by its id in a-z, 0-9, '.', '_' and '-', then .yaml; rename it"
            )
        if is_shipped(path.stem):
            raise InputFileError(
                f"{shown(str(path))}: {path.stem} is a shipped {SINGULAR[kind]}'s name; rename the file and its id"
            )
        yield path


def _require_folder(folder: str) -> None:
    """Refuse what ``SCALEPLAN_PRESETS`` names unless it is a folder.

    Raises:
        UsageError: it is none.
        InputFileError: the system does not say what it is.
    """
    try:
        what = "" if S_ISDIR(Path(folder).stat().st_mode) else "a file, not a folder"
    except (FileNotFoundError, NotADirectoryError):
        what = "no such folder"
    except OSError as error:
        raise unreadable(shown(folder), error) from None
    if what:
        raise UsageError(f"{PRESETS_VARIABLE} names {shown(folder)}: {what}; name one that holds {', '.join(KINDS)}")


def _is_folder(entry: DirEntry[str]) -> bool:
    """Whether an entry is a folder, links followed; one whose target is missing is none."""
    try:
        return entry.is_dir()
    except OSError as error:
        raise unreadable(shown(entry.path), error) from None


def _entries(folder: str) -> list[DirEntry[str]]:
    """What a folder holds, without what is hidden."""
    try:
        with scandir(folder) as found:
            return [entry for entry in found if not entry.name.startswith(".")]
    except OSError as error:
        raise unreadable(shown(folder), error) from None
