"""A power of compute with one smooth break, bound to runs, with its derivatives.

With X = ln C, f = f_1, t = (X - ln d_1) / f, softplus P(t) = ln(1 + e^t) and logistic S(t) = P'(t),

    Lhat = a + e^T,   T = ln b - c_0 X - c_1 f P(t)

(Caballero et al. 2022, arXiv 2210.14891; the derivatives are ours). Runs over few decades hardly show a break's place,
width and change of slope apart from a floor, so these are steadied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaleplan.fitting.general import General, Steady, steady_floor
from scaleplan.fitting.start_grids import grid_rows, two_levels, whitening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

BREAK_NAMES = ("ln_a", "ln_b", "c_0", "c_1", "ln_d_1", "ln_f_1")
_STARTS = 4
_SLOPES = (0.03, 0.06, 0.1, 0.16, 0.25, 0.4)
_TURNS = (-0.2, -0.06, 0.06, 0.2)
_WIDTHS = (0.3, 1.2)
_PLACES = (0.15, 0.35, 0.5, 0.65, 0.85)
"""Our choice, all five: slopes of published compute trends lie between 0.05 and 0.3; 240 nodes, the levels solved."""


def break_steadying(runs: Runs) -> tuple[Steady, ...]:
    """What is taken of a break before the runs are looked at; all our choice, with the reason beside each."""
    flop = np.log(runs.train_flop)
    low, high = float(flop.min()), float(flop.max())
    return (
        steady_floor("ln_a", runs),
        Steady("c_1", 0.0, 0.2, "no break, unless the runs show one; published slopes in compute are of this size"),
        Steady("ln_d_1", (low + high) / 2, max((high - low) / 4, 0.1), "a break can be seen only well inside the runs"),
        Steady("ln_f_1", 0.0, 1.0, "a break over a factor of e in compute to either side, within a factor of e"),
    )


class BreakFit(General):
    """L(C) = a + b C^-c_0 (1 + (C/d_1)^(1/f_1))^(-c_1 f_1); parameters ``BREAK_NAMES``."""

    def __init__(self, runs: Runs) -> None:
        self._x, self._weight = np.log(runs.train_flop), runs.weight
        super().__init__(BREAK_NAMES, runs, break_steadying(runs))

    def ln_loss(self, natural: Floats) -> Floats:
        """ln(a + e^T)."""
        power, *_ = self._power(natural)
        return np.logaddexp(natural[:, 0, None], power)

    def derivatives(self, natural: Floats) -> tuple[Floats, Floats]:
        """The shares of a and of e^T times dT."""
        power, soft, logistic, t, f = self._power(natural)
        total = np.logaddexp(natural[:, 0, None], power)
        share = np.exp(power - total)
        turn = natural[:, 3, None]
        parts = (
            np.exp(natural[:, 0, None] - total),
            share,
            -share * self._x,
            -share * f * soft,
            share * turn * logistic,
            -share * turn * f * _lean(t),
        )
        return total, np.stack(parts, axis=2)

    def curvature(self, natural: Floats, pull: Floats) -> Floats:
        """p (1 - p) of the two exponents' difference, and the bends of T."""
        power, soft, logistic, t, f = self._power(natural)
        share = np.exp(power - np.logaddexp(natural[:, 0, None], power))
        turn, one = natural[:, 3, None], np.ones_like(share)
        lean = _lean(t)
        away = np.stack([-one, one, -self._x * one, -f * soft, turn * logistic, -turn * f * lean], axis=2)
        out = np.swapaxes(away * (pull * share * (1 - share))[:, :, None], 1, 2) @ away
        weight, steep = pull * share, logistic * (1 - logistic)
        bends = {
            (3, 4): logistic,
            (3, 5): -f * lean,
            (4, 4): -turn * steep / f,
            (4, 5): -turn * steep * t,
            (5, 5): -turn * f * (lean + steep * t * t),
        }
        for (i, j), bend in bends.items():
            amount = np.sum(weight * bend, axis=1)
            out[:, i, j] += amount
            if i != j:
                out[:, j, i] += amount
        return out

    def raw_starts(self, runs: Runs) -> Floats:
        """Over a grid of slopes, turns, places and widths, a and b by least squares of Lhat / L - 1."""
        runs = grid_rows(runs)
        x = np.log(runs.train_flop)
        places = np.quantile(x, _PLACES)
        c_0, c_1, ln_d, f = (
            each.ravel()[:, None] for each in np.meshgrid(_SLOPES, _TURNS, places, _WIDTHS, indexing="ij")
        )
        middle = float(x.mean())
        shape = -c_0 * (x - middle) - c_1 * f * np.logaddexp(0.0, (x - ln_d) / f)
        inverse = 1 / runs.loss[None, :]
        column = np.exp(shape) * inverse
        levels = two_levels(np.broadcast_to(inverse, column.shape), column, runs.weight, least=0.02)
        error = levels[:, :1] * inverse + levels[:, 1:] * column - 1
        squares = (error * error) @ runs.weight
        natural = np.concatenate(
            [np.log(levels[:, :1]), np.log(levels[:, 1:]) + c_0 * middle, c_0, c_1, ln_d, np.log(f)], axis=1
        )
        chosen: list[int] = []
        for i in np.argsort(squares).tolist():
            if all((c_1[i] > 0) != (c_1[j] > 0) or ln_d[i] != ln_d[j] for j in chosen):
                chosen.append(i)
            if len(chosen) == _STARTS:
                break
        return natural[chosen]

    def scaling(self, natural: Floats) -> Floats:
        """Unit J' W J at the best start."""
        return whitening(self.derivatives(natural[None, :])[1][0], self._weight)

    def _power(self, natural: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """T, P(t), S(t), t and f."""
        _, ln_b, c_0, c_1, ln_d, ln_f = (column[:, None] for column in natural.T)
        f = np.exp(ln_f)
        t = (self._x - ln_d) / f
        soft = np.logaddexp(0.0, t)
        return ln_b - c_0 * self._x - c_1 * f * soft, soft, np.exp(t - soft), t, f


def _lean(t: Floats) -> Floats:
    """P(t) - t S(t), which is the same for t and -t; in this way exact far from the break."""
    far = -np.abs(t)
    fading = np.exp(far)
    return np.log1p(fading) - far * fading / (1 + fading)
