"""The one solver: every constraint binding alone, pairs of which either may bind, walls, valleys, losses to reach."""

import math

import numpy as np
import pytest

from scaleplan.compute.accounting import DEFAULT_ACCOUNTING, Accounting
from scaleplan.conventions import FlopConvention, ParamCount
from scaleplan.errors import UsageError
from scaleplan.ops import where
from scaleplan.planning.constraints import Ceiling, Range, fixed
from scaleplan.planning.solver import Task, at_params, solve
from scaleplan.planning.why import why
from scaleplan.specs.laws import load_law

LAW = load_law("besiroglu-2024")
REPEATS = load_law("muennighoff-2023")
NONEMBEDDING = load_law("kaplan-2020")
SURFACE = LAW.surface
FLOP = 1e24
BEST = SURFACE.optimum(FLOP)
FLOPS = Ceiling("flops", FLOP)
# Two dollars an H100-hour at 40 % of 989 TFLOP/s, 1,024 of them: our choice, the size of a real run.
HOURS_PER_FLOP = 1 / (0.4 * 989e12 * 3600)
DAYS_PER_FLOP, USD_PER_FLOP = HOURS_PER_FLOP / 24 / 1024, 2 * HOURS_PER_FLOP


def served(params):
    """FLOPs of serving 2T tokens."""
    return 2 * 2e12 * params


BINDING = {
    "flops": (FLOPS,),
    "flops_nonembedding": (Ceiling("flops_nonembedding", FLOP, flop=FlopConvention.SIX_ND_NONEMBEDDING),),
    "flops_served": (Ceiling("flops_served", FLOP, beside=served),),
    "usd": (Ceiling("usd", 1e6, USD_PER_FLOP),),
    "max_usd": (FLOPS, Ceiling("max_usd", 5e5, USD_PER_FLOP, fixed=1e5)),
    "deadline_days": (FLOPS, Ceiling("deadline_days", 20.0, DAYS_PER_FLOP)),
    "days": (Ceiling("days", 60.0, DAYS_PER_FLOP),),
    "max_mwh": (FLOPS, Ceiling("max_mwh", 300.0, 1e-3 * HOURS_PER_FLOP)),
    "max_params": (FLOPS, Range("max_params", "params", most=3e10)),
    "min_params": (FLOPS, Range("min_params", "params", least=3e11)),
    "memory": (FLOPS, Range("memory", "params", most=2e10)),
    "params": (FLOPS, fixed("params", "params", 4e10)),
    "tokens": (FLOPS, fixed("tokens", "tokens", 8e12)),
    "tokens_per_param": (FLOPS, fixed("tokens_per_param", "tokens_per_param", 200.0)),
    "unique_tokens": (FLOPS, Range("unique_tokens", "tokens", most=1e12)),
    "batch": (FLOPS, Range("batch", "tokens", least=5e12)),
    "min_ratio": (FLOPS, Range("min_ratio", "tokens_per_param", least=100.0)),
    "max_ratio": (FLOPS, Range("max_ratio", "tokens_per_param", most=5.0)),
}


@pytest.mark.parametrize("name", BINDING)
def test_every_constraint_binds_alone(name):
    """Beside the budget, where there is one, and two constraints that are far off."""
    far = (Range("far_params", "params", least=1e6, most=1e14), Ceiling("far_days", 1e6, DAYS_PER_FLOP))
    task = Task(LAW, (*BINDING[name], *far))
    solution = solve(task)
    assert solution.feasible
    reasons = why(task, solution)
    budget = {c.name for c in BINDING[name]} - {name}
    # A ceiling below the budget leaves some of it; a bound on the run does not.
    assert name in reasons.binding
    assert set(reasons.binding) <= {name, *budget}
    loose = solve(task._replace(constraints=tuple(c for c in task.constraints if c.name != name)))
    if loose.tokens < math.inf:
        assert loose.loss < solution.loss


@pytest.mark.parametrize("name", ["max_usd", "deadline_days", "max_mwh"])
def test_a_tighter_ceiling_leaves_some_of_the_budget(name):
    task = Task(LAW, BINDING[name])
    solution = solve(task)
    ceiling = BINDING[name][1]
    assert solution.spent(task, ceiling) == pytest.approx(ceiling.limit, rel=1e-12)
    assert solution.spent(task, FLOPS) < 0.9 * FLOP
    closed = SURFACE.optimum((ceiling.limit - ceiling.fixed) / ceiling.per_flop)
    assert solution.loss == pytest.approx(closed.loss, rel=1e-12)


PAIRS = [
    (lambda x: Ceiling("usd", x, USD_PER_FLOP), USD_PER_FLOP * FLOP),
    (lambda x: Ceiling("days", x, DAYS_PER_FLOP), DAYS_PER_FLOP * FLOP),
    (lambda x: Ceiling("mwh", x, 1e-3 * HOURS_PER_FLOP), 1e-3 * HOURS_PER_FLOP * FLOP),
]


@pytest.mark.parametrize("make", PAIRS, ids=["usd", "days", "mwh"])
@pytest.mark.parametrize("share", [0.5, 2.0])
def test_either_of_two_ceilings_may_bind(make, share):
    ceiling = make[0](share * make[1])
    task = Task(LAW, (FLOPS, ceiling))
    solution = solve(task)
    assert why(task, solution).binding == (("flops",) if share > 1 else (ceiling.name,))
    assert solution.loss == pytest.approx(SURFACE.optimum(min(share, 1.0) * FLOP).loss, rel=1e-12)


@pytest.mark.parametrize(
    ("most_params", "most_tokens", "binding"),
    [
        (1e10, 1e11, {"max_params", "unique_tokens"}),
        (5e10, 1e14, {"flops", "max_params"}),
        (1e14, 5e11, {"flops", "unique_tokens"}),
        (1e14, 1e14, {"flops"}),
    ],
)
def test_of_size_data_and_compute_those_bind_that_are_short(most_params, most_tokens, binding):
    ranges = (Range("max_params", "params", most=most_params), Range("unique_tokens", "tokens", most=most_tokens))
    task = Task(LAW, (FLOPS, *ranges))
    solution = solve(task)
    assert set(why(task, solution).binding) == binding
    assert solution.params <= most_params * (1 + 1e-12)
    assert solution.tokens <= most_tokens * (1 + 1e-12)
    assert 6 * solution.params * solution.tokens <= FLOP * (1 + 1e-12)


@pytest.mark.parametrize(("share", "memory"), [(0.9, 0.5), (0.5, 0.9), (0.9, 2.0), (2.0, 0.9)])
def test_of_two_bounds_of_the_size_the_lower_binds(share, memory):
    ranges = (
        Range("max_params", "params", most=share * BEST.params),
        Range("memory", "params", most=memory * BEST.params),
    )
    solution = solve(Task(LAW, (FLOPS, *ranges)))
    assert solution.params == pytest.approx(min(share, memory) * BEST.params, rel=1e-9)


def test_what_is_served_makes_the_best_model_smaller_and_its_data_more():
    plain, under = solve(Task(LAW, (FLOPS,))), solve(Task(LAW, BINDING["flops_served"]))
    assert under.params < plain.params
    assert under.tokens / under.params > plain.tokens / plain.params
    assert 6 * under.params * under.tokens + served(under.params) == pytest.approx(FLOP, rel=1e-12)


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.6, 0.95, 3.0])
@pytest.mark.parametrize("flop", [1e21, 3.7e22, 1e24])
def test_a_wall_beyond_which_a_model_cannot_be_served_is_met_exactly(share, flop):
    best = SURFACE.optimum(flop)
    wall = share * best.params

    def beside(params):
        return where(params <= wall, 1e-3 * flop * params / best.params, math.inf)

    solution = solve(Task(LAW, (Ceiling("flops", flop, beside=beside),)))
    if share < 1:
        assert solution.params == pytest.approx(wall, rel=1e-7)
    else:
        assert solution.params == pytest.approx(best.params, rel=1e-2)


@pytest.mark.parametrize(("rise", "cheaper"), [(0.02, "large"), (0.5, "small")])
def test_of_two_valleys_the_deeper_is_found(rise, cheaper):
    """Serving that becomes dearer by a share of the budget over a narrow range of sizes parts them."""
    start, end = 0.4 * BEST.params, 0.5 * BEST.params

    def beside(params):
        part = (params - start) / (end - start)
        return rise * FLOP * where(part < 0, 0.0, where(part > 1, 1.0, part))

    solution = solve(Task(LAW, (Ceiling("flops", FLOP, beside=beside),)))
    params = np.concatenate([np.exp(np.linspace(math.log(1e8), math.log(1e13), 40_001)), [start, end]])
    tokens = (FLOP - beside(params)) / (6 * params)
    naive = SURFACE.loss(params, tokens)
    assert solution.loss == pytest.approx(naive.min(), abs=1e-8)
    assert (solution.params > end) == (cheaper == "large")


@pytest.mark.parametrize(
    "constraints",
    [
        (Range("max_params", "params", most=1e10), Range("min_params", "params", least=2e10)),
        (FLOPS, fixed("params", "params", 1e11), fixed("tokens", "tokens", 1e13)),
        (FLOPS, Range("batch", "tokens", least=1e13), Range("min_params", "params", least=1e11)),
        (Ceiling("usd", 1e5, USD_PER_FLOP, fixed=2e5),),
        (FLOPS, Range("batch", "tokens", least=1e13), Range("unique_tokens", "tokens", most=1e12)),
    ],
)
def test_what_cannot_hold_is_infeasible(constraints):
    solution = solve(Task(LAW, constraints))
    assert not solution.feasible
    assert all(math.isnan(value) for value in (solution.params, solution.tokens, solution.loss))


def test_a_loss_below_the_floor_is_infeasible_and_one_above_takes_the_least():
    assert not solve(Task(LAW, (), loss=0.99 * SURFACE.floor)).feasible
    target = solve(Task(LAW, (), loss=2.0))
    assert 6 * target.params * target.tokens == pytest.approx(SURFACE.flop_for_loss(2.0), rel=1e-9)


def test_a_loss_is_reached_with_the_least_of_what_is_spent():
    """With serving the cheapest model is smaller, and training and serving together take less."""
    whole = Ceiling("flops", beside=served)
    plain, under = solve(Task(LAW, (), loss=2.0)), solve(Task(LAW, (), loss=2.0, expense=whole))
    task = Task(LAW, (), loss=2.0, expense=whole)
    assert under.params < plain.params
    assert under.spent(task, whole) < plain.spent(task, whole)


def test_repeats_are_worth_less_than_new_tokens_and_more_than_none():
    once = Range("unique_tokens", "tokens", most=2e11)
    fresh = solve(Task(REPEATS, (FLOPS,)))
    repeated = solve(Task(REPEATS, (FLOPS,), unique_tokens=2e11))
    single = solve(Task(REPEATS, (FLOPS, once), unique_tokens=2e11))
    assert fresh.loss < repeated.loss < single.loss
    assert repeated.tokens > 2e11


def test_constraints_speak_of_all_parameters_whatever_the_law_counts():
    own = Ceiling("flops", 1e22, flop=FlopConvention.SIX_ND_NONEMBEDDING)
    task = Task(NONEMBEDDING, (own, Range("max_params", "params", most=1e9)), Accounting(own.flop))
    solution = solve(task)
    assert solution.size(task).total == pytest.approx(1e9, rel=1e-9)
    assert solution.params == pytest.approx(DEFAULT_ACCOUNTING.size(1e9, ParamCount.TOTAL).nonembedding, rel=1e-9)


def test_a_run_of_given_size_is_the_solution_with_that_size_fixed():
    for loss in (None, 2.1):
        task = Task(LAW, (FLOPS, Range("unique_tokens", "tokens", most=3e12)), loss=loss)
        given = at_params(task, 5e10)
        fixed_size = solve(task._replace(constraints=(*task.constraints, fixed("params", "params", 5e10))))
        assert given.tokens == pytest.approx(fixed_size.tokens, rel=1e-12)
        assert given.loss == pytest.approx(fixed_size.loss, rel=1e-12)
    assert not at_params(Task(LAW, (FLOPS, Range("max_params", "params", most=1e10))), 5e10).feasible


def test_a_law_without_a_surface_cannot_be_solved():
    with pytest.raises(UsageError, match="allocation rule"):
        solve(Task(load_law("hoffmann-2022-a1"), (FLOPS,)))
