"""All parameters of a mixture of experts from those that a token passes, and back.

Each token goes to one of E experts, each as large as the feed-forward part of the dense model. With n layers of width
d, attention of 4 d^2 weights and feed-forward parts of 9 d^2,

    N_act = 2 V d + 13 n d^2,    N_all = 2 V d + (4 + 9 E) n d^2,    V = 50,257

(Ludziejewski et al. 2025, arXiv 2502.05172), so that with P = 13 n d^2 and s = 9 / 13

    N_act = P + gamma P^(1/3),    N_all = (1 + s (E - 1)) P + gamma P^(1/3),    gamma = 2 V (aspect / 13)^(1/3)

where d = aspect n. Embeddings do not multiply, which is what makes small mixtures smaller than E models. Both ways are
the cubic of ``embedding_map``.
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.compute.embedding_map import EmbeddingMap
from scaleplan.compute.family import CONTEXT, HEAD_SIZE
from scaleplan.compute.transformer import Experts, Transformer
from scaleplan.ops import Real, exp, log

ROUTED_SHARE = 9 / 13
"""Of the weights of a layer, those of the feed-forward part: Ludziejewski et al. 2025. Of layers of 12 d^2 it is 8 / 12
(Shazeer 2020, arXiv 2002.05202), and (10 - 2 / g) / 12 where g heads share keys and values (``family``)."""
MOST_EXPERTS = 4096
"""Of a layer. Our choice: twice the 2,048 of Switch-C (Fedus et al. 2021, arXiv 2101.03961), far beyond those that laws
of experts were fitted on."""
VOCABULARY = 50_257
"""V: GPT-2's tokenizer, with an output head of its own."""
ASPECT = 76.0
"""Width over layers: that of published decoders of 1B parameters (``family``); our choice, since the paper's is not at
hand. Half of it makes a mixture of 8 experts with 1B active parameters 3 % larger, one with 10B 0.7 %."""
JOINT_SHAPES = EmbeddingMap(gamma=2 * VOCABULARY * (ASPECT / 13) ** (1 / 3))
"""The embeddings of those shapes."""


class ExpertCounts(NamedTuple):
    """Parameters of mixtures of ``experts`` experts a layer, one of them active; 1 is a dense model.

    ``routed_share`` is that of the weights of a layer which are repeated for each expert; ``embeddings`` the shapes.
    Sizes are floats or arrays.
    """

    experts: float
    routed_share: float = ROUTED_SHARE
    embeddings: EmbeddingMap = JOINT_SHAPES

    @property
    def factor(self) -> float:
        """All weights of the layers over those that a token passes."""
        return 1 + self.routed_share * (self.experts - 1)

    def total(self, active: Real) -> Real:
        """All parameters of a model whose tokens pass ``active`` of them, embeddings in both."""
        return active + (self.factor - 1) * self.embeddings.nonembedding(active)

    def active(self, total: Real) -> Real:
        """The parameters that a token passes, of a model that has ``total``: the inverse of ``total``."""
        shrunk = EmbeddingMap(gamma=self.embeddings.gamma / self.factor)
        return total - (self.factor - 1) * shrunk.nonembedding(total / self.factor)


def joint_shape(active: Real, experts: float, *, context: Real = CONTEXT) -> Transformer:
    """The shape of a mixture by the parameters that a token passes: layers, width and heads are real numbers.

    Its parameters are those of ``ExpertCounts``, and norms and routers, which are 0.1 % of a large model. Heads of 128,
    each with keys and values of its own; feed-forward parts gated and 3 d wide, which makes their 9 d^2.

    Args:
        active: embeddings counted.
        experts: of a layer, one of them active; 1 is a dense model.
        context: tokens of a training sequence.
    """
    weights = JOINT_SHAPES.nonembedding(active)
    width = exp(log(ASPECT * weights / 13) / 3)
    return Transformer(
        layers=width / ASPECT,
        width=width,
        heads=width / HEAD_SIZE,
        kv_heads=width / HEAD_SIZE,
        head_size=HEAD_SIZE,
        feed_forward=3 * width,
        vocabulary=VOCABULARY,
        context=context,
        experts=None if experts == 1 else Experts(count=experts, active=1, feed_forward=3 * width),
    )
