"""Weights & Biases: the ``.wandb`` file of a run, offline or not, its folder, and a chart exported as CSV.

A chart's CSV has a column ``RUN - METRIC`` for each run, beside it ``RUN - METRIC__MIN`` and ``__MAX`` of what a point
stands for. A history that was exported (``Run.history``, ``Run.scan_history``) is CSV, JSON or Parquet as any other.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scaleplan.errors import brief
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_files import open_regular
from scaleplan.specs.log_names import scale_of
from scaleplan.specs.log_parquet import add_frame
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import JOINED, LogContentError, LogRows
from scaleplan.specs.log_series import chosen, joined, one_run
from scaleplan.specs.log_wandb_file import MAGIC, History, read_history

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FORM, CHART = "Weights & Biases run", "Weights & Biases chart"
_COUNTER = "_step"
"""Counts the calls that logged something."""


def is_wandb(path: Path) -> bool:
    """Whether a file is a run's or a chart's, or a folder is that of a run, or has such folders (``wandb``) in it.

    Raises:
        InputFileError: the system does not open it.
    """
    if path.is_dir():
        return bool(_run_files(path))
    with open_regular(path) as file:
        head = file.readline(2**20)
    return head.startswith(MAGIC) or _chart_columns(head) is not None


def read_wandb(path: Path, name: str, columns: Mapping[str, str], run: str | None = None) -> LogRows:
    """The rows of a run.

    Args:
        path: a ``.wandb`` file, the folder of a run, a folder ``wandb`` or one that it is in, or a chart's CSV.
        name: for messages.
        columns: the key by role, where it is not one of those that tools use; ``optim.lr`` for nested ones.
        run: the id of the run that is wanted (in a chart, its name), where there are several.

    Raises:
        LogContentError: no rows of a history, no loss among their keys, or several runs.
        InputFileError: no run of that name, or a file that cannot be read.
        UsageError: protobuf is not installed.
    """
    roles = Roles(columns)
    if path.is_dir():
        runs = _run_files(path)
        if not runs:
            raise LogContentError(f"{name}: no folder of a run (run-*.wandb) in it")
        files = runs[one_run(list(runs), run, name, "name one with --run ID, or give its folder")]
        return _read_runs(files, roles, name)
    with open_regular(path) as file:
        head = file.readline(2**20)
    found = None if head.startswith(MAGIC) else _chart_columns(head)
    return _read_runs([path], roles, name) if found is None else _read_chart(path, found, roles, name, run)


def _run_files(folder: Path) -> dict[str, list[Path]]:
    """The files of each run by its id, in the order in which they were begun; links (``latest-run``) left out.

    Raises:
        InputFileError: a folder that cannot be opened.
    """
    found: dict[str, list[Path]] = {}
    try:
        for pattern in ("run-*.wandb", "*run-*/run-*.wandb", "wandb/*run-*/run-*.wandb"):
            for path in sorted(folder.glob(pattern)):
                if not path.parent.is_symlink() or path.parent == folder:
                    found.setdefault(path.name.removeprefix("run-").removesuffix(".wandb"), []).append(path)
    except OSError as error:
        raise unreadable(shown(str(folder)), error) from None
    return found


# A run


def _read_runs(files: list[Path], roles: Roles, name: str) -> LogRows:
    """The rows of the files of one run, which has several where it was resumed."""
    rows = LogRows(FORM, roles)
    histories = [(shown(str(path)), read_history(path, shown(str(path)))) for path in files]
    keys = [key for _, history in histories for key in history.columns]
    if not keys:
        raise LogContentError(f"{name}: no history in it: nothing was logged yet")
    names = chosen(keys, roles, name, "key")
    for file, history in histories:
        _add_history(rows, history, names)
        rows.unreadable += history.damage.parts
        rows.notices += history.damage.notices(file)
    return rows


def _add_history(rows: LogRows, history: History, names: Mapping[str, str]) -> None:
    """Fill rows from a history.

    Steps are those that the run logged (``train/global_step``), if it did so beside every loss; ``_step``, which counts
    the calls of ``log``, otherwise.
    """
    import numpy as np

    losses = [each for role in ("loss", "eval_loss") if (each := history.columns.get(names.get(role, "")))]
    step = np.full(history.rows, np.nan)
    for key in _step_keys(history, rows.roles):
        column = _filled(history, key)
        if all(np.isfinite(column[np.array(each.row)]).all() for each in losses):
            step = column
            break
    others = {role: _filled(history, key) * scale_of(key, role) for role, key in names.items()}
    for role in ("loss", "eval_loss"):
        column = history.columns.get(names.get(role, ""))
        if column is None:
            continue
        here = np.array(column.row)
        here = here[np.isfinite(step[here])]
        rows.stepless += len(column.row) - here.size
        if role == "loss":
            rows.extend(step[here], _beside(step, here, others))
        else:
            rows.extend_evaluations(step[here], others[role][here])
    rows.ignored += history.rows - len({row for each in losses for row in each.row})


def _beside(step: Floats, here: NDArray[np.int64], others: Mapping[str, Floats]) -> dict[str, Floats]:
    """What rows with a loss have, some of it from rows of their own at the same steps (Lightning logs ``lr`` so)."""
    import numpy as np

    with_loss, alone = np.zeros(step.size, dtype=np.bool_), np.ones(step.size, dtype=np.bool_)
    with_loss[here] = True
    for role in ("loss", "eval_loss"):
        if role in others:
            alone &= np.isnan(others[role])
    alone &= ~with_loss
    return {
        role: joined(step, with_loss, alone, values) if role in JOINED else values[here]
        for role, values in others.items()
        if role != "eval_loss"
    }


def _step_keys(history: History, roles: Roles) -> list[str]:
    """The keys that may be of steps, what the user named or the run logged first."""
    ranked = [
        (key == _COUNTER, role[1], key) for key in history.columns if (role := roles.of(key)) and role[0] == "step"
    ]
    return [key for _, _, key in sorted(ranked)]


def _filled(history: History, key: str) -> Floats:
    """A key's values in their rows, NaN in all others."""
    import numpy as np

    found = np.full(history.rows, np.nan)
    column = history.columns.get(key)
    if column is not None:
        found[np.array(column.row, dtype=np.int64)] = np.array(column.value)
    return found


# A chart


def _chart_columns(head: bytes) -> list[str] | None:
    """The columns of a chart that was exported, if the first line is of one."""
    text = head.decode("utf-8-sig", errors="replace").strip()
    if " - " not in text:
        return None
    try:
        names = next(csv.reader([text]), list[str]())
    except csv.Error:
        return None
    found = any(_of_chart(each) and f"{each}__MIN" in names for each in names)
    return names if found else None


def _of_chart(column: str) -> tuple[str, str] | None:
    """The run and the metric of a column; ``None`` for one without a run, and for extremes."""
    run, mark, metric = column.rpartition(" - ")
    return (run, metric) if mark and not metric.endswith(("__MIN", "__MAX")) else None


def _read_chart(path: Path, names: list[str], roles: Roles, name: str, run: str | None) -> LogRows:
    """The rows of one run of a chart; the first column is what it was drawn over."""
    import polars as pl

    of_runs = {each: found for each in names if (found := _of_chart(each)) is not None}
    runs = list(dict.fromkeys(found[0] for found in of_runs.values()))
    wanted = one_run(runs, run, name, "name one with --run NAME")
    columns = {names[0]: names[0]}
    columns |= {each: metric for each, (of_run, metric) in of_runs.items() if of_run == wanted}
    if roles.of(names[0]) is not None:
        # What it was drawn over counts the steps; another count of them would stand beside it.
        columns = {each: metric for each, metric in columns.items() if each == names[0] or metric != _COUNTER}
    try:
        with open_regular(path) as file:
            frame = pl.read_csv(io.BytesIO(file.read()), columns=list(columns), infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise LogContentError(f"{name}: not CSV: {brief(str(error).splitlines()[0])}") from None
    rows = LogRows(CHART, roles)
    add_frame(rows, frame.rename(columns), name)
    return rows
