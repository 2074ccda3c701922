"""The best split of a budget under one law: closed form where it is exact, the numeric optimiser elsewhere.

A closed form holds when the budget is counted as the law counts it. Under any other convention the optimum is
searched for on the same surface, with parameter counts converted by the accounting.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scaleplan.compute.accounting import Accounting, ModelSize
from scaleplan.laws.form import AllocationRule, LossSurface, SolvedSurface
from scaleplan.laws.law import Law
from scaleplan.ops import Real, exp, log, where
from scaleplan.planning.search import argmin, increasing_root

_LN_LARGEST = math.log(1e40)
"""Upper end of searches over ln N where no budget bounds it; our choice, far beyond any model."""


class Point(NamedTuple):
    """One run: its size, tokens and FLOPs (in the accounting's convention), its loss, and how it was found."""

    size: ModelSize
    tokens: Real
    train_flop: Real
    loss: Real | None
    method: str
    on_trend: bool = False
    """Whether the loss is the law's trend along its own frontier rather than its surface."""


def point_at(law: Law, accounting: Accounting, size: ModelSize, tokens: Real, method: str) -> Point:
    """The run of a given size on given tokens, its loss read off the law's surface where there is one."""
    loss = None if law.surface is None else law.surface.loss(size.counted(law.counts_params), tokens)
    flop = accounting.train_flop(size, tokens)
    return Point(size=size, tokens=tokens, train_flop=flop, loss=loss, method=method)


def surface_optimum(law: Law, surface: LossSurface, accounting: Accounting, train_flop: Real) -> Point:
    """The least loss on the surface for ``train_flop`` FLOPs."""
    if isinstance(surface, SolvedSurface) and law.counts_flop is accounting.flop:
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
    """The least training FLOPs with which the surface reaches ``loss``; infinite where it cannot."""
    if isinstance(surface, SolvedSurface) and law.counts_flop is accounting.flop:
        return surface_optimum(law, surface, accounting, surface.flop_for_loss(loss))

    def cost_at(ln_params: Real) -> Real:
        params = exp(ln_params)
        tokens = surface.tokens_for_loss(params, loss)
        return accounting.train_flop(accounting.size(params, law.counts_params), tokens)

    params = exp(argmin(cost_at, 0.0 * loss, _LN_LARGEST + 0.0 * loss))
    size = accounting.size(params, law.counts_params)
    tokens = surface.tokens_for_loss(params, loss)
    return point_at(law, accounting, size, tokens, "numeric optimum of L(N, D)")


def rule_optimum(law: Law, rule: AllocationRule, accounting: Accounting, train_flop: Real) -> Point:
    """The published allocation of ``train_flop`` FLOPs, with the loss of the law's trend where it has one."""
    method = "published allocation N*(C)"
    own_flop: Real = train_flop
    if law.counts_flop is accounting.flop:
        size = accounting.size(rule.params(train_flop), law.counts_params)
    else:
        # The rule speaks of FLOPs as the law counts them: find the plan that costs the budget as we count them.
        def excess(ln_params: Real) -> Real:
            trial = accounting.size(exp(ln_params), law.counts_params)
            cost = rule.flop_for_params(exp(ln_params)) / trial.counted(law.counts_params)
            return log(cost * trial.counted(accounting.flop.param_count)) - log(train_flop)

        params = exp(increasing_root(excess, 0.0 * train_flop, _LN_LARGEST + 0.0 * train_flop))
        size = accounting.size(params, law.counts_params)
        own_flop = rule.flop_for_params(params)
        method += ", budget converted"
    tokens = accounting.tokens(size, train_flop)
    loss = None if law.trend is None else law.trend.loss(own_flop)
    return Point(size, tokens, train_flop, loss, method, on_trend=loss is not None)


def rule_optimum_for_loss(law: Law, rule: AllocationRule, accounting: Accounting, loss: Real) -> Point:
    """The published allocation that reaches ``loss`` along the law's own trend.

    Raises:
        UsageError: the law has no loss along its allocation.
    """
    if law.trend is None:
        law.require_surface("a target loss")
    assert law.trend is not None
    own_flop = law.trend.flop_for_loss(loss)
    params = rule.params(own_flop)
    size = accounting.size(params, law.counts_params)
    tokens = own_flop / (6 * params)
    flop = accounting.train_flop(size, tokens)
    return Point(size, tokens, flop, loss + 0.0, "published allocation N*(C)", on_trend=True)


def finite_or_none(value: Real) -> Real | None:
    """``value``; ``None`` for an infinite float, NaN for the infinite elements of an array."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return where(value < math.inf, value, math.nan)
