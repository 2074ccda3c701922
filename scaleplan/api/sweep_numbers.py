"""The numbers that rows of a sweep differ in, put into the problem that they have in common."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from scaleplan.planning.limits import Effort, Limits

if TYPE_CHECKING:
    from scaleplan.planning.problem import Problem
    from scaleplan.specs.axes import Axis


def with_number(problem: Problem, axis: Axis, values: Any) -> Problem:
    """The problem with the values of an axis of numbers, a row an element."""
    key, service = axis.key, problem.service
    if axis.heading == "serving":
        assert service is not None
        return replace(problem, service=service._replace(demand=service.demand._replace(**{key: values})))
    if key in ("flops", "loss", "params", "tokens"):
        return replace(problem, **{"train_flop" if key == "flops" else key: values})
    if key in Limits._fields:
        return replace(problem, limits=(problem.limits or Limits())._replace(**{key: values}))
    assert problem.effort is not None
    return replace(problem, effort=_with_rate(problem.effort, axis, values))


def _with_rate(effort: Effort, axis: Axis, values: Any) -> Effort:
    """The effort with a rate of the machine, of which it has the first value."""
    if axis.key == "price":
        return effort._replace(price=values)
    if axis.key == "watts":
        each = cast("Any", effort.mwh_per_hour)
        return effort._replace(mwh_per_hour=each * (values / axis.first))
    # Hours go as one over the utilisation and over the goodput.
    return effort._replace(hours_per_flop=effort.hours_per_flop * (axis.first / values))
