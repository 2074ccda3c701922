"""The choice of pilot runs: a design for the goals asked for, and which of its runs are made with several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan import units
from scaleplan.errors import InfeasibleError
from scaleplan.pilots.candidates import Candidates
from scaleplan.pilots.certainty import Points
from scaleplan.pilots.design import Problem, design
from scaleplan.pilots.goals import GOALS
from scaleplan.pilots.scoring import sure_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.pilots.ask import Ask
    from scaleplan.pilots.templates import Template

_OTHER_GOALS = (0.4, 0.6, 0.3, 0.7, 0.2, 0.8)
"""Tried in turn where a template is surer of one of the two than a design for both alike."""
_FOR_SEEDS = 0.02
"""Our choice: of the budget is set aside for further seeds, more where no run chosen is as cheap."""
_SET_ASIDE = 5
"""Our choice: a share of the budget doubled so often is most of it."""


class Choice(NamedTuple):
    """Runs by candidate, cheapest first, and how many seeds each has.

    ``bound`` is how far a standard error may be above that of the best choice, as a share.
    """

    found: Candidates
    runs: NDArray[np.intp]
    seeds: NDArray[np.int64]
    bound: float

    @property
    def points(self) -> Points:
        """The runs, one row a seed."""
        return self.found.points.part(np.repeat(self.runs, self.seeds))


def choose(ask: Ask, found: Candidates, beside: Sequence[Template]) -> Choice:
    """The design; where both goals are asked for, one that no template is surer than on either, if there is one."""
    first = choice_for(ask, found, GOALS[ask.goal])
    if ask.goal != "both" or not beside:
        return first
    sets = [sure_of(ask, each.points) for each in beside]
    of_loss, of_params = min(each.loss_se for each in sets), min(each.params_se for each in sets)

    def worst(each: Choice) -> float:
        sure = sure_of(ask, each.points)
        return max(sure.loss_se / of_loss, sure.params_se / of_params)

    best, at = first, worst(first)
    for goal in _OTHER_GOALS:
        if at <= 1:
            break
        other = choice_for(ask, found, goal)
        if worst(other) < at:
            best, at = other, worst(other)
    return best


def choice_for(ask: Ask, found: Candidates, goal: float) -> Choice:
    """The design for a goal, one of its cheap runs with further seeds.

    Raises:
        InfeasibleError: the seeds asked for leave too little.
    """
    further = ask.seeds - 1
    aside = _FOR_SEEDS * ask.flop if further else 0.0
    for _ in range(_SET_ASIDE):
        if aside >= ask.flop:
            break
        made = design(_problem(ask, found, goal, ask.flop - aside))
        seeds = np.ones(len(made.chosen), dtype=np.int64)
        chosen = found.points.part(made.chosen)
        left = ask.flop - float(chosen.flop.sum())
        cheap = chosen.flop * further <= left
        if not further or cheap.any():
            if further:
                seeds[_to_repeat(ask, chosen, cheap)] += further
            return Choice(found, made.chosen, seeds, (made.criterion - made.bound) / 2)
        aside = max(2 * aside, further * float(chosen.flop.min()))
    raise InfeasibleError(
        f"{further} further seeds of a run leave too little of {units.flop(ask.flop)} FLOP for the others: ask for "
        "fewer --seeds, or raise the share"
    )


def _problem(ask: Ask, found: Candidates, goal: float, flop: float) -> Problem:
    return Problem(
        plausible=ask.plausible,
        target=ask.target,
        points=found.points,
        noise=ask.noise,
        runs=min(ask.runs - (ask.seeds - 1), len(found)),
        flop=flop,
        goal=goal,
        done=ask.done,
    )


def _to_repeat(ask: Ask, points: Points, cheap: NDArray[np.bool_]) -> int:
    """The run to repeat with other seeds: of those cheap enough, the one nearest to the best size for its compute."""
    best = np.log(ask.plausible.centre.optimum(points.flop).params)
    return int(np.argmin(np.where(cheap, np.abs(np.log(points.params) - best), np.inf)))
