"""Forecast the final loss of a run from the part of its curve that was seen.

What the loss comes to depends most of all on what the decay of the learning rate brings, and that cannot be seen before
it: without a schedule, or without a finished run that shows what a decay brings where much of one is ahead, there is no
point forecast, only the range from a learning rate held to one that falls to zero from now on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from scaleplan.errors import Notice
from scaleplan.forecasting.annealing import USUAL_GAIN, Track, fit_annealing, track
from scaleplan.forecasting.candidates import Donor, Known, borrowed_gain, donor_of, forecasts, multi_power_drop
from scaleplan.forecasting.combination import Past, Trust, combined, donors_past, own_past, trusted
from scaleplan.forecasting.loss_range import AHEAD, loss_range
from scaleplan.forecasting.loss_unit import divided, multiplied, unit_of
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.result import Earlier, FinishedRun, Forecast, Line, Way
from scaleplan.forecasting.schedules import Schedule
from scaleplan.forecasting.smoothing import Curve, sound_curve, thinned

Floats = NDArray[np.float64]

_UNCERTAIN = 0.005
"""Our choice: without finished runs a point is forecast only where what the decay ahead brings is known this well, as a
share of the loss; a whole decay's worth is known to 1.3 %."""
_TURNED_UP = 0.02
"""Our choice: a finished run that ends so far above its lowest loss is no template of a healthy run, which ends within
0.5 % of it."""


_COARSE = 40
"""Blocks among which the lowest loss is looked for, 4 standard deviations of them beyond doubt (our choices)."""


def forecast(
    readings: Readings,
    total_steps: float,
    schedule: Schedule | None = None,
    donors: Sequence[FinishedRun] = (),
    *,
    level: float = 0.95,
    name: str = "log",
) -> Forecast:
    """Forecast the final loss.

    Args:
        readings: the run so far, steps from 0.
        total_steps: of the whole run.
        schedule: the planned learning rate over the whole run; without one there is a range only.
        donors: finished runs of the same kind.
        level: coverage of the band.
        name: of the log, for messages.

    Raises:
        InputFileError: fewer than eight finite losses, or a loss that is not above zero.
    """
    curve = sound_curve(readings, name)
    unit = unit_of(curve.last[1])
    if unit != 1:
        scaled = [each._replace(readings=divided(each.readings, unit)) for each in donors]
        made = forecast(divided(readings, unit), total_steps, schedule, scaled, level=level, name=name)
        return multiplied(made, unit)
    wide = NormalDist().inv_cdf((1 + level) / 2)
    if float(curve.step[-1]) >= total_steps:
        return _finished(curve, total_steps, wide, level)
    if schedule is None:
        refused = "no schedule: what the decay ahead brings is not known; give --schedule"
        return loss_range(curve, total_steps, None, wide, level, refused)
    own = track(schedule)
    ready, warnings = _made_ready(donors, schedule)
    kept = [donor for donor, _ in ready]
    if not kept and _unknown(curve, own, total_steps) > _UNCERTAIN:
        refused = "no finished run to say what the decay ahead brings; give --donor"
        result = loss_range(curve, total_steps, schedule, wide, level, refused)
        return _with(result, warnings)
    drop = multi_power_drop(schedule, own, [(each, donor.curve) for donor, each in ready])
    known = Known(borrowed_gain(curve, own, kept), drop)
    return _with(_point(curve, own, total_steps, kept, known, wide, level), warnings)


def _point(
    curve: Curve, own: Track, total: float, donors: Sequence[Donor], known: Known, wide: float, level: float
) -> Forecast:
    now, here = curve.last
    targets = np.linspace(now, total, AHEAD + 1)[1:]
    guesses = forecasts(curve, own, total, targets, donors, known)
    past = own_past(curve, own, total, donors, known)
    trust = trusted(guesses, now / total, past, donors_past(now / total, donors))
    middle, sd = combined(np.array([guesses[each.way].values for each in trust]), trust)
    share = np.sqrt((targets - now) / (total - now))
    half = wide * np.hypot(sd * share, curve.noise / np.sqrt(float(curve.rows[-1])) * (1 - share))
    line = Line(targets, np.exp(middle), np.exp(middle - half), np.exp(middle + half))
    assert line.loss is not None
    assert line.low is not None
    assert line.high is not None
    return Forecast(
        step=float(curve.step[-1]),
        total_steps=total,
        now=here,
        loss=float(line.loss[-1]),
        loss_low=float(line.low[-1]),
        loss_high=float(line.high[-1]),
        level=level,
        refused=None,
        ways=_ways(guesses_end={name: float(guess.values[-1]) for name, guess in guesses.items()}, trust=trust),
        earlier=_earlier(past, trust),
        gain=known.gain,
        seen=_seen(curve),
        ahead=line,
        donors=tuple((each.name, _seen(each.curve)) for each in donors),
        warnings=(),
    )


def _ways(guesses_end: dict[str, float], trust: Sequence[Trust]) -> tuple[Way, ...]:
    found = [Way(each.way, float(np.exp(guesses_end[each.way])), each.sd, each.weight) for each in trust]
    return tuple(sorted(found, key=lambda way: -way.weight))


def _earlier(past: Sequence[Past], trust: Sequence[Trust]) -> tuple[Earlier, ...]:
    """What the same mixture would have said before; ways that had too few points then stand aside."""
    found: list[Earlier] = []
    for each in past:
        had = [one for one in trust if one.way in each.said]
        values = np.array([[each.said[one.way]] for one in had])
        middle, _ = combined(values, [one._replace(weight=one.weight / sum(w.weight for w in had)) for one in had])
        found.append(Earlier(each.step, float(np.exp(middle[0])), float(np.exp(each.now))))
    return tuple(found)


def _made_ready(
    donors: Sequence[FinishedRun], schedule: Schedule
) -> tuple[list[tuple[Donor, Schedule]], tuple[Notice, ...]]:
    """The donors that can be used with their schedules, and notices of those that cannot."""
    kept: list[tuple[Donor, Schedule]] = []
    notices: list[Notice] = []
    for each in donors:
        curve = sound_curve(each.readings, each.name)
        points = thinned(curve, _COARSE)
        rise = curve.last[1] / float(points.loss.min()) - 1
        if rise > _TURNED_UP + 4 * points.noise / float(np.sqrt(points.rows.min())):
            text = f"{each.name}: ends {100 * rise:.1f} % above its lowest loss, left out as a donor."
            notices.append(Notice("donor_left_out", text))
            continue
        own = each.schedule if each.schedule is not None else _scaled(schedule, float(curve.step[-1]))
        kept.append((donor_of(each.name, curve, track(own)), own))
    return kept, tuple(notices)


def _scaled(schedule: Schedule, total: float) -> Schedule:
    """A schedule of the same shape over other total steps."""
    step = schedule.step * (total / schedule.total_steps)
    return Schedule(step=step, lr=schedule.lr, name=schedule.name, text=f"{schedule.text}, over {total:,.0f} steps")


def _unknown(curve: Curve, own: Track, total: float) -> float:
    """How far the final loss is unknown for want of donors, as a share: G beyond what the run itself shows."""
    law = fit_annealing(thinned(curve), own, USUAL_GAIN)
    now, here = curve.last
    D = own.at([now, total])[1]
    return law.gain.sd * abs(float(D[1] - D[0])) / here


def _finished(curve: Curve, total: float, wide: float, level: float) -> Forecast:
    """A run that has reached its last step: what it came to."""
    step, here = curve.last
    half = wide * curve.noise / np.sqrt(float(curve.rows[-1]))
    low, high = here * float(np.exp(-half)), here * float(np.exp(half))
    return Forecast(
        step=float(curve.step[-1]),
        total_steps=total,
        now=here,
        loss=here,
        loss_low=low,
        loss_high=high,
        level=level,
        refused=None,
        ways=(),
        earlier=(),
        gain=USUAL_GAIN,
        seen=_seen(curve),
        ahead=Line(np.array([step]), np.array([here]), np.array([low]), np.array([high])),
        donors=(),
        warnings=(),
    )


def _seen(curve: Curve) -> Line:
    return Line(curve.step, curve.loss)


def _with(result: Forecast, warnings: tuple[Notice, ...]) -> Forecast:
    return replace(result, warnings=(*result.warnings, *warnings))
