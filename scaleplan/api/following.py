"""A log that goes on being written, read as it grows: its events one by one, until the run or the patience ends."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, Self

from scaleplan.forecasting.events import Event
from scaleplan.specs.durations import in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scaleplan.errors import Notice
    from scaleplan.forecasting.readings import Readings
    from scaleplan.forecasting.watch import Watcher, WatchSummary

End = Literal["diverged", "finished", "idle", "end"]
EVERY = 1.0
"""Our choice [s]: soon enough to stop a job, and next to nothing to pay."""


class Source(Protocol):
    """Rows as they are written."""

    @property
    def notices(self) -> Sequence[Notice]:
        """What there is to say of how they were read, so far."""
        ...

    @property
    def form(self) -> str:
        """What the log is, once that is seen."""
        ...

    @property
    def ended(self) -> bool:
        """Whether nothing more can come."""
        ...

    def read(self) -> Readings | None:
        """The rows since the last time, ``None`` where there are none."""
        ...

    def finish(self) -> Readings | None:
        """The row of a last line without an end."""
        ...

    def close(self) -> None:
        """Let go of the log."""


class Follower:
    """The events of a log as they come: iterate over it.

    It ends by itself once the run diverged or reached its last step, where standard input ends, or with ``until_idle``
    once the log stood still; ``ended`` says which. A log that stands still is an event of kind ``stall`` whose size is
    in seconds, once until rows come again. An event that is over comes again, then with its ``end``. With ``with`` the
    log is let go of afterwards.

    Args:
        source: the rows.
        watcher: makes what looks at them, once there are some.
        path: of the log, for how long nothing was written before now; ``None`` for standard input.
        total_steps: the last step, ``None`` where it is not known.
        idle: after how long a log stands still [s].
        until_idle: end then.
        every: how long to wait before looking again [s].
        ready: called once all that was there before is read.
        tell: called with what there is to say of how the log is read, as it comes up.
        clock: seconds, of which only differences count.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        source: Source,
        watcher: Callable[[], Watcher],
        *,
        path: Path | None,
        total_steps: Callable[[], float | None],
        idle: float,
        until_idle: bool = False,
        every: float = EVERY,
        ready: Callable[[Follower], None] | None = None,
        tell: Callable[[Notice], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.source = source
        self.ended: End | None = None
        self._make = watcher
        self._watcher: Watcher | None = None
        self._path = path
        self._total_steps = total_steps
        self._idle = idle
        self._until_idle = until_idle
        self._every = every
        self._ready = ready
        self._tell = tell
        self._told = Counter[str]()
        self._clock = clock
        self._sleep = sleep
        self._events = self._watch()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Event]:
        return self._events

    def __next__(self) -> Event:
        return next(self._events)

    @property
    def watcher(self) -> Watcher:
        """What looks at the rows."""
        if self._watcher is None:
            self._watcher = self._make()
        return self._watcher

    def summary(self) -> WatchSummary:
        """Of the whole log so far."""
        return self.watcher.summary()

    @property
    def total_steps(self) -> float | None:
        """The last step, ``None`` where it is not known."""
        return self._total_steps()

    @property
    def diverged(self) -> bool:
        """Whether a divergence was seen that no restart has undone; it may have come back by itself."""
        return self._watcher is not None and self._watcher.diverged

    def close(self) -> None:
        """Let go of the log."""
        self.source.close()

    def _watch(self) -> Generator[Event]:
        yield from self._caught_up()
        heard = self._clock() - (quiet_for(self._path) or 0.0)
        told = False
        while not self._over():
            readings = self._read()
            if readings is not None:
                heard, told = self._clock(), False
                events = self.watcher.feed(readings)
                yield from events
                if any(event.kind == "divergence" for event in events) and self.diverged:
                    self.ended = "diverged"
                    return
                continue
            if self.source.ended:
                yield from self._last("end")
                return
            length = self._clock() - heard
            if length >= self._idle and not told:
                told = True
                yield self._stall(length)
                if self._until_idle:
                    yield from self._last("idle")
                    return
            self._sleep(self._every)

    def _caught_up(self) -> Generator[Event]:
        """The events of what was there before: a divergence that came back is no reason to end."""
        while (readings := self._read()) is not None:
            yield from self.watcher.feed(readings)
        if self._ready is not None:
            self._ready(self)

    def _read(self) -> Readings | None:
        """The next rows; what comes up in reading them is told once, however its numbers change."""
        readings = self.source.read()
        seen = Counter[str]()
        for notice in self.source.notices:
            seen[notice.code] += 1
            if seen[notice.code] > self._told[notice.code]:
                self._told[notice.code] += 1
                if self._tell is not None:
                    self._tell(notice)
        return readings

    def _over(self) -> bool:
        """Whether the run is, by a divergence that has not come back or by its last step."""
        if self._watcher is None:
            return False
        summary, last = self.summary(), self.total_steps
        if summary.status == "diverged":
            self.ended = "diverged"
        elif last is not None and summary.last_step is not None and summary.last_step >= last:
            self.ended = "finished"
        return self.ended is not None

    def _last(self, end: End) -> list[Event]:
        """The events of a last line without an end."""
        rest = self.source.finish()
        found = [] if rest is None else self.watcher.feed(rest)
        if not self._over():
            self.ended = end
        return found

    def _stall(self, length: float) -> Event:
        step = None if self._watcher is None else self.summary().last_step
        return Event(
            step=step or 0.0,
            kind="stall",
            seen=step or 0.0,
            end=None,
            size=length,
            unit="s",
            detail=f"Nothing was written for {in_words(length)}.",
            advice="See whether the job still runs; a hung collective or a full disk ends a log without a word.",
        )


def quiet_for(path: Path | None) -> float | None:
    """For how long nothing was written to a file, or to any in a folder [s]; ``None`` where that is not known."""
    if path is None:
        return None
    try:
        files = [path, *path.rglob("*")] if path.is_dir() else [path]
        return max(0.0, time.time() - max(each.stat().st_mtime for each in files))
    except OSError:
        return None
