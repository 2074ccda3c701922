"""The same results in the same order wherever chunks run, and plain words when they cannot."""

import builtins
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
import weakref
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from scaleplan.errors import InputFileError, ScaleplanError, UsageError
from scaleplan.executors import iter_chunks, run_chunks

ROOT = Path(__file__).parents[1]


def slow_first(chunk):
    """The earlier the chunk, the later it is done."""
    place, of = chunk
    time.sleep(0.05 * (of - place))
    return place, os.getpid()


def noise(seed):
    matrix = np.random.default_rng(seed).normal(size=(60, 60))
    return np.linalg.solve(matrix @ matrix.T + np.eye(60), matrix)


def refuse(chunk):
    raise InputFileError([f"row {chunk}: loss: must be > 0", "row 9: too"])


def refuse_late(chunk):
    return refuse(chunk) if chunk >= 3 else chunk


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def blas_threads(_):
    return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]


def test_one_worker_runs_in_this_process_in_order():
    told = []
    results = run_chunks(slow_first, [(i, 3) for i in range(3)], progress=lambda *each: told.append(each))
    assert results == [(0, os.getpid()), (1, os.getpid()), (2, os.getpid())]
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_processes_give_the_order_of_the_chunks_whichever_ends_first():
    told = []
    results = run_chunks(slow_first, [(i, 4) for i in range(4)], workers=2, progress=lambda *each: told.append(each))
    assert [place for place, _ in results] == [0, 1, 2, 3]
    assert os.getpid() not in {process for _, process in results}
    assert told == [(done, 4) for done in (1, 2, 3, 4)]


def test_processes_give_the_bits_of_this_process():
    seeds = np.random.SeedSequence(5).spawn(12)
    here = run_chunks(noise, seeds)
    there = run_chunks(noise, seeds, workers=2)
    assert all(np.array_equal(one, other) for one, other in zip(here, there, strict=True))


def test_linear_algebra_has_one_thread_in_a_chunk_and_its_threads_back_after():
    before = blas_threads(None)
    inside = run_chunks(blas_threads, [None])[0]
    assert inside
    assert set(inside) == {1}
    assert blas_threads(None) == before


def test_no_chunks_are_no_results():
    assert run_chunks(noise, [], workers=4) == []


@pytest.mark.parametrize("workers", [0, -3])
def test_a_number_of_workers_below_one_is_refused(workers):
    with pytest.raises(UsageError, match=rf"workers must be at least 1 \(got {workers}\)"):
        run_chunks(noise, [1], workers=workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_of_a_chunk_arrives_as_it_was_raised(workers):
    with pytest.raises(InputFileError) as caught:
        run_chunks(refuse, [7, 8], workers=workers)
    assert caught.value.problems == ("row 7: loss: must be > 0", "row 9: too")


class Counted(Sequence):
    """So many chunks, each made when it is asked for."""

    def __init__(self, length):
        self.length, self.made = length, 0

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        self.made = max(self.made, index + 1)
        return index


def test_results_come_one_by_one_and_chunks_are_made_when_they_are_needed():
    chunks, told = Counted(1000), []
    results = iter_chunks(str, chunks, progress=lambda *each: told.append(each))
    assert (chunks.made, told) == (0, [])
    assert [next(results), next(results)] == ["0", "1"]
    assert (chunks.made, told) == (2, [(1, 1000), (2, 1000)])
    results.close()
    assert list(results) == []
    assert chunks.made == 2


def test_processes_are_only_a_few_chunks_ahead_however_many_there_are():
    chunks = Counted(10**9)
    results = iter_chunks(str, chunks, workers=2)
    assert [next(results) for _ in range(5)] == ["0", "1", "2", "3", "4"]
    assert 5 < chunks.made <= 5 + 8
    results.close()
    assert multiprocessing.active_children() == []


def test_processes_give_one_by_one_what_they_give_together():
    seeds = np.random.SeedSequence(6).spawn(9)
    together = run_chunks(noise, seeds)
    for one, other in zip(together, iter_chunks(noise, seeds, workers=2), strict=True):
        assert np.array_equal(one, other)


def test_results_are_not_kept():
    kept = []

    def large(_):
        array = np.zeros(1000)
        kept.append(weakref.ref(array))
        return array

    for i, result in enumerate(iter_chunks(large, range(6))):
        assert result.size == 1000
        del result
        assert sum(each() is not None for each in kept[:i]) == 0


def test_a_failure_comes_in_its_place_and_ends_the_processes():
    results = iter_chunks(refuse_late, range(30), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(InputFileError, match="row 3"):
        next(results)
    assert multiprocessing.active_children() == []


def test_one_by_one_too_a_number_of_workers_below_one_is_refused_at_once():
    with pytest.raises(UsageError, match=r"workers must be at least 1 \(got 0\)"):
        iter_chunks(noise, [1], workers=0)


def test_a_killed_process_is_reported_in_words():
    with pytest.raises(ScaleplanError, match="a worker process ended before its work was done"):
        run_chunks(die, [1, 2], workers=2)


def test_a_scheduler_without_distributed_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without(name, *rest):
        if name == "distributed":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(UsageError, match=r"pip install 'scaleplan\[dask\]'"):
        run_chunks(noise, [1], scheduler="tcp://127.0.0.1:8786")


def run_script(tmp_path, text, **more):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(text))
    return subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, **more,
    )  # fmt: skip


def test_a_script_without_a_main_guard_is_told_so(tmp_path):
    process = run_script(
        tmp_path,
        """
        import math
        from scaleplan.executors import iter_chunks, run_chunks
        from scaleplan.errors import ScaleplanError
        try:
            run_chunks(math.sqrt, [1.0, 4.0], workers=2)
        except ScaleplanError as error:
            print(error.message)
        """,
    )
    out, _ = process.communicate(timeout=60)
    assert '`if __name__ == "__main__":`' in out


def test_ctrl_c_ends_all_processes_soon(tmp_path):
    process = run_script(
        tmp_path,
        """
        import time
        from scaleplan.executors import iter_chunks, run_chunks
        if __name__ == "__main__":
            print("up", flush=True)
            try:
                run_chunks(time.sleep, [0.3] * 1000, workers=2, progress=lambda d, n: print(d, flush=True))
            except KeyboardInterrupt:
                print("stopped", flush=True)
        """,
        start_new_session=True,
    )
    assert process.stdout.readline() == "up\n"
    assert process.stdout.readline() == "1\n"
    os.killpg(process.pid, signal.SIGINT)
    started = time.monotonic()
    out, err = process.communicate(timeout=60)  # returns when the last process has closed its end
    assert out.splitlines()[-1] == "stopped"
    assert err == ""
    assert process.returncode == 0
    assert time.monotonic() - started < 30
