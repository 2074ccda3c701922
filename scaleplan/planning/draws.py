"""Draws of a law: what its constants may be, by their covariance, and problems solved under every draw at once.

    theta_i = theta + kappa z_i / sqrt(chi2_i / dof),   z_i ~ N(0, S),

with S the covariance of the constants (of the logarithms of those that carry ``ln_``), kappa its allowance (at least 1
for sizes) and dof its degrees of freedom: a multivariate Student t, whose percentiles of ln L and ln N* are the bands
of ``laws/uncertainty`` as far as those are linear in the constants. What these bands add for the runs' scatter and for
misfit beyond the runs has draws of the same kind: a factor on the loss, and a shift s_i of ln N* that leaves the loss
at the optimum as it is,

    L_i(N, D) -> L_i(N e^-s_i, D e^s_i).

Draws with a constant below zero that the form needs above it are drawn again, which truncates the distribution.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from scaleplan.errors import UsageError
from scaleplan.laws.law import Law
from scaleplan.laws.student import two_sided_quantile
from scaleplan.laws.uncertainty import Uncertainty
from scaleplan.planning.moved import moved, moves, tilt

_LEAST_GOOD = 0.5
"""Our choice: where more than half the draws are out of the form's range, those kept say little of the law."""
_BATCH = 64
"""Our choice: of fewer draws the share that is good says little."""
_LEVEL = 0.95
"""Of a band whose half-width is taken apart again: any would do."""
LEAST, MOST = 2, 1_000_000
"""How many draws: one has no spread; the most is our choice: a million take some seconds, and the levels of the ends
of a band at 95 % are then sure to sqrt(0.025 0.975 / 1e6) = 0.02 %."""


class Draws(NamedTuple):
    """``n`` draws of a law.

    ``deviates`` (n, k) are those of the constants of the covariance, kappa = 1, ``loss_noise`` and ``size_noise`` (n,)
    unit deviates of the loss and of the best size, independent of them but for the common chi2. ``redrawn`` says how
    many were out of the form's range and were drawn again.
    """

    law: Law
    deviates: Any
    loss_noise: Any
    size_noise: Any
    redrawn: int

    def constants(self, kappa: float | None = None) -> Law:
        """The law with its constants as arrays (n,); ``kappa`` scales the covariance's errors, by default as for sizes.

        Those of the law's form of repeated data are drawn with them.
        """
        own = uncertainty_of(self.law)
        factor = max(1.0, own.kappa) if kappa is None else kappa
        return moved(self.law, dict(zip(own.parameters, factor * self.deviates.T, strict=True)))

    def tilted(self, train_flop: float) -> Law:
        """The same with the best size shifted by what misfit may move it at a budget counted as the law counts."""
        drawn, misfit = self.constants(), size_misfit(uncertainty_of(self.law), train_flop)
        return tilt(drawn, misfit * self.size_noise) if misfit else drawn

    def part(self, chosen: slice) -> Draws:
        """Some of the draws."""
        return self._replace(
            deviates=self.deviates[chosen], loss_noise=self.loss_noise[chosen], size_noise=self.size_noise[chosen]
        )


def law_draws(law: Law, n: int, seed: int = 0) -> Law:
    """The law with the constants of its covariance as arrays of ``n`` draws; for the rest see ``draws``."""
    return draws(law, n, seed).constants()


def draws(law: Law, n: int, seed: int = 0) -> Draws:
    """``n`` draws of a law's constants, the same for the same ``seed``.

    Raises:
        UsageError: fewer than two draws or too many, a seed below zero, a law without a covariance of its surface, or
            one so wide that most draws are out of the form's range.
    """
    import numpy as np

    if not LEAST <= n <= MOST:
        raise UsageError(f"draws must be at least {LEAST} and at most {MOST:,} (got {n:,})")
    if seed < 0:
        raise UsageError(f"seed must be at least 0 (got {seed})")
    own = uncertainty_of(law)
    spread, vectors = np.linalg.eigh(np.array(own.covariance))
    root = vectors * np.sqrt(np.clip(spread, 0.0, None))
    random = np.random.Generator(np.random.PCG64(seed))
    kept: list[Any] = []
    good = drawn = 0
    while good < n:
        normal = random.standard_normal((max(n, _BATCH), root.shape[0] + 2))
        scale = np.sqrt(random.chisquare(own.dof, len(normal)) / own.dof)
        deviates = np.column_stack([normal[:, :-2] @ root.T, normal[:, -2:]]) / scale[:, None]
        kept.append(deviates[_in_range(law, own, deviates[:, :-2])])
        good, drawn = good + len(kept[-1]), drawn + len(normal)
        if good < _LEAST_GOOD * drawn:
            text = f"the covariance of {law.id} is too wide for draws: more than half leave the range of its form"
            raise UsageError(f"{text}; fit it to more runs")
    all_of = np.concatenate(kept)[:n]
    return Draws(law, all_of[:, :-2], all_of[:, -2], all_of[:, -1], drawn - good)


def uncertainty_of(law: Law) -> Uncertainty:
    """The covariance of a law's surface.

    Raises:
        UsageError: it has none.
    """
    law.require_surface("draws of its constants")
    if law.uncertainty is None or not moves(law):
        raise UsageError(
            f"{law.id} has no covariance of its loss surface to draw from; a law with one can, such as besiroglu-2024 "
            "or one of your own fit"
        )
    return law.uncertainty


def size_misfit(own: Uncertainty, train_flop: float) -> float:
    """Standard error of ln N* by misfit alone."""
    return math.hypot(own.drift * float(own.decades_beyond(train_flop)), own.size_misfit)


def loss_misfit(own: Uncertainty, train_flop: float, tokens_per_param: float) -> float:
    """Standard error of ln L by scatter and misfit, without that of the constants."""
    exact = (0.0,) * len(own.parameters)
    half = own.log_loss_half_width(exact, train_flop, _LEVEL, tokens_per_param)
    return float(half / two_sided_quantile(_LEVEL, own.dof))


def _in_range(law: Law, own: Uncertainty, deviates: Any) -> Any:
    """Which draws keep above zero what is above zero in the law and has no sign of its own."""
    import numpy as np

    centre: Any = law.surface
    shifts = dict(zip(own.parameters, max(1.0, own.kappa) * deviates.T, strict=True))
    with np.errstate(over="ignore", under="ignore"):  # of a logarithm far off
        drawn: Any = moved(law._replace(repeated=None), shifts).surface
    signed = getattr(centre, "signed", ())
    good = np.ones(len(deviates), dtype=bool)
    for name in centre._fields:
        if name not in signed and getattr(centre, name) > 0:
            good &= np.asarray(getattr(drawn, name) > 0)
    return good
