"""Accelerator documents (``scaleplan.accelerator/1``) to accelerators, and to devices of a cluster."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scaleplan.errors import UsageError, brief, nearest, quoted
from scaleplan.specs import presets
from scaleplan.specs.presets import looks_like_path
from scaleplan.specs.values import Quantity

if TYPE_CHECKING:
    from scaleplan.compute.device import Device

FORMATS = ("fp32", "tf32", "fp16", "bf16", "fp8", "fp4", "int8")
FLOATS = tuple(name for name in FORMATS if name != "int8")
"""Those that training can use."""
UNITS: Mapping[str, str] = {
    **{f"peak_{number}": "op/s" if number == "int8" else "FLOP/s" for number in FORMATS},
    "memory": "GB",
    "memory_bandwidth": "GB/s",
    "interconnect_one_way": "GB/s",
    "interconnect_two_way": "GB/s",
    "scale_out": "Gbit/s",
    "domain": "devices",
    "tdp": "W",
    "measured_matmul_bf16": "FLOP/s",
    "launch_price": "USD",
}
"""Every field that may have a number, and its unit; 1 GB is 1e9 bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndicativePrice:
    """What one device cost an hour in the cloud [USD/h], somewhere between ``low`` and ``high``: never a quote."""

    low: float
    high: float
    date: str
    status: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Accelerator:
    """One device. ``values`` holds those of ``UNITS`` that are known; the others are not supported or not published.

    Peaks are dense, without structured sparsity, accumulated in FP32; ``peak_fp32`` is that of the vector units.
    ``interconnect_one_way`` is of all links of the device together, which it shares with ``domain`` devices, itself
    counted; ``scale_out`` of the network beyond them.
    """

    id: str
    name: str
    organisation: str
    announced: str
    kind: str
    availability: str
    interconnect: str | None
    values: Mapping[str, Quantity]
    price: IndicativePrice | None
    note: str | None
    attribution: str | None

    @property
    def year(self) -> int:
        """The year of its announcement."""
        return int(self.announced[:4])

    def number(self, field: str) -> float | None:
        """The number of a field, ``None`` where it is not supported or not published."""
        value = self.values.get(field)
        return None if value is None else value.value


def load_accelerator(name: str) -> Accelerator:
    """An accelerator by id or alias, or that of a file by its path.

    Raises:
        UsageError: no such accelerator, with the nearest names.
        InputFileError: the file cannot be used.
    """
    if looks_like_path(name):
        from scaleplan.specs.own_presets import read_own

        return build_accelerator(read_own(name, "accelerators").data)
    return build_accelerator(presets.read("accelerators", name).data)


_SORT_FIELDS: Mapping[str, str] = {
    "bf16": "peak_bf16",
    "fp8": "peak_fp8",
    "memory": "memory",
    "memory_bandwidth": "memory_bandwidth",
    "tdp": "tdp",
}
SORT_KEYS = ("announced", *_SORT_FIELDS, "price", "accelerator")


def list_accelerators(
    *,
    year: int | None = None,
    organisation: str | None = None,
    min_memory: float | None = None,
    sort: str = "announced",
) -> tuple[Accelerator, ...]:
    """Accelerators, oldest first unless sorted otherwise.

    Args:
        year: only those announced in it.
        organisation: only those whose vendor has this in its name, upper or lower case.
        min_memory: only those of at least so much memory [GB].
        sort: one of ``SORT_KEYS``; numbers largest first, prices lowest first, those without one last.

    Raises:
        UsageError: an unknown sort key.
        InputFileError: a user's own accelerator, or his folder of them, is not as it must be.
    """
    if sort not in SORT_KEYS:
        raise UsageError(f"cannot sort by {quoted(sort)}; it takes {', '.join(SORT_KEYS)}")
    found = [
        accelerator
        for accelerator in (build_accelerator(document.data) for document in presets.read_all("accelerators"))
        if (year is None or accelerator.year == year)
        and (organisation is None or organisation.lower() in accelerator.organisation.lower())
        and (min_memory is None or (accelerator.number("memory") or 0.0) >= min_memory)
    ]
    if sort in _SORT_FIELDS:
        return tuple(sorted(found, key=lambda each: (-(each.number(_SORT_FIELDS[sort]) or 0.0), each.id)))
    if sort == "price":
        return tuple(sorted(found, key=lambda each: (each.price.low if each.price else math.inf, each.id)))
    return tuple(sorted(found, key=lambda each: each.id if sort == "accelerator" else f"{each.year} {each.id}"))


def cluster(text: str) -> tuple[int | None, str]:
    """The number and the name of accelerators in ``2048xh100-sxm``; no number in ``h100-sxm``.

    Raises:
        UsageError: no name, or a number that is not a whole one of at least 1.
    """
    found = re.fullmatch(r"\s*([-+.\d][-+.,_\d]*)?\s*[xX\u00d7]\s*(.*?)\s*", text)
    if found is None or (found[1] is None and looks_like_path(text.strip())):
        if not text.strip():
            raise UsageError(f"no accelerator: write {_CLUSTER}")
        return None, text.strip()
    number, name = found.groups()
    if not name:
        raise UsageError(f"{brief(text.strip())} names no accelerator after the x: write {_CLUSTER}")
    if number is None:
        raise UsageError(f"{brief(text.strip())} has no number before the x: write {_CLUSTER}, or the name alone")
    if not number.isdecimal() or len(number) > _DIGITS or int(number) < 1:
        raise UsageError(
            f"accelerators must be a whole number from 1 to {10**_DIGITS - 1:,} (got {brief(number)}): write {_CLUSTER}"
        )
    return int(number), name


_CLUSTER = "8xh100-sxm"
_DIGITS = 9
"""Our choice: more accelerators than were ever made of a kind."""


def device(accelerator: Accelerator, precision: str, *, network_gbit: float | None = None) -> Device:
    """The accelerator at a precision, with what time and memory depend on.

    Args:
        accelerator: whose numbers these are.
        precision: one of ``FORMATS``.
        network_gbit: the network beyond the domain [Gbit/s a device, one way] in place of the accelerator's.

    Raises:
        UsageError: the accelerator does not have the precision, or a number it needs is not known.
    """
    from scaleplan.compute.device import Device

    peak = peak_of(accelerator, precision)
    network = accelerator.number("scale_out") if network_gbit is None else network_gbit
    if network is None:
        raise UsageError(f"{accelerator.id} has no known network between nodes: add --network GBIT (Gbit/s a device)")
    if not 0 < network < math.inf:
        raise UsageError(f"--network must be a number of Gbit/s above zero (got {network:g})")
    return Device(
        id=accelerator.id,
        precision=precision,
        peak=peak,
        memory=1e9 * _needed(accelerator, "memory", "memory"),
        memory_bandwidth=1e9 * _needed(accelerator, "memory_bandwidth", "memory_bandwidth"),
        link=1e9 * _needed(accelerator, "interconnect_one_way", "interconnect.one_way"),
        network=1e9 / 8 * network,
        domain=int(_needed(accelerator, "domain", "interconnect.domain")),
    )


def peak_of(accelerator: Accelerator, precision: str) -> float:
    """Its dense peak at a precision [FLOP/s].

    Raises:
        UsageError: an unknown precision, or one that it does not have.
    """
    if precision not in FLOATS:
        hint = nearest(precision, FLOATS)
        raise UsageError(f"unknown precision {quoted(precision)}.{hint} There are {', '.join(FLOATS)}")
    peak = accelerator.number(f"peak_{precision}")
    if peak is not None:
        return peak
    has = [name for name in FLOATS if accelerator.number(f"peak_{name}") is not None]
    if not has:
        raise UsageError(f"{accelerator.id} has no {precision}, nor any other known floating-point peak")
    instead = next(name for name in ("bf16", "fp16", "tf32", *FLOATS) if name in has)
    raise UsageError(f"{accelerator.id} has no {precision}; it has {', '.join(has)}: add --precision {instead}")


def _needed(accelerator: Accelerator, field: str, key: str) -> float:
    """A number that no flag gives.

    Raises:
        UsageError: it is not known.
    """
    value = accelerator.number(field)
    if value is None:
        raise UsageError(f"{accelerator.id} has no known {key}: name an accelerator file of your own that has it")
    return value


def build_accelerator(data: dict[str, Any]) -> Accelerator:
    """The accelerator of a document: a number without a source has that of the document."""
    links: dict[str, Any] = data.get("interconnect", {})
    raws = {f"peak_{number}": raw for number, raw in data["peak"].items()}
    raws |= {"interconnect_one_way": links.get("one_way"), "interconnect_two_way": links.get("two_way")}
    raws |= {"scale_out": links.get("scale_out"), "domain": links.get("domain")}
    source: str = data["source"]
    values: dict[str, Quantity] = {}
    for field in UNITS:
        raw = raws.get(field) or data.get(field)
        if raw is not None:
            values[field] = Quantity(
                value=float(raw["value"]), unit=raw["unit"], status=raw["status"], source=raw.get("source", source)
            )
    return Accelerator(
        id=data["id"],
        name=data["name"],
        organisation=data["organisation"],
        announced=str(data["announced"]),
        kind=data["kind"],
        availability=data["availability"],
        interconnect=links.get("type"),
        values=values,
        price=_price(data.get("price"), source),
        note=data.get("note"),
        attribution=data.get("attribution"),
    )


def _price(raw: dict[str, Any] | None, source: str) -> IndicativePrice | None:
    if raw is None:
        return None
    return IndicativePrice(
        low=float(raw["low"]),
        high=float(raw["high"]),
        date=str(raw["date"]),
        status=raw["status"],
        source=raw.get("source", source),
    )
