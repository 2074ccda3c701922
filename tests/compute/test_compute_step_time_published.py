"""Published step times, from the shipped constants. The bound of each table is what was measured of it, rounded up."""

from __future__ import annotations

import pytest

from scaleplan.compute.communication import cluster
from scaleplan.compute.device import Device
from scaleplan.compute.layout import Layout, Recompute, Stack
from scaleplan.compute.step_communication import layer_transfers
from scaleplan.compute.step_layer import layer, rates
from scaleplan.compute.step_time import step_time
from scaleplan.compute.transformer import Transformer
from scaleplan.specs.calibration import load_calibration

A100 = Device("a100-sxm-80", "bf16", 3.12e14, 80e9, 2.039e12, 300e9, 25e9, 8)
H100 = Device("h100-sxm", "bf16", 9.89e14, 80e9, 3.35e12, 450e9, 50e9, 8)
MEGATRON_2022 = Stack(flash=False, overlap=False, dropout=True)


def gpt(layers: int, width: int, heads: int) -> Transformer:
    """A GPT of Narayanan et al. 2021 and Korthikanti et al. 2022: vocabulary 51,200, 2,048 tokens, tied."""
    size = width // heads
    return Transformer(layers, width, heads, heads, size, 4 * width, 51200, 2048, gated=False, tied=True)


GPT = {
    "22B": gpt(48, 6144, 64),
    "175B": gpt(96, 12288, 96),
    "530B": gpt(105, 20480, 128),
    "1T": gpt(128, 25600, 160),
}


@pytest.mark.parametrize(
    ("name", "pipeline", "interleave", "micro_batch", "batch", "full", "selective"),
    [
        ("22B", 1, 1, 4, 4, 1.42, 1.10),
        ("175B", 8, 3, 1, 64, 18.13, 13.75),
        ("530B", 35, 3, 1, 280, 49.05, 37.83),
        ("1T", 64, 1, 1, 512, 94.42, 71.49),
    ],
)
def test_korthikanti_2022_table_5(
    name: str, pipeline: int, interleave: int, micro_batch: int, batch: int, full: float, selective: float
) -> None:
    """Seconds a step with everything computed again, and with sequence parallelism and selective recomputation."""
    base = Layout(8, pipeline, 1, zero=0, micro_batch=micro_batch, interleave=interleave, stack=MEGATRON_2022)
    before = base._replace(recompute=Recompute.FULL, sequence_parallel=False)
    after = base._replace(recompute=Recompute.SELECTIVE, sequence_parallel=True)
    known = load_calibration("a100-sxm-80", "bf16").calibration
    times = [float(step_time(GPT[name], layout, A100, known, batch).seconds) for layout in (before, after)]
    assert times == pytest.approx([full, selective], rel=0.15)
    assert times[0] / times[1] == pytest.approx(full / selective, rel=0.06), "what the paper gains"


@pytest.mark.parametrize(
    ("recompute", "sequence_parallel", "forward", "backward"),
    [
        (Recompute.NONE, False, 7.7, 11.9),
        (Recompute.NONE, True, 7.2, 11.8),
        (Recompute.FULL, False, 7.7, 19.5),
        (Recompute.SELECTIVE, False, 7.7, 13.2),
        (Recompute.SELECTIVE, True, 7.2, 13.1),
    ],
)
def test_korthikanti_2022_table_4(
    recompute: Recompute, sequence_parallel: bool, forward: float, backward: float
) -> None:
    """Milliseconds of one layer of the 22B model. Theirs hides an all-reduce behind the weights' gradient."""
    known = load_calibration("a100-sxm-80", "bf16").calibration
    layout = Layout(8, micro_batch=4, recompute=recompute, sequence_parallel=sequence_parallel, stack=MEGATRON_2022)
    ahead, back = layer(GPT["22B"], layout, rates(A100, known), 8192)
    links = layer_transfers(GPT["22B"], layout, cluster(A100, known, 8), 8192, 0.0).tensor
    reduces = 6 if recompute is Recompute.FULL else 4
    ahead_ms = 1e3 * float(ahead.total + links * 2 / reduces)
    back_ms = 1e3 * float(back.total + links * (reduces - 2) / reduces)
    assert ahead_ms == pytest.approx(forward, rel=0.08)
    assert back_ms == pytest.approx(backward, rel=0.22)
    assert ahead_ms + back_ms == pytest.approx(forward + backward, rel=0.15)


@pytest.mark.parametrize(
    ("name", "pipeline", "accelerators", "batch", "tflops"),
    [
        ("175B", 12, 384, 1536, 153),
        ("175B", 12, 1536, 1536, 141),
        ("530B", 35, 560, 2240, 171),
        ("530B", 35, 2240, 2240, 159),
    ],
)
def test_narayanan_2021_table_2(name: str, pipeline: int, accelerators: int, batch: int, tflops: float) -> None:
    """TFLOP/s an accelerator by the paper's eq. 3, which counts recomputation."""
    shape = GPT[name]
    layout = Layout(
        8,
        pipeline,
        accelerators // (8 * pipeline),
        zero=0,
        recompute=Recompute.FULL,
        sequence_parallel=False,
        stack=MEGATRON_2022._replace(gradient_bytes=2),
    )
    known = load_calibration("a100-sxm-80", "fp16").calibration
    time = step_time(shape, layout, A100, known, batch)
    n, h, v, s = 1.0 * shape.layers, 1.0 * shape.width, 1.0 * shape.vocabulary, 1.0 * shape.context
    flop = 96 * batch * s * n * h**2 * (1 + s / (6 * h) + v / (16 * n * h))
    assert flop / float(time.seconds) / accelerators / 1e12 == pytest.approx(tflops, rel=0.07)


@pytest.mark.parametrize(("accelerators", "seconds"), [(256, 40.0), (512, 21.2), (768, 15.2), (1024, 11.9)])
def test_megascale_2024_table_2(accelerators: int, seconds: float) -> None:
    """Megatron-LM on 175B with 768 sequences (Jiang et al. 2024, arXiv 2402.15627): nothing was fitted
    to it."""
    layout = Layout(
        8, 8, accelerators // 64, zero=1, interleave=6, recompute=Recompute.SELECTIVE, stack=Stack(overlap=False)
    )
    known = load_calibration("a100-sxm-80", "bf16").calibration
    assert float(step_time(GPT["175B"], layout, A100, known, 768).seconds) == pytest.approx(seconds, rel=0.08)


@pytest.mark.parametrize(("accelerators", "tflops"), [(8192, 430), (16384, 400)])
def test_llama_3_table_4(accelerators: int, tflops: float) -> None:
    """Llama Team 2024 (arXiv 2407.21783), 16M tokens of 8,192: a source that nothing was fitted to.

    They count half of the scores; the interleaving is not printed, one layer a chunk is assumed.
    """
    shape = Transformer(126, 16384, 128, 8, 128, 53248, 128256, 8192)
    layout = Layout(8, 16, accelerators // 128, zero=2, interleave=8)
    known = load_calibration("h100-sxm", "bf16").calibration
    time = step_time(shape, layout, H100, known, 2048)
    flop = (6 * float(shape.params.matrices) + 6 * 126 * 16384 * 8192) * 2048 * 8192
    assert flop / float(time.seconds) / accelerators / 1e12 == pytest.approx(tflops, rel=0.08)
