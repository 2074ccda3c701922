"""What is wrong with a set of pilot runs before any is made."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan import units
from scaleplan.errors import Notice
from scaleplan.fitting.diagnostic_statistics import MOST_CONDITION, condition_text
from scaleplan.laws.uncertainty import FULL_TOKENS_PER_PARAM
from scaleplan.pilots.certainty import CONSTANTS, distinct

if TYPE_CHECKING:
    from scaleplan.pilots.certainty import Points, Target

LEAST_RATIO_DECADES = 1.5
"""Decades of tokens a parameter: on one ray D = k N, A and B cannot be told apart at all where alpha is near beta, and
runs with varied ratios foretold held-out ones better in 97 % of cases (arXiv 2605.08541, 1,900 models)."""
_LEAST_FLOP_DECADES = 1.5
"""Our choice: exponents of compute are slopes, and 6x6 grids span two decades."""
_MOST_DECADES_AWAY = 3.5
"""Our choice: the dearest of a hundred pilots that take 0.3 % of the target is about three decades short of it."""


class Ranges(NamedTuple):
    """Decades that runs span: of parameters, tokens a parameter, compute; and those from the dearest to the target."""

    params: float
    ratio: float
    flop: float
    short: float


def ranges(points: Points, target: Target) -> Ranges:
    """What runs span."""
    return Ranges(
        params=_decades(points.params),
        ratio=_decades(points.tokens / points.params),
        flop=_decades(points.flop),
        short=math.log10(target.train_flop / float(points.flop.max())),
    )


def lint(points: Points, target: Target, condition: float) -> tuple[Notice, ...]:
    """What is to be said of runs: whether they are enough, varied enough, wide enough and near enough to the target."""
    spans = ranges(points, target)
    different = len(distinct(points)[0])
    found: list[tuple[str, str]] = []
    if different <= CONSTANTS:
        runs = "1 run" if different == 1 else f"{different} different runs"
        text = f"{runs} for the {CONSTANTS} constants of the law: at least {CONSTANTS + 1} leave one to judge by."
        found.append(("few_runs", text))
    if spans.ratio < LEAST_RATIO_DECADES:
        text = f"tokens a parameter span {spans.ratio:.2f} decades, {_pair(points.tokens / points.params)}"
        advice = f"on one ray size and data cannot be told apart; {LEAST_RATIO_DECADES:g} decades or more"
        found.append(("narrow_ratio", f"{text}: {advice}, such as a quarter and four times the best size, do."))
    if spans.flop < _LEAST_FLOP_DECADES:
        text = f"compute spans {spans.flop:.2f} decades: {_LEAST_FLOP_DECADES:g} or more tell the exponents"
        found.append(("narrow_flop", f"{text}; add cheaper runs."))
    if condition > MOST_CONDITION:
        number = f"have a condition number of {condition_text(condition)}"
        what = "cannot be told at all" if math.isinf(condition) else number
        found.append(("ill_conditioned", f"the constants {what}: vary size and tokens independently of each other."))
    if spans.short > _MOST_DECADES_AWAY:
        text = f"the dearest run is {spans.short:.1f} decades short of the target"
        found.append(("far_target", f"{text}: misfit of the law's form grows with every decade."))
    if spans.short <= 0:
        found.append(("no_target", f"the dearest run has as much compute as the target ({_flop(target)}) or more."))
    starved = int(np.sum(points.tokens < FULL_TOKENS_PER_PARAM * points.params))
    if starved > len(points) / 3:
        text = f"{starved} of {len(points)} runs have fewer than {FULL_TOKENS_PER_PARAM:g} tokens a parameter"
        found.append(("starved_runs", f"{text}, where measured losses lie above every additive law."))
    return tuple(Notice(code, text) for code, text in found)


def _decades(values: np.ndarray) -> float:
    return float(np.log10(values.max() / values.min()))


def _pair(values: np.ndarray) -> str:
    return f"{values.min():.3g} to {values.max():.3g}"


def _flop(target: Target) -> str:
    return f"{units.flop(target.train_flop)} FLOP"
