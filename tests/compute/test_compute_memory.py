"""Bytes on an accelerator: the formulas of the papers, published figures, and properties that any count must have."""

from __future__ import annotations

import numpy as np
import pytest

from scaleplan.compute.device import Device
from scaleplan.compute.layout import Layout, Recompute, Stack, expert_copies, stage_layers
from scaleplan.compute.memory import FIXED_OVERHEAD, FUSED_LOGITS_BYTES, memory, short, usable, value_bytes_at
from scaleplan.compute.transformer import Experts, LatentAttention, Transformer

GIB = 2.0**30
UNFUSED = Stack(flash=False, fused=False, dropout=True, overlap=False)
MEGATRON_2022 = Layout(sequence_parallel=False, zero=0, stack=UNFUSED)
"""The stack of Korthikanti et al. 2022: attention unfused, dropout kept, 4-byte gradients."""
A100 = Device("a100-sxm-80", "bf16", 312e12, 80e9, 2.039e12, 300e9, 50e9, 8)


def gpt(layers, width, heads, vocabulary=51200, context=2048, **more):
    return Transformer(
        layers, width, heads, heads, width / heads, 4 * width, vocabulary, context, gated=False, tied=True, **more
    )


LLAMA2_7B = Transformer(32, 4096, 32, 32, 128, 11008, 32000, 2048)
LLAMA3_8B = Transformer(32, 4096, 32, 8, 128, 14336, 128256, 8192)
LLAMA3_70B = Transformer(80, 8192, 64, 8, 128, 28672, 128256, 8192)
DEEPSEEK_V3 = Transformer(
    61, 7168, 128, 128, 128, 18432, 129280, 4096, experts=Experts(256, 8, 2048, 1, 3),
    latent=LatentAttention(1536, 512, 128, 64, 128), norms=2,
)  # fmt: skip
MIXTRAL = Transformer(32, 4096, 32, 8, 128, 14336, 32000, 4096, experts=Experts(8, 2, 14336))
SHAPES = {
    "llama2-7b": LLAMA2_7B,
    "llama3-70b": LLAMA3_70B,
    "deepseek-v3": DEEPSEEK_V3,
    "mixtral": MIXTRAL,
    "gpt-22b": gpt(48, 6144, 64, biases=True, learned_positions=2048),
}


def static(found):
    return found.weights + found.gradients + found.optimizer


def a_layer(shape, layout):
    """Bytes a token that one more layer keeps: what twice the layers take more, over layers in flight and tokens."""
    more = memory(shape._replace(layers=2 * shape.layers), layout).activations - memory(shape, layout).activations
    in_flight = stage_layers(shape.layers, layout.pipeline, layout.interleave) * layout.pipeline
    return more / in_flight / (layout.micro_batch * shape.context)


@pytest.mark.parametrize(("zero", "gigabytes"), [(0, 120.0), (1, 31.4), (2, 16.6), (3, 1.9)])
def test_the_example_of_the_paper_on_zero(zero, gigabytes):
    """7.5B parameters, 64 ranks, 2-byte gradients (Rajbhandari et al. 2020, figure 1); layers so thin that what stage 3
    gathers of them does not count."""
    shape = gpt(30_000, 144, 1, vocabulary=1, norms=0, outer_norms=0)
    shape = shape._replace(feed_forward=7.5e9 / 30_000 / 288 - 288)
    assert shape.params.total == pytest.approx(7.5e9, rel=1e-6)
    found = memory(shape, Layout(data=64, zero=zero, stack=Stack(gradient_bytes=2)))
    assert static(found) / 1e9 == pytest.approx(gigabytes, rel=0.015)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize(("gradient_bytes", "bytes_each"), [(2, 16), (4, 18), (6, 20)])
def test_on_one_accelerator_every_parameter_has_its_weight_gradient_and_adam(name, gradient_bytes, bytes_each):
    shape = SHAPES[name]
    found = memory(shape, Layout(zero=0, stack=Stack(gradient_bytes=gradient_bytes)))
    assert static(found) == pytest.approx(bytes_each * shape.params.total, rel=1e-12)


@pytest.mark.parametrize("tensor", [1, 2, 8])
def test_a_layer_of_korthikanti_keeps_what_table_2_says(tensor):
    """s b h (10 + 24 / t + 5 a s / (h t)) with tensor parallelism, all of it over t with sequence parallelism."""
    shape = gpt(48, 6144, 64)
    h, core = shape.width, 5 * shape.heads * shape.context
    plain = MEGATRON_2022._replace(tensor=tensor)
    both = plain._replace(sequence_parallel=True)
    assert a_layer(shape, plain) == pytest.approx(10 * h + 24 * h / tensor + core / tensor)
    assert a_layer(shape, both) == pytest.approx((34 * h + core) / tensor)
    selective = both._replace(recompute=Recompute.SELECTIVE)
    assert a_layer(shape, selective) == pytest.approx(34 * h / tensor)
    assert a_layer(shape, plain._replace(recompute=Recompute.FULL)) == pytest.approx(2 * h)


@pytest.mark.parametrize(
    ("shape", "pipeline", "chunks", "sequences", "states", "everything", "selective"),
    [
        (gpt(48, 6144, 64), 1, 1, 4, 45.56, 59.25, 9.563),
        (gpt(96, 12288, 96), 8, 3, 1, 45.56, 66.84, 12.35),
        (gpt(105, 20480, 128), 35, 3, 1, 31.64, 114.0, 23.08),
        (gpt(128, 25600, 160), 64, 1, 1, 32.96, 131.25, 26.56),
    ],
)
def test_figure_1_of_korthikanti(shape, pipeline, chunks, sequences, states, everything, selective):
    """GiB on the first stage, of the layers alone: the figure leaves embeddings, logits and what is transient out."""
    layout = MEGATRON_2022._replace(tensor=8, pipeline=pipeline, interleave=chunks, micro_batch=sequences)
    bare = shape._replace(vocabulary=0)
    in_flight = 1.0 if chunks == 1 else 1 + (pipeline - 1) / (pipeline * chunks)
    tokens = sequences * shape.context * in_flight * shape.layers
    assert static(memory(bare, layout)) / GIB == pytest.approx(states, rel=0.001)
    kept = a_layer(bare, layout._replace(interleave=1, pipeline=1))
    assert kept * tokens / GIB == pytest.approx(everything, rel=0.001)
    seldom = layout._replace(sequence_parallel=True, recompute=Recompute.SELECTIVE)
    assert a_layer(bare, seldom._replace(interleave=1, pipeline=1)) * tokens / GIB == pytest.approx(
        selective, rel=0.001
    )
    # The whole stage, with the layer under way: all but what the figure counts is small beside it.
    assert memory(bare, layout).activations / GIB == pytest.approx(everything, rel=0.006)


@pytest.mark.parametrize(
    ("sequences", "data", "pipeline", "tensor", "measured"),
    [(2, 8, 1, 1, 69.1), (4, 4, 1, 2, 55.7), (2, 4, 2, 1, 49.8), (4, 1, 1, 8, 28.8)],
)
def test_what_megatron_allocated_for_llama_2(sequences, data, pipeline, tensor, measured):
    """GiB of ``torch.cuda.max_memory_allocated`` (NVIDIA/Megatron-LM pull request 482, README of the analysis tool):
    fused attention, distributed optimizer, gates not fused; the allocator's rest and the context are not in it. The
    table prints neither unit nor sequence length: GiB and 2,048 tokens are those of the README's example."""
    layout = Layout(
        tensor=tensor, pipeline=pipeline, data=data, micro_batch=sequences, sequence_parallel=False,
        stack=Stack(fused=False, dropout=True),
    )  # fmt: skip
    found = memory(LLAMA2_7B, layout)
    assert (found.total - found.overhead) / GIB == pytest.approx(measured, rel=0.03)


@pytest.mark.parametrize(
    ("shape", "context", "data", "tensor", "ring", "sequences", "recompute", "measured"),
    [
        (LLAMA3_8B, 8192, 8, 1, 1, 2, Recompute.SELECTIVE_OP, 77.0),
        (LLAMA3_8B, 8192, 128, 1, 1, 2, Recompute.SELECTIVE_OP, 62.0),
        (LLAMA3_8B, 32768, 8, 1, 1, 1, Recompute.FULL, 83.9),
        (LLAMA3_8B, 65536, 4, 1, 2, 1, Recompute.FULL, 84.2),
        (LLAMA3_8B, 262144, 1, 1, 8, 1, Recompute.FULL, 84.5),
        (LLAMA3_70B, 8192, 32, 8, 1, 16, Recompute.FULL, 67.6),
    ],
)
def test_peaks_of_a_compiled_stack(shape, context, data, tensor, ring, sequences, recompute, measured):
    """GiB that PyTorch reserved (pytorch/torchtitan, benchmarks/llama3_h100_202412_torchtitan.md): without the context
    and the communication buffers, which are ``FIXED_OVERHEAD``."""
    layout = Layout(tensor=tensor, data=data, context=ring, zero=3, micro_batch=sequences, recompute=recompute)
    found = memory(shape._replace(context=context), layout)
    assert (found.total - FIXED_OVERHEAD) / GIB == pytest.approx(measured, rel=0.10)


@pytest.mark.parametrize(("data", "measured"), [(32, 47.96), (64, 46.97)])
def test_peaks_where_the_loss_is_compiled_too(data, measured):
    """Half a year later (pytorch/torchtitan, benchmarks/llama3-8b_h200_202506_trainy-whitefiber.md)."""
    layout = Layout(data=data, zero=3, micro_batch=2, recompute=Recompute.SELECTIVE_OP)
    found = memory(LLAMA3_8B, layout, logit_bytes=FUSED_LOGITS_BYTES)
    assert (found.total - FIXED_OVERHEAD) / GIB == pytest.approx(measured, rel=0.10)


def bloom(layers, width, heads, tensor, pipeline, data, sequences, gradient_bytes):
    layout = Layout(
        tensor=tensor, pipeline=pipeline, data=data, micro_batch=sequences, recompute=Recompute.FULL,
        sequence_parallel=False, stack=UNFUSED._replace(gradient_bytes=gradient_bytes),
    )  # fmt: skip
    return memory(gpt(layers, width, heads, vocabulary=250880), layout)


@pytest.mark.parametrize(
    ("trial", "gigabytes"),
    [
        ((70, 14336, 64, 4, 12, 8, 2, 6), 59),
        ((70, 14336, 64, 8, 12, 4, 2, 6), 40),
        ((106, 12288, 96, 4, 12, 8, 4, 6), 79),
        ((72, 14336, 64, 2, 24, 8, 1, 2), 44),
        ((72, 14336, 64, 8, 2, 24, 1, 2), 65),
    ],
)
def test_peaks_of_bloom_trials(trial, gigabytes):
    """Of devices, as read from nvidia-smi (bigscience, tr11-176B-ml/chronicles-prequel.md). With its BF16 optimizer
    DeepSpeed keeps gradients in both 16 and 32 bits."""
    assert bloom(*trial).total / 1e9 == pytest.approx(gigabytes, rel=0.10)


@pytest.mark.parametrize(
    "trial",
    [
        (72, 14336, 64, 8, 1, 48, 1, 2),
        (72, 14336, 64, 2, 6, 32, 2, 2),
        (72, 14336, 64, 2, 6, 32, 1, 2),
        (100, 12288, 64, 4, 6, 16, 2, 6),
        (100, 12288, 64, 4, 6, 16, 1, 6),
        (82, 14336, 128, 4, 12, 8, 2, 6),
    ],
)
def test_no_bloom_trial_that_ran_out_of_memory_is_called_fitting(trial):
    needed = bloom(*trial)
    assert short(needed, A100) > 0
    assert short(needed, A100) == pytest.approx(needed.total - 64e9)


def test_what_fits_leaves_a_fifth_of_the_memory():
    assert usable(A100) == 64e9
    small = memory(LLAMA2_7B, Layout(tensor=8, data=8))
    assert short(small, A100) == 0.0


def test_parts_sum_to_the_total():
    for shape in SHAPES.values():
        found = memory(shape, Layout(tensor=4, pipeline=2, data=4, expert=4 if shape.experts else 1, micro_batch=2))
        assert sum(found[:-1]) == pytest.approx(found.total, rel=1e-12)
        assert all(part >= 0 for part in found)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("recompute", list(Recompute))
@pytest.mark.parametrize("zero", [0, 1, 2, 3])
def test_arrays_are_counted_as_their_elements(name, recompute, zero):
    shape = SHAPES[name]
    degrees = np.array(
        [(1, 1, 8, 1, 1, 1, 1), (8, 2, 4, 2, 4, 2, 2), (4, 16, 8, 1, 8, 1, 1), (2, 8, 3, 1, 1, 5, 3)], dtype=float
    )
    fixed = {"zero": zero, "recompute": recompute}
    names = ("tensor", "pipeline", "data", "context", "expert", "micro_batch", "interleave")
    together = memory(shape, Layout(**dict(zip(names, degrees.T, strict=True)), **fixed), np.full(4, 16.0))
    for i, row in enumerate(degrees):
        alone = memory(shape, Layout(**dict(zip(names, (int(n) for n in row), strict=True)), **fixed), 16)
        for part, of_one in zip(together, alone, strict=True):
            assert np.broadcast_to(part, 4)[i] == pytest.approx(of_one, rel=1e-12)


def test_recomputing_more_keeps_less():
    layout = Layout(tensor=4, data=8, stack=Stack(flash=False))
    ways = (Recompute.NONE, Recompute.SELECTIVE, Recompute.SELECTIVE_OP, Recompute.FULL)
    kept = [a_layer(LLAMA3_70B, layout._replace(recompute=way)) for way in ways]
    assert kept == sorted(kept, reverse=True)
    assert len(set(kept)) == len(kept)


def test_fused_attention_keeps_no_scores_and_fused_gates_less():
    layout = Layout(stack=Stack(flash=False, fused=False, dropout=True))
    eager = a_layer(LLAMA3_8B, layout)
    flash = a_layer(LLAMA3_8B, layout._replace(stack=layout.stack._replace(flash=True)))
    fused = a_layer(LLAMA3_8B, layout._replace(stack=Stack(flash=True, fused=True, dropout=True)))
    bare = a_layer(LLAMA3_8B, Layout())
    assert eager - flash == pytest.approx(5 * 32 * 8192)
    assert flash - fused == pytest.approx(2 * 14336)
    assert fused - bare == pytest.approx(2 * 4096)


def test_the_first_stage_holds_as_many_micro_batches_as_there_are_stages():
    layout = Layout(pipeline=8)
    kept = a_layer(LLAMA3_70B, Layout()) * 8192
    whole, few = memory(LLAMA3_70B, layout).activations, memory(LLAMA3_70B, layout, 2).activations
    assert whole - few == pytest.approx((8 - 2) * 10 * kept)
    chunked = memory(LLAMA3_70B, layout._replace(interleave=5)).activations
    assert chunked - whole == pytest.approx((8 - 1) / 5 * 10 * kept)


def test_uneven_stages_count_the_fullest():
    assert stage_layers(126, 16) == 8
    assert stage_layers(78, 12) == 7
    assert stage_layers(126, 16, 4) == 8
    even, uneven = memory(LLAMA3_70B, Layout(pipeline=8)), memory(LLAMA3_70B._replace(layers=73), Layout(pipeline=8))
    assert uneven.weights == pytest.approx(even.weights, rel=1e-4)


def test_the_last_stage_counts_where_its_logits_outweigh_what_the_first_holds():
    shape = LLAMA3_8B._replace(layers=4)
    layout = Layout(pipeline=2, micro_batch=4, recompute=Recompute.FULL)
    found = memory(shape, layout)
    assert found.logits == pytest.approx(4 * 8192 * (12 * 128256 + 4 * 4096))
    small = memory(shape._replace(vocabulary=100), layout._replace(recompute=Recompute.NONE))
    assert small.logits == 0.0


def test_stage_3_gathers_layers_one_after_the_other():
    layout = Layout(data=64, zero=3)
    found = memory(LLAMA3_70B, layout)
    assert found.gradients + found.optimizer == pytest.approx(16 * LLAMA3_70B.params.total / 64, rel=1e-12)
    layer = LLAMA3_70B.attention_layer + LLAMA3_70B.dense_ffn_layer
    assert found.weights == pytest.approx(2 * (3 * layer + 128256 * 8192), rel=1e-12)
    assert memory(LLAMA3_70B, Layout(data=1, zero=3)).weights == 0.0


@pytest.mark.parametrize(
    ("field", "smaller"),
    [("tensor", "weights"), ("pipeline", "weights"), ("data", "optimizer"), ("context", "activations")],
)
def test_each_degree_divides_its_part(field, smaller):
    base = Layout(data=4)
    more = base._replace(**{field: 8})
    assert getattr(memory(LLAMA3_70B, more), smaller) < getattr(memory(LLAMA3_70B, base), smaller)


def test_experts_are_shared_by_their_ranks():
    alone, shared = (memory(DEEPSEEK_V3, Layout(data=64, expert=e, zero=0)) for e in (1, 64))
    routed = 58 * 256 * DEEPSEEK_V3.expert_ffn
    assert alone.weights - shared.weights == pytest.approx(2 * routed * (1 - 1 / 64))
    sharded = memory(DEEPSEEK_V3, Layout(data=64, expert=64, zero=1))
    common = DEEPSEEK_V3.params.total - routed
    assert sharded.optimizer == pytest.approx(12 * (routed / 64 + common / 64))


def test_fewer_heads_of_keys_and_latent_keys_change_what_is_kept():
    grouped = a_layer(LLAMA3_70B, Layout())
    every = a_layer(LLAMA3_70B._replace(kv_heads=64), Layout())
    assert every - grouped == pytest.approx(4 * (64 - 8) * 128)
    latent = DEEPSEEK_V3._replace(experts=None)
    plain = latent._replace(latent=None)
    projected = 4 * 128 * (128 + 64 + 128) + 4 * (1536 + 512) + 2 * 64
    assert a_layer(latent, Layout()) - a_layer(plain, Layout()) == pytest.approx(projected - 4 * 2 * 128 * 128)


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("zero", [0, 1, 2])
def test_training_in_32_bits_has_no_master_copy_and_activations_twice_as_wide(name, zero):
    """Weight, gradient, momentum and variance of 4 bytes each: 16 a parameter, where 16-bit weights make it 18."""
    shape, layout = SHAPES[name], Layout(zero=zero)
    narrow, wide = memory(shape, layout), memory(shape, layout, value_bytes=4)
    params = shape.params.total
    assert (wide.weights, wide.gradients, wide.optimizer) == pytest.approx((4 * params, 4 * params, 8 * params))
    assert wide.activations == pytest.approx(2 * narrow.activations)
    assert wide.logits - narrow.logits == pytest.approx(4 * shape.width * shape.context)  # logits are in FP32 anyway


def test_stage_3_in_32_bits_shards_four_times_four_bytes():
    found = memory(LLAMA3_70B, Layout(data=64, zero=3), value_bytes=4)
    layer = LLAMA3_70B.attention_layer + LLAMA3_70B.dense_ffn_layer
    gathered = 4 * (3 * layer + 128256 * 8192)
    assert static(found) == pytest.approx(16 * LLAMA3_70B.params.total / 64 + gathered, rel=1e-12)


def test_gradients_of_32_bit_weights_are_no_narrower():
    half = Layout(stack=Stack(gradient_bytes=2))
    assert memory(LLAMA3_8B, half, value_bytes=4) == memory(LLAMA3_8B, Layout(), value_bytes=4)


@pytest.mark.parametrize(
    ("precision", "bytes_each"), [("fp32", 4), ("tf32", 4), ("bf16", 2), ("fp16", 2), ("fp8", 2), ("nvfp4", 2)]
)
def test_narrow_formats_are_of_products_only(precision, bytes_each):
    assert value_bytes_at(precision) == bytes_each


@pytest.mark.parametrize(("tensor", "expert", "copies"), [(1, 64, 1), (8, 8, 64), (2, 64, 2), (4, 1, 256)])
def test_copies_of_experts_are_those_whose_optimizer_is_shared(tensor, expert, copies):
    """Experts are whole on a rank, and tensor ranks hold different ones or copies (Megatron-LM)."""
    layout = Layout(tensor=tensor, data=64, expert=expert, zero=1)
    assert expert_copies(layout) == copies
    routed = 58 * 256 * DEEPSEEK_V3.expert_ffn / expert
    sharded, whole = memory(DEEPSEEK_V3, layout), memory(DEEPSEEK_V3, layout._replace(zero=0))
    others = whole.optimizer - 12 * routed
    assert sharded.optimizer == pytest.approx(others / 64 + 12 * routed / copies)
