"""Which constraints of an infeasible problem clash, and how far each would have to give.

The smallest set is found by trying sets of one, two, three ... of them. Where each constraint leaves a convex part of
the plane of ln N and ln D, by Helly's theorem (1923) no smallest set has more than three members, so that few
are tried. How far one would have to give is found by bisection on the factor it is relaxed by, all others held.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from itertools import combinations
from typing import NamedTuple, cast

from scaleplan import units
from scaleplan.conventions import ParamCount
from scaleplan.planning.constraints import Bounds, Ceiling, Range, fixed
from scaleplan.planning.solver import Solution, Task, solve
from scaleplan.planning.why import EPOCHS, LOSS, UNIQUE, constraint_names, relaxed, unit_of

_WIDEST = math.log(1e15)
"""Our choice: a factor beyond what separates any two budgets or sizes that are planned with."""
_HALVINGS = 42
"""Our choice: 42 halve that below 1e-11."""
_ROUNDING = 1e-12
"""Our choice: what sums of logarithms leave, as in the solver."""
_NO_END = Range("", "tokens", most=1e40)
"""So that a few constraints alone leave an end to the tokens; our choice, beyond any run."""
_NEAR = 1e-9
"""What halving leaves."""
_SAME = 1e-14
"""What a division leaves; more of a difference is meant."""


class Side(NamedTuple):
    """A constraint that clashes: what was given, ``of`` what, and the nearest value at which the rest can hold.

    ``nearest`` is ``None`` where no value of it helps; ``at_least`` whether larger values than that help too.
    ``taken`` says that serving even the smallest model takes more than all of it.
    """

    name: str
    of: str
    given: float
    nearest: float | None
    at_least: bool
    taken: bool = False


class Clash(NamedTuple):
    """The smallest set of constraints that cannot hold together."""

    sides: tuple[Side, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Their names."""
        return tuple(side.name for side in self.sides)

    @property
    def nearest(self) -> tuple[tuple[str, float | None], ...]:
        """Each with the nearest value at which all others of the problem can hold."""
        return tuple((side.name, side.nearest) for side in self.sides)


def clash(task: Task) -> Clash:
    """The smallest set of constraints that clash in an infeasible task of plain numbers; none if it is feasible."""
    names = constraint_names(task)
    sets = (each for size in range(1, len(names) + 1) for each in combinations(names, size))
    smallest = next((each for each in sets if not _holds(_only(task, each))), ())
    return Clash(tuple(_side(task, name) for name in smallest))


def clash_text(clash: Clash) -> str:
    """A clash in words: which constraints, and what each would have to be."""
    sides = clash.sides
    if len(sides) == 1 and sides[0].nearest is None:
        reason = "serving takes more than all of it" if sides[0].taken else "no value of it helps"
        return f"{sides[0].name} {written(sides[0].given, sides[0].of)} alone cannot hold: {reason}"
    given = [f"{side.name} {written(side.given, side.of)}" for side in sides]
    hold = ("hold", "both hold")[len(sides) - 1] if len(sides) < 3 else "all hold"
    ways = [_way(side) for side in sides if side.nearest is not None]
    takes = f"it takes {', or '.join(ways)}" if ways else "no change of one of them alone helps"
    return f"{_listed(given)} cannot {hold}: {takes}"


def written(value: float, of: str) -> str:
    """A limit for reading, by what it limits."""
    if of == "FLOP":
        return units.flop(value)
    if of in ("params", "tokens"):
        return units.count(value)
    if of == "USD":
        return f"${units.count(value)}"
    return f"{value:.4g}" if of in ("days", "tokens_per_param") or value < 1e3 else units.count(value)


def _holds(task: Task) -> bool:
    """Whether any run meets a task. A loss can be reached if the least loss is not above it, which is quickly known."""
    least = _least_loss(task)
    return bool(least.feasible) and (task.loss is None or bool(least.loss <= task.loss * (1 + _ROUNDING)))


def _least_loss(task: Task) -> Solution:
    return solve(task._replace(loss=None, constraints=(*task.constraints, _NO_END)))


def _only(task: Task, names: Iterable[str]) -> Task:
    """The task with the named constraints alone."""
    kept = {*names}
    return task._replace(
        constraints=tuple(c for c in task.constraints if c.name in kept),
        unique_tokens=task.unique_tokens if UNIQUE in kept or EPOCHS in kept else None,
        loss=task.loss if LOSS in kept else None,
    )


def _side(task: Task, name: str) -> Side:
    of = unit_of(task, name)
    if name == LOSS:
        best = _least_loss(task)
        return Side(name, of, float(task.loss or 0.0), float(best.loss) if best.feasible else None, at_least=True)
    given, up = _given(task, name)
    factor = _factor(task, name, given, up=up)
    found = next((c for c in task.constraints if c.name == name), None)
    if factor is None:
        return Side(name, of, given, None, at_least=up, taken=isinstance(found, Ceiling) and _taken(task, found))
    if isinstance(found, Range) and found.fixes:
        # Both ways were tried at once: which one was it?
        up = _holds(_fixed_at(task, found, given * factor))
    return Side(name, of, given, given * factor if up else given / factor, at_least=up)


def _taken(task: Task, ceiling: Ceiling) -> bool:
    """Whether serving the smallest model that the rest allows takes more than all of a ceiling."""
    if ceiling.beside is None:
        return False
    others = [c for c in task.constraints if c is not ceiling]
    bounds = Bounds(others, task.accounting, ParamCount.TOTAL)
    return bool(ceiling.beside(bounds.params_range()[0]) > ceiling.limit)


def _given(task: Task, name: str) -> tuple[float, bool]:
    """The value of a constraint, and whether to relax it is to raise it."""
    found = next((c for c in task.constraints if c.name == name), None)
    if found is None or (name == UNIQUE and task.unique_tokens is not None):
        return float(cast("float", task.unique_tokens)), True
    if isinstance(found, Ceiling):
        return float(found.limit), True
    if found.most is not None:
        return float(found.most), True
    return float(cast("float", found.least)), False


def _fixed_at(task: Task, constraint: Range, value: float) -> Task:
    moved = fixed(constraint.name, constraint.of, value)
    return task._replace(constraints=tuple(moved if c is constraint else c for c in task.constraints))


def _factor(task: Task, name: str, given: float, *, up: bool) -> float | None:
    """The least factor to relax a constraint by at which the task can be solved; ``None`` where there is none."""

    def holds(ln_factor: float) -> bool:
        return _holds(relaxed(task, (name,), math.exp(ln_factor)))

    if not holds(_WIDEST):
        return None
    low, high = 0.0, _WIDEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return _round_if(math.exp(high), given, up=up, holds=lambda factor: holds(math.log(factor)))


def _round_if(factor: float, given: float, *, up: bool, holds: Callable[[float], bool]) -> float:
    """The factor, or where the value is one of four digits but for rounding, that which leads to it if it will do."""
    value = float(f"{given * factor if up else given / factor:.4g}")
    there = value / given if up else given / value
    return there if abs(there - factor) < _NEAR * factor and holds(there) else factor


def _way(side: Side) -> str:
    assert side.nearest is not None
    value = _outwards(side.nearest, up=side.at_least)
    what = "a loss" if side.name == LOSS else side.name
    return f"{what} of at {'least' if side.at_least else 'most'} {written(value, side.of)}"


def _outwards(value: float, *, up: bool) -> float:
    """``value`` to the four digits that are printed, rounded to the side on which it still helps."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 3)
    steps = value / unit
    # A value that has no more digits stays itself.
    if abs(steps - round(steps)) < _SAME * steps:
        return round(steps) * unit
    return (math.ceil(steps) if up else math.floor(steps)) * unit


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
