"""Limits, serving and doubt as Python has them: mappings by the keys of the budget file, arrays, and slips."""

import numpy as np
import pytest

from scaleplan import InfeasibleError, UsageError, allocate

LAW = {"law": "chinchilla"}
MACHINE = {"on": "512xh100-sxm", "mfu": 0.4}


def test_words_and_numbers_are_the_same():
    by_word = allocate(flops=1e24, limits={"max_params": "30B"}, **LAW)
    by_number = allocate(flops=1e24, limits={"max_params": 30e9}, **LAW)
    assert (by_word.params, by_word.tokens, by_word.loss) == (by_number.params, by_number.tokens, by_number.loss)


def test_empty_mappings_are_no_limits():
    free = allocate(flops=1e24, **LAW)
    empty = allocate(flops=1e24, limits={}, serving={}, **LAW)
    assert (empty.params, empty.why, empty.serving) == (free.params, None, None)


def test_arrays_of_budgets_and_of_limits_broadcast():
    flops, most = np.array([1e22, 1e24]), np.array([[5e9], [6e10]])
    plan = allocate(flops=flops, limits={"max_params": most}, **LAW)
    assert plan.params.shape == (2, 2)
    assert plan.params[0] == pytest.approx([5e9, 5e9], rel=1e-9)
    one = allocate(flops=1e22, limits={"max_params": 6e10}, **LAW)
    assert plan.loss[1, 0] == pytest.approx(one.loss, rel=1e-12)
    served = allocate(flops=flops, serving={"tokens": "1T"}, **LAW)
    assert 6 * served.params * served.tokens + 2e12 * served.params == pytest.approx(flops, rel=1e-6)
    assert served.serving.flop == pytest.approx(2e12 * served.params, rel=1e-12)


@pytest.mark.parametrize("key", ["params", "tokens"])
def test_a_value_fixed_among_the_limits_is_that_of_its_own_argument(key):
    value = {"params": "60B", "tokens": "5T"}[key]
    among = allocate(flops=1e24, limits={key: value}, **LAW)
    own = allocate(flops=1e24, **{key: value}, **LAW)
    assert (among.params, among.tokens) == pytest.approx((own.params, own.tokens), rel=1e-9)


def test_a_deadline_among_the_limits_is_that_of_days():
    among = allocate(flops=1e24, limits={"deadline_days": 5}, **MACHINE, **LAW)
    assert (among.binding, among.days) == (("deadline_days",), pytest.approx(5, rel=1e-9))
    assert among.params == allocate(flops=1e24, days=5, **MACHINE, **LAW).params
    with pytest.raises(UsageError):
        allocate(flops=1e24, limits={"deadline_days": 5}, **LAW)


def test_arrays_of_losses_within_limits_are_reached_or_refused_together():
    plan = allocate(loss=[2.1, 2.2], limits={"max_params": "10B"}, **LAW)
    assert plan.loss == pytest.approx([2.1, 2.2], rel=1e-9)
    assert plan.params == pytest.approx([10e9, 5.5756e9], rel=1e-4)
    with pytest.raises(InfeasibleError, match="no run meets all limits of one of these problems"):
        allocate(loss=[2.1, 1.9], limits={"max_params": "2B"}, **LAW)


def test_the_law_that_values_repeats_plans_arrays_too():
    plan = allocate(flops=[1e20, 1e24], limits={"unique_tokens": "100B"})
    assert plan.law.id == "muennighoff-2023"
    assert "law_of_repeats" in [notice.code for notice in plan.warnings]
    assert plan.epochs[0] < 1 < plan.epochs[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"limits": {"max_parms": 5e9}}, r"unknown limit 'max_parms'. Did you mean max_params"),
        ({"limits": {"max_params": True}}, "max-params: must be one number or text"),
        ({"limits": {"max_params": ["5B", "6B"]}}, "max-params: must be a number or an array of numbers"),
        ({"limits": {"memory": [1, 2]}}, "memory: must be one number or text"),
        ({"serving": {"token": "1T"}}, "unknown key 'token' of serving. Did you mean tokens"),
        ({"serving": {"tokens": [1e12, 2e12]}}, r"serving.tokens \(--serve\): must be one number or text"),
        ({"robust": "median"}, "robust is mean or worst"),
        ({"draws": -100}, "draws must be at least 2 and at most 1,000,000"),
    ],
)
def test_a_slip_is_told_in_a_line(given, message):
    with pytest.raises(UsageError, match=message):
        allocate(flops=1e24, **given, **LAW)


def test_doubt_and_machines_are_for_one_budget_at_a_time():
    for given in ({"robust": "mean"}, {"draws": 100}, {"on": "512xh100-sxm", "days": 5}):
        with pytest.raises(UsageError, match="one budget at a time"):
            allocate(flops=[1e22, 1e24], **given, **LAW)


def test_mixtures_have_no_regret_between_laws_and_no_draws():
    mixture = {"flops": 1e22, "limits": {"experts": 8}, "law": "ludziejewski-2025"}
    with pytest.raises(UsageError, match="leave experts or robust out"):
        allocate(robust="mean", **mixture)
    with pytest.raises(UsageError, match="no covariance of a loss surface to draw from"):
        allocate(draws=100, **mixture)


@pytest.mark.parametrize("mfu", [0.4, None])
@pytest.mark.parametrize("how", ["mean", "worst"])
def test_a_robust_plan_keeps_to_its_money(how, mfu):
    plan = allocate(
        usd=1e6,
        on="512xh100-sxm",
        mfu=mfu,
        serving={"tokens": "1T", "on": "h100-sxm"},
        law=["chinchilla", "hoffmann-2022-a3", "kaplan-2020"],
        robust=how,
    )
    assert plan.cost_usd + plan.serving.cost_usd == pytest.approx(1e6, rel=1e-6 if mfu else 1e-3)
