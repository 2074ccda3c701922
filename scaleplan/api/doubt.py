"""Plans when the law is in doubt: bands by draws of it, and the plan of least regret over several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, cast

from scaleplan.api.limits import NOTHING, Asked, with_bill, without_layout
from scaleplan.errors import Notice, UsageError
from scaleplan.planning.allocation import plan_of_run
from scaleplan.planning.beside import with_beside
from scaleplan.planning.constrained import task_of
from scaleplan.planning.constraints import Ceiling
from scaleplan.planning.moved import moves
from scaleplan.planning.regret import regret

if TYPE_CHECKING:
    from scaleplan.laws.law import Law
    from scaleplan.planning.plan import Plan
    from scaleplan.planning.problem import Problem
    from scaleplan.planning.solver import Task
    from scaleplan.specs.machines import Machine

_ENDS = ("train_flop", "params", "tokens", "tokens_per_param", "loss")
_OF_RUN = ("extrapolation", "unspent", "large_batch", "crowded_replica", "many_epochs", "idle_accelerators")
"""Codes of notices that speak of one run."""
_METHODS = {"mean": "least expected regret", "worst": "least worst regret"}


def with_draws(plan: Plan, draws: int, seed: int) -> Plan:
    """The plan, and those of its cross-check, with bands by draws wherever a law has a covariance of its surface.

    Raises:
        UsageError: the law that plans has none.
    """
    if not _drawable(plan):
        instead = "".join(f"{each.message} " for each in plan.warnings if each.code == "law_of_repeats")
        raise UsageError(
            f"{instead}{plan.law.id} has no covariance of a loss surface to draw from: besiroglu-2024 has, and so have "
            "laws fitted with `scaleplan fit`"
        )
    others = tuple(_drawn(each, draws, seed) if _drawable(each) else each for each in plan.cross_check)
    return replace(_drawn(plan, draws, seed), cross_check=others)


def _drawable(plan: Plan) -> bool:
    return moves(plan.law) and plan.law.allocation is None and plan.experts is None


def _drawn(plan: Plan, draws: int, seed: int) -> Plan:
    from scaleplan.planning.draw_bands import bands_by_draws

    problem, costing = plan.problem, plan.costing
    taken = {} if costing is None else {"days": costing.days, "cost_usd": costing.cost_usd}
    # Days and money in proportion to FLOPs, at the speed of the plan's own model.
    ceilings = [
        Ceiling(name, per_flop=value / costing.workload.train_flop)
        for name, value in taken.items()
        if value is not None and costing is not None
    ]
    spread = bands_by_draws(
        task_of(plan.law, without_layout(problem)), draws, seed=seed, level=problem.level, ceilings=ceilings
    )
    ends = spread.ends()
    named = {f"{name}_{end}": ends.get(f"{name}_{end}") for name in _ENDS for end in ("low", "high")}
    return with_beside(replace(plan, **cast("dict[str, Any]", named)), spread=spread)


def with_regret(
    plan: Plan,
    laws: Sequence[Law],
    machine: Machine | None,
    how: Literal["mean", "worst"],
    draws: int | None,
    seed: int,
    asked: Asked | None = None,
) -> Plan:
    """The plan of least regret in front, the laws' own plans as its cross-check, and the table behind it.

    Raises:
        UsageError: no law has a loss surface, or the problem is one of experts.
        InfeasibleError: no law has a plan.
    """
    problem = plan.problem
    if problem.experts is not None:
        raise UsageError("one law alone plans mixtures, and regret is between laws: leave experts or robust out")
    # A layout at whose edge a size stays is that of the first law's plan.
    problem = without_layout(problem)
    table = regret(laws, partial(_task, problem), how=how, draws=draws, seed=seed)
    law, params, tokens = table.worlds[0], table.best.params, table.best.tokens
    if machine is not None and table.best.law is not plan.law:
        problem, tokens = _paid(law, problem, machine, params, tokens)
    best = plan_of_run(law, problem, params, tokens, _METHODS[how])
    notices = tuple(each for each in table.warnings if each not in plan.warnings)
    if len(table.worlds) == 1 and draws is None:
        text = f"{law.id} is the only law that may be true here: its own plan has no regret; name others, or --draws."
        notices = (Notice("one_law", text), *notices)
    assumptions = () if plan.beside is None else plan.beside.serving_assumptions
    best = with_beside(best, regret=table, serving_assumptions=assumptions)
    best = replace(best, cross_check=(replace(plan, cross_check=()), *plan.cross_check))
    if machine is not None:
        best = with_bill(best, machine, asked or NOTHING)
    # What is said of one run is said of the one that is taken.
    of_laws = tuple(each for each in plan.warnings if each.code not in _OF_RUN)
    return replace(best, warnings=tuple(dict.fromkeys((*best.warnings, *of_laws, *notices))))


def _task(problem: Problem, law: Law) -> Task:
    return task_of(law, problem)


def _paid(law: Law, problem: Problem, machine: Machine, params: float, tokens: float) -> tuple[Problem, float]:
    """The problem at the speed of a model of so many parameters, and the tokens that its limits pay for then.

    Regret is told at the speed of the first law's plan; the run that is taken has its own.
    """
    if not problem.constrained or problem.loss is not None:
        return problem, tokens
    from scaleplan.api.speeds import at_speed
    from scaleplan.planning.constrained import run_of

    found = at_speed(replace(problem, params=params), machine, law)
    return replace(found, params=problem.params), run_of(law, found).tokens
