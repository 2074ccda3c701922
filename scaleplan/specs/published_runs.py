"""The run that trained a model, as published: time, utilisation, energy and cost, each with its source.

What was published can be held against what it was reckoned from (Patterson et al. 2021, arXiv 2104.10350, sec. 2):

    energy [MWh] = accelerator-hours x watts x PUE / 1e6        (without PUE where ``pue_included`` is false)
    CO2e [t] = energy [MWh] x grid [kg/kWh]                     (x PUE where only ``co2_pue_included``)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaleplan.specs.values import Quantity, Value, weakest

RUN_UNITS: Mapping[str, str] = {
    "accelerators": "1",
    "gpu_hours": "h",
    "days": "d",
    "mfu": "1",
    "hfu": "1",
    "energy_mwh": "MWh",
    "watts_per_accelerator": "W",
    "pue": "1",
    "grid_kg_per_kwh": "kg/kWh",
    "co2_t": "t",
}
"""Every field of a run that may have a number, and its unit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedCost:
    """What a run cost [USD of ``date``; of the source's date where it does not say], on one basis.

    ``basis`` is ``rental`` (its hours at cloud prices), ``amortised`` (its share of the hardware, and energy) or
    ``authors`` (as the developer counts): amounts on different bases are never compared, added or averaged.
    """

    usd: float
    basis: str
    date: str
    status: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRun:
    """A run. ``values`` holds those of ``RUN_UNITS`` that are known.

    ``accelerator`` is the name of the accelerator in commands; where the source leaves open which variant it was
    ("A100"), the one with the most memory, whose peak is the same. ``gpu_hours`` are those of whatever accelerator.
    ``mfu_scope`` and ``hfu_scope`` are ``headline`` (steps in a good configuration) or ``whole-run`` (all the hours).
    """

    hardware: str
    accelerator: str | None
    values: Mapping[str, Quantity]
    mfu_scope: str | None
    hfu_scope: str | None
    pue_included: bool | None
    co2_pue_included: bool | None
    costs: tuple[PublishedCost, ...]
    note: str | None

    def number(self, field: str) -> float | None:
        """The number of a field, ``None`` where it was never published."""
        value = self.values.get(field)
        return None if value is None else value.value

    @property
    def hours(self) -> Value | None:
        """Accelerator-hours: published, or accelerators x days x 24."""
        given = self.values.get("gpu_hours")
        if given is not None:
            return given
        return self._product(("accelerators", "days"), 24.0, "accelerators x days x 24")

    @property
    def recomputed_energy_mwh(self) -> Value | None:
        """The energy from hours, watts and PUE; ``None`` where one of them, or whether PUE is in it, is not known."""
        hours = self.hours
        if hours is None or self.pue_included is None:
            return None
        parts = ("watts_per_accelerator", "pue") if self.pue_included else ("watts_per_accelerator",)
        said = " x ".join(("hours", *parts))
        found = self._product(parts, hours.value / 1e6, f"{said} / 1e6")
        if found is None:
            return None
        return Value(value=found.value, status=weakest((found.status, hours.status)), source=found.source)

    @property
    def recomputed_co2_t(self) -> Value | None:
        """The CO2e from energy, grid and, where only it has that, PUE; ``None`` where one of them is not known."""
        if self.co2_pue_included and not self.pue_included:
            return self._product(("energy_mwh", "pue", "grid_kg_per_kwh"), 1.0, "energy_mwh x pue x grid_kg_per_kwh")
        return self._product(("energy_mwh", "grid_kg_per_kwh"), 1.0, "energy_mwh x grid_kg_per_kwh")

    def _product(self, fields: tuple[str, ...], factor: float, said: str) -> Value | None:
        values = [self.values.get(field) for field in fields]
        known = [value for value in values if value is not None]
        if len(known) < len(fields):
            return None
        for value in known:
            factor *= value.value
        return Value(value=factor, status=weakest(value.status for value in known), source=f"computed: {said}")


def build_run(data: Mapping[str, Any]) -> PublishedRun:
    """The run of the ``run`` block of a model document."""
    return PublishedRun(
        hardware=data["hardware"],
        accelerator=data.get("accelerator"),
        values={
            field: Quantity(value=float(raw["value"]), unit=unit, status=raw["status"], source=raw["source"])
            for field, unit in RUN_UNITS.items()
            if (raw := data.get(field)) is not None
        },
        mfu_scope=data.get("mfu", {}).get("scope"),
        hfu_scope=data.get("hfu", {}).get("scope"),
        pue_included=data.get("pue_included"),
        co2_pue_included=data.get("co2_pue_included"),
        costs=tuple(_cost(raw) for raw in data.get("costs", ())),
        note=data.get("note"),
    )


def _cost(raw: Mapping[str, Any]) -> PublishedCost:
    return PublishedCost(
        usd=float(raw["usd"]), basis=raw["basis"], date=str(raw["date"]), status=raw["status"], source=raw["source"]
    )
