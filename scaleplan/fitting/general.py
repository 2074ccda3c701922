"""Forms that are no sum of powers, bound to runs: exact derivatives, starts that are polished, and priors that steady.

The objective's Hessian is exact, J' C J + sum c psi d2 ln Lhat with C the weights of the residuals within delta; where
it is not positive definite, J' W J with Huber's weights W = c psi(r) / r stands for it, which bounds the objective from
above (Huber 1981, sec. 7.8), so that damped steps go down.

Some constants of these forms have nothing to hold them in many tables: the decay of repeats where few tokens repeat,
the width of a break. Each of those is taken as normal around a usual value, as if measured once (``Steady``); where the
runs do speak of it, one more measurement among them hardly counts. In units of the objective that is the penalty
v (theta - mean)^2 / (2 sd^2), v = E psi^2 / E psi' under normal noise (``prior_worth``): the noise's variance for least
squares, less where Huber's threshold clips most residuals, so that the same prior weighs as much beside any objective.
The starts' own polishing finds the noise.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from scaleplan.fitting.model import Local
from scaleplan.fitting.newton import minimise
from scaleplan.fitting.objective import LEAST_DELTA, Penalty, huber, influence, robust_sd
from scaleplan.fitting.start_grids import grid_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

DIFFERENCE = 1e-6
"""Our choice: forward differences of exact gradients lose about as much to rounding as to the third derivative."""
_ROUGH, _POLISH_STEPS = 1e-4, 40
"""Our choice: polishing finds the noise to a few per cent; a start that has not come down after 40 steps will not."""
_ROUNDS = 4
"""Our choice: noise and priors depend on each other; data without noise leave nothing of the priors after four."""
_DEFINITE = 1e-10
"""Our choice: eigenvalues below this, relative to the largest, are no curvature to step by."""


class Steady(NamedTuple):
    """A constant taken as normal around ``mean`` with standard deviation ``sd``, and the reason."""

    name: str
    mean: float
    sd: float
    reason: str


def steady_floor(name: str, runs: Runs) -> Steady:
    """The logarithm of a floor, around 0.6 of the least loss; our choice."""
    why = "the floors of published laws are 0.4 to 0.9 of the least loss that they were fitted to"
    return Steady(name, math.log(0.6 * float(runs.loss.min())), 0.5, why)


class General(ABC):
    """Any form bound to n runs; subclasses give ln Lhat, its derivatives and raw starts, all in natural parameters.

    The search's own coordinates are natural parameters times ``to_natural``'s inverse. ``noise`` is the variance of
    ln L by which the steadying, which ``local`` adds by itself, is scaled.
    """

    def __init__(self, parameters: tuple[str, ...], runs: Runs, steadies: Sequence[Steady] = ()) -> None:
        """Subclasses take the runs alone, set what their formulas need and then call this."""
        self.parameters = parameters
        self.steadies = tuple(steadies)
        self.to_natural = np.eye(len(parameters))
        self.noise = LEAST_DELTA**2
        self._measured = np.log(runs.loss)
        self._begin(runs)

    @abstractmethod
    def ln_loss(self, natural: Floats) -> Floats:
        """ln Lhat of every run, (B, n), at natural parameters (B, k)."""

    @abstractmethod
    def derivatives(self, natural: Floats) -> tuple[Floats, Floats]:
        """ln Lhat (B, n) and its derivatives (B, n, k)."""

    @abstractmethod
    def curvature(self, natural: Floats, pull: Floats) -> Floats:
        """sum_i pull_i d2 ln Lhat_i, (B, k, k), for ``pull`` (B, n)."""

    @abstractmethod
    def raw_starts(self, runs: Runs) -> Floats:
        """Natural parameters (S, k) from which to search, the most promising first."""

    def scaling(self, natural: Floats) -> Floats:
        """``to_natural`` for a search around ``natural`` (k,)."""
        return np.eye(len(natural))

    def _begin(self, runs: Runs) -> None:
        """Starts, polished by least squares; the noise around the best; the steadying scaled by it, a few times.

        Of very many runs an even choice is asked instead.
        """
        few = grid_rows(runs)
        if few is not runs:
            own: Callable[[Runs], General] = cast("Any", type(self))
            asked = own(few)
            self.to_natural, self.noise, self._polished = asked.to_natural, asked.noise, asked.starts(few.weight)
            return
        weight = runs.weight[None, :]
        natural = self.raw_starts(runs)
        self.to_natural = self.scaling(natural[0])
        theta = _solved(self.to_natural, natural.T).T
        freedom = len(self._measured) / max(len(self._measured) - len(self.parameters), 1)
        first = int(np.argmin(np.sum(weight * self.residuals(theta) ** 2, axis=1)))
        self._listen(theta[first], runs.weight, freedom)
        for _ in range(_ROUNDS):
            found = minimise(
                lambda at, _: self.local(at, weight, math.inf, None), theta, tolerance=_ROUGH, most_steps=_POLISH_STEPS
            )
            theta = found.theta[np.argsort(found.value)]
            self._listen(theta[0], runs.weight, freedom)
            # What was one scale at the start is not at the end of a bent valley.
            natural = theta @ self.to_natural.T
            self.to_natural = self.scaling(natural[0])
            theta = _solved(self.to_natural, natural.T).T
        self._polished = theta

    def _listen(self, theta: Floats, weight: Floats, freedom: float) -> None:
        residuals = self.residuals(theta[None, :])[0]
        self.noise = max(robust_sd(residuals, weight), LEAST_DELTA) ** 2 * freedom

    def steadying(self, delta: float | Floats) -> Penalty | None:
        """The penalty on ``steadies`` beside an objective of threshold ``delta``, in the search's coordinates.

        Of one threshold a row the median counts.
        """
        if not self.steadies:
            return None
        k = len(self.parameters)
        centre, precision = np.zeros(k), np.zeros((k, k))
        worth = prior_worth(float(np.median(delta)), self.noise)
        for steady in self.steadies:
            place = self.parameters.index(steady.name)
            centre[place], precision[place, place] = steady.mean, worth / steady.sd**2
        scale = self.to_natural
        return Penalty(_solved(scale, centre), scale.T @ precision @ scale)

    def residuals(self, theta: Floats) -> Floats:
        """ln Lhat - ln L, (B, n)."""
        with np.errstate(all="ignore"):
            return self.ln_loss(theta @ self.to_natural.T) - self._measured

    def local(self, theta: Floats, weight: Floats, delta: float | Floats, penalty: Penalty | None) -> Local:
        """Value, gradient and Hessian of the objective, the steadying and ``penalty`` with it."""
        natural = theta @ self.to_natural.T
        with np.errstate(all="ignore"):
            ln_loss, jacobian = self.derivatives(natural)
            residuals = ln_loss - self._measured
            value = np.sum(weight * huber(residuals, delta), axis=1)
            pull = weight * influence(residuals, delta)
            gradient = (pull[:, None, :] @ jacobian)[:, 0]
            hessian = _squared(jacobian, weight * (np.abs(residuals) <= delta)) + self.curvature(natural, pull)
        scale = self.to_natural
        gradient, hessian = gradient @ scale, scale.T @ hessian @ scale
        penalties = [each for each in (self.steadying(delta), penalty) if each is not None]
        for each in penalties:
            value = value + each.value(theta)
            gradient += each.gradient(theta)
            hessian += each.precision
        sound = np.isfinite(value) & np.isfinite(gradient).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2))
        value = np.where(sound, value, np.inf)
        for i in np.flatnonzero(sound & ~_definite(np.where(sound[:, None, None], hessian, 0.0))):
            reweighted = (weight[0] if len(weight) == 1 else weight[i]) * np.minimum(
                1.0, delta / np.maximum(np.abs(residuals[i]), 1e-300)
            )
            bound = scale.T @ _squared(jacobian[i][None], reweighted[None])[0] @ scale
            hessian[i] = bound + sum(each.precision for each in penalties)
        return Local(value, gradient, hessian)

    def jacobian(self, theta: Floats) -> Floats:
        """d ln Lhat / d theta at one point, (n, k)."""
        with np.errstate(all="ignore"):
            return self.derivatives((self.to_natural @ theta)[None, :])[1][0] @ self.to_natural

    def starts(self, weight: Floats) -> Floats:
        """Points (S, k) from which to search, polished under the runs' own weights, the best first."""
        del weight
        return self._polished.copy()


def prior_worth(delta: float, noise: float) -> float:
    """What one measurement of unit precision weighs in an objective of threshold ``delta``: E psi^2 / E psi'.

    ``noise`` is the variance of the residuals, taken as normal; without a threshold they are the same.
    """
    if math.isinf(delta):
        return noise
    z = delta / math.sqrt(noise)
    inside = math.erf(z / math.sqrt(2))
    density = math.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return noise * (inside - 2 * z * density + z * z * (1 - inside)) / inside


def differenced_curvature(contracted: Callable[[Floats, Floats], Floats], natural: Floats, pull: Floats) -> Floats:
    """sum_i pull_i d2 ln Lhat_i by forward differences of ``contracted``, sum_i pull_i d ln Lhat_i (M, k).

    All differences are one call, with every point k + 1 times. A gradient that is continuous keeps them bounded where
    its derivative jumps.
    """
    batch, k = natural.shape
    moved = np.repeat(natural, k + 1, axis=0).reshape(batch, k + 1, k)
    moved[:, range(1, k + 1), range(k)] += DIFFERENCE
    found = contracted(moved.reshape(-1, k), np.repeat(pull, k + 1, axis=0)).reshape(batch, k + 1, k)
    out = (found[:, 1:] - found[:, :1]) / DIFFERENCE
    return (out + np.swapaxes(out, 1, 2)) / 2


def _solved(matrix: Floats, right: Floats) -> Floats:
    found: Any = np.linalg.solve(matrix, right)
    return found


def _squared(jacobian: Floats, weight: Floats) -> Floats:
    """J' W J, (B, k, k)."""
    return np.swapaxes(jacobian * weight[:, :, None], 1, 2) @ jacobian


def _definite(matrices: Floats) -> NDArray[np.bool_]:
    values = np.linalg.eigvalsh(matrices)
    return values[:, 0] > _DEFINITE * values[:, -1]
