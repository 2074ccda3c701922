"""The runs that a design chooses from: real shapes times tokens, on a lattice even in ln N and ln (D / N).

The lattice is coarse, a factor of 1.7 at most from one candidate to the next: neighbours share much of what the law's
form misses, which the noise model takes as independent, so that designs on a fine lattice crowd into corners. Each
candidate can be run as it stands: its parameters are those of a real shape, its tokens whole steps of whole sequences.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan import units
from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import ParamCount
from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.pilots.certainty import Points
from scaleplan.planning.shape_rules import MOST_PARAMS, shape_rules
from scaleplan.planning.shapes import real_shapes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.compute.transformer import Transformer

    Floats = NDArray[np.float64]

RATIOS = (0.3, 1000.0)
"""Our choice: tokens a parameter. IsoFLOP grids of eight times the best size have 0.3 too; of more than a thousand
there are few published runs (Gadre et al. 2024, arXiv 2403.08540: up to 640; Sardana et al. 2023, arXiv 2401.00448: up
to 10,000)."""
STEPS, LARGEST_STEP = 16, 0.55
"""Our choice: so many sizes and ratios, more where they would be further apart in the logarithm. 24 by 24 lower
standard errors by 3 to 9 % where runs err independently, and raise them by 15 % where misfit is alike within a factor
of 1.4: docs/decisions/0014."""
LEAST_PARAMS = 1e7
"""Our choice: smaller models than 10M are of another kind (a layer or two of real width)."""
MOST_EMBEDDING = 0.9
"""Our choice: of the parameters. Llama 3's smallest pilots, 40M with a vocabulary of 128,256 (Grattafiori et al. 2024,
arXiv 2407.21783, sec. 3.2.1), cannot have been less than eight tenths embedding."""
LEAST_STEPS = 2000
"""Our choice: a shorter run is warm-up for the most part."""
_LEAST_DIFFERENT = 3
"""Of sizes and of tokens: two exponents and a floor take three of each."""
_SHARED = 64
"""Our choice: so many accelerators, and any power of two below, can share a step of more sequences evenly."""
_FINER = 1.1
"""Our choice: steps in which the smallest size of a real shape is looked for."""
_APART = 0.1
"""Our choice, in ln N and ln D: a fifth of the lattice's steps."""
_NEAR = 0.05
"""Our choice: a real shape further than this from the size of the lattice is another size."""

Rule = Callable[["Floats", "Floats"], tuple["Floats", "Floats"]]
"""Learning rate and batch [tokens] of runs, by their parameters without embeddings and their tokens."""


class Kind(NamedTuple):
    """What all pilot runs have in common: the tokenizer's ``vocabulary``, the ``context`` [tokens], and ``rule``."""

    vocabulary: int
    context: int
    rule: Rule
    ratios: tuple[float, float] = RATIOS
    """Least and most tokens a parameter."""
    counts: ParamCount = ParamCount.TOTAL
    """How the law counts parameters, of the two that a shape has: with or without embeddings."""


class Reach(NamedTuple):
    """How far single runs may go: ``flop`` [as the law counts], ``tokens`` and ``params`` in all, each."""

    flop: float
    tokens: float = math.inf
    params: float = math.inf


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """n runs that can be made: ``points`` as the law counts them, and what makes each of them up, (n,).

    ``shape`` is the index of a run's shape among ``shapes``.
    """

    points: Points
    shapes: tuple[Transformer, ...]
    shape: NDArray[np.int64]
    batch_tokens: Floats
    steps: NDArray[np.int64]
    learning_rate: Floats

    def __len__(self) -> int:
        return len(self.points)


def candidates(kind: Kind, reach: Reach) -> Candidates:
    """Every run on the lattice within reach.

    Raises:
        InfeasibleError: no run is, with what the cheapest would take.
    """
    least = smallest_shape(kind)
    smallest = _counted(least, kind)
    fewest = kind.ratios[0]
    largest = min(math.sqrt(reach.flop / (6 * fewest)), MOST_PARAMS)
    if largest < smallest:
        raise InfeasibleError(
            f"no run of at most {units.flop(reach.flop)} FLOP is worth making: the smallest real shape with a "
            f"vocabulary of {kind.vocabulary:,} has {units.count(smallest)} parameters, and at {fewest:g} tokens a "
            f"parameter takes {units.flop(6 * fewest * smallest**2)} FLOP; lower --vocab"
        )
    shapes = [shape for shape in _shapes(kind, least, largest) if shape.params.total <= reach.params]
    found = [_of_shape(i, shape, kind, reach) for i, shape in enumerate(shapes)]
    nothing: tuple[Floats, ...] = (np.empty(0),) * 6
    params, tokens, index, batch, steps, rate = (np.concatenate(column) for column in zip(nothing, *found, strict=True))
    if len(set(params.tolist())) < _LEAST_DIFFERENT or len(set(tokens.tolist())) < _LEAST_DIFFERENT:
        few = "no run" if not len(params) else f"only runs of {len(set(params.tolist()))} sizes"
        unique = "" if math.isinf(reach.tokens) else f" and {units.count(reach.tokens)} tokens"
        advice = "widen --ratios, lower --vocab or --context" + (
            "" if math.isinf(reach.tokens) else ", or find more tokens"
        )
        raise InfeasibleError(
            f"{few} of at most {units.flop(reach.flop)} FLOP{unique} and at least {LEAST_STEPS:,} steps: too few to "
            f"tell what size and data do; {advice}"
        )
    points = Points(params, tokens, 6 * params * tokens)
    return Candidates(points, tuple(shapes), index.astype(np.int64), batch, steps.astype(np.int64), rate)


def without(found: Candidates, done: Points) -> Candidates:
    """The candidates that are not next to a run that is made already: made again it would tell of noise, not of misfit.

    Raises:
        InfeasibleError: none is left.
    """
    ln_n, ln_d = np.log(found.points.params)[:, None], np.log(found.points.tokens)[:, None]
    apart = np.maximum(np.abs(ln_n - np.log(done.params)), np.abs(ln_d - np.log(done.tokens)))
    new = np.flatnonzero(apart.min(axis=1) > _APART)
    if not len(new):
        raise InfeasibleError("every run within reach is made already: raise the share, or widen --ratios")
    return Candidates(
        found.points.part(new),
        found.shapes,
        found.shape[new],
        found.batch_tokens[new],
        found.steps[new],
        found.learning_rate[new],
    )


def smallest_shape(kind: Kind) -> Transformer:
    """The smallest real shape of at least ``LEAST_PARAMS`` that holds the vocabulary.

    Raises:
        UsageError: there is none below 1e15 parameters.
    """
    size = LEAST_PARAMS
    while size < MOST_PARAMS:
        try:
            shape = _real(size, kind)
        except InfeasibleError:
            shape = None
        if shape is not None and embedding_share(shape) <= MOST_EMBEDDING:
            return shape
        size *= _FINER
    raise UsageError(f"vocab: no real shape holds a vocabulary of {kind.vocabulary:,}; give a smaller one")


def embedding_share(shape: Transformer) -> float:
    """The share of a model's parameters that its embeddings are."""
    return 1 - float(shape.params.nonembedding / shape.params.total)


def batch_of(batch: Floats, context: int) -> Floats:
    """The batch [tokens] nearest to one asked for of a power of two of sequences, or a multiple of ``_SHARED``."""
    sequences = batch / context
    few = 2.0 ** np.round(np.log2(np.clip(sequences, 1.0, _SHARED)))
    return context * np.where(sequences < _SHARED, few, _SHARED * np.round(sequences / _SHARED))


def _shapes(kind: Kind, least: Transformer, largest: float) -> list[Transformer]:
    """Real shapes near sizes even in their logarithm, from the smallest up, each once."""
    smallest = float(least.params.total)
    factor = float(Accounting().size(largest, kind.counts).total) / smallest
    found = {smallest: least}
    for size in smallest * _even(1.0, factor)[1:]:
        try:
            shape = _real(float(size), kind)
        except InfeasibleError:
            # Between the smallest sizes of a large vocabulary there are gaps.
            continue
        total = float(shape.params.total)
        if _counted(shape, kind) <= largest and abs(math.log(total / size)) < _NEAR:
            found[total] = shape
    return [found[total] for total in sorted(found)]


def _even(low: float, high: float) -> Floats:
    """Values from one to the other, even in their logarithm."""
    return np.geomspace(low, high, max(STEPS, math.ceil(math.log(high / low) / LARGEST_STEP) + 1))


def _of_shape(index: int, shape: Transformer, kind: Kind, reach: Reach) -> tuple[Floats, ...]:
    params = _counted(shape, kind)
    asked = params * _even(*kind.ratios)
    bare = np.full_like(asked, float(shape.params.nonembedding))
    _, batch = kind.rule(bare, asked)
    batch = batch_of(batch, kind.context)
    steps = np.maximum(np.round(asked / batch), 1.0)
    tokens = steps * batch
    rate, _ = kind.rule(bare, tokens)
    good = (6 * params * tokens <= reach.flop) & (tokens <= reach.tokens) & (steps >= LEAST_STEPS)
    columns = (np.full_like(asked, params), tokens, np.full_like(asked, index), batch, steps, rate)
    return tuple(column[good] for column in columns)


def _real(size: float, kind: Kind) -> Transformer:
    return _real_shape(size, kind.vocabulary, kind.context)


@cache
def _real_shape(size: float, vocabulary: int, context: int) -> Transformer:
    """The best real shape of a size; a design is made many times over, of the same smallest sizes."""
    return real_shapes(shape_rules(size, vocabulary=vocabulary, context=context, top=1))[0]


def _counted(shape: Transformer, kind: Kind) -> float:
    count = shape.params
    return float(count.total if kind.counts is ParamCount.TOTAL else count.nonembedding)
