"""Quantiles of Student's t for whole degrees of freedom, without importing scipy.

scipy.special.stdtrit gives the same numbers, but importing it costs more processor time than everything else
that planning one budget does (docs/decisions/0004). The distribution function is the
finite series of Abramowitz & Stegun 26.7.3 and 26.7.4, its inverse is found by Newton and is exact to
rounding; beyond 1,000 degrees of freedom, where the series is long, their expansion 26.7.5 around the normal
quantile is exact to 1e-9. A test holds both to scipy's.
"""

from __future__ import annotations

import math
from functools import cache

_EXPANSION_FROM = 1000


def two_sided_coverage(t: float, dof: int) -> float:
    """P(|T| < t) for T of Student's t with ``dof`` degrees of freedom (A&S 26.7.3, 26.7.4)."""
    theta = math.atan(t / math.sqrt(dof))
    cos2 = math.cos(theta) ** 2
    odd = dof % 2
    term = math.cos(theta) if odd else 1.0
    series = 0.0
    for k in range(1 + odd, dof, 2):
        series += term
        term *= cos2 * k / (k + 1)
    if odd:
        return 2 / math.pi * (theta + math.sin(theta) * series)
    return math.sin(theta) * series


@cache
def two_sided_quantile(level: float, dof: int) -> float:
    """The t with P(|T| < t) = ``level``.

    Args:
        level: coverage, in (0, 1).
        dof: degrees of freedom, at least 1.
    """
    if dof > _EXPANSION_FROM:
        return _expansion(level, dof)
    # The coverage is concave in t > 0, so Newton's steps from zero rise to the root and never pass it.
    height = 2 * math.exp(math.lgamma((dof + 1) / 2) - math.lgamma(dof / 2)) / math.sqrt(dof * math.pi)
    t = 0.0
    while True:
        density = height * (1 + t * t / dof) ** (-(dof + 1) / 2)
        further = t + (level - two_sided_coverage(t, dof)) / density
        if further <= t * (1 + 1e-15):
            return further
        t = further


def _expansion(level: float, dof: int) -> float:
    from statistics import NormalDist

    z = NormalDist().inv_cdf((1 + level) / 2)
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / dof + second / dof**2 + third / dof**3
