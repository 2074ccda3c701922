"""Band ends by the documented formulas, written here independently of the code."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from scaleplan.planning.allocation import allocate
from scaleplan.planning.problem import Problem
from scaleplan.specs.laws import load_law

CHINCHILLA = load_law("chinchilla")
E, A, B, ALPHA, BETA = 1.8168640400416654, 482.0057194215438, 2085.434195928221, 0.34781303, 0.36585412
S = np.array(CHINCHILLA.uncertainty.covariance)
RESIDUAL = CHINCHILLA.uncertainty.residual_sd
QUANTITIES = ("params", "tokens", "tokens_per_param", "loss", "train_flop")
G = ALPHA * BETA / (ALPHA + BETA)


def optimum(C):
    ln_g = math.log(ALPHA * A / (BETA * B)) / (ALPHA + BETA)
    N = math.exp(ln_g + BETA / (ALPHA + BETA) * math.log(C / 6))
    return N, C / 6 / N


def loss_at(N, D):
    return E + A * N**-ALPHA + B * D**-BETA


def loss_half(N, D, t):
    u, w, L = A * N**-ALPHA, B * D**-BETA, loss_at(N, D)
    g = np.array([u, w, E, -u * math.log(N), -w * math.log(D)]) / L
    beyond = max(0.0, math.log10(6 * N * D / 1.3e22))
    return t * math.sqrt(1.7**2 * (g @ S @ g + RESIDUAL**2) + (0.01 * beyond) ** 2)


def params_half(C, t):
    N, D = optimum(C)
    g = np.array([1, -1, 0, 1 / ALPHA - math.log(N), math.log(D) - 1 / BETA]) / (ALPHA + BETA)
    beyond = max(0.0, math.log10(C / 1.3e22))
    return t * math.sqrt(1.7**2 * (g @ S @ g) + (0.3 * beyond) ** 2)


def compute_for(loss):
    """Least C for a loss, with K from the optimum at C = 6."""
    N, D = optimum(6.0)
    return 6 * ((loss_at(N, D) - E) / (loss - E)) ** (1 / G)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("C", [1e20, 1e22, 1e24, 1e26])
def test_bands_of_a_budget(level, C):
    plan = allocate(CHINCHILLA, Problem(train_flop=C, level=level))
    t = stdtrit(235, (1 + level) / 2)
    N, D = optimum(C)
    h, spread = params_half(C, t), math.exp(loss_half(N, D, t))
    assert plan.params_low == pytest.approx(N * math.exp(-h), rel=1e-9)
    assert plan.params_high == pytest.approx(N * math.exp(h), rel=1e-9)
    assert plan.tokens_low == pytest.approx(D * math.exp(-h), rel=1e-9)
    assert plan.tokens_high == pytest.approx(D * math.exp(h), rel=1e-9)
    assert plan.loss_low == pytest.approx(loss_at(N, D) / spread, rel=1e-9)
    assert plan.loss_high == pytest.approx(loss_at(N, D) * spread, rel=1e-9)
    assert plan.train_flop_low is None
    assert plan.train_flop_high is None


@pytest.mark.parametrize("C", [1e20, 1e24])
def test_the_band_of_the_ratio_is_the_square_of_the_band_of_the_size(C):
    """N* and D* move against each other, so their ratio moves twice as far."""
    plan = allocate(CHINCHILLA, Problem(train_flop=C))
    assert plan.tokens_per_param_high / plan.tokens_per_param == pytest.approx((plan.params_high / plan.params) ** 2)
    assert plan.tokens_per_param_low / plan.tokens_per_param == pytest.approx((plan.params_low / plan.params) ** 2)


def test_bands_widen_with_the_level_and_beyond_the_fit():
    widths = [
        [math.log(plan.params_high / plan.params_low), math.log(plan.loss_high / plan.loss_low)]
        for plan in (
            allocate(CHINCHILLA, Problem(train_flop=C, level=level))
            for C, level in ((1e24, 0.5), (1e24, 0.95), (1e25, 0.95), (1e26, 0.95))
        )
    ]
    assert all(np.diff(np.array(widths), axis=0).ravel() > 0)


@pytest.mark.parametrize("name", ["km", "hoffmann-2022-a1", "hoffmann-2022-a3", "besiroglu-2024:printed"])
def test_without_a_covariance_every_end_is_absent(name):
    law = load_law(name)
    plan = allocate(law, Problem(train_flop=1e22))
    for quantity in QUANTITIES:
        assert getattr(plan, f"{quantity}_low") is None
        assert getattr(plan, f"{quantity}_high") is None


@pytest.mark.parametrize("given", [{"params": 1e10}, {"tokens": 1e11}])
def test_with_budget_and_one_side_given_only_the_loss_is_uncertain(given):
    plan = allocate(CHINCHILLA, Problem(train_flop=1e22, **given))
    for quantity in ("params", "tokens", "tokens_per_param", "train_flop"):
        assert getattr(plan, f"{quantity}_low") is None
        assert getattr(plan, f"{quantity}_high") is None
    half = loss_half(plan.params, plan.tokens, stdtrit(235, 0.975))
    assert plan.loss_high == pytest.approx(plan.loss * math.exp(half), rel=1e-9)
    assert plan.loss_low == pytest.approx(plan.loss * math.exp(-half), rel=1e-9)


@pytest.mark.parametrize("loss", [2.0, 2.3, 2.8])
def test_bands_of_a_target_loss(loss):
    plan = allocate(CHINCHILLA, Problem(loss=loss))
    C = compute_for(loss)
    N, D = optimum(C)
    t = stdtrit(235, 0.975)
    h = loss_half(N, D, t)
    low, high = compute_for(loss * math.exp(h)), compute_for(loss * math.exp(-h))
    assert plan.train_flop == pytest.approx(C, rel=1e-9)
    assert plan.train_flop_low == pytest.approx(low, rel=1e-8)
    assert plan.train_flop_high == pytest.approx(high, rel=1e-8)
    own = params_half(C, t)
    for value, end, middle, at_low, at_high, times in (
        (plan.params_low, -1, N, optimum(low)[0], optimum(high)[0], 1),
        (plan.params_high, 1, N, optimum(low)[0], optimum(high)[0], 1),
        (plan.tokens_low, -1, D, optimum(low)[1], optimum(high)[1], 1),
        (plan.tokens_high, 1, D, optimum(low)[1], optimum(high)[1], 1),
    ):
        shift = math.log((at_low if end < 0 else at_high) / middle)
        expected = middle * math.exp(end * math.sqrt((times * own) ** 2 + shift**2))
        assert value == pytest.approx(expected, rel=1e-8)
    # Tokens per parameter fall with compute under this law: the low end belongs to the high budget.
    ratio, at_low, at_high = D / N, np.divide(*optimum(low)[::-1]), np.divide(*optimum(high)[::-1])
    assert at_high < ratio < at_low
    expected = ratio * math.exp(-math.hypot(2 * own, math.log(at_high / ratio)))
    assert plan.tokens_per_param_low == pytest.approx(expected, rel=1e-8)
    expected = ratio * math.exp(math.hypot(2 * own, math.log(at_low / ratio)))
    assert plan.tokens_per_param_high == pytest.approx(expected, rel=1e-8)


def test_where_the_band_holds_the_floor_the_far_end_of_the_budget_is_absent_and_a_notice_says_so():
    plan = allocate(CHINCHILLA, Problem(loss=1.83))
    assert plan.train_flop_high is None
    assert plan.train_flop_low < plan.train_flop
    # What rises with compute is open above, what falls with it (tokens per parameter here) below.
    assert plan.params_high is plan.tokens_high is plan.tokens_per_param_low is None
    assert plan.params_low < plan.params
    assert plan.tokens_low < plan.tokens
    assert plan.tokens_per_param_high > plan.tokens_per_param
    assert "open_end" in [notice.code for notice in plan.warnings]


@pytest.mark.parametrize(("given", "free"), [({"params": 1e10}, "tokens"), ({"tokens": 5e11}, "params")])
def test_with_a_loss_and_one_side_given_the_other_side_is_what_reaches_the_band_of_the_loss(given, free):
    plan = allocate(CHINCHILLA, Problem(loss=2.2, **given))
    h = loss_half(plan.params, plan.tokens, stdtrit(235, 0.975))
    for end, target in (("low", 2.2 * math.exp(h)), ("high", 2.2 * math.exp(-h))):
        value = getattr(plan, f"{free}_{end}")
        N, D = (plan.params, value) if free == "tokens" else (value, plan.tokens)
        assert loss_at(N, D) == pytest.approx(target, rel=1e-10)
        assert getattr(plan, f"train_flop_{end}") == pytest.approx(6 * N * D, rel=1e-12)
        other = end if free == "tokens" else {"low": "high", "high": "low"}[end]
        assert getattr(plan, f"tokens_per_param_{other}") == pytest.approx(D / N, rel=1e-12)
    fixed = "params" if free == "tokens" else "tokens"
    assert getattr(plan, f"{fixed}_low") is None
    assert getattr(plan, f"{fixed}_high") is None


def test_the_middle_lies_inside_every_band():
    for problem in (
        Problem(train_flop=1e24),
        Problem(loss=2.0),
        Problem(loss=2.2, params=1e10),
        Problem(loss=2.2, tokens=5e11),
        Problem(train_flop=1e24, tokens=1e12),
    ):
        plan = allocate(CHINCHILLA, problem)
        for quantity in QUANTITIES:
            low, high = getattr(plan, f"{quantity}_low"), getattr(plan, f"{quantity}_high")
            if low is not None:
                assert low < getattr(plan, quantity)
            if high is not None:
                assert high > getattr(plan, quantity)
