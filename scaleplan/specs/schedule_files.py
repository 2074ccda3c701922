"""Files of a planned learning rate: a step and a rate a row, from a table or from the log of a finished run."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl

from scaleplan.errors import InputFileError, Notice, UsageError, nearest, quoted
from scaleplan.forecasting.schedules import Floats, Schedule, problem
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_files import open_regular
from scaleplan.specs.log_names import NAMES, role_of
from scaleplan.specs.raw_table import Table
from scaleplan.specs.run_columns import comma_hint
from scaleplan.specs.tables import PARQUET, table_of_bytes

_FEW = 5
"""Our choice: so many bad values are named in one message."""
_LOG_MARKS = re.compile(rb'"log_history"|iteration +\d+/ *\d+ \|')
"""In the first bytes of a log that is no table: of the Hugging Face Trainer, of Megatron-LM."""
_HEAD = 2**12


class ReadSchedule(NamedTuple):
    """A schedule and what there is to say of its rows."""

    schedule: Schedule
    notices: tuple[Notice, ...]


def read_schedule(path: str, warm_up: float | None = None) -> ReadSchedule:
    """The schedule that a file holds.

    Args:
        path: CSV, NDJSON or Parquet with columns ``step`` and ``lr``, or a log with learning rates.
        warm_up: steps of a rise from 0 to the first row's learning rate, where rows begin after it.

    Raises:
        InputFileError: no such file, no column of steps or rates, fewer than two rows, a value that is no number,
            negative or not finite, steps that do not rise, rates that are all zero.
        UsageError: standard input, or a warm-up that the rows have themselves.
    """
    name = shown(path)
    if path == "-":
        raise UsageError("--schedule -: standard input is the log's; write the schedule to a file")
    try:
        with open_regular(path) as file:
            data = file.read()
    except OSError as error:
        raise unreadable(name, error) from None
    if not data.strip():
        raise InputFileError(f"{name}: empty; a schedule has columns step and lr, a row for the last step among them")
    step, lr = _of_log(path, name) if _is_log(data) else _of_table(data, name)
    wrong = problem(step, lr)
    if wrong is not None:
        raise InputFileError(f"{name}: {wrong}")
    if warm_up is not None and not 0 <= warm_up <= step[0]:
        raise UsageError(f"--warm-up {warm_up:g}: {name} has rows from step {step[0]:.10g}, which say it themselves")
    return ReadSchedule(Schedule.from_rows(step, lr, warm_up=warm_up, name=name), _late(name, step, lr, warm_up))


def _late(name: str, step: Floats, lr: Floats, warm_up: float | None) -> tuple[Notice, ...]:
    """A notice where rows begin later than one of their distances after step 0, and nobody said how it rose."""
    if warm_up is not None or step[0] <= step[1] - step[0] or lr[0] == 0:
        return ()
    text = (
        f"{name}: begins at step {step[0]:.10g}; the learning rate is taken to have risen to there from 0. "
        "--warm-up says over how many steps it did, 0 that it was held."
    )
    return (Notice("schedule_start", text),)


def _is_log(data: bytes) -> bool:
    """Whether the file is a log that is no table of rows."""
    return not data.startswith(PARQUET) and _LOG_MARKS.search(data[:_HEAD]) is not None


def _of_log(path: str, name: str) -> tuple[Floats, Floats]:
    from scaleplan.specs.training_logs import read_log  # most schedules are no logs

    log = read_log(path)
    if log.lr is None:
        raise InputFileError(f"{name}: a log without a learning rate ({', '.join(NAMES['lr'])})")
    known = ~np.isnan(log.lr)
    return log.step[known], log.lr[known]


def _of_table(data: bytes, name: str) -> tuple[Floats, Floats]:
    found: dict[str, str] = {}

    def choose(names: list[str], place: str) -> Sequence[str]:
        found.update(_columns(names, place))
        return list(found.values())

    table = table_of_bytes(data, name, choose, parquet=os.fspath(name).lower().endswith((".parquet", ".pq")))
    if table.frame.height < 2:
        rows = "a header and no rows" if not table.frame.height and table.by_line else f"{table.frame.height} rows"
        said = "one row" if table.frame.height == 1 else rows
        raise InputFileError(f"{name}: {said}; a schedule has two at least, one of them of the last step")
    step, lr = (_numbers(table, found[role]) for role in ("step", "lr"))
    _rising(table, found["step"], step)
    return step, lr


def _columns(names: list[str], place: str) -> dict[str, str]:
    """The columns of a table by role.

    Raises:
        InputFileError: one is not there.
    """
    found: dict[str, tuple[int, str]] = {}
    for name in names:
        role = role_of(name)
        if role is not None and (role[0] not in found or role[1] < found[role[0]][0]):
            found[role[0]] = role[1], name
    for wanted in ("step", "lr"):
        if wanted not in found:
            hint = comma_hint(names)
            near = hint or nearest(wanted, [name for name in names if role_of(name) is None])
            raise InputFileError(
                f"{place}: no column {wanted!r} (read as one: {', '.join(NAMES[wanted])}); got "
                f"{', '.join(quoted(each) for each in names[:20]) or 'nothing'}{near}"
            )
    return {role: found[role][1] for role in ("step", "lr")}


def _numbers(table: Table, column: str) -> Floats:
    """The numbers of a column.

    Raises:
        InputFileError: values that are none, negative or not finite, the first of them with their rows.
    """
    series = table.frame[column]
    if series.dtype == pl.Boolean or series.dtype.is_nested():
        raise InputFileError(f"{table.name}: {column}: one number a row, not {series.dtype}")
    if not series.dtype.is_numeric():
        series = series.cast(pl.String, strict=False).str.strip_chars()
    values = np.array(series.cast(pl.Float64, strict=False).fill_null(np.nan).to_numpy(), dtype=np.float64)
    bad = np.flatnonzero(~(np.isfinite(values) & (values >= 0)))
    if bad.size:
        lines = [f"{table.at(int(row))}: {column}: {_why(series[int(row)])}" for row in bad[:_FEW]]
        if bad.size > _FEW:
            lines.append(f"{table.name}: and {bad.size - _FEW:,} more such values")
        raise InputFileError(lines)
    return values


def _why(value: object) -> str:
    if value is None or value == "":
        return "an empty value where a number should be"
    return f"must be a finite number, 0 or above (got {quoted(str(value)) if isinstance(value, str) else value})"


def _rising(table: Table, column: str, step: Floats) -> None:
    fall = np.flatnonzero(np.diff(step) <= 0)
    if fall.size:
        row = int(fall[0]) + 1
        got = f"{step[row]:.10g} after {step[row - 1]:.10g}"
        raise InputFileError(f"{table.at(row)}: {column}: steps must rise from row to row (got {got})")
