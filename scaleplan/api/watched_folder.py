"""A folder of runs: how each of them stands, from its log.

A log is a file with one of the endings of ``ENDINGS`` in the folder or in a subfolder of it, one level deep, or a
subfolder in which a tool keeps the log of one run (TensorBoard, MLflow, Weights & Biases); of checkpoints of the
Hugging Face Trainer the latest. Hidden files are none. A run is called by its file without the ending, in a subfolder
by that, with the file where there are several.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scaleplan.api.watching import wanted, watched
from scaleplan.errors import InputFileError, Notice
from scaleplan.specs.files import shown
from scaleplan.specs.log_event_folders import event_files, runs_of
from scaleplan.specs.log_forms import store_of
from scaleplan.specs.log_listing import listed, refuse_loop
from scaleplan.specs.log_messages import brief_line, named, some
from scaleplan.specs.watched import Watch, WatchedFolder, WatchedRun

_TEXTS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".log", ".txt", ".out", ".err")
_PACKED = (".gz", ".zst")
ENDINGS = (*_TEXTS, *(text + packed for text in _TEXTS for packed in _PACKED), ".parquet", ".wandb")
"""Our choice: what logs are called. Other files, such as weights, are not opened."""
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,15})")
_STATE = "trainer_state.json"
_DEEPEST = 3
"""Our choice: ``mlruns/EXPERIMENT/RUN`` and the folder that ``mlruns`` is in."""


def is_folder_of_runs(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a folder that is not itself the log of one run.

    Raises:
        InputFileError: a folder that cannot be opened, or links in a circle.
    """
    place = Path(path)
    if os.fspath(path) == "-" or not place.is_dir():
        return False
    store = store_of(os.fspath(place))
    return store is None or not (_is_run(place, store) or len(list(_logs(place))) == 1)


def watch_folder(path: str | os.PathLike[str], **asked: Any) -> WatchedFolder:
    """How the runs of a folder stand.

    Args:
        path: the folder.
        asked: as for ``watch``, the same for every run.

    Raises:
        UsageError: a word that is not known, or a number that is none.
        InputFileError: no such folder, no log in it, links in a circle.
    """
    folder, resolved = Path(path), wanted(**asked)
    found: list[tuple[Path, Watch]] = []
    others: list[str] = []
    for each in _logs(folder):
        try:
            found.append((each, watched(os.fspath(each), resolved)))
        except InputFileError as error:
            others.append(_why(error, folder, each))
    if not found:
        looked = f"looked in it and its subfolders for {', '.join(_TEXTS)}, Parquet and the folders of tools"
        raise InputFileError(f"{shown(str(folder))}: no logs; {looked}{f'; no log: {some(others)}' if others else ''}")
    names = _names([each.relative_to(folder) for each, _ in found])
    runs = [WatchedRun(name, each) for name, (_, each) in zip(names, found, strict=True)]
    runs.sort(key=lambda each: each.run)
    return WatchedFolder(
        folder=shown(str(folder)),
        runs=tuple(runs),
        settings=resolved.settings,
        warnings=(*_left_out(others), *_of_runs(runs)),
    )


def _logs(folder: Path) -> Iterator[Path]:
    """What may be the log of a run in a folder, by name."""
    home = folder.resolve()
    for path, is_folder in listed(folder):
        if not is_folder:
            if _may_be_log(path):
                yield path
            continue
        refuse_loop(path, home)
        store = store_of(os.fspath(path))
        yield from _of_subfolder(path) if store is None else _of_store(path, store)


def _may_be_log(path: Path) -> bool:
    return path.name.lower().endswith(ENDINGS) or ".tfevents." in path.name


def _of_subfolder(folder: Path) -> Iterator[Path]:
    """The files of a subfolder, and the trainer's state in the latest checkpoint, which has what those before do."""
    states: dict[int, Path] = {}
    has_state = False
    for path, is_folder in listed(folder):
        number = _CHECKPOINT.fullmatch(path.name)
        if not is_folder and _may_be_log(path):
            has_state = has_state or path.name == _STATE
            yield path
        elif is_folder and number is not None and (path / _STATE).is_file():
            states[int(number[1])] = path / _STATE
    if states and not has_state:
        yield states[max(states)]


def _of_store(folder: Path, store: str, depth: int = 0) -> Iterator[Path]:
    """The runs that a tool keeps in a folder, each in one of its own."""
    if store == "tensorboard":
        yield from (folder if name == "." else folder / name for name in runs_of(event_files(folder)))
    elif _is_run(folder, store):
        yield folder
    elif depth < _DEEPEST:
        for path, is_folder in listed(folder):
            # A link, such as latest-run, is another name of what is there.
            if is_folder and not path.is_symlink() and store_of(os.fspath(path)) == store:
                yield from _of_store(path, store, depth + 1)


def _is_run(folder: Path, store: str) -> bool:
    """Whether a folder is that of a run itself."""
    if store == "tensorboard":
        return list(runs_of(event_files(folder))) == ["."]
    if store == "wandb":
        return next(folder.glob("run-*.wandb"), None) is not None
    return (folder / "metrics").is_dir()


def _why(error: InputFileError, folder: Path, path: Path) -> str:
    """A file that is no log, and why, on one line."""
    text = error.problems[0].partition("; looked for")[0].removeprefix(shown(os.fspath(path)))
    return named(str(path.relative_to(folder))) + brief_line(text)


def _names(paths: list[Path]) -> list[str]:
    """What runs are called, each by the shortest name that no other has."""
    brief = [_stem(path) if len(path.parts) == 1 else path.parts[0] for path in paths]
    longer = [str(path.parent / _stem(path)) for path in paths]
    brief_count, longer_count = Counter(brief), Counter(longer)
    return [
        short if brief_count[short] == 1 else long if longer_count[long] == 1 else str(path)
        for short, long, path in zip(brief, longer, paths, strict=True)
    ]


def _stem(path: Path) -> str:
    """The name of a file without its ending, of a packed one without both."""
    name = path.name
    for ending in (*_PACKED, *_TEXTS, ".parquet", ".wandb"):
        name = name[: -len(ending)] if name.lower().endswith(ending) and len(name) > len(ending) else name
    return name


def _left_out(others: list[str]) -> list[Notice]:
    return [Notice("no_logs", f"files that are no training logs, left out: {some(others)}.")] if others else []


def _of_runs(runs: list[WatchedRun]) -> Iterator[Notice]:
    """What there is to say of how logs were read, each under the name of its run."""
    for each in runs:
        for notice in each.watch.warnings:
            yield Notice(notice.code, f"{named(each.run)}: {notice.message}")
