"""Conditions on the rows of a table, in the SQL of polars: ``flops < 1e21``, ``val_data = 'c4_val'``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.specs.raw_table import Table
from scaleplan.specs.run_columns import Column

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

_EXAMPLE = 'write a condition such as "flops < 1e21" or "val_data = \'c4_val\'"'


class Passing(NamedTuple):
    """Which rows pass every condition, and how many fail because a column of a condition has no value there."""

    mask: Mask
    untold: int


def used(conditions: Sequence[str], known: Sequence[str]) -> set[str]:
    """The columns that conditions are on, of those that a table has or the call names.

    Raises:
        UsageError: a condition that cannot be read, or one on a column that is not there.
    """
    names: set[str] = set()
    for condition in conditions:
        roots = _read(condition).meta.root_names()
        for name in roots:
            if name not in known:
                compared = re.search(r'=\s*"?' + re.escape(name), condition)
                text = f"; text stands in single quotes: '{name}'" if compared else ""
                raise UsageError(
                    f"--where {quoted(condition)}: no column {quoted(name)}.{nearest(name, known)} "
                    f"Columns: {', '.join(known)}{text}"
                )
        if not roots:
            raise UsageError(f"--where {quoted(condition)}: on no column; {_EXAMPLE}")
        names.update(roots)
    return names


def passing(
    table: Table, conditions: Sequence[str], numbers: Mapping[str, Column], aliases: Mapping[str, str]
) -> Passing:
    """The rows of a table that pass every condition.

    A row whose number cannot be read passes a condition on it, so that the number is reported, not left out; where
    there is no number at all the condition decides.

    Args:
        table: the rows.
        conditions: in SQL, on columns that are there.
        numbers: the columns of numbers, by their name in the table.
        aliases: further names that conditions may use, and the table's for the same columns.

    Raises:
        UsageError: a condition that has no yes or no for each row.
    """
    import numpy as np
    import polars as pl

    mask = np.ones(table.frame.height, dtype=bool)
    untold = np.zeros(table.frame.height, dtype=bool)
    for condition in conditions:
        expression = _read(condition)
        roots = {name: aliases.get(name, name) for name in expression.meta.root_names()}
        view = [_view(table.frame[own], numbers.get(own)).alias(name) for name, own in roots.items()]
        try:
            answer = pl.DataFrame(view).select(expression.alias("passes"))["passes"]
        except pl.exceptions.PolarsError as error:
            hint = "; numbers stand without quotes, text in single quotes" if "compare" in str(error) else ""
            text = " ".join(str(error).partition("\n")[0].split())
            raise UsageError(f"--where {quoted(condition)}: {text}{hint}") from None
        if answer.dtype != pl.Boolean or len(answer) != table.frame.height:
            raise UsageError(f"--where {quoted(condition)}: not a yes or no for each row; {_EXAMPLE}")
        unread = np.zeros(len(mask), dtype=bool)
        mistaken = np.zeros(len(mask), dtype=bool)
        for own in roots.values():
            if own in numbers:
                unread |= numbers[own].bad
                mistaken |= numbers[own].mistaken()
        empty = answer.is_null().to_numpy()
        untold |= empty & ~unread
        mask &= answer.fill_null(False).to_numpy() | (empty & unread) | mistaken
    return Passing(mask, int(untold.sum()))


def _read(condition: str) -> pl.Expr:
    import polars as pl

    try:
        expression = pl.sql_expr(condition)
    except pl.exceptions.PolarsError as error:
        text = " ".join(str(error).partition("\n")[0].split())
        raise UsageError(f"--where {quoted(condition)}: {text}; {_EXAMPLE}") from None
    if not expression.meta.undo_aliases().meta.eq(expression):
        # SQL takes "flops < 70B" as "flops < 70 AS B".
        raise UsageError(f"--where {quoted(condition)}: a name where a number should end; write 7e10 for 70B")
    return expression


def _view(series: pl.Series, numbers: Column | None) -> pl.Series:
    """A column as a condition sees it: numbers as numbers, and text that is numbers throughout as such too."""
    import polars as pl

    if numbers is not None:
        return pl.Series(series.name, numbers.values).fill_nan(None)
    if series.dtype != pl.String:
        return series
    text = series.str.strip_chars()
    missing = text.null_count()
    values = text.cast(pl.Float64, strict=False)
    if values.null_count() == missing:
        return values
    truth = text.str.to_lowercase().replace_strict({"true": True, "false": False}, default=None)
    return truth if truth.null_count() == missing else text
