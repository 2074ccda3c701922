"""The JSON Schema of a sweep file: that of a budget file in which any value may be a list or a range."""

from __future__ import annotations

from typing import Any

from scaleplan.specs.axes import MOST_ROWS, SCALES

_HEADINGS = ("budget", "limits", "serving", "pilots")
_KEPT = ("schema", "name", "law", *_HEADINGS)
_END: dict[str, Any] = {"anyOf": [{"type": "number"}, {"type": "string", "minLength": 1}]}
_RANGE: dict[str, Any] = {
    "description": "Values from `from` to `to`, both among them: equal ratios apart, or equal steps (linear).",
    "type": "object",
    "properties": {
        "from": _END,
        "to": _END,
        "points": {"type": "integer", "minimum": 2, "maximum": MOST_ROWS},
        "scale": {"enum": list(SCALES)},
    },
    "required": ["from", "to", "points"],
    "additionalProperties": False,
}


def in_sweeps(body: dict[str, Any]) -> dict[str, Any]:
    """The schema of a sweep file.

    Args:
        body: the schema of a budget file.
    """
    properties = {key: value for key, value in body["properties"].items() if key in _KEPT}
    properties["schema"] = {"const": "scaleplan.sweep/1", "title": "Schema", "type": "string"}
    named = {_named(properties[heading]) for heading in _HEADINGS if heading in properties}
    definitions = {name: _of_axes(body["$defs"][name]) for name in sorted(named)}
    required = [key for key in body["required"] if key in _KEPT]
    said = "A sweep file: a budget file in which any value may be a list or a range."
    kept = {key: value for key, value in body.items() if key not in ("$defs", "properties", "required", "description")}
    definitions |= {"Range": _RANGE}
    return {"$defs": definitions, **kept, "description": said, "properties": properties, "required": required}


def _named(value: dict[str, Any]) -> str:
    """The definition that a heading refers to."""
    found = next(each for each in (value, *value.get("anyOf", ())) if "$ref" in each)
    return found["$ref"].rpartition("/")[2]


def _of_axes(definition: dict[str, Any]) -> dict[str, Any]:
    properties = {key: _axis(value) for key, value in definition["properties"].items()}
    return {**definition, "properties": properties}


def _axis(value: dict[str, Any]) -> dict[str, Any]:
    """A value, a list of such values, or a range."""
    about = {key: value[key] for key in ("description", "title", "default") if key in value}
    one = {key: part for key, part in value.items() if key not in about}
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}, {"$ref": "#/$defs/Range"}], **about}
