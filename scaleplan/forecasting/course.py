"""The course of a loss in blocks, as ``levels`` keeps it, and what may be found in it."""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from scaleplan.forecasting.medians import of_few

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Sign = Literal["divergence", "plateau", "low", "off_band", "transient"]


class Finding(NamedTuple):
    """Something about the level: what, since which step, and how large [nats]; ``over``: it has ended at ``seen``."""

    kind: Sign
    start: float
    seen: float
    size: float
    share: float
    over: bool
    why: str


class Outlook(NamedTuple):
    """What is expected: a band by steps, the steps of the whole run, and the least loss that is credible [nats]."""

    step: Floats | None
    low: Floats | None
    high: Floats | None
    total_steps: float
    floor: float


class Course(NamedTuple):
    """The run so far: the last step, level [nats] and learning rate (NaN: unknown) of each block.

    ``smooth``: each level's median with the two before; ``noise``: scatter of levels about their course [nats];
    ``first``: step and loss of the first row.
    """

    ends: list[float]
    levels: Floats
    rates: list[float]
    smooth: Floats
    noise: float
    first: tuple[float, float]

    def place(self, share: float) -> int:
        """The block in which the run had this share of its steps."""
        begun = self.first[0] if self.first[0] > 0 else 0.0
        return min(bisect_left(self.ends, max(begun, share * self.ends[-1])), len(self.smooth) - 1)

    def at(self, share: float) -> float:
        """The level then [nats]."""
        return float(self.smooth[self.place(share)])


def noise_of(levels: Floats) -> float:
    """Scatter of neighbouring levels about their course, of the last 32."""
    if len(levels) < 4:
        return 0.0
    last = levels[-33:].tolist()
    apart = [after - before for before, after in pairwise(last)]
    middle = of_few(apart)
    return 1.4826 * of_few(abs(each - middle) for each in apart) / math.sqrt(2)


def threes(levels: Floats) -> Floats:
    """Each level's median with the two before it."""
    if len(levels) < 3:
        return levels
    padded = np.concatenate((levels[:1], levels[:1], levels))
    one, two, three = padded[:-2], padded[1:-1], padded[2:]
    return np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))
