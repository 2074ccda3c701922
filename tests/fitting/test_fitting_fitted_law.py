"""A law from runs: every method and form, intervals near bounds, and refusals with advice."""

import math
from dataclasses import replace

import numpy as np
import pytest

from scaleplan.errors import ConvergenceError, UsageError
from scaleplan.fitting.backtest import FORECAST, PLAIN
from scaleplan.fitting.fitted_law import fit_law
from scaleplan.fitting.forms import FIT_FORMS
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.runs import runs_of
from scaleplan.fitting.settings import Settings
from scaleplan.laws.additive import Additive
from scaleplan.laws.student import two_sided_quantile
from tests.fitting.test_fitting_forms import made

LAW = Additive(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
LOW_E = Additive(E=0.05, A=60.0, B=120.0, alpha=0.16, beta=0.16)


def grid(noise=0.003, seed=0, budgets=6, sizes=6, law=LAW):
    flop = np.repeat(np.geomspace(1e19, 1e21, budgets), sizes)
    params = law.optimum(flop).params * np.tile(np.geomspace(1 / 8, 8, sizes), budgets)
    tokens = flop / (6 * params)
    draws = np.random.default_rng(seed).standard_normal(len(flop))
    return runs_of(params, tokens, law.loss(params, tokens) * np.exp(noise * draws))


def curves(noise=0.0):
    """Runs of several sizes with checkpoints."""
    sizes = np.geomspace(5e7, 5e9, 8)
    params = np.repeat(sizes, 30)
    tokens = np.tile(np.geomspace(1e9, 3e11, 30), 8)
    draws = np.random.default_rng(0).standard_normal(len(params))
    return runs_of(params, tokens, LAW.loss(params, tokens) * np.exp(noise * draws), run=np.repeat(np.arange(8), 30))


def constants(found):
    return {each.symbol: each for each in found.constants}


@pytest.mark.parametrize("form", FIT_FORMS, ids=lambda form: form.name)
def test_every_form_gives_constants_within_finite_or_absent_ends(form):
    found = fit_law(made(form.name, noise=0.003), Settings(form=form.name))
    assert [each.symbol for each in found.constants] == [name.removeprefix("ln_") for name in form.parameters]
    for each, name in zip(found.constants, form.parameters, strict=True):
        value = found.fit.values()[name]
        assert each.value == pytest.approx(math.exp(value) if name.startswith("ln_") else value)
        assert math.isfinite(each.value)
        assert each.low is None or (math.isfinite(each.low) and each.low <= each.value)
        assert each.high is None or (math.isfinite(each.high) and each.high >= each.value)
    assert (found.rule is not None) == form.compute_only
    assert found.covariance_by == "delta"


@pytest.mark.parametrize("method", ["parametric", "isoflop", "envelope", "all"])
def test_every_method_gives_what_it_promises(method):
    runs = curves() if method == "envelope" else grid(sizes=7)
    found = fit_law(runs, Settings(method=method))
    if method in ("isoflop", "envelope"):
        assert [each.method for each in found.approaches] == [method]
        assert found.rule is found.approaches[0].found
        assert found.fit is found.rule.trend
        assert found.back_test is None
        assert found.allowances[:4] == PLAIN[:4]
        assert "not back-tested" in found.allowances.source
        assert found.rule.rule.a == pytest.approx(LAW.params_exponent, abs=0.08)
    else:
        assert found.rule is None
        assert found.back_test is not None
        assert found.allowances.source == f"allowances from {len(found.back_test.splits)} back-tests"
    if method == "all":
        # Without checkpoints there is no envelope, and that is said.
        assert [each.method for each in found.approaches] == ["isoflop"]
        left = [notice for notice in found.warnings if notice.code == "approach_left_out"]
        assert len(left) == 1
        assert "--method envelope" in left[0].message
    assert all(math.isfinite(each.value) for each in found.constants)


def test_approaches_widen_the_band_of_the_parametric_fit():
    runs = grid(sizes=7)
    alone, beside = fit_law(runs, Settings()), fit_law(runs, Settings(method="all"))
    np.testing.assert_array_equal(alone.fit.theta, beside.fit.theta)
    wider = beside.covariance - alone.covariance
    scale = np.sqrt(np.diag(alone.covariance))
    values = np.linalg.eigvalsh(wider / np.outer(scale, scale))
    assert values[-1] > 0
    np.testing.assert_allclose(values[:-1], 0, atol=1e-6 * values[-1])


def test_intervals_by_hand():
    runs = grid()
    for prior in (True, False):
        found = fit_law(runs, Settings(prior=prior))
        wide = two_sided_quantile(0.95, found.fit.dof) * max(1.0, found.allowances.kappa)
        for i, each in enumerate(found.constants):
            half = wide * math.sqrt(found.covariance[i, i])
            value = found.fit.theta[i]
            ends = (value - half, value + half)
            expected = ends if i > 2 else tuple(map(math.exp, ends))
            assert (each.low, each.high) == pytest.approx(expected, rel=1e-12)


def test_sampling_intervals_leave_the_allowance_out():
    runs = grid()
    wide, narrow = (fit_law(runs, Settings(prior=False, band=band)) for band in ("forecast", "sampling"))
    for a, b in zip(wide.constants, narrow.constants, strict=True):
        if a.symbol in ("alpha", "beta"):
            assert (a.high - a.low) / (b.high - b.low) == pytest.approx(wide.allowances.kappa, rel=1e-9)
    # A back-test that finds losses nearer than their errors says nothing of the constants: kappa counts as one.
    forecast, sampling = (fit_law(runs, Settings(band=band)) for band in ("forecast", "sampling"))
    assert forecast.allowances.kappa < 1
    assert constants(sampling)["alpha"] == constants(forecast)["alpha"]


@pytest.mark.parametrize("seed", [0, 4])
def test_where_nothing_holds_e_its_interval_has_no_lower_end_and_no_upper_one_beyond_the_losses(seed):
    runs = grid(0.01, seed=seed, sizes=5, law=LOW_E)
    found = fit_law(runs, Settings(prior=False))
    assert found.fit.status == "at_bound"
    e = constants(found)["E"]
    assert e.low is None
    assert e.high is not None
    assert 0.05 < e.high < runs.loss.min()
    assert "e_unidentified" in {notice.code for notice in found.warnings}
    # What is fitted together with E still has its intervals.
    alpha = constants(found)["alpha"]
    assert alpha.low is not None
    assert alpha.low < 0.16 < alpha.high


def test_a_wider_allowance_follows_the_profile_and_does_not_stretch_it():
    runs = grid(0.01, seed=0, sizes=5, law=LOW_E)
    by_band = {band: constants(fit_law(runs, Settings(prior=False, band=band))) for band in ("forecast", "sampling")}
    kappa = fit_law(runs, Settings(prior=False)).allowances.kappa
    assert kappa >= 1.7
    wide, narrow = by_band["forecast"]["E"], by_band["sampling"]["E"]
    assert narrow.high < wide.high < narrow.high * kappa * 2


@pytest.mark.parametrize("objective", list(Objective))
@pytest.mark.parametrize("prior", [True, False])
def test_a_loss_that_rises_with_size_is_refused_with_advice_that_fits(objective, prior):
    runs = grid()
    rises = replace(runs, loss=1 + 0.05 * np.log(runs.train_flop))
    settings = Settings(prior=prior, objective=objective, bootstrap=0)
    if prior and objective is Objective.HUBER:
        found = fit_law(rises, settings)
        assert {"at_bound", "e_unidentified", "prior_moved"} <= {notice.code for notice in found.warnings}
        return
    with pytest.raises(ConvergenceError, match="does not fall with size or data") as caught:
        fit_law(rises, settings)
    assert ("leave --no-prior out" in caught.value.message) == (not prior)
    assert ("leave --objective out" in caught.value.message) == (objective is not Objective.HUBER)
    assert "alpha = -0.0" in caught.value.message
    assert "add runs of other sizes" in caught.value.message


def test_no_advice_on_the_prior_where_there_is_none():
    runs = grid()
    rises = replace(runs, loss=1 + 0.05 * np.log(runs.train_flop))
    with pytest.raises(ConvergenceError) as caught:
        fit_law(rises, Settings(form="compute-only", prior=False))
    assert "--no-prior" not in caught.value.message


def test_a_loss_that_never_changes_leaves_the_priors_and_says_so():
    runs = grid()
    found = fit_law(replace(runs, loss=np.full(len(runs), 3.0)), Settings())
    assert {each.quantity for each in found.fit.prior} == {"alpha", "beta", "ln_E"}
    assert {"e_unidentified", "exponent_unidentified"} <= {notice.code for notice in found.warnings}


def test_resamples_give_the_covariance_and_none_the_delta_method():
    runs = grid()
    default = fit_law(runs, Settings(objective=Objective.HOFFMANN))
    delta = fit_law(runs, Settings(objective=Objective.HOFFMANN, bootstrap=0))
    asked = fit_law(runs, Settings(objective=Objective.HOFFMANN, bootstrap=1000))
    assert (default.covariance_by, delta.covariance_by) == ("bootstrap", "delta")
    np.testing.assert_array_equal(default.covariance, asked.covariance)
    np.testing.assert_array_equal(delta.covariance, delta.fit.covariance)
    other = fit_law(runs, Settings(objective=Objective.HOFFMANN, bootstrap=1000, seed=1))
    assert not np.array_equal(other.covariance, asked.covariance)
    np.testing.assert_allclose(np.sqrt(np.diag(other.covariance)), np.sqrt(np.diag(asked.covariance)), rtol=0.2)


def test_progress_is_told_of_every_chunk():
    told = []
    fit_law(grid(), Settings(bootstrap=300), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]  # of 128, 128 and 44 resamples


def test_few_budgets_have_default_allowances():
    found = fit_law(grid(budgets=3), Settings())
    assert found.back_test is None
    assert found.allowances == FORECAST
    assert fit_law(grid(budgets=3), Settings(prior=False)).allowances == PLAIN


@pytest.mark.parametrize("method", ["isoflop", "envelope"])
def test_a_method_that_the_table_does_not_allow_is_refused(method):
    runs = grid(budgets=1) if method == "isoflop" else grid()
    with pytest.raises(UsageError, match=f"--method {method} needs"):
        fit_law(runs, Settings(method=method))
