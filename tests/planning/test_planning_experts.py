"""Mixtures of experts: published optima, constraints on all parameters, the best number, and refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaleplan.compute.bill import exactly
from scaleplan.compute.expert_counts import ExpertCounts
from scaleplan.compute.serving import Demand, Server, Service
from scaleplan.errors import UsageError
from scaleplan.planning.constraints import Ceiling, Range, fixed
from scaleplan.planning.experts import TRIED, at_experts, notices, solve_experts
from scaleplan.planning.solver import Task, at_params, solve
from scaleplan.specs.laws import load_law

JOINT = load_law("ludziejewski-2025")
TABLE = {
    (1e20, 1): (1.7e9, 9.7e9), (1e20, 2): (1.5e9, 11.4e9), (1e20, 4): (1.2e9, 13.9e9),
    (1e20, 8): (9.9e8, 17e9), (1e20, 16): (8.1e8, 20.7e9), (1e20, 32): (6.69e8, 24.9e9),
    (1e21, 1): (5.7e9, 29.3e9), (1e21, 8): (3.8e9, 44.3e9), (1e21, 32): (2.85e9, 58.4e9),
    (1e22, 1): (18.8e9, 88.6e9), (1e22, 4): (15.8e9, 105.4e9), (1e22, 32): (12.2e9, 136.9e9),
}  # fmt: skip
"""Active parameters and tokens by FLOPs and experts: Ludziejewski et al. 2025 (arXiv 2502.05172), table 1."""


def of(flop, *constraints, **given):
    return Task(JOINT, (Ceiling("flops", flop), *constraints), **given)


@pytest.mark.parametrize(("flop", "experts"), TABLE)
def test_the_published_optima_are_found(flop, experts):
    found = solve_experts(of(flop), experts)
    assert (found.solution.params, found.solution.tokens) == pytest.approx(TABLE[flop, experts], rel=0.04)
    assert found.params_total == pytest.approx(ExpertCounts(experts).total(found.solution.params), rel=1e-12)


@pytest.mark.parametrize("flop", [1e19, 1e21, 1e24])
@pytest.mark.parametrize("experts", TRIED)
def test_without_limits_the_closed_form_is_met(flop, experts):
    found, exact = solve_experts(of(flop), experts).solution, JOINT.at(experts=experts).surface.optimum(flop)
    assert found.params == pytest.approx(exact.params, rel=1e-6)
    assert found.loss == pytest.approx(exact.loss, rel=1e-12)


def test_one_expert_is_the_dense_plan():
    dense = solve(of(1e21, Range("max_params", "params", None, 2e9)))
    found = solve_experts(of(1e21, Range("max_params", "params", None, 2e9)), 1)
    assert found.solution == dense
    assert found.params_total == dense.params
    assert found.task.law.held == {"experts": 1}


@pytest.mark.parametrize("most", [1e9, 5e9, 2e10, 1e11, 1e13])
@pytest.mark.parametrize("flop", [1e20, 1e22])
def test_the_best_number_under_a_limit_is_that_of_a_brute_force_over_all(flop, most):
    """By a grid of ln N_act at each number of experts, all parameters at most the limit."""
    found = solve_experts(of(flop, Range("max_params", "params", None, most)), "free")
    best = (math.inf, 0)
    for experts in TRIED:
        active = np.geomspace(1e6, 1e12, 40_001)
        active = np.append(active, ExpertCounts(experts).active(most))
        loss = JOINT.at(experts=experts).surface.loss(active, flop / (6 * active))
        allowed = ExpertCounts(experts).total(active) <= most * (1 + 1e-12)
        best = min(best, (float(loss[allowed].min()), experts))
    assert found.experts == best[1]
    assert found.solution.loss == pytest.approx(best[0], rel=1e-7)
    assert found.params_total <= most * (1 + 1e-9)


def test_the_more_parameters_may_be_held_the_more_experts_there_are():
    numbers = [solve_experts(of(1e22, Range("memory", "params", None, most)), "free").experts for most in
               (1e9, 1e10, 3e10, 1e12)]  # fmt: skip
    assert numbers == sorted(numbers)
    assert numbers[0] == 1
    assert numbers[-1] == 32


@pytest.mark.parametrize("experts", [1, 4, 32])
def test_limits_count_all_parameters(experts):
    counts = ExpertCounts(experts)
    at_most = solve_experts(of(1e22, Range("max_params", "params", None, 5e9)), experts)
    at_least = solve_experts(of(1e20, Range("min_params", "params", 5e11, None)), experts)
    exactly = solve_experts(of(1e21, fixed("params", "params", 3e10)), experts)
    assert at_most.params_total == pytest.approx(5e9, rel=1e-9)
    assert at_least.params_total == pytest.approx(5e11, rel=1e-9)
    assert exactly.params_total == pytest.approx(3e10, rel=1e-9)
    assert exactly.solution.tokens == pytest.approx(1e21 / (6 * counts.active(3e10)), rel=1e-9)
    assert at_experts(of(1e21, fixed("params", "params", 3e10)), experts).constraints[1].fixes


def test_a_limit_may_depend_on_the_number_of_experts():
    found = solve_experts(of(1e22), "free", lambda number: [Range("memory", "params", None, 1e10 * number)])
    assert found.experts == 32
    assert {n: task.constraints[1].most for n, task in found.tasks.items()} == pytest.approx(
        {n: ExpertCounts(n).active(1e10 * n) for n in TRIED}
    )
    few = solve_experts(of(1e22), "free", lambda number: [Range("memory", "params", None, 1e11 / number**2)])
    assert few.experts < 8


def test_no_bound_is_no_bound_of_a_mixture_either():
    unbound = solve_experts(of(1e22, Range("memory", "params", None, math.inf)), 8)
    assert unbound.solution == solve_experts(of(1e22), 8).solution


def test_many_problems_at_once_each_take_their_own_number():
    flops, most = np.array([1e20, 1e21, 1e22, 1e22]), np.array([1e13, 2e9, 1e10, 3e10])
    found = solve_experts(of(flops, Range("max_params", "params", None, most)), "free")
    for i, flop in enumerate(flops):
        alone = solve_experts(of(float(flop), Range("max_params", "params", None, float(most[i]))), "free")
        assert found.experts[i] == alone.experts
        assert found.solution.loss[i] == pytest.approx(alone.solution.loss, rel=1e-10)
        assert found.params_total[i] == pytest.approx(alone.params_total, rel=1e-5)
    with pytest.raises(UsageError, match="best numbers of experts differ"):
        assert found.task


def test_for_a_loss_the_least_expense_is_taken():
    found = solve_experts(Task(JOINT, (Range("max_params", "params", None, 2e10),), loss=2.2), "free")
    flops = {}
    for experts in TRIED:
        each = solve_experts(Task(JOINT, (Range("max_params", "params", None, 2e10),), loss=2.2), experts)
        flops[experts] = 6 * each.solution.params * each.solution.tokens if each.solution.feasible else math.inf
    assert found.experts == min(flops, key=flops.get)
    assert found.solution.loss == pytest.approx(2.2)
    assert 6 * found.solution.params * found.solution.tokens == pytest.approx(min(flops.values()), rel=1e-9)


def test_serving_counts_the_share_that_a_token_passes():
    """FLOPs of serving are 2 N_act a token, whatever the experts; a plain function of all parameters is given all."""
    service, tokens = Service(Demand(1e11)), 1e11
    found = solve_experts(Task(JOINT, (Ceiling("flops", 1e21, beside=service.flop),)), 8)
    spent = 6 * found.solution.params * found.solution.tokens + 2 * found.solution.params * tokens
    assert spent == pytest.approx(1e21, rel=1e-9)
    told = solve_experts(Task(JOINT, (Ceiling("flops", 1e21, beside=lambda params: 1e9 * params),)), 8)
    spent = 6 * told.solution.params * told.solution.tokens + 1e9 * told.params_total
    assert spent == pytest.approx(1e21, rel=1e-9)


def test_money_pays_for_serving_all_of_a_mixture_by_the_share_that_a_token_passes():
    server = Server("h100-sxm", "bf16", 9.9e14, 3.35e12, 80e9, 2, 2, 0.4, 0.6, 64, price=exactly(2.0))
    service, usd_per_flop = Service(Demand(1e12, 1000, 300), server), 2 / (3600 * 0.4 * 9.9e14)
    found = solve_experts(Task(JOINT, (Ceiling("usd", 3e5, per_flop=usd_per_flop, beside=service.usd),)), 8)
    active, total = found.solution.params, found.params_total
    serving = service._replace(active_share=active / total).usd(total)
    assert serving < service.usd(total)
    assert 6 * active * found.solution.tokens * usd_per_flop + serving == pytest.approx(3e5, rel=1e-6)


def test_where_no_number_of_experts_has_a_plan_there_is_none():
    found = solve_experts(of(1e20, Range("tokens", "tokens", 1e18, None), Range("min", "params", 1e9, None)), "free")
    assert not found.solution.feasible


def test_the_task_of_the_best_number_is_the_one_that_was_solved():
    found = solve_experts(of(1e21), "free")
    again = at_params(found.task, found.solution.params)
    assert again.loss == pytest.approx(found.solution.loss, rel=1e-12)
    assert found.task.law.held == {"experts": found.experts}


@pytest.mark.parametrize("law", ["besiroglu-2024", "abnar-2025", "krajewski-2024"])
def test_laws_that_say_nothing_of_experts_are_refused(law):
    with pytest.raises(UsageError, match="says nothing of experts: choose a law that does"):
        solve_experts(Task(load_law(law), (Ceiling("flops", 1e21),)), 8)


def test_more_experts_than_anybody_trains_are_refused():
    assert solve_experts(of(1e21), 4096).solution.feasible
    for many in (4097, 1e300):
        with pytest.raises(UsageError, match="experts must be at most 4,096, or free"):
            solve_experts(of(1e21), many)


@pytest.mark.parametrize("experts", [0, -4, 2.5, math.inf, math.nan, "many", True])
def test_what_is_no_number_of_experts_is_refused(experts):
    with pytest.raises(UsageError, match="experts must be a whole number"):
        solve_experts(of(1e21), experts)


def test_more_experts_than_any_run_had_is_said():
    assert notices(32.0) == []
    (notice,) = notices(np.array([8.0, 64.0]))
    assert notice.message == "64 experts are more than the 32 of any run behind the law."
