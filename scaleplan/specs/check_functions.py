"""What the checks of a law may call beside its own forms: answers of the planner that papers publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan.errors import UsageError

if TYPE_CHECKING:
    from scaleplan.ops import Real


class ServingPlan(NamedTuple):
    """The run of a quality that takes least to train and serve, and the share that it saves of another's FLOPs."""

    params: Real
    tokens: Real
    saving: Real


def serving_plan(surface: Any, params: Real, served_tokens: Real) -> ServingPlan:
    """The run as good as ``params`` parameters on their compute-optimal tokens that takes least over its life.

        minimise 6 N D + 2 N D_inf  subject to  L(N, D) = l

    by the solver of every plan; D_inf tokens are served (Sardana et al. 2023, arXiv 2401.00448, eq. 3).

    Raises:
        UsageError: the group is not of the form ``additive``, whose compute-optimal tokens have a closed form.
    """
    from scaleplan.compute.demand import Demand
    from scaleplan.compute.serving import Service
    from scaleplan.conventions import ParamCount
    from scaleplan.laws.additive import Additive
    from scaleplan.planning.constraints import Ceiling
    from scaleplan.planning.solver import Task, solve

    if not isinstance(surface, Additive):
        raise UsageError("serving_plan takes a group of the form additive first")
    tokens = surface.tokens_for_params(params)
    expense = Ceiling("flops", beside=Service(Demand(served_tokens)).flop)
    task = Task(_law(surface), (), loss=surface.loss(params, tokens), expense=expense)
    best = solve(task)
    original = expense.spent(lambda _: params, tokens)
    saving = 1 - best.spent(task, expense) / original
    return ServingPlan(best.size(task).counted(ParamCount.TOTAL), best.tokens, saving)


CHECK_FUNCTIONS: Mapping[str, Callable[..., Any]] = {"serving_plan": serving_plan}


def _law(surface: Any) -> Any:
    """The constants of a group as a law that counts all parameters and C = 6ND."""
    from scaleplan.conventions import FlopConvention, LossMeasure, ParamCount
    from scaleplan.laws.law import FittedRange, Law

    return Law(
        id="constants of a check",
        title="",
        year=0,
        authors="",
        paper="",
        counts_params=ParamCount.TOTAL,
        counts_flop=FlopConvention.SIX_ND,
        measure=LossMeasure("nats/token", "", ""),
        fitted=FittedRange(),
        surface=surface,
        allocation=None,
        trend=None,
        uncertainty=None,
        published_exponents=None,
    )
