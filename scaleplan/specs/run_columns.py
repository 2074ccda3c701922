"""Columns of numbers: from text such as 70B or from typed values, with every value that cannot stand explained."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan import units
from scaleplan.errors import InputFileError, UsageError, quoted
from scaleplan.specs.raw_table import Table

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

MOST_PROBLEMS = 20
"""Our choice: so many fit on a screen."""
QUANTITIES = {
    "params": "params",
    "params_nonembedding": "params",
    "tokens": "tokens",
    "unique_tokens": "tokens",
    "loss": "loss",
    "flops": "flop",
    "train_flop": "flop",
    "weight": "weight",
}
"""What the numbers of a column are, by our name for it."""
_EMPTY = "an empty value where a number should be"
_MOST = {"params": 1e30, "tokens": 1e30, "flop": 1e60, "weight": 1e30}
"""Our choice: far beyond any run, and products of these are still numbers; a weight is no less than one over that."""
COUNTS = ("params", "tokens")
"""Quantities of which there is at least one."""


class Column(NamedTuple):
    """A column of numbers: theirs by name, ``values`` NaN where they are ``bad``."""

    name: str
    quantity: str
    given: pl.Series
    values: Floats
    bad: Mask

    def mistaken(self) -> Mask:
        """Which values are bad without being missing: text that is no number, or a number out of range."""
        import polars as pl

        if not self.bad.any() or self.given.dtype.is_nested():
            return self.bad
        text = self.given.cast(pl.String, strict=False).str.strip_chars().str.to_lowercase()
        return self.bad & ~(text.is_null() | text.is_in(["", "nan"])).to_numpy()

    def keep(self, mask: Mask) -> Column:
        """Some of the rows."""
        return Column(self.name, self.quantity, self.given.filter(mask), self.values[mask], self.bad[mask])


class Problem(NamedTuple):
    """What is wrong with a row."""

    row: int
    text: str


def one_flop_column(columns: Iterable[str], place: str) -> None:
    """Refuse a table with both names of the compute.

    Raises:
        InputFileError: both are there.
    """
    if {"flops", "train_flop"} <= set(columns):
        raise InputFileError(f"{place}: flops and train_flop are the same column; keep one")


def comma_hint(columns: Sequence[str]) -> str:
    """A word on the separator, where the names of the columns look as if it were a semicolon."""
    return "; write commas between them" if any(";" in each for each in columns) else ""


def column(series: pl.Series, quantity: str) -> Column:
    """A column as numbers; text such as 70B is read value by value only where the fast cast fails."""
    import numpy as np
    import polars as pl

    if series.dtype.is_numeric():
        values = series.cast(pl.Float64).to_numpy()
    elif isinstance(series.dtype, (pl.String, pl.Categorical, pl.Enum)):
        series = series.cast(pl.String).str.strip_chars()
        values = series.cast(pl.Float64, strict=False).to_numpy()
        unread = ~_sound(values, quantity)
        if unread.any():
            texts = series.filter(unread)
            known = {text: _number(text, quantity) for text in texts.unique().to_list()}
            values = values.copy()
            values[unread] = [known[text] for text in texts.to_list()]
    else:
        values = np.full(len(series), np.nan)
    bad = ~_sound(values, quantity)
    return Column(series.name, quantity, series, np.where(bad, np.nan, values) if bad.any() else values, bad)


def explain(
    table: Table, columns: Sequence[Column], more: Sequence[tuple[Mask, str]] = (), *, advice: str = ""
) -> None:
    """Refuse a table with bad values, naming the first of them by row.

    Args:
        table: where the columns are from, row by row.
        columns: the numbers.
        more: further rows that cannot stand, and why.
        advice: what to do about missing values, said once where there are some.

    Raises:
        InputFileError: some value is bad.
    """
    total = sum(int(mask.sum()) for mask in (*(each.bad for each in columns), *(mask for mask, _ in more)))
    if not total:
        return
    texts = [
        *([Problem(i, f"{c.name}: {why(c.given[i], c.quantity)}") for i in _first(c.bad)] for c in columns),
        *([Problem(i, text) for i in _first(mask)] for mask, text in more),
    ]
    shown = list(heapq.merge(*texts, key=lambda problem: problem.row))[:MOST_PROBLEMS]
    lines = [f"{table.at(problem.row)}: {problem.text}" for problem in shown]
    left = total - len(shown)
    if left:
        lines.append(f"{table.name}: and {left:,} more such values")
    if advice and any(_EMPTY in problem.text or "finite" in problem.text for problem in shown):
        lines.append(f"{table.name}: {advice}")
    raise InputFileError(lines)


def why(value: Any, quantity: str) -> str:
    """Why a value is no number of a quantity."""
    if value is None or (isinstance(value, str) and not value.strip()):
        return _EMPTY
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return f"not a number: {quoted(str(value))}"
    try:
        number = _parsed(value, quantity)
        most = _MOST.get(quantity)
        if most is not None and number > 0:
            return f"must be from {1 if quantity in COUNTS else 1 / most:g} to {most:g} (got {value})"
        return f"not a number: {number}"
    except UsageError as error:
        return error.message


def _first(mask: Mask) -> list[int]:
    return mask.nonzero()[0][:MOST_PROBLEMS].tolist()


def _sound(values: Floats, quantity: str) -> Mask:
    import numpy as np

    least = values >= 1 if quantity in COUNTS else values > 1 / _MOST.get(quantity, np.inf)
    return np.isfinite(values) & least & (values <= _MOST.get(quantity, np.inf))


def _number(text: str | None, quantity: str) -> float:
    try:
        return float("nan") if text is None else _parsed(text, quantity)
    except UsageError:
        return float("nan")


def _parsed(value: str | float, quantity: str) -> float:
    if quantity != "weight":
        return units.parse(value, quantity)
    try:
        return units.parse(float(value), "loss")
    except ValueError:
        raise UsageError(f"not a number: {quoted(str(value))}; write 1 or 0.5") from None
