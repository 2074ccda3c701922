"""The constants of a fit with their intervals.

By the delta method, t times the standard error on the scale that was fitted: a parameter ``ln_X`` gives X, with ends
that X cannot fall below zero by. By the percentiles of a bootstrap where there was one. By the profile likelihood where
a bound is near, from which the delta method's ends would lead beyond any loss.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.errors import ConvergenceError
from scaleplan.fitting.profile import profile_interval
from scaleplan.fitting.solution import AT_BOUND
from scaleplan.laws.student import two_sided_coverage, two_sided_quantile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from scaleplan.fitting.bootstrap import Bootstrap
    from scaleplan.fitting.settings import Settings
    from scaleplan.fitting.solution import Fit

    Floats = NDArray[np.float64]

_LOOSE = 0.3
"""Our choice: where the logarithm of E is so unsure, the delta method's upper end of E lies above measured losses."""
_SURE = 1 - 1e-12
"""Our choice: the highest level of a profile; quantiles beyond it are lost to rounding."""


class FittedConstant(NamedTuple):
    """A constant of the law's form, with the ends of its interval; ``None`` where there is none."""

    symbol: str
    value: float
    low: float | None
    high: float | None


def fitted_constants(
    fit: Fit, covariance: Floats, settings: Settings, kappa: float, drawn: Bootstrap | None = None
) -> tuple[FittedConstant, ...]:
    """The constants of a fit, by its own parameters; ``kappa`` widens the intervals of a forecast band."""
    wide = two_sided_quantile(settings.level, fit.dof) * _times(settings, kappa)
    out: list[FittedConstant] = []
    errors = covariance.diagonal() ** 0.5
    profiled = needs_profile(fit, settings)
    # The profile is followed further, not stretched: from an E that fell to nothing it would go beyond any loss.
    level = min(two_sided_coverage(wide, fit.dof), _SURE)
    for place, (name, value, error) in enumerate(
        zip(fit.form.parameters, fit.theta.tolist(), errors.tolist(), strict=True)
    ):
        ends: tuple[float | None, float | None] = (value - wide * error, value + wide * error)
        if drawn is not None:
            low, high = (float(each[place]) for each in drawn.interval(settings.level))
            times = _times(settings, kappa)
            ends = value + times * (low - value), value + times * (high - value)
        elif profiled:
            ends = _profiled(fit, place, level)
        if name.startswith("ln_"):
            out.append(FittedConstant(name[3:], math.exp(value), *(None if x is None else _exp(x) for x in ends)))
        else:
            out.append(FittedConstant(name, value, *ends))
    return tuple(out)


def _profiled(fit: Fit, place: int, level: float) -> tuple[float | None, float | None]:
    """The profile's ends of one parameter; none where the profile cannot be followed."""
    try:
        return profile_interval(fit, lambda theta: theta[place], level)
    except ConvergenceError:
        return None, None


def params_exponent(fit: Fit, covariance: Floats, settings: Settings, kappa: float) -> FittedConstant | None:
    """beta / (alpha + beta), where the form has both; of tied exponents it is a half, whatever the runs say."""
    values = fit.values()
    if "alpha" not in values or "beta" not in values:
        return None
    total = values["alpha"] + values["beta"]
    slope = [{"alpha": -values["beta"], "beta": values["alpha"]}.get(name, 0.0) / total**2 for name in values]
    variance = sum(x * y * float(covariance[i, j]) for i, x in enumerate(slope) for j, y in enumerate(slope))
    error = math.sqrt(max(variance, 0.0))
    half = two_sided_quantile(settings.level, fit.dof) * _times(settings, kappa) * error
    a = values["beta"] / total
    return FittedConstant("a", a, a - half, a + half)


def _times(settings: Settings, kappa: float) -> float:
    """What standard errors of constants are multiplied by: kappa, at least one, in a forecast band; else one."""
    return max(1.0, kappa) if settings.band == "forecast" else 1.0


def needs_profile(fit: Fit, settings: Settings) -> bool:
    """Whether the delta method's ends of the constants do not hold: a bound is near, and nothing else steadies them."""
    if settings.resamples or fit.prior or fit.form.steadying(fit.runs):
        return False
    errors = dict(zip(fit.form.parameters, fit.standard_errors().tolist(), strict=True))
    return fit.status == AT_BOUND or max(errors.get("ln_E", 0.0), errors.get("ln_L_inf", 0.0)) > _LOOSE


def _exp(x: float) -> float | None:
    """The end of X by that of ln X; none where it is beyond any number."""
    return math.exp(x) if x < 700 else None
