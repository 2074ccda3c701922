"""The minimum of one budget's losses over ln N, by a parabola, and how far a parabola's minimum is off a law's.

Least squares of relative errors, L = c_0 + c_1 x + c_2 x^2 with weights c / L^2; the vertex is -c_1 / (2 c_2).

Ours, and why:

- Only rows within a factor of 10 of the vertex count, or the five nearest sizes where those are fewer: farther out
  losses rise as powers do and not as a parabola, and on runs of D < 2 N much faster than that.
- A row whose residual, after its leverage, is beyond 5 standard deviations is left out where four sizes remain, the
  worst of each budget first. The deviation is the greater one of the budget's other rows and of all budgets' (robust):
  a budget alone has too few rows to tell, and where the law bends more than a parabola no single row is to blame.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan.fitting.budgets import distinct_sizes
from scaleplan.fitting.objective import LEAST_DELTA, robust_sd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_WINDOW = math.log(10)
_WINDOW_SIZES = 5
_ROUNDS = 20
OUTLIER = 5.0
LEAST_SIZES = 4
"""Sizes of a budget that leave a residual to judge the parabola by."""
_JUDGED = 0.1
"""Our choice: a row that shows less than this share of its error in its residual cannot be judged by it."""
_DOF_TO_JUDGE = 8
"""Our choice: with fewer residuals to spare the robust deviation is too uncertain to leave rows out by."""


class Sample(NamedTuple):
    """The rows of a budget: ln N, loss [nats/token] and weight of each, (n,)."""

    x: Floats
    loss: Floats
    weight: Floats


class Parabola(NamedTuple):
    """A parabola through the rows of a budget that are ``kept`` (n,); arrays but that have the shape (kept rows,).

    ``coefficients`` (3,) and ``inverse`` (3, 3), the covariance of them for residuals of unit variance, are around
    ``centre`` [ln N]. ``residuals`` are relative, times the root of the row's weight; ``leverage`` is how much of its
    own value a row fits.
    """

    kept: Flags
    x: Floats
    loss: Floats
    weight: Floats
    centre: float
    coefficients: Floats
    inverse: Floats
    residuals: Floats
    leverage: Floats

    @property
    def vertex(self) -> float:
        """ln N of the extremum."""
        _, c_1, c_2 = self.coefficients.tolist()
        return self.centre - c_1 / (2 * c_2) if c_2 else math.inf

    @property
    def inside(self) -> bool:
        """Whether the extremum is a minimum among the sizes fitted to, of a loss above zero."""
        return self.coefficients[2] > 0 and self.holds(self.vertex) and self.least > 0

    def holds(self, ln_params: float) -> bool:
        """Whether this size is among those fitted to."""
        return bool(self.x.min() < ln_params < self.x.max())

    @property
    def least(self) -> float:
        """The loss at the vertex."""
        c_0, c_1, c_2 = self.coefficients.tolist()
        return c_0 - c_1 * c_1 / (4 * c_2)

    def standard_errors(self, sd: float) -> tuple[float, float]:
        """Of vertex and least loss, by the delta method, for residuals of this standard deviation."""
        _, c_1, c_2 = self.coefficients.tolist()
        turn = -c_1 / (2 * c_2)
        to_vertex = np.array([0.0, -0.5 / c_2, -turn / c_2])
        to_least = np.array([1.0, turn, turn * turn])
        return (
            sd * math.sqrt(to_vertex @ self.inverse @ to_vertex),
            sd * math.sqrt(to_least @ self.inverse @ to_least),
        )


def fit_parabola(x: Floats, loss: Floats, weight: Floats, among: Flags) -> Parabola:
    """The parabola through the rows ``among`` that are near its vertex.

    The window starts around the vertex of all of them, or around the least loss where that is no minimum.
    """
    found = _through(x, loss, weight, among)
    at = found.vertex if found.inside else float(x[among][np.argmin(loss[among])])
    for _ in range(_ROUNDS):
        away = np.abs(x - at)
        sizes = np.sort(np.abs(distinct_sizes(x[among]) - at))
        near = among & (away <= max(_WINDOW, sizes[min(_WINDOW_SIZES, len(sizes)) - 1]))
        if bool(np.array_equal(near, found.kept)):
            break
        found = _through(x, loss, weight, near)
        if not found.inside:
            break
        at = found.vertex
    return found


def fit_parabolas(samples: Sequence[Sample]) -> tuple[list[Parabola], float, list[Flags]]:
    """One parabola a budget, the standard deviation of relative residuals pooled, and of each budget the rows left out.

    The deviation is infinite where no budget has more rows than a parabola has parameters.
    """
    among = [np.ones(len(each.x), dtype=bool) for each in samples]
    while True:
        found = [fit_parabola(*each, use) for each, use in zip(samples, among, strict=True)]
        dof = sum(len(each.x) - 3 for each in found)
        if dof < _DOF_TO_JUDGE:
            break
        pooled = robust_sd(np.concatenate([_judged(each)[1 - each.leverage > _JUDGED] for each in found]))
        worst = [_outlier(each, pooled) for each in found]
        if all(row is None for row in worst):
            break
        for each, use, row in zip(found, among, worst, strict=True):
            if row is not None:
                use[np.flatnonzero(each.kept)[row]] = False
    total = sum(float(each.residuals @ each.residuals) for each in found)
    return found, math.sqrt(total / dof) if dof else math.inf, [~use for use in among]


def _judged(found: Parabola) -> Floats:
    """Absolute residuals over the root of what leverage leaves of their variance; 0 of rows that it hides."""
    left = 1 - found.leverage
    return np.where(left > _JUDGED, np.abs(found.residuals) / np.sqrt(np.maximum(left, _JUDGED)), 0.0)


def _outlier(found: Parabola, pooled: float) -> int | None:
    """The row to leave out, if there is one."""
    sizes = _judged(found)
    worst = int(np.argmax(sizes))
    spare = len(found.x) - 4
    if spare < 1 or len(distinct_sizes(np.delete(found.x, worst))) < LEAST_SIZES:
        return None
    others = max(float(found.residuals @ found.residuals) - float(sizes[worst]) ** 2, 0.0) / spare
    return worst if sizes[worst] > OUTLIER * max(pooled, math.sqrt(others), LEAST_DELTA) else None


def bias(found: Parabola, alpha: float, beta: float) -> float:
    """ln N of the vertex less ln N* of the additive law with these exponents whose parabola has this vertex.

    Around its minimum at constant C = 6 N D such a law is, but for level and scale, f(x) = exp(-alpha x) / alpha +
    exp(beta x) / beta with x = ln N / N*. To third order, on a grid that N* is in the middle of, the parabola through
    f has its vertex at (alpha - beta) / 6 m_4 / m_2, m_k the mean of x^k (arXiv 2603.22339 treats the same bias);
    here it is fitted to f on the rows' own x, with their weights, and N* is bisected until the vertices agree.
    """
    design = np.stack([np.ones_like(found.x), found.x - found.centre, (found.x - found.centre) ** 2], axis=1)
    project = found.inverse @ (design.T * (found.weight / found.loss**2))

    def short(at: float) -> float:
        x = found.x - at
        _, c_1, c_2 = (project @ (np.expm1(-alpha * x) / alpha + np.expm1(beta * x) / beta)).tolist()
        return found.centre - c_1 / (2 * c_2) - found.vertex

    # The vertex moves with N*; should it not be reached from inside the grid, the end that comes nearest is returned.
    low, high = float(found.x.min()), float(found.x.max())
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if short(middle) < 0 else (low, middle)
    return found.vertex - (low + high) / 2


def _through(x: Floats, loss: Floats, weight: Floats, kept: Flags) -> Parabola:
    x, loss, weight = x[kept], loss[kept], weight[kept]
    centre = float(x.mean())
    root = np.sqrt(weight) / loss
    design = np.stack([np.ones_like(x), x - centre, (x - centre) ** 2], axis=1) * root[:, None]
    basis, triangle = np.linalg.qr(design)
    to_coefficients = np.linalg.inv(triangle)
    coefficients = to_coefficients @ (basis.T @ (root * loss))
    return Parabola(
        kept=kept,
        x=x,
        loss=loss,
        weight=weight,
        centre=centre,
        coefficients=coefficients,
        inverse=to_coefficients @ to_coefficients.T,
        residuals=root * loss - design @ coefficients,
        leverage=np.sum(basis * basis, axis=1),
    )
