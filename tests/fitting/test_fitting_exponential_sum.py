"""The kernel's derivatives against finite differences, its starts against brute force."""

import math

import numpy as np
import pytest

from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.objective import Penalty, huber
from scaleplan.fitting.runs import runs_of

RNG = np.random.default_rng(5)
N = np.exp(RNG.uniform(np.log(2e7), np.log(5e9), 40))
D = np.exp(RNG.uniform(np.log(5e8), np.log(2e11), 40))
L = 1.8 + 480 * N**-0.35 + 2100 * D**-0.37
L *= np.exp(0.01 * RNG.standard_normal(40))
RUNS = runs_of(N, D, L)
POINTS = {
    "additive": [-1.0, -0.9, 0.6, 0.34, 0.38],
    "tied": [-1.0, -0.9, 0.6, 0.36],
    "over-training": [-1.0, -0.9, 0.6, 0.36],
    "compute-only": [-0.3, 0.55, 0.17],
}


def objective(model, theta, weight, delta, penalty):
    """A naive twin: residuals from the law itself, one point at a time."""
    residuals = model.residuals(theta[None, :])[0]
    value = float(weight @ huber(residuals, delta))
    return value + (0.0 if penalty is None else float(penalty.value(theta[None, :])[0]))


@pytest.mark.parametrize("name", POINTS)
@pytest.mark.parametrize("delta", [math.inf, 0.02, 1e-3])
@pytest.mark.parametrize("penalised", [False, True])
def test_value_gradient_and_hessian_are_those_of_the_objective(name, delta, penalised):
    model = find_fit_form(name).bind(RUNS)
    theta = np.array(POINTS[name])
    k = len(theta)
    weight = RNG.uniform(0.5, 2.0, len(RUNS))
    penalty = Penalty(np.full(k, 0.35), np.diag(np.linspace(1e-4, 2e-4, k))) if penalised else None
    local = model.local(np.stack([theta, theta * 1.01]), weight[None, :], delta, penalty)
    assert local.value[0] == pytest.approx(objective(model, theta, weight, delta, penalty), rel=1e-12)
    assert local.value[1] == pytest.approx(objective(model, theta * 1.01, weight, delta, penalty), rel=1e-12)
    step = 1e-6
    for i in range(k):
        moved = np.stack([theta, theta])
        moved[0, i] += step
        moved[1, i] -= step
        there = model.local(moved, weight[None, :], delta, penalty)
        assert local.gradient[0, i] == pytest.approx((there.value[0] - there.value[1]) / (2 * step), rel=2e-5, abs=1e-9)
        if delta != 1e-3:  # there a residual may cross its threshold within the step
            by_difference = (there.gradient[0] - there.gradient[1]) / (2 * step)
            np.testing.assert_allclose(local.hessian[0, i], by_difference, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("name", POINTS)
def test_the_residuals_are_those_of_the_law_that_the_parameters_make(name):
    form = find_fit_form(name)
    model = form.bind(RUNS)
    theta = np.array(POINTS[name])
    law = form.law_form((model.to_natural @ theta).tolist())
    if name == "compute-only":
        expected = law.loss(RUNS.train_flop)
    elif name == "over-training":
        expected = law.loss(RUNS.train_flop, D / N)
    else:
        expected = law.loss(N, D)
    np.testing.assert_allclose(model.residuals(theta[None, :])[0], np.log(expected / L), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", POINTS)
def test_the_jacobian_is_that_of_the_residuals(name):
    model = find_fit_form(name).bind(RUNS)
    theta = np.array(POINTS[name])
    jacobian = model.jacobian(theta)
    for i in range(len(theta)):
        up, down = theta.copy(), theta.copy()
        up[i] += 1e-6
        down[i] -= 1e-6
        by_difference = (model.residuals(up[None, :])[0] - model.residuals(down[None, :])[0]) / 2e-6
        np.testing.assert_allclose(jacobian[:, i], by_difference, rtol=1e-6, atol=1e-9)


def test_a_batch_gives_each_problem_what_it_gets_alone():
    model = find_fit_form("additive").bind(RUNS)
    thetas = np.array(POINTS["additive"]) * np.linspace(0.95, 1.05, 7)[:, None]
    weights = RNG.integers(0, 3, (7, len(RUNS))).astype(float)
    together = model.local(thetas, weights, 0.01, None)
    for i in range(7):
        alone = model.local(thetas[i : i + 1], weights[i : i + 1], 0.01, None)
        np.testing.assert_allclose(together.hessian[i], alone.hessian[0], rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(together.gradient[i], alone.gradient[0], rtol=1e-12, atol=1e-15)


def test_the_starts_lie_in_the_basin_of_the_law_that_made_the_runs():
    exact = runs_of(N, D, 1.8 + 480 * N**-0.35 + 2100 * D**-0.37)
    model = find_fit_form("additive").bind(exact)
    starts = model.starts(exact.weight)
    assert len(starts) >= 2
    best = starts[0]
    assert best[3] == pytest.approx(0.35, rel=0.25)
    assert best[4] == pytest.approx(0.37, rel=0.25)
    residuals = model.residuals(best[None, :])[0]
    assert np.abs(residuals).max() < 0.1


def test_a_run_of_no_weight_does_not_count():
    weight = np.ones(len(RUNS))
    weight[::2] = 0.0
    some = RUNS.subset(weight > 0)
    whole, part = find_fit_form("additive").bind(RUNS), find_fit_form("additive").bind(some)
    theta = np.array(POINTS["additive"])
    natural = whole.to_natural @ theta
    there = np.linalg.solve(part.to_natural, natural)
    value = whole.local(theta[None, :], weight[None, :], 0.01, None).value[0]
    assert value == pytest.approx(part.local(there[None, :], np.ones((1, len(some))), 0.01, None).value[0], rel=1e-12)
