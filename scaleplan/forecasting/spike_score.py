"""The spike score of OLMo 2, printed for comparison with what others report; alarms use another rule (``spikes``).

The percentage of values at least 7 standard deviations from the rolling mean of the last 1000 (OLMo 2, 2501.00656);
that the value itself is left out of its mean is our reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WINDOW, DEVIATIONS = 1000, 7.0
CELL = 4096
"""Values judged in one go."""


class SpikeScore:
    """Counts far values; the first that is judged has ``WINDOW`` values before it."""

    def __init__(self) -> None:
        self._judged = self._far = self._before = self._waiting = 0
        self._parts: list[Floats] = []

    def feed(self, values: Floats) -> None:
        """Take values, finite ones alone."""
        at = 0
        while at < len(values):
            part = values[at : at + CELL - self._waiting]
            at += len(part)
            self._parts.append(part)
            self._waiting += len(part)
            if self._waiting == CELL:
                known = np.concatenate(self._parts)
                judged, far = judge(known, self._before)
                self._judged, self._far = self._judged + judged, self._far + far
                kept: Floats = known[-WINDOW:].copy()
                self._parts, self._before, self._waiting = [kept], WINDOW, 0

    @property
    def percent(self) -> float | None:
        """The score in percent; ``None`` before the first value that can be judged."""
        judged, far = judge(np.concatenate(self._parts), self._before) if self._waiting else (0, 0)
        judged, far = judged + self._judged, far + self._far
        return 100.0 * far / judged if judged else None


def judge(known: Floats, before: int) -> tuple[int, int]:
    """How many values after the first ``before`` can be judged, and how many of them are far.

    Sums are of distances from a median, so that they lose no digits.
    """
    count = len(known) - max(before, WINDOW)
    if count <= 0:
        return 0, 0
    shifted = known[-count - WINDOW :] - np.median(known[-count - WINDOW :][:WINDOW])
    sums = np.concatenate(([0.0], np.cumsum(shifted)))
    squares = np.concatenate(([0.0], np.cumsum(shifted**2)))
    mean = (sums[WINDOW : WINDOW + count] - sums[:count]) / WINDOW
    square = (squares[WINDOW : WINDOW + count] - squares[:count]) / WINDOW
    deviation = np.sqrt(np.maximum(square - mean**2, 0.0))
    return count, int((np.abs(shifted[WINDOW:] - mean) >= np.maximum(DEVIATIONS * deviation, 1e-12)).sum())
