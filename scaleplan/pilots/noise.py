"""What the loss of a pilot run is off by: noise of the run, and what the law's form misses.

For ln L of a run of C = 6 N D FLOP on the way to a target of C_t,

    sigma^2 = s^2 / k + (tau log10(C_t / C))^2 + (nu log10(5 N / D))^2,

with s the scatter between seeds, of which k are run, tau the misfit a decade of compute short of the target, and nu
that a decade short of five tokens a parameter; both are zero beyond. Noise averages out over seeds; that the law is not
quite true does not, and it is worst far from the target.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scaleplan.errors import UsageError
from scaleplan.laws.uncertainty import FULL_TOKENS_PER_PARAM

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.pilots.certainty import Points

    Floats = NDArray[np.float64]

SEED_SD = 0.003
"""Our choice: 0.3 %. Seeds alone move ln L by about 0.1 to 1 % (Porian et al. 2024, arXiv 2406.19146, sec. 3.4: 0.005
nats at low losses to 0.1 at high ones; Choshen et al. 2024, arXiv 2410.11840: up to 3.5 %)."""
MISFIT = 0.002
"""Our choice: 0.2 % a decade, for one run. Bands take 1 % a decade for what all runs miss alike (``laws/uncertainty``),
which no choice among runs averages out."""
STARVATION = 0.01
"""Our choice: 1 % a decade, a fifth of what bands of fitted laws take for what such runs miss alike (5 %,
docs/decisions/0012), as ``MISFIT`` is a fifth of theirs."""
_MOST_SD = 0.5
"""Our choice: a larger error is no error of a loss that was given in nats a token."""


class Noise(NamedTuple):
    """Standard errors of ln L: of a ``seed``, and of ``misfit`` and ``starvation`` a decade."""

    seed: float = SEED_SD
    misfit: float = MISFIT
    starvation: float = STARVATION

    def check(self) -> None:
        """Check that there is noise, and none so large that it cannot be meant.

        Raises:
            UsageError: there is none, or too much.
        """
        if not 0 < self.seed <= _MOST_SD:
            raise UsageError(f"noise must be above 0 and at most 50% of the loss, such as 0.3% (got {self.seed:.3g})")
        for name, value in (("misfit", self.misfit), ("starvation", self.starvation)):
            if not 0 <= value <= _MOST_SD:
                raise UsageError(f"{name} must be 0 to 50% of the loss a decade, such as 0.2% (got {value:.3g})")

    def variance(self, points: Points, target_flop: float, seeds: Any) -> Floats:
        """sigma^2 (n,) of the mean ln L over ``seeds`` runs of each of n points."""
        short = np.maximum(np.log10(target_flop / points.flop), 0.0)
        starved = np.maximum(np.log10(FULL_TOKENS_PER_PARAM * points.params / points.tokens), 0.0)
        return self.seed**2 / seeds + (self.misfit * short) ** 2 + (self.starvation * starved) ** 2
