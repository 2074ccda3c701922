"""The layouts of a model on a cluster as tables: degrees with speed, and memory by part."""

from __future__ import annotations

from typing import Any

from scaleplan.compute.costing import MFU_IS
from scaleplan.compute.flops import FlopCount, train_flops_per_token
from scaleplan.compute.layout import stage_layers
from scaleplan.compute.layout_search import Laid
from scaleplan.compute.layouts import Candidate, Task
from scaleplan.compute.memory import Memory, usable
from scaleplan.compute.step_time import StepTime
from scaleplan.compute.traps import traps
from scaleplan.views.table import Grid, Table, count

_DEGREES = ("tensor", "pipeline", "data", "context", "expert", "interleave", "micro_batch")
_SHORT = {"tensor": "TP", "pipeline": "PP", "data": "DP", "context": "CP", "expert": "EP", "interleave": "VP"}
_RECOMPUTED = {"none": "none", "selective": "core", "selective_op": "some", "full": "full"}
_PARTS = StepTime._fields[3:]
"""Parts of a step, behind its seconds and their range."""
LAYOUTS_COLUMNS = (
    "rank",
    "tensor",
    "pipeline",
    "data",
    "context_parallel",
    "expert",
    "interleave",
    "micro_batch_sequences",
    "micro_batches",
    "zero",
    "recompute",
    "layers_per_stage",
    "step_seconds",
    "step_seconds_low",
    "step_seconds_high",
    "tokens_per_second",
    "mfu",
    "mfu_causal",
    "hfu_causal",
    *(f"{part}_seconds" for part in _PARTS),
    "memory_gb",
    *(f"{part}_gb" for part in Memory._fields[:-1]),
    "notes",
)
MFU_CAUSAL_IS = "6N+causal: six FLOP a weight that multiplies a token, the head's included, and causal attention"
HFU_CAUSAL_IS = f"{MFU_CAUSAL_IS}, and what is computed again"


def layouts_table(laid: Laid) -> Table:
    """The layouts that fit, one a row, fastest first."""
    rows = [_row(laid, place, found) for place, found in enumerate(laid.found.best, 1)]
    return Table(
        verb="layout",
        inputs=_inputs(laid),
        columns=LAYOUTS_COLUMNS,
        rows=rows,
        warnings=laid.warnings,
        grids=lambda: [_speed_grid(laid, rows), _memory_grid(rows)],
    )


def _row(laid: Laid, place: int, found: Candidate) -> dict[str, Any]:
    task, layout, time = laid.task, found.layout, found.time
    seconds, tokens = float(time.seconds), task.sequences * float(task.shape.context)
    degrees = {name: int(getattr(layout, name)) for name in _DEGREES}
    degrees["context_parallel"], degrees["micro_batch_sequences"] = degrees.pop("context"), degrees.pop("micro_batch")
    counts = {"mfu": FlopCount.SIX_N_TOTAL, "mfu_causal": FlopCount.CAUSAL, "hfu_causal": FlopCount.HARDWARE}
    flops = {name: train_flops_per_token(task.shape, kind, layout.recompute) for name, kind in counts.items()}
    rate = tokens / seconds / task.accelerators / task.device.peak
    return {
        "rank": place,
        **degrees,
        "micro_batches": task.sequences // (degrees["data"] * degrees["micro_batch_sequences"]),
        "zero": layout.zero,
        "recompute": layout.recompute.value,
        "layers_per_stage": int(stage_layers(task.shape.layers, layout.pipeline, layout.interleave)),
        "step_seconds": seconds,
        "step_seconds_low": float(time.low),
        "step_seconds_high": float(time.high),
        "tokens_per_second": tokens / seconds,
        **{name: float(each.value) * rate for name, each in flops.items()},
        **{f"{part}_seconds": float(getattr(time, part)) for part in _PARTS},
        "memory_gb": float(found.memory.total) / 1e9,
        **{f"{part}_gb": float(getattr(found.memory, part)) / 1e9 for part in Memory._fields[:-1]},
        "notes": "; ".join(each.message for each in traps(task.shape, layout)) or None,
    }


def _inputs(laid: Laid) -> dict[str, Any]:
    task, shape = laid.task, laid.task.shape
    asked = laid.asked._asdict() | {"recompute": laid.asked.recompute and laid.asked.recompute.value}
    asked["context_parallel"] = asked.pop("context")
    return {
        "model": laid.model,
        "params": float(shape.params.total),
        "layers": float(shape.layers),
        "context": float(shape.context),
        "accelerator": task.device.id,
        "accelerators": task.accelerators,
        "precision": task.device.precision,
        "network_gbit_per_s": task.device.network * 8 / 1e9,
        "peak_flop_per_s": task.device.peak,
        "batch_sequences": task.sequences,
        "batch_tokens": task.sequences * float(shape.context),
        "asked": {key: value for key, value in asked.items() if value is not None},
        "stack": task.stack._asdict(),
        "calibration": task.calibration._asdict(),
        "memory_gb": task.device.memory / 1e9,
        "memory_usable_gb": usable(task.device, task.fill) / 1e9,
        "fits": _fits(task),
        "mfu_is": MFU_IS,
        "mfu_causal_is": MFU_CAUSAL_IS,
        "hfu_causal_is": HFU_CAUSAL_IS,
        "layouts_fitting": laid.found.fitting,
        "layouts_tried": laid.found.tried,
    }


def _speed_grid(laid: Laid, rows: list[dict[str, Any]]) -> Grid:
    """Degrees and speed; those that are one in every row are left out."""
    task, tokens = laid.task, count(laid.task.sequences * float(laid.task.shape.context))
    shown = [key for key in _SHORT if key in ("tensor", "pipeline", "data") or any(row[_key(key)] > 1 for row in rows)]
    headers = (
        "#",
        *(_SHORT[key] for key in shown),
        "mb",
        "Z",
        "recompute",
        "s/step",
        "MFU",
        "HFU",
        "tokens/s",
        "GB",
    )
    title = (
        f"{laid.model} on {task.accelerators:,} {task.device.id}, {task.device.precision}: {tokens} tokens a step, "
        f"{laid.found.fitting:,} of {laid.found.tried:,} layouts fit"
    )
    words = f"TP, PP, DP: tensor, pipeline, data; {_meanings(shown)}mb: sequences a micro-batch; Z: stage of ZeRO; "
    words += "recompute: attention's core, some operators (selective_op), or in full"
    words += f"; {_span(laid.found.best[0])}; MFU: {MFU_IS}; HFU: {HFU_CAUSAL_IS}"
    return Grid(
        title=title,
        headers=headers,
        rows=[_cells(row, shown) for row in rows],
        numeric=(*[True] * (len(shown) + 3), False, *[True] * 5),
        note=f"{words}; fits: {_fits(laid.task)}",
    )


def _meanings(shown: list[str]) -> str:
    words = {"context": "CP: ranks of a sequence; ", "expert": "EP: of experts; ", "interleave": "VP: chunks a stage; "}
    return "".join(words.get(key, "") for key in shown)


def _span(found: Candidate) -> str:
    """The range of the seconds, which is so many times as much in every row."""
    time = found.time
    return f"s/step: {time.low / time.seconds:.2f} to {time.high / time.seconds:.2f} times that"


def _key(degree: str) -> str:
    return "context_parallel" if degree == "context" else degree


def _cells(row: dict[str, Any], shown: list[str]) -> tuple[str, ...]:
    return (
        f"{row['rank']}",
        *(f"{row[_key(key)]}" for key in shown),
        f"{row['micro_batch_sequences']}",
        f"{row['zero']}",
        _RECOMPUTED[row["recompute"]],
        f"{row['step_seconds']:.4g}",
        f"{row['mfu']:.1%}",
        f"{row['hfu_causal']:.1%}",
        count(row["tokens_per_second"]),
        f"{row['memory_gb']:.1f}",
    )


def _memory_grid(rows: list[dict[str, Any]]) -> Grid:
    parts = Memory._fields[:-1]
    keys = (*(f"{part}_gb" for part in parts), "memory_gb")
    return Grid(
        title="GB of each accelerator, on the fuller of the first and last stages",
        headers=("#", *parts, "total"),
        rows=[(f"{row['rank']}", *(f"{row[key]:.1f}" for key in keys)) for row in rows],
        numeric=[True] * (len(parts) + 2),
        note="overhead: context, communication buffers, workspaces and what the allocator cannot use",
    )


def _fits(task: Task) -> str:
    return f"estimate at most {task.fill:.0%} of the memory; 1 GB is 1e9 bytes"
