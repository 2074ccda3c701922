"""Where the level of a loss goes over the whole run: divergence, plateaus, credibility and the band, in fixed memory.

Levels are medians of blocks of rows (beyond 64 rows the mean of medians of 64). Whenever there are 128 blocks, pairs
become one, so that the blocks always cover the run so far and a block is at most 1/64 of it.

The limits of size are our choice, set by what a person would act on and by measured runs that did and did not diverge:
a rise of 4 % above the lowest level that lasts (``rises`` finds slower ones sooner); a fall of less than 5 % while the
number of steps doubles, at a level above 65 % of the first, is a run that has not begun to learn.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from scaleplan.forecasting.medians import of_few, of_rows
from scaleplan.forecasting.rises import Rises

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

MOST, UNIT = 128, 64
RISE, STILL, MOVED = 0.04, 0.01, 0.15
UNLEARNED, SLOW, UNIFORM = 0.65, 0.05, math.log(256)
"""``UNIFORM``: a first loss below that of guessing bytes means that the log begins after learning did."""
SUDDEN = 0.15
FALLING = 0.45
"""As in ``spikes``: a rise of which less than this share of the level is left, and less than at first, is on its way
down (our choice)."""
TRANSIENT, LARGE = 0.10, 0.75
"""A rise of the level by this share early in the run is told as a transient: 1 to 4 nats where measured, of 4 to 10. Of
fewer than 16 blocks the scatter says little: there it must be ``LARGE`` [nats]."""

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
        found: list[Finding] = []
        levels = np.array(self.levels)
        count = len(levels)
        noise = _noise(levels)
        smooth = _threes(levels)
        if count >= 6:
            found += self._settled(float(levels[-1]))
            found += self._rise(smooth, levels, noise, early, gap)
            found += self._plateaus(smooth, noise, early, gap)
        found += self._low(levels, noise)
        if self.outlook.step is not None:
            found += self._band(levels)
        return found

    def _rise(self, smooth: Floats, levels: Floats, noise: float, early: bool, gap: float) -> list[Finding]:
        """A level that stays above the lowest, or has come back to it."""
        lowest = int(np.argmin(smooth))
        base = float(smooth[lowest])
        margin = max(RISE * abs(base), (4 if len(levels) < 24 else 6) * noise)
        now, going = self.ends[-1], self.going.get("divergence")
        if going is not None:
            half = base + going.size / 2
            needed = max(2, math.ceil(0.02 * len(levels)))
            if len(levels) >= needed and bool((levels[-needed:] < half).all()) and now > going.seen:
                del self.going["divergence"]
                self._cleared = now
                return [going._replace(seen=now, over=True)]
            return []
        high = (levels > base + margin) & (np.array(self.ends) > self._cleared)
        low = np.flatnonzero(~high)
        above = len(levels) - 1 - (int(low[-1]) if len(low) else -1)
        enough = above >= max(2, math.ceil(0.05 * len(levels))) and (
            gap < 1 or above * self.size * gap >= 200 or above > 0.25 * len(levels) >= 8
        )
        if early:
            return self._transient(levels, base, noise)
        if not enough:
            return []
        part = levels[-above:]
        size = float(np.median(part[-3:]) - base)
        third = max(1, above // 3)
        grows = float(np.mean(part[-third:]) - np.mean(part[:third])) > (
            2 * noise / math.sqrt(third) if above >= 8 or len(levels) >= 64 else -noise
        )
        falls = size < FALLING * abs(base) and size < 0.75 * float(np.median(part[:third]) - base)
        if falls or (size < MOVED * abs(base) and not grows):
            return []
        calm = np.flatnonzero(levels[: len(levels) - above] <= base + margin / 2)
        start = self.ends[int(calm[-1]) + 1] if len(calm) else self.ends[0]
        return [self._begin("divergence", start, now, size, size / abs(base), "it stays above its lowest level")]

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
            return [self._begin("transient", start, now, size, size / abs(base), "early in the run it rises")]
        return []

    def _settled(self, level: float) -> list[Finding]:
        """The end of a transient: most of its rise is gone."""
        going = self.going.get("transient")
        if going is None or level > going.size / going.share + going.size / 4:
            return []
        del self.going["transient"]
        return [going._replace(seen=self.ends[-1], over=True)]

    def _at(self, smooth: Floats, share: float) -> float:
        """The level when the run had this share of its steps."""
        begun = self.first[0] if self.first[0] > 0 else 0.0
        wanted = max(begun, share * self.ends[-1])
        return float(smooth[min(bisect_left(self.ends, wanted), len(smooth) - 1)])

    def _plateaus(self, smooth: Floats, noise: float, early: bool, gap: float) -> list[Finding]:
        """A run that has not begun to learn, and one that has stopped."""
        now, going = self.ends[-1], self.going.get("plateau")
        level = float(smooth[-1])
        half = self._at(smooth, 0.5)
        fall = (half - level) / abs(half)
        if going is not None:
            if level < going.size * (0.95 if going.share else 0.99):
                del self.going["plateau"]
                return [going._replace(seen=now, over=True)]
            return []
        step, first = self.first
        begins = step <= max(3 * gap, 200) and first >= UNIFORM
        waited = now - step >= 1000 and len(smooth) >= 8 and not (early and self.rates[-1] == self.rates[-1])
        unlearned = float(smooth.min()) > UNLEARNED * first and "divergence" not in self.going
        if begins and waited and unlearned and fall < SLOW:
            return [self._begin("plateau", step, now, level, 1.0, "it has not begun to learn")]
        if early or len(smooth) < 64 or step > 0.1 * now or "divergence" in self.going:
            return []
        before = (self._at(smooth, 0.25) - half) / abs(half)
        error = 2 * noise / abs(half)
        if before >= 0.02 and fall + error < 0.1 * before and fall > -STILL:
            return [
                self._begin(
                    "plateau",
                    self.ends[bisect_left(self.ends, 0.5 * now)],
                    now,
                    level,
                    0.0,
                    "it has stopped falling",
                )
            ]
        return []

    def _low(self, levels: Floats, noise: float) -> list[Finding]:
        """A level below what is credible, or a fall too sudden for learning."""
        now, going = self.ends[-1], self.going.get("low")
        count = len(levels)
        level = float(levels[-2:].max()) if count >= 2 else math.inf
        if going is not None:
            if float(levels[-2:].min()) > going.share:
                del self.going["low"]
                return [going._replace(seen=now, over=True)]
            return []
        if count >= 3 and float(levels[-3:].max()) < self.outlook.floor:
            size = self.outlook.floor - level
            return [self._begin("low", self.ends[-3], now, size, self.outlook.floor, "floor")]
        if count < 48:
            return []
        before = float(levels[-18:-3].min())
        fell = float(levels[count // 2]) - before
        rates = np.array(self.rates[-18:])
        decayed = bool(rates[-1] < 0.7 * np.nanmax(rates)) if np.isfinite(rates).any() else False
        if level < (1 - SUDDEN) * before - 4 * noise and fell < SUDDEN / 1.5 * before and not decayed:
            return [self._begin("low", self.ends[-2], now, before - level, (1 - SUDDEN / 2) * before, "sudden")]
        return []

    def _band(self, levels: Floats) -> list[Finding]:
        """A level outside what was expected for 2 % of the run."""
        steps, look = np.array(self.ends), self.outlook
        assert look.step is not None
        assert look.low is not None
        assert look.high is not None
        inside = (steps >= look.step[0]) & (steps <= look.step[-1])
        if not inside[-1]:
            return []
        excess = levels - np.interp(steps, look.step, look.high)
        short = np.interp(steps, look.step, look.low) - levels
        span = 0.02 * (look.total_steps if math.isfinite(look.total_steps) else float(look.step[-1]))
        found: list[Finding] = []
        sides: tuple[tuple[Sign, Floats], ...] = (("off_band", excess), ("low", short))
        for kind, far in sides:
            out = (far > 0) & inside
            going = self.going.get(kind)
            if going is not None and going.why == "band":
                if len(out) >= 2 and not out[-2:].any():
                    del self.going[kind]
                    found.append(going._replace(seen=float(steps[-1]), over=True))
                continue
            calm = np.flatnonzero(~out)
            start = int(calm[-1]) + 1 if len(calm) else 0
            if going is None and len(steps) - start >= 2 and steps[-1] - steps[start] >= span:
                size = float(np.median(far[start:]))
                found.append(self._begin(kind, float(steps[start]), float(steps[-1]), size, -math.inf, "band"))
        return found


def _noise(levels: Floats) -> float:
    """Scatter of neighbouring levels about their course, of the last 32."""
    if len(levels) < 4:
        return 0.0
    last = levels[-33:].tolist()
    apart = [after - before for before, after in pairwise(last)]
    middle = of_few(apart)
    return 1.4826 * of_few(abs(each - middle) for each in apart) / math.sqrt(2)


def _threes(levels: Floats) -> Floats:
    """Each level's median with the two before it."""
    if len(levels) < 3:
        return levels
    padded = np.concatenate((levels[:1], levels[:1], levels))
    one, two, three = padded[:-2], padded[1:-1], padded[2:]
    return np.maximum(np.minimum(one, two), np.minimum(np.maximum(one, two), three))
