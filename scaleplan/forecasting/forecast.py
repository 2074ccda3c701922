"""Forecast the final loss of a run from the part of its curve that was seen.

What the loss comes to depends most of all on what the decay of the learning rate brings, and that cannot be seen before
it: without a schedule, or without a finished run that shows what a decay brings where much of one is ahead, there is no
point forecast, only the range from a learning rate held to one that falls to zero from now on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaleplan.errors import InputFileError, Notice
from scaleplan.forecasting.annealing import USUAL_GAIN, Gain, Track, fit_annealing, track
from scaleplan.forecasting.candidates import Donor, Known, borrowed_gain, donor_of, forecasts, multi_power_drop
from scaleplan.forecasting.combination import Past, Trust, combined, donors_past, own_past, trusted
from scaleplan.forecasting.extrapolation import extrapolate
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.schedules import Schedule
from scaleplan.forecasting.smoothing import Curve, curve_of, thinned

Floats = NDArray[np.float64]

LEAST_POINTS = 8
"""Our choice: three constants of the law are fitted, and back-tested on parts of what was seen."""
_NATS, _USUAL_LOSS = (0.8, 15.0), 3.0
"""Our choice: from below the floor of published laws to above ln of any vocabulary; and the loss of a usual run."""
_CREDIBLE = (1e-6, 1e6)
"""Our choice: losses beyond are no losses, and would leave the range of the arithmetic."""
_AHEAD = 100
"""Points of the forecast's series (our choice)."""
_UNCERTAIN = 0.005
"""Our choice: without finished runs a point is forecast only where what the decay ahead brings is known this well, as a
share of the loss; a whole decay's worth is known to 1.3 %."""
_TURNED_UP = 0.02
"""Our choice: a finished run that ends so far above its lowest loss is no template of a healthy run, which ends within
0.5 % of it."""


_COARSE = 40
"""Blocks among which the lowest loss is looked for, 4 standard deviations of them beyond doubt (our choices)."""


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
    unit = _unit(curve.last[1])
    if unit != 1:
        scaled = [each._replace(readings=_divided(each.readings, unit)) for each in donors]
        made = forecast(_divided(readings, unit), total_steps, schedule, scaled, level=level, name=name)
        return _multiplied(made, unit)
    wide = NormalDist().inv_cdf((1 + level) / 2)
    if float(curve.step[-1]) >= total_steps:
        return _finished(curve, total_steps, wide, level)
    if schedule is None:
        refused = "no schedule: what the decay ahead brings is not known; give --schedule"
        return _range(curve, total_steps, None, wide, level, refused)
    own = track(schedule)
    ready, warnings = _made_ready(donors, schedule)
    kept = [donor for donor, _ in ready]
    if not kept and _unknown(curve, own, total_steps) > _UNCERTAIN:
        refused = "no finished run to say what the decay ahead brings; give --donor"
        result = _range(curve, total_steps, schedule, wide, level, refused)
        return _with(result, warnings)
    drop = multi_power_drop(schedule, own, [(each, donor.curve) for donor, each in ready])
    known = Known(borrowed_gain(curve, own, kept), drop)
    return _with(_point(curve, own, total_steps, kept, known, wide, level), warnings)


def _unit(loss: float) -> float:
    """1 for losses like those of language models in nats or bits, else what makes the loss now a usual one.

    The worth of a decay and the least loss believed are known in nats a token; other losses are taken in such a unit.
    """
    return 1.0 if _NATS[0] <= loss <= _NATS[1] else loss / _USUAL_LOSS


def _divided(readings: Readings, unit: float) -> Readings:
    return Readings(step=readings.step, loss=readings.loss / unit)


def _multiplied(made: Forecast, unit: float) -> Forecast:
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


def sound_curve(readings: Readings, name: str) -> Curve:
    """The curve of a log that can be forecast from.

    Raises:
        InputFileError: fewer than eight finite losses, or one that is not above zero or of no known unit.
    """
    known = np.isfinite(readings.step) & np.isfinite(readings.loss)
    if int(known.sum()) < LEAST_POINTS:
        raise InputFileError(
            f"{name}: rows with a finite loss: {int(known.sum())}; a forecast needs {LEAST_POINTS} or more"
        )
    losses = readings.loss if known.all() else readings.loss[known]
    low, high = float(losses.min()), float(losses.max())
    if not _CREDIBLE[0] < low or not high < _CREDIBLE[1]:
        odd = high if _CREDIBLE[0] < low else low
        raise InputFileError(
            f"{name}: a loss of {odd:g}; a forecast needs losses between {_CREDIBLE[0]:g} and {_CREDIBLE[1]:g}"
        )
    curve = curve_of(readings)
    if len(curve.step) < LEAST_POINTS:
        raise InputFileError(f"{name}: {len(curve.step)} different steps; a forecast needs {LEAST_POINTS} or more")
    return curve


def _point(
    curve: Curve, own: Track, total: float, donors: Sequence[Donor], known: Known, wide: float, level: float
) -> Forecast:
    now, here = curve.last
    targets = np.linspace(now, total, _AHEAD + 1)[1:]
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


def _range(curve: Curve, total: float, schedule: Schedule | None, wide: float, level: float, refused: str) -> Forecast:
    """From a fall to zero from now on to a learning rate held where it is.

    Without a schedule the learning rate up to now counts as held after no warm-up: its shape is not known.
    """
    now, here = curve.last
    held, falling = _held(schedule, now, total), _falling(schedule, now, total)
    targets = np.linspace(now, total, _AHEAD + 1)[1:]
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
        seen=_seen(curve),
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


def _held(schedule: Schedule | None, now: float, total: float) -> Schedule:
    if schedule is None:
        return Schedule(step=np.array([0.0, total]), lr=np.ones(2), name="held", text="held from now on")
    return _continued(schedule, now, total, float(schedule.lr_at(now)))


def _falling(schedule: Schedule | None, now: float, total: float) -> Schedule:
    if schedule is None:
        step, lr = np.array([0.0, now, total]), np.array([1.0, 1.0, 0.0])
        return Schedule(step=step, lr=lr, name="falling", text="to zero from now on")
    return _continued(schedule, now, total, 0.0)


def _continued(schedule: Schedule, now: float, total: float, end: float) -> Schedule:
    done = schedule.step < now
    step = np.r_[schedule.step[done], now, total]
    lr = np.r_[schedule.lr[done], schedule.lr_at(now), end]
    return Schedule(step=step, lr=lr, name=schedule.name, text=f"{schedule.text}, to {end:g} from now on")


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
