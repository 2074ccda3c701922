"""Joint law of parameters and dataset size, Kaplan et al. 2020 (arXiv 2001.08361), eq. 1.5 and table 2.

    L(N, D) = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D

N leaves embeddings out. Inside the bracket it is additive, so its optimum under C = 6ND has a closed form.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scaleplan.laws.form import Optimum
from scaleplan.ops import Real, exp, log, power, where


class KaplanJointNd(NamedTuple):
    """L(N, D): N_c [parameters], D_c [tokens], alpha_N, alpha_D [1].

    In the paper D is the size of a dataset trained on with early stopping; used for a single pass it is a
    reading of ours, and the only form of the paper that ranks sizes at equal compute on one surface.
    """

    N_c: float
    D_c: float
    alpha_N: float
    alpha_D: float

    units = (("N_c", "parameters"), ("D_c", "tokens"), ("alpha_N", "1"), ("alpha_D", "1"))
    equation = "L(N, D) = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D"
    symbols = "N parameters outside embeddings, D tokens of the dataset; N_c, D_c scales, alpha_N, alpha_D slopes"
    latex = r"L(N, D) = \left[\left(\frac{N_c}{N}\right)^{\alpha_N/\alpha_D} + \frac{D_c}{D}\right]^{\alpha_D}"
    covariance_of = ("ln_N_c", "ln_D_c", "alpha_N", "alpha_D")
    floor = 0.0

    def loss(self, params: Real, tokens: Real) -> Real:
        """L(N, D)."""
        return power(self._u(params) + self.D_c / tokens, self.alpha_D)

    def gradient(self, params: Real, tokens: Real) -> tuple[Real, Real]:
        """(dL/dN, dL/dD)."""
        u, w = self._u(params), self.D_c / tokens
        outer = self.alpha_D * power(u + w, self.alpha_D - 1)
        return -outer * u * self.alpha_N / (self.alpha_D * params), -outer * w / tokens

    def optimum(self, train_flop: Real) -> Optimum:
        """Least L(N, D) on C = 6ND, N without embeddings: with s = alpha_N/alpha_D, s (N_c/N)^s = D_c/D."""
        s = self.alpha_N / self.alpha_D
        params = exp(self._ln_g() + log(train_flop / 6) / (1 + s))
        tokens = train_flop / (6 * params)
        return Optimum(params, tokens, self.loss(params, tokens))

    def flop_for_loss(self, loss: Real) -> Real:
        """Least C = 6ND, N without embeddings, that reaches ``loss``."""
        s = self.alpha_N / self.alpha_D
        share = power(loss, 1 / self.alpha_D) / (1 + s)
        return 6 * self.N_c * power(share, -1 / s) * self.D_c / (s * share)

    def tokens_for_loss(self, params: Real, loss: Real) -> Real:
        """D with L(N, D) = ``loss``; infinite where N alone does not allow it."""
        gap = power(loss, 1 / self.alpha_D) - self._u(params)
        return where(gap > 0, self.D_c / where(gap > 0, gap, 1.0), math.inf)

    def params_for_loss(self, tokens: Real, loss: Real) -> Real:
        """N with L(N, D) = ``loss``; infinite where D alone does not allow it."""
        gap = power(loss, 1 / self.alpha_D) - self.D_c / tokens
        safe = where(gap > 0, gap, 1.0)
        return where(gap > 0, self.N_c * power(safe, -self.alpha_D / self.alpha_N), math.inf)

    def log_loss_sensitivity(self, params: Real, tokens: Real) -> tuple[Real, ...]:
        """d ln L / d ``covariance_of`` at (N, D). At an optimum this is also that of ln L* (envelope)."""
        u, w = self._u(params), self.D_c / tokens
        share = u / (u + w)
        away = log(self.N_c / params)
        return (
            self.alpha_N * share,
            self.alpha_D * (1 - share),
            share * away,
            log(u + w) - self.alpha_N / self.alpha_D * share * away,
        )

    def log_params_sensitivity(self, params: Real, tokens: Real) -> tuple[Real, ...]:
        """d ln N* / d ``covariance_of`` at the optimum (N*, D*); that of ln D* is its negative.

        With s = alpha_N / alpha_D, ln N* = (ln(s / D_c) + s ln N_c + ln(C / 6)) / (1 + s).
        """
        del tokens
        s = self.alpha_N / self.alpha_D
        by_s = (1 / s + log(self.N_c / params)) / (1 + s)
        return s / (1 + s), -1 / (1 + s), by_s / self.alpha_D, -by_s * s / self.alpha_D

    def _u(self, params: Real) -> Real:
        return power(self.N_c / params, self.alpha_N / self.alpha_D)

    def _ln_g(self) -> Real:
        s = self.alpha_N / self.alpha_D
        return (log(s / self.D_c) + s * log(self.N_c)) / (1 + s)
