"""Single-variable trends, the law of steps and the critical batch of Kaplan et al. 2020 (arXiv 2001.08361).

Tables 3 and 5; equations in ``kaplan``. None of them plans a run here; they are what the paper gives beside.
"""

from __future__ import annotations

from typing import NamedTuple

from scaleplan.ops import Real, power


class ParamsTrend(NamedTuple):
    """L(N) on unlimited data: N_c [parameters], alpha_N [1]."""

    N_c: float
    alpha_N: float

    equation = "L(N) = (N_c / N)^alpha_N"

    def loss(self, params: Real) -> Real:
        """Loss of a converged model of N non-embedding parameters."""
        return power(self.N_c / params, self.alpha_N)


class TokensTrend(NamedTuple):
    """L(D) for a large model stopped early on D tokens: D_c [tokens], alpha_D [1]."""

    D_c: float
    alpha_D: float

    equation = "L(D) = (D_c / D)^alpha_D"

    def loss(self, tokens: Real) -> Real:
        """Loss with a dataset of D tokens."""
        return power(self.D_c / tokens, self.alpha_D)


class JointNS(NamedTuple):
    """L(N, S_min) on unlimited data: N_c [parameters], S_c [steps], alpha_N, alpha_S [1]."""

    N_c: float
    S_c: float
    alpha_N: float
    alpha_S: float

    equation = "L(N, S_min) = (N_c / N)^alpha_N + (S_c / S_min)^alpha_S"

    def loss(self, params: Real, steps: Real) -> Real:
        """Loss after S_min = ``steps`` updates at a batch far above B_crit."""
        return power(self.N_c / params, self.alpha_N) + power(self.S_c / steps, self.alpha_S)


class CriticalBatch(NamedTuple):
    """B_crit(L): B_star [tokens], alpha_B [1]."""

    B_star: float
    alpha_B: float

    equation = "B_crit(L) = B_star / L^(1 / alpha_B)"

    def tokens(self, loss: Real) -> Real:
        """Critical batch size in tokens at ``loss``."""
        return self.B_star * power(loss, -1 / self.alpha_B)

    def flop_over_min(self, batch: Real, loss: Real) -> Real:
        """C / C_min of training at ``batch`` tokens: 1 + B/B_crit (eq. 5.5)."""
        return 1 + batch / self.tokens(loss)
