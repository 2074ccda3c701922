"""What a set of pilot runs would tell: a design of one's own, or what labs have used."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan.pilots.certainty import Certainty, Points, certainty, condition_number
from scaleplan.pilots.lint import Ranges, ranges
from scaleplan.pilots.templates import Template, templates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.pilots.ask import Ask
    from scaleplan.pilots.goals import Goal

    Floats = NDArray[np.float64]


class Scored(NamedTuple):
    """A set of runs and what it would tell: standard errors of ln L and ln N* at the target, and what it spans.

    ``compute_for_same`` is the share of its compute with which the proposed design is as sure on both; ``None`` where
    that is beyond what was tried, or of the design itself.
    """

    name: str
    points: Points
    loss_se: float
    params_se: float
    condition: float
    ranges: Ranges
    moved: int = 0
    compute_for_same: float | None = None


def score(ask: Ask, name: str, points: Points, moved: int = 0) -> Scored:
    """What a set of runs would tell, with those that are done."""
    sure = sure_of(ask, points)
    every = points if ask.done is None else points.and_(ask.done)
    return Scored(
        name=name,
        points=points,
        loss_se=sure.loss_se,
        params_se=sure.params_se,
        condition=condition_number(ask.plausible, every),
        ranges=ranges(points, ask.target),
        moved=moved,
    )


def in_order(sets: Iterable[Scored], goal: Goal) -> tuple[Scored, ...]:
    """Sets of runs, those that tell most of what is asked first."""
    keys: dict[Goal, Callable[[Scored], float]] = {
        "loss": lambda each: each.loss_se,
        "params": lambda each: each.params_se,
        "both": lambda each: each.loss_se * each.params_se,
    }
    return tuple(sorted(sets, key=keys[goal]))


def sure_of(ask: Ask, points: Points) -> Certainty:
    """How sure the forecast is after runs, and those that are done."""
    return certainty(ask.plausible, ask.target, points if ask.done is None else points.and_(ask.done), ask.noise)


def templates_for(ask: Ask, least: float) -> tuple[Template, ...]:
    """Every template at the budget asked for, its runs no smaller than ``least``."""
    centre = ask.plausible.centre

    def best_size(budgets: Floats) -> Floats:
        return np.asarray(centre.optimum(budgets).params)

    return templates(best_size, runs=ask.runs, flop=ask.flop, least=least)
