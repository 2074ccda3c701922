"""Many lines of a log at once, by polars: the same rows as line by line, or none where that could not be sure.

A block is taken only where every line of it has exactly what its columns say. One that is not is halved until what is
odd stands in a small part, which is read line by line: an odd line costs its surroundings, not the whole log.
"""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from scaleplan.specs.log_names import COLUMNS, SUMMARY, is_epoch_mean, scale_of
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_values import as_time

if TYPE_CHECKING:
    import polars as pl

    from scaleplan.specs.log_rows import LogRows

SMALLEST = 2**15
"""Our choice [bytes]: below it nothing is saved over reading line by line."""
WORTH_POLARS = 3 * 2**20
"""Our choice [bytes]: what is read line by line in the 0.2 s that it takes to import polars."""
_KEY = re.compile(rb'"([^"]*)"\s*:')


def in_halves(block: bytes, quick: Callable[[bytes], bool], slow: Callable[[bytes], None]) -> None:
    """Give lines to ``quick``, those that it does not take to ``slow``, in their order."""
    if len(block) < SMALLEST:
        slow(block)
    elif not quick(block):
        middle = block.find(b"\n", len(block) // 2) + 1
        if 0 < middle < len(block):
            in_halves(block[:middle], quick, slow)
            in_halves(block[middle:], quick, slow)
        else:
            slow(block)


def worth_polars(block: bytes) -> bool:
    """Whether a block is worth the import of polars, unless it is there."""
    return len(block) >= WORTH_POLARS or "polars" in sys.modules


def csv_chunk(
    block: bytes,
    delimiter: str,
    width: int,
    places: Mapping[str, int],
    scales: Mapping[str, float],
    run: int | None,
    rows: LogRows,
) -> bool:
    """Rows of CSV; whether they were taken.

    Args:
        block: whole lines.
        delimiter: what stands between values.
        width: how many values a row has.
        places: of which role the values at a place are.
        scales: what values of a role are multiplied with.
        run: at which place the name of the run stands.
        rows: to be filled.
    """
    import polars as pl

    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
    if b'"' in block or b"\r" in block or b"\0" in block:
        return False
    count = _lines(block)
    if count_of(block, delimiter.encode()) != count * (width - 1):
        return False
    try:
        frame = pl.read_csv(
            io.BytesIO(block), has_header=False, infer_schema=False, separator=delimiter, quote_char=None
        )
    except pl.exceptions.PolarsError:
        return False
    # As many delimiters as full rows have, and polars refuses rows that are too long: then none is too short.
    if frame.width != width or frame.height != count:
        return False
    texts = frame.get_columns()
    odd = 0
    found: dict[str, pl.Series] = {}
    for role, place in places.items():
        numbers, missing = _numbers(texts[place])
        if missing and role == "time":
            numbers, odd = _times(texts[place])
        elif missing:
            return False
        found[role] = numbers * scales[role] if role in scales else numbers
    taken = _fill(rows, found, {} if run is None else {"run": texts[run].fill_null("")})
    rows.roles.odd_times += odd if taken else 0
    return taken


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
            return _fill(rows, _by_role(frame, wanted), {})
    keys = _keys(block, first)
    runs = [name for name in rows.roles.run_names if name in keys]
    wanted = _wanted(set(keys), rows.roles)
    dated = [key for key, role in wanted if role == "time" and isinstance(first.get(key), str)]
    frame = _values(block, keys, [key for key, _ in wanted], (*dated, *runs)) if wanted else None
    if frame is None or any(frame[key].null_count() for key in runs):
        return False
    return _fill(rows, _by_role(frame, wanted), {key: frame[key] for key in runs})


def _numbers_alone(block: bytes, keys: list[str]) -> pl.DataFrame | None:
    """The columns of objects that have nothing but numbers, NaN among them, and no other keys than these."""
    import polars as pl

    nans = block.count(b"NaN") if b"N" in block else 0
    if nans and b"null" in block:
        return None
    # polars takes no NaN: as null it can be told from what is missing where nothing is.
    frame = _objects(block.replace(b"NaN", b"null") if nans else block, dict.fromkeys(keys, pl.Float64))
    if frame is None:
        return None
    values = frame.height * frame.width
    there = values - sum(frame.null_count().row(0))
    if nans and there + nans == values:
        there, frame = values, frame.with_columns(pl.all().fill_null(float("nan")))
    # Each number needs a key in quotes. No more quotes: no other key, none twice or inside another, and no text.
    return frame if count_of(block, b'"') == 2 * there else None


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
    return frame if frame.height == _lines(block) else None


def _numbers(texts: pl.Series) -> tuple[pl.Series, bool]:
    """The numbers of a column, null where a cell is blank, and whether any other cell is no number."""
    import polars as pl

    numbers = texts.cast(pl.Float64, strict=False)
    if numbers.null_count() == texts.null_count():
        return numbers, False
    stripped = texts.str.strip_chars(" ")
    numbers = stripped.cast(pl.Float64, strict=False)
    return numbers, numbers.null_count() != texts.null_count() + (stripped == "").sum()


def count_of(block: bytes, byte: bytes) -> int:
    """How often a byte stands in a block; a frequent one is counted faster by numpy than by ``bytes.count``."""
    import numpy as np

    return int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == byte[0]))


def _lines(block: bytes) -> int:
    return count_of(block, b"\n") + (not block.endswith(b"\n"))


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
    found = [(key, role) for role, _, key in ranked]
    return found if any(role == "step" for _, role in found) else []


def _by_role(frame: pl.DataFrame, wanted: list[tuple[str, str]]) -> dict[str, pl.Series]:
    """Numbers by role; empty where a time is none."""
    import polars as pl

    found: dict[str, pl.Series] = {}
    for key, role in wanted:
        numbers, odd = _times(frame[key]) if frame[key].dtype == pl.String else (frame[key] * scale_of(key, role), 0)
        if odd:
            return {}
        first = found.get(role)
        found[role] = numbers if first is None else first.zip_with(first.is_not_null(), numbers)
    return found


def _times(texts: pl.Series) -> tuple[pl.Series, int]:
    """Times in words, and how many texts are none."""
    import polars as pl

    words = [None if each is None or not each.strip() else each for each in texts.to_list()]
    found = pl.Series([None if each is None else as_time(each) for each in words], dtype=pl.Float64)
    return found, found.null_count() - words.count(None)


def _fill(rows: LogRows, columns: Mapping[str, pl.Series], runs: Mapping[str, pl.Series]) -> bool:
    """Rows of numbers by role, null where there is none. Whether each had a step."""
    import polars as pl

    step = columns.get("step")
    if step is None or step.null_count() or not step.is_finite().all():
        return False
    frame = pl.DataFrame(dict(columns))
    if runs:
        for names in runs.values():
            rows.of_run(names.unique().to_list())
        if rows.run is not None:
            frame = frame.filter(pl.all_horizontal([pl.lit(names == rows.run) for names in runs.values()]))
    rows.facts |= {
        role: values[-1] for role in rows.LASTING if role in frame.columns and len(values := frame[role].drop_nulls())
    }
    with_loss = frame.filter(pl.col("loss").is_not_null()) if "loss" in frame.columns else frame.clear()
    if with_loss.height:
        numbers = {role: with_loss[role] for role in COLUMNS if role in with_loss.columns}
        filled = {role: each.to_numpy() for role, each in numbers.items() if each.null_count() < len(each)}
        rows.extend(with_loss["step"].to_numpy(), filled)
    losses = [pl.col(role).is_not_null() for role in ("loss", "eval_loss", "final_loss") if role in frame.columns]
    rows.ignored += frame.height - (frame.filter(pl.any_horizontal(losses)).height if losses else 0)
    if "eval_loss" in frame.columns:
        evaluations = frame.filter(pl.col("eval_loss").is_not_null())
        rows.extend_evaluations(evaluations["step"].to_numpy(), evaluations["eval_loss"].to_numpy())
    return True
