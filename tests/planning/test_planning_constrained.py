"""The plan of a problem with limits: which problem is solved, what is closed, what moves in doubt, what is refused."""

import math

import numpy as np
import pytest

from scaleplan.compute.accounting import Accounting
from scaleplan.compute.serving import Demand, Service
from scaleplan.conventions import FlopConvention
from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.planning.allocation import allocate
from scaleplan.planning.constrained import run_of, solve_problem, task_of
from scaleplan.planning.limits import Effort, Limits
from scaleplan.planning.problem import Problem
from scaleplan.planning.repeats import UnvaluedRepeatsError
from scaleplan.specs.laws import load_law

LAW = load_law("besiroglu-2024")
KAPLAN = load_law("kaplan-2020")
REPEATS = load_law("muennighoff-2023")
RULE = load_law("hoffmann-2022-a1")
EFFORT = Effort(hours_per_flop=8e-19, accelerators=512, price=3.5, mwh_per_hour=8e-4)
SERVED = Service(Demand(1e13, None, None))


def test_limits_that_are_all_in_proportion_to_flops_have_the_closed_form():
    limits = Limits(deadline_days=10.0, max_usd=5e6, max_mwh=1e4)
    plan = allocate(LAW, Problem(train_flop=1e24, limits=limits, effort=EFFORT))
    flop = 10 * 24 * 512 / 8e-19
    best = LAW.surface.optimum(flop)
    assert plan.method.startswith("closed-form")
    assert (plan.params, plan.tokens, plan.loss) == pytest.approx((best.params, best.tokens, best.loss), rel=1e-12)
    assert plan.train_flop == pytest.approx(flop, rel=1e-12)
    assert plan.binding == ("deadline_days",)
    free = allocate(LAW, Problem(train_flop=flop))
    assert (plan.params_low, plan.tokens_high) == pytest.approx((free.params_low, free.tokens_high), rel=1e-12)


def test_a_law_that_only_allocates_answers_where_a_closed_form_does_and_nowhere_else():
    problem = Problem(train_flop=1e24, limits=Limits(deadline_days=10.0), effort=EFFORT)
    plan = allocate(RULE, problem)
    assert (plan.binding, plan.loss) == (("deadline_days",), None)
    assert plan.train_flop == pytest.approx(10 * 24 * 512 / 8e-19, rel=1e-12)
    with pytest.raises(UsageError, match="is an allocation rule"):
        allocate(RULE, Problem(train_flop=1e24, limits=Limits(max_params=3e10)))


def test_budgets_that_count_other_parameters_meet_where_both_hold():
    """FLOPs of a law without embeddings beside hours of 6 N D with them: the plan keeps both, and one binds."""
    accounting = Accounting(flop=FlopConvention.SIX_ND_NONEMBEDDING)
    for days, binding in ((0.5, "deadline_days"), (1.0, "flops")):
        limits = Limits(deadline_days=days)
        plan = allocate(LAW, Problem(train_flop=1e22, limits=limits, effort=EFFORT, accounting=accounting))
        hours = 6 * plan.params * plan.tokens * EFFORT.hours_per_flop
        flop = 6 * plan.params_nonembedding * plan.tokens
        used = {"deadline_days": hours / 512 / 24 / days, "flops": flop / 1e22}
        assert used[binding] == pytest.approx(1, rel=1e-9)
        assert max(used.values()) <= 1 + 1e-9
        assert plan.binding == (binding,)


def test_the_task_has_the_budget_the_limits_and_what_to_spend_least_of():
    task = task_of(LAW, Problem(train_flop=1e24, params=3e10, limits=Limits(max_params=4e10), service=SERVED))
    assert [c.name for c in task.constraints] == ["flops", "max_params", "params"]
    assert (task.loss, task.unique_tokens) == (None, None)
    least = task_of(LAW, Problem(loss=2.1, limits=Limits(max_params=4e10)))
    assert (least.loss, least.spending.name, least.spending.beside) == (2.1, "flops", None)
    served = task_of(LAW, Problem(loss=2.1, service=SERVED))
    assert served.spending.beside(1e9) == 2e22
    repeats = task_of(REPEATS, Problem(train_flop=1e24, limits=Limits(unique_tokens=1e11)))
    assert repeats.unique_tokens == 1e11
    assert repeats.surface.loss(1e10, 1e12) == REPEATS.repeated.loss(1e10, 1e12, 1e11)


def test_a_run_without_bands_is_that_of_the_plan():
    problem = Problem(train_flop=1e24, limits=Limits(max_params=3e10))
    run, plan = run_of(LAW, problem), allocate(LAW, problem)
    assert (run.params, run.params_active, run.tokens) == (plan.params, plan.params, plan.tokens)
    assert run.aim == plan.loss
    least = run_of(LAW, Problem(loss=2.1, limits=Limits(max_params=5e9)))
    assert least.aim == pytest.approx(6 * least.params * least.tokens, rel=1e-12)


def test_what_is_free_moves_and_what_is_pinned_does_not():
    pinned = solve_problem(LAW, Problem(train_flop=1e24, limits=Limits(max_params=3e10))).ends
    assert set(pinned) == {"loss_low", "loss_high"}
    served = solve_problem(LAW, Problem(train_flop=1e24, service=SERVED)).ends
    assert served["params_low"] < served["params_high"]
    # Tokens serve the smaller model longer: what the budget leaves of training moves too.
    assert served["train_flop_low"] < served["train_flop_high"]
    none = solve_problem(KAPLAN, Problem(train_flop=1e24, limits=Limits(max_params=3e10))).ends
    assert none == {}


def test_a_band_does_not_go_beyond_a_limit():
    free = allocate(LAW, Problem(train_flop=1e24))
    most, least = 1.5 * free.params, free.params / 1.5
    plan = allocate(LAW, Problem(train_flop=1e24, limits=Limits(max_params=most, min_params=least)))
    assert plan.params == pytest.approx(free.params, rel=1e-6)
    assert free.params_low < least <= plan.params_low * (1 + 1e-9)
    assert plan.params_high * (1 - 1e-9) <= most < free.params_high


def test_arrays_are_planned_as_their_numbers_one_by_one():
    flops, most = np.array([1e21, 1e23, 1e25]), np.array([[2e9], [7e10]])
    plan = allocate(LAW, Problem(train_flop=flops, limits=Limits(max_params=most)))
    assert plan.params.shape == (2, 3)
    assert (plan.why, plan.params_low) == (None, None)
    for i in range(2):
        for j in range(3):
            problem = Problem(train_flop=float(flops[j]), limits=Limits(max_params=float(most[i, 0])))
            one = allocate(LAW, problem)
            assert plan.loss[i, j] == pytest.approx(one.loss, rel=1e-12)
            assert plan.params[i, j] == pytest.approx(one.params, rel=1e-5)


def test_an_array_in_which_one_problem_has_no_plan_is_infeasible():
    limits = Limits(min_params=np.array([1e9, 1e15]), tokens_per_param=20.0)
    with pytest.raises(InfeasibleError, match="no run meets all limits of one of these problems"):
        allocate(LAW, Problem(train_flop=np.array([1e24, 1e24]), limits=limits))


def test_a_law_that_does_not_value_repeats_plans_within_its_data_or_not_at_all():
    def plan(unique, epochs=None, law=LAW):
        limits = Limits(unique_tokens=unique, max_epochs=epochs)
        return allocate(law, Problem(train_flop=1e24, limits=limits))

    best = LAW.surface.optimum(1e24)
    assert plan(2 * best.tokens).tokens == pytest.approx(best.tokens, rel=1e-6)
    assert plan(0.5 * best.tokens, 1.0).epochs == pytest.approx(1, rel=1e-9)
    for epochs in (None, 4.0):
        with pytest.raises(UnvaluedRepeatsError, match="does not say what repeats are worth"):
            plan(0.5 * best.tokens, epochs)
    with pytest.raises(UnvaluedRepeatsError):
        plan(np.array([2.0, 0.5]) * best.tokens)
    assert plan(1e11, law=REPEATS).epochs > 4


def test_the_least_loss_falls_with_every_limit_that_is_relaxed():
    def loss(**limits):
        return float(allocate(LAW, Problem(train_flop=1e24, limits=Limits(**limits), effort=EFFORT)).loss)

    for name, values in {
        "max_params": (1e9, 1e10, 5e10, 1e12),
        "deadline_days": (1.0, 10.0, 50.0, 1e3),
        "max_usd": (1e5, 1e6, 2e6, 1e8),
    }.items():
        losses = [loss(**{name: value}) for value in values]
        assert losses == sorted(losses, reverse=True)
        assert losses[-1] == pytest.approx(float(LAW.surface.optimum(1e24).loss), rel=1e-12)


def test_a_plan_below_a_token_is_no_plan():
    with pytest.raises(InfeasibleError):
        allocate(LAW, Problem(train_flop=1.0, limits=Limits(max_params=1e9)))
    effort = EFFORT._replace(fixed_hours=1e6)
    with pytest.raises(InfeasibleError, match=r"max_usd .* cannot hold"):
        allocate(LAW, Problem(train_flop=1e24, limits=Limits(max_usd=1e6), effort=effort))


def test_a_loss_below_the_floor_is_infeasible_under_limits_too():
    with pytest.raises(InfeasibleError, match="loss"):
        allocate(LAW, Problem(loss=LAW.surface.floor * 0.9, limits=Limits(max_params=1e12)))


def test_a_loss_is_reached_at_the_edge_of_what_its_limits_allow():
    """max_params at just the size that reaches the loss with all tokens there are."""
    loss = float(LAW.surface.loss(5e9, 1e12))
    limits = Limits(max_params=5e9 * (1 + 1e-6), unique_tokens=1e12 * (1 + 1e-6), max_epochs=1.0)
    plan = allocate(LAW, Problem(loss=loss, limits=limits))
    assert (plan.params, plan.tokens) == pytest.approx((5e9, 1e12), rel=1e-5)
    assert not math.isnan(plan.loss)
