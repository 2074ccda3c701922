"""Closed form, numeric optimiser and published rules, under the law's own convention and the other one."""

import math

import numpy as np
import pytest

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import FlopConvention, ParamCount
from scaleplan.errors import UsageError
from scaleplan.planning.optimum import (
    finite_or_none,
    point_at,
    rule_optimum,
    rule_optimum_for_loss,
    surface_optimum,
    surface_optimum_for_loss,
)
from scaleplan.specs.laws import load_law

TOTAL = Accounting()
WITHOUT = Accounting(flop=FlopConvention.SIX_ND_NONEMBEDDING)
CHINCHILLA = load_law("chinchilla")
TEX = load_law("hoffmann-2022-a3")
KM = load_law("km")
A1 = load_law("hoffmann-2022-a1")
BUDGETS = [1e18, 1e21, 5.76e23, 1e26]


class Unsolved:
    """A surface that hides its closed form, so that only the optimiser can find its optimum."""

    equation = "hidden"

    def __init__(self, surface):
        self.floor = surface.floor
        self.loss = surface.loss
        self.tokens_for_loss = surface.tokens_for_loss
        self.params_for_loss = surface.params_for_loss


def own(law):
    return Accounting(flop=law.counts_flop)


@pytest.mark.parametrize("law", [CHINCHILLA, TEX, KM], ids=lambda law: law.id)
@pytest.mark.parametrize("flop", BUDGETS)
def test_the_optimiser_finds_what_the_closed_form_says(law, flop):
    closed = surface_optimum(law, law.surface, own(law), flop)
    numeric = surface_optimum(law, Unsolved(law.surface), own(law), flop)
    assert "closed-form" in closed.method
    assert "numeric" in numeric.method
    # The numeric point's loss is read off the law's own surface.
    assert numeric.loss == pytest.approx(closed.loss, rel=1e-13)
    assert numeric.size.counted(law.counts_params) == pytest.approx(closed.size.counted(law.counts_params), rel=1e-6)
    assert numeric.train_flop == pytest.approx(flop, rel=1e-13)


@pytest.mark.parametrize("law", [CHINCHILLA, TEX, KM], ids=lambda law: law.id)
@pytest.mark.parametrize("flop", BUDGETS)
def test_the_least_compute_for_a_loss_numeric_and_closed(law, flop):
    loss = surface_optimum(law, law.surface, own(law), flop).loss
    closed = surface_optimum_for_loss(law, law.surface, own(law), loss)
    numeric = surface_optimum_for_loss(law, Unsolved(law.surface), own(law), loss)
    assert closed.train_flop == pytest.approx(flop, rel=1e-9)
    assert numeric.train_flop == pytest.approx(closed.train_flop, rel=1e-9)
    assert numeric.loss == pytest.approx(loss, rel=1e-12)


@pytest.mark.parametrize(("law", "accounting"), [(CHINCHILLA, WITHOUT), (KM, TOTAL)], ids=["chinchilla", "km"])
@pytest.mark.parametrize("flop", [1e20, 5.76e23])
def test_under_the_other_convention_no_size_of_a_fine_grid_is_better(law, accounting, flop):
    best = surface_optimum(law, law.surface, accounting, flop)
    assert accounting.train_flop(best.size, best.tokens) == pytest.approx(flop, rel=1e-13)
    sizes = accounting.size(np.exp(np.linspace(math.log(1e5), math.log(flop / 1e6), 200_001)), ParamCount.TOTAL)
    losses = law.surface.loss(sizes.counted(law.counts_params), accounting.tokens(sizes, flop))
    assert best.loss <= losses.min() * (1 + 1e-14)
    assert best.loss == pytest.approx(losses.min(), rel=1e-9)


@pytest.mark.parametrize("law", [CHINCHILLA, KM], ids=lambda law: law.id)
@pytest.mark.parametrize("accounting", [TOTAL, WITHOUT])
def test_least_compute_undoes_least_loss_under_either_convention(law, accounting):
    best = surface_optimum(law, law.surface, accounting, 3e22)
    back = surface_optimum_for_loss(law, law.surface, accounting, best.loss)
    assert back.train_flop == pytest.approx(3e22, rel=1e-9)


@pytest.mark.parametrize("flop", BUDGETS)
def test_kaplans_rule_under_a_count_with_embeddings_spends_exactly_the_budget(flop):
    point = rule_optimum(KM, KM.allocation, TOTAL, flop)
    assert 6 * point.size.total * point.tokens == pytest.approx(flop, rel=1e-14)
    assert point.train_flop == flop
    assert "converted" in point.method
    # In the law's own count the plan lies on the published frontier, N = 1.3e9 C_min^0.73, C = 2 C_min ...
    own_flop = 6 * point.size.nonembedding * point.tokens
    assert point.size.nonembedding == pytest.approx(1.3e9 * (own_flop / 2 / 8.64e19) ** 0.73, rel=1e-10)
    # ... and its loss is the trend's, L = (3.1e8 / C_min)^0.05.
    assert point.loss == pytest.approx((3.1e8 * 8.64e19 * 2 / own_flop) ** 0.05, rel=1e-11)


@pytest.mark.parametrize("flop", BUDGETS)
def test_hoffmanns_rule_under_a_count_without_embeddings_spends_exactly_the_budget(flop):
    point = rule_optimum(A1, A1.allocation, WITHOUT, flop)
    assert 6 * point.size.nonembedding * point.tokens == pytest.approx(flop, rel=1e-14)
    own_flop = 6 * point.size.total * point.tokens
    assert point.size.total == pytest.approx(0.09915893230794971 * own_flop**0.4980986857771881, rel=1e-10)
    assert point.loss is None


def test_a_rule_under_its_own_convention_is_not_converted():
    point = rule_optimum(KM, KM.allocation, WITHOUT, 1e21)
    assert point.size.nonembedding == pytest.approx(4.68e9, rel=0.005)
    assert 6 * point.size.nonembedding * point.tokens == pytest.approx(1e21, rel=1e-14)
    assert "converted" not in point.method


def test_converted_rules_take_arrays():
    flops = np.array(BUDGETS)
    many = rule_optimum(KM, KM.allocation, TOTAL, flops)
    alone = [rule_optimum(KM, KM.allocation, TOTAL, flop) for flop in BUDGETS]
    np.testing.assert_allclose(many.tokens, [point.tokens for point in alone], rtol=1e-12)
    np.testing.assert_allclose(many.size.total, [point.size.total for point in alone], rtol=1e-12)


@pytest.mark.parametrize("accounting", [TOTAL, WITHOUT])
def test_a_loss_along_kaplans_trend_is_reached_by_the_plan_of_its_budget(accounting):
    by_loss = rule_optimum_for_loss(KM, KM.allocation, accounting, 2.4)
    by_flop = rule_optimum(KM, KM.allocation, accounting, by_loss.train_flop)
    assert by_flop.loss == pytest.approx(2.4, rel=1e-11)
    assert by_flop.size.total == pytest.approx(by_loss.size.total, rel=1e-9)
    assert accounting.train_flop(by_loss.size, by_loss.tokens) == pytest.approx(by_loss.train_flop, rel=1e-14)


def test_a_rule_without_a_trend_reaches_no_loss():
    with pytest.raises(UsageError, match="hoffmann-2022-a1 is an allocation rule"):
        rule_optimum_for_loss(A1, A1.allocation, TOTAL, 2.0)


def test_a_given_run_is_priced_and_its_loss_read_off():
    size = TOTAL.size(7e10, ParamCount.TOTAL)
    point = point_at(CHINCHILLA, TOTAL, size, 1.4e12, "given")
    assert point.train_flop == pytest.approx(5.88e23, rel=1e-14)
    expected = 1.8168640400416654 + 482.0057194215438 * 7e10**-0.34781303 + 2085.434195928221 * 1.4e12**-0.36585412
    assert point.loss == pytest.approx(expected, rel=1e-13)
    assert point_at(A1, TOTAL, size, 1.4e12, "given").loss is None


def test_infinite_numbers_are_absent():
    assert finite_or_none(1.0) == 1.0
    assert finite_or_none(math.inf) is None
    assert finite_or_none(math.nan) is None
    masked = finite_or_none(np.array([1.0, math.inf]))
    assert masked[0] == 1.0
    assert math.isnan(masked[1])
