"""Bands on the numbers of a plan under limits.

Bands by the delta method, numerically: the problem is solved again with the law's constants moved by one standard error
along each of the independent directions of their covariance, both ways, so that what a constraint pins down has no
band; the half-widths of the directions add in quadrature. Where a loss was asked for, the half-width of the loss is one
more direction. Misfit beyond the fitted range, which widens ln N* in ``bands``, is one too: the law with its best sizes
larger and smaller at the same loss. An end that the directions together carry beyond a limit is that limit.
"""

from __future__ import annotations

import math
from typing import cast

from scaleplan.laws.law import Law
from scaleplan.laws.student import two_sided_quantile
from scaleplan.laws.uncertainty import Uncertainty
from scaleplan.ops import Real, greater, lower
from scaleplan.planning.bands import Ends, loss_half_width
from scaleplan.planning.constraints import Ceiling
from scaleplan.planning.limits import LAYOUT
from scaleplan.planning.moved import moved, moves, tilt
from scaleplan.planning.optimum import Point, own_flop
from scaleplan.planning.problem import Problem
from scaleplan.planning.solver import Solution, Task, solve

_MOVES = 1e-7
"""Our choice: a quantity that moves by less, relative, is pinned down; what the search leaves open is below."""


def limit_ends(task: Task, problem: Problem, point: Point, solution: Solution) -> Ends:
    """Bands of what moves with the law's constants, or with the loss where it was asked for."""
    # The layout that a size is held to is the plan's own, and no limit on what the best size may be.
    held, task = task, task._replace(constraints=tuple(c for c in task.constraints if c.name != LAYOUT))
    law, uncertainty = task.law, task.law.uncertainty
    half = loss_half_width(law, point, problem.level)
    if uncertainty is None or half is None or not moves(law):
        return {}
    quantile = two_sided_quantile(problem.level, uncertainty.dof) * max(1.0, uncertainty.kappa)
    moves_of: list[tuple[_Logs | None, _Logs | None]] = []
    for direction in _directions(uncertainty):
        shift = {name: quantile * x for name, x in zip(uncertainty.parameters, direction, strict=True)}
        ends = (moved(law, {name: sign * x for name, x in shift.items()}) for sign in (-1, 1))
        low, high = (_logs(_held_flop(task, end, solution), problem) for end in ends)
        moves_of.append((low, high))
    misfit = _size_misfit(uncertainty, own_flop(law, point), problem.level)
    if misfit > 0:
        low, high = (_logs(_held_flop(task, tilt(law, sign * misfit), solution), problem) for sign in (-1, 1))
        moves_of.append((low, high))
    if task.loss is not None:
        low, high = (_logs(task._replace(loss=task.loss * math.exp(s * half)), problem) for s in (1, -1))
        moves_of.append((low, high))
    here, plan = _logs(task, problem), _values(held, problem, solution)
    assert here is not None
    return _clipped(_quadrature(plan, here, moves_of), task)


def _held_flop(task: Task, law: Law, solution: Solution) -> Task:
    """The task under a moved law; a loss asked for moves with it, so that the run there is still reaches it.

    How far the loss itself is off is a direction of its own.
    """
    there = task._replace(law=law)
    if task.loss is None:
        return there
    return there._replace(loss=there.surface.loss(solution.params, solution.tokens))


_Logs = dict[str, float]


def _logs(task: Task, problem: Problem) -> _Logs | None:
    """ln of what a band may be of, at the solution of a task; ``None`` where there is none."""
    solution = solve(task)
    return _values(task, problem, solution) if solution.feasible else None


def _values(task: Task, problem: Problem, solution: Solution) -> _Logs:
    size = solution.size(task)
    values = {
        "params": size.total,
        "tokens": solution.tokens,
        "tokens_per_param": solution.tokens / size.total,
        "train_flop": problem.accounting.train_flop(size, solution.tokens),
    }
    return {name: math.log(float(value)) for name, value in values.items()}


def _directions(uncertainty: Uncertainty) -> list[list[float]]:
    """Columns of the Cholesky factor of the covariance: independent directions of one standard error each."""
    rows = uncertainty.covariance
    n = len(rows)
    factor = [[0.0] * n for _ in range(n)]
    for i in range(n):
        for j in range(i + 1):
            rest = rows[i][j] - sum(factor[i][k] * factor[j][k] for k in range(j))
            if i == j:
                factor[i][i] = math.sqrt(max(rest, 0.0))
            elif factor[j][j] > 0:
                factor[i][j] = rest / factor[j][j]
    return [[factor[i][j] for i in range(n)] for j in range(n)]


def _size_misfit(uncertainty: Uncertainty, flop: Real, level: float) -> float:
    """The part of the half-width of ln N* that is no sampling error."""
    none: tuple[Real, ...] = (0.0,) * len(uncertainty.parameters)
    return float(uncertainty.log_params_half_width(none, flop, level))


def _quadrature(plan: _Logs, here: _Logs, moves_of: list[tuple[_Logs | None, _Logs | None]]) -> Ends:
    """Ends of every quantity that moves; an end is absent where a direction leads to no plan.

    ``here`` is where the directions start from, ``plan`` what the ends are around.
    """
    ends: Ends = {}
    for name, value in plan.items():
        down = up = 0.0
        open_down = open_up = False
        for pair in moves_of:
            steps = [None if moved_to is None else moved_to[name] - here[name] for moved_to in pair]
            known = [step for step in steps if step is not None]
            down += min([0.0, *known]) ** 2
            up += max([0.0, *known]) ** 2
            if None in steps:
                # Where it leads the other way is known from the side that has a plan.
                rising = not known or known[0] < 0
                open_up, open_down = open_up or rising, open_down or not rising
        if max(down, up) < _MOVES**2:
            continue
        ends[f"{name}_low"] = None if open_down else math.exp(value - math.sqrt(down))
        ends[f"{name}_high"] = None if open_up else math.exp(value + math.sqrt(up))
    return ends


def _clipped(ends: Ends, task: Task) -> Ends:
    """The ends within what ranges of the task allow: directions that each keep a bound may together exceed it."""
    for c in task.constraints:
        low, high = ("", "") if isinstance(c, Ceiling) else (f"{c.of}_low", f"{c.of}_high")
        if isinstance(c, Ceiling) or low not in ends:
            continue
        if c.least is not None:
            ends[low] = c.least if ends[low] is None else greater(cast("Real", ends[low]), c.least)
        if c.most is not None:
            ends[high] = c.most if ends[high] is None else lower(cast("Real", ends[high]), c.most)
    return ends
