"""One factor from a user's own measured steps.

With x_i = ln(measured / estimated) of n steps, the factor is exp(median x). What the next step may differ by comes from
the variance of x, shrunk to that of published sources once each had a factor of its own (0.09, as heavy as 4 steps):

    s^2 = (4 * 0.09^2 + sum (x_i - median)^2) / (4 + n - 1),   spread = exp(1.645 s sqrt(1 + 1 / n)) - 1

so that one measured step already narrows the band, and many steps of one kind do not close it. Gelman et al. 2013,
Bayesian Data Analysis, sec. 2.6 (variance with a scaled inverse chi-square prior); prior values: our measurement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from scaleplan.compute.device import Calibration

PRIOR_SPREAD = 0.09
PRIOR_STEPS = 4
_NORMAL_95 = 1.645


class TimeFactor(NamedTuple):
    """Measured over estimated time, how far off (as a fraction) a step then is in nine of ten cases, from how many."""

    factor: float
    spread: float
    steps: int


def time_factor(measured: Sequence[float], estimated: Sequence[float]) -> TimeFactor:
    """The factor of some steps [s], measured and estimated.

    Raises:
        ValueError: no step, unequal lengths, or a time that is not above zero.
    """
    if not measured or len(measured) != len(estimated):
        raise ValueError("a factor needs as many estimated as measured steps, and at least one")
    if min(*measured, *estimated) <= 0:
        raise ValueError("every time must be above zero")
    logs = [math.log(m / e) for m, e in zip(measured, estimated, strict=True)]
    middle, n = median(logs), len(logs)
    squares = sum((x - middle) ** 2 for x in logs)
    s = math.sqrt((PRIOR_STEPS * PRIOR_SPREAD**2 + squares) / (PRIOR_STEPS + n - 1))
    return TimeFactor(math.exp(middle), math.exp(_NORMAL_95 * s * math.sqrt(1 + 1 / n)) - 1, n)


def calibrated(calibration: Calibration, found: TimeFactor) -> Calibration:
    """Constants with a factor; the range is then that of the measured steps, also for mixtures of experts."""
    ends = (1 / (1 + found.spread), 1 + found.spread)
    factor = calibration.time_factor * found.factor
    return calibration._replace(time_factor=factor, error=found.spread, expert_range=ends)
