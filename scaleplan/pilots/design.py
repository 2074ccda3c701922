"""The runs that make a forecast most certain for their compute.

Choose runs w_i of the candidates to minimise

    sum over laws of  (1 - p) ln se(ln L)^2 + p ln se(ln N*)^2,      M = M_0 + sum_i w_i f_i f_i' / sigma_i^2,
    0 <= w_i <= 1,   sum w_i <= R runs,   sum w_i C_i <= budget,

the mean logarithm of the variances of a forecast under plausible laws (p = 0: of the loss; 1: of the best size; 1/2:
of both alike, the compound criterion of Atkinson, Donev & Tobias 2007, Optimum Experimental Designs, ch. 21). With
real w the problem is convex and Frank & Wolfe's method (1956) solves it: the gradient is a price for every candidate,
and the best runs at these prices under two sums are found by bisection on the price of compute. The largest weights
are then taken whole, and single runs exchanged for better ones while that helps (Fedorov 1972).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scaleplan.errors import InfeasibleError
from scaleplan.pilots.certainty import CONSTANTS, SINGULAR, distinct, gradients, information, target_gradients

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.pilots.certainty import Points, Target
    from scaleplan.pilots.noise import Noise
    from scaleplan.pilots.plausible import Plausible

    Floats = NDArray[np.float64]
    Indices = NDArray[np.intp]

_MOST_STEPS = 60
_CLOSE = 1e-3
"""Our choice: the criterion is then within 0.05 % of a standard error of its bound, far below what rounding costs."""
_BISECTIONS, _SECTIONS = 50, 12
"""Our choice: prices to a rounding error, steps to half a per cent."""
_BETTER = 1e-6
"""Our choice: an exchange that gains less is rounding."""
_MOST_EXCHANGES = 200
"""Our choice: a few are made as a rule, 20 at most were seen."""
_A_LITTLE = 1e-9
"""Our choice: of all candidates' information, beneath that of the runs, so that none at all can be started from."""


class Problem(NamedTuple):
    """What to choose from and for: ``points`` (n,) that may be run, at most ``runs`` of them for ``flop`` in all.

    ``done`` are runs that were made already; ``goal`` is p, the weight of ln N* against that of ln L.
    """

    plausible: Plausible
    target: Target
    points: Points
    noise: Noise
    runs: int
    flop: float
    goal: float = 0.5
    done: Points | None = None


class Design(NamedTuple):
    """The candidates chosen, cheapest first, and the criterion: of them, and the least that any choice could have."""

    chosen: Indices
    criterion: float
    bound: float


class _Scaled(NamedTuple):
    """The problem in coordinates in which the mean information of the candidates is the unit matrix.

    ``rows`` (laws, n, 5) are gradients over sigma, ``goals`` (laws, 2, 5) those of ln L and ln N*, with ``weights``
    (2,); ``base`` (laws, 5, 5) is M_0.
    """

    rows: Floats
    goals: Floats
    weights: Floats
    base: Floats

    def at(self, weight: Floats) -> Floats:
        """M (laws, 5, 5) of weights (n,)."""
        return self.base + information(self.rows, weight)

    def solved(self, matrix: Floats) -> tuple[Floats, Floats]:
        """M^-1 g (laws, 5, 2), and the variances (laws, 2)."""
        solution: Any = np.linalg.solve(matrix, self.goals.transpose(0, 2, 1))
        return solution, np.einsum("lgi,lig->lg", self.goals, solution)

    def criterion(self, matrix: Floats) -> float:
        """The mean over laws."""
        return self.of(self.solved(matrix)[1])

    def of(self, variance: Floats) -> float:
        """The criterion of variances (laws, 2)."""
        return float(np.mean(np.log(variance) @ self.weights))


def design(problem: Problem) -> Design:
    """The best choice of runs found, and a bound on the best there is.

    Raises:
        InfeasibleError: the candidates are too alike.
    """
    scaled = _scaled(problem)
    weight, bound = _relaxed(problem, scaled)
    chosen = _exchanged(problem, scaled, _whole(problem, weight))
    order = np.argsort(problem.points.flop[chosen], kind="stable")
    chosen = np.asarray(chosen, dtype=np.intp)[order]
    taken = np.zeros(len(problem.points))
    taken[chosen] = 1.0
    return Design(chosen, scaled.criterion(scaled.at(taken)), bound)


def _scaled(problem: Problem) -> _Scaled:
    points = problem.points
    variance = problem.noise.variance(points, problem.target.train_flop, 1)
    rows = gradients(problem.plausible, points) / np.sqrt(variance)[:, None]
    goals = target_gradients(problem.plausible, problem.target)
    mean = information(rows, np.full(len(points), 1 / len(points)))
    # Constants differ by many powers of ten; what is left after a scale of their own is Cholesky's.
    own = 1 / np.sqrt(np.diagonal(mean, axis1=1, axis2=2))
    whole = mean * own[:, :, None] * own[:, None, :]
    if np.linalg.eigvalsh(whole)[:, 0].min() < SINGULAR:
        raise InfeasibleError(
            f"the {len(points)} runs within reach are too alike to tell size and data apart: raise the share or the "
            "target, widen --ratios, or lower --vocab"
        )
    root = np.linalg.cholesky(whole)

    def scaled(vectors: Floats) -> Floats:
        back: Any = np.linalg.solve(root, (vectors * own[:, None, :]).transpose(0, 2, 1))
        return back.transpose(0, 2, 1)

    base = np.broadcast_to(_A_LITTLE * np.eye(CONSTANTS), mean.shape)
    if problem.done is not None:
        different, seeds = distinct(problem.done)
        spread = problem.noise.variance(different, problem.target.train_flop, seeds)
        made = scaled(gradients(problem.plausible, different))
        base = base + information(made, 1 / spread)
    return _Scaled(scaled(rows), scaled(goals), np.array([1 - problem.goal, problem.goal]), base)


def _relaxed(problem: Problem, scaled: _Scaled) -> tuple[Floats, float]:
    """Weights (n,) that minimise the criterion, and the least value that the criterion can have."""
    points = problem.points
    share = min(problem.runs / len(points), problem.flop / float(points.flop.sum()), 1.0)
    weight = np.full(len(points), share)
    bound = -math.inf
    for _ in range(_MOST_STEPS):
        matrix = scaled.at(weight)
        solution, variance = scaled.solved(matrix)
        along = scaled.rows @ solution
        price = np.mean((along**2 / variance[:, None, :]) @ scaled.weights, axis=0)
        best = _best_at(price, points.flop, problem.runs, problem.flop)
        gap = float(price @ (best - weight))
        bound = max(bound, scaled.of(variance) - gap)
        if gap < _CLOSE:
            break
        step = _line(scaled, matrix, scaled.at(best))
        weight = weight + step * (best - weight)
    return weight, bound


def _best_at(price: Floats, flop: Floats, runs: int, budget: float) -> Floats:
    """Weights (n,) of the greatest sum of prices within a number of runs and a budget."""

    def taken(of_compute: float) -> Indices:
        worth = price - of_compute * flop
        top = np.argpartition(-worth, min(runs, len(worth)) - 1)[:runs]
        return top[worth[top] > 0]

    weight = np.zeros(len(price))
    most = taken(0.0)
    if flop[most].sum() <= budget:
        weight[most] = 1.0
        return weight
    low, high = 1e-15 * float(np.max(price / flop)), float(np.max(price / flop))
    for _ in range(_BISECTIONS):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if flop[taken(middle)].sum() > budget else (low, middle)
    over, under = taken(low), taken(high)
    dear, cheap = flop[over].sum(), flop[under].sum()
    part = 0.0 if dear <= cheap else min(1.0, max(0.0, (budget - cheap) / (dear - cheap)))
    weight[over] += part
    weight[under] += 1 - part
    return weight


def _line(scaled: _Scaled, start: Floats, end: Floats) -> float:
    """The step in [0, 1] of the least criterion between two matrices, by golden sections: it is convex."""
    golden = (math.sqrt(5) - 1) / 2
    low, high = 0.0, 1.0
    left, right = 1 - golden, golden

    def value(step: float) -> float:
        return scaled.criterion(start + step * (end - start))

    at_left, at_right = value(left), value(right)
    for _ in range(_SECTIONS):
        if at_left < at_right:
            high, right, at_right = right, left, at_left
            left = low + (1 - golden) * (high - low)
            at_left = value(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + golden * (high - low)
            at_right = value(right)
    return (low + high) / 2


def _whole(problem: Problem, weight: Floats) -> list[int]:
    """The runs of the largest weights, as far as the budget goes."""
    flop, left = problem.points.flop, problem.flop
    chosen: list[int] = []
    for i in np.argsort(-weight, kind="stable").tolist():
        if len(chosen) == problem.runs or weight[i] <= 0:
            break
        if flop[i] <= left:
            chosen.append(i)
            left -= float(flop[i])
    return chosen


def _exchanged(problem: Problem, scaled: _Scaled, chosen: list[int]) -> list[int]:
    """Runs added while there is room, and exchanged one for one while that lowers the criterion."""
    chosen = list(chosen)
    value = scaled.criterion(_matrix(scaled, chosen))
    for _ in range(_MOST_EXCHANGES):
        left = problem.flop - float(problem.points.flop[chosen].sum())
        outs: list[int | None] = [*([None] if len(chosen) < problem.runs else []), *chosen]
        better, goes, comes = min((_best_in(problem, scaled, chosen, out, left) for out in outs), key=lambda it: it[0])
        if not better < value - _BETTER:
            break
        if goes is not None:
            chosen.remove(goes)
        chosen.append(comes)
        value = better
    return chosen


def _best_in(
    problem: Problem, scaled: _Scaled, chosen: list[int], out: int | None, left: float
) -> tuple[float, int | None, int]:
    """The least criterion with ``out`` replaced by another run (or one added), and which: by a rank-one update."""
    flop = problem.points.flop
    room = left + (0.0 if out is None else float(flop[out]))
    open_ = flop <= room
    open_[chosen] = False
    others = np.flatnonzero(open_)
    if not len(others):
        return math.inf, out, -1
    matrix = _matrix(scaled, [i for i in chosen if i != out])
    solution, variance = scaled.solved(matrix)
    rows = scaled.rows[:, others]
    along = rows @ solution
    leverage = 1 + np.sum((rows @ np.linalg.inv(matrix)) * rows, axis=2)
    after = variance[:, None, :] - along**2 / leverage[:, :, None]
    # Rounding may leave nothing of a variance that all but one run had to tell.
    values = np.mean(np.log(np.maximum(after, 1e-300)) @ scaled.weights, axis=0)
    best = int(np.argmin(np.where(np.all(after > 0, axis=(0, 2)), values, math.inf)))
    return float(values[best]), out, int(others[best])


def _matrix(scaled: _Scaled, chosen: list[int]) -> Floats:
    rows = scaled.rows[:, chosen]
    return scaled.base + rows.transpose(0, 2, 1) @ rows
