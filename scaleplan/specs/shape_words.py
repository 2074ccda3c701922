"""A shape in words, ``layers=80,width=8192,heads=64,feed_forward=28672,vocabulary=128256``, and back.

The names are those of the ``shape`` block of a model file, ``ffn`` and ``vocab`` stand for the two long ones; a mixture
of experts adds ``experts=256,active=8,expert_feed_forward=2048,shared=1,dense_layers=3``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scaleplan.compute.family import CONTEXT
from scaleplan.compute.transformer import Experts, Transformer
from scaleplan.errors import UsageError, nearest, quoted

_SHORT = {"ffn": "feed_forward", "vocab": "vocabulary", "expert_ffn": "expert_feed_forward"}
_NEEDED = ("layers", "width", "heads", "feed_forward", "vocabulary")
_COUNTS = (*_NEEDED, "kv_heads", "head_size", "context", "experts", "active", "expert_feed_forward")
_FROM_ZERO = ("position_matrices", "learned_positions", "norms", "outer_norms", "shared", "dense_layers")
_SWITCHES = ("gated", "tied", "biases")
_OF_EXPERTS = ("active", "expert_feed_forward", "shared", "dense_layers")
_KEYS = (*_COUNTS, *_FROM_ZERO, *_SWITCHES)
_YES = {"yes": True, "true": True, "no": False, "false": False}
_MOST = 10**15
"""Our choice: far beyond any, and products of three still fit a float."""


def shape_from_words(text: str) -> Transformer:
    """A decoder from words such as ``layers=80,width=8192,heads=64,kv_heads=8,ffn=28672,vocab=128256``.

    Left out, ``kv_heads`` is ``heads``, ``head_size`` the width over the heads, ``context`` 8,192; it is ``gated``, not
    ``tied`` and has no ``biases``.

    Raises:
        UsageError: an unknown or missing key, a value that cannot be read, parts that do not fit together.
    """
    given = _given(text)
    needed = [key for key in _NEEDED if key not in given]
    if "experts" in given and not given.get("dense_layers"):
        needed = [key for key in needed if key != "feed_forward"]
    if needed:
        raise UsageError(f"shape {quoted(text)}: needs {' and '.join(needed)}")
    experts = _experts(text, given)
    if "feed_forward" not in given and experts is not None:
        given["feed_forward"] = int(experts.feed_forward)
    width, heads = given["width"], given["heads"]
    if "head_size" not in given and width % heads:
        raise UsageError(f"shape {quoted(text)}: {width} of width are no whole head_size for {heads} heads: give it")
    kv_heads = given.setdefault("kv_heads", heads)
    if heads % kv_heads:
        raise UsageError(f"shape {quoted(text)}: heads must be a multiple of kv_heads (got {heads} and {kv_heads})")
    given.setdefault("head_size", width // heads)
    given.setdefault("context", CONTEXT)
    parts: dict[str, Any] = {key: value for key, value in given.items() if key != "experts" and key not in _OF_EXPERTS}
    return Transformer(**parts, experts=experts)


def shape_in_words(shape: Transformer) -> str:
    """The words of a shape, which ``shape_from_words`` reads back; what they leave out is at its default.

    Raises:
        UsageError: latent attention or windows, for which there are no words.
    """
    if shape.latent is not None or shape.window is not None:
        raise UsageError("a shape with latent attention or windows cannot be written in words, only in a model file")
    plain = Transformer(1, 1, 1, 1, 1, 1, 1, 1)
    always = (*_NEEDED, "kv_heads", "head_size", "context")
    extra = (*_FROM_ZERO[:4], *_SWITCHES)
    values = {key: getattr(shape, key) for key in always}
    values |= {key: getattr(shape, key) for key in extra if getattr(shape, key) != getattr(plain, key)}
    if shape.experts is not None:
        moe = shape.experts
        values |= {"experts": moe.count, "active": moe.active, "expert_feed_forward": moe.feed_forward}
        values |= {key: getattr(moe, key) for key in ("shared", "dense_layers") if getattr(moe, key)}
    return ",".join(f"{key}={_written(value)}" for key, value in values.items())


def _written(value: float | bool) -> str:
    return ("yes" if value else "no") if isinstance(value, bool) else f"{value:.15g}"


def _given(text: str) -> dict[str, int]:
    """The values by their long names; switches are whole numbers too."""
    given: dict[str, int] = {}
    for part in text.split(","):
        word, equals, value = part.partition("=")
        key = _SHORT.get(word.strip(), word.strip())
        if not equals or key not in _KEYS:
            hint = nearest(key, (*_KEYS, *_SHORT)) or f" It takes {', '.join(_KEYS)}."
            raise UsageError(f"shape {quoted(text)}: cannot read {quoted(part)}.{hint}")
        if key in given:
            raise UsageError(f"shape {quoted(text)}: {key} is given twice")
        given[key] = _value(text, key, value.strip())
    return given


def _value(text: str, key: str, value: str) -> int:
    if key in _SWITCHES:
        if value.lower() not in _YES:
            raise UsageError(f"shape {quoted(text)}: {key} must be yes or no (got {quoted(value)})")
        return _YES[value.lower()]
    least = 0 if key in _FROM_ZERO else 1
    if not (value.isascii() and value.isdecimal() and len(value) <= len(str(_MOST)) and least <= int(value) <= _MOST):
        what = f"a whole number of at least {least} and at most 1e15"
        raise UsageError(f"shape {quoted(text)}: {key} must be {what} (got {quoted(value)})")
    return int(value)


def _experts(text: str, given: Mapping[str, int]) -> Experts | None:
    if "experts" not in given:
        odd = [key for key in _OF_EXPERTS if key in given]
        if odd:
            raise UsageError(f"shape {quoted(text)}: {odd[0]} is of a mixture of experts: give experts too")
        return None
    missing = [key for key in _OF_EXPERTS[:2] if key not in given]
    if missing:
        raise UsageError(f"shape {quoted(text)}: experts need {' and '.join(missing)}")
    count, active, dense = given["experts"], given["active"], given.get("dense_layers", 0)
    if active > count:
        raise UsageError(f"shape {quoted(text)}: active is above experts (got {active} of {count})")
    if dense > given["layers"]:
        raise UsageError(f"shape {quoted(text)}: dense_layers is above layers (got {dense} of {given['layers']})")
    return Experts(
        count=count,
        active=active,
        feed_forward=given["expert_feed_forward"],
        shared=given.get("shared", 0),
        dense_layers=dense,
    )
