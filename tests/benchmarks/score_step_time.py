"""Scores the step-time model on measured steps whose constants come from elsewhere, beside two baselines.

    python tests/benchmarks/score_step_time.py ROWS.yaml [fit | preset]

Every dense row from 1 B parameters is scored twice: with constants fitted to the other tables of its accelerator, and
with those fitted to the other publishers, so that two tables of one vendor do not train each other. Constants are an
efficiency and a traffic for each precision, a link share for each type of cluster. They make the mean absolute log
error least, tables (or publishers) weighted by the root of their rows, with a weak prior. Baselines on the same split
and with the same weights: the median MFU, and the median HFU (recomputation counted) with the bubble of the pipeline.
``fit`` prints the constants from all rows; ``preset`` scores with the shipped ones, which is held out only for what
they were not fitted to.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from score_step_fit import FAMILIES, UNFITTED, Split, family, fit, owner, ratio, usable, use_shipped, without
from score_step_rows import IDS, PRESET, Step, flop_per_token, steps

from scaleplan.compute.layout import Recompute
from scaleplan.compute.step_time import step_time


def main() -> None:
    """Print the tables."""
    table: Any = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows = steps(table)
    dense = [row for row in rows if usable(row)]
    if "fit" in sys.argv[2:]:
        for name in sorted({family(row) for row in dense} - UNFITTED):
            fitted = fit([row for row in dense if family(row) == name])
            print(name, {key: round(value, 3) for key, value in fitted.values.items()})
    print(f"excluded: {sum(row.excluded for row in rows)} of {len(rows)}")
    if "preset" in sys.argv[2:]:
        use_shipped()
        print_split(rows, dense, "table", "the shipped constants, fitted to most of these rows")
        return
    print_split(rows, dense, "table", "constants from the other tables")
    print_split(rows, dense, "publisher", "constants from the other publishers")


def print_split(rows: Sequence[Step], dense: Sequence[Step], split: Split, title: str) -> None:
    """Every table of scores, of constants that one way of leaving out gives."""
    held = {row.id: ratio(row, without(dense, row, split)) for row in dense}
    wide = [row for row in dense if row.precision == "bf16"]
    narrow = [row for row in dense if row.precision != "bf16"]
    print_scores(f"bf16, fp16: {title}", wide, held, dense, split)
    print_scores(f"fp8, fp4: {title}", narrow, held, dense, split)
    for name, chosen in (("Blackwell", True), ("Hopper", False)):
        some = np.array([held[row.id] for row in narrow if family(row).startswith("GB") == chosen])
        print(f"{name:<26} {'fp8, fp4':<15} {len(some):>4} " + " ".join(f"{cell:>7.1f}" for cell in quantiles(some)))
    print_bands(dense, held)
    if split == "publisher":
        print_transfer(dense, held)
    print_experts([row for row in rows if row.shape.experts is not None], dense, split)
    print_layouts(dense, split)


def print_scores(title: str, rows: Sequence[Step], held: dict[str, float], dense: Sequence[Step], split: Split) -> None:
    """Errors by source and accelerator, then all together and those of the baselines."""
    print(f"\n{title}: |estimated / measured - 1| [%]")
    print(f"{'source':<26} {'accelerator':<15} {'rows':>4}  median     p90    bias  factor     p90")
    factored: list[float] = []
    for source, name in dict.fromkeys((row.source, row.accelerator) for row in rows):
        ratios = np.array([held[row.id] for row in rows if (row.source, row.accelerator) == (source, name)])
        bias = float(np.median(ratios))
        own = ratios / bias
        factored.extend(own.tolist())
        cells = (*quantiles(ratios), 100 * (bias - 1), *quantiles(own))
        print(f"{source:<26} {name:<15} {len(ratios):>4} " + " ".join(f"{cell:>7.1f}" for cell in cells))
    lines = {
        "this model": np.array([held[row.id] for row in rows]),
        "with one factor a source": np.array(factored),
        "constant MFU": baseline(rows, dense, model_time, split),
        "constant HFU and bubble": baseline(rows, dense, hardware_time, split),
    }
    for name, ratios in lines.items():
        middle, tail = quantiles(ratios)
        print(f"{name:<26} {'':<15} {len(ratios):>4} {middle:>7.1f} {tail:>7.1f}")


def quantiles(ratios: NDArray[np.float64]) -> tuple[float, float]:
    """Median and 90th percentile of the errors [%]."""
    errors = 100 * np.abs(ratios - 1)
    return float(np.median(errors)), float(np.quantile(errors, 0.9))


def model_time(row: Step) -> float:
    """Seconds at the peak, recomputation not counted."""
    tokens = row.sequences * float(row.shape.context)
    return flop_per_token(row.shape, 1.0) * tokens / (row.device.peak * float(row.layout.accelerators))


def hardware_time(row: Step) -> float:
    """Seconds at the peak with what is computed again, and idle pipeline stages."""
    layout = row.layout
    micro_batches = row.sequences / (float(layout.data) * float(layout.micro_batch))
    bubble = (float(layout.pipeline) - 1) / (float(layout.interleave) * micro_batches)
    again = {Recompute.FULL: 4 / 3, Recompute.SELECTIVE_OP: 7 / 6}.get(layout.recompute, 1.0)
    return model_time(row) * again * (1 + bubble)


def baseline(
    rows: Sequence[Step], dense: Sequence[Step], time: Callable[[Step], float], split: Split
) -> NDArray[np.float64]:
    """Ratios of a time with one utilization, the median of the others on the accelerator at the precision."""
    ratios: list[float] = []
    for row in rows:
        all_others = [other for other in dense if owner(other, split) != owner(row, split)]
        others = [other for other in all_others if family(other) == family(row)]
        same = [other for other in others if other.precision == row.precision] or others or all_others
        counts = Counter(owner(other, split) for other in same)
        slow = sorted((other.seconds / time(other), counts[owner(other, split)] ** -0.5) for other in same)
        half = sum(weight for _, weight in slow) / 2
        middle = slow[-1][0]
        for value, weight in reversed(slow):
            half -= weight
            if half >= 0:
                middle = value
        ratios.append(time(row) * middle / row.seconds)
    return np.array(ratios)


def print_bands(dense: Sequence[Step], held: dict[str, float]) -> None:
    """The 90th percentile of |ln(estimated / measured)| as a factor, and how many rows the shipped band holds."""
    print("\nbands: median error [%], factor that nine in ten rows keep, the shipped one, rows inside it [%]")
    groups: dict[str, list[Step]] = {}
    for row in dense:
        own = row.accelerator not in FAMILIES
        groups.setdefault(f"{row.accelerator} {row.precision}" if own else "siblings", []).append(row)
        if own and family(row).startswith("GB"):
            groups.setdefault("Blackwell", []).append(row)
    for name, rows in {**groups, "all": dense}.items():
        logs = np.array([abs(math.log(held[row.id])) for row in rows])
        middle, _ = quantiles(np.array([held[row.id] for row in rows]))
        shipped = np.array([shipped_band(row) for row in rows])
        needed, inside = float(np.exp(np.quantile(logs, 0.9))), 100 * float(np.mean(logs <= np.log(shipped)))
        ends = f"{shipped.min():.2f}" if shipped.min() == shipped.max() else f"{shipped.min():.2f}-{shipped.max():.2f}"
        print(f"{name:<26} {len(rows):>4} {middle:>6.1f} {needed:>6.3f} {ends:>9} {inside:>6.1f}")


def print_transfer(dense: Sequence[Step], held: dict[str, float]) -> None:
    """How many rows of a publisher lie in the band that the other publishers' rows on the accelerator give."""
    print("\nbands from the other publishers' errors: rows inside")
    kinds = dict.fromkeys((row.accelerator, row.precision) for row in dense if row.accelerator not in FAMILIES)
    for kind in kinds:
        rows = [row for row in dense if (row.accelerator, row.precision) == kind]
        logs = {row.id: abs(math.log(held[row.id])) for row in rows}
        cells: list[str] = []
        for who in dict.fromkeys(row.publisher for row in rows):
            others = [logs[row.id] for row in rows if row.publisher != who]
            own = [logs[row.id] for row in rows if row.publisher == who]
            if others:
                inside = sum(error <= float(np.quantile(others, 0.9)) for error in own)
                cells.append(f"{who} {inside} of {len(own)}")
        print(f"{kind[0]} {kind[1]}: {', '.join(cells) or 'one publisher'}")


def shipped_band(row: Step) -> float:
    """The factor of the printed band of a dense row."""
    error = PRESET["accelerators"][IDS[family(row)]][row.precision]["error"]
    return 1 + (max(error, PRESET["borrowed"]["error"]) if row.accelerator in FAMILIES else error)


def print_experts(rows: Sequence[Step], dense: Sequence[Step], split: Split) -> None:
    """How many mixtures of experts fall in the printed range; constants from the dense rows of others."""
    inside: list[bool] = []
    ratios: list[float] = []
    width = 0.0
    for row in rows:
        calibration = without(dense, row, split).calibration(row)
        time = step_time(row.shape, row.layout, row.device, calibration, row.sequences)
        inside.append(float(time.low) <= row.seconds <= float(time.high))
        width = max(width, float(time.high) / float(time.low))
        ratios.append(float(time.seconds) / row.seconds)
    middle, tail = quantiles(np.array(ratios))
    print(f"\nexperts: {sum(inside)} of {len(rows)} in the range ({100 * np.mean(inside):.0f} %), factor {width:.2f}")
    print(f"median error {middle:.0f} %, p90 {tail:.0f} %, median ratio {np.median(ratios):.2f}")


def print_layouts(dense: Sequence[Step], split: Split) -> None:
    """How much slower the layout estimated fastest was than the fastest measured, by group; repeats count once."""
    print("\nlayouts: measured time of the one estimated fastest over the fastest measured")
    regrets: list[float] = []
    for group in dict.fromkeys(row.group for row in dense):
        rows = [row for row in dense if row.group == group]
        measured: dict[Any, float] = {}
        for row in rows:
            measured[row.layout] = min(row.seconds, measured.get(row.layout, math.inf))
        if len(measured) < 2:
            continue
        constants = without(dense, rows[0], split)
        chosen = min(rows, key=lambda row: ratio(row, constants) * row.seconds).layout
        regrets.append(measured[chosen] / min(measured.values()) - 1)
        if regrets[-1] > 0.05:
            print(f"  {group}: {100 * regrets[-1]:.1f} % over the best of {len(measured)}")
    within = sum(regret <= 0.05 for regret in regrets)
    print(f"{within} of {len(regrets)} groups within 5 %, mean {100 * np.mean(regrets):.1f} %")


if __name__ == "__main__":
    main()
