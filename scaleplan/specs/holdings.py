"""What memory holds: the largest model that trains on the accelerators of a machine.

A model fits where some layout of it does: all recomputed, one sequence a micro-batch, weights and optimizer shared as
widely as they can be (``compute.layouts``, docs/decisions/0010-memory.md). Weights, gradients and Adam take at least 16
bytes a parameter of all accelerators together (``compute.memory``), so that nothing larger than their usable bytes over
16 fits; from there it goes down by fifths to a size that fits, then by halving. The shape is that of the family of its
size (``compute.family``), of a mixture that of ``compute.expert_counts``.

What a step holds depends on its tokens only by how far they can be shared: those given, or Step Law's for 20 training
tokens a parameter (Hoffmann et al. 2022, arXiv 2203.15556), our choice.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from scaleplan import units
from scaleplan.compute.costing import ROUND_DIGITS, floor_binary
from scaleplan.compute.expert_counts import ExpertCounts, joint_shape
from scaleplan.errors import InfeasibleError, UsageError

if TYPE_CHECKING:
    from scaleplan.compute.device import Device
    from scaleplan.compute.transformer import Transformer
    from scaleplan.specs.machines import Machine

LEAST_PARAMS = 3e8
"""Our choice: of smaller models the family's vocabulary leaves no layers."""
TOKENS_PER_PARAM = 20.0
"""Training tokens a parameter that a token passes, for the batch where none is given."""
_STATE_BYTES = 16
"""A parameter: weights and gradients of 2 bytes, their copy of 4 and Adam's two moments of 4 (Rajbhandari et al. 2020,
arXiv 1910.02054, sec. 3.1)."""
_FIFTH = 0.8
"""Our choice: by a fifth at a time sizes go down to one that fits, small enough not to step over it by much."""
_HALVINGS = 11
"""Our choice: they leave 1e-4 of the size."""


def most_params(machine: Machine, memory: float | Literal["fit"] | None = None, *, experts: int | None = None) -> float:
    """The parameters of the largest model that trains in the memory of a machine's accelerators.

    Embeddings and all experts are counted. Infinite where memory is no bound.

    Args:
        machine: which, and how many; without a number, so many are taken as hold it, and memory is no bound.
        memory: of one accelerator [bytes]; ``"fit"`` or ``None``: what it has.
        experts: of a mixture, one of them active; ``None`` or 1 for a dense model.

    Raises:
        UsageError: the memory of the accelerator is not known.
        InfeasibleError: not even a small model fits, or a batch that was given cannot be shared.
    """
    if machine.accelerators is None:
        return math.inf
    memory = None if isinstance(memory, str) else memory
    device = _device(machine, memory)
    batch_of = _batch(machine)

    def fits(active: float) -> bool:
        shape = _shape(active, experts, machine.conditions.context)
        wanted = batch_of(active) / float(shape.context)
        given = machine.conditions.batch is not None
        return any(_fits(shape, device, used, wanted, given=given) for used in _used(machine))

    active = _largest(fits, _bound(device, machine.accelerators, experts))
    if active is None:
        many, each, step = machine.accelerators, device.memory / 1e9, machine.conditions.batch
        steps, other = ("", "") if step is None else (f" in steps of {units.count(step)} tokens", " or a larger batch")
        raise InfeasibleError(
            f"memory: {many:,} {device.id} of {each:g} GB train no model of {units.count(LEAST_PARAMS)} parameters or "
            f"more{steps}: give more memory{other}, or another number of them"
        )
    return active if experts is None else float(ExpertCounts(experts).total(active))


def _largest(fits: Callable[[float], bool], bound: float) -> float | None:
    """The largest size that fits, within 1e-4, where nothing above ``bound`` can; ``None`` where nothing does.

    It is looked for from above, as models that are small for a cluster may not be shared by all of it.
    """
    high = low = bound
    while not fits(low):
        high, low = low, _FIFTH * low
        if low < LEAST_PARAMS:
            return None
    for _ in range(_HALVINGS if high > low else 0):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _bound(device: Device, accelerators: int, experts: int | None) -> float:
    """Active parameters beyond which weights, gradients and optimizer alone fill all memory."""
    from scaleplan.compute.memory import usable

    total = usable(device) * accelerators / _STATE_BYTES
    return total if experts is None else float(ExpertCounts(experts).active(total))


def _shape(active: float, experts: int | None, context: float | None) -> Transformer:
    """The shape by the parameters that a token passes."""
    from scaleplan.compute.family import generic_shape

    shape = generic_shape(active) if experts in (None, 1) else joint_shape(active, experts)
    return shape if context is None else shape._replace(context=context)


def _used(machine: Machine) -> list[int]:
    """All accelerators, and fewer in round numbers of nodes, which a run takes where all of them divide badly."""
    assert machine.accelerators is not None
    count, node = machine.accelerators, machine.part.node
    rounded = {floor_binary(count // node, digits) * node for digits in range(1, ROUND_DIGITS + 1)}
    return [count, *sorted((used for used in rounded if 0 < used < count), reverse=True)]


def _fits(shape: Transformer, device: Device, accelerators: int, sequences: float, *, given: bool) -> bool:
    """Whether the layout of some share of the accelerators that takes the least memory fits."""
    from scaleplan.compute.device import Calibration
    from scaleplan.compute.divisions import Asked, expert_ranks, places, shared_sequences
    from scaleplan.compute.layout import Layout, Recompute
    from scaleplan.compute.layouts import Task, task_memory, zeros
    from scaleplan.compute.memory import usable

    try:
        shared = shared_sequences(sequences, accelerators, given=given)
    except UsageError:
        return False
    # Memory does not depend on what was fitted to the time of steps.
    task = Task(shape, device, Calibration(1.0, 1.0, 1.0, "", ""), accelerators, shared)
    room = usable(device)
    for place in places(shape, device, accelerators, shared, Asked()):
        t, p, d, c = place
        e = expert_ranks(shape, d * c, Asked())[-1]
        for zero in zeros(place):
            layout = Layout(t, p, d, c, e, zero=zero, recompute=Recompute.FULL, stack=task.stack)
            if task_memory(task, layout).total <= room:
                return True
    return False


def _device(machine: Machine, memory: float | None) -> Device:
    """The accelerator as memory sees it; rates and links have no part in it."""
    from scaleplan.compute.device import Device

    known = machine.accelerator.number("memory")
    if memory is None and known is None:
        raise UsageError(f"{machine.part.id} has no known memory: give a size instead of fit, such as memory 80GB")
    return Device(
        id=machine.part.id,
        precision=machine.part.precision,
        peak=machine.part.peak,
        memory=memory if memory is not None else 1e9 * (known or 0.0),
        memory_bandwidth=math.nan,
        link=math.nan,
        network=math.nan,
        domain=int(machine.accelerator.number("domain") or 1),
    )


def _batch(machine: Machine) -> Callable[[float], float]:
    """Tokens of a step by active parameters."""
    given = machine.conditions.batch
    if given is not None:
        return lambda _active: given
    from scaleplan.laws.hyper_step import HyperStep
    from scaleplan.specs.estimates import DEFAULT_BATCH
    from scaleplan.specs.presets import read

    data = read("laws", DEFAULT_BATCH, whole=False).data
    constants = data["groups"][data["default"]["hyper"][0]]["constants"]
    rule = HyperStep(**{symbol: float(each["value"]) for symbol, each in constants.items()})
    return lambda active: float(rule.batch_of(TOKENS_PER_PARAM * active))
