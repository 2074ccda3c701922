"""Loss as a power of the budget above a floor, along one way of spending it.

    L(C) = L_inf + (C / C_0)^-alpha

Source: Dey et al. 2023 (Cerebras-GPT, arXiv 2304.03208), eq. 1, at 20 tokens a parameter. A covariance is of
K = C_0^alpha, with which L(C) = L_inf + K C^-alpha: K and alpha are less tied to each other than C_0 and alpha.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scaleplan.ops import Real, log, power, where


class ComputeTrend(NamedTuple):
    """L_inf [loss], C_0 [FLOP], alpha [1]."""

    L_inf: float
    C_0: float
    alpha: float

    units = (("C_0", "FLOP"), ("alpha", "1"))
    equation = "L(C) = L_inf + (C / C_0)^-alpha"
    symbols = "C training FLOPs; L_inf the loss that remains; C_0 scale, alpha slope"
    latex = r"L(C) = L_\infty + \left(\frac{C}{C_0}\right)^{-\alpha}"
    in_loss_units = ("L_inf",)
    covariance_of = ("ln_K", "ln_L_inf", "alpha")

    def loss(self, train_flop: Real) -> Real:
        """L(C)."""
        return self.L_inf + power(train_flop / self.C_0, -self.alpha)

    def gradient(self, train_flop: Real) -> tuple[Real]:
        """(dL/dC,)."""
        return (-self.alpha * power(train_flop / self.C_0, -self.alpha) / train_flop,)

    def log_loss_sensitivity(self, train_flop: Real) -> tuple[Real, ...]:
        """d ln L / d ``covariance_of`` at C."""
        above = power(train_flop / self.C_0, -self.alpha)
        loss = self.L_inf + above
        return above / loss, self.L_inf / loss, -above * log(train_flop) / loss

    def flop_for_loss(self, loss: Real) -> Real:
        """C at which the loss is ``loss``; infinite at or below the floor."""
        gap = loss - self.L_inf
        return where(gap > 0, self.C_0 * power(where(gap > 0, gap, 1.0), -1 / self.alpha), math.inf)
