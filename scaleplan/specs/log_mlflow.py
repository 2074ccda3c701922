"""MLflow's local stores: folders of text files (``mlruns``), or an SQLite database (``mlflow.db``).

In a folder store a run is ``EXPERIMENT/RUN`` with ``meta.yaml`` and a file a metric in ``metrics``, a line a value:
milliseconds since 1970, the value, the step (``FileStore._get_metric_from_line``, mlflow/store/tracking/file_store.py).
In SQLite table ``metrics`` has ``key, value, timestamp, run_uuid, step, is_nan``, where infinity stands as the largest
number (``SqlAlchemyStore.sanitize_metric_value``, mlflow/store/tracking/sqlalchemy_store.py). MLflow is not needed.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.errors import InputFileError, brief
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_files import open_regular
from scaleplan.specs.log_messages import brief_line
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogContentError, LogRows
from scaleplan.specs.log_series import Series, add_rows, chosen, one_run, without_rows

if TYPE_CHECKING:
    import sqlite3

FORM = "MLflow"
_SQLITE = b"SQLite format 3\0"
_LARGEST = 1.7976931348623157e308
_DELETED = "deleted"
_METRICS = "metrics"
_DEEPEST = 3
"""Our choice: ``mlruns/EXPERIMENT/RUN`` and the folder that ``mlruns`` is in."""
_MOST_RUNS = 10_000
"""Our choice: more are not looked for, since one is wanted."""


Found = tuple[Mapping[str, str], Mapping[str, Series]]
"""The metric of each role, and their values."""


class Run(NamedTuple):
    """A run of a store: its id, its name if it has one, and where its metrics are."""

    id: str
    name: str
    metrics: Path


def is_mlflow(path: Path) -> bool:
    """Whether a folder is a run, an experiment or a store of MLflow, or has ``mlruns`` in it; or a file is SQLite.

    Raises:
        InputFileError: the system does not open it.
    """
    if path.is_dir():
        return next(_run_folders(path), None) is not None
    with open_regular(path) as file:
        return file.read(len(_SQLITE)) == _SQLITE


def read_mlflow(path: Path, name: str, columns: Mapping[str, str], run: str | None = None) -> LogRows:
    """The rows of a run.

    Args:
        path: the folder of a run, of an experiment or of a store, or an SQLite database.
        name: for messages.
        columns: the metric by role, where it is not one of those that tools use.
        run: the id or the name of the run, where there are several.

    Raises:
        LogContentError: no store of MLflow, no run, no loss among the metrics, or several runs.
        InputFileError: no run of that name, or a file that cannot be read.
    """
    roles = Roles(columns)
    rows = LogRows(FORM, roles)
    read = _read_folder if path.is_dir() else _read_database
    names, series = read(path, name, roles, run, rows)
    rows.notices += without_rows(add_rows(rows, names, series), FORM)
    return rows


def _which(runs: Mapping[str, str], run: str | None, name: str, how: str) -> str:
    """The id of the run that is wanted.

    Args:
        runs: name by id.
        run: the id or name that the user gave.
        name: of the store, for messages.
        how: what to do to choose one.

    Raises:
        InputFileError: none, several, or several of the name that was given.
    """
    if not runs:
        raise LogContentError(f"{name}: no run with metrics in it ({FORM})")
    if run is not None and run in runs:
        return run
    named = [each for each, called in runs.items() if called == run]
    if len(named) > 1:
        raise InputFileError(f"{name}: {len(named)} runs are called {run!r}; name one by its id: {', '.join(named)}")
    if named:
        return named[0]
    words = {f"{each} ({called})" if called else each: each for each, called in runs.items()}
    return words[one_run(list(words), run, name, how)]


# Folders


def _read_folder(path: Path, name: str, roles: Roles, run: str | None, rows: LogRows) -> Found:
    runs = {each.id: each for each in _run_folders(path)}
    wanted = runs[
        _which(
            {each.id: each.name for each in runs.values()}, run, name, "name one with --run NAME, or give its folder"
        )
    ]
    files = dict(sorted(_metric_files(wanted.metrics, "")))
    names = chosen(files, roles, name, "metric")
    return names, {metric: _read_metric(files[metric], rows) for metric in names.values()}


def _read_metric(path: Path, rows: LogRows) -> Series:
    """The values of one metric; a line that is none is counted in ``rows``."""
    found = Series()
    name = shown(str(path))
    with open_regular(path) as file:
        for number, line in enumerate(file, 1):
            parts = line.split()
            try:
                if len(parts) not in {2, 3, 5}:
                    raise ValueError
                step = int(parts[2]) if len(parts) > 2 else 0
                found.add(step, float(parts[1]), int(parts[0]) / 1000)
            except (ValueError, OverflowError):
                rows.bad(f"{name}:{number}", line[:200].decode("utf-8", errors="replace"))
    return found


def _run_folders(path: Path) -> Iterator[Run]:
    """The runs in a folder that is one, an experiment, a store, or has a store in it."""
    todo = [(path, 0)]
    count = 0
    while todo and count < _MOST_RUNS:
        folder, depth = todo.pop(0)
        if (folder / _METRICS).is_dir() and (folder / "meta.yaml").is_file():
            about = _about(folder / "meta.yaml")
            if about.get("lifecycle_stage") != _DELETED:
                count += 1
                yield Run(about.get("run_id", folder.name), about.get("run_name", ""), folder / _METRICS)
        elif depth < _DEEPEST and (depth or _may_hold_runs(folder)):
            todo += [(each, depth + 1) for each in _folders(folder)]


def _may_hold_runs(folder: Path) -> bool:
    """Whether a folder is an experiment or a store, or has the usual store in it: then it is looked into."""
    return (folder / "meta.yaml").is_file() or (folder / "mlruns").is_dir() or any(
        (each / "meta.yaml").is_file() for each in _folders(folder)
    )  # fmt: skip


def _about(path: Path) -> dict[str, str]:
    """The keys of ``meta.yaml``, which MLflow writes one a line."""
    with open_regular(path) as file:
        text = file.read(2**16).decode("utf-8", errors="replace")
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith((" ", "#")))
    return {key: value.strip().strip("'\"") for key, mark, value in pairs if mark}


def _metric_files(folder: Path, inside: str) -> Iterator[tuple[str, Path]]:
    """Files by the name of their metric; ``train/loss`` is a file in a folder."""
    try:
        with os.scandir(folder) as entries:
            found = sorted((each.name, each.is_dir(follow_symlinks=False)) for each in entries)
    except OSError as error:
        raise unreadable(shown(str(folder)), error) from None
    for name, is_folder in found:
        if is_folder:
            yield from _metric_files(folder / name, f"{inside}{name}/")
        else:
            yield f"{inside}{name}", folder / name


def _folders(folder: Path) -> list[Path]:
    """The folders in one, links and hidden ones (``.trash``) left out."""
    try:
        with os.scandir(folder) as entries:
            names = sorted(e.name for e in entries if e.is_dir(follow_symlinks=False) and not e.name.startswith("."))
    except OSError as error:
        raise unreadable(shown(str(folder)), error) from None
    return [folder / name for name in names]


# SQLite


def _read_database(path: Path, name: str, roles: Roles, run: str | None, rows: LogRows) -> Found:
    try:
        import sqlite3
    except ImportError:
        raise InputFileError(f"{name}: this Python was built without sqlite3, which reads it") from None
    open_regular(path).close()
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as store:
            store.text_factory = _text
            return _query(store, name, roles, run, rows)
    except sqlite3.Error as error:
        if "no such table" in str(error) or "no such column" in str(error):
            raise LogContentError(f"{name}: an SQLite database, but not MLflow's ({brief_line(str(error))})") from None
        raise LogContentError(f"{name}: SQLite cannot read it: {brief_line(str(error))}") from None
    except UnicodeDecodeError:
        raise LogContentError(f"{name}: SQLite cannot read it: its schema is no text") from None


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def _query(store: sqlite3.Connection, name: str, roles: Roles, run: str | None, rows: LogRows) -> Found:
    runs = store.execute(
        "SELECT run_uuid, coalesce(name, '') FROM runs WHERE coalesce(lifecycle_stage, '') != ? "
        "AND EXISTS (SELECT 1 FROM metrics WHERE metrics.run_uuid = runs.run_uuid) ORDER BY start_time",
        (_DELETED,),
    )
    wanted = _which({str(each): str(called) for each, called in runs}, run, name, "name one with --run NAME")
    keys = [str(key) for (key,) in store.execute("SELECT DISTINCT key FROM metrics WHERE run_uuid = ?", (wanted,))]
    found: dict[str, Series] = {}
    names = chosen(sorted(keys), roles, name, "metric")
    for metric in names.values():
        values = store.execute(
            "SELECT step, value, timestamp, is_nan FROM metrics WHERE run_uuid = ? AND key = ? "
            "ORDER BY timestamp, rowid",
            (wanted, metric),
        )
        series = found.setdefault(metric, Series())
        for step, value, timestamp, is_nan in values:
            try:
                series.add(float(step), _as_logged(float(value), is_nan), float(timestamp) / 1000)
            except (TypeError, ValueError):
                rows.bad(f"{name}: {brief(metric)}", f"{step}, {value}, {timestamp}")
    return names, found


def _as_logged(value: float, is_nan: int | None) -> float:
    if is_nan:
        return math.nan
    return math.copysign(math.inf, value) if abs(value) >= _LARGEST else value
