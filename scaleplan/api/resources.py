"""Budgets that are not FLOPs: a cluster for a time, accelerator-hours, money; and what a plan costs on a machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scaleplan import units
from scaleplan.compute.costing import Costing, Workload
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.specs.conditions import RESOURCES, Conditions, check_budget, given, read_conditions, resource_words
from scaleplan.specs.machines import Machine, Subject, costing_of, machine_of

if TYPE_CHECKING:
    from scaleplan.laws.law import Law
    from scaleplan.planning.plan import Plan
    from scaleplan.planning.problem import Problem


_MUCH_LEFT = 0.001
"""Our choice: less is beyond the four figures that are printed."""


def looks_like_resources(flops: Any) -> bool:
    """Whether words given as FLOPs name a cluster, hours or money."""
    return isinstance(flops, str) and resource_words(flops) is not None


def conditions_from(words: Mapping[str, Any], base: Conditions | None = None, flops: Any = None) -> Conditions:
    """Conditions of a file with the words of a call in their place where both say something.

    Args:
        words: words by name; ``None`` for what was not given.
        base: what the file says.
        flops: the words given as FLOPs, where they name a cluster, hours or money.

    Raises:
        UsageError: a word that cannot be read; two budgets.
    """
    said = dict(words)
    if looks_like_resources(flops):
        text = resource_words(flops) or {}
        twice = [name for name in text if said.get(name) is not None]
        if twice:
            raise UsageError(f"{twice[0]} is given twice: {said[twice[0]]} and {text[twice[0]]} in {flops!r}")
        others = [name for name in ("gpu_hours", "usd") if "days" in text and said.get(name) is not None]
        if others:
            raise UsageError(f"two budgets: {flops!r} and {others[0]}; keep one")
        said |= text
    found = read_conditions(said)
    conditions = found if base is None else base._replace(**_given(said, found))
    budgets = [name for name in ("gpu_hours", "usd") if getattr(conditions, name) is not None]
    if len(budgets) > 1:
        raise UsageError("two budgets, gpu_hours and usd: keep one")
    check_budget(conditions)
    return conditions


def _given(said: Mapping[str, Any], found: Conditions) -> dict[str, Any]:
    return {name: getattr(found, name) for name, word in said.items() if word is not None}


def is_budget(conditions: Conditions) -> bool:
    """Whether conditions name a budget: hours, money, or the time of a cluster."""
    return any(getattr(conditions, name) is not None for name in RESOURCES)


def unused_words(words: Mapping[str, Any], conditions: Conditions | None) -> list[str]:
    """What words and a file say that means nothing without an accelerator; the share of pilot runs does."""
    said = [name for name, word in words.items() if word is not None]
    of_file = [] if conditions is None else [name for name in given(conditions) if name not in ("precision", "pilots")]
    return list(dict.fromkeys([*said, *of_file]))


def flop_of(law: Law, problem: Problem, machine: Machine) -> float:
    """The training FLOPs, in the problem's convention, that a machine's budget pays for under a law.

    Raises:
        InfeasibleError: it pays for no plan, its plan fits in no layout, or its hours do not end by the deadline.
        UsageError: money without a price, a time without a number of accelerators.
    """
    from scaleplan.compute.bill import training_within
    from scaleplan.planning.resources import flop_within

    hours, days, count = machine.budget_hours, machine.deadline_days, machine.accelerators
    if count is not None and days is not None and hours > count * 24 * days * (1 + 1e-9):
        raise InfeasibleError(
            f"{hours:,.6g} accelerator-hours take {hours / 24 / count:.4g} days on {count:,} {machine.accelerator.id}, "
            f"the deadline is {days:g}: they need at least {math.ceil(hours / 24 / days):,} of them"
        )

    def hours_of(plan: Plan) -> float:
        costing = costing_of(subject_of(plan), machine, deadline_days=days, gpu_hours=hours, checked=False)
        return costing.gpu_hours

    seconds = 3600 * training_within(hours, machine.rates)
    guess = seconds * machine.part.peak * (machine.conditions.mfu or 0.4)
    return flop_within(law, problem, hours, hours_of, guess)


def paid_flop(law: Law, conditions: Conditions) -> tuple[float, tuple[Notice, ...]]:
    """The training FLOPs, as a law counts them, that a cluster, hours or money pay for under its own plan; notices.

    Raises:
        InfeasibleError: as for ``flop_of``.
        UsageError: as for ``flop_of``.
    """
    from scaleplan.compute.accounting import Accounting
    from scaleplan.planning.allocation import allocate
    from scaleplan.planning.problem import Problem

    machine = machine_of(conditions)
    problem = Problem(train_flop=1.0, accounting=Accounting(flop=law.counts_flop))
    flop = flop_of(law, problem, machine)
    costing = with_costing(allocate(law, replace(problem, train_flop=flop)), machine, resources=True).costing
    assert costing is not None
    paid = f"{costing.gpu_hours:,.6g} hours of {machine.accelerator.id}"
    speed = f"a utilisation of {costing.mfu:.1%} and a goodput of {machine.rates.goodput:.0%}"
    text = f"{paid} pay for {units.flop(flop)} FLOP by {law.id}, at {speed}; `scaleplan cost` gives the bill."
    return flop, (Notice("paid_flop", text), *costing.warnings)


def with_costing(plan: Plan, machine: Machine, *, resources: bool) -> Plan:
    """A plan with its bill on a machine.

    Args:
        plan: the plan of one budget.
        machine: where it runs.
        resources: whether the machine's hours were the budget, rather than FLOPs or a loss.

    Raises:
        InfeasibleError: it fits in no layout, or misses its deadline.
    """
    subject = subject_of(plan)
    if not resources:
        costing = costing_of(subject, machine, deadline_days=machine.conditions.days)
        return _with(plan, costing)
    hours = machine.budget_hours
    costing = costing_of(subject, machine, deadline_days=machine.deadline_days, gpu_hours=hours)
    left = 1 - costing.gpu_hours / hours
    notices = (*costing.warnings, *([_unspent(left)] if left > _MUCH_LEFT else []))
    return _with(plan, costing._replace(warnings=notices))


def _with(plan: Plan, costing: Costing) -> Plan:
    """A plan with its bill, whose notices come first: they are about what was asked for."""
    return replace(plan, costing=costing, warnings=(*costing.warnings, *plan.warnings))


def _unspent(left: float) -> Notice:
    text = f"{left:.1%} of the budget is left: a larger plan fits in memory only by a slower layout, which exceeds it."
    return Notice("unspent", text)


def subject_of(plan: Plan) -> Subject:
    """The run of a plan; its shape is not known."""
    params = float(plan.params)
    name = plan.problem.name or f"plan of {plan.law.id}"
    return Subject(workload=Workload(name, params, params, float(plan.tokens)))
