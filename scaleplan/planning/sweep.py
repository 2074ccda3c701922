"""Many problems of one law at once: the best run of each, what binds it and what it takes, column by column.

The problems differ in their numbers alone: every number of a ``Problem``, of its limits, its effort and its service may
be an array, a row an element. A row that no run meets is a row of its own with a reason and no numbers.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from scaleplan.compute.bill import HOURS_PER_DAY
from scaleplan.laws.law import Law
from scaleplan.ops import Real
from scaleplan.planning.constrained import task_of
from scaleplan.planning.constraints import Ceiling, Constraint
from scaleplan.planning.limits import LAYOUT, Effort, Limits
from scaleplan.planning.optimum import finite_or_none
from scaleplan.planning.problem import Problem
from scaleplan.planning.repeats import unvalued
from scaleplan.planning.solver import Solution, Task, solve
from scaleplan.planning.why import BINDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.compute.accounting import ModelSize

Column = Any
"""Of every row a number, an array with NaN for absent; or a text, a list with ``None`` for absent."""

OK, INFEASIBLE, UNVALUED = "ok", "infeasible", "repeats-unvalued"
"""A row with a plan; one that no run meets; one whose plan needs repeats of which its law does not know the worth."""
BLOCK_ROWS = 8192
"""Rows to solve at once. Our choice: what one step of the search holds then stays in the second-level cache."""

PLAN_COLUMNS = ("status", "train_flop", "params", "tokens", "tokens_per_param", "epochs", "loss", "binding")
EXPERT_COLUMNS = ("experts", "params_active")
MACHINE_COLUMNS = ("gpu_hours", "days", "cost_usd", "energy_mwh")
SERVING_COLUMNS = ("serving_flop", "lifetime_flop")
SERVER_COLUMNS = ("serving_gpu_hours", "serving_usd", "serving_mwh", "lifetime_usd")
TEXTS = ("status", "binding")
"""The columns that are texts."""


def solve_block(law: Law, problem: Problem, count: int) -> dict[str, Column]:
    """The columns of ``count`` problems, in their order; of those above such as they have.

    Args:
        law: the law of all of them.
        problem: the problems, each number a float or an array of ``count``.
        count: how many there are.

    Raises:
        UsageError: the law has no surface, or a limit needs what was not given.
    """
    with np.errstate(all="ignore"):  # of rows that nothing meets arbitrary numbers are computed, and left out below
        found = _solved(task_of(law, problem), problem, count)
        solution = found.solution
        missing = np.asarray(unvalued(found.tasks[0][0], problem, solution))
        flop = problem.accounting.train_flop(found.size, solution.tokens)
        # Beyond what numbers here can hold there is no run either.
        ok = solution.feasible & ~missing & np.isfinite(found.params) & np.isfinite(flop)

        def known(values: Real) -> NDArray[np.float64]:
            return np.where(ok, values, np.nan)

        active, tokens = known(found.size.total), known(solution.tokens)
        columns: dict[str, Column] = {
            "status": _named(np.where(ok, 0, np.where(missing, 1, 2)), (OK, UNVALUED, INFEASIBLE)),
            "train_flop": known(flop),
            "params": known(found.params),
            "tokens": tokens,
            "tokens_per_param": tokens / active,
            "loss": known(solution.loss),
            "binding": found.binding(ok),
        }
        if found.experts is not None:
            columns |= {"experts": known(found.experts), "params_active": active}
        limits = problem.limits
        if limits is not None and limits.unique_tokens is not None:
            columns["epochs"] = tokens / limits.unique_tokens
        return columns | _taken(problem, columns, active)


class _Solved(NamedTuple):
    """The best runs: all parameters, those that a token passes by every count, and which rows each task is of."""

    solution: Solution
    size: ModelSize
    params: Real
    tasks: Sequence[tuple[Task, NDArray[np.bool_]]]
    experts: NDArray[np.float64] | None = None

    def binding(self, ok: NDArray[np.bool_]) -> list[str | None]:
        """The names of the limits that bind each row, joined by a plus; none of a row without a plan."""
        return bindings_of(self.tasks, self.solution, ok)


def _solved(task: Task, problem: Problem, count: int) -> _Solved:
    def rows(solution: Solution) -> Solution:
        return Solution(*(np.broadcast_to(each, (count,)) for each in solution))

    if problem.experts is None:
        solution = rows(solve(task))
        size = solution.size(task)
        return _Solved(solution, size, size.total, [(task, np.ones(count, dtype=bool))])
    from scaleplan.planning.experts import solve_experts, within_memory

    mixture = solve_experts(task, cast("Any", problem.experts), within_memory(problem.memory_of))
    solution, experts = rows(mixture.solution), np.broadcast_to(np.asarray(mixture.experts, dtype=float), (count,))
    tasks = [(each, experts == number) for number, each in mixture.tasks.items()]
    return _Solved(solution, solution.size(task), mixture.params_total, tasks, experts)


def _taken(problem: Problem, plan: Mapping[str, Column], active: Real) -> dict[str, Column]:
    """What training takes of the machine, and serving beside it; ``active`` are the parameters that a token passes."""
    params, tokens, effort, service = plan["params"], plan["tokens"], problem.effort, problem.service
    columns: dict[str, Real | None] = {}
    if effort is not None:
        hours = effort.hours_per_flop * 6 * active * tokens + effort.fixed_hours
        columns["gpu_hours"] = hours
        columns["days"] = None if effort.accelerators is None else hours / (HOURS_PER_DAY * effort.accelerators)
        columns["cost_usd"], columns["energy_mwh"] = _times(hours, effort.price), _times(hours, effort.mwh_per_hour)
    if service is not None:
        service = service._replace(active_share=service.active_share * (active / params))
        columns["serving_flop"] = flop = service.flop(params)
        columns["lifetime_flop"] = plan["train_flop"] + flop
        server, paid = service.server, columns.get("cost_usd")
        if server is not None:
            columns["serving_gpu_hours"] = service.hours(params)
            columns["serving_usd"] = usd = None if server.price is None else service.usd(params)
            columns["serving_mwh"] = None if server.watts is None else service.mwh(params)
            columns["lifetime_usd"] = None if usd is None or paid is None else paid + usd
    # Infinite are the hours of a model that no replica holds.
    return {name: finite_or_none(column + 0 * params) for name, column in columns.items() if column is not None}


def _times(hours: Real, each: Real | None) -> Real | None:
    return None if each is None else hours * each


def bindings_of(
    tasks: Sequence[tuple[Task, NDArray[np.bool_]]], solution: Solution, ok: NDArray[np.bool_]
) -> list[str | None]:
    """The names of the limits that bind each of many runs, joined by a plus; ``None`` where ``ok`` is false.

    ``tasks`` are several, each with the rows that are its, where runs have different numbers of experts.
    """
    names = np.full(ok.shape, None, dtype=object)
    for task, rows in tasks:
        names[rows] = np.array(_binding_of(task, solution, ok), dtype=object)[rows]
    return names.tolist()


def _binding_of(task: Task, solution: Solution, ok: NDArray[np.bool_]) -> list[str | None]:
    """The names of the limits that bind each of many runs, joined by a plus; ``None`` where ``ok`` is false."""
    reached: dict[str, NDArray[np.bool_]] = {}
    for constraint in task.constraints:
        if constraint.name == LAYOUT:  # the search's own, and no limit that was given
            continue
        here = reached.get(constraint.name, np.zeros(ok.shape, dtype=bool))
        reached[constraint.name] = here | _reached(constraint, task, solution)
    if task.loss is not None:
        reached["loss"] = np.ones(ok.shape, dtype=bool)
    code = np.zeros(ok.shape, dtype=np.int64)
    for i, bound in enumerate(reached.values()):
        code |= bound.astype(np.int64) << i
    names = list(reached)
    kinds, kind = np.unique(np.where(ok, code, -1), return_inverse=True)
    texts = [None if c < 0 else "+".join(n for i, n in enumerate(names) if c >> i & 1) for c in kinds.tolist()]
    return _named(kind, texts)


def _reached(constraint: Constraint, task: Task, solution: Solution) -> NDArray[np.bool_]:
    if isinstance(constraint, Ceiling):
        return np.asarray(solution.spent(task, constraint) >= constraint.limit * (1 - BINDS))
    total, tokens = solution.size(task).total, solution.tokens
    used = {"params": total, "tokens": tokens, "tokens_per_param": tokens / total}[constraint.of]
    reached = np.zeros(np.shape(used), dtype=bool)
    if constraint.most is not None:
        reached = reached | np.asarray(used >= constraint.most * (1 - BINDS))
    if constraint.least is not None:
        reached = reached | np.asarray(used <= constraint.least * (1 + BINDS))
    return reached


def _named(codes: NDArray[Any], names: Sequence[str | None]) -> list[str | None]:
    return np.array(names, dtype=object)[codes].tolist()


def alike(problem: Problem) -> Hashable:
    """What problems must have in common to be solved at once: which numbers there are, serving, and experts."""
    limits = problem.limits or Limits()
    given = tuple(value is None for value in (*limits, *(problem.effort or ())))
    mixture = problem.experts, problem.memory_of
    return given, problem.effort is None, problem.service, problem.loss is None, problem.accounting, mixture


def stacked(problems: Sequence[Problem], rows: NDArray[np.intp]) -> Problem:
    """Problems of single numbers that are ``alike`` as one of arrays.

    Args:
        problems: the problems, which differ in their limits and efforts.
        rows: which of them each row is.
    """
    first = problems[0]
    limits = [problem.limits or Limits() for problem in problems]
    efforts = [problem.effort for problem in problems if problem.effort is not None]
    return replace(
        first,
        limits=Limits(*(_gathered(values, rows) for values in zip(*limits, strict=True))),
        effort=None if not efforts else Effort(*(cast("Any", _gathered(v, rows)) for v in zip(*efforts, strict=True))),
    )


def _gathered(values: tuple[Real | None, ...], rows: NDArray[np.intp]) -> Real | None:
    if len(set(values)) == 1:
        return values[0]
    return np.array(values, dtype=np.float64)[rows]


def farthest(columns: Mapping[str, Column]) -> list[tuple[float, float]]:
    """(parameters, tokens) of the rows with the least and the most of either, of their product and of their ratio."""
    params, tokens = columns["params"], columns["tokens"]
    known = np.flatnonzero(np.isfinite(params))
    if not known.size:
        return []
    n, d = np.log(params[known]), np.log(tokens[known])
    ends = {int(known[at]) for x in (n, d, n + d, d - n) for at in (x.argmin(), x.argmax())}
    return [(float(params[i]), float(tokens[i])) for i in sorted(ends)]
