"""The memory model against measured and published rows.

    python tests/benchmarks/score_memory.py ROWS.yaml MODELS.yaml

ROWS holds ``rows`` of memory: peaks of trials with their layouts (``peak_gb``, or ``oom: true``), and what papers
computed for a first stage (``params_grads_opt_gib``, ``activations_none_gib``, ``activations_seqpar_selective_gib``)
or in per cent of plain tensor parallelism (``activations_pct_of_tp_baseline``). MODELS holds ``models`` by name:
layers, hidden, heads, kv_heads, ffn, vocab, gated_mlp, head_dim. The bars: static within 3 %; none of the trials that
ran out of memory called fitting. Peaks of eager stacks have no bar and are printed.
"""

from __future__ import annotations

import re
import statistics
import sys
from pathlib import Path
from typing import Any, cast

import yaml

from scaleplan.compute.device import Device
from scaleplan.compute.layout import Layout, Recompute, Stack, stage_layers
from scaleplan.compute.memory import Memory, memory, short
from scaleplan.compute.transformer import Transformer

GIB = 2.0**30
UNFUSED = Stack(flash=False, fused=False, dropout=True, overlap=False)
A100 = Device("a100-sxm-80", "bf16", 312e12, 80e9, 2.039e12, 300e9, 50e9, 8)
MODEL_KEYS = ("layers", "hidden", "heads", "kv_heads", "ffn", "vocab", "gated_mlp", "head_dim")
BOTH_GRADIENTS = 6
"""DeepSpeed's BF16 optimizer sums 16-bit gradients in FP32 and keeps both."""


def shape_of(row: dict[str, Any], models: dict[str, Any]) -> Transformer:
    """The model of a row: from the list, or by its name in BLOOM's trials, h WIDTH - L LAYERS - a HEADS."""
    named = re.fullmatch(r"bloom-h(\d+)-L(\d+)-a(\d+)", row["model"])
    if named:
        width, layers, heads = map(int, named.groups())
        known: dict[str, Any] = {"layers": layers, "hidden": width, "heads": heads, "kv_heads": heads}
        known |= {"ffn": 4 * width, "vocab": 250880, "gated_mlp": False, "head_dim": width / heads}
    else:
        known = models[row["model"]]
    size = known["hidden"] / known["heads"] if not known["gated_mlp"] else known["head_dim"]
    return Transformer(
        known["layers"], known["hidden"], known["heads"], known["kv_heads"], size, known["ffn"], known["vocab"],
        row["seq"], gated=known["gated_mlp"], tied=not known["gated_mlp"],
    )  # fmt: skip


def static(found: Memory) -> float:
    """Weights, gradients and optimizer [bytes]."""
    return float(found.weights + found.gradients + found.optimizer)


def trial(row: dict[str, Any], models: dict[str, Any]) -> Memory:
    """The estimate of a measured row."""
    stack = UNFUSED._replace(gradient_bytes=BOTH_GRADIENTS if row["fp32_grad_accum"] else 2)
    layout = Layout(
        tensor=row["tp"], pipeline=row["pp"], data=row["dp"], zero=row["zero"], micro_batch=row["mbs"],
        recompute=Recompute(row["recompute"]), sequence_parallel=False, stack=stack,
    )  # fmt: skip
    return memory(shape_of(row, models), layout, row["gbs"] / (row["dp"] * row["mbs"]))


def kept(shape: Transformer, layout: Layout, in_flight: float) -> float:
    """Bytes of the layers of a stage, without the one under way: what papers count."""
    single = layout._replace(pipeline=1, interleave=1)
    twice = memory(shape._replace(layers=2 * shape.layers), single).activations
    layers = stage_layers(shape.layers, layout.pipeline, layout.interleave)
    return float((twice - memory(shape, single).activations) / shape.layers * layers * in_flight)


def score_peaks(rows: list[dict[str, Any]], models: dict[str, Any]) -> None:
    """Errors of measured peaks by the optimizer's kind, and the trials that ran out of memory."""
    for title, both in (("FP16, 16-bit gradients", False), ("BF16, gradients in 16 and 32 bits", True)):
        errors = [
            (trial(row, models).total / 1e9 / row["peak_gb"] - 1, row)
            for row in rows
            if not row["oom"] and row["fp32_grad_accum"] is both
        ]
        sizes = sorted(abs(error) for error, _ in errors)
        worst, where = max(errors, key=lambda each: abs(each[0]))
        print(
            f"peak, eager, {title:<34} {len(errors):3} rows: median {statistics.median(e for e, _ in errors):+.1%}, "
            f"of the size {statistics.median(sizes):.1%}, 90th percentile {sizes[int(0.9 * len(sizes))]:.1%}, "
            f"within 10 % {sum(size <= 0.1 for size in sizes)}; worst {worst:+.1%}: {_words(where)}"
        )
    lost = [row for row in rows if row["oom"]]
    for row in lost:
        needed = trial(row, models)
        said = "NOT CALLED SHORT" if short(needed, A100) == 0 else f"short by {short(needed, A100) / 1e9:5.1f} GB"
        print(f"ran out of memory: {_words(row):<58} estimate {needed.total / 1e9:6.1f} GB, {said}")
    print(
        f"of {len(lost)} that ran out of memory {sum(short(trial(r, models), A100) == 0 for r in lost)} called fitting"
    )


def score_computed(rows: list[dict[str, Any]], models: dict[str, Any]) -> None:
    """Errors of what papers computed: of the layers alone, without embeddings, logits and what is transient."""
    for row in rows:
        shape = shape_of(row, models)._replace(vocabulary=0)
        p, v = row["pp"], row["vp"]
        plain = Layout(
            tensor=row["tp"], pipeline=p, interleave=v, zero=0, micro_batch=row["mbs"], sequence_parallel=False,
            stack=UNFUSED,
        )  # fmt: skip
        seldom = plain._replace(sequence_parallel=True, recompute=Recompute.SELECTIVE)
        in_flight = p + (p - 1) / v if v > 1 else p
        errors = {
            "static": static(memory(shape, plain)) / GIB / row["params_grads_opt_gib"] - 1,
            "activations": kept(shape, plain, in_flight) / GIB / row["activations_none_gib"] - 1,
            "selective": kept(shape, seldom, in_flight) / GIB / row["activations_seqpar_selective_gib"] - 1,
        }
        with_ends = static(memory(shape_of(row, models), plain)) / GIB / row["params_grads_opt_gib"] - 1
        text = ", ".join(f"{name} {error:+.2%}" for name, error in errors.items())
        print(f"{row['source']} {row['model']:<11} {text}; static with embeddings {with_ends:+.1%}")


def score_shares(rows: list[dict[str, Any]], models: dict[str, Any]) -> None:
    """Points of per cent off in activations over those of plain tensor parallelism."""
    for row in rows:
        shape = shape_of(row, models)._replace(vocabulary=0)
        plain = Layout(tensor=row["tp"], zero=0, sequence_parallel=False, stack=UNFUSED)
        ways = {
            "seq_par": plain._replace(sequence_parallel=True),
            "selective": plain._replace(recompute=Recompute.SELECTIVE),
            "seq_par_selective": plain._replace(sequence_parallel=True, recompute=Recompute.SELECTIVE),
            "full": plain._replace(recompute=Recompute.FULL),
        }
        base = kept(shape, plain, 1)
        off = {name: 100 * kept(shape, way, 1) / base - row["activations_pct_of_tp_baseline"][name]
               for name, way in ways.items()}  # fmt: skip
        print(f"{row['source']} {row['model']:<11} " + ", ".join(f"{name} {gap:+.2f}" for name, gap in off.items()))


def _words(row: dict[str, Any]) -> str:
    layout = f"tensor {row['tp']} pipeline {row['pp']} data {row['dp']} micro-batch {row['mbs']}"
    return f"{row['model'].removeprefix('bloom-')} {layout}"


def part(path: str, name: str, kind: type) -> Any:
    """What stands under a name in a file; the program ends with what is wrong where nothing usable does."""
    found: Any = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    value: Any = cast("dict[str, Any]", found).get(name) if isinstance(found, dict) else None
    if not isinstance(value, kind):
        sys.exit(f"{path}: wanted is {name}: {'a list of rows' if kind is list else 'a mapping of names to shapes'}")
    return value


def check(rows: list[dict[str, Any]], models: dict[str, Any]) -> None:
    """End the program with what the models lack that the rows need."""
    for name in dict.fromkeys(row["model"] for row in rows):
        if name.startswith("bloom-h"):
            continue
        known = models.get(name)
        lacks = MODEL_KEYS if not isinstance(known, dict) else [key for key in MODEL_KEYS if key not in known]
        if lacks:
            sys.exit(f"models: {name} lacks {', '.join(lacks)}")


def main() -> None:
    """Score every row of the files named."""
    if len(sys.argv) != 3:
        sys.exit("two files are wanted: ROWS.yaml MODELS.yaml")
    rows: list[dict[str, Any]] = part(sys.argv[1], "rows", list)
    models: dict[str, Any] = part(sys.argv[2], "models", dict)
    check(rows, models)
    score_computed([row for row in rows if "params_grads_opt_gib" in row], models)
    score_shares([row for row in rows if "activations_pct_of_tp_baseline" in row], models)
    score_peaks([row for row in rows if "peak_gb" in row or row.get("oom")], models)


if __name__ == "__main__":
    main()
