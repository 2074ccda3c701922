"""What a value is judged by: the level of the values before it, and the scatter of past values about their own levels.

The level is a median of the values before; the scatter is of the errors r = value - level of up to 255 values before:
1.4826 of their median deviation (the standard deviation of a normal), or (95 % point - median) / 1.645 where that is
more, so that noise with a long upper tail widens its own limits. The dependence of neighbours comes from how often two
errors stand on one side of their median: rho = sin(pi (p - 1/2)), which no outlier moves; sums then vary by
(1 + rho)/(1 - rho) more. All are renewed on a grid of row numbers, so the cut of a log into parts makes no difference.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from scaleplan.forecasting.medians import of_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SCATTER = 255
"""Values that the scatter is of: the window of the median rule measured on 48 real curves."""
LONG, SHORT = (63, 16), (15, 4)
"""Values under the level, and rows between its renewals: SHORT in the first ``YOUNG`` rows, where curves are steep
and the scatter of the last 63 errors is given beside that of all (``recent``)."""
YOUNG = 512
SCATTER_EVERY = 64
LEAST = 12
"""Errors needed before a scatter is given."""
KEPT = 400


class Reference(NamedTuple):
    """Level, scatter and inflation by dependence at each row; the scatter is NaN where it is not known yet."""

    level: Floats
    center: Floats
    scatter: Floats
    inflation: Floats
    recent: Floats


class Rolling:
    """The values and errors kept; ``count`` of all that were taken."""

    def __init__(self) -> None:
        self.count = 0
        self.values: Floats = np.empty(0)
        self.errors: Floats = np.empty(0)
        self._cells: dict[str, tuple[int, Floats]] = {}

    def reference(self, fresh: Floats) -> Reference:
        """What each of the fresh values is judged by if those before it are sound; shape of ``fresh``."""
        level = self._level(fresh)
        errors = np.concatenate((self.errors, fresh - level))
        return Reference(level, *self._scatter(errors, len(fresh)))

    def take(self, fresh: Floats, level: Floats) -> None:
        """Add sound values with the levels they were judged by."""
        self.count += len(fresh)
        self.values = np.concatenate((self.values, fresh))[-KEPT:]
        self.errors = np.concatenate((self.errors, fresh - level))[-KEPT:]

    def drop(self, rows: int) -> None:
        """Forget the last so many values."""
        rows = min(rows, len(self.values))
        if rows:
            self.count -= rows
            self.values, self.errors, self._cells = self.values[:-rows], self.errors[:-rows], {}
            self._recount()

    def _recount(self) -> None:
        """Begin the count anew where fewer values are left than the long windows need."""
        if len(self.values) < SCATTER + SCATTER_EVERY:
            self.count = len(self.values)

    def adopt(self, values: Floats) -> None:
        """Go on from another level: the values before are moved to it, the errors stay."""
        values = values[-LONG[0] :]
        level = np.median(values)
        self.values = np.concatenate((np.full(len(self.values), level), values))[-KEPT:]
        self.errors = np.concatenate((self.errors, values - level))[-KEPT:]
        self.count += len(values)
        self._cells = {}

    def _level(self, fresh: Floats) -> Floats:
        first, last = self.count, self.count + len(fresh)
        known = np.concatenate((self.values, fresh))
        offset = self.count - len(self.values)
        level = np.full(len(fresh), math.nan)
        young = min(max(first, YOUNG), last)
        width, every = SHORT
        for cell in range(first - first % every, young, every):
            if cell - offset >= 4:
                window = known[max(0, cell - width - offset) : cell - offset]
                level[max(cell - first, 0) : min(cell + every, young) - first] = np.median(window)
        if young < last:
            width, every = LONG
            cell = young - young % every

            def middles() -> Floats:
                windows = sliding_window_view(known, width)[cell - width - offset : last - width - offset : every]
                return of_rows(windows)

            level[young - first :] = np.repeat(self._cell("level", cell, last, every, middles), every)[
                young - cell : last - cell
            ]
        return level

    def _scatter(self, errors: Floats, fresh: int) -> tuple[Floats, Floats, Floats, Floats]:
        first, last = self.count, self.count + fresh
        offset = last - len(errors)
        every = SCATTER_EVERY
        found = np.full((4, fresh), math.nan)
        old = min(max(first, YOUNG), last)
        for cell in range(first - first % 8, old, 8):
            window = errors[max(0, cell - SCATTER - offset) : cell - offset]
            window = window[np.isfinite(window)]
            if len(window) >= LEAST:
                part = slice(max(cell - first, 0), min(cell + 8, old) - first)
                found[:3, part] = scatter(window[None, :])
                found[3, part] = scatter(window[None, -LONG[0] :])[1]
        if old < last:
            cell = old - old % every

            def scatters() -> Floats:
                start, stop = cell - SCATTER - offset, last - SCATTER - offset
                return scatter(sliding_window_view(errors, SCATTER)[start:stop:every])

            found[:3, old - first :] = np.repeat(self._cell("scatter", cell, last, every, scatters), every, axis=-1)[
                :, old - cell : last - cell
            ]
            found[3, old - first :] = found[1, old - first :]
        return found[0], found[1], found[2], found[3]

    def _cell(self, name: str, cell: int, last: int, every: int, make: Callable[[], Floats]) -> Floats:
        """What is made for the cells from ``cell`` to ``last``; one cell alone is remembered for the next row of it."""
        known = self._cells.get(name)
        if last - cell <= every and known is not None and known[0] == cell:
            return known[1]
        made = make()
        self._cells[name] = (last - 1 - (last - 1) % every, made[..., -1:])
        return made


def scatter(windows: Floats) -> Floats:
    """Median, scatter and inflation of each row of errors, shape (3, rows)."""
    size = windows.shape[1]
    middle, high = size // 2, min(size - 1, round(0.95 * size))
    ranked = np.sort(windows, axis=1)
    center = ranked[:, middle]
    apart = windows - center[:, None]
    width = 1.4826 * np.sort(np.abs(apart), axis=1)[:, middle]
    width = np.maximum(width, (ranked[:, high] - center) / 1.645)
    above = apart > 0
    same = np.count_nonzero(above[:, 1:] == above[:, :-1], axis=1) / (size - 1)
    rho = np.clip(np.sin(math.pi * (same - 0.5)), 0.0, 0.97)
    rho = np.where(rho > 2.5 / math.sqrt(size), rho, 0.0)
    return np.stack((center, width, np.sqrt((1 + rho) / (1 - rho))))
