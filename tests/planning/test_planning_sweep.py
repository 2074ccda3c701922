"""Many problems at once answer as they do one by one, a row of its own for each, with or without a plan."""

import math
from dataclasses import replace

import numpy as np
import pytest

from scaleplan.compute.demand import Demand
from scaleplan.compute.serving import Service
from scaleplan.errors import UsageError
from scaleplan.planning.constrained import task_of
from scaleplan.planning.limits import Effort, Limits
from scaleplan.planning.problem import Problem
from scaleplan.planning.solver import solve
from scaleplan.planning.sweep import alike, farthest, solve_block, stacked
from scaleplan.planning.why import why
from scaleplan.specs.laws import load_law

REPEATS = load_law("muennighoff-2023")
DENSE = load_law("besiroglu-2024")
HOUR = 1 / (0.85 * 3600 * 989.4e12 * 0.4)
EFFORT = Effort(HOUR, 1000.0, 2048, 2.5, 7.84e-4)
COUNT = 60


def problems(seed=4):
    """Problems of arrays in which each limit binds somewhere."""
    rng = np.random.default_rng(seed)

    def between(low, high):
        return 10 ** rng.uniform(low, high, COUNT)

    limits = Limits(
        unique_tokens=between(10, 13), max_epochs=rng.choice([1.0, 4.0, 16.0], COUNT), deadline_days=between(0.5, 2.5),
        memory=between(9, 12), gpu_hours=between(3.5, 7), min_params=between(8, 10.5),
    )  # fmt: skip
    service = Service(Demand(between(9, 14)))
    return Problem(train_flop=between(20, 26), limits=limits, effort=EFFORT, service=service)


def one(problem, i):
    """The ``i``-th of some problems, with plain numbers."""

    def at(value):
        return float(value[i]) if isinstance(value, np.ndarray) else value

    service = problem.service
    if service is not None:
        service = service._replace(demand=service.demand._replace(tokens=at(service.demand.tokens)))
    numbers = {name: at(getattr(problem, name)) for name in ("train_flop", "loss", "params", "tokens")}
    limits = Limits(*map(at, problem.limits))
    return replace(problem, **numbers, limits=limits, service=service, effort=Effort(*map(at, problem.effort)))


@pytest.mark.parametrize("law", [REPEATS, DENSE], ids=lambda law: law.id)
def test_a_row_is_the_answer_to_its_problem_alone(law):
    many = problems()
    rows = solve_block(law, many, COUNT)
    for i in range(COUNT):
        problem = one(many, i)
        task = task_of(law, problem)
        alone = solve(task)
        if not alone.feasible:
            assert rows["status"][i] == "infeasible"
            continue
        if rows["status"][i] == "repeats-unvalued":
            assert law is DENSE
            assert alone.tokens == pytest.approx(problem.limits.unique_tokens, rel=1e-6)
            assert problem.limits.max_epochs > 1
            continue
        assert rows["status"][i] == "ok"
        assert rows["loss"][i] == pytest.approx(alone.loss, rel=1e-9)
        assert rows["params"][i] == pytest.approx(alone.params, rel=2e-4)  # where the loss is flat
        params, tokens = rows["params"][i], rows["tokens"][i]
        assert rows["tokens_per_param"][i] == pytest.approx(tokens / params)
        assert rows["train_flop"][i] == pytest.approx(6 * params * tokens)
        assert rows["epochs"][i] == pytest.approx(tokens / problem.limits.unique_tokens)
        hours = HOUR * 6 * params * tokens + 1000
        assert rows["gpu_hours"][i] == pytest.approx(hours)
        assert rows["days"][i] == pytest.approx(hours / 24 / 2048)
        assert rows["cost_usd"][i] == pytest.approx(2.5 * hours)
        assert rows["energy_mwh"][i] == pytest.approx(7.84e-4 * hours)
        assert rows["serving_flop"][i] == pytest.approx(2 * params * problem.service.demand.tokens)
        assert rows["lifetime_flop"][i] == pytest.approx(rows["train_flop"][i] + rows["serving_flop"][i])
    assert set(rows["status"]) >= {"ok", "infeasible"}


def test_what_binds_is_named_as_for_one_plan():
    many = problems(seed=9)
    rows = solve_block(REPEATS, many, COUNT)
    seen = set()
    for i in np.flatnonzero(np.array(rows["status"]) == "ok"):
        task = task_of(REPEATS, one(many, i))
        assert rows["binding"][i].split("+") == list(why(task, solve(task)).binding)
        seen |= {*rows["binding"][i].split("+")}
    assert seen >= {"flops", "deadline_days", "memory", "unique_tokens", "gpu_hours", "min_params"}


def test_rows_without_a_plan_have_a_reason_and_no_numbers():
    limits = Limits(min_params=np.array([1e9, 1e12, 1e9]), max_params=1e10, unique_tokens=np.array([1e13, 1e13, 1e9]))
    rows = solve_block(DENSE, Problem(train_flop=1e22, limits=limits, effort=EFFORT), 3)
    assert rows["status"] == ["ok", "infeasible", "repeats-unvalued"]
    assert rows["binding"] == ["flops", None, None]
    for name, column in rows.items():
        if name not in ("status", "binding"):
            assert math.isfinite(column[0])
            assert np.isnan(column[1:]).all()


def test_tokens_seen_once_need_no_value():
    limits = Limits(unique_tokens=np.array([1e9, 2e9]), max_epochs=1.0)
    rows = solve_block(DENSE, Problem(train_flop=1e22, limits=limits), 2)
    assert rows["status"] == ["ok", "ok"]
    assert rows["tokens"] == pytest.approx([1e9, 2e9])
    assert rows["binding"] == ["flops+unique_tokens"] * 2


def test_losses_to_reach_are_reached_with_the_least_that_reaches_them():
    losses = np.array([2.3, 2.0, 1.7])  # the last below the floor of the law
    rows = solve_block(DENSE, Problem(loss=losses, limits=Limits(max_params=np.array([1e13, 3e10, 1e13]))), 3)
    assert rows["status"] == ["ok", "ok", "infeasible"]
    assert rows["loss"][:2] == pytest.approx(losses[:2])
    assert rows["train_flop"][0] == pytest.approx(DENSE.surface.flop_for_loss(2.3), rel=1e-9)
    assert rows["binding"] == ["loss", "max_params+loss", None]


def test_problems_of_several_machines_are_one_of_arrays():
    fast = Problem(train_flop=1e24, limits=Limits(max_usd=1e5), effort=EFFORT)
    slow = replace(fast, effort=EFFORT._replace(hours_per_flop=2 * HOUR, accelerators=512))
    assert alike(fast) == alike(slow)
    which = np.array([1, 0, 0, 1])
    joined = stacked([fast, slow], which)
    assert joined.limits.max_usd == 1e5
    assert list(joined.effort.accelerators) == [512, 2048, 2048, 512]
    rows = solve_block(DENSE, joined, 4)
    alone = [solve_block(DENSE, each, 1) for each in (fast, slow)]
    assert rows["loss"] == pytest.approx([alone[i]["loss"][0] for i in which], rel=1e-9)
    assert rows["days"] == pytest.approx([alone[i]["days"][0] for i in which], rel=1e-6)


def test_problems_with_other_limits_are_not_alike():
    base = Problem(train_flop=1e24, limits=Limits(max_usd=1e5), effort=EFFORT)
    others = [
        replace(base, limits=Limits(max_params=1e10)), replace(base, effort=EFFORT._replace(price=None)),
        replace(base, service=Service(Demand(1e12))), replace(base, effort=None),
    ]  # fmt: skip
    assert len({alike(each) for each in (base, *others)}) == 5


def test_the_farthest_rows_are_those_at_the_ends():
    columns = {"params": np.array([1e9, 1e10, np.nan, 3e9, 1e11]), "tokens": np.array([1e12, 1e11, 1e30, 5e11, 5e11])}
    assert farthest(columns) == [(1e9, 1e12), (1e10, 1e11), (1e11, 5e11)]
    assert farthest({"params": np.array([np.nan]), "tokens": np.array([np.nan])}) == []


def test_a_law_without_a_surface_is_refused():
    with pytest.raises(UsageError, match="hoffmann-2022-a1 is an allocation rule"):
        solve_block(load_law("hoffmann-2022-a1"), Problem(train_flop=np.array([1e21, 1e22])), 2)
