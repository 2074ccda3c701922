"""How much less compute a design takes than other sets of runs for the same certainty.

Designs of fractions of the budget give the standard errors by compute; another set is found on that curve, between its
points by the logarithms of both, since standard errors fall as powers of the compute.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.errors import InfeasibleError
from scaleplan.pilots.candidates import candidates
from scaleplan.pilots.choice import choice_for
from scaleplan.pilots.goals import GOALS
from scaleplan.pilots.scoring import sure_of

if TYPE_CHECKING:
    from scaleplan.pilots.ask import Ask
    from scaleplan.pilots.goals import Goal
    from scaleplan.pilots.scoring import Scored

FRACTIONS = (0.05, 0.1, 0.2, 0.35, 0.65)
"""Our choice: 0.6 to one octave apart, where interpolated shares err by 3 % at most."""


class Fraction(NamedTuple):
    """A design of a share of the budget: standard errors of ln L and ln N*."""

    share: float
    loss_se: float
    params_se: float


def curve(ask: Ask, whole: Scored) -> tuple[Fraction, ...]:
    """Designs of less compute, from the least up, and the ``whole`` one at the end."""
    found = [Fraction(1.0, whole.loss_se, whole.params_se)]
    for share in FRACTIONS:
        less = ask._replace(flop=ask.flop * share)
        try:
            sure = sure_of(less, choice_for(less, candidates(less.kind, less.reach), GOALS[ask.goal]).points)
        except InfeasibleError:
            continue
        found.append(Fraction(share, sure.loss_se, sure.params_se))
    return tuple(sorted(found))


def share_for(fractions: Sequence[Fraction], other: Scored, goal: Goal) -> float | None:
    """The share of the budget at which a design is as sure as another set of runs is with all of it.

    The least share tried where the design is surer even then; ``None`` where it is not with the whole budget.
    """
    of_loss = _crossing([(each.share, each.loss_se) for each in fractions], other.loss_se)
    of_params = _crossing([(each.share, each.params_se) for each in fractions], other.params_se)
    asked = {"loss": (of_loss,), "params": (of_params,), "both": (of_loss, of_params)}[goal]
    known = [share for share in asked if share is not None]
    return max(known) if len(known) == len(asked) else None


def _crossing(falling: Sequence[tuple[float, float]], se: float) -> float | None:
    """Where a curve of (share, standard error) reaches ``se``."""
    if falling[0][1] <= se:
        return falling[0][0]
    for (low, above), (high, below) in pairwise(falling):
        if below <= se:
            return low * (high / low) ** (math.log(above / se) / math.log(above / below))
    return None
