"""How sure a law is: sampling covariance, widened for what sampling does not cover.

A band that holds only the sampling error of the fit covers about half of the runs ten times beyond it: most of
the error is that the form is not quite true. So, for the half-width of ln L,

    h = t sqrt( (kappa se)^2 + (tau log10(C / C_max))^2 ),   se^2 = g' S g + s^2,

and for ln N* and ln D* at fixed C

    h = t sqrt( (kappa se)^2 + (drift log10(C / C_max))^2 ), se^2 = g' S g,

with S the covariance of the fitted constants, g the sensitivity to them, s the residual standard deviation, C_max
the dearest run behind the law, t Student's quantile, and the decades beyond C_max counted as zero inside the range.
A fitted law may add (starvation log10(5 N / D))^2 to the first sum for runs with fewer than five tokens a parameter,
and size_misfit^2 to the second, which misfit moves the best size by inside the range too.

kappa = 1.7, tau = 1 % a decade and drift = 0.3 a decade are our choice, set by back-tests: on eight IsoFLOP sets
of four labs (1,383 predictions up to 70 times beyond the fit) kappa and tau cover 95 to 100 % where the bare delta
method covers 47 to 79 %; the drift comes from held-out budgets, where ln N* is off by 0.09 to 0.14 at 2.5 to 6
times and 0.25 to 0.32 at 6 to 20 times the fitted compute. The
back-tests were made when the recipe was chosen and are not repeated in this repository. See docs/decisions/0003.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scaleplan.laws.student import two_sided_quantile
from scaleplan.ops import Real, clip_low, log, sqrt

_LN_10 = 2.302585092994046
DEFAULT_KAPPA, DEFAULT_TAU, DEFAULT_DRIFT = 1.7, 0.01, 0.3
FULL_TOKENS_PER_PARAM = 5.0
"""Our choice: with fewer tokens a parameter, measured losses rise above every additive law (docs/decisions/0012)."""


class Uncertainty(NamedTuple):
    """Covariance of a law's constants and the allowances that go on top.

    ``covariance`` is the symmetric matrix over ``parameters``; ``residual_sd`` is of ln L; ``dof`` the degrees of
    freedom of both; ``flop_max`` the dearest run fitted; ``kappa``, ``tau``, ``drift``, ``starvation`` and
    ``size_misfit`` as in the module's text.
    """

    parameters: tuple[str, ...]
    covariance: tuple[tuple[float, ...], ...]
    residual_sd: float
    dof: int
    flop_max: float
    source: str
    kappa: float = DEFAULT_KAPPA
    tau: float = DEFAULT_TAU
    drift: float = DEFAULT_DRIFT
    starvation: float = 0.0
    size_misfit: float = 0.0

    def sampling(self) -> Uncertainty:
        """The same covariance without allowances: what covers the runs' scatter alone, and no extrapolation."""
        return self._replace(kappa=min(1.0, self.kappa), tau=0.0, drift=0.0, starvation=0.0, size_misfit=0.0)

    def variance(self, sensitivity: tuple[Real, ...]) -> Real:
        """g' S g, the sampling variance of a quantity whose sensitivity to ``parameters`` is g."""
        total: Real = 0.0
        for i, row in enumerate(self.covariance):
            inner: Real = 0.5 * row[i] * sensitivity[i]
            for j in range(i):
                inner = inner + row[j] * sensitivity[j]
            total = total + 2 * sensitivity[i] * inner
        return total

    def decades_beyond(self, train_flop: Real) -> Real:
        """log10(C / C_max), zero inside the fitted range."""
        return clip_low(log(train_flop / self.flop_max) / _LN_10, 0.0)

    def log_loss_half_width(
        self, sensitivity: tuple[Real, ...], train_flop: Real, level: float, tokens_per_param: Real = math.inf
    ) -> Real:
        """Half-width of the band of ln L for a run of ``train_flop`` with so many tokens a parameter."""
        variance = self.variance(sensitivity) + self.residual_sd**2
        misfit = self.tau * self.decades_beyond(train_flop)
        if self.starvation:
            starved = self.starvation * clip_low(log(FULL_TOKENS_PER_PARAM / tokens_per_param) / _LN_10, 0.0)
            misfit = sqrt(misfit * misfit + starved * starved)
        return self._half_width(variance, misfit, level, self.kappa)

    def log_params_half_width(self, sensitivity: tuple[Real, ...], train_flop: Real, level: float) -> Real:
        """Half-width of the band of ln N* (and of ln D*) at the budget ``train_flop``."""
        # A back-test of losses may find their errors overstated; of the best size it says nothing.
        kappa = max(1.0, self.kappa)
        misfit = self.drift * self.decades_beyond(train_flop)
        if self.size_misfit:
            misfit = sqrt(misfit * misfit + self.size_misfit**2)
        return self._half_width(self.variance(sensitivity), misfit, level, kappa)

    def log_constant_half_width(self, name: str, level: float) -> float:
        """Half-width of the band of one fitted constant, without an extrapolation term."""
        index = self.parameters.index(name)
        return two_sided_quantile(level, self.dof) * max(1.0, self.kappa) * self.covariance[index][index] ** 0.5

    def _half_width(self, variance: Real, misfit: Real, level: float, kappa: float) -> Real:
        return two_sided_quantile(level, self.dof) * sqrt(kappa**2 * variance + misfit * misfit)
