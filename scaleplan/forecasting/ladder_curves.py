"""Loss curves of a ladder on one grid: shares of each run, whatever its length and however often it was logged."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaleplan.errors import UsageError
from scaleplan.forecasting.schedules import Schedule

Floats = NDArray[np.float64]

CELLS = 100
"""Our choice: a cell is 1 % of a run, over which a final loss is a mean too."""
_SAME_SHAPE = 0.1
"""Of the peak: schedules that differ by more at some share of the run have different shapes; our choice, with which two
cosines of which one has a warm-up of a tenth of its run are still alike (0.09)."""


class LadderRun(NamedTuple):
    """A loss curve: rising ``step``, ``loss`` (rows that are not finite say nothing), and the steps of the whole run.

    ``schedule`` where it is known: only curves of one shape of schedule collapse.
    """

    name: str
    step: Floats
    loss: Floats
    total_steps: float
    schedule: Schedule | None = None


def cells_of(curve: LadderRun) -> Floats:
    """The median loss in each cell of a run, NaN where it has no row.

    Rows that are not finite, or are not of the run, say nothing.
    """
    known = np.isfinite(curve.loss) & (curve.step >= 0) & (curve.step <= curve.total_steps)
    cell = np.minimum((curve.step[known] * CELLS / curve.total_steps).astype(np.intp), CELLS - 1)
    order = np.argsort(cell, kind="stable")
    loss, ends = curve.loss[known][order], np.searchsorted(cell[order], np.arange(CELLS + 1))
    parts = [loss[start:end] for start, end in pairwise(ends.tolist())]
    return np.array([np.median(part) if part.size else math.nan for part in parts])


def final_of(curve: LadderRun, cells: Floats) -> float:
    """The loss of a finished curve: of its last cell with rows.

    Raises:
        UsageError: a curve that stops before its last 5 %.
    """
    known = np.flatnonzero(np.isfinite(cells))
    if not known.size or known[-1] < 0.95 * CELLS:
        raise UsageError(
            f"the collapse check needs finished curves: {curve.name} stops before step {curve.total_steps:g}"
        )
    return float(cells[known[-1]])


def same_shape(run: LadderRun, other: LadderRun) -> bool:
    """Whether two schedules, relative to their peaks, are alike after both warm-ups; one that is not known is."""
    if run.schedule is None or other.schedule is None:
        return True
    pair = run.schedule, other.schedule
    start = max(float(each.fraction(each.warm_up)) for each in pair)
    x = np.linspace(min(start, 1.0), 1.0, CELLS + 1)
    one, two = (each.lr_at(x * each.total_steps) / each.peak for each in pair)
    return bool(np.abs(one - two).max() <= _SAME_SHAPE)
