"""The shape that a model of a given size typically has: a smooth family, and what real shapes scatter around.

A decoder whose layers have 12 d^2 weights, L of them of width d, has a core of P = 12 L d^2 weights and an aspect

    d / L = 6.47 P^0.119,   scatter 0.31 in the logarithm,

by least squares of ln(d / L) on ln P over 59 published dense decoders with gates, 0.5B to 540B, 2022 to 2026: 76 at
1B, 126 at 70B, 155 at 400B. Of all 102 dense decoders looked at, a tenth lie below 58 and a tenth above 169.

Keys and values of a g-th of the heads leave (10 - 2 / g) d^2 of the 12 to the feed-forward part, so that its width is
(10 - 2 / g) / 3 times d where gated, 8 / 3 without such sharing (Shazeer 2020, arXiv 2002.05202), and (10 - 2 / g) / 2
where not. Of the 54 gated decoders since 2023 the middle one is 1.11 times as wide; they scatter by 0.30 in the
logarithm.
"""

from __future__ import annotations

from scaleplan.compute.transformer import Transformer
from scaleplan.ops import Real, exp, log

ASPECT_FACTOR = 6.47
ASPECT_EXPONENT = 0.119
ASPECT_SCATTER = 0.31
"""Standard deviation of ln(d / L) around the fit."""
FEED_FORWARD_SCATTER = 0.30
"""Standard deviation of the logarithm of feed-forward width over that which makes 12 d^2 a layer."""
VOCABULARY = 128_256
"""Llama 3's (Grattafiori et al. 2024, arXiv 2407.21783), which 9 of 59 decoders since 2024 have; the middle one of them
has 151,936."""
CONTEXT = 8192
"""Tokens of a sequence: Llama 3's in pre-training, before its context is made longer; the middle one has 4,096."""
GROUP = 8
"""Heads to one with keys and values of its own: of the middle one of the dense decoders above 30B since 2023."""
HEAD_SIZE = 128
"""Of 60 of the 91 dense decoders from 1B parameters."""
_STEPS = 5
"""Our choice: four of Newton's steps in ln P reach rounding from 1e3 to 1e18 parameters, whatever the vocabulary."""


def core(layers: Real, width: Real) -> Real:
    """P = 12 L d^2, the weights of layers of width d in the family."""
    return 12 * layers * width * width


def typical_aspect(weights: Real) -> Real:
    """Width over layers of a model whose core has so many weights."""
    return ASPECT_FACTOR * exp(ASPECT_EXPONENT * log(weights))


def typical_feed_forward(group: Real, *, gated: bool = True) -> Real:
    """Feed-forward width over width, where ``group`` heads share keys and values and a layer has 12 d^2 weights."""
    return (10 - 2 / group) / (3 if gated else 2)


def generic_shape(
    params: Real, *, vocabulary: Real = VOCABULARY, context: Real = CONTEXT, tied: bool = False
) -> Transformer:
    """The member of the family with ``params`` parameters in all, embeddings and norms counted.

    Layers, width and heads are real numbers, so that what follows from them is smooth in ``params``; where the
    vocabulary outweighs the model they may fall below one. Heads are of 128, eight of them to one with keys and
    values, and the feed-forward part is gated.

    Args:
        params: total parameters, above zero; a float or an array.
        vocabulary: rows of the embedding.
        context: tokens of a training sequence.
        tied: whether the embedding serves as output head too.
    """
    # Of P the width is d = (6.47 / 12)^(1/3) P^w, and L d = P / (12 d): ln N is a convex, rising function of ln P,
    # and Newton, starting above its root, comes down to it.
    w, factor = (1 + ASPECT_EXPONENT) / 3, (ASPECT_FACTOR / 12) ** (1 / 3)
    per_width = vocabulary * (1 if tied else 2) + 1
    target = log(params)
    x: Real = target
    for _ in range(_STEPS):
        weights, width = exp(x), factor * exp(w * x)
        norms = weights / (6 * width)
        total = weights + norms + per_width * width
        slope = (weights + (1 - w) * norms + w * per_width * width) / total
        x = x - (log(total) - target) / slope
    width = factor * exp(w * x)
    return Transformer(
        layers=exp(x) / (12 * width * width),
        width=width,
        heads=width / HEAD_SIZE,
        kv_heads=width / (HEAD_SIZE * GROUP),
        head_size=HEAD_SIZE,
        feed_forward=width * typical_feed_forward(GROUP),
        vocabulary=vocabulary,
        context=context,
        tied=tied,
    )
