"""The verb ``pilot``: which runs to make before the run, whether more of them pay, how good a set of one's own is."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaleplan.api.pilot_runs import ask_of, designed, designed_in_hours
from scaleplan.api.pilot_stages import judged_runs, next_runs, planned
from scaleplan.api.pilot_target import wanted
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.pilots.certainty import CONSTANTS
from scaleplan.pilots.lint import lint
from scaleplan.pilots.plausible import DRAWS
from scaleplan.pilots.proposal import propose
from scaleplan.pilots.savings import share_for
from scaleplan.pilots.scoring import Scored, in_order, score, templates_for
from scaleplan.specs.files import shown
from scaleplan.specs.numbers import Number, whole
from scaleplan.specs.pilot_plan import PilotPlan, ScoredPilots

if TYPE_CHECKING:
    from scaleplan.pilots.ask import Ask
    from scaleplan.specs.law_fit import LawFit
    from scaleplan.specs.laws import LawLike

_LEAST_RUNS = CONSTANTS + 2
"""Of a design beside fewer runs of one's own, which tell nothing."""


def pilot(
    budget: str | os.PathLike[str] | None = None,
    *,
    flops: Number | None = None,
    law: LawLike | None = None,
    after: str | os.PathLike[str] | Any = None,
    judge: str | os.PathLike[str] | None = None,
    seed: int | str = 0,
    pilots: Mapping[str, Any] | None = None,
    **conditions: Any,
) -> PilotPlan:
    """The pilot runs that make the forecast of a large run most certain.

    Args:
        budget: path of a budget file, whose plan is the target; in place of ``flops``.
        flops: training FLOPs of the target, counted as the law counts them.
        law: the law that plans the target; a preset stands for all published laws of its form, a law file for itself.
        after: a table of finished pilot runs (see ``fit``): the next runs, and whether they pay.
        judge: a manifest; beside ``after`` its runs that are not among the finished are judged in place of new ones.
        seed: of the draws of plausible laws.
        pilots: by the keys of a budget file's heading ``pilots``: ``{"share": "1%", "runs": 36, "seeds": 3,
            "goal": "both", "noise": "0.3%", "misfit": "0.2%", "max_run": "35%", "ratios": "0.3:1000",
            "on": "64xh100-sxm", "within": "14d", ...}``, see ``specs.pilot_words.PilotWords``.
        conditions: what the hours and money of the runs take: ``precision``, ``mfu``, ``goodput``, ``price``,
            ``network``, ``calibrate``, ``cluster``: see ``specs.conditions.Conditions``.

    Raises:
        UsageError: no target, a number out of range, a law that pilots cannot be designed for.
        InputFileError: a file cannot be used.
        InfeasibleError: the budget is below the cheapest useful design, the target is smaller than the pilots, a run
            fits on no accelerators that there are, or all do not end in time; with the nearest change that would do.
    """
    if judge is not None and after is None:
        raise UsageError("judge a manifest by which runs? Add --after FINISHED.csv")
    finished = None if after is None else _finished(after)
    goal = wanted(budget, flops, law, pilots, conditions)
    start = _seed(seed)
    if finished is not None:
        goal = goal.fitted(finished.law)
        return next_runs(goal, finished, start) if judge is None else judged_runs(goal, finished, start, judge)
    ask = ask_of(goal, goal.plausible(DRAWS, start))
    return planned(goal, designed_in_hours(goal, ask) if goal.hours is not None else designed(goal, ask))


def score_pilots(
    runs: str | os.PathLike[str],
    budget: str | os.PathLike[str] | None = None,
    *,
    flops: Number | None = None,
    law: LawLike | None = None,
    seed: int | str = 0,
    pilots: Mapping[str, Any] | None = None,
) -> ScoredPilots:
    """How certain a set of runs of one's own would make the forecast, beside designs of the same compute.

    Args:
        runs: path of a CSV, NDJSON or Parquet table with ``params`` and ``tokens`` (or one of them and ``flops``).
        budget: as for ``pilot``, like all that follows; its ``share`` is not looked at.
        flops: the target.
        law: the law that plans it.
        seed: of the draws.
        pilots: what else is asked of pilots.

    Raises:
        UsageError, InputFileError, InfeasibleError: as for ``pilot``.
    """
    if not isinstance(runs, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance] # a slip worth a word
        raise UsageError(f"runs is the path of a table (got {type(runs).__name__})")
    goal = wanted(budget, flops, law, pilots, {})
    points, notices = goal.points_of(runs)
    ask = ask_of(goal, goal.plausible(DRAWS, _seed(seed)))._replace(
        flop=float(points.flop.sum()), runs=max(len(points), 1), seeds=1
    )
    ask.noise.check()
    own = score(ask, Path(shown(os.fspath(runs))).name, points)
    own, others, more = _beside(ask, own)
    said = lint(points, ask.target, own.condition)
    return ScoredPilots(
        law=goal.law,
        plan=goal.plan,
        ask=ask,
        words=goal.words,
        own=own,
        others=others,
        warnings=(*notices, *said, *more),
    )


def _seed(word: int | str) -> int:
    seed = whole("seed", word)
    if seed < 0:
        raise UsageError(f"seed must be at least 0 (got {seed})")
    return seed


def _finished(after: Any) -> LawFit:
    from scaleplan.api.fits import fit

    # Designs span the constants well enough, and what they are expected to tell is told by a fit without priors.
    return fit(after, prior=False)


def _beside(ask: Ask, own: Scored) -> tuple[Scored, tuple[Scored, ...], tuple[Notice, ...]]:
    """A set of runs, and a design and the templates of as much compute, best first."""
    try:
        best = propose(ask._replace(runs=max(ask.runs, _LEAST_RUNS)), "designed")
    except InfeasibleError as error:
        least = float(own.points.params.min())
        others = [score(ask, each.name, each.points, each.moved) for each in templates_for(ask, least)]
        notices = (Notice("no_design", f"no design of this compute beside it: {error.message}"),)
    else:
        own = own._replace(compute_for_same=share_for(best.fractions, own, ask.goal))
        others, notices = [best.scored, *best.others], ()
    return own, in_order(others, ask.goal), notices
