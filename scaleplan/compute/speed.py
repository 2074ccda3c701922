"""How fast a cluster trains a model, estimated: the fastest layout that fits, by the step-time model.

A number of accelerators that divides badly, or too many for the batch, is slower than fewer of them would be; then the
run takes as many as are fastest, and the others stand idle and are paid for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scaleplan import units
from scaleplan.compute.bill import Span
from scaleplan.compute.costing import ROUND_DIGITS, Speed, floor_binary
from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.divisions import odd_part, shared_sequences
from scaleplan.compute.layouts import Candidate, Task, quick_best
from scaleplan.compute.transformer import Transformer
from scaleplan.errors import InfeasibleError, Notice, UsageError

_MUCH_MOVED = 0.001
"""Of a batch: less is not worth a word."""
_MUCH_IDLE = 0.25
"""Our choice: the bubble of a pipeline in published layouts is below a fifth of a step."""
_EXPERTS = (
    "the steps of a mixture of experts are known within a factor of 2.5 only, and runs with transfers hidden as "
    "DeepSeek-V3's were are faster than the estimate; calibrate with measured steps, or give the utilisation."
)


class Batch(NamedTuple):
    """Tokens of a step; one that was ``given`` moves by little only to be shared."""

    tokens: float
    given: bool


class _Found(NamedTuple):
    used: int
    sequences: int
    best: Candidate

    @property
    def rate(self) -> float:
        """Sequences a second."""
        return self.sequences / float(self.best.time.seconds)


def estimated_speed(
    shape: Transformer,
    params: float,
    device: Device,
    calibration: Calibration,
    batch: Batch,
    accelerators: int,
    node: int,
) -> Speed:
    """The speed of a model on so many accelerators in the fastest layout that fits.

    Args:
        shape: the model.
        params: the parameters that a token passes, which the utilisation counts six times a token.
        device: one accelerator.
        calibration: what was fitted to measured steps on it.
        batch: of a step; so many whole sequences near it are taken as the accelerators can share.
        accelerators: how many there are, and are paid for.
        node: how many are a node.

    Raises:
        InfeasibleError: the model fits in no layout.
        UsageError: no layout divides.
    """

    def on(used: int) -> _Found:
        sequences = shared_sequences(batch.tokens / float(shape.context), used, given=batch.given)
        return _Found(used, sequences, quick_best(Task(shape, device, calibration, used, sequences)))

    found = _fastest(on, accelerators, node)
    tokens, time = found.sequences * float(shape.context), found.best.time
    step = Span(float(time.low), float(time.seconds), float(time.high))
    each = Span(*(tokens / (seconds * accelerators) for seconds in (step.high, step.value, step.low)))
    notices = _notices(found, accelerators, tokens, batch)
    return Speed(
        tokens_per_second=each,
        mfu=each.times(6 * params / device.peak),
        layout=found.best.layout,
        step_seconds=step,
        batch_tokens=tokens,
        warnings=tuple(notices if shape.experts is None else (*notices, Notice("experts", _EXPERTS))),
    )


def _fastest(on: Callable[[int], _Found], accelerators: int, node: int) -> _Found:
    """The cluster, or a part of it where the whole divides badly or waits much."""
    misfit: InfeasibleError | UsageError | None = None
    found: list[_Found] = []
    for used in (accelerators, *_parts(accelerators, node)):
        try:
            found.append(on(used))
        except InfeasibleError as error:
            misfit = misfit if isinstance(misfit, InfeasibleError) else error
        except UsageError as error:
            misfit = misfit or error
        whole = found[0] if found else None
        # The parts are looked at only where there is reason to.
        if used == accelerators and whole is not None and _divides(accelerators, node) and _idle(whole) <= _MUCH_IDLE:
            return whole
    if not found:
        assert misfit is not None
        raise misfit
    return max(found, key=lambda each: (each.rate, -each.used))


def _parts(accelerators: int, node: int) -> list[int]:
    """Fewer accelerators, in numbers of nodes that divide well, down to a quarter or an eighth of them."""
    nodes = accelerators // node
    rounded = [floor_binary(nodes, digits) for digits in range(ROUND_DIGITS, 0, -1)]
    power = floor_binary(nodes, 1)
    parts = {*rounded, 3 * power // 4, power // 2, 3 * power // 8, power // 4}
    return sorted((part * node for part in parts if 0 < part * node < accelerators), reverse=True)


def _divides(accelerators: int, node: int) -> bool:
    return accelerators < node or (accelerators % node == 0 and odd_part(accelerators // node) < 2**ROUND_DIGITS)


def _idle(found: _Found) -> float:
    return float(found.best.time.bubble) / float(found.best.time.seconds)


def _notices(found: _Found, accelerators: int, tokens: float, batch: Batch) -> list[Notice]:
    notices: list[Notice] = []
    if found.used < accelerators:
        text = (
            f"{found.used:,} of {accelerators:,} accelerators are used, and all are paid for: steps of "
            f"{units.count(tokens)} tokens are shared worse by more of them, or not at all."
        )
        notices.append(Notice("idle_accelerators", text))
    if _idle(found) > _MUCH_IDLE:
        text = (
            f"{_idle(found):.0%} of a step the pipeline waits: {units.count(tokens)} tokens a step are few for "
            f"{found.used:,} accelerators; fewer of them, or a larger batch, cost less."
        )
        notices.append(Notice("small_batch", text))
    if batch.given and abs(tokens / batch.tokens - 1) > _MUCH_MOVED:
        text = (
            f"a batch of {batch.tokens:,.0f} tokens is shared as {found.sequences:,} sequences, {tokens:,.0f} tokens."
        )
        notices.append(Notice("batch_rounded", text))
    return notices
