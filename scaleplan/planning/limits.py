"""What a planner says of a run, in numbers, and the constraints that follow.

Money, hours, days and energy are taken in proportion to FLOPs once the speed of the machine is known, so that each of
them is a ceiling like that on FLOPs themselves. Serving takes its part of FLOPs, money and energy; the hours and days
are those of the machine that trains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.compute.accounting import Accounting
from scaleplan.compute.bill import HOURS_PER_DAY
from scaleplan.errors import UsageError
from scaleplan.ops import Real
from scaleplan.planning.constraints import Ceiling, Constraint, OfParams, Quantity, Range

if TYPE_CHECKING:
    from scaleplan.compute.serving import Service

LAYOUT = "layout"
"""The one limit that nobody gives: the size that a search for the speed holds a plan to."""


def without_machine(names: Sequence[str]) -> UsageError:
    """The error of what means nothing without an accelerator."""
    return UsageError(f"{', '.join(names)} without an accelerator: name one with on (--on 512xh100-sxm)")


class Limits(NamedTuple):
    """What was given, each by its key of the budget file; ``None`` for what was not. Every number may be an array.

    ``flops``, ``usd``, ``days`` (of a cluster), ``gpu_hours`` are budgets, at most one of them; ``max_usd``,
    ``max_mwh``, ``deadline_days`` ceilings beside one. ``params``, ``tokens``, ``tokens_per_param`` fix a value,
    ``min_params`` and ``max_params`` bound it [parameters, embeddings counted]. ``unique_tokens`` may be seen
    ``max_epochs`` times. ``memory`` is the largest model that memory holds, ``layout`` the largest that trains in
    a fast layout, ``batch`` the least tokens for which the batch is at most the critical one.
    """

    flops: Real | None = None
    usd: Real | None = None
    days: Real | None = None
    gpu_hours: Real | None = None
    params: Real | None = None
    tokens: Real | None = None
    tokens_per_param: Real | None = None
    min_params: Real | None = None
    max_params: Real | None = None
    unique_tokens: Real | None = None
    max_epochs: Real | None = None
    deadline_days: Real | None = None
    max_usd: Real | None = None
    max_mwh: Real | None = None
    memory: Real | None = None
    layout: Real | None = None
    batch: Real | None = None


class Effort(NamedTuple):
    """What training takes of a machine: accelerator-hours a FLOP (6 N D), with all that is paid beside it.

    ``fixed_hours`` are taken whatever the run is; ``accelerators`` how many there are, ``price`` [USD an
    accelerator-hour] and ``mwh_per_hour`` [MWh an accelerator-hour], each ``None`` where it is not known.
    """

    hours_per_flop: Real
    fixed_hours: Real = 0.0
    accelerators: Real | None = None
    price: Real | None = None
    mwh_per_hour: Real | None = None


def constraints_of(
    limits: Limits,
    accounting: Accounting,
    *,
    effort: Effort | None = None,
    service: Service | None = None,
    values_repeats: bool = False,
) -> tuple[Constraint, ...]:
    """The constraints that limits make, each under the key that was given.

    Args:
        limits: what was given.
        accounting: the convention of ``limits.flops``.
        effort: what training takes of the machine, for limits of hours, days, money and energy.
        service: what serving takes beside it.
        values_repeats: whether the law says what repeated tokens are worth. Under one that does not, a token serves
            once, whatever ``max_epochs`` allows.

    Raises:
        UsageError: a limit that needs a machine, a price, a power or unique tokens that were not given.
    """
    found: list[Constraint] = []
    if limits.flops is not None:
        served = None if service is None else service.flop
        found.append(Ceiling("flops", limits.flops, flop=accounting.flop, beside=served))
    found += _of_machine(limits, effort, service)
    found += _of_data(limits, values_repeats=values_repeats)
    found += _of_size(limits, service)
    return tuple(found)


def _of_size(limits: Limits, service: Service | None) -> list[Constraint]:
    """Bounds on parameters and tokens themselves, and what fixes them."""
    ranges: tuple[tuple[str, Quantity, Real | None, Real | None], ...] = (
        ("min_params", "params", limits.min_params, None),
        ("max_params", "params", None, limits.max_params),
        ("serving_memory", "params", None, None if service is None else service.largest()),
        ("memory", "params", None, limits.memory),
        (LAYOUT, "params", None, limits.layout),
        ("tokens_for_batch", "tokens", limits.batch, None),
        ("params", "params", limits.params, limits.params),
        ("tokens", "tokens", limits.tokens, limits.tokens),
        ("tokens_per_param", "tokens_per_param", limits.tokens_per_param, limits.tokens_per_param),
    )
    return [Range(*each) for each in ranges if each[2] is not None or each[3] is not None]


def _of_data(limits: Limits, *, values_repeats: bool) -> list[Constraint]:
    unique, epochs = limits.unique_tokens, limits.max_epochs
    if unique is None:
        if epochs is not None:
            raise UsageError("max_epochs of how many tokens? Give unique_tokens")
        return []
    if not values_repeats:
        return [Range("unique_tokens", "tokens", None, unique)]
    return [] if epochs is None else [Range("unique_tokens", "tokens", None, epochs * unique)]


def _of_machine(limits: Limits, effort: Effort | None, service: Service | None) -> list[Constraint]:
    """Ceilings on hours, days, money and energy."""
    asked = [name for name in _OF_MACHINE if getattr(limits, name) is not None]
    if not asked:
        return []
    if effort is None:
        raise without_machine(asked)
    # What an hour takes of each, and what serving takes beside it.
    hour: tuple[Real | None, OfParams | None] = (1.0, None)
    day = (None if effort.accelerators is None else 1 / (HOURS_PER_DAY * effort.accelerators), None)
    money = (effort.price, None if service is None else service.usd)
    energy = (effort.mwh_per_hour, None if service is None else service.mwh)
    taken = {"gpu_hours": hour, "days": day, "deadline_days": day, "usd": money, "max_usd": money, "max_mwh": energy}
    found: list[Constraint] = []
    for name in asked:
        each, beside = taken[name]
        if each is None and name in ("days", "deadline_days"):
            continue  # without a number of accelerators the time decides that number instead
        if each is None:
            what = "power [W] of the accelerator is not known: give it with watts"
            if name != "max_mwh":
                what = "price of the accelerator is not known: give one [USD an hour] with --price"
            raise UsageError(f"{name}: the {what}")
        per_flop, beforehand = each * effort.hours_per_flop, each * effort.fixed_hours
        found.append(Ceiling(name, getattr(limits, name), per_flop=per_flop, beside=beside, fixed=beforehand))
    return found


_OF_MACHINE = ("gpu_hours", "days", "deadline_days", "usd", "max_usd", "max_mwh")
