"""A run on a cluster: how fast, how long, how many accelerators, and the bill.

The number of accelerators is given; or a deadline decides it, as the least round number of nodes that ends in time;
or neither, and then the bill is in accelerator-hours, at the speed of a cluster that would take ``ASSUMED_DAYS``, or
longer where its batch does not keep so many busy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from scaleplan import units
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
    value_of,
)
from scaleplan.compute.layout import Layout
from scaleplan.errors import InfeasibleError, Notice

MFU_IS = "6 N D over the dense peak, N the parameters a token passes"
"""What ``mfu`` counts, everywhere."""
ASSUMED_DAYS = 60.0
"""Our choice, where only the speed of a cluster is asked for; the utilisation hardly depends on it."""
BUSY_TOKENS = 1024
"""Of a step, an accelerator: Llama 3.1 405B's on 16,384; on more accelerators than that most of them would wait."""
LEAST_TOKENS = 256
"""Our choice: a deadline may leave accelerators waiting, but not three in four of them."""
_A_LITTLE = 1.25
"""Our choice: by so much more accelerators are tried where a model does not fit, then by ever more, up to twice."""
MOST_ACCELERATORS = 10**9
"""More than were ever made of a kind."""
ROUND_DIGITS = 5
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

    ``accelerators`` and ``duration`` [days, of all lines, one after the other] are ``None`` where neither a number of
    accelerators nor a deadline was given. The properties are the totals by the names of the JSON keys.
    """

    workload: Workload
    part: Part
    accelerators: int | None
    duration: Span | None
    speed: Speed
    bill: Bill
    rates: Rates
    conditions: Mapping[str, Any] | None = None
    """What was given of the cluster, the budget and the bill, by name."""
    assumptions: tuple[Assumption, ...] = ()
    warnings: tuple[Notice, ...] = ()

    @property
    def accelerator(self) -> str:
        """The accelerator, by its id."""
        return self.part.id

    @property
    def days(self) -> float | None:
        """How long it takes."""
        return None if self.duration is None else self.duration.value

    @property
    def gpu_hours(self) -> float:
        """Accelerator-hours in all."""
        return self.bill.total.gpu_hours.value

    @property
    def cost_usd(self) -> float | None:
        """Money in all; ``None`` without a price."""
        return value_of(self.bill.total.cost_usd)

    @property
    def energy_mwh(self) -> float | None:
        """Energy in all [MWh]; ``None`` where the power is not known."""
        return value_of(self.bill.total.energy_mwh)

    @property
    def co2_t(self) -> float | None:
        """Emissions in all [t CO2e]; ``None`` without a grid."""
        return value_of(self.bill.total.co2_t)

    @property
    def mfu(self) -> float:
        """Utilisation of a step, 6 N FLOP a token over the dense peak."""
        return self.speed.mfu.value

    def __repr__(self) -> str:
        names = ("accelerator", "accelerators", "days", "gpu_hours", "cost_usd", "energy_mwh", "co2_t", "mfu")
        return f"Costing({self.workload.name!r}, {', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"


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
        batch_tokens: tokens of a step, which bound the number where none is given.

    Raises:
        InfeasibleError: ``speed_of`` finds no way to run it, or no number meets the deadline.
    """
    count = accelerators or _count(workload, part, rates, speed_of, deadline_days, gpu_hours, batch_tokens)
    speed = speed_of(count)
    billed = bill(training_hours(workload.tokens, speed.tokens_per_second), rates)
    known = accelerators is not None or deadline_days is not None
    return Costing(
        workload=workload,
        part=part,
        accelerators=count if known else None,
        duration=billed.total.gpu_hours.times(1 / (count * HOURS_PER_DAY)) if known else None,
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
    return _round_up(gpu_hours / (HOURS_PER_DAY * days), part)


def _round_up(accelerators: float, part: Part) -> int:
    """So many accelerators in the least number of nodes of at most ``ROUND_DIGITS`` binary digits before its zeros."""
    nodes = max(1, math.ceil(accelerators / part.node * (1 - 1e-12)))
    step = 2 ** max(0, nodes.bit_length() - ROUND_DIGITS)
    return -(-nodes // step) * step * part.node


def _count(
    workload: Workload,
    part: Part,
    rates: Rates,
    speed_of: SpeedOf,
    deadline_days: float | None,
    gpu_hours: float | None,
    batch_tokens: float | None,
) -> int:
    """The accelerators that a deadline asks for, or those of the cluster that is assumed where there is none."""
    days = deadline_days or ASSUMED_DAYS
    # A deadline may be bought with idle accelerators, up to a point; a cluster that is only assumed keeps its busy.
    tokens = BUSY_TOKENS if deadline_days is None else LEAST_TOKENS
    most = MOST_ACCELERATORS
    if batch_tokens is not None:
        most = min(most, floor_binary(max(1, int(batch_tokens / (tokens * part.node))), 1) * part.node)
    if gpu_hours is None:
        count = _fast_enough(workload, part, rates, speed_of, days, most)
    else:
        count = _nodes(gpu_hours, days, part)
        count = None if count > most else count
    if deadline_days is None:
        return min(count or most, most)
    if count is None:
        few = "" if batch_tokens is None else f" with steps of {units.count(batch_tokens)} tokens"
        more = "" if batch_tokens is None else "a larger batch or "
        raise InfeasibleError(f"no number of {part.id} finishes in {days:g} days{few}: give {more}a later deadline")
    return count


def floor_binary(n: int, digits: int) -> int:
    """The largest number up to ``n`` of at most so many binary digits before its zeros."""
    step = 2 ** max(0, n.bit_length() - digits)
    return n // step * step


def _fast_enough(workload: Workload, part: Part, rates: Rates, speed_of: SpeedOf, days: float, most: int) -> int | None:
    """The accelerators with which every line of the bill is done within ``days``; ``None`` where ``most`` are too few.

    More of them are seldom faster each, so that what the speed of too few asks for is hardly too many; where it is, the
    way leads back down.

    Raises:
        InfeasibleError: it fits on none of those looked at.
    """
    count = _nodes(_hours(workload, rates, speed_at(1.0, part, workload.params)), days, part)
    misfit, more = None, _A_LITTLE
    while count <= most:
        try:
            wanted = _nodes(_hours(workload, rates, speed_of(count)), days, part)
        except InfeasibleError as error:
            misfit, wanted, more = error, _round_up(more * count, part), min(more * _A_LITTLE, 2.0)
        if wanted <= count:
            return _least(count, lambda many: _nodes(_hours(workload, rates, speed_of(many)), days, part) <= many, part)
        count = wanted
    if misfit is not None:
        raise misfit
    return None


def _least(count: int, fast_enough: Callable[[int], bool], part: Part) -> int:
    """``count``, or fewer: round numbers below it as long as they are fast enough too."""
    while count > part.node:
        nodes = count // part.node - 1
        fewer = floor_binary(nodes, ROUND_DIGITS) * part.node
        try:
            if not fast_enough(fewer):
                return count
        except InfeasibleError:
            return count
        count = fewer
    return count


def _hours(workload: Workload, rates: Rates, speed: Speed) -> float:
    """Accelerator-hours of every line of the bill at a speed."""
    return bill(training_hours(workload.tokens, speed.tokens_per_second), rates).total.gpu_hours.value
