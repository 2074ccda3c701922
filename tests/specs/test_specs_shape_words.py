"""Shapes in words, read and written."""

from __future__ import annotations

import pytest

from scaleplan.compute.transformer import Experts, LatentAttention, Transformer, Window
from scaleplan.errors import UsageError
from scaleplan.specs.shape_words import shape_from_words, shape_in_words

LLAMA = "layers=80,width=8192,heads=64,kv_heads=8,ffn=28672,vocab=128256"


def test_llama_3_70b_in_words():
    shape = shape_from_words(LLAMA)
    assert shape == Transformer(80, 8192, 64, 8, 128, 28_672, 128_256, 8192)
    assert shape.params.total == 70_553_706_496


def test_gpt_2_xl_in_words():
    words = "layers=48, width=1600, heads=25, feed_forward=6400, vocabulary=50257, context=1024"
    shape = shape_from_words(f"{words}, gated=no, tied=Yes, biases=true, learned_positions=1024")
    assert shape.params.total == 1_557_611_200


def test_mixtral_in_words_needs_no_feed_forward_of_its_own():
    shape = shape_from_words(
        "layers=32,width=4096,heads=32,kv_heads=8,vocab=32000,experts=8,active=2,expert_ffn=14336,context=4096"
    )
    assert shape.experts == Experts(8, 2, 14_336)
    assert shape.params.total == 46_702_792_704


@pytest.mark.parametrize(
    "shape",
    [
        Transformer(80, 8192, 64, 8, 128, 28_672, 128_256, 8192),
        Transformer(118, 18_432, 48, 1, 256, 73_728, 256_000, 2048, tied=True, norms=1),
        Transformer(
            12, 768, 12, 12, 64, 3072, 50_257, 1024, gated=False, tied=True, biases=True, learned_positions=1024
        ),
        Transformer(80, 16_384, 128, 128, 128, 65_536, 32_000, 2048, gated=False, position_matrices=1, outer_norms=2),
        Transformer(61, 7168, 64, 8, 112, 18_432, 129_280, 4096, experts=Experts(256, 8, 2048, 1, 3)),
    ],
)
def test_words_are_read_back(shape):
    assert shape_from_words(shape_in_words(shape)) == shape


@pytest.mark.parametrize(
    "part", [{"window": Window(4096, 40)}, {"latent": LatentAttention(1536, 512, 128, 64, 128)}], ids=str
)
def test_what_has_no_words_is_not_written(part):
    with pytest.raises(UsageError, match="only in a model file"):
        shape_in_words(shape_from_words(LLAMA)._replace(**part))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("layers=80", "needs width and heads and feed_forward and vocabulary"),
        ("", "cannot read ''"),
        ("llama3-70b", "cannot read 'llama3-70b'"),
        (f"{LLAMA},layer=3", "cannot read 'layer=3'. Did you mean layers"),
        (f"{LLAMA},width=3", "width is given twice"),
        (f"{LLAMA},ffn=3", "feed_forward is given twice"),
        (f"{LLAMA},context=8k", "context must be a whole number of at least 1 and at most 1e15 (got '8k')"),
        (f"{LLAMA},context=-8", "context must be a whole number"),
        (f"{LLAMA},context=0", "context must be a whole number"),
        (f"{LLAMA},context=²", "context must be a whole number"),
        (f"{LLAMA},context={'9' * 5000}", "context must be a whole number"),
        (f"{LLAMA},tied=maybe", "tied must be yes or no (got 'maybe')"),
        (LLAMA.replace("kv_heads=8", "kv_heads=7"), "heads must be a multiple of kv_heads (got 64 and 7)"),
        (LLAMA.replace("width=8192", "width=8001"), "no whole head_size for 64 heads"),
        (f"{LLAMA},experts=8", "experts need active and expert_feed_forward"),
        (f"{LLAMA},active=8", "active is of a mixture of experts: give experts too"),
        (f"{LLAMA},experts=8,active=9,expert_ffn=99", "active is above experts (got 9 of 8)"),
        (f"{LLAMA},experts=8,active=2,expert_ffn=99,dense_layers=81", "dense_layers is above layers (got 81 of 80)"),
    ],
)
def test_words_that_make_no_shape_are_refused_in_one_line(words, said):
    with pytest.raises(UsageError) as error:
        shape_from_words(words)
    assert said in error.value.message
    assert error.value.message.startswith("shape ")
    assert len(error.value.message) < 500
