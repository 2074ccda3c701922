"""A run on a cluster: how fast, how long, how many accelerators, and the bill.

The number of accelerators is given; or a deadline decides it, as the least round number of nodes that ends in time;
or neither, and then the bill is in accelerator-hours, at the speed of a cluster that would take ``ASSUMED_DAYS``, or
longer where its batch does not keep so many busy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from scaleplan.compute.bill import (
    HOURS_PER_DAY,
    Assumption,
    Bill,
    Rates,
    Span,
    bill,
    exactly,
    tokens_per_second_at,
    training_hours,
)
from scaleplan.compute.layout import Layout
from scaleplan.errors import ConvergenceError, Notice

ASSUMED_DAYS = 60.0
"""Our choice, where only the speed of a cluster is asked for; the utilisation hardly depends on it."""
LEAST_TOKENS = 1024
"""Of a step, an accelerator: Llama 3.1 405B's on 16,384; on more accelerators than that most of them would wait."""
_FIRST_GUESS = 0.4
"""Utilisation at which the search for the number of accelerators starts; it does not change where it ends."""
_ROUNDS = 60
_DIGITS = 5
"""Our choice: at most a sixteenth more accelerators than the deadline needs."""


class Part(NamedTuple):
    """What a bill needs to know of an accelerator: its ``peak`` [FLOP/s] at ``precision``, and how many are a node."""

    id: str
    precision: str
    peak: float
    node: int


class Workload(NamedTuple):
    """A run: ``params`` that a token passes, ``params_total``, ``tokens``, and what it is called."""

    name: str
    params: float
    params_total: float
    tokens: float

    @property
    def train_flop(self) -> float:
        """6 N D, N the parameters that a token passes."""
        return 6 * self.params * self.tokens


class Speed(NamedTuple):
    """How fast one accelerator of a cluster trains a model.

    ``tokens_per_second`` of one accelerator; ``mfu`` counts 6 N FLOP a token over the dense peak. The layout, the
    seconds of a step and its tokens are those behind an estimate, ``None`` where the utilisation was given.
    """

    tokens_per_second: Span
    mfu: Span
    layout: Layout | None = None
    step_seconds: Span | None = None
    batch_tokens: float | None = None
    warnings: tuple[Notice, ...] = ()


SpeedOf = Callable[[int], Speed]
"""The speed on so many accelerators."""


class Costing(NamedTuple):
    """A run, where it runs, how fast, and its bill.

    ``accelerators`` and ``days`` (of all lines, one after the other) are ``None`` where neither a number of
    accelerators nor a deadline was given.
    """

    workload: Workload
    part: Part
    accelerators: int | None
    days: Span | None
    speed: Speed
    bill: Bill
    rates: Rates
    assumptions: tuple[Assumption, ...] = ()
    warnings: tuple[Notice, ...] = ()


def cost(
    workload: Workload,
    part: Part,
    rates: Rates,
    speed_of: SpeedOf,
    *,
    accelerators: int | None = None,
    deadline_days: float | None = None,
    gpu_hours: float | None = None,
    batch_tokens: float | None = None,
) -> Costing:
    """The bill of a run.

    Args:
        workload: the run.
        part: the accelerator.
        rates: what an hour of it is worth and costs.
        speed_of: how fast so many of them train it.
        accelerators: how many there are.
        deadline_days: by when all lines of the bill must be done; it decides the number where none is given.
        gpu_hours: what the bill will come to, where that is the budget, so that it need not be searched for.
        batch_tokens: tokens of a step, of which a cluster that is only assumed gets ``LEAST_TOKENS`` an accelerator.

    Raises:
        InfeasibleError: ``speed_of`` finds no way to run it.
    """
    count = accelerators
    if count is None:
        days = deadline_days or ASSUMED_DAYS
        found = None if gpu_hours is None else _nodes(gpu_hours, days, part)
        count = found or _count_for(workload, part, rates, speed_of, days)
        if deadline_days is None and batch_tokens is not None:
            nodes = max(1, int(batch_tokens / (LEAST_TOKENS * part.node)))
            count = min(count, 2 ** (nodes.bit_length() - 1) * part.node)
    speed = speed_of(count)
    billed = bill(training_hours(workload.tokens, speed.tokens_per_second), rates)
    known = accelerators is not None or deadline_days is not None
    return Costing(
        workload=workload,
        part=part,
        accelerators=count if known else None,
        days=billed.total.gpu_hours.times(1 / (count * HOURS_PER_DAY)) if known else None,
        speed=speed,
        bill=billed,
        rates=rates,
        warnings=speed.warnings,
    )


def speed_at(mfu: float, part: Part, params: float) -> Speed:
    """The speed at a utilisation that was given."""
    return Speed(exactly(tokens_per_second_at(mfu, part.peak, params)), exactly(mfu))


def _nodes(gpu_hours: float, days: float, part: Part) -> int:
    """Accelerators of the least number of nodes, round in binary, that give so many hours in so many days.

    A number of nodes of more than five binary digits ends in zeros: one such as 1,021 would divide into nothing.
    """
    nodes = max(1, math.ceil(gpu_hours / (HOURS_PER_DAY * days * part.node) * (1 - 1e-12)))
    step = 2 ** max(0, nodes.bit_length() - _DIGITS)
    return -(-nodes // step) * step * part.node


def _count_for(workload: Workload, part: Part, rates: Rates, speed_of: SpeedOf, days: float) -> int:
    """The accelerators with which every line of the bill is done within ``days``."""

    def needed(speed: Speed) -> int:
        hours = bill(training_hours(workload.tokens, speed.tokens_per_second), rates).total.gpu_hours.value
        return _nodes(hours, days, part)

    count = needed(speed_at(_FIRST_GUESS, part, workload.params))
    tried: set[int] = set()
    for _ in range(_ROUNDS):
        wanted = needed(speed_of(count))
        if wanted == count or (wanted < count and wanted in tried):
            return count
        tried.add(count)
        count = wanted if wanted not in tried else count + part.node
    raise ConvergenceError(f"no number of {part.id} was found that finishes in {days:g} days; give it (--on 512x...)")
