"""Constants of the step-time model by accelerator, precision and type of cluster: ``presets/calibration.yaml``.

Where an accelerator has none of its own, a sibling's or those of another precision stand in, else defaults; each with a
notice and a wider band, never in silence.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from scaleplan.compute.device import Calibration, Device
from scaleplan.errors import Notice, UsageError, nearest, quoted

_FILE = Path(__file__).resolve().parent.parent / "presets" / "calibration.yaml"
_SAME_FIT = {"fp16": "bf16", "mxfp8": "fp8", "mxfp4": "fp4", "nvfp4": "fp4"}
_OTHERS = {"bf16": ("fp8", "fp4"), "fp8": ("bf16", "fp4"), "fp4": ("fp8", "bf16")}
"""Which precision's constants stand in first."""


class LoadedCalibration(NamedTuple):
    """Constants, whether they are ``exact``, ``borrowed``, ``default`` or ``calibrated``, and the notices with them."""

    calibration: Calibration
    status: str
    notices: tuple[Notice, ...]


def load_calibration(accelerator_id: str, precision: str, *, cluster: str | None = None) -> LoadedCalibration:
    """The constants of an accelerator at a precision, in its usual type of cluster unless one is named.

    Raises:
        UsageError: no such type of cluster, with the nearest names.
    """
    data = _data()
    wanted = _SAME_FIT.get(precision, precision)
    holder = accelerator_id if accelerator_id in data["accelerators"] else data["siblings"].get(accelerator_id)
    link, default = _link_share(holder, cluster), data["default"]
    low_high = (data["experts"]["low"], data["experts"]["high"])
    found = _fitted(holder, wanted)
    if found is None:
        values = Calibration(
            default["efficiency"],
            default["traffic"],
            link,
            "none",
            "the middle of the accelerators that were fitted",
            error=default["error"],
            expert_range=low_high,
        )
        text = (
            f"no measured step of {accelerator_id} was fitted: its step time may be off by {default['error']:.0%}; "
            "give measured steps, or a utilisation"
        )
        return LoadedCalibration(values, "default", (Notice("uncalibrated", text),))
    used, entry = found
    exact = holder == accelerator_id and used == wanted
    error = entry["error"] if exact else max(entry["error"], data["borrowed_error"])
    values = Calibration(
        entry["efficiency"],
        entry["traffic"],
        link,
        entry["release"],
        entry["source"],
        error=error,
        expert_range=low_high,
    )
    if exact:
        return LoadedCalibration(values, "exact", ())
    text = (
        f"step times of {accelerator_id} in {precision} take constants fitted to {holder} in {used}: "
        f"they may be off by {error:.0%}"
    )
    return LoadedCalibration(values, "borrowed", (Notice("borrowed_calibration", text),))


def calibration_for(device: Device, *, steps: str | None = None, cluster: str | None = None) -> LoadedCalibration:
    """The constants of a device, with the time factor of a user's own measured steps where he gives a table of them.

    Args:
        device: the accelerator at its precision.
        steps: the path of a CSV table of measured steps on it (see ``measured_steps``).
        cluster: a type of cluster, in place of the accelerator's usual one.

    Raises:
        UsageError: no such type of cluster.
        InputFileError: the table cannot be used.
    """
    loaded = load_calibration(device.id, device.precision, cluster=cluster)
    if steps is None:
        return loaded
    from scaleplan.specs.measured_steps import calibrate

    mine = calibrate(steps, device, loaded.calibration)
    found = mine.found
    counted = "step" if found.steps == 1 else "steps"
    text = (
        f"{found.steps} measured {counted} of {steps} took {found.factor:.3f} of the estimated time, nine in ten "
        f"within {found.spread:.1%} of that; constants before it: {loaded.calibration.source}"
    )
    return LoadedCalibration(mine.calibration._replace(source=text, release="your own"), "calibrated", ())


def cluster_types() -> dict[str, str]:
    """Every type of cluster with constants of its own, and what it is."""
    return {name: entry["text"] for name, entry in _data()["clusters"].items()}


def _fitted(holder: str | None, precision: str) -> tuple[str, dict[str, Any]] | None:
    """The precision and constants to use of an accelerator that was fitted."""
    if holder is None:
        return None
    entries: dict[str, Any] = _data()["accelerators"][holder]
    for each in (precision, *_OTHERS.get(precision, ())):
        if each in entries:
            return each, entries[each]
    return None


def _link_share(holder: str | None, cluster: str | None) -> float:
    data = _data()
    clusters: dict[str, dict[str, Any]] = data["clusters"]
    if cluster is None:
        if holder is None:
            return data["default"]["link_share"]
        cluster = str(data["accelerators"][holder]["cluster"])
    if cluster not in clusters:
        hint = nearest(cluster, clusters)
        raise UsageError(f"unknown type of cluster {quoted(cluster)}.{hint} There are {', '.join(clusters)}")
    return clusters[cluster]["link_share"]


@cache
def _data() -> dict[str, Any]:
    from scaleplan.specs.yaml12 import parse_parts

    text = _FILE.read_text(encoding="utf-8")
    data: dict[str, Any] = parse_parts(text, "presets/calibration.yaml", 1, ours=True)[0].data
    return data
