"""Slow rises of a loss in long logs, by a sum over blocks of 100 rows.

S = max(0, S + z/1.3 - 1/2) above 12, z the distance of a block's median from the median of the 20 blocks before in
units of the scatter of neighbouring blocks, at most 6. The rise must be 1 % and still go on while the sum grows: a
change of data, which lifts the level once, is none (our choice). A rise of 2 % in 1000 steps against noise of 1.5 %
is found after about 1000 steps (tests/benchmarks/score_watch.py).
"""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FAST, TRAIL, ALARM, GROWING = 100, 20, 12.0, 0.01


class Rises:
    """Blocks of 100 rows and the sum of their rises."""

    def __init__(self) -> None:
        self.trail: deque[float] = deque(maxlen=TRAIL)
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
        medians = np.median(known[: blocks * FAST].reshape(-1, FAST), axis=1)
        for at, level in zip(ends.tolist(), medians.tolist(), strict=True):
            alarm = self._add(float(step[at]), level, bool(early[at]))
            found += [(at, *alarm)] if alarm else []
        return found

    def _add(self, step: float, level: float, early: bool) -> tuple[float, float, float] | None:
        apart = sorted(abs(b - a) for a, b in pairwise(self.trail))
        trail = sorted(self.trail)
        self.trail.append(level)
        if len(trail) < TRAIL:
            return None
        base = (trail[TRAIL // 2 - 1] + trail[TRAIL // 2]) / 2
        width = max(1.4826 * apart[TRAIL // 2] / math.sqrt(2), 0.001 * abs(base))
        z = max(-6.0, min(6.0, (level - base) / width))
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
        lowest = trail[0]
        size = level - lowest
        if size > GROWING * abs(lowest) and grows > max(1.5 * width / math.sqrt(third), 0.004 * abs(lowest)):
            start = self.start
            self.reset()
            return start, size, size / abs(lowest)
        return None
