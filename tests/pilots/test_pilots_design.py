"""The choice of runs: against every choice there is, its bound against other optimisers, what more room must do."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, linprog, minimize

from scaleplan.pilots.candidates import Reach, candidates
from scaleplan.pilots.certainty import Target, certainty
from scaleplan.pilots.design import Problem, _best_at, design
from scaleplan.pilots.noise import Noise
from tests.pilots.worlds import TARGET, grid, kind, plausible, points

GOAL = Target(TARGET)
NOISE = Noise()


def lattice(sizes=4, ratios=3):
    size = np.repeat(np.geomspace(3e7, 3e9, sizes), ratios)
    return points(size, size * np.tile(np.geomspace(2, 300, ratios), sizes))


def criterion(problem, chosen):
    """As the module's head says, from standard errors of runs that are all different."""
    runs = problem.points.part(list(chosen))
    sure = certainty(
        problem.plausible, problem.target, runs if problem.done is None else runs.and_(problem.done), NOISE
    )
    if math.isinf(sure.loss_se):
        return math.inf
    logs = (1 - problem.goal) * np.log(sure.loss**2) + problem.goal * np.log(sure.params**2)
    return float(np.mean(logs))


def small(share=0.4, runs=6, goal=0.5, **more):
    found = lattice()
    return Problem(plausible(3), GOAL, found, NOISE, runs, share * float(found.flop.sum()), goal, **more)


@pytest.mark.parametrize(("share", "goal"), [(0.3, 0.0), (0.3, 1.0), (0.02, 0.5)])
def test_of_a_small_problem_it_is_near_the_best_choice_there_is_and_never_below_its_bound(share, goal):
    problem = small(share, goal=goal)
    flop = problem.points.flop
    every = [
        each for each in itertools.combinations(range(12), 6) if flop[list(each)].sum() <= problem.flop * (1 + 1e-12)
    ]
    values = [criterion(problem, each) for each in every]
    found = design(problem)
    assert found.criterion == pytest.approx(criterion(problem, found.chosen), abs=1e-4)
    assert found.bound <= min(values) + 1e-9
    # Half of a difference of the criterion is one of ln se.
    assert (found.criterion - min(values)) / 2 < 0.02


def test_it_keeps_its_limits_and_comes_cheapest_first():
    found = candidates(kind(), Reach(3.5e20))
    for runs, flop in ((36, 1e21), (10, 3e20), (6, 1e19), (200, 1e21)):
        made = design(Problem(plausible(), GOAL, found.points, NOISE, runs, flop))
        chosen = found.points.part(made.chosen)
        assert len(set(made.chosen.tolist())) == len(made.chosen) <= runs
        assert chosen.flop.sum() <= flop
        assert np.all(np.diff(chosen.flop) >= 0)
        # Few runs are dear to make whole.
        assert made.bound <= made.criterion < made.bound + max(2 / runs, 0.02)


def random_designs(problem, count, seed=0):
    random = np.random.default_rng(seed)
    for _ in range(count):
        chosen, left = [], problem.flop
        for i in random.permutation(len(problem.points)).tolist():
            if len(chosen) < problem.runs and problem.points.flop[i] <= left:
                chosen.append(i)
                left -= problem.points.flop[i]
        yield chosen


@pytest.mark.parametrize("goal", [0.0, 0.5, 1.0])
def test_no_choice_at_random_is_below_the_bound_or_as_good(goal):
    found = candidates(kind(), Reach(3.5e20)).points
    problem = Problem(plausible(), GOAL, found, NOISE, 36, 1e21, goal)
    made = design(problem)
    others = [criterion(problem, each) for each in random_designs(problem, 20)]
    assert made.bound <= made.criterion < min(others)


def test_its_bound_is_the_least_of_the_relaxed_problem_by_another_optimiser():
    problem = small(0.1, runs=8)
    runs, rows, flop = problem.points, [], problem.points.flop
    variance = NOISE.variance(runs, TARGET, 1)
    law = problem.plausible.law
    gradient = np.stack(np.broadcast_arrays(*law.log_loss_sensitivity(runs.params, runs.tokens)), axis=-1)
    best = law.optimum(TARGET)
    of_loss = np.stack(np.broadcast_arrays(*law.log_loss_sensitivity(best.params, best.tokens)), axis=-1)
    of_size = np.stack(np.broadcast_arrays(*law.log_params_sensitivity(best.params, best.tokens)), axis=-1)
    scale = np.linalg.norm(gradient, axis=1)
    rows = gradient / scale[:, None] / np.sqrt(variance)[:, None]

    def value(weight):
        total = 0.0
        for row, norm, loss, size in zip(rows, scale, of_loss[:, 0], of_size[:, 0], strict=True):
            inverse = np.linalg.inv(row.T @ (weight[:, None] * row))
            total += sum(0.5 * math.log(g @ inverse @ g) for g in (loss / norm, size / norm))
        return total / len(rows)

    start = np.full(12, min(problem.runs / 12, problem.flop / flop.sum()))
    limits = LinearConstraint(np.stack([np.ones(12), flop / problem.flop]), -np.inf, [problem.runs, 1.0])
    least = minimize(value, start, method="SLSQP", bounds=[(0, 1)] * 12, constraints=limits, options={"maxiter": 300})
    made = design(problem)
    assert made.bound == pytest.approx(least.fun, abs=2e-3)
    assert made.bound <= least.fun + 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_the_best_weights_at_given_prices_are_those_of_linear_programming(seed):
    random = np.random.default_rng(seed)
    n = int(random.integers(5, 60))
    price, flop = random.exponential(size=n), 10 ** random.uniform(15, 22, n)
    runs, budget = int(random.integers(1, n + 1)), float(flop.sum() * random.uniform(1e-3, 1.1))
    weight = _best_at(price, flop, runs, budget)
    want = linprog(-price, A_ub=np.stack([np.ones(n), flop / budget]), b_ub=[runs, 1.0], bounds=(0, 1))
    assert price @ weight == pytest.approx(-want.fun, rel=1e-7)
    assert weight.sum() <= runs + 1e-9
    assert flop @ weight <= budget * (1 + 1e-9)
    assert weight.min() >= 0
    assert weight.max() <= 1 + 1e-12


def test_more_compute_and_more_runs_lower_the_bound():
    for steps in ([small(share) for share in (0.05, 0.1, 0.3, 1.0)], [small(0.2, runs) for runs in (5, 6, 8, 12)]):
        bounds = [design(each).bound for each in steps]
        assert all(after <= before + 1e-3 for before, after in itertools.pairwise(bounds))
        assert bounds[-1] < bounds[0] - 0.1


def test_each_goal_is_best_served_by_its_own_design_and_both_lie_between():
    found = candidates(kind(), Reach(3.5e21)).points
    sure = []
    for goal in (0.0, 0.5, 1.0):
        made = design(Problem(plausible(), GOAL, found, NOISE, 36, 1e22, goal))
        sure.append(certainty(plausible(), GOAL, found.part(made.chosen), NOISE))
    assert sure[0].loss_se < sure[1].loss_se < sure[2].loss_se
    assert sure[2].params_se < sure[1].params_se < sure[0].params_se


def test_runs_that_are_done_count():
    done = grid(3, 3, 1e8, 1e9)
    problem = small(0.1, runs=5, done=done)
    found = design(problem)
    assert found.criterion == pytest.approx(criterion(problem, found.chosen), abs=1e-4)
    others = [criterion(problem, each) for each in random_designs(problem, 20)]
    assert found.bound <= found.criterion <= min(others) + 0.01
    assert found.criterion < criterion(problem, ()) - 0.1
    alone = design(small(0.1, runs=5))
    assert criterion(problem, found.chosen) <= criterion(problem, alone.chosen) + 1e-9


def test_the_order_of_candidates_does_not_matter():
    found = candidates(kind(), Reach(3.5e20)).points
    order = np.random.default_rng(3).permutation(len(found))
    once = design(Problem(plausible(), GOAL, found, NOISE, 36, 1e21))
    again = design(Problem(plausible(), GOAL, found.part(order), NOISE, 36, 1e21))
    assert again.criterion == pytest.approx(once.criterion, abs=5e-3)
    assert again.bound == pytest.approx(once.bound, abs=2e-3)
