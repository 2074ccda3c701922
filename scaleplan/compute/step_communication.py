"""Seconds of communication in a training step, and what of it is not hidden behind computation.

tensor      2 all-reduces of T d elements a layer forward, 2 backward, 2 more if all is computed again
            (Shoeybi et al. 2019, arXiv 1909.08053; as gathers and scatters with sequence parallelism they move the
            same bytes, Korthikanti et al. 2022, arXiv 2205.05198)
context     keys and values once round a ring forward, twice backward with their gradients (Liu et al. 2023,
            arXiv 2310.01889), behind attention
experts     rows of active experts there and back, forward and backward (Lepikhin et al. 2020, arXiv 2006.16668)
pipeline    a micro-batch's activations and their gradient from stage to stage, once for each chunk of layers, each
            tensor rank its part (Narayanan et al. 2021, arXiv 2104.04473, sec. 4.1)
data        ZeRO 0: gradients all-reduced. ZeRO 1, 2: gradients scattered, weights gathered. ZeRO 3: weights
            gathered forward and backward, gradients scattered, for every micro-batch; once a step in a pipeline,
            as torchtitan does (Rajbhandari et al. 2020, arXiv 1910.02054)
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.compute.communication import Cluster, exchange, gather, larger, send
from scaleplan.compute.layout import Layout, Recompute, expert_copies
from scaleplan.compute.transformer import Transformer
from scaleplan.ops import Real, where

OVERLAPPED = 0.4
"""Of the tensor-parallel and pipeline transfers that run behind products, what still adds to the step: they share
multiprocessors and memory with them. Our choice."""
LEAST_EXPOSED = 0.25
HIDING = 0.75
"""Of other transfers at least a quarter adds to the step, and no more than three quarters of the computation can hide
them: the first and last have nothing to hide behind. Our choice."""


class LayerTransfers(NamedTuple):
    """Seconds a layer and micro-batch, forward and backward, that add to the step."""

    tensor: Real
    context: Real
    experts: Real


def layer_transfers(
    shape: Transformer, layout: Layout, cluster: Cluster, tokens: Real, attention: Real
) -> LayerTransfers:
    """Transfers in a layer with ``tokens`` tokens on a rank whose attention takes ``attention`` seconds."""
    t, c = layout.tensor, layout.context
    again = 1 if layout.recompute is Recompute.FULL else 0
    tensor = (4 + 2 * again) * 2 * gather(2 * tokens * shape.width, t, 1, cluster)
    if layout.stack.overlap:
        tensor = OVERLAPPED * tensor
    ring = gather(4 * tokens * c * shape.key_value_width / t, c, t, cluster)
    context = exposed((3 + again) * ring, HIDING * attention)
    if shape.experts is None:
        return LayerTransfers(tensor, context, 0.0)
    moe, rows = shape.experts, 2 * tokens * shape.width / t
    share = 1 - moe.dense_layers / shape.layers
    once = exchange(rows, moe.active, layout.expert, 1, cluster)
    return LayerTransfers(tensor, context, share * (4 + 2 * again) * once)


def stage_transfers(shape: Transformer, layout: Layout, cluster: Cluster, tokens: Real) -> Real:
    """Seconds a micro-batch and stage, to the next stage and back, that add to the step."""
    p, t = layout.pipeline, layout.tensor
    inside = cluster.domain % (t * layout.context * p) == 0
    one = send(2 * tokens * shape.width / t, inside, cluster)
    return where(p > 1, (2 * OVERLAPPED if layout.stack.overlap else 2) * layout.interleave * one, 0.0)


def data_transfers(shape: Transformer, layout: Layout, cluster: Cluster, stage: Real, micro_batches: Real) -> Real:
    """Seconds a step of gradients and weights among data-parallel ranks that add to it.

    ``stage`` is the time of a micro-batch on a stage, behind which transfers hide.
    """
    g = min(layout.stack.gradient_bytes, 4)  # where both 2 and 4 bytes are kept, one of them travels
    if layout.zero >= 3:
        times = where(layout.pipeline > 1, 1.0, micro_batches)
        return times * exposed(_moved(shape, layout, cluster, 4 + g), HIDING * stage)
    seconds = _moved(shape, layout, cluster, g + (2 if layout.zero else g))
    return exposed(seconds, HIDING * stage) if layout.stack.overlap else seconds


def rank_params(shape: Transformer, layout: Layout) -> tuple[Real, Real]:
    """Parameters of a rank before sharding over data: outside routed experts, and in them."""
    t, p, moe = layout.tensor, layout.pipeline, shape.experts
    total = shape.params.total
    if moe is None:
        return total / (t * p), 0.0
    routed = (shape.layers - moe.dense_layers) * moe.count * shape.expert_ffn
    return (total - routed) / (t * p), routed / (layout.expert * p)


def exposed(seconds: Real, hiding: Real) -> Real:
    """What of a transfer adds to the step, given ``hiding`` seconds of computation to run behind."""
    return larger(LEAST_EXPOSED * seconds, seconds - hiding)


def _moved(shape: Transformer, layout: Layout, cluster: Cluster, bytes_: float) -> Real:
    """Seconds to gather or scatter ``bytes_`` for each parameter of a rank."""
    t = layout.tensor
    own, routed = rank_params(shape, layout)
    seconds = gather(bytes_ * own, layout.data * layout.context, t, cluster)
    if shape.experts is None:
        return seconds
    return seconds + gather(bytes_ * routed, expert_copies(layout), layout.expert, cluster)
