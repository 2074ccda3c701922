"""Real shapes near a size: they divide, they are ranked by the documented score, and they give hardly anything away."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest

from scaleplan.api.shapes import shape as find
from scaleplan.compute.accounting import Accounting
from scaleplan.compute.family import core, typical_aspect, typical_feed_forward
from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.planning.allocation import allocate
from scaleplan.planning.problem import Problem
from scaleplan.planning.shape_rules import shape_rules
from scaleplan.planning.shapes import optimum_of_size, real_shapes, score
from scaleplan.specs.laws import load_law

SIZES = [1.24e8, 5e8, 1e9, 3e9, 7e9, 1.3e10, 7e10, 4e11, 1e12]
ASKED = [
    *({"params": params} for params in SIZES),
    {"params": 7e10, "tensor": 4},
    {"params": 7e9, "tensor": 1, "kv_heads": 4},
    {"params": 7e9, "gated": False, "tied": True},
    {"params": 1e9, "tied": False, "vocabulary": 50_257},
    {"params": 3e9, "head_size": 64, "tensor": 2},
    {"params": 1.3e10, "head_size": 64},
    {"params": 4.67e10, "experts": 8, "active": 2},
    {"params": 6.71e11, "experts": 256, "active": 8, "vocabulary": 129_280},
]


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_every_shape_divides_and_is_made_of_whole_tiles(asked):
    rules = shape_rules(**asked)
    shapes = real_shapes(rules)
    assert shapes
    for shape in shapes:
        assert shape.heads * shape.head_size == shape.width
        for count in (shape.heads, shape.kv_heads, shape.width, shape.vocabulary):
            assert count % rules.tensor == 0
        assert shape.heads % shape.kv_heads == 0
        assert shape.width / rules.tensor % rules.tile == 0
        assert shape.vocabulary % rules.tile == 0
        assert shape.kv_heads == (rules.kv_heads or shape.heads)
        moe = shape.experts
        wide = shape.feed_forward if moe is None else moe.active * moe.feed_forward
        low = typical_feed_forward(1, gated=rules.gated) * shape.width
        assert low <= wide <= max(1.5 * low, low + rules.feed_forward_step * (rules.active or 1))
        assert (shape.feed_forward / rules.tensor if moe is None else moe.feed_forward) % rules.tile == 0
        assert abs(math.log(shape.width / shape.layers / typical_aspect(core(shape.layers, shape.width)))) <= 0.62


@pytest.mark.parametrize("asked", ASKED, ids=str)
def test_the_first_shape_is_the_best_of_a_naive_search(asked):
    """Every width, layer and feed-forward width of whole steps around the best, scored by the formula as printed."""
    rules = shape_rules(**asked)
    shapes = real_shapes(rules)
    best = shapes[0]
    assert [naive_score(shape, rules) for shape in shapes] == pytest.approx([score(s, rules.params) for s in shapes])
    moe, step = best.experts, rules.feed_forward_step
    wide = best.feed_forward if moe is None else moe.feed_forward
    fine = best.width * 4 / step > 48  # then only some feed-forward widths are tried
    for width in (best.width - rules.width_step, best.width, best.width + rules.width_step):
        for layers in range(max(1, int(best.layers) - 2), int(best.layers) + 3):
            for tiles in (-2, -1, 0, 1, 2):
                other = wide + tiles * step
                least = typical_feed_forward(1, gated=rules.gated) * width / (rules.active or 1)
                if width < 1 or not least <= other <= 1.5 * least or (fine and tiles):
                    continue
                part = {"feed_forward": other} if moe is None else {"experts": moe._replace(feed_forward=other)}
                heads = width // best.head_size
                kv = best.kv_heads if rules.kv_heads else heads
                candidate = best._replace(width=width, layers=layers, heads=heads, kv_heads=kv, **part)
                assert naive_score(candidate, rules) >= naive_score(best, rules) - 1e-12


def naive_score(shape, rules):
    group = shape.heads / shape.kv_heads
    moe = shape.experts
    wide = shape.feed_forward if moe is None else moe.active * moe.feed_forward
    typical = (10 - 2 / group) / (3 if shape.gated else 2) * shape.width
    aspect = 6.47 * (12 * shape.layers * shape.width**2) ** 0.119
    p = sum(shape.layers % degree == 0 for degree in (2, 4, 8, 16))
    return (
        (math.log(shape.params.total / rules.params) / 0.01) ** 2
        + (math.log(shape.width / shape.layers / aspect) / 0.31) ** 2
        + (math.log(wide / typical) / 0.30) ** 2
        + 2
        - p / 2
    )


@pytest.mark.parametrize("params", SIZES)
def test_shapes_are_ranked_and_the_first_is_within_one_and_a_half_per_cent(params):
    rows = find(params).rows
    assert all(one.score <= other.score for one, other in pairwise(rows))
    assert abs(rows[0].params_error) < 0.015
    for row in rows:
        assert row.params_error == row.shape.params.total / params - 1
        assert row.pipeline == tuple(d for d in range(2, 17) if row.shape.layers % d == 0)


@pytest.mark.parametrize(("params", "layers", "width", "feed_forward"),
                         [(8e9, 32, 4096, 14_336), (7e10, 80, 8192, 28_672)])  # fmt: skip
def test_llama_3_is_among_the_first_two(params, layers, width, feed_forward):
    shapes = [row.shape for row in find(params).rows[:2]]
    assert (layers, width, feed_forward) in [(shape.layers, shape.width, shape.feed_forward) for shape in shapes]


@pytest.mark.parametrize("params", [1e9, 7e9, 7e10, 4e11])
def test_the_first_shapes_give_away_less_than_a_hundredth_of_a_per_cent(params):
    found = find(params)
    assert len(found.rows) == 10
    for row in found.rows:
        assert 0 <= row.loss_given_away_share < 1e-4
        assert row.loss_given_away == pytest.approx(row.loss_given_away_share * found.optimum.loss)


def test_what_is_given_away_is_the_loss_at_equal_flops_above_the_optimum():
    """By the law's own formula, 1.8172 + 482.01 / N^0.3478 + 2085.43 / D^0.3658 (Besiroglu et al. 2024)."""
    found = find(7e10)
    surface = found.law.surface
    loss = lambda n: surface.loss(n, found.optimum.train_flop / (6 * n))  # noqa: E731 # a formula
    for row in found.rows:
        total = row.shape.params.total
        assert row.tokens == pytest.approx(found.optimum.train_flop / (6 * total))
        assert row.loss_given_away == pytest.approx(loss(total) - loss(7e10), rel=1e-6)
    assert all(loss(7e10 * factor) > loss(7e10) for factor in (0.99, 1.01))


@pytest.mark.parametrize("law", ["besiroglu-2024", "hoffmann-2022-a3", "muennighoff-2023", "abnar-2025"])
def test_the_budget_of_a_size_is_the_one_whose_plan_has_it(law):
    chosen = load_law(law)
    accounting = Accounting(flop=chosen.counts_flop)
    point = optimum_of_size(chosen, accounting, 7e9)
    plan = allocate(chosen, Problem(train_flop=point.train_flop, accounting=accounting))
    assert plan.params == pytest.approx(7e9, rel=1e-6)
    assert max(row.loss_given_away_share for row in find(7e9, law=law).rows[:3]) < 1e-4


def test_a_size_that_no_budget_is_best_spent_on():
    with pytest.raises(InfeasibleError, match="no budget up to 1e36 FLOP makes"):
        optimum_of_size(load_law("muennighoff-2023"), Accounting(), 1e35)


def test_a_law_that_counts_no_embeddings_gives_sizes_converted_alike():
    """Kaplan et al. count N and C without embeddings; the optimum of their surface, not their printed allocation."""
    found = find(7e9, law="kaplan-2020")
    bare = found.accounting.embeddings.nonembedding
    assert found.optimum.size.nonembedding == pytest.approx(bare(7e9), rel=1e-6)
    for row in found.rows[:3]:
        n = bare(row.shape.params.total)
        assert row.tokens == pytest.approx(found.optimum.train_flop / (6 * n))
        assert row.loss_given_away == pytest.approx(
            found.law.surface.loss(n, row.tokens) - found.optimum.loss, abs=1e-12
        )
        assert row.loss_given_away_share < 1e-4


def test_a_budget_asks_for_the_size_of_its_optimum():
    found = find(flops="1e24")
    assert found.optimum.train_flop == 1e24
    assert found.rules.params == found.optimum.size.total
    assert [row.shape for row in find(found.rules.params).rows] == [row.shape for row in found.rows]


def test_a_mixture_of_experts_has_active_parameters_and_no_loss():
    found = find("46.7B", experts=8, active="2", vocabulary=32_000)
    assert found.optimum is None
    assert [notice.code for notice in found.warnings] == ["no_loss"]
    for row in found.rows:
        assert row.loss_given_away is row.loss_given_away_share is row.tokens is None
        assert row.shape.experts.count == 8
        assert 0.2 < row.shape.params.active / row.shape.params.total < 0.4
    assert abs(found.rows[0].params_error) < 0.01


def test_defaults_follow_from_the_size():
    small, middling, large = shape_rules(5e8), shape_rules(3e9), shape_rules(7e10)
    assert (small.tile, small.head_size, small.tensor, small.kv_heads, small.tied) == (64, 64, 1, None, True)
    assert (middling.tile, middling.head_size, middling.tensor, middling.kv_heads) == (128, 128, 1, 8)
    assert (middling.tied, large.tied, large.tensor, large.vocabulary) == (True, False, 8, 128_256)
    assert shape_rules(7e10, vocabulary=50_257).vocabulary == 50_304
    assert shape_rules(7e10, tensor=3, vocabulary=50_000).vocabulary == 50_304
    assert shape_rules(7e10, tensor=16).kv_heads == 16
    assert shape_rules(7e10, tensor=3).kv_heads == 9


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ({"params": 1e16}, UsageError, "from 1 to 1e15 parameters"),
        ({"params": 0.0}, UsageError, "must be > 0"),
        ({"params": "-7B"}, UsageError, "must be > 0"),
        ({"params": 2e7}, InfeasibleError, "smaller vocab"),
        ({"params": 1e9, "tied": False, "tensor": 8}, InfeasibleError, "no real shape of 1B parameters"),
        ({"params": 7e9, "tensor": 64}, InfeasibleError, "tensor degree 64"),
        ({"params": 2e9, "tensor": 100, "tied": False}, InfeasibleError, "do not hold the vocabulary alone"),
        ({"params": 7e9, "tensor": 0}, UsageError, "tensor must be at least 1"),
        ({"params": 7e9, "tensor": "two"}, UsageError, "tensor must be a whole number (got two)"),
        ({"params": 7e9, "kv_heads": 4}, UsageError, "kv-heads must be a multiple of tensor, 8 (got 4)"),
        ({"params": 7e9, "experts": 8}, UsageError, "experts and active go together"),
        ({"params": 7e9, "active": 2}, UsageError, "experts and active go together"),
        ({"params": 7e9, "experts": 2, "active": 8}, UsageError, "active is above experts (got 8 of 2)"),
        ({"params": 7e9, "top": 0}, UsageError, "top must be at least 1"),
        ({"params": 7e9, "vocabulary": -5}, UsageError, "vocab must be at least 1"),
        ({"params": 7e9, "flops": 1e24}, UsageError, "both given"),
        ({}, UsageError, "no size"),
        ({"flops": 1e24, "experts": 8, "active": 2}, UsageError, "flops gives the size of a dense model"),
        ({"params": 7e9, "law": "all"}, UsageError, "by one law"),
        ({"params": 7e9, "law": ["besiroglu-2024", "kaplan-2020"]}, UsageError, "one law at a time"),
        ({"params": 7e9, "law": "llama3-2024"}, UsageError, "a law with a loss surface can"),
        ({"params": 7e9, "law": "gadre-2024"}, UsageError, "gadre-2024 is refused for allocate"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_one_line(asked, kind, said):
    with pytest.raises(kind) as error:
        find(**asked)
    assert said in error.value.message
    assert "\n" not in error.value.message
