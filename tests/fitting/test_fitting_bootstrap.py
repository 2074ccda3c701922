"""Resampled fits: whole runs are drawn, seeds fix every bit, and the spread is that of fits to fresh data."""

import math

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.fitting.bootstrap import _Draws, bootstrap
from scaleplan.fitting.forecast import fit_forecast, row_scale
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import runs_of

ADDITIVE = find_fit_form("additive")
TRUTH = (math.log(480.0), math.log(2000.0), math.log(1.8), 0.35, 0.37)


def table(rng, n=80, noise=0.003, repeat=1, shared=0.0):
    """Runs of the law above; each has ``repeat`` rows, whose errors have ``shared`` of their variance in common."""
    params = np.exp(rng.uniform(math.log(5e7), math.log(1e10), n))
    tokens = np.exp(rng.uniform(math.log(1e9), math.log(3e11), n))
    common = rng.normal(size=n)
    run = np.repeat(np.arange(n), repeat)
    params, tokens = params[run], tokens[run] * rng.uniform(0.5, 1, n * repeat)
    error = math.sqrt(shared) * common[run] + math.sqrt(1 - shared) * rng.normal(size=n * repeat)
    loss = ADDITIVE.law_form(TRUTH).loss(params, tokens) * np.exp(noise * error)
    return runs_of(params, tokens, loss, run=run)


@pytest.fixture(scope="module")
def fit():
    return fit_forecast(table(np.random.default_rng(1)), ADDITIVE)


def test_any_number_of_workers_gives_the_same_bits(fit):
    one, two, three = (bootstrap(fit, 1400, seed=4, workers=workers) for workers in (1, 2, 3))
    assert np.array_equal(one.theta, two.theta)
    assert np.array_equal(one.theta, three.theta)
    assert np.array_equal(one.settled, three.settled)


def test_the_seed_fixes_the_draws_and_more_resamples_only_add(fit):
    first = bootstrap(fit, 256, seed=4)
    assert np.array_equal(first.theta, bootstrap(fit, 384, seed=4).theta[:256])
    assert not np.array_equal(first.theta, bootstrap(fit, 256, seed=5).theta)


def test_small_batches_draw_the_same_runs(fit, monkeypatch):
    plain = fit_form(fit.runs, ADDITIVE)
    whole = bootstrap(plain, 100, seed=4)
    monkeypatch.setattr("scaleplan.fitting.bootstrap._BATCH_BYTES", 8 * 80 * 7)
    pieces = bootstrap(plain, 100, seed=4)
    np.testing.assert_allclose(pieces.theta, whole.theta, rtol=1e-6)


@pytest.mark.parametrize("objective", list(Objective))
def test_every_refit_is_at_its_own_minimum(objective):
    runs = table(np.random.default_rng(2), n=60)
    fit = fit_form(runs, ADDITIVE, objective=objective)
    found = bootstrap(fit, 20, seed=9)
    weights = _Draws(runs, runs.weight, 5).weights(np.random.default_rng(np.random.SeedSequence(9).spawn(1)[0]), 20)
    assert found.converged == 1.0
    model = ADDITIVE.bind(runs)
    searched = np.linalg.solve(model.to_natural, found.theta.T).T
    end = model.local(searched, weights, fit.delta, None)
    newton = -np.linalg.solve(end.hessian, end.gradient[..., None])[..., 0]
    promised = -0.5 * np.einsum("bi,bi->b", end.gradient, newton)
    assert np.all(np.abs(promised) <= 1e-10 * end.value)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_refit_is_what_a_cold_fit_to_the_same_weights_finds(place):
    runs = table(np.random.default_rng(2), n=60)
    found = bootstrap(fit_form(runs, ADDITIVE, objective=Objective.MSE), 20, seed=9)
    weights = _Draws(runs, runs.weight, 5).weights(np.random.default_rng(np.random.SeedSequence(9).spawn(1)[0]), 20)
    again = runs_of(runs.params, runs.tokens, runs.loss, weight=weights[place])
    cold = fit_form(again, ADDITIVE, objective=Objective.MSE)
    np.testing.assert_allclose(found.theta[place], cold.theta, rtol=1e-6)


def test_a_run_takes_all_its_checkpoints_with_it():
    runs = table(np.random.default_rng(3), n=12, repeat=4)
    weights = _Draws(runs, runs.weight, 5).weights(np.random.default_rng(0), 50)
    by_run = weights.reshape(50, 12, 4)
    assert np.all(by_run == by_run[:, :, :1])
    assert np.all(by_run[:, :, 0].sum(axis=1) == 12)


def test_weights_of_rows_are_kept():
    rng = np.random.default_rng(3)
    plain = table(rng, n=12)
    runs = runs_of(plain.params, plain.tokens, plain.loss, weight=np.arange(12.0))
    weights = _Draws(runs, runs.weight, 5).weights(np.random.default_rng(0), 30)
    assert np.all(weights[:, 0] == 0)
    drawn = weights[:, 1:] / runs.weight[1:]
    assert runs.weight.mean() == pytest.approx(1)
    np.testing.assert_allclose(drawn, np.round(drawn), atol=1e-12)


def test_draws_too_poor_for_the_form_are_drawn_again_and_counted():
    runs = table(np.random.default_rng(5), n=8)
    draw = _Draws(runs, runs.weight, 5)
    weights = draw.weights(np.random.default_rng(0), 400)
    assert np.all((weights > 0).sum(axis=1) >= 6)
    # P(fewer than 6 of 8 different) = 1 - (28 * 191520 + 8 * 141120 + 40320) / 8^8 = 0.610
    assert draw.redrawn / (400 + draw.redrawn) == pytest.approx(0.610, abs=0.05)


def test_seed_replicates_at_one_point_do_not_count_as_different_runs():
    params, tokens = np.repeat([1e8, 2e8, 4e8, 8e8, 1.6e9, 3.2e9, 6.4e9], 3), np.repeat(np.geomspace(2e9, 1e11, 7), 3)
    runs = runs_of(params, tokens, 2.0 + 1e-9 * np.arange(21))
    weights = _Draws(runs, runs.weight, 5).weights(np.random.default_rng(0), 300)
    assert (weights.reshape(300, 7, 3).sum(axis=2) > 0).sum(axis=1).min() == 6


def test_the_spread_is_that_of_fits_to_fresh_tables():
    """The covariance of refits over that of fits to new tables of the same runs, on a design of 80 runs."""
    seeds = np.random.default_rng(11).integers(0, 2**31, 120)
    design = table(np.random.default_rng(1))
    truth = ADDITIVE.law_form(TRUTH).loss(design.params, design.tokens)
    fresh, spread = [], []
    for seed in seeds.tolist():
        loss = truth * np.exp(0.003 * np.random.default_rng(seed).normal(size=len(design)))
        again = fit_form(runs_of(design.params, design.tokens, loss), ADDITIVE)
        fresh.append(again.theta)
        if len(spread) < 10:
            spread.append(np.diag(bootstrap(again, 300).covariance()))
    ratio = np.sqrt(np.mean(spread, axis=0) / np.var(fresh, axis=0))
    assert np.all((ratio > 0.75) & (ratio < 1.4)), ratio


def test_with_priors_the_spread_is_that_of_the_posterior_where_the_noise_is_what_the_fit_takes_it_for():
    design = table(np.random.default_rng(1), n=150)
    error = 0.006 / np.maximum(row_scale(design), 0.1) * np.random.default_rng(2).normal(size=len(design))
    fit = fit_forecast(runs_of(design.params, design.tokens, design.loss * np.exp(error)), ADDITIVE)
    ratio = np.sqrt(np.diag(bootstrap(fit, 600).covariance()) / np.diag(fit.covariance))
    assert np.all((ratio > 0.7) & (ratio < 1.4)), ratio


def test_the_prior_is_drawn_anew_so_that_it_counts_as_a_measurement():
    """Runs that say nothing of beta leave it to the prior: its spread is then the prior's own, not zero."""
    rng = np.random.default_rng(8)
    params = np.geomspace(5e7, 1e10, 40)
    tokens = 1e11 * np.exp(0.01 * rng.normal(size=40))
    loss = ADDITIVE.law_form(TRUTH).loss(params, tokens) * np.exp(0.003 * rng.normal(size=40))
    fit = fit_forecast(runs_of(params, tokens, loss), ADDITIVE)
    found = bootstrap(fit, 500)
    assert np.std(found.theta[:, 4]) == pytest.approx(0.075, rel=0.15)


def test_shared_luck_of_checkpoints_widens_the_interval():
    rng = np.random.default_rng(6)
    runs = table(rng, n=40, repeat=6, shared=0.9)
    alone = runs_of(runs.params, runs.tokens, runs.loss)
    by_run, by_row = (bootstrap(fit_form(each, ADDITIVE), 400).covariance() for each in (runs, alone))
    assert np.all(np.diag(by_run) > 2 * np.diag(by_row))


def test_percentile_ends_follow_a_function_of_the_parameters(fit):
    found = bootstrap(fit, 400, seed=1)
    low, high = found.interval(0.9)
    assert low.shape == high.shape == (5,)
    assert np.mean((found.theta > low) & (found.theta < high), axis=0) == pytest.approx(0.9, abs=0.01)
    share_low, share_high = found.interval_of(lambda theta: theta[:, 4] / (theta[:, 3] + theta[:, 4]), 0.9)
    share = found.theta[:, 4] / (found.theta[:, 3] + found.theta[:, 4])
    assert (share_low, share_high) == pytest.approx(np.quantile(share, [0.05, 0.95]))
    assert repr(found) == f"Bootstrap(400 refits, {found.converged:.1%} converged, seed 1)"
    assert found.converged > 0.95


@pytest.mark.parametrize("name", ["tied", "compute-only", "kaplan-joint", "over-training"])
def test_other_forms_are_resampled_too(name):
    form = find_fit_form(name)
    runs = table(np.random.default_rng(12), n=60)
    fit = fit_form(runs, form)
    found = bootstrap(fit, 64, workers=1)
    assert found.theta.shape == (64, len(form.parameters))
    assert np.all(np.abs(np.median(found.theta, axis=0) - fit.theta) < 2 * found.theta.std(axis=0))


def test_progress_counts_chunks(fit):
    told = []
    bootstrap(fit, 300, progress=lambda *each: told.append(each))
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_what_cannot_be_resampled_is_refused(fit):
    with pytest.raises(UsageError, match=r"resamples must be at least 2 \(got 1\)"):
        bootstrap(fit, 1)
    one = table(np.random.default_rng(1), n=1, repeat=40)
    spread = runs_of(np.geomspace(1e8, 1e10, 40), one.tokens * np.geomspace(0.1, 1, 40), one.loss, run=one.run)
    with pytest.raises(UsageError, match="all rows are checkpoints of one training run"):
        bootstrap(fit_form(spread, ADDITIVE), 100)
