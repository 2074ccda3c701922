"""The verb ``sweep``: a plan for every scenario of a grid."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

from scaleplan.api.sweep_rows import CHUNK_ROWS, ONE_BY_ONE_ROWS, Block, Chunk, Reach, RowMaker, maker_of, solve_chunk
from scaleplan.conventions import ParamCount
from scaleplan.errors import Notice, UsageError
from scaleplan.executors import iter_chunks
from scaleplan.planning.limits import LAYOUT
from scaleplan.planning.notices import by_surface, conversion, extrapolation, held, joined
from scaleplan.planning.optimum import Point
from scaleplan.planning.precision import law_at_precision
from scaleplan.planning.sweep import (
    EXPERT_COLUMNS,
    INFEASIBLE,
    MACHINE_COLUMNS,
    PLAN_COLUMNS,
    SERVER_COLUMNS,
    SERVING_COLUMNS,
    UNVALUED,
)
from scaleplan.specs.numbers import whole
from scaleplan.specs.sweep import SweepSpec, read_sweep
from scaleplan.specs.swept import Sweep

if TYPE_CHECKING:
    from scaleplan.laws.law import Law
    from scaleplan.specs.budget import BudgetDocument
    from scaleplan.specs.machines import Machine

MOST_ONE_BY_ONE = 100_000
"""Our choice: rows that are planned one by one take some ten milliseconds each."""


def sweep(
    file: str | os.PathLike[str],
    *,
    workers: int | str = 1,
    scheduler: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Sweep:
    """The plans of all scenarios of a sweep file, in the order of its axes, the last one fastest.

    Args:
        file: path of a sweep file, ``-`` for standard input.
        workers: processes that share the work; the rows do not depend on how many.
        scheduler: address of a Dask scheduler that takes the work instead.
        progress: called with rows done and to do.

    Returns:
        The sweep; its ``blocks`` are made as they are asked for.

    Raises:
        UsageError: a limit that needs what was not given; too many rows without a utilisation.
        InputFileError: the file cannot be used; every problem with its line.
    """
    spec = read_sweep(os.fspath(file))
    maker = maker_of(spec)
    if maker.one_by_one and spec.rows > MOST_ONE_BY_ONE:
        raise UsageError(
            f"{spec.file}: {spec.rows:,} rows without a utilisation, which depends on the plan, so that each is "
            f"planned by itself: give budget.mfu, or take at most {MOST_ONE_BY_ONE:,} rows"
        )
    maker.check()
    columns = _columns(spec, maker)
    size = ONE_BY_ONE_ROWS if maker.one_by_one else CHUNK_ROWS
    chunks = _Chunks(spec, columns, spec.rows, size)
    told = None if progress is None else _in_rows(progress, spec.rows, size)
    results = iter_chunks(solve_chunk, chunks, workers=whole("workers", workers), scheduler=scheduler, progress=told)
    laws = _laws(spec, maker)
    ledger = _Ledger(laws, maker)
    return Sweep(spec, columns, spec.rows, laws, maker.accounting, ledger.noted(results), ledger.notices)


class _Chunks(Sequence[Chunk]):
    """The chunks of a sweep, each made when it is asked for."""

    def __init__(self, spec: SweepSpec, names: tuple[str, ...], rows: int, size: int) -> None:
        self._spec, self._names, self._rows, self._size = spec, names, rows, size

    def __len__(self) -> int:
        return math.ceil(self._rows / self._size)

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = index * self._size
        return Chunk(self._spec, self._names, start, min(start + self._size, self._rows))


def _in_rows(progress: Callable[[int, int], None], rows: int, size: int) -> Callable[[int, int], None]:
    """Progress told in chunks as progress in rows."""

    def told(done: int, _: int) -> None:
        progress(min(done * size, rows), rows)

    return told


def _columns(spec: SweepSpec, maker: RowMaker) -> tuple[str, ...]:
    """The columns of every row: the axes, the plan, and what the file asks of machine and serving."""
    names = [axis.column for axis in spec.axes]
    limits = maker.first.limits
    unique = None if limits is None else limits.unique_tokens
    plan = [name for name in PLAN_COLUMNS if name != "epochs" or unique is not None]
    experts = EXPERT_COLUMNS if limits is not None and limits.experts is not None else ()
    machine = MACHINE_COLUMNS if maker.has_machine else ()
    serving = maker.first.serving
    served = () if serving is None else (*SERVING_COLUMNS, *(SERVER_COLUMNS if serving.on is not None else ()))
    return (*names, *plan, *experts, *machine, *served)


def _laws(spec: SweepSpec, maker: RowMaker) -> tuple[Law, ...]:
    """The laws of the rows, at the precision of their machine where they have one in common."""
    axis = next((axis for axis in spec.axes if axis.heading == "law"), None)
    names = [None] if axis is None else axis.raw
    laws = tuple(spec.law(spec.document({} if name is None else {("law",): name})) for name in names)
    precisions = {machine.conditions.precision for machine in maker.machines()}
    if len(precisions) != 1:
        return laws
    return tuple(law_at_precision(law, *precisions)[0] for law in laws)


class _Ledger:
    """Counts rows without a plan and how far the others reach while blocks go by."""

    def __init__(self, laws: Sequence[Law], maker: RowMaker) -> None:
        self._laws, self._accounting, self._rows, self._maker = laws, maker.accounting, maker.spec.rows, maker
        self._machines = maker.machines()
        self._counts: Counter[str] = Counter()
        self._reach: Reach = {}

    def noted(self, results: Generator[Block]) -> Generator[Mapping[str, Any]]:
        """The columns of each block, counted."""
        with closing(results):
            for block in results:
                self._counts.update(block.counts)
                for law, reached in block.reach.items():
                    self._reach[law] = _ends([*self._reach.get(law, []), *reached])
                yield block.columns

    def notices(self) -> list[Notice]:
        """What there is to say of the rows that went by."""
        notices: list[Notice] = []
        for status, why in _WITHOUT_PLAN.items():
            if self._counts[status]:
                alone = status == INFEASIBLE and self._maker.one_by_one
                text = f"{self._counts[status]:,} of {self._rows:,} rows have no plan: {_TOO_SMALL if alone else why}"
                notices.append(Notice(status.replace("-", "_"), text))
        if self._counts[LAYOUT]:
            text = f"{self._counts[LAYOUT]:,} of {self._rows:,} rows are held to the largest size of a fast layout"
            notices.append(Notice(LAYOUT, f"{text}; budget.mfu plans by one speed."))
        notices += _unused_memory(self._maker.first, self._machines)
        return [*notices, *joined([(law, self._notices_of(law)) for law in self._laws])]

    def _notices_of(self, law: Law) -> list[Notice]:
        sizes = [(self._accounting.size(n, ParamCount.TOTAL), d) for n, d in self._reach.get(law.id, [])]
        points = [Point(size, d, self._accounting.train_flop(size, d), None, "") for size, d in sizes]
        notices = [*(extrapolation(law, *points) if points else []), *conversion(law, self._accounting), *held(law)]
        for precision in {machine.conditions.precision: None for machine in self._machines}:
            said = law_at_precision(law, precision)[1]
            notices += [n._replace(message=f"{law.id}: {n.message.removeprefix(f'{law.id} ')}") for n in said]
        return [*notices, *(by_surface(law) if law.allocation is not None else ())]


_WITHOUT_PLAN = {
    INFEASIBLE: "no run meets all of their limits.",
    UNVALUED: "it would repeat its tokens, and the law does not say what that is worth; max_epochs 1 sees each once.",
}
_TOO_SMALL = "no run meets all of their limits, or its speed cannot be estimated; budget.mfu gives it."


def _unused_memory(document: BudgetDocument, machines: Sequence[Machine]) -> list[Notice]:
    """A notice where memory is a limit, and there are machines of no number of accelerators."""
    limits = document.limits
    if limits is None or limits.memory is None:
        return []
    without = [machine.part.id for machine in machines if machine.accelerators is None]
    if not without:
        return []
    text = f"memory bounds no plan without a number of accelerators: name them, as in 512x{without[0]}."
    return [Notice("unused", f"{', '.join(dict.fromkeys(without))}: {text}")]


def _ends(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points with the least and the most parameters, tokens, of their product and of their ratio."""
    keys: list[Callable[[tuple[float, float]], float]] = [
        lambda p: p[0],
        lambda p: p[1],
        lambda p: p[0] * p[1],
        lambda p: p[1] / p[0],
    ]
    return list({end: None for key in keys for end in (min(points, key=key), max(points, key=key))}) if points else []
