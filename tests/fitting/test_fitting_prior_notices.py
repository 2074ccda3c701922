"""When it is said that the fit for forecasting is far from the plain one."""

import math
from dataclasses import replace

import numpy as np
import pytest

from scaleplan.fitting.fit_diagnostics import prior_notices, prior_shift
from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.point import fit_form
from tests.fitting.test_fitting_run_diagnostics import BETA, B, grid, law

ADDITIVE = find_fit_form("additive")


def bent(size=0.2, slope=0.95, **kwargs):
    """Runs of a law whose alpha is not that of laws elsewhere."""
    runs = grid(**kwargs)
    loss = 1.8 + size * (runs.params / 1e9) ** -slope + B * runs.tokens**-BETA
    return replace(runs, loss=loss * runs.loss / law(runs.params, runs.tokens))


def prior_message(runs):
    (notice,) = prior_notices(fit_forecast(runs, ADDITIVE))
    assert notice.code == "prior_moved"
    assert notice.message.startswith("pilots.csv: priors and weights for forecasting moved alpha from ")
    assert notice.message.endswith("--no-prior gives the plain fit.")
    return notice.message


def test_a_prior_that_moves_an_exponent_by_a_standard_error_is_said():
    runs = bent(span=3, sd=0.01)
    fit, plain = fit_forecast(runs, ADDITIVE), fit_form(runs, ADDITIVE)
    moved = (fit.theta[3] - plain.theta[3]) / fit.standard_errors()[3]
    assert moved < -1
    assert f"alpha from {plain.theta[3]:.3g} to {fit.theta[3]:.3g} ({-moved:.1f} standard errors)" in prior_message(
        runs
    )


def test_a_prior_that_moves_the_loss_further_out_is_said(good_forecast):
    theta = good_forecast.theta.copy()
    error = prior_shift(good_forecast).ln_loss.errors
    assert error < 1
    theta[2] += 0.02  # E by 2 %, no exponent
    text = prior_notices(replace(good_forecast, theta=theta))[0].message
    assert "the loss at ten times the dearest compute by +" in text
    sure = good_forecast.covariance / 1e4
    sure[3:, 3:] = good_forecast.covariance[3:, 3:]
    theta[2] -= 0.0199
    assert prior_notices(replace(good_forecast, theta=theta, covariance=sure)) == (), "many errors, less than 0.5 %"


@pytest.fixture(scope="module")
def good_forecast():
    return fit_forecast(grid(), ADDITIVE)


@pytest.mark.parametrize("compute", [(1e18, 1e20), (1e19, 1e21), (1e20, 1e22)])
@pytest.mark.parametrize("form", ["additive", "tied"])
def test_good_grids_and_the_fit_for_forecasting_agree(form, compute):
    low, high = compute
    fits = [fit_forecast(grid(low=low, high=high, seed=seed), find_fit_form(form)) for seed in range(30)]
    assert sum(bool(prior_notices(fit)) for fit in fits) <= 2, "measured 1 %"


def test_a_plain_fit_has_no_prior_to_speak_of():
    good = fit_form(grid(), ADDITIVE)
    assert prior_shift(good) is None
    assert prior_notices(good) == ()


def test_the_shift_is_the_difference_of_the_two_laws(good_forecast):
    shift, fit = prior_shift(good_forecast), good_forecast
    runs = fit.runs
    top = np.flatnonzero(runs.train_flop > 0.99e21)
    best = top[np.argmin(runs.loss[top])]
    at = runs.params[best] * math.sqrt(10), runs.tokens[best] * math.sqrt(10)

    def ln_loss(theta):
        return math.log(fit.form.law_form([float(x) for x in theta]).loss(*at))

    assert shift.ln_loss.plain == pytest.approx(ln_loss(fit.plain), abs=1e-12)
    assert shift.ln_loss.now == pytest.approx(ln_loss(fit.theta), abs=1e-12)
    slope = [(ln_loss(fit.theta + s) - ln_loss(fit.theta - s)) / 2e-5 for s in 1e-5 * np.eye(5)]
    error = math.sqrt(slope @ fit.covariance @ slope)
    assert shift.ln_loss.errors == pytest.approx(abs(ln_loss(fit.theta) - ln_loss(fit.plain)) / error, rel=1e-4)
    for name, place in (("alpha", 3), ("beta", 4)):
        assert shift.exponents[name][:2] == (fit.plain[place], fit.theta[place])


def test_the_shift_does_not_know_the_order_of_the_rows(good_forecast):
    runs = grid()
    turned = fit_forecast(runs.subset(np.arange(35, -1, -1)), ADDITIVE)
    assert prior_shift(turned).ln_loss == pytest.approx(prior_shift(good_forecast).ln_loss, rel=1e-4)
