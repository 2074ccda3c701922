"""The step-time model: limits, monotonicity, arrays against floats, and naive twins of its terms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from scaleplan.compute.communication import Cluster, cluster, exchange, gather, send
from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.layout import Layout, Recompute, Stack
from scaleplan.compute.step_layer import layer, rates
from scaleplan.compute.step_time import StepTime, stage_ends, step_time
from scaleplan.compute.transformer import Experts, LatentAttention, Transformer, Window

DEVICE = Device("a100-sxm-80", "bf16", 3.12e14, 80e9, 2.039e12, 300e9, 25e9, 8)
CALIBRATION = Calibration(0.8, 1.1, 0.75, "", "")
DENSE = Transformer(48, 8192, 64, 8, 128, 28672, 128256, 4096)
SPARSE = Transformer(
    48, 2048, 32, 4, 128, 6144, 151936, 4096, experts=Experts(count=64, active=4, feed_forward=768, dense_layers=2)
)
LATENT = SPARSE._replace(latent=LatentAttention(1536, 512, 128, 64, 128), window=Window(1024, 12))
LAYOUT = Layout(tensor=4, pipeline=4, data=8, micro_batch=2)
PARTS = StepTime._fields[3:]


def seconds(layout: Layout, device: Device = DEVICE, shape: Transformer = DENSE, sequences: float = 512) -> float:
    """The time of one step."""
    return float(step_time(shape, layout, device, CALIBRATION, sequences).seconds)


@pytest.mark.parametrize("shape", [DENSE, SPARSE, LATENT])
def test_the_parts_add_up_and_none_is_negative(shape: Transformer) -> None:
    layout = LAYOUT._replace(context=2, expert=8, interleave=2, recompute=Recompute.FULL)
    time = step_time(shape, layout, DEVICE, CALIBRATION, 512)
    parts = [float(getattr(time, name)) for name in PARTS]
    assert sum(parts) == pytest.approx(float(time.seconds))
    assert min(parts) >= 0
    assert time.low < time.seconds < time.high


@pytest.mark.parametrize("shape", [DENSE, SPARSE, LATENT])
@pytest.mark.parametrize("zero", [0, 1, 3])
@pytest.mark.parametrize("recompute", list(Recompute))
def test_arrays_give_what_floats_give(shape: Transformer, zero: int, recompute: Recompute) -> None:
    random = np.random.default_rng(7)
    degrees: dict[str, Any] = {
        name: np.array(2.0 ** random.integers(0, 4, 60), dtype=np.float64)
        for name in ("tensor", "pipeline", "data", "context", "expert", "micro_batch", "interleave")
    }
    layout = Layout(zero=zero, recompute=recompute, **degrees)
    together = step_time(shape, layout, DEVICE, CALIBRATION, 4096)
    for i in range(60):
        own: dict[str, Any] = {name: float(values[i]) for name, values in degrees.items()}
        one = Layout(zero=zero, recompute=recompute, **own)
        alone = step_time(shape, one, DEVICE, CALIBRATION, 4096)
        for name, value in alone._asdict().items():
            assert float(np.broadcast_to(getattr(together, name), 60)[i]) == pytest.approx(float(value), rel=1e-12)


def test_whole_numbers_serve_as_degrees() -> None:
    degrees = np.array([1, 2, 4, 8])
    whole, real = (
        step_time(DENSE, LAYOUT._replace(tensor=each, micro_batch=each), DEVICE, CALIBRATION, 512).seconds
        for each in (degrees, degrees.astype(float))
    )
    np.testing.assert_array_equal(whole, real)


def test_arrays_of_shapes_and_batches_broadcast() -> None:
    shape = DENSE._replace(layers=np.array([24.0, 48.0])[:, None])
    together: Any = step_time(shape, LAYOUT, DEVICE, CALIBRATION, np.array([256.0, 512.0, 1024.0])).seconds
    assert together.shape == (2, 3)
    assert together[1, 1] == pytest.approx(seconds(LAYOUT))


@pytest.mark.parametrize("field", ["network", "link", "memory_bandwidth", "peak"])
@pytest.mark.parametrize("shape", [DENSE, SPARSE])
@pytest.mark.parametrize(
    "layout",
    [
        LAYOUT,
        LAYOUT._replace(tensor=16, pipeline=1, zero=3),
        LAYOUT._replace(context=4, expert=16, zero=0, stack=Stack(flash=False, overlap=False, fused=False)),
    ],
)
def test_a_faster_device_is_never_slower(field: str, shape: Transformer, layout: Layout) -> None:
    times = [
        seconds(layout, DEVICE._replace(**{field: factor * getattr(DEVICE, field)}), shape) for factor in (1, 2, 8)
    ]
    assert times[0] >= times[1] >= times[2]


def test_a_step_takes_at_least_its_products_at_the_fitted_rate() -> None:
    """2 FLOPs a weight forward, 4 backward, 2 for what is computed again; scores come on top."""
    for recompute, passes in ((Recompute.NONE, 6), (Recompute.FULL, 8)):
        layout = Layout(tensor=8, pipeline=4, data=4, recompute=recompute)
        in_layers = float(DENSE.params.matrices) - 128256 * 8192
        flop = (passes * in_layers + 6 * 128256 * 8192) * 512 * 4096
        least = flop / (CALIBRATION.efficiency * DEVICE.peak * 128)
        assert seconds(layout) > least
        assert seconds(layout) < 2 * least


def test_scaling_is_perfect_where_communication_is_free() -> None:
    """Latencies remain: a part in a thousand."""
    free = DEVICE._replace(link=1e30, network=1e30)
    one = seconds(Layout(data=1, zero=0, micro_batch=4), free, sequences=256)
    many = seconds(Layout(data=64, zero=0, micro_batch=4), free, sequences=64 * 256)
    assert many == pytest.approx(one, rel=1e-3)


def test_the_bubble_is_one_micro_batch_a_stage_but_one() -> None:
    """(p - 1) / m of the work of even stages (Narayanan et al. 2021, sec. 2.2), a v-th of it with v chunks."""
    even = DENSE._replace(vocabulary=1)
    for p, v, m in ((4, 1, 16), (8, 1, 64), (8, 3, 64), (16, 3, 16)):
        layout = Layout(pipeline=p, interleave=v, zero=0, stack=Stack(overlap=False))
        time = step_time(even, layout, DEVICE, CALIBRATION, m)
        work = float(time.products + time.attention + time.memory + time.launch)
        assert float(time.bubble) == pytest.approx((p - 1) / (v * m) * work, rel=1e-3)


@pytest.mark.parametrize(("stages", "micro_batches"), [(1, 4), (2, 5), (4, 4), (4, 16), (6, 24)])
def test_a_pipeline_run_event_by_event_takes_as_long(stages: int, micro_batches: int) -> None:
    """A naive twin: one forward, one backward, each waits for its neighbour and for its own stage."""
    forward, backward = 1.0, 2.0
    plans: list[list[tuple[str, int]]] = []
    for stage in range(stages):
        warm = min(stages - stage - 1, micro_batches)
        plan = [("f", i) for i in range(warm)]
        for i in range(micro_batches - warm):
            plan += [("f", warm + i), ("b", i)]
        plans.append(plan + [("b", i) for i in range(micro_batches - warm, micro_batches)])
    done: dict[tuple[str, int, int], float] = {}
    free = [0.0] * stages
    while any(plans):
        for stage, plan in enumerate(plans):
            while plan:
                kind, i = plan[0]
                needs = (kind, stage + (-1 if kind == "f" else 1), i)
                edge = stage == (0 if kind == "f" else stages - 1)
                if not edge and needs not in done:
                    break
                start = max(free[stage], 0.0 if edge else done[needs])
                free[stage] = done[kind, stage, i] = start + (forward if kind == "f" else backward)
                plan.pop(0)
    formula = micro_batches * 3.0 + (stages - 1) * 3.0
    assert max(free) == pytest.approx(formula)


@pytest.mark.parametrize(
    ("ranks", "stride"),
    [(2, 1), (8, 1), (16, 1), (64, 8), (32, 2), (4, 16), (6, 1), (12, 1), (24, 1), (3, 4), (6, 4), (2, 6), (3, 2)],
)
def test_a_ring_walked_hop_by_hop_takes_as_long(ranks: int, stride: int) -> None:
    """A naive twin of the bandwidth term: n - 1 rounds, each as long as the slowest hop of any group, which has as many
    of a node's ports as it has ranks there."""
    node, bytes_ = 8, 1e9
    on = Cluster(link=200e9, network=20e9, domain=node)
    slowest = on.link
    for first in range(0, node * ranks * stride, ranks * stride):
        for offset in range(stride):
            places = [(first + offset + rank * stride) // node for rank in range(ranks)]
            if len(set(places)) > 1:
                ports = min(places.count(place) for place in places)
                slowest = min(slowest, ports * on.network)
    rounds = (ranks - 1) * bytes_ / ranks / slowest
    latency = float(gather(0.0, ranks, stride, on))
    assert float(gather(bytes_, ranks, stride, on)) - latency == pytest.approx(rounds)


def test_arrays_of_groups_are_priced_as_their_elements() -> None:
    on = Cluster(link=200e9, network=20e9, domain=8)
    ranks, stride = np.array([2.0, 6.0, 12.0, 8.0, 64.0]), np.array([1.0, 1.0, 2.0, 8.0, 1.0])
    together: Any = gather(1e9, ranks, stride, on)
    alone = [float(gather(1e9, float(n), float(k), on)) for n, k in zip(ranks, stride, strict=True)]
    assert together.tolist() == pytest.approx(alone, rel=1e-12)


@pytest.mark.parametrize(
    ("domain", "accelerators", "together"),
    [(8, 6, 6), (8, 8, 8), (8, 48, 8), (8, 36, 8), (72, 64, 64), (72, 72, 72), (72, 256, 64), (72, 144, 72)],
)
def test_a_job_fills_nodes_and_takes_sixty_four_of_a_racks_seventy_two(
    domain: int, accelerators: int, together: int
) -> None:
    assert cluster(DEVICE._replace(domain=domain), CALIBRATION, accelerators).domain == together


def test_ranks_of_experts_that_fill_a_part_of_each_rack_keep_to_its_links() -> None:
    rack = DEVICE._replace(domain=72, link=900e9, network=50e9)
    near = step_time(SPARSE, Layout(data=256, expert=64), rack, CALIBRATION, 1024).experts
    far = step_time(SPARSE, Layout(data=256, expert=64), rack._replace(domain=8), CALIBRATION, 1024).experts
    assert far > 3 * near


def test_a_group_that_does_not_divide_a_node_is_priced_at_the_network() -> None:
    """Of 48 on nodes of eight half of all groups of six cross, with two ports."""
    whole, crossing = (
        step_time(DENSE, Layout(tensor=t, data=48 // t), DEVICE, CALIBRATION, 480).tensor for t in (8, 6)
    )
    assert crossing > 2 * whole


def test_one_rank_communicates_nothing() -> None:
    on = Cluster(200e9, 20e9, 8)
    assert gather(1e9, 1, 1, on) == exchange(1e9, 4, 1, 1, on) == 0.0
    time = step_time(SPARSE, Layout(micro_batch=4, zero=3), DEVICE, CALIBRATION, 64)
    assert time.tensor == time.context == time.experts == time.pipeline == time.bubble == time.data == 0.0


@pytest.mark.parametrize(("ranks", "copies"), [(8, 4), (16, 2), (64, 8), (64, 1)])
def test_rows_sent_to_random_ranks_cross_the_network_once_a_node(ranks: int, copies: int) -> None:
    """A naive twin: rows drawn one by one; the same rank twice is left in, as in the formula."""
    on = Cluster(link=200e9, network=20e9, domain=8)
    random = np.random.default_rng(3)
    chosen = random.integers(0, ranks, (20_000, copies))
    links = (chosen != 0).sum(axis=1).mean()
    network = np.mean([len(set((row // on.domain).tolist()) - {0}) for row in chosen])
    drawn = 1e9 * (links / on.link + network / on.network)
    latency = float(exchange(0.0, copies, ranks, 1, on))
    assert float(exchange(1e9, copies, ranks, 1, on)) - latency == pytest.approx(drawn, rel=0.02)


def test_a_message_inside_a_node_takes_its_links() -> None:
    on = Cluster(200e9, 20e9, 8)
    assert send(1e9, True, on) - send(0.0, True, on) == pytest.approx(1e9 / 200e9)
    assert send(1e9, False, on) - send(0.0, False, on) == pytest.approx(1e9 / 20e9)


@pytest.mark.parametrize(
    ("layers", "p", "v", "most", "last"), [(70, 12, 1, 6, 5), (72, 12, 1, 6, 6), (126, 16, 8, 8, 7), (80, 4, 5, 20, 20)]
)
def test_layers_are_shared_out_in_whole_chunks(layers: int, p: int, v: int, most: int, last: int) -> None:
    """BLOOM's 70 layers on 12 stages and Llama 3's 126 on 16 leave the ends one short."""
    assert stage_ends(layers, p, v) == (most, last)


def test_a_mean_shape_has_a_share_of_its_layers_on_every_stage() -> None:
    assert stage_ends(35.5, 4, 1) == pytest.approx((8.875, 8.875))


def test_uneven_stages_cost_the_fullest() -> None:
    """45 layers on four stages: twelve on three of them, as 48 have."""
    shapes = [DENSE._replace(layers=layers, vocabulary=1) for layers in (48, 45)]
    even, uneven = (step_time(shape, LAYOUT, DEVICE, CALIBRATION, 512).products for shape in shapes)
    assert float(uneven) == pytest.approx(float(even), rel=2e-3)


def test_a_large_vocabulary_makes_the_last_stage_the_slowest() -> None:
    """BLOOM's 250,880 tokens weigh about as much as a layer of width 14,336 and more."""
    bloom = Transformer(72, 14336, 64, 64, 224, 57344, 250880, 2048, gated=False)
    layout = Layout(tensor=8, pipeline=12, micro_batch=1)
    six_layers = step_time(bloom._replace(vocabulary=1), layout, DEVICE, CALIBRATION, 2048)
    all_of_it = step_time(bloom, layout, DEVICE, CALIBRATION, 2048)
    assert 1.15 < float(all_of_it.products / six_layers.products) < 1.3


def test_recomputation_costs_time_in_order() -> None:
    unfused = Stack(flash=False)
    kinds = (Recompute.NONE, Recompute.SELECTIVE, Recompute.SELECTIVE_OP, Recompute.FULL)
    none, selective, by_operator, full = (seconds(LAYOUT._replace(recompute=r, stack=unfused)) for r in kinds)
    assert none < selective < full
    assert none < by_operator < full
    flash = [seconds(LAYOUT._replace(recompute=kind)) for kind in kinds[:2]]
    assert flash[0] == flash[1], "fused attention recomputes its scores anyway"


def test_sharding_weights_trades_time_for_memory() -> None:
    layouts = [Layout(data=64, zero=zero, micro_batch=1) for zero in (1, 3)]
    once, every_time = (float(step_time(DENSE, layout, DEVICE, CALIBRATION, 1024).data) for layout in layouts)
    assert every_time > 4 * once
    piped = Layout(pipeline=4, data=64, zero=3)
    data = [float(step_time(DENSE, piped, DEVICE, CALIBRATION, n).data) for n in (512, 4096)]
    assert data[0] == pytest.approx(data[1]), "gathered once a step in a pipeline"


def test_fused_scores_skip_what_the_mask_hides() -> None:
    """Two products of T s / 2 scores by the heads' width forward and five backward."""
    layout, speed = Layout(), rates(DEVICE, CALIBRATION)
    forward, backward = layer(DENSE, layout, speed, 4096)
    flop = 2 * 2 * 4096 * (4096 / 2) * 64 * 128
    rate = 0.42 * CALIBRATION.efficiency * DEVICE.peak
    assert float(forward.attention) == pytest.approx(flop / rate)
    assert float(backward.attention) == pytest.approx(2.5 * flop / rate)


def test_a_window_in_every_layer_bounds_what_a_query_sees() -> None:
    """A naive count of keys for each query of a sequence."""
    s, w = 512, 100
    keys = sum(min(q, w) for q in range(s)) / s
    speed = rates(DEVICE, CALIBRATION)
    windowed = DENSE._replace(context=s, window=Window(w, DENSE.layers))
    plain = DENSE._replace(context=s)
    share = float(layer(windowed, Layout(), speed, s)[0].attention / layer(plain, Layout(), speed, s)[0].attention)
    assert share == pytest.approx(keys / (sum(range(s)) / s), rel=0.02)


def test_thin_products_lose_efficiency() -> None:
    """Per token, a micro-batch of one sequence of 128 tokens takes longer than one of eight."""
    small = DENSE._replace(context=128)
    one, eight = (seconds(Layout(micro_batch=b), shape=small, sequences=64) for b in (1, 8))
    assert one > 1.5 * eight


def test_small_kernels_wait_for_their_start() -> None:
    tiny = Transformer(4, 64, 2, 2, 32, 256, 1000, 128, gated=False)
    time = step_time(tiny, Layout(), DEVICE, CALIBRATION, 1)
    assert float(time.launch) > 0.5 * float(time.seconds)


def test_the_printed_range_is_that_of_the_calibration() -> None:
    known = CALIBRATION._replace(error=0.2, expert_range=(0.7, 1.7))
    dense = step_time(DENSE, LAYOUT, DEVICE, known, 512)
    assert float(dense.high / dense.seconds) == pytest.approx(1.2)
    assert float(dense.seconds / dense.low) == pytest.approx(1.2)
    sparse = step_time(SPARSE, LAYOUT, DEVICE, known, 512)
    assert (sparse.low / sparse.seconds, sparse.high / sparse.seconds) == pytest.approx((0.7, 1.7))
    assert sparse.high / sparse.low <= 2.5


def test_a_time_factor_stretches_every_part() -> None:
    plain = step_time(SPARSE, LAYOUT, DEVICE, CALIBRATION, 512)
    slow = step_time(SPARSE, LAYOUT, DEVICE, CALIBRATION._replace(time_factor=1.5), 512)
    for name in ("seconds", *PARTS):
        assert float(getattr(slow, name)) == pytest.approx(1.5 * float(getattr(plain, name)))


def test_narrow_formats_leave_attention_in_sixteen_bits() -> None:
    fp8 = DEVICE._replace(precision="fp8", peak=2 * DEVICE.peak)
    wide, narrow = (step_time(DENSE, LAYOUT, device, CALIBRATION, 512) for device in (DEVICE, fp8))
    assert float(narrow.attention) == pytest.approx(float(wide.attention))
    assert float(narrow.products) < 0.65 * float(wide.products)


def test_balanced_experts_read_their_own_weights_only() -> None:
    """With few tokens, sharing experts out saves reading their weights."""
    alone, shared = (step_time(SPARSE, Layout(data=8, expert=e, zero=0), DEVICE, CALIBRATION, 8) for e in (1, 8))
    assert float(shared.products) < float(alone.products)
    assert float(shared.experts) > float(alone.experts) == 0.0
    assert math.isfinite(float(shared.seconds))
