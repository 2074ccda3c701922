"""When pilot runs start on a cluster that holds some of them at once, and when the last of them ends.

Jobs start in the order given, each as soon as so many accelerators are free (list scheduling, Graham 1969, SIAM J.
Appl. Math. 17, 416); none overtakes one before it, as in a queue without backfill, so that the cheapest results come
first. The last job, the dearest, waits for all others: a stop/go check stands before it.

Where they end too late, jobs are put on twice as many accelerators, first the one that ends last. This is greedy, our
choice: which widths end soonest is NP-hard (moldable tasks, Du and Leung 1989, SIAM J. Discrete Math. 2, 473).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heappop, heappush
from typing import NamedTuple

from scaleplan.errors import InfeasibleError

_ROUNDING = 1e-9
"""Times are sums of a few dozen others."""


class Job(NamedTuple):
    """So many ``accelerators`` at once for so many ``days``."""

    accelerators: int
    days: float


class Schedule(NamedTuple):
    """When each job starts, in the order of the jobs, and when all have ended, both [days] from the first start."""

    starts: tuple[float, ...]
    days: float


def makespan(jobs: Sequence[Job], available: int | None) -> Schedule:
    """When jobs start and end that are started in order, the last one after all others.

    Args:
        jobs: in order, the dearest last.
        available: accelerators at once; ``None`` for as many as are asked for.

    Raises:
        InfeasibleError: a job asks for more accelerators than there are.
    """
    most = max((job.accelerators for job in jobs), default=0)
    if available is not None and most > available:
        raise InfeasibleError(f"a job takes {most:,} accelerators at once, {available:,} are available")
    free = sum(job.accelerators for job in jobs) if available is None else available
    running: list[tuple[float, int]] = []
    starts: list[float] = []
    now = 0.0
    for i, (wanted, days) in enumerate(jobs):
        while running and (free < wanted or i == len(jobs) - 1):
            end, released = heappop(running)
            now, free = max(now, end), free + released
        starts.append(now)
        heappush(running, (now + days, wanted))
        free -= wanted
    return Schedule(tuple(starts), max((end for end, _ in running), default=0.0))


def within(
    jobs: Sequence[Job], faster: Callable[[int, Job], Job | None], available: int | None, days: float
) -> tuple[list[Job], Schedule]:
    """Jobs on more accelerators each until all end within ``days``, or until that does not make them end sooner.

    Args:
        jobs: in order, the dearest last, each on as few accelerators as it would take.
        faster: the job of some place on more accelerators, ``None`` where it goes on no more.
        available: accelerators at once; ``None`` for as many as are asked for.
        days: by when all should have ended.

    Returns:
        The jobs, and their schedule, which may end later than ``days``.

    Raises:
        InfeasibleError: a job asks for more accelerators than there are.
    """
    taken, schedule = list(jobs), makespan(jobs, available)
    movable = set(range(len(taken)))
    while movable and not ends_by(schedule, days):
        # Of those that end together, as replicates do, the one that takes longest.
        ends = {i: (schedule.starts[i] + taken[i].days, taken[i].days) for i in movable}
        latest = max(sorted(movable), key=ends.__getitem__)
        moved = faster(latest, taken[latest])
        if moved is None or moved.days >= taken[latest].days:
            movable.discard(latest)
            continue
        trial = [*taken[:latest], moved, *taken[latest + 1 :]]
        found = makespan(trial, available)
        # One of two that end together moves nothing by itself: as soon is soon enough.
        if ends_by(found, schedule.days):
            taken, schedule = trial, found
        else:
            movable.discard(latest)
    return taken, schedule


def ends_by(schedule: Schedule, days: float) -> bool:
    """Whether a schedule ends within ``days``, but for rounding."""
    return schedule.days <= days * (1 + _ROUNDING)
