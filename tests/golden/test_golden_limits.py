"""Figures that plans under limits must give: repeated data, over-training, serving; by the papers' own equations."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaleplan import allocate, load_law

# Muennighoff et al. 2023 (arXiv 2305.16264) and github.com/huggingface/datablations, full digits.
E, A, B, ALPHA = 1.8691436784054858, 520.8249516599187, 1487.716093782861, 0.3526596
R_D, R_N = 15.387756, 5.309743


def repeated_loss(params, tokens, unique):
    """The paper's law of repeated data and excess parameters, written anew."""
    used = np.minimum(unique, tokens)
    g = (A / B) ** (1 / (2 * ALPHA))  # alpha = beta
    base = np.minimum(g * (used * g), params)
    d = used + used * R_D * (1 - np.exp(-(tokens / used - 1) / R_D))
    n = base + base * R_N * (1 - np.exp(-(params / base - 1) / R_N))
    return E + A / n**ALPHA + B / d**ALPHA


def brute(flop, unique, epochs=math.inf):
    """The least loss over a grid of sizes, three times finer around its best."""
    low, high = math.log(1e8), math.log(1e13)
    best = math.inf
    for _ in range(3):
        params = np.exp(np.linspace(low, high, 20_001))
        tokens = np.minimum(flop / (6 * params), epochs * unique)
        loss = repeated_loss(params, tokens, unique)
        i = int(np.argmin(loss))
        best, step = float(loss[i]), (high - low) / 20_000
        low, high = math.log(params[i]) - 2 * step, math.log(params[i]) + 2 * step
    return best, float(params[i]), float(tokens[i])


@pytest.mark.parametrize(
    ("flop", "unique", "epochs"),
    [
        (9.3e21, 25e9, None),
        (9.3e21, 25e9, 4),
        (1e24, 1e11, None),
        (1e24, 1e12, None),
        (1e22, 1e12, None),
        (1e20, 1e8, None),
        (1e23, 1e11, 1),
    ],
)
def test_the_best_split_of_compute_over_repeated_data_is_that_of_a_brute_grid(flop, unique, epochs):
    limits = {"unique_tokens": unique} | ({} if epochs is None else {"max_epochs": epochs})
    plan = allocate(flops=flop, law="muennighoff-2023", limits=limits)
    loss, params, tokens = brute(flop, unique, math.inf if epochs is None else epochs)
    assert plan.loss == pytest.approx(loss, rel=1e-6)
    assert plan.loss <= loss * (1 + 1e-9)
    assert (plan.params, plan.tokens) == pytest.approx((params, tokens), rel=2e-3)
    assert plan.epochs == pytest.approx(plan.tokens / unique, rel=1e-12)
    assert plan.loss == pytest.approx(float(repeated_loss(plan.params, plan.tokens, unique)), rel=1e-12)


def test_with_25_billion_tokens_and_9_3e21_flop_it_is_smaller_and_longer_than_by_chinchilla():
    """The paper's data-constrained setting: less model, more epochs than 20 tokens a parameter would take."""
    plan = allocate(flops=9.3e21, law="muennighoff-2023", limits={"unique_tokens": "25B"})
    assert (plan.params, plan.epochs) == pytest.approx((6.8e9, 9.1), rel=0.01)
    free = allocate(flops=9.3e21, law="muennighoff-2023")
    assert free.params == pytest.approx(8.9e9, rel=0.02)
    unconstrained = repeated_loss(free.params, free.tokens, 25e9)
    assert plan.loss < float(unconstrained)
    # Flat at its bottom: 6 % fewer parameters, at the same compute, have the same loss to one in 10,000.
    shorter = repeated_loss(0.94 * plan.params, plan.tokens / 0.94, 25e9)
    assert float(shorter) == pytest.approx(plan.loss, rel=1e-4)


def test_the_published_figures_of_repeats():
    law = load_law("muennighoff-2023").repeated
    unique = 1e11
    assert law.matched_params(unique) == pytest.approx(0.051 * unique, rel=5e-3)
    # Four epochs are worth 93 % of as many new tokens; endless ones 16.4 times the unique tokens.
    assert law.effective_tokens(4 * unique, unique) / (4 * unique) == pytest.approx(0.931, abs=1e-3)
    assert law.effective_tokens(1e6 * unique, unique) / unique == pytest.approx(1 + R_D, rel=1e-9)
    for tokens in (1e10, 1e11, 4e11, 1e13):
        assert law.loss(2e10, tokens, unique) == pytest.approx(float(repeated_loss(2e10, tokens, unique)), rel=1e-12)


@pytest.mark.parametrize(
    ("share", "extra"),
    [(0.75, 0.034), (0.5, 0.26), (0.25, 3.47)],
)
def test_a_smaller_model_takes_so_much_more_compute_for_the_same_loss(share, extra):
    """Over-training at equal loss by the solver under ``max_params``, against the scale-free identity of the law."""
    best = allocate(flops=1e23, law="chinchilla")
    plan = allocate(loss=best.loss, law="chinchilla", limits={"max_params": share * best.params})
    assert plan.train_flop / 1e23 - 1 == pytest.approx(extra, rel=0.02)
    form = load_law("chinchilla").surface
    identity = share * (1 + form.beta / form.alpha * (1 - share**-form.alpha)) ** (-1 / form.beta)
    assert plan.train_flop / 1e23 == pytest.approx(identity, rel=1e-6)


def test_below_0_146_of_the_best_size_the_loss_is_out_of_reach():
    from scaleplan import InfeasibleError

    best = allocate(flops=1e23, law="chinchilla")
    form = load_law("chinchilla").surface
    edge = (1 + form.alpha / form.beta) ** (-1 / form.alpha)
    assert edge == pytest.approx(0.146, abs=5e-4)
    for factor in (1.001, 0.999):
        limits = {"max_params": factor * edge * best.params}
        if factor > 1:
            assert allocate(loss=best.loss, law="chinchilla", limits=limits).loss == pytest.approx(best.loss, rel=1e-9)
        else:
            with pytest.raises(InfeasibleError, match="max_params"):
                allocate(loss=best.loss, law="chinchilla", limits=limits)


@pytest.mark.parametrize("served", [1e11, 2e12, 1e13])
def test_the_plan_that_trains_and_serves_at_the_least_flops_is_that_of_a_brute_grid(served):
    """Sardana et al. 2023 (arXiv 2401.00448): least 6 N D + 2 N D_inf with L(N, D) = loss."""
    form = load_law("chinchilla").surface
    plan = allocate(loss=2.1, law="chinchilla", serving={"tokens": served})
    params = np.exp(np.linspace(math.log(plan.params) - 1, math.log(plan.params) + 1, 200_001))
    room = 2.1 - form.E - form.A * params**-form.alpha
    tokens = np.where(room > 0, (form.B / np.where(room > 0, room, 1.0)) ** (1 / form.beta), np.inf)
    least = float(np.min(6 * params * tokens + 2 * params * served))
    assert plan.train_flop + plan.serving.flop == pytest.approx(least, rel=1e-8)


def test_a_limit_that_every_plan_meets_changes_no_figure():
    free = allocate(flops=1e24, law="chinchilla")
    for limits in ({"max_params": "10T"}, {"min_params": "1M"}, {"unique_tokens": "1000T"}):
        plan = allocate(flops=1e24, law="chinchilla", limits=limits)
        assert plan.loss == pytest.approx(free.loss, rel=1e-12)
        assert (plan.params, plan.tokens) == pytest.approx((free.params, free.tokens), rel=1e-6)
