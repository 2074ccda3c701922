"""Scores the step-time model on measured steps, leave one source out, beside two baselines.

    python tests/benchmarks/score_step_time.py ROWS.yaml [fit | preset]

Every dense row from 1 B parameters is scored with constants fitted to the other sources of its accelerator: an
efficiency and a traffic for each precision, a link share for each type of cluster. They make the mean absolute log
error least, sources weighted by the root of their rows, with a weak prior. Baselines on the same split and with the
same weights: the median MFU, and the median HFU (recomputation counted) with the bubble of the pipeline. ``fit`` prints
the constants from all sources; ``preset`` scores with the shipped ones instead, which is for sources not among them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import yaml
from numpy.typing import NDArray
from scipy.optimize import minimize  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from score_step_rows import IDS, Step, flop_per_token, steps

from scaleplan.compute.device import Calibration
from scaleplan.compute.layout import Recompute
from scaleplan.compute.step_time import step_time
from scaleplan.specs.accelerators import load_accelerator
from scaleplan.specs.calibration import load_calibration

LEAST_PARAMS = 0.99e9
MEASURED_SHARE = 0.83
NARROW = {"bf16": 1.0, "fp8": 0.95, "fp4": 0.8}
TRAFFIC, LINK = 1.1, 0.65
WIDTH = {"efficiency": 0.1, "traffic": 0.3, "link": 0.3, "link omni-path": 0.5}
STRENGTH = 0.01
"""The prior: efficiency 0.83 of the best product measured on the accelerator (less in narrow formats), standard
deviation
10 %; traffic 1.1 and link share 0.65, 30 % (50 % for a second cluster type); as heavy as 1 % error each."""
FAMILIES = {"A100-40GB": "A100-80GB", "B200": "GB200", "B300": "GB300", "H200-141GB": "H100-80GB"}
UNFITTED = {"H100-96GB-500W"}
"""Runs at a power limit and with memory that its namesake does not have: scored with the constants of H100-80GB."""
FAMILIES["H100-96GB-500W"] = "H100-80GB"


CLUSTERS = {("a100-sxm-80", "omni-path"): "hgx-a100-omni-path"}
_shipped: set[str] = set()


class Constants(NamedTuple):
    """Of one accelerator: by name, as ``efficiency bf16``, ``traffic bf16``, ``link infiniband``."""

    values: dict[str, float]

    def calibration(self, step: Step) -> Calibration:
        """Those for one step; prior values for what no row told."""
        if step.accelerator in _shipped:
            known = IDS[family(step)]
            return load_calibration(known, step.precision, cluster=CLUSTERS.get((known, step.cluster))).calibration
        link = self.values.get(f"link {step.cluster}", self.values.get("link infiniband", LINK))
        prior = efficiency_prior(step.accelerator, step.precision)
        return Calibration(
            self.values.get(f"efficiency {step.precision}", prior),
            self.values.get(f"traffic {step.precision}", TRAFFIC),
            link,
            "",
            "",
        )


def main() -> None:
    """Print the tables."""
    table: Any = yaml.safe_load(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rows = steps(table)
    if "fit" in sys.argv[2:]:
        for name in sorted({family(row) for row in rows} - UNFITTED):
            fitted = fit([row for row in rows if usable(row) and family(row) == name])
            print(name, {key: round(value, 3) for key, value in fitted.values.items()})
    dense = [row for row in rows if usable(row)]
    if "preset" in sys.argv[2:]:
        _shipped.update(row.accelerator for row in rows)
    held = {row.id: ratio(row, without(dense, row.source, family(row))) for row in dense}
    print(f"excluded: {sum(row.excluded is not None for row in rows)} of {len(rows)}")
    print_scores("bf16, fp16", [row for row in dense if row.precision == "bf16"], held, dense)
    narrow = [row for row in dense if row.precision != "bf16"]
    print_scores("fp8, fp4", narrow, held, dense)
    print_experts([row for row in rows if row.shape.experts is not None], dense)
    print_layouts(dense)


def usable(row: Step) -> bool:
    """Dense, large enough, and not excluded."""
    return row.shape.experts is None and row.excluded is None and float(row.shape.params.total) > LEAST_PARAMS


def family(row: Step) -> str:
    """The accelerator whose constants a row is scored with when its own has none."""
    return FAMILIES.get(row.accelerator, row.accelerator)


def efficiency_prior(accelerator: str, precision: str) -> float:
    """From the best matrix product anybody measured on the accelerator."""
    share = 0.73
    if accelerator in IDS:
        known = load_accelerator(IDS[accelerator])
        best, peak = known.number("measured_matmul_bf16"), known.number("peak_bf16")
        share = best / peak if best and peak else share
    return MEASURED_SHARE * share * NARROW[precision]


_cache: dict[tuple[str, str], Constants] = {}


def without(rows: Sequence[Step], source: str, name: str) -> Constants:
    """Constants of an accelerator from every source but one."""
    key = (source, name)
    if key not in _cache:
        _cache[key] = fit([row for row in rows if row.source != source and family(row) == name])
    return _cache[key]


def fit(rows: Sequence[Step]) -> Constants:
    """Constants of one accelerator from its rows."""
    rows = [row for row in rows if row.accelerator not in UNFITTED]
    if not rows:
        return Constants({})
    start: dict[str, float] = {}
    for row in rows:
        start[f"efficiency {row.precision}"] = efficiency_prior(row.accelerator, row.precision)
        start[f"traffic {row.precision}"] = TRAFFIC
    for row in sorted(rows, key=lambda row: row.cluster):
        start[f"link {row.cluster}"] = LINK
    names, centre = list(start), np.log(list(start.values()))
    widths = np.array([WIDTH.get(name, WIDTH[name.split()[0]]) for name in names])
    counts = {row.source: sum(other.source == row.source for other in rows) for row in rows}
    weights = np.array([counts[row.source] ** -0.5 for row in rows])

    def loss(log_values: NDArray[np.float64]) -> float:
        constants = Constants(dict(zip(names, np.exp(log_values).tolist(), strict=True)))
        errors = np.array([abs(math.log(ratio(row, constants))) for row in rows])
        return float(weights @ errors / weights.sum() + STRENGTH * (((log_values - centre) / widths) ** 2).sum())

    minimized = cast("Callable[..., Any]", minimize)
    best = minimized(loss, centre, method="Nelder-Mead", options={"maxiter": 300, "xatol": 0.005, "fatol": 1e-5})
    return Constants(dict(zip(names, np.exp(best.x).tolist(), strict=True)))


def ratio(row: Step, constants: Constants) -> float:
    """Estimated over measured time."""
    time = step_time(row.shape, row.layout, row.device, constants.calibration(row), row.sequences)
    return float(time.seconds) / row.seconds


def print_scores(title: str, rows: Sequence[Step], held: dict[str, float], dense: Sequence[Step]) -> None:
    """Errors by source and accelerator, then all together and those of the baselines."""
    print(f"\n{title}: |estimated / measured - 1|, constants from other sources [%]")
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
        "constant MFU": baseline(rows, dense, model_time),
        "constant HFU and bubble": baseline(rows, dense, hardware_time),
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


def baseline(rows: Sequence[Step], dense: Sequence[Step], time: Callable[[Step], float]) -> NDArray[np.float64]:
    """Ratios of a time with one utilization, the median of the other sources on the accelerator at the precision."""
    ratios: list[float] = []
    for row in rows:
        others = [other for other in dense if other.source != row.source and family(other) == family(row)]
        same = [other for other in others if other.precision == row.precision] or others
        if not same:
            same = [other for other in dense if other.source != row.source]
        counts = {other.source: sum(each.source == other.source for each in same) for other in same}
        slow = sorted((other.seconds / time(other), counts[other.source] ** -0.5) for other in same)
        half = sum(weight for _, weight in slow) / 2
        middle = slow[-1][0]
        for value, weight in reversed(slow):
            half -= weight
            if half >= 0:
                middle = value
        ratios.append(time(row) * middle / row.seconds)
    return np.array(ratios)


def print_experts(rows: Sequence[Step], dense: Sequence[Step]) -> None:
    """How many mixtures of experts fall in the printed range; constants from the other sources' dense rows."""
    inside: list[bool] = []
    ratios: list[float] = []
    width = 0.0
    for row in rows:
        calibration = without(dense, row.source, family(row)).calibration(row)
        time = step_time(row.shape, row.layout, row.device, calibration, row.sequences)
        inside.append(float(time.low) <= row.seconds <= float(time.high))
        width = max(width, float(time.high) / float(time.low))
        ratios.append(float(time.seconds) / row.seconds)
    middle, tail = quantiles(np.array(ratios))
    print(f"\nexperts: {sum(inside)} of {len(rows)} in the range ({100 * np.mean(inside):.0f} %), factor {width:.2f}")
    print(f"median error {middle:.0f} %, p90 {tail:.0f} %, median ratio {np.median(ratios):.2f}")


def print_layouts(dense: Sequence[Step]) -> None:
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
        constants = without(dense, rows[0].source, family(rows[0]))
        chosen = min(rows, key=lambda row: ratio(row, constants) * row.seconds).layout
        regrets.append(measured[chosen] / min(measured.values()) - 1)
        if regrets[-1] > 0.05:
            print(f"  {group}: {100 * regrets[-1]:.1f} % over the best of {len(measured)}")
    within = sum(regret <= 0.05 for regret in regrets)
    print(f"{within} of {len(regrets)} groups within 5 %, mean {100 * np.mean(regrets):.1f} %")


if __name__ == "__main__":
    main()
