"""The planned learning rate: a name and its numbers, or a file of rows, into a schedule of the whole run.

A file is CSV, NDJSON or Parquet with a step and a learning rate a row, under any name that tools give them, or the log
of a finished run. What a name needs and nobody gave is taken from the log, or is the shape's custom; a notice says so.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scaleplan.errors import InputFileError, Notice, UsageError, nearest, quoted
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.schedule_shapes import COSINE_FLOOR, DECAY_SHARE, SHAPES, Decay, Shape, named
from scaleplan.forecasting.schedules import Schedule
from scaleplan.specs.files import shown
from scaleplan.specs.schedule_words import TAKES, Given, Words, decay_named, rate, refuse, share, steps

_LEAST_RAMP = 3
"""Our choice: so many rising rows, at least, say how long a warm-up is."""


class Planned(NamedTuple):
    """A schedule and what there is to say of how it was made."""

    schedule: Schedule
    notices: tuple[Notice, ...]


class _Ramp(NamedTuple):
    """What the log shows of the beginning: the peak, and the warm-up where rows of it are there."""

    peak: float | None
    warm_up: float | None


def schedule_of(
    given: str | os.PathLike[str] | Schedule,
    words: Words | None = None,
    *,
    total_steps: float | None = None,
    log: Readings | None = None,
) -> Planned:
    """The schedule that somebody means.

    Args:
        given: a name of ``SHAPES``, the path of a file, or a schedule.
        words: the numbers of a name; of them a file takes the warm-up alone, where its rows begin after that.
        total_steps: of the run; a name needs them, of a file they must not be beyond the end.
        log: of the run so far, whose learning rate says what was not given.

    Raises:
        UsageError: an unknown name, a number that is none, out of range, missing, or without a meaning for the name.
        InputFileError: a file that is no schedule, or ends before the run does.
    """
    words = words or Words()
    if total_steps is not None and not 1 <= total_steps < math.inf:
        raise UsageError(f"--total-steps must be a number of steps, 1 or more (got {total_steps:g})")
    if isinstance(given, Schedule):
        refuse(given.name, words, ())
        return _cut(Planned(given, ()), total_steps)
    name = os.fspath(given)
    shape = name.strip().lower().replace("_", "-")
    if shape in SHAPES and isinstance(given, str):
        return _named(shape, words, total_steps, log)
    if not _may_be_file(name):
        raise UsageError(
            f"--schedule {quoted(name)}: no file and no schedule of that name.{nearest(name, SHAPES)} "
            f"There are {', '.join(SHAPES)}"
        )
    refuse(shown(name), words, ("warm_up",))
    from scaleplan.specs.schedule_files import read_schedule  # brings polars, which a name does not need

    read = read_schedule(name, steps("--warm-up", words.warm_up, total_steps))
    return _cut(Planned(read.schedule, read.notices), total_steps)


def require_whole(schedule: Schedule, last_step: float) -> None:
    """Refuse a schedule that ends before the log does.

    Raises:
        InputFileError: the schedule is a file's.
        UsageError: it is a name's.
    """
    if last_step <= schedule.total_steps:
        return
    if schedule.name in SHAPES:
        raise UsageError(
            f"--total-steps {schedule.total_steps:.10g}: the log is at step {last_step:.10g} already; give "
            "the steps of the whole planned run"
        )
    raise InputFileError(
        f"{schedule.name}: ends at step {schedule.total_steps:.10g}, and the log is at step {last_step:.10g} already; "
        "a schedule is of the whole planned run"
    )


def _may_be_file(name: str) -> bool:
    try:
        there = Path(name).exists()
    except OSError:
        there = False
    return there or name == "-" or ("\0" not in name and (os.sep in name or "." in name))


def _named(shape: Shape, words: Words, total_steps: float | None, log: Readings | None) -> Planned:
    if total_steps is None:
        raise UsageError(f"--schedule {shape}: needs the steps of the whole run; give --total-steps")
    refuse(shape, words, TAKES[shape])
    ramp = _ramp(log)
    said: list[str] = []
    peak = _peak(shape, words.peak, words.floor, ramp, said)
    warm_up = steps("--warm-up", words.warm_up, total_steps)
    if warm_up is None:
        warm_up = _warm_up(shape, ramp, total_steps, said)
    decayed = share("--decay-share", words.decay_share)
    decay = decay_named(words.decay)
    floor = _floor(shape, words.floor, peak, decay, said) if "floor" in TAKES[shape] else 0.0
    if shape == "wsd" and decay is None:
        said.append("--decay linear")
    if shape == "wsd" and decayed is None:
        said.append(f"--decay-share {DECAY_SHARE:.0%} (Hagele et al. 2024)")
    schedule = named(
        shape,
        total_steps=total_steps,
        peak=peak,
        warm_up=warm_up,
        floor=floor,
        decay=decay or "linear",
        decay_share=DECAY_SHARE if decayed is None else decayed,
    )
    text = f"--schedule {shape}: taken as {', '.join(said)}."
    return Planned(schedule, (Notice("schedule_assumed", text),) if said else ())


def _ramp(log: Readings | None) -> _Ramp:
    """The peak that a log shows, unless it still rises, and where a rise through rows in proportion to steps ends."""
    history = None if log is None else Schedule.of_readings(log)
    if history is None:
        return _Ramp(None, None)
    top = int(history.lr.argmax())
    rising = (history.step > 0) & (history.lr > 0) & (history.step < history.step[top])
    if history.lr[-1] > history.lr[-2]:
        return _Ramp(None, None)
    ends = history.step[rising] * history.peak / history.lr[rising]
    if top == 1 and history.lr[0] == 0:  # a log that begins after its warm-up
        return _Ramp(history.peak, float(history.step[1]))
    if len(ends) < _LEAST_RAMP or float(np.ptp(ends)) > float(np.median(ends)) / 2:
        return _Ramp(history.peak, None)
    return _Ramp(history.peak, float(ends[-1]))


def _peak(shape: str, given: Given, floor: Given, ramp: _Ramp, said: list[str]) -> float:
    if given is not None:
        return rate("--peak", given)
    if ramp.peak is None:
        if floor is not None and not str(floor).strip().endswith("%"):
            raise UsageError(
                f"--schedule {shape} --floor {floor}: needs --peak, such as 3e-4, since the log has no learning rate "
                "that has reached it; a share of the peak is written 10%"
            )
        said.append("--peak 1, as only its shape counts")
        return 1.0
    said.append(f"--peak {ramp.peak:.4g}, the log's")
    return ramp.peak


def _warm_up(shape: Shape, ramp: _Ramp, total_steps: float, said: list[str]) -> float:
    if ramp.warm_up is not None and ramp.warm_up < total_steps:
        said.append(f"--warm-up {ramp.warm_up:.0f}, as the log's learning rate rises")
        return ramp.warm_up
    if shape == "inverse-sqrt":
        raise UsageError("--schedule inverse-sqrt: falls from the end of its warm-up; give --warm-up")
    said.append("--warm-up 0")
    return 0.0


def _floor(shape: Shape, given: Given, peak: float, decay: Decay | None, said: list[str]) -> float:
    if given is None:
        if shape == "cosine":
            said.append(f"--floor {COSINE_FLOOR:.0%} (Hoffmann et al. 2022)")
            return COSINE_FLOOR * peak
        if decay == "exponential":
            raise UsageError("--decay exponential: never reaches 0; give --floor, such as 10%")
        said.append("--floor 0")
        return 0.0
    if isinstance(given, str) and given.strip().endswith("%"):
        return (share("--floor", given) or 0.0) * peak
    floor = rate("--floor", given, least=0.0)
    if floor > peak:
        raise UsageError(f"--floor {given}: above the peak of {peak:.4g}; a share of it is written 10%")
    return floor


def _cut(planned: Planned, total_steps: float | None) -> Planned:
    """The schedule up to the last step that was asked for.

    Raises:
        InputFileError: it ends before.
    """
    schedule = planned.schedule
    if total_steps is None or total_steps == schedule.total_steps:
        return planned
    if total_steps < schedule.total_steps:
        end = f"goes on to step {schedule.total_steps:.10g}; used up to --total-steps {total_steps:.10g}"
        text = f"{schedule.name}: {end}."
        return Planned(schedule.up_to(total_steps), (*planned.notices, Notice("schedule_cut", text)))
    gap = float(schedule.step[-1] - schedule.step[-2])
    if total_steps - schedule.total_steps > gap:
        raise InputFileError(
            f"{schedule.name}: ends at step {schedule.total_steps:.10g}, before --total-steps {total_steps:.10g}; a "
            "schedule is of the whole planned run"
        )
    text = (
        f"{schedule.name}: its last row is at step {schedule.total_steps:.10g}; its learning rate is held to the end."
    )
    held = schedule.continued(total_steps, schedule.final)
    return Planned(held, (*planned.notices, Notice("schedule_held", text)))
