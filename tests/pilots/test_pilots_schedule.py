"""When pilot runs start and end, against a simulation that tries every moment; and what more accelerators each do."""

from __future__ import annotations

import random

import pytest

from scaleplan.errors import InfeasibleError
from scaleplan.pilots.schedule import Job, ends_by, makespan, within


def naive_starts(jobs, available):
    """Each job at the first moment, not before the one before it, at which what runs leaves it room; the last alone."""
    placed = []
    for job in jobs[:-1]:
        moments = sorted({0.0, *(start + other.days for start, other in placed)})
        earliest = max((start for start, _ in placed), default=0.0)
        for moment in moments:
            used = sum(other.accelerators for start, other in placed if start <= moment < start + other.days)
            if moment >= earliest and used + job.accelerators <= available:
                placed.append((moment, job))
                break
    return [*(start for start, _ in placed), max((start + job.days for start, job in placed), default=0.0)]


def some_jobs(seed, most=16):
    rng = random.Random(seed)  # noqa: S311 - jobs, no secrets
    return [Job(2 ** rng.randrange(most.bit_length()), rng.uniform(0.01, 5)) for _ in range(rng.randrange(1, 40))]


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("available", [16, 19, 64])
def test_a_schedule_is_that_of_a_naive_simulation(seed, available):
    jobs = some_jobs(seed)
    found = makespan(jobs, available)
    assert found.starts == pytest.approx(naive_starts(jobs, available), rel=1e-12, abs=1e-12)
    assert found.days == pytest.approx(found.starts[-1] + jobs[-1].days, rel=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_never_more_run_at_once_than_there_are_and_none_overtakes(seed):
    jobs = some_jobs(seed)
    starts = makespan(jobs, 20).starts
    assert list(starts) == sorted(starts)
    for moment in starts:
        running = (job for start, job in zip(starts, jobs, strict=True) if start <= moment < start + job.days)
        assert sum(job.accelerators for job in running) <= 20


def test_without_a_number_all_but_the_last_start_at_once():
    jobs = [Job(4, 1.0), Job(64, 3.0), Job(8, 2.0), Job(512, 0.5)]
    assert makespan(jobs, None) == ((0.0, 0.0, 0.0, 3.0), 3.5)
    assert makespan(jobs[:1], None) == ((0.0,), 1.0)
    assert makespan([], 8) == ((), 0.0)


def test_a_job_waits_until_there_is_room_and_the_last_for_all():
    """Of four accelerators: two jobs of two, one of four behind both, a short one behind that, then the last."""
    jobs = [Job(2, 1.0), Job(2, 2.0), Job(4, 1.0), Job(1, 1.0), Job(1, 1.0), Job(1, 0.25)]
    assert makespan(jobs, 4) == ((0.0, 0.0, 2.0, 3.0, 3.0, 4.0), 4.25)


def test_a_job_wider_than_the_cluster_is_said():
    with pytest.raises(InfeasibleError, match="a job takes 64 accelerators at once, 16 are available"):
        makespan([Job(1, 1.0), Job(64, 1.0)], 16)


def halving(widest):
    """Twice as many accelerators take half as long, up to a number of them."""
    return lambda _, job: Job(2 * job.accelerators, job.days / 2) if 2 * job.accelerators <= widest else None


def test_what_ends_in_time_is_left_as_it_is():
    jobs = [Job(1, 1.0), Job(1, 2.0), Job(1, 3.0)]
    assert within(jobs, halving(8), 8, 5.0) == (jobs, makespan(jobs, 8))


def test_the_last_is_put_on_more_first_then_the_one_that_ends_last():
    jobs = [Job(1, 1.0), Job(1, 2.0), Job(1, 3.0)]
    assert within(jobs, halving(8), 8, 3.5)[0] == [Job(1, 1.0), Job(1, 2.0), Job(2, 1.5)]
    taken, schedule = within(jobs, halving(2), 8, 2.5)
    assert taken == [Job(1, 1.0), Job(2, 1.0), Job(2, 1.5)]
    assert schedule.days == 2.5


def test_runs_that_end_together_are_all_put_on_more():
    """One replicate on more moves nothing by itself."""
    taken, schedule = within([Job(1, 2.0)] * 3 + [Job(1, 1.0)], halving(2), 8, 1.5)
    assert taken == [Job(2, 1.0)] * 3 + [Job(2, 0.5)]
    assert schedule.days == 1.5


def test_what_cannot_end_in_time_comes_back_too_late_and_never_later_than_before():
    for seed in range(20):
        jobs = some_jobs(seed)
        before = makespan(jobs, 16)
        taken, schedule = within(jobs, halving(16), 16, 1e-3)
        assert not ends_by(schedule, 1e-3)
        assert ends_by(schedule, before.days)
        assert schedule == makespan(taken, 16)
        work = [job.accelerators * job.days for job in jobs]
        assert [job.accelerators * job.days for job in taken] == pytest.approx(work, rel=1e-12)


def test_more_accelerators_that_take_no_less_time_are_not_taken():
    jobs = [Job(1, 2.0), Job(1, 3.0)]
    assert within(jobs, lambda i, _: None if i else Job(2, 1.0), 8, 1.0)[0] == [Job(2, 1.0), Job(1, 3.0)]
    assert within(jobs, lambda _, job: Job(16 * job.accelerators, job.days / 2), 16, 4.0)[0] == [
        Job(1, 2.0),
        Job(16, 1.5),
    ]
