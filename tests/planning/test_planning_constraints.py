"""What bounds a run: ceilings, ranges, and both made ready."""

import math

import numpy as np
import pytest

from scaleplan.compute.accounting import DEFAULT_ACCOUNTING
from scaleplan.conventions import FlopConvention, ParamCount
from scaleplan.planning.constraints import LARGEST, Bounds, Ceiling, Range, fixed


def bounds(*constraints, count=ParamCount.TOTAL):
    return Bounds(constraints, DEFAULT_ACCOUNTING, count)


def test_a_ceiling_takes_by_the_flop_by_the_size_and_once():
    ceiling = Ceiling("usd", 100.0, per_flop=2.0, beside=lambda params: 3 * params, fixed=5.0)
    assert ceiling.spent(lambda _: 7.0, 11.0) == 2 * 6 * 7 * 11 + 3 * 7 + 5
    assert ceiling.relaxed(1.1).limit == pytest.approx(110)
    assert Ceiling("c", 1.0, flop=FlopConvention.C_MIN).spent(lambda _: 7.0, 11.0) == 3 * 7 * 11


def test_the_most_tokens_spend_the_limit():
    ceiling = Ceiling("usd", 1e6, per_flop=2e-18, beside=lambda params: 1e-6 * params, fixed=1e5)
    _, most = bounds(ceiling).tokens(1e10)
    assert ceiling.spent(lambda _: 1e10, most) == pytest.approx(1e6, rel=1e-14)


def test_what_is_relaxed_is_wider_at_both_ends_and_no_longer_fixes():
    given = fixed("params", "params", 4.0)
    assert given.fixes
    wider = given.relaxed(2.0)
    assert (wider.least, wider.most, wider.fixes) == (2.0, 8.0, False)
    assert Range("min", "tokens", least=4.0).relaxed(2.0) == Range("min", "tokens", 2.0, None)
    assert Range("max", "tokens", most=4.0).relaxed(2.0) == Range("max", "tokens", None, 8.0)


def test_ranges_bound_tokens_by_themselves_and_by_their_ratio():
    ready = bounds(
        Range("a", "tokens", least=10.0, most=1e4),
        Range("b", "tokens", most=2e4),
        Range("c", "tokens_per_param", least=2.0, most=50.0),
    )
    assert ready.tokens(3.0) == (10.0, 150.0)
    assert ready.tokens(100.0) == (200.0, 5000.0)
    assert ready.tokens(1000.0) == (2000.0, 1e4)
    assert ready.has_least


def test_without_a_bound_tokens_and_parameters_are_free():
    ready = bounds()
    assert ready.tokens(5.0) == (1.0, math.inf)
    assert ready.params_range() == (1.0, pytest.approx(LARGEST))
    assert not ready.has_least
    assert bounds(Ceiling("usd")).tokens(5.0) == (1.0, math.inf)


def test_the_range_of_sizes_ends_where_the_least_tokens_take_everything():
    low, high = bounds(Ceiling("flops", 6e12), Range("batch", "tokens", least=1e3)).params_range()
    assert (low, high) == (1.0, pytest.approx(1e9))
    low, high = bounds(Range("a", "params", least=5.0), Range("b", "params", most=7.0)).params_range()
    assert (low, high) == (5.0, 7.0)
    low, _ = bounds(Range("batch", "tokens", least=1e3), Range("ratio", "tokens_per_param", most=10.0)).params_range()
    assert low == 100.0


def test_parameters_are_converted_to_the_count_that_each_constraint_and_the_law_use():
    size = DEFAULT_ACCOUNTING.size(1e9, ParamCount.TOTAL)
    ready = bounds(
        Ceiling("flops", 1e22, flop=FlopConvention.SIX_ND),
        Range("max", "params", most=1e9),
        count=ParamCount.NONEMBEDDING,
    )
    assert ready.params_range()[1] == pytest.approx(size.nonembedding, rel=1e-12)
    assert ready.tokens(size.nonembedding)[1] == pytest.approx(1e22 / 6e9, rel=1e-12)
    assert ready.size(size.nonembedding).counted(ParamCount.TOTAL) == pytest.approx(1e9, rel=1e-12)
    alike = bounds(Ceiling("flops", 6e20), count=ParamCount.HEAD)
    assert alike.tokens(1e9) == (1.0, 1e11)


def test_ceilings_that_count_alike_are_one_and_the_least_holds():
    ready = bounds(Ceiling("a", 6e20), Ceiling("b", 1.0, per_flop=1 / 3e20), Ceiling("c", 1e6, per_flop=1e-16))
    assert ready.tokens(1e9)[1] == pytest.approx(3e20 / 6e9)


def test_arrays_of_limits_and_sizes_are_bounded_element_by_element():
    flop, params = np.array([6e20, 6e21]), np.array([1e9, 2e9])
    least, most = bounds(Ceiling("flops", flop), Range("batch", "tokens", least=np.array([1.0, 1e3]))).tokens(params)
    assert most == pytest.approx([1e11, 5e11])
    assert least == pytest.approx([1.0, 1e3])
