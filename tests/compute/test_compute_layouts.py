"""The search for layouts against a naive twin, its quick version against the search, and what it refuses."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.divisions import Asked, divisions, divisors, require_divisible
from scaleplan.compute.layout import Layout, Recompute, Stack, in_words
from scaleplan.compute.layout_search import enough_accelerators, search
from scaleplan.compute.layouts import Task, candidate, lacking, quick_best
from scaleplan.compute.memory import memory, usable
from scaleplan.compute.transformer import Experts, Transformer
from scaleplan.compute.traps import traps
from scaleplan.errors import InfeasibleError, UsageError

H100 = Device("h100-sxm", "bf16", 989e12, 80e9, 3.35e12, 450e9, 50e9, 8)
FITTED = Calibration(0.55, 1.4, 0.7, "none", "round numbers for tests")
LLAMA3_8B = Transformer(32, 4096, 32, 8, 128, 14336, 128256, 8192)
LLAMA3_70B = Transformer(80, 8192, 64, 8, 128, 28672, 128256, 8192)
LLAMA3_405B = Transformer(126, 16384, 128, 8, 128, 53248, 128256, 8192)
GPT3 = Transformer(96, 12288, 96, 96, 128, 49152, 50257, 2048, gated=False)
QWEN3_30B = Transformer(48, 2048, 32, 4, 128, 6144, 151936, 4096, experts=Experts(128, 8, 768))
QWEN3_235B = Transformer(94, 4096, 64, 4, 128, 12288, 151936, 4096, experts=Experts(128, 8, 1536))
PALM = Transformer(118, 18432, 48, 1, 256, 73728, 256000, 2048, tied=True)
BLOOM_TRIAL = GPT3._replace(width=14400, feed_forward=57600, head_size=150)
MQA = Transformer(32, 4544, 71, 1, 64, 18176, 65024, 2048, gated=False)
TASKS = {
    "llama3-8b": Task(LLAMA3_8B, H100, FITTED, 64, 512),
    "llama3-70b": Task(LLAMA3_70B, H100, FITTED, 512, 512),
    "llama3-405b": Task(LLAMA3_405B, H100, FITTED, 16384, 2048),
    "gpt3": Task(GPT3, H100, FITTED, 1024, 1536),
    "qwen3-30b": Task(QWEN3_30B, H100, FITTED, 64, 1024),
    "odd": Task(LLAMA3_8B, H100, FITTED, 48, 96),
    "long": Task(LLAMA3_8B._replace(context=131072), H100, FITTED, 256, 32),
}


def naive(task):
    """Seconds and layouts of everything that may be listed, one after the other by plain loops."""
    shape, found = task.shape, []
    n, moe = task.accelerators, shape.experts
    degrees = itertools.product(divisors(n), divisors(n), range(1, 17), range(1, 13), (1, 3))
    for t, p, b, v, zero in degrees:
        ranks = n // (t * p)
        if n % (t * p) or min(n, task.device.domain) % t or any(size % t for size in (shape.heads, shape.kv_heads)):
            continue
        if task.sequences % (ranks * b) or (zero == 3 and (p > 1 or ranks == 1)):
            continue
        m, most = task.sequences // (ranks * b), -(-shape.layers // p)
        if (p - 1) * most >= shape.layers or most * p > 1.25 * shape.layers:
            continue
        each = -(-shape.layers // (p * v))
        chunks = -(-shape.layers // each)
        if v > 1 and (p == 1 or m % p or p * v - chunks > 2 or each * v > most):
            continue
        for e in divisors(moe.count) if moe else [1]:
            if ranks % e:
                continue
            for recompute in (Recompute.NONE, Recompute.SELECTIVE_OP, Recompute.FULL):
                layout = Layout(t, p, ranks, 1, e, zero, b, v, recompute)
                one = candidate(task, layout)
                if one.short == 0:
                    found.append((one.time.seconds, one.memory.total, layout))
                    break
    return sorted(found, key=lambda each: each[:2])


@pytest.mark.parametrize("name", ["llama3-8b", "llama3-70b", "qwen3-30b", "odd"])
def test_the_search_finds_what_plain_loops_find(name):
    task = TASKS[name]
    found, expected = search(task, top=10**6), naive(task)
    assert found.fitting == len(expected)
    distinct = []
    for seconds, _, layout in expected:
        alike = layout._replace(interleave=1)
        if alike not in [each._replace(interleave=1) for _, each in distinct]:
            distinct.append((seconds, layout))
    assert [each.layout for each in found.best] == [layout for _, layout in distinct]
    assert [each.time.seconds for each in found.best] == pytest.approx([seconds for seconds, _ in distinct])


@pytest.mark.parametrize("name", TASKS)
def test_what_is_listed_divides_and_fits_fastest_first(name):
    task = TASKS[name]
    found = search(task, top=20)
    assert 0 < len(found.best) <= 20
    assert len(found.best) <= found.fitting <= found.tried
    seconds = [each.time.seconds for each in found.best]
    assert seconds == sorted(seconds)
    for each in found.best:
        layout = each.layout
        assert layout.accelerators == task.accelerators
        assert task.sequences % (layout.data * layout.micro_batch) == 0
        assert layout.tensor <= task.device.domain
        assert each.short == 0
        assert each.memory.total <= usable(task.device)
        assert (layout.data * layout.context) % layout.expert == 0


@pytest.mark.parametrize("name", TASKS)
def test_a_short_list_is_the_beginning_of_a_long_one(name):
    short, long = search(TASKS[name], top=3), search(TASKS[name], top=30)
    assert short.best == long.best[:3]
    assert short.fitting == long.fitting


@pytest.mark.parametrize("accelerators", [8, 16, 24, 64, 96, 256, 512, 1000, 1024, 2048, 16384])
@pytest.mark.parametrize("shape", [LLAMA3_8B, LLAMA3_70B, LLAMA3_405B, GPT3, PALM, QWEN3_30B, QWEN3_235B])
def test_the_quick_search_finds_what_the_search_does_or_little_slower(shape, accelerators):
    """Within 3 % of the fastest, with batches that suit micro-batches of two and three; see bench_layout.py."""
    for each in (3, 4):
        task = Task(shape, H100, FITTED, accelerators, each * accelerators)
        found = search(task, top=1)
        if not found.best:
            assert found.nearest is not None
            with pytest.raises(InfeasibleError, match="short by") as caught:
                quick_best(task)
            assert caught.value.message == lacking(task, found.nearest)
            continue
        quick = quick_best(task)
        assert quick.short == 0
        assert quick.time.seconds <= found.best[0].time.seconds * 1.03
        assert quick.time.seconds >= found.best[0].time.seconds * (1 - 1e-12)
        assert quick == candidate(task, quick.layout)


def test_the_quick_search_finds_layouts_that_divide():
    for task in TASKS.values():
        row = quick_best(task).layout
        degrees = (row.tensor, row.pipeline, row.data, row.context, row.expert, row.micro_batch, row.interleave)
        assert degrees in set(divisions(task.shape, task.device, task.accelerators, task.sequences, Asked()))


def test_the_quick_search_takes_the_mean_shape_of_a_family():
    shape = LLAMA3_70B._replace(layers=79.3, width=8112.5, heads=63.4, kv_heads=7.9, feed_forward=28500.7)
    assert quick_best(Task(shape, H100, FITTED, 512, 512)).short == 0


PLAIN = """
import sys
from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.layouts import Task, quick_best
from scaleplan.compute.transformer import Transformer
shape = Transformer(80, 8192, 64, 8, 128, 28672, 128256, 8192)
device = Device("h100-sxm", "bf16", 989e12, 80e9, 3.35e12, 450e9, 50e9, 8)
task = Task(shape, device, Calibration(0.55, 1.4, 0.7, "", ""), 512, 512)
quick_best(task)
try:
    quick_best(task._replace(accelerators=8))
except Exception as error:
    print(type(error).__name__)
print("numpy" in sys.modules)
"""


def test_the_quick_search_needs_no_numpy():
    done = subprocess.run([sys.executable, "-c", PLAIN], check=True, capture_output=True, text=True)
    assert done.stdout == "InfeasibleError\nFalse\n"


def test_degrees_that_are_asked_for_are_kept():
    asked = Asked(tensor=4, pipeline=8, micro_batch=2, zero=1, recompute=Recompute.FULL, interleave=5)
    (only,) = search(TASKS["llama3-70b"], asked).best
    assert (only.layout.tensor, only.layout.pipeline, only.layout.micro_batch) == (4, 8, 2)
    assert only.layout.data == 16
    assert only.layout.interleave == 5
    assert only.layout.recompute is Recompute.FULL


def test_a_tensor_degree_beyond_a_node_is_taken_only_when_asked_for():
    task = Task(GPT3, H100, FITTED, 256, 256)
    assert all(each.layout.tensor <= 8 for each in search(task, top=10**6).best)
    assert search(task, Asked(tensor=16)).best[0].layout.tensor == 16


def test_tensor_degrees_fill_nodes():
    """Of groups of six on nodes of eight half would cross; on six accelerators none does."""
    shape = LLAMA3_8B._replace(heads=24, kv_heads=24, width=3072, feed_forward=12288)
    assert {row.tensor for row in divisions(shape, H100, 48, 96, Asked())} == {1, 2, 4, 8}
    assert {row.tensor for row in divisions(shape, H100, 6, 96, Asked())} == {1, 2, 3, 6}
    task = Task(shape, H100, FITTED, 48, 96)
    six = candidate(task, Layout(tensor=6, data=8))
    fast = candidate(task._replace(device=H100._replace(network=450e9)), Layout(tensor=6, data=8))
    assert six.time.tensor > 3 * fast.time.tensor  # what is asked for is priced at the network
    assert search(task, Asked(tensor=6), top=1).best


def test_a_share_of_the_memory_may_be_given():
    """Korthikanti et al. 2022: 175B on 64 A100, tensor 8, pipeline 8, three chunks, selective recomputation."""
    a100 = Device("a100-sxm-80", "bf16", 312e12, 80e9, 2.039e12, 300e9, 25e9, 8)
    shape = GPT3._replace(vocabulary=51200, tied=True)
    stack = Stack(flash=False, fused=False, dropout=True)
    task = Task(shape, a100, FITTED, 64, 64, stack)
    asked = Asked(tensor=8, pipeline=8, interleave=3, micro_batch=1, zero=1, recompute=Recompute.SELECTIVE)
    assert not search(task, asked).best
    (only,) = search(task._replace(fill=0.9), asked).best
    assert 0.8 * 80e9 < only.memory.total <= 0.9 * 80e9
    assert usable(a100, 0.9) == 72e9


def test_training_in_32_bits_takes_more_memory():
    """Precision of the products decides how wide weights and activations are kept, in both searches."""
    task = TASKS["llama3-8b"]
    wide = task._replace(device=H100._replace(precision="tf32", peak=495e12))
    layout = Layout(tensor=2, data=32, recompute=Recompute.FULL)
    assert candidate(wide, layout).memory.activations == 2 * candidate(task, layout).memory.activations
    assert (
        candidate(task._replace(device=H100._replace(precision="fp8")), layout).memory == candidate(task, layout).memory
    )
    assert search(wide, top=1).fitting < search(task, top=1).fitting
    assert quick_best(wide).short == 0


def test_a_single_head_of_keys_is_on_every_rank_and_heads_still_divide():
    degrees = {row.tensor for row in divisions(MQA, H100, 64, 512, Asked())}
    assert degrees == {1}  # 71 heads divide by nothing
    even = MQA._replace(heads=64)
    assert {row.tensor for row in divisions(even, H100, 64, 512, Asked())} == {1, 2, 4, 8}


def test_context_parallel_serves_long_sequences_only():
    assert {row.context for row in divisions(LLAMA3_8B, H100, 64, 64, Asked())} == {1}
    long = LLAMA3_8B._replace(context=131072)
    assert {row.context for row in divisions(long, H100, 256, 32, Asked())} == {1, 2, 4, 8, 16, 32}


def test_llama_405b_may_leave_its_first_and_last_chunk_empty():
    """126 layers on 16 stages of 8 chunks, two of which have none (Grattafiori et al. 2024, sec. 3.3.2)."""
    rows = divisions(LLAMA3_405B, H100, 16384, 2048, Asked(tensor=8, pipeline=16))
    assert {row.interleave for row in rows} >= {1, 2, 4, 8}


def test_nothing_fits_and_what_lacks_least_is_told():
    task = Task(LLAMA3_70B, H100, FITTED, 8, 512)
    found = search(task)
    assert found.best == ()
    assert found.nearest is not None
    naive_short = [
        memory(task.shape, Layout(**row._asdict(), zero=zero, recompute=Recompute.FULL)).total - usable(H100)
        for row in divisions(task.shape, H100, 8, 512, Asked())
        for zero in ((1, 3) if row.pipeline == 1 and row.data > 1 else (1,))
    ]
    assert found.nearest.short == pytest.approx(min(naive_short), rel=1e-3)
    text = lacking(task, found.nearest)
    assert f"short by {found.nearest.short / 1e9:.1f} GB" in text
    assert "64.0 of its 80 GB" in text
    more = enough_accelerators(task)
    assert more is not None
    assert search(task._replace(accelerators=more)).best
    assert not search(task._replace(accelerators=more // 2)).best


def test_no_number_of_accelerators_is_enough_for_one_sequence_that_fits_nowhere():
    huge = LLAMA3_70B._replace(width=8192 * 64, feed_forward=28672 * 64, layers=2)
    assert enough_accelerators(Task(huge, H100, FITTED, 8, 1)) is None


@pytest.mark.parametrize(
    ("shape", "accelerators", "sequences", "asked", "said"),
    [
        (LLAMA3_70B, 512, 512, Asked(tensor=6), "tensor 6 does not divide the 64 heads; it takes 1, 2, 4, 8"),
        (LLAMA3_70B, 512, 512, Asked(tensor=16), "tensor 16 does not divide the 8 heads of keys and values"),
        (LLAMA3_70B, 512, 512, Asked(tensor=8, pipeline=12), "512 accelerators do not divide into tensor 8 x"),
        (LLAMA3_70B, 512, 512, Asked(tensor=8, pipeline=2, data=16, context=1), "= 256 accelerators, not the 512"),
        (LLAMA3_70B, 512, 512, Asked(pipeline=128), "pipeline 128 has more stages than the model's 80 layers"),
        (LLAMA3_70B, 512, 512, Asked(pipeline=4, interleave=3), "80 layers do not divide into pipeline 4 x interleave"),
        (LLAMA3_70B, 512, 512, Asked(pipeline=1, interleave=2), "interleave 2 needs a pipeline"),
        (LLAMA3_70B, 512, 512, Asked(pipeline=16, data=32, micro_batch=2, interleave=5, tensor=1), "multiple of"),
        (LLAMA3_70B, 512, 512, Asked(data=64, micro_batch=3), "no multiple of data 64 x micro-batch 3 = 192; take 384"),
        (LLAMA3_70B, 512, 100, Asked(data=512), "no multiple of data 512 = 512; take 512 sequences"),
        (LLAMA3_70B, 512, 512, Asked(context=3), "context-parallel 3 does not divide sequences of 8192 tokens"),
        (LLAMA3_70B, 512, 512, Asked(expert=8), "the model has no experts"),
        (QWEN3_30B, 64, 1024, Asked(expert=256), "expert 256 ranks cannot share the 128 experts"),
        (QWEN3_30B, 64, 1024, Asked(expert=128), "expert 128 ranks must divide data x context-parallel, at most 64"),
        (QWEN3_30B, 64, 1024, Asked(expert=16, data=8, context=1), "at most 8 here"),
        (LLAMA3_70B, 512, 512, Asked(zero=4), "ZeRO has stages 0 to 3 (got 4)"),
        (LLAMA3_70B, 512, 512, Asked(micro_batch=0), "micro-batch must be at least 1 (got 0)"),
        (LLAMA3_70B, 1009, 1000, Asked(), "no layout divides: 1009 accelerators, 1000 sequences"),
    ],
)
def test_a_layout_that_does_not_divide_is_one_clear_line(shape, accelerators, sequences, asked, said):
    with pytest.raises(UsageError) as caught:
        require_divisible(shape, H100, accelerators, sequences, asked)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_layouts_that_divide_are_not_refused():
    for task in TASKS.values():
        for row in itertools.islice(divisions(task.shape, task.device, task.accelerators, task.sequences, Asked()), 50):
            require_divisible(task.shape, task.device, task.accelerators, task.sequences, Asked(**row._asdict()))


def test_quick_search_says_what_does_not_divide():
    with pytest.raises(UsageError, match="no layout divides"):
        quick_best(Task(LLAMA3_70B, H100, FITTED, 1009, 1000))


def test_a_layout_in_words_leaves_out_what_is_one():
    layout = Layout(tensor=8, data=4, zero=3, micro_batch=2, recompute=Recompute.SELECTIVE_OP)
    assert in_words(layout) == "tensor 8, data 4, ZeRO 3, micro-batch 2, recompute selective_op"
    chunks = Layout(pipeline=4, data=2, context=2, expert=4, interleave=5)
    assert in_words(chunks).startswith("pipeline 4, context 2, data 2, expert 4, interleave 5, ZeRO 1")


def test_unfused_attention_may_recompute_its_core_alone():
    task = Task(GPT3, H100, FITTED, 1024, 1536, Stack(flash=False))
    assert any(each.layout.recompute is Recompute.SELECTIVE for each in search(task, top=200).best)


@pytest.mark.parametrize(
    ("shape", "layout", "codes"),
    [
        (LLAMA3_70B, Layout(tensor=8), []),
        (BLOOM_TRIAL, Layout(tensor=8), ["tile_alignment", "head_size"]),
        (GPT3._replace(width=13824, feed_forward=55296, head_size=144), Layout(tensor=8), []),
        (LLAMA3_70B._replace(head_size=512), Layout(), ["head_size"]),
        (LLAMA3_405B, Layout(tensor=8, pipeline=16), ["uneven_stages"]),
    ],
)  # fmt: skip
def test_traps_of_a_layout_are_told(shape, layout, codes):
    assert [notice.code for notice in traps(shape, layout)] == codes
