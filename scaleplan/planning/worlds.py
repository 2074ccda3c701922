"""What plans cost if a law is true: regret, in equivalent compute.

For ceilings B (FLOPs, and money, hours or energy where they are limited) and other constraints that stay as they are,
let need_j(l) be the least share of every ceiling with which law j reaches the loss l. A run i is worth need_j(L_j(i))
under law j, so that it costs

    regret_ij = need_j(L_j*) / need_j(L_j(i)) - 1,   L_j* the least loss of law j under the ceilings:

5 % says that 5 % more are spent with run i than its loss calls for if j is true. It is zero for law j's own plan and
never below. Where a loss is asked for instead, regret is what run i spends over the least that law j asks for, less
one; a run that misses the loss under law j has no regret but does not do.

Losses of different laws are never compared with each other, so that their units and corpora may differ.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from scaleplan.conventions import ParamCount
from scaleplan.errors import UsageError
from scaleplan.laws.form import LossSurface, SolvedSurface
from scaleplan.ops import Real, all_true, greater, where
from scaleplan.planning.constraints import Ceiling, Range
from scaleplan.planning.draws import draws
from scaleplan.planning.moved import Tilted, moves
from scaleplan.planning.solver import Solution, Task, solve

_ROOM = 4.0
"""Our choice: what a plan reaches within its ceilings is looked for within four times of them, clear of rounding."""
_SMALLER, _LARGER = 1e-5, 1e3
"""Our choice: of the law's own best size, where the cheapest that reaches a worse loss is looked for: a best size
10^5 times smaller belongs to a budget some 10^10 times smaller."""
_SAME = 1e-13
"""Our choice: losses nearer than this, relative, are one loss and what rounding leaves of it."""
_MISSED = 1e-9
"""Our choice: a loss nearer to the one asked for than this, relative, is reached; searches leave 1e-12."""


class Share(NamedTuple):
    """The largest share of any ceiling that a run takes; what to spend least of, as a ceiling is."""

    ceilings: tuple[Ceiling, ...]

    def spent(self, counted: Callable[[ParamCount], Real], tokens: Real) -> Real:
        """One where a run takes all of the ceiling that binds."""
        first, *others = (each.spent(counted, tokens) / each.limit for each in self.ceilings)
        for other in others:
            first = greater(first, other)
        return first


class World(NamedTuple):
    """A law taken as true, or all its draws: a problem under it, its own best run, and what that needs."""

    task: Task
    budget: Share | None
    own: Solution
    needs: Real

    def regret(self, params: Real, tokens: Real) -> Real:
        """Regret of runs of ``params`` (embeddings counted) on ``tokens``; infinite where a run misses the loss.

        Draws are along the last axis: runs as a column give (runs, draws).
        """
        task, surface = self.task, self.task.surface
        size = task.accounting.size(params, ParamCount.TOTAL)
        loss = surface.loss(size.counted(task.law.counts_params), tokens)
        if self.budget is None:
            spent = task.spending.spent(size.counted, tokens)
            assert task.loss is not None
            return where(loss <= task.loss * (1 + _MISSED), greater(spent / self.needs - 1, 0.0), math.inf)
        # A search may end a rounding above the least loss, and no run is better than the best.
        need = _need(task, self.budget, self.own, greater(loss, self.own.loss))
        return where(loss > self.own.loss * (1 + _SAME), greater(self.needs / need - 1, 0.0), 0.0)


def world(task: Task, *, n: int | None = None, seed: int = 0) -> World | None:
    """A problem under the law of ``task``; ``None`` where it has no solution.

    Args:
        task: one problem, its numbers no arrays.
        n: how many draws of the law stand for it; the law itself where left out or where it has no covariance.
        seed: of the draws.

    Raises:
        UsageError: no ceiling, a law without a surface, draws where a loss is asked for.
    """
    counted = None if task.loss is not None else _budget(task)
    plan = solve(task)
    if not all_true(plan.feasible):
        return None
    if n is not None and moves(task.law):
        if task.loss is not None:
            raise UsageError("regret over draws needs a budget: a loss asked for is missed under half of them")
        size = plan.size(task)
        counts = task.law.counts_flop
        flop = counts.per_param_token * size.counted(counts.param_count) * plan.tokens
        task = task._replace(law=draws(task.law, n, seed).tilted(float(flop)))
        plan = solve(task)
    needs = plan.spent(task, task.spending) if counted is None else _need(task, counted, plan, plan.loss)
    return World(task, counted, plan, needs)


def _budget(task: Task) -> Share:
    ceilings = tuple(each for each in task.constraints if isinstance(each, Ceiling) and each.limit < math.inf)
    if not ceilings:
        raise UsageError("regret needs a budget to count it in, such as training FLOPs")
    return Share(ceilings)


def _need(task: Task, budget: Share, own: Solution, loss: Real) -> Real:
    """The least share of the ceilings with which the law reaches a loss, the other constraints as they are."""
    plain = _plain_surface(task, budget)
    if plain is not None:
        return plain.flop_for_loss(loss) / budget.ceilings[0].limit
    wider = tuple(each.relaxed(_ROOM) if isinstance(each, Ceiling) else each for each in task.constraints)
    total = own.size(task).total
    near = Range("params", "params", _SMALLER * total, _LARGER * total)
    asked = task._replace(constraints=(*wider, near), loss=loss, expense=budget)
    plan = solve(asked)
    return budget.spent(asked.bounds.size(plan.params).counted, plan.tokens)


def _plain_surface(task: Task, budget: Share) -> SolvedSurface | None:
    """The surface where FLOPs are all that is limited and its closed form counts them alike."""
    surface: LossSurface | Any = task.surface
    surface = surface.base if isinstance(surface, Tilted) else surface
    flops = budget.ceilings[0]
    alone = len(task.constraints) == 1 and flops.beside is None and flops.per_flop == 1.0 and flops.fixed == 0.0
    return surface if alone and isinstance(surface, SolvedSurface) and task.law.counts_as(flops.flop) else None
