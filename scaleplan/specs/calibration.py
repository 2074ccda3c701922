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


class Basis(NamedTuple):
    """One number that decides an estimate, its unit, and where it comes from."""

    name: str
    value: float
    unit: str
    source: str


class LoadedCalibration(NamedTuple):
    """Constants, whether they are ``exact``, ``borrowed``, ``default`` or ``calibrated``, and the notices with them.

    ``basis`` lists what decides the time of a dense model, ``expert_basis`` that of a mixture of experts: only their
    bands differ.
    """

    calibration: Calibration
    status: str
    notices: tuple[Notice, ...]
    basis: tuple[Basis, ...]
    expert_basis: tuple[Basis, ...]


class _Fit(NamedTuple):
    """Constants of an accelerator at a precision, before a cluster's: ``band`` says where ``error`` comes from."""

    efficiency: float
    traffic: float
    release: str
    source: str
    error: float
    band: str


def load_calibration(accelerator_id: str, precision: str, *, cluster: str | None = None) -> LoadedCalibration:
    """The constants of an accelerator at a precision, in its usual type of cluster unless one is named.

    Raises:
        UsageError: no such type of cluster, with the nearest names.
    """
    data = _data()
    holder = accelerator_id if accelerator_id in data["accelerators"] else data["siblings"].get(accelerator_id)
    link, cluster_text = _link_share(holder, cluster)
    status, fit, notices = _fit(accelerator_id, holder, precision)
    experts = data["experts"]
    values = Calibration(
        fit.efficiency,
        fit.traffic,
        link,
        fit.release,
        fit.source,
        error=fit.error,
        expert_range=(experts["low"], experts["high"]),
    )
    return _loaded(values, status, notices, cluster_text, (fit.band, experts["source"]))


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
    from scaleplan.specs.files import shown
    from scaleplan.specs.own_calibration import calibrate, readable

    mine = calibrate(steps, device, loaded.calibration)
    found = mine.found
    counted = f"{found.steps} measured {'step' if found.steps == 1 else 'steps'} of {shown(steps)}"
    text = (
        f"{counted} took {readable(found.factor)} times the estimate, nine in ten should be within a factor of "
        f"{1 + found.spread:.2f} of that; constants before it: {loaded.calibration.source}"
    )
    values = mine.calibration._replace(source=text, release="your own")
    factor = Basis("time factor", found.factor, "times the estimate", f"median of {counted}")
    first = (*loaded.basis[:-1], factor)
    scatter = f"{counted}, and how published steps scatter (Normal, 90 %)"
    dense, experts = _bands(values, (scatter, scatter))
    return LoadedCalibration(
        values,
        "calibrated",
        mine.notices,
        (*first, *dense),
        (*first, *experts),
    )


def cluster_types() -> dict[str, str]:
    """Every type of cluster with constants of its own, and what it is."""
    return {name: entry["text"] for name, entry in _data()["clusters"].items()}


def _loaded(
    values: Calibration, status: str, notices: tuple[Notice, ...], cluster: str, bands: tuple[str, str]
) -> LoadedCalibration:
    """The constants with what is to be said of each; ``bands`` the sources of the dense band and of the experts'."""
    fitted = f"{values.source}; software: {values.release}"
    first = (
        Basis("efficiency", values.efficiency, "of the peak in large products", fitted),
        Basis("traffic", values.traffic, "times the bytes at full memory bandwidth", fitted),
        Basis("link share", values.link_share, "of the bandwidth of the links", cluster),
    )
    dense, experts = _bands(values, bands)
    return LoadedCalibration(values, status, notices, (*first, *dense), (*first, *experts))


def _bands(values: Calibration, sources: tuple[str, str]) -> tuple[tuple[Basis, ...], tuple[Basis, ...]]:
    """The band of dense models and that of mixtures of experts."""
    (low, high), (dense, experts) = values.expert_range, sources
    return (
        (Basis("band", 1 + values.error, "times the estimate, or one over it", dense),),
        (
            Basis("band, low end", low, "times the estimate", experts),
            Basis("band, high end", high, "times the estimate", experts),
        ),
    )


def _fit(accelerator_id: str, holder: str | None, precision: str) -> tuple[str, _Fit, tuple[Notice, ...]]:
    """Status, constants and notices of an accelerator whose own or whose sibling's constants ``holder`` names."""
    data = _data()
    wanted = _SAME_FIT.get(precision, precision)
    found = _fitted(holder, wanted)
    if found is None:
        default = data["default"]
        error = default["error"]
        text = (
            f"no measured step of {accelerator_id} in {precision} was fitted: its step time may be off by a factor of "
            f"{1 + error:.2f} either way; give measured steps, or a utilisation"
        )
        source = "the middle of the accelerators that were fitted"
        fit = _Fit(default["efficiency"], default["traffic"], "none", source, error, default["source"])
        return "default", fit, (Notice("uncalibrated", text),)
    used, entry = found
    steps = entry.get("band_of", f"{entry['rows']} of {holder} in {used}")
    band = (
        f"90th percentile of {steps}, constants from other sources; median error of {holder} in {used} "
        f"{entry['median_error']:.1%}"
    )
    fit = _Fit(entry["efficiency"], entry["traffic"], entry["release"], entry["source"], entry["error"], band)
    if holder == accelerator_id and used == wanted:
        return "exact", fit, ()
    if data["borrowed"]["error"] > fit.error:
        fit = fit._replace(error=data["borrowed"]["error"], band=data["borrowed"]["source"])
    text = (
        f"step times of {accelerator_id} in {precision} take constants fitted to {holder} in {used}: "
        f"they may be off by a factor of {1 + fit.error:.2f} either way"
    )
    return "borrowed", fit, (Notice("borrowed_calibration", text),)


def _fitted(holder: str | None, precision: str) -> tuple[str, dict[str, Any]] | None:
    """The precision and constants to use of an accelerator that was fitted."""
    if holder is None:
        return None
    entries: dict[str, Any] = _data()["accelerators"][holder]
    for each in (precision, *_OTHERS.get(precision, ())):
        if each in entries:
            return each, entries[each]
    return None


def _link_share(holder: str | None, cluster: str | None) -> tuple[float, str]:
    """The share of the links' bandwidth, and the type of cluster it belongs to.

    Raises:
        UsageError: no such type of cluster, with the nearest names.
    """
    data = _data()
    if cluster is None:
        if holder is None:
            return data["default"]["link_share"], "the middle of the types of cluster that were fitted"
        cluster = str(data["accelerators"][holder]["cluster"])
    known = cluster_types()
    if cluster not in known:
        there = ", ".join(f"{name} ({text})" for name, text in known.items())
        raise UsageError(f"unknown type of cluster {quoted(cluster)}.{nearest(cluster, known)} There are {there}")
    return data["clusters"][cluster]["link_share"], f"{cluster}: {known[cluster]}"


@cache
def _data() -> dict[str, Any]:
    from scaleplan.specs.yaml12 import parse_parts

    text = _FILE.read_text(encoding="utf-8")
    data: dict[str, Any] = parse_parts(text, "presets/calibration.yaml", 1, ours=True)[0].data
    return data
