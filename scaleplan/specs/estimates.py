"""How fast a machine trains a run: at the utilisation that was given, or by the step-time model and its assumptions."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from scaleplan import units
from scaleplan.compute.bill import Assumption
from scaleplan.compute.costing import Speed, SpeedOf, Workload, speed_at
from scaleplan.errors import Notice, UsageError
from scaleplan.specs.accelerators import device

if TYPE_CHECKING:
    from scaleplan.compute.device import Device
    from scaleplan.compute.transformer import Transformer
    from scaleplan.specs.machines import Machine

DEFAULT_BATCH = "steplaw-2025"
"""Our choice: it needs nothing but the tokens, and gives 19M for Llama 3's 15T, which took up to 16M."""
_OF_ESTIMATE = ("calibrate", "cluster", "network", "batch", "context")
_FITTED = {"exact": "fitted", "default": "uncalibrated"}
_STATE_BYTES = 16
"""A parameter with Adam in mixed precision (Rajbhandari et al. 2020, arXiv 1910.02054, sec. 3.1)."""


class Estimate(NamedTuple):
    """The speed by number of accelerators, and what it rests on; the tokens of a step where steps were estimated."""

    speed_of: SpeedOf
    assumptions: tuple[Assumption, ...]
    notices: tuple[Notice, ...]
    batch: Assumption | None = None
    batch_tokens: float | None = None

    def assumed(self, batch_tokens: float | None) -> tuple[Assumption, ...]:
        """The assumptions, with the batch as the accelerators share it beside what its rule or the user said."""
        if self.batch is None:
            return self.assumptions
        if batch_tokens is None or batch_tokens == self.batch_tokens:
            return (*self.assumptions, self.batch)
        said = f"{self.batch_tokens:,.0f} tokens, shared by the accelerators"
        source = said if self.batch.source == "given" else f"{said}; {self.batch.source}"
        return (*self.assumptions, self.batch._replace(value=batch_tokens, source=source))


def estimate(run: Workload, shape: Transformer | None, machine: Machine) -> Estimate:
    """How fast a machine trains a run, at the utilisation given or by the step-time model.

    Args:
        run: what is trained.
        shape: its shape; where it is not known, that of the family of its size.
        machine: on what.

    Raises:
        UsageError: numbers that an estimate needs are not known, a mixture of experts without a shape, a step of more
            tokens than the run.
        InputFileError: the table of measured steps cannot be used.
    """
    mfu = machine.conditions.mfu
    if mfu is not None:
        unused = [name for name in _OF_ESTIMATE if getattr(machine.conditions, name) is not None]
        notices = _too_small(run, machine)
        if unused:
            text = f"{', '.join(unused)} would serve the estimate of the utilisation, which is given: not used."
            notices.append(Notice("unused", text))
        steady = speed_at(mfu, machine.part, run.params)

        def always(_accelerators: int) -> Speed:
            return steady

        return Estimate(always, (Assumption("mfu", mfu, "1", "given", "given"),), tuple(notices))
    from scaleplan.compute.speed import Batch, estimated_speed
    from scaleplan.specs.calibration import calibration_for

    taken, shape_assumptions = _shape_of(run, shape, machine)
    tokens, assumed_batch = _batch_of(run, machine)
    batch = Batch(tokens, given=machine.conditions.batch is not None)
    network = machine.conditions.network or _unused_network(machine)
    built = device(machine.accelerator, machine.conditions.precision, network_gbit=network)
    steps, kind = machine.conditions.calibrate, machine.conditions.cluster
    found = calibration_for(built, steps=steps, cluster=kind)
    factors = found.calibration

    @cache
    def speed(accelerators: int) -> Speed:
        return estimated_speed(taken, run.params, built, factors, batch, accelerators, machine.part.node)

    status = _FITTED.get(found.status, found.status)
    basis = found.basis if taken.experts is None else found.expert_basis
    listed = [Assumption(f"step: {each.name}", each.value, each.unit, status, each.source) for each in basis]
    assumptions = (*listed, _network_of(machine, built), *shape_assumptions)
    return Estimate(speed, assumptions, found.notices, assumed_batch, tokens)


def _too_small(run: Workload, machine: Machine) -> list[Notice]:
    """A notice where a given utilisation hides that the model's states alone are larger than the cluster's memory."""
    memory, many = machine.accelerator.number("memory"), machine.accelerators
    states = _STATE_BYTES * run.params_total / 1e9
    if memory is None or many is None or states <= memory * many:
        return []
    text = (
        f"weights, gradients and optimizer of {run.name} take {states:,.0f} GB, {many:,} {machine.part.id} have "
        f"{memory * many:,.0f} GB: it does not run there; `scaleplan layout` says what it takes."
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


def _shape_of(run: Workload, shape: Transformer | None, machine: Machine) -> tuple[Transformer, list[Assumption]]:
    context = machine.conditions.context
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


def _batch_of(run: Workload, machine: Machine) -> tuple[float, Assumption]:
    """Tokens of a step: those given, or Step Law's for so many training tokens."""
    if machine.conditions.batch is not None:
        if machine.conditions.batch > run.tokens:
            given, all_of = units.count(machine.conditions.batch), units.count(run.tokens)
            raise UsageError(f"batch: a step of {given} tokens is more than the run's {all_of}")
        return machine.conditions.batch, Assumption("batch", machine.conditions.batch, "tokens", "given", "given")
    from scaleplan.laws.hyper_step import HyperStep
    from scaleplan.specs.presets import read

    # Read without the machinery of laws, which a bill does not need otherwise.
    data = read("laws", DEFAULT_BATCH, whole=False).data
    group = data["groups"][data["default"]["hyper"][0]]
    rule = HyperStep(**{symbol: float(each["value"]) for symbol, each in group["constants"].items()})
    batch = min(float(rule.batch_of(run.tokens)), run.tokens)
    source = f"{data['title']} ({data['paper']}): {rule.equation}"
    return batch, Assumption("batch", batch, "tokens", "assumed", source)
