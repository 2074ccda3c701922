"""One-dimensional search: a dense grid, then golden section around its best point; a root by bisection, and by secants.

The grid finds the right valley where there are several, golden section the bottom of it to the square root of
rounding in ln N, which is rounding itself in the loss. Works on floats and, element by element, on arrays.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from scaleplan.errors import ConvergenceError
from scaleplan.ops import Real, any_true, where

_GOLDEN = 0.6180339887498949
_GRID = 128
_SECTIONS = 48
"""Our choice: 128 cells over any range of ln N up to 80 leave one of 1.25, which 48 sections shrink below 1e-9."""
_HALVINGS = 60
"""Our choice: 60 halve a range of ln N of 92 below the rounding of ln N itself."""
_MOST_STEPS = 60
_SECANT_STEPS = 12
_CLOSE = 1e-13
"""Our choice: rounding of sums of some ten logarithms."""
_STEEP = 4.0
"""Our choice: twice the steepest slope that is believed."""
_JUMP = 1e-9
"""Our choice: how near to a jump to come, relative in what the logarithm is of."""


def argmin(
    objective: Callable[[Real], Real], low: Real, high: Real, *, cells: int = _GRID, sections: int = _SECTIONS
) -> Real:
    """The x in [``low``, ``high``] with the least ``objective``; ties go to the smaller x.

    ``cells`` is how fine the grid is, ``sections`` how often golden section then shrinks two cells of it.
    """
    step = (high - low) / cells
    best_x, best = low, objective(low)
    for i in range(1, cells + 1):
        x = low + i * step
        value = objective(x)
        better = value < best
        best_x, best = where(better, x, best_x), where(better, value, best)
    left = where(best_x - step < low, low, best_x - step)
    right = where(best_x + step > high, high, best_x + step)
    left, right = _golden_section(objective, left, right, sections)
    # Before a wall only one side of it has a value; at an end, or across a jump, the grid may have the best point.
    for x in ((left + right) / 2, left, right):
        value = objective(x)
        better = value < best
        best_x, best = where(better, x, best_x), where(better, value, best)
    return best_x


def _golden_section(objective: Callable[[Real], Real], left: Real, right: Real, sections: int) -> tuple[Real, Real]:
    inner_left = right - _GOLDEN * (right - left)
    inner_right = left + _GOLDEN * (right - left)
    value_left, value_right = objective(inner_left), objective(inner_right)
    for _ in range(sections):
        go_left = value_left <= value_right
        left, right = where(go_left, left, inner_left), where(go_left, inner_right, right)
        fresh = where(go_left, right - _GOLDEN * (right - left), left + _GOLDEN * (right - left))
        value = objective(fresh)
        inner_left, inner_right = where(go_left, fresh, inner_right), where(go_left, inner_left, fresh)
        value_left, value_right = where(go_left, value, value_right), where(go_left, value_left, value)
    return left, right


def increasing_root(function: Callable[[Real], Real], low: Real, high: Real) -> Real:
    """The x in [``low``, ``high``] at which an increasing ``function`` crosses zero, by bisection.

    Raises:
        ConvergenceError: it does not cross zero between them.
    """
    if any_true(function(low) > 0) or any_true(function(high) < 0):
        raise ConvergenceError("the search has no solution between its ends")
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        below = function(middle) < 0
        low, high = where(below, middle, low), where(below, high, middle)
    return (low + high) / 2


def last_within(
    function: Callable[[float], float], start: float, *, jump: float = _JUMP, close: float = _CLOSE
) -> float:
    """The x near ``start`` up to which a function that rises about as fast as x stays at or below zero.

    Secant steps between bounds; where the function jumps across zero, the x just below the jump, by at most ``jump``.
    ``close`` is how near to zero is near enough.

    Raises:
        ConvergenceError: it stays on one side of zero, or does not settle.
    """
    low, high = -math.inf, math.inf
    below = above = 0.0
    x, value = start, function(start)
    slope = 1.0
    for step in range(_MOST_STEPS):
        if value <= 0 and x > low:
            low, below = x, value
        elif value > 0 and x < high:
            high, above = x, value
        # A function that does not jump hardly rises between bounds so near.
        jumps = high - low <= jump and above - below > _STEEP * (high - low)
        if abs(value) <= close or high - low <= _JUMP or jumps:
            break
        # The first secant steps close in on a root; where there is a jump instead, halving does.
        following = x - value / slope
        if step >= _SECANT_STEPS or not low < following < high:
            following = (low + high) / 2 if math.isfinite(high - low) else x - value
        following_value = function(following)
        slope = min(max((following_value - value) / (following - x), 0.5), 2.0) if following != x else 1.0
        x, value = following, following_value
    else:
        raise ConvergenceError("the search for the budget did not settle")
    if abs(value) <= close:
        return x
    if not math.isfinite(low):
        raise ConvergenceError("the search for the budget has no solution near its start")
    return low
