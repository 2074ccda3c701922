"""Forms that are sums of powers: L = exp(e) + sum_k exp(a_k - s_k x_k), with x_k = ln N, ln D or ln C.

With p_k the share of power k in Lhat, p_E = 1 - sum p_k that of the constant, and v_k = (1, -x_k) the derivative of
the exponent by (a_k, s_k),

    d ln Lhat = p_k v_k,    d2 ln Lhat = (delta_kl p_k - p_k p_l) v_k v_l'

so that gradient and Hessian of the objective are sums over runs of products of shares with 1, x and x x': one matrix
product for all B points. Slopes may be shared between powers: the tied form. Covariates are centred, which takes most
of the correlation between a power's level and its slope away.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan.fitting.model import Local
from scaleplan.fitting.objective import unbounded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.objective import Penalty

    Floats = NDArray[np.float64]

_LEAST_SLOPE, _MOST_SLOPE, _GRID = 0.02, 1.5, 24
_MOST_MINIMA = 4
"""Our choice, as the grid: 24 x 24 nodes tell the basins of measured tables apart; at most this many are searched."""
_AWAY = 2
"""Our choice: two nodes are a factor of 1.46 in a slope."""
_GRID_RUNS = 2000
"""Our choice: rows beyond these, evenly spread over compute, do not move the grid's minima by a node."""
_START_SHARE = 0.02
"""Our choice: a term that the grid would make negative starts as this share of the least loss."""


class Power(NamedTuple):
    """A power of a covariate: the places of its level a_k and slope s_k among the parameters, and of x_k."""

    level: int
    slope: int
    covariate: int


class ExponentialSum:
    """One or two powers and a constant, bound to runs; searched in levels at the centre of the runs, and slopes.

    The constant's logarithm is the parameter at ``constant``.
    """

    def __init__(
        self,
        parameters: tuple[str, ...],
        powers: tuple[Power, ...],
        constant: int,
        covariates: tuple[Floats, ...],
        loss: Floats,
    ) -> None:
        self.parameters = parameters
        self._powers = powers
        self._constant = constant
        centres = [float(x.mean()) for x in covariates]
        self._minus_x = [centre - x for x, centre in zip(covariates, centres, strict=True)]
        self._inverse_loss = 1 / loss
        self.to_natural = np.eye(len(parameters))
        for power in powers:
            self.to_natural[power.level, power.slope] = centres[power.covariate]
        # Sums of a weight over runs times 1, v, v^2 and products of two covariates give every derivative.
        ones = np.ones_like(loss)
        v = [self._minus_x[power.covariate] for power in powers]
        columns = [ones, *(column for each in v for column in (each, each * each))]
        if len(v) == 2:
            columns.append(v[0] * v[1])
        self._basis = np.ascontiguousarray(np.stack(columns, axis=1))
        self._work = np.empty(0)
        # Gradient and Hessian are linear in the sums over runs: asking for each sum alone gives the map for good.
        arrays, width = _arrays(len(powers)), len(columns)
        units = np.eye(arrays * width).reshape(arrays * width, arrays, width).transpose(1, 0, 2)
        gradients, hessians = self._assembled(units)
        self._assembly = np.concatenate([gradients, hessians.reshape(len(hessians), -1)], axis=1)

    def _terms(self, theta: Floats, out: Floats) -> Floats:
        """Each power, written to ``out`` (K, B, n); returns the sum with the constant over L, (B, n)."""
        for k, power in enumerate(self._powers):
            np.multiply(theta[:, power.slope, None], self._minus_x[power.covariate], out=out[k])
            out[k] += theta[:, power.level, None]
            np.exp(out[k], out=out[k])
        total = out[0] + out[1] if len(out) == 2 else out[0].copy()
        total += np.exp(theta[:, self._constant, None])
        return total

    def steadying(self, delta: float | Floats) -> None:
        """None: runs of several sizes and tokens hold every constant of a sum of powers."""
        del delta

    def residuals(self, theta: Floats) -> Floats:
        """ln Lhat - ln L, (B, n)."""
        with np.errstate(over="ignore", invalid="ignore"):
            total = self._terms(theta, np.empty((len(self._powers), len(theta), len(self._inverse_loss))))
            return np.log(total * self._inverse_loss)

    def local(self, theta: Floats, weight: Floats, delta: float | Floats, penalty: Penalty | None) -> Local:
        """Value, gradient and exact Hessian (of Huber's loss: that of the piece a residual is in)."""
        powers, batch, n = len(self._powers), len(theta), len(self._inverse_loss)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            pull, pulls, curve, curves, products = self._workspace(batch)
            shares = pulls
            total = self._terms(theta, shares)
            np.divide(1.0, total, out=curve)
            shares *= curve
            total *= self._inverse_loss
            residuals = np.log(total, out=total)
            if unbounded(delta):
                np.multiply(weight, residuals, out=pull)
                value = 0.5 * np.einsum("bn,bn->b", pull, residuals)
                np.subtract(weight, pull, out=curve)
            else:
                clipped = np.minimum(residuals, delta)
                np.maximum(clipped, -delta, out=clipped)
                np.multiply(weight, clipped, out=pull)
                np.multiply(weight, clipped == residuals, out=curve)
                curve -= pull
                clipped *= -0.5
                clipped += residuals
                value = np.einsum("bn,bn->b", pull, clipped)
            np.multiply(shares, curve, out=curves)
            place = 0
            for i in range(powers):
                for j in range(i, powers):
                    np.multiply(curves[i], shares[j], out=products[place])
                    place += 1
            shares *= pull  # from here on the pulls
            arrays = _arrays(powers)
            sums = (self._work[: arrays * batch * n].reshape(-1, n) @ self._basis).reshape(arrays, batch, -1)
            derivatives = sums.transpose(1, 0, 2).reshape(batch, -1) @ self._assembly
        k = len(self.parameters)
        gradient, hessian = derivatives[:, :k], derivatives[:, k:].reshape(batch, k, k)
        if penalty is not None:
            value = value + penalty.value(theta)
            gradient += penalty.gradient(theta)
            hessian += penalty.precision
        return Local(value, gradient, hessian)

    def _workspace(self, batch: int) -> tuple[Floats, Floats, Floats, Floats, Floats]:
        """One block of memory, kept between calls, cut into what ``local`` sums: f, f p_k, h, h p_k, h p_k p_l."""
        powers, n = len(self._powers), len(self._inverse_loss)
        count = _arrays(powers)
        if len(self._work) < count * batch * n:
            self._work = np.empty(count * batch * n)
        block = self._work[: count * batch * n].reshape(count, batch, n)
        first = 2 + powers
        return (
            block[0],
            block[1 : 1 + powers],
            block[1 + powers],
            block[first : first + powers],
            block[first + powers :],
        )

    def _assembled(self, sums: Floats) -> tuple[Floats, Floats]:
        """Gradient and Hessian from the sums over runs, (arrays, B, columns of the basis)."""
        powers, batch, k = len(self._powers), sums.shape[1], len(self.parameters)
        gradient = np.zeros((batch, k))
        hessian = np.zeros((batch, k, k))
        pull, pulls, curve, curves = sums[0], sums[1 : 1 + powers], sums[1 + powers], sums[2 + powers : 2 + 2 * powers]
        products: dict[tuple[int, int], Floats] = {}
        place = 2 + 2 * powers
        for i in range(powers):
            for j in range(i, powers):
                products[i, j] = products[j, i] = sums[place]
                place += 1
        last = self._constant
        gradient[:, last] = pull[:, 0]
        hessian[:, last, last] = curve[:, 0] + pull[:, 0]
        for i, one in enumerate(self._powers):
            first, second = 1 + 2 * i, 2 + 2 * i
            gradient[:, one.level] += pulls[i][:, 0]
            gradient[:, one.slope] += pulls[i][:, first]
            gradient[:, last] -= pulls[i][:, 0]
            own = products[i, i] + pulls[i]
            hessian[:, one.level, one.level] += own[:, 0]
            hessian[:, one.slope, one.slope] += own[:, second]
            both = own[:, first].copy()
            hessian[:, one.level, one.slope] += both
            hessian[:, one.slope, one.level] += both
            left = curves[i] - sum(products[i, j] for j in range(powers))
            for place, column in ((one.level, 0), (one.slope, first)):
                hessian[:, place, last] += left[:, column]
                hessian[:, last, place] += left[:, column]
            hessian[:, last, last] -= curves[i][:, 0] + left[:, 0] + pulls[i][:, 0]
        if powers == 2:
            self._add_cross(hessian, products[0, 1])
        return gradient, hessian

    def _add_cross(self, hessian: Floats, sums: Floats) -> None:
        """The block of the two powers."""
        one, other = self._powers
        for row, column, entry in (
            (one.level, other.level, sums[:, 0]),
            (one.level, other.slope, sums[:, 3]),
            (one.slope, other.level, sums[:, 1]),
            (one.slope, other.slope, sums[:, 5]),
        ):
            hessian[:, row, column] += entry
            hessian[:, column, row] += entry

    def jacobian(self, theta: Floats) -> Floats:
        """d ln Lhat / d theta at one point, (n, k)."""
        n = len(self._inverse_loss)
        parts = np.empty((len(self._powers), 1, n))
        total = self._terms(theta[None, :], parts)[0]
        out = np.zeros((n, len(self.parameters)))
        for k, power in enumerate(self._powers):
            share = parts[k, 0] / total
            out[:, power.level] += share
            out[:, power.slope] += share * self._minus_x[power.covariate]
        out[:, self._constant] = math.exp(theta[self._constant]) / total
        return out

    def starts(self, weight: Floats) -> Floats:
        """Minima over a grid of slopes, the levels solved for by linear least squares of Lhat / L - 1."""
        keep = self._spread(weight)
        slopes = np.exp(np.linspace(math.log(_LEAST_SLOPE), math.log(_MOST_SLOPE), _GRID))
        free = sorted({power.slope for power in self._powers})
        axes = [free.index(power.slope) for power in self._powers]
        inverse = self._inverse_loss[keep]
        columns = [
            np.exp(slopes[:, None] * self._minus_x[power.covariate][None, keep]) * inverse for power in self._powers
        ]
        squares, levels = _solved([*columns, inverse[None, :]], axes, weight[keep], 1 / float(inverse.max()))
        chosen = _promising(squares)
        out = np.empty((len(chosen), len(self.parameters)))
        for row, node in enumerate(chosen):
            for k, power in enumerate(self._powers):
                out[row, power.level] = math.log(levels[(*node, k)])
                out[row, power.slope] = slopes[node[axes[k]]]
            out[row, self._constant] = math.log(levels[(*node, len(self._powers))])
        return out

    def _spread(self, weight: Floats) -> NDArray[np.int64]:
        """Which runs the grid sees: all, or an even choice along the covariates where there are very many."""
        counted = np.flatnonzero(weight > 0)
        if len(counted) <= _GRID_RUNS:
            return counted
        order = counted[np.argsort(np.sum(self._minus_x, axis=0)[counted], kind="stable")]
        return order[np.linspace(0, len(order) - 1, _GRID_RUNS).astype(np.int64)]


def _arrays(powers: int) -> int:
    """How many arrays over the runs ``local`` sums."""
    return 2 + 2 * powers + powers * (powers + 1) // 2


def _solved(columns: list[Floats], axes: list[int], weight: Floats, least: float) -> tuple[Floats, Floats]:
    """Residual sum of squares at every node of the grid, and the levels there (..., K + 1), the constant's last.

    Powers on one axis share their slope. Where the least-squares level of a term is not positive, the term is held at a
    small share of the ``least`` loss and the others are solved for again.
    """
    shape = (_GRID,) * (max(axes) + 1)
    count = len(columns)
    normal, right = np.empty((*shape, count, count)), np.empty((*shape, count))
    of = [(axis,) for axis in axes] + [()]
    for i, one in enumerate(columns):
        right[..., i] = _along(one @ weight, of[i], shape)
        for j in range(i + 1):
            block = (columns[j] * weight) @ one.T
            if of[i] == of[j]:
                block = np.diagonal(block)
            normal[..., i, j] = normal[..., j, i] = _along(block, tuple(sorted({*of[i], *of[j]})), shape)
    levels = _bounded(normal, right, _START_SHARE * least)
    squares = float(weight.sum()) - 2 * np.einsum("...i,...i->...", right, levels)
    squares += np.einsum("...i,...ij,...j->...", levels, normal, levels)
    return squares, levels


def _along(values: Floats, axes: tuple[int, ...], shape: tuple[int, ...]) -> Floats:
    """Values over some axes of a grid, broadcast to the whole."""
    return np.broadcast_to(values.reshape([_GRID if axis in axes else 1 for axis in range(len(shape))]), shape)


def _bounded(normal: Floats, right: Floats, held: float) -> Floats:
    """Least-squares levels with every level at least ``held``: what falls below is held there, one after another."""
    count = right.shape[-1]
    ridge = 1e-12 * np.einsum("...ii->...i", normal)
    fixed = np.zeros(right.shape, dtype=bool)
    levels = np.full(right.shape, held)
    for _ in range(count + 1):
        matrix = np.where(fixed[..., :, None] | fixed[..., None, :], 0.0, normal)
        vector = right - held * np.einsum("...ij,...j->...i", normal, fixed.astype(float))
        matrix[..., range(count), range(count)] += np.where(fixed, 1.0, ridge)
        vector = np.where(fixed, held, vector)
        levels = np.linalg.solve(matrix, vector[..., None])[..., 0]
        below = (levels < held) & ~fixed
        if not below.any():
            break
        fixed |= below
    return np.maximum(levels, held)


def _promising(values: Floats) -> list[tuple[int, ...]]:
    """The lowest nodes of a grid that no neighbour is below, and those some way from the lowest in every direction.

    The latter give starts that differ where the grid has one minimum, so that their agreement says something.
    """
    padded = np.pad(values, 1, constant_values=np.inf)
    lowest = np.ones(values.shape, dtype=bool)
    for offset in np.ndindex(*(3,) * values.ndim):
        window = tuple(slice(o, o + size) for o, size in zip(offset, values.shape, strict=True))
        lowest &= values <= padded[window]
    nodes = sorted((tuple(node) for node in np.argwhere(lowest).tolist()), key=lambda node: float(values[node]))
    nodes = nodes[:_MOST_MINIMA]
    lowest_node = nodes[0]
    for corner in np.ndindex(*(2,) * values.ndim):
        away = (at + _AWAY * (2 * side - 1) for at, side in zip(lowest_node, corner, strict=True))
        nodes.append(tuple(min(max(at, 0), _GRID - 1) for at in away))
    return list(dict.fromkeys(nodes))
