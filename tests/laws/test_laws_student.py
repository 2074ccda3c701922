"""Student's t against scipy's."""

import pytest
from scipy.special import stdtr, stdtrit
from scipy.stats import norm

from scaleplan.laws.student import two_sided_coverage, two_sided_quantile

LEVELS = [0.01, 0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dof", [1, 2, 3, 4, 5, 10, 31, 100, 235, 236, 999, 1000])
def test_quantiles_are_scipys_to_rounding(level, dof):
    assert two_sided_quantile(level, dof) == pytest.approx(stdtrit(dof, (1 + level) / 2), rel=2e-11)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("dof", [1001, 1500, 10_000, 100_000, 1_000_000])
def test_quantiles_beyond_a_thousand_degrees_are_scipys_to_1e_9(level, dof):
    assert two_sided_quantile(level, dof) == pytest.approx(stdtrit(dof, (1 + level) / 2), rel=1e-9)


@pytest.mark.parametrize("level", LEVELS)
def test_the_quantile_does_not_jump_where_the_method_changes(level):
    below, above = two_sided_quantile(level, 1000), two_sided_quantile(level, 1001)
    expected = stdtrit(1001, (1 + level) / 2) - stdtrit(1000, (1 + level) / 2)
    assert above - below == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.1, 1.0, 1.97, 5.0, 40.0])
@pytest.mark.parametrize("dof", [1, 2, 3, 6, 7, 50, 235, 999])
def test_coverage_is_scipys(t, dof):
    assert two_sided_coverage(t, dof) == pytest.approx(2 * stdtr(dof, t) - 1, abs=1e-13)


@pytest.mark.parametrize(("dof", "t"), [(1, 12.706), (5, 2.571), (30, 2.042), (120, 1.980)])
def test_the_printed_table_of_two_sided_95_per_cent_points(dof, t):
    assert two_sided_quantile(0.95, dof) == pytest.approx(t, abs=5e-4)


def test_many_degrees_of_freedom_give_the_normal_quantile():
    assert two_sided_quantile(0.95, 10**9) == pytest.approx(norm.ppf(0.975), rel=1e-8)
