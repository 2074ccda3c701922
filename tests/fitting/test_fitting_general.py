"""Forms that are no sum of powers: their derivatives against the laws' own formulas, their steadying, their helpers."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from scaleplan.fitting.break_fit import BreakFit
from scaleplan.fitting.general import General, prior_worth
from scaleplan.fitting.kaplan_fit import KaplanFit
from scaleplan.fitting.newton import minimise
from scaleplan.fitting.objective import Penalty
from scaleplan.fitting.repetition_fit import RepetitionFit
from scaleplan.fitting.runs import runs_of
from scaleplan.fitting.start_grids import grid_rows, two_levels, whitening
from scaleplan.laws.broken_power import BrokenPower
from scaleplan.laws.data_constrained import DataConstrained
from scaleplan.laws.kaplan_joint_nd import KaplanJointNd

RNG = np.random.default_rng(7)
N = np.exp(RNG.uniform(math.log(2e7), math.log(5e9), 60))
D = np.exp(RNG.uniform(math.log(5e8), math.log(2e11), 60))
U = D / RNG.choice([0.5, 1.0, 2.0, 10.0, 60.0], 60)


def kaplan_loss(t):
    return KaplanJointNd(np.exp(t[0]), np.exp(t[1]), t[2], t[3]).loss(N, D)


def broken_loss(t):
    return BrokenPower(np.exp(t[0]), np.exp(t[1]), t[2], t[3], np.exp(t[4]), np.exp(t[5])).value(6 * N * D)


def repetition_loss(t):
    a, b, e, alpha, beta, rd, rn = t
    return DataConstrained(np.exp(e), np.exp(a), np.exp(b), alpha, beta, np.exp(rd), np.exp(rn)).loss(N, D, U)


FORMS = {
    "kaplan": (KaplanFit, kaplan_loss, np.array([30.0, 31.0, 0.094, 0.116])),
    "broken": (BreakFit, broken_loss, np.array([0.4, 5.5, 0.12, 0.08, 46.0, -0.3])),
    "repetition": (RepetitionFit, repetition_loss, np.array([6.2, 7.4, 0.6, 0.35, 0.37, 2.7, 1.6])),
}
NAMES = list(FORMS)


def bound(name, noise=0.01, seed=3):
    """The form bound to runs scattered around it, and its natural parameters."""
    make, loss, truth = FORMS[name]
    scatter = np.exp(noise * np.random.default_rng(seed).standard_t(4, len(N)))
    return make(runs_of(N, D, loss(truth) * scatter, unique_tokens=U)), truth


def away(name, seed):
    truth = FORMS[name][2]
    return truth * (1 + 0.05 * np.random.default_rng(seed).normal(size=len(truth)))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", NAMES)
def test_the_loss_and_its_derivatives_are_those_of_the_law(name, seed):
    """By complex steps through the formula of ``laws/``, exact to rounding."""
    model, _ = bound(name)
    at, loss = away(name, seed), FORMS[name][1]
    ln_loss, jacobian = model.derivatives(at[None, :])
    np.testing.assert_allclose(ln_loss[0], np.log(loss(at)), rtol=1e-12)
    np.testing.assert_allclose(model.ln_loss(at[None, :])[0], np.log(loss(at)), rtol=1e-12)
    for j in range(len(at)):
        moved = at.astype(complex)
        moved[j] += 1e-30j
        np.testing.assert_allclose(jacobian[0, :, j], np.log(loss(moved)).imag / 1e-30, rtol=1e-8, atol=1e-13)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", NAMES)
def test_the_curvature_is_that_of_central_differences(name, seed):
    model, _ = bound(name)
    at = away(name, seed)
    pull = np.random.default_rng(seed).normal(size=len(N))
    curvature = model.curvature(at[None, :], pull[None, :])[0]
    h = 1e-5
    for j in range(len(at)):
        ends = [pull @ model.derivatives((at + s * np.eye(len(at))[j])[None, :])[1][0] for s in (h, -h)]
        expected = (ends[0] - ends[1]) / (2 * h)
        # A run at the kink of the second derivative may lie between the two ends.
        np.testing.assert_allclose(curvature[j], expected, rtol=2e-4, atol=2e-4 * np.abs(curvature).max())


@pytest.mark.parametrize("delta", [math.inf, 0.013, 1e-3])
@pytest.mark.parametrize("name", NAMES)
def test_value_gradient_and_hessian_of_the_objective_agree(name, delta):
    """With weights, the form's own steadying and a penalty beside it."""
    model, truth = bound(name)
    k = len(truth)
    theta = np.linalg.solve(model.to_natural, truth)
    weight = np.random.default_rng(1).uniform(0.5, 2, (1, len(N)))
    penalty = Penalty(theta + 0.1, 1e-3 * np.eye(k))

    def value(x):
        return float(model.local(x[None, :], weight, delta, penalty).value[0])

    def gradient(x):
        return model.local(x[None, :], weight, delta, penalty).gradient[0]

    size = np.abs(theta) + 0.1
    for j in range(k):
        h = 1e-6 * size[j] * np.eye(k)[j]
        slope = (value(theta + h) - value(theta - h)) / (2 * 1e-6 * size[j])
        assert slope == pytest.approx(gradient(theta)[j], rel=1e-4, abs=1e-6 * np.abs(gradient(theta)).max())
    if math.isinf(delta):
        # At the minimum the Hessian is definite, so that no bounding matrix stands for it.
        least = minimise(lambda at, _: model.local(at, weight, delta, penalty), theta[None, :]).theta[0]
        hessian = model.local(least[None, :], weight, delta, penalty).hessian[0]
        for j in range(k):
            h = 1e-6 * size[j]
            row = (gradient(least + h * np.eye(k)[j]) - gradient(least - h * np.eye(k)[j])) / (2 * h)
            np.testing.assert_allclose(hessian[j], row, rtol=1e-3, atol=1e-4 * np.abs(hessian).max())


@pytest.mark.parametrize("name", NAMES)
def test_far_from_the_minimum_the_matrix_to_step_by_has_no_negative_direction(name):
    model, truth = bound(name)
    rng = np.random.default_rng(2)
    theta = np.linalg.solve(model.to_natural, (truth * (1 + 0.3 * rng.normal(size=(40, len(truth))))).T).T
    here = model.local(theta, np.ones((1, len(N))), 1e-2, None)
    sound = np.isfinite(here.value)
    assert sound.sum() > 20
    values = np.linalg.eigvalsh(here.hessian[sound])
    assert np.all(values[:, 0] > -1e-12 * values[:, -1])


@pytest.mark.parametrize("name", NAMES)
def test_points_without_a_loss_have_an_infinite_value(name):
    model, truth = bound(name)
    theta = np.linalg.solve(model.to_natural, np.array([truth, truth * np.nan, truth * 1e4]).T).T
    value = model.local(theta, np.ones((1, len(N))), math.inf, None).value
    assert np.isfinite(value[0])
    assert value[1] == math.inf


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_gives_what_its_problems_give_alone(name):
    model, truth = bound(name)
    theta = np.linalg.solve(model.to_natural, (truth * (1 + 0.02 * RNG.normal(size=(3, len(truth))))).T).T
    weight = RNG.uniform(0.5, 2, (3, len(N)))
    many = model.local(theta, weight, 0.01, None)
    for i in range(3):
        one = model.local(theta[i : i + 1], weight[i : i + 1], 0.01, None)
        np.testing.assert_allclose(many.value[i], one.value[0], rtol=1e-12)
        np.testing.assert_allclose(many.gradient[i], one.gradient[0], rtol=1e-9, atol=1e-14)
        np.testing.assert_allclose(many.hessian[i], one.hessian[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_one_threshold_a_row_is_the_threshold_where_they_are_equal_and_clips_each_row_by_its_own(name):
    model, truth = bound(name)
    theta = np.linalg.solve(model.to_natural, truth)[None, :]
    weight = np.ones((1, len(N)))
    one, each = (model.local(theta, weight, delta, None) for delta in (0.01, np.full(len(N), 0.01)))
    for left, right in zip(one, each, strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-12)
    own = np.where(np.arange(len(N)) < 30, 1e-3, np.inf)
    mixed = model.local(theta, weight, own, None).gradient[0]
    pull = np.clip(model.residuals(theta)[0], -own, own)
    steadying = model.steadying(own)
    expected = pull @ model.jacobian(theta[0]) + (0 if steadying is None else steadying.gradient(theta)[0])
    np.testing.assert_allclose(mixed, expected, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_exact_runs_leave_nothing_of_the_steadying(name):
    model, truth = bound(name, noise=0.0)
    weight = np.ones((1, len(N)))
    found = minimise(lambda at, _: model.local(at, weight, math.inf, None), model.starts(weight[0]))
    natural = model.to_natural @ found.theta[int(np.argmin(found.value))]
    np.testing.assert_allclose(natural, truth, rtol=1e-5)
    assert model.noise < 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_the_noise_is_found(name):
    """Student's t with 4 degrees of freedom of scale 0.01: its robust standard deviation is 1.4826 times 0.741 %."""
    model, _ = bound(name)
    assert math.sqrt(model.noise) == pytest.approx(1.4826 * 0.00741, rel=0.35)


def test_steadying_is_the_documented_penalty():
    model, _ = bound("repetition")
    penalty = model.steadying(math.inf)
    theta = np.linalg.solve(model.to_natural, FORMS["repetition"][2])
    expected = sum(
        model.noise * (FORMS["repetition"][2][model.parameters.index(s.name)] - s.mean) ** 2 / (2 * s.sd**2)
        for s in model.steadies
    )
    assert penalty.value(theta[None, :])[0] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("z", [0.05, 0.5, 1.345, 3.0])
def test_what_a_prior_weighs_beside_a_threshold(z):
    """E psi^2 / E psi' of a normal variable, by numerical integration."""
    sd = 0.008
    clipped = quad(lambda x: min(abs(x), z) ** 2 * norm.pdf(x), -12, 12, points=[-z, z])[0]
    inside = norm.cdf(z) - norm.cdf(-z)
    assert prior_worth(z * sd, sd**2) == pytest.approx(sd**2 * clipped / inside, rel=1e-8)


def test_without_a_threshold_a_prior_weighs_the_noise():
    assert prior_worth(math.inf, 4e-6) == 4e-6
    assert prior_worth(1.0, 4e-6) == pytest.approx(4e-6, rel=1e-12)


def test_two_levels_are_those_of_least_squares():
    rng = np.random.default_rng(5)
    one, other, weight = rng.uniform(0.2, 1, (4, 30)), rng.uniform(0.2, 1, (4, 30)), rng.uniform(0.5, 2, 30)
    found = two_levels(one, other, weight)
    for i in range(4):
        root = np.sqrt(weight)
        exact = np.linalg.lstsq(np.stack([one[i], other[i]], axis=1) * root[:, None], root, rcond=None)[0]
        assert exact.min() > 0
        np.testing.assert_allclose(found[i], exact, rtol=1e-9)


def test_a_level_that_would_be_negative_is_held_small_and_the_other_solved_for():
    x = np.linspace(1, 2, 30)
    one, other, weight = x[None, :], (x**2)[None, :], np.ones(30)
    # 1 is nearest to 2.2 x - 0.9 x^2 here, so the second level is held.
    found = two_levels(one, other, weight, least=1e-3)[0]
    held = 1e-3 * (other[0].sum() / (other[0] ** 2).sum())
    assert found[1] == pytest.approx(held, rel=1e-12)
    rest = 1 - held * other[0]
    assert found[0] == pytest.approx((one[0] @ rest) / (one[0] @ one[0]), rel=1e-9)


def test_whitening_makes_the_information_a_unit_matrix():
    jacobian = np.random.default_rng(0).normal(size=(50, 4)) * [1, 10, 100, 1e-3]
    weight = np.linspace(0.5, 2, 50)
    scale = whitening(jacobian, weight)
    unit = scale.T @ (jacobian * weight[:, None]).T @ jacobian @ scale
    np.testing.assert_allclose(unit, np.eye(4), atol=1e-6)


def test_grids_see_an_even_choice_of_very_many_runs():
    many = runs_of(np.geomspace(1e7, 1e10, 5001), np.full(5001, 1e10), np.full(5001, 3.0))
    few = grid_rows(many)
    assert len(few) == 2000
    assert (few.params.min(), few.params.max()) == (many.params.min(), many.params.max())
    assert grid_rows(few) is few


@pytest.mark.parametrize("name", NAMES)
def test_very_many_runs_have_the_starts_of_an_even_choice_of_them(name):
    make = FORMS[name][0]
    rng = np.random.default_rng(4)
    params, tokens = (
        np.exp(rng.uniform(math.log(low), math.log(high), 4001)) for low, high in ((2e7, 5e9), (5e8, 2e11))
    )
    many = runs_of(params, tokens, rng.uniform(2, 4, 4001), unique_tokens=tokens / 3)
    model, few = make(many), make(grid_rows(many))
    starts = model.starts(many.weight)
    assert np.array_equal(starts, few.starts(np.ones(2000)))
    assert model.noise == few.noise
    assert model.residuals(starts).shape == (len(starts), 4001)


def test_the_base_class_stands_alone_for_nothing():
    with pytest.raises(TypeError, match="abstract"):
        General(("x",), runs_of(N, D, np.ones(60)))
