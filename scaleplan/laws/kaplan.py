"""The forms of Kaplan et al. 2020 (arXiv 2001.08361). N and C leave embeddings out; D counts tokens.

    L(N)        = (N_c / N)^alpha_N                                        eq. 1.1, table 5
    L(D)        = (D_c / D)^alpha_D                                        eq. 1.2, table 5
    L(C_min)    = (C_c / C_min)^alpha_C                                    eq. 1.3, table 5
    L(N, D)     = [(N_c/N)^(alpha_N/alpha_D) + D_c/D]^alpha_D              eq. 1.5, table 2
    L(N, S_min) = (N_c / N)^alpha_N + (S_c / S_min)^alpha_S                eq. 1.6, table 3
    B_crit(L)   = B_star / L^(1/alpha_B)                                   eq. 1.4, table 5
    N(C_min)    = N_e C_min^p                                              table 6

Each has its own constants and they do not agree with each other: never mix two of them in one ratio.

C_min is the compute of training far below the critical batch. Training at batch B costs C_min (1 + B/B_crit)
(eq. 5.5), so that training exactly at B_crit costs C = 2 C_min. ``flop_over_min`` names which is meant: 2 for
training at B_crit, 1 for C_min itself. Budgets here are FLOPs; the paper's are PF-days (8.64e19 FLOP).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from scaleplan.laws.form import Optimum
from scaleplan.ops import Real, exp, log, where
from scaleplan.units import FLOP_PER_PF_DAY


def _power(base: Real, exponent: float) -> Real:
    return exp(exponent * log(base))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamsTrend:
    """L(N) on unlimited data: N_c [parameters], alpha_N [1]."""

    N_c: float
    alpha_N: float

    equation: ClassVar[str] = "L(N) = (N_c / N)^alpha_N"

    def loss(self, params: Real) -> Real:
        """Loss of a converged model of N non-embedding parameters."""
        return _power(self.N_c / params, self.alpha_N)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensTrend:
    """L(D) for a large model stopped early on D tokens: D_c [tokens], alpha_D [1]."""

    D_c: float
    alpha_D: float

    equation: ClassVar[str] = "L(D) = (D_c / D)^alpha_D"

    def loss(self, tokens: Real) -> Real:
        """Loss with a dataset of D tokens."""
        return _power(self.D_c / tokens, self.alpha_D)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeTrend:
    """L(C_min) along the frontier: C_c [PF-days], alpha_C [1], and C / C_min of the budgets asked about."""

    C_c: float
    alpha_C: float
    flop_over_min: float

    equation: ClassVar[str] = "L(C_min) = (C_c / C_min)^alpha_C;  C_min = C / flop_over_min"

    def loss(self, train_flop: Real) -> Real:
        """Loss that the best use of C FLOPs reaches."""
        return _power(self.C_c * FLOP_PER_PF_DAY * self.flop_over_min / train_flop, self.alpha_C)

    def flop_for_loss(self, loss: Real) -> Real:
        """C at which the frontier reaches ``loss``."""
        return self.C_c * FLOP_PER_PF_DAY * self.flop_over_min * _power(loss, -1 / self.alpha_C)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """N(C_min): N_e [parameters at one PF-day], p [1], and C / C_min of the budgets asked about."""

    N_e: float
    p: float
    flop_over_min: float

    equation: ClassVar[str] = "N*(C_min) = N_e C_min^p;  C_min = C / flop_over_min in PF-days;  D* = C / (6 N*)"

    def params(self, train_flop: Real) -> Real:
        """N*(C)."""
        return self.N_e * _power(train_flop / (self.flop_over_min * FLOP_PER_PF_DAY), self.p)

    def flop_for_params(self, params: Real) -> Real:
        """C at which N*(C) = ``params``."""
        return self.flop_over_min * FLOP_PER_PF_DAY * _power(params / self.N_e, 1 / self.p)

    def tokens(self, train_flop: Real) -> Real:
        """D*(C) = C / (6 N*), the tokens processed (eq. 6.7)."""
        return train_flop / (6 * self.params(train_flop))


@dataclass(frozen=True, slots=True, kw_only=True)
class JointND:
    """L(N, D): N_c [parameters], D_c [tokens], alpha_N, alpha_D [1].

    In the paper D is the size of a dataset trained on with early stopping; used for a single pass it is a
    reading of ours, and the only form of the paper that ranks sizes at equal compute on one surface.
    """

    N_c: float
    D_c: float
    alpha_N: float
    alpha_D: float

    equation: ClassVar[str] = "L(N, D) = [(N_c / N)^(alpha_N / alpha_D) + D_c / D]^alpha_D"
    floor: ClassVar[float] = 0.0

    def loss(self, params: Real, tokens: Real) -> Real:
        """L(N, D)."""
        return _power(self._u(params) + self.D_c / tokens, self.alpha_D)

    def gradient(self, params: Real, tokens: Real) -> tuple[Real, Real]:
        """(dL/dN, dL/dD)."""
        u, w = self._u(params), self.D_c / tokens
        outer = self.alpha_D * _power(u + w, self.alpha_D - 1)
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
        share = _power(loss, 1 / self.alpha_D) / (1 + s)
        return 6 * self.N_c * _power(share, -1 / s) * self.D_c / (s * share)

    def tokens_for_loss(self, params: Real, loss: Real) -> Real:
        """D with L(N, D) = ``loss``; infinite where N alone does not allow it."""
        gap = _power(loss, 1 / self.alpha_D) - self._u(params)
        return where(gap > 0, self.D_c / where(gap > 0, gap, 1.0), math.inf)

    def params_for_loss(self, tokens: Real, loss: Real) -> Real:
        """N with L(N, D) = ``loss``; infinite where D alone does not allow it."""
        gap = _power(loss, 1 / self.alpha_D) - self.D_c / tokens
        safe = where(gap > 0, gap, 1.0)
        return where(gap > 0, self.N_c * _power(safe, -self.alpha_D / self.alpha_N), math.inf)

    def _u(self, params: Real) -> Real:
        return _power(self.N_c / params, self.alpha_N / self.alpha_D)

    def _ln_g(self) -> float:
        s = self.alpha_N / self.alpha_D
        return (math.log(s / self.D_c) + s * math.log(self.N_c)) / (1 + s)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointNS:
    """L(N, S_min) on unlimited data: N_c [parameters], S_c [steps], alpha_N, alpha_S [1]."""

    N_c: float
    S_c: float
    alpha_N: float
    alpha_S: float

    equation: ClassVar[str] = "L(N, S_min) = (N_c / N)^alpha_N + (S_c / S_min)^alpha_S"

    def loss(self, params: Real, steps: Real) -> Real:
        """Loss after S_min = ``steps`` updates at a batch far above B_crit."""
        return _power(self.N_c / params, self.alpha_N) + _power(self.S_c / steps, self.alpha_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class CriticalBatch:
    """B_crit(L): B_star [tokens], alpha_B [1]."""

    B_star: float
    alpha_B: float

    equation: ClassVar[str] = "B_crit(L) = B_star / L^(1 / alpha_B)"

    def tokens(self, loss: Real) -> Real:
        """Critical batch size in tokens at ``loss``."""
        return self.B_star * _power(loss, -1 / self.alpha_B)

    def flop_over_min(self, batch: Real, loss: Real) -> Real:
        """C / C_min of training at ``batch`` tokens: 1 + B/B_crit (eq. 5.5)."""
        return 1 + batch / self.tokens(loss)
