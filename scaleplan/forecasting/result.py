"""What a forecast of a run takes and gives: finished runs, ways, lines to be drawn, the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaleplan.errors import Notice
from scaleplan.forecasting.annealing import Gain
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.schedules import Schedule

Floats = NDArray[np.float64]


class FinishedRun(NamedTuple):
    """A donor as it comes: its log, and its schedule; without one the shape of the forecast run's is taken."""

    name: str
    readings: Readings
    schedule: Schedule | None = None


class Way(NamedTuple):
    """One way of forecasting: the final loss it gives, its expected relative error by back-test, its weight.

    The error is ``None`` where there is too little past for a back-test.
    """

    way: str
    loss: float
    error: float | None
    weight: float


class Earlier(NamedTuple):
    """What would have been forecast at an earlier step for the loss now, and what it came to [nats/token]."""

    step: float
    forecast: float
    actual: float


class Line(NamedTuple):
    """A line to be drawn: losses at steps, with a band where there is one; a range has a band alone."""

    step: Floats
    loss: Floats | None
    low: Floats | None = None
    high: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Forecast:
    """Where a run is going.

    ``step``: of the last row that was seen, at which the forecast is made; ``total_steps`` of the whole run; ``now``
    the loss there. ``loss`` the forecast final loss, ``None`` where there is no point forecast, of which ``refused``
    says why (``ways`` are then those of the curve's own past); ``loss_low``, ``loss_high`` its band of ``level``, or
    the range from full decay to a learning rate held [nats/token]. ``ways`` by weight, ``earlier`` forecasts of this
    run, ``gain`` what is known of a whole decay's worth [nats]. ``seen``, ``ahead`` and ``donors`` are series to be
    drawn.
    """

    step: float
    total_steps: float
    now: float
    loss: float | None
    loss_low: float
    loss_high: float
    level: float
    refused: str | None
    ways: tuple[Way, ...]
    earlier: tuple[Earlier, ...]
    gain: Gain
    seen: Line
    ahead: Line
    donors: tuple[tuple[str, Line], ...]
    warnings: tuple[Notice, ...]
