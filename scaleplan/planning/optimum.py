"""The best split of a budget under one law: closed form where it is exact, the numeric optimiser elsewhere.

A closed form holds when the budget is counted as the law counts it. Under any other convention the optimum is
searched for on the same surface, with parameter counts converted by the accounting.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scaleplan import units
from scaleplan.compute.accounting import Accounting, ModelSize
from scaleplan.conventions import ParamCount
from scaleplan.errors import InfeasibleError
from scaleplan.laws.form import AllocationRule, LossSurface, SolvedSurface
from scaleplan.laws.law import Law
from scaleplan.ops import Real, any_true, exp, first_where, log, where
from scaleplan.search import argmin, increasing_root

_LN_LARGEST = math.log(1e40)
"""Upper end of searches over ln N where no budget bounds it; our choice, far beyond any model."""

_RULE, _FITTED_RULE = "published allocation N*(C)", "allocation N*(C) of the law file"


class Point(NamedTuple):
    """One run: its size, tokens and FLOPs (in the accounting's convention), its loss, and how it was found."""

    size: ModelSize
    tokens: Real
    train_flop: Real
    loss: Real | None
    method: str
    on_trend: bool = False
    """Whether the loss is the law's trend along its own frontier rather than its surface."""


def own_flop(law: Law, point: Point) -> Real:
    """The FLOPs of a run as the law counts them."""
    return law.counts_flop.per_param_token * point.size.counted(law.counts_flop.param_count) * point.tokens


def point_at(law: Law, accounting: Accounting, size: ModelSize, tokens: Real, method: str) -> Point:
    """The run of a given size on given tokens, its loss read off the law's surface where there is one."""
    loss = None if law.surface is None else law.surface.loss(size.counted(law.counts_params), tokens)
    flop = accounting.train_flop(size, tokens)
    return Point(size=size, tokens=tokens, train_flop=flop, loss=loss, method=method)


def optimum(
    law: Law, accounting: Accounting, train_flop: Real, params: Real | None = None, tokens: Real | None = None
) -> Point:
    """The best split of a budget: by the published allocation where there is one, else the least loss on the surface.

    With ``params`` (embeddings counted) or ``tokens`` given the other side is what the budget pays for.

    Raises:
        UsageError: the law has neither.
        InfeasibleError: the budget buys less than a parameter.
    """
    if params is not None:
        size = accounting.size(params, ParamCount.TOTAL)
        paid = accounting.tokens(size, train_flop)
        return point_at(law, accounting, size, paid, "parameters given")._replace(train_flop=train_flop + 0 * paid)
    if tokens is not None:
        return point_at(law, accounting, accounting.size_for(train_flop, tokens), tokens, "tokens given")
    if law.allocation is not None:
        return rule_optimum(law, law.allocation, accounting, train_flop)
    return surface_optimum(law, law.require_surface("an allocation"), accounting, train_flop)


def surface_optimum(law: Law, surface: LossSurface, accounting: Accounting, train_flop: Real) -> Point:
    """The least loss on the surface for ``train_flop`` FLOPs."""
    if isinstance(surface, SolvedSurface) and law.counts_as(accounting.flop):
        best = surface.optimum(train_flop)
        size = accounting.size(best.params, law.counts_params)
        method = "closed-form optimum of L(N, D)"
        return Point(size=size, tokens=best.tokens, train_flop=train_flop, loss=best.loss, method=method)

    def loss_at(ln_params: Real) -> Real:
        params = exp(ln_params)
        return surface.loss(params, accounting.tokens(accounting.size(params, law.counts_params), train_flop))

    size = accounting.size(exp(argmin(loss_at, 0.0 * train_flop, log(train_flop / 6))), law.counts_params)
    tokens = accounting.tokens(size, train_flop)
    return point_at(law, accounting, size, tokens, "numeric optimum of L(N, D)")


def surface_optimum_for_loss(law: Law, surface: LossSurface, accounting: Accounting, loss: Real) -> Point:
    """The run that reaches ``loss`` on the surface with the least training FLOPs; it must be above the floor."""
    if isinstance(surface, SolvedSurface) and law.counts_as(accounting.flop):
        return surface_optimum(law, surface, accounting, surface.flop_for_loss(loss))
    params = _cheapest_params(law, surface, accounting, loss)
    size = accounting.size(params, law.counts_params)
    tokens = surface.tokens_for_loss(params, loss)
    return point_at(law, accounting, size, tokens, "numeric optimum of L(N, D)")


def least_flop(law: Law, surface: LossSurface, accounting: Accounting, loss: Real) -> Real:
    """The least training FLOPs with which the surface reaches ``loss``; infinite where it cannot."""
    if isinstance(surface, SolvedSurface) and law.counts_as(accounting.flop):
        return surface.flop_for_loss(loss)
    params = _cheapest_params(law, surface, accounting, loss)
    return accounting.train_flop(accounting.size(params, law.counts_params), surface.tokens_for_loss(params, loss))


def _cheapest_params(law: Law, surface: LossSurface, accounting: Accounting, loss: Real) -> Real:
    def cost_at(ln_params: Real) -> Real:
        params = exp(ln_params)
        tokens = surface.tokens_for_loss(params, loss)
        return accounting.train_flop(accounting.size(params, law.counts_params), tokens)

    return exp(argmin(cost_at, 0.0 * loss, _LN_LARGEST + 0.0 * loss))


def rule_optimum(law: Law, rule: AllocationRule, accounting: Accounting, train_flop: Real) -> Point:
    """The published allocation of ``train_flop`` FLOPs, with the loss of the law's trend where it has one."""
    method = _RULE if law.file is None else _FITTED_RULE
    flop_of_rule: Real = train_flop
    own = accounting._replace(flop=law.counts_flop)
    if law.counts_flop is accounting.flop:
        size = accounting.size(rule.params(train_flop), law.counts_params)
    else:
        # The rule speaks of FLOPs as the law counts them: find the plan that costs the budget as we count them.
        def excess(ln_params: Real) -> Real:
            trial = accounting.size(exp(ln_params), law.counts_params)
            tokens = own.tokens(trial, rule.flop_for_params(exp(ln_params)))
            return log(accounting.train_flop(trial, tokens)) - log(train_flop)

        too_small = excess(0.0 * train_flop) > 0
        if any_true(too_small):
            flop = units.flop(first_where(too_small, train_flop))
            text = f"a budget of {flop} FLOP buys less than one parameter under {law.id}; ask for a larger budget"
            raise InfeasibleError(text)
        if any_true(excess(_LN_LARGEST + 0.0 * train_flop) < 0):
            raise InfeasibleError(f"a budget beyond what plans under {law.id} are converted for, 1e40 parameters")
        params = exp(increasing_root(excess, 0.0 * train_flop, _LN_LARGEST + 0.0 * train_flop))
        size = accounting.size(params, law.counts_params)
        flop_of_rule = rule.flop_for_params(params)
        method += ", budget converted"
    tokens = accounting.tokens(size, train_flop)
    loss = None if law.trend is None else law.trend.loss(flop_of_rule)
    return Point(size, tokens, train_flop, loss, method, on_trend=loss is not None)


def rule_optimum_for_loss(law: Law, rule: AllocationRule, accounting: Accounting, loss: Real) -> Point:
    """The published allocation that reaches ``loss`` along the law's own trend.

    Raises:
        UsageError: the law has no loss along its allocation.
        InfeasibleError: its trend does not reach the loss.
    """
    if law.trend is None:
        law.require_surface("a target loss")
    assert law.trend is not None
    flop_of_rule = law.trend.flop_for_loss(loss)
    beyond = flop_of_rule == math.inf
    if any_true(beyond):
        asked = f"{first_where(beyond, loss):g} {law.measure.unit}"
        text = f"a loss of {asked} cannot be reached: the trend of {law.id} does not go so low; ask for a higher loss"
        raise InfeasibleError(text)
    params = rule.params(flop_of_rule)
    size = accounting.size(params, law.counts_params)
    tokens = accounting._replace(flop=law.counts_flop).tokens(size, flop_of_rule)
    flop = accounting.train_flop(size, tokens)
    return Point(size, tokens, flop, loss + 0.0, _RULE if law.file is None else _FITTED_RULE, on_trend=True)


def finite_or_none(value: Real) -> Real | None:
    """``value``; ``None`` for an infinite float, NaN for the infinite elements of an array."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return where(value < math.inf, value, math.nan)
