"""The shape of a decoder, and every parameter in it.

A layer of width d with a heads of size k, v of them with keys and values of their own, and feed-forward width f has

    attention   2 d a k + 2 d v k + m d a k        (query and output, key and value; m position matrices)
    feed-forward   g d f                           (g = 3 matrices where gated, 2 otherwise)
    experts     (n + shared) g d f_e + n d         (n routed experts of width f_e, and the router)

and the model V d for its input embedding, V d more for an output head of its own, and one vector of d (two where
there are biases) for each norm. Attention with latent keys and values (DeepSeek-AI 2024, arXiv 2405.04434, sec. 2.1)
has d q + q a (c + r) + d (w + r) + w a (c + v) + a v d in place of the first line: ranks q, w and head parts c, r, v.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from scaleplan.ops import Real


class Experts(NamedTuple):
    """The feed-forward part of a mixture of experts.

    ``count`` routed experts a layer, ``active`` of them for each token, ``shared`` that every token passes, each
    ``feed_forward`` wide; ``dense_layers`` of the layers have an ordinary feed-forward part instead.
    """

    count: Real  # pyright: ignore[reportIncompatibleMethodOverride] # a tuple's own count is of no use here
    active: Real
    feed_forward: Real
    shared: Real = 0
    dense_layers: Real = 0


class LatentAttention(NamedTuple):
    """Ranks of queries and of keys with values, and the parts of a head: without position, with it, and of values."""

    query_rank: Real
    key_value_rank: Real
    plain_size: Real
    rotary_size: Real
    value_size: Real


class Window(NamedTuple):
    """Attention that reaches back only ``tokens``, in ``layers`` of the layers."""

    tokens: Real
    layers: Real


class Params(NamedTuple):
    """The parameters of one model, each count a part of ``total``.

    ``active`` are those a token passes through, its embeddings included as in ``total``; ``embedding`` the input
    embedding, learned positions and an output head of its own; ``nonembedding`` and ``active_nonembedding`` the rest;
    ``matrices`` the active weights that multiply a token, the output head included, whether tied or not; those of
    relative positions multiply a table of distances instead, once for a whole batch.
    """

    total: Real
    active: Real
    embedding: Real
    nonembedding: Real
    active_nonembedding: Real
    matrices: Real


class Transformer(NamedTuple):
    """A decoder. Sizes may be floats or arrays; ``context`` is the tokens of a training sequence.

    ``position_matrices`` of d x a k a layer serve relative positions (Transformer-XL, Dai et al. 2019, arXiv
    1901.02860); ``learned_positions`` are rows of a table beside the embedding. With ``biases`` every matrix of a layer
    and every norm has one.
    """

    layers: Real
    width: Real
    heads: Real
    kv_heads: Real
    head_size: Real
    feed_forward: Real
    vocabulary: Real
    context: Real
    gated: bool = True
    tied: bool = False
    biases: bool = False
    position_matrices: int = 0
    learned_positions: int = 0
    norms: int = 2
    """In a layer."""
    outer_norms: int = 1
    """Outside the layers: one before the output head, perhaps one more behind the embedding."""
    experts: Experts | None = None
    latent: LatentAttention | None = None
    window: Window | None = None

    @property
    def ffn_matrices(self) -> int:
        """Matrices in a feed-forward part: three where gated."""
        return 3 if self.gated else 2

    @property
    def query_width(self) -> Real:
        """Heads times the size of a query head."""
        return self.heads * self.head_size

    @property
    def key_value_width(self) -> Real:
        """Width of the keys, and of the values, of a token."""
        return self.kv_heads * self.head_size

    @property
    def position_weights_layer(self) -> Real:
        """Weights of relative positions in a layer, which multiply positions and no token."""
        return self.position_matrices * self.width * self.query_width

    @property
    def attention_layer(self) -> Real:
        """Weights of attention in a layer."""
        positions = self.position_weights_layer
        if self.latent is None:
            return 2 * self.width * (self.query_width + self.key_value_width) + positions
        m, d, a = self.latent, self.width, self.heads
        queries = d * m.query_rank + m.query_rank * a * (m.plain_size + m.rotary_size)
        keys_values = d * (m.key_value_rank + m.rotary_size) + m.key_value_rank * a * (m.plain_size + m.value_size)
        return queries + keys_values + a * m.value_size * d + positions

    @property
    def dense_ffn_layer(self) -> Real:
        """Weights of an ordinary feed-forward part."""
        return self.ffn_matrices * self.width * self.feed_forward

    @property
    def expert_ffn(self) -> Real:
        """Weights of one expert; zero in a dense model."""
        return 0.0 if self.experts is None else self.ffn_matrices * self.width * self.experts.feed_forward

    @property
    def params(self) -> Params:
        """Every parameter, counted."""
        try:
            hash(self)
        except TypeError:  # of arrays
            return _counted(self)
        return _remembered(self)


def _counted(shape: Transformer) -> Params:
    L, d, moe = shape.layers, shape.width, shape.experts
    if moe is None:
        ffn = ffn_active = L * shape.dense_ffn_layer
    else:
        sparse = L - moe.dense_layers
        dense, router = moe.dense_layers * shape.dense_ffn_layer, sparse * moe.count * d
        ffn = dense + router + sparse * (moe.count + moe.shared) * shape.expert_ffn
        ffn_active = dense + router + sparse * (moe.active + moe.shared) * shape.expert_ffn
    attention = L * shape.attention_layer
    vectors = (shape.norms * L + shape.outer_norms) * d * (2 if shape.biases else 1)
    if shape.biases:
        ffn_outputs = (2 if shape.gated else 1) * shape.feed_forward + d
        vectors += L * (shape.query_width + 2 * shape.key_value_width + d + ffn_outputs)
    matrix = shape.vocabulary * d
    embedding = (matrix if shape.tied else 2 * matrix) + shape.learned_positions * d
    rest, active = attention + ffn + vectors, attention + ffn_active + vectors
    return Params(
        total=rest + embedding,
        active=active + embedding,
        embedding=embedding,
        nonembedding=rest,
        active_nonembedding=active,
        matrices=attention - L * shape.position_weights_layer + ffn_active + matrix,
    )


_remembered = lru_cache(maxsize=4)(_counted)
"""A search of layouts asks hundreds of times for the counts of one shape."""
