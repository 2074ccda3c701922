"""What another size than the best costs in compute."""

import numpy as np
import pytest

from scaleplan import UsageError, allocate
from scaleplan.compute.accounting import DEFAULT_ACCOUNTING
from scaleplan.planning.forgiveness import ABOVE, BELOW, extra_compute, forgiveness
from scaleplan.specs.laws import load_law

LAW = load_law("besiroglu-2024")
FORM = LAW.surface


def closed(factor):
    """extra(k N*) of an additive law: k [1 + (beta/alpha)(1 - k^-alpha)]^(-1/beta) - 1."""
    left = 1 + FORM.beta / FORM.alpha * (1 - factor**-FORM.alpha)
    return factor * left ** (-1 / FORM.beta) - 1


@pytest.mark.parametrize("flop", [1e20, 1e24])
@pytest.mark.parametrize("factor", [BELOW, 0.9, 1.0, ABOVE, 3.0])
def test_the_extra_compute_is_that_of_the_closed_form(flop, factor):
    best = FORM.optimum(flop)
    assert extra_compute(LAW, DEFAULT_ACCOUNTING, factor * best.params, best.loss) == pytest.approx(
        closed(factor), rel=1e-6, abs=1e-12
    )


def test_thirty_per_cent_either_way_costs_what_is_said_of_it():
    plan = allocate(flops=1e24, law="chinchilla")
    at = plan.forgiveness
    assert (at.above, at.below) == pytest.approx((0.0227, 0.0536), abs=5e-5)
    assert at.at_low == pytest.approx(closed(plan.params_low / plan.params), rel=1e-6)
    assert at.at_high == pytest.approx(closed(plan.params_high / plan.params), rel=1e-6)


def test_a_limit_that_does_not_bind_leaves_it_and_one_that_sets_the_size_has_none():
    free, slack = (allocate(flops=1e24, law="chinchilla", limits=limits) for limits in (None, {"max_params": "1T"}))
    assert slack.forgiveness.above == pytest.approx(free.forgiveness.above, rel=1e-5)
    assert allocate(flops=1e24, law="chinchilla", limits={"max_params": "30B"}).forgiveness is None
    assert allocate(flops=1e24, law="chinchilla", params="30B").forgiveness is None
    assert allocate(flops=1e24, law="chinchilla", serving={"tokens": "2T"}).forgiveness is None


def test_a_size_that_reaches_the_loss_with_no_tokens_has_none():
    best = FORM.optimum(1e24)
    assert extra_compute(LAW, DEFAULT_ACCOUNTING, 0.1 * best.params, best.loss) is None
    many = extra_compute(LAW, DEFAULT_ACCOUNTING, np.array([0.1, 1.0]) * best.params, best.loss)
    assert np.isnan(many[0])
    assert many[1] == pytest.approx(0, abs=1e-9)


def test_a_law_that_only_allocates_says_nothing():
    rule = load_law("hoffmann-2022-a1")
    assert forgiveness(rule, DEFAULT_ACCOUNTING, 1e9, 2.0) is None
    with pytest.raises(UsageError):
        extra_compute(rule, DEFAULT_ACCOUNTING, 1e9, 2.0)
