"""Losses that repeat exactly: a stalled input gives one value again and again, repeating batches a cycle of values.

A run of equal values is a stall once chance makes it rarer than 1e-9 given how often neighbours were equal before it,
and at least 8 long; values printed with two decimals or as bfloat16 repeat by themselves: they need 64, three decimals
24.
A cycle is up to 64 values long and must have come three times. The numbers are our choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CHANCE = 1e-9
LONGEST, TIMES, KEPT, EVERY = 64, 3, 256, 16


class Stall(NamedTuple):
    """Equal or cycling values from one step to another; ``period`` 1 for equal ones, ``end`` when over."""

    start: float
    seen: float
    end: float | None
    rows: int
    period: int
    value: float


@dataclass(slots=True)
class Stalls:
    """The state: the last value and its run, how many neighbours were equal, the last values for cycles."""

    _value: float = math.nan
    _start: float = math.nan
    _run: int = 0
    _pairs: int = 0
    _equal: int = 0
    _open: Stall | None = None
    _count: int = 0
    _kept: Floats = field(default_factory=lambda: np.empty(0))
    _steps: Floats = field(default_factory=lambda: np.empty(0))

    def feed(self, step: Floats, value: Floats) -> list[Stall]:
        """Take rows; the stalls that begin or end."""
        found: list[Stall] = []
        if not len(value):
            return found
        same = value == np.concatenate(([self._value], value[:-1]))
        # Runs of equal values: each begins where a value differs from the one before.
        begins = np.flatnonzero(~same)
        at = int(begins[0]) if len(begins) else len(value)
        self._grow(step, 0, at, found)
        lengths = np.diff(np.concatenate((begins, [len(value)])))
        long = np.flatnonzero(lengths >= 8) if len(lengths) else np.empty(0, int)
        done = 0
        for each in [*long.tolist(), len(begins)]:
            plain = lengths[done:each]
            if len(plain):
                self._end(float(step[begins[done]]), found)
                self._pairs += int(plain.sum()) - int(plain[-1])
                self._equal += int((plain[:-1] - 1).sum())
                self._begin(step, value, int(begins[each - 1]), int(plain[-1]))
            if each < len(begins):
                self._end(float(step[begins[each]]), found)
                first = int(begins[each])
                self._begin(step, value, first, 1)
                self._grow(step, first + 1, first + int(lengths[each]), found)
            done = each + 1
        self._cycles(step, value, found)
        return found

    def _begin(self, step: Floats, value: Floats, at: int, length: int) -> None:
        self._pairs += self._run
        self._equal += max(self._run - 1, 0)
        self._value, self._start, self._run = float(value[at]), float(step[at]), length

    def _end(self, step: float, found: list[Stall]) -> None:
        if self._open is not None and self._open.period == 1:
            found.append(self._open._replace(end=step, rows=self._run))
            self._open = None

    def _grow(self, step: Floats, first: int, stop: int, found: list[Stall]) -> None:
        """More of the same value."""
        needed = self._needed()
        before, self._run = self._run, self._run + stop - first
        if self._run >= needed > before and self._open is None:
            seen = float(step[first + needed - before - 1])
            self._open = Stall(self._start, seen, None, needed, 1, self._value)
            found.append(self._open)

    def _needed(self) -> int:
        """Rows of one value that chance does not make."""
        share = (self._equal + 1) / (self._pairs + 20)
        least = 8
        for scale, rows in ((100, 64), (128, 64), (1000, 24)):
            if self._value == self._value and abs(self._value * scale - round(self._value * scale)) < 1e-7:
                least = max(least, rows)
        return max(least, math.ceil(math.log(CHANCE) / math.log(min(share, 0.99))))

    def _cycles(self, step: Floats, value: Floats, found: list[Stall]) -> None:
        """Look for cycles each 16 rows."""
        known, steps = np.concatenate((self._kept, value)), np.concatenate((self._steps, step))
        first = len(self._kept)
        grid = np.arange(EVERY - self._count % EVERY, len(value) + 1, EVERY) - 1 + first
        self._count += len(value)
        self._kept, self._steps = known[-KEPT:].copy(), steps[-KEPT:].copy()
        grid = grid[grid >= 3 * 2 + EVERY]
        if not len(grid):
            return
        lags = np.arange(2, LONGEST + 1)
        alike = _alike(known, grid, lags)
        for place in range(len(grid)) if self._open is not None else np.flatnonzero(alike.any(axis=1)):
            self._cycle(known, steps, int(grid[place]), lags[alike[place]], found)

    def _cycle(self, known: Floats, steps: Floats, at: int, lags: NDArray[np.intp], found: list[Stall]) -> None:
        """Begin or end a cycle at one row."""
        for lag in lags.tolist():
            rows = max(TIMES * lag, 2 * EVERY)
            part = known[at + 1 - rows : at + 1] if at + 1 >= rows else known[:0]
            if len(part) and bool((part[lag:] == part[:-lag]).all()) and bool((part[1:] != part[:-1]).any()):
                if len(set(part[:lag].tolist())) < max(2, lag // 2 + 1):
                    continue
                if self._open is None:
                    self._open = Stall(float(steps[at + 1 - rows]), float(steps[at]), None, rows, lag, float(known[at]))
                    found.append(self._open)
                return
        if self._open is not None and self._open.period > 1:
            found.append(self._open._replace(end=float(steps[at])))
            self._open = None


def _alike(known: Floats, grid: NDArray[np.intp], lags: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Where the value at each grid row, and those 1 and 5 before, equal the values a lag earlier.

    ``grid`` rises by ``EVERY``, ``lags`` from 2 to ``LONGEST`` by 1.
    """
    padded = np.concatenate((np.full(LONGEST, math.nan), known))
    earlier = sliding_window_view(padded, len(lags))[grid[0] : grid[-1] + 1 : EVERY, ::-1]
    alike = earlier == known[grid][:, None]
    rows = np.flatnonzero(alike.any(axis=1))
    for back in (1, 5):
        here = grid[rows] - back
        there = here[:, None] - lags
        alike[rows] &= (known[np.maximum(there, 0)] == known[here][:, None]) & (there >= 0)
    return alike
