"""What certainty is worth: the second-order formula against the law's own compute for the same loss."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaleplan.pilots.value import open_loss, open_size, value, waste
from tests.pilots.worlds import TARGET, plausible, single


def each_law(draws):
    constants = zip(*(np.ravel(part) for part in draws.law), strict=True)
    return [type(draws.law)(*map(float, row)) for row in constants]


def overhead(law, delta, flop=TARGET):
    """The share of compute that a size off by ``delta`` wastes: what its loss takes at the best size, exactly."""
    best = law.optimum(flop)
    loss = law.loss(best.params * math.exp(delta), best.tokens * math.exp(-delta))
    return math.log(flop / law.flop_for_loss(loss))


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_formula_is_the_exact_overhead_of_a_small_error(sign):
    for law in each_law(plausible()):
        for delta in (0.01, 0.03):
            near = (law.alpha + law.beta) / 2 * delta**2
            # The third order is odd in delta, and as large as delta itself beside the second.
            assert overhead(law, sign * delta) == pytest.approx(near, rel=delta)
            assert waste(single(law), delta) == pytest.approx(near, rel=3 * near)


@pytest.mark.parametrize("se", [0.1, 0.3, 0.6])
def test_the_mean_waste_is_that_of_sizes_at_random(se):
    deviates = np.random.default_rng(0).standard_normal(4000)
    deviates -= deviates.mean()
    deviates /= deviates.std()
    for law in each_law(plausible(4)):
        mean = np.mean([1 - math.exp(-overhead(law, se * z)) for z in deviates])
        assert waste(single(law), se) == pytest.approx(mean, rel=0.1)


def test_waste_is_averaged_over_laws_and_never_more_than_everything():
    draws = plausible(4)
    errors = np.array([0.1, 0.2, 0.3, 100.0])
    singles = [waste(single(law), se) for law, se in zip(each_law(draws), errors, strict=True)]
    assert 0.98 < singles[3] < 1.0
    assert waste(draws, errors) == pytest.approx(np.mean(singles), rel=1e-12)
    assert waste(draws, math.inf) == 1.0
    assert waste(draws, 0.0) == 0.0


def test_runs_pay_while_they_save_more_than_they_cost():
    draws = plausible(4)
    after = np.full(4, 0.1)
    found = value(draws, TARGET, 0.5, after, 1e22)
    assert (found.waste_before, found.waste_after) == (waste(draws, 0.5), waste(draws, 0.1))
    assert found.gain_flop == pytest.approx((waste(draws, 0.5) - waste(draws, 0.1)) * TARGET, rel=1e-12)
    assert found.pays
    assert not value(draws, TARGET, 0.5, after, found.gain_flop).pays
    assert value(draws, TARGET, 0.1, np.full(4, 0.2), 1e22).gain_flop < 0


def test_what_laws_leave_open_is_the_spread_of_their_forecasts():
    draws = plausible()
    best = [law.optimum(TARGET) for law in each_law(draws)]
    assert open_size(draws, TARGET) == pytest.approx(np.std([math.log(each.params) for each in best], ddof=1), rel=1e-9)
    assert open_loss(draws, TARGET) == pytest.approx(np.std([math.log(each.loss) for each in best], ddof=1), rel=1e-9)
