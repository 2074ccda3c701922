"""Conditions to a machine: the accelerator looked up, its rates, its calibration, and how fast it trains a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan.compute.bill import Assumption, Extra, Rates
from scaleplan.compute.costing import Costing, Part, SpeedOf, Workload, cost
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.specs.accelerators import Accelerator, cluster, load_accelerator, peak_of
from scaleplan.specs.conditions import Conditions, given, rates_of
from scaleplan.specs.estimates import Estimate, estimate

if TYPE_CHECKING:
    from scaleplan.compute.transformer import Transformer

DEFAULT_ACCELERATOR = "h100-sxm"
"""Our choice, where money is the budget and no accelerator is named: its price is the best documented."""
_DOUBLINGS = 12
"""Our choice: from one accelerator to a few thousand."""
_LARGEST_NODE = 72
"""GB200 and GB300 NVL72 are rented by the rack; pods of TPUs are divided further."""
_POD_HOST = 8
"""Our choice: hosts of TPUs have four or eight."""


class Machine(NamedTuple):
    """An accelerator, how many of it (``None``: not given), its rates, and the conditions they come from."""

    accelerator: Accelerator
    part: Part
    accelerators: int | None
    rates: Rates
    conditions: Conditions
    assumptions: tuple[Assumption, ...]
    warnings: tuple[Notice, ...]

    @property
    def budget_hours(self) -> float:
        """The accelerator-hours that a budget of hours, money or else a cluster's time gives.

        Raises:
            UsageError: money without a price, time without a number of accelerators.
        """
        given = self.conditions
        if given.gpu_hours is not None:
            return given.gpu_hours
        if given.usd is not None:
            if self.rates.price is None:
                raise UsageError(f"no price of {self.accelerator.id} is known: give one [USD an hour] with --price")
            return given.usd / self.rates.price.value
        assert given.days is not None
        if self.accelerators is None:
            raise UsageError(
                f"{given.days:g} days of how many {self.accelerator.id}? Write --on 512x{self.accelerator.id}"
            )
        return self.accelerators * 24 * given.days

    @property
    def deadline_days(self) -> float | None:
        """The deadline: the days given, unless they are the budget."""
        given = self.conditions
        return given.days if self.accelerators is None or given.usd is not None or given.gpu_hours is not None else None

    @property
    def ends_by_time(self) -> bool:
        """Whether a time bounds what so many accelerators can do, rather than deciding how many there are."""
        return self.accelerators is not None and self.conditions.days is not None


_GIVEN = ("given", "given")


def machine_of(conditions: Conditions, named: tuple[str, str] = _GIVEN) -> Machine:
    """The machine of some conditions.

    Args:
        conditions: what was given of it.
        named: status and source of the accelerator's name, where there is one.

    Raises:
        UsageError: an unknown accelerator, one without the precision or the numbers that an estimate needs.
        InputFileError: the accelerator's file cannot be used.
    """
    notices: list[Notice] = []
    if conditions.on is None:
        text = f"no accelerator is named: {DEFAULT_ACCELERATOR} is taken, in bf16; name one with --on."
        notices.append(Notice("assumed_accelerator", text))
    count, name = cluster(conditions.on or DEFAULT_ACCELERATOR)
    accelerator = load_accelerator(name)
    peak = peak_of(accelerator, conditions.precision)
    rates, assumptions = rates_of(conditions, accelerator)
    sourced = accelerator.values[f"peak_{conditions.precision}"]
    status, why = ("our choice", "none was named; its price is the best known") if conditions.on is None else named
    listed = (
        Assumption("accelerator", accelerator.id, "", status, why),
        Assumption(
            f"peak {conditions.precision}", peak, "FLOP/s, dense", sourced.status, f"{accelerator.id}: {sourced.source}"
        ),
    )
    return Machine(
        accelerator=accelerator,
        part=Part(accelerator.id, conditions.precision, peak, _node_of(accelerator)),
        accelerators=count,
        rates=rates,
        conditions=conditions,
        assumptions=(*listed, *assumptions),
        warnings=tuple(notices),
    )


def _node_of(accelerator: Accelerator) -> int:
    """The accelerators that are rented together: those that share the fast links, but no whole pod."""
    domain = int(accelerator.number("domain") or 1)
    return domain if domain <= _LARGEST_NODE else _POD_HOST


class Subject(NamedTuple):
    """What is trained: a run, its shape where that is known, and where each number comes from."""

    workload: Workload
    shape: Transformer | None = None
    assumptions: tuple[Assumption, ...] = ()


def costing_of(
    subject: Subject,
    machine: Machine,
    *,
    deadline_days: float | None = None,
    gpu_hours: float | None = None,
    checked: bool = True,
) -> Costing:
    """The bill of a run on a machine.

    Args:
        subject: the run.
        machine: where.
        deadline_days: by when it must be done.
        gpu_hours: what the bill will come to, where that was the budget.
        checked: whether a missed deadline is an error; not while the plan that meets it is searched for.

    Raises:
        InfeasibleError: the model fits in no layout, or the deadline is missed by so many accelerators.
    """
    found = estimate(subject.workload, subject.shape, machine)
    try:
        costing = cost(
            subject.workload,
            machine.part,
            machine.rates,
            found.speed_of,
            accelerators=machine.accelerators,
            deadline_days=deadline_days,
            gpu_hours=gpu_hours,
            batch_tokens=found.batch_tokens,
        )
    except InfeasibleError as error:
        if machine.accelerators is None or not checked:
            raise
        raise InfeasibleError(f"{error.message}{_enough(machine.accelerators, found.speed_of)}") from None
    if checked and deadline_days is not None and (costing.days or 0.0) > deadline_days * (1 + 1e-9):
        raise InfeasibleError(
            f"{subject.workload.name} takes {costing.days:.4g} days on {costing.accelerators:,} {costing.part.id}, the "
            f"deadline is {deadline_days:g}: {_meeting(subject, machine, found, deadline_days)}"
        )
    return costing._replace(
        conditions={name: _plain(value) for name, value in given(machine.conditions).items()},
        assumptions=(*subject.assumptions, *machine.assumptions, *found.assumed(costing.speed.batch_tokens)),
        warnings=(*machine.warnings, *found.notices, *costing.warnings),
    )


def _meeting(subject: Subject, machine: Machine, found: Estimate, days: float) -> str:
    """How many accelerators would meet a deadline."""
    run, part, rates = subject.workload, machine.part, machine.rates
    try:
        fitting = cost(run, part, rates, found.speed_of, deadline_days=days, batch_tokens=found.batch_tokens)
    except (InfeasibleError, UsageError) as error:
        return error.message
    return f"it needs about {fitting.accelerators:,} of them"


def _enough(count: int, speed_of: SpeedOf) -> str:
    """On how many more of them it fits, where so many do not hold it."""
    for more in (count * 2**n for n in range(1, _DOUBLINGS)):
        try:
            speed_of(more)
        except (InfeasibleError, UsageError):
            continue
        return f"; it fits on {more:,}"
    return ""


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    return value._asdict() if isinstance(value, Extra) else value
