"""MLflow's two local stores, as MLflow writes them: runs by name, numbers that are none, stores that are damaged."""

from __future__ import annotations

import logging
import math
import os
import shutil
import sqlite3
import sys
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from scaleplan.errors import InputFileError
from scaleplan.specs.log_mlflow import is_mlflow, read_mlflow
from scaleplan.specs.log_rows import LogContentError

STEPS = 20
START = 1_700_000_000_000


RUNS = (("small", 0.0), ("large", -1.0), ("gone", 0.0))
REAL_DATABASE = "SCALEPLAN_REAL_STORES" in os.environ
TABLES = Path(__file__).parent / "real_logs" / "mlflow_tables.sql"


def values_of(shift):
    """A run's values: one loss that is no number, one that is infinite, two evaluations."""
    found = []
    for step in range(STEPS):
        loss = math.nan if step == 7 else math.inf if step == 8 else 3 - step / 100 + shift
        found += [("train/loss", loss, START + 1000 * step, step), ("lr", 0.5, START + 1000 * step + 3, step)]
        if step % 10 == 9:
            found += [("eval_loss", 3.5, START + 1000 * step, step)]
    return found


def write_by_mlflow(uri, folder):
    """Two runs, and a third that was deleted, by MLflow's own client."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        for optional in ("pandas", "polars", "scipy"):  # mlflow-skinny does without; to import them takes seconds
            patch.setitem(sys.modules, optional, None)
        patch.chdir(folder)
        from mlflow import entities
        from mlflow.tracking import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        experiment = client.create_experiment("ladder", artifact_location=(folder / "artifacts").as_uri())
        for name, shift in RUNS:
            run = client.create_run(experiment, run_name=name).info.run_id
            client.log_batch(run, [entities.Metric(*each) for each in values_of(shift)])
            if name == "gone":
                client.delete_run(run)
    logging.disable(level)


def write_as_mlflow(path):
    """The same runs as rows of its tables: NaN stands as 0 with ``is_nan``, infinity as the largest number."""
    with closing(sqlite3.connect(path)) as store:
        store.executescript(TABLES.read_text())
        for place, (name, shift) in enumerate(RUNS):
            state = "deleted" if name == "gone" else "active"
            run = f"{place:032x}"
            store.execute(
                "INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage) VALUES (?, ?, 'RUNNING', ?, ?)",
                (run, name, START + place, state),
            )
            rows = [
                (key, 0.0 if math.isnan(value) else min(value, sys.float_info.max), time, run, step, math.isnan(value))
                for key, value, time, step in values_of(shift)
            ]
            store.executemany("INSERT INTO metrics VALUES (?, ?, ?, ?, ?, ?)", rows)
        store.commit()


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Both stores with the same runs.

    MLflow writes the folder. Its database, of which the migrations take seconds, it writes where the environment has
    ``SCALEPLAN_REAL_STORES``; the rows are put into the same tables otherwise.
    """
    pytest.importorskip("mlflow", reason="mlflow-skinny is not installed")
    folder = tmp_path_factory.mktemp("mlflow")
    write_by_mlflow((folder / "mlruns").as_uri(), folder)
    if REAL_DATABASE:
        pytest.importorskip("alembic", reason="alembic, which MLflow needs for SQLite, is not installed")
        write_by_mlflow(f"sqlite:///{folder / 'mlflow.db'}", folder)
    else:
        write_as_mlflow(folder / "mlflow.db")
    return folder


def columns_of(store, table):
    return [(name, kind, bool(needed)) for _, name, kind, needed, *_ in store.execute(f"PRAGMA table_info({table})")]


@pytest.mark.skipif(not REAL_DATABASE, reason="SCALEPLAN_REAL_STORES is not set")
def test_the_tables_are_those_that_mlflow_makes(stores):
    with closing(sqlite3.connect(stores / "mlflow.db")) as real, closing(sqlite3.connect(":memory:")) as ours:
        ours.executescript(TABLES.read_text())
        for table in ("runs", "metrics"):
            assert columns_of(real, table) == columns_of(ours, table)


@pytest.fixture(params=["mlruns", "mlflow.db"])
def store(stores, request):
    return stores / request.param


def read(path, columns=None, run=None):
    return read_mlflow(path, "ml", columns or {}, run).log("ml")


def refused(path, columns=None, run=None, kind=LogContentError):
    with pytest.raises(kind) as caught:
        read(path, columns, run)
    assert "\n" not in caught.value.message
    return caught.value.message


def expect_small(log):
    expected = 3 - np.arange(STEPS) / 100
    expected[7:9] = np.nan, np.inf
    np.testing.assert_array_equal(log.loss, expected)
    assert log.step.tolist() == list(range(STEPS))
    assert log.lr.tolist() == [0.5] * STEPS
    assert log.time.tolist() == [START / 1000 + step for step in range(STEPS)]
    assert (log.eval_step.tolist(), log.eval_loss.tolist()) == ([9, 19], [3.5, 3.5])
    assert (log.format, log.unreadable, log.notices) == ("MLflow", 0, ())


def test_a_run_that_is_named_has_all_its_values(store):
    assert is_mlflow(store)
    expect_small(read(store, run="small"))
    assert read(store, run="large").loss[0] == 2


def test_several_runs_are_refused_with_their_names(store):
    message = refused(store)
    assert message.startswith("ml: 2 runs (")
    assert "(small)" in message
    assert "(large)" in message
    assert "gone" not in message
    assert message.endswith("name one with --run NAME" + ", or give its folder" * (store.name == "mlruns"))
    assert "no run 'tiny'" in refused(store, run="tiny", kind=InputFileError)


def test_the_folder_of_a_run_is_one_run_and_one_of_an_experiment_has_all(stores):
    about = next(each for each in stores.glob("mlruns/*/*/meta.yaml") if "run_name: small" in each.read_text())
    run = about.parent
    assert is_mlflow(run)
    expect_small(read(run))
    assert is_mlflow(run.parent)
    expect_small(read(run.parent, run=run.name))
    assert is_mlflow(stores)
    expect_small(read(stores, run="small"))


def test_a_metric_that_is_named_counts_and_one_that_is_not_there_is_refused(store):
    assert read(store, {"loss": "eval_loss"}, run="small").loss.tolist() == [3.5, 3.5]
    assert "no metric 'los' for loss" in refused(store, {"loss": "los"}, run="small")


def test_a_line_that_is_cut_off_is_counted(stores, tmp_path):
    about = next(each for each in stores.glob("mlruns/*/*/meta.yaml") if "run_name: small" in each.read_text())
    run = Path(shutil.copytree(about.parent, tmp_path / "run"))
    with open(run / "metrics" / "train" / "loss", "a") as file:
        file.write("1700000000000 2.5 19 more\n17000")
    rows = read_mlflow(run, "ml", {})
    assert (len(rows.steps), rows.unreadable) == (STEPS, 2)
    assert ":21: '1700000000000 2.5 19 more'" in rows.first_unreadable


def test_a_run_that_was_resumed_goes_back_in_steps(stores, tmp_path):
    about = next(each for each in stores.glob("mlruns/*/*/meta.yaml") if "run_name: small" in each.read_text())
    run = Path(shutil.copytree(about.parent, tmp_path / "run"))
    for metric, value in (("train/loss", 1.5), ("lr", 0.25)):
        with open(run / "metrics" / metric, "a") as file:
            file.writelines(f"{START + 50_000 + step} {value} {step}\n" for step in range(15, 25))
    log = read(run)
    assert log.written.step.tolist() == [*range(20), *range(15, 25)]
    assert log.written.lr.tolist() == [0.5] * 20 + [0.25] * 10
    assert log.loss[15:].tolist() == [1.5] * 10


def test_a_value_that_is_no_number_is_counted(stores, tmp_path):
    path = Path(shutil.copy(stores / "mlflow.db", tmp_path))
    with closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA ignore_check_constraints = 1")
        store.execute("UPDATE metrics SET value = 'high' WHERE key = 'train/loss' AND step = 3")
        store.commit()
    rows = read_mlflow(path, "ml", {}, "small")
    assert (len(rows.steps), rows.unreadable) == (STEPS - 1, 1)
    assert rows.first_unreadable == f"ml: train/loss: '3, high, {START + 3000}'"


def test_databases_that_are_none_of_mlflow_are_refused(tmp_path):
    other = tmp_path / "a ?#%41.db"
    with closing(sqlite3.connect(other)) as made:
        made.execute("CREATE TABLE t (x)")
        made.commit()
    assert is_mlflow(other)
    assert "not MLflow's (no such table: runs)" in refused(other)
    other.write_bytes(b"SQLite format 3\0" + b"junk" * 400)
    assert "SQLite cannot read it" in refused(other)
    other.write_bytes(b"")
    assert not is_mlflow(other)


def test_folders_without_runs_are_no_store(tmp_path):
    assert not is_mlflow(tmp_path)
    assert "no run with metrics in it" in refused(tmp_path)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "again").symlink_to(tmp_path)
    assert not is_mlflow(tmp_path)
