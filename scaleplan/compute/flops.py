"""Training FLOPs a token of one transformer, each way of counting them a type of its own.

    6N            6 (weights that multiply a token, the output head included)
    attention     12 L a k s for full attention, half of it where causal: queries by keys and weights by values, forward
                  and backward, over s tokens of context (Chowdhery et al. 2022, arXiv 2204.02311, app. B: 12 L H Q T)
    Kaplan        6 N_E + 6 L s d_attn, N_E the matrices of the layers, without the vocabulary, biases and norms
                  (Kaplan et al. 2020, arXiv 2001.08361, table 1, times 3)
    Hoffmann      3 forward passes of ``chinchilla_shape``, embedding and softmax included (arXiv 2203.15556, app. F)
    DeepSeek      M = 6 (weights of the layers) + 12 L d s, without the vocabulary (Bi et al. 2024, arXiv 2401.02954)
    hardware      6N with attention, and what is computed again

Half of causal attention is our reading of a kernel that skips what the mask hides; both counts are in use, by one
vendor even, so that a utilisation without its convention says little.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, cast

from scaleplan.compute.chinchilla_shape import ChinchillaShape
from scaleplan.compute.layout import SELECTIVE_OP_PRODUCTS, Recompute
from scaleplan.compute.transformer import Transformer
from scaleplan.errors import UsageError
from scaleplan.ops import Real, all_true, lower


class FlopCount(Enum):
    """Which FLOPs of a token are counted."""

    SIX_N = "6N"
    """Six a weight that multiplies a token, the output head included, the input embedding not."""
    SIX_N_TOTAL = "6N-total"
    """Six a parameter that a token passes, embeddings included: what C = 6ND counts."""
    CAUSAL = "6N+causal"
    FULL = "6N+full"
    KAPLAN = "kaplan"
    HOFFMANN = "hoffmann"
    DEEPSEEK = "deepseek"
    HARDWARE = "hardware"
    """``CAUSAL`` and the work that recomputation repeats."""


class FlopsPerToken(NamedTuple):
    """Training FLOPs of one token under a named count; two of them meet only under the same one."""

    value: Real
    counted: FlopCount

    def over(self, other: FlopsPerToken) -> Real:
        """This over ``other``.

        Raises:
            UsageError: they are counted differently.
        """
        if self.counted is not other.counted:
            raise UsageError(
                f"FLOPs counted as {self.counted.value} and as {other.counted.value} do not compare: count both one way"
            )
        return self.value / other.value


def attention_flops(shape: Transformer) -> Real:
    """Products of queries with keys and of weights with values [FLOP/token], forward, every pair of tokens counted."""
    s, layers = shape.context, shape.layers
    if shape.latent is None:
        per_pair = 4 * shape.query_width
    else:
        m = shape.latent
        per_pair = 2 * shape.heads * (m.plain_size + m.rotary_size + m.value_size)
    if shape.window is None:
        return per_pair * layers * s
    return per_pair * ((layers - shape.window.layers) * s + shape.window.layers * lower(shape.window.tokens, s))


def causal_attention_flops(shape: Transformer) -> Real:
    """The same where what the causal mask hides is skipped: half, and of a window w < s all but w / 2 s of it."""
    if shape.window is None:
        return attention_flops(shape) / 2
    s, w = shape.context, lower(shape.window.tokens, shape.context)
    windowed = attention_flops(shape._replace(window=None)) * shape.window.layers / shape.layers * (w / s)
    return (attention_flops(shape) - windowed) / 2 + windowed * (1 - w / (2 * s))


def train_flops_per_token(shape: Transformer, count: FlopCount, recompute: Recompute = Recompute.NONE) -> FlopsPerToken:
    """Training FLOPs of one token: forward, and twice that backward.

    Args:
        shape: the transformer; ``context`` tokens a sequence.
        count: the way of counting.
        recompute: what the backward pass computes again; only ``FlopCount.HARDWARE`` counts it.

    Raises:
        UsageError: Hoffmann's count of a shape that their appendix F does not describe.
    """
    return FlopsPerToken(_value(shape, count, recompute), count)


def _value(shape: Transformer, count: FlopCount, recompute: Recompute) -> Real:
    params, counts = shape.params, FlopCount
    matrices = 6 * params.matrices
    without_head = matrices - 6 * shape.vocabulary * shape.width
    ways: dict[FlopCount, Callable[[], Real]] = {
        counts.SIX_N: lambda: matrices,
        counts.SIX_N_TOTAL: lambda: 6 * params.active,
        counts.CAUSAL: lambda: matrices + 3 * causal_attention_flops(shape),
        counts.FULL: lambda: matrices + 3 * attention_flops(shape),
        counts.KAPLAN: lambda: without_head + 6 * shape.layers * shape.context * shape.query_width,
        counts.HOFFMANN: lambda: _hoffmann(shape),
        counts.DEEPSEEK: lambda: without_head + 3 * attention_flops(shape),
        counts.HARDWARE: lambda: (
            matrices + 3 * causal_attention_flops(shape) + recomputed_flops_per_token(shape, recompute)
        ),
    }
    return ways[count]()


def recomputed_flops_per_token(shape: Transformer, recompute: Recompute) -> Real:
    """FLOPs that the backward pass repeats [FLOP/token]; the output head is never computed again.

    Per-operator policies repeat ``SELECTIVE_OP_PRODUCTS`` of the products with weights, and nothing of attention.
    Selective recomputation repeats one forward pass of the attention core, causal as everywhere here. Korthikanti et
    al. 2022 (arXiv 2205.05198, table 5) count 12 L a k s for it: their utilisation of the hardware over that of the
    model, 43.7 over 41.5 % at 22B, takes three passes over every pair of tokens.
    """
    if recompute is Recompute.NONE:
        return 0.0 * shape.layers
    causal = causal_attention_flops(shape)
    if recompute is Recompute.SELECTIVE:
        return causal
    products = 2 * (shape.params.matrices - shape.vocabulary * shape.width)
    return products + causal if recompute is Recompute.FULL else SELECTIVE_OP_PRODUCTS * products


def _hoffmann(shape: Transformer) -> Real:
    other = shape.gated or shape.experts is not None or shape.latent is not None or shape.window is not None
    if other or not all_true(shape.kv_heads == shape.heads):
        what = "gates, experts, shared keys and values, latent attention or windows"
        raise UsageError(f"Hoffmann et al. count dense decoders without {what}")
    # The form is arithmetic throughout, so that its constants may be arrays as well.
    s, vocabulary = cast("float", shape.context), cast("float", shape.vocabulary)
    family = ChinchillaShape(V=vocabulary, s=s, m=4.0 + shape.position_matrices)
    return family.flop_per_sequence(shape.layers, shape.width, shape.feed_forward, shape.head_size, shape.heads) / s
