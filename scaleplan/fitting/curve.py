"""One loss curve: smoothed, and read between its checkpoints.

Smoothing fits a parabola in x around every row, weighted by a Gaussian over rows (Cleveland 1979): a plain Gaussian
mean is off where the curve bends and at its ends. The Gaussian has a standard deviation of 10 rows, as in Hoffmann et
al. 2022 (arXiv 2203.15556), sec. 3.1, or of a fiftieth of the rows where those are fewer: our choice, since 10 of 60
rows would flatten what the curve is measured for. Between checkpoints runs the cubic that rises and falls with the
data (Fritsch & Butland 1984), which does not overshoot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SD_ROWS, _SD_SHARE = 10, 1 / 50
_REACH = 4
"""Standard deviations beyond which the Gaussian counts as zero."""
_BLOCK = 4096
"""Rows smoothed at a time: a window of each is in memory."""


def smoothed(x: Floats, y: Floats) -> Floats:
    """Local parabolas through the rows (x, y), (n,), rising in x; n of three or more."""
    sd = min(_SD_ROWS, len(x) * _SD_SHARE)
    half = max(round(_REACH * sd), 2)
    away = np.arange(-half, half + 1)
    kernel = np.exp(-0.5 * (away / sd) ** 2)
    out = np.empty(len(x))
    for first in range(0, len(x), _BLOCK):
        middle = np.arange(first, min(first + _BLOCK, len(x)))
        at = middle[:, None] + away
        inside = (at >= 0) & (at < len(x))
        at = np.clip(at, 0, len(x) - 1)
        near = x[at] - x[middle, None]
        near /= np.abs(near).max(axis=1, keepdims=True)
        root = np.sqrt(inside * kernel)
        powers = np.stack([root, root * near, root * near * near], axis=2)
        products = powers.transpose(0, 2, 1)
        solved = np.linalg.solve(products @ powers, products @ (root * y[at])[:, :, None])
        out[middle] = solved[:, 0, 0]
    return out


def interpolated(x: Floats, y: Floats, at: Floats) -> Floats:
    """The monotone cubic through (x, y) at ``at``, infinite outside ``x``; of two points the line.

    The slope at a knot is the weighted harmonic mean of the slopes on both sides, 0 where they differ in sign; at the
    ends it is that of the parabola through three points, held to the sign of the data and to three times its slope.
    """
    step = np.diff(x)
    secant = np.diff(y) / step
    slope = np.full(len(x), secant[0])
    if len(x) > 2:
        left, right = 2 * step[1:] + step[:-1], step[1:] + 2 * step[:-1]
        same = secant[:-1] * secant[1:] > 0
        safe = np.where(same, secant[:-1], 1.0), np.where(same, secant[1:], 1.0)
        slope[1:-1] = np.where(same, (left + right) / (left / safe[0] + right / safe[1]), 0.0)
        slope[0] = _end_slope(step[0], step[1], secant[0], secant[1])
        slope[-1] = _end_slope(step[-1], step[-2], secant[-1], secant[-2])
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(step) - 1)
    t = (at - x[i]) / step[i]
    rise = y[i + 1] - y[i]
    begin, end = slope[i] * step[i], slope[i + 1] * step[i]
    value = y[i] + t * (begin + t * (3 * rise - 2 * begin - end + t * (begin + end - 2 * rise)))
    return np.where((at >= x[0]) & (at <= x[-1]), value, np.inf)


def _end_slope(step: float, beyond: float, secant: float, next_secant: float) -> float:
    slope = ((2 * step + beyond) * secant - step * next_secant) / (step + beyond)
    if slope * secant <= 0:
        return 0.0
    if secant * next_secant <= 0 and abs(slope) > 3 * abs(secant):
        return 3 * secant
    return slope
