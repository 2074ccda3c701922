"""Separable allocation rule: parameters as a power of the budget, tokens from C = 6ND.

    N*(C) = k C^a,   D*(C) = C / (6 N*)

Source: Hoffmann et al. 2022 (arXiv 2203.15556), sec. 3.1 and 3.2, table 2 (exponents); the paper prints no
prefactor, so each preset says where its own comes from.
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.ops import Real, exp, log


class PowerRule(NamedTuple):
    """k [parameters / FLOP^a] and a [1] of N* = k C^a."""

    k: float
    a: float

    units = (("k", "parameters/FLOP^a"), ("a", "1"))
    covariance_of = ("ln_k", "a")
    equation = "N*(C) = k C^a;  D*(C) = C / (6 N*)"
    symbols = "N* best size, D* its tokens, C training FLOPs; k prefactor, a exponent"
    latex = r"N^*(C) = k\,C^{a},\qquad D^*(C) = \frac{C}{6\,N^*}"

    def params(self, train_flop: Real) -> Real:
        """N*(C)."""
        return self.k * exp(self.a * log(train_flop))

    def flop_for_params(self, params: Real) -> Real:
        """C at which N*(C) = ``params``."""
        return exp(log(params / self.k) / self.a)

    def log_params_sensitivity(self, train_flop: Real) -> tuple[Real, ...]:
        """d ln N* / d ``covariance_of`` at C; that of ln D* is its negative."""
        return 1.0, log(train_flop)

    def tokens(self, train_flop: Real) -> Real:
        """D*(C) = C / (6 N*)."""
        return train_flop / (6 * self.params(train_flop))
