"""Parameters of a decoder: published counts to the last digit, the Chinchilla models, and a count matrix by matrix."""

from __future__ import annotations

import numpy as np
import pytest

from scaleplan import law_record
from scaleplan.compute.transformer import Experts, LatentAttention, Transformer

LLAMA = {"vocabulary": 128_256, "context": 8192}
LLAMA_70B = Transformer(80, 8192, 64, 8, 128, 28_672, **LLAMA)
GPT2 = {"gated": False, "tied": True, "biases": True, "learned_positions": 1024}
PYTHIA = {"vocabulary": 50_304, "context": 2048, "gated": False, "biases": True}
DEEPSEEK_V3 = Transformer(
    61, 7168, 128, 128, 192, 18_432, 129_280, 4096,
    experts=Experts(256, 8, 2048, shared=1, dense_layers=3),
    latent=LatentAttention(1536, 512, 128, 64, 128),
)  # fmt: skip

EXACT = [
    # Totals of the published weights: model cards and the indices of the checkpoints.
    ("Llama 3 8B", Transformer(32, 4096, 32, 8, 128, 14_336, **LLAMA), 8_030_261_248),
    ("Llama 3 70B", LLAMA_70B, 70_553_706_496),
    ("Llama 3.1 405B", Transformer(126, 16_384, 128, 8, 128, 53_248, **LLAMA), 405_853_388_800),
    ("Llama 2 7B", Transformer(32, 4096, 32, 32, 128, 11_008, 32_000, 4096), 6_738_415_616),
    ("Llama 2 13B", Transformer(40, 5120, 40, 40, 128, 13_824, 32_000, 4096), 13_015_864_320),
    ("Llama 2 70B", Transformer(80, 8192, 64, 8, 128, 28_672, 32_000, 4096), 68_976_648_192),
    ("Mistral 7B", Transformer(32, 4096, 32, 8, 128, 14_336, 32_000, 8192), 7_241_732_096),
    ("SmolLM3 3B", Transformer(36, 2048, 16, 4, 128, 11_008, 128_256, 4096, tied=True), 3_075_098_624),
    # Norms of queries and keys over the whole width are vectors of it: four a layer.
    ("OLMo 2 7B", Transformer(32, 4096, 32, 32, 128, 11_008, 100_352, 4096, norms=4), 7_298_617_344),
    ("OLMo 2 13B", Transformer(40, 5120, 40, 40, 128, 13_824, 100_352, 4096, norms=4), 13_716_198_400),
    ("GPT-2 XL", Transformer(48, 1600, 25, 25, 64, 6400, 50_257, 1024, **GPT2), 1_557_611_200),
    ("GPT-2", Transformer(12, 768, 12, 12, 64, 3072, 50_257, 1024, **GPT2), 124_439_808),
    # One more norm behind the embedding; 250,680 tokens padded to 250,880 rows.
    ("BLOOM", Transformer(70, 14_336, 112, 112, 128, 57_344, 250_880, 2048, gated=False, tied=True, biases=True,
                          outer_norms=2), 176_247_271_424),
    ("Mixtral 8x7B", Transformer(32, 4096, 32, 8, 128, 14_336, 32_000, 4096, experts=Experts(8, 2, 14_336)),
     46_702_792_704),
    ("Mixtral 8x22B", Transformer(56, 6144, 48, 8, 128, 16_384, 32_768, 4096, experts=Experts(8, 2, 16_384)),
     140_630_071_296),
    # Biderman et al. 2023 (arXiv 2304.01373), table 1 of the repository.
    ("Pythia 70M", Transformer(6, 512, 8, 8, 64, 2048, **PYTHIA), 70_426_624),
    ("Pythia 160M", Transformer(12, 768, 12, 12, 64, 3072, **PYTHIA), 162_322_944),
    ("Pythia 410M", Transformer(24, 1024, 16, 16, 64, 4096, **PYTHIA), 405_334_016),
    ("Pythia 1B", Transformer(16, 2048, 8, 8, 256, 8192, **PYTHIA), 1_011_781_632),
    ("Pythia 2.8B", Transformer(32, 2560, 32, 32, 80, 10_240, **PYTHIA), 2_775_208_960),
    ("Pythia 12B", Transformer(36, 5120, 40, 40, 128, 20_480, **PYTHIA), 11_842_140_160),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "published"), [row[1:] for row in EXACT], ids=[row[0] for row in EXACT])
def test_a_published_count_comes_out_to_the_last_digit(shape, published):
    assert shape.params.total == published


def test_falcon_180b_lacks_only_the_biases_of_its_norms():
    """179,522,565,120 in its weights: norms with biases, matrices without, which the shape does not tell apart."""
    shape = Transformer(80, 14_848, 232, 8, 64, 59_392, 65_024, 2048, gated=False)
    assert shape.params.total + (2 * 80 + 1) * 14_848 == 179_522_565_120


def test_deepseek_v3_lacks_only_norms_of_ranks_and_biases_of_routers():
    """671,026,419,200 without the module that predicts further tokens; 671B with 37B active in the paper (sec. 4.2)."""
    params = DEEPSEEK_V3.params
    assert params.total + 61 * (1536 + 512) + 58 * 256 == 671_026_419_200
    assert round((params.active - 129_280 * 7168) / 1e9) == 37  # its input embedding only looked up
    assert round(params.active_nonembedding / 1e9, 1) == 35.7


@pytest.mark.parametrize(("shape", "active"), [(EXACT[13][1], 12.9e9), (EXACT[14][1], 39.1e9)])
def test_active_parameters_of_mixtral(shape, active):
    """12.9B and 39B, Jiang et al. 2024 (arXiv 2401.04088) and the release of 8x22B."""
    assert shape.params.active == pytest.approx(active, rel=0.003)


def test_narayanans_formula_of_parameters():
    """P = 12 l h^2 (1 + 13 / 12h + (V + s) / 12 l h), Narayanan et al. 2021 (arXiv 2104.04473), eq. 2."""
    layers, h, vocabulary, s = 96, 12_288, 51_200, 2048
    shape = Transformer(layers, h, 96, 96, 128, 4 * h, vocabulary, s, **GPT2 | {"learned_positions": s}, outer_norms=0)
    assert shape.params.total == 12 * layers * h * h + 13 * layers * h + (vocabulary + s) * h
    assert shape.params.total == pytest.approx(174.6e9, rel=3e-4)


def chinchilla_models():
    """Table A9 of Hoffmann et al. 2022: 50 shapes as arrays, and their sizes in whole millions."""
    (table,) = (group for name, group in law_record("hoffmann-2022-flops").groups.items() if name == "table_a9")
    column = {constant.symbol: np.array(constant.value) for constant in table.constants}
    shapes = Transformer(
        column["layers"], column["d_model"], column["heads"], column["heads"], column["kv"], column["ffw"],
        vocabulary=32_000, context=2048, gated=False, tied=True, position_matrices=1,
    )  # fmt: skip
    return shapes, column["params_M"] * 1e6


def test_all_50_chinchilla_models_are_within_0_8_per_cent():
    """The largest difference, 0.783 %, is of the smallest: 43.66M, printed as 44M; all others are within 0.46 %."""
    shapes, printed = chinchilla_models()
    off = np.abs(shapes.params.total / printed - 1)
    assert off.size == 50
    assert off.max() < 0.008
    assert printed[off.argmax()] == 44e6
    assert np.sort(off)[-2] < 0.0046


def test_matrices_of_relative_positions_are_as_wide_as_the_heads_together():
    """The 13.7B and 14.9B models have heads of 4096 in a width of 4864 and 4992; squares of it would be 1.3 % off."""
    shapes, printed = chinchilla_models()
    odd = shapes.query_width != shapes.width
    assert set(printed[odd]) >= {13.735e9, 14.94e9}
    assert np.abs(shapes.params.total / printed - 1)[odd].max() < 0.004


def matrices_of(shape):
    """Every matrix of a decoder as (layers it is in, rows, columns, copies, copies a token passes), one by one."""
    d, q, kv, every = shape.width, shape.query_width, shape.key_value_width, shape.layers
    rows = [(1, shape.vocabulary, d, 1, 1)]
    if not shape.tied:
        rows.append((1, d, shape.vocabulary, 1, 1))
    rows.append((1, shape.learned_positions, d, 1, 1))
    if shape.latent is None:
        rows += [(every, d, q, 1, 1), (every, d, kv, 1, 1), (every, d, kv, 1, 1), (every, q, d, 1, 1)]
    else:
        m, a = shape.latent, shape.heads
        rows += [(every, d, m.query_rank, 1, 1), (every, m.query_rank, a * (m.plain_size + m.rotary_size), 1, 1)]
        rows += [(every, d, m.key_value_rank + m.rotary_size, 1, 1), (every, m.key_value_rank, a * m.plain_size, 1, 1)]
        rows += [(every, m.key_value_rank, a * m.value_size, 1, 1), (every, a * m.value_size, d, 1, 1)]
    moe = shape.experts or Experts(1, 1, 1, dense_layers=every)
    sparse = every - moe.dense_layers
    for _ in range(3 if shape.gated else 2):
        rows.append((moe.dense_layers, d, shape.feed_forward, 1, 1))
        rows.append((sparse, d, moe.feed_forward, moe.count + moe.shared, moe.active + moe.shared))
    rows.append((sparse, d, moe.count, 1, 1))
    return rows


RANDOM = np.random.default_rng(4)


def random_shape(experts=False, latent=False):
    """A shape of small whole numbers, without biases."""
    r = RANDOM.integers
    groups, kv, count, layers = int(r(1, 9)), int(r(1, 9)), int(r(2, 99)), int(r(1, 40))
    return Transformer(
        layers, int(r(8, 512)), groups * kv, kv, int(r(8, 128)), int(r(8, 999)), int(r(9, 9999)), int(r(1, 9999)),
        gated=bool(r(2)), tied=bool(r(2)), learned_positions=int(r(0, 99)), norms=0, outer_norms=0,
        experts=Experts(count, int(r(1, count)), int(r(8, 99)), int(r(0, 3)), int(r(0, layers))) if experts else None,
        latent=LatentAttention(*(int(n) for n in r(4, 99, 5))) if latent else None,
    )  # fmt: skip


SHAPES = [random_shape(experts=bool(i % 2), latent=bool(i % 3 == 0)) for i in range(60)]


@pytest.mark.parametrize("shape", SHAPES)
def test_counts_are_those_of_a_list_of_matrices(shape):
    params, rows = shape.params, matrices_of(shape)
    assert params.total == sum(n * a * b * copies for n, a, b, copies, _ in rows)
    assert params.active == sum(n * a * b * passed for n, a, b, _, passed in rows)
    looked_up = shape.learned_positions * shape.width + (0 if shape.tied else shape.vocabulary * shape.width)
    assert params.matrices == params.active - looked_up
    assert params.total == params.embedding + params.nonembedding
    assert params.active == params.embedding + params.active_nonembedding
    assert params.active <= params.total


@pytest.mark.parametrize("norms", [0, 2, 4])
def test_a_norm_is_a_vector_and_with_biases_two(norms):
    bare = LLAMA_70B._replace(norms=0, outer_norms=0).params.nonembedding
    assert LLAMA_70B._replace(norms=norms, outer_norms=1).params.nonembedding == bare + (80 * norms + 1) * 8192
    biased = LLAMA_70B._replace(norms=norms, outer_norms=1, biases=True).params.nonembedding
    matrices = 8192 + 2 * 1024 + 8192 + 2 * 28_672 + 8192  # query, key, value, output; gate, up, down
    assert biased == bare + 2 * (80 * norms + 1) * 8192 + 80 * matrices


def test_relative_positions_are_parameters_that_multiply_no_token():
    plain = LLAMA_70B.params
    positions = LLAMA_70B._replace(position_matrices=1).params
    assert positions.total - plain.total == 80 * 8192 * 8192
    assert positions.matrices == plain.matrices


@pytest.mark.parametrize("kind", [{}, {"experts": True}, {"latent": True}, {"experts": True, "latent": True}])
def test_arrays_count_as_their_elements_do(kind):
    one, other = random_shape(**kind), random_shape(**kind)
    other = other._replace(gated=one.gated, tied=one.tied, learned_positions=one.learned_positions)
    both = one._replace(**{
        key: np.array([getattr(one, key), getattr(other, key)], float)
        for key in ("layers", "width", "heads", "kv_heads", "head_size", "feed_forward", "vocabulary")
    })  # fmt: skip
    if one.experts is not None:
        both = both._replace(
            experts=Experts(*(np.array(pair) for pair in zip(one.experts, other.experts, strict=True)))
        )
    if one.latent is not None:
        pairs = zip(one.latent, other.latent, strict=True)
        both = both._replace(latent=LatentAttention(*(np.array(pair) for pair in pairs)))
    for whole, first, second in zip(both.params, one.params, other.params, strict=True):
        assert np.broadcast_to(whole, 2).tolist() == [first, second]
