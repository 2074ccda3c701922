"""The multi-power law: a power of the summed learning rate, less what its falls bring.

    L(t) = L0 + A (S1(t) + S_W)^-alpha - B D(t)
    D(t) = sum_{k=1..t} (eta_{k-1} - eta_k) G(eta_k^-gamma S_k(t)),   G(x) = 1 - (C x + 1)^-beta

Luo et al. 2025, arXiv 2503.12811, eq. 1 and 2, as their repository (thu-yao-01-luo/MultiPowerLaw) computes it: S1 + S_W
is the sum of the learning rate from step 1 of warm-up on, and D has the rise of warm-up in it; without that,
predictions with their constants are 3 to 6 % low. L is in nats a token, t in steps, S in lr x steps. A schedule that
does not rise from 0 has no rise in D, which moves L0 by about B times the peak: constants hold for schedules that both
have their warm-up, or both not.

In another unit of the learning rate, eta' = c eta, the same law has A' = A c^alpha, B' = B / c, C' = C c^(gamma - 1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scaleplan.errors import UsageError
from scaleplan.forecasting.lr_drops import drop_term, lr_sum
from scaleplan.forecasting.schedules import Schedule

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiPower:
    """Constants of one model: ``L0`` [nats/token], ``A``, ``alpha``, ``B``; ``C``, ``beta``, ``gamma`` of the drop."""

    L0: float
    A: float
    alpha: float
    B: float
    C: float
    beta: float
    gamma: float

    def predict(self, schedule: Schedule, steps: ArrayLike) -> Floats:
        """Losses [nats/token] at steps of a run, within 1e-4 of the sum over all steps at published constants.

        Raises:
            UsageError: steps outside of the run, or at which the learning rate was 0 all along, as at step 0.
        """
        at = np.atleast_1d(np.asarray(steps, dtype=np.float64))
        fallen = self.B * drop_term(schedule, at, self.C, self.beta, self.gamma)
        return self.L0 + self.A * learned(schedule, at) ** -self.alpha - fallen


def learned(schedule: Schedule, steps: Floats) -> Floats:
    """S1 + S_W at steps, above 0.

    Raises:
        UsageError: steps outside of the run, or with nothing learned before them.
    """
    sums = lr_sum(schedule, steps)
    none = ~(sums > 0)
    if none.any():
        raise UsageError(
            f"schedule {schedule.name}: at step {steps[none][0]:g} no step was taken at a learning rate above 0; "
            "the multi-power law has a loss after that only"
        )
    return sums


_NAMES = ("L0", "A", "alpha", "B", "C", "beta", "gamma")
_PARAMS = {
    "25M": (3.04045406, 0.52468604, 0.50786857, 363.78751622, 2.06560812, 0.58279013, 0.64142257),
    "100M": (2.6514477, 0.60115152, 0.45295811, 437.9464276, 2.13245612, 0.59785199, 0.65523644),
    "400M": (2.37474466, 0.65421216, 0.42878731, 523.42464371, 2.02462735, 0.59350493, 0.63472457),
}
PUBLISHED = {model: MultiPower(**dict(zip(_NAMES, values, strict=True))) for model, values in _PARAMS.items()}
"""By model, for a peak of 3e-4 after 2,160 steps of warm-up: PARAMS in src/config.py of thu-yao-01-luo/MultiPowerLaw.
Its README has them to three digits, which cost up to a tenth of the accuracy."""
