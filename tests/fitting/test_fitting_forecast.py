"""The fit for forecasting: its weights, its priors, and what it gives up and keeps of the plain fit."""

import numpy as np
import pytest
from scipy.optimize import minimize

from scaleplan.fitting.forecast import expected_share, fit_forecast, has_prior, penalty_of, row_scale
from scaleplan.fitting.forms import FIT_FORMS, find_fit_form
from scaleplan.fitting.objective import huber
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import runs_of
from scaleplan.laws.additive import Additive

FORM = find_fit_form("additive")
LAW = Additive(E=1.8172, A=482.0, B=2085.4, alpha=0.3478, beta=0.3658)


def grid(noise=0.003, seed=0, budgets=6, top=1e21):
    flop = np.repeat(np.geomspace(top / 100, top, budgets), 6)
    params = LAW.optimum(flop).params * np.tile(np.geomspace(1 / 8, 8, 6), budgets)
    tokens = flop / (6 * params)
    draws = np.random.default_rng(seed).standard_normal(len(flop))
    return runs_of(params, tokens, LAW.loss(params, tokens) * np.exp(noise * draws))


def test_the_objective_is_the_documented_one():
    # A naive twin: the objective as the module's text has it, minimised by scipy from the answer.
    runs = grid(0.006, seed=2)
    fit = fit_forecast(runs, FORM)
    q = row_scale(runs)

    def objective(theta):
        a, b, e, alpha, beta = theta
        loss = np.exp(a - alpha * np.log(runs.params)) + np.exp(b - beta * np.log(runs.tokens)) + np.exp(e)
        total = huber(q * np.log(loss / runs.loss), fit.delta).sum() / fit.scale**2
        for prior in fit.prior:
            total += 0.5 * ((np.array(prior.row) @ theta - prior.mean) / prior.sd) ** 2
        return total

    found = minimize(objective, fit.theta, method="Nelder-Mead", options={"maxiter": 20000, "maxfev": 20000})
    assert objective(fit.theta) == pytest.approx(found.fun, rel=1e-6)
    assert {prior.quantity for prior in fit.prior} == {"alpha", "beta", "ln_E", "ln_N_opt"}
    assert fit.delta == pytest.approx(1.345 * fit.scale)


def test_the_best_dear_run_counts_in_full_and_lossy_cheap_or_starved_ones_less():
    params = np.array([1e9, 1e9, 1e8, 1e9])
    tokens = np.array([2e10, 2e10, 2e10, 2e9])
    loss = np.array([2.5, 3.0, 2.9, 3.2])
    q = row_scale(runs_of(params, tokens, loss))
    assert q[0] == 1.0
    assert q[1] == pytest.approx((2.5 / 3.0) ** 6)
    assert q[2] == pytest.approx((2.5 / 2.9) ** 6 * 0.1**0.25)
    assert q[3] == pytest.approx((2.5 / 3.2) ** 6 * 0.1**0.25 * (2 / 5) ** 0.5)


@pytest.mark.parametrize(("flop", "share"), [(1e17, 0.65), (1e21, 0.95 / 1.2686), (1e24, 0.8808)])
def test_e_is_expected_nearer_to_the_best_loss_where_the_runs_are_dear(flop, share):
    assert expected_share(flop) == pytest.approx(share, rel=1e-3)


def test_a_penalty_in_a_models_coordinates_is_that_of_its_priors():
    runs = grid()
    fit = fit_forecast(runs, FORM)
    model = FORM.bind(runs)
    penalty = penalty_of(model.to_natural, fit.prior, 1e-4)
    theta = np.linalg.solve(model.to_natural, fit.theta * 1.03)
    expected = sum(0.5e-4 * ((np.array(p.row) @ (fit.theta * 1.03) - p.mean) / p.sd) ** 2 for p in fit.prior)
    assert penalty.value(theta[None, :])[0] == pytest.approx(expected, rel=1e-9)


def test_few_noisy_runs_are_drawn_in_and_a_plain_fit_that_ran_away_does_not_matter():
    few = grid(0.02, seed=5).subset(np.arange(0, 36, 3))
    plain, fit = fit_form(few, FORM), fit_forecast(few, FORM)
    truth = LAW.loss(7e10, 1.4e12)
    assert abs(np.log(fit.law_form.loss(7e10, 1.4e12) / truth)) < abs(np.log(plain.law_form.loss(7e10, 1.4e12) / truth))
    assert abs(fit.theta[4] - 0.35) < abs(plain.theta[4] - 0.35)
    np.testing.assert_allclose(fit.plain, plain.theta)


def test_the_split_of_the_dearest_budget_stays_that_of_the_plain_fit():
    runs = grid(0.003, seed=1)
    plain, fit = fit_form(runs, FORM), fit_forecast(runs, FORM)
    assert np.log(fit.law_form.optimum(1e21).params / plain.law_form.optimum(1e21).params) == pytest.approx(0, abs=0.1)


def test_what_the_runs_and_the_priors_agree_on_stays():
    runs = grid(0.0)
    fit = fit_forecast(runs, FORM)
    assert fit.law_form.loss(1e10, 2e11) == pytest.approx(LAW.loss(1e10, 2e11), rel=0.01)


def test_rows_in_another_order_give_the_same_fit():
    runs = grid(0.004, seed=9)
    order = np.random.default_rng(3).permutation(len(runs))
    one, other = fit_forecast(runs, FORM), fit_forecast(runs.subset(order), FORM)
    np.testing.assert_allclose(other.theta, one.theta, rtol=1e-6)
    np.testing.assert_allclose(other.covariance, one.covariance, rtol=1e-4, atol=1e-12)


def test_every_start_ends_at_the_same_minimum():
    fit = fit_forecast(grid(0.004, seed=4), FORM)
    assert fit.status == "converged"
    assert fit.agree == fit.starts >= 4


def test_the_covariance_is_the_inverse_of_the_curvature():
    runs = grid(0.004, seed=4)
    fit = fit_forecast(runs, FORM)
    model = FORM.bind(runs)
    jacobian = model.jacobian(np.linalg.solve(model.to_natural, fit.theta)) @ np.linalg.inv(model.to_natural)
    q = row_scale(runs) * (np.abs(row_scale(runs) * fit.residuals) <= fit.delta)
    curvature = (jacobian * (q**2)[:, None]).T @ jacobian / fit.scale**2
    for prior in fit.prior:
        row = np.array(prior.row) / prior.sd
        curvature += np.outer(row, row)
    np.testing.assert_allclose(np.linalg.inv(curvature), fit.covariance, rtol=1e-4, atol=1e-10)


def test_checkpoints_of_one_run_do_not_count_as_runs():
    runs = grid(0.004, seed=4)
    twice = runs_of(
        np.repeat(runs.params, 5),
        np.repeat(runs.tokens, 5),
        np.repeat(runs.loss, 5),
        run=np.repeat(np.arange(36), 5),
    )
    once, five = fit_forecast(runs, FORM), fit_forecast(twice, FORM)
    assert five.dof == once.dof
    np.testing.assert_allclose(five.theta, once.theta, rtol=1e-3)
    np.testing.assert_allclose(five.standard_errors(), once.standard_errors(), rtol=0.3)


@pytest.mark.parametrize("form", FIT_FORMS, ids=lambda form: form.name)
def test_only_forms_with_the_priors_parameters_are_fitted_so(form):
    assert has_prior(form) == (form.name in {"additive", "tied", "repetition", "over-training"})


def test_the_unit_of_a_column_of_weights_does_not_matter():
    runs = grid(0.004, seed=4)
    given = np.random.default_rng(1).uniform(0.5, 2.0, len(runs))
    fits = [
        fit_forecast(runs_of(runs.params, runs.tokens, runs.loss, weight=unit * given), FORM)
        for unit in (1.0, 1e-4, 1 / 0.003**2)
    ]
    for each in fits[1:]:
        np.testing.assert_allclose(each.theta, fits[0].theta, rtol=1e-6)
        np.testing.assert_allclose(each.covariance, fits[0].covariance, rtol=1e-4, atol=1e-10)


def test_equal_weights_are_no_weights():
    runs = grid(0.004, seed=4)
    plain, weighted = (
        fit_forecast(runs_of(runs.params, runs.tokens, runs.loss, weight=weight), FORM)
        for weight in (None, np.full(len(runs), 1 / 0.003**2))
    )
    np.testing.assert_allclose(weighted.theta, plain.theta, rtol=1e-9)


def test_a_row_of_next_to_no_weight_does_not_set_the_scale():
    runs = grid(0.004, seed=4)
    odd = runs_of(
        np.append(runs.params, 1e12),
        np.append(runs.tokens, 1e14),
        np.append(runs.loss, 1.0),
        weight=np.append(np.ones(36), 1e-12),
    )
    np.testing.assert_allclose(fit_forecast(odd, FORM).theta, fit_forecast(runs, FORM).theta, rtol=0.02)
