"""A layout with its memory and time, and the fastest one that fits, found without numpy.

``quick_best`` looks at every way to share out the accelerators (``divisions.places``) with small micro-batches. From
the best ``CLIMBED`` of them it climbs, to more or fewer sequences a micro-batch, expert ranks and chunks of layers,
while that is faster. Of layouts that differ in recomputation alone the one that recomputes least and fits is meant,
since more only costs time. ``layout_search`` looks at everything instead; docs/decisions/0010-memory.md says how much
faster its layouts are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.divisions import (
    Asked,
    Degrees,
    Place,
    expert_ranks,
    interleaves,
    micro_batches,
    places,
    require_divisible,
)
from scaleplan.compute.layout import Layout, Recompute, Stack, in_words
from scaleplan.compute.memory import FIT_SHARE, Memory, memory, short, usable, value_bytes_at
from scaleplan.compute.step_time import StepTime, step_time
from scaleplan.compute.transformer import Transformer
from scaleplan.errors import InfeasibleError

CLIMBED = 10
CLIMBED_EXPERTS = 6
"""Ways to share out the accelerators that are looked at closely, without experts and with them. Our choice: less finds
layouts a tenth slower, with experts more takes long."""
HOPELESS = 1.5
"""Our choice: of these none that starts so many times slower than the best."""
MANY = 4
"""Our choice: sequences of a micro-batch without a pipeline to begin with."""


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


def quick_best(task: Task) -> Candidate:
    """The fastest layout that fits, by a short look and without numpy.

    Raises:
        UsageError: no layout divides.
        InfeasibleError: none fits, and by how much.
    """
    best = _Look(task).best()
    if best is not None:
        return best
    require_divisible(task.shape, task.device, task.accelerators, task.sequences, Asked())
    raise InfeasibleError(lacking(task, _least(task)))


def candidate(task: Task, layout: Layout, needed: Memory | None = None) -> Candidate:
    """One layout with its memory, where that is not known yet, and time."""
    needed = needed or task_memory(task, layout)
    time = step_time(task.shape, layout, task.device, task.calibration, task.sequences)
    return Candidate(layout, needed, time, float(short(needed, task.device, task.fill)))


def task_memory(task: Task, layout: Layout) -> Memory:
    """What a layout takes of each accelerator."""
    each = task.sequences / (layout.data * layout.micro_batch)
    return memory(task.shape, layout, each, value_bytes=value_bytes_at(task.device.precision))


def lacking(task: Task, nearest: Candidate) -> str:
    """What is missing where nothing fits: the layout that lacks least, what it takes, and by how much that is short."""
    device, takes = task.device, nearest.memory.total / 1e9
    limit = f"{usable(device, task.fill) / 1e9:.1f} of its {device.memory / 1e9:g} GB may be filled"
    return (
        f"nothing fits on {task.accelerators} {device.id}: the layout that lacks least ({in_words(nearest.layout)}) "
        f"takes {takes:.1f} GB of each; {limit}: short by {nearest.short / 1e9:.1f} GB"
    )


def zeros(place: Place | Degrees) -> tuple[int, ...]:
    """Stages of ZeRO that are looked at: 1, and without a pipeline 3 too.

    A pipeline has divided the weights already, and the two together are rare: our choice.
    """
    return (1, 3) if place.pipeline == 1 and place.data * place.context > 1 else (1,)


def recomputations(stack: Stack) -> tuple[Recompute, ...]:
    """Ways to recompute, the cheapest first; with fused attention the selective one saves nothing."""
    every = (Recompute.NONE, Recompute.SELECTIVE, Recompute.SELECTIVE_OP, Recompute.FULL)
    return tuple(each for each in every if not (stack.flash and each is Recompute.SELECTIVE))


class _Look:
    """Layouts of one task, each evaluated once."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._known: dict[tuple[Degrees, int], Candidate | None] = {}

    def best(self) -> Candidate | None:
        """The fastest that the fastest few ways to share out the accelerators lead to."""
        shape, device, _, accelerators, sequences, *_ = self.task
        starts = [self.start(place) for place in places(shape, device, accelerators, sequences, Asked())]
        found = sorted((each for each in starts if each is not None), key=_speed)
        few = found[: CLIMBED if shape.experts is None else CLIMBED_EXPERTS]
        close = [start for start in few if start.time.seconds < HOPELESS * found[0].time.seconds]
        return min((self.climb(start) for start in close), key=_speed, default=None)

    def start(self, place: Place) -> Candidate | None:
        """The fastest of few, with one chunk where more make it compute again; ``None`` at once where nothing fits."""
        limit = usable(self.task.device, self.task.fill)
        if all(task_memory(self.task, layout).total > limit for layout in _smallest(self.task, place)):
            return None
        found: list[Candidate | None] = []
        for row in self.first(place):
            for zero in zeros(place):
                best = self.at(row, zero)
                found.append(best)
                if row.interleave > 1 and (best is None or best.layout.recompute is not Recompute.NONE):
                    found.append(self.at(row._replace(interleave=1), zero))
        return min((each for each in found if each is not None), key=_speed, default=None)

    def first(self, place: Place) -> Iterator[Degrees]:
        """Micro-batches of one, without a pipeline also of more; experts shared in a node, or by the most; most chunks.

        Stage 3 of ZeRO gathers weights for every micro-batch, which takes too long for small ones.
        """
        shape, (t, p, d, c) = self.task.shape, place
        ranks = expert_ranks(shape, d * c, Asked())
        near = max(e for e in ranks if e <= self.task.device.domain)
        chunks = interleaves(shape, p, self.task.sequences // d, Asked())
        few = [b for b in micro_batches(self.task.sequences // d, Asked()) if b <= MANY] if p == 1 else [1]
        for e in sorted({near, ranks[-1]}):
            for b in sorted({1, few[-1]}):
                yield Degrees(t, p, d, c, e, b, chunks[-1])

    def climb(self, best: Candidate) -> Candidate:
        """The fastest that steps from one neighbour to a faster one lead to."""
        while True:
            row = Degrees(*(getattr(best.layout, name) for name in Degrees._fields))
            found = [self.at(near, zero) for near in self._neighbours(row) for zero in zeros(row)]
            better = min((each for each in found if each is not None), key=_speed, default=best)
            if _speed(better) >= _speed(best):
                return best
            best = better

    def at(self, row: Degrees, zero: int) -> Candidate | None:
        """The layout of least recomputation that fits."""
        key = (row, zero)
        if key not in self._known:
            self._known[key] = self._lightest(row, zero)
        return self._known[key]

    def _lightest(self, row: Degrees, zero: int) -> Candidate | None:
        least, *others, most = recomputations(self.task.stack)
        found = self._fitting(row, zero, least)
        if found is None and (last := self._fitting(row, zero, most)) is not None:
            found = next((one for each in others if (one := self._fitting(row, zero, each)) is not None), last)
        return None if found is None else candidate(self.task, *found)

    def _fitting(self, row: Degrees, zero: int, recompute: Recompute) -> tuple[Layout, Memory] | None:
        layout = Layout(**row._asdict(), zero=zero, recompute=recompute, stack=self.task.stack)
        needed = task_memory(self.task, layout)
        return (layout, needed) if needed.total <= usable(self.task.device, self.task.fill) else None

    def _neighbours(self, row: Degrees) -> Iterator[Degrees]:
        """One step up or down in every degree that the accelerators' shares leave free."""
        shape, sequences = self.task.shape, self.task.sequences
        for b in _beside(micro_batches(sequences // row.data, Asked()), row.micro_batch, 2):
            chunks = interleaves(shape, row.pipeline, sequences // (row.data * b), Asked())
            for v in {max(v for v in chunks if v <= row.interleave), chunks[-1]}:
                yield row._replace(micro_batch=b, interleave=v)
        for e in _beside(expert_ranks(shape, row.data * row.context, Asked()), row.expert, 2):
            yield row._replace(expert=e)
        chunks = interleaves(shape, row.pipeline, sequences // (row.data * row.micro_batch), Asked())
        for v in chunks:
            yield row._replace(interleave=v)


def _beside(values: list[int], value: int, steps: int = 1) -> list[int]:
    """The values before and after one of them, so many each way."""
    i = values.index(value)
    return values[max(0, i - steps) : i] + values[i + 1 : i + 1 + steps]


def _speed(found: Candidate) -> tuple[float, float]:
    return float(found.time.seconds), float(found.memory.total)


def _least(task: Task) -> Candidate:
    """The layout that takes the least memory."""
    shared = places(task.shape, task.device, task.accelerators, task.sequences, Asked())
    every = (layout for place in shared for layout in _smallest(task, place))
    return candidate(task, min(every, key=lambda layout: float(task_memory(task, layout).total)))


def _smallest(task: Task, place: Place) -> list[Layout]:
    """All computed again, one chunk, one sequence, experts shared by most: at each stage of ZeRO the least memory."""
    t, p, d, c = place
    row = Degrees(t, p, d, c, expert_ranks(task.shape, d * c, Asked())[-1], 1, 1)
    full = Recompute.FULL
    return [Layout(**row._asdict(), zero=zero, recompute=full, stack=task.stack) for zero in zeros(place)]
