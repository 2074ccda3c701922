"""How fast a cluster trains a model, estimated: the fastest layout that fits, by the step-time model."""

from __future__ import annotations

import math

from scaleplan import units
from scaleplan.compute.bill import Span
from scaleplan.compute.costing import Speed
from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.layouts import quick_best
from scaleplan.compute.transformer import Transformer
from scaleplan.errors import Notice

_MUCH_IDLE = 0.25
"""Our choice: the bubble of a pipeline in published layouts is below a fifth of a step."""


def estimated_speed(
    shape: Transformer,
    params: float,
    device: Device,
    calibration: Calibration,
    batch_tokens: float,
    accelerators: int,
) -> Speed:
    """The speed of a model on so many accelerators in the fastest layout that fits.

    Args:
        shape: the model.
        params: the parameters that a token passes, which the utilisation counts six times a token.
        device: one accelerator.
        calibration: what was fitted to measured steps on it.
        batch_tokens: of a step; the nearest whole number of sequences that so many accelerators can share is taken.
        accelerators: how many.

    Raises:
        InfeasibleError: the model fits in no layout.
    """
    sequences = shared_sequences(batch_tokens / float(shape.context), accelerators)
    best = quick_best(shape, device, calibration, accelerators, sequences)
    tokens = sequences * float(shape.context)
    time = best.time
    step = Span(float(time.low), float(time.seconds), float(time.high))
    each = Span(*(tokens / (seconds * accelerators) for seconds in (step.high, step.value, step.low)))
    idle = float(time.bubble) / float(time.seconds)
    return Speed(
        tokens_per_second=each,
        mfu=each.times(6 * params / device.peak),
        layout=best.layout,
        step_seconds=step,
        batch_tokens=tokens,
        warnings=() if idle < _MUCH_IDLE else (_small_batch(idle, tokens, accelerators),),
    )


def _small_batch(idle: float, tokens: float, accelerators: int) -> Notice:
    text = (
        f"{idle:.0%} of a step the pipeline waits: {units.count(tokens)} tokens a step are few for {accelerators:,} "
        "accelerators; fewer of them, or a larger batch (--batch), cost less."
    )
    return Notice("small_batch", text)


def shared_sequences(wanted: float, accelerators: int) -> int:
    """The number of sequences nearest to ``wanted`` (by ratio) that so many accelerators can share.

    Tensor degrees and pipelines are mostly powers of two, so that data-parallel ranks keep the odd part of the number
    of accelerators, and the sequences must be that times a power of two; where it is too large, any divisor will do.
    """
    odd = accelerators // (accelerators & -accelerators)
    if odd <= 2 * wanted:
        return odd * 2 ** max(0, round(math.log2(wanted / odd)))
    pairs = ((d, accelerators // d) for d in range(1, math.isqrt(accelerators) + 1) if accelerators % d == 0)
    return min((d for pair in pairs for d in pair), key=lambda d: abs(math.log(d / max(wanted, 1.0))))
