"""Law documents to records: everything a document says of a law, for showing and checking it."""

from __future__ import annotations

from typing import Any

from scaleplan.laws.record import Check, Constant, Group, LawRecord
from scaleplan.specs import presets
from scaleplan.specs.laws import build_law, group_form, law_data, roles_of


def load_record(name: str) -> LawRecord:
    """The record of a law by preset id, alias, ``id:variant``, or the path of a law file.

    Raises:
        UsageError: no such law or variant.
        InputFileError: the file cannot be used.
    """
    return build_record(*law_data(name))


def list_records() -> tuple[LawRecord, ...]:
    """The record of every law of the presets, by id."""
    return tuple(load_record(name) for name in presets.ids("laws"))


def build_record(data: dict[str, Any], variant: str = "") -> LawRecord:
    """The record of a validated document."""
    return LawRecord(
        law=build_law(data, variant),
        kind=data["kind"],
        counts_tokens=data["counts"]["tokens"],
        groups={name: _group(name, raw) for name, raw in data["groups"].items()},
        roles={role: name for role, name in roles_of(data, variant).items() if role != "refuses"},
        variants=tuple(data.get("variants", ())),
        traps=tuple(data.get("traps", ())),
        checks=tuple(_check(raw) for raw in data.get("checks", ())),
    )


def _group(name: str, raw: dict[str, Any]) -> Group:
    constants = tuple(
        Constant(symbol=symbol, value=float(c["value"]), unit=c["unit"], source=c.get("source"))
        for symbol, c in raw["constants"].items()
    )
    return Group(
        name=name,
        form_name=raw["form"],
        form=group_form(raw),
        constants=constants,
        source=raw["source"],
        note=raw.get("note"),
    )


def _check(raw: dict[str, Any]) -> Check:
    return Check(
        group=raw["group"],
        call=raw["call"],
        at={key: float(value) for key, value in raw["at"].items()},
        take=raw.get("take"),
        expected=float(raw["expected"]),
        rtol=float(raw["rtol"]),
        outcome=raw["outcome"],
        source=raw["source"],
        note=raw.get("note"),
    )
