"""Law documents (``scaleplan.law/1``) to laws.

Shipped presets are read as they are: the test suite validates every one. A user's file is validated by
``law_document`` first. ``NAME:VARIANT`` asks for another set of constants of the same paper.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from scaleplan.conventions import FlopConvention, LossMeasure, ParamCount
from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.laws.form import AllocationRule, Form, LossSurface, LossTrend, UniqueTokensForm
from scaleplan.laws.law import FittedRange, Law, PublishedExponents
from scaleplan.laws.uncertainty import Uncertainty
from scaleplan.specs import presets
from scaleplan.specs.forms import build_form
from scaleplan.specs.yaml12 import merged, parse_parts

GIVES_HYPER = "learning rate, batch or weight decay of a run"
"""What a law says that gives hyper-parameters and nothing else."""
DEFAULT_LAW = "besiroglu-2024"
CROSS_CHECK = ("hoffmann-2022-a1", "hoffmann-2022-a2", "hoffmann-2022-a3", "kaplan-2020")
"""The laws that stand beside the default one when no law is named: the approaches it refits, and Kaplan's."""

LawLike: TypeAlias = "str | os.PathLike[str] | Law"
Laws: TypeAlias = "LawLike | Sequence[LawLike] | None"


def resolve_laws(asked: Laws, default: Sequence[str]) -> list[Law]:
    """The laws asked for, each once; ``default`` where none was, every preset for ``all``.

    Raises:
        UsageError: an unknown law, one named twice, or an empty list.
    """
    if asked is not None and not isinstance(asked, (str, os.PathLike, Law)):
        try:
            asked = list(asked)
        except TypeError:
            raise UsageError(f"law must be a name, a Law, or a list of them (got {asked!r})") from None
    if asked is None:
        names: Sequence[LawLike] = default
    elif is_all(asked):
        names = [DEFAULT_LAW, *(name for name in planning_ids() if name != DEFAULT_LAW)]
    else:
        names = [asked] if isinstance(asked, (str, os.PathLike, Law)) else asked
    laws = [each if isinstance(each, Law) else load_law(each) for each in names]
    if not laws:
        raise UsageError("no law: name one, or leave law out for the default")
    ids = [each.id for each in laws]
    for name in ids:
        if ids.count(name) > 1:
            raise UsageError(f"{name} is asked for twice")
    return laws


def planning_ids() -> tuple[str, ...]:
    """The laws of the presets that allocate or give a loss surface by themselves; the others plan nothing."""
    read = ((name, presets.read("laws", name, whole=False).data) for name in presets.ids("laws"))
    return tuple(name for name, data in read if plans(data.get("default", {})))


def plans(roles: Mapping[str, Any]) -> bool:
    """Whether roles allocate or give a loss surface."""
    return "surface" in roles or "allocation" in roles


def is_all(asked: Laws) -> bool:
    """Whether every law was asked for.

    Raises:
        UsageError: ``all`` stands beside other laws.
    """
    names = [asked] if isinstance(asked, str) else list(asked) if isinstance(asked, (list, tuple)) else []
    if "all" in names and len(names) > 1:
        raise UsageError("all stands for every law: leave the others out")
    return names == ["all"]


def load_law(name: str | os.PathLike[str]) -> Law:
    """A law by preset id, alias, ``id:variant``, or the path of a law file.

    Raises:
        UsageError: no such law or variant.
        InputFileError: the file cannot be used.
    """
    if not isinstance(name, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance] # a slip worth a word
        raise UsageError(f"law must be a name, a Law, or a list of them (got {name!r})")
    path = os.fspath(name)
    law = build_law(*law_data(path, whole=False))
    return law._replace(file=path) if presets.looks_like_path(path) else law


def law_data(name: str, *, whole: bool = True) -> tuple[dict[str, Any], str]:
    """The validated data of a law's document and the variant asked for; with its traps and checks if ``whole``.

    Raises:
        UsageError: no such law.
        InputFileError: the file cannot be used.
    """
    if presets.looks_like_path(name):
        from scaleplan.specs.files import read_document, shown
        from scaleplan.specs.law_document import validate_own

        return validate_own(merged(parse_parts(read_document(name, "law"), shown(name)))), ""
    base, _, variant = name.partition(":")
    return presets.read("laws", base, whole=whole).data, variant


def build_law(data: dict[str, Any], variant: str = "") -> Law:
    """The law of a validated document.

    Raises:
        UsageError: no such variant, constants that are not the form's, or a law that plans nothing.
    """
    roles = roles_of(data, variant)
    counts = data.get("counts", {})
    if not plans(roles):
        what = data.get("gives", GIVES_HYPER)
        raise UsageError(
            f"{data['id']} plans nothing by itself ({data['kind']}: {what}); {_where_it_serves(data)}; "
            f"name a law that does, such as {DEFAULT_LAW}"
        )
    printed = FlopConvention(counts["flop"])
    counted = FlopConvention(roles["counts_flop"]) if "counts_flop" in roles else printed
    return Law(
        id=f"{data['id']}:{variant}" if variant else data["id"],
        title=data["title"],
        year=data["year"],
        authors=data["authors"],
        paper=data["paper"],
        counts_params=ParamCount(roles.get("counts_params", counts["params"])),
        counts_flop=counted,
        measure=_measure(roles.get("loss", counts["loss"])),
        fitted=fitted_of(data.get("fitted"), counted.per_param_token / printed.per_param_token),
        surface=_role(data, roles, "surface", LossSurface),
        allocation=_role(data, roles, "allocation", AllocationRule),
        trend=_role(data, roles, "trend", LossTrend),
        uncertainty=_uncertainty(data, "uncertainty", variant),
        allocation_uncertainty=_uncertainty(data, "allocation_uncertainty", variant),
        published_exponents=exponents_of(roles.get("published_exponents", data.get("published_exponents"))),
        refuses=dict(roles.get("refuses", {})),
        held={name: float(value) for name, value in roles.get("at", {}).items()},
        repeated=_role(data, roles, "repeated", UniqueTokensForm),
        family=_family(data, roles),
    )


def _where_it_serves(data: dict[str, Any]) -> str:
    if data.get("default", {}).get("hyper"):
        return f"`scaleplan hyper --law {data['id']}` takes it"
    return f"`scaleplan laws {data['id']}` shows it"


def roles_of(data: dict[str, Any], variant: str) -> dict[str, Any]:
    """Which group serves which role, under the default constants or a variant's.

    Raises:
        UsageError: no such variant.
    """
    variants: dict[str, dict[str, Any]] = data.get("variants", {})
    if variant and variant not in variants:
        known = f"it has {', '.join(variants)}" if variants else "it has none"
        raise UsageError(f"{data['id']} has no variant {quoted(variant)}; {known}.{nearest(variant, variants)}")
    return variants[variant] if variant else data.get("default", {})


def group_form(raw: dict[str, Any]) -> Form:
    """The form of a group of constants.

    Raises:
        UsageError: constants that are not the form's.
    """
    return build_form(raw["form"], {symbol: float(c["value"]) for symbol, c in raw["constants"].items()})


def _role(data: dict[str, Any], roles: dict[str, Any], role: str, protocol: Any) -> Any:
    if role not in roles:
        return None
    raw = data["groups"][roles[role]]
    form: Any = group_form(raw)
    if role == "surface" and hasattr(form, "at"):
        # A form of more variables is a surface of parameters and tokens once those are held.
        form = form.at(**{key: float(value) for key, value in roles.get("at", {}).items()})
    if not isinstance(form, protocol):
        raise UsageError(f"the form {raw['form']} cannot serve as {role}")
    return form


def _family(data: dict[str, Any], roles: dict[str, Any]) -> Any:
    """The form of the surface with its further variables free; ``None`` where it has none."""
    if "surface" not in roles or not roles.get("at"):
        return None
    return group_form(data["groups"][roles["surface"]])


def _measure(raw: dict[str, Any]) -> LossMeasure:
    return LossMeasure(unit=raw["unit"], corpus=raw["corpus"], tokenizer=raw["tokenizer"], context=raw.get("context"))


def fitted_of(raw: dict[str, Any] | None, flop_scale: float = 1.0) -> FittedRange:
    """The ranges, FLOPs converted to what the law (or the variant) counts."""
    if raw is None:
        return FittedRange()
    ranges = {
        key: (float(raw[key][0]), float(raw[key][1]))
        for key in ("params", "tokens", "train_flop", "tokens_per_param")
        if key in raw
    }
    if "train_flop" in ranges:
        low, high = ranges["train_flop"]
        ranges["train_flop"] = (low * flop_scale, high * flop_scale)
    return FittedRange(**ranges, source=raw["source"])


def _uncertainty(data: dict[str, Any], block: str, variant: str) -> Uncertainty | None:
    """The covariance belongs to the default constants; a variant's own is not known."""
    raw = data.get(block)
    if raw is None or variant:
        return None
    allowances = {key: float(raw[key]) for key in ("kappa", "tau", "drift", "starvation", "size_misfit") if key in raw}
    return Uncertainty(
        parameters=tuple(raw["parameters"]),
        covariance=tuple(tuple(float(x) for x in row) for row in raw["covariance"]),
        residual_sd=float(raw["residual_sd"]),
        dof=int(raw["dof"]),
        flop_max=float(data["fitted"]["train_flop"][1]),
        source=raw["source"],
        **allowances,
    )


def exponents_of(raw: dict[str, Any] | None) -> PublishedExponents | None:
    """N* and D* as powers of C, as printed."""
    if raw is None:
        return None
    return PublishedExponents(params=float(raw["params"]), tokens=float(raw["tokens"]), source=raw["source"])
