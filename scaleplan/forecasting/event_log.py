"""What the parts of the watch found, as events: one of each kind and step, kept up to date."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from scaleplan.forecasting.advice import ADVICE
from scaleplan.forecasting.events import Event
from scaleplan.forecasting.levels import LARGE

if TYPE_CHECKING:
    from scaleplan.forecasting.course import Finding
    from scaleplan.forecasting.events import EventKind
    from scaleplan.forecasting.levels import Levels
    from scaleplan.forecasting.missing import Lost
    from scaleplan.forecasting.spikes import Change, Episode
    from scaleplan.forecasting.stalls import Stall
    from scaleplan.forecasting.throughput import Slowdown

LEVELS = {
    "it has not begun to learn": "The loss is {size:.4g} nats and has hardly fallen since the first row: {why}.",
    "it has stopped falling": "The loss is {size:.4g} nats and has hardly fallen while the steps doubled: {why}.",
    "floor": "The loss is {size:.3g} nats below what is credible.",
    "sudden": "The loss fell by {size:.3g} nats at once, more than in half of the run before.",
}


class EventLog:
    """All events by kind and step, and which of them are news."""

    def __init__(self) -> None:
        self._events: dict[tuple[EventKind, float], Event] = {}
        self._news: dict[tuple[EventKind, float], None] = {}
        self._undone: set[tuple[EventKind, float]] = set()

    def news(self) -> list[Event]:
        """Events that came or changed since this was last asked for."""
        found = [self._events[key] for key in self._news if key in self._events]
        self._news = {}
        return found

    def all(self) -> list[Event]:
        """All events by step."""
        return sorted(self._events.values(), key=lambda each: (each.step, each.kind))

    @property
    def diverged(self) -> bool:
        """Whether there is a divergence that no restart undid."""
        return any(key[0] == "divergence" and key not in self._undone for key in self._events)

    @property
    def status(self) -> Literal["running", "diverged", "recovered"]:
        """Whether a divergence lasts or is over."""
        ends = [each.end for each in self._events.values() if each.kind == "divergence"]
        return "diverged" if None in ends else "recovered" if ends else "running"

    def put(self, kind: EventKind, start: float, seen: float, size: float, unit: str, detail: str) -> None:
        """Add an event, or change what is known of it but not when it became known."""
        known = self._events.get((kind, start))
        seen = seen if known is None else known.seen
        end = None if known is None else known.end
        self._events[kind, start] = Event(start, kind, seen, end, size, unit, detail, ADVICE[kind])
        self._news[kind, start] = None

    def end(self, kind: EventKind, start: float, step: float) -> None:
        """An event is over."""
        if (kind, start) in self._events:
            self._events[kind, start] = self._events[kind, start]._replace(end=step)
            self._news[kind, start] = None

    def restart(self, left: float) -> None:
        """The run went back from a step: what lasted is over, and divergences are undone."""
        for (kind, start), event in list(self._events.items()):
            if event.end is None:
                self.end(kind, start, left)
            if kind == "divergence":
                self._undone.add((kind, start))

    def levels(self, findings: list[Finding]) -> None:
        """What the level of the loss did."""
        for each in findings:
            if each.over:
                self.end(each.kind, each.start, each.seen)
                continue
            if each.kind == "divergence":
                self._replace_spikes(each.start)
                self._events.pop(("transient", each.start), None)
            if each.kind == "transient" and self._lasts("transient", "spike"):
                continue
            text = LEVELS.get(each.why, "The loss is {size:.3g} nats above its lowest level{ratio}: {why}.")
            if each.why == "band":
                side = "above" if each.kind == "off_band" else "below"
                text = f"The loss has been {{size:.3g}} nats {side} the expected band for 2% of the run."
            detail = text.format(size=each.size, ratio=_ratio(each.share), why=each.why)
            self.put(each.kind, each.start, each.seen, each.size, "nats", detail)

    def grads(self, changes: list[Change]) -> None:
        """What the gradient norm did."""
        for _, each in changes:
            times = math.exp(each.peak)
            detail = f"The gradient norm rose to {times:.3g} times its level."
            self.put("grad_spike", each.start, each.seen, times, "times", detail)
            if each.end is not None:
                self.end("grad_spike", each.start, each.end)

    def missing(self, each: Lost, levels: Levels) -> None:
        """Values that are no numbers."""
        what = "loss" if each.of_loss else "gradient norm"
        self.put("nan", each.start, each.seen, each.rows, "rows", f"The {what} is no finite number{_in(each.rows)}.")
        if each.lasting and each.end is None:
            why = "the loss is no number any more"
            if levels.begin_divergence(each.start, each.seen, float(each.rows), 0.0, why) is not None:
                detail = f"The loss is no finite number{_in(each.rows)} and on."
                self.put("divergence", each.start, each.seen, each.rows, "rows", detail)
        if each.end is not None:
            self.end("nan", each.start, each.end)
            if each.lasting and levels.end_divergence(each.start, each.end):
                self.end("divergence", each.start, each.end)

    def stalls(self, stalls: list[Stall]) -> None:
        """Values that repeat."""
        for each in stalls:
            what = f"stands at {each.value:.6g}" if each.period == 1 else f"repeats {each.period} values"
            self.put("stall", each.start, each.seen, each.rows, "rows", f"The loss {what} for {each.rows} rows.")
            if each.end is not None:
                self.end("stall", each.start, each.end)

    def paces(self, slow: list[Slowdown]) -> None:
        """Steps that take longer."""
        for each in slow:
            detail = f"Steps take {each.share:.0%} longer than before."
            self.put("throughput", each.start, each.seen, each.share, "share", detail)
            if each.end is not None:
                self.end("throughput", each.start, each.end)

    def spike(self, each: Episode, levels: Levels, *, guessed: bool) -> None:
        """A rise of single values: a spike, a transient, or the begin or end of a divergence."""
        start = each.start
        if each.state == "recovered":
            if each.end is not None and levels.end_divergence(start, each.end):
                self.end("divergence", start, each.end)
            return
        if each.state == "lingering":
            share = each.peak / abs(each.base) if each.base else 0.0
            begun = levels.begin_divergence(start, each.seen, each.peak, share, "it does not come back")
            if begun is not None:
                self._replace_spikes(start)
                detail = f"The loss rose by up to {each.peak:.3g} nats from {each.base:.4g} and does not come back."
                self.put("divergence", start, each.seen, each.peak, "nats", detail)
            self._events.pop(("spike", start), None)
            self._events.pop(("transient", start), None)
            return
        if each.state == "open" and "divergence" in levels.going:
            return
        kind: EventKind = "transient" if each.early and (not guessed or each.peak >= LARGE) else "spike"
        if kind == "transient" and self._told("transient", start):
            # A rise that was told as a spike while it was small is part of a transient that is told already.
            self._events.pop(("spike", start), None)
            return
        other: EventKind = "spike" if kind == "transient" else "transient"
        self._events.pop((other, start), None)
        detail = f"The loss rose by {each.peak:.3g} nats from {each.base:.4g}."
        if each.state == "moved":
            detail = f"The loss rose by {each.peak:.3g} nats from {each.base:.4g} and goes on from a higher level."
        self.put(kind, start, each.seen, each.peak, "nats", detail)
        if each.end is not None:
            self.end(kind, start, each.end)

    def _lasts(self, *kinds: EventKind) -> bool:
        return any(each.kind in kinds and each.end is None for each in self._events.values())

    def _told(self, kind: EventKind, start: float) -> bool:
        """Whether an event of this kind lasts that began elsewhere."""
        return any(each.kind == kind and each.end is None and each.step != start for each in self._events.values())

    def _replace_spikes(self, start: float) -> None:
        """Drop open spikes that turned out to be a divergence."""
        for key, event in list(self._events.items()):
            if key[0] in {"spike", "transient"} and event.end is None and event.step >= start:
                del self._events[key]


def _ratio(share: float) -> str:
    """A rise as a share of the level, where there is one: in percent, or as a multiple once it more than doubles it."""
    if not 0 < share < math.inf:
        return ""
    return f" ({share:.1%} of it)" if share < 1 else f" ({1 + share:.3g} times it)"


def _in(rows: int) -> str:
    return f" in {rows} row" + ("s" if rows != 1 else "")
