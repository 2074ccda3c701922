"""Kaplan's joint law bound to runs, with its derivatives.

With s = alpha_N / alpha_D, u = s (ln N_c - ln N), w = ln D_c - ln D, p = e^u / (e^u + e^w) and M = ln(e^u + e^w),

    ln Lhat = alpha_D M,   dM = p du + (1 - p) dw,   d2 M = p d2u + p (1 - p) (du - dw) (du - dw)'

(Kaplan et al. 2020, arXiv 2001.08361, eq. 1.5; the derivatives are ours). Where one side is hardly seen, its slope and
scale run away together; the slopes are steadied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaleplan.fitting.general import General, Steady
from scaleplan.fitting.start_grids import grid_rows, two_levels, whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

KAPLAN_NAMES = ("ln_N_c", "ln_D_c", "alpha_N", "alpha_D")
_SLOPES, _STARTS = 12, 3
"""Our choice: a grid of 12 slopes each from 0.02 to 1, whose best rows lie in one valley on every measured table."""


def kaplan_steadying(runs: Runs) -> tuple[Steady, ...]:
    """What is taken of the slopes; the standard deviation, as large as the published values, is our choice."""
    del runs
    why = "{} in Kaplan et al. 2020, table 2; about that far off, as if measured once"
    return (
        Steady("alpha_N", 0.076, 0.1, why.format("0.076")),
        Steady("alpha_D", 0.103, 0.1, why.format("0.103")),
    )


class KaplanFit(General):
    """L(N, D) = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D; parameters ``KAPLAN_NAMES``."""

    def __init__(self, runs: Runs) -> None:
        self._x, self._y, self._weight = np.log(runs.params), np.log(runs.tokens), runs.weight
        super().__init__(KAPLAN_NAMES, runs, kaplan_steadying(runs))

    def ln_loss(self, natural: Floats) -> Floats:
        """alpha_D M."""
        u, w, _ = self._sides(natural)
        return natural[:, 3, None] * np.logaddexp(u, w)

    def derivatives(self, natural: Floats) -> tuple[Floats, Floats]:
        """alpha_D dM, and M by alpha_D."""
        u, w, s = self._sides(natural)
        total = np.logaddexp(u, w)
        p, slope = np.exp(u - total), natural[:, 3, None]
        by_s = p * u / s
        parts = (slope * p * s, slope * (1 - p), by_s, total - s * by_s)
        return slope * total, np.stack(np.broadcast_arrays(*parts), axis=2)

    def curvature(self, natural: Floats, pull: Floats) -> Floats:
        """In (ln N_c, w, s, alpha_D) first; the chain rule by s = alpha_N / alpha_D after."""
        u, w, s = self._sides(natural)
        slope = natural[:, 3, None]
        total = np.logaddexp(u, w)
        p = np.exp(u - total)
        away, one = u / s, np.ones_like(u)
        first = np.stack([p * s * one, 1 - p, p * away], axis=2)
        gap = np.stack([s * one, -one, away], axis=2)
        inner = np.swapaxes(gap * (pull * slope * p * (1 - p))[:, :, None], 1, 2) @ gap
        cross = np.sum(pull * slope * p, axis=1)
        inner[:, 0, 2] += cross
        inner[:, 2, 0] += cross
        by_slope = (pull[:, None, :] @ first)[:, 0]
        by_s = slope[:, 0] * by_slope[:, 2]
        full = np.zeros((len(natural), 4, 4))
        full[:, :3, :3] = inner
        full[:, :3, 3] = full[:, 3, :3] = by_slope
        # Natural parameters move s by 1/alpha_D and -s/alpha_D, and s itself bends in both.
        turn = np.tile(np.eye(4), (len(natural), 1, 1))
        alpha_d, ratio = natural[:, 3], s[:, 0]
        turn[:, 2, 2], turn[:, 2, 3] = 1 / alpha_d, -ratio / alpha_d
        out = np.swapaxes(turn, 1, 2) @ full @ turn
        bend = by_s / alpha_d**2
        out[:, 2, 3] -= bend
        out[:, 3, 2] -= bend
        out[:, 3, 3] += 2 * ratio * bend
        return out

    def raw_starts(self, runs: Runs) -> Floats:
        """At each pair of slopes, L^(1/alpha_D) = N_c^s N^-s + D_c / D is linear in its levels."""
        runs = grid_rows(runs)
        x, y = np.log(runs.params), np.log(runs.tokens)
        grid = np.geomspace(0.02, 1.0, _SLOPES)
        alpha_n, alpha_d = (each.ravel() for each in np.meshgrid(grid, grid))
        s = alpha_n / alpha_d
        target = np.log(runs.loss)[None, :] / alpha_d[:, None]
        # Columns at the centre of the runs keep the powers within a float's range.
        centre = float(x.mean()), float(y.mean())
        middle = target.mean(axis=1, keepdims=True)
        one = np.exp(-s[:, None] * (x - centre[0])[None, :] - (target - middle))
        other = np.exp(-(y - centre[1])[None, :] - (target - middle))
        levels = np.log(two_levels(one, other, runs.weight)) + middle
        natural = np.stack([levels[:, 0] / s + centre[0], levels[:, 1] + centre[1], alpha_n, alpha_d], axis=1)
        u = s[:, None] * (natural[:, 0, None] - x)
        error = alpha_d[:, None] * np.logaddexp(u, natural[:, 1, None] - y) - np.log(runs.loss)
        squares = (error * error) @ runs.weight
        order = np.argsort(np.where(np.isfinite(squares), squares, np.inf))
        best = [order[0], *(i for i in order[1:] if alpha_d[i] != alpha_d[order[0]])]
        return natural[best[:_STARTS]]

    def scaling(self, natural: Floats) -> Floats:
        """Unit J' W J at the best start."""
        return whitening(self.derivatives(natural[None, :])[1][0], self._weight)

    def _sides(self, natural: Floats) -> tuple[Floats, Floats, Floats]:
        s = (natural[:, 2] / natural[:, 3])[:, None]
        return s * (natural[:, 0, None] - self._x), natural[:, 1, None] - self._y, s
