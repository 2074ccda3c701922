"""The plan of a problem with constraints beyond its budget: solved, with its bands and what holds it back.

Bands by the delta method, numerically: the problem is solved again with the law's constants moved by one standard error
along each of the independent directions of their covariance, both ways, so that what a constraint pins down has no
band; the half-widths of the directions add in quadrature. Where a loss was asked for, the half-width of the loss is one
more direction. Misfit beyond the fitted range widens ln N* and ln D* as in ``bands``, where they move at all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.laws.law import Law
from scaleplan.laws.student import two_sided_quantile
from scaleplan.laws.uncertainty import Uncertainty
from scaleplan.ops import Real, all_true, any_true, first_where, is_array
from scaleplan.planning.bands import Ends, loss_ends, loss_half_width
from scaleplan.planning.constraints import Ceiling, Range
from scaleplan.planning.limits import Limits, constraints_of
from scaleplan.planning.moved import moved, moves
from scaleplan.planning.optimum import Point, own_flop
from scaleplan.planning.problem import Problem
from scaleplan.planning.solver import Solution, Task, solve

if TYPE_CHECKING:
    from scaleplan.planning.why import Why

_CLEAR = 1 - 1e-6
"""Our choice: clear of a bound; what the search leaves open is below."""
_MOVES = 1e-7
"""Our choice: a quantity that moves by less, relative, is pinned down; what the search leaves open is below."""
METHOD = "least loss under its limits"
METHOD_FOR_LOSS = "least {} for its loss under its limits"


class UnvaluedRepeatsError(UsageError):
    """A plan would repeat its tokens, and the law does not say what repeats are worth."""


class Run(NamedTuple):
    """A run by what a bill needs of it: all parameters, those that a token passes, and tokens."""

    params: float
    params_active: float
    tokens: float


class Constrained(NamedTuple):
    """A solved problem: what was solved, the run, and its bands."""

    task: Task
    solution: Solution
    point: Point
    ends: Ends

    @property
    def by_compute_alone(self) -> bool:
        """Whether nothing but training compute bounds the run where it is, so that its size is the best for compute."""
        if self.task.spending.beside is not None or self.task.bounds.has_least:
            return False
        low, high = (float(end) for end in self.task.bounds.params_range())
        params = float(self.solution.params)
        ranges = [c for c in self.task.constraints if isinstance(c, Range)]
        free = all(c.most is None or self.solution.tokens < c.most * _CLEAR for c in ranges if c.of == "tokens")
        beside = any(isinstance(c, Ceiling) and c.beside is not None for c in self.task.constraints)
        return free and not beside and low / _CLEAR < params < high * _CLEAR


def task_of(law: Law, problem: Problem) -> Task:
    """The task of a problem under a law.

    Raises:
        UsageError: the law has no surface, or a limit needs what was not given.
    """
    law.require_surface("a plan under limits")
    given = problem.limits or Limits()
    limits = given._replace(flops=problem.train_flop, params=problem.params, tokens=problem.tokens)
    constraints = constraints_of(
        limits,
        problem.accounting,
        effort=problem.effort,
        service=problem.service,
        values_repeats=law.repeated is not None,
    )
    return Task(
        law=law,
        constraints=constraints,
        accounting=problem.accounting,
        loss=problem.loss,
        unique_tokens=limits.unique_tokens,
        expense=None if problem.loss is None else _expense(problem),
    )


def _expense(problem: Problem) -> Ceiling:
    """What to spend least of for a loss: money where all of it is known, else FLOPs; both with serving."""
    service, effort = problem.service, problem.effort
    if service is None:
        return Ceiling("flops", flop=problem.accounting.flop)
    priced = service.server is not None and service.server.price is not None
    if priced and effort is not None and effort.price is not None:
        return Ceiling("usd", per_flop=effort.price * effort.hours_per_flop, beside=service.usd)
    return Ceiling("flops", flop=problem.accounting.flop, beside=service.flop)


def solve_problem(law: Law, problem: Problem) -> Constrained:
    """The best run of a problem under a law.

    Raises:
        UsageError: the law cannot express the problem.
        InfeasibleError: no run meets it, with the constraints that clash.
    """
    task = task_of(law, problem)
    solution = solve(task)
    if not all_true(solution.feasible):
        raise InfeasibleError(_clash(task, solution))
    _require_valued(law, problem, solution)
    size = solution.size(task)
    flop = problem.accounting.train_flop(size, solution.tokens)
    method = METHOD if problem.loss is None else METHOD_FOR_LOSS.format(_EXPENSES[task.spending.name])
    point = Point(size, solution.tokens, flop, solution.loss, method)
    ends = loss_ends(law, point, problem.level)
    if not is_array(solution.params + solution.loss):
        ends |= _ends(task, problem, point, solution)
    return Constrained(task, solution, point, ends)


def run_of(law: Law, problem: Problem) -> Run:
    """The best run of a problem of single numbers, without its bands.

    Raises:
        UsageError: the law cannot express the problem.
        InfeasibleError: no run meets it, with the constraints that clash.
    """
    task = task_of(law, problem)
    solution = solve(task)
    if not solution.feasible:
        raise InfeasibleError(_clash(task, solution))
    total = float(solution.size(task).total)
    return Run(total, total, float(solution.tokens))


_EXPENSES = {"flops": "FLOP", "usd": "money"}


def why_of(found: Constrained, usd_per_flop: float | None = None) -> Why:
    """What holds a solved problem of single numbers back."""
    from scaleplan.planning.why import why

    return why(found.task, found.solution, usd_per_flop)


def _clash(task: Task, solution: Solution) -> str:
    if is_array(solution.feasible):
        return "no run meets all limits of one of these problems; plan it alone to see which of them clash"
    from scaleplan.planning.clash import clash, clash_text

    return clash_text(clash(task))


def _require_valued(law: Law, problem: Problem, solution: Solution) -> None:
    """Refuse a plan that stops at one epoch only since the law does not know repeats."""
    limits = problem.limits
    if limits is None or limits.unique_tokens is None or law.repeated is not None:
        return
    more = True if limits.max_epochs is None else limits.max_epochs > 1
    stopped = (solution.tokens >= limits.unique_tokens * (1 - 1e-9)) & more
    if any_true(stopped):
        from scaleplan import units

        unique = units.count(first_where(stopped, limits.unique_tokens + 0.0 * solution.tokens))
        raise UnvaluedRepeatsError(
            f"the best plan needs more than {unique} unique tokens, and {law.id} does not say what repeated ones are "
            "worth: --max-epochs 1 sees each once, or choose a law of repeated data, such as --law muennighoff-2023"
        )


def _ends(task: Task, problem: Problem, point: Point, solution: Solution) -> Ends:
    """Bands of what moves with the law's constants, or with the loss where it was asked for."""
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
    if task.loss is not None:
        low, high = (_logs(task._replace(loss=task.loss * math.exp(s * half)), problem) for s in (1, -1))
        moves_of.append((low, high))
    here = _logs(task, problem)
    assert here is not None
    misfit = _size_misfit(uncertainty, own_flop(law, point), problem.level)
    return _quadrature(here, moves_of, misfit)


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
    if not solution.feasible:
        return None
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


def _quadrature(here: _Logs, moves_of: list[tuple[_Logs | None, _Logs | None]], misfit: float) -> Ends:
    """Ends of every quantity that moves; an end is absent where a direction leads to no plan."""
    ends: Ends = {}
    for name, value in here.items():
        down = up = 0.0
        open_down = open_up = False
        for pair in moves_of:
            steps = [None if moved_to is None else moved_to[name] - value for moved_to in pair]
            known = [step for step in steps if step is not None]
            down += min([0.0, *known]) ** 2
            up += max([0.0, *known]) ** 2
            if None in steps:
                # Where it leads the other way is known from the side that has a plan.
                rising = not known or known[0] < 0
                open_up, open_down = open_up or rising, open_down or not rising
        if max(down, up) < _MOVES**2 and not (open_down or open_up):
            continue
        extra = 0.0 if name == "train_flop" else (2 * misfit if name == "tokens_per_param" else misfit)
        down, up = (math.sqrt(each + extra * extra) if each > _MOVES**2 else 0.0 for each in (down, up))
        ends[f"{name}_low"] = None if open_down else math.exp(value - down)
        ends[f"{name}_high"] = None if open_up else math.exp(value + up)
    return ends
