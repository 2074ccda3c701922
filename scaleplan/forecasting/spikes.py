"""Spikes of one series: when a value leaves its surroundings, when it is back, and when it does not come back.

Two rules on z = (value - level) / scatter (``rolling``):

- a sum S = max(0, S + min(z, 4) - 1.5) above 6, for logs of each step. On normal and t(5) noise of 1 to 2 % with
  spikes of 20 steps of 0.1 to 0.6 nats added to measured curves it finds more than 98 %, above 90 % within three
  steps, at 0 (normal) and 0.05 (t(5)) false alarms in 10,000 steps (tests/benchmarks/score_watch.py);
- one value alone, z > max(9.5, 16 gap^-0.2) with the distance of rows in steps, for logs of each 10 or more: the tail
  of t(5) noise falls as z^-5, so there are about as few false alarms a step at every distance. Its scatter is the
  recent one where a curve is young, since early errors are large.

A spike is over once three rows in a row are back; one that is on its way down in time is given as long again; one that
is not, lingers: it has diverged if it still rises or stands 15 % above, otherwise the level has moved and is taken as
it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan.forecasting.rolling import Rolling

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

CLIP, DRIFT, ALARM = 4.0, 1.5, 6.0
BACK_ROWS = 3
PIECE = 4096
KEPT = 512
FALLING, ENOUGH = 0.45, 20
"""Our choices: a rise of which less than this share of the level is left, and less than at first, is on its way down;
at the end of a log so many rows are enough for a verdict."""


class Rule(NamedTuple):
    """What a rise must be to matter, as a share of the level (``relative``) or as it stands, and how sure it must be.

    ``sustained`` and ``single`` are least sizes by the two rules; ``least_scatter`` the least scatter assumed, which
    keeps smoothed logs from alarms at rises that no one would act on: a half of ``sustained`` and less.
    """

    relative: bool
    sustained: float
    single: float
    least_scatter: float
    single_z: float
    single_gap: float


LOSS = Rule(relative=True, sustained=0.02, single=0.04, least_scatter=0.004, single_z=9.5, single_gap=16.0)
GRAD_NORM = Rule(
    relative=False, sustained=math.log(4), single=math.log(10), least_scatter=0.2, single_z=12.0, single_gap=24.0
)
"""Of ln of the gradient norm, whose jumps by half are daily bread: sizes of our choice."""


@dataclass(slots=True)
class Episode:
    """A stay above the level.

    Its first row, the row it was known at, the level and scatter before, the greatest excess, the rows that it may
    last, how many it has, its end, and its state: open, over, moved, lingering or recovered.
    """

    start: float
    seen: float
    base: float
    width: float
    early: bool
    peak: float = 0.0
    patience: int = 4
    rows: int = 0
    end: float | None = None
    state: str = "open"
    back: int = 0
    back_step: float = math.nan
    values: Floats = field(default_factory=lambda: np.empty(0))


class Change(NamedTuple):
    """An episode as it stood when it began, lingered or was over, and the step ``at`` which that became known."""

    at: float
    episode: Episode


class Spikes:
    """The state of one series."""

    def __init__(self, rule: Rule) -> None:
        self.rule, self.rolling = rule, Rolling()
        self.open: Episode | None = None
        self.rows = 0
        self._sum, self._run, self._run_step = 0.0, 0, math.nan
        self._last = math.nan

    def feed(self, step: Floats, value: Floats, early: Flags, gap: float) -> list[Change]:
        """Take rows in order and return the changes in order.

        ``early`` is where a rise may still be of the warm-up, ``gap`` the usual distance in steps (NaN: not known).
        """
        found: list[Change] = []
        at = 0
        while at < len(step):
            stop = min(len(step), at + PIECE)
            part = slice(at, stop)
            if self.open is None:
                at += self._quiet(step[part], value[part], early[part], gap, found)
            else:
                at += self._away(step[part], value[part], early[part], found)
        return found

    def restart(self, rows: int) -> None:
        """The run went back by so many rows: forget them, and an episode that is open."""
        self.open = None
        self.rolling.drop(rows)
        self._sum, self._run = 0.0, 0

    def _quiet(self, step: Floats, value: Floats, early: Flags, gap: float, found: list[Change]) -> int:
        """Judge rows until one is far out; how many were taken."""
        reference = self.rolling.reference(value)
        scale = np.abs(reference.level) if self.rule.relative else 1.0
        least = self.rule.least_scatter * scale
        width = np.maximum(reference.scatter, least)
        excess = value - reference.level - np.maximum(reference.center, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            # A loss that stands at zero has no width.
            z = excess / width
        z[np.isnan(z)] = -CLIP
        inflation = np.where(reference.inflation >= 1, reference.inflation, 1.0)
        # Rounded to 1/1024 the sums are exact, so that they do not depend on where a part begins.
        grown = np.round(np.minimum(np.maximum(z / inflation, -CLIP), CLIP) * 1024) / 1024 - DRIFT
        total = np.cumsum(np.concatenate(([self._sum], grown)))
        sums = (total - np.minimum(np.minimum.accumulate(total), 0.0))[1:]
        alone = max(self.rule.single_z, self.rule.single_gap * gap**-0.2 if gap > 0 else 0.0)
        alarm = (sums > ALARM) & (excess > self.rule.sustained * scale)
        alarm |= (excess > alone * np.maximum(np.minimum(reference.recent, width), least)) & (
            excess > self.rule.single * scale
        )
        if not alarm.any():
            self._keep_run(step, sums)
            self.rolling.take(value, reference.level)
            self.rows += len(step)
            return len(step)
        at = int(np.argmax(alarm))
        self._keep_run(step[:at], sums[:at])
        self.rolling.take(value[:at], reference.level[:at])
        self.rolling.drop(self._run)
        start = self._run_step if self._run else float(step[at])
        base = float(reference.level[at] + max(reference.center[at], 0.0))
        self.rows += at
        self.open = Episode(start, float(step[at]), base, float(width[at]), bool(early[at]), float(excess[at]))
        self.open.patience = self._patience(gap)
        self._sum, self._run = 0.0, 0
        found.append(Change(self.open.seen, replace(self.open)))
        return at

    def _keep_run(self, step: Floats, sums: Floats) -> None:
        """Remember the sum and the rows since it left zero."""
        if not len(step):
            return
        zero = np.flatnonzero(sums <= 0)
        if len(zero):
            self._run, first = len(step) - 1 - int(zero[-1]), int(zero[-1]) + 1
            self._run_step = float(step[first]) if first < len(step) else math.nan
        else:
            if not self._run:
                self._run_step = float(step[0])
            self._run += len(step)
        self._sum = float(sums[-1])

    def _away(self, step: Floats, value: Floats, early: Flags, found: list[Change]) -> int:
        """Follow an open episode until it is over or lingers; how many rows were taken."""
        episode = self.open
        assert episode is not None
        step, value, early = step[:KEPT], value[:KEPT], early[:KEPT]
        excess = value - episode.base
        peak = np.maximum.accumulate(np.concatenate(([episode.peak], excess)))[1:]
        back = excess < np.maximum(2 * episode.width, 0.2 * peak)
        # Rows back in a row, counted on from the part before.
        place = np.arange(len(step))
        away = np.maximum.accumulate(np.where(back, -1 - episode.back, place))
        run = place - away
        over = run >= BACK_ROWS
        rows = episode.rows + 1 + place
        late = (
            (rows >= episode.patience) & ~early & (run == 0) if episode.state == "open" else np.zeros(len(step), bool)
        )
        stops = np.flatnonzero(over | late)
        taken = int(stops[0]) + 1 if len(stops) else len(step)
        last = taken - 1
        self._last = float(step[last])
        episode.peak, episode.rows = float(peak[last]), int(rows[last])
        episode.values = np.concatenate((episode.values, value[:taken]))[-KEPT:]
        fresh = np.flatnonzero(run[:taken] == 1)
        if len(fresh):
            episode.back_step = float(step[fresh[-1]])
        episode.back = int(run[last])
        self.rows += taken
        if len(stops) and over[last]:
            episode.end, self.open = episode.back_step, None
            episode.state = "over" if episode.state == "open" else "recovered"
            self.rolling.take(value[taken - 1 : taken], np.array([episode.base]))
        elif len(stops):
            self._linger(episode, float(step[last]))
        if len(stops) and episode.state != "open":
            found.append(Change(float(step[last]), replace(episode)))
        return taken

    def _patience(self, gap: float) -> int:
        """Rows that a spike may last: a fortieth of the run, 200 steps (or a quarter of the run) to 500 rows."""
        steps = math.ceil(200 / gap) if gap > 0 else 200
        return max(4, min(500, max(min(steps, max(25, self.rows // 4)), math.ceil(0.025 * self.rows))))

    def finish(self) -> list[Change]:
        """The log is over: an episode that is still open after 20 rows, or a quarter of its time, has its verdict."""
        episode = self.open
        if episode is None or episode.state != "open" or episode.rows < max(ENOUGH, episode.patience // 4):
            return []
        step = self._last
        self._linger(episode, step)
        return [Change(step, replace(episode))]

    def _linger(self, episode: Episode, step: float) -> None:
        """Decide on a spike that has not come back; one that is on its way down is given more time."""
        values = episode.values
        third = max(1, len(values) // 3)
        first, last = np.median(values[:third]), np.median(values[-third:])
        level = abs(episode.base) if self.rule.relative else 1.0
        margin = 4 * episode.width / math.sqrt(third)
        high = last - episode.base > 0.15 * level
        rising = last > first + margin and last - episode.base > 0.04 * level
        if last < first - margin and last - episode.base < min(FALLING * level, 0.75 * (first - episode.base)):
            episode.patience = 2 * episode.rows
            return
        episode.seen = step
        if high or rising:
            episode.state = "lingering"
            return
        episode.state, episode.end, self.open = "moved", step, None
        self.rolling.adopt(values)
