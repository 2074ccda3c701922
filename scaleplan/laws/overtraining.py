"""Loss by compute and tokens a parameter, for runs trained beyond the optimum.

    L(C, M) = E + (a M^eta + b M^-eta) C^-eta,   M = D / N,   C = 6ND

With C = 6ND the first term is a (6 N^2)^-eta and the second b (6 D^2)^-eta: it is the additive law with
A = a 6^-eta, B = b 6^-eta and alpha = beta = 2 eta (derived here). Source: Gadre et al. 2024 (arXiv 2403.08540).
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.laws.additive import Additive
from scaleplan.ops import Real, power


class Overtraining(NamedTuple):
    """E [loss], a and b [loss FLOP^eta], eta [1]."""

    E: float
    a: float
    b: float
    eta: float

    units = (("eta", "1"),)
    equation = "L(C, M) = E + (a M^eta + b M^-eta) C^-eta;  M = D / N, C = 6ND"
    symbols = (
        "C training FLOPs, M tokens a parameter; E the loss that remains; a what too many tokens cost, b too few, "
        "eta slope"
    )
    latex = r"L(C, M) = E + \left(a\,M^{\eta} + b\,M^{-\eta}\right) C^{-\eta},\qquad M = D / N,\quad C = 6ND"
    in_loss_units = ("E",)
    covariance_of = Additive.covariance_of
    """Those of the additive law that it equals, with alpha and beta moving as one: ``at`` is what plans."""

    def loss(self, train_flop: Real, tokens_per_param: Real) -> Real:
        """L(C, M)."""
        m = power(tokens_per_param, self.eta)
        return self.E + (self.a * m + self.b / m) * power(train_flop, -self.eta)

    def gradient(self, train_flop: Real, tokens_per_param: Real) -> tuple[Real, Real]:
        """(dL/dC, dL/dM)."""
        m, c = power(tokens_per_param, self.eta), power(train_flop, -self.eta)
        by_flop = -self.eta * (self.a * m + self.b / m) * c / train_flop
        return by_flop, self.eta * (self.a * m - self.b / m) * c / tokens_per_param

    def at(self) -> Additive:
        """The same law as L(N, D)."""
        scale = 6.0**-self.eta
        return Additive(E=self.E, A=self.a * scale, B=self.b * scale, alpha=2 * self.eta, beta=2 * self.eta)
