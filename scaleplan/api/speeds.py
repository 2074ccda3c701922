"""How fast the machine of a plan under limits trains it.

Time, hours, money and energy bound a run in proportion to its FLOPs at the utilisation of its own model, and which
model that is depends on them. So the utilisation is the one at which the plan runs at just that: a fixed point, found
from below where layouts make it jump.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from scaleplan.errors import InfeasibleError
from scaleplan.search import last_within

if TYPE_CHECKING:
    from scaleplan.compute.costing import Costing
    from scaleplan.compute.transformer import Transformer
    from scaleplan.laws.law import Law
    from scaleplan.planning.constrained import Run
    from scaleplan.planning.problem import Problem
    from scaleplan.specs.machines import Machine

_USUAL_MFU = 0.4
"""Our choice: where the search for a utilisation starts."""
_JUMP = 1e-4
"""Our choice: how near to come to a utilisation at which the layout changes; an estimate is off by far more."""
_SMALLER, _FASTER = 0.93, 0.01
"""Our choice: a model 7 % smaller costs 0.2 % compute; where it trains by 1 % faster it is worth a look."""
_CLOSE = 1e-10
"""Our choice: how near to the utilisation that a plan reaches, relative."""
MUCH_LEFT = 0.001
"""Our choice: less is beyond the four figures that are printed."""


def at_speed(problem: Problem, machine: Machine, law: Law, start: float = math.log(_USUAL_MFU)) -> Problem:
    """The problem with what training takes of the machine at the utilisation of its own plan.

    Where a larger model would train in a slower layout, beyond the limits, the size stays at that edge; where one a
    little smaller trains faster, the better of the two is taken. ``start`` is the logarithm of a utilisation to search
    from.

    Raises:
        InfeasibleError: it fits in no layout.
        UsageError: the law cannot express it.
    """
    if machine.conditions.mfu is not None:
        from scaleplan.specs.efforts import effort_of

        return replace(problem, effort=effort_of(machine))
    if problem.experts == "free":
        return _at_best_experts(problem, machine, law)
    search = _Search(problem, machine, law, {})
    found = search.found(start)
    if found is None:
        # Only at the speed of the run that limits of time and money would leave can they be said to clash.
        speed = search.ln_reached(search.run(_unhurried(search.at(0.0))))
        found = search.found(speed)
        if found is None:
            return search.at(speed)  # which has no plan either, and says why
    return search.tuned(found)


class _Search(NamedTuple):
    """The search for a utilisation, its logarithm throughout; ``reached`` keeps every run that was looked at."""

    problem: Problem
    machine: Machine
    law: Law
    reached: dict[float, tuple[Run, float]]

    def at(self, ln_mfu: float) -> Problem:
        """The problem at a utilisation."""
        from scaleplan.specs.efforts import effort_of

        return replace(self.problem, effort=effort_of(self.machine, math.exp(ln_mfu)))

    def run(self, problem: Problem) -> Run:
        """The best run of a problem."""
        from scaleplan.planning.constrained import run_of

        return run_of(self.law, problem)

    def ln_reached(self, run: Run) -> float:
        """The utilisation that a run reaches."""
        return math.log(costing_within(self.problem, run, self.machine, checked=False).mfu)

    def found(self, start: float) -> float | None:
        """The utilisation whose plan reaches it, or just more; ``None`` where there is no plan at one of the trials."""

        def excess(ln_mfu: float) -> float:
            run = self.run(self.at(ln_mfu))
            self.reached[ln_mfu] = run, self.ln_reached(run)
            return ln_mfu - self.reached[ln_mfu][1]

        try:
            found = last_within(excess, start, jump=_JUMP, close=_CLOSE)
        except InfeasibleError:
            return None
        # So near that limits are kept to rounding.
        self.reached[min(found, self.reached[found][1])] = self.reached[found]
        return min(found, self.reached[found][1])

    def tuned(self, found: float) -> Problem:
        """The problem at a utilisation that was found, or held to a size that trains faster."""
        limits, law = self.problem.limits, self.law
        if limits is None or limits.layout is not None or self.problem.experts is not None:
            return self.at(found)
        if law.surface is None or law.allocation is not None:
            return self.at(found)  # a published allocation is not weighed against another size
        run, speed = self.reached[found]
        if speed - found > MUCH_LEFT:
            # A larger model's layout is slower: this size, and more tokens, use the limits up.
            return self.held_to(run.params, speed)
        if self.problem.params is not None or self.problem.tokens is not None:
            return self.at(found)
        size = _SMALLER * run.params
        faster = self.ln_reached(run._replace(params=size, params_active=size, tokens=run.tokens / _SMALLER))
        if faster - speed <= _FASTER:
            return self.at(found)
        other = self.held_to(size, faster)
        return other if self.run(other).aim < run.aim else self.at(found)

    def held_to(self, params: float, ln_mfu: float) -> Problem:
        """The problem of models up to a size, searched for from a utilisation on."""
        assert self.problem.limits is not None
        held = replace(self.problem, limits=self.problem.limits._replace(layout=params))
        return at_speed(held, self.machine, self.law, ln_mfu)


def _unhurried(problem: Problem) -> Problem:
    """The problem without limits of the machine's time, hours, money or energy, where it has a budget without them."""
    limits = problem.limits
    if limits is None or (problem.train_flop is None and problem.loss is None):
        return problem
    return replace(problem, limits=limits._replace(deadline_days=None, max_usd=None, max_mwh=None))


def _at_best_experts(problem: Problem, machine: Machine, law: Law) -> Problem:
    """The problem at the number of experts that is best at its own speed.

    Raises:
        InfeasibleError: there is a plan at none of them, with the reason at the fewest.
        UsageError: the law says nothing of experts.
    """
    from scaleplan.planning.constrained import run_of
    from scaleplan.planning.experts import TRIED

    best: tuple[float, Problem] | None = None
    reason: InfeasibleError | None = None
    for number in TRIED:
        try:
            found = at_speed(replace(problem, experts=number), machine, law)
            aim = run_of(law, found).aim
        except InfeasibleError as error:
            reason = reason or error
            continue
        if best is None or aim < best[0]:
            best = aim, found
    if best is None:
        assert reason is not None
        raise reason
    return best[1]


def costing_within(problem: Problem, run: Run, machine: Machine, *, checked: bool) -> Costing:
    """The bill of a run on the machine that its problem's limits are of.

    Raises:
        InfeasibleError: it fits in no layout, or with ``checked`` misses its deadline.
    """
    from scaleplan.compute.costing import Workload
    from scaleplan.specs.machines import Subject, costing_of

    limits = problem.limits
    workload = Workload(problem.name or "plan", run.params_active, run.params, run.tokens)
    deadline = None if limits is None else cast("float | None", limits.deadline_days)
    shape: Transformer | None = None
    if run.experts is not None:
        from scaleplan.compute.expert_counts import joint_shape

        shape = joint_shape(run.params_active, run.experts)
    return costing_of(Subject(workload=workload, shape=shape), machine, deadline_days=deadline, checked=checked)
