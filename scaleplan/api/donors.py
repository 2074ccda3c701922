"""Finished runs as donors of a forecast: read, and looked at closely."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from scaleplan.api.run_rows import log_notices, rows_that_count
from scaleplan.errors import InputFileError, Notice, UsageError
from scaleplan.forecasting.result import FinishedRun
from scaleplan.forecasting.schedules import Schedule
from scaleplan.forecasting.smoothing import Curve, sound_curve
from scaleplan.specs.files import shown
from scaleplan.specs.training_logs import TrainingLog, read_log

_FAR = 1.8
"""Our choice: losses of runs of one kind, at the same steps, are within this factor from 70M to 12B
parameters (25M to 400M of one recipe: 1.24); losses a byte or a character are beyond it."""
_NEAR = 1.35
"""Our choice: further apart than sizes a factor of 16 from each other, and worth a word."""
_BITS = 1 / math.log(2)
_CLOSE = 0.03
"""Our choice: a factor that is that of bits to within this and moves by less along the curve is the unit's; that of a
smaller model moves (25M to 400M: 5 %)."""
_ENDED = 0.98
"""Our choice: logs and schedules may leave out the last few rows."""
_SHARES = np.linspace(0.3, 1.0, 8)
"""Of what was seen, where the factor is taken."""


def require_others(log: str | os.PathLike[str], donors: Sequence[str | os.PathLike[str]]) -> None:
    """Refuse donors that are no other runs.

    Raises:
        UsageError: the run as its own donor, or one that is given twice.
    """
    seen = [os.fspath(log)]
    for each in donors:
        path = os.fspath(each)
        for known in seen:
            if path == known or _one_file(Path(path), Path(known)):
                what = "that is the run itself" if known == seen[0] else "that donor is given twice"
                raise UsageError(f"--donor {shown(path)}: {what}; a donor is another run, finished")
        seen.append(path)


def _one_file(first: Path, second: Path) -> bool:
    return first.exists() and second.exists() and first.samefile(second)


def read_donor(
    path: str | os.PathLike[str],
    run: TrainingLog,
    mine: Curve,
    total: float,
    columns: Mapping[str, str] | None,
    *,
    any_loss: bool,
) -> tuple[FinishedRun, tuple[Notice, ...]]:
    """A finished run, and what there is to say of it.

    Raises:
        InputFileError: no log, one of a run that has not ended, or one that looks like another tokeniser or unit.
    """
    read = read_log(path, columns=columns)
    own, of_rows = rows_that_count(read)
    curve = sound_curve(own, read.name)
    last, planned = float(curve.step[-1]), read.fact("total_steps")
    whole = float(own.step[-1]) if planned is None else max(planned, float(own.step[-1]))
    if last < _ENDED * whole:
        raise InputFileError(
            f"{read.name}: a donor has finished, and its last finite loss is at step {last:,.0f} of {whole:,.0f}"
        )
    notices = [] if any_loss else list(_same_unit(read, curve, run, mine, total))
    try:
        schedule = Schedule.of_readings(own, name=read.name)
    except UsageError as error:
        raise InputFileError(error.message) from None
    if schedule is None:
        text = f"{read.name}: logs no learning rate; its schedule is taken to have the shape of the run's."
        notices.append(Notice("donor_schedule", text))
    elif schedule.final >= schedule.peak:
        text = f"{read.name}: its learning rate never falls, so that it tells nothing of a decay."
        notices.append(Notice("donor_schedule", text))
    elif schedule.total_steps < _ENDED * last:
        raise InputFileError(
            f"{read.name}: its learning rate ends at step {schedule.total_steps:,.0f} of {last:,.0f}; leave the column "
            "out, or complete it"
        )
    return FinishedRun(read.name, own, schedule), (*of_rows, *log_notices(read), *notices)


def _same_unit(read: TrainingLog, theirs: Curve, run: TrainingLog, mine: Curve, total: float) -> tuple[Notice, ...]:
    """Ask about a donor of another tokeniser or unit of loss; a notice of one that is near that.

    Raises:
        InputFileError: it looks like one.
    """
    words = run.fact("vocabulary"), read.fact("vocabulary")
    if words[0] is not None and words[1] is not None and words[0] != words[1]:
        raise InputFileError(
            f"{read.name}: vocabulary {words[1]:.0f}, the run's is {words[0]:.0f}: losses a token of two tokenisers do "
            "not compare; --any-loss takes it all the same"
        )
    steps = _SHARES * min(float(mine.step[-1]), float(theirs.step[-1]))
    shares = _SHARES * float(mine.step[-1]) / total
    at_steps = theirs.loss_at(steps) / mine.loss_at(steps)
    at_shares = theirs.loss_at(shares * float(theirs.step[-1])) / mine.loss_at(shares * total)
    # Steps may be of other lengths, and shares of runs of other lengths: what is alike by either is alike.
    factors = min(at_steps, at_shares, key=lambda each: abs(math.log(float(np.median(each)))))
    factor = float(np.median(factors))
    for name, unit in (("bits", _BITS), ("nats, and the run's are bits", 1 / _BITS)):
        if abs(factor / unit - 1) < _CLOSE and float(np.ptp(factors)) < _CLOSE * factor:
            raise InputFileError(
                f"{read.name}: its losses are {factor:.3f} of the run's all along: they look like {name}; --any-loss "
                "takes it all the same"
            )
    if not 1 / _FAR < factor < _FAR:
        raise InputFileError(
            f"{read.name}: its losses are {factor:.2f} of the run's at the same point: another unit or "
            "tokeniser? --any-loss takes it all the same"
        )
    if not 1 / _NEAR < factor < _NEAR:
        text = (
            f"{read.name}: its losses are {factor:.2f} of the run's at the same point: is it of a very different size, "
            "or in bits (1.44 nats)?"
        )
        return (Notice("donor_level", text),)
    return ()
