"""On how many accelerators each pilot run goes, and what it takes there.

Each run is costed as ``scaleplan cost`` costs it, with its own shape, context and batch, goodput and price as for the
main run; evaluation and pilots are lines of the main run's bill alone. A run takes the least of 1, 2, 4, ...
accelerators up to a node, then whole nodes doubling, on which it fits and is done in its share of the time, and no more
of them than its steps have sequences, unless memory asks for more: small models need no tensor parallelism.

Few numbers are tried, for each is a search for a layout. H hours on few accelerators are at least nearly as many on
more, so that the first number looked at beyond the least that fits is H / (24 share).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from scaleplan.compute.bill import Extra
from scaleplan.compute.costing import Costing, Workload, cost
from scaleplan.errors import InfeasibleError, ScaleplanError, UsageError
from scaleplan.pilots.schedule import Job, Schedule, ends_by, within
from scaleplan.specs.estimates import estimate

if TYPE_CHECKING:
    from scaleplan.pilots.manifest import PilotRun
    from scaleplan.specs.machines import Machine

DAYS_A_RUN = 3.0
"""Our choice, where no time is given: a restart loses little, and a ladder is done in a week or two."""
EXTRAS = ("evaluation", "pilots")
"""Lines of the main run's bill alone."""
_HALF = 0.5
"""Of the time given: the dearest run waits for all others, so that either take half of it at most."""
_SHORTER = (0.25, 0.0625)
"""Our choice: a long run on few accelerators may stand in the way, and greed does not see it."""
_BETTER = 0.95
"""Our choice: fewer accelerators seldom save more than a twentieth of the hours; if they could not do then, no look."""
_DOUBLINGS = 12
"""Our choice, beyond a node: a few ten thousand accelerators."""


class PilotBills:
    """The bills of pilot runs on a machine by number of accelerators, each found once for runs that are alike."""

    def __init__(self, runs: Sequence[PilotRun], machine: Machine) -> None:
        self._runs = runs
        self.machine = machine._replace(rates=machine.rates._replace(**dict.fromkeys(EXTRAS, Extra())))
        self._known: dict[tuple[object, ...], Costing | ScaleplanError] = {}

    def planned(self, available: int | None, days: float | None) -> tuple[list[Job], Schedule]:
        """The runs as jobs, each on the least accelerators that do, and on more where all else would end too late.

        Where they do all the same, it is looked at whether runs that are shorter to begin with end in time.
        """
        share = DAYS_A_RUN if days is None else days * (_HALF if len(self._runs) > 1 else 1.0)
        jobs, schedule = self._within(available, days, share)
        for shorter in () if days is None or ends_by(schedule, days) else _SHORTER:
            other = self._within(available, days, share * shorter)
            if other[1].days < schedule.days:
                jobs, schedule = other
        return jobs, schedule

    def _within(self, available: int | None, days: float | None, share: float) -> tuple[list[Job], Schedule]:
        jobs = [self._least(i, available, share) for i in range(len(self._runs))]

        def wider(i: int, job: Job) -> Job | None:
            more = (self._job(i, each) for each in self._widths(i, available, job.accelerators)[1:])
            return next((each for each in more if each is not None), None)

        return within(jobs, wider, available, math.inf if days is None else days)

    def on(self, i: int, accelerators: int) -> Costing:
        """The bill of a run on so many.

        Raises:
            InfeasibleError: it does not fit.
            UsageError: it cannot be shared by so many, or not be estimated at all.
        """
        run = self._runs[i]
        key = (run.shape, run.batch_tokens, run.tokens, accelerators)
        found = self._known.get(key)
        if found is None:
            try:
                found = self._costing(run, accelerators)
            except (InfeasibleError, UsageError) as error:
                found = error
            self._known[key] = found
        if isinstance(found, ScaleplanError):
            raise found
        return found

    def require_fit(self, i: int, available: int | None) -> None:
        """Check that a run fits on some number of accelerators up to those available, if that is known.

        Raises:
            InfeasibleError: it does not; on how many it does.
            UsageError: it cannot be estimated.
        """
        self._fewest(i, available)

    def _costing(self, run: PilotRun, accelerators: int) -> Costing:
        counts, conditions = run.shape.params, self.machine.conditions
        workload = Workload(run.id, float(counts.active), float(counts.total), run.tokens)
        own = conditions._replace(batch=run.batch_tokens, context=float(run.shape.context))
        # Beside a utilisation that was given they would be told as given and not used.
        own = own if conditions.mfu is None else own._replace(batch=None, context=None)
        machine = self.machine._replace(accelerators=accelerators, conditions=own)
        found = estimate(workload, run.shape, machine)
        for notice in found.notices:
            if notice.code == "does_not_fit":  # so many are our choice here, and another number is taken
                raise InfeasibleError(notice.message.rstrip("."))
        costing = cost(workload, machine.part, machine.rates, found.speed_of, accelerators=accelerators)
        return costing._replace(assumptions=found.assumptions, warnings=(*found.notices, *costing.warnings))

    def _job(self, i: int, accelerators: int) -> Job | None:
        """A run as a job, ``None`` where it does not fit or cannot be shared."""
        try:
            return Job(accelerators, self.on(i, accelerators).days or 0.0)
        except (InfeasibleError, UsageError):
            return None

    def _ladder(self) -> Iterator[int]:
        """1, 2, 4, ... up to a node, then whole nodes doubling."""
        node = self.machine.part.node
        yield from (2**k for k in range(node.bit_length()) if 2**k < node)
        yield from (node * 2**k for k in range(_DOUBLINGS))

    def _widths(self, i: int, available: int | None, start: int) -> list[int]:
        """``start``, and larger numbers of accelerators that a run may take."""
        most = min(self._runs[i].batch_sequences, available or math.inf)
        return [start, *(each for each in self._ladder() if start < each <= most)]

    def _fewest(self, i: int, available: int | None) -> Job:
        """A run on the fewest accelerators that it fits on.

        Raises:
            InfeasibleError: it fits on none that are available; on how many it does.
            UsageError: it cannot be estimated.
        """
        misfits: list[InfeasibleError | UsageError] = []
        for accelerators in self._ladder():
            within_reach = accelerators <= (available or math.inf)
            try:
                job = Job(accelerators, self.on(i, accelerators).days or 0.0)
            except (InfeasibleError, UsageError) as error:
                misfits += [error] if within_reach else []
                continue
            if within_reach:
                return job
            raise InfeasibleError(f"{self._runs[i].id}: {_worst(misfits).message}; it fits on {accelerators:,}")
        worst = _worst(misfits)
        raise type(worst)(f"{self._runs[i].id}: {worst.message}")

    def _least(self, i: int, available: int | None, share: float) -> Job:
        """A run on the least accelerators that do it in ``share`` days, or on those that do it soonest."""
        first = job = self._fewest(i, available)
        widths = self._widths(i, available, first.accelerators)
        at = 0
        while job.days > share and at < len(widths) - 1:
            wanted = job.accelerators * job.days / share
            at = next((k for k in range(at + 1, len(widths)) if widths[k] >= wanted), len(widths) - 1)
            job = self._job(i, widths[at]) or job
        for fewer in reversed(widths[1 : widths.index(job.accelerators)]):
            hours = _BETTER * min(first.accelerators * first.days, job.accelerators * job.days)
            other = self._job(i, fewer) if hours <= fewer * max(share, job.days) else None
            if other is None or other.days > max(share, job.days):
                break
            job = other
        return job if job.days < first.days else first


def _worst(misfits: Sequence[InfeasibleError | UsageError]) -> InfeasibleError | UsageError:
    """The error on the most accelerators that is one of memory, where any is."""
    return next((each for each in reversed(misfits) if isinstance(each, InfeasibleError)), misfits[-1])
