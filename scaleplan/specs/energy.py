"""What a site's energy entails: grid intensities, power usage effectiveness, water; by name, or as a number.

    energy [MWh] = accelerator-hours x watts x PUE / 1e6,  CO2e [t] = energy x intensity [kg/kWh]

(Patterson et al. 2021, arXiv 2104.10350, sec. 2). The intensities are averages of a country and a year, by location.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from scaleplan.errors import UsageError, brief, nearest, quoted
from scaleplan.specs.values import Quantity

_FILE = Path(__file__).resolve().parent.parent / "presets" / "energy.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Factor(Quantity):
    """A number that energy is multiplied by.

    ``id``, ``name`` and ``year`` are those of the entry; a number that was given has ``None`` for each, and for its
    ``status`` and ``source`` the word ``given``.
    """

    id: str | None
    name: str | None
    year: int | None


def grid(text: str | float) -> Factor:
    """The CO2e of a kWh of electricity [kg/kWh]: of a country (``fra``, ``France``) or a number (``0.37``).

    Raises:
        UsageError: no such country, with the nearest, or a number below zero.
    """
    return _factor("grids", "grid", text, least=0.0)


def pue(text: str | float) -> Factor:
    """The power of a site over that of its machines: of a fleet (``google``), or a number (``1.1``).

    Raises:
        UsageError: no such fleet, with the nearest, or a number below one.
    """
    return _factor("pue", "pue", text, least=1.0)


def water(text: str | float) -> Factor:
    """The water that a kWh takes [l/kWh]: a number, as long as no published one is known here.

    Raises:
        UsageError: not a number, or one below zero.
    """
    return _factor("water", "water", text, least=0.0)


def factors(kind: str) -> Mapping[str, Factor]:
    """Every entry of ``grids``, ``pue`` or ``water`` by its id."""
    return _read()[kind]


@cache
def _read() -> Mapping[str, Mapping[str, Factor]]:
    from scaleplan.specs.yaml12 import parse_parts

    (document,) = parse_parts(_FILE.read_text(encoding="utf-8"), f"presets/{_FILE.name}", ours=True)
    return {kind: {key: _entry(key, raw, group) for key, raw in group["entries"].items()} for kind, group in
            document.data.items()}  # fmt: skip


def _entry(key: str, raw: Mapping[str, Any], group: Mapping[str, Any]) -> Factor:
    return Factor(
        id=key,
        name=raw["name"],
        year=raw["year"],
        value=float(raw["value"]),
        unit=group["unit"],
        status=raw["status"],
        source=raw.get("source", group["source"]),
    )


_UNITS: Mapping[str, str] = {"grids": "kg/kWh", "pue": "1", "water": "l/kWh"}
_EXAMPLE: Mapping[str, str] = {"grids": "fra or 0.37", "pue": "google or 1.1", "water": "1.8, in litres a kWh"}


def _factor(kind: str, flag: str, text: str | float, *, least: float) -> Factor:
    """The entry of a name, or the number that was given."""
    try:
        value = float(text)
    except ValueError:
        return _named(kind, flag, str(text))
    if not least <= value < float("inf"):
        raise UsageError(f"{flag} must be at least {least:g} (got {brief(str(text))}): write {_EXAMPLE[kind]}")
    return Factor(id=None, name=None, year=None, value=value, unit=_UNITS[kind], status="given", source="given")


def _named(kind: str, flag: str, text: str) -> Factor:
    entries = factors(kind)
    key = text.strip().lower()
    for entry in entries.values():
        if key in (entry.id, (entry.name or "").lower()):
            return entry
    if not entries:
        raise UsageError(
            f"{flag}: {quoted(text)} is not a number, and no published one is known: write {_EXAMPLE[kind]}"
        )
    hint = nearest(text, [*entries, *(entry.name or "" for entry in entries.values())])
    raise UsageError(f"unknown {flag} {quoted(text)}.{hint} There are {', '.join(entries)}, or write {_EXAMPLE[kind]}")
