"""Pilot runs stage by stage: the first, the next after some are finished, and whether they pay."""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING

import numpy as np

from scaleplan import units
from scaleplan.api.pilot_runs import Costed, ask_of, designed
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.pilots.candidates import candidates
from scaleplan.pilots.certainty import Points
from scaleplan.pilots.goals import RUNS, SEEDS
from scaleplan.pilots.noise import MISFIT, SEED_SD, Noise
from scaleplan.pilots.plausible import DRAWS, of_fit
from scaleplan.pilots.proposal import judged
from scaleplan.specs.manifest import read_manifest
from scaleplan.specs.pilot_plan import PilotPlan

if TYPE_CHECKING:
    from scaleplan.api.pilot_target import Wanted
    from scaleplan.fitting.runs import Runs
    from scaleplan.pilots.ask import Ask
    from scaleplan.pilots.proposal import Proposal
    from scaleplan.specs.law_fit import LawFit
    from scaleplan.specs.pilot_plan import Decision
    from scaleplan.specs.pilot_words import PilotWords

_FRACTIONS = (1.0, 0.5, 0.25, 0.1)
"""Our choice: of what is left, these are tried, and the one that saves most over its cost is proposed."""
_PRIOR_DOF = 8
"""Our choice: the default noise counts as much as nine seeds of one point, of which three alone err by half."""


def planned(goal: Wanted, made: Costed) -> PilotPlan:
    """The answer for pilots that begin."""
    proposal = made.proposal
    worth = proposal.value
    said = list(_held(goal))
    if not worth.pays and not _of_loss(goal):
        gain, cost = units.flop(worth.gain_flop), units.flop(worth.cost_flop)
        text = f"the runs are expected to save {gain} FLOP of the target, and cost {cost}: they do not pay."
        said.append(Notice("does_not_pay", text))
    return PilotPlan(
        name=goal.name,
        law=goal.law,
        plan=goal.plan,
        target=goal.target,
        words=_resolved(goal.words, proposal.ask),
        flop=proposal.ask.flop,
        spent_flop=0.0,
        held=goal.held,
        decision=_decision(goal, proposal),
        proposal=proposal,
        machine=goal.machine,
        makespan_days=made.makespan_days,
        assumptions=made.assumptions,
        warnings=(*goal.notices, *said, *goal.rule_notices(proposal.manifest), *proposal.warnings),
    )


def next_runs(goal: Wanted, finished: LawFit, seed: int) -> PilotPlan:
    """The next runs for what is left, and whether they pay.

    Raises:
        UsageError: a share in accelerator-hours, or a law too wide to draw from.
    """
    ask, notices = _ask_after(goal, finished, seed)
    assert ask.done is not None
    spent, made_before = float(ask.done.flop.sum()), len(ask.done)
    left, many = goal.flop - spent, (goal.words.runs or RUNS) - made_before
    ask = ask._replace(runs=max(many, 1))
    most = ask.most_run * goal.flop
    first = _next_number(finished.table.runs)
    tried: list[Costed] = []
    lacking: InfeasibleError | None = None
    for fraction in _FRACTIONS if many > 0 and left > 0 else ():
        part = ask._replace(flop=left * fraction, most_run=min(1.0, most / (left * fraction)))
        try:
            tried.append(designed(goal, part, first=first))
        except InfeasibleError as error:
            lacking = error
            break
    if lacking is not None and not tried and _any_left(ask, left, most):
        raise lacking
    made = max(tried, key=_net, default=None)
    if made is None:
        why = "all runs are made" if many <= 0 else "too little is left for another run"
        text = (
            f"{why}: {made_before} runs took {units.flop(spent)} of {units.flop(goal.flop)} FLOP; plan with their law."
        )
        return _stage(goal, finished, None, ask, spent, (Notice("finished", text), *notices))
    return _stage(goal, finished, made, ask, spent, (*_stop(goal, made.proposal), *_held(goal), *notices))


def _any_left(ask: Ask, left: float, most: float) -> bool:
    """Whether there is a run for what is left, machines aside."""
    try:
        candidates(ask.kind, ask._replace(flop=left, most_run=min(1.0, most / left)).reach)
    except InfeasibleError:
        return False
    return True


def judged_runs(goal: Wanted, finished: LawFit, seed: int, path: str | os.PathLike[str]) -> PilotPlan:
    """The runs of a manifest that are not among the finished, by name, and whether making them pays.

    Raises:
        UsageError: a share in accelerator-hours, or a law too wide to draw from.
        InputFileError: the manifest cannot be used.
    """
    manifest = read_manifest(os.fspath(path))
    ask, notices = _ask_after(goal, finished, seed)
    assert ask.done is not None
    spent = float(ask.done.flop.sum())
    named = set(finished.table.runs.names or ())
    left = tuple(run for run in manifest.runs if run.id not in named)
    if not left:
        text = f"all runs of {manifest.name} are among the finished: plan with their law."
        return _stage(goal, finished, None, ask, spent, (Notice("finished", text), *notices))
    made = Costed(judged(ask, manifest._replace(runs=left)), None, ())
    return _stage(goal, finished, made, ask, spent, (*_stop(goal, made.proposal), *_held(goal), *notices))


def _ask_after(goal: Wanted, finished: LawFit, seed: int) -> tuple[Ask, tuple[Notice, ...]]:
    """What is asked of further runs, and what is to be said of the noise that is taken."""
    if goal.hours is not None:
        raise UsageError("what is left of accelerator-hours is not known from a table of runs: give --share 1%")
    runs: Runs = finished.table.runs
    noise, notices = _noise(goal.words, finished)
    # Of a run with checkpoints the last one says what it took, and stands for the others, which err as it does.
    last = np.lexsort((runs.train_flop, runs.run))
    last = last[np.flatnonzero(np.diff(runs.run[last], append=-1))]
    done = Points(runs.params[last], runs.tokens[last], runs.train_flop[last])
    return ask_of(goal, of_fit(finished.law, DRAWS, seed))._replace(noise=noise, done=done, seeds=1), notices


def _stop(goal: Wanted, proposal: Proposal) -> tuple[Notice, ...]:
    """That further runs do not pay, where they do not."""
    if _decision(goal, proposal) == "go":
        return ()
    saved, cost = units.flop(proposal.value.gain_flop), units.flop(proposal.value.cost_flop)
    text = f"the next runs are expected to save {saved} FLOP of the target and cost {cost}: plan with the law of these."
    return (Notice("stop", text),)


def _decision(goal: Wanted, proposal: Proposal | None) -> Decision:
    """Go on while runs pay; where limits fix the size, while there are any."""
    if proposal is None:
        return "stop"
    return "go" if _of_loss(goal) or proposal.value.pays else "stop"


def _of_loss(goal: Wanted) -> bool:
    """Whether the runs are for the loss alone, whose certainty saves no compute of the target by itself."""
    return goal.held or goal.words.goal == "loss"


def _held(goal: Wanted) -> tuple[Notice, ...]:
    if not goal.held:
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
        held=goal.held,
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
