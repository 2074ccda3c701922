"""The fastest layouts of a model on a cluster that fit its memory, all that divide looked at.

Candidates are the layouts that divide (``divisions``), with stage 1 of ZeRO, and without a pipeline with stage 3 too;
asked for, other stages are looked at. Of those that differ in recomputation alone the one that recomputes least counts,
since more only costs time, and of those that differ in interleaving alone the fastest. What is left is timed by
``step_time`` and sorted.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from scaleplan.compute.divisions import Asked, Degrees, divisions
from scaleplan.compute.layout import Layout, Recompute, Stack
from scaleplan.compute.layouts import Candidate, Task, candidate, recomputations, task_memory, zeros
from scaleplan.compute.memory import usable
from scaleplan.compute.step_time import step_time
from scaleplan.errors import Notice

MOST_TRIED = 2**20
"""Beyond any cluster: where the search for one that is large enough ends."""


MOST_ALIKE = 8
"""Our choice: about as many ways as one layout can be interleaved, of which one is listed."""


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
    recomputed = recomputations(task.stack) if asked.recompute is None else (asked.recompute,)
    ranked: list[_Ranked] = []
    least: list[_Ranked] = []
    tried = fitting = 0
    for zero in _zeros(asked):
        some = [row for row in rows if _zero_makes_sense(row, zero, asked)]
        if some:
            fits, lacks, count = _evaluate(task, some, zero, recomputed, top)
            ranked += fits
            least += lacks
            tried, fitting = tried + len(some), fitting + count
    best = tuple(candidate(task, layout) for layout in _distinct(sorted(ranked, key=_order))[:top])
    nearest = min(least, key=_order) if least and not best else None
    return Found(best, fitting, tried, None if nearest is None else candidate(task, nearest.layout))


def enough_accelerators(task: Task, asked: Asked | None = None) -> int | None:
    """The least of 2, 4, 8, ... times the accelerators on which something fits; ``None`` where nothing does."""
    more = 2 * task.accelerators
    while more <= MOST_TRIED:
        if search(task._replace(accelerators=more), asked, top=1).best:
            return more
        more *= 2
    return None


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


def _zeros(asked: Asked) -> tuple[int, ...]:
    return (1, 3) if asked.zero is None else (asked.zero,)


def _zero_makes_sense(row: Degrees, zero: int, asked: Asked) -> bool:
    return asked.zero is not None or zero in zeros(row)


def _layout(row: Degrees, zero: int, recompute: Recompute, stack: Stack) -> Layout:
    return Layout(**row._asdict(), zero=zero, recompute=recompute, stack=stack)


def _evaluate(
    task: Task, rows: list[Degrees], zero: int, ways: tuple[Recompute, ...], top: int
) -> tuple[list[_Ranked], list[_Ranked], int]:
    """The fastest of all rows at one stage of ZeRO, the one that lacks least, and how many fit."""
    import numpy as np

    left: Any = np.array(rows, dtype=np.float64)
    ranked: list[_Ranked] = []
    least: list[_Ranked] = []
    fitting = 0
    for recompute in ways:
        totals: Any = task_memory(task, _columns(task, left, zero, recompute)).total
        fits = totals <= usable(task.device, task.fill)
        if fits.any():
            some, total = left[fits], totals[fits]
            layout = _columns(task, some, zero, recompute)
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


def _columns(task: Task, rows: Any, zero: int, recompute: Recompute) -> Layout:
    """Rows of degrees as one layout of arrays."""
    degrees = dict(zip(Degrees._fields, rows.T, strict=True))
    return Layout(**degrees, zero=zero, recompute=recompute, stack=task.stack)


def _pick(rows: Any, i: int, rank: Any, total: Any, zero: int, recompute: Recompute, stack: Stack) -> _Ranked:
    row = Degrees(*(int(n) for n in rows[i]))
    return _Ranked(float(rank[i]), float(total[i]), _layout(row, zero, recompute, stack))
