"""What a run said of itself, row by row: the one type that forecasts and the watch read."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Rows of a training log in columns of one length, NaN where a row lacks a value, ``None`` where every row does.

    ``step`` of the optimiser, ``loss`` [nats/token as logged, finite or not], ``tokens`` seen, ``grad_norm``, ``lr``,
    ``time`` [s since the epoch, or since any zero of the log's own], ``step_time`` [s a step]. The rows stand as they
    were written: steps may go back (a restart), stand twice, or leave gaps.
    """

    step: Floats
    loss: Floats
    tokens: Floats | None = None
    grad_norm: Floats | None = None
    lr: Floats | None = None
    time: Floats | None = None
    step_time: Floats | None = None

    def __len__(self) -> int:
        return len(self.step)

    def part(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Readings:
        """Some of the rows: a slice, their places in the order wanted, or a mask."""
        found: dict[str, Any] = {}
        for each in fields(self):
            column = getattr(self, each.name)
            found[each.name] = None if column is None else column[rows]
        return Readings(**found)


def last_of_each(step: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Values by rising step, of a step that stands twice the later."""
    import numpy as np

    if len(step) < 2 or bool(np.all(step[1:] > step[:-1])):
        return step, values
    kept, from_end = np.unique(step[::-1], return_index=True)
    return kept, values[::-1][from_end]
