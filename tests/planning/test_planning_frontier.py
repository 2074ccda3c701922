import math
from itertools import pairwise

import pytest

from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import FlopConvention
from scaleplan.errors import UsageError
from scaleplan.planning.frontier import budgets, frontier
from scaleplan.specs.laws import load_law


def test_powers_of_ten_are_exact():
    assert budgets(1e18, 1e26, 1) == [1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26]


@pytest.mark.parametrize("start", [1e-3, 1e3, 1e10, 1e17])
def test_powers_of_ten_are_exact_from_anywhere(start):
    exponent = round(math.log10(start))
    assert budgets(start, float(f"1e{exponent + 12}"), 1) == [float(f"1e{exponent + i}") for i in range(13)]


@pytest.mark.parametrize("digit", range(1, 10))
def test_multiples_of_powers_of_ten_are_exact(digit):
    expected = [float(f"{digit}e{k}") for k in range(18, 26)]
    assert budgets(digit * 1e18, float(f"{digit}e25"), 1) == expected


@pytest.mark.parametrize("per_decade", [2, 3, 4, 10])
def test_several_budgets_a_decade_hold_the_powers_of_ten_and_are_evenly_spaced(per_decade):
    values = budgets(1e18, 1e21, per_decade)
    assert len(values) == 3 * per_decade + 1
    assert values[::per_decade] == [1e18, 1e19, 1e20, 1e21]
    for low, high in pairwise(values):
        assert high / low == pytest.approx(10 ** (1 / per_decade), rel=1e-13)


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        (1e18, 1e18, [1e18]),
        (1e18, 5e19, [1e18, 1e19, 5e19]),
        (2.5e20, 3e20, [2.5e20, 3e20]),
        (5.76e23, 5.76e24, [5.76e23, 5.76e24]),
    ],
)
def test_both_ends_are_there(start, stop, expected):
    assert budgets(start, stop, 1) == expected


@pytest.mark.parametrize(
    ("start", "stop", "per_decade", "words"),
    [
        (1e20, 1e18, 1, "the range is empty"),
        (0.0, 1e18, 1, "from must be finite and > 0"),
        (1e18, math.inf, 1, "to must be finite and > 0"),
        (math.nan, 1e18, 1, "from must be finite"),
        (1e18, 1e20, 0, r"per-decade must be at least 1 \(got 0\)"),
        (1e18, 1e20, -3, "per-decade must be at least 1"),
        (1e18, 1e20, 50_001, "100,003 budgets are more than the 100,000"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused(start, stop, per_decade, words):
    with pytest.raises(UsageError, match=words):
        budgets(start, stop, per_decade)


def test_a_range_wider_than_the_largest_number_is_traced():
    values = budgets(1e-300, 1e300, 1)
    assert len(values) == 601
    assert (values[0], values[-1]) == (1e-300, 1e300)


def trace(name, start, stop, accounting=None):
    return frontier([load_law(name)], start, stop, per_decade=1, level=0.95, accounting=accounting or Accounting())


def test_growth_of_the_default_law():
    for point in trace("chinchilla", 1e18, 1e26).points:
        assert point.params_growth_per_10x == pytest.approx(3.26, abs=0.005)
        assert point.tokens_growth_per_10x == pytest.approx(3.07, abs=0.005)


def test_growth_of_kaplans_frontier_counted_as_kaplan_counts():
    result = trace("km", 1e18, 1e26, Accounting(flop=FlopConvention.SIX_ND_NONEMBEDDING))
    for point in result.points:
        assert point.params_nonembedding_growth_per_10x == pytest.approx(5.37, abs=0.005)
        assert point.tokens_growth_per_10x == pytest.approx(1.86, abs=0.005)


def test_growth_of_approach_1_by_its_published_exponent():
    for point in trace("hoffmann-2022-a1:published", 1e20, 1e24).points:
        assert point.params_growth_per_10x == pytest.approx(math.sqrt(10), rel=1e-10)
        assert point.tokens_growth_per_10x == pytest.approx(math.sqrt(10), rel=1e-10)


def test_points_come_law_by_law_and_by_budget():
    laws = [load_law("chinchilla"), load_law("hoffmann-2022-a1")]
    result = frontier(laws, 1e20, 1e22, per_decade=1, level=0.8, accounting=Accounting())
    assert [(point.plan.law.id, point.plan.train_flop) for point in result.points] == [
        (law.id, flop) for law in laws for flop in (1e20, 1e21, 1e22)
    ]
    assert (result.start, result.stop, result.per_decade) == (1e20, 1e22, 1)
    assert all(point.plan.problem.level == 0.8 for point in result.points)


def test_the_notices_are_those_of_the_largest_budget():
    (text,) = [notice.message for notice in trace("chinchilla", 1e20, 1e25).warnings if notice.code == "extrapolation"]
    assert "1e25 FLOP" in text
