"""The back-test against a naive twin, and the allowances that follow from it."""

import math
from dataclasses import replace

import numpy as np
import pytest

from scaleplan.fitting.backtest import (
    FORECAST,
    PLAIN,
    Allowances,
    BackTest,
    Split,
    allowances_of,
    back_test,
)
from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import runs_of
from scaleplan.laws.additive import Additive
from scaleplan.laws.student import two_sided_quantile

FORM = find_fit_form("additive")
LAW = Additive(E=1.8172, A=482.0, B=2085.4, alpha=0.3478, beta=0.3658)
ALL = Allowances(1.5, 0.02, 0.3, 0.1, 0.0, "by hand")


def grid(noise=0.004, seed=0, budgets=6, sizes=6, law=LAW):
    flop = np.repeat(np.geomspace(1e19, 1e21, budgets), sizes)
    params = law.optimum(flop).params * np.tile(np.geomspace(1 / 8, 8, sizes), budgets)
    tokens = flop / (6 * params)
    draws = np.random.default_rng(seed).standard_normal(len(flop))
    return runs_of(params, tokens, law.loss(params, tokens) * np.exp(noise * draws))


def plain(runs):
    return fit_form(runs, FORM)


def split(errors, width=0.01, decades=0.0, starved=0.0, dof=30, budgets=2):
    """A step with these errors of ln L, each with the standard error ``width``."""
    errors = np.asarray(errors, dtype=float)
    ones = np.ones(len(errors))
    return Split(
        budgets=budgets,
        runs_fitted=12,
        dof=dof,
        train_flop_max=1e20,
        errors=errors,
        standard_errors=width * ones,
        decades=decades * ones,
        starved=starved * ones,
    )


def test_every_step_is_the_fit_to_the_first_budgets_and_its_errors_on_all_later_ones():
    runs = grid()
    tested = back_test(runs, plain)
    assert [each.budgets for each in tested.splits] == [2, 3, 4, 5]
    for each in tested.splits:
        fitted, rest = slice(0, 6 * each.budgets), slice(6 * each.budgets, None)
        fit = fit_form(runs_of(runs.params[fitted], runs.tokens[fitted], runs.loss[fitted]), FORM)
        law = fit.law_form
        N, D, L = runs.params[rest], runs.tokens[rest], runs.loss[rest]
        np.testing.assert_allclose(each.errors, np.log(law.loss(N, D) / L), rtol=1e-9, atol=1e-12)
        slopes = np.array(law.log_loss_sensitivity(N, D))
        variance = np.einsum("in,ij,jn->n", slopes, fit.covariance, slopes) + fit.sd**2
        np.testing.assert_allclose(each.standard_errors, np.sqrt(variance), rtol=1e-7)
        dearest = 6 * np.max(runs.params[fitted] * runs.tokens[fitted])
        assert each.train_flop_max == pytest.approx(dearest, rel=1e-12)
        np.testing.assert_allclose(each.decades, np.log10(6 * N * D / dearest), rtol=1e-9)
        np.testing.assert_allclose(each.starved, np.maximum(np.log10(5 * N / D), 0), rtol=1e-12)
        assert (each.runs_fitted, each.dof) == (6 * each.budgets, 6 * each.budgets - 5)
        assert each.error == pytest.approx(np.abs(each.errors).mean())
        assert each.bias == pytest.approx(each.errors.mean())
        assert each.reach == pytest.approx(1e21 / dearest, rel=1e-9)


def test_the_order_of_the_rows_does_not_matter():
    runs = grid()
    shuffled = runs.subset(np.random.default_rng(5).permutation(len(runs)))
    one, other = back_test(runs, plain), back_test(shuffled, plain)
    assert [each.error for each in other.splits] == pytest.approx([each.error for each in one.splits], rel=1e-6)


def test_checkpoints_of_a_run_stay_together():
    runs = grid(budgets=5)
    n = len(runs)
    # Every run has three checkpoints; the early ones of dear runs cost less than the cheap runs' ends.
    run = np.repeat(np.arange(n), 3)
    tokens = (runs.tokens[:, None] * np.array([0.05, 0.3, 1.0])).ravel()
    params = runs.params[run]
    table = runs_of(params, tokens, LAW.loss(params, tokens), run=run)
    asked = []

    def fitter(some):
        asked.append(some)
        return fit_form(some, FORM)

    tested = back_test(table, fitter)
    assert [each.budgets for each in tested.splits] == [2, 3, 4]
    for some, each in zip(asked, tested.splits, strict=True):
        # The whole of the first budgets' runs are fitted, and the whole of the others predicted.
        assert some.count == each.runs_fitted == 6 * each.budgets
        assert sorted(set(some.row.tolist())) == list(range(1, 18 * each.budgets + 1))
        assert len(each.errors) == 3 * (n - 6 * each.budgets)
        assert each.decades.min() == 0  # checkpoints below the dearest fitted do not count as extrapolation


def test_fewer_than_four_budgets_have_no_back_test():
    assert back_test(grid(budgets=3), plain) is None
    assert back_test(grid(budgets=4), plain) is not None


def test_at_most_the_last_six_steps_count():
    tested = back_test(grid(budgets=12, sizes=6), plain)
    # Twelve budgets are joined to eight groups, of which the fits to two to seven are looked at.
    assert [each.budgets for each in tested.splits] == [2, 3, 4, 5, 6, 7]
    assert tested.splits[-1].runs_fitted < 72


def test_steps_that_the_form_cannot_be_fitted_at_are_left_out():
    runs = grid(budgets=5, sizes=3)  # two budgets are six runs: one more than parameters; distinct enough
    assert [each.budgets for each in back_test(runs, plain).splits] == [2, 3, 4]
    form = find_fit_form("one-break")
    assert back_test(runs, lambda some: fit_form(some, form)).splits[0].budgets == 3
    rises = replace(runs, loss=1 + 0.05 * np.log(runs.train_flop))
    assert back_test(rises, plain) is None


def test_a_band_of_a_step_is_that_of_its_parts():
    each = split([0.03, -0.01], width=0.01, decades=0.5, starved=0.2)
    half = math.sqrt((1.5 * 0.01) ** 2 + (0.02 * 0.5) ** 2 + (0.1 * 0.2) ** 2)
    assert each.square(ALL) == pytest.approx((0.03**2 + 0.01**2) / 2 / half**2)
    reach = two_sided_quantile(0.5, 30) * half
    assert 0.01 < reach < 0.03
    assert each.covered(ALL, 0.5) == 0.5
    assert each.covered(ALL, 0.95) == 1.0
    assert each.summary() == {
        "budgets": 2,
        "runs_fitted": 12,
        "train_flop_max": 1e20,
        "runs_predicted": 2,
        "reach": pytest.approx(10**0.5),
        "error": pytest.approx(0.02),
        "bias": pytest.approx(0.01),
    }


def test_a_back_test_says_the_mean_of_its_steps_and_not_of_its_rows():
    tested = BackTest(splits=(split([0.01]), split([-0.03] * 9)))
    assert tested.error == pytest.approx(0.02)
    assert tested.bias == pytest.approx(-0.01)
    assert tested.coverage(FORECAST, 0.95) == 0.5


@pytest.mark.parametrize(
    ("squares", "phi"),
    [
        ([1.0, 1.0], 1.0),
        ([0.0, 0.0], math.sqrt(4 / 6)),
        ([2.25], math.sqrt(6.25 / 5)),
        ([4.0, 100.0, 0.25], math.sqrt((4 + 4 + 4 + 0.25) / 7)),
        ([1e6] * 6, math.sqrt(28 / 10)),
    ],
)
def test_the_factor_counts_the_defaults_as_four_steps_and_none_as_more_than_twice_too_narrow(squares, phi):
    # With kappa 1, no decades and no starvation the half-width is the standard error, 0.01.
    tested = BackTest(splits=tuple(split([0.01 * math.sqrt(square)] * 3) for square in squares))
    found = allowances_of(tested, forecast=True)
    assert found.kappa == pytest.approx(FORECAST.kappa * phi)
    assert found.tau == pytest.approx(FORECAST.tau * phi)
    assert found.starvation == pytest.approx(FORECAST.starvation * phi)
    assert found.drift == FORECAST.drift
    assert found.source == f"allowances from {len(squares)} back-tests"


def test_the_plain_fits_kappa_never_falls_below_its_default():
    good, bad = BackTest(splits=(split([0.0]),) * 3), BackTest(splits=(split([0.1]),) * 3)
    assert allowances_of(good, forecast=False).kappa == PLAIN.kappa == 1.7
    assert allowances_of(good, forecast=False).tau == pytest.approx(PLAIN.tau * math.sqrt(4 / 7))
    assert allowances_of(bad, forecast=False).kappa == pytest.approx(1.7 * math.sqrt(16 / 7))
    assert allowances_of(good, forecast=False).starvation == 0.0


@pytest.mark.parametrize(("forecast", "default"), [(True, FORECAST), (False, PLAIN)])
def test_without_a_back_test_the_defaults_hold_and_say_so(forecast, default):
    assert allowances_of(None, forecast=forecast) == default
    assert "too few budgets" in default.source


def test_a_law_that_is_not_the_forms_shows_in_the_factor():
    """Runs whose loss stops falling where the form goes on: predictions are too low by far more than the noise."""
    runs = grid(noise=0.001)
    bent = replace(runs, loss=runs.loss * (1 + 0.05 * np.maximum(np.log10(runs.train_flop / 2e19), 0) ** 2))
    good, bad = (allowances_of(back_test(some, plain), forecast=False) for some in (runs, bent))
    assert bad.kappa > 1.2 * good.kappa
    assert back_test(bent, plain).bias < -0.02


def test_very_many_runs_are_judged_by_an_even_choice():
    rng = np.random.default_rng(3)
    n = 12_000
    params = np.exp(rng.uniform(math.log(5e7), math.log(5e9), n))
    tokens = np.exp(rng.uniform(math.log(1e9), math.log(1e11), n))
    runs = runs_of(params, tokens, LAW.loss(params, tokens) * np.exp(0.003 * rng.standard_normal(n)))
    asked = []

    def fitter(some):
        asked.append(some)
        return fit_form(some, FORM)

    tested = back_test(runs, fitter)
    assert asked[-1].count + len(tested.splits[-1].errors) == 2000
    assert tested.error < 0.01


def test_the_forecasting_fit_is_tested_as_it_is_fitted():
    runs = grid()
    tested = back_test(runs, lambda some: fit_forecast(some, FORM))
    each = tested.splits[1]
    fit = fit_forecast(runs.subset(np.arange(18)), FORM)
    law = fit.law_form
    expected = np.log(law.loss(runs.params[18:], runs.tokens[18:]) / runs.loss[18:])
    np.testing.assert_allclose(each.errors, expected, rtol=1e-7, atol=1e-10)
    assert each.dof == 15
