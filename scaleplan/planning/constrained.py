"""The plan of a problem with constraints beyond its budget: solved, with its bands and what holds it back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

from scaleplan.errors import InfeasibleError
from scaleplan.laws.law import Law
from scaleplan.ops import Real, all_true, any_true, exp, first_where, greater, is_array, log, lower, where
from scaleplan.planning.bands import Ends, loss_ends, plan_ends
from scaleplan.planning.constraints import LARGEST, Ceiling, Range
from scaleplan.planning.limit_bands import limit_ends
from scaleplan.planning.limits import LAYOUT, Limits, constraints_of
from scaleplan.planning.optimum import Point, optimum
from scaleplan.planning.problem import Problem
from scaleplan.planning.repeats import refusal, unvalued
from scaleplan.planning.solver import Solution, Task, solve
from scaleplan.search import increasing_root

if TYPE_CHECKING:
    from scaleplan.planning.why import Held, Why

_CLEAR = 1 - 1e-6
"""Our choice: clear of a bound; what the search leaves open is below."""
_EMBEDDINGS = 9.0
"""Our choice: ln of how many times all parameters are those outside the embeddings, at most, one way or the other."""
_ALL = 1e-12
"""Our choice: nearer to a budget than this, relative, FLOPs are all of it."""
METHOD = "least loss under its limits"
METHODS_FOR_LOSS = ("least FLOP for its loss under its limits", "least money for its loss under its limits")


class Run(NamedTuple):
    """A run by what a bill needs of it: all parameters, those that a token passes, tokens, and of a mixture experts."""

    params: float
    params_active: float
    tokens: float
    experts: float | None = None
    aim: float = math.nan
    """What was to be least: the loss, or what it takes to reach one."""


class Constrained(NamedTuple):
    """A solved problem: what was solved, the run, and its bands.

    Of a mixture ``experts`` is their number; task, solution and point are then of the parameters that a token passes.
    """

    task: Task
    solution: Solution
    point: Point
    ends: Ends
    experts: Real | None = None
    tasks: Mapping[int, Task] = {}
    """Of mixtures, the task at each number of experts that was tried."""

    @property
    def params(self) -> Real:
        """All parameters, embeddings counted."""
        return _all_params(self.point.size.total, self.experts)

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
    flop = _one_budget(task, problem)
    if flop is not None:
        return _closed(task, problem, flop)
    task, solution, experts, tasks = _solved(task, problem)
    size = solution.size(task)
    train_flop = _as_given(problem.accounting.train_flop(size, solution.tokens), problem.train_flop)
    method = METHOD if problem.loss is None else METHODS_FOR_LOSS[task.spending.name == "usd"]
    point = Point(size, solution.tokens, train_flop, solution.loss, method)
    ends = loss_ends(task.law, point, problem.level)
    if not is_array(solution.params + solution.loss):
        ends |= limit_ends(task, problem, point, solution)
    for end in ("params_low", "params_high"):
        if ends.get(end) is not None:
            ends[end] = _all_params(cast("Real", ends[end]), experts)
    return Constrained(task, solution, point, ends, experts, tasks)


def _as_given(train_flop: Real, budget: Real | None) -> Real:
    """FLOPs of a run, where they are all of a budget the budget itself rather than a product rounded."""
    if budget is None:
        return train_flop
    return where(abs(train_flop - budget) <= _ALL * budget, budget, train_flop)


def _solved(task: Task, problem: Problem) -> tuple[Task, Solution, Real | None, dict[int, Task]]:
    """The task as solved, its solution, and of a mixture the number of experts and the task at each that was tried.

    Raises:
        UsageError: the law cannot express the problem.
        InfeasibleError: no run meets it.
    """
    task.law.require_surface("a plan under limits")
    experts: Real | None = None
    tasks: dict[int, Task] = {}
    if problem.experts is None:
        solution = solve(task)
    else:
        from scaleplan.planning.experts import solve_experts, within_memory

        mixture = solve_experts(task, problem.experts, within_memory(problem.memory_of))
        solution, experts, tasks = mixture.solution, mixture.experts, mixture.tasks
        task = mixture.task if not is_array(experts) or len(tasks) == 1 else task
    missing = unvalued(task, problem, solution)
    if any_true(missing):
        assert problem.limits is not None
        assert problem.limits.unique_tokens is not None
        raise refusal(task.law, first_where(missing, problem.limits.unique_tokens))
    if not all_true(solution.feasible):
        raise InfeasibleError(_clash(task) if len(tasks) < 1 else _clash_of_experts(tasks))
    if any_true(solution.params >= LARGEST * _CLEAR):
        raise InfeasibleError("nothing bounds the size: more parameters than searches here go up to; add max_params")
    return task, solution, experts, tasks


def _all_params(active: Real, experts: Real | None) -> Real:
    """All parameters of a model whose tokens pass so many."""
    if experts is None:
        return active
    from scaleplan.compute.expert_counts import ExpertCounts

    return ExpertCounts(cast("float", experts)).total(active)


def run_of(law: Law, problem: Problem) -> Run:
    """The best run of a problem of single numbers, without its bands.

    Raises:
        UsageError: the law cannot express the problem.
        InfeasibleError: no run meets it, with the constraints that clash.
    """
    task = task_of(law, problem)
    flop = _one_budget(task, problem)
    if flop is not None:
        point = optimum(law, problem.accounting, flop, problem.params, problem.tokens)
        aim = math.nan if point.loss is None else float(point.loss)
        return Run(float(point.size.total), float(point.size.total), float(point.tokens), aim=aim)
    task, solution, experts, _ = _solved(task, problem)
    active = float(solution.size(task).total)
    many = None if experts is None else float(experts)
    aim = solution.loss if task.loss is None else solution.spent(task, task.spending)
    return Run(float(_all_params(active, experts)), active, float(solution.tokens), many, float(aim))


def _one_budget(task: Task, problem: Problem) -> Real | None:
    """The training FLOPs that all limits come to where each of them is in proportion to these; else ``None``.

    Then the law's own optimum of that budget is the plan, exactly, or the run of the size or tokens that are fixed.
    """
    if task.loss is not None or task.unique_tokens is not None or problem.experts is not None:
        return None
    ceilings = [c for c in task.constraints if isinstance(c, Ceiling) and c.beside is None]
    given = sum(c.name in ("params", "tokens") for c in task.constraints)
    if not ceilings or len(ceilings) + given < len(task.constraints):
        return None
    rooms = [(c, (c.limit - c.fixed) / (c.per_flop * c.flop.per_param_token)) for c in ceilings]
    if any(any_true(room <= 0) for _, room in rooms):
        raise InfeasibleError(_clash(task))
    counted = task.accounting.flop
    flop: Real = math.inf
    for _, room in rooms:
        flop = lower(flop, room * counted.per_param_token)
    if all(c.flop.param_count is counted.param_count for c in ceilings):
        return flop

    def excess(ln_flop: Real) -> Real:
        point = optimum(task.law, task.accounting, exp(ln_flop), problem.params, problem.tokens)
        most: Real = -math.inf
        for c, room in rooms:
            most = greater(most, log(point.size.counted(c.flop.param_count) * point.tokens / room))
        return most

    # Limits that count other parameters are the same but for the share of embeddings.
    middle = log(flop)
    return exp(increasing_root(excess, middle - _EMBEDDINGS, middle + _EMBEDDINGS))


def _closed(task: Task, problem: Problem, flop: Real) -> Constrained:
    """The law's own optimum of a budget, with its bands."""
    point = optimum(task.law, problem.accounting, flop, problem.params, problem.tokens)
    ends = plan_ends(task.law, replace(problem, train_flop=flop, limits=None), point)
    params = point.size.counted(task.law.counts_params)
    # What a law without a loss reaches is not known.
    loss = math.nan if point.loss is None else point.loss
    return Constrained(task, Solution(params, point.tokens, loss, True), point, ends)


def why_of(found: Constrained, usd_per_flop: float | None = None) -> Why:
    """What holds a solved problem of single numbers back."""
    from scaleplan.planning.why import why

    if found.point.on_trend or found.task.law.surface is None:
        return _unpriced(found)
    answer = _given_limits(why(found.task, found.solution, usd_per_flop))
    if found.experts is None:
        return answer
    # Constraints on parameters were given of all of them.
    return answer._replace(held=tuple(_of_all(held, found.experts) for held in answer.held))


def _given_limits(answer: Why) -> Why:
    """What holds a plan back of that which was given: the layout that its size is held to is a search's own."""
    held = tuple(each for each in answer.held if each.name != LAYOUT)
    gains = {each.name: each.loss_per_percent or each.flop_per_percent or 0.0 for each in held if each.name != "loss"}
    first = max(gains, key=gains.__getitem__, default=None)
    return answer._replace(
        held=held,
        binding=tuple(name for name in answer.binding if name != LAYOUT),
        relax_first=answer.relax_first if answer.relax_first != LAYOUT else first if first and gains[first] else None,
        together=() if LAYOUT in answer.together else answer.together,
    )


def _of_all(held: Held, experts: Real) -> Held:
    if held.of != "params":
        return held
    limit, used = (float(_all_params(value, experts)) for value in (held.limit, held.used))
    return held._replace(limit=limit, used=used)


def _unpriced(found: Constrained) -> Why:
    """What holds a plan by a published allocation back: proportional limits, of which the law prices none."""
    from scaleplan.planning.why import Held, Why, unit_of

    held: list[Held] = []
    for c in found.task.constraints:
        if isinstance(c, Range):
            continue
        limit, used = float(c.limit), float(found.solution.spent(found.task, c))
        slack = 1 - used / limit
        binds = slack <= 1 - _CLEAR
        held.append(Held(c.name, unit_of(found.task, c.name), limit, used, max(slack, 0.0), binds, None, None, None))
    binding = tuple(each.name for each in held if each.binding)
    return Why(tuple(held), binding, binding[0] if len(binding) == 1 else None, ())


def _clash(task: Task) -> str:
    numbers = [getattr(c, end, None) for c in task.constraints for end in ("limit", "least", "most")]
    if any(is_array(each) for each in (task.loss, task.unique_tokens, *numbers)):
        return "no run meets all limits of one of these problems; plan it alone to see which of them clash"
    from scaleplan.planning.clash import clash, clash_text

    return clash_text(clash(task))


def _clash_of_experts(tasks: Mapping[int, Task]) -> str:
    """What clashes whatever the number of experts, each limit with the nearest value at any of them."""
    from scaleplan.planning.clash import Clash, Side, clash, clash_text

    first = next(iter(tasks.values()))
    if any(is_array(getattr(c, end, None)) for c in first.constraints for end in ("limit", "least", "most")):
        return _clash(first)
    found = {number: clash(task) for number, task in tasks.items()}
    names = min((each.names for each in found.values()), key=len)

    def of_all(side: Side, number: int) -> Side:
        if side.of != "params":
            return side
        given, nearest = (None if x is None else float(_all_params(x, number)) for x in (side.given, side.nearest))
        return side._replace(given=cast("float", given), nearest=nearest)

    sides: list[Side] = []
    for name in names:
        same = [of_all(side, number) for number, each in found.items() for side in each.sides if side.name == name]
        able = [side for side in same if side.nearest is not None]
        sides.append(min(able or same, key=lambda side: abs(math.log((side.nearest or side.given) / side.given))))
    return clash_text(Clash(tuple(sides)))
