"""What the shapes of a search must obey, resolved from what was asked."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scaleplan.compute.family import CONTEXT, GROUP, HEAD_SIZE, VOCABULARY
from scaleplan.errors import UsageError

SMALL = 1e9
"""Below it tiles and heads of 64, and keys and values for every head: 7 of the 11 dense decoders below 1B have both."""
MIDDLING = 5e9
"""Below it embeddings are tied, as of all decoders of up to 4.1B since 2024 but one, and of none from 6.9B but Gemma;
and matrices are not divided, since a layer is small beside an accelerator's memory (our choice)."""
TENSOR = 8
"""From there on: the accelerators of a DGX or HGX node, with fast links among all of them."""
MOST_PARAMS = 1e15
"""Our choice: a thousand times the largest published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeRules:
    """``vocabulary`` is padded; ``kv_heads`` is ``None`` for as many as heads; ``experts``, ``active``: routed ones."""

    params: float
    tensor: int
    vocabulary_asked: int
    vocabulary: int
    context: int
    tied: bool
    gated: bool
    head_size: int
    kv_heads: int | None
    tile: int
    experts: int | None
    active: int | None
    top: int

    @property
    def width_step(self) -> int:
        """Widths are multiples of it: whole heads and whole tiles a rank, heads shared evenly by keys and values."""
        heads = math.lcm(self.tensor, self.kv_heads or 1)
        return math.lcm(self.tile * self.tensor, self.head_size * heads)

    @property
    def feed_forward_step(self) -> int:
        """Feed-forward widths are multiples of it: whole tiles a rank; an expert lies on one rank as a whole."""
        return self.tile if self.experts is not None else self.tile * self.tensor


def shape_rules(
    params: float,
    *,
    tensor: int | None = None,
    vocabulary: int = VOCABULARY,
    context: int = CONTEXT,
    tied: bool | None = None,
    gated: bool = True,
    head_size: int | None = None,
    kv_heads: int | None = None,
    experts: int | None = None,
    active: int | None = None,
    top: int = 10,
) -> ShapeRules:
    """The rules, defaults filled in by the size.

    Args:
        params: total parameters asked for; of a mixture of experts those of all experts.
        tensor: tensor-parallel degree; 8, and 1 below 5B parameters.
        vocabulary: tokens; padded to whole tiles and an equal share a rank.
        context: tokens of a training sequence.
        tied: whether the embedding serves as output head too; below 5B parameters.
        gated: three matrices in the feed-forward part rather than two.
        head_size: 128, and 64 below 1B parameters.
        kv_heads: heads with keys and values of their own; the least multiple of ``tensor`` from 8, and every head
            below 1B parameters.
        experts: routed experts a layer, in every layer; ``None`` for a dense model.
        active: of them, those that a token passes.
        top: shapes wanted.

    Raises:
        UsageError: a number out of range, or two that do not go together.
    """
    if not 1 <= params <= MOST_PARAMS:
        raise UsageError(f"params: shapes are looked for from 1 to 1e15 parameters (got {params:g})")
    given = {"tensor": tensor, "vocab": vocabulary, "context": context, "head-size": head_size, "kv-heads": kv_heads}
    for name, value in {**given, "experts": experts, "active": active, "top": top}.items():
        if value is not None and not 1 <= value <= MOST_PARAMS:
            raise UsageError(f"{name} must be at least 1 and at most 1e15 (got {value})")
    _require_experts(experts, active)
    small = params < SMALL
    tile = 64 if small else 128
    tensor = tensor or (1 if params < MIDDLING else TENSOR)
    if kv_heads is not None and kv_heads % tensor:
        raise UsageError(f"kv-heads must be a multiple of tensor, {tensor} (got {kv_heads})")
    if kv_heads is None and not small:
        kv_heads = tensor * math.ceil(GROUP / tensor)
    padding = math.lcm(tile, tensor)
    return ShapeRules(
        params=params,
        tensor=tensor,
        vocabulary_asked=vocabulary,
        vocabulary=padding * math.ceil(vocabulary / padding),
        context=context,
        tied=params < MIDDLING if tied is None else tied,
        gated=gated,
        head_size=head_size or (64 if small else HEAD_SIZE),
        kv_heads=kv_heads,
        tile=tile,
        experts=experts,
        active=active,
        top=top,
    )


def _require_experts(experts: int | None, active: int | None) -> None:
    """Refuse experts without the number of active ones, and more of these than of all.

    Raises:
        UsageError: which of them.
    """
    if (experts is None) != (active is None):
        raise UsageError("experts and active go together: experts of a layer, and those that a token passes")
    if experts is not None and active is not None and active > experts:
        raise UsageError(f"active is above experts (got {active} of {experts})")
