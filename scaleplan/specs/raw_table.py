"""Columns of a table as their source holds them, with the number of each row there for messages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaleplan.errors import InputFileError

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Some rows of a table: values as the source holds them, of CSV all as text.

    ``rows`` has the number of each row in its source: the line of a CSV file, the record, from 1, of others.
    """

    name: str
    frame: pl.DataFrame
    rows: Sequence[int] | NDArray[np.int64]
    by_line: bool

    def at(self, row: int) -> str:
        """``runs.csv:7`` or ``runs.parquet, row 7``: the name of a row for messages."""
        return f"{self.name}:{self.rows[row]}" if self.by_line else f"{self.name}, row {self.rows[row]}"

    @property
    def word(self) -> str:
        """What a row is called with its number: ``line 7``, ``row 7``."""
        return "line" if self.by_line else "row"

    def keep(self, mask: NDArray[np.bool_]) -> Table:
        """Some of the rows."""
        import numpy as np

        rows = np.asarray(self.rows)[mask]
        return Table(name=self.name, frame=self.frame.filter(mask), rows=rows, by_line=self.by_line)


def distinct(columns: list[str], place: str) -> list[str]:
    """The columns, if each name stands once.

    Raises:
        InputFileError: a name that stands twice.
    """
    doubled = sorted({column for column in columns if columns.count(column) > 1})
    if doubled:
        raise InputFileError(f"{place}: column {doubled[0]!r} stands twice")
    return columns
