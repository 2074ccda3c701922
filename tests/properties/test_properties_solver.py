"""The solver against a naive grid of plain arithmetic, on random problems; against closed forms; in other units."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
from numpy.random import Generator

from scaleplan.compute.accounting import DEFAULT_ACCOUNTING, Accounting
from scaleplan.conventions import FlopConvention, ParamCount
from scaleplan.laws.additive import Additive
from scaleplan.planning.constraints import Ceiling, Range, fixed
from scaleplan.planning.solver import Task, solve
from scaleplan.specs.laws import load_law

LAWS = [
    load_law(name)
    for name in ("besiroglu-2024", "muennighoff-2023", "kaplan-2020", "hoffmann-2022-a3", "ludziejewski-2025")
]
BESIROGLU = LAWS[0]
PROBLEMS, BLOCKS = 1000, 10
CELLS, FINER, REFINEMENTS = 4000, 1000, 3
LARGEST = 1e17


class Served(NamedTuple):
    """Two FLOPs a parameter and token served, in the unit of its ceiling."""

    per_param: float

    def __call__(self, params):
        return self.per_param * params


def drawn_task(rng: Generator) -> Task:
    """A random problem: one to three ceilings, or a loss to reach, under any of the other constraints."""
    law = LAWS[rng.integers(len(LAWS))]
    decades = rng.uniform(19, 26)
    flop = 10**decades
    constraints: list[Ceiling | Range] = []
    conventions = (FlopConvention.SIX_ND, FlopConvention.SIX_ND, FlopConvention.SIX_ND_NONEMBEDDING)
    for name in ("flops", "usd", "days")[: rng.integers(1, 4)]:
        per_flop = {"flops": 1.0, "usd": 2e-18, "days": 1e-23}[name]
        limit = per_flop * flop * 10 ** rng.uniform(-0.5, 0.5)
        beside = Served(per_flop * 2 * 10 ** rng.uniform(9, 13)) if rng.random() < 0.4 else None
        paid = 0.1 * limit if rng.random() < 0.2 else 0.0
        constraints.append(Ceiling(name, limit, per_flop, conventions[rng.integers(3)], beside, paid))
    typical = (flop / 120) ** 0.5

    def near(value: float, spread: float = 1.0) -> float:
        return value * 10 ** rng.uniform(-spread, spread)

    ranges = [
        (0.3, Range("max_params", "params", most=near(typical))),
        (0.15, Range("min_params", "params", least=near(typical))),
        (0.1, fixed("params", "params", near(typical))),
        (0.1, fixed("tokens", "tokens", near(20 * typical))),
        (0.1, Range("batch", "tokens", least=near(5 * typical))),
        (0.1, fixed("tokens_per_param", "tokens_per_param", near(40))),
        (0.1, Range("ratio", "tokens_per_param", least=near(5), most=near(100))),
    ]
    constraints += [each for likely, each in ranges if rng.random() < likely]
    repeats = law.repeated is not None
    unique = near(10 * typical) if rng.random() < (0.8 if repeats else 0.4) else None
    if unique is not None:
        constraints.append(Range("unique_tokens", "tokens", most=4 * unique if repeats else unique))
    surface = law.surface if unique is None or not repeats else law.repeated.at(unique)
    loss = float(surface.loss(near(typical, 0.7), near(20 * typical, 0.7))) if rng.random() < 0.35 else None
    accounting = Accounting(flop=conventions[rng.integers(3)])
    return Task(law, tuple(constraints), accounting, loss=loss, unique_tokens=unique)


class Grid(NamedTuple):
    """A task spelled out in plain arithmetic on an array of ln N, N as the law counts it."""

    task: Task

    def total(self, params):
        return DEFAULT_ACCOUNTING.size(params, self.task.law.counts_params).total

    def nonembedding(self, params):
        return DEFAULT_ACCOUNTING.size(params, self.task.law.counts_params).nonembedding

    def flop_per_token(self, convention, params):
        return 6 * (self.total(params) if convention is FlopConvention.SIX_ND else self.nonembedding(params))

    def span(self, params):
        """(least, most) tokens at so many parameters; the least above the most where there is no run."""
        total = self.total(params)
        least, most = np.ones_like(params), np.full_like(params, np.inf)
        for c in self.task.constraints:
            if isinstance(c, Ceiling):
                served = 0.0 if c.beside is None else c.beside.per_param * total
                most = np.minimum(most, (c.limit - c.fixed - served) / c.per_flop / self.flop_per_token(c.flop, params))
                continue
            unit = {"params": 0.0, "tokens": np.ones_like(params), "tokens_per_param": total}[c.of]
            low, high = c.least or 0.0, c.most or np.inf
            if c.of == "params":
                outside = (total < low * (1 - 1e-12)) | (total > high * (1 + 1e-12))
                most = np.where(outside, -1.0, most)
            else:
                least, most = np.maximum(least, low * unit), np.minimum(most, high * unit)
        return least, most

    def surface(self):
        law, unique = self.task.law, self.task.unique_tokens
        return law.surface if unique is None or law.repeated is None else law.repeated.at(unique)

    def values(self, ln_params):
        """The loss, or with a loss to reach the training FLOPs; infinite where there is no run."""
        params = np.exp(ln_params)
        least, most = self.span(params)
        if self.task.loss is None:
            good = most >= least * (1 - 1e-12)
            return np.where(good, self.surface().loss(params, np.where(good, most, 1.0)), np.inf)
        needed = np.maximum(self.surface().tokens_for_loss(params, self.task.loss), least)
        good = (needed < np.inf) & (needed <= most * (1 + 1e-12))
        tokens = np.where(good, needed, 1.0)
        return np.where(good, self.flop_per_token(self.task.accounting.flop, params) * tokens, np.inf)

    def best(self):
        """The least value on a grid that is refined around its best point, and around sizes that are given."""
        ends = [end for c in self.task.constraints if isinstance(c, Range) and c.of == "params" for end in c[2:] if end]
        given = [
            np.log(DEFAULT_ACCOUNTING.size(e, ParamCount.TOTAL).counted(self.task.law.counts_params)) for e in ends
        ]
        low, high, cells = 0.0, np.log(LARGEST), CELLS
        best_x, best = 0.0, np.inf
        for _ in range(1 + REFINEMENTS):
            x = np.concatenate([np.linspace(low, high, cells + 1), given])
            values = self.values(x)
            i = int(np.argmin(values))
            if values[i] < best:
                best_x, best = x[i], values[i]
            step = (high - low) / cells
            low, high, cells = best_x - 2 * step, best_x + 2 * step, FINER
        return float(best)

    def value_of(self, solution):
        """The value of a run, after checking it against every constraint."""
        params, tokens = np.array([float(solution.params)]), float(solution.tokens)
        least, most = self.span(params)
        assert least[0] * (1 - 1e-9) <= tokens <= most[0] * (1 + 1e-9)
        reached = float(self.surface().loss(params, np.array([tokens]))[0])
        assert reached == pytest.approx(float(solution.loss), abs=1e-9)
        if self.task.loss is None:
            return reached
        assert reached <= self.task.loss * (1 + 1e-9)
        return float(self.flop_per_token(self.task.accounting.flop, params)[0] * tokens)


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_problems_agree_with_a_naive_grid(block):
    rng = np.random.default_rng(1000 + block)
    feasible = 0
    for _ in range(PROBLEMS // BLOCKS):
        task = drawn_task(rng)
        grid, solution = Grid(task), solve(task)
        best = grid.best()
        if not solution.feasible:
            assert best == np.inf, task
            continue
        feasible += 1
        value = grid.value_of(solution)
        # A grid may step over a sliver in which there are runs; what the solver found there was checked above.
        if best < np.inf:
            assert value == pytest.approx(best, **({"abs": 1e-6} if task.loss is None else {"rel": 1e-6})), task
    assert 0.3 < feasible / (PROBLEMS // BLOCKS) < 0.9


@pytest.mark.parametrize("law", [LAWS[0], LAWS[3]], ids=lambda law: law.id)
@pytest.mark.parametrize("flop", [1e18, 1e21, 5.76e23, 1e26])
def test_flops_alone_give_the_closed_form(law, flop):
    closed = law.surface.optimum(flop)
    solution = solve(Task(law, (Ceiling("flops", flop),)))
    assert solution.loss == pytest.approx(closed.loss, rel=1e-12)
    assert solution.params == pytest.approx(closed.params, rel=1e-6)
    target = solve(Task(law, (), loss=closed.loss))
    assert 6 * target.params * target.tokens == pytest.approx(flop, rel=1e-9)


@pytest.mark.parametrize("share", [0.75, 0.5, 0.25, 0.2, 1.5, 3.0])
def test_a_smaller_or_larger_model_of_equal_loss_takes_what_the_identity_says(share):
    form = BESIROGLU.surface
    best = form.optimum(1e24)
    solution = solve(Task(BESIROGLU, (fixed("params", "params", share * best.params),), loss=best.loss))
    rest = 1 + form.beta / form.alpha * (1 - share**-form.alpha)
    assert solution.tokens == pytest.approx(best.tokens * rest ** (-1 / form.beta), rel=1e-9)


def test_a_fixed_side_leaves_the_other_to_the_budget():
    flops = Ceiling("flops", 1e24)
    by_params = solve(Task(BESIROGLU, (flops, fixed("params", "params", 3e10))))
    assert (by_params.params, by_params.tokens) == pytest.approx((3e10, 1e24 / 1.8e11), rel=1e-9)
    by_tokens = solve(Task(BESIROGLU, (flops, fixed("tokens", "tokens", 8e12))))
    assert (by_tokens.params, by_tokens.tokens) == pytest.approx((1e24 / 4.8e13, 8e12), rel=1e-9)
    by_ratio = solve(Task(BESIROGLU, (flops, fixed("tokens_per_param", "tokens_per_param", 100.0))))
    assert by_ratio.params == pytest.approx((1e24 / 600) ** 0.5, rel=1e-9)
    assert by_ratio.tokens == pytest.approx(100 * by_ratio.params, rel=1e-9)


@pytest.mark.parametrize(("of_params", "of_tokens"), [(1e3, 1.0), (1.0, 1e-3), (1e-2, 1e2)])
def test_other_units_of_params_and_tokens_give_the_same_run(of_params, of_tokens):
    form = BESIROGLU.surface
    assert isinstance(form, Additive)
    A, B = form.A * of_params**form.alpha, form.B * of_tokens**form.beta
    scaled = BESIROGLU._replace(surface=form._replace(A=A, B=B))

    def run(law, n, d):
        constraints = (
            Ceiling("flops", 1e24 * n * d, beside=Served(2e12 * d)),
            Range("max_params", "params", most=5e10 * n),
            Range("unique_tokens", "tokens", most=2.5e12 * d),
        )
        return solve(Task(law, constraints))

    plain, other = run(BESIROGLU, 1.0, 1.0), run(scaled, of_params, of_tokens)
    assert other.loss == pytest.approx(plain.loss, rel=1e-9)
    assert other.params == pytest.approx(plain.params * of_params, rel=1e-6)
    assert other.tokens == pytest.approx(plain.tokens * of_tokens, rel=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_arrays_of_problems_are_solved_as_one_by_one(seed):
    rng = np.random.default_rng(seed)
    flop, unique, most = 10 ** rng.uniform(20, 25, 7), 10 ** rng.uniform(10, 13, 7), 10 ** rng.uniform(9, 11, 7)

    def task(flop, unique, most):
        served = Ceiling("flops", flop, beside=Served(2e11))
        return Task(LAWS[1], (served, Range("max_params", "params", most=most)), unique_tokens=unique)

    together = solve(task(flop, unique, most))
    for i in range(7):
        alone = solve(task(float(flop[i]), float(unique[i]), float(most[i])))
        assert bool(together.feasible[i]) == alone.feasible
        if alone.feasible:
            assert together.loss[i] == pytest.approx(alone.loss, abs=1e-9)


@pytest.mark.parametrize("seed", [3001, 3003, 3007, 3009, 3017, 3033])
def test_a_loss_just_above_the_least_can_be_reached_and_one_below_cannot(seed):
    """However narrow the sizes at which it is reached; and the least expense is at most what the best run takes."""
    rng = np.random.default_rng(seed)
    tasks = [drawn_task(rng)._replace(loss=None) for _ in range(20)]
    solved = [(task, best) for task, best in ((task, solve(task)) for task in tasks) if best.feasible]
    assert len(solved) > 8
    for task, best in solved:
        for more in (1e-9, 1e-6, 1e-3):
            target = solve(task._replace(loss=best.loss * (1 + more)))
            assert target.feasible, task
            assert target.loss <= best.loss * (1 + more) * (1 + 1e-9)
            assert target.spent(task, task.spending) <= best.spent(task, task.spending) * (1 + 1e-6)
        assert not solve(task._replace(loss=best.loss * (1 - 1e-9))).feasible
