"""Weights & Biases: offline runs written by wandb, whole and damaged, and charts exported as CSV."""

from __future__ import annotations

import math
import shutil
import sys
import warnings

import numpy as np
import pytest

from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs import log_wandb_file
from scaleplan.specs.log_damage import Damage
from scaleplan.specs.log_rows import LogContentError
from scaleplan.specs.log_wandb import is_wandb, read_wandb

STEPS = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that logs its own steps, nested values, a loss that is no number, and a text that fills several blocks."""
    home = tmp_path_factory.mktemp("wandb")
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        for name, value in (("MODE", "offline"), ("SILENT", "true"), ("DIR", str(home)), ("ERROR_REPORTING", "false")):
            patch.setenv(f"WANDB_{name}", value)
        wandb = pytest.importorskip("wandb", reason="wandb is not installed")
        settings = wandb.Settings(
            x_disable_stats=True, x_disable_meta=True, x_disable_machine_info=True, disable_git=True, save_code=False,
            console="off", init_timeout=60,
        )  # fmt: skip
        with wandb.init(project="p", name="small", id="small1", settings=settings) as run:
            for step in range(STEPS):
                loss = math.nan if step == 7 else math.inf if step == 8 else 3 - step / STEPS
                row = {"train/loss": loss, "optim": {"lr": 0.5}, "train/global_step": 10 * step, "note": "x" * 90}
                run.log({**row, "table": "y" * 70_000} if step == 50 else row)
                if step % 100 == 99:
                    run.log({"eval/loss": 3.5, "train/global_step": 10 * step})
                    run.log({"train/grad_norm": 1.5, "train/global_step": 10 * step})
        wandb.teardown()  # waits for the process that writes the file: the end of a run does not
    return home


@pytest.fixture(scope="module")
def file(folder):
    return next(folder.glob("wandb/offline-run-*/run-small1.wandb"))


def read(path, columns=None, run=None):
    return read_wandb(path, "wb", columns or {}, run).log("wb")


def refused(path, columns=None, run=None, kind=LogContentError):
    with pytest.raises(kind) as caught:
        read(path, columns, run)
    assert "\n" not in caught.value.message
    return caught.value.message


def test_an_offline_run_has_all_its_rows_at_the_steps_that_it_logged(folder, file):
    for path in (folder, folder / "wandb", file.parent, file):
        assert is_wandb(path)
        log = read(path)
        assert log.step.tolist() == list(range(0, 10 * STEPS, 10))
        expected = 3 - np.arange(STEPS) / STEPS
        expected[7:9] = np.nan, np.inf
        np.testing.assert_allclose(log.loss, expected, rtol=1e-15)
        assert log.lr.tolist() == [0.5] * STEPS
        assert (log.step[~np.isnan(log.grad_norm)].tolist(), np.nanmax(log.grad_norm)) == ([990, 1990, 2990], 1.5)
        assert np.all(np.diff(log.time) >= 0)
        assert log.time[0] > 1.7e9
        assert (log.eval_step.tolist(), log.eval_loss.tolist()) == ([990, 1990, 2990], [3.5] * 3)
        assert (log.format, log.unreadable, log.ignored, log.notices) == ("Weights & Biases run", 0, 3, ())


def test_steps_can_be_those_that_count_the_calls(file):
    log = read(file, {"step": "_step"})
    assert log.step[[0, 99, 100, -1]].tolist() == [0, 99, 102, STEPS + 3]


def test_a_flipped_bit_costs_one_row_and_is_told(file, tmp_path):
    data = bytearray(file.read_bytes())
    records = log_wandb_file._records(bytes(data), Damage())
    rows = [where for where, part in records if log_wandb_file._record_class().FromString(part).history.item]
    place = rows[200] + 60
    data[place] ^= 1
    path = tmp_path / "run-x.wandb"
    path.write_bytes(data)
    log = read(path)
    assert (len(log.loss), log.unreadable) == (STEPS - 1, 1)
    assert [each.code for each in log.notices] == ["damaged_records"]
    data[rows[200] : place] = b"\xff" * 60
    path.write_bytes(data)
    damaged = read(path)
    assert STEPS - 300 < len(damaged.loss) < STEPS
    assert damaged.step[-1] == log.step[-1]


def test_of_a_file_that_is_cut_off_the_rest_is_used(file, tmp_path):
    path = tmp_path / "run-x.wandb"
    path.write_bytes(file.read_bytes()[:200_000])
    log = read(path)
    assert 50 < len(log.loss) < STEPS
    assert (log.unreadable, [each.code for each in log.notices]) == (0, ["cut_off_record"])


def test_several_runs_are_refused_and_one_can_be_named(file, tmp_path):
    for name, run in (("offline-run-1-aa", "aa"), ("offline-run-2-aa", "aa"), ("run-3-bb", "bb")):
        (tmp_path / "wandb" / name).mkdir(parents=True)
        shutil.copy(file, tmp_path / "wandb" / name / f"run-{run}.wandb")
    (tmp_path / "wandb" / "latest-run").symlink_to(tmp_path / "wandb" / "run-3-bb")
    assert refused(tmp_path) == "wb: 2 runs ('aa', 'bb'); name one with --run ID, or give its folder"
    assert len(read(tmp_path, run="bb").loss) == STEPS
    resumed = read(tmp_path / "wandb", run="aa")
    assert (len(resumed.written.loss), len(resumed.loss)) == (2 * STEPS, STEPS)


def test_a_key_that_is_not_there_is_refused_with_those_that_are(file):
    message = refused(file, {"lr": "optim.learning"})
    assert "no key 'optim.learning' for lr" in message
    assert "There is '_runtime', '_step', '_timestamp', 'eval/loss', 'optim.lr' and 3 more" in message


def test_without_protobuf_the_message_names_the_extra(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.protobuf", None)
    log_wandb_file._record_class.cache_clear()
    assert "pip install 'scaleplan[wandb]'" in refused(file, kind=UsageError)
    log_wandb_file._record_class.cache_clear()


@pytest.mark.parametrize("junk", [b"", b":W&B", b":W&B\xe1\xbe\x00" + b"\0" * 40_000, b":W&B\xe1\xbe\x00\xff\xff"])
def test_a_file_without_a_history_says_so(tmp_path, junk):
    path = tmp_path / "run-x.wandb"
    path.write_bytes(junk)
    assert is_wandb(path) == bool(junk)
    if junk:
        assert refused(path) == "wb: no history in it: nothing was logged yet"
    assert not is_wandb(tmp_path / "..")


# charts, as the site exports them: what it was drawn over, then each run's metrics with their extremes

CHART = """\
"Step","fox-1 - _step","fox-1 - _step__MIN","fox-1 - _step__MAX","fox-1 - train/loss","fox-1 - train/loss__MIN",\
"fox-1 - train/loss__MAX"
"0","0","0","0","4.5","4.5","4.5"
"10","10","10","10","NaN","",""
"20","20","20","20","","",""
"30","30","30","30","3.25","3","4"
"""


def chart(tmp_path, text):
    path = tmp_path / "wandb_export_2026-03-01.csv"
    path.write_text(text, encoding="utf-8")
    assert is_wandb(path)
    return path


def test_a_chart_of_one_run_is_read(tmp_path):
    log = read(chart(tmp_path, CHART))
    assert log.format == "Weights & Biases chart"
    assert log.step.tolist() == [0, 10, 30]
    np.testing.assert_array_equal(log.loss, [4.5, np.nan, 3.25])
    assert log.ignored == 1


def test_of_a_chart_of_several_runs_one_is_named(tmp_path):
    head, *rows = CHART.splitlines()
    more = head.partition(",")[2].replace("fox-1", "Group: a - b")
    path = chart(tmp_path, "\n".join([f"{head},{more}", *(f"{row},1,1,1,2.5,2.5,2.5" for row in rows)]))
    assert refused(path) == "wb: 2 runs ('fox-1', 'Group: a - b'); name one with --run NAME"
    assert read(path, run="Group: a - b").loss.tolist() == [2.5] * 4
    assert "no run 'fox'. Did you mean fox-1?" in refused(path, run="fox", kind=InputFileError)


def test_a_chart_drawn_over_something_else_has_the_steps_of_its_run(tmp_path):
    log = read(chart(tmp_path, CHART.replace('"Step"', '"Relative Time (Process)"')))
    assert log.step.tolist() == [0, 10, 30]


def test_a_chart_that_breaks_off_or_holds_words_is_refused(tmp_path):
    assert "column 'train/loss' is no number in 1 rows (first 'high')" in refused(
        chart(tmp_path, CHART.replace('"4.5"', '"high"', 1))
    )
    assert "no column is a loss" in refused(chart(tmp_path, CHART.replace("train/loss", "accuracy")))
