"""The matrix products of a layer on one tensor-parallel rank: sizes only, no seconds."""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.compute.layout import Layout
from scaleplan.compute.transformer import Experts, Transformer
from scaleplan.ops import Real

LINEAR_WAVE = 108 * 128 * 256
"""Outputs that an A100 computes at a time, one tile of 128 x 256 on each of its 108 multiprocessors (NVIDIA, "Matrix
Multiplication Background User's Guide"); other accelerators differ by less than a third."""


class Linear(NamedTuple):
    """Products with weights, summed over the matrices of a layer.

    ``met`` weights multiply a token, ``read`` are read to do so; a token has ``elements`` of inputs and outputs.
    ``depth`` sums the inner dimensions forward, ``depth_back`` those of the gradient, over ``products`` of them.
    """

    met: Real
    elements: Real
    read: Real
    depth: Real
    depth_back: Real
    products: int

    def plus(self, other: Linear) -> Linear:
        """Both."""
        return Linear(
            self.met + other.met,
            self.elements + other.elements,
            self.read + other.read,
            self.depth + other.depth,
            self.depth_back + other.depth_back,
            self.products + other.products,
        )


def attention(shape: Transformer, t: Real) -> Linear:
    """Queries, keys and values in one product, and the output; five products with latent keys and values."""
    weights, d, m = shape.attention_layer / t, shape.width, shape.latent
    if m is None:
        q, kv = shape.query_width / t, shape.key_value_width / t
        return Linear(weights, 2 * (d + q + kv), weights, d + q, q + 2 * kv + d, 2)
    a, low = shape.heads / t, m.query_rank + m.key_value_rank
    values = a * m.value_size
    up = a * (2 * m.plain_size + m.rotary_size) + values
    elements = 2 * d + 2 * low + m.rotary_size + up + values
    return Linear(weights, elements, weights, 2 * d + low + values, low + m.rotary_size + up + d, 5)


def feed_forward(shape: Transformer, t: Real) -> Linear:
    """Up, with the gate where there is one, and down."""
    d, f, g = shape.width, shape.feed_forward / t, shape.ffn_matrices
    weights = g * d * f
    return Linear(weights, 2 * d + g * f, weights, d + f, (g - 1) * f + d, 2)


def experts(shape: Transformer, moe: Experts, layout: Layout) -> Linear:
    """The router, shared and routed experts: a rank computes as many rows for others as others for it.

    Routed experts are whole, each rank of ``expert`` has its part of them, and their products run as one group.
    """
    t, d, f, g = layout.tensor, shape.width, moe.feed_forward, shape.ffn_matrices
    one, router, used = g * d * f, moe.count * d, moe.active + moe.shared
    met = used * one / t + router
    read = moe.count * one / layout.expert + moe.shared * one / t + router
    return Linear(met, used * (2 * d + g * f) / t + d, read, 2 * d + f, (g - 1) * f + d + moe.count, 3)
