"""The runs that a design chooses from: each can be made as it stands, none is beyond what was allowed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaleplan.conventions import ParamCount
from scaleplan.errors import InfeasibleError
from scaleplan.pilots.candidates import (
    LEAST_PARAMS,
    LEAST_STEPS,
    MOST_EMBEDDING,
    RATIOS,
    STEPS,
    Reach,
    batch_of,
    candidates,
    embedding_share,
    smallest_shape,
    without,
)
from scaleplan.planning.shape_rules import shape_rules
from tests.pilots.worlds import kind, points, rule

CASES = [
    (kind(), Reach(3.5e21)),
    (kind(128_256, 8192), Reach(3.5e21)),
    (kind(50_257, 1024), Reach(1e18, tokens=2e9)),
    (kind(50_257, 1024, ratios=(5.0, 200.0)), Reach(1e20)),
    (kind(262_144, 4096), Reach(1e24)),
]


@pytest.mark.parametrize(("what", "reach"), CASES)
def test_every_candidate_keeps_every_limit(what, reach):
    found = candidates(what, reach)
    runs = found.points
    assert len(found) == len(runs) == len(found.steps) == len(found.batch_tokens) == len(found.shape)
    assert np.array_equal(runs.flop, 6 * runs.params * runs.tokens)
    assert runs.flop.max() <= reach.flop
    assert runs.tokens.max() <= reach.tokens
    assert found.steps.min() >= LEAST_STEPS
    assert np.array_equal(runs.tokens, found.steps * found.batch_tokens), "whole steps"
    sequences = found.batch_tokens / what.context
    few = {2.0**i for i in range(7)}
    assert all(each in few or each % 64 == 0 for each in sequences.tolist()), "whole sequences, shared evenly"
    # Whole steps move the tokens by half a step of 2,000 at most.
    half = 1 + 0.5 / LEAST_STEPS
    ratio = runs.tokens / runs.params
    assert what.ratios[0] / half <= ratio.min()
    assert ratio.max() <= what.ratios[1] * half
    assert len(set(zip(runs.params.tolist(), runs.tokens.tolist(), strict=True))) == len(runs), "each once"


@pytest.mark.parametrize(("what", "reach"), CASES)
def test_every_candidate_is_a_real_shape(what, reach):
    found = candidates(what, reach)
    assert sorted(set(found.shape.tolist())) == list(range(len(set(found.shape.tolist()))))
    for i, shape in enumerate(found.shapes):
        sizes = set(found.points.params[found.shape == i].tolist())
        assert sizes <= {float(shape.params.total)}
        assert shape.params.total >= LEAST_PARAMS * 0.9
        assert what.vocabulary <= shape.vocabulary < what.vocabulary + 1024
        assert shape.context == what.context
        rules = shape_rules(float(shape.params.total), vocabulary=what.vocabulary, context=what.context)
        step = 64 if shape.head_size == 64 else rules.width_step
        assert shape.width % step == 0
        assert shape.heads * shape.head_size == shape.width
        assert embedding_share(shape) <= MOST_EMBEDDING
        assert embedding_share(shape) == pytest.approx(
            (1 if shape.tied else 2) * shape.vocabulary * shape.width / shape.params.total
        )


def test_the_lattice_is_even_and_its_points_apart():
    found = candidates(kind(), Reach(3.5e21))
    assert STEPS / 2 < len(found.shapes) <= STEPS
    sizes = np.log([float(shape.params.total) for shape in found.shapes])
    steps = np.diff(sizes)
    assert steps.min() > 0.5 * np.median(steps)
    smallest = found.points.params == found.points.params.min()
    step = math.log(RATIOS[1] / RATIOS[0]) / (STEPS - 1)
    places = np.log(found.points.tokens[smallest] / found.points.params[smallest] / RATIOS[0]) / step
    assert places == pytest.approx(np.round(places), abs=0.01)
    assert np.diff(np.round(places)).min() == 1
    assert len(found) > 150


def test_learning_rate_and_batch_are_those_of_the_rule():
    found = candidates(kind(), Reach(1e21))
    bare = np.array([float(found.shapes[i].params.nonembedding) for i in found.shape])
    rate, batch = rule(bare, found.points.tokens)
    assert found.learning_rate == pytest.approx(rate, rel=1e-12)
    # Rounded by a factor of 1.5 at most, but for fewer than one sequence.
    assert np.abs(np.log(found.batch_tokens / np.maximum(batch, 2048))).max() <= math.log(1.5) + 1e-9


@pytest.mark.parametrize(
    ("asked", "sequences"),
    [(0.1, 1), (1, 1), (1.4, 1), (1.5, 2), (5.5, 4), (11.9, 16), (50, 64), (80, 64), (95, 64), (97, 128), (1000, 1024)],
)
def test_batches_are_ones_that_nodes_can_share(asked, sequences):
    assert batch_of(np.array([asked * 2048.0]), 2048).tolist() == [sequences * 2048]


def test_without_embeddings_the_same_shapes_count_less():
    bare = candidates(kind(counts=ParamCount.NONEMBEDDING), Reach(1e20))
    sizes = {float(shape.params.nonembedding) for shape in bare.shapes}
    assert set(bare.points.params.tolist()) <= sizes
    assert bare.points.flop.max() <= 1e20


@pytest.mark.parametrize("vocabulary", [1_000, 32_000, 128_256, 1_000_000])
def test_the_smallest_shape_holds_the_vocabulary_in_nine_tenths(vocabulary):
    shape = smallest_shape(kind(vocabulary))
    assert embedding_share(shape) <= MOST_EMBEDDING
    assert shape.params.total >= 0.9 * LEAST_PARAMS
    assert shape.params.total >= vocabulary * shape.width


def test_what_is_next_to_a_run_that_is_made_is_no_candidate():
    found = candidates(kind(), Reach(1e20))
    done = found.points.part([0, 7, 7, 50])
    left = without(found, done)
    assert len(left) == len(found) - 3
    kept = set(zip(left.points.params.tolist(), left.points.tokens.tolist(), strict=True))
    gone = set(zip(done.params.tolist(), done.tokens.tolist(), strict=True))
    assert not kept & gone
    for i in (0, len(left) - 1):
        shape = left.shapes[left.shape[i]]
        assert shape.params.total == left.points.params[i]
        assert left.steps[i] * left.batch_tokens[i] == left.points.tokens[i]
    near = points(done.params * 1.02, done.tokens / 1.02)
    assert len(without(found, near)) == len(left)
    assert len(without(found, points([1e15], [1e15]))) == len(found)
    with pytest.raises(InfeasibleError, match="every run within reach is made already"):
        without(found, found.points)


def test_too_little_compute_or_too_few_tokens_are_refused_with_what_the_cheapest_takes():
    least = float(smallest_shape(kind()).params.total)
    with pytest.raises(InfeasibleError, match=r"no run of at most 1e12 FLOP .* vocabulary of 32,000 has .* --vocab"):
        candidates(kind(), Reach(1e12))
    with pytest.raises(InfeasibleError, match=r"at least 2,000 steps: too few to tell .*; widen --ratios"):
        candidates(kind(), Reach(6 * least**2 * 1.01))
    with pytest.raises(InfeasibleError, match=r"1M tokens and at least 2,000 steps.* or find more tokens"):
        candidates(kind(), Reach(1e20, tokens=1e6))
