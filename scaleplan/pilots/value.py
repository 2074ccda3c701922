"""What certainty is worth: compute of the target run that a wrong size wastes.

A size off by delta = ln(N / N*) reaches with C what the best size reaches with C', to second order

    ln C / C' = (alpha + beta) / 2  delta^2

(derived here: with alpha u = beta v at the optimum, u and v the terms of size and data, d^2 L / d ln N^2 at fixed C is
alpha u (alpha + beta), and d L* / d ln C = -alpha u). Where delta is normal with a standard error se, the share

    waste(se) = E[1 - C' / C] = 1 - 1 / sqrt(1 + (alpha + beta) se^2)

of the compute is wasted on average, and runs that take se from one value to another save waste(before) - waste(after)
of the target, on average over the plausible laws; they pay while that is more than they cost.
Before any run is made se_before is what published laws leave open. A more certain loss is worth something too, but
what depends on the use that is made of it; here it counts for nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.pilots.plausible import Plausible

    Floats = NDArray[np.float64]


class Value(NamedTuple):
    """What runs are worth: FLOPs of the target saved on average, and their own FLOPs."""

    gain_flop: float
    cost_flop: float
    waste_before: float
    """The share of the target's compute that a wrong size wastes on average, before the runs."""
    waste_after: float

    @property
    def pays(self) -> bool:
        """Whether they save more than they cost."""
        return self.gain_flop > self.cost_flop


def waste(plausible: Plausible, params_se: Floats | float) -> float:
    """The share of compute that a size known to a standard error of ln N* wastes on average."""
    law = plausible.law
    bend = np.asarray(law.alpha).reshape(-1) + np.asarray(law.beta).reshape(-1)
    return float(np.mean(1 - 1 / np.sqrt(1 + bend * np.square(params_se))))


def value(plausible: Plausible, target_flop: float, before: Floats | float, after: Floats, cost_flop: float) -> Value:
    """What runs are worth that take the standard error of ln N* from ``before`` to ``after`` (laws,)."""
    first, last = waste(plausible, before), waste(plausible, after)
    return Value((first - last) * target_flop, cost_flop, first, last)


def open_loss(plausible: Plausible, target_flop: float) -> float:
    """What the plausible laws leave open of the loss: the standard deviation of their ln L*."""
    return float(np.std(np.log(np.asarray(plausible.law.optimum(target_flop).loss)), ddof=1))


def open_size(plausible: Plausible, target_flop: float) -> float:
    """What the plausible laws leave open: the standard deviation of their ln N*."""
    return float(np.std(np.log(plausible.best_size(target_flop)), ddof=1))
