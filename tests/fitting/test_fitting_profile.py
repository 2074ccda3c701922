"""Profile intervals: those of the delta method where it holds, and right where a bound breaks it."""

import math

import numpy as np
import pytest
from scipy.optimize import least_squares

from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.profile import profile_interval
from scaleplan.fitting.runs import runs_of
from scaleplan.laws.student import two_sided_quantile
from scaleplan.ops import exp, log

ADDITIVE = find_fit_form("additive")
TRUTH = (math.log(480.0), math.log(2000.0), math.log(1.8), 0.35, 0.37)


def ln_e(theta):
    return theta[2]


def ln_best_params(theta):
    """ln N* at 1e24 FLOPs (Hoffmann et al. 2022, eq. 4)."""
    ln_a, ln_b, _, alpha, beta = theta
    return (log(alpha) + ln_a - log(beta) - ln_b + beta * math.log(1e24 / 6)) / (alpha + beta)


def ln_loss(theta):
    return log(ADDITIVE.law_form(theta).loss(1e10, 1e12))


QUANTITIES = [*(lambda theta, i=i: theta[i] for i in range(5)), ln_best_params, ln_loss]


def table(seed, n=150, noise=0.003, truth=TRUTH, repeat=1, tail=None):
    rng = np.random.default_rng(seed)
    run = np.repeat(np.arange(n), repeat)
    params = np.exp(rng.uniform(math.log(5e7), math.log(1e10), n))[run]
    tokens = np.exp(rng.uniform(math.log(1e9), math.log(3e11), n))[run] * rng.uniform(0.5, 1, n * repeat)
    draws = rng.normal(size=n * repeat) if tail is None else rng.standard_t(tail, n * repeat)
    luck = rng.normal(size=n)[run] if repeat > 1 else 0.0
    loss = ADDITIVE.law_form(truth).loss(params, tokens) * np.exp(noise * (draws + luck))
    return runs_of(params, tokens, loss, run=run)


def delta_interval(fit, quantity, level=0.95):
    slope = np.array(
        [quantity([t + (1e-30j if i == j else 0) for j, t in enumerate(fit.theta)]).imag for i in range(5)]
    )
    half = two_sided_quantile(level, fit.dof) * 1e30 * math.sqrt(slope @ fit.covariance @ slope)
    centre = quantity(list(fit.theta))
    return centre - half, centre + half


@pytest.mark.parametrize("objective", [Objective.MSE, Objective.HUBER, "forecast"])
@pytest.mark.parametrize("quantity", range(len(QUANTITIES)))
def test_where_all_is_well_determined_the_delta_method_agrees(objective, quantity):
    runs = table(1, n=600, noise=0.001)
    fit = fit_forecast(runs, ADDITIVE) if objective == "forecast" else fit_form(runs, ADDITIVE, objective=objective)
    low, high = profile_interval(fit, QUANTITIES[quantity], 0.95)
    usual_low, usual_high = delta_interval(fit, QUANTITIES[quantity])
    # The forecast's noise is never below 0.6 %: its intervals are wide enough to feel E's own curvature.
    share = 0.15 if objective == "forecast" else 0.04
    assert (low, high) == pytest.approx((usual_low, usual_high), abs=share * (usual_high - usual_low))


def test_the_profile_bends_where_the_delta_method_cannot():
    fit = fit_form(table(1, n=40, noise=0.01), ADDITIVE)
    low, high = profile_interval(fit, ln_e, 0.95)
    assert fit.theta[2] - low > 1.1 * (high - fit.theta[2])


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_the_ends_are_where_an_independent_optimiser_sees_the_rise_allowed(level):
    runs = table(2, n=40, noise=0.01)
    fit = fit_form(runs, ADDITIVE, objective=Objective.MSE)

    def residuals(four, fixed):
        theta = [four[0], four[1], fixed, four[2], four[3]]
        return np.log(ADDITIVE.law_form(theta).loss(runs.params, runs.tokens) / runs.loss)

    least = float(fit.residuals @ fit.residuals)
    steps = 1e-5 * np.eye(5)
    jacobian = np.stack(
        [
            np.log(ADDITIVE.law_form(fit.theta + step).loss(runs.params, runs.tokens))
            - np.log(ADDITIVE.law_form(fit.theta - step).loss(runs.params, runs.tokens))
            for step in steps
        ],
        axis=1,
    ) / (2e-5)
    scale = fit.covariance[2, 2] / np.linalg.inv(jacobian.T @ jacobian)[2, 2]
    for end in profile_interval(fit, ln_e, level):
        other = least_squares(
            residuals, np.delete(fit.theta, 2), args=(end,), x_scale="jac", xtol=1e-14, ftol=1e-14, gtol=1e-14
        )
        assert 2 * other.cost - least == pytest.approx(two_sided_quantile(level, fit.dof) ** 2 * scale, rel=1e-3)


def test_the_interval_does_not_depend_on_how_a_quantity_is_written():
    fit = fit_form(table(3, n=40, noise=0.01), ADDITIVE)
    low, high = profile_interval(fit, ln_e, 0.9)
    assert profile_interval(fit, lambda theta: exp(theta[2]), 0.9) == pytest.approx(
        (math.exp(low), math.exp(high)), rel=1e-4
    )
    assert profile_interval(fit, lambda theta: -1e10 * exp(theta[2]), 0.9) == pytest.approx(
        (-1e10 * math.exp(high), -1e10 * math.exp(low)), rel=1e-4
    )


def test_a_higher_level_is_wider():
    fit = fit_form(table(3, n=40, noise=0.01), ADDITIVE)
    ends = [profile_interval(fit, ln_best_params, level) for level in (0.5, 0.8, 0.95, 0.99)]
    lows, highs = zip(*ends, strict=True)
    assert list(lows) == sorted(lows, reverse=True)
    assert list(highs) == sorted(highs)


def near_zero(seed):
    """30 runs of a law whose E, 0.3, is below what they can tell from nothing."""
    return table(seed, n=30, noise=0.01, truth=(math.log(60.0), math.log(120.0), math.log(0.3), 0.2, 0.2))


def test_near_zero_the_lower_end_of_ln_e_is_open_and_the_upper_is_not():
    fit = fit_form(near_zero(4), ADDITIVE)
    low, high = profile_interval(fit, ln_e, 0.95)
    assert low is None
    assert math.log(0.3) < high < math.log(2)


def test_near_zero_the_profile_covers_and_the_delta_method_fails():
    held = failed = 0
    for seed in range(60):
        fit = fit_form(near_zero(seed), ADDITIVE)
        low, high = profile_interval(fit, ln_e, 0.95)
        held += (low is None or low <= math.log(0.3)) and (high is None or math.log(0.3) <= high)
        usual_low, usual_high = delta_interval(fit, ln_e)
        missed = not usual_low <= math.log(0.3) <= usual_high
        # An E above the least loss is no answer either.
        failed += missed or usual_high > math.log(fit.runs.loss.min())
    assert held >= 53
    assert failed >= 15


@pytest.mark.parametrize("quantity", [3, 4, 5, 6])
def test_other_quantities_have_both_ends_while_e_is_at_zero(quantity):
    fits = [fit_form(near_zero(seed), ADDITIVE) for seed in range(12)]
    at_zero = [fit for fit in fits if fit.status == "at_bound"]
    assert at_zero
    for fit in at_zero:
        low, high = profile_interval(fit, QUANTITIES[quantity], 0.95)
        assert low < QUANTITIES[quantity](list(fit.theta)) < high


def test_where_the_runs_are_silent_the_prior_speaks():
    rng = np.random.default_rng(8)
    params = np.geomspace(5e7, 1e10, 40)
    tokens = 1e11 * np.exp(0.01 * rng.normal(size=40))
    loss = ADDITIVE.law_form(TRUTH).loss(params, tokens) * np.exp(0.003 * rng.normal(size=40))
    fit = fit_forecast(runs_of(params, tokens, loss), ADDITIVE)
    low, high = profile_interval(fit, lambda theta: theta[4], 0.95)
    assert high - low == pytest.approx(2 * two_sided_quantile(0.95, fit.dof) * 0.075, rel=0.2)


def test_checkpoints_that_share_their_luck_widen_the_profile_as_they_do_the_delta_method():
    runs = table(5, n=100, repeat=5, noise=0.002)
    alone = runs_of(runs.params, runs.tokens, runs.loss)
    by_run, by_row = (fit_form(each, ADDITIVE, objective=Objective.MSE) for each in (runs, alone))
    width = [np.diff(profile_interval(fit, ln_loss, 0.95))[0] for fit in (by_run, by_row)]
    usual = [np.diff(delta_interval(fit, ln_loss))[0] for fit in (by_run, by_row)]
    assert width[0] > 1.3 * width[1]
    assert width == pytest.approx(usual, rel=0.05)


@pytest.mark.parametrize("objective", list(Objective))
def test_heavy_tails_have_profiles_by_every_objective(objective):
    fit = fit_form(table(6, n=200, tail=2.5), ADDITIVE, objective=objective)
    low, high = profile_interval(fit, ln_loss, 0.95)
    usual = delta_interval(fit, ln_loss)
    assert (high - low) == pytest.approx(usual[1] - usual[0], rel=0.25)
    assert low < ln_loss(list(fit.theta)) < high


@pytest.mark.parametrize("name", ["tied", "compute-only", "kaplan-joint", "over-training"])
def test_other_forms_have_profiles_of_all_their_parameters(name):
    fit = fit_form(table(7, n=60), find_fit_form(name))
    for place, value in enumerate(fit.theta):
        low, high = profile_interval(fit, lambda theta, i=place: theta[i], 0.95)
        assert low is None or low < value
        assert high is None or value < high
        assert low is not None or high is not None


def test_exact_data_leave_an_interval_of_no_width():
    fit = fit_form(table(9, n=20, noise=0.0), ADDITIVE)
    low, high = profile_interval(fit, ln_e, 0.95)
    assert low == pytest.approx(fit.theta[2], abs=1e-6)
    assert high == pytest.approx(fit.theta[2], abs=1e-6)
