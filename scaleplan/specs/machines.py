"""Conditions to a machine: the accelerator looked up, its rates, its calibration, and how fast it trains a model."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan import units
from scaleplan.compute.bill import Assumption, Extra, Rates
from scaleplan.compute.costing import Costing, Part, Speed, SpeedOf, Workload, cost, speed_at
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.specs.accelerators import Accelerator, cluster, device, load_accelerator, peak_of
from scaleplan.specs.conditions import Conditions, given, rates_of

if TYPE_CHECKING:
    from scaleplan.compute.device import Device
    from scaleplan.compute.transformer import Transformer

DEFAULT_ACCELERATOR = "h100-sxm"
"""Our choice, where money is the budget and no accelerator is named: its price is the best documented."""
_OF_ESTIMATE = ("calibrate", "cluster", "network", "batch", "context")
_FITTED = {"exact": "fitted", "default": "uncalibrated"}
_DOUBLINGS = 12
"""Our choice: from one accelerator to a few thousand."""
_LARGEST_NODE = 72
"""GB200 and GB300 NVL72 are rented by the rack; pods of TPUs are divided further."""
_STATE_BYTES = 16
"""A parameter with Adam in mixed precision (Rajbhandari et al. 2020, arXiv 1910.02054, sec. 3.1)."""
_POD_HOST = 8
"""Our choice: hosts of TPUs have four or eight."""
DEFAULT_BATCH = "steplaw-2025"
"""Our choice: it needs nothing but the tokens, and gives 18M for Llama 3's 15T, which took up to 16M."""


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


def machine_of(conditions: Conditions) -> Machine:
    """The machine of some conditions.

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
    listed = (
        Assumption("accelerator", accelerator.id, "", "given", "given")
        if conditions.on
        else Assumption("accelerator", accelerator.id, "", "our choice", "none was named; its price is the best known"),
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
    speed_of, listed, notices = _speed_of(subject, machine)
    batch = next((each.value for each in listed if each.name == "batch"), None)
    days = deadline_days
    try:
        costing = cost(
            subject.workload,
            machine.part,
            machine.rates,
            speed_of,
            accelerators=machine.accelerators,
            deadline_days=days,
            gpu_hours=gpu_hours,
            batch_tokens=batch if isinstance(batch, float) else None,
        )
    except InfeasibleError as error:
        if machine.accelerators is None or not checked:
            raise
        raise InfeasibleError(f"{error.message}{_enough(machine.accelerators, speed_of)}") from None
    if checked and days is not None and costing.days is not None and costing.days > days * (1 + 1e-9):
        fitting = cost(subject.workload, machine.part, machine.rates, speed_of, deadline_days=days)
        raise InfeasibleError(
            f"{subject.workload.name} takes {costing.days:.4g} days on {costing.accelerators:,} "
            f"{costing.part.id}, the deadline is {days:g}: it needs about {fitting.accelerators:,} of them"
        )
    return costing._replace(
        conditions={name: _plain(value) for name, value in given(machine.conditions).items()},
        assumptions=(*subject.assumptions, *machine.assumptions, *listed),
        warnings=(*machine.warnings, *notices, *costing.warnings),
    )


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


def _speed_of(subject: Subject, machine: Machine) -> tuple[SpeedOf, list[Assumption], list[Notice]]:
    """The speed by number of accelerators, at the utilisation given or by the step-time model."""
    run, mfu = subject.workload, machine.conditions.mfu
    if mfu is not None:
        unused = [name for name in _OF_ESTIMATE if getattr(machine.conditions, name) is not None]
        notices = _too_small(run, machine)
        if unused:
            text = f"{', '.join(unused)} would serve the estimate of the utilisation, which is given: not used."
            notices.append(Notice("unused", text))
        steady = speed_at(mfu, machine.part, run.params)
        return lambda _: steady, [Assumption("mfu", mfu, "1", "given", "given")], notices
    from scaleplan.compute.speed import Batch, estimated_speed
    from scaleplan.specs.calibration import calibration_for

    shape, shape_assumptions = _shape_of(subject, machine)
    tokens, batch_assumption = _batch_of(subject, machine)
    batch = Batch(tokens, given=machine.conditions.batch is not None)
    network = machine.conditions.network or _unused_network(machine)
    built = device(machine.accelerator, machine.conditions.precision, network_gbit=network)
    steps, kind = machine.conditions.calibrate, machine.conditions.cluster
    found = calibration_for(built, steps=steps, cluster=kind)
    factors = found.calibration

    @cache
    def speed(accelerators: int) -> Speed:
        return estimated_speed(shape, run.params, built, factors, batch, accelerators, machine.part.node)

    status = _FITTED.get(found.status, found.status)
    basis = found.basis if shape.experts is None else found.expert_basis
    listed = [Assumption(f"step: {each.name}", each.value, each.unit, status, each.source) for each in basis]
    listed.append(_network_of(machine, built))
    return speed, [*listed, *shape_assumptions, batch_assumption], list(found.notices)


def _too_small(run: Workload, machine: Machine) -> list[Notice]:
    """A notice where a given utilisation hides that the model's states alone are larger than the cluster's memory."""
    memory = machine.accelerator.number("memory")
    if memory is None or machine.accelerators is None or _STATE_BYTES * run.params_total <= 1e9 * memory * machine.accelerators:
        return []
    states, has = _STATE_BYTES * run.params_total / 1e9, memory * machine.accelerators
    text = (
        f"weights, gradients and optimizer of {run.name} take {states:,.0f} GB, {machine.accelerators} {machine.part.id} have "
        f"{has:,.0f} GB: it does not run there; `scaleplan layout` says what it takes."
    )
    return [Notice("does_not_fit", text)]


def _network_of(machine: Machine, built: Device) -> Assumption:
    """The network beyond a node that an estimate took, and from where."""
    value = 8 * built.network / 1e9
    known = machine.accelerator.values.get("scale_out")
    if machine.conditions.network is not None:
        return Assumption("network", value, "Gbit/s each", "given", "given")
    if known is None:
        return Assumption("network", None, "Gbit/s each", "unused", "the cluster is one domain of fast links")
    return Assumption("network", value, "Gbit/s each", known.status, f"{machine.accelerator.id}: {known.source}")


def _unused_network(machine: Machine) -> float | None:
    """A network for a cluster that is one domain of fast links and uses none [Gbit/s]; ``None`` where it uses one."""
    domain, link = machine.accelerator.number("domain"), machine.accelerator.number("interconnect_one_way")
    if machine.accelerator.number("scale_out") is not None or domain is None or link is None:
        return None
    return 8 * link if machine.accelerators is not None and machine.accelerators <= domain else None


def _shape_of(subject: Subject, machine: Machine) -> tuple[Transformer, list[Assumption]]:
    run, context = subject.workload, machine.conditions.context
    shape = subject.shape
    listed: list[Assumption] = []
    if shape is None:
        if run.params != run.params_total:
            raise UsageError(
                f"the speed of {run.name}, a mixture of experts, depends on its shape, which is not known: give --mfu"
            )
        from scaleplan.compute.family import generic_shape

        shape = generic_shape(run.params_total)
        if shape.layers < 1 or shape.heads < 1:
            raise UsageError(
                f"{units.count(run.params_total)} parameters with a vocabulary of {shape.vocabulary:,} leave less than "
                "a layer: give a shape, or a utilisation (--mfu)"
            )
        text = "the family of published decoders of its size (compute/family.py); real shapes: `scaleplan shape`"
        listed.append(Assumption("shape", _dimensions(shape), "", "our choice", text))
    if context is not None:
        shape = shape._replace(context=context)
    status, why = ("given", "given") if context is not None else ("assumed", "of the shape")
    listed.append(Assumption("context", float(shape.context), "tokens", status, why))
    return shape, listed


def _dimensions(shape: Transformer) -> str:
    return f"{float(shape.layers):.4g} layers of {float(shape.width):,.5g}"


def _batch_of(subject: Subject, machine: Machine) -> tuple[float, Assumption]:
    """Tokens of a step: those given, or Step Law's for so many training tokens."""
    if machine.conditions.batch is not None:
        if machine.conditions.batch > subject.workload.tokens:
            given, all_of = units.count(machine.conditions.batch), units.count(subject.workload.tokens)
            raise UsageError(f"batch: a step of {given} tokens is more than the run's {all_of}")
        return machine.conditions.batch, Assumption("batch", machine.conditions.batch, "tokens", "given", "given")
    from scaleplan.laws.hyper_step import HyperStep
    from scaleplan.specs.presets import read

    # Read without the machinery of laws, which a bill does not need otherwise.
    data = read("laws", DEFAULT_BATCH, whole=False).data
    group = data["groups"][data["default"]["hyper"][0]]
    rule = HyperStep(**{symbol: float(each["value"]) for symbol, each in group["constants"].items()})
    batch = min(float(rule.batch_of(subject.workload.tokens)), subject.workload.tokens)
    source = f"{data['title']} ({data['paper']}): {rule.equation}"
    return batch, Assumption("batch", batch, "tokens", "assumed", source)
