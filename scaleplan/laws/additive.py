"""Additive law of parameters and tokens, with its optimum in closed form.

    L(N, D) = E + A N^-alpha + B D^-beta                         (Hoffmann et al. 2022, eq. 2)

Under C = 6ND the optimum is (their eq. 4)

    N* = G (C/6)^a,  D* = (C/6)^b / G,  G = (alpha A / (beta B))^(1/(alpha+beta)),
    a = beta/(alpha+beta),  b = alpha/(alpha+beta),

and along it alpha A N*^-alpha = beta B D*^-beta, so that L* = E + K C^-g with g = alpha beta/(alpha+beta)
(derived here). Source: arXiv 2203.15556, sec. 3.3 and app. D.3.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scaleplan.laws.form import Optimum
from scaleplan.ops import Real, exp, log, where


class Additive(NamedTuple):
    """E [loss], A and B [loss], alpha and beta [1] of the additive law."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    units = (("alpha", "1"), ("beta", "1"))
    equation = "L(N, D) = E + A / N^alpha + B / D^beta"
    symbols = (
        "N parameters, D training tokens; E the loss that remains at any size; A, alpha: what size takes off; B, "
        "beta: what data takes off"
    )
    latex = r"L(N, D) = E + \frac{A}{N^{\alpha}} + \frac{B}{D^{\beta}}"
    in_loss_units = ("E", "A", "B")
    covariance_of = ("ln_A", "ln_B", "ln_E", "alpha", "beta")

    @property
    def floor(self) -> float:
        """E, the loss of an unlimited model on unlimited data."""
        return self.E

    @property
    def params_exponent(self) -> float:
        """a in N* ~ C^a."""
        return self.beta / (self.alpha + self.beta)

    @property
    def loss_exponent(self) -> float:
        """g in L* - E ~ C^-g."""
        return self.alpha * self.beta / (self.alpha + self.beta)

    def loss(self, params: Real, tokens: Real) -> Real:
        """L(N, D) in nats a token."""
        return self.E + self.A * exp(-self.alpha * log(params)) + self.B * exp(-self.beta * log(tokens))

    def gradient(self, params: Real, tokens: Real) -> tuple[Real, Real]:
        """(dL/dN, dL/dD)."""
        u, w = self._terms(params, tokens)
        return -self.alpha * u / params, -self.beta * w / tokens

    def optimum(self, train_flop: Real) -> Optimum:
        """N*, D* and L* of a budget counted as C = 6ND, in closed form."""
        ln_g, a, g = self._ln_g(), self.params_exponent, self.loss_exponent
        x = log(train_flop / 6)
        params = exp(ln_g + a * x)
        loss = self.E + exp(self._ln_k() - g * x)
        return Optimum(params, train_flop / (6 * params), loss)

    def flop_for_loss(self, loss: Real) -> Real:
        """Least C = 6ND that reaches ``loss``: the inverse of L*(C); infinite at or below E."""
        above = loss > self.E
        gap = where(above, loss - self.E, 1.0)
        return where(above, 6 * exp((self._ln_k() - log(gap)) / self.loss_exponent), math.inf)

    def tokens_for_loss(self, params: Real, loss: Real) -> Real:
        """D with L(N, D) = ``loss``; infinite where E + A N^-alpha alone is not below it."""
        return self._inverse(loss - self.E - self.A * exp(-self.alpha * log(params)), self.B, self.beta)

    def tokens_for_params(self, params: Real) -> Real:
        """D for which N = ``params`` is compute-optimal: alpha A N^-alpha = beta B D^-beta."""
        return exp((log(self.beta * self.B / (self.alpha * self.A)) + self.alpha * log(params)) / self.beta)

    def params_for_loss(self, tokens: Real, loss: Real) -> Real:
        """N with L(N, D) = ``loss``; infinite where E + B D^-beta alone is not below it."""
        return self._inverse(loss - self.E - self.B * exp(-self.beta * log(tokens)), self.A, self.alpha)

    def log_loss_sensitivity(self, params: Real, tokens: Real) -> tuple[Real, ...]:
        """d ln L / d ``covariance_of`` at (N, D). At an optimum this is also that of ln L* (envelope)."""
        u, w = self._terms(params, tokens)
        loss = self.E + u + w
        return u / loss, w / loss, self.E / loss, -u * log(params) / loss, -w * log(tokens) / loss

    def log_params_sensitivity(self, params: Real, tokens: Real) -> tuple[Real, ...]:
        """d ln N* / d ``covariance_of`` at the optimum (N*, D*); that of ln D* is its negative."""
        total = self.alpha + self.beta
        by_alpha = (1 / self.alpha - log(params)) / total
        by_beta = (log(tokens) - 1 / self.beta) / total
        return 1 / total, -1 / total, 0.0, by_alpha, by_beta

    def _terms(self, params: Real, tokens: Real) -> tuple[Real, Real]:
        return self.A * exp(-self.alpha * log(params)), self.B * exp(-self.beta * log(tokens))

    def _ln_g(self) -> Real:
        return log(self.alpha * self.A / (self.beta * self.B)) / (self.alpha + self.beta)

    def _ln_k(self) -> Real:
        """ln of the reducible loss at C = 6, where x = ln(C/6) is zero: A G^-alpha + B G^beta."""
        ln_g = self._ln_g()
        return log(self.A * exp(-self.alpha * ln_g) + self.B * exp(self.beta * ln_g))

    @staticmethod
    def _inverse(gap: Real, scale: float, exponent: float) -> Real:
        possible = gap > 0
        return where(possible, exp(log(scale / where(possible, gap, 1.0)) / exponent), math.inf)
