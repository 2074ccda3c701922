"""A budget in, a plan out, under one law; and the cross-check of several laws."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from scaleplan import units
from scaleplan.conventions import ParamCount
from scaleplan.errors import InfeasibleError, Notice
from scaleplan.laws.form import LossSurface
from scaleplan.laws.law import Law
from scaleplan.laws.uncertainty import Uncertainty
from scaleplan.ops import Real, all_true, any_true, exp, first_where, is_array
from scaleplan.planning.bands import Ends, loss_ends, plan_ends
from scaleplan.planning.notices import by_surface, law_notices, many_epochs
from scaleplan.planning.optimum import (
    Point,
    optimum,
    own_flop,
    point_at,
    rule_optimum_for_loss,
    surface_optimum_for_loss,
)
from scaleplan.planning.plan import Plan
from scaleplan.planning.problem import Problem

if TYPE_CHECKING:
    from scaleplan.planning.constrained import Constrained


def allocate(law: Law, problem: Problem) -> Plan:
    """The best use of a budget under one law.

    Without a fixed side a law with a published allocation answers by it (and by its own trend for the loss);
    any other law by the optimum of its surface.

    Raises:
        UsageError: the law cannot answer this kind of problem, or refuses to.
        InfeasibleError: the loss cannot be reached, or the budget buys less than a parameter or a token.
    """
    law.require_allowed("allocate")
    if problem.constrained:
        return _under_limits(law, problem)
    if problem.loss is None:
        assert problem.train_flop is not None
        point = optimum(law, problem.accounting, problem.train_flop, problem.params, problem.tokens)
    else:
        point = _for_loss(law, problem, problem.loss)
    _require_whole(law, point)
    plan = _plan(law, problem, point, plan_ends(law, problem, point))
    free = problem.params is None and problem.tokens is None and not point.on_trend
    return _forgiving(plan) if free and point.loss is not None and not is_array(point.loss) else plan


def _forgiving(plan: Plan, surface: LossSurface | None = None) -> Plan:
    """The plan with what another size than its own, which is free, costs in compute."""
    from scaleplan.planning.forgiveness import forgiveness

    assert plan.loss is not None
    found = forgiveness(
        plan.law,
        plan.problem.accounting,
        plan.params,
        plan.loss,
        surface=surface,
        flop=plan.train_flop,
        band=(plan.params_low, plan.params_high),
    )
    return replace(plan, forgiveness=found)


def _under_limits(law: Law, problem: Problem) -> Plan:
    """The plan of a problem with more than its budget, what holds it back beside it."""
    from scaleplan.planning.beside import with_beside
    from scaleplan.planning.constrained import METHOD, METHODS_FOR_LOSS, solve_problem, why_of

    found = solve_problem(law, problem)
    _require_whole(law, found.point)
    plan = _plan(found.task.law, problem, found.point, found.ends)
    if law.allocation is not None and found.point.method in (METHOD, *METHODS_FOR_LOSS):
        plan = replace(plan, warnings=(*plan.warnings, *by_surface(law)))
    if found.experts is not None:
        plan = with_beside(replace(plan, params=found.params), params_active=plan.params, experts=found.experts)
    plan = _with_serving(plan)
    if is_array(plan.params + plan.tokens):
        return with_beside(plan, bindings=_bindings(found))
    if law.surface is not None and not found.point.on_trend and found.experts is None and found.by_compute_alone:
        plan = _forgiving(plan, found.task.surface)
    effort = problem.effort
    price = None if effort is None or effort.price is None else float(effort.price * effort.hours_per_flop)
    return with_beside(plan, why=why_of(found, price))


def _bindings(found: Constrained) -> list[str | None]:
    """The limits that bind each of many runs."""
    import numpy as np

    from scaleplan.planning.sweep import bindings_of

    ok = np.ones(np.shape(found.point.size.total + found.point.tokens), dtype=bool)
    several = is_array(found.experts) and len(found.tasks) > 1
    tasks = [(task, ok & (found.experts == number)) for number, task in found.tasks.items()] if several else []
    return bindings_of(tasks or [(found.task, ok)], found.solution, ok)


def plan_of_run(law: Law, problem: Problem, params: float, tokens: float, method: str) -> Plan:
    """One run of so many parameters, embeddings counted, and tokens as an answer to a problem, under a law's surface.

    Raises:
        UsageError: the law has no surface.
    """
    from scaleplan.planning.constrained import task_of

    size = problem.accounting.size(params, ParamCount.TOTAL)
    loss = task_of(law, problem).surface.loss(size.counted(law.counts_params), tokens)
    point = Point(size, tokens, problem.accounting.train_flop(size, tokens), loss, method)
    return _with_serving(_plan(law, problem, point, loss_ends(law, point, problem.level)))


def _with_serving(plan: Plan) -> Plan:
    """The plan with its epochs and what serving it takes."""
    from scaleplan.planning.beside import with_beside

    limits, service = plan.problem.limits, plan.problem.service
    unique = None if limits is None else limits.unique_tokens
    if unique is not None:
        epochs = plan.tokens / unique
        plan = replace(plan, warnings=(*plan.warnings, *many_epochs(plan.law, epochs)))
        plan = with_beside(plan, epochs=epochs)
    if service is None:
        return plan
    from scaleplan.compute.serving import served

    share = 1.0 if plan.params_active is None else plan.params_active / plan.params
    return with_beside(plan, serving=served(service._replace(active_share=share), plan.params))


def _plan(law: Law, problem: Problem, point: Point, ends: Ends) -> Plan:
    return Plan(
        law=law,
        problem=problem,
        method=point.method,
        train_flop=point.train_flop,
        params=point.size.total,
        params_nonembedding=point.size.nonembedding,
        tokens=point.tokens,
        tokens_per_param=point.tokens / point.size.total,
        loss=point.loss,
        flop_over_runs=None if law.fitted.train_flop is None else own_flop(law, point) / law.fitted.train_flop[1],
        warnings=(*law_notices(law, point, problem.accounting), *_open_end_notice(law, ends)),
        **cast("dict[str, Any]", ends),
    )


def _for_loss(law: Law, problem: Problem, loss: Real) -> Point:
    accounting = problem.accounting
    if problem.params is None and problem.tokens is None:
        if law.allocation is not None:
            return rule_optimum_for_loss(law, law.allocation, accounting, loss)
        surface = law.require_surface("a target loss")
        _require_reachable(law, loss, surface.floor + 0.0 * loss, problem, "")
        return surface_optimum_for_loss(law, surface, accounting, loss)
    surface = law.require_surface("a target loss")
    if problem.params is not None:
        size = accounting.size(problem.params, ParamCount.TOTAL)
        counted = size.counted(law.counts_params)
        tokens = surface.tokens_for_loss(counted, loss)
        what = " with these parameters, however many tokens"
        _require_reachable(law, loss, surface.loss(counted, 1e40), problem, what)
        return point_at(law, accounting, size, tokens, "parameters given")
    assert problem.tokens is not None
    what = " on these tokens, however large the model"
    _require_reachable(law, loss, surface.loss(1e40 + 0.0 * problem.tokens, problem.tokens), problem, what)
    size = accounting.size(surface.params_for_loss(problem.tokens, loss), law.counts_params)
    return point_at(law, accounting, size, problem.tokens, "tokens given")


def _require_reachable(law: Law, loss: Real, least: Real, problem: Problem, under: str) -> None:
    short = loss <= least
    if not any_true(short):
        return
    asked, floor = first_where(short, loss), first_where(short, least)
    surface = law.surface
    assert surface is not None
    about = f"{law.id} does not go below {floor:.4f} {law.measure.unit}{under}"
    if not under:
        about = f"E, the floor of {law.id}, is {floor:.4f} {law.measure.unit}{_floor_interval(law, problem.level)}"
    raise InfeasibleError(f"a loss of {asked:g} cannot be reached: {about}; ask for a higher loss")


def _floor_interval(law: Law, level: float) -> str:
    uncertainty: Uncertainty | None = law.uncertainty
    if uncertainty is None or law.surface is None or "ln_E" not in uncertainty.parameters:
        return " (no interval is known)"
    spread = exp(uncertainty.log_constant_half_width("ln_E", level))
    floor = law.surface.floor
    return f" ({level * 100:.6g}% interval {floor / spread:.4f} to {floor * spread:.4f})"


def _open_end_notice(law: Law, ends: Ends) -> list[Notice]:
    """A notice where a band has no upper end, since the band of the loss reaches down to what nothing goes below."""
    open_ends = [name for name, value in ends.items() if value is None or not all_true(value < math.inf)]
    if not open_ends:
        return []
    text = f"{law.id}: its loss band reaches below what any run reaches, so there is no {', '.join(open_ends)}."
    return [Notice("open_end", text)]


def _require_whole(law: Law, point: Point) -> None:
    for value in (point.size.total, point.tokens, point.train_flop, 1.0 if point.loss is None else point.loss):
        if not all_true(value < math.inf):
            raise InfeasibleError(f"the plan under {law.id} is larger than numbers here can hold; ask for less")
    for value, what in ((point.size.total, "parameter"), (point.tokens, "token")):
        small = value < 1
        if any_true(small):
            flop = first_where(small, point.train_flop + 0.0 * value)
            raise InfeasibleError(
                f"a budget of {units.flop(flop)} FLOP buys less than one {what} under {law.id}; ask for a larger budget"
            )
