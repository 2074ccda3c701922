"""Seconds of one training step, in parts.

A stage of l layers takes tau = l * layer (+ output head) for a micro-batch; with m micro-batches, p stages and v
chunks of layers a stage (Narayanan et al. 2021, arXiv 2104.04473, sec. 2.2)

    step = m * (slowest tau + transfers to the next stage) + (p - 1) / v * mean tau + data parallelism + optimizer.

Layers are shared out in whole chunks, the last stage has one fewer where they do not divide, and the head on top.
The parts of tau: ``step_layer``; of communication: ``step_communication``. docs/decisions/0009-step-time.md has the
constants, the steps they were compared with and the errors.
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.compute.communication import cluster
from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.layout import Layout, expert_copies, stage_layers
from scaleplan.compute.step_communication import (
    data_transfers,
    layer_transfers,
    rank_params,
    stage_transfers,
)
from scaleplan.compute.step_layer import Rates, head, layer, rates
from scaleplan.compute.transformer import Transformer
from scaleplan.ops import Real, where

OPTIMIZER_BYTES = 34
"""Adam reads a gradient, a weight and two moments of four bytes and writes weight and moments, a copy in 16 bits, and
clears the gradient: 16 + 12 + 2 + 4."""


class StepTime(NamedTuple):
    """``seconds`` of a step, the printed range, and the parts that add up to ``seconds``.

    ``products`` matrix products, ``attention`` scores and weighted values, ``memory`` element-wise work, ``launch``
    waiting for kernels; ``tensor``, ``context``, ``experts`` and ``pipeline`` transfers of each kind of parallelism and
    ``data`` those of gradients and weights, all as far as nothing hides them; ``bubble`` idle stages; ``optimizer``.
    """

    seconds: Real
    low: Real
    high: Real
    products: Real
    attention: Real
    memory: Real
    launch: Real
    tensor: Real
    context: Real
    experts: Real
    pipeline: Real
    bubble: Real
    data: Real
    optimizer: Real


def step_time(
    shape: Transformer, layout: Layout, device: Device, calibration: Calibration, sequences: Real
) -> StepTime:
    """The time of a step of ``sequences`` sequences of ``shape.context`` tokens; degrees and sizes may be arrays.

    Whether the degrees divide the shape and the batch is not checked here.
    """
    p, v, c = layout.pipeline, layout.interleave, calibration.time_factor
    tokens = layout.micro_batch * shape.context / layout.context
    m = sequences / (layout.data * layout.micro_batch)
    speed, net = rates(device, calibration), cluster(device, calibration, layout.accelerators)
    forward, backward = layer(shape, layout, speed, tokens)
    last = head(shape, layout, speed, tokens)
    links = layer_transfers(shape, layout, net, tokens, forward.attention + backward.attention)
    one = forward.total + backward.total + links.tensor + links.context + links.experts
    most, fewest = stage_ends(shape.layers, p, v)
    at_end = fewest * one + last.total > most * one
    layers, heads = where(at_end, fewest, most), where(at_end, 1.0, 0.0)
    n, h = c * m * layers, c * m * heads
    parts = (
        n * (forward.products + backward.products) + h * last.products,
        n * (forward.attention + backward.attention),
        n * (forward.memory + backward.memory) + h * last.memory,
        n * (forward.launch + backward.launch),
        n * links.tensor,
        n * links.context,
        n * links.experts,
        c * m * stage_transfers(shape, layout, net, tokens),
        c * (p - 1) / v * (shape.layers * one + last.total) / p,
        c * data_transfers(shape, layout, net, layers * one + heads * last.total, m),
        c * _optimizer(shape, layout, speed),
    )
    seconds = sum(parts)
    lowest, highest = _range(shape, calibration)
    return StepTime(seconds, lowest * seconds, highest * seconds, *parts)


def stage_ends(layers: Real, p: Real, v: Real) -> tuple[Real, Real]:
    """Layers of the fullest stage and of the last, which has one fewer where whole chunks do not divide."""
    most = stage_layers(layers, p, v)
    short = p * most - layers
    return most, most - where(short < 1, short, 1)


def _range(shape: Transformer, calibration: Calibration) -> tuple[float, float]:
    """Factors from a time to the ends of its printed range: for dense models as far below as above in the logarithm."""
    if shape.experts is not None:
        return calibration.expert_range
    return 1 / (1 + calibration.error), 1 + calibration.error


def _optimizer(shape: Transformer, layout: Layout, speed: Rates) -> Real:
    """Seconds of the update, sharded over data from the first stage of ZeRO on."""
    own, routed = rank_params(shape, layout)
    if layout.zero:
        own, routed = own / (layout.data * layout.context), routed / expert_copies(layout)
    return speed.traffic * OPTIMIZER_BYTES * (own + routed) / speed.bandwidth
