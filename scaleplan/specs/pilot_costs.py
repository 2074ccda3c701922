"""What pilot runs take on a machine: accelerators, days, accelerator-hours and money of each, and when all are done.

``pilot_widths`` says on how many accelerators each of them goes, ``pilots.schedule`` when it starts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.compute.bill import Assumption
from scaleplan.compute.costing import Costing
from scaleplan.errors import InfeasibleError, Notice
from scaleplan.pilots.schedule import Job, Schedule, ends_by
from scaleplan.specs.pilot_widths import DAYS_A_RUN, EXTRAS, PilotBills

if TYPE_CHECKING:
    from scaleplan.pilots.manifest import PilotRun
    from scaleplan.specs.machines import Machine

_OF_RUN = ("shape", "context")
"""Not listed as assumed: each run has its own."""
_LATER = 1.02
"""Our choice: by so much at least the time grows that is tried next."""
_MORE, _HALVINGS = 6, 3
"""Our choice: up to 64 times as many accelerators are tried, and the least that do found to an eighth."""


class CostedPilots(NamedTuple):
    """Pilot runs with what they take, and how long all of them take one beside the other [days].

    ``makespan_days`` is ``None`` where nothing says how many accelerators there are.
    """

    runs: tuple[PilotRun, ...]
    makespan_days: float | None
    notices: tuple[Notice, ...]
    assumptions: tuple[Assumption, ...]


def costed(
    runs: Sequence[PilotRun], machine: Machine, *, available: int | None = None, days: float | None = None
) -> CostedPilots:
    """Pilot runs with accelerators, days, accelerator-hours and money of each filled in.

    Args:
        runs: in the order in which they start, the dearest last.
        machine: on what; its budget is not looked at.
        available: accelerators at once, above zero; those of the machine where left out.
        days: by when all are to be done [days], above zero.

    Raises:
        InfeasibleError: a run fits on no number that is available, or all do not end in time: with what would do.
        UsageError: numbers that an estimate needs are not known, a step of more tokens than the run.
        InputFileError: the table of measured steps cannot be used.
    """
    most = machine.accelerators if available is None else available
    bills = PilotBills(runs, machine)
    jobs, schedule = bills.planned(most, days)
    if days is not None and not ends_by(schedule, days):
        raise InfeasibleError(_nearest(bills, schedule, most, days))
    found = [bills.on(i, job.accelerators) for i, job in enumerate(jobs)]
    given = [each for each in machine.assumptions if each.name not in EXTRAS]
    assumed = [each for costing in found for each in costing.assumptions if each.name not in _OF_RUN]
    return CostedPilots(
        runs=tuple(_filled(run, costing) for run, costing in zip(runs, found, strict=True)),
        makespan_days=None if most is None else schedule.days,
        notices=(*machine.warnings, *_told(runs, found), *_unscheduled(runs, jobs, most, machine.part.id)),
        assumptions=tuple(dict.fromkeys([*given, *assumed, *_choices(most, days)])),
    )


def _nearest(bills: PilotBills, schedule: Schedule, available: int | None, days: float) -> str:
    """That pilots end too late, in what time they would end, and on how many accelerators they would not."""
    part = bills.machine.part.id
    where = f"however many {part} there are" if available is None else f"on {available:,} {part}"
    text = f"the pilots take {schedule.days:.4g} days {where}, not {days:g}"
    text = f"{text}: allow {_later(bills, schedule, available)} days"
    more = None if available is None else _more(bills, available, days)
    return text if more is None else f"{text}, or take {more:,} accelerators"


def _later(bills: PilotBills, schedule: Schedule, available: int | None) -> str:
    """The days, in three figures, in which they do end."""
    days = schedule.days
    while True:
        told = f"{days:.3g}"
        if float(told) < days:
            told = f"{days + 10 ** (math.floor(math.log10(days)) - 2):.3g}"
        found = bills.planned(available, float(told))[1]
        if ends_by(found, float(told)):
            return f"{float(told):g}"
        days = max(found.days, _LATER * float(told))


def _more(bills: PilotBills, available: int, days: float) -> int | None:
    """So many accelerators that all end in time; ``None`` where more of them do not help."""

    def do(accelerators: int) -> bool:
        return ends_by(bills.planned(accelerators, days)[1], days)

    many = next((available * 2**k for k in range(1, _MORE + 1) if do(available * 2**k)), None)
    if many is None:
        return None
    few, node = many // 2, bills.machine.part.node
    for _ in range(_HALVINGS):
        middle = -(-(few + many) // (2 * node)) * node
        if not few < middle < many:
            break
        few, many = (few, middle) if do(middle) else (middle, many)
    return many


def _filled(run: PilotRun, costing: Costing) -> PilotRun:
    return run._replace(
        accelerator=costing.accelerator,
        accelerators=costing.accelerators,
        days=costing.days,
        gpu_hours=costing.gpu_hours,
        cost_usd=costing.cost_usd,
    )


def _told(runs: Sequence[PilotRun], found: Sequence[Costing]) -> Iterator[Notice]:
    """What there is to say of the runs: once what is said of all, else of the first, and of how many."""
    said = {
        notice: [run.id for run, each in zip(runs, found, strict=True) if notice in each.warnings]
        for costing in found
        for notice in costing.warnings
    }
    yield from (notice for notice, ids in said.items() if len(ids) == len(runs))
    some: dict[str, list[tuple[str, str]]] = {}
    for notice, ids in said.items():
        if len(ids) < len(runs):
            some.setdefault(notice.code, []).extend((each, notice.message) for each in ids)
    for code, each in some.items():
        first, message = each[0]
        others = f" and {len(each) - 1} more pilot runs" if len(each) > 1 else ""
        yield Notice(code, f"{first}{others}: {message}")


def _unscheduled(runs: Sequence[PilotRun], jobs: Sequence[Job], available: int | None, part: str) -> Iterator[Notice]:
    """A notice that nothing says how many accelerators there are, and of the longest run."""
    if available is not None or not jobs:
        return
    run, longest = max(zip(runs, jobs, strict=True), key=lambda each: each[1].days)
    text = (
        f"without a number of accelerators the pilots have no schedule: the longest, {run.id}, takes "
        f"{longest.days:.3g} days on {longest.accelerators:,}; name them, as in 64x{part}."
    )
    yield Notice("unscheduled", text)


def _choices(available: int | None, days: float | None) -> Iterator[Assumption]:
    """What was taken of the time of a run and of the cluster."""
    why = "a restart loses little, and a ladder is done in a week or two; longer where too few accelerators are there"
    if days is None:
        yield Assumption("time of a pilot", DAYS_A_RUN, "days", "our choice", why)
    else:
        yield Assumption("time of all pilots", days, "days", "given", "given")
    if available is not None:
        yield Assumption("accelerators at once", available, "", "given", "given")
