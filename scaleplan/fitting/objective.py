"""What a fit minimises.

    F(theta) = sum_i c_i rho_delta(r_i) + 1/2 (theta - m)' P (theta - m),   r_i = ln Lhat_i - ln L_i

rho is Huber's loss: r^2/2 up to delta, delta (|r| - delta/2) beyond it. Three choices of delta:

- ``huber`` (the default): 1.345 robust standard deviations of the residuals. Huber's constant loses 5 % of least
  squares' efficiency on Gaussian noise (Huber 1981); the standard deviation is 1.4826 times the median of |r|.
- ``hoffmann``: 1e-3, that of Hoffmann et al. 2022 (arXiv 2203.15556, sec. 3.3), for reproduction. Where the noise is
  larger than that it weighs residuals by their signs alone.
- ``mse``: infinite, least squares of ln L.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HOFFMANN_DELTA = 1e-3
HUBER_CONSTANT = 1.345
MAD_TO_SD = 1.4826
"""1 / the upper quartile of the standard normal distribution."""
LEAST_DELTA = 1e-9
"""Our choice: residuals that a table's digits can still hold; keeps exact data from a threshold of zero."""


class Objective(Enum):
    """How residuals are weighed."""

    HUBER = "huber"
    HOFFMANN = "hoffmann"
    MSE = "mse"


@dataclass(frozen=True, slots=True, eq=False)
class Penalty:
    """A quadratic penalty, in units of the objective: ``precision`` (k, k) around ``centre`` (k,).

    The centre may be (B, k): one for each of B problems.
    """

    centre: Floats
    precision: Floats

    def value(self, theta: Floats) -> Floats:
        """The penalty of each of the ``theta`` (B, k)."""
        away = theta - self.centre
        return 0.5 * np.einsum("bi,ij,bj->b", away, self.precision, away)

    def gradient(self, theta: Floats) -> Floats:
        """Its gradient (B, k)."""
        return (theta - self.centre) @ self.precision

    def of(self, problems: NDArray[np.int64]) -> Penalty:
        """That of some of the problems, by their indices."""
        return self if self.centre.ndim == 1 else Penalty(self.centre[problems], self.precision)


def robust_sd(residuals: Floats, weight: Floats | None = None) -> float:
    """1.4826 times the (weighted) median of the absolute residuals."""
    size = np.abs(residuals)
    if weight is None:
        return MAD_TO_SD * float(np.median(size))
    order = np.argsort(size)
    total = np.cumsum(weight[order])
    low, high = np.searchsorted(total, [total[-1] / 2, np.nextafter(total[-1] / 2, np.inf)])
    return MAD_TO_SD * float(size[order][low] + size[order][min(high, len(order) - 1)]) / 2


def adaptive_delta(residuals: Floats, weight: Floats) -> float:
    """The threshold of the adaptive Huber loss."""
    return max(HUBER_CONSTANT * robust_sd(residuals, weight), LEAST_DELTA)


def unbounded(delta: float | Floats) -> bool:
    """Whether there is no threshold: least squares."""
    return isinstance(delta, float) and math.isinf(delta)


def huber(residuals: Floats, delta: float | Floats) -> Floats:
    """rho_delta of each residual; ``delta`` may be one for each."""
    if unbounded(delta):
        return 0.5 * residuals * residuals
    size = np.abs(residuals)
    inner = np.minimum(size, delta)
    return inner * (size - 0.5 * inner)


def influence(residuals: Floats, delta: float | Floats) -> Floats:
    """psi, the derivative of rho: the residual, clipped to delta."""
    return residuals if unbounded(delta) else np.clip(residuals, -delta, delta)
