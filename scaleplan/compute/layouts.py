"""The fastest layouts of a model on a cluster that fit its memory.

Candidates are the layouts that divide (``divisions``), with stage 1 of ZeRO, and without a pipeline with stage 3 too:
a pipeline has divided the weights already, and the two together are rare (our choice; asked for, they are looked at).
Of those that differ in recomputation alone the one that recomputes least counts, since more only costs time, and of
those that differ in interleaving alone the fastest. What is left is timed by ``step_time`` and sorted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.divisions import Asked, Degrees, divisions, require_divisible
from scaleplan.compute.layout import Layout, Recompute, Stack
from scaleplan.compute.memory import FIT_SHARE, Memory, memory, short, usable
from scaleplan.compute.step_time import StepTime, step_time
from scaleplan.compute.transformer import Transformer
from scaleplan.errors import InfeasibleError, Notice

MOST_ACCELERATORS = 2**20
"""Beyond any cluster: where the search for one that is large enough ends."""


MOST_ALIKE = 8
"""Our choice: about as many ways as one layout can be interleaved, of which one is listed."""


class Task(NamedTuple):
    """What is to be laid out: a model's step of so many sequences on a cluster, by software of some stack.

    A layout fits where the estimate takes at most the share ``fill`` of an accelerator's memory.
    """

    shape: Transformer
    device: Device
    calibration: Calibration
    accelerators: int
    sequences: int
    stack: Stack = Stack()
    fill: float = FIT_SHARE


class Candidate(NamedTuple):
    """A layout, what it takes of each accelerator, and the seconds of a step; ``short`` [bytes] is 0 where it fits."""

    layout: Layout
    memory: Memory
    time: StepTime
    short: float


class Found(NamedTuple):
    """The layouts that fit, fastest first, of ``tried`` that divide; ``nearest`` lacks the least where none fits."""

    best: tuple[Candidate, ...]
    fitting: int
    tried: int
    nearest: Candidate | None


class Laid(NamedTuple):
    """An answer: what was asked, of which model, and what was found."""

    model: str
    task: Task
    asked: Asked
    found: Found
    warnings: tuple[Notice, ...]


def search(task: Task, asked: Asked | None = None, *, top: int = 10) -> Found:
    """The fastest layouts, all that divide looked at, by numpy.

    Args:
        task: what is to be laid out.
        asked: degrees that are given; all are searched where left out.
        top: how many layouts.
    """
    asked = asked or Asked()
    rows = list(divisions(task.shape, task.device, task.accelerators, task.sequences, asked))
    ranked: list[_Ranked] = []
    least: list[_Ranked] = []
    tried = fitting = 0
    for zero in _zeros(asked):
        some = [row for row in rows if _zero_makes_sense(row, zero, asked)]
        if some:
            fits, lacks, count = _evaluate(task, some, zero, _recomputations(asked, task.stack), top)
            ranked += fits
            least += lacks
            tried, fitting = tried + len(some), fitting + count
    best = tuple(candidate(task, layout) for layout in _distinct(sorted(ranked, key=_order))[:top])
    nearest = min(least, key=_order) if least and not best else None
    return Found(best, fitting, tried, None if nearest is None else candidate(task, nearest.layout))


def quick_best(task: Task) -> Candidate:
    """The fastest of fewer layouts, without numpy: what ``search`` finds wherever that is among them.

    Tensor degrees and pipelines are powers of two, micro-batches one or two sequences (``divisions``, quick); where
    none of these fits, every layout with micro-batches of one that is not interleaved.

    Raises:
        UsageError: no layout divides.
        InfeasibleError: none fits, and by how much.
    """
    few, more = Asked(), Asked(interleave=1, micro_batch=1)
    best = _quick(task, few, quick=True) or _quick(task, more, quick=False)
    if best is not None:
        return best
    require_divisible(task.shape, task.device, task.accelerators, task.sequences, few)
    nearest = search(task).nearest
    assert nearest is not None  # what divides and does not fit lacks something
    raise InfeasibleError(lacking(task, nearest))


def candidate(task: Task, layout: Layout) -> Candidate:
    """One layout with its memory and time."""
    needed = memory(task.shape, layout, task.sequences / (layout.data * layout.micro_batch))
    time = step_time(task.shape, layout, task.device, task.calibration, task.sequences)
    return Candidate(layout, needed, time, float(short(needed, task.device, task.fill)))


def enough_accelerators(task: Task, asked: Asked | None = None) -> int | None:
    """The least of 2, 4, 8, ... times the accelerators on which something fits; ``None`` where nothing does."""
    more = 2 * task.accelerators
    while more <= MOST_ACCELERATORS:
        if search(task._replace(accelerators=more), asked, top=1).best:
            return more
        more *= 2
    return None


def lacking(task: Task, nearest: Candidate) -> str:
    """What is missing where nothing fits: the layout that lacks least, what it takes, and by how much that is short."""
    device, takes = task.device, nearest.memory.total / 1e9
    limit = f"{usable(device, task.fill) / 1e9:.1f} of its {device.memory / 1e9:g} GB may be filled"
    return (
        f"nothing fits on {task.accelerators} {device.id}: the layout that lacks least ({in_words(nearest.layout)}) "
        f"takes {takes:.1f} GB of each; {limit}: short by {nearest.short / 1e9:.1f} GB"
    )


def in_words(layout: Layout) -> str:
    """A layout for a message, what is at one left out."""
    degrees = {name: getattr(layout, name) for name in ("tensor", "pipeline", "context", "data", "expert")}
    parts = [f"{name} {degree:g}" for name, degree in degrees.items() if degree > 1]
    parts += [f"ZeRO {layout.zero}", f"micro-batch {layout.micro_batch:g}"]
    return ", ".join((*parts, f"recompute {layout.recompute.value}"))


class _Ranked(NamedTuple):
    """A layout by its seconds, or by the bytes it lacks; then by the memory it takes."""

    rank: float
    total: float
    layout: Layout


def _distinct(ranked: list[_Ranked]) -> list[Layout]:
    """The layouts, of those that differ in interleaving alone only the first."""
    kept: dict[Layout, Layout] = {}
    for each in ranked:
        kept.setdefault(each.layout._replace(interleave=1), each.layout)
    return list(kept.values())


def _order(each: _Ranked) -> tuple[float, float]:
    return each.rank, each.total


def _quick(task: Task, asked: Asked, *, quick: bool) -> Candidate | None:
    best: Candidate | None = None
    for row in divisions(task.shape, task.device, task.accelerators, task.sequences, asked, quick=quick):
        for zero in _zeros(asked):
            found = _lightest(task, row, zero) if _zero_makes_sense(row, zero, asked) else None
            if found is not None and (best is None or _speed(found) < _speed(best)):
                best = found
    return best


def _speed(found: Candidate) -> tuple[float, float]:
    return float(found.time.seconds), float(found.memory.total)


def _zeros(asked: Asked) -> tuple[int, ...]:
    return (1, 3) if asked.zero is None else (asked.zero,)


def _zero_makes_sense(row: Degrees, zero: int, asked: Asked) -> bool:
    return asked.zero is not None or zero < 3 or (row.pipeline == 1 and row.data * row.context > 1)


def _recomputations(asked: Asked, stack: Stack) -> tuple[Recompute, ...]:
    """Ways to recompute, the cheapest first; with fused attention the selective one saves nothing."""
    if asked.recompute is not None:
        return (asked.recompute,)
    every = (Recompute.NONE, Recompute.SELECTIVE, Recompute.SELECTIVE_OP, Recompute.FULL)
    return tuple(each for each in every if not (stack.flash and each is Recompute.SELECTIVE))


def _layout(row: Degrees, zero: int, recompute: Recompute, stack: Stack) -> Layout:
    return Layout(**row._asdict(), zero=zero, recompute=recompute, stack=stack)


def _lightest(task: Task, row: Degrees, zero: int) -> Candidate | None:
    """The layout that fits with the least recomputation."""
    for recompute in _recomputations(Asked(), task.stack):
        layout = _layout(row, zero, recompute, task.stack)
        needed = memory(task.shape, layout, task.sequences / (row.data * row.micro_batch))
        if needed.total <= usable(task.device, task.fill):
            return candidate(task, layout)
    return None


def _evaluate(
    task: Task, rows: list[Degrees], zero: int, recomputations: tuple[Recompute, ...], top: int
) -> tuple[list[_Ranked], list[_Ranked], int]:
    """The fastest of all rows at one stage of ZeRO, the one that lacks least, and how many fit."""
    import numpy as np

    left: Any = np.array(rows, dtype=np.float64)
    ranked: list[_Ranked] = []
    least: list[_Ranked] = []
    fitting = 0
    for recompute in recomputations:
        totals: Any = memory(task.shape, *_columns(task, left, zero, recompute)).total
        fits = totals <= usable(task.device, task.fill)
        if fits.any():
            some, total = left[fits], totals[fits]
            layout, _ = _columns(task, some, zero, recompute)
            seconds: Any = step_time(task.shape, layout, task.device, task.calibration, task.sequences).seconds
            first = np.lexsort((total, seconds))[: top * MOST_ALIKE]
            ranked += [_pick(some, i, seconds, total, zero, recompute, task.stack) for i in first]
            fitting += len(some)
        left, totals = left[~fits], totals[~fits]
        if not len(left):
            break
        i = int(totals.argmin())
        least.append(_pick(left, i, totals, totals, zero, recompute, task.stack))
    return ranked, least, fitting


def _columns(task: Task, rows: Any, zero: int, recompute: Recompute) -> tuple[Layout, Any]:
    """Rows of degrees as one layout of arrays, and the micro-batches of a data-parallel rank."""
    degrees = dict(zip(Degrees._fields, rows.T, strict=True))
    layout = Layout(**degrees, zero=zero, recompute=recompute, stack=task.stack)
    return layout, task.sequences / (layout.data * layout.micro_batch)


def _pick(rows: Any, i: int, rank: Any, total: Any, zero: int, recompute: Recompute, stack: Stack) -> _Ranked:
    row = Degrees(*(int(n) for n in rows[i]))
    return _Ranked(float(rank[i]), float(total[i]), _layout(row, zero, recompute, stack))
