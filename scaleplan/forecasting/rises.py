"""Slow rises of a loss in long logs, by a sum over blocks of 100 rows.

S = max(0, S + z/1.3 - 1/2) above 12, z the distance of a block's median from the median of the 20 blocks before in
units of the scatter of neighbouring blocks, at most 6. The rise must be 1 % and still go on while the sum grows: a
change of data, which lifts the level once, is none (our choice). A rise of 2 % in 1000 steps against noise of 1.5 %
is found after about 1000 steps (tests/benchmarks/score_watch.py).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scaleplan.forecasting.medians import of_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FAST, TRAIL, ALARM, GROWING = 100, 20, 12.0, 0.01


class Rises:
    """Blocks of 100 rows and the sum of their rises."""

    def __init__(self) -> None:
        self.trail: Floats = np.empty(0)
        self.block: Floats = np.empty(0)
        self.reset()

    def reset(self) -> None:
        """Begin the sum anew."""
        self.sum, self.start, self.since = 0.0, math.nan, list[float]()

    def feed(self, step: Floats, value: Floats, early: NDArray[np.bool_]) -> list[tuple[int, float, float, float]]:
        """Take rows; (row, start, size, share) of each alarm."""
        known = np.concatenate((self.block, value))
        blocks = len(known) // FAST
        self.block = known[blocks * FAST :]
        found: list[tuple[int, float, float, float]] = []
        if not blocks:
            return found
        ends = np.arange(1, blocks + 1) * FAST - 1 - (len(known) - len(value))
        medians = of_rows(known[: blocks * FAST].reshape(-1, FAST))
        judged = self._judged(medians)
        rows = zip(ends.tolist(), medians.tolist(), strict=True)
        for (at, level), (z, width, lowest) in zip(list(rows)[blocks - len(judged) :], judged, strict=True):
            alarm = self._add(float(step[at]), level, z, width, lowest, early=bool(early[at]))
            found += [(at, *alarm)] if alarm else []
        return found

    def _judged(self, levels: Floats) -> list[tuple[float, float, float]]:
        """Distance z, scatter and lowest level of the 20 blocks before, of each block that has so many before it."""
        known = np.concatenate((self.trail, levels))
        self.trail = known[-TRAIL:]
        if len(known) <= TRAIL:
            return []
        before = sliding_window_view(known, TRAIL)[:-1]
        base, lowest = of_rows(before), before.min(axis=1)
        apart = np.sort(np.abs(np.diff(before, axis=1)), axis=1)[:, TRAIL // 2]
        width = np.maximum(1.4826 * apart / math.sqrt(2), 0.001 * np.abs(base))
        far = known[TRAIL:] - base
        # A level that stood at exactly zero has no scatter: what is above it is far.
        z = np.where(width > 0, far / np.where(width > 0, width, 1.0), 6.0 * np.sign(far))
        return list(zip(np.clip(z, -6.0, 6.0).tolist(), width.tolist(), lowest.tolist(), strict=True))

    def _add(
        self, step: float, level: float, z: float, width: float, lowest: float, *, early: bool
    ) -> tuple[float, float, float] | None:
        """Add a block to the sum; the alarm that it raises."""
        self.sum = max(0.0, self.sum + z / 1.3 - 0.5)
        if self.sum == 0.0 or early:
            self.start, self.since = math.nan, []
            self.sum = 0.0
            return None
        if not self.since:
            self.start = step
        self.since = [*self.since, level][-60:]
        count = len(self.since)
        if self.sum <= ALARM or count < 5:
            return None
        third = count // 3
        grows = sum(self.since[-third:]) / third - sum(self.since[:third]) / third
        size = level - lowest
        if size > GROWING * abs(lowest) and grows > max(1.5 * width / math.sqrt(third), 0.004 * abs(lowest)):
            start = self.start
            self.reset()
            return start, size, size / abs(lowest) if lowest else math.inf
        return None
