"""Every notice on a fit has a fit that raises it and one that does not."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from scaleplan.fitting.diagnostic_statistics import all_different, clipped_sd, condition_number, f_deviate, same
from scaleplan.fitting.fit_diagnostics import fit_notices
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import runs_of
from scaleplan.fitting.solution import AT_BOUND, NOT_CONVERGED
from tests.fitting.test_fitting_run_diagnostics import condition_by_differences, grid, law, stacked

ADDITIVE = find_fit_form("additive")


def fitted(runs, form="additive", **kwargs):
    return fit_form(runs, find_fit_form(form), **kwargs)


def codes(fit):
    return [notice.code for notice in fit_notices(fit)]


def message(fit, code):
    found = [notice.message for notice in fit_notices(fit) if notice.code == code]
    assert len(found) == 1, f"{code} once among {codes(fit)}"
    assert found[0].startswith("pilots.csv: ")
    assert found[0].endswith(".")
    return found[0]


def moved(runs, rows, factor):
    loss = runs.loss.copy()
    loss[rows] *= factor
    return replace(runs, loss=loss)


@pytest.fixture(scope="module")
def good():
    return fitted(grid())


@pytest.mark.parametrize("sd", [0.0, 0.003, 0.01])
@pytest.mark.parametrize("form", ["additive", "tied", "over-training"])
def test_a_good_grid_raises_nothing(form, sd):
    assert fit_notices(fitted(grid(sd=sd), form)) == ()


def test_false_alarms_are_rare():
    alarms = sum(bool(fit_notices(fitted(grid(seed=seed)))) for seed in range(100, 200))
    assert alarms <= 6, "measured 1.5 % of 400 grids; more than 6 of 100 has a chance of 0.1 %"


def test_not_converged(good):
    assert "did not settle" in message(replace(good, status=NOT_CONVERGED), "not_converged")
    assert "not_converged" not in codes(good)


def test_starts_disagree(good):
    assert "only 1 of 4 searches" in message(replace(good, starts=4, agree=1), "starts_disagree")
    assert "starts_disagree" not in codes(replace(good, starts=4, agree=2))


def test_at_bound_names_what_ran_to_zero(good):
    theta = good.theta.copy()
    theta[2] = -25.0
    assert "E of the plain fit ran to zero" in message(replace(good, theta=theta, status=AT_BOUND), "at_bound")
    theta = good.theta.copy()
    theta[4] = 1e-4
    assert "beta of the plain fit ran to zero" in message(replace(good, theta=theta, status=AT_BOUND), "at_bound")
    assert "at_bound" not in codes(good)


@pytest.mark.parametrize("slope", [0.1, 0.2])
@pytest.mark.parametrize("sd", [0.003, 0.01])
def test_a_floor_that_runs_without_a_floor_cannot_show(slope, sd):
    runs = grid(high=1e20, sd=sd)
    power = 50 * runs.params**-slope + 60 * runs.tokens**-slope
    found = codes(fitted(replace(runs, loss=power * (runs.loss / law(runs.params, runs.tokens)))))
    assert {"at_bound", "e_unidentified"} & set(found)


def test_e_unidentified(good):
    covariance = good.covariance.copy()
    covariance[2, 2] = 0.31**2
    assert "with a standard error of 0.31 in its logarithm" in message(
        replace(good, covariance=covariance), "e_unidentified"
    )
    covariance[2, 2] = 0.29**2
    assert "e_unidentified" not in codes(replace(good, covariance=covariance))


@pytest.mark.parametrize("ratio", [5, 20, 100])
@pytest.mark.parametrize("sd", [0.0, 0.001, 0.01])
def test_runs_along_a_ray_cannot_tell_size_from_data(ratio, sd):
    params = np.geomspace(1e8, 1e10, 40)
    noise = np.exp(sd * np.random.default_rng(0).standard_normal(40))
    ray = fitted(runs_of(params, ratio * params, law(params, ratio * params) * noise, source="pilots.csv"))
    text = message(ray, "ill_conditioned")
    assert "whatever their standard errors" in text
    assert "tokens = k params" in text


def test_exponents_unidentified(good):
    covariance = good.covariance.copy()
    covariance[3, 3] = 0.11**2
    text = message(replace(good, covariance=covariance), "exponent_unidentified")
    assert f"alpha = {good.theta[3]:.3g} (standard error 0.11) by the plain fit" in text
    assert "beta" not in text
    assert text.endswith("or fit --form tied.")
    covariance[3, 3] = 0.09**2
    assert "exponent_unidentified" not in codes(replace(good, covariance=covariance))
    theta = good.theta.copy()
    theta[3] = 0.2
    assert "exponent_unidentified" in codes(replace(good, theta=theta, covariance=covariance)), "45 % of itself"
    assert "exponent_unidentified" not in codes(good)


def test_few_noisy_sizes_leave_the_exponents_unidentified():
    assert "--form tied" in message(fitted(grid(budgets=3, sizes=3, sd=0.03)), "exponent_unidentified")
    tied = message(fitted(grid(budgets=3, sizes=3, sd=0.1), "tied"), "exponent_unidentified")
    assert "--form" not in tied, "it is fitted already"
    steep = message(fitted(grid(sd=0.003), "compute-only"), "exponent_unidentified")
    assert steep.endswith("by the plain fit: add runs over a wider range of compute.")


def test_constants_of_other_forms_unidentified():
    runs = grid()
    repetition = fitted(replace(runs, unique_tokens=runs.tokens / (1 + np.arange(36) % 2 * 0.2)), "repetition")
    assert "R_D*" in message(repetition, "constant_unidentified")
    epochs = np.tile([1.0, 4.0, 16.0, 64.0], 36)
    wide = stacked(*(grid(seed=seed) for seed in range(4)))
    wide = replace(wide, unique_tokens=wide.tokens / epochs)
    constants = [math.log(v) for v in (482.01, 2085.43, 1.8172)] + [0.3478, 0.3658, math.log(15.4), math.log(5.3)]
    model = find_fit_form("repetition").bind(replace(wide, loss=np.ones(len(wide))))
    ln_loss = model.residuals(np.linalg.solve(model.to_natural, constants)[None, :])[0]
    noise = 0.003 * np.random.default_rng(0).standard_normal(len(wide))
    assert "constant_unidentified" not in codes(fitted(replace(wide, loss=np.exp(ln_loss + noise)), "repetition"))


def test_the_condition_number_is_that_of_the_jacobian_by_differences(good):
    values = dict(zip(good.form.parameters, good.theta.tolist(), strict=True))
    assert condition_number(good) == pytest.approx(condition_by_differences(good.runs), rel=0.3), "laws near each other"
    exact = fitted(grid(sd=0.0))
    assert condition_number(exact) == pytest.approx(condition_by_differences(exact.runs), rel=1e-4)
    assert values["alpha"] == pytest.approx(0.3478, abs=0.03)


def test_the_condition_number_does_not_know_units(good):
    runs = good.runs
    scaled = replace(runs, params=runs.params / 1e9, tokens=runs.tokens / 1e9)
    assert condition_number(fitted(scaled)) == pytest.approx(condition_number(good), rel=1e-4)


def test_ill_conditioned():
    assert "ill_conditioned" not in codes(fitted(grid(span=2)))
    assert "good grids have 300 to 5,000" in message(fitted(grid(span=1.1)), "ill_conditioned")


def test_outliers_are_named_with_the_weight_that_is_left():
    fit = fitted(moved(grid(), [7, 20], 1.08))
    text = message(fit, "outliers")
    weight = fit.delta / abs(fit.residuals[7])
    assert f"row 8 {math.expm1(-fit.residuals[7]):+.2%} (weight {weight:.2g})" in text
    assert "row 21" in text
    assert "outliers" not in codes(fitted(moved(grid(), [7, 20], 1.005)))


def test_an_outlier_of_a_row_that_counts_little_is_none():
    runs = moved(grid(), [7], 1.03)
    assert "row 8 " in message(fitted(runs), "outliers")
    weight = np.ones(36)
    weight[7] = 0.01
    assert "outliers" not in codes(fitted(replace(runs, weight=weight)))
    weight[7] = 0.0
    left = fitted(replace(runs, weight=weight))
    assert fit_notices(left) == ()
    without = fitted(runs.subset(np.arange(36) != 7))
    np.testing.assert_allclose(left.theta, without.theta, rtol=1e-6)


def test_least_squares_leaves_outliers_their_weight():
    assert "which least squares weighs in full" in message(
        fitted(moved(grid(), [7], 1.2), objective=Objective.MSE), "outliers"
    )


def test_losses_in_bits_are_recognised():
    runs = grid(budgets=10, sizes=10)
    assert "as losses in bits are" in message(fitted(moved(runs, [3, 50], 1 / math.log(2))), "outliers")
    assert "bits" not in message(fitted(moved(runs, [3, 50], 1.2)), "outliers")


def test_a_regime_where_the_form_breaks():
    runs = grid(budgets=10, sizes=10)
    ratio = runs.tokens / runs.params
    high = np.flatnonzero(ratio > 700)
    assert "and above, losses are" in message(fitted(moved(runs, high, 1.1)), "regime_break")
    assert "regime_break" not in codes(fitted(runs))
    middle = np.flatnonzero((ratio > 15) & (ratio < 30))
    assert "regime_break" not in codes(fitted(moved(runs, middle, 1.15))), "no end of the range"


@pytest.mark.parametrize("factor", [1.1, 1.15, 1.3, 1.6, 2.0])
def test_starved_rows_are_a_regime_of_their_own(factor):
    runs = grid(budgets=10, sizes=10)
    low = np.flatnonzero(runs.tokens / runs.params < 0.5)
    text = message(fitted(moved(runs, low, factor)), "regime_break")
    assert "at 0.313 tokens per parameter and below, losses are" in text
    assert "above the law (rows 10, 20, 30, 40, 50 and 5 more)" in text


@pytest.mark.parametrize("slope", [0.1, 0.4])
@pytest.mark.parametrize("sizes", [6, 10])
def test_losses_that_rise_smoothly_with_starvation_are_a_regime(slope, sizes):
    runs = grid(budgets=sizes, sizes=sizes)
    starved = np.maximum(np.log10(2 * runs.params / runs.tokens), 0)
    assert "tokens per parameter and below" in message(
        fitted(replace(runs, loss=runs.loss * (1 + slope * starved))), "regime_break"
    )


def test_a_bend_is_a_misfit():
    runs = grid(budgets=10, sizes=10)
    bent = np.log(runs.tokens / runs.params / 20) ** 2
    fit = fitted(replace(runs, loss=runs.loss * np.exp(0.01 * (bent - bent.mean()))))
    text = message(fit, "misfit")
    assert "smooth pattern of size and tokens" in text
    assert "--compare" in text
    assert "misfit" not in codes(fitted(runs))
    assert "misfit" not in codes(fitted(grid(budgets=10, sizes=10, sd=0.02))), "noise is no misfit"


def test_scatter_beyond_that_of_replicates_is_a_misfit():
    rough, one, other = grid(seed=0, sd=0.012), grid(seed=1, sd=0.001), grid(seed=2, sd=0.001)
    factor = rough.loss / law(rough.params, rough.tokens)
    pairs = stacked(replace(one, loss=one.loss * factor), replace(other, loss=other.loss * factor))
    assert "among replicates (36 degrees of freedom)" in message(fitted(pairs), "misfit")
    assert "misfit" not in codes(fitted(stacked(grid(seed=1), grid(seed=2))))


def test_checkpoints_that_share_a_runs_luck_are_no_misfit():
    runs = grid(budgets=8, sizes=16)
    luck = np.exp(0.004 * np.random.default_rng(3).standard_normal(16))
    shared = replace(runs, loss=runs.loss * luck[np.arange(128) % 16], run=np.arange(128) % 16)
    assert "misfit" not in codes(fitted(shared))


def test_noisy():
    assert "scatter by" in message(fitted(grid(budgets=10, sizes=10, sd=0.05)), "noisy")
    assert "noisy" not in codes(fitted(grid(budgets=10, sizes=10, sd=0.02)))


def test_heteroscedastic():
    even = grid(budgets=15, sizes=10, sd=0.0)
    draws = np.random.default_rng(0).standard_normal(150)
    size = 0.02 * (even.train_flop / 1e19) ** -0.5
    text = message(fitted(replace(even, loss=even.loss * np.exp(size * draws))), "heteroscedastic")
    assert "falls from" in text
    assert "weight" in text
    assert "heteroscedastic" not in codes(fitted(replace(even, loss=even.loss * np.exp(0.005 * draws))))


@pytest.mark.parametrize(("f", "one", "two"), [(3.0, 5, 30), (8.0, 5, 100), (1.0, 20, 20), (2.5, 60, 500)])
def test_the_normal_deviate_of_f_has_its_tail(f, one, two):
    assert f_deviate(f, one, two) == pytest.approx(stats.norm.isf(stats.f.sf(f, one, two)), rel=0.02, abs=0.02)


def test_the_clipped_scale_is_the_standard_deviation_of_normal_noise():
    z = np.random.default_rng(0).standard_normal(100_000)
    assert clipped_sd(z, 0) == pytest.approx(1, abs=0.01)
    z[:10_000] *= 1000
    assert clipped_sd(z, 0) == pytest.approx(1.3, abs=0.05), "a tenth far off raises it by a third"
    assert clipped_sd(np.zeros(10), 5) == 0


def test_rows_are_numbered_by_their_values():
    one, other = np.array([1.0, 1.0, 2.0, 1.0, -0.0]), np.array([3.0, 3.0, 3.0, 4.0, 0.0])
    number = same(one, other)
    assert number[0] == number[1]
    assert len(set(number.tolist())) == 4
    assert not all_different(one, other)
    assert all_different(one[1:], other[1:])
    assert same(np.array([0.0, -0.0])).tolist() == [0, 0]
