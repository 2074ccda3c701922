"""What a watch found: of one log, or of a folder of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from scaleplan.errors import Notice

if TYPE_CHECKING:
    from scaleplan.forecasting.events import Event
    from scaleplan.forecasting.series import DrawnCurve
    from scaleplan.forecasting.watch import WatchSummary

RunStatus = Literal["running", "finished", "diverged", "recovered", "plateau", "stalled", "stopped"]
"""``diverged``: the loss rose and has not come back. ``finished``: the last step was reached. ``stalled``: nothing was
written for long, though steps are left. ``stopped``: nothing was written for long, and how long the run is to be is not
known. ``recovered``: it goes on, and a divergence came back. ``plateau``: it goes on without progress. ``running``: it
goes on. The first that holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What was seen in a log.

    ``events`` by the step where they began; ``curve`` of the loss to be drawn; ``summary`` of the whole. ``format`` of
    the log, ``total_steps`` that the run is to have (``None``: not known), ``quiet`` [s]: for how long nothing was
    written when the log was read (``None``: standard input). ``diverged``: whether a divergence was seen that no
    restart has undone, though it may have come back by itself. ``settings``: what was asked, with defaults.
    """

    log: str
    format: str
    events: tuple[Event, ...]
    summary: WatchSummary
    curve: DrawnCurve
    status: RunStatus
    diverged: bool
    total_steps: float | None
    quiet: float | None
    settings: Mapping[str, Any]
    warnings: tuple[Notice, ...]

    @property
    def share(self) -> float | None:
        """How much of the run is done, ``None`` where its length is not known."""
        return None if not self.total_steps else (self.summary.last_step or 0.0) / self.total_steps


class WatchedRun(NamedTuple):
    """A run of a folder: what it is called there, and what was seen in its log."""

    run: str
    watch: Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedFolder:
    """The runs of a folder, by name; ``warnings`` name the files that are none."""

    folder: str
    runs: tuple[WatchedRun, ...]
    settings: Mapping[str, Any]
    warnings: tuple[Notice, ...]

    @property
    def diverged(self) -> bool:
        """Whether any run diverged."""
        return any(each.watch.diverged for each in self.runs)


def status_of(
    summary: WatchSummary, events: Sequence[Event], *, total_steps: float | None, quiet: float | None, idle: float
) -> RunStatus:
    """How a run stands.

    Args:
        summary: of its log.
        events: all of them.
        total_steps: how many steps there are to be, if that is known.
        quiet: for how long nothing was written [s], ``None`` where that is not known.
        idle: after how long a log stands still [s].
    """
    if summary.status == "diverged":
        return "diverged"
    if total_steps is not None and summary.last_step is not None and summary.last_step >= total_steps:
        return "finished"
    if quiet is not None and quiet >= idle:
        return "stopped" if total_steps is None else "stalled"
    if summary.status == "recovered":
        return "recovered"
    return "plateau" if any(each.kind == "plateau" and each.end is None for each in events) else "running"
