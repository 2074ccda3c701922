"""Losses that are not like those of language models, taken in a unit in which they are.

The worth of a decay and the least loss believed are known in nats a token.
"""

from __future__ import annotations

from dataclasses import replace

from scaleplan.forecasting.annealing import Gain
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.result import Earlier, Forecast, Line

NATS, USUAL = (0.8, 15.0), 3.0
"""Our choice: from below the floor of published laws to above ln of any vocabulary; and the loss of a usual run."""


def unit_of(loss: float) -> float:
    """1 for losses like those of language models in nats or bits, else what makes a loss the usual one."""
    return 1.0 if NATS[0] <= loss <= NATS[1] else loss / USUAL


def divided(readings: Readings, unit: float) -> Readings:
    """The curve of a log in a unit."""
    return Readings(step=readings.step, loss=readings.loss / unit)


def multiplied(made: Forecast, unit: float) -> Forecast:
    """A forecast in the unit of its log."""

    def line(each: Line) -> Line:
        losses = (None if part is None else part * unit for part in each[1:])
        return Line(each.step, *losses)

    return replace(
        made,
        now=made.now * unit,
        loss=None if made.loss is None else made.loss * unit,
        loss_low=made.loss_low * unit,
        loss_high=made.loss_high * unit,
        ways=tuple(each._replace(loss=each.loss * unit) for each in made.ways),
        earlier=tuple(Earlier(e.step, e.forecast * unit, e.actual * unit) for e in made.earlier),
        gain=Gain(made.gain.mean * unit, made.gain.sd * unit),
        seen=line(made.seen),
        ahead=line(made.ahead),
        donors=tuple((each, line(curve)) for each, curve in made.donors),
    )
