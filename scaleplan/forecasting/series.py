"""A loss curve as it is drawn: of any number of rows at most a thousand points, in constant memory.

Rows are gathered in bins of equal width in steps, a power of two; where more than ``MOST`` of them hold rows, the width
doubles and each two of them become one. A point is the mean of a bin, beside its lowest and highest value, so that no
spike is lost. Our choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from scaleplan.forecasting.readings import Floats, Readings

MOST = 1000
"""Our choice: about as many points as a chart is wide."""
_NARROWEST = 2.0**-20
"""Our choice: steps that are told in epochs or in billions are not narrower."""


class DrawnCurve(NamedTuple):
    """Points of a loss curve by rising step, arrays of one length.

    ``step``: mean step of the rows behind a point; ``loss``: their mean; ``loss_min``, ``loss_max``: the range that
    they span [as logged]; ``rows``: how many they are. Rows of which the loss is not finite are in none. A step that
    was done twice, before and after a restart, counts with both.
    """

    step: Floats
    loss: Floats
    loss_min: Floats
    loss_max: Floats
    rows: Floats

    def __len__(self) -> int:
        return len(self.step)


class Series:
    """The curve of a log that comes in parts."""

    def __init__(self) -> None:
        self._width = _NARROWEST
        self._bins = np.empty(0)
        self._sums = np.empty((0, 3))
        self._ends = np.empty((0, 2))

    def feed(self, readings: Readings) -> None:
        """Add rows, in any order of steps."""
        sound = np.isfinite(readings.loss) & np.isfinite(readings.step)
        step, loss = readings.step[sound], readings.loss[sound]
        if not step.size:
            return
        sums = np.stack((np.ones(step.size), step, loss), axis=1)
        ends = np.stack((loss, -loss), axis=1)
        new = _merged(np.floor(step / self._width), sums, ends)
        old = self._bins, self._sums, self._ends
        bins, sums, ends = (np.concatenate(pair) for pair in zip(old, new, strict=True))
        bins, sums, ends = _merged(bins, sums, ends)
        while bins.size > MOST:
            self._width *= 2
            bins, sums, ends = _merged(np.floor(bins / 2), sums, ends)
        self._bins, self._sums, self._ends = bins, sums, ends

    def curve(self) -> DrawnCurve:
        """What has come so far."""
        rows, step, loss = self._sums.T
        return DrawnCurve(step / rows, loss / rows, self._ends[:, 0], -self._ends[:, 1], rows)


def _merged(bins: Floats, sums: Floats, ends: Floats) -> tuple[Floats, Floats, Floats]:
    """Each bin once, by rising step: sums added up, of ends the least."""
    if bool(np.any(bins[1:] < bins[:-1])):
        order = np.argsort(bins, kind="stable")
        bins, sums, ends = bins[order], sums[order], ends[order]
    first = np.flatnonzero(np.concatenate(((True,), bins[1:] != bins[:-1])))
    return bins[first], np.add.reduceat(sums, first), np.minimum.reduceat(ends, first)
