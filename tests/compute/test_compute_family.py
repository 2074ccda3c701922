"""The smooth family of shapes: its size is the size asked for, and it grows as published models do."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaleplan import list_models
from scaleplan.compute.family import (
    ASPECT_SCATTER,
    FEED_FORWARD_SCATTER,
    GROUP,
    core,
    generic_shape,
    typical_aspect,
    typical_feed_forward,
)

SIZES = [1e4, 1e6, 1.24e8, 1e9, 7e9, 7e10, 4.05e11, 1e13, 1e15]


@pytest.mark.parametrize("params", SIZES)
@pytest.mark.parametrize("options", [{}, {"tied": True}, {"vocabulary": 32_000}, {"vocabulary": 1e6, "context": 4096}])
def test_the_total_is_what_was_asked(params, options):
    shape = generic_shape(params, **options)
    assert shape.params.total == pytest.approx(params, rel=2e-14)
    assert shape.vocabulary == options.get("vocabulary", 128_256)
    assert shape.context == options.get("context", 8192)
    assert shape.query_width == pytest.approx(shape.width)
    assert shape.heads / shape.kv_heads == pytest.approx(8)


@pytest.mark.parametrize("params", SIZES)
def test_layers_have_twelve_squares_of_the_width_and_the_typical_aspect(params):
    shape = generic_shape(params)
    assert shape.attention_layer + shape.dense_ffn_layer == pytest.approx(12 * shape.width**2)
    assert shape.width / shape.layers == pytest.approx(typical_aspect(core(shape.layers, shape.width)))


def test_arrays_are_their_elements():
    shapes = generic_shape(np.array(SIZES), vocabulary=50_000)
    single = [generic_shape(params, vocabulary=50_000) for params in SIZES]
    assert shapes.width.tolist() == pytest.approx([shape.width for shape in single], rel=1e-13)
    assert shapes.params.total == pytest.approx(SIZES, rel=2e-14)


def test_everything_grows_smoothly_with_size():
    shapes = generic_shape(np.geomspace(1e7, 1e13, 600))
    for part in (shapes.layers, shapes.width, shapes.params.matrices / shapes.params.total):
        steps = np.diff(np.log(part))
        assert (steps > 0).all()
        assert np.abs(np.diff(steps)).max() < 2e-4  # steps are of 2.3 % in size


@pytest.mark.parametrize(
    ("layers", "width"),
    [(24, 896), (16, 2048), (36, 2560), (32, 4096), (40, 5120), (60, 7168), (80, 8192), (126, 16_384), (118, 18_432)],
    ids=["Qwen 2.5 0.5B", "Llama 3.2 1B", "Qwen 3 4B", "Llama 3 8B", "Qwen 3 14B", "Yi 34B", "Llama 3 70B",
         "Llama 3.1 405B", "PaLM 540B"],
)  # fmt: skip
def test_published_models_scatter_around_the_typical_aspect(layers, width):
    off = math.log(width / layers / typical_aspect(core(layers, width)))
    assert abs(off) < 2.1 * ASPECT_SCATTER


def test_feed_forward_widths():
    """8/3 of the width without sharing keys and values, 13/4 with one pair for eight heads; more without a gate."""
    assert typical_feed_forward(1) == pytest.approx(8 / 3)
    assert typical_feed_forward(8) == pytest.approx(3.25)
    assert typical_feed_forward(1, gated=False) == 4


@pytest.fixture(scope="module")
def dense():
    """The dense decoders of the catalogue, each with its model."""
    shapes = [(model, model.shape) for model in list_models()]
    return [(model, shape) for model, shape in shapes if shape is not None and shape.experts is None]


def test_the_typical_aspect_is_the_fit_of_the_catalogue(dense):
    """Least squares over the gated decoders; a tenth of all lie below 58 and a tenth above 169, as the module says."""
    gated = [shape for _, shape in dense if shape.gated]
    weights = np.array([core(shape.layers, shape.width) for shape in gated], float)
    aspect = np.array([shape.width / shape.layers for shape in gated])
    slope, offset = np.polyfit(np.log(weights), np.log(aspect), 1)
    for at in (1e9, 7e10, 4e11):
        assert typical_aspect(at) == pytest.approx(math.exp(offset) * at**slope, rel=0.02)
    assert np.std(np.log(aspect / typical_aspect(weights))) == pytest.approx(ASPECT_SCATTER, abs=0.02)
    tenths = np.quantile([shape.width / shape.layers for _, shape in dense], [0.1, 0.9])
    assert tenths == pytest.approx([58, 169], rel=0.05)


def test_typical_groups_and_feed_forward_widths_are_those_of_the_catalogue(dense):
    recent = [(model, shape) for model, shape in dense if model.year >= 2023]
    over = np.log([
        shape.feed_forward / shape.width / typical_feed_forward(shape.heads / shape.kv_heads)
        for _, shape in recent if shape.gated
    ])  # fmt: skip
    assert np.exp(np.median(over)) == pytest.approx(1.11, abs=0.03)
    assert np.std(over) == pytest.approx(FEED_FORWARD_SCATTER, abs=0.02)
    large = [shape.heads / shape.kv_heads for model, shape in recent if model.number("params") > 3e10]
    assert np.median(large) == GROUP
