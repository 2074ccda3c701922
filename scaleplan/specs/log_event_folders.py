"""Folders of TensorBoard: which event files are of one run.

A folder with event files is a run. What tools put in a folder beside or below it is of the same run: ``train`` and
``validation`` (Keras), ``eval`` (TensorFlow's Estimator), and a folder for each line of ``add_scalars`` that is called
like a number of a log (``loss_train``, ``loss_val``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from scaleplan.errors import InputFileError
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_names import role_of

_DEEPEST = 4
"""Our choice: ``output/runs/DATE_HOST/FILE`` of Hugging Face is 3 deep, ``lightning_logs/NAME/version_0/FILE`` too."""
_MOST_FOLDERS = 10_000
"""Our choice: more folders than any one run has, and a second or so to look at."""
_TRAINING = ("train", "training")
_EVALUATION = ("eval", "evaluation", "val", "valid", "validation")


def evaluation_folder(name: str) -> bool:
    """Whether what is in a folder of this name are evaluations."""
    return name in _EVALUATION


def has_event_files(folder: Path) -> bool:
    """Whether a folder or one below it has event files.

    Raises:
        InputFileError: links in a circle, or a folder that cannot be opened.
    """
    return next(_found(folder), None) is not None


def event_files(folder: Path) -> dict[str, list[Path]]:
    """Event files by the folder that they are in, seen from here (``""`` for this one), both in order of names.

    Raises:
        InputFileError: links in a circle, or a folder that cannot be opened.
    """
    found: dict[str, list[Path]] = {}
    for inner, path in _found(folder):
        found.setdefault(inner, []).append(path)
    return dict(sorted(found.items()))


def runs_of(folders: Mapping[str, list[Path]]) -> dict[str, list[tuple[str, Path]]]:
    """Files by run, each with its folder where that says more than its run's name; a run is called by its folder."""
    runs: dict[str, list[tuple[str, Path]]] = {}
    for folder, paths in folders.items():
        above, _, last = folder.rpartition("/")
        part = last in _TRAINING or last in _EVALUATION or (last and role_of(last) is not None)
        home, said = (above, folder) if part else (folder, "")
        runs.setdefault(home, []).extend((said, path) for path in paths)
    return {home or ".": files for home, files in runs.items()}


def _found(folder: Path) -> Iterator[tuple[str, Path]]:
    """Event files, and the folder of each seen from here."""
    todo: list[tuple[str, Path]] = [("", folder)]
    seen = 0
    while todo:
        inner, path = todo.pop(0)
        seen += 1
        if seen > _MOST_FOLDERS:
            raise InputFileError(f"{shown(str(folder))}: over {_MOST_FOLDERS:,} folders; name that of the run")
        for name, is_folder in _listed(path):
            if is_folder and inner.count("/") + 2 <= _DEEPEST:
                _refuse_loop(path / name)
                todo.append((f"{inner}/{name}" if inner else name, path / name))
            elif not is_folder and "tfevents" in name:
                yield inner, path / name


def _refuse_loop(path: Path) -> None:
    if not path.is_symlink():
        return
    try:
        target = path.resolve()
        loop = target in path.parent.resolve().parents or target == path.parent.resolve()
    except (OSError, RuntimeError):
        loop = True
    if loop:
        raise InputFileError(f"{shown(str(path))}: a link to a folder that it is in: remove the loop")


def _listed(folder: Path) -> list[tuple[str, bool]]:
    """What is in a folder, by name, and whether it is a folder itself."""
    try:
        with os.scandir(folder) as entries:
            return sorted((each.name, each.is_dir()) for each in entries)
    except OSError as error:
        where = error.filename if isinstance(error.filename, str) else str(folder)
        raise unreadable(shown(where), error) from None
