"""The watch over a run: a log goes in row by row or all at once, events come out as they become known.

Everything is online, in memory that does not grow with the log, and does not depend on how the log is cut into parts.
``spikes`` judges single values, ``levels`` where they go, ``stalls`` repetition, ``throughput`` the time of steps,
``row_order`` puts the rows in order, ``warm_up`` says when a rise is a transient; here they are joined into events.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from scaleplan.errors import UsageError
from scaleplan.forecasting.course import Outlook
from scaleplan.forecasting.event_log import EventLog
from scaleplan.forecasting.levels import Levels
from scaleplan.forecasting.missing import Change as LostChange
from scaleplan.forecasting.missing import Missing
from scaleplan.forecasting.pace import Pace
from scaleplan.forecasting.row_order import Piece, RowOrder
from scaleplan.forecasting.spike_score import SpikeScore
from scaleplan.forecasting.spikes import GRAD_NORM, LOSS, Spikes
from scaleplan.forecasting.spikes import Change as SpikeChange
from scaleplan.forecasting.stalls import Stalls
from scaleplan.forecasting.warm_up import WarmUp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.forecasting.events import Event
    from scaleplan.forecasting.readings import Readings

    Floats = NDArray[np.float64]
    Series = tuple[Floats, Floats, Floats, NDArray[np.bool_]]

Status = Literal["empty", "running", "diverged", "recovered"]
FLOOR = 0.3
"""Nats per token below which no loss on text is credible: every published law of text has a floor several times higher
(``scaleplan laws``), and bits per byte, the smallest unit in use, stay above it. Our choice."""


class Expected(NamedTuple):
    """What a forecast or a plan said: the band of the smoothed loss [nats/token] by step.

    Arrays of one length, ``step`` rising.
    """

    step: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """What is known of the run beforehand.

    ``warm_up`` [steps]: ``None`` is found from the learning rate, else guessed. ``total_steps`` of the planned run.
    ``floor``: the least credible loss [nats/token], such as a law's irreducible one.
    """

    warm_up: float | None = None
    total_steps: float | None = None
    floor: float = FLOOR

    def check(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: one is out of range.
        """
        if self.warm_up is not None and not 0 <= self.warm_up < math.inf:
            raise UsageError(f"warm-up must be a number of steps, 0 or more (got {self.warm_up:g})")
        if self.total_steps is not None and not 0 < self.total_steps < math.inf:
            raise UsageError(f"total-steps must be a number above 0 (got {self.total_steps:g})")
        if not 0 <= self.floor < math.inf:
            raise UsageError(f"floor must be a loss in nats/token, 0 or more (got {self.floor:g})")


class WatchSummary(NamedTuple):
    """The run in a line.

    ``loss``: the median of the last 15 finite ones [nats/token]. ``spike_score``, ``grad_spike_score``: the percentage
    of values 7 standard deviations from the mean of the 1000 before, as OLMo 2 counts; ``None`` before there are 1000.
    ``status``: ``diverged`` while a divergence lasts, ``recovered`` when one is over.
    """

    rows: int
    first_step: float | None
    last_step: float | None
    loss: float | None
    spike_score: float | None
    grad_spike_score: float | None
    restarts: int
    duplicates: int
    out_of_order: int
    gaps: int
    unreadable: int
    steps_per_second: float | None
    tokens_per_second: float | None
    status: Status


class Watcher:
    """Watches one run."""

    def __init__(self, settings: WatchSettings | None = None, expected: Expected | None = None) -> None:
        self.settings = settings or WatchSettings()
        self.settings.check()
        total = self.settings.total_steps
        step, low, high = expected if expected is not None else (None, None, None)
        outlook = Outlook(step, low, high, math.inf if total is None else total, self.settings.floor)
        self._order, self._levels, self._stalls = RowOrder(), Levels(outlook), Stalls()
        self._loss, self._grad = Spikes(LOSS), Spikes(GRAD_NORM)
        self._scores = (SpikeScore(), SpikeScore())
        self._warm, self._missing, self._pace = WarmUp(self.settings.warm_up, outlook.total_steps), Missing(), Pace()
        self._log = EventLog()
        self._recent: Floats = np.empty(0)
        self._first: float | None = None

    def feed(self, rows: Readings) -> list[Event]:
        """Take rows in the order they were written.

        Returns:
            The events that became known, and those that are over, now with their ``end``: kind and step name an event.
        """
        for piece in self._order.take(rows):
            self._take(piece)
        return self._log.news()

    def close(self) -> list[Event]:
        """The log is over: all events, each once, by step; ``end`` stays ``None`` for what still lasts."""
        self._order.close()
        for change in self._loss.finish():
            self._log.spike(change.episode, self._levels, guessed=self._warm.guessed)
        return self._log.all()

    @property
    def diverged(self) -> bool:
        """Whether a divergence was seen that no restart has undone; it may have come back by itself since."""
        return self._log.diverged

    def summary(self) -> WatchSummary:
        """The run so far."""
        order, empty = self._order, self._first is None
        return WatchSummary(
            rows=order.rows,
            first_step=self._first,
            last_step=None if empty else order.last,
            loss=float(np.median(self._recent)) if len(self._recent) else None,
            spike_score=self._scores[0].percent,
            grad_spike_score=self._scores[1].percent,
            restarts=order.restarts,
            duplicates=order.duplicates,
            out_of_order=order.out_of_order,
            gaps=order.gaps,
            unreadable=order.unreadable,
            steps_per_second=self._pace.steps_per_second,
            tokens_per_second=self._pace.tokens_per_second,
            status="empty" if empty else self._log.status,
        )

    def _take(self, piece: Piece) -> None:
        """Take rows in the order of the run."""
        rows, gap = piece.rows, piece.gap
        if self._first is None:
            self._first = float(rows.step[0])
        if piece.back_to is not None:
            self._restart(piece.back_to, piece.left, gap)
        self._log.paces(self._pace.feed(rows))
        early = self._warm.flags(rows.step, rows.lr)
        grad = rows.grad_norm
        lost = self._missing.feed(rows.step, rows.loss, grad)
        sound = np.isfinite(rows.loss)
        step, loss, zone = rows.step, rows.loss, early
        rates = np.full(len(loss), math.nan) if rows.lr is None else rows.lr
        if not sound.all():
            step, loss, zone, rates = step[sound], loss[sound], early[sound], rates[sound]
        spikes: list[SpikeChange] = []
        if len(step):
            self._recent = np.concatenate((self._recent, loss[-15:]))[-15:]
            self._scores[0].feed(loss)
            self._log.stalls(self._stalls.feed(step, loss))
            spikes = self._loss.feed(step, loss, zone, gap)
        self._join(lost, spikes, (step, loss, rates, zone), gap)
        if grad is not None:
            usable = np.isfinite(grad) & (grad > 0)
            if usable.any():
                self._scores[1].feed(grad[usable])
                self._log.grads(self._grad.feed(rows.step[usable], np.log(grad[usable]), early[usable], gap))

    def _join(self, lost: list[LostChange], spikes: list[SpikeChange], series: Series, gap: float) -> None:
        """Let the level, the single values and the missing ones have their say in the order in which it was known."""
        step, done = series[0], 0
        for change in sorted([*lost, *spikes], key=lambda each: each.at):
            stop = int(np.searchsorted(step, change.at, side="right"))
            self._look(series, slice(done, stop), gap)
            done = stop
            if isinstance(change, LostChange):
                self._log.missing(change.lost, self._levels)
            else:
                self._log.spike(change.episode, self._levels, guessed=self._warm.guessed)
        self._look(series, slice(done, len(step)), gap)

    def _look(self, series: Series, part: slice, gap: float) -> None:
        step, loss, rates, zone = series
        self._log.levels(self._levels.feed(step[part], loss[part], rates[part], zone[part], gap))

    def _restart(self, back_to: float, left: float, gap: float) -> None:
        """The run went back: what was after that step no longer counts."""
        undone = math.ceil((left - back_to) / gap) if gap > 0 else 10**9
        for channel in (self._loss, self._grad):
            channel.restart(undone)
        self._levels.restart(back_to)
        self._missing.restart()
        self._log.restart(left)
        self._pace.restart()
