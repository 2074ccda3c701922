"""Plans that need repeated tokens under a law that does not say what these are worth."""

from __future__ import annotations

import math
from typing import Any

from scaleplan import units
from scaleplan.errors import UsageError
from scaleplan.laws.law import Law
from scaleplan.ops import all_true, where
from scaleplan.planning.constraints import Range
from scaleplan.planning.problem import Problem
from scaleplan.planning.solver import Solution, Task, solve
from scaleplan.planning.why import BINDS, UNIQUE


class UnvaluedRepeatsError(UsageError):
    """A plan would repeat its tokens, and the law does not say what repeats are worth."""


def unvalued(task: Task, problem: Problem, solution: Solution) -> Any:
    """Where a plan stops at its unique tokens although it may repeat them, or where there is one with repeats alone.

    A condition: of floats a bool, of arrays an array of them.
    """
    limits, feasible = problem.limits, solution.feasible
    if limits is None or limits.unique_tokens is None or task.law.repeated is not None:
        return feasible & False
    more: Any = True if limits.max_epochs is None else limits.max_epochs > 1
    if problem.tokens is not None:
        more = more & (problem.tokens > limits.unique_tokens)
    stopped = feasible & more & (solution.tokens >= limits.unique_tokens * (1 - BINDS))
    if all_true(feasible):
        return stopped
    most = limits.unique_tokens * (math.inf if limits.max_epochs is None else limits.max_epochs)
    wider = (c._replace(most=most) if isinstance(c, Range) and c.name == UNIQUE else c for c in task.constraints)
    return where(feasible, stopped, solve(task._replace(constraints=tuple(wider))).feasible)


def refusal(law: Law, unique_tokens: float) -> UnvaluedRepeatsError:
    """The error of such a plan."""
    return UnvaluedRepeatsError(
        f"the plan needs more than {units.count(unique_tokens)} unique tokens, and {law.id} does not say what repeats "
        "are worth: --max-epochs 1 sees each once, or choose a law of repeated data, such as --law muennighoff-2023"
    )
