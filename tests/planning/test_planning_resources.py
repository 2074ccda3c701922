"""FLOPs that accelerator-hours pay for: the budget whose own plan takes them."""

from __future__ import annotations

import pytest

from scaleplan import load_law
from scaleplan.compute.accounting import Accounting
from scaleplan.errors import InfeasibleError
from scaleplan.planning.allocation import allocate
from scaleplan.planning.problem import Problem
from scaleplan.planning.resources import flop_within

SPEED = 0.4 * 1e15 * 3600
"""FLOP of 6 N D that an hour gives."""


def hours_of(plan):
    return 6 * plan.params * plan.tokens / SPEED


def problem_of(law, **fixed):
    return Problem(train_flop=1.0, accounting=Accounting(flop=law.counts_flop), **fixed)


@pytest.mark.parametrize("name", ["besiroglu-2024", "kaplan-2020", "hoffmann-2022-a1", "hoffmann-2022-a3"])
@pytest.mark.parametrize("hours", [1e2, 1e5, 3e6, 1e9])
@pytest.mark.parametrize("off", [1e-3, 0.7, 1.0, 40.0])
def test_the_plan_takes_the_hours_wherever_the_search_starts(name, hours, off):
    law = load_law(name)
    flop = flop_within(law, problem_of(law), hours, hours_of, off * hours * SPEED)
    plan = allocate(law, Problem(train_flop=flop, accounting=Accounting(flop=law.counts_flop)))
    assert hours_of(plan) == pytest.approx(hours, rel=1e-11)


def test_under_six_n_d_the_flops_are_hours_times_speed():
    law = load_law("besiroglu-2024")
    assert flop_within(law, problem_of(law), 1e6, hours_of, 1e20) == pytest.approx(1e6 * SPEED, rel=1e-11)


def test_a_fixed_size_stays_fixed():
    law = load_law("besiroglu-2024")
    flop = flop_within(law, problem_of(law, params=3e10), 1e6, hours_of, 1e24)
    plan = allocate(law, Problem(train_flop=flop, params=3e10))
    assert plan.params == 3e10
    assert hours_of(plan) == pytest.approx(1e6, rel=1e-11)


def test_the_flops_and_the_loss_that_the_problem_had_do_not_count():
    law = load_law("besiroglu-2024")
    first = flop_within(law, Problem(train_flop=1e18), 1e6, hours_of, 1e24)
    second = flop_within(law, Problem(loss=2.0), 1e6, hours_of, 1e24)
    assert first == second == pytest.approx(1e6 * SPEED, rel=1e-11)


def test_speed_may_depend_on_the_plan():
    """Larger models run faster, so hours grow more slowly than the FLOPs."""
    law = load_law("besiroglu-2024")

    def hours(plan):
        return hours_of(plan) * (plan.params / 1e10) ** -0.1

    flop = flop_within(law, problem_of(law), 1e6, hours, 1e24)
    assert hours(allocate(law, Problem(train_flop=flop))) == pytest.approx(1e6, rel=1e-11)


def test_where_the_hours_jump_the_plan_stays_just_below():
    """Beyond 5e23 FLOP a run takes half as much again: more hours than these, which the smaller do not use up."""
    law = load_law("besiroglu-2024")
    edge = 5e23

    def hours(plan):
        return hours_of(plan) * (1.5 if plan.train_flop > edge else 1.0)

    flop = flop_within(law, problem_of(law), 1.2 * edge / SPEED, hours, edge)
    assert flop == pytest.approx(edge, rel=1e-8)
    assert flop <= edge


@pytest.mark.parametrize(("guess", "advice"), [(0.5, "raise the budget"), (float("inf"), "lower the budget")])
def test_a_budget_beyond_all_plans_says_which_way_to_go(guess, advice):
    law = load_law("besiroglu-2024")
    with pytest.raises(InfeasibleError, match=f"accelerator-hours buy no plan; {advice}"):
        flop_within(law, problem_of(law), 1e-30 if guess < 1 else 1e300, hours_of, guess)
