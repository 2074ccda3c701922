"""How sure a forecast will be: what a set of runs tells of the law, by linear theory.

With f_i = d ln L / d theta at run i, theta = (ln A, ln B, ln E, alpha, beta) of L = E + A / N^alpha + B / D^beta,

    M = sum_i f_i f_i' / sigma_i^2,   se(g)^2 = g' M^-1 g,

where g is the gradient of ln L at the target, or of ln N* of the target's compute (Fedorov 1972, Theory of Optimal
Experiments, for the theory of linearised designs). sigma_i is that of ``noise``; runs of the same parameters and tokens
are seeds of one point and share its misfit. The standard errors hold for least squares weighted by 1 / sigma_i^2
without priors: ``tests/benchmarks/score_pilots.py`` compares them with refits of simulated runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from scaleplan.fitting.diagnostic_statistics import condition_of
from scaleplan.laws.additive import Additive

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.pilots.noise import Noise
    from scaleplan.pilots.plausible import Plausible

    Floats = NDArray[np.float64]

CONSTANTS = len(Additive.covariance_of)
"""How many constants the law has: fewer different runs tell nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """Runs to make or made: ``params`` as the law counts them, ``tokens``, ``flop`` as it counts compute; all (n,)."""

    params: Floats
    tokens: Floats
    flop: Floats

    def __len__(self) -> int:
        return len(self.params)

    def part(self, chosen: NDArray[np.intp] | list[int]) -> Points:
        """Some of them."""
        return Points(self.params[chosen], self.tokens[chosen], self.flop[chosen])

    def and_(self, others: Points) -> Points:
        """Both."""
        pairs = ((self.params, others.params), (self.tokens, others.tokens), (self.flop, others.flop))
        return Points(*(np.concatenate(pair) for pair in pairs))


class Target(NamedTuple):
    """What the pilots are for: a run of ``train_flop``, as the law counts it.

    ``run`` is its parameters and tokens where limits fix them; otherwise each law plans its own.
    """

    train_flop: float
    run: tuple[float, float] | None = None


class Certainty(NamedTuple):
    """Standard errors under every plausible law (n,): of ln L at the target, and of ln N* of its compute."""

    loss: Floats
    params: Floats

    @property
    def loss_se(self) -> float:
        """Their geometric mean, of ln L."""
        return float(np.exp(np.mean(np.log(self.loss))))

    @property
    def params_se(self) -> float:
        """Their geometric mean, of ln N*."""
        return float(np.exp(np.mean(np.log(self.params))))


def gradients(plausible: Plausible, points: Points) -> Floats:
    """d ln L / d theta (laws, n, 5) at runs."""
    return _stacked(plausible.law.log_loss_sensitivity(points.params, points.tokens))


def target_gradients(plausible: Plausible, target: Target) -> Floats:
    """Gradients (laws, 2, 5) of ln L at the target and of ln N* of its compute."""
    law = plausible.law
    best = law.optimum(target.train_flop)
    params, tokens = (best.params, best.tokens) if target.run is None else target.run
    of_loss = law.log_loss_sensitivity(params, tokens)
    of_size = law.log_params_sensitivity(best.params, best.tokens)
    return np.concatenate([_stacked(of_loss), _stacked(of_size)], axis=1)


def distinct(points: Points) -> tuple[Points, NDArray[np.int64]]:
    """The different points, and how many runs each has."""
    _, first, seeds = np.unique(np.stack([points.params, points.tokens]), axis=1, return_index=True, return_counts=True)
    return points.part(first), seeds


def information(gradient: Floats, precision: Floats) -> Floats:
    """M (laws, 5, 5) of runs with gradients (laws, n, 5) and 1 / sigma^2 (n,)."""
    return (gradient * precision[:, None]).transpose(0, 2, 1) @ gradient


def certainty(plausible: Plausible, target: Target, points: Points, noise: Noise) -> Certainty:
    """How sure the forecast is after runs; infinite where they are too few or too alike to tell the constants."""
    different, seeds = distinct(points)
    variance = noise.variance(different, target.train_flop, seeds)
    gradient = gradients(plausible, different)
    scale = 1 / np.sqrt(np.maximum(np.sum(gradient**2 / variance[:, None], axis=1), 1e-300))
    matrix = information(gradient * scale[:, None, :], 1 / variance)
    goals = target_gradients(plausible, target) * scale[:, None, :]
    return Certainty(*_errors(matrix, goals).T)


def condition_number(plausible: Plausible, points: Points) -> float:
    """Condition number of the fit of a law to runs, in the middle of the plausible laws; infinite where it has none.

    As ``fitting.diagnostic_statistics`` has it of runs that are made: about 1,000 for a good grid.
    """
    centre: Any = plausible.centre
    middle = plausible._replace(law=Additive(*(cast("Any", np.array([[value]])) for value in centre)))
    jacobian = gradients(middle, points)[0]
    # The exponents' columns about the mean ln N and ln D, so that the units of both do not count.
    for term, exponent, values in ((0, 3, points.params), (1, 4, points.tokens)):
        jacobian[:, exponent] += np.log(values).mean() * jacobian[:, term]
    return condition_of(jacobian, np.ones(len(points)))


SINGULAR = 1e-13
"""Our choice: of the largest eigenvalue; below it there is rounding only."""


def _errors(matrix: Floats, goals: Floats) -> Floats:
    """Standard errors (laws, 2)."""
    sizes, axes = np.linalg.eigh(matrix)
    along = goals @ axes
    told = sizes > SINGULAR * sizes[:, -1:]
    part = np.where(told, 1 / np.where(told, sizes, 1.0), np.inf)[:, None, :] * along**2
    # A goal that does not lie along an untold direction at all leaves 0 times infinity there.
    return np.sqrt(np.sum(np.where(along == 0, 0.0, part), axis=2))


def _stacked(parts: tuple[object, ...]) -> Floats:
    return np.stack(np.broadcast_arrays(*(np.asarray(part, dtype=float) for part in parts)), axis=-1)
