"""How sure a forecast is after runs: against a naive twin, refits of simulated runs, and what must not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import runs_of
from scaleplan.laws.additive import Additive
from scaleplan.pilots.certainty import Target, certainty, condition_number, distinct
from scaleplan.pilots.noise import Noise
from scaleplan.pilots.plausible import Plausible
from tests.pilots.worlds import TARGET, grid, laws, plausible, points, single

GOAL = Target(TARGET)
NOISE = Noise()


def ln_loss(theta, params, tokens):
    a, b, e, alpha, beta = theta
    return np.log(np.exp(a - alpha * np.log(params)) + np.exp(b - beta * np.log(tokens)) + np.exp(e))


def ln_best(theta, flop):
    a, b, _, alpha, beta = theta
    return (np.log(alpha) + a - np.log(beta) - b + beta * math.log(flop / 6)) / (alpha + beta)


def ln_least(theta, flop):
    best = ln_best(theta, flop)
    return ln_loss(theta, np.exp(best), flop / 6 / np.exp(best))


def derivative(function, theta):
    """By complex steps: exact to rounding."""
    steps = 1e-30j * np.eye(5)
    return np.array([np.imag(function(theta + step)) / 1e-30 for step in steps])


def naive(law, runs, noise, seeds, target=TARGET, run=None):
    """Standard errors by an explicit inverse, a law at a time, in the coordinates of the text."""
    E, A, B, alpha, beta = (float(np.ravel(value)[0]) for value in law)
    theta = np.array([math.log(A), math.log(B), math.log(E), alpha, beta])
    rows = derivative(lambda at: ln_loss(at, runs.params, runs.tokens), theta).T
    total = sum(
        np.outer(row, row) / float(noise.variance(points([n], [d]), target, k)[0])
        for row, n, d, k in zip(rows, runs.params, runs.tokens, seeds, strict=True)
    )
    goals = (
        derivative(lambda at: ln_least(at, target) if run is None else ln_loss(at, *run), theta),
        derivative(lambda at: ln_best(at, target), theta),
    )
    scale = 1 / np.sqrt(np.diag(total))
    inverse = scale[:, None] * np.linalg.inv(total * np.outer(scale, scale)) * scale
    return [math.sqrt(goal @ inverse @ goal) for goal in goals]


@pytest.mark.parametrize("run", [None, (3e10, 6e12)])
@pytest.mark.parametrize("noise", [NOISE, Noise(0.01, 0.0, 0.0)])
def test_standard_errors_are_those_of_a_naive_twin(noise, run):
    runs = grid()
    found = certainty(plausible(), Target(TARGET, run), runs, noise)
    for i, constants in enumerate(zip(*(np.ravel(value) for value in plausible().law), strict=True)):
        loss, params = naive(constants, runs, noise, np.ones(36), run=run)
        assert found.loss[i] == pytest.approx(loss, rel=1e-5)
        assert found.params[i] == pytest.approx(params, rel=1e-5)


def test_seeds_of_one_point_share_its_misfit():
    runs = grid(4, 4)
    seeds = np.arange(1, 17) % 4 + 1
    repeated = runs.part(np.repeat(np.arange(16), seeds))
    found = certainty(plausible(1), GOAL, repeated, NOISE)
    assert (found.loss[0], found.params[0]) == pytest.approx(naive(plausible(1).law, runs, NOISE, seeds), rel=1e-6)
    different, many = distinct(repeated)
    assert sorted(zip(different.params, many, strict=True)) == sorted(zip(runs.params, seeds, strict=True))


def test_twice_the_seeds_halve_the_variance_where_there_is_no_misfit_and_do_nothing_where_that_is_all():
    runs = grid()
    twice = runs.and_(runs)
    for noise, factor in ((Noise(0.003, 0.0, 0.0), math.sqrt(0.5)), (Noise(1e-9, 0.002, 0.01), 1.0)):
        once, again = (certainty(plausible(), GOAL, each, noise) for each in (runs, twice))
        assert again.loss / once.loss == pytest.approx(np.full(10, factor), rel=1e-6)
        assert again.params / once.params == pytest.approx(np.full(10, factor), rel=1e-6)


def test_the_order_of_runs_does_not_matter():
    runs, order = grid(), np.random.default_rng(0).permutation(36)
    once, again = (certainty(plausible(), GOAL, each, NOISE) for each in (runs, runs.part(order)))
    assert again.loss == pytest.approx(once.loss, rel=1e-9)
    assert again.params == pytest.approx(once.params, rel=1e-9)


@pytest.mark.parametrize("unit", [1e-3, 1e6])
def test_units_of_parameters_and_tokens_do_not_matter(unit):
    noise = Noise(0.003, 0.002, 0.0)
    runs, law = grid(), plausible().law
    other = law._replace(A=law.A * unit**law.alpha, B=law.B * unit**law.beta)
    once = certainty(plausible(), GOAL, runs, noise)
    moved = Plausible(other, ())
    scaled = points(runs.params * unit, runs.tokens * unit)
    again = certainty(moved, Target(TARGET * unit**2), scaled, noise)
    assert again.loss == pytest.approx(once.loss, rel=1e-5)
    assert again.params == pytest.approx(once.params, rel=1e-5)


def test_size_and_data_are_alike():
    """Exchanged, with the constants of their terms, they tell of D* what they told of N*, whose errors are the same."""
    noise, runs, law = Noise(0.003, 0.002, 0.0), grid(), plausible().law
    other = Additive(law.E, law.B, law.A, law.beta, law.alpha)
    once = certainty(plausible(), GOAL, runs, noise)
    again = certainty(Plausible(other, ()), GOAL, points(runs.tokens, runs.params), noise)
    assert again.loss == pytest.approx(once.loss, rel=1e-6)
    assert again.params == pytest.approx(once.params, rel=1e-6)


def test_noise_scales_the_errors():
    once, thrice = (certainty(plausible(), GOAL, grid(), Noise(k * 0.002, k * 0.001, k * 0.005)) for k in (1, 3))
    assert thrice.loss_se == pytest.approx(3 * once.loss_se, rel=1e-9)
    assert thrice.params_se == pytest.approx(3 * once.params_se, rel=1e-9)


def test_a_further_run_never_makes_less_sure():
    runs = grid(3, 3)
    before = certainty(plausible(), GOAL, runs, NOISE)
    for extra in (points([2e7], [3e7]), points([5e9], [5e12]), runs.part([4])):
        after = certainty(plausible(), GOAL, runs.and_(extra), NOISE)
        assert np.all(after.loss <= before.loss * (1 + 1e-9))
        assert np.all(after.params <= before.params * (1 + 1e-9))


@pytest.mark.parametrize(
    "runs",
    [
        points([1e8, 2e8, 4e8, 8e8], [1e10, 3e9, 4e9, 5e10]),
        points(np.full(9, 1e9), np.geomspace(1e9, 1e12, 9)),
        points(np.geomspace(1e8, 1e10, 9), np.full(9, 1e11)),
        grid(1, 4).and_(grid(1, 4)),
    ],
    ids=["four runs", "one size", "one number of tokens", "four runs twice"],
)
def test_runs_that_cannot_tell_the_constants_leave_everything_open(runs):
    found = certainty(plausible(), GOAL, runs, NOISE)
    assert math.isinf(found.loss_se)
    assert math.isinf(found.params_se)
    assert condition_number(plausible(), runs) > 1e12


@pytest.mark.parametrize("beta", [0.35, 0.3501, 0.4])
def test_on_one_ray_size_and_data_can_hardly_be_told_apart(beta):
    law, sizes = single(Additive(1.8, 480.0, 2100.0, 0.35, beta)), np.geomspace(1e8, 1e10, 12)
    found = certainty(law, GOAL, points(sizes, 20 * sizes), NOISE)
    assert found.params[0] > 1e4
    assert condition_number(law, points(sizes, 20 * sizes)) > 3e4


def test_the_condition_number_is_that_of_the_scaled_matrix():
    runs, law = grid(), plausible().centre
    rows = np.array(law.log_loss_sensitivity(runs.params, runs.tokens)[:2])
    e = law.E / law.loss(runs.params, runs.tokens)
    sizes, tokens = (np.log(each) - np.log(each).mean() for each in (runs.params, runs.tokens))
    rows = np.stack([*rows, e, -rows[0] * sizes, -rows[1] * tokens], axis=1)
    rows /= np.linalg.norm(rows, axis=0)
    want = np.linalg.cond(rows) ** 2
    assert condition_number(plausible(), runs) == pytest.approx(want, rel=1e-5)


def test_refits_of_simulated_runs_are_off_by_what_was_predicted():
    errors, sure = simulated()
    ratios = [errors[name] / getattr(sure, name)[:, None] for name in ("loss", "params")]
    assert [math.sqrt(np.mean(ratio**2)) for ratio in ratios] == pytest.approx([1.0, 1.0], abs=0.15)


def simulated(repetitions=50):
    """Errors (laws, repetitions) of cold weighted least squares, and what was predicted; one point has three seeds."""
    form, random = find_fit_form("additive"), np.random.default_rng(1)
    runs, seeds = grid(), np.ones(36, dtype=int)
    seeds[13] = 3
    true = Plausible(
        Additive(*(np.array([[x] for x in each]) for each in zip(*(each.surface for each in laws()), strict=True))), ()
    )
    truths = [each.surface for each in laws()]
    row = np.repeat(np.arange(36), seeds)
    misfit_sd = np.sqrt(NOISE.variance(runs, TARGET, np.inf))
    precision = 1 / (NOISE.variance(runs, TARGET, seeds) * seeds)
    found = {"loss": np.empty((len(truths), repetitions)), "params": np.empty((len(truths), repetitions))}
    for i, truth in enumerate(truths):
        best = truth.optimum(TARGET)
        for j in range(repetitions):
            off = (random.standard_normal(36) * misfit_sd)[row] + random.standard_normal(38) * NOISE.seed
            loss = truth.loss(runs.params, runs.tokens)[row] * np.exp(off)
            table = runs_of(runs.params[row], runs.tokens[row], loss, weight=precision[row])
            got = fit_form(table, form, objective=Objective.MSE).law_form.optimum(TARGET)
            found["loss"][i, j] = math.log(got.loss / best.loss)
            found["params"][i, j] = math.log(got.params / best.params)
    return found, certainty(true, GOAL, runs.part(row), NOISE)
