"""Bands on the numbers of a plan, from the law's uncertainty.

With C given, ln N* and ln D* have one half-width h (they add up to ln(C/6)), so ln(D*/N*) has 2h. With a loss
given, C itself is uncertain: it lies where the loss band at C meets the target, C(L e^-h) to C(L e^h); that shift
is carried to N*, D* and D*/N* and added to their own half-widths in quadrature (our choice: the two errors are
taken as independent). Where one side is fixed and the loss given, the other side's ends are those that reach
L e^h and L e^-h. An end that does not exist, since the band holds the floor of the law, is absent.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, cast, runtime_checkable

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


def loss_half_width(law: Law, point: Point, level: float) -> Real | None:
    """Half-width of the band of ln L at a run, or ``None`` where the law has no covariance."""
    if law.uncertainty is None or not isinstance(law.surface, Sensitive):
        return None
    params = point.size.counted(law.counts_params)
    sensitivity = law.surface.log_loss_sensitivity(params, point.tokens)
    return law.uncertainty.log_loss_half_width(sensitivity, own_flop(law, point), level)


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
    if half is None or point.loss is None:
        return {}
    ends = loss_ends(law, point, problem.level)
    if problem.params is None and problem.tokens is None:
        ends |= _split_ends(law, problem, point, half)
    elif problem.loss is not None:
        ends |= _side_ends(law, problem, point, half)
    return ends


def _split_ends(law: Law, problem: Problem, point: Point, loss_half: Real) -> Ends:
    """Both sides free: bands of N*, D*, D*/N*, and of C where the loss was given."""
    uncertainty, surface = law.uncertainty, law.surface
    assert uncertainty is not None
    assert surface is not None
    assert point.loss is not None
    params = point.size.counted(law.counts_params)
    sensitivity = cast("Sensitive", surface).log_params_sensitivity(params, point.tokens)
    half = uncertainty.log_params_half_width(sensitivity, own_flop(law, point), problem.level)
    shifted: list[Point | None] = [None, None]
    ends: Ends = {}
    if problem.loss is not None:
        for i, target in enumerate((point.loss * exp(loss_half), point.loss * exp(-loss_half))):
            flop = finite_or_none(least_flop(law, surface, problem.accounting, target))
            ends["train_flop_low" if i == 0 else "train_flop_high"] = flop
            shifted[i] = None if flop is None else surface_optimum(law, surface, problem.accounting, flop)
    read: dict[str, tuple[Callable[[Point], Real], float]] = {
        "params": (lambda p: p.size.total, 1.0),
        "tokens": (lambda p: p.tokens, 1.0),
        "tokens_per_param": (lambda p: p.tokens / p.size.total, 2.0),
    }
    for name, (value_of, times) in read.items():
        value, own = value_of(point), times * half
        moved = (
            [0.0, 0.0] if problem.loss is None else [None if p is None else log(value_of(p) / value) for p in shifted]
        )
        # What rises with compute has its low end at the low end of C, what falls at the high end.
        down, up = moved if moved[0] is None or all_true(moved[0] <= 0) else reversed(moved)
        ends[f"{name}_low"] = None if down is None else value * exp(-sqrt(own * own + down * down))
        ends[f"{name}_high"] = None if up is None else value * exp(sqrt(own * own + up * up))
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
