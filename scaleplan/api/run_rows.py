"""The rows of a log that a forecast is made from, and what there is to say of the others."""

from __future__ import annotations

import numpy as np

from scaleplan.errors import InputFileError, Notice
from scaleplan.forecasting.readings import Readings, last_of_each
from scaleplan.forecasting.row_order import without_abandoned
from scaleplan.specs.training_logs import TrainingLog


def rows_that_count(read: TrainingLog) -> tuple[Readings, list[Notice]]:
    """The training rows that count, or those of evaluations where there are no others, and what was left out.

    Raises:
        InputFileError: no row has both a step and a loss.
    """
    if not read.step.size:
        if not read.eval_step.size:
            raise InputFileError(f"{read.name}: no row has both a step and a loss")
        return Readings(step=read.eval_step, loss=read.eval_loss), []
    rows, left = without_abandoned(read.written)
    said = [
        Notice(
            "restart", f"{read.name}: went back to step {step:,.0f}; {count:,} rows of what was left behind not used."
        )
        for step, count in left
    ]
    negative = rows.step < 0
    if negative.any():
        said.append(Notice("negative_steps", f"{read.name}: {int(negative.sum()):,} rows of steps below 0, left out."))
        rows = rows.part(~negative)
    if not left and not bool((rows.step[1:] > rows.step[:-1]).all()):
        step, places = last_of_each(rows.step, np.arange(float(len(rows))))
        if len(step) < len(rows) or (len(step) > 1 and (np.diff(rows.step) <= 0).any()):
            rows = rows.part(places.astype(np.intp))
    return rows, said


def log_notices(read: TrainingLog) -> list[Notice]:
    """What there is to say of how a log was read."""
    found = list(read.notices)
    bad = int((~np.isfinite(read.loss)).sum())
    if bad:
        found.append(Notice("not_finite", f"{read.name}: {bad:,} losses that are no finite number, left out."))
    if read.unreadable:
        found.append(Notice("unreadable", f"{read.name}: {read.unreadable:,} lines could not be read, left out."))
    return found
