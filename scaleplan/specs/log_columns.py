"""Columns of a training log: growing arrays of numbers, in seconds where they are times, by rising step."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

from scaleplan.forecasting.readings import Readings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_LARGEST_SECONDS = 1e11
"""Our choice: as seconds since 1970 the year 5138. What is larger stands in milli-, micro- or nanoseconds."""


def in_seconds(time: Floats) -> Floats:
    """Times since 1970 in seconds: those too large for that stand in milli-, micro- or nanoseconds."""
    import numpy as np

    large = np.abs(time) > _LARGEST_SECONDS
    if not large.any():
        return time
    found = time.copy()
    for _ in range(3):
        found = np.where(np.isfinite(found) & (np.abs(found) > _LARGEST_SECONDS), found / 1000, found)
    return found


def ordered(written: Readings) -> Readings:
    """Rows by rising step, each step once as it was logged last."""
    import numpy as np

    step = written.step
    if step.size < 2 or bool(np.all(step[1:] > step[:-1])):
        return written
    first_from_end = np.unique(step[::-1], return_index=True)[1]
    return written.part(step.size - 1 - first_from_end)


def without_values(rows: int) -> array[float]:
    """A column of rows that lack a value."""
    return array("d", (math.nan,)) * rows


def floats(values: array[float]) -> Floats:
    """The same memory as an array of numbers."""
    import numpy as np

    return np.frombuffer(values, dtype=np.float64) if values else np.empty(0)
