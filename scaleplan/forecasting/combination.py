"""How far each way of forecasting is trusted: by what it would have said of the past, this run's and finished ones'.

The expected squared error of a way is the mean of its usual one (as four observations), of its errors from four
earlier points of this run to now, and of its errors from the same share of each finished run to its end, plus a quarter
of the variance that the way gives itself (the rest is in those errors). Weights are one over its square, and the
forecast is the weighted median in ln L: one way that went astray does not move it. All of that is our choice, made by
errors on 75 runs of two laboratories from 10 to 90 % of the run, with donors of the same and of other sizes
(docs/decisions/0015).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaleplan.forecasting.annealing import Track
from scaleplan.forecasting.candidates import Donor, Guess, Known, borrowed_gain, forecasts
from scaleplan.forecasting.smoothing import Curve

Floats = NDArray[np.float64]

_SHARES = (0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
_USUAL: Mapping[str, tuple[float, ...]] = {
    "last": (0.15, 0.10, 0.065, 0.035, 0.016, 0.0035),
    "law": (0.009, 0.005, 0.004, 0.0025, 0.002, 0.0015),
    "law+": (0.009, 0.005, 0.004, 0.0025, 0.0015, 0.001),
    "multi": (0.02, 0.012, 0.009, 0.007, 0.004, 0.0025),
    "multi+": (0.02, 0.012, 0.009, 0.007, 0.004, 0.0025),
    "power": (0.06, 0.045, 0.035, 0.025, 0.015, 0.005),
    "recent": (0.012, 0.0065, 0.004, 0.0025, 0.002, 0.0015),
    "recent+": (0.012, 0.0065, 0.004, 0.0025, 0.0015, 0.0012),
    "ratio": (0.04, 0.03, 0.02, 0.009, 0.005, 0.002),
    "template": (0.03, 0.015, 0.011, 0.007, 0.004, 0.002),
}
"""Usual relative error (68th percentile) by way and share of the run seen, measured on healthy runs as above."""
_AS_OBSERVATIONS = 4.0
_OWN_VARIANCE = 0.25
_POWER = 2.0
PAST = (0.4, 0.55, 0.7, 0.85)
"""Shares of what was seen from which the run's own present is forecast."""
LEAST = 8
"""Points below which no forecast is made from an earlier part."""


class Past(NamedTuple):
    """What every way would have said at an earlier step of the loss now, ln L, and what it came to."""

    step: float
    said: Mapping[str, float]
    now: float


class Trust(NamedTuple):
    """A way with the standard deviation of ln L that its past gives it, and its share in the forecast."""

    way: str
    sd: float
    weight: float


def own_past(curve: Curve, track: Track, total: float, donors: Sequence[Donor], known: Known) -> list[Past]:
    """Forecasts of the loss now from earlier parts of the curve, those that hold eight points or more."""
    now, level = curve.last
    found: list[Past] = []
    for share in PAST:
        earlier = curve.up_to(float(curve.step[0] + share * (curve.step[-1] - curve.step[0])))
        if len(earlier.step) >= LEAST and earlier.step[-1] < now:
            said = forecasts(earlier, track, total, np.array([now]), donors, known)
            past = {name: float(guess.values[-1]) for name, guess in said.items()}
            found.append(Past(float(earlier.step[-1]), past, float(np.log(level))))
    return found


def donors_past(share: float, donors: Sequence[Donor]) -> list[Mapping[str, float]]:
    """Errors of ln L at the end of each finished run, by way, from the same share of it and the other donors."""
    found: list[Mapping[str, float]] = []
    for donor in donors:
        others = [each for each in donors if each is not donor]
        seen = donor.curve.up_to(share * donor.total_steps)
        if len(seen.step) < LEAST:
            continue
        known = Known(borrowed_gain(seen, donor.track, others))
        said = forecasts(seen, donor.track, donor.total_steps, np.array([donor.total_steps]), others, known)
        errors: dict[str, list[float]] = {}
        for name, guess in said.items():
            errors.setdefault(_kind(name), []).append(abs(float(guess.values[-1]) - float(np.log(donor.final))))
        found.append({kind: float(np.median(each)) for kind, each in errors.items()})
    return found


def trusted(
    guesses: Mapping[str, Guess], share: float, own: Sequence[Past], of_donors: Sequence[Mapping[str, float]]
) -> list[Trust]:
    """Each way with its expected error and weight.

    Args:
        guesses: what the ways say of the end.
        share: of the run that was seen.
        own: what they would have said before.
        of_donors: their errors on finished runs.
    """
    kinds = [_kind(name) for name in guesses]
    variances: list[float] = []
    for name, kind, guess in zip(guesses, kinds, guesses.values(), strict=True):
        usual = float(np.interp(share, _SHARES, _USUAL[kind]))
        squares = [usual**2] * int(_AS_OBSERVATIONS)
        squares += [(past.said[name] - past.now) ** 2 for past in own if name in past.said]
        squares += [errors[kind] ** 2 for errors in of_donors if kind in errors]
        variances.append(float(np.mean(squares)) + _OWN_VARIANCE * guess.sd**2)
    raw = np.array([variance**-_POWER / kinds.count(kind) for variance, kind in zip(variances, kinds, strict=True)])
    weights = raw / raw.sum()
    return [
        Trust(name, variance**0.5, float(weight))
        for name, variance, weight in zip(guesses, variances, weights, strict=True)
    ]


def combined(values: Floats, trust: Sequence[Trust]) -> tuple[Floats, float]:
    """The forecast of ln L and the standard deviation of its last value.

    Args:
        values: ln L by way and step, shape (ways, steps).
        trust: of each way.
    """
    weights = np.array([each.weight for each in trust])
    middle = np.array([_weighted_median(column, weights) for column in values.T])
    apart = float(weights @ (values[:, -1] - middle[-1]) ** 2)
    expected = float(weights @ np.array([each.sd**2 for each in trust]))
    return middle, (apart + expected) ** 0.5


def _weighted_median(values: Floats, weights: Floats) -> float:
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order]) - weights[order] / 2
    return float(np.interp(0.5, below, values[order]))


def _kind(name: str) -> str:
    return name.partition(":")[0]
