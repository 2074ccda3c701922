"""Seconds that one layer, and the output head, take for one micro-batch on one accelerator, without communication.

T tokens meet a matrix of K x N weights on their rank. The product takes

    (2 T K N + w K) / (efficiency * peak) + bytes of weights, input and output / memory bandwidth:

a roofline without a corner, so that thin products lose efficiency without a table of curves, and half a wave of tiles
lost at the end, w / 2 outputs of K multiply-adds (NVIDIA, "Matrix Multiplication Background User's Guide", tile and
wave quantization). Backward there are two such products for each one forward, and the weights' gradient is read and
written. Everything else is bound by memory and takes traffic * bytes / memory bandwidth.

The layer is that of Korthikanti et al. 2022 (arXiv 2205.05198, sec. 3). Fused attention computes two products of the
scores' size forward and five backward, and skips the masked half (Dao et al. 2022, arXiv 2205.14135; Dao 2023,
arXiv 2307.08691); unfused attention computes all scores and moves them through memory.
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.compute.communication import larger
from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.layout import SELECTIVE_OP_PRODUCTS, Layout, Recompute
from scaleplan.compute.step_products import LINEAR_WAVE, Linear, attention, experts, feed_forward
from scaleplan.compute.transformer import Experts, Transformer
from scaleplan.ops import Real, where

FUSED_ATTENTION = 0.42
"""Rate of fused attention over that of large products. Our choice, looking at steps of 8k to 64k tokens: Dao 2023
prints 0.55 to 0.75 of it on A100 and half on H100, the first version of 2022 and its Triton port reach 0.3 to 0.4."""
EAGER_TRAFFIC = 2.5
"""Bytes of element-wise work without a compiler over those with one: norms in 32 bits and an activation in parts read
and write two to three times as much. Our choice; it gives the 15 % that torchtitan's table (December 2024) shows."""
KERNEL_START = 5e-6
KERNELS = (25, 50)
KERNELS_EXPERTS = (100, 200)
"""[s] from one kernel's start to the next, and how many a layer has forward and backward: no layer is faster. Our
choice: it matters only to small models and to experts with few tokens."""
LOGITS_TRAFFIC = 24
"""A logit, forward and backward: written and read in 16 bits, cast to 32, exponentials, gradient. Our choice."""
SCORE_BYTES = 8
SCORE_BYTES_DROPOUT = 5
"""A score of unfused attention forward: product written, softmax read and written, product read; dropout reads and
writes once more and keeps a mask of one byte (Korthikanti et al. 2022, sec. 4.1)."""
GRADIENT_BYTES = 8
"""A weight's gradient for every micro-batch: added to 32 bits in the product's epilogue, read and written; or written
in 16 bits, then read with the sum and written again."""
_OPERAND_BYTES = {"fp8": 1.0, "mxfp8": 1.0, "int8": 1.0, "fp4": 0.5, "mxfp4": 0.5, "nvfp4": 0.5}


class Work(NamedTuple):
    """Seconds of matrix products, of attention's core, of memory-bound work, and of waiting for kernels to start."""

    products: Real
    attention: Real
    memory: Real
    launch: Real

    @property
    def total(self) -> Real:
        """All of it."""
        return self.products + self.attention + self.memory + self.launch


class Rates(NamedTuple):
    """Of an accelerator: products and products of 16 bits [FLOP/s], memory [B/s], bytes of an operand, ``traffic``."""

    products: float
    products16: float
    bandwidth: float
    operand: float
    traffic: float


class _Pass(NamedTuple):
    """What decides the passes through one kind of layer."""

    linear: Linear
    token_bytes: Real
    kernels: tuple[int, int]


def rates(device: Device, calibration: Calibration) -> Rates:
    """What a calibration leaves of an accelerator's peaks; attention and logits are computed in 16 bits."""
    operand = _OPERAND_BYTES.get(device.precision, 2.0)
    products = calibration.efficiency * device.peak
    return Rates(products, products * operand / 2, device.memory_bandwidth, operand, calibration.traffic)


def layer(shape: Transformer, layout: Layout, speed: Rates, tokens: Real) -> tuple[Work, Work]:
    """Forward, and backward with what is computed again, of the mean layer with ``tokens`` tokens on a rank."""
    t, moe = layout.tensor, shape.experts
    linear, bytes_ = attention(shape, t), _attention_bytes(shape, layout)
    core = _core(shape, layout, speed, tokens)
    dense_bytes = bytes_ + 2 * shape.ffn_matrices * shape.feed_forward / t
    dense = _Pass(linear.plus(feed_forward(shape, t)), dense_bytes, KERNELS)
    if moe is None:
        return _passes(layout, speed, tokens, dense, core)
    sparse = _Pass(linear.plus(experts(shape, moe, layout)), bytes_ + _expert_bytes(shape, moe) / t, KERNELS_EXPERTS)
    forward, backward = _passes(layout, speed, tokens, sparse, core)
    plain_forward, plain_backward = _passes(layout, speed, tokens, dense, core)
    share = moe.dense_layers / shape.layers
    return _mix(forward, plain_forward, share), _mix(backward, plain_backward, share)


def head(shape: Transformer, layout: Layout, speed: Rates, tokens: Real) -> Work:
    """Output head and loss, forward and backward."""
    d, columns = shape.width, shape.vocabulary / layout.tensor
    linear = Linear(d * columns, d + columns, d * columns, d, columns, 1)
    forward, backward = _products(speed._replace(products=speed.products16, operand=2.0), tokens, linear)
    memory = speed.traffic * LOGITS_TRAFFIC * tokens * columns / speed.bandwidth
    return Work(forward + backward, 0.0, memory, 0.0)


def _attention_bytes(shape: Transformer, layout: Layout) -> Real:
    """Bytes of element-wise work a token, feed-forward part left out: norms 8 d, residuals 12 d, rotation."""
    wide = 20 * shape.width / (layout.tensor if layout.sequence_parallel else 1)
    return wide + 4 * (shape.query_width + shape.key_value_width) / layout.tensor


def _expert_bytes(shape: Transformer, moe: Experts) -> Real:
    """Bytes of element-wise work a token in experts: activations, and its rows permuted, returned and weighted."""
    inner = 2 * shape.ffn_matrices * moe.feed_forward
    return (moe.active + moe.shared) * inner + 12 * moe.active * shape.width


def _core(shape: Transformer, layout: Layout, speed: Rates, tokens: Real) -> tuple[Real, Real]:
    """Seconds of scores, softmax and weighted values, forward and backward without recomputation."""
    s, heads = shape.context, tokens * shape.heads / layout.tensor
    m = shape.latent
    size = 2 * shape.head_size if m is None else m.plain_size + m.rotary_size + m.value_size
    if layout.stack.flash:
        forward = 2 * heads * size * _reach(shape) / (FUSED_ATTENTION * speed.products16)
        return forward, 2.5 * forward
    bytes_ = SCORE_BYTES + (SCORE_BYTES_DROPOUT if layout.stack.dropout else 0)
    forward = heads * s * (2 * size / speed.products16 + speed.traffic * bytes_ / speed.bandwidth)
    return forward, 2 * forward


def _reach(shape: Transformer) -> Real:
    """Tokens that the mean query of the mean layer looks back on."""
    s, window = shape.context, shape.window
    if window is None:
        return s / 2
    w = where(window.tokens < s, window.tokens, s)
    share = window.layers / shape.layers
    return (1 - share) * s / 2 + share * (w - w * w / (2 * s))


def _products(speed: Rates, tokens: Real, linear: Linear) -> tuple[Real, Real]:
    """Seconds of matrix products forward and backward."""
    moved = tokens * linear.elements * (speed.operand + 2) / 2 + speed.operand * linear.read
    one = 2 * tokens * linear.met / speed.products + moved / speed.bandwidth
    wave = LINEAR_WAVE / speed.products
    back = 2 * one + wave * (linear.depth_back + linear.products * tokens)
    return one + wave * linear.depth, back + GRADIENT_BYTES * linear.read / speed.bandwidth


def _passes(layout: Layout, speed: Rates, tokens: Real, kind: _Pass, core: tuple[Real, Real]) -> tuple[Work, Work]:
    """Forward and backward of one kind of layer."""
    forward, backward = _products(speed, tokens, kind.linear)
    factor = speed.traffic if layout.stack.fused else speed.traffic * EAGER_TRAFFIC
    memory = factor * tokens * kind.token_bytes / speed.bandwidth
    products, scores, rest = _again(layout)
    return (
        _launched(forward, core[0], memory, kind.kernels[0]),
        _launched(backward + products * forward, core[1] + scores * core[0], (2 + rest) * memory, kind.kernels[1]),
    )


def _again(layout: Layout) -> tuple[float, float, float]:
    """Shares of the forward pass's products, scores and memory-bound work that run once more.

    Per-operator policies repeat all that is bound by memory (our reading of torchtitan's) with their products.
    """
    if layout.recompute is Recompute.FULL:
        return 1.0, 1.0, 1.0
    if layout.recompute is Recompute.SELECTIVE_OP:
        return SELECTIVE_OP_PRODUCTS, 0.0, 1.0
    if layout.recompute is Recompute.SELECTIVE and not layout.stack.flash:
        return 0.0, 1.0, 0.0
    return 0.0, 0.0, 0.0


def _launched(products: Real, scores: Real, memory: Real, kernels: int) -> Work:
    """The same work, no faster than its kernels can be started."""
    wait = kernels * KERNEL_START - (products + scores + memory)
    return Work(products, scores, memory, larger(wait, 0.0))


def _mix(one: Work, other: Work, share: Real) -> Work:
    """A mean layer, of which ``share`` are of the other kind."""
    rest = 1 - share
    return Work(*(rest * a + share * b for a, b in zip(one, other, strict=True)))
