"""Many JSON objects at once, by polars: the same rows as one by one, or none where that could not be sure."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from scaleplan.specs.log_chunks import count_of, fill, lines_in, times_of
from scaleplan.specs.log_names import SUMMARY, is_epoch_mean, scale_of
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogRows

if TYPE_CHECKING:
    import polars as pl

_KEY = re.compile(rb'"([^"]*)"\s*:')


def json_chunk(block: bytes, rows: LogRows) -> bool:
    """Rows of one flat JSON object a line; whether they were taken."""
    if b"\\" in block or b"\0" in block:
        return False
    first = _first(block)
    wanted = _wanted(set(first), rows.roles)
    plain = all(type(each) in (int, float) for each in first.values())
    if wanted and plain and first.keys().isdisjoint(rows.roles.run_names):
        frame = _numbers_alone(block, list(first))
        if frame is not None:
            return fill(rows, _by_role(frame, wanted), {})
    keys = _keys(block, first)
    runs = [name for name in rows.roles.run_names if name in keys]
    wanted = _wanted(set(keys), rows.roles)
    dated = [key for key, role in wanted if role == "time" and isinstance(first.get(key), str)]
    frame = _values(block, keys, [key for key, _ in wanted], (*dated, *runs)) if wanted else None
    if frame is None or any(frame[key].null_count() for key in runs):
        return False
    return fill(rows, _by_role(frame, wanted), {key: frame[key] for key in runs})


def _numbers_alone(block: bytes, keys: list[str]) -> pl.DataFrame | None:
    """The columns of objects that have nothing but numbers, NaN among them, and no other keys than these."""
    import polars as pl

    nans = block.count(b"NaN") if b"N" in block else 0
    # polars takes no NaN: as null it can be told from what is missing only where nothing is, and no key stands twice.
    if nans and (b"null" in block or not _all_have(block, keys)):
        return None
    frame = _objects(block.replace(b"NaN", b"null") if nans else block, dict.fromkeys(keys, pl.Float64))
    if frame is None:
        return None
    if nans:
        return frame.with_columns(pl.all().fill_null(float("nan")))
    there = frame.height * frame.width - sum(frame.null_count().row(0))
    # Each number needs a key in quotes. No more quotes: no other key, none twice or inside another, and no text.
    return frame if count_of(block, b'"') == 2 * there else None


def _all_have(block: bytes, keys: list[str]) -> bool:
    """Whether each object has each of these keys once, in this order, and nothing else."""
    pairs = (b'"' + re.escape(key.encode()) + rb'"\s*:[^",:{}\[\]\n]+' for key in keys)
    whole = re.compile(rb"^[ \t]*\{[ \t]*" + b",[ \t]*".join(pairs) + rb"\}[ \t\r]*$", re.MULTILINE)
    return sum(1 for _ in whole.finditer(block)) == lines_in(block)


def _values(block: bytes, keys: Mapping[str, int], numbers: list[str], texts: Sequence[str]) -> pl.DataFrame | None:
    """The columns of numbers and of texts of objects that may have other keys; ``None`` where that is not sure."""
    import polars as pl

    schema = dict.fromkeys(numbers, pl.Float64) | dict.fromkeys(texts, pl.String)
    frame = _objects(block, schema)
    # A key more often than values: it stands twice in an object, or inside another, or has a null.
    if frame is None or any(keys[key] != frame.height - frame[key].null_count() for key in schema):
        return None
    # A number that polars made text would not be written as Python writes it.
    opened = (re.compile(b'"' + re.escape(key.encode()) + rb'"\s*:\s*"') for key in texts)
    return (
        frame if all(len(each.findall(block)) == keys[key] for key, each in zip(texts, opened, strict=True)) else None
    )


def _objects(block: bytes, schema: Mapping[str, Any]) -> pl.DataFrame | None:
    """Values of one object a line by key; ``None`` where a line is none, or a value is of another kind."""
    import polars as pl

    try:
        frame = pl.read_ndjson(io.BytesIO(block), schema=dict(schema))
    except pl.exceptions.PolarsError:
        return None
    return frame if frame.height == lines_in(block) else None


def _first(block: bytes) -> dict[str, object]:
    try:
        value: Any = json.loads(block[: block.find(b"\n") + 1 or len(block)])
    except (ValueError, RecursionError):
        return {}
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _keys(block: bytes, first: dict[str, object]) -> dict[str, int]:
    """How often the keys of all objects, nested ones among them, stand in quotes."""
    found = {key: _quoted(block, key) for key in first}
    if sum(found.values()) * 2 == count_of(block, b'"'):
        return found  # no quoted text but these keys
    others = {key.decode("utf-8", errors="replace") for key in set(_KEY.findall(block))}
    return found | {key: _quoted(block, key) for key in others.difference(found)}


def _quoted(block: bytes, key: str) -> int:
    return block.count(b'"' + key.encode() + b'"')


def _wanted(keys: set[str], roles: Roles) -> list[tuple[str, str]]:
    """Keys that have a role, with it, the first for a role before others; none where that is not clear."""
    ranked = sorted((role[0], role[1], key) for key in keys if (role := roles.of(key)) is not None)
    if len({each[:2] for each in ranked}) < len(ranked) or not keys.isdisjoint(SUMMARY):
        return []
    if any(role == "loss" and role not in roles.given and is_epoch_mean(key) for role, _, key in ranked):
        return []  # whether it is a row depends on those before
    found = [(key, role) for role, _, key in ranked]
    return found if any(role == "step" for _, role in found) else []


def _by_role(frame: pl.DataFrame, wanted: list[tuple[str, str]]) -> dict[str, pl.Series]:
    """Numbers by role; empty where a time is none."""
    import polars as pl

    found: dict[str, pl.Series] = {}
    for key, role in wanted:
        numbers, odd = times_of(frame[key]) if frame[key].dtype == pl.String else (frame[key] * scale_of(key, role), 0)
        if odd:
            return {}
        first = found.get(role)
        found[role] = numbers if first is None else first.zip_with(first.is_not_null(), numbers)
    return found
