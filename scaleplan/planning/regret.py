"""Which plan to take when the law is not known: the regret of every law's plan under every law, and the best bet.

    expected_i = mean over laws j of regret_ij,   worst_i = max over laws j of regret_ij,

laws weighing alike (our choice: nothing else is known of them here). With draws a law stands for all its draws:
regret_ij is the mean over them, and ``worst`` takes the 95 % quantile, since the worst of n draws only says how many
there were. The plan recommended has the least expected (or worst) regret among all the laws' plans and the sizes
between them, so that it is never above any law's plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.laws.law import Law
from scaleplan.planning.constraints import Ceiling
from scaleplan.planning.moved import moves
from scaleplan.planning.optimum import rule_optimum
from scaleplan.planning.robust import HIGH, How, best_between, regrets, scores
from scaleplan.planning.solver import Task, at_params, solve
from scaleplan.planning.worlds import World, world


class Cell(NamedTuple):
    """Regret of one plan under one law, 0.05 for 5 %: over draws the mean and quantiles; ``None``: misses the loss."""

    mean: float | None
    q50: float | None = None
    q90: float | None = None
    q95: float | None = None

    @property
    def high(self) -> float | None:
        """What counts as the worst of it."""
        return self.mean if self.q95 is None else self.q95


class BetPlan(NamedTuple):
    """One plan: parameters (embeddings counted) and tokens, the law that asks for it or ``None`` for one between."""

    name: str
    params: float
    tokens: float
    law: Law | None


class RegretTable(NamedTuple):
    """``cells[i][j]`` is the regret of plan i under law j; ``recommended`` the row to take.

    ``worlds`` are the laws that can be true, those with a loss surface; ``drawn`` says which stand for their draws.
    ``budget`` names the ceilings that regret is a share of; none where a loss is asked for.
    """

    worlds: tuple[Law, ...]
    plans: tuple[BetPlan, ...]
    cells: tuple[tuple[Cell, ...], ...]
    recommended: int
    how: How
    budget: tuple[str, ...]
    draws: int | None
    drawn: tuple[bool, ...]
    seed: int
    warnings: tuple[Notice, ...] = ()

    @property
    def best(self) -> BetPlan:
        """The plan to take."""
        return self.plans[self.recommended]

    @property
    def expected(self) -> tuple[float | None, ...]:
        """Mean regret of every plan, laws weighing alike."""
        return tuple(_mean([cell.mean for cell in row]) for row in self.cells)

    @property
    def worst(self) -> tuple[float | None, ...]:
        """Largest regret of every plan."""
        return tuple(_largest([cell.high for cell in row]) for row in self.cells)


def regret(
    laws: Sequence[Law],
    task_of: Callable[[Law], Task],
    *,
    how: How = "mean",
    draws: int | None = None,
    seed: int = 0,
) -> RegretTable:
    """The regret of every law's plan under every law, and the plan of least expected or least worst regret.

    Args:
        laws: at least one; those without a surface have a plan but cannot be taken as true.
        task_of: the same problem under a law, its numbers no arrays.
        how: whether the mean or the worst is to be least.
        draws: how many draws stand for each law that has a covariance.
        seed: of the draws.

    Raises:
        UsageError: no law with a surface, no budget, draws where a loss is asked for.
        InfeasibleError: the problem has no solution under any of the laws.
    """
    if how not in ("mean", "worst"):
        raise UsageError(f"robust is mean or worst (got {how!r})")
    true = [law for law in laws if law.surface is not None]
    if not true:
        raise UsageError("regret needs a law with a loss surface, such as besiroglu-2024")
    tasks = [task_of(law) for law in true]
    found = [(task, world(task, n=draws, seed=seed)) for task in tasks]
    able = [(task, each) for task, each in found if each is not None]
    if not able:
        raise InfeasibleError("no plan under any of the laws: their constraints clash")
    notices = [
        Notice("no_plan", f"{task.law.id} has no plan under these constraints: left out of the regret.")
        for task, each in found
        if each is None
    ]
    worlds = [each for _, each in able]
    drawn = tuple(draws is not None and moves(task.law) for task, _ in able)
    more, said = _rule_plans(laws, able[0][0])
    plans = [*(_own_plan(task) for task, _ in able), *more]
    values = _regrets(worlds, plans)
    best = int(scores(values, how).argmin())
    between = _between([task for task, _ in able], worlds, plans, how, any(drawn))
    # A size between is only taken where it is better by the very numbers that the table shows.
    if between is not None and float(scores(_regrets(worlds, [between]), how)[0]) < float(scores(values, how)[best]):
        best = len(plans)
        plans.append(between)
        values = _regrets(worlds, plans)
    return RegretTable(
        worlds=tuple(task.law for task, _ in able),
        plans=tuple(plans),
        cells=tuple(tuple(_cell(value[i]) for value in values) for i in range(len(plans))),
        recommended=best,
        how=how,
        budget=() if worlds[0].budget is None else tuple(each.name for each in worlds[0].budget.ceilings),
        draws=draws,
        drawn=drawn,
        seed=seed,
        warnings=(*notices, *said, *_undrawn(able, draws)),
    )


def _own_plan(task: Task) -> BetPlan:
    plan = solve(task)
    return BetPlan(task.law.id, float(plan.size(task).total), float(plan.tokens), task.law)


def _rule_plans(laws: Sequence[Law], task: Task) -> tuple[list[BetPlan], list[Notice]]:
    """Plans of the laws that only allocate: the size they ask for at the FLOPs, on the most tokens allowed."""
    rules = [law for law in laws if law.surface is None and law.allocation is not None]
    flops = [each for each in task.constraints if isinstance(each, Ceiling) and each.name == "flops"]
    plans: list[BetPlan] = []
    for law in rules if flops and task.loss is None else []:
        run = _rule_run(law, task, flops[0].limit)
        if run is not None:
            plans.append(run)
    only = [law.id for law in laws if law.surface is None]
    placed = [plan.name for plan in plans]
    notices: list[Notice] = []
    if placed:
        text = f"{', '.join(placed)} only allocate: what their plans cost is told by the other laws alone."
        notices.append(Notice("allocation_only", text))
    if len(placed) < len(only):
        left = ", ".join(name for name in only if name not in placed)
        notices.append(Notice("cannot_answer", f"left out of the regret, having no plan under these limits: {left}."))
    return plans, notices


def _rule_run(law: Law, task: Task, flop: Any) -> BetPlan | None:
    assert law.allocation is not None
    try:
        point = rule_optimum(law, law.allocation, task.accounting, flop)
    except InfeasibleError:
        return None
    run = at_params(task, point.size.total)
    return BetPlan(law.id, float(point.size.total), float(run.tokens), law) if run.feasible else None


def _regrets(worlds: Sequence[World], plans: Sequence[BetPlan]) -> list[Any]:
    return regrets(worlds, [plan.params for plan in plans], [plan.tokens for plan in plans])


def _between(
    tasks: Sequence[Task], worlds: Sequence[World], plans: Sequence[BetPlan], how: How, drawn: bool
) -> BetPlan | None:
    import numpy as np

    sizes = [plan.params for plan in plans]
    for each in worlds:
        own: Any = each.own.size(each.task).total
        # The best sizes of a law's draws lie on both sides of the law's own.
        sizes += [float(end) for end in np.quantile(own, [1 - HIGH, HIGH])] if np.ndim(own) else []
    found = best_between(tasks, worlds, min(sizes), max(sizes), how, drawn)
    return None if found is None else BetPlan("between", found.params, found.tokens, None)


def _undrawn(able: Sequence[tuple[Task, World]], draws: int | None) -> list[Notice]:
    certain = [task.law.id for task, _ in able if not moves(task.law)]
    if draws is None or not certain:
        return []
    text = f"no covariance to draw from, taken as published: {', '.join(certain)}."
    return [Notice("not_drawn", text)]


def _cell(value: Any) -> Cell:
    """Of the regrets of one plan under one law (draws,)."""
    import numpy as np

    mean = float(value.mean())
    if len(value) == 1:
        return Cell(mean if math.isfinite(mean) else None)
    q50, q90, q95 = (float(each) for each in np.quantile(value, [0.5, 0.9, HIGH]))
    return Cell(mean, q50, q90, q95)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if len(known) == len(values) else None


def _largest(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None
