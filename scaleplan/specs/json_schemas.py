"""JSON Schema (draft 2020-12) of our files, for editors: made of the same models that validate them.

An editor checks the shape of a file; what only reading it can tell (a law's form, a preset's name) it does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.specs.document import Strict

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _law() -> type[Strict]:
    from scaleplan.specs.law_schema import LawSpec

    return LawSpec


def _budget() -> type[Strict]:
    from scaleplan.specs.budget import BudgetDocument

    return BudgetDocument


def _options() -> type[Strict]:
    from scaleplan.specs.budget import OptionsDocument

    return OptionsDocument


def _model() -> type[Strict]:
    from scaleplan.specs.catalogue_schema import ModelSpec

    return ModelSpec


def _accelerator() -> type[Strict]:
    from scaleplan.specs.catalogue_schema import AcceleratorSpec

    return AcceleratorSpec


def _ability() -> type[Strict]:
    from scaleplan.specs.catalogue_schema import AbilitySpec

    return AbilitySpec


MODELS: Mapping[str, Callable[[], type[Strict]]] = {
    "law": _law,
    "budget": _budget,
    "options": _options,
    "sweep": _budget,
    "model": _model,
    "accelerator": _accelerator,
    "ability": _ability,
}


_BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def _standard(node: Any) -> Any:
    """The schema with bounds in JSON Schema's words: pydantic keeps its own where a validator of ours comes first."""
    if isinstance(node, list):
        return [_standard(item) for item in cast("list[Any]", node)]
    if not isinstance(node, dict):
        return node
    mapping = cast("dict[str, Any]", node)
    bounds = "type" in mapping or "anyOf" in mapping
    return {_BOUNDS.get(key, key) if bounds else key: _standard(value) for key, value in mapping.items()}


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a kind of file.

    Raises:
        UsageError: an unknown kind, with the nearest.
    """
    if kind not in MODELS:
        raise UsageError(f"unknown kind of file {quoted(kind)}.{nearest(kind, MODELS)} There are {', '.join(MODELS)}")
    body = _standard(MODELS[kind]().model_json_schema(by_alias=True))
    if kind == "law":
        body = _in_documents(body)
    if kind == "sweep":
        from scaleplan.specs.sweep_json_schema import in_sweeps

        body = in_sweeps(body)
    title = f"scaleplan {kind} file"
    return {"$schema": DIALECT, "$id": f"urn:scaleplan:schema:{kind}:1", **body, "title": title}


def _in_documents(body: dict[str, Any]) -> dict[str, Any]:
    """The schema of a law's YAML documents as an editor meets them: the first says ``schema``, the others add to it."""
    from scaleplan.specs.forms import form_names

    definitions = body.pop("$defs")
    form = definitions["GroupSpec"]["properties"]["form"]
    form["anyOf"] = [{"enum": list(form_names())}, {"type": "null"}]
    added = {key: body["properties"][key] for key in ("groups", "variants", "traps", "checks")}
    later = {"type": "object", "properties": added, "additionalProperties": False}
    said = {"description": body["description"], "$defs": definitions}
    return said | {"if": {"required": ["schema"]}, "then": body, "else": later}
