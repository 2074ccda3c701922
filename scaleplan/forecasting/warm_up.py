"""Whether a row is early enough for a rise to be a transient of the warm-up.

The warm-up is as long as told, or until the learning rate stops rising; a rise counts as its transient until 1.5
times its end, since the rate is at its peak there (our choice). Without either, 2000 steps (our choice, a usual length;
at most a tenth of the steps planned) or 20 rows are taken, if the log begins where the run does: a guess, by which a
rise below ``levels.LARGE`` still is a spike.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

USUAL, SHARE, ROWS, AFTER, FLAT = 2000.0, 0.1, 20, 1.5, 5


@dataclass(slots=True)
class WarmUp:
    """The state: ``end`` of the warm-up, ``total`` steps planned; ``guessed``: neither told nor seen in a rate."""

    end: float | None = None
    total: float = math.inf
    guessed: bool = True
    _first: float = math.nan
    _second: float = math.nan
    _rows: int = 0
    _rate: float = math.nan
    _rise: float = math.nan
    _flat: int = 0

    def flags(self, step: Floats, lr: Floats | None) -> NDArray[np.bool_]:
        """For each row, from it and those before: may a rise be of the warm-up?"""
        place = self._rows + np.arange(len(step))
        if not self._rows:
            self._first = float(step[0])
            self.guessed = self.end is None and (lr is None or not math.isfinite(lr[0]))
        if self._rows < 2 <= self._rows + len(step):
            self._second = float(step[1 - self._rows])
        self._rows += len(step)
        if self.guessed:
            near = self._first <= max(200.0, 3 * (self._second - self._first))
            return (
                ((place < ROWS) | (step <= min(USUAL, SHARE * self.total))) & near
                if self._second == self._second
                else place < ROWS
            )
        if self.end is None:
            return self._rising(step, lr)
        return step < AFTER * self.end

    def _rising(self, step: Floats, lr: Floats | None) -> NDArray[np.bool_]:
        """Follow the learning rate until it stops rising."""
        rates = np.full(len(step), math.nan) if lr is None else lr
        for at, (here, rate) in enumerate(zip(step.tolist(), rates.tolist(), strict=True)):
            if rate > self._rate or self._rate != self._rate:
                self._rate, self._rise, self._flat = rate, here, 0
            elif math.isfinite(rate):
                self._flat = FLAT if rate < self._rate else self._flat + 1
            if self._flat >= FLAT:
                self.end = self._rise if self._rise > self._first else -math.inf
                flags = np.ones(len(step), bool)
                flags[at:] = step[at:] < AFTER * self.end
                return flags
        return np.ones(len(step), bool)
