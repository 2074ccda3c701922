"""One factor from a user's own measured steps.

With x_i = ln(measured / estimated) of n steps, the factor is exp(median x). What the next step may differ by comes from
the variance of x, shrunk to that of published sources once each had a factor of its own (0.09, as heavy as 4 steps):

    s^2 = (4 * 0.09^2 + sum (x_i - median)^2) / (4 + n - 1),   spread = exp(1.645 s sqrt(1 + 1 / n)) - 1

so that one measured step already narrows the band, and many steps of one kind do not close it. The next step then takes
between 1 / (1 + spread) and 1 + spread times the corrected estimate in nine of ten cases, as far below as above in the
logarithm. Gelman et al. 2013, Bayesian Data Analysis, sec. 2.6 (variance with a scaled inverse chi-square prior);
prior values: our measurement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.flops import FlopCount, train_flops_per_token
from scaleplan.compute.layout import Layout
from scaleplan.compute.transformer import Transformer
from scaleplan.ops import Real

PRIOR_SPREAD = 0.09
PRIOR_STEPS = 4
USUAL_FACTORS = (0.25, 4.0)
"""Our choice: published steps lie between 0.7 and 2.9 times the estimate; beyond these a unit or a layout is wrong."""
_NORMAL_95 = 1.645


class TimeFactor(NamedTuple):
    """Measured over estimated time, the band around it (a factor of 1 + ``spread`` either way), and how many steps."""

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


def least_seconds(shape: Transformer, layout: Layout, device: Device, sequences: Real) -> Real:
    """Seconds that the FLOPs of a step, with what is computed again, take at the peak of the accelerators."""
    flop = train_flops_per_token(shape, FlopCount.HARDWARE, layout.recompute).value * shape.context * sequences
    return flop / (device.peak * layout.accelerators)


def calibrated(calibration: Calibration, found: TimeFactor) -> Calibration:
    """Constants with a factor; the range is then that of the measured steps, also for mixtures of experts."""
    ends = (1 / (1 + found.spread), 1 + found.spread)
    factor = calibration.time_factor * found.factor
    return calibration._replace(time_factor=factor, error=found.spread, expert_range=ends)
