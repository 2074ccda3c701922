"""Four forms of a learning curve, and their fits: what a loss does as examples, tokens or steps x go by.

    M1: L = b x^-c
    M2: L = L_inf + b x^-c
    M3: L = b (1/x + g)^c
    M4: (L - L_inf) / (L_0 - L)^a = b x^-c

Source: Alabdulmohsin, Neyshabur & Zhai 2022 (arXiv 2209.06640). M4 knows where a curve begins, L_0, and
how it leaves it, which matters where the first points lie well above the power law of the last.

Every fit minimises a weighted sum of squared residuals, of ln L for M1, M3 and M4, relative ones, (fit - L) / L, for
M2. M1 to M3 are linear but for one number, which is searched on a grid that is then refined around its best point; M4
goes by Newton's method from several starts. A fit has no random part.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from scaleplan.errors import UsageError
from scaleplan.fitting.model import Local
from scaleplan.fitting.newton import minimise

Floats = NDArray[np.float64]

_EXPONENTS = (0.02, 5.0)
"""Our choice: exponents c that M2 may have; below, it cannot be told from a straight line in ln x."""
_BENDS = (1e-3, 1e3)
"""Our choice: g of M3 against 1/x at the ends of the curve: outside of it the curve is a power law or a constant."""
_GRID, _FINER, _ZOOMS = 40, 9, 3
"""Our choice: after the grid, three finer ones over two cells of the one before leave 1/128 of a cell."""
_FLOORS = (0.02, 0.3, 0.6, 0.8, 0.9, 0.97)
_TOPS = (1.005, 1.05, 1.3, 2.0)
_BENDINGS = (1.0, 0.3)
"""Our choice: where M4 starts: L_inf as a share of the least loss, L_0 of the greatest, and a; for each a the best of
the first two."""
_LEAST_C = 1e-3
"""Our choice: c that M4 starts from at least, since it is searched by its logarithm."""
_FAR = 6.0
"""Our choice: how far M4's parameters, logarithms all, may go from their start: the factor e^6 is 400."""
_PULL = 1e-7
"""Our choice: squared distance from the start that counts as a squared error of ln L: it holds what the curve does not
tell, and moves nothing that it does."""
_TOLERANCE, _STEPS = 1e-4, 30
"""Our choice: when a search ends. An M4 that has not settled by then is used as it stands: along a flat valley all
forecast alike."""
_ROOT_STEPS = 5
"""Our choice: Newton's steps to the root of M4, which double the digits once near."""


class Law(Protocol):
    """A fitted form."""

    def predict(self, x: Floats) -> Floats:
        """The loss at ``x`` > 0, of any shape."""
        ...


class M1(NamedTuple):
    """b x^-c, by ``log_b`` = ln b and ``c`` >= 0."""

    log_b: float
    c: float

    def predict(self, x: Floats) -> Floats:
        """The loss at ``x`` > 0."""
        return np.exp(self.log_b - self.c * np.log(x))


class M2(NamedTuple):
    """L_inf + b x^-c, by ``floor`` = L_inf >= 0, ``log_b`` = ln b (minus infinity: a constant) and ``c`` > 0."""

    floor: float
    log_b: float
    c: float

    def predict(self, x: Floats) -> Floats:
        """The loss at ``x`` > 0."""
        return self.floor + np.exp(self.log_b - self.c * np.log(x))


class M3(NamedTuple):
    """b (1/x + g)^c, by ``log_b`` = ln b, ``g`` > 0 [1/x] and ``c`` >= 0."""

    log_b: float
    g: float
    c: float

    def predict(self, x: Floats) -> Floats:
        """The loss at ``x`` > 0."""
        return np.exp(self.log_b + self.c * np.log(1 / x + self.g))


class M4(NamedTuple):
    """(L - L_inf) / (L_0 - L)^a = b x^-c, by ``floor`` = L_inf, ``top`` = L_0, ``a`` > 0, ``log_b`` and ``c`` > 0."""

    floor: float
    top: float
    a: float
    log_b: float
    c: float

    def predict(self, x: Floats) -> Floats:
        """The loss at ``x`` > 0."""
        span = self.top - self.floor
        right = self.log_b - self.c * np.log(x) - (1 - self.a) * math.log(span)
        return self.floor + span * _share(_logit(right, np.asarray(self.a)))


def fit_m1(x: Floats, y: Floats, w: Floats | None = None) -> M1:
    """Fit M1 to losses ``y`` > 0 at ``x`` > 0, both (n,), n of one or more, with weights ``w`` >= 0, (n,), or none.

    Raises:
        UsageError: columns of different lengths or none, or a number outside of these ranges.
    """
    x, y, w = checked(x, y, w)
    log_x, log_y = np.log(x), np.log(y)
    level, slope, _ = _lines(-log_x[None], log_y, w)
    return M1(float(level[0]), float(slope[0]))


def fit_m2(x: Floats, y: Floats, w: Floats | None = None) -> M2:
    """Fit M2; arguments and errors as :func:`fit_m1`."""
    x, y, w = checked(x, y, w)
    away = np.log(x / x[-1])

    def at(log_c: Floats) -> tuple[Floats, Floats, Floats]:
        return _floors(np.exp(-np.exp(log_c)[:, None] * away), y, w)

    log_c = _zoom(lambda grid: at(grid)[2], math.log(_EXPONENTS[0]), math.log(_EXPONENTS[1]))
    floor, scale, _ = (float(each[0]) for each in at(np.array([log_c])))
    c = math.exp(log_c)
    return M2(floor, math.log(scale) + c * math.log(x[-1]) if scale > 0 else -math.inf, c)


def fit_m3(x: Floats, y: Floats, w: Floats | None = None) -> M3:
    """Fit M3; arguments and errors as :func:`fit_m1`."""
    x, y, w = checked(x, y, w)
    log_y, inverse = np.log(y), 1 / x

    def at(log_g: Floats) -> tuple[Floats, Floats, Floats]:
        return _lines(np.log(inverse + np.exp(log_g)[:, None]), log_y, w)

    low, high = math.log(_BENDS[0] * inverse.min()), math.log(_BENDS[1] * inverse.max())
    log_g = _zoom(lambda grid: at(grid)[2], low, high)
    level, slope, _ = (float(each[0]) for each in at(np.array([log_g])))
    return M3(level, math.exp(log_g), slope)


def fit_m4(x: Floats, y: Floats, w: Floats | None = None) -> M4:
    """Fit M4; arguments and errors as :func:`fit_m1`."""
    x, y, w = checked(x, y, w)
    return fit_m4_windows(x, y, w[None])[0]


def fit_m4_windows(x: Floats, y: Floats, w: Floats) -> list[M4]:
    """Fit M4 once for every row of ``w`` (B, n), all at once; ``x`` and ``y`` (n,) as :func:`checked` leaves them."""
    log_x, log_y = np.log(x / x[-1]), np.log(y)
    starts = np.concatenate([_m4_starts(log_x, y, row) for row in w])
    each = len(starts) // len(w)
    weights = np.repeat(w, each, axis=0)
    found = minimise(
        lambda theta, i: _m4_local(theta, starts[i], log_x, log_y, weights[i]),
        starts,
        tolerance=_TOLERANCE,
        most_steps=_STEPS,
    )
    laws: list[M4] = []
    for i in range(len(w)):
        best = i * each + int(np.argmin(found.value[i * each : (i + 1) * each]))
        p, q, log_a, log_b, log_c = found.theta[best].tolist()
        c = math.exp(log_c)
        laws.append(M4(math.exp(p), math.exp(p) + math.exp(q), math.exp(log_a), log_b + c * math.log(x[-1]), c))
    return laws


def checked(x: Floats, y: Floats, w: Floats | None) -> tuple[Floats, Floats, Floats]:
    """A curve and its weights (one each where ``w`` is None) as arrays of doubles.

    Raises:
        UsageError: as :func:`fit_m1`.
    """
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    w = np.ones_like(y) if w is None else np.asarray(w, dtype=np.float64)
    if not (x.ndim == 1 and x.shape == y.shape == w.shape and len(x)):
        raise UsageError(f"a curve needs columns of one length, of a row or more (got {x.shape}, {y.shape}, {w.shape})")
    for name, column, least in (("x", x, "> 0"), ("loss", y, "> 0"), ("weight", w, ">= 0")):
        sound = np.isfinite(column) & (column > 0 if least == "> 0" else column >= 0)
        if not sound.all():
            row = int(np.argmin(sound))
            raise UsageError(f"a power law needs {name} {least} (got {column[row]:g} in row {row + 1})")
    if not w.any():
        raise UsageError("a fit needs a weight above 0 (all are 0)")
    return x, y, w


def _lines(u: Floats, y: Floats, w: Floats) -> tuple[Floats, Floats, Floats]:
    """Level, slope >= 0 and sum of squares of the lines y = level + slope u, for every row of u (G, n)."""
    total = w.sum()
    middle, mean = u @ w / total, float(y @ w / total)
    u, y = u - middle[:, None], y - mean
    square, product = (u * u) @ w, u @ (w * y)
    flat = (product <= 0) | (square <= 0)
    slope = np.where(flat, 0.0, product / np.where(flat, 1.0, square))
    return mean - slope * middle, slope, w @ (y * y) - slope * product


def _floors(u: Floats, y: Floats, w: Floats) -> tuple[Floats, Floats, Floats]:
    """Floor >= 0, scale >= 0 and relative sum of squares of y = floor + scale u, for every row of u (G, n)."""
    v = w / (y * y)
    floor, scale, rest = _lines(u, y, v)
    through = u @ (v * y) / ((u * u) @ v)
    below = floor < 0
    rest = np.where(below, v @ (y * y) - through * (u @ (v * y)), rest)
    return np.where(below, 0.0, floor), np.where(below, through, scale), rest


def _zoom(objective: Callable[[Floats], Floats], low: float, high: float) -> float:
    """The place of the least value on a grid, refined."""
    grid: Floats = np.linspace(low, high, _GRID)
    for _ in range(_ZOOMS):
        best = int(np.argmin(objective(grid)))
        left, right = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, len(grid) - 1)])
        grid = np.linspace(left, right, _FINER)
    return float(grid[int(np.argmin(objective(grid)))])


def _m4_starts(log_x: Floats, y: Floats, w: Floats) -> Floats:
    """(2, 5) ln L_inf, ln(L_0 - L_inf), ln a, ln b and ln c: the best places on grids of floor and top, by lines."""
    y, log_x, w = y[w > 0], log_x[w > 0], w[w > 0]
    floor = np.repeat(float(y.min()) * np.array(_FLOORS), len(_TOPS))[:, None]
    top = np.tile(float(y.max()) * np.array(_TOPS), len(_FLOORS))[:, None]
    under, over = np.log(y - floor), np.log(top - y)
    starts = np.empty((len(_BENDINGS), 5))
    for i, a in enumerate(_BENDINGS):
        # A residual of the left side over its slope is one of ln L.
        v = w / (y / (y - floor) + a * y / (top - y)) ** 2
        left, total = under - a * over, v.sum(axis=1, keepdims=True)
        middle, mean = (v @ log_x)[:, None] / total, (v * left).sum(axis=1, keepdims=True) / total
        away, left = log_x - middle, left - mean
        square = (v * away * away).sum(axis=1)
        c = np.maximum(-(v * away * left).sum(axis=1) / np.where(square > 0, square, 1.0), _LEAST_C)
        rest = (v * (left + c[:, None] * away) ** 2).sum(axis=1)
        j = int(np.argmin(rest))
        span = float(top[j, 0] - floor[j, 0])
        level = float(mean[j, 0] + c[j] * middle[j, 0])
        starts[i] = math.log(floor[j, 0]), math.log(span), math.log(a), level, math.log(c[j])
    return starts


def _m4_local(theta: Floats, start: Floats, log_x: Floats, log_y: Floats, w: Floats) -> Local:
    """The objective around B points theta (B, 5), by Gauss and Newton."""
    off = np.clip(theta - start, -_FAR, _FAR)
    out = (np.abs(theta - start) > _FAR).any(axis=1)
    theta = start + off
    floor, span, a, c = (np.exp(theta[:, i])[:, None] for i in (0, 1, 2, 4))
    right = theta[:, 3:4] - c * log_x - (1 - a) * theta[:, 1:2]
    z = _logit(right, a)
    share = _share(z)
    loss = floor + span * share
    away = np.log(loss) - log_y
    # z follows from ln s - a ln(1 - s) = right, whose slope in z is 1 - s + a s.
    steep = span * share * (1 - share) / ((1 - share + a * share) * loss)
    jac = np.empty((*loss.shape, 5))
    jac[:, :, 0] = floor / loss
    jac[:, :, 1] = span * share / loss - steep * (1 - a)
    jac[:, :, 2] = steep * a * (theta[:, 1:2] - _softplus(z))
    jac[:, :, 3] = steep
    jac[:, :, 4] = -steep * c * log_x
    weighted = (w[:, :, None] * jac).transpose(0, 2, 1)
    value = (w * away * away).sum(axis=1)
    gradient = 2 * (weighted @ away[:, :, None])[:, :, 0]
    hessian = 2 * (weighted @ jac)
    pull = _PULL * w.sum(axis=1)
    value += pull * (off * off).sum(axis=1)
    gradient += 2 * pull[:, None] * off
    hessian += 2 * pull[:, None, None] * np.eye(5)
    return Local(np.where(out, np.inf, value), gradient, hessian)


def _softplus(z: Floats) -> Floats:
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def _share(z: Floats) -> Floats:
    """1 / (1 + e^-z), exact on both sides."""
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1, small) / (1 + small)


def _logit(right: Floats, a: Floats) -> Floats:
    """z with ln s - a ln(1 - s) = ``right`` for s = 1 / (1 + e^-z).

    The left side is -softplus(-z) + a softplus(z): it rises, with a slope from 1 to a and no turn in it, so Newton's
    steps come to the root from any start.
    """
    z = np.where(right < 0, right, right / a)
    for _ in range(_ROOT_STEPS):
        share = _share(z)
        plus = _softplus(z)
        z = z - ((z - plus) + a * plus - right) / (1 - share + a * share)
    return z
