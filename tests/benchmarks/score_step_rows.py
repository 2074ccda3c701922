"""Measured training steps as inputs of the step-time model: rows of a YAML table to shapes, layouts, seconds.

The table has ``accelerators`` (numbers of those that are no preset), ``models`` (shapes) and ``rows``. A row names
``source``, ``model``, ``accel``, ``gpus``, ``seq``, ``precision``, degrees ``tp pp dp cp ep``, ``zero``, ``gbs``,
``recompute``, where known ``mbs``, ``vp``, ``sp``, ``flash``, ``compile``, ``comm_overlap``, ``amp``, ``net_gbs_gpu``,
and what was measured: ``sec_per_iter``, ``tokens_s_gpu``, ``tflops_hw_eq3`` or ``mfu_pct``. Only what
``presets/calibration.yaml`` names under ``exclusions`` is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from scaleplan.compute.device import Device
from scaleplan.compute.layout import Layout, Recompute, Stack
from scaleplan.compute.transformer import Experts, LatentAttention, Transformer, Window
from scaleplan.specs import calibration
from scaleplan.specs.accelerators import load_accelerator

PRESET: Any = yaml.safe_load(
    (Path(calibration.__file__).parent.parent / "presets" / "calibration.yaml").read_text(encoding="utf-8")
)
IDS = {
    "A100-80GB": "a100-sxm-80",
    "A100-40GB": "a100-sxm-40",
    "H100-80GB": "h100-sxm",
    "H200-141GB": "h200",
    "H800-80GB": "h800",
    "B200": "b200",
    "B300": "b300",
    "GB200": "gb200",
    "GB300": "gb300",
}
PUBLISHERS = {
    "narayanan2021": "NVIDIA",
    "korthikanti2022": "NVIDIA",
    "megatron-bridge": "NVIDIA",
    "bloom-prequel": "BigScience",
    "llmfoundry": "MosaicML",
    "torchtitan": "PyTorch",
}
"""By the beginning of a source's name: whose page, paper or log a table stands on."""
FORMATS: dict[str, str] = {"mxfp8": "fp8", "nvfp4": "fp4"}


class Step(NamedTuple):
    """One measured step."""

    id: str
    source: str
    group: tuple[Any, ...]
    accelerator: str
    precision: str
    cluster: str
    excluded: bool
    shape: Transformer
    layout: Layout
    device: Device
    sequences: float
    seconds: float

    @property
    def publisher(self) -> str:
        """Who published the row; of a source that is not known, the source."""
        return next((who for begin, who in PUBLISHERS.items() if self.source.startswith(begin)), self.source)


def steps(table: dict[str, Any]) -> list[Step]:
    """Every row of a table.

    Raises:
        ValueError: an exclusion of the preset fits another number of rows than it says.
    """
    rows = [_step(row, table) for row in table["rows"]]
    _check_exclusions(rows)
    return rows


def _check_exclusions(rows: Sequence[Step]) -> None:
    for entry in PRESET["exclusions"]:
        of_table = [row for row in rows if row.source == entry["table"]]
        found = sum(_fits(entry, row.source, row.shape, row.layout) for row in of_table)
        if of_table and found != entry["rows"]:
            raise ValueError(f"{entry['table']}: the preset excludes {entry['rows']} rows, {found} fit it")


def _fits(entry: dict[str, Any], source: str, shape: Transformer, layout: Layout) -> bool:
    """Whether an exclusion of the preset names such a row."""
    return (source, shape.width, layout.tensor) == (entry["table"], entry["width"], entry["tensor"])


def flop_per_token(shape: Transformer, attention: float) -> float:
    """Model FLOPs with all (1) or half (0.5) of the scores counted, the head included."""
    scores = 12 * shape.layers * shape.query_width * shape.context * attention
    return float(6 * shape.params.matrices + scores)


def _step(row: dict[str, Any], table: dict[str, Any]) -> Step:
    shape, device = _shape(row, table["models"][row["model"]]), _device(row, table["accelerators"])
    # Jean Zay's nodes have four Omni-Path ports for eight accelerators; every other cluster named is InfiniBand.
    cluster = "omni-path" if "Omni-Path" in str(row.get("net_note")) else "infiniband"
    group = tuple(row[key] for key in ("source", "model", "accel", "gpus", "gbs", "seq", "precision"))
    layout = _layout(row)
    return Step(
        row["id"],
        row["source"],
        group,
        row["accel"],
        "bf16" if row["precision"] == "fp16" else device.precision,
        cluster,
        any(_fits(entry, row["source"], shape, layout) for entry in PRESET["exclusions"]),
        shape,
        layout,
        device,
        row["gbs"],
        _seconds(row, shape, device),
    )


def _shape(row: dict[str, Any], model: dict[str, Any]) -> Transformer:
    moe, experts, width = model.get("moe"), None, model["ffn"]
    if moe:
        experts = Experts(moe["experts"], moe["topk"], width, moe.get("shared", 0), moe.get("dense_layers", 0))
        width = moe.get("dense_ffn", width)
    latent = LatentAttention(1536, 512, 128, 64, 128) if "MLA" in str(model.get("note")) else None
    # gpt-oss attends to 128 tokens in every second layer (its model card, OpenAI 2025).
    window = Window(128, model["layers"] / 2) if row["model"].startswith("gpt-oss") else None
    return Transformer(
        model["layers"],
        model["hidden"],
        model["heads"],
        model["kv_heads"],
        model["head_dim"],
        width,
        model["vocab"],
        row["seq"],
        gated=model["gated_mlp"],
        tied=not model["gated_mlp"],
        experts=experts,
        latent=latent,
        window=window,
    )


def _device(row: dict[str, Any], others: dict[str, Any]) -> Device:
    name: str = row["accel"]
    precision = FORMATS.get(str(row["precision"]), str(row["precision"]))
    if name in IDS:
        number = load_accelerator(IDS[name]).number
        peak, link, out = number(f"peak_{precision}"), number("interconnect_one_way"), number("scale_out")
        memory, bandwidth = number("memory"), number("memory_bandwidth")
        assert peak
        assert link
        assert memory
        assert bandwidth
        network = (out or 400.0) / 8
    else:
        known = others[name]
        peak = known["bf16" if precision == "fp16" else precision] * 1e12
        memory, bandwidth, link = known["mem_gb"], known["hbm_tbs"] * 1e3, known["nvlink_gbs_uni"]
        network = known["net_gbs_gpu"]
    network = row.get("net_gbs_gpu", network)
    domain = 72 if name.startswith("GB") else 8
    return Device(name, precision, peak, memory * 1e9, bandwidth * 1e9, link * 1e9, network * 1e9, domain)


def _layout(row: dict[str, Any]) -> Layout:
    """Degrees as given; where a table omits the micro-batch, 4 without a pipeline, 2 in a short one, 1 in a long one.

    PyTorch's own sharding (ZeRO 2 and 3 without the flag of NVIDIA's recipes) is eager unless it says ``compile``, and
    its transfers overlap except those of plain tensor parallelism. A recomputation not stated counts as none.
    """
    note = str(row.get("note"))
    pytorch = row["zero"] >= 2 and not row.get("comm_overlap")
    overlap = bool(row.get("comm_overlap")) or (pytorch and (row["tp"] == 1 or "async" in note))
    flash = bool(row.get("flash"))
    stack = Stack(
        flash=flash,
        overlap=overlap,
        fused=bool(row.get("compile", not pytorch)),
        dropout=not flash,
        gradient_bytes=2 if row["precision"] == "fp16" or "amp" in row else 4,
    )
    recompute = Recompute("none" if row["recompute"] == "unknown" else row["recompute"])
    guessed = 4 if row["pp"] == 1 else 2 if row["pp"] < 8 else 1
    return Layout(
        tensor=row["tp"],
        pipeline=row["pp"],
        data=row["dp"],
        context=row["cp"],
        expert=row["ep"],
        zero=row["zero"],
        micro_batch=row.get("mbs", guessed),
        interleave=2 if "interleaved" in note else row.get("vp", 1),
        recompute=recompute,
        sequence_parallel=bool(row.get("sp")),
        stack=stack,
    )


def _seconds(row: dict[str, Any], shape: Transformer, device: Device) -> float:
    """Seconds a step, from whichever quantity the source prints."""
    tokens = row["gbs"] * row["seq"]
    if "sec_per_iter" in row:
        return row["sec_per_iter"]
    if "tokens_s_gpu" in row:
        return tokens / (row["tokens_s_gpu"] * row["gpus"])
    if "tflops_hw_eq3" in row:
        # Narayanan et al. 2021, eq. 3: four passes through the layers, three through the head.
        n, h, v, s = shape.layers, shape.width, shape.vocabulary, row["seq"]
        flop = 96 * row["gbs"] * s * n * h**2 * (1 + s / (6 * h) + v / (16 * n * h))
        return flop / (row["tflops_hw_eq3"] * 1e12 * row["gpus"])
    return flop_per_token(shape, 1.0) * tokens / (row["mfu_pct"] / 100 * device.peak * row["gpus"])
