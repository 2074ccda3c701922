"""A fit's resamples on a real Dask cluster: same bits, nothing lost when a worker dies."""

import logging
import os
import signal
import socket
import time

import numpy as np
import pytest

from scaleplan.errors import ScaleplanError, UsageError
from scaleplan.executors import run_chunks
from scaleplan.fitting.bootstrap import bootstrap
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import runs_of

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

pytestmark = pytest.mark.filterwarnings("default")  # what distributed and tornado warn of when workers are killed
RESAMPLES = 6000


def a_fit():
    rng = np.random.default_rng(3)
    n = 300
    params, tokens = (
        np.exp(rng.uniform(np.log(1e8), np.log(1e10), n)),
        np.exp(rng.uniform(np.log(1e9), np.log(3e11), n)),
    )
    loss = (1.8 + 480 / params**0.35 + 2000 / tokens**0.37) * np.exp(0.005 * rng.standard_t(3, n))
    return fit_form(runs_of(params, tokens, loss), find_fit_form("additive"))


@pytest.fixture(scope="module")
def cluster():
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    import dask

    # Work is given up after two workers instead of four: each takes a second to start again.
    with dask.config.set({"distributed.scheduler.allowed-failures": 1}), distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=":0",
        worker_dashboard_address=None,
    ) as running:  # fmt: skip
        yield running


def die(_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_killed_midway_changes_no_bit(cluster, caplog):
    fit = a_fit()
    pids = {worker.pid for worker in cluster.workers.values()}
    assert len(pids) == 2
    at_kill = []

    def kill_one(done, total):
        if done == 3:
            os.kill(min(pids), signal.SIGKILL)
            at_kill.append((done, total))

    there = bootstrap(fit, RESAMPLES, seed=7, scheduler=cluster.scheduler_address, progress=kill_one)
    here = bootstrap(fit, RESAMPLES, seed=7)
    assert at_kill[0][0] < at_kill[0][1] // 2
    assert np.array_equal(there.theta, here.theta)
    assert np.array_equal(there.settled, here.settled)
    assert not caplog.records
    until = time.monotonic() + 20
    while {worker.pid for worker in cluster.workers.values()} == pids and time.monotonic() < until:
        time.sleep(0.1)
    assert min(pids) not in {worker.pid for worker in cluster.workers.values()}


def test_work_that_kills_every_worker_is_reported_in_words(cluster):
    with pytest.raises(ScaleplanError, match=r"the Dask workers at .* died of their work, one after another"):
        run_chunks(die, [1], scheduler=cluster.scheduler_address)


def test_where_no_scheduler_answers_the_address_is_named(monkeypatch):
    monkeypatch.setattr("scaleplan.executors._ANSWER_SECONDS", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"no Dask scheduler answers at '{address}'"):
            run_chunks(die, [1], scheduler=address)


@pytest.mark.parametrize("address", ["nowhere", "ftp://127.0.0.1:1", ""])
def test_what_is_no_address_is_named(address):
    with pytest.raises(UsageError, match=f"no Dask scheduler answers at '{address}'"):
        run_chunks(die, [1], scheduler=address)
