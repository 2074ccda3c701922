"""Training FLOPs a token by each convention, against the published formulas and figures."""

from __future__ import annotations

import numpy as np
import pytest

from scaleplan import law_record
from scaleplan.compute.chinchilla_shape import ChinchillaShape
from scaleplan.compute.flops import (
    FlopCount,
    attention_flops,
    causal_attention_flops,
    recomputed_flops_per_token,
    train_flops_per_token,
)
from scaleplan.compute.layout import SELECTIVE_OP_PRODUCTS, Recompute
from scaleplan.compute.transformer import Experts, LatentAttention, Transformer, Window
from scaleplan.errors import UsageError

C = FlopCount


def flops(shape, count, recompute=Recompute.NONE):
    return train_flops_per_token(shape, count, recompute).value


def gpt(layers, h, heads, vocabulary=51_200, s=2048):
    """A GPT of Megatron-LM: feed-forward four times the width, one matrix as embedding and head."""
    return Transformer(layers, h, heads, heads, h // heads, 4 * h, vocabulary, s, gated=False, tied=True, biases=True)


LLAMA_405B = Transformer(126, 16_384, 128, 8, 128, 53_248, 128_256, 8192)
PALM_540B = Transformer(118, 18_432, 48, 1, 256, 73_728, 256_000, 2048, tied=True)
MTNLG_530B = gpt(105, 20_480, 128)
MEGATRON = {"22B": gpt(48, 6144, 64), "175B": gpt(96, 12_288, 96), "530B": MTNLG_530B, "1T": gpt(128, 25_600, 160)}


def forward_products(shape):
    """Multiplications and additions of one sequence forward, matrix product by matrix product, the mask not heeded."""
    s, d, q, kv = shape.context, shape.width, shape.query_width, shape.key_value_width
    product = lambda rows, inner, columns: 2 * rows * inner * columns  # noqa: E731 # a formula
    layer = product(s, d, q) + 2 * product(s, d, kv) + product(s, q, d)
    layer += shape.heads * (product(s, shape.head_size, s) + product(s, s, shape.head_size))
    layer += (2 if shape.gated else 1) * product(s, d, shape.feed_forward) + product(s, shape.feed_forward, d)
    return shape.layers * layer + product(s, d, shape.vocabulary)


@pytest.mark.parametrize("shape", [LLAMA_405B, PALM_540B, *MEGATRON.values()])
def test_full_counts_are_three_times_the_products_of_a_forward_pass(shape):
    assert flops(shape, C.FULL) * shape.context == pytest.approx(3 * forward_products(shape), rel=1e-14)


def test_six_n_leaves_out_what_multiplies_no_token():
    """The input embedding, which is looked up, learned and relative positions, norms and biases."""
    shape = gpt(12, 768, 12)
    assert flops(shape, C.SIX_N) == 6 * (12 * 12 * 768**2 + 51_200 * 768)
    same = shape._replace(tied=False, learned_positions=2048, norms=4, position_matrices=1)
    assert flops(same, C.SIX_N) == flops(shape, C.SIX_N)
    assert flops(LLAMA_405B, C.SIX_N) == 6 * (405_853_388_800 - 128_256 * 16_384 - (2 * 126 + 1) * 16_384)


def test_six_n_total_is_six_times_every_parameter_a_token_passes():
    assert flops(LLAMA_405B, C.SIX_N_TOTAL) == 6 * 405_853_388_800
    mixtral = Transformer(32, 4096, 32, 8, 128, 14_336, 32_000, 4096, experts=Experts(8, 2, 14_336))
    assert flops(mixtral, C.SIX_N_TOTAL) == pytest.approx(6 * 12.9e9, rel=0.003)


def test_attention_adds_8_3_per_cent_to_llama_405b():
    """12 x 126 x 16384 x 8192 over 6 x 405e9; half where causal."""
    six_n = flops(LLAMA_405B, C.SIX_N)
    assert (flops(LLAMA_405B, C.FULL) - six_n) / (6 * 405e9) == pytest.approx(0.0835, abs=5e-5)
    assert flops(LLAMA_405B, C.CAUSAL) - six_n == (flops(LLAMA_405B, C.FULL) - six_n) / 2


@pytest.mark.parametrize(
    ("shape", "params", "without", "with_attention"),
    [
        # Chowdhery et al. 2022 (arXiv 2204.02311), table 3 and app. B; Narayanan's own count of MT-NLG there.
        pytest.param(PALM_540B, 540.35e9, 45.7, 46.2, id="PaLM 540B"),
        pytest.param(MTNLG_530B, 530e9, 29.7, 30.2, id="MT-NLG 530B"),
    ],
)
def test_utilisation_with_and_without_attention_as_palm_prints_it(shape, params, without, with_attention):
    attention = flops(shape, C.FULL) - flops(shape, C.SIX_N)
    assert without * (1 + attention / (6 * params)) == pytest.approx(with_attention, abs=0.05)
    assert attention == 12 * shape.layers * shape.heads * shape.head_size * shape.context


@pytest.mark.parametrize("shape", MEGATRON.values(), ids=MEGATRON)
def test_narayanans_iteration_with_full_recomputation(shape):
    """F = 96 B s l h^2 (1 + s / 6h + V / 16 l h), attention in full: Narayanan et al. 2021, arXiv 2104.04473, (3)."""
    s, layers, h, vocabulary = shape.context, shape.layers, shape.width, shape.vocabulary
    theirs = 96 * layers * h**2 * (1 + s / (6 * h) + vocabulary / (16 * layers * h))
    masked = 4 * (attention_flops(shape) - causal_attention_flops(shape))  # forward, backward, and forward again
    assert flops(shape, C.HARDWARE, Recompute.FULL) + masked == pytest.approx(theirs, rel=1e-14)


@pytest.mark.parametrize(
    ("model", "accelerators", "batch", "seconds", "mfu", "hfu"),
    [("22B", 8, 4, 1.10, 41.5, 43.7), ("175B", 64, 64, 13.75, 51.4, 52.8), ("530B", 280, 280, 37.83, 56.0, 57.0),
     ("1T", 512, 512, 71.49, 56.3, 57.0)],
)  # fmt: skip
def test_korthikantis_utilisation_from_his_seconds(model, accelerators, batch, seconds, mfu, hfu):
    """Table 5 of Korthikanti et al. 2022 (arXiv 2205.05198), A100 at 312 TFLOP/s: 72 B L s h^2 (1 + s / 6h + V / 12hL).

    His FLOPs of the hardware have s / 3h in place of s / 6h: three passes over all pairs for the attention computed
    again, of which this package counts one, of the pairs that the mask leaves.
    """
    shape = MEGATRON[model]
    s, layers, h = shape.context, shape.layers, shape.width
    theirs = 72 * layers * h**2 * (1 + s / (6 * h) + shape.vocabulary / (12 * h * layers))
    assert flops(shape, C.FULL) == pytest.approx(theirs, rel=1e-14)
    rate = batch * s / seconds / (accelerators * 312e12)
    assert 100 * flops(shape, C.FULL) * rate == pytest.approx(mfu, abs=0.3)
    assert (flops(shape, C.FULL) + 3 * attention_flops(shape)) / flops(shape, C.FULL) == pytest.approx(
        hfu / mfu, abs=2e-3
    )
    again = flops(shape, C.HARDWARE, Recompute.SELECTIVE) - flops(shape, C.HARDWARE)
    assert again == attention_flops(shape) / 2


def test_kaplan_counts_layers_and_one_product_of_attention():
    """C = 2 N + 2 n_layer n_ctx d_attn forward, N = 2 d n_layer (2 d_attn + d_ff) (arXiv 2001.08361, table 1)."""
    shape = gpt(96, 12_288, 96)
    n = 2 * 12_288 * 96 * (2 * 12_288 + 4 * 12_288)
    assert flops(shape, C.KAPLAN) == 3 * (2 * n + 2 * 96 * 2048 * 12_288)


def test_deepseeks_flops_per_token():
    """M = 72 n_layer d^2 + 12 n_layer d l_seq where a layer has 12 d^2 weights (arXiv 2401.02954, eq. 2)."""
    shape = gpt(30, 4096, 32, vocabulary=102_400, s=4096)
    assert flops(shape, C.DEEPSEEK) == 72 * 30 * 4096**2 + 12 * 30 * 4096 * 4096


def table_a4():
    """Hoffmann et al. 2022, table A4: six models and their FLOPs over 6 N D."""
    constants = law_record("hoffmann-2022-flops").groups["table_a4"].constants
    column = {constant.symbol: np.array(constant.value) for constant in constants}
    shapes = Transformer(
        column["layers"], column["d_model"], column["heads"], column["heads"], column["kv"], column["ffw"],
        vocabulary=32_000, context=2048, gated=False, tied=True, position_matrices=1,
    )  # fmt: skip
    return shapes, column["params_precise"], column["ratio_over_6ND"]


def test_hoffmanns_count_gives_their_table_once_the_vocabulary_is_left_out():
    shapes, params, printed = table_a4()
    ours = (flops(shapes, C.HOFFMANN) - 12 * 32_000 * shapes.width) / (6 * params)
    assert ours.size == 6
    assert np.abs(ours / printed - 1).max() < 0.012


def test_hoffmanns_count_is_that_of_their_form_and_takes_arrays_in_every_place():
    shapes, _, _ = table_a4()
    form = ChinchillaShape(V=32_000.0, s=2048.0, m=5.0)
    theirs = form.flop_per_sequence(shapes.layers, shapes.width, shapes.feed_forward, shapes.head_size, shapes.heads)
    assert flops(shapes, C.HOFFMANN) == pytest.approx(theirs / 2048, rel=1e-14)
    longer = shapes._replace(context=np.full(6, 4096.0), vocabulary=np.full(6, 64_000.0))
    single = [
        flops(Transformer(*(row[:6]), 64_000, 4096, gated=False, tied=True), C.HOFFMANN)
        for row in zip(*(np.broadcast_to(part, 6) for part in shapes[:6]), strict=True)
    ]
    assert flops(longer, C.HOFFMANN).tolist() == pytest.approx(single, rel=1e-14)


@pytest.mark.parametrize(
    "other",
    [{"gated": True}, {"kv_heads": 2}, {"experts": Experts(8, 2, 512)}, {"window": Window(512, 4)},
     {"latent": LatentAttention(64, 64, 32, 16, 32)}],
)  # fmt: skip
def test_hoffmanns_count_refuses_what_it_does_not_describe(other):
    with pytest.raises(UsageError, match=r"Hoffmann et al\. count dense decoders without"):
        train_flops_per_token(gpt(12, 768, 12)._replace(**other), C.HOFFMANN)


def pairs_seen(s, window):
    """Keys that the tokens of one sequence look at, token by token, itself counted half as the mask's diagonal is."""
    return sum(min(i + 0.5, window) for i in range(s))


@pytest.mark.parametrize("window", [16, 100, 512, 1024, 5000])
def test_causal_attention_counts_the_pairs_that_the_mask_leaves(window):
    shape = Transformer(6, 256, 4, 2, 64, 1024, 1000, 1024)
    per_pair = 4 * 256
    assert causal_attention_flops(shape) * 1024 == 6 * per_pair * pairs_seen(1024, 10**9)
    partly = shape._replace(window=Window(window, 5))
    seen = 5 * pairs_seen(1024, window) + pairs_seen(1024, 10**9)
    assert causal_attention_flops(partly) * 1024 == pytest.approx(per_pair * seen, rel=1e-3)
    assert attention_flops(partly) == per_pair * (1024 + 5 * min(window, 1024))


def test_latent_attention_works_on_the_heads_it_unfolds():
    """DeepSeek-V3: keys of 128 + 64 and values of 128 for each of 128 heads."""
    latent = LatentAttention(1536, 512, 128, 64, 128)
    shape = Transformer(61, 7168, 128, 128, 192, 18_432, 129_280, 4096, latent=latent)
    assert attention_flops(shape) == 61 * 128 * (2 * 192 + 2 * 128) * 4096


def test_recomputation_is_hardware_work_and_no_models():
    shape, none = MEGATRON["175B"], Recompute.NONE
    head = 2 * shape.vocabulary * shape.width
    forward = 2 * shape.params.matrices + causal_attention_flops(shape)
    assert recomputed_flops_per_token(shape, none) == 0
    assert recomputed_flops_per_token(shape, Recompute.SELECTIVE) == causal_attention_flops(shape)
    assert recomputed_flops_per_token(shape, Recompute.FULL) == forward - head
    some = recomputed_flops_per_token(shape, Recompute.SELECTIVE_OP)
    products = 2 * shape.params.matrices - head
    assert some == pytest.approx(SELECTIVE_OP_PRODUCTS * products, rel=1e-15)
    assert some == pytest.approx(products / 2, rel=1e-15)  # every second product, and nothing of attention
    assert flops(shape, C.HARDWARE) == flops(shape, C.CAUSAL)
    for count in set(C) - {C.HARDWARE}:
        assert flops(shape, count, Recompute.FULL) == flops(shape, count, none)


def test_two_conventions_never_meet():
    counted = {count: train_flops_per_token(gpt(12, 768, 12), count) for count in C}
    for mine in C:
        for other in C:
            if mine is other:
                assert counted[mine].over(counted[other]) == 1
            else:
                with pytest.raises(UsageError, match=r"do not compare: count both one way"):
                    counted[mine].over(counted[other])


@pytest.mark.parametrize("count", C)
@pytest.mark.parametrize("recompute", Recompute)
def test_arrays_count_as_their_elements_do(count, recompute):
    shapes = [gpt(12, 768, 12), gpt(48, 6144, 64)]
    sizes = zip(*(shape[:8] for shape in shapes), strict=True)
    both = Transformer(*(np.array(pair, float) for pair in sizes), gated=False, tied=True, biases=True)
    single = [flops(shape, count, recompute) for shape in shapes]
    assert flops(both, count, recompute).tolist() == pytest.approx(single, rel=1e-15)
