"""How fast a cluster trains a model, estimated: the fastest layout that fits, by the step-time model."""

from __future__ import annotations

from scaleplan import units
from scaleplan.compute.bill import Span
from scaleplan.compute.costing import Speed
from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.divisions import shared_sequences
from scaleplan.compute.layouts import Task, quick_best
from scaleplan.compute.transformer import Transformer
from scaleplan.errors import Notice

_MUCH_MOVED = 0.001
_EXPERTS = (
    "the steps of a mixture of experts are known within a factor of 2.5 only, and runs with transfers hidden as "
    "DeepSeek-V3's were are faster than the estimate; calibrate with measured steps, or give the utilisation."
)
_MUCH_IDLE = 0.25
"""Our choice: the bubble of a pipeline in published layouts is below a fifth of a step."""


def estimated_speed(
    shape: Transformer,
    params: float,
    device: Device,
    calibration: Calibration,
    batch_tokens: float,
    accelerators: int,
    *,
    batch_given: bool = False,
) -> Speed:
    """The speed of a model on so many accelerators in the fastest layout that fits.

    Args:
        shape: the model.
        params: the parameters that a token passes, which the utilisation counts six times a token.
        device: one accelerator.
        calibration: what was fitted to measured steps on it.
        batch_tokens: of a step; so many whole sequences near it are taken as the accelerators can share.
        accelerators: how many.
        batch_given: whether the batch was given, and may move by little only.

    Raises:
        InfeasibleError: the model fits in no layout.
    """
    sequences = shared_sequences(batch_tokens / float(shape.context), accelerators, given=batch_given)
    best = quick_best(Task(shape, device, calibration, accelerators, sequences))
    tokens = sequences * float(shape.context)
    time = best.time
    step = Span(float(time.low), float(time.seconds), float(time.high))
    each = Span(*(tokens / (seconds * accelerators) for seconds in (step.high, step.value, step.low)))
    idle = float(time.bubble) / float(time.seconds)
    notices = [_small_batch(idle, tokens, accelerators)] if idle > _MUCH_IDLE else []
    if batch_given and abs(tokens / batch_tokens - 1) > _MUCH_MOVED:
        notices.append(_batch_rounded(batch_tokens, sequences, int(shape.context)))
    if shape.experts is not None:
        notices.append(Notice("experts", _EXPERTS))
    return Speed(
        tokens_per_second=each,
        mfu=each.times(6 * params / device.peak),
        layout=best.layout,
        step_seconds=step,
        batch_tokens=tokens,
        warnings=tuple(notices),
    )


def _batch_rounded(wanted: float, sequences: int, context: int) -> Notice:
    taken = sequences * context
    text = f"a batch of {wanted:,.0f} tokens is shared as {sequences:,} sequences of {context:,}, {taken:,} tokens."
    return Notice("batch_rounded", text)


def _small_batch(idle: float, tokens: float, accelerators: int) -> Notice:
    text = (
        f"{idle:.0%} of a step the pipeline waits: {units.count(tokens)} tokens a step are few for {accelerators:,} "
        "accelerators; fewer of them, or a larger batch (--batch), cost less."
    )
    return Notice("small_batch", text)
