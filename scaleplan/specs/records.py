"""Law documents to records: everything a document says of a law, for showing and checking it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast, get_args

from scaleplan.conventions import FlopConvention
from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.laws.law import Law
from scaleplan.laws.record import Check, Constant, Group, Interval, LawRecord
from scaleplan.specs import presets
from scaleplan.specs.check_functions import CHECK_FUNCTIONS
from scaleplan.specs.laws import GIVES_HYPER, build_law, exponents_of, fitted_of, group_form, law_data, plans, roles_of

Kind = Literal[
    "loss", "allocation", "data", "serving", "precision", "moe", "trend", "transfer", "hyperparameters", "counting",
    "finding",
]  # fmt: skip
KINDS: tuple[str, ...] = get_args(Kind)
"""What laws are about. A ``finding`` has neither a loss nor an allocation that could be evaluated."""
DEFAULT_HYPER = "steplaw-2025"
"""The rule where one is wanted; our choice: it gives learning rate and batch from N and D alone, with intervals."""
ROLES = ("surface", "allocation", "trend", "hyper")


def load_record(name: str) -> LawRecord:
    """The record of a law by preset id, alias, ``id:variant``, or the path of a law file.

    Raises:
        UsageError: no such law or variant.
        InputFileError: the file cannot be used.
    """
    return build_record(*law_data(name))


def list_records(*, kind: str | None = None, year: int | None = None) -> tuple[LawRecord, ...]:
    """The record of every law of the presets, by id; of one kind or year where that is asked.

    Raises:
        UsageError: an unknown kind.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"no law is of kind {quoted(kind)}.{nearest(kind, KINDS)} Kinds: {', '.join(KINDS)}")
    data = (presets.read("laws", name).data for name in presets.ids("laws"))
    return tuple(
        build_record(each)
        for each in data
        if (kind is None or each["kind"] == kind) and (year is None or each["year"] == year)
    )


def hyper_records(asked: str | Sequence[str] | None) -> tuple[LawRecord, ...]:
    """The records of laws with hyper-parameters: those asked for, or the default one and then all others.

    Raises:
        UsageError: an unknown law, or one named twice.
    """
    if isinstance(asked, Law) or not isinstance(asked, (str, list, tuple, type(None))):  # pyright: ignore[reportUnnecessaryIsInstance] # a slip worth a word
        raise UsageError(f"law is a name or a list of names of laws with hyper-parameters (got {asked!r})")
    names = [asked] if isinstance(asked, str) else list(asked or ())
    if "all" in names and len(names) > 1:
        raise UsageError("all stands for every law: leave the others out")
    if names and names != ["all"]:
        records = tuple(load_record(name) for name in names)
        twice = [each.id for each in records if [other.id for other in records].count(each.id) > 1]
        if twice:
            raise UsageError(f"{twice[0]} is asked for twice")
        return records
    data = [presets.read("laws", name).data for name in presets.ids("laws")]
    records = [build_record(each) for each in data if each.get("default", {}).get("hyper")]
    return tuple(sorted(records, key=lambda record: record.id != DEFAULT_HYPER))


def build_record(data: dict[str, Any], variant: str = "") -> LawRecord:
    """The record of a validated document.

    Raises:
        UsageError: no such variant.
    """
    roles = roles_of(data, variant)
    law = build_law(data, variant) if plans(roles) else None
    return LawRecord(
        id=f"{data['id']}:{variant}" if variant else data["id"],
        title=data["title"],
        year=data["year"],
        authors=data["authors"],
        paper=data["paper"],
        kind=data["kind"],
        gives=data.get("gives") or _gives(law),
        counts=_counts(data.get("counts", {}), roles),
        law=law,
        fitted=fitted_of(data.get("fitted")) if law is None else law.fitted,
        published_exponents=exponents_of(roles.get("published_exponents", data.get("published_exponents"))),
        groups={name: _group(name, raw) for name, raw in data["groups"].items()},
        roles={role: _names(roles[role]) for role in ROLES if roles.get(role)},
        held={name: float(value) for name, value in roles.get("at", {}).items()},
        variants=tuple(data.get("variants", ())),
        traps=tuple(data.get("traps", ())),
        checks=tuple(_check(raw) for raw in data.get("checks", ())),
        functions=CHECK_FUNCTIONS,
    )


def _names(role: str | list[str]) -> tuple[str, ...]:
    return (role,) if isinstance(role, str) else tuple(role)


def _gives(law: Law | None) -> str:
    if law is None:
        return GIVES_HYPER
    given = [(law.surface, "L(N, D)"), (law.allocation, "N*(C)"), (law.trend, "L*(C)")]
    return ", ".join(text for part, text in given if part is not None)


def _counts(raw: Mapping[str, Any], roles: Mapping[str, Any]) -> dict[str, str]:
    words: dict[str, str] = {}
    params, flop = roles.get("counts_params", raw.get("params")), roles.get("counts_flop", raw.get("flop"))
    loss = roles.get("loss", raw.get("loss"))
    if params is not None:
        words["params"] = params
    if raw.get("tokens") is not None:
        words["tokens"] = raw["tokens"]
    if flop is not None:
        words["flop"] = FlopConvention(flop).text
    if loss is not None:
        context = f", context {loss['context']}" if loss.get("context") else ""
        words["loss"] = f"{loss['unit']} on {loss['corpus']}, {loss['tokenizer']}{context}"
    if raw.get("note") is not None:
        words["note"] = raw["note"]
    return words


def _group(name: str, raw: dict[str, Any]) -> Group:
    form = group_form(raw) if "form" in raw else None
    return Group(
        name=name,
        form_name=raw.get("form"),
        form=form,
        equation=raw.get("equation") or (None if form is None else form.equation),
        symbols=None if form is None else form.symbols,
        latex=raw.get("latex") or (None if form is None else form.latex),
        constants=tuple(_constant(symbol, c) for symbol, c in raw["constants"].items()),
        source=raw["source"],
        note=raw.get("note"),
        from_memory=raw.get("from_memory", False),
    )


def _constant(symbol: str, raw: dict[str, Any]) -> Constant:
    value: Any = raw["value"]
    interval = raw.get("interval")
    return Constant(
        symbol=symbol,
        value=tuple(float(x) for x in cast("list[float]", value)) if isinstance(value, list) else float(value),
        unit=raw["unit"],
        source=raw.get("source"),
        interval=None
        if interval is None
        else Interval(low=float(interval["low"]), high=float(interval["high"]), level=float(interval["level"])),
    )


def _check(raw: dict[str, Any]) -> Check:
    return Check(
        what=raw["what"],
        expression=raw["value"],
        expected=float(raw["expected"]),
        rtol=float(raw.get("rtol", 0)),
        atol=float(raw.get("atol", 0)),
        outcome=raw.get("outcome", "reproduced"),
        source=raw["source"],
        note=raw.get("note"),
        from_memory=raw.get("from_memory", False),
    )
