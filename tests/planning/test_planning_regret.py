"""Regret of plans under laws, the best bet among them, and how forgiving a plan is."""

import math
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaleplan.compute.accounting import DEFAULT_ACCOUNTING, Accounting
from scaleplan.conventions import FlopConvention, ParamCount
from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.planning.constraints import Ceiling, Range
from scaleplan.planning.forgiveness import extra_compute, forgiveness
from scaleplan.planning.optimum import least_flop, surface_optimum
from scaleplan.planning.regret import regret
from scaleplan.planning.solver import Task, at_params, solve
from scaleplan.planning.worlds import world
from scaleplan.specs.laws import load_law
from scaleplan.views.regrets import regret_grid, regret_rows

NAMES = ("besiroglu-2024", "hoffmann-2022-a3", "kaplan-2020", "krajewski-2024", "abnar-2025", "muennighoff-2023")
LAWS = [load_law(name) for name in NAMES]
LAW, A3, KAPLAN = LAWS[:3]
A1 = load_law("hoffmann-2022-a1")


def under(flop, *more, law):
    return Task(law, (Ceiling("flops", flop), *more))


def at(flop, *more):
    return partial(_task, flop, more)


def _task(flop, more, law):
    return under(flop, *more, law=law)


def money(flop):
    """Dollars that serving shares with training, at most those of 1.3 times the FLOPs."""
    return Ceiling("usd", 1.3e-17 * flop, 1e-17, beside=lambda params: 2e-17 * 1e12 * params)


MORE = {
    "free": lambda _flop: (),
    "tokens": lambda flop: (Range("max_tokens", "tokens", None, 4 * flop**0.5),),
    "params": lambda flop: (Range("max_params", "params", None, 0.05 * flop**0.5),),
    "money": lambda flop: (money(flop),),
    "ratio": lambda _flop: (Range("tokens_per_param", "tokens_per_param", 12.0, 60.0),),
}


@pytest.mark.parametrize("flop", [1e21, 1e24])
@pytest.mark.parametrize("kind", MORE)
def test_a_plan_has_no_regret_under_its_own_law_and_never_less_than_none(kind, flop):
    table = regret(LAWS, at(flop, *MORE[kind](flop)))
    for i, law in enumerate(LAWS):
        assert table.plans[i].law is law
        assert table.cells[i][i].mean == 0.0
    assert min(cell.mean for row in table.cells for cell in row) >= 0


def test_the_regret_of_a_free_plan_is_the_compute_it_wastes():
    table = regret([LAW, A3], at(1e23))
    other = surface_optimum(A3, A3.surface, DEFAULT_ACCOUNTING, 1e23)
    reached = LAW.surface.loss(other.size.total, other.tokens)
    expected = 1e23 / least_flop(LAW, LAW.surface, DEFAULT_ACCOUNTING, reached) - 1
    assert table.cells[1][0].mean == pytest.approx(expected, rel=1e-6)
    assert expected > 0.01


def test_the_solver_s_regret_is_the_closed_form_s_where_a_limit_does_not_bind():
    free, limited = (regret([LAW, A3, KAPLAN], at(1e23, *more)) for more in ((), (Range("max", "params", None, 1e15),)))
    for row, other in zip(free.cells[:3], limited.cells[:3], strict=True):
        assert [cell.mean for cell in row] == pytest.approx([cell.mean for cell in other], rel=1e-6, abs=1e-10)


def test_regret_under_a_limit_is_what_the_budget_could_shrink_by():
    more = (Range("max_tokens", "tokens", None, 1e12),)
    table = regret([LAW, KAPLAN], at(1e24, *more))
    plan = table.plans[1]
    reached = LAW.surface.loss(plan.params, plan.tokens)
    share = 1 / (1 + table.cells[1][0].mean)
    assert solve(under(share * 1e24, *more, law=LAW)).loss == pytest.approx(reached, rel=1e-9)


def test_money_is_a_budget_as_well_as_flops():
    limits = (Ceiling("usd", 1e6, 1e-17, beside=lambda params: 2e-5 * params),)
    table = regret([LAW, A3], lambda law: Task(law, limits))
    assert table.budget == ("usd",)
    plan = table.plans[1]
    share = 1 / (1 + table.cells[1][0].mean)
    reached = LAW.surface.loss(plan.params, plan.tokens)
    less = Task(LAW, (limits[0].relaxed(share),))
    assert solve(less).loss == pytest.approx(reached, rel=1e-9)


@settings(max_examples=12, deadline=None)
@given(
    chosen=st.lists(st.sampled_from(range(len(LAWS))), min_size=1, max_size=5, unique=True),
    ln_flop=st.floats(math.log(1e19), math.log(1e26)),
    kind=st.sampled_from(sorted(MORE)),
    how=st.sampled_from(["mean", "worst"]),
)
def test_the_best_bet_is_never_above_any_law_s_plan(chosen, ln_flop, kind, how):
    flop = math.exp(ln_flop)
    table = regret([LAWS[i] for i in chosen], at(flop, *MORE[kind](flop)), how=how)
    scores = table.expected if how == "mean" else table.worst
    assert scores[table.recommended] == min(scores)
    assert all(score >= 0 for score in scores)
    best = table.best
    task = under(flop, *MORE[kind](flop), law=LAWS[chosen[0]])
    assert at_params(task, best.params).feasible
    assert best.tokens == pytest.approx(at_params(task, best.params).tokens, rel=1e-9)


@pytest.mark.parametrize("how", ["mean", "worst"])
def test_no_size_between_the_plans_is_a_better_bet(how):
    table = regret(LAWS, at(1e24), how=how)
    worlds = [world(under(1e24, law=law)) for law in LAWS]
    sizes = np.geomspace(min(p.params for p in table.plans), max(p.params for p in table.plans), 400)
    values = np.array([each.regret(sizes, 1e24 / (6 * sizes)) for each in worlds])
    brute = (values.mean(axis=0) if how == "mean" else values.max(axis=0)).min()
    scores = table.expected if how == "mean" else table.worst
    assert scores[table.recommended] <= brute * (1 + 1e-9)
    assert table.best.law is None


def test_one_law_is_its_own_best_bet():
    table = regret([LAW], at(1e23))
    assert table.best.law is LAW
    assert table.worst == table.expected == (0.0,)


def test_laws_that_only_allocate_have_plans_and_are_not_taken_as_true():
    table = regret([LAW, A1, A3], at(1e24))
    assert [law.id for law in table.worlds] == [LAW.id, A3.id]
    plan = next(plan for plan in table.plans if plan.law is A1)
    assert plan.params == pytest.approx(A1.allocation.params(1e24))
    assert [notice.code for notice in table.warnings] == ["allocation_only"]


def test_an_allocation_has_no_plan_beyond_the_limits_and_says_so():
    limit = Range("max_params", "params", None, 1e9)
    table = regret([LAW, A1], at(1e24, limit))
    assert all(plan.law is not A1 for plan in table.plans)
    assert [notice.code for notice in table.warnings] == ["cannot_answer"]


def test_an_allocation_that_buys_nothing_for_the_budget_is_left_out():
    henighan = load_law("henighan-2020")
    table = regret([LAW, henighan], at(1e3))
    assert all(plan.law is not henighan for plan in table.plans)
    assert [notice.code for notice in table.warnings] == ["cannot_answer"]


def test_a_loss_asked_for_is_missed_under_laws_that_ask_for_more():
    table = regret([LAW, A3], lambda law: Task(law, (), loss=2.2))
    bold = min((0, 1), key=lambda i: 6 * table.plans[i].params * table.plans[i].tokens)
    assert table.cells[bold][1 - bold].mean is None
    assert table.expected[bold] is None
    careful = table.cells[1 - bold][bold].mean
    spent = [6 * plan.params * plan.tokens for plan in table.plans]
    assert careful == pytest.approx(spent[1 - bold] / spent[bold] - 1, rel=1e-9)
    assert table.expected[table.recommended] <= min(score for score in table.expected if score is not None)


def test_a_law_under_which_there_is_no_plan_is_left_out_with_a_word():
    table = regret([LAW, KAPLAN], lambda law: Task(law, (), loss=1.75))
    assert [law.id for law in table.worlds] == [KAPLAN.id]
    assert [notice.code for notice in table.warnings] == ["no_plan"]


def test_no_plan_under_any_law_is_infeasible():
    with pytest.raises(InfeasibleError):
        regret([LAW, A3], lambda law: Task(law, (), loss=1.0))


@pytest.mark.parametrize(
    ("laws", "options", "text"),
    [
        ([A1], {}, "loss surface"),
        ([LAW], {"how": "best"}, "mean or worst"),
        ([LAW], {"draws": 0}, "at least 2"),
    ],
)
def test_a_slip_is_told(laws, options, text):
    with pytest.raises(UsageError, match=text):
        regret(laws, at(1e23), **options)


def test_regret_without_a_ceiling_has_nothing_to_be_counted_in():
    with pytest.raises(UsageError, match="needs a budget"):
        regret([LAW], lambda law: Task(law, (Range("max_tokens", "tokens", None, 1e12),)))


def test_regret_under_several_ceilings_is_the_share_that_all_could_shrink_by():
    limits = (Ceiling("flops", 1e23), money(8e22))
    table = regret([LAW, KAPLAN], lambda law: Task(law, limits))
    assert table.budget == ("flops", "usd")
    for i, j in ((0, 1), (1, 0)):
        law, plan = table.worlds[j], table.plans[i]
        share = 1 / (1 + table.cells[i][j].mean)
        task = Task(law, tuple(each.relaxed(share) for each in limits))
        counted = task.accounting.size(plan.params, ParamCount.TOTAL).counted(law.counts_params)
        assert share < 0.99
        assert solve(task).loss == pytest.approx(law.surface.loss(counted, plan.tokens), rel=1e-9)


def test_draws_of_a_loss_asked_for_are_refused():
    with pytest.raises(UsageError, match="budget"):
        regret([LAW], lambda law: Task(law, (), loss=2.2), draws=10)


def test_regret_over_draws_is_the_mean_of_each_draw_s():
    table = regret([LAW, A3], at(1e22), draws=500, seed=3)
    assert table.drawn == (True, False)
    each = world(under(1e22, law=LAW), n=500, seed=3)
    plan = table.plans[1]
    surface = each.task.surface
    reached = surface.loss(plan.params, plan.tokens)
    own = 1e22 / np.array(surface.flop_for_loss(reached)) - 1
    assert own.min() >= 0
    assert table.cells[1][0].mean == pytest.approx(own.mean(), rel=1e-9)
    assert table.cells[1][0].q90 == pytest.approx(np.quantile(own, 0.9), rel=1e-9)
    assert table.cells[1][1].q90 is None


@pytest.mark.parametrize("how", ["mean", "worst"])
@pytest.mark.parametrize("kind", ["free", "money"])
def test_the_best_bet_over_draws_is_never_above_any_law_s_plan(kind, how):
    table = regret([LAW, A3], at(1e24, *MORE[kind](1e24)), how=how, draws=200, seed=1)
    scores = table.expected if how == "mean" else table.worst
    assert scores[table.recommended] == min(scores)
    assert table.cells[0][0].mean > 0
    again = regret([LAW, A3], at(1e24, *MORE[kind](1e24)), how=how, draws=200, seed=1)
    assert again.best == table.best


def test_draws_of_one_law_make_a_best_bet_of_their_own():
    table = regret([LAW], at(1e25), draws=1_000, seed=2)
    assert table.expected[table.recommended] <= table.expected[0]
    assert len(table.plans) == 2


def test_laws_that_count_apart_are_asked_for_the_same_budget():
    accounting = Accounting(flop=FlopConvention.SIX_ND)
    table = regret([LAW, KAPLAN], lambda law: Task(law, (Ceiling("flops", 1e23),), accounting))
    for plan in table.plans:
        assert 6 * plan.params * plan.tokens == pytest.approx(1e23, rel=1e-9)


@pytest.mark.parametrize(("factor", "extra"), [(0.75, 0.034), (1.3, 0.023), (0.7, 0.054), (0.5, 0.259), (0.25, 3.47)])
@pytest.mark.parametrize("flop", [1e20, 1e24])
def test_another_size_costs_the_published_share_whatever_the_budget(factor, extra, flop):
    point = surface_optimum(LAW, LAW.surface, DEFAULT_ACCOUNTING, flop)
    found = extra_compute(LAW, DEFAULT_ACCOUNTING, factor * point.size.total, point.loss)
    assert found == pytest.approx(extra, abs=0.0005 if factor > 0.3 else 0.005)
    by_plan = extra_compute(LAW, DEFAULT_ACCOUNTING, factor * point.size.total, point.loss, flop=flop)
    assert by_plan == pytest.approx(found, rel=1e-9)


def test_a_size_that_cannot_reach_the_loss_has_no_price():
    point = surface_optimum(LAW, LAW.surface, DEFAULT_ACCOUNTING, 1e23)
    assert extra_compute(LAW, DEFAULT_ACCOUNTING, 0.146 * point.size.total, point.loss) is None
    two = extra_compute(LAW, DEFAULT_ACCOUNTING, np.array([0.1, 1.0]) * point.size.total, point.loss)
    assert np.isnan(two[0])
    assert two[1] == pytest.approx(0.0, abs=1e-9)


def test_a_law_counted_apart_is_priced_by_the_budget_s_count():
    point = surface_optimum(KAPLAN, KAPLAN.surface, DEFAULT_ACCOUNTING, 1e22)
    found = forgiveness(KAPLAN, DEFAULT_ACCOUNTING, point.size.total, point.loss)
    size = DEFAULT_ACCOUNTING.size(1.3 * point.size.total, ParamCount.TOTAL)
    tokens = KAPLAN.surface.tokens_for_loss(size.nonembedding, point.loss)
    assert found.above == pytest.approx(6 * size.total * tokens / 1e22 - 1, rel=1e-6)
    assert 0 < found.above < found.below


def test_an_allocation_has_no_price_of_another_size():
    assert forgiveness(A1, DEFAULT_ACCOUNTING, 1e9, 2.0) is None


def test_the_grid_names_laws_and_marks_the_best_bet():
    table = regret([LAW, A3], at(1e24), how="worst")
    grid = regret_grid(table)
    assert list(grid.headers) == ["plan", "N", "D", LAW.id, A3.id, "expected", "worst"]
    assert [row[0].endswith(" *") for row in grid.rows] == [i == table.recommended for i in range(len(table.plans))]
    assert grid.rows[0][3] == "+0.0%"
    assert grid.rows[1][3] == f"+{100 * table.cells[1][0].mean:.1f}%"
    assert "least worst regret" in grid.note


def test_many_laws_are_numbered_in_the_order_of_their_plans():
    table = regret(LAWS, at(1e24))
    grid = regret_grid(table)
    assert list(grid.headers[3:-2]) == [str(i) for i in range(1, len(LAWS) + 1)]
    assert [row[0].removesuffix(" *") for row in grid.rows[: len(LAWS)]] == [f"{i} {n}" for i, n in enumerate(NAMES, 1)]


def test_rows_have_full_precision_and_quantiles_only_of_draws():
    table = regret([LAW, A3], at(1e24))
    rows = regret_rows(table)
    assert rows[1]["regret"] == {LAW.id: table.cells[1][0].mean, A3.id: 0.0}
    assert rows[1]["expected_regret"] == table.expected[1]
    assert [row["recommended"] for row in rows].count(True) == 1
    assert "regret_q95" not in rows[0]
    drawn = regret_rows(regret([LAW, A3], at(1e24), draws=50))
    assert drawn[0]["regret_q95"][LAW.id] > drawn[0]["regret_q50"][LAW.id]
    assert drawn[0]["regret_q95"][A3.id] is None


def test_a_missed_loss_is_called_so():
    grid = regret_grid(regret([LAW, A3], lambda law: Task(law, (), loss=2.2)))
    assert any("misses" in row for row in grid.rows)
    assert "misses: does not reach the loss there" in grid.note
