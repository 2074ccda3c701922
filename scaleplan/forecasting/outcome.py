"""A forecast with what stands beside it: the date, the plan's promise, the ladder, the events of the run so far."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from scaleplan.errors import Notice
from scaleplan.forecasting.collapse import Collapse
from scaleplan.forecasting.events import Event
from scaleplan.forecasting.plan_check import PlanCheck
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.result import Forecast

_DAY = 86_400.0
_RECENT = 200
"""Rows over which the pace is taken (our choice: an hour or a day, not what the cluster did weeks ago)."""
_EPOCH = 1e9
"""Seconds since 1970 in 2001: smaller times are since a zero of the log's own."""


class Arrival(NamedTuple):
    """When the last step is reached at the present pace: days from the last row, and the date where rows have dates."""

    days: float
    date: datetime.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunForecast:
    """Where a run is going, and how it stands.

    ``log`` and ``format`` say what was read, ``schedule`` the planned learning rate in words. ``arrival``: when it
    ends, ``None`` where the log has no times. ``plan``: beside a law's promise, ``collapse``: beside its ladder, where
    asked for or there are donors enough. ``events``: what the watch saw.
    """

    log: str
    format: str
    forecast: Forecast
    schedule: str | None
    arrival: Arrival | None
    plan: PlanCheck | None
    collapse: Collapse | None
    events: tuple[Event, ...]
    warnings: tuple[Notice, ...]


def arrival(readings: Readings, total_steps: float) -> Arrival | None:
    """When a run reaches its last step at the pace of its last 200 rows.

    Args:
        readings: by rising step, with ``time`` or ``step_time``.
        total_steps: of the whole run.
    """
    if not len(readings):
        return None
    left = max(total_steps - float(readings.step[-1]), 0.0)
    pace = _pace(readings)
    if pace is None:
        return None
    seconds = left * pace
    times = None if readings.time is None else readings.time[np.isfinite(readings.time)]
    if times is None or not times.size or times[-1] < _EPOCH:
        return Arrival(seconds / _DAY, None)
    end = float(times[-1]) + seconds
    try:
        date = datetime.datetime.fromtimestamp(end, datetime.UTC)
    except (OverflowError, ValueError, OSError):
        date = None
    return Arrival(seconds / _DAY, date)


def _pace(readings: Readings) -> float | None:
    """Seconds a step: between the rows' times, stops of the run among them, else the median of what steps took."""
    recent = readings.part(slice(-_RECENT, None))
    if recent.time is not None:
        known = np.isfinite(recent.time)
        step, time = recent.step[known], recent.time[known]
        if len(step) > 1 and time[-1] > time[0] and step[-1] > step[0]:
            return float((time[-1] - time[0]) / (step[-1] - step[0]))
    if recent.step_time is not None:
        taken = recent.step_time[np.isfinite(recent.step_time) & (recent.step_time > 0)]
        if taken.size:
            return float(np.median(taken))
    return None
