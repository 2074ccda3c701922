"""Additive law with repeated data and excess parameters worth less than fresh ones.

    L = E + A / N'^alpha + B / D'^beta
    D' = U_D + U_D R_D* (1 - exp(-R_D / R_D*)),   U_D = min(unique tokens, D),   R_D = D / U_D - 1
    N' = U_N + U_N R_N* (1 - exp(-R_N / R_N*)),   U_N = min(N_opt(U_D), N),      R_N = N / U_N - 1
    N_opt(U_D) = G (U_D G)^(beta/alpha),          G = (alpha A / (beta B))^(1/(alpha+beta))

Source: Muennighoff et al. 2023 (arXiv 2305.16264). Runs in which more epochs raised the loss were left out of its
fit, so that the law never foretells harm.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from scaleplan.ops import Real, any_true, exp, log, lower, power, where
from scaleplan.search import increasing_root


class DataConstrained(NamedTuple):
    """E, A, B [loss], alpha, beta [1]; R_D_star, R_N_star [1]: repeats after which the worth of more has decayed."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float
    R_D_star: float
    R_N_star: float

    units = (("alpha", "1"), ("beta", "1"))
    equation = (
        "L(N, D, U) = E + A / N'^alpha + B / D'^beta;  D' = U_D (1 + R_D* (1 - exp(-R_D / R_D*)));  "
        "N' = U_N (1 + R_N* (1 - exp(-R_N / R_N*)));  U_D = min(U, D), R_D = D / U_D - 1;  "
        "U_N = min(N_opt(U_D), N), R_N = N / U_N - 1"
    )
    symbols = (
        "N parameters, D tokens processed, U unique tokens; D', N' what they are worth; E, A, B, alpha, beta as in "
        "the additive law; R_D*, R_N* repeats and excess after which more is worth little"
    )
    latex = (
        r"L = E + \frac{A}{N'^{\alpha}} + \frac{B}{D'^{\beta}},\qquad "
        r"D' = U_D\left(1 + R_D^*\left(1 - e^{-R_D/R_D^*}\right)\right),\qquad "
        r"N' = U_N\left(1 + R_N^*\left(1 - e^{-R_N/R_N^*}\right)\right)"
    )
    in_loss_units = ("E", "A", "B")

    def loss(self, params: Real, tokens: Real, unique_tokens: Real) -> Real:
        """Loss of N parameters trained on D tokens, ``unique_tokens`` of them different."""
        n, d = self.effective_params(params, tokens, unique_tokens), self.effective_tokens(tokens, unique_tokens)
        return self.E + self.A * power(n, -self.alpha) + self.B * power(d, -self.beta)

    def at(self, unique_tokens: Real) -> RepeatedSurface:
        """L(N, D) with ``unique_tokens`` different tokens, which repeat where D is more."""
        return RepeatedSurface(self, unique_tokens)

    def effective_tokens(self, tokens: Real, unique_tokens: Real) -> Real:
        """D': the fresh tokens that D tokens with repeats are worth."""
        used = lower(unique_tokens, tokens)
        return used * self._worth(tokens / used, self.R_D_star)

    def effective_params(self, params: Real, tokens: Real, unique_tokens: Real) -> Real:
        """N': parameters beyond what the unique tokens call for are worth less."""
        used = lower(self.matched_params(lower(unique_tokens, tokens)), params)
        return used * self._worth(params / used, self.R_N_star)

    def matched_params(self, unique_tokens: Real) -> Real:
        """N_opt(U_D): the size for which U_D tokens are compute-optimal."""
        ln_g = log(self.alpha * self.A / (self.beta * self.B)) / (self.alpha + self.beta)
        return exp(ln_g + self.beta / self.alpha * (log(unique_tokens) + ln_g))

    def gradient(self, params: Real, tokens: Real, unique_tokens: Real) -> tuple[Real, Real, Real]:
        """(dL/dN, dL/dD, dL/dU), away from D = U and N = N_opt, where the law has kinks."""
        used = lower(unique_tokens, tokens)
        repeats = tokens / used
        matched = self.matched_params(used)
        base = lower(matched, params)
        excess = params / base
        n, d = base * self._worth(excess, self.R_N_star), used * self._worth(repeats, self.R_D_star)
        by_n = -self.alpha * self.A * power(n, -self.alpha - 1)
        by_d = -self.beta * self.B * power(d, -self.beta - 1)
        fading_n, fading_d = exp((1 - excess) / self.R_N_star), exp((1 - repeats) / self.R_D_star)
        # Only where N is in excess does N' move with the unique tokens, and only one of D and U sets U_D.
        in_excess = where(params.real > matched.real, 1.0, 0.0)
        by_used = by_n * in_excess * (n / base - fading_n * excess) * self.beta / self.alpha * base / used
        repeated = where(tokens.real > unique_tokens.real, 1.0, 0.0)
        by_unique = repeated * (by_d * (d / used - fading_d * repeats) + by_used)
        by_tokens = by_d * where(repeated > 0, fading_d, 1.0) + by_used * (1 - repeated)
        return by_n * where(in_excess > 0, fading_n, 1.0), by_tokens, by_unique

    @staticmethod
    def _worth(times: Real, decay: float) -> Real:
        """What ``times`` uses of one unit are worth, in units."""
        return 1 + decay * (1 - exp((1 - times) / decay))


class RepeatedSurface(NamedTuple):
    """L(N, D) of the law at so many unique tokens; falling in both, to a limit above E where repeats wear out."""

    law: DataConstrained
    unique_tokens: Real

    equation = DataConstrained.equation
    symbols = DataConstrained.symbols
    latex = DataConstrained.latex

    @property
    def floor(self) -> float:
        """E, the loss of an unlimited model on unlimited data of which nothing repeats."""
        return self.law.E

    def loss(self, params: Real, tokens: Real) -> Real:
        """L(N, D) in nats a token."""
        return self.law.loss(params, tokens, self.unique_tokens)

    def tokens_for_loss(self, params: Real, loss: Real) -> Real:
        """D with L(N, D) = ``loss``; infinite where no number of epochs reaches it."""
        law, unique = self.law, self.unique_tokens
        single = law.loss(params, unique, unique)
        # Repeating: N' is that of all unique tokens, and D' = U worth(D / U) is turned around.
        needed = self._inverse(loss - law.E - law.A * power(law.effective_params(params, unique, unique), -law.alpha))
        repeats = -law.R_D_star * _log_left((needed / unique - 1) / law.R_D_star)
        repeating = unique * (1 + repeats)
        # Within an epoch: the additive law where the model is not in excess of its tokens.
        fresh = self._inverse(loss - law.E - law.A * power(params, -law.alpha))
        excess = (params > law.matched_params(fresh)) & (single < loss)
        if any_true(excess):
            fresh = where(excess, self._tokens_in_excess(params, loss, excess), fresh)
        return where(single > loss, repeating, fresh)

    def params_for_loss(self, tokens: Real, loss: Real) -> Real:
        """N with L(N, D) = ``loss``; infinite where no size reaches it."""
        law = self.law
        gap = loss - law.E - law.B * power(law.effective_tokens(tokens, self.unique_tokens), -law.beta)
        needed = where(gap > 0, power(law.A / where(gap > 0, gap, 1.0), 1 / law.alpha), math.inf)
        base = law.matched_params(lower(self.unique_tokens, tokens))
        excess = -law.R_N_star * _log_left((needed / base - 1) / law.R_N_star)
        return where(needed > base, base * (1 + excess), needed)

    def _inverse(self, gap: Real) -> Real:
        law = self.law
        return where(gap > 0, power(law.B / where(gap > 0, gap, 1.0), 1 / law.beta), math.inf)

    def _tokens_in_excess(self, params: Real, loss: Real, excess: Any) -> Real:
        """D below the unique tokens where N' grows with D too: by bisection, from D' of N itself up to U."""
        # A little above the unique tokens, so that what is not in excess has its root inside too.
        top = log(self.unique_tokens + 0.0 * loss + 0.0 * params) + _ABOVE
        safe = where(excess, loss, self.loss(params, exp(top)))

        def surplus(ln_tokens: Real) -> Real:
            return safe - self.loss(params, exp(ln_tokens))

        return exp(increasing_root(surplus, top - _LN_RANGE, top))


_ABOVE = 1e-12
_LN_RANGE = 60.0
"""Our choice: fewer than one token of any number of them."""


def _log_left(share: Real) -> Real:
    """ln(1 - ``share``), minus infinity from 1 on."""
    left = 1 - share
    return where(left > 0, log(where(left > 0, left, 1.0)), -math.inf)
