"""The verb ``pilot``: which runs to make before the run, whether more of them pay, how good a set of one's own is."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from scaleplan import units
from scaleplan.api.pilot_runs import Costed, designed
from scaleplan.api.pilot_target import Wanted, wanted
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.pilots.ask import Ask
from scaleplan.pilots.certainty import CONSTANTS, Points
from scaleplan.pilots.goals import GOALS, MOST_RUN, RUNS, SEEDS, SHARE
from scaleplan.pilots.lint import lint
from scaleplan.pilots.noise import MISFIT, SEED_SD, Noise
from scaleplan.pilots.plausible import DRAWS, Plausible, of_fit
from scaleplan.pilots.proposal import Proposal, propose, with_notices
from scaleplan.pilots.savings import share_for
from scaleplan.pilots.scoring import Scored, score, templates_for
from scaleplan.specs.files import shown
from scaleplan.specs.numbers import Number, whole
from scaleplan.specs.pilot_plan import PilotPlan, ScoredPilots
from scaleplan.specs.pilot_words import PilotWords

if TYPE_CHECKING:
    from scaleplan.fitting.runs import Runs
    from scaleplan.pilots.goals import Goal
    from scaleplan.specs.law_fit import LawFit
    from scaleplan.specs.laws import LawLike
    from scaleplan.specs.pilot_plan import Decision

_FRACTIONS = (1.0, 0.5, 0.25, 0.1)
"""Our choice: of what is left, these are tried, and the one that saves most over its cost is proposed."""
_HOURS_TRIES, _HOURS_NEAR = 8, 0.98
"""Our choice: compute is searched until its accelerator-hours are within 2 % of those given, no longer than that."""
_FIRST_MFU = 0.35
"""Our choice: where that search starts."""
_LEAST_RUNS = CONSTANTS + 2
"""Of a design beside fewer runs of one's own, which tell nothing."""
_PRIOR_DOF = 8
"""Our choice: the default noise counts as much as nine seeds of one point, of which three alone err by half."""


def pilot(
    budget: str | os.PathLike[str] | None = None,
    *,
    flops: Number | None = None,
    law: LawLike | None = None,
    after: str | os.PathLike[str] | Any = None,
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
        seed: of the draws of plausible laws.
        pilots: by the keys of a budget file's heading ``pilots``: ``{"share": "1%", "runs": 36, "seeds": 3,
            "goal": "both", "noise": "0.3%", "misfit": "0.2%", "max_run": "35%", "ratios": "1:1000",
            "on": "64xh100-sxm", "within": "14d", ...}``, see ``specs.pilot_words.PilotWords``.
        conditions: what the hours and money of the runs take: ``precision``, ``mfu``, ``goodput``, ``price``,
            ``network``, ``calibrate``, ``cluster``: see ``specs.conditions.Conditions``.

    Raises:
        UsageError: no target, a number out of range, a law that pilots cannot be designed for.
        InputFileError: a file cannot be used.
        InfeasibleError: the budget is below the cheapest useful design, the target is smaller than the pilots, a run
            fits on no accelerators that there are, or all do not end in time; with the nearest change that would do.
    """
    finished = None if after is None else _finished(after)
    goal = wanted(budget, flops, law if finished is None else finished.law, pilots, conditions)
    start = _seed(seed)
    if finished is None:
        ask = _ask(goal, goal.plausible(DRAWS, start))
        proposal = _with_hours(goal, ask) if goal.hours is not None else designed(goal, ask)
        return _planned(goal, proposal, ())
    return _next(goal, finished, start)


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
    goal = wanted(budget, flops, law, pilots, {})
    points, notices = goal.points_of(runs)
    ask = _ask(goal, goal.plausible(DRAWS, _seed(seed)))._replace(
        flop=float(points.flop.sum()), runs=max(len(points), 1), seeds=1
    )
    ask.noise.check()
    own = score(ask, shown(os.fspath(runs)), points)
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


def _ask(goal: Wanted, plausible: Plausible) -> Ask:
    words = goal.words
    return Ask(
        plausible=plausible,
        target=goal.target,
        kind=goal.kind,
        flop=goal.flop,
        noise=Noise(
            seed=words.noise or SEED_SD,
            misfit=MISFIT if words.misfit is None else words.misfit,
        ),
        goal=cast("Goal", words.goal or "both"),
        runs=words.runs or RUNS,
        seeds=words.seeds or SEEDS,
        most_run=words.max_run or MOST_RUN,
        tokens=words.unique_tokens or math.inf,
    )


def _with_hours(goal: Wanted, ask: Ask) -> Costed:
    """The runs that take the accelerator-hours given, or a little less.

    Raises:
        UsageError: hours of no accelerator.
        InfeasibleError: no useful design takes so few, or the target takes no more.
    """
    given, machine = goal.hours, goal.machine
    assert given is not None
    if machine is None:
        raise UsageError("accelerator-hours of pilots need an accelerator: add --on h100-sxm, or give a share")
    flop = given * 3600 * machine.part.peak * _FIRST_MFU
    below, above = 0.0, ask.target.train_flop
    best: Costed | None = None
    for _ in range(_HOURS_TRIES):
        if not below < flop < above:
            flop = math.sqrt(below * above) if below else above / 2
        found = designed(goal, ask._replace(flop=flop))
        hours = _hours(found)
        if hours > given:
            above = flop
        else:
            below, best = flop, found
        if _HOURS_NEAR * given <= hours <= given:
            return found
        flop *= given / hours * (1 + _HOURS_NEAR) / 2
    if best is None:
        raise InfeasibleError(
            f"no useful pilots take {given:,.6g} hours of {machine.part.id} or less; raise them, or give a share"
        )
    if above == ask.target.train_flop:
        raise InfeasibleError(
            f"{given:,.6g} hours of {machine.part.id} are as much as the target takes itself: give fewer, such as "
            f"{SHARE * given:,.3g}, or a share"
        )
    text = f"the runs take {_hours(best):,.6g} of {given:,.6g} accelerator-hours; no design in between was found."
    return best._replace(proposal=with_notices(best.proposal, (Notice("hours_left", text),)))


def _hours(found: Costed) -> float:
    hours = found.proposal.manifest.gpu_hours
    assert hours is not None
    return hours


def _planned(goal: Wanted, made: Costed, notices: tuple[Notice, ...]) -> PilotPlan:
    proposal = made.proposal
    worth = proposal.value
    said = [*notices, *_held(goal)]
    if not worth.pays and not _of_loss(goal):
        gain, cost = units.flop(worth.gain_flop), units.flop(worth.cost_flop)
        text = f"the runs are expected to save {gain} FLOP of the target, and cost {cost}: a smaller share may pay."
        said.append(Notice("does_not_pay", text))
    return PilotPlan(
        name=goal.name,
        law=goal.law,
        plan=goal.plan,
        target=goal.target,
        words=_resolved(goal.words, proposal.ask),
        flop=proposal.ask.flop,
        spent_flop=0.0,
        decision=_decision(goal, proposal),
        proposal=proposal,
        machine=goal.machine,
        makespan_days=made.makespan_days,
        assumptions=made.assumptions,
        warnings=(*goal.notices, *said, *goal.rule_notices(proposal.manifest), *proposal.warnings),
    )


def _decision(goal: Wanted, proposal: Proposal | None) -> Decision:
    """Go on while runs pay; where limits fix the size, while there are any."""
    if proposal is None:
        return "stop"
    return "go" if _of_loss(goal) or proposal.value.pays else "stop"


def _of_loss(goal: Wanted) -> bool:
    """Whether the runs are for the loss alone, whose certainty saves no compute of the target by itself."""
    return goal.target.run is not None or goal.words.goal == "loss"


def _held(goal: Wanted) -> tuple[Notice, ...]:
    if goal.target.run is None:
        return ()
    text = "limits hold the target's size, so that a more certain N* saves nothing: the runs tell of its loss."
    return (Notice("size_held", text),)


def _resolved(words: PilotWords, ask: Ask) -> PilotWords:
    return words._replace(
        runs=ask.runs,
        seeds=ask.seeds,
        goal=ask.goal,
        noise=ask.noise.seed,
        misfit=ask.noise.misfit,
        max_run=ask.most_run,
        ratios=ask.kind.ratios,
        vocab=ask.kind.vocabulary,
        context=ask.kind.context,
    )


def _next(goal: Wanted, finished: LawFit, seed: int) -> PilotPlan:
    """The next runs for what is left, and whether they pay."""
    plausible = of_fit(finished.law, DRAWS, seed)
    runs: Runs = finished.table.runs
    done = Points(runs.params, runs.tokens, runs.train_flop)
    noise, notices = _noise(goal.words, finished)
    spent = float(done.flop.sum())
    if goal.hours is not None:
        raise UsageError("what is left of accelerator-hours is not known from a table of runs: give --share 1%")
    left, many = goal.flop - spent, (goal.words.runs or RUNS) - len(done)
    ask = _ask(goal, plausible)._replace(noise=noise, done=done, runs=max(many, 1), seeds=1)
    most = ask.most_run * goal.flop
    first = _next_number(runs)
    tried: list[Costed] = []
    for fraction in _FRACTIONS if many > 0 and left > 0 else ():
        part = ask._replace(flop=left * fraction, most_run=min(1.0, most / (left * fraction)))
        try:
            tried.append(designed(goal, part, first=first))
        except InfeasibleError:
            break
    made = max(tried, key=_net, default=None)
    if made is None:
        why = (
            "all runs are made" if many <= 0 else "nothing is left of the share" if left <= 0 else "too little is left"
        )
        text = f"{why}: {len(done)} runs took {units.flop(spent)} of {units.flop(goal.flop)} FLOP; plan with their law."
        return _stage(goal, finished, None, ask, spent, (Notice("finished", text), *notices))
    worth = made.proposal.value
    saved, cost = units.flop(worth.gain_flop), units.flop(worth.cost_flop)
    text = f"the next runs are expected to save {saved} FLOP of the target and cost {cost}: plan with the law of these."
    stop = () if _decision(goal, made.proposal) == "go" else (Notice("stop", text),)
    return _stage(goal, finished, made, ask, spent, (*stop, *_held(goal), *notices))


def _net(made: Costed) -> float:
    """What runs are expected to save beyond their cost [FLOP]."""
    return made.proposal.value.gain_flop - made.proposal.value.cost_flop


def _stage(
    goal: Wanted, finished: LawFit, made: Costed | None, ask: Ask, spent: float, notices: tuple[Notice, ...]
) -> PilotPlan:
    proposal = None if made is None else made.proposal
    rule = () if proposal is None else (*goal.rule_notices(proposal.manifest), *proposal.warnings)
    words = _resolved(goal.words, ask)._replace(runs=goal.words.runs or RUNS, seeds=goal.words.seeds or SEEDS)
    return PilotPlan(
        name=goal.name,
        law=goal.law,
        plan=goal.plan,
        target=goal.target,
        words=words,
        flop=goal.flop,
        spent_flop=spent,
        decision=_decision(goal, proposal),
        proposal=proposal,
        machine=goal.machine,
        fitted=finished,
        makespan_days=None if made is None else made.makespan_days,
        assumptions=() if made is None else made.assumptions,
        warnings=(*notices, *(goal.notices if made is not None else ()), *finished.fitted.warnings, *rule),
    )


def _next_number(runs: Runs) -> int:
    """The number after the highest that a finished run is named by, so that no two runs go by one name."""
    named = [int(found[1]) for name in runs.names or () if (found := re.fullmatch(r"p(\d{1,9})", name))]
    return max(named, default=len(runs) - 1) + 1


def _noise(words: PilotWords, finished: LawFit) -> tuple[Noise, tuple[Notice, ...]]:
    """The noise given, or the default with what seeds of one point among the finished runs say of it."""
    misfit = MISFIT if words.misfit is None else words.misfit
    measured = finished.fitted.replicates
    if words.noise is not None or measured is None:
        return Noise(seed=words.noise or SEED_SD, misfit=misfit), ()
    sd, dof = measured
    pooled = math.sqrt((_PRIOR_DOF * SEED_SD**2 + dof * sd**2) / (_PRIOR_DOF + dof))
    text = f"noise {pooled:.2%}: runs of equal parameters and tokens scatter by {sd:.2%} ({dof} degrees of freedom)."
    return Noise(seed=pooled, misfit=misfit), (Notice("measured_noise", text),)


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
    of_params = GOALS[ask.goal]
    others.sort(key=lambda each: of_params * np.log(each.params_se) + (1 - of_params) * np.log(each.loss_se))
    return own, tuple(others), notices
