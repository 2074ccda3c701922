"""Real shapes near a size, and the loss that each gives away.

A shape is real where an accelerator multiplies it well: head groups, feed-forward and vocabulary divide among the
tensor-parallel ranks, and what a rank holds of them comes in whole tiles of 128, of 64 below 1B (of a tile that is
not full the rest is wasted: "Matrix Multiplication Background", NVIDIA Deep Learning Performance documentation). Of
all such shapes those come first that have the least

    score = (ln(N / asked) / 0.01)^2 + (ln(aspect / typical) / 0.31)^2 + (ln(f / typical) / 0.30)^2 + 2 - p / 2

with N parameters, width over layers as aspect, feed-forward width f, and p how many of the pipeline degrees 2, 4, 8
and 16 divide the layers. What is typical and how published models scatter around it is in ``compute.family``. The
weights are our choice: one per cent of size counts as one standard deviation of the catalogue, and as two of the
four pipeline degrees.

What a shape gives away is L(N, C / 6N) - L(N*, C / 6N*) at the budget C whose optimum N* is the size asked for: N and
N* count as the law counts, each converted from all parameters alike, so that nothing but the difference of size counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

from scaleplan import units
from scaleplan.compute.accounting import Accounting
from scaleplan.compute.family import (
    ASPECT_SCATTER,
    FEED_FORWARD_SCATTER,
    core,
    typical_aspect,
    typical_feed_forward,
)
from scaleplan.compute.transformer import Experts, Transformer
from scaleplan.conventions import ParamCount
from scaleplan.errors import ConvergenceError, InfeasibleError, Notice
from scaleplan.laws.law import Law
from scaleplan.ops import Real, exp, log
from scaleplan.planning.notices import conversion, extrapolation, held
from scaleplan.planning.optimum import Point, point_at, surface_optimum
from scaleplan.planning.shape_rules import ShapeRules
from scaleplan.search import increasing_root

SIZE_SCALE = 0.01
ASPECT_REACH = 2.0
"""Standard deviations from the typical aspect within which shapes are looked for; our choice."""
FEED_FORWARD_REACH = 1.5
"""Up to so many times the width without shared keys and values: 8/3 to 4 d, between which most of the gated lie."""
PIPELINES = (2, 4, 8, 16)
_MOST_FEED_FORWARDS = 16
"""Our choice: of finer steps of the feed-forward width every second or third is tried, and so on."""
_LN_FLOP = (math.log(60.0), math.log(1e36))
"""Budgets searched for the one that a size is best for; our choice, far beyond any at both ends."""


class ShapeRow(NamedTuple):
    """One shape. ``tokens`` are those that the common budget pays for; losses are absent without a law that has them.

    ``pipeline`` lists the pipeline degrees up to 16 that divide the layers.
    """

    shape: Transformer
    score: float
    params_error: float
    """N / asked - 1."""
    pipeline: tuple[int, ...]
    tokens: float | None
    loss_given_away: float | None
    loss_given_away_share: float | None
    """Of the loss of the optimum."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ShapeSearch:
    """Shapes, best first, and the optimum they are held against: ``None`` for mixtures of experts."""

    rules: ShapeRules
    law: Law | None
    accounting: Accounting
    optimum: Point | None
    rows: tuple[ShapeRow, ...]
    warnings: tuple[Notice, ...]


def search_shapes(rules: ShapeRules, law: Law | None, optimum: Point | None, accounting: Accounting) -> ShapeSearch:
    """The best real shapes by ``rules``, and what each gives away against ``optimum`` under ``law``.

    Raises:
        InfeasibleError: no shape obeys the rules.
    """
    shapes = real_shapes(rules)
    rows = tuple(_row(shape, rules, law, optimum, accounting) for shape in shapes)
    if law is None or optimum is None:
        text = "no loss is given for mixtures of experts: the laws here are of dense models."
        return ShapeSearch(
            rules=rules, law=law, accounting=accounting, optimum=None, rows=rows, warnings=(Notice("no_loss", text),)
        )
    warnings = (*extrapolation(law, optimum), *conversion(law, accounting), *held(law))
    return ShapeSearch(rules=rules, law=law, accounting=accounting, optimum=optimum, rows=rows, warnings=warnings)


def optimum_of_size(law: Law, accounting: Accounting, params: float) -> Point:
    """The optimum of the law's surface that has ``params`` parameters in all, with its budget.

    Raises:
        UsageError: the law has no loss surface, or must not allocate.
        InfeasibleError: no budget makes this size the best.
    """
    law.require_allowed("allocate")
    surface = law.require_surface("the loss that a shape gives away")

    def excess(ln_flop: Real) -> Real:
        return log(surface_optimum(law, surface, accounting, exp(ln_flop)).size.total) - log(params)

    try:
        flop = float(exp(increasing_root(excess, *_LN_FLOP)))
    except ConvergenceError:
        raise InfeasibleError(
            f"no budget up to 1e36 FLOP makes {units.count(params)} parameters the best size under {law.id}"
        ) from None
    return surface_optimum(law, surface, accounting, flop)


def real_shapes(rules: ShapeRules) -> list[Transformer]:
    """The ``rules.top`` real shapes of the least score, best first; ties go to the narrower.

    Raises:
        InfeasibleError: no shape obeys the rules.
    """
    found = sorted(_candidates(rules), key=lambda shape: (score(shape, rules.params), shape.width))
    if not found:
        raise InfeasibleError(_why_none(rules))
    return found[: rules.top]


def score(shape: Transformer, params: float) -> float:
    """How far a shape is from ``params`` parameters and from what is typical, as the head of this file defines."""
    group, moe = shape.heads / shape.kv_heads, shape.experts
    wide = shape.feed_forward if moe is None else moe.active * moe.feed_forward
    ratio = wide / shape.width / typical_feed_forward(group, gated=shape.gated)
    divides = sum(shape.layers % degree == 0 for degree in PIPELINES)
    return float(
        (math.log(shape.params.total / params) / SIZE_SCALE) ** 2
        + _aspect_offset(shape.layers, shape.width) ** 2
        + (math.log(ratio) / FEED_FORWARD_SCATTER) ** 2
        + (len(PIPELINES) - divides) / 2
    )


def _aspect_offset(layers: Real, width: Real) -> float:
    """How many standard deviations wider than typical."""
    return float(log(width / layers / typical_aspect(core(layers, width))) / ASPECT_SCATTER)


def _candidates(rules: ShapeRules) -> Iterator[Transformer]:
    """Every real shape within reach of the size and of the typical aspect."""
    for width in count(rules.width_step, rules.width_step):
        widths = _feed_forwards(rules, width)
        if _aspect_offset(_layers(rules, width, widths[0]) + 1, width) > ASPECT_REACH:
            # A wider model has fewer layers still.
            return
        for feed_forward in widths:
            fewest = max(1, int(_layers(rules, width, feed_forward)) - 1)
            for layers in range(fewest, fewest + 4):
                if abs(_aspect_offset(layers, width)) <= ASPECT_REACH:
                    yield _shape(rules, layers, width, feed_forward)


def _layers(rules: ShapeRules, width: int, feed_forward: int) -> float:
    """How many layers make up the size asked for: a real number, zero where the embeddings alone do."""
    none, one = (_shape(rules, layers, width, feed_forward).params.total for layers in (0, 1))
    return max(0.0, float((rules.params - none) / (one - none)))


def _feed_forwards(rules: ShapeRules, width: int) -> Sequence[int]:
    """Feed-forward widths in whole tiles; those of an expert, of which a token passes several."""
    step, least = rules.feed_forward_step, typical_feed_forward(1, gated=rules.gated) * width / (rules.active or 1)
    first, last = math.ceil(least / step - 1e-9), int(FEED_FORWARD_REACH * least / step + 1e-9)
    tiles = range(first, max(first, last) + 1)
    return [step * tile for tile in tiles[:: math.ceil(len(tiles) / _MOST_FEED_FORWARDS)]]


def _shape(rules: ShapeRules, layers: int, width: int, feed_forward: int) -> Transformer:
    heads = width // rules.head_size
    experts = None
    if rules.experts is not None and rules.active is not None:
        experts = Experts(count=rules.experts, active=rules.active, feed_forward=feed_forward)
    return Transformer(
        layers=layers,
        width=width,
        heads=heads,
        kv_heads=rules.kv_heads or heads,
        head_size=rules.head_size,
        feed_forward=feed_forward,
        vocabulary=rules.vocabulary,
        context=rules.context,
        gated=rules.gated,
        tied=rules.tied,
        experts=experts,
    )


def _row(
    shape: Transformer, rules: ShapeRules, law: Law | None, optimum: Point | None, accounting: Accounting
) -> ShapeRow:
    total = float(shape.params.total)
    tokens = given_away = share = None
    if law is not None and optimum is not None and optimum.loss is not None:
        size = accounting.size(total, ParamCount.TOTAL)
        tokens = float(accounting.tokens(size, optimum.train_flop))
        loss = point_at(law, accounting, size, tokens, "").loss
        assert loss is not None
        # Nothing lies below the optimum but rounding.
        given_away = max(0.0, float(loss - optimum.loss))
        share = given_away / float(optimum.loss)
    return ShapeRow(
        shape=shape,
        score=score(shape, rules.params),
        params_error=total / rules.params - 1,
        pipeline=tuple(degree for degree in range(2, PIPELINES[-1] + 1) if shape.layers % degree == 0),
        tokens=tokens,
        loss_given_away=given_away,
        loss_given_away_share=share,
    )


def _why_none(rules: ShapeRules) -> str:
    """What stands in the way of any shape, and what to change."""
    step, asked = rules.width_step, units.count(rules.params)
    embedding = (1 if rules.tied else 2) * rules.vocabulary * step
    by = f"widths in steps of {step:,} (tensor degree {rules.tensor}, heads of {rules.head_size})"
    if embedding >= rules.params:
        tied = "tied" if rules.tied else "untied"
        return (
            f"{asked} parameters do not hold the vocabulary alone: {rules.vocabulary:,} tokens, {tied}, take "
            f"{units.count(embedding)} at the least of {by}; give a smaller vocab or tensor, or tied embeddings"
        )
    return (
        f"no real shape of {asked} parameters: with {by} none has a sensible ratio of width to layers; give a "
        "smaller tensor, fewer kv-heads or experts, or a smaller vocab"
    )
