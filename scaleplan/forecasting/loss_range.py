"""Where there is no point forecast: from a learning rate that falls to zero from now on to one that is held."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scaleplan.forecasting.annealing import USUAL_GAIN, fit_annealing, track
from scaleplan.forecasting.extrapolation import extrapolate
from scaleplan.forecasting.result import Forecast, Line, Way
from scaleplan.forecasting.schedules import Schedule
from scaleplan.forecasting.smoothing import Curve, thinned

Floats = NDArray[np.float64]
AHEAD = 100
"""Points of a forecast's series (our choice)."""


def loss_range(
    curve: Curve, total: float, schedule: Schedule | None, wide: float, level: float, refused: str
) -> Forecast:
    """The range of the final loss.

    Args:
        curve: what was seen of the run.
        total: steps of the whole run.
        schedule: up to now; without one the learning rate counts as held from step 0, and the curve's own past speaks.
        wide: standard deviations of half a band.
        level: its coverage.
        refused: why there is no point.
    """
    now, here = curve.last
    start = np.array([0.0, now])
    so_far = Schedule(step=start, lr=np.ones(2), name="held", text="held") if schedule is None else schedule.up_to(now)
    held, falling = (so_far.continued(total, end) for end in (so_far.final, 0.0))
    targets = np.linspace(now, total, AHEAD + 1)[1:]
    ends: list[tuple[Floats, float]] = []
    for each in (falling, held):
        own = track(each)
        law = fit_annealing(thinned(curve), own, USUAL_GAIN)
        then = np.log(law.losses(own, np.r_[now, targets]))
        ends.append((np.log(here) + then[1:] - then[0], law.spread(own, total)))
    share = np.sqrt((targets - now) / (total - now))
    low = np.exp(ends[0][0] - wide * ends[0][1] * share)
    high = np.exp(ends[1][0] + wide * ends[1][1] * share)
    return Forecast(
        step=float(curve.step[-1]),
        total_steps=total,
        now=here,
        loss=None,
        loss_low=float(low[-1]),
        loss_high=float(high[-1]),
        level=level,
        refused=refused,
        ways=_by_its_past(curve, total) if schedule is None else (),
        earlier=(),
        gain=USUAL_GAIN,
        seen=Line(curve.step, curve.loss),
        ahead=Line(targets, None, low, high),
        donors=(),
        warnings=(),
    )


def _by_its_past(curve: Curve, total: float) -> tuple[Way, ...]:
    """What the curve's own past alone says, which holds if the learning rate goes on as it did."""
    if curve.step[0] <= 0:
        curve = Curve(curve.step[1:], curve.loss[1:], curve.rows[1:], curve.noise)
    found = extrapolate(curve.step, curve.loss, np.array([total]))
    ways = [
        Way(
            f"past:{name}",
            float(found.by_candidate[name][0]),
            None if found.back_test is None else found.back_test[name],
            weight,
        )
        for name, weight in found.weights.items()
    ]
    return tuple(sorted(ways, key=lambda way: -way.weight))
