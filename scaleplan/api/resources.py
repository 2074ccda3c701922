"""Budgets that are not FLOPs: a cluster for a time, accelerator-hours, money; and what a plan costs on a machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from scaleplan import units
from scaleplan.compute.costing import Workload
from scaleplan.errors import Notice, UsageError
from scaleplan.specs.conditions import RESOURCES, Conditions, check_budget, given, read_conditions, resource_words
from scaleplan.specs.machines import Machine, Subject, costing_of, machine_of

if TYPE_CHECKING:
    from scaleplan.laws.law import Law
    from scaleplan.planning.plan import Plan


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


def paid_flop(law: Law, conditions: Conditions) -> tuple[float, tuple[Notice, ...]]:
    """The training FLOPs, as a law counts them, that a cluster, hours or money pay for under its own plan; notices.

    Raises:
        InfeasibleError: as for ``flop_of``.
        UsageError: as for ``flop_of``.
    """
    from scaleplan.api.limits import NOTHING, plan_within
    from scaleplan.compute.accounting import Accounting
    from scaleplan.planning.problem import Problem

    machine = machine_of(conditions)
    problem = Problem(train_flop=1.0, accounting=Accounting(flop=law.counts_flop))
    plan = plan_within([law], problem, NOTHING._replace(resources=True), machine, leave_out=False)
    costing, flop = plan.costing, float(plan.train_flop)
    assert costing is not None
    paid = f"{costing.gpu_hours:,.6g} hours of {machine.accelerator.id}"
    speed = f"a utilisation of {costing.mfu:.1%} and a goodput of {machine.rates.goodput:.0%}"
    text = f"{paid} pay for {units.flop(flop)} FLOP by {law.id}, at {speed}; `scaleplan cost` gives the bill."
    return flop, (Notice("paid_flop", text), *costing.warnings)


def with_costing(plan: Plan, machine: Machine) -> Plan:
    """The plan of a budget of FLOPs, or of a loss, with its bill, whose notices come first: they are of what was asked.

    Raises:
        InfeasibleError: it fits in no layout.
    """
    params = float(plan.params)
    name = plan.problem.name or f"plan of {plan.law.id}"
    subject = Subject(workload=Workload(name, params, params, float(plan.tokens)))
    costing = costing_of(subject, machine, deadline_days=machine.conditions.days)
    return replace(plan, costing=costing, warnings=(*costing.warnings, *plan.warnings))
