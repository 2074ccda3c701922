"""The rows of a sweep, wherever they are made: in this process, in others, on a cluster.

Rows whose problems differ in numbers alone are solved together; a law, an accelerator, a precision makes a group of
its own, and the rows are put back in their order. Where the utilisation is not given it depends on the plan, and each
row is planned by itself.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from functools import lru_cache
from itertools import islice, product
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scaleplan.api.budgets import machine_for
from scaleplan.api.limits import NOTHING, asked_of, with_limits
from scaleplan.api.sweep_numbers import with_number
from scaleplan.compute.accounting import Accounting
from scaleplan.errors import InfeasibleError, InputFileError, ScaleplanError, UsageError
from scaleplan.laws.law import Law
from scaleplan.planning.constrained import task_of
from scaleplan.planning.limits import LAYOUT
from scaleplan.planning.precision import law_at_precision
from scaleplan.planning.problem import Problem
from scaleplan.planning.repeats import UnvaluedRepeatsError
from scaleplan.planning.sweep import BLOCK_ROWS, INFEASIBLE, TEXTS, UNVALUED, alike, farthest, solve_block, stacked
from scaleplan.specs.axes import Axis, is_number
from scaleplan.specs.conditions import RESOURCES
from scaleplan.specs.sweep import SweepSpec

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
_CORNERS = 16
"""Our choice: all of four axes of numbers; tried in a second or two."""

Reach = dict[str, list[tuple[float, float]]]
"""By law, (parameters, tokens) of the plans that reach farthest."""


class Chunk(NamedTuple):
    """Rows ``start`` to ``stop`` of a sweep, their columns ``names``."""

    spec: SweepSpec
    names: tuple[str, ...]
    start: int
    stop: int


class Block(NamedTuple):
    """Rows column by column, how many there are of each status and held to a layout, and how far their plans reach."""

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
        self._groups = [axis for axis in spec.axes if not is_number(axis.path)]
        self._numbers = [axis for axis in spec.axes if is_number(axis.path)]
        self._known: dict[int, Setting | str] = {}

    def block(self, rows: NDArray[np.int64], names: tuple[str, ...]) -> Block:
        """Rows by their numbers, with the columns ``names``."""
        digits = {axis: rows // self._strides[axis] % axis.size for axis in self.spec.axes}
        columns: dict[str, Any] = {name: np.full(rows.size, np.nan) for name in names}
        columns |= {name: np.full(rows.size, None, dtype=object) for name in TEXTS}
        columns["status"][:] = INFEASIBLE
        reach: Reach = {}
        status = columns["status"]
        parts = self._each(digits, status) if self.one_by_one else self._together(digits, status)
        held = 0
        for law, problem, at in parts:
            held += problem.limits is not None and problem.limits.layout is not None
            try:
                solved = solve_block(law, problem, at.size)
            except InfeasibleError:  # a mixture that memory holds at no number of experts: rows of one group
                continue
            for name, column in solved.items():
                columns[name][at] = column
            reach[law.id] = [*reach.get(law.id, []), *farthest(solved)]
        columns |= {axis.column: axis.at(digits[axis]) for axis in self.spec.axes}
        columns |= {name: columns[name].tolist() for name in TEXTS}
        counts: Counter[str] = Counter(columns["status"])
        counts[LAYOUT] = held
        return Block({name: columns[name] for name in names}, dict(counts), reach)

    def setting(self, document: BudgetDocument) -> Setting:
        """The law and the problem of some rows.

        Args:
            document: of their values; of numbers that they differ in any, or none of limits.

        Raises:
            UsageError: a limit that needs what was not given, or that a sweep does not plan.
            InfeasibleError: a model that fits in no layout, limits that clash.
        """
        law, budget, machine = self.spec.law(document), document.budget, self._machine(document)
        asked = asked_of(None, None, document, {}) or NOTHING
        if asked.limits.batch is not None and document.conditions.batch is None:
            raise UsageError("limits.batch: critical bounds a batch that is given: add budget.batch")
        if machine is not None:
            law, _ = law_at_precision(law, machine.conditions.precision)
        resources = budget.flops is None and budget.loss is None
        problem = Problem(
            train_flop=1.0 if resources else budget.flops,  # any, where the machine's own budget takes its place
            loss=budget.loss,
            params=asked.limits.params,
            tokens=asked.limits.tokens,
            accounting=self.accounting,
        )
        return Setting(law, with_limits(problem, asked._replace(resources=resources), machine, law))

    def check(self) -> None:
        """Try every law, machine and word: whether the law can express the limits, and whether all is known.

        Raises:
            UsageError: as for ``setting``.
            InputFileError: a file that the sweep names cannot be used.
        """
        for places in self._tries():
            refused = self._refusal(places)
            if refused is not None:
                said = ", ".join(f"{axis.name} {axis.raw_at(i)}" for axis, i in places.items())
                raise UsageError(f"{said}: {refused}" if said else refused)

    def _refusal(self, places: Mapping[Axis, int]) -> str | None:
        """Why no row of a group can be planned; ``None`` where one can, or has a status of its own."""
        refused: str | None = None
        first = {each: np.zeros(1, dtype=np.int64) for each in self._numbers}
        for numbers in self._corners():
            chosen = self._chosen(places) | {axis.path: axis.raw_at(i) for axis, i in numbers.items()}
            try:
                document = self.spec.document(chosen)
            except InputFileError:  # each value is sound: together they clash
                return None
            try:
                found = self.setting(document)
                problem = found.problem if self.one_by_one else self._numbered(found.problem, first)
                if problem.experts is not None:
                    solve_block(found.law, problem, 1)
                task_of(found.law, problem).law.require_surface("a sweep")
            except (InfeasibleError, UnvaluedRepeatsError):
                return None
            except UsageError as error:
                refused = refused or error.message
            else:
                return None
        return refused

    def _corners(self) -> Iterator[dict[Axis, int]]:
        """Places of the numbers to try: their ends where each row is planned by itself, else none, for they come later.

        What is wrong may be so of some of them only.
        """
        varied = self._numbers if self.one_by_one else []
        for corner in islice(product((0, -1), repeat=len(varied)), _CORNERS):
            yield {axis: end % axis.size for axis, end in zip(varied, corner, strict=True)}

    def _chosen(self, places: Mapping[Axis, int]) -> dict[Path, Any]:
        """Values of a group: those of its axes, and the largest of a budget of the machine, which must buy a plan."""
        chosen = {axis.path: axis.raw_at(places.get(axis, 0)) for axis in self._groups}
        for axis in self._numbers:
            if axis.key in RESOURCES:
                chosen[axis.path] = axis.raw_at(int(np.argmax(axis.at(np.arange(axis.size)))))
        return chosen

    def _tries(self) -> Iterator[dict[Axis, int]]:
        """Places of the axes that make groups: every combination, of many every value beside the first of the rest."""
        if math.prod(axis.size for axis in self._groups) <= _COMBINATIONS:
            for places in product(*(range(axis.size) for axis in self._groups)):
                yield dict(zip(self._groups, places, strict=True))
        else:
            yield from ({axis: i} for axis in self._groups for i in range(axis.size))

    def machines(self) -> list[Machine]:
        """The machines of the rows, one for each accelerator and precision."""
        axes = [axis for axis in self.spec.axes if axis.path in (("budget", "on"), ("budget", "precision"))]
        places = product(*(axis.raw for axis in axes))
        chosen = [dict(zip((axis.path for axis in axes), values, strict=True)) for values in places]
        found = [self._machine(self.spec.document(each)) for each in chosen]
        return [machine for machine in found if machine is not None]

    def _machine(self, document: BudgetDocument) -> Machine | None:
        return machine_for({}, document, document.budget.flops, document.budget.loss)[0]

    def _each(self, digits: Digits, status: NDArray[np.object_]) -> Iterator[tuple[Law, Problem, NDArray[np.intp]]]:
        """Rows one by one; such as have no plan are left out, with their status."""
        for i in range(status.size):
            found = self._tried({axis.path: axis.raw_at(int(digits[axis][i])) for axis in self.spec.axes})
            if isinstance(found, Setting):
                yield found.law, found.problem, np.array([i])
            else:
                status[i] = found

    def _tried(self, chosen: Mapping[Path, Any]) -> Setting | str:
        """The setting of some rows, or their status where they have none.

        Raises:
            InputFileError: a file that the sweep names cannot be used.
        """
        try:
            document = self.spec.document(chosen)
        except InputFileError:  # each value is sound: together they clash
            return INFEASIBLE
        try:
            return self.setting(document)
        except UnvaluedRepeatsError:
            return UNVALUED
        except InputFileError:
            raise
        except ScaleplanError:  # what holds of every row ``check`` has told: this is of these values
            return INFEASIBLE

    def _together(self, digits: Digits, status: NDArray[np.object_]) -> Iterator[tuple[Law, Problem, NDArray[np.intp]]]:
        """Rows that can be solved at once, in blocks; such as have no plan are left out, with their status."""
        codes = np.zeros(status.size, dtype=np.int64)
        for axis in self._groups:
            codes = codes * axis.size + digits[axis]
        kinds, firsts, which = np.unique(codes, return_index=True, return_inverse=True)
        groups: dict[Hashable, list[tuple[int, Setting]]] = {}
        for kind, (code, first) in enumerate(zip(kinds.tolist(), firsts.tolist(), strict=True)):
            found = self._setting_of(code, {axis.path: int(digits[axis][first]) for axis in self._groups})
            if isinstance(found, Setting):
                groups.setdefault((found.law.id, *found.law.held.items(), alike(found.problem)), []).append(
                    (kind, found)
                )
            else:
                status[which == kind] = found
        for members in groups.values():
            place = np.full(kinds.size, -1, dtype=np.intp)
            place[[kind for kind, _ in members]] = np.arange(len(members))
            rows = np.flatnonzero(place[which] >= 0)
            law, problems = members[0][1].law, [found.problem for _, found in members]
            for at in np.array_split(rows, -(-rows.size // BLOCK_ROWS)):
                problem = stacked(problems, place[which[at]])
                yield law, self._numbered(problem, {axis: digits[axis][at] for axis in self._numbers}), at

    def _setting_of(self, code: int, places: Mapping[Path, int]) -> Setting | str:
        """The setting of a group of rows, or their status where no plan meets it; looked up once."""
        if code not in self._known:
            if len(self._known) >= _KNOWN:
                self._known.clear()
            self._known[code] = self._tried(self._chosen({axis: places[axis.path] for axis in self._groups}))
        return self._known[code]

    def _numbered(self, problem: Problem, digits: Digits) -> Problem:
        """The problem with the numbers of its rows."""
        for axis in self._numbers:
            problem = with_number(problem, axis, axis.at(digits[axis]))
        return problem
