"""The allocation of a law of compute alone: the line through the best run of every budget."""

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.fitting.ladder import fit_ladder
from scaleplan.fitting.runs import runs_of


def ladder(k=0.5, a=0.5, budgets=5, off=()):
    """Runs on N = k C^a, and beside each others of ``off`` times its size with a higher loss."""
    flop = np.repeat(np.geomspace(1e18, 1e22, budgets), 1 + len(off))
    params = k * flop**a * np.tile([1.0, *off], budgets)
    loss = 20 * flop**-0.05 + np.tile([0.0, *(abs(np.log(x)) for x in off)], budgets)
    return runs_of(params, flop / (6 * params), loss)


def test_the_line_is_that_of_the_best_runs_alone():
    found = fit_ladder(ladder(off=(0.25, 3.0)))
    assert found.rule.k == pytest.approx(0.5, rel=1e-9)
    assert found.rule.a == pytest.approx(0.5, rel=1e-10)
    assert found.dof == 3
    assert found.trend is None


def test_the_covariance_is_that_of_least_squares():
    runs = ladder()
    moved = runs_of(runs.params * np.exp([0.1, -0.05, 0.02, 0.08, -0.1]), runs.tokens, runs.loss)
    found = fit_ladder(moved)
    x, y = np.log(moved.train_flop), np.log(moved.params)
    (a, ln_k), unscaled = np.polyfit(x, y, 1, cov="unscaled")
    away = y - ln_k - a * x
    assert (np.log(found.rule.k), found.rule.a) == pytest.approx((ln_k, a), rel=1e-9)
    np.testing.assert_allclose(found.covariance, unscaled[::-1, ::-1] * (away @ away) / 3, rtol=1e-8)


def test_two_budgets_make_a_line_without_a_covariance():
    found = fit_ladder(ladder(budgets=2))
    assert (found.dof, found.covariance) == (0, None)
    assert found.rule.a == pytest.approx(0.5)


def test_runs_far_from_the_line_are_counted_and_runs_on_it_are_not():
    assert fit_ladder(ladder()).notices == ()
    assert fit_ladder(ladder(off=(0.85, 1.15))).notices == ()
    (notice,) = fit_ladder(ladder(off=(0.5, 1.1))).notices
    assert notice.code == "off_the_ladder"
    assert "5 of 15 rows" in notice.message
    assert "--where" in notice.message


def test_one_budget_is_refused():
    runs = ladder(off=(0.5, 2.0)).subset(np.arange(3))
    with pytest.raises(UsageError, match=r"all runs have about 1e\+18 FLOP"):
        fit_ladder(runs)
