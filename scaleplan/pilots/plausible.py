"""Which laws may be true: what a design of pilot runs is averaged over.

Before any run is made the published laws of the form L = E + A / N^alpha + B / D^beta stand for what may be found:
they differ by what was trained on, how, and how it was fitted. Each draw is one of them in turn, moved:

    alpha, beta by e^(0.06 z),   E by e^(0.03 z),   A / N^alpha and B / D^beta at the optimum of 1e21 FLOP by e^(0.1 z),

z standard normal, each its own. The spreads are our choice: about the standard errors of the one fit of which they are
known (Besiroglu et al. 2024, arXiv 2404.10102, sec. 3: 6 and 6 % of the exponents, 2 % of E).

Once runs are there, the law fitted to them is drawn from by its covariance instead.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scaleplan.errors import UsageError
from scaleplan.laws.additive import Additive
from scaleplan.planning.draws import draws

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.laws.law import Law

    Floats = NDArray[np.float64]

DRAWS = 24
"""Our choice: four of each of six laws; more move the standard errors of a design by 2 %."""
_EXPONENT_SPREAD, _FLOOR_SPREAD, _TERM_SPREAD = 0.06, 0.03, 0.10
_REFERENCE_FLOP = 1e21
"""Within the runs of most published laws, so that a change of exponents changes little there."""


class Plausible(NamedTuple):
    """n laws that may be true: ``law`` has constants of shape (n, 1); ``sources`` are the laws they are drawn from."""

    law: Additive
    sources: tuple[str, ...]

    def best_size(self, train_flop: float) -> Floats:
        """N* (n,) of a budget under each."""
        return np.asarray(self.law.optimum(train_flop).params).reshape(-1)

    @property
    def centre(self) -> Additive:
        """The law in the middle: the geometric means of the constants."""
        constants: Any = self.law
        return Additive(*(math.exp(float(np.log(value).mean())) for value in constants))


def is_additive(law: Law) -> bool:
    """Whether pilot runs can be designed for a law: it is of the form that they are fitted with."""
    return isinstance(law.surface, Additive)


def published(laws: Sequence[Law], n: int, seed: int) -> Plausible:
    """``n`` draws of published laws, each in turn.

    Raises:
        UsageError: none of them is of the additive form.
    """
    forms = [law.surface for law in laws if isinstance(law.surface, Additive)]
    if not forms:
        raise UsageError("no law of the form E + A / N^alpha + B / D^beta to draw from; besiroglu-2024 is one")
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = [_moved(forms[i % len(forms)], random.standard_normal(5)) for i in range(n)]
    columns: Any = np.array(drawn).T[:, :, None]
    return Plausible(Additive(*columns), tuple(law.id for law in laws if is_additive(law)))


def of_fit(law: Law, n: int, seed: int) -> Plausible:
    """``n`` draws of a fitted law by its covariance; of a law without one, moved as published laws are.

    Raises:
        UsageError: the law is not of the additive form, or its covariance is too wide to draw from.
    """
    if law.uncertainty is None:
        return published([law], n, seed)
    drawn: Any = draws(law, n, seed).constants().surface
    if not isinstance(drawn, Additive):
        raise UsageError(f"{law.id} is not of the form E + A / N^alpha + B / D^beta: fit it with --form additive")
    columns: Any = [np.broadcast_to(np.asarray(value, dtype=float), (n,))[:, None] for value in drawn]
    return Plausible(Additive(*columns), (law.id,))


def _moved(law: Additive, z: Floats) -> tuple[float, ...]:
    best = law.optimum(_REFERENCE_FLOP)
    ln_n, ln_d = math.log(best.params), math.log(best.tokens)
    alpha, beta = law.alpha * math.exp(_EXPONENT_SPREAD * z[0]), law.beta * math.exp(_EXPONENT_SPREAD * z[1])
    of_size = law.A * math.exp(-law.alpha * ln_n + _TERM_SPREAD * z[2])
    of_data = law.B * math.exp(-law.beta * ln_d + _TERM_SPREAD * z[3])
    floor = law.E * math.exp(_FLOOR_SPREAD * z[4])
    return floor, of_size * math.exp(alpha * ln_n), of_data * math.exp(beta * ln_d), alpha, beta
