"""Where a fitted form and its runs part: single rows, ends of the range, bends, noise.

A check returns what is wrong as the text of a notice, or an empty string. ``z`` are standardised residuals
ln Lhat - ln L, ``scale`` their standard deviation by Huber's proposal 2.
"""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from scaleplan.fitting.diagnostic_statistics import CLIP, f_deviate, size_trend
from scaleplan.fitting.row_diagnostics import replicate_noise, rows_named
from scaleplan.laws.student import two_sided_quantile

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.diagnostic_statistics import Misfit
    from scaleplan.fitting.solution import Fit

    Floats = NDArray[np.float64]

_FAR, _CHANCE = 4.0, 0.01
"""An outlier is four standard deviations off, and so far that one clean table of its length in a hundred holds one."""
_BITS = math.log(1 / math.log(2))
"""A loss in bits is 1.443 times that in nats."""
_REGIME, _REGIME_ERRORS, _REGIME_RUNS = 0.02, 4.0, 3
"""An end of the range whose median is 2 % off, twice the noise of good tables (0.3 to 1 %), and four standard errors;
three runs are the fewest with a median of their own."""
_MISFIT, _DEVIATE = 0.005, NormalDist().inv_cdf(0.999)
"""A smooth misfit of 0.5 % root mean square, at one in a thousand; Hoffmann's digitised runs have 0.3 % by the colour
scale they were read from, Gadre's 0.9 to 1.5 %."""
_NOISY = 0.03
"""Grids and families of one code base scatter by 0.2 to 2 % around their law, seeds by 0.3 to 0.7 %."""
_UNEVEN, _UNEVEN_T = 2.0, 4.0
"""With noise twice as large at one end rows that count alike tell a seventh less (E s^2 E s^-2 = 7 / 6); t = 4 is one
in ten thousand."""


def outliers(fit: Fit, z: Floats, scale: float) -> str:
    """Rows that the noise of the others does not explain, farthest first."""
    n = len(z)
    tail = _CHANCE / n
    far = two_sided_quantile(1 - tail, fit.dof) if fit.dof < 200 else NormalDist().inv_cdf(1 - tail / 2)
    which = np.flatnonzero(np.abs(z) > max(_FAR, far) * scale)
    if len(which) == 0:
        return ""
    which = which[np.argsort(-np.abs(z[which]), kind="stable")]
    parts: list[str] = []
    for place in which[:5].tolist():
        off = math.expm1(-float(fit.residuals[place]))
        weight = min(1.0, fit.delta / abs(float(fit.residuals[place])))
        parts.append(f"{fit.runs.row_word} {int(fit.runs.row[place])} {off:+.2%} (weight {weight:.2g})")
    more = f" and {len(which) - 5:,} more" if len(which) > 5 else ""
    bits = int(np.sum(np.abs(fit.residuals[which] + _BITS) < 0.1 * _BITS))
    hint = f"; {bits} of them are 1.44 times the law, as losses in bits are" if 2 * bits > len(which) else ""
    full = ", which least squares weighs in full" if math.isinf(fit.delta) else ""
    return (
        f"losses off the law by more than {max(_FAR, far):.2g} standard deviations of {scale:.2%}{full}: "
        f"{', '.join(parts)}{more}{hint}; check these runs, and leave them out with --where if they went wrong"
    )


def regime_break(fit: Fit, scale: float) -> str:
    """The lowest and the highest tokens per parameter, where the losses there lie off the law together."""
    runs = fit.runs
    ratio = np.log10(runs.tokens / runs.params)
    parts: list[str] = []
    for end in (1.0, -1.0):
        along = end * ratio
        # Quarter decades from this end: a law pulled towards far losses lies off the other way right beside them.
        band = np.floor((along - along.min()) * 4)
        flagged = np.zeros(len(band), dtype=bool)
        taken, sign = np.zeros(len(band), dtype=bool), 0.0
        for number in range(int(band.max()) + 1):
            taken |= band == number
            count = len(np.unique(runs.run[taken])) if runs.clustered else int(np.count_nonzero(taken))
            if count < _REGIME_RUNS:
                continue
            median = -float(np.median(fit.residuals[taken]))
            # The median of m normal values has 1.25 times the standard error of their mean.
            least = max(_REGIME, _REGIME_ERRORS * 1.25 * scale / math.sqrt(count))
            if abs(median) <= least or sign * median < 0 or taken.all():
                break
            flagged |= taken
            sign = median
            taken = np.zeros(len(band), dtype=bool)
        if flagged.any():
            off = math.expm1(-float(np.median(fit.residuals[flagged])))
            limit = 10 ** float(end * along[flagged].max())
            side = "below" if end > 0 else "above"
            parts.append(
                f"at {limit:.3g} tokens per parameter and {side}, losses are {abs(off):.1%} "
                f"{'above' if off > 0 else 'below'} the law ({rows_named(runs, flagged)})"
            )
    if not parts:
        return ""
    return (
        f"{'; '.join(parts)}: the form does not hold there; leave such rows out with --where unless you plan for them"
    )


def misfit(fit: Fit, bend: Misfit | None, scale: float) -> str:
    """A bend that the form does not follow, or more scatter than replicates have."""
    parts: list[str] = []
    if bend is not None and bend.size > _MISFIT and bend.deviate > _DEVIATE:
        parts.append(
            f"the law is off by {bend.size:.2%} (root mean square) in a smooth pattern of size and tokens, "
            f"{math.expm1(bend.cheapest):+.2%} on the cheapest tenth of the runs and {math.expm1(bend.dearest):+.2%} "
            f"on the dearest (+: the law is above the losses)"
        )
    lack = _lack_of_fit(fit, scale)
    if lack is not None:
        parts.append(lack)
    if not parts:
        return ""
    return (
        f"{'; '.join(parts)}, so that intervals from noise alone are too narrow: compare forms with --compare, or "
        f"leave out cheap runs and odd tokens per parameter with --where"
    )


def _lack_of_fit(fit: Fit, scale: float) -> str | None:
    """The classical test: scatter around the fit against that among replicates."""
    noise = replicate_noise(fit.runs)
    if noise is None:
        return None
    pure, dof = noise
    left = fit.runs.count - len(fit.theta) - dof
    if left < 1:
        return None
    variance = max(scale**2 * (left + dof) - pure**2 * dof, 0.0) / left
    excess = math.sqrt(max(variance - pure**2, 0.0))
    if excess <= _MISFIT or f_deviate(variance / max(pure**2, 1e-300), left, dof) <= _DEVIATE:
        return None
    return (
        f"runs scatter by {math.sqrt(variance):.2%} around the law and by {pure:.2%} among replicates ({dof} "
        f"degrees of freedom)"
    )


def noisy(scale: float) -> str:
    """Scatter that one family of runs does not have."""
    if scale <= _NOISY:
        return ""
    return (
        f"losses scatter by {scale:.2%} around the law, more than one family of runs does (0.2 to 2 %), as where "
        f"sweeps, data, tokenisers, units of loss or schedules are mixed: fit one family at a time with --where"
    )


def heteroscedastic(fit: Fit, z: Floats, scale: float) -> str:
    """Noise that grows along compute or along tokens."""
    size = np.minimum(np.abs(z), CLIP * scale)
    trends = [
        (size_trend(size, np.log(values), fit.runs.count), what)
        for values, what in ((fit.runs.train_flop, "compute"), (fit.runs.tokens, "tokens"))
    ]
    trend, what = max(trends, key=lambda each: abs(each[0].t))
    least, most = sorted((trend.low, trend.high))
    if abs(trend.t) <= _UNEVEN_T or most <= _UNEVEN * least:
        return ""
    return (
        f"the typical residual {'grows' if trend.t > 0 else 'falls'} from {trend.low:.2%} to {trend.high:.2%} along "
        f"{what}: give the table a column weight, one over the variance of replicates, so that noisy runs count less"
    )
