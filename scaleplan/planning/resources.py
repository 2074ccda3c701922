"""A cluster for a time, accelerator-hours or money as a budget: the training FLOPs that they pay for.

The FLOPs depend on how fast the plan's own model trains, and the plan on the FLOPs; so the budget is the C whose plan
takes exactly the hours there are. Hours grow nearly in proportion to C, which makes that a short search.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from scaleplan.errors import InfeasibleError
from scaleplan.laws.law import Law
from scaleplan.planning.allocation import allocate
from scaleplan.planning.plan import Plan
from scaleplan.planning.problem import Problem
from scaleplan.search import last_within

HoursOf = Callable[[Plan], float]
"""Accelerator-hours of a plan with everything on its bill."""


def flop_within(law: Law, problem: Problem, gpu_hours: float, hours_of: HoursOf, guess: float) -> float:
    """The training FLOPs, in the problem's convention, whose plan takes ``gpu_hours`` in all.

    Args:
        law: the law that plans.
        problem: the problem without its budget: whatever FLOPs it has are replaced.
        gpu_hours: what there is.
        hours_of: what a plan takes.
        guess: FLOPs near the answer.

    Raises:
        InfeasibleError: no plan is small enough.
        UsageError: the law cannot plan this.
    """

    def excess(ln_flop: float) -> float:
        plan = allocate(law, replace(problem, train_flop=math.exp(ln_flop), loss=None))
        return math.log(hours_of(plan) / gpu_hours)

    if not 1 <= guess < math.inf:
        advice = "lower" if guess > 1 else "raise"
        raise InfeasibleError(f"{gpu_hours:.6g} accelerator-hours buy no plan; {advice} the budget")
    return math.exp(last_within(excess, math.log(guess)))
