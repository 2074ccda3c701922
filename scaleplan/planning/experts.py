"""Mixtures of experts: the same search with active parameters N for loss and compute, all of them for memory.

A law of experts (``Law.at(experts=E)``) gives L(N, D) at E experts, N the parameters that a token passes, and a token
costs 6 N. What holds the model, keeps it or bounds its size counts all parameters, M(N) of
``compute.expert_counts``, which rises with N, so that a range of M is one of N. The number of experts is a whole one
and few of them come into question: each is solved, and the least loss (or expense) is taken.

Of the laws shipped, ludziejewski-2025 alone plans mixtures so. abnar-2025 counts all parameters against the FLOPs of
active ones, with a best sparsity that goes to 1; krajewski-2024 was fitted at 64 experts by a count that is not
confirmed; clark-2022 saw one number of tokens; what zhao-moe-2025 counts is not recorded. Their preset says how far
each goes; asked for experts they are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

from scaleplan.compute.expert_counts import MOST_EXPERTS, ExpertCounts
from scaleplan.compute.serving import Service
from scaleplan.conventions import ParamCount
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.ops import Real, extremes, is_array, where
from scaleplan.planning.constraints import Ceiling, Constraint, OfParams, Range
from scaleplan.planning.solver import Solution, Task, solve

FREE = "free"
TRIED = (1, 2, 4, 8, 16, 32)
"""Where the number is free: those of the runs behind ludziejewski-2025 (tables 1 and 4), dense models among them."""
MOST_FITTED = 32
"""Experts of any run behind ludziejewski-2025."""


class Mixture(NamedTuple):
    """The best run, its number of experts, and the task at each number that was tried.

    ``solution.params`` are the active ones, as the law counts them; ``params_total`` all of them, embeddings counted.
    """

    experts: Real
    solution: Solution
    params_total: Real
    tasks: dict[int, Task]

    @property
    def task(self) -> Task:
        """The task at the best number of experts.

        Raises:
            UsageError: problems of one array have different numbers.
        """
        low, high = extremes(self.experts)
        if low != high:
            raise UsageError("the best numbers of experts differ between these problems: take each task from tasks")
        return self.tasks[int(low)]


ByExperts = Callable[[int], Sequence[Constraint]]
"""Constraints on all parameters that depend on the number of experts, as memory does."""


def solve_experts(task: Task, experts: float | Literal["free"], by_experts: ByExperts | None = None) -> Mixture:
    """The best run of a task as a mixture of experts.

    Args:
        task: under a law of experts, held at any number of them; its constraints on parameters, what serving takes
            beside training, and a fixed size are of all parameters, its tokens a parameter of active ones.
        experts: how many, 1 for a dense model; ``"free"`` for the best of ``TRIED``, ties going to fewer.
        by_experts: further constraints at each number.

    Raises:
        UsageError: the law says nothing of experts, or that is no number of them.
    """
    numbers = TRIED if experts == FREE else (_whole(experts),)
    more = by_experts or _nothing_more
    tasks = _tasks(task, numbers, more)
    found = [(number, solve(each)) for number, each in tasks.items()]
    best, solution = _best(task, tasks, found)
    total: Real = math.nan
    for number in tasks:
        total = where(best == number, ExpertCounts(number).total(_counted(tasks[number], solution)), total)
    return Mixture(best, solution, total, tasks)


def _tasks(task: Task, numbers: Sequence[int], more: ByExperts) -> dict[int, Task]:
    """The task at each number of experts at which further constraints can be met at all.

    Raises:
        InfeasibleError: at none of them, with the reason at the fewest.
    """
    tasks: dict[int, Task] = {}
    reason: InfeasibleError | None = None
    for number in numbers:
        try:
            constraints = (*task.constraints, *more(number))
        except InfeasibleError as error:
            reason = reason or error
            continue
        tasks[number] = at_experts(task._replace(constraints=constraints), number)
    if not tasks and reason is not None:
        raise reason
    return tasks


def at_experts(task: Task, experts: int) -> Task:
    """A task as that of active parameters at a number of experts: its law, and each constraint on all of them.

    Raises:
        UsageError: the law says nothing of experts.
    """
    counts = ExpertCounts(experts)
    return task._replace(
        law=task.law.at(experts=float(experts)),
        constraints=tuple(_of_active(each, counts) for each in task.constraints),
        expense=None if task.expense is None else _ceiling(task.expense, counts),
    )


def notices(experts: Real) -> list[Notice]:
    """What is to be said of a number of experts beyond the runs behind the law."""
    _, most = extremes(experts)
    if most <= MOST_FITTED:
        return []
    text = f"{most:g} experts are more than the {MOST_FITTED} of any run behind the law."
    return [Notice("extrapolation", text)]


def within_memory(memory_of: Callable[[int], float] | None) -> ByExperts:
    """Memory as a further constraint, by the most parameters that it holds of so many experts; ``None``: no bound."""

    def held(experts: int) -> Sequence[Constraint]:
        return () if memory_of is None else (Range("memory", "params", None, memory_of(experts)),)

    return held


def _nothing_more(_experts: int) -> Sequence[Constraint]:
    return ()


def _whole(experts: Any) -> int:
    if isinstance(experts, bool) or not isinstance(experts, (int, float)) or not 1 <= experts < math.inf:
        raise UsageError(f"experts must be a whole number from 1, or {FREE} (got {experts!r})")
    if experts % 1:
        raise UsageError(f"experts must be a whole number (got {experts:g})")
    if experts > MOST_EXPERTS:
        raise UsageError(f"experts must be at most {MOST_EXPERTS:,}, or {FREE} (got {experts:g})")
    return int(experts)


def _of_active(constraint: Constraint, counts: ExpertCounts) -> Constraint:
    return _range(constraint, counts) if isinstance(constraint, Range) else _ceiling(constraint, counts)


def _range(constraint: Range, counts: ExpertCounts) -> Range:
    """A range of all parameters as one of active ones; of tokens, or of tokens an active parameter, as it is."""
    least, most = constraint.least, constraint.most
    if constraint.of != "params" or (isinstance(most, float) and most == math.inf):
        return constraint
    lowest = None if least is None else counts.active(least)
    # One that fixes a value is told by its ends being the same object.
    highest = lowest if constraint.fixes else None if most is None else counts.active(most)
    return constraint._replace(least=lowest, most=highest)


def _ceiling(constraint: Ceiling, counts: ExpertCounts) -> Ceiling:
    if constraint.beside is None:
        return constraint
    return constraint._replace(beside=_beside(constraint.beside, counts))


def _beside(of_all: OfParams, counts: ExpertCounts) -> OfParams:
    """What serving takes, of active parameters; a ``Service`` is told which share of all of them a token passes."""
    service = getattr(of_all, "__self__", None)
    name = getattr(of_all, "__name__", "")

    def of_active(active: Real) -> Real:
        total = counts.total(active)
        if isinstance(service, Service):
            return getattr(service._replace(active_share=active / total), name)(total)
        return of_all(total)

    return of_active


def _best(task: Task, tasks: dict[int, Task], found: Sequence[tuple[int, Solution]]) -> tuple[Real, Solution]:
    """The solution of least loss, or of least expense where the task is to reach a loss, element by element."""
    (first, best), *others = found
    number: Real = _like(best, float(first))
    least = _aim(task, tasks[first], best)
    for each, solution in others:
        aim = _aim(task, tasks[each], solution)
        better = aim < least
        number, least = where(better, float(each), number), where(better, aim, least)
        best = Solution(*(where(better, new, old) for new, old in zip(solution, best, strict=True)))
    return number, best


def _aim(task: Task, at: Task, solution: Solution) -> Real:
    """What is to be least; infinite where there is no run."""
    aim = solution.loss if task.loss is None else solution.spent(at, at.spending)
    return where(solution.feasible, aim, math.inf)


def _like(solution: Solution, value: float) -> Real:
    if not is_array(solution.loss):
        return value
    import numpy as np

    return np.full_like(solution.loss, value)


def _counted(task: Task, solution: Solution) -> Real:
    """The active parameters of a solution, embeddings counted."""
    return task.accounting.size(solution.params, task.law.counts_params).counted(ParamCount.TOTAL)
