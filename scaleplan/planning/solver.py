"""The one solver: the best run under any constraints.

At a fixed number of parameters N every constraint bounds the tokens D (``constraints``), and the loss falls with D. So
the least loss lies at the most tokens, D(N) = min over the bounds, and one search over ln N finds it: a dense grid,
for the right valley where there are several, then golden section. For an additive law and bounds whose ln D is concave
in ln N (FLOPs with or without serving, data with or without repeats, a fixed D) the loss is convex in ln N and there
is one valley; kinks in what serving takes may make more. A limit whose ``beside`` jumps is met to a cell of the grid.

To reach a loss at the least expense D is the least that reaches it (or that is allowed), and N is searched where
that does not exceed the bounds: from the N of the least loss, which reaches it if any does, to both ends of where that
holds, and then for the least expense between.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from scaleplan.compute.accounting import DEFAULT_ACCOUNTING, Accounting, ModelSize
from scaleplan.conventions import ParamCount
from scaleplan.laws.form import LossSurface
from scaleplan.laws.law import Law
from scaleplan.ops import Real, exp, greater, is_array, log, where
from scaleplan.planning.constraints import Bounds, Ceiling, Constraint
from scaleplan.search import argmin

Truth: TypeAlias = Any
"""A condition: of floats a bool, of arrays an array of them."""
_HALVINGS = 60
"""Our choice: 60 halve a range of ln N of 70 below the rounding of ln N."""
_CELLS, _SECTIONS = 32, 32
"""Our choice: a grid of 32 cells and 32 sections leave 1.3e-8 of a range of ln N, 7e-7 of one of 55."""
_ROUNDING = 1e-12
"""Our choice: by so much a bound may be exceeded, relative, which is what sums of logarithms leave."""


class Task(NamedTuple):
    """What to solve: least loss under the constraints, or with ``loss`` the least ``expense`` that reaches it.

    ``unique_tokens`` is how many different tokens there are, where the law knows repeats; ``expense`` what to spend
    least of (its limit is not looked at), training FLOPs as ``accounting`` counts them where left out. Every number,
    and every constant of the law, may be an array; arrays broadcast against each other.
    """

    law: Law
    constraints: tuple[Constraint, ...]
    accounting: Accounting = DEFAULT_ACCOUNTING
    loss: Real | None = None
    unique_tokens: Real | None = None
    expense: Ceiling | None = None

    @property
    def surface(self) -> LossSurface:
        """The loss that the task is about: that of repeated data where unique tokens are few and the law knows them.

        Raises:
            UsageError: the law has no surface.
        """
        if self.unique_tokens is not None and self.law.repeated is not None:
            return self.law.repeated.at(self.unique_tokens)
        return self.law.require_surface("a plan under constraints")

    @property
    def bounds(self) -> Bounds:
        """The constraints made ready."""
        return Bounds(self.constraints, self.accounting, self.law.counts_params)

    @property
    def spending(self) -> Ceiling:
        """What to spend least of."""
        return self.expense or Ceiling("flops", flop=self.accounting.flop)


class Solution(NamedTuple):
    """The best run: its parameters as the law counts them, tokens and loss; NaN where ``feasible`` is false."""

    params: Real
    tokens: Real
    loss: Real
    feasible: Truth

    def size(self, task: Task) -> ModelSize:
        """Its parameters by every count."""
        return task.accounting.size(self.params, task.law.counts_params)

    def spent(self, task: Task, ceiling: Ceiling) -> Real:
        """What it takes of what a ceiling limits."""
        return ceiling.spent(task.bounds.size(self.params).counted, self.tokens)


def solve(task: Task) -> Solution:
    """The best run of a task.

    Raises:
        UsageError: the law has no surface.
    """
    return _least_loss(task) if task.loss is None else _least_expense(task, task.loss)


def at_params(task: Task, params: Real) -> Solution:
    """The best run of a task at given parameters, embeddings counted: its most tokens, or the least that suffice."""
    bounds, surface = task.bounds, task.surface
    counted = task.accounting.size(params, ParamCount.TOTAL).counted(task.law.counts_params)
    least, most = bounds.tokens(counted)
    low, high = bounds.params_range()
    feasible = _within(least, most) & (counted >= low * (1 - _ROUNDING)) & (counted <= high * (1 + _ROUNDING))
    if task.loss is None:
        return _solution(surface, counted, most, feasible)
    needed = greater(surface.tokens_for_loss(counted, task.loss), least)
    return _solution(surface, counted, needed, feasible & _within(needed, most))


def _least_loss(task: Task) -> Solution:
    bounds, surface = task.bounds, task.surface
    low, high, possible = _range(bounds)
    if bounds.has_least:
        # The most tokens fall and the least rise with N, so that what is feasible ends somewhere.
        def feasible(x: Real) -> Truth:
            return _within(*bounds.tokens(exp(x)))

        possible = possible & feasible(low)
        high = _last(feasible, low, high)

    def loss_at(x: Real) -> Real:
        params = exp(x)
        least, most = bounds.tokens(params)
        good = most >= least * (1 - _ROUNDING)
        return where(good, surface.loss(params, where(good, most, 1.0)), math.inf)

    params = _snapped(exp(_argmin(loss_at, low, high)), bounds)
    least, most = bounds.tokens(params)
    return _solution(surface, params, most, possible & _within(least, most))


def _least_expense(task: Task, loss: Real) -> Solution:
    bounds, surface, spending = task.bounds, task.surface, task.spending
    low, high, possible = _range(bounds)

    def needed(params: Real) -> tuple[Real, Real]:
        least, most = bounds.tokens(params)
        return greater(surface.tokens_for_loss(params, loss), least), most

    def excess(x: Real) -> Real:
        tokens, most = needed(exp(x))
        good = (tokens < math.inf) & (most > 0)
        return where(good, log(where(good, tokens, 1.0)) - log(where(good, most, 1.0)), math.inf)

    def expense(x: Real) -> Real:
        params = exp(x)
        tokens, _ = needed(params)
        good = tokens < math.inf
        spent = spending.spent(bounds.size(params).counted, where(good, tokens, 1.0))
        return where(good, spent, math.inf)

    # Where the run of least loss does not reach it no run does; where it does, the sizes that do lie around its own.
    best = _least_loss(task)
    possible = possible & best.feasible & (best.loss <= loss * (1 + _ROUNDING))
    middle = log(where(best.feasible, best.params, exp(low)))

    def feasible(x: Real) -> Truth:
        return excess(x) <= _ROUNDING

    low, high = -_last(lambda x: feasible(-x), -middle, -low), _last(feasible, middle, high)
    params = _snapped(exp(_argmin(expense, low, high)), bounds)
    tokens, _ = needed(params)
    return _solution(surface, params, tokens, possible & (tokens < math.inf))


def _snapped(params: Real, bounds: Bounds) -> Real:
    """The parameters, where they lie on a bound the bound itself rather than e to its logarithm."""
    for end in bounds.params_range():
        params = where(abs(params - end) <= _ROUNDING * end, end, params)
    return params


def _range(bounds: Bounds) -> tuple[Real, Real, Truth]:
    """The range of ln N, and whether there is one; where there is none an arbitrary one to compute with."""
    low, high = bounds.params_range()
    possible = low <= high * (1 + _ROUNDING)
    return log(low), log(where(possible, greater(high, low), low)), possible


def _within(least: Real, most: Real) -> Truth:
    return most >= least * (1 - _ROUNDING)


def _argmin(objective: Callable[[Real], Real], low: Real, high: Real) -> Real:
    """As ``search.argmin``; many problems at once by a coarser grid, which leaves ln N to 1e-6 at worst."""
    if is_array(objective(low)):
        return argmin(objective, low, high, cells=_CELLS, sections=_SECTIONS)
    return argmin(objective, low, high)


def _last(holds: Callable[[Real], Truth], first: Real, last: Real) -> Real:
    """The last x from ``first`` on for which a condition holds that holds at ``first`` (else ``first`` itself)."""
    everywhere = holds(last)
    low, high = where(everywhere, last, first), last
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        good = holds(middle)
        low, high = where(good, middle, low), where(good, high, middle)
    return low


def _solution(surface: LossSurface, params: Real, tokens: Real, feasible: Truth) -> Solution:
    good = where(feasible, tokens, 1.0)
    loss = surface.loss(params, good)
    return Solution(
        params=where(feasible, params, math.nan),
        tokens=where(feasible, tokens, math.nan),
        loss=where(feasible, loss, math.nan),
        feasible=feasible,
    )
