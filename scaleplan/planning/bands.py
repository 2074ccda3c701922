"""Bands on the numbers of a plan, from the law's uncertainty.

With C given, ln N* and ln D* have one half-width h (they add up to ln(C/6)), so ln(D*/N*) has 2h. With a loss
given, C itself is uncertain: it lies where the loss band at C meets the target, C(L e^-h) to C(L e^h); that shift
is carried to N*, D* and D*/N* and added to their own half-widths in quadrature (our choice: the two errors are
taken as independent). Where one side is fixed and the loss given, the other side's ends are those that reach
L e^h and L e^-h. An end that does not exist, since the band holds the floor of the law, is absent.

A law without a surface has bands as well: of the loss by its trend's covariance, of N*, D* and D*/N* by that of its
allocation; what the one lacks the other still has.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from scaleplan.laws.law import Law
from scaleplan.ops import Real, all_true, exp, log, sqrt, where
from scaleplan.planning.optimum import Point, finite_or_none, least_flop, own_flop, surface_optimum
from scaleplan.planning.problem import Problem

Ends = dict[str, "Real | None"]


@runtime_checkable
class Sensitive(Protocol):
    """A surface that knows how its answers move with its constants."""

    def log_loss_sensitivity(self, params: Real, tokens: Real) -> tuple[Real, ...]:
        """d ln L at a run by each constant of the covariance."""
        ...

    def log_params_sensitivity(self, params: Real, tokens: Real) -> tuple[Real, ...]:
        """d ln N* at an optimum by each constant of the covariance."""
        ...


@runtime_checkable
class SensitiveTrend(Protocol):
    """A trend that knows how its loss moves with its constants."""

    def log_loss_sensitivity(self, train_flop: Real) -> tuple[Real, ...]:
        """d ln L at a budget by each constant of the covariance."""
        ...


@runtime_checkable
class SensitiveRule(Protocol):
    """An allocation that knows how its size moves with its constants."""

    def log_params_sensitivity(self, train_flop: Real) -> tuple[Real, ...]:
        """d ln N* at a budget by each constant of the covariance."""
        ...


def loss_half_width(law: Law, point: Point, level: float) -> Real | None:
    """Half-width of the band of ln L at a run, or ``None`` where the law has no covariance of its loss."""
    if law.uncertainty is None:
        return None
    if law.surface is None and isinstance(law.trend, SensitiveTrend):
        flop = own_flop(law, point)
        return law.uncertainty.log_loss_half_width(law.trend.log_loss_sensitivity(flop), flop, level)
    if not isinstance(law.surface, Sensitive):
        return None
    params = point.size.counted(law.counts_params)
    sensitivity = law.surface.log_loss_sensitivity(params, point.tokens)
    return law.uncertainty.log_loss_half_width(sensitivity, own_flop(law, point), level, point.tokens / params)


def loss_ends(law: Law, point: Point, level: float) -> Ends:
    """The band of the loss at a run."""
    half = loss_half_width(law, point, level)
    if half is None or point.loss is None:
        return {}
    spread = exp(half)
    return {"loss_low": point.loss / spread, "loss_high": point.loss * spread}


def plan_ends(law: Law, problem: Problem, point: Point) -> Ends:
    """Every band end of a plan; a quantity without one is absent."""
    half = loss_half_width(law, point, problem.level)
    ends = loss_ends(law, point, problem.level)
    if problem.params is None and problem.tokens is None:
        own = _params_half_width(law, point, problem.level)
        shifted = (None, None)
        if problem.loss is not None and half is not None:
            shifted, flop_ends = _flop_ends(law, problem, point, half)
            ends |= flop_ends
        if own is not None and (problem.loss is None or half is not None):
            ends |= _split_ends(point, own, None if problem.loss is None else shifted)
    elif problem.loss is not None and half is not None:
        ends |= _side_ends(law, problem, point, half)
    return ends


def _params_half_width(law: Law, point: Point, level: float) -> Real | None:
    """Half-width of the band of ln N* at a plan's budget, or ``None`` where no covariance speaks of it."""
    flop = own_flop(law, point)
    if law.allocation_uncertainty is not None and isinstance(law.allocation, SensitiveRule):
        sensitivity = law.allocation.log_params_sensitivity(flop)
        return law.allocation_uncertainty.log_params_half_width(sensitivity, flop, level)
    if law.uncertainty is None or not isinstance(law.surface, Sensitive):
        return None
    params = point.size.counted(law.counts_params)
    sensitivity = law.surface.log_params_sensitivity(params, point.tokens)
    return law.uncertainty.log_params_half_width(sensitivity, flop, level)


def _flop_ends(law: Law, problem: Problem, point: Point, half: Real) -> tuple[tuple[Point | None, Point | None], Ends]:
    """The plans that reach the ends of the band of the loss asked for, the cheaper first, and their FLOPs."""
    assert point.loss is not None
    found = [_plan_for_loss(law, problem, target) for target in (point.loss * exp(half), point.loss * exp(-half))]
    low, high = (None if plan is None else finite_or_none(plan.train_flop) for plan in found)
    return (found[0], found[1]), {"train_flop_low": low, "train_flop_high": high}


def _plan_for_loss(law: Law, problem: Problem, loss: Real) -> Point | None:
    """The best plan for a loss, by the law's surface or else by its trend and allocation; ``None`` where none is."""
    accounting = problem.accounting
    if law.surface is not None:
        flop = finite_or_none(least_flop(law, law.surface, accounting, loss))
        return None if flop is None else surface_optimum(law, law.surface, accounting, flop)
    if law.trend is None or law.allocation is None:
        return None
    own = finite_or_none(law.trend.flop_for_loss(loss))
    if own is None:
        return None
    size = accounting.size(law.allocation.params(own), law.counts_params)
    tokens = accounting._replace(flop=law.counts_flop).tokens(size, own)
    return Point(size, tokens, accounting.train_flop(size, tokens), loss, "", on_trend=True)


def _split_ends(point: Point, half: Real, shifted: tuple[Point | None, Point | None] | None) -> Ends:
    """Both sides free: bands of N*, D* and D*/N*; ``shifted`` the plans at the ends of C where the loss was given."""
    ends: Ends = {}
    read: dict[str, tuple[Callable[[Point], Real], float]] = {
        "params": (lambda p: p.size.total, 1.0),
        "tokens": (lambda p: p.tokens, 1.0),
        "tokens_per_param": (lambda p: p.tokens / p.size.total, 2.0),
    }
    for name, (value_of, times) in read.items():
        value, own = value_of(point), times * half
        moved = [0.0, 0.0] if shifted is None else [None if p is None else log(value_of(p) / value) for p in shifted]
        # What rises with compute has its low end at the low end of C, what falls at the high end.
        down, up = moved if moved[0] is None or all_true(moved[0] <= 0) else reversed(moved)
        ends[f"{name}_low"] = None if down is None else value * exp(-sqrt(own * own + down * down))
        ends[f"{name}_high"] = None if up is None else finite_or_none(value * exp(sqrt(own * own + up * up)))
    return ends


def _side_ends(law: Law, problem: Problem, point: Point, half: Real) -> Ends:
    """One side fixed, loss given: the other side's band, and with it the budget's."""
    surface = law.require_surface("a target loss")
    accounting = problem.accounting
    assert point.loss is not None
    free = "tokens" if problem.params is not None else "params"
    ends: Ends = {}
    for end, target in (("low", point.loss * exp(half)), ("high", point.loss * exp(-half))):
        size, tokens = point.size, point.tokens
        if free == "tokens":
            tokens = surface.tokens_for_loss(size.counted(law.counts_params), target)
        else:
            size = accounting.size(surface.params_for_loss(tokens, target), law.counts_params)
        ends[f"{free}_{end}"] = finite_or_none(tokens if free == "tokens" else size.total)
        ends[f"train_flop_{end}"] = finite_or_none(accounting.train_flop(size, tokens))
        ratio_end = end if free == "tokens" else ("high" if end == "low" else "low")
        ratio = tokens / size.total
        ends[f"tokens_per_param_{ratio_end}"] = finite_or_none(where(ratio > 0, ratio, math.inf))
    return ends
