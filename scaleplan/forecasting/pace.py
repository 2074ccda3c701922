"""How fast a run goes: seconds of each step or token from the log's times, slowdowns, and the usual speed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from scaleplan.forecasting.throughput import Slowdown, Throughput

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.forecasting.readings import Readings

    Floats = NDArray[np.float64]

KEPT = 255


class Pace:
    """The last row's step, time and tokens, the last speeds, and what watches them."""

    def __init__(self) -> None:
        self._watch = Throughput()
        self._seconds: Floats = np.empty(0)
        self._tokens: Floats = np.empty(0)
        self.restart()

    def restart(self) -> None:
        """The run went back: nothing is known of the time between the rows before and after."""
        self._step = self._time = self._token = math.nan

    def feed(self, rows: Readings) -> list[Slowdown]:
        """Take rows in order; the slowdowns that begin or end."""
        steps = np.diff(rows.step, prepend=self._step)
        self._step = float(rows.step[-1])
        tokens = None
        if rows.tokens is not None:
            tokens = np.diff(rows.tokens, prepend=self._token) / steps
            self._token = float(rows.tokens[-1])
        seconds = None
        if rows.step_time is not None:
            seconds = rows.step_time
        elif rows.time is not None:
            seconds = np.diff(rows.time, prepend=self._time) / steps
            self._time = float(rows.time[-1])
        if seconds is None:
            return []
        usable = np.isfinite(seconds) & (seconds > 0)
        share = seconds
        if tokens is not None:
            share = seconds / np.where(tokens > 0, tokens, math.nan)
            usable &= np.isfinite(share)
            self._tokens = np.concatenate((self._tokens, share[usable][-KEPT:]))[-KEPT:]
        self._seconds = np.concatenate((self._seconds, seconds[usable][-KEPT:]))[-KEPT:]
        return self._watch.feed(rows.step[usable], share[usable])

    @property
    def steps_per_second(self) -> float | None:
        """The median of the last 255 rows; ``None`` where no time was logged."""
        return 1 / float(np.median(self._seconds)) if len(self._seconds) else None

    @property
    def tokens_per_second(self) -> float | None:
        """The median of the last 255 rows; ``None`` where no time or no tokens were logged."""
        return 1 / float(np.median(self._tokens)) if len(self._tokens) else None
