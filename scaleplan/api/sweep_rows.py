"""The rows of a sweep, wherever they are made: in this process, in others, on a cluster.

Rows whose problems differ in numbers alone are solved together; a law, an accelerator, a precision makes a group of
its own, and the rows are put back in their order. Where the utilisation is not given it depends on the plan, and each
row is planned by itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from scaleplan.api.budgets import machine_for
from scaleplan.api.limits import NOTHING, asked_of, with_limits
from scaleplan.compute.accounting import Accounting
from scaleplan.errors import InfeasibleError, InputFileError, UsageError
from scaleplan.laws.law import Law
from scaleplan.planning.constrained import task_of
from scaleplan.planning.limits import Effort, Limits
from scaleplan.planning.problem import Problem
from scaleplan.planning.sweep import BLOCK_ROWS, INFEASIBLE, TEXTS, alike, farthest, solve_block, stacked
from scaleplan.specs.axes import Axis
from scaleplan.specs.sweep import SweepSpec, is_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.specs.budget import BudgetDocument
    from scaleplan.specs.machines import Machine
    from scaleplan.specs.yaml12 import Path

    Digits = Mapping[Axis, NDArray[np.int64]]

CHUNK_ROWS = 65_536
"""Our choice: eight blocks, so that groups still fill blocks, and some ten megabytes on their way from a worker."""
ONE_BY_ONE_ROWS = 32
"""Our choice for rows that are planned one by one: some seconds of work."""
_KNOWN = 65_536
"""Our choice: so many settings, each looked up once, take some hundred megabytes."""

_COMBINATIONS = 256
"""Our choice: tried in a tenth of a second."""

Reach = dict[str, list[tuple[float, float]]]
"""By law, (parameters, tokens) of the plans that reach farthest."""


class Chunk(NamedTuple):
    """Rows ``start`` to ``stop`` of a sweep, their columns ``names``."""

    spec: SweepSpec
    names: tuple[str, ...]
    start: int
    stop: int


class Block(NamedTuple):
    """Rows column by column, how many there are of each status, and how far their plans reach."""

    columns: dict[str, Any]
    counts: dict[str, int]
    reach: Reach


class Setting(NamedTuple):
    """The law of some rows, and their problem with one value of each number."""

    law: Law
    problem: Problem


def solve_chunk(chunk: Chunk) -> Block:
    """The rows of a chunk.

    Raises:
        UsageError: a limit that needs what was not given.
    """
    return maker_of(chunk.spec).block(np.arange(chunk.start, chunk.stop, dtype=np.int64), chunk.names)


@lru_cache(maxsize=1)
def maker_of(spec: SweepSpec) -> RowMaker:
    """What makes the rows of a sweep, kept from chunk to chunk."""
    return RowMaker(spec)


class RowMaker:
    """Makes any rows of a sweep."""

    def __init__(self, spec: SweepSpec) -> None:
        self.spec = spec
        self.first = spec.document({})
        """The document of the first values."""
        self.accounting = Accounting(flop=spec.law(self.first).counts_flop)
        """That of the first law: one convention for the FLOPs of all rows."""
        self.has_machine = self._machine(self.first) is not None
        self.one_by_one = self.has_machine and self.first.conditions.mfu is None
        """Whether the utilisation, which depends on the plan, is to be found for each row."""
        sizes = [axis.size for axis in spec.axes]
        self._strides = {axis: math.prod(sizes[i + 1 :]) for i, axis in enumerate(spec.axes)}
        self._groups = [axis for axis in spec.axes if not is_number(axis)]
        self._numbers = [axis for axis in spec.axes if is_number(axis)]
        self._known: dict[int, Setting | None] = {}

    def block(self, rows: NDArray[np.int64], names: tuple[str, ...]) -> Block:
        """Rows by their numbers, with the columns ``names``."""
        digits = {axis: rows // self._strides[axis] % axis.size for axis in self.spec.axes}
        columns: dict[str, Any] = {name: np.full(rows.size, np.nan) for name in names}
        columns |= {name: np.full(rows.size, None, dtype=object) for name in TEXTS}
        columns["status"][:] = INFEASIBLE
        reach: Reach = {}
        parts = self._each(digits, rows.size) if self.one_by_one else self._together(digits, rows.size)
        for law, problem, at in parts:
            solved = solve_block(law, problem, at.size)
            for name, column in solved.items():
                columns[name][at] = column
            reach[law.id] = [*reach.get(law.id, []), *farthest(solved)]
        columns |= {axis.column: axis.at(digits[axis]) for axis in self.spec.axes}
        columns |= {name: columns[name].tolist() for name in TEXTS}
        status: list[str] = columns["status"]
        return Block({name: columns[name] for name in names}, dict(Counter(status)), reach)

    def setting(self, chosen: Mapping[Path, Any]) -> Setting:
        """The law and the problem of some rows.

        Args:
            chosen: values as written, by the paths of their axes; of the others the first values, or none of limits.

        Raises:
            UsageError: a limit that needs what was not given, or that a sweep does not plan.
            InfeasibleError: a model that fits in no layout, limits that clash.
        """
        document = self.spec.document(chosen)
        law, budget = self.spec.law(document), document.budget
        asked = asked_of(None, None, document, {}) or NOTHING
        if asked.limits.batch is not None and document.conditions.batch is None:
            raise UsageError("limits.batch: critical bounds a batch that is given: add budget.batch")
        resources = budget.flops is None and budget.loss is None
        problem = Problem(
            train_flop=1.0 if resources else budget.flops,  # any, where the machine's own budget takes its place
            loss=budget.loss,
            params=asked.limits.params,
            tokens=asked.limits.tokens,
            accounting=self.accounting,
        )
        asked = asked._replace(resources=resources)
        return Setting(law, with_limits(problem, asked, self._machine(document), law))

    def check(self) -> None:
        """Try every law, machine and word once: whether the law can express the limits, and whether all is known.

        Raises:
            UsageError: as for ``setting``.
        """
        first = {each: np.zeros(1, dtype=np.int64) for each in self._numbers}
        for places in self._tries():
            chosen = {axis.path: axis.raw_at(places.get(axis, 0)) for axis in self._groups}
            if self.one_by_one:
                chosen |= {axis.path: axis.raw_at(0) for axis in self._numbers}
            try:
                found = self.setting(chosen)
                problem = found.problem if self.one_by_one else self._numbered(found.problem, first)
                if problem.experts is not None:
                    solve_block(found.law, problem, 1)
                task_of(found.law, problem).law.require_surface("a sweep")
            except InfeasibleError:
                continue
            except UsageError as error:
                said = ", ".join(f"{axis.name} {axis.raw_at(i)}" for axis, i in places.items())
                raise UsageError(f"{said}: {error.message}" if said else error.message) from None

    def _tries(self) -> Iterator[dict[Axis, int]]:
        """Places of the axes that make groups: every combination, of many every value beside the first of the rest."""
        if math.prod(axis.size for axis in self._groups) <= _COMBINATIONS:
            for places in product(*(range(axis.size) for axis in self._groups)):
                yield dict(zip(self._groups, places, strict=True))
        else:
            yield from ({axis: i} for axis in self._groups for i in range(axis.size))

    def _machine(self, document: BudgetDocument) -> Machine | None:
        return machine_for({}, document, document.budget.flops, document.budget.loss)[0]

    def _each(self, digits: Digits, count: int) -> Iterator[tuple[Law, Problem, NDArray[np.intp]]]:
        """Rows one by one; such as clash by themselves are left out."""
        for i in range(count):
            chosen = {axis.path: axis.raw_at(int(digits[axis][i])) for axis in self.spec.axes}
            try:
                found = self.setting(chosen)
            except (InfeasibleError, InputFileError):  # each value is sound: together they clash
                continue
            yield found.law, found.problem, np.array([i])

    def _together(self, digits: Digits, count: int) -> Iterator[tuple[Law, Problem, NDArray[np.intp]]]:
        """Rows that can be solved at once, in blocks; such as no machine holds are left out."""
        codes = np.zeros(count, dtype=np.int64)
        for axis in self._groups:
            codes = codes * axis.size + digits[axis]
        kinds, firsts, which = np.unique(codes, return_index=True, return_inverse=True)
        groups: dict[Hashable, list[tuple[int, Setting]]] = {}
        for kind, (code, first) in enumerate(zip(kinds.tolist(), firsts.tolist(), strict=True)):
            found = self._setting_of(code, {axis.path: int(digits[axis][first]) for axis in self._groups})
            if found is not None:
                groups.setdefault((found.law.id, alike(found.problem)), []).append((kind, found))
        for members in groups.values():
            place = np.full(kinds.size, -1, dtype=np.intp)
            place[[kind for kind, _ in members]] = np.arange(len(members))
            rows = np.flatnonzero(place[which] >= 0)
            law, problems = members[0][1].law, [found.problem for _, found in members]
            for at in np.array_split(rows, -(-rows.size // BLOCK_ROWS)):
                problem = stacked(problems, place[which[at]])
                yield law, self._numbered(problem, {axis: digits[axis][at] for axis in self._numbers}), at

    def _setting_of(self, code: int, places: Mapping[Path, int]) -> Setting | None:
        """The setting of a group of rows, ``None`` where no plan meets it; looked up once."""
        if code not in self._known:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            try:
                chosen = {axis.path: axis.raw_at(places[axis.path]) for axis in self._groups}
                self._known[code] = self.setting(chosen)
            except InfeasibleError:
                self._known[code] = None
        return self._known[code]

    def _numbered(self, problem: Problem, digits: Digits) -> Problem:
        """The problem with the numbers of its rows."""
        for axis in self._numbers:
            problem = with_number(problem, axis, axis.at(digits[axis]))
        return problem


def with_number(problem: Problem, axis: Axis, values: Any) -> Problem:
    """The problem with the values of an axis of numbers, a row an element."""
    key, service = axis.key, problem.service
    if axis.heading == "serving":
        assert service is not None
        return replace(problem, service=service._replace(demand=service.demand._replace(**{key: values})))
    if key in ("flops", "loss", "params", "tokens"):
        return replace(problem, **{"train_flop" if key == "flops" else key: values})
    if key in Limits._fields:
        return replace(problem, limits=(problem.limits or Limits())._replace(**{key: values}))
    assert problem.effort is not None
    return replace(problem, effort=_with_rate(problem.effort, axis, values))


def _with_rate(effort: Effort, axis: Axis, values: Any) -> Effort:
    """The effort with a rate of the machine, of which it has the first value."""
    if axis.key == "price":
        return effort._replace(price=values)
    if axis.key == "watts":
        each = cast("Any", effort.mwh_per_hour)
        return effort._replace(mwh_per_hour=each * (values / axis.first))
    # Hours go as one over the utilisation and over the goodput.
    return effort._replace(hours_per_flop=effort.hours_per_flop * (axis.first / values))
