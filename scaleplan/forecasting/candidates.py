"""Ways to forecast the loss at a later step: the annealing law, and finished runs as templates.

``law``: the annealing law fitted to what was seen; ``recent``: to its later half alone; ``law+`` and ``recent+``: only
the fall from now on is taken from the law, and added to the loss now. ``ratio``: the loss now times what the loss of a
finished run fell by from the same share of its schedule on; ``template``: the same with the fall stretched by how the
two curves went along so far. Where schedules differ, what the fall of the learning rate brings by the annealing law is
taken out of the donor's curve and put into the forecast.
``multi`` and ``multi+``: the same with the multi-power law's drop term, where there are donors of two schedules.
``power``: a power law of the steps alone, which knows of no schedule. ``last``: the loss now. All in ln L.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaleplan.forecasting.annealing import GAIN, USUAL_GAIN, Annealing, Gain, Track, body, fit_annealing
from scaleplan.forecasting.lr_drops import drop_term
from scaleplan.forecasting.multi_power_fit import shared_drop
from scaleplan.forecasting.power_laws import fit_m2
from scaleplan.forecasting.schedules import Schedule
from scaleplan.forecasting.smoothing import Curve, thinned

Floats = NDArray[np.float64]
RECENT = 0.5
"""Share of what was seen that ``recent`` leaves out (our choice)."""
EARLY = 0.1
"""Share after warm-up that every fit leaves out (the dropped tenth with which annealing laws are fitted)."""
_OF_TEMPLATE = 0.3
_STRETCH = 0.15
"""Prior spread of the template's stretch about 1 (our choice: curves of one recipe and several sizes)."""
_TEMPLATE_NOISE = 0.004
_TEMPLATE_POINTS = 12.0
_SIZE_POWER = 1.5
"""G grows as loss^-1.5 between sizes: published B of the multi-power law, 364, 438, 523 for 25M, 100M, 400M (Luo et al.
2025, table 2), at losses 3.3, 2.98, 2.74 give about 2, drawn towards 1, within a factor of 1.5."""
_SIZE_MOST = 1.5
_DONOR_SPREAD = 0.2
"""Spread of G between runs that a donor cannot tell of, of the usual G (measured spread: 15 %)."""
_MULTI_LEAST = 12
"""Points that a donor's own three constants are fitted to at least (our choice)."""
_ODD = 0.5
"""A donor's G further from the usual than this share (three times the spread) counts ever less."""


class Guess(NamedTuple):
    """ln L at the steps asked for, and the standard deviation that the way itself gives the last of them."""

    values: Floats
    sd: float


class Known(NamedTuple):
    """What finished runs tell of falls of the learning rate.

    ``gain``: the prior of G. ``drop``: the multi-power law's drop term over this run's schedule, as a track whose D it
    is, with the prior of its factor B; ``None`` without two donors of different schedules.
    """

    gain: Gain
    drop: tuple[Track, Gain] | None = None


class Donor(NamedTuple):
    """A finished run: its curve, the track of its schedule, and the posterior of its own annealing law."""

    name: str
    curve: Curve
    track: Track
    law: Annealing

    @property
    def total_steps(self) -> float:
        """Its last step."""
        return float(self.curve.step[-1])

    @property
    def final(self) -> float:
        """Its final loss [nats/token]."""
        return self.curve.last[1]

    def ln_loss(self, step: Floats) -> Floats:
        """ln L of its curve at steps, of its end where they lie beyond the last point."""
        at, end = self.curve.last
        inside = self.curve.step < at
        known = np.append(self.curve.step[inside], at)
        return np.interp(step, known, np.log(np.append(self.curve.loss[inside], end)))


def donor_of(name: str, curve: Curve, track: Track) -> Donor:
    """A finished run made ready."""
    return Donor(name, curve, track, fit_annealing(thinned(curve), track, Gain(GAIN, 1.5 * USUAL_GAIN.sd), EARLY))


def borrowed_gain(curve: Curve, track: Track, donors: Sequence[Donor]) -> Gain:
    """The prior of G for a run: the usual one, and that of each donor at this run's level of loss.

    Args:
        curve: what was seen of the run.
        track: of its schedule.
        donors: finished runs; those without a decay know nothing of G and change nothing.
    """
    means, sds = [USUAL_GAIN.mean], [USUAL_GAIN.sd]
    S_now = float(track.at(curve.step[-1])[0])
    for donor in donors:
        known = donor.law.gain
        S = min(S_now, float(donor.track.at(donor.total_steps)[0]))
        own = float(np.interp(S, track.at(curve.step)[0], curve.loss))
        other = float(np.interp(S, donor.track.at(donor.curve.step)[0], donor.curve.loss))
        factor = float(np.clip((other / own) ** _SIZE_POWER, 1 / _SIZE_MOST, _SIZE_MOST))
        odd = 3 * max(abs(known.mean - GAIN) / GAIN - _ODD, 0.0)
        means.append(known.mean * factor)
        sds.append(float(np.hypot(known.sd * factor, GAIN * np.hypot(_DONOR_SPREAD, odd))))
    trust = 1 / np.array(sds) ** 2
    return Gain(float(trust @ np.array(means) / trust.sum()), float(trust.sum() ** -0.5))


def multi_power_drop(
    schedule: Schedule, own: Track, donors: Sequence[tuple[Schedule, Curve]]
) -> tuple[Track, Gain] | None:
    """The drop term of the multi-power law over a run's schedule, and the prior of its factor.

    Args:
        schedule: of the run.
        own: its track.
        donors: finished runs; of two different schedules at least.
    """
    known = [(each, *_whole(curve, each)) for each, curve in donors]
    shared = shared_drop([each for each in known if len(each[1]) >= _MULTI_LEAST])
    if shared is None or not shared.B > 0:
        return None
    D = np.zeros(len(own.step))
    after = own.step > max(own.warm_up, 0.0)
    D[after] = drop_term(schedule, own.step[after], *shared.shape)
    D[after] -= D[after][0] if after.any() else 0.0
    return own._replace(D=D), Gain(shared.B, shared.B * float(np.hypot(shared.spread, _DONOR_SPREAD)))


def _whole(curve: Curve, schedule: Schedule) -> tuple[Floats, Floats]:
    """The points of a curve within its schedule, after warm-up."""
    points = thinned(curve)
    inside = (points.step > schedule.warm_up) & (points.step <= schedule.total_steps)
    return points.step[inside], points.loss[inside]


def forecasts(
    curve: Curve, track: Track, total: float, targets: Floats, donors: Sequence[Donor], known: Known
) -> Mapping[str, Guess]:
    """ln L at steps by every way, named; those of donors ``ratio:0``, ``template:0`` by their place.

    Args:
        curve: what is taken as seen.
        track: of the run's schedule.
        total: steps of the whole run.
        targets: the steps that are asked for, rising, after what was seen.
        donors: finished runs.
        known: what finished runs tell of falls of the learning rate.
    """
    points = thinned(curve)
    now, level = curve.last
    here = float(np.log(level))
    gain = known.gain
    found = {"last": Guess(np.full(len(targets), here), 0.0)}
    laws = [("law", track, gain, EARLY), ("recent", track, gain, RECENT)]
    laws += [] if known.drop is None else [("multi", *known.drop, EARLY)]
    for name, read, prior, skip in laws:
        law = fit_annealing(points, read, prior, skip)
        then = np.log(law.losses(read, np.r_[now, targets]))
        spread = law.spread(read, float(targets[-1]))
        found[name] = Guess(then[1:], spread)
        found[f"{name}+"] = Guess(here + then[1:] - then[0], spread)
    after = body(points, track.warm_up, EARLY) & (points.step > 0)
    found["power"] = Guess(np.log(fit_m2(points.step[after], points.loss[after]).predict(targets)), 0.0)
    seen = body(points, track.warm_up, _OF_TEMPLATE)
    step, y = points.step[seen], np.log(points.loss[seen])
    own_D = track.at(np.r_[now, targets])[1]
    ahead = (own_D[1:] - own_D[0]) / level
    for place, donor in enumerate(donors):
        share = donor.total_steps / total
        at = np.minimum(np.r_[now, targets] * share, donor.total_steps)
        ln_loss, its_D = donor.ln_loss(at), donor.track.at(at)[1]
        annealed = (its_D[1:] - its_D[0]) / np.exp(ln_loss[0])
        plain = ln_loss[1:] - ln_loss[0] + gain.mean * annealed
        stretch, doubt = _stretch(donor.ln_loss(step * share), y)
        other = gain.sd * abs(float(annealed[-1] - ahead[-1]))
        spread = abs(float(plain[-1]))
        found[f"ratio:{place}"] = Guess(here + plain - gain.mean * ahead, float(np.hypot(other, _STRETCH * spread)))
        found[f"template:{place}"] = Guess(
            here + stretch * plain - gain.mean * ahead, float(np.hypot(other, doubt * spread))
        )
    return found


def _stretch(template: Floats, y: Floats) -> tuple[float, float]:
    """Slope of one curve over the other, with its prior about 1, and its standard deviation."""
    off, own = template - template.mean(), y - y.mean()
    free = float((off * own).mean() / max(float((off**2).mean()), 1e-12))
    noise = max(_TEMPLATE_NOISE, float(np.sqrt(((own - free * off) ** 2).mean())))
    trust = min(len(y), _TEMPLATE_POINTS) / noise**2
    precision = float((off**2).mean()) * trust + 1 / _STRETCH**2
    return (float((off * own).mean()) * trust + 1 / _STRETCH**2) / precision, precision**-0.5
