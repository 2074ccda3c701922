"""How far the training loss of a run ends above its own lowest, beyond what the noise of its batches makes of it.

With S a moving mean of the rows of its log, and s its scatter from noise alone,

    rise = (S_end - s (3 + sqrt(2 ln m))) / min S - 1, at least 0,

since the end is noisy, and the lowest of m independent normal means lies about s sqrt(2 ln m) below them (Cramer 1946,
Mathematical Methods of Statistics, 28.6). The widths and the three are our choice.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_WIDTH = 10
"""Rows of the shortest moving mean, and of the loss without an evaluation (our choice)."""
_MAD = 0.6745
"""The median distance from its mean of a normal quantity, in standard deviations."""


def rise_above_minimum(loss: NDArray[np.float64]) -> float | None:
    """How far the loss of a log ends above its own running minimum, as a share of it.

    Both of moving means over 1 % of the rows, at least ten, of a short log a fifth of them; values that are not finite
    (skipped steps) are left out. What noise alone makes of a flat log is taken off, at most the rise itself: batches of
    one sequence scatter by tens of per cent. ``None`` without two rows, or where the minimum is not above zero.
    """
    import numpy as np

    finite = loss[np.isfinite(loss)]
    if finite.size < 2:
        return None
    width = max(1, min(_WIDTH, finite.size // 5), finite.size // 100)
    with np.errstate(over="ignore", invalid="ignore"):
        total = np.concatenate(([0.0], np.cumsum(finite)))
        smooth = (total[width:] - total[:-width]) / width
    least, end = float(smooth.min()), float(smooth[-1])
    if not (least > 0 and math.isfinite(least)):
        return None
    return max(min(end, least), end - _of_noise(finite, width)) / least - 1


def _of_noise(finite: NDArray[np.float64], width: int) -> float:
    """How far noise may lift the end of a moving mean above the lowest: 3 s for the end, s sqrt(2 ln m) for the lowest.

    s is the scatter of a mean of ``width`` rows, from the median of the changes from row to row over the last ten such
    means; the lowest of m independent normal means lies about s sqrt(2 ln m) below them. A short log tells no noise.
    """
    import numpy as np

    if width < _WIDTH:
        return 0.0

    change = np.diff(finite[-10 * width :])
    scatter = float(np.median(np.abs(change - np.median(change)))) / (_MAD * math.sqrt(2 * width))
    found = scatter * (3 + math.sqrt(2 * math.log(max(finite.size / width, 1))))
    return found if math.isfinite(found) else 0.0
