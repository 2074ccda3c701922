"""Fits the constants of the step-time model to measured steps, all of them or those that leave some out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]
from score_step_rows import IDS, Step

from scaleplan.compute.device import Calibration
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
Split: TypeAlias = Literal["table", "publisher"]
CLUSTERS = {("a100-sxm-80", "omni-path"): "hgx-a100-omni-path"}
_shipped: list[bool] = []


class Constants(NamedTuple):
    """Of one accelerator: by name, as ``efficiency bf16``, ``traffic bf16``, ``link infiniband``."""

    values: dict[str, float]

    def calibration(self, step: Step) -> Calibration:
        """Those for one step; prior values for what no row told."""
        if _shipped:
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


def use_shipped() -> None:
    """Takes the shipped constants for every row from now on."""
    _shipped.append(True)


def usable(row: Step) -> bool:
    """Dense, large enough, and not excluded."""
    return row.shape.experts is None and not row.excluded and float(row.shape.params.total) > LEAST_PARAMS


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


def owner(row: Step, split: Split) -> str:
    """Whose row it is: what is left out together with it."""
    return row.source if split == "table" else row.publisher


_cache: dict[tuple[str, str, str], Constants] = {}


def without(rows: Sequence[Step], row: Step, split: Split) -> Constants:
    """Constants of a row's accelerator from every table, or publisher, but its own."""
    own, name = owner(row, split), family(row)
    key = (split, own, name)
    if key not in _cache:
        _cache[key] = fit([other for other in rows if owner(other, split) != own and family(other) == name], split)
    return _cache[key]


def fit(rows: Sequence[Step], split: Split = "table") -> Constants:
    """Constants of one accelerator from its rows, whose tables or publishers weigh the root of their rows."""
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
    counts = Counter(owner(row, split) for row in rows)
    weights = np.array([counts[owner(row, split)] ** -0.5 for row in rows])

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
