"""One budget under several laws: the first one plans, the others say what they would."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.laws.law import Law
from scaleplan.planning.allocation import allocate
from scaleplan.planning.notices import joined, with_notice
from scaleplan.planning.plan import Plan
from scaleplan.planning.problem import Problem


def cross_checked(laws: Sequence[Law], problem: Problem, *, leave_out: bool, others: Problem | None = None) -> Plan:
    """Plan under every law; with ``leave_out`` a cross-check that cannot answer is left out, and a notice says so.

    ``others`` is the problem of the laws behind the first, where it differs.

    Raises:
        UsageError: a law cannot answer and may not be left out, or as for ``allocate``.
        InfeasibleError: as for ``allocate``.
    """
    others = others or problem
    reasons = {each.id: can_answer(each, others, laws[0]) for each in laws[1:]}
    if not leave_out:
        for name, why in reasons.items():
            if why is not None:
                raise UsageError(f"{name} cannot answer this beside {laws[0].id}: {why}")
    able = [laws[0]]
    for each in laws[1:]:
        if reasons[each.id] is None and leave_out:
            reasons[each.id] = _why_infeasible(each, others)
        if reasons[each.id] is None:
            able.append(each)
    plan = allocate_all(able, problem, others)
    by_reason: dict[str, list[str]] = {}
    for name, why in reasons.items():
        if why is not None:
            by_reason.setdefault(why.removeprefix(f"{name} ").removeprefix(f"{name}: "), []).append(name)
    if not by_reason:
        return plan
    left_out = "; ".join(f"{', '.join(names)} ({why})" for why, names in by_reason.items())
    return with_notice(plan, (Notice("cannot_answer", f"left out of the cross-check: {left_out}."),))


def allocate_all(laws: Sequence[Law], problem: Problem, others: Problem | None = None) -> Plan:
    """The plan of the first law with the plans of the others as its cross-check; their notices joined."""
    plans = [allocate(laws[0], problem), *(allocate(law, others or problem) for law in laws[1:])]
    notices = joined([(plan.law, plan.warnings) for plan in plans])
    return replace(plans[0], cross_check=tuple(plans[1:]), warnings=notices)


def can_answer(law: Law, problem: Problem, first: Law) -> str | None:
    """Why ``law`` cannot serve as a cross-check of ``first`` on this problem, or ``None`` where it can."""
    if "allocate" in law.refuses:
        return "refused for allocation; ask for it by name to see why"
    if problem.loss is None:
        return None
    if law.measure != first.measure:
        differing = [(own, other) for own, other in zip(law.measure, first.measure, strict=True) if own != other]
        return f"its loss is measured otherwise ({'; '.join(f'{own}, not {other}' for own, other in differing)})"
    fixed = problem.params is not None or problem.tokens is not None
    if law.surface is None and (fixed or law.trend is None):
        return "it has no loss"
    return None


def _why_infeasible(law: Law, problem: Problem) -> str | None:
    try:
        allocate(law, problem)
    except (InfeasibleError, UsageError) as error:
        return error.message
    return None
