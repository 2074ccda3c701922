"""Many lines of a log at once, by polars: the same rows as line by line, or none where that could not be sure.

A block is taken only where every line of it has exactly what its columns say. One that is not is halved until what is
odd stands in a small part, which is read line by line: an odd line costs its surroundings, not the whole log.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from scaleplan.specs.log_names import COLUMNS
from scaleplan.specs.log_rows import JOINED, LogRows
from scaleplan.specs.log_values import as_time

if TYPE_CHECKING:
    import polars as pl

SMALLEST = 2**15
"""Our choice [bytes]: below it nothing is saved over reading line by line."""
WORTH_POLARS = 3 * 2**20
"""Our choice [bytes]: what is read line by line in the 0.2 s that it takes to import polars."""


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


def count_of(block: bytes, byte: bytes) -> int:
    """How often a byte stands in a block; a frequent one is counted faster by numpy than by ``bytes.count``."""
    import numpy as np

    return int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == byte[0]))


def lines_in(block: bytes) -> int:
    """How many lines a block has, the last of which may lack its end."""
    return count_of(block, b"\n") + (not block.endswith(b"\n"))


def times_of(texts: pl.Series) -> tuple[pl.Series, int]:
    """Times in words, and how many texts are none."""
    import polars as pl

    words = [None if each is None or not each.strip() else each for each in texts.to_list()]
    found = pl.Series([None if each is None else as_time(each) for each in words], dtype=pl.Float64)
    return found, found.null_count() - words.count(None)


def fill(rows: LogRows, columns: Mapping[str, pl.Series], runs: Mapping[str, pl.Series]) -> bool:
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
    if _has_rows_to_join(frame):
        _place_each(rows, frame)
        return True
    with_loss = frame.filter(pl.col("loss").is_not_null()) if "loss" in frame.columns else frame.clear()
    if with_loss.height:
        rows.roles.by_step = True
        numbers = {role: with_loss[role] for role in COLUMNS if role in with_loss.columns}
        filled = {role: each.to_numpy() for role, each in numbers.items() if each.null_count() < len(each)}
        rows.extend(with_loss["step"].to_numpy(), filled)
    losses = [pl.col(role).is_not_null() for role in ("loss", "eval_loss", "final_loss") if role in frame.columns]
    rows.ignored += frame.height - (frame.filter(pl.any_horizontal(losses)).height if losses else 0)
    if "eval_loss" in frame.columns:
        evaluations = frame.filter(pl.col("eval_loss").is_not_null())
        rows.extend_evaluations(evaluations["step"].to_numpy(), evaluations["eval_loss"].to_numpy())
    return True


def _has_rows_to_join(frame: pl.DataFrame) -> bool:
    """Whether rows without a loss have what belongs to others at their steps."""
    import polars as pl

    losses = [pl.col(role).is_null() for role in ("loss", "eval_loss") if role in frame.columns]
    others = [pl.col(role).is_not_null() for role in JOINED if role in frame.columns]
    if not others or not losses:
        return bool(others)
    return bool(frame.select((pl.all_horizontal(losses) & pl.any_horizontal(others)).any()).item())


def _place_each(rows: LogRows, frame: pl.DataFrame) -> None:
    """Rows one by one, as they would be line by line."""
    names = frame.columns
    for values in frame.iter_rows():
        found: dict[str, float] = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        rows.roles.by_step = rows.roles.by_step or "loss" in found
        if not rows.place(found.pop("step"), found):
            rows.ignored += 1
