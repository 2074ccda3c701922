"""Where the level of a loss goes over the whole run: divergence, plateaus, credibility and the band, in fixed memory.

Levels are medians of blocks of rows (beyond 64 rows the mean of medians of 64). Whenever there are 128 blocks, pairs
become one, so that the blocks always cover the run so far and a block is at most 1/64 of it.

The limits of size are our choice, set by what a person would act on and by measured runs that did and did not diverge:
a rise of 4 % above the lowest level that lasts (``rises`` finds slower ones sooner). ``plateaus``, ``low`` and
``off_band`` look at the same blocks.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from scaleplan.forecasting.course import Course, Finding, noise_of, threes
from scaleplan.forecasting.low import low
from scaleplan.forecasting.medians import of_rows
from scaleplan.forecasting.off_band import off_band
from scaleplan.forecasting.plateaus import plateau
from scaleplan.forecasting.rises import Rises

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.forecasting.course import Outlook, Sign

    Floats = NDArray[np.float64]

MOST, UNIT = 128, 64
RISE, MOVED = 0.04, 0.15
FALLING = 0.45
"""As in ``spikes``: a rise of which less than this share of the level is left, and less than at first, is on its way
down (our choice)."""
TRANSIENT, LARGE = 0.10, 0.75
"""A rise of the level by this share early in the run is told as a transient: 1 to 4 nats where measured, of 4 to 10. Of
fewer than 16 blocks the scatter says little: there it must be ``LARGE`` [nats]."""


class Levels:
    """The blocks so far and what is going on."""

    def __init__(self, outlook: Outlook) -> None:
        self.outlook = outlook
        self.size = 1
        self.first: tuple[float, float] = (math.nan, math.nan)
        self.rows = 0
        self.ends: list[float] = []
        self.levels: list[float] = []
        self.rates: list[float] = []
        self.going: dict[Sign, Finding] = {}
        self._cleared = -math.inf
        self._part: Floats = np.empty(0)
        self._filled, self._sum = 0, 0.0
        self._fast = Rises()

    def feed(self, step: Floats, value: Floats, lr: Floats, early: NDArray[np.bool_], gap: float) -> list[Finding]:
        """Take rows in order: loss, learning rate (NaN: unknown), whether a rise may be of the warm-up."""
        found: list[Finding] = []
        if not self.rows and len(step):
            self.first = (float(step[0]), float(value[0]))
        self.rows += len(step)
        done = 0
        for row, start, size, share in self._fast.feed(step, value, early):
            part = slice(done, row + 1)
            self._blocks(step[part], value[part], lr[part], early[part], gap, found)
            done = row + 1
            if "divergence" not in self.going:
                seen = float(step[row])
                found.append(self._begin("divergence", start, seen, size, share, "it rises block after block"))
        part = slice(done, len(step))
        self._blocks(step[part], value[part], lr[part], early[part], gap, found)
        return found

    def _blocks(
        self, step: Floats, value: Floats, lr: Floats, early: NDArray[np.bool_], gap: float, found: list[Finding]
    ) -> None:
        """Fill blocks, and look at each that is full."""
        at = 0
        while at < len(step):
            stop = min(len(step), at + self.size - self._filled)
            self._fill(value[at:stop])
            if self._filled == self.size:
                last = stop - 1
                self.ends.append(float(step[last]))
                self.levels.append(self._sum / max(1, self.size // UNIT))
                self.rates.append(float(lr[last]))
                self._filled, self._sum = 0, 0.0
                found += self._look(bool(early[last]), gap)
                if len(self.levels) == MOST:
                    self._halve()
            at = stop

    def _fill(self, value: Floats) -> None:
        """Add rows to the block: its level is the mean of the medians of up to 64 rows each."""
        unit = min(self.size, UNIT)
        known = np.concatenate((self._part, value))
        whole = len(known) // unit * unit
        self._part, self._filled = known[whole:], self._filled + len(value)
        if whole:
            for median in of_rows(known[:whole].reshape(-1, unit)).tolist():
                self._sum += median

    def restart(self, step: float) -> None:
        """The run went back to a step: what was after it is forgotten, what was going on is over."""
        while self.ends and self.ends[-1] >= step:
            self.ends.pop()
            self.levels.pop()
            self.rates.pop()
        self._part, self._filled, self._sum = np.empty(0), 0, 0.0
        self._fast = Rises()
        self._cleared = min(self._cleared, step)
        self.going = {}

    def begin_divergence(self, start: float, seen: float, size: float, share: float, why: str) -> Finding | None:
        """Note a divergence found elsewhere; ``None`` if one goes on."""
        if "divergence" in self.going:
            return None
        return self._begin("divergence", start, seen, size, share, why)

    def end_divergence(self, start: float, step: float) -> bool:
        """Note that the divergence of this start is over at a step; whether it was going on."""
        going = self.going.get("divergence")
        if going is None or going.start != start:
            return False
        del self.going["divergence"]
        self._cleared = step
        return True

    def _begin(self, kind: Sign, start: float, seen: float, size: float, share: float, why: str) -> Finding:
        if kind == "divergence":
            self.going.pop("transient", None)
        self.going[kind] = Finding(kind, start, seen, size, share, over=False, why=why)
        return self.going[kind]

    def _halve(self) -> None:
        """Join blocks in pairs."""
        pairs = np.reshape(self.levels, (-1, 2))
        self.levels = pairs.mean(axis=1).tolist()
        self.ends, self.rates = self.ends[1::2], self.rates[1::2]
        self.size *= 2

    def _look(self, early: bool, gap: float) -> list[Finding]:
        """All that a new block may tell."""
        levels = np.array(self.levels)
        course = Course(self.ends, levels, self.rates, threes(levels), noise_of(levels), self.first)
        found: list[Finding] = []
        if len(levels) >= 6:
            found += self._settled(float(levels[-1]))
            found += self._rise(course, early, gap)
            diverging = "divergence" in self.going
            found += self._note(plateau(course, self.going.get("plateau"), gap, early=early, diverging=diverging))
        found += self._note(low(course, self.going.get("low"), self.outlook.floor))
        if self.outlook.step is not None:
            for each in off_band(course, self.going, self.outlook):
                found += self._note(each)
        return found

    def _note(self, finding: Finding | None) -> list[Finding]:
        """Keep what begins, forget what is over."""
        if finding is None:
            return []
        if finding.over:
            del self.going[finding.kind]
        else:
            self.going[finding.kind] = finding
        return [finding]

    def _rise(self, course: Course, early: bool, gap: float) -> list[Finding]:
        """A level that stays above the lowest, or has come back to it."""
        levels, now = course.levels, self.ends[-1]
        base = float(course.smooth.min())
        going = self.going.get("divergence")
        if going is not None:
            return self._recovered(levels, base, going)
        if early:
            return self._transient(levels, base, course.noise)
        margin = max(RISE * abs(base), (4 if len(levels) < 24 else 6) * course.noise)
        high = (levels > base + margin) & (np.array(self.ends) > self._cleared)
        calm = np.flatnonzero(~high)
        above = len(levels) - 1 - (int(calm[-1]) if len(calm) else -1)
        if not self._long(above, gap) or not _stays(levels[-above:], base, course.noise, len(levels)):
            return []
        size = float(np.median(levels[-above:][-3:]) - base)
        calm = np.flatnonzero(levels[: len(levels) - above] <= base + margin / 2)
        start = self.ends[int(calm[-1]) + 1] if len(calm) else self.ends[0]
        return [self._begin("divergence", start, now, size, _share(size, base), "it stays above its lowest level")]

    def _long(self, blocks: int, gap: float) -> bool:
        """Whether so many blocks are long enough: 5 % of the run, and 200 steps or a quarter of a run of 32 blocks."""
        if blocks < max(2, math.ceil(0.05 * len(self.levels))):
            return False
        return gap < 1 or blocks * self.size * gap >= 200 or blocks > 0.25 * len(self.levels) >= 8

    def _recovered(self, levels: Floats, base: float, going: Finding) -> list[Finding]:
        """The end of a divergence: half of its rise is gone."""
        half, now = base + going.size / 2, self.ends[-1]
        needed = max(2, math.ceil(0.02 * len(levels)))
        if len(levels) < needed or not bool((levels[-needed:] < half).all()) or now <= going.seen:
            return []
        del self.going["divergence"]
        self._cleared = now
        return [going._replace(seen=now, over=True)]

    def _transient(self, levels: Floats, base: float, noise: float) -> list[Finding]:
        """A rise early in the run, and its end."""
        now, going = self.ends[-1], self.going.get("transient")
        if len(levels) < 16:
            base = float(levels.min())
        size = float(levels[-2:].min()) - base
        least = max(TRANSIENT * abs(base), 6 * noise if len(levels) >= 16 else LARGE)
        if going is None and size > least:
            calm = np.flatnonzero(levels <= base + size / 4)
            start = self.ends[int(calm[-1]) + 1]
            return [self._begin("transient", start, now, size, _share(size, base), "early in the run it rises")]
        return []

    def _settled(self, level: float) -> list[Finding]:
        """The end of a transient: most of its rise is gone."""
        going = self.going.get("transient")
        if going is None or level > going.size / going.share + going.size / 4:
            return []
        del self.going["transient"]
        return [going._replace(seen=self.ends[-1], over=True)]


def _share(size: float, base: float) -> float:
    """A rise as a share of the level it rose from."""
    return size / abs(base) if base else math.inf


def _stays(part: Floats, base: float, noise: float, count: int) -> bool:
    """Whether levels above the lowest, the last of ``count``, are there to stay: large or growing, and not falling."""
    size, third = float(np.median(part[-3:]) - base), max(1, len(part) // 3)
    if size < FALLING * abs(base) and size < 0.75 * float(np.median(part[:third]) - base):
        return False
    grown = float(np.mean(part[-third:]) - np.mean(part[:third]))
    sure = 2 * noise / math.sqrt(third) if len(part) >= 8 or count >= 64 else -noise
    return size >= MOVED * abs(base) or grown > sure
