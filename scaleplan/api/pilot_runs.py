"""Designs of pilot runs that the accelerators there are can train, and in the time there is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from scaleplan import units
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.pilots.ask import Ask
from scaleplan.pilots.candidates import candidates
from scaleplan.pilots.goals import MOST_RUN, RUNS, SEEDS, SHARE
from scaleplan.pilots.noise import MISFIT, SEED_SD, Noise
from scaleplan.pilots.proposal import pilot_run, propose, with_costs, with_notices

if TYPE_CHECKING:
    from scaleplan.api.pilot_target import Wanted
    from scaleplan.pilots.goals import Goal
    from scaleplan.pilots.plausible import Plausible
    from scaleplan.pilots.proposal import Proposal

_HOURS_TRIES, _HOURS_NEAR = 8, 0.98
"""Our choice: compute is searched until its accelerator-hours are within 2 % of those given, no longer than that."""
_FIRST_MFU = 0.35
"""Our choice: where that search starts."""
_SHORTER = (0.5, 0.25)
"""Our choice: where all runs do not end in time, the largest is held to so much of what it might take."""


class Costed(NamedTuple):
    """Runs with what they take, and how long all take together [days]; ``None`` where nothing is said of machines."""

    proposal: Proposal
    makespan_days: float | None
    assumptions: tuple[Any, ...]


def ask_of(goal: Wanted, plausible: Plausible) -> Ask:
    """What is asked of pilots, defaults filled in."""
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
        goal=cast("Goal", words.goal or ("loss" if goal.held else "both")),
        runs=words.runs or RUNS,
        seeds=words.seeds or SEEDS,
        most_run=words.max_run or MOST_RUN,
        tokens=words.unique_tokens or math.inf,
    )


def designed(goal: Wanted, ask: Ask, *, first: int = 0) -> Costed:
    """The design with what its runs take, where it is known on what they run.

    Sizes that fit on no number of the accelerators there are are left out, and where the largest runs keep all from
    ending in time, smaller ones are taken.

    Raises:
        InfeasibleError: no useful design, no size fits, or no design ends in time; with the nearest change that would.
        UsageError, InputFileError: as for ``scaleplan.pilot``.
    """
    if goal.machine is None:
        return Costed(propose(ask, goal.name, first=first), None, ())
    ask, left_out = _fitting(goal, ask)
    try:
        proposal = propose(ask, goal.name, first=first)
    except InfeasibleError as error:
        if not left_out:
            raise
        text = f"{left_out[0].message.rstrip('.')}: name larger accelerators, or more of them"
        raise InfeasibleError(f"{error.message}; {text}") from None
    try:
        return _costed(goal, proposal, left_out)
    except InfeasibleError as error:
        if goal.words.within is None:
            raise
        late = error
    for part in _SHORTER:
        shorter = ask._replace(most_run=ask.most_run * part)
        text = (
            f"no run takes more than {shorter.most_run:.3g} of all, so that they end within {goal.words.within:g} days."
        )
        try:
            return _costed(goal, propose(shorter, goal.name, first=first), (*left_out, Notice("shorter_runs", text)))
        except InfeasibleError:
            continue
    raise InfeasibleError(f"{late.message}, or give a smaller share")


def designed_in_hours(goal: Wanted, ask: Ask) -> Costed:
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
        few = SHARE * _hours(best) * above / below
        raise InfeasibleError(
            f"{given:,.6g} hours of {machine.part.id} are as much as the target takes itself: give fewer, such as "
            f"{few:,.2g}, or a share"
        )
    text = f"the runs take {_hours(best):,.6g} of {given:,.6g} accelerator-hours; no design in between was found."
    return best._replace(proposal=with_notices(best.proposal, (Notice("hours_left", text),)))


def _hours(found: Costed) -> float:
    hours = found.proposal.manifest.gpu_hours
    assert hours is not None
    return hours


def _costed(goal: Wanted, proposal: Proposal, notices: tuple[Notice, ...]) -> Costed:
    from scaleplan.specs.pilot_costs import costed

    assert goal.machine is not None
    found = costed(proposal.manifest.runs, goal.machine, days=goal.words.within)
    made = with_costs(proposal, found.runs, (*notices, *found.notices))
    return Costed(made, found.makespan_days, found.assumptions)


def _fitting(goal: Wanted, ask: Ask) -> tuple[Ask, tuple[Notice, ...]]:
    """What is asked, with no size that does not fit on the accelerators there are.

    Raises:
        InfeasibleError: not even the smallest size fits.
    """
    from scaleplan.specs.pilot_widths import PilotBills

    machine = goal.machine
    assert machine is not None
    available = machine.accelerators
    found = candidates(ask.kind, ask.reach)
    # The fewest and the most tokens of a size stand for the others: the smallest batch and the largest.
    runs = [pilot_run(found, int(np.flatnonzero(found.shape == i)[j])) for i in np.unique(found.shape) for j in (0, -1)]
    runs = [run._replace(id=f"{units.count(run.params)} parameters") for run in runs]
    bills = PilotBills(runs, machine)

    def misfit(i: int) -> InfeasibleError | None:
        try:
            bills.require_fit(2 * i, available)
            bills.require_fit(2 * i + 1, available)
        except InfeasibleError as error:
            return error
        return None

    # One by one from the smallest: a larger shape with more heads may fit where a smaller one does not.
    sizes = range(len(runs) // 2)
    first = next(((i, error) for i in sizes if (error := misfit(i)) is not None), None)
    if first is None:
        return ask, ()
    if first[0] == 0:
        raise InfeasibleError(f"{first[1].message}: take larger accelerators or more, or lower --context or --vocab")
    most = runs[2 * (first[0] - 1)].params
    size = units.count(most)
    many = "any number of" if available is None else f"{available:,}"
    text = f"sizes above {size} do not fit on {many} {machine.part.id} and are left out."
    return ask._replace(most_params=most), (Notice("size_limit", text),)
