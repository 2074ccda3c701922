"""All parameters of a mixture of experts: the paper's counts, the way back, and what embeddings do to small models."""

from __future__ import annotations

import numpy as np
import pytest

from scaleplan.compute.expert_counts import ASPECT, VOCABULARY, ExpertCounts, joint_shape
from scaleplan.compute.family import GROUP

EXPERTS = [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize("experts", EXPERTS)
@pytest.mark.parametrize("layers", [4, 16, 40])
def test_a_shape_counted_as_the_paper_counts_it_is_met_exactly(experts, layers):
    width = ASPECT * layers
    embeddings = 2 * VOCABULARY * width
    active, total = embeddings + 13 * layers * width**2, embeddings + (4 + 9 * experts) * layers * width**2
    counts = ExpertCounts(experts)
    assert counts.total(active) == pytest.approx(total, rel=1e-12)
    assert counts.active(total) == pytest.approx(active, rel=1e-12)


@pytest.mark.parametrize(("width", "layers"), [(1024, 16), (2048, 24), (4096, 64), (8192, 64)])
@pytest.mark.parametrize("experts", EXPERTS)
def test_shapes_of_other_aspects_are_met_within_four_percent(width, layers, experts):
    embeddings = 2 * VOCABULARY * width
    active, total = embeddings + 13 * layers * width**2, embeddings + (4 + 9 * experts) * layers * width**2
    assert ExpertCounts(experts).total(active) == pytest.approx(total, rel=0.04)


@pytest.mark.parametrize("experts", EXPERTS)
@pytest.mark.parametrize("active", [3e8, 1e9, 3e10, 1e12])
def test_the_shape_has_the_parameters_counted(active, experts):
    """Norms and routers apart."""
    shape = joint_shape(active, experts)
    assert shape.params.active == pytest.approx(active, rel=4e-3)
    assert shape.params.total == pytest.approx(ExpertCounts(experts).total(active), rel=4e-3)
    assert shape.width / shape.layers == pytest.approx(ASPECT)
    assert (shape.experts is None) == (experts == 1)


def test_shapes_of_many_sizes_are_those_of_each():
    sizes = np.array([1e9, 1e10])
    assert joint_shape(sizes, 8).width[1] == pytest.approx(joint_shape(1e10, 8).width, rel=1e-14)


@pytest.mark.parametrize("experts", EXPERTS)
def test_there_and_back_is_where_it_began_for_arrays_too(experts):
    counts, active = ExpertCounts(experts), np.geomspace(1e5, 1e14, 300)
    total = counts.total(active)
    np.testing.assert_allclose(counts.active(total), active, rtol=1e-10)
    assert (np.diff(total) > 0).all()
    assert counts.total(float(active[7])) == pytest.approx(total[7], rel=1e-14)


def test_one_expert_is_a_dense_model():
    assert ExpertCounts(1).total(3e9) == 3e9
    assert ExpertCounts(1).active(3e9) == 3e9


def test_embeddings_do_not_multiply():
    """A tiny model is all embedding, a huge one all layers: between them the ratio rises from 1 to 1 + s (E - 1)."""
    counts = ExpertCounts(8)
    active = np.geomspace(1e4, 1e16, 50)
    ratios = counts.total(active) / active
    assert ratios[0] == pytest.approx(1, abs=0.01)
    assert ratios[-1] == pytest.approx(counts.factor, rel=1e-4)
    assert counts.factor == pytest.approx(1 + 7 * 9 / 13)
    assert (np.diff(ratios) > 0).all()


def test_a_larger_routed_share_is_a_larger_model():
    shared = ExpertCounts(8, routed_share=(10 - 2 / GROUP) / 12)
    assert shared.total(1e10) > ExpertCounts(8).total(1e10) > ExpertCounts(8, routed_share=8 / 12).total(1e10)
