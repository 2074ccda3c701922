"""Bytes on one accelerator while a transformer trains, part by part.

Weights, gradients and Adam (Rajbhandari et al. 2020, arXiv 1910.02054, sec. 3 and 5, K = 12), P of a rank's parameters
on D ranks that hold the same ones, gradients of g bytes (``Stack.gradient_bytes``):

    stage 0   2 P + g P + 12 P            stage 2   2 P + (g + 12) P / D
    stage 1   2 P + g P + 12 P / D        stage 3   (2 + g + 12) P / D, and the layers gathered at a time

With 4-byte gradients the shards of stage 3 are those of fully sharded data parallelism, whose FP32 shard is master and
weight in one: 16 P / D either way (Zhao et al. 2023, arXiv 2304.11277).

Activations of a layer (Korthikanti et al. 2022, arXiv 2205.05198, sec. 4, with its terms kept apart for grouped
queries, gates and experts), bytes a token on t tensor-parallel ranks; their 34 h + 5 a s at t = 1:

    (8 + 2) h                   inputs of norms, attention and feed-forward; dropout masks; / t where sequence-parallel
    (4 q + 4 v) / t             queries, keys, values and what goes into the output matrix
    4 f / t, 6 f / t gated      around the activation function; 8 f gated where element-wise work is not fused
    (2 + 3) a s / t             softmax; its dropout; nothing where attention is fused (Dao et al. 2022, 2205.14135)

Pipeline: stage 1 holds p micro-batches of its layers, interleaved p (1 + (p - 1) / (p v)); the last one, and logits.
The worse of the two counts.

Training in 32 bits (fp32, tf32) keeps weights and activations of 4 bytes and no master copy besides: 8 P of Adam.
Training in 8 or 4 bits keeps weights and activations in 16: only operands of products are narrow, cast when needed.
docs/decisions/0010-memory.md has the constants, what they were fitted on, and the errors.
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.compute.device import Device
from scaleplan.compute.layout import Layout, Recompute, expert_copies, stage_layers
from scaleplan.compute.transformer import Transformer
from scaleplan.ops import Real, clip_low, lower, where

VALUE_BYTES = 2
"""Of a weight and a stored activation in 16 bits, which training in 8 and in 4 bits keeps too."""
WIDE_BYTES = 4
"""The same where a model trains in 32 bits."""
WIDE = ("fp32", "tf32")
"""Precisions with values of 32 bits; tf32 rounds them inside products only (NVIDIA, A100 whitepaper, 2020)."""
MOMENT_BYTES = 8
MASTER_BYTES = 4
"""Adam: momentum and variance in FP32, and a master weight where weights are narrower (Rajbhandari et al. 2020, sec.
3.1: K = 12)."""
GATHERED_LAYERS = 3
"""At stage 3: the layer that computes, the next one, and the first one's gradients before they are scattered; our
choice after the prefetch of fully sharded data parallelism (Zhao et al. 2023, sec. 3.3.2)."""
LOGITS_BYTES = 12
"""A logit at the peak: in FP32 its log-softmax, the gradient of that and its own, as PyTorch's cross-entropy keeps
them."""
FUSED_LOGITS_BYTES = 4
"""The same where one kernel makes the loss and its gradient of 16-bit logits in place, or a compiler does."""
FIXED_OVERHEAD = 4e9
"""[bytes] Context, communication buffers and workspaces; our choice within the 2 to 6 GB that measured peaks leave."""
FRAGMENTATION = 0.08
"""Of activations and logits that the allocator holds beyond them; our choice: slope of BLOOM's peaks over batch."""
FIT_SHARE = 0.8
"""Of a device's memory that an estimate may take to be called fitting."""


class Memory(NamedTuple):
    """Bytes on the fullest accelerator; ``total`` is the sum of the others."""

    weights: Real
    gradients: Real
    optimizer: Real
    activations: Real
    logits: Real
    overhead: Real
    total: Real


class _Bytes(NamedTuple):
    """Of a weight or activation, of what Adam keeps of a weight, of a gradient between steps, and of a logit."""

    value: int
    optimizer: int
    gradient: int
    logit: float


class _Common(NamedTuple):
    """What the stages share: ``sizes``, parameters of ``vectors``, and bytes a token.

    ``kept`` is that of a layer, ``working`` of the one whose backward pass is under way, ``logits`` of the head.
    """

    sizes: _Bytes
    vectors: Real
    kept: Real
    working: Real
    logits: Real


def value_bytes_at(precision: str) -> int:
    """Bytes of a weight and of a stored activation in training at a precision."""
    return WIDE_BYTES if precision in WIDE else VALUE_BYTES


def memory(
    shape: Transformer,
    layout: Layout,
    micro_batches: Real | None = None,
    *,
    value_bytes: int = VALUE_BYTES,
    logit_bytes: float = LOGITS_BYTES,
) -> Memory:
    """Memory that a layout takes of each accelerator, on the worse of the first and last pipeline stages.

    Args:
        shape: the transformer, its ``context`` that of the training sequences.
        layout: how it lies; degrees and ``micro_batch`` may be arrays.
        micro_batches: of a data-parallel rank in a step, where fewer than the pipeline could hold; many if ``None``.
        value_bytes: of each weight and activation, as ``value_bytes_at`` a precision.
        logit_bytes: of each logit, which are in 32 bits anyway; ``FUSED_LOGITS_BYTES`` where the loss is fused.
    """
    wide = value_bytes >= WIDE_BYTES
    optimizer = MOMENT_BYTES + (0 if wide else MASTER_BYTES)
    gradient = max(layout.stack.gradient_bytes, value_bytes)
    sizes = _Bytes(value_bytes, optimizer, gradient, logit_bytes)
    common = _Common(sizes, _vectors(shape), *_activations(shape, layout), _logits(shape, layout, sizes))
    first = _stage(shape, layout, micro_batches, common, first=True)
    last = _stage(shape, layout, micro_batches, common, first=False)
    worse = last.total > first.total
    return Memory(*(where(worse, b, a) for a, b in zip(first, last, strict=True)))


def usable(device: Device, fill: float = FIT_SHARE) -> float:
    """Bytes that an estimate may take: a share ``fill`` of the memory."""
    return fill * device.memory


def short(needed: Memory, device: Device, fill: float = FIT_SHARE) -> Real:
    """Bytes by which a share ``fill`` of an accelerator is too small; zero where the layout fits."""
    return clip_low(needed.total - usable(device, fill), 0.0)


def _stage(shape: Transformer, layout: Layout, micro_batches: Real | None, common: _Common, *, first: bool) -> Memory:
    p, v, sizes = layout.pipeline, layout.interleave, common.sizes
    alone = p <= 1
    has_head = 0.0 * p + (where(alone, 1.0, 0.0) if first else 1.0)
    layers = stage_layers(shape.layers, p, v)
    weights, gradients, optimizer = _static(shape, layout, layers, common, first=first, has_head=has_head)
    held = where(v > 1, p + (p - 1) / v, p) if first else ((v - 1) * p + 1) / v
    if micro_batches is not None:
        held = lower(held, micro_batches)
    tokens = layout.micro_batch * shape.context / layout.context
    # What a layer keeps is counted in values of 16 bits below: masks and the router's scores, small, widen with them.
    activations = tokens * sizes.value / VALUE_BYTES * (held * layers * common.kept + common.working)
    logits = has_head * tokens * common.logits
    overhead = FIXED_OVERHEAD + FRAGMENTATION * (activations + logits) + _widened(sizes, optimizer)
    total = weights + gradients + optimizer + activations + logits + overhead
    return Memory(weights, gradients, optimizer, activations, logits, overhead, total)


def _widened(sizes: _Bytes, optimizer: Real) -> Real:
    """The FP32 copy of 16-bit gradients that Adam updates its own shard with [bytes]."""
    return 4 / sizes.optimizer * optimizer if sizes.gradient < 4 else 0.0


def _static(
    shape: Transformer, layout: Layout, layers: Real, common: _Common, *, first: bool, has_head: Real
) -> tuple[Real, Real, Real]:
    """Weights, gradients and optimizer of a stage [bytes]."""
    sizes = common.sizes
    everywhere, routed = _parameters(shape, layout, layers, common.vectors, first=first)
    shards = layout.data * layout.context
    zero, wide = layout.zero, sizes.value >= WIDE_BYTES
    parted = everywhere / shards + routed / expert_copies(layout)
    whole = everywhere + routed
    gradients = sizes.gradient * (parted if zero >= 2 else whole)
    optimizer = sizes.optimizer * (parted if zero >= 1 else whole)
    if zero < 3:
        return sizes.value * whole, gradients, optimizer
    # A 4-byte gradient of a 16-bit weight goes with an FP32 shard that is weight and master in one.
    kept = sizes.value * parted if wide or sizes.gradient < 4 else 0.0 * parted
    at_a_time = lower(GATHERED_LAYERS, 2 * layers)
    gathered = at_a_time * whole_layer(shape, layout) + has_head * shape.vocabulary * shape.width / layout.tensor
    return kept + where(shards > 1, sizes.value * gathered, 0.0), gradients, optimizer


def _vectors(shape: Transformer) -> Real:
    """Parameters that are not in the layers' matrices nor the vocabulary's, and are not divided by ``tensor``."""
    moe, matrix = shape.experts, shape.vocabulary * shape.width
    rest = shape.params.total - shape.layers * shape.attention_layer - matrix * (1 if shape.tied else 2)
    if moe is None:
        return rest - shape.layers * shape.dense_ffn_layer
    with_experts = (moe.count + moe.shared) * shape.expert_ffn + moe.count * shape.width
    return rest - moe.dense_layers * shape.dense_ffn_layer - (shape.layers - moe.dense_layers) * with_experts


def _parameters(shape: Transformer, layout: Layout, layers: Real, vectors: Real, *, first: bool) -> tuple[Real, Real]:
    """Parameters of a rank of a stage: those on every data-parallel rank, and those of its routed experts.

    Of the layers those with experts come first to the fullest stage.
    """
    t, moe, matrix = layout.tensor, shape.experts, shape.vocabulary * shape.width
    sparse = 0.0 * layers if moe is None else lower(layers, shape.layers - moe.dense_layers)
    common = layers * shape.attention_layer / t + (layers - sparse) * shape.dense_ffn_layer / t
    routed: Real = 0.0 * layers
    if moe is not None:
        everywhere = moe.shared * shape.expert_ffn / t + moe.count * shape.width
        common, routed = common + sparse * everywhere, sparse * moe.count * shape.expert_ffn / layout.expert
    alone = 0.0 if shape.tied or not first else 1.0
    ends = where(layout.pipeline > 1, 1.0, 1.0 + alone) * matrix / t
    return common + vectors * layers / shape.layers + ends, routed


def whole_layer(shape: Transformer, layout: Layout) -> Real:
    """Parameters of the largest layer on a tensor- and expert-parallel rank."""
    moe = shape.experts
    if moe is None:
        return (shape.attention_layer + shape.dense_ffn_layer) / layout.tensor
    shared = (shape.attention_layer + moe.shared * shape.expert_ffn) / layout.tensor
    return shared + moe.count * shape.expert_ffn / layout.expert


def _activations(shape: Transformer, layout: Layout) -> tuple[Real, Real]:
    """Bytes a token of what is kept of a layer, and of what the one has besides whose backward pass is under way."""
    kept = _layer_bytes(shape, layout, layout.recompute)
    everything = kept if layout.recompute is Recompute.NONE else _layer_bytes(shape, layout, Recompute.NONE)
    inner, _ = _feed_forward(shape, layout)
    # Gradients of the feed-forward part, and its input with its gradient, gathered from all tensor-parallel ranks.
    working = inner + 4 * shape.width
    return kept, (everything - kept) + working


def _layer_bytes(shape: Transformer, layout: Layout, recompute: Recompute) -> Real:
    """Bytes a token that a layer keeps for its backward pass."""
    t, h = layout.tensor, shape.width
    spread = t if layout.sequence_parallel else 1
    if recompute is Recompute.FULL:
        return 2 * h / spread
    projected, replicated, saved = _attention_bytes(shape)
    inner, half = _feed_forward(shape, layout)
    if recompute is Recompute.SELECTIVE_OP:
        return 4 * h / spread + replicated / (2 * spread) + saved / t + half
    dropped = 2 if layout.stack.dropout else 0
    core: Real = 0.0
    if recompute is Recompute.NONE and not layout.stack.flash:
        core = (5 if layout.stack.dropout else 2) * shape.heads * shape.context / t
    return (8 + dropped) * h / spread + replicated / spread + projected / t + inner + core


def _attention_bytes(shape: Transformer) -> tuple[Real, Real, Real]:
    """Bytes a token of projections on the heads, of latents on every rank, and of every second product's result.

    The last is what per-operator policies keep (PyTorch's torchtitan): the attention's output, queries and values.
    """
    if shape.latent is None:
        q, kv = shape.query_width, shape.key_value_width
        return 4 * (q + kv), 0.0, 4 * q + 2 * kv
    m, a = shape.latent, shape.heads
    keys, values = a * (m.plain_size + m.rotary_size), a * m.value_size
    latents = 4 * (m.query_rank + m.key_value_rank) + 2 * m.rotary_size
    return 4 * (keys + values), latents, 2 * keys + 4 * values


def _feed_forward(shape: Transformer, layout: Layout) -> tuple[Real, Real]:
    """Bytes a token around the activation function of a feed-forward part, and what per-operator policies keep.

    Tokens come to experts in as many copies as are active, in the mean as many as leave; the router keeps its scores
    in FP32, before and after the softmax.
    """
    t, moe = layout.tensor, shape.experts
    a_value = 4 if not shape.gated else 6 if layout.stack.fused else 8
    if moe is None:
        return a_value * shape.feed_forward / t, 2 * shape.feed_forward / t
    spread = t if layout.sequence_parallel else 1
    routed = moe.active * (a_value * moe.feed_forward + 4 * shape.width) + 8 * moe.count
    shared = moe.shared * moe.feed_forward / t
    kept = moe.active * (2 * moe.feed_forward + 2 * shape.width) / spread + 2 * shared
    return routed / spread + a_value * shared, kept


def _logits(shape: Transformer, layout: Layout, sizes: _Bytes) -> Real:
    """Bytes a token of logits with their gradients, and of the last norm's and the head's inputs."""
    spread = layout.tensor if layout.sequence_parallel else 1
    return sizes.logit * shape.vocabulary / layout.tensor + 2 * sizes.value * shape.width / spread
