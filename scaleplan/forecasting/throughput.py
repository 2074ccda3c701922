"""Whether steps come to take longer: medians of 16 rows against the median of the 16 medians before.

Two in a row must be 20 % slower and four scatters off (our choice: saving a checkpoint or an evaluation slows a few
rows and moves no median). Where the tokens of each row are known, the time is of a token, so that a batch that grows
is no slowdown.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scaleplan.forecasting.medians import of_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

BLOCK, TRAIL, LEAST, SLOWER = 16, 16, 6, 1.2
AHEAD = 256
"""Medians judged in one go: bounds what a slow one costs."""


class Slowdown(NamedTuple):
    """Steps that take ``share`` longer than before since ``start``; ``end`` when they are as fast again."""

    start: float
    seen: float
    end: float | None
    share: float


@dataclass(slots=True)
class Throughput:
    """Medians of seconds a step (or a token) and what they were before."""

    _block: Floats = field(default_factory=lambda: np.empty(0))
    _first: float = math.nan
    _trail: deque[float] = field(default_factory=lambda: deque(maxlen=TRAIL))
    _slow: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    _open: Slowdown | None = None

    def feed(self, step: Floats, seconds: Floats) -> list[Slowdown]:
        """Take rows with their seconds, finite and positive ones alone; slowdowns that begin or end."""
        known = np.concatenate((self._block, seconds))
        blocks = len(known) // BLOCK
        kept, self._block = len(self._block), known[blocks * BLOCK :]
        found: list[Slowdown] = []
        if not blocks:
            if not kept and len(step):
                self._first = float(step[0])
            return found
        medians = of_rows(known[: blocks * BLOCK].reshape(-1, BLOCK))
        place = 0
        while place < blocks:
            usual = self._usual(medians[place : place + AHEAD])
            place += usual
            if usual:
                continue
            median = float(medians[place])
            last = (place + 1) * BLOCK - 1 - kept
            first = self._first if place * BLOCK < kept else float(step[place * BLOCK - kept])
            self._add(first, float(step[last]), median, found)
            place += 1
        rest = blocks * BLOCK - kept
        self._first = float(step[rest]) if rest < len(step) else math.nan
        return found

    def _usual(self, medians: Floats) -> int:
        """Take the medians up to the first that is slow, if there is nothing else to follow; how many."""
        if self._slow or self._open is not None or len(self._trail) < TRAIL:
            return 0
        known = np.concatenate((self._trail, medians))
        before = sliding_window_view(known, TRAIL)[:-1]
        base = np.sort(before, axis=1)[:, TRAIL // 2]
        spread = np.sort(np.abs(before - base[:, None]), axis=1)[:, TRAIL // 2]
        slow = medians > np.maximum(SLOWER * base, base + 4 * 1.4826 * spread)
        taken = int(np.argmax(slow)) if slow.any() else len(medians)
        self._trail.extend(medians[:taken].tolist())
        return taken

    def _add(self, first: float, last: float, median: float, found: list[Slowdown]) -> None:
        trail = sorted(self._trail)
        if len(trail) < LEAST:
            self._trail.append(median)
            return
        base = trail[len(trail) // 2]
        spread = sorted(abs(each - base) for each in trail)[len(trail) // 2]
        if median <= max(SLOWER * base, base + 4 * 1.4826 * spread):
            if self._open is not None:
                found.append(self._open._replace(end=first))
            self._open, self._slow = None, []
            self._trail.append(median)
            return
        self._slow.append((first, median))
        if self._open is None and len(self._slow) == 2:
            self._open = Slowdown(self._slow[0][0], last, None, min(each for _, each in self._slow) / base - 1)
            found.append(self._open)
        if len(self._slow) >= TRAIL:
            self._trail.extend(each for _, each in self._slow)
            self._slow = self._slow[-1:]
