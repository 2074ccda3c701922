"""What a user says of a log (its format, columns, run), what its columns of time mean, and what is wrong with it."""

import json
import math

import numpy as np
import pytest

from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs.log_blocks import LONGEST_LINE, LineCutter
from scaleplan.specs.log_forms import FORMS
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogContentError, LogRows
from scaleplan.specs.log_values import as_time
from scaleplan.specs.training_logs import read_log


@pytest.fixture
def read(tmp_path):
    def from_text(text, name="run.log", **words):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_log(path, **words)

    return from_text


def refused(read, text, kind=LogContentError, **words):
    with pytest.raises(kind) as caught:
        read(text, **words)
    assert "\n" not in caught.value.message
    return caught.value.message


OWN = {"step": "it", "loss": "train/ce", "lr": "eta", "step_time": "dt"}


@pytest.mark.parametrize(
    "text",
    [
        "it,loss,train/ce,eta,dt\n1,9,2.5,0.1,3\n2,9,2.25,0.2,4\n",
        "".join(json.dumps(dict(zip(("it", "loss", "train/ce", "eta", "dt"), row, strict=True))) + "\n"
                for row in ((1, 9, 2.5, 0.1, 3), (2, 9, 2.25, 0.2, 4))),
        json.dumps([{"it": 1, "train/ce": 2.5, "eta": 0.1, "dt": 3}, {"it": 2, "train/ce": 2.25, "eta": 0.2, "dt": 4}]),
    ],
)  # fmt: skip
def test_columns_by_the_names_that_were_given(read, text):
    log = read(text, columns=OWN)
    assert (log.step.tolist(), log.loss.tolist()) == ([1, 2], [2.5, 2.25])
    assert (log.lr.tolist(), log.step_time.tolist()) == ([0.1, 0.2], [3, 4])


def test_a_column_of_megatron_text_by_its_name(read):
    text = "".join(f" iteration {i}/ 9 | lm loss: 9.0 | ce: {i}.5 | lr: 0.5 |\n" for i in range(1, 5))
    assert read(text, columns={"loss": "ce"}).loss.tolist() == [1.5, 2.5, 3.5, 4.5]
    with pytest.raises(InputFileError, match=r"nothing is called 'cee', given for loss; .* Did you mean ce"):
        read(text, columns={"loss": "cee"})


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"los": "x"}, "no column 'los' in a training log. Did you mean loss"),
        ({"loss": "x", "lr": "x"}, "'x' was given for two columns"),
    ],
)
def test_columns_that_there_cannot_be(read, columns, words):
    assert words in refused(read, "step,x\n1,2\n", UsageError, columns=columns)


def test_a_column_that_is_not_there(read):
    message = refused(read, "step,train/ce\n1,2\n", InputFileError, columns={"loss": "train/c"})
    assert "no column 'train/c', given for loss; got 'step, train/ce'. Did you mean train/ce?" in message
    message = refused(read, '{"step": 1, "ce": 2}\n' * 2, InputFileError, columns={"loss": "train/ce"})
    assert "nothing is called 'train/ce', given for loss; got 'ce', 'step'" in message


def test_a_form_that_is_forced(read):
    text = "iter 1: loss 2.5, time 1ms\n{'loss': 2.25, 'step': 3}\n{'loss': 2, 'step': 4}\n"
    assert read(text).step.tolist() == [3, 4]
    log = read(text, form="nanogpt")
    assert (log.step.tolist(), log.step_time.tolist(), log.format) == ([1], [1e-3], "nanoGPT text")
    assert "no line of 3 could be read as a training log (Megatron-LM text)" in refused(read, text, form="megatron")
    assert "no column 'step'" in refused(read, "a\nb\n", form="csv")
    assert read('{"step": 1, "loss": 2}', form="ndjson").step.tolist() == [1]
    assert read('{"log_history": [{"step": 1, "loss": 2}]}', form="trainer-state").step.tolist() == [1]
    assert "no log format 'megatrom'. Did you mean megatron" in refused(read, text, UsageError, form="megatrom")
    assert set(FORMS) >= {"csv", "ndjson", "json", "trainer-state", "megatron", "nanogpt", "printed", "parquet"}


@pytest.mark.parametrize("text", ["run,step,loss\na,1,2\nb,1,3\na,2,4\n", None])
def test_one_run_of_several(read, text):
    rows = [{"run": run, "step": step, "loss": loss} for run, step, loss in (("a", 1, 2), ("b", 1, 3), ("a", 2, 4))]
    text = text or "".join(json.dumps(each) + "\n" for each in rows)
    assert read(text, run="a").loss.tolist() == [2, 4]
    assert "rows of 2 runs ('a', 'b' ...)" in refused(read, text)
    assert "no run 'c'. Its runs: 'a', 'b'" in refused(read, text, InputFileError, run="c")
    assert "its rows name no run" in refused(read, "step,loss\n1,2\n", InputFileError, run="a")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1.5", 1.5),
        ("1970-01-02", 86400),
        ("1970-01-01 00:00:01.5", 1.5),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:02Z", 2),
        ("1 day, 0:00:01", 86401),
        ("26:00:01.5", 93601.5),
        ("yesterday", None),
        (True, None),
        (None, None),
    ],
)
def test_times_in_words(text, seconds):
    assert as_time(text) == seconds


@pytest.mark.parametrize("name", ["time", "timestamp", "_timestamp", "wall_time", "Wall time", "created_at"])
def test_columns_of_time(read, name):
    log = read(f"step,loss,{name}\n1,2,2026-11-22T03:00:01Z\n2,2,2026-11-22 03:00:03\n")
    assert log.time.tolist() == [1795316401, 1795316403]
    assert json.loads(json.dumps(log.notices)) == []


def test_times_in_other_units_are_seconds_and_odd_ones_are_told(read):
    log = read("step,loss,time\n1,2,1700000000000\n2,2,1700000000500000\n3,2,1700000001000000000\n4,2,soon\n5,2,\n")
    assert log.time[:3].tolist() == [1.7e9, 1700000000.5, 1700000001]
    assert math.isnan(log.time[3])
    assert [each.message for each in log.notices] == ["1 time taken as missing: neither a number nor an ISO 8601 date."]


@pytest.mark.parametrize(
    ("name", "value", "seconds"),
    [
        ("step_time", "0.5", 0.5),
        ("iter_time", "0.5", 0.5),
        ("elapsed_time_per_iteration", "0.5", 0.5),
        ("elapsed time per iteration (ms)", "500", 0.5),
        ("step_time_ms", "500", 0.5),
    ],
)
def test_columns_of_the_time_of_a_step(read, name, value, seconds):
    assert read(f"step,loss,{name}\n1,2,{value}\n").step_time.tolist() == [seconds]


def test_megatron_has_both_times(read):
    log = read(" [2026-11-22 03:00:01] iteration 1/ 2 | elapsed time per iteration (ms): 500.0 | lm loss: 2 |\n" * 2)
    assert (log.time.tolist(), log.step_time.tolist()) == ([1795316401], [0.5])
    assert log.written.step.tolist() == [1, 1]


def test_rows_stand_as_written_and_by_rising_step(read):
    log = read("step,loss\n1,5\n2,4\n3,3\n2,4.5\n3,3.5\n")
    assert (log.step.tolist(), log.loss.tolist()) == ([1, 2, 3], [5, 4.5, 3.5])
    assert (log.written.step.tolist(), log.written.loss.tolist()) == ([1, 2, 3, 2, 3], [5, 4, 3, 4.5, 3.5])


def test_rising_steps_cost_their_memory_once(read):
    log = read("step,loss,lr\n1,5,1\n2,4,1\n")
    assert log.written.step is log.step
    assert log.written.lr is log.lr


def test_rows_many_at_a_time_and_one_by_one():
    rows = LogRows("made")
    rows.train(1, {"loss": 5.0})
    rows.extend(np.array([2.0, 3.0]), {"loss": np.array([4.0, 3.0]), "lr": np.array([0.5, 0.25]), "time": None})
    rows.train(4, {"loss": 2.0, "grad_norm": 7.0})
    rows.extend_evaluations(np.array([4.0]), np.array([2.5]))
    log = rows.log("made")
    assert log.step.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(log.lr, [math.nan, 0.5, 0.25, math.nan])
    np.testing.assert_array_equal(log.grad_norm, [math.nan, math.nan, math.nan, 7])
    assert (log.time, log.eval_loss.tolist()) == (None, [2.5])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("step,loss\n", "a header and no rows below it"),
        ("step,loss\nx,2\n", "no line of 1 could be read as a training log (CSV); unreadable: line 2: 'x,2'"),
        ('{"step": "a", "loss": 2}\n{"step": "b", "loss": 2}\n', "2 rows with a loss and none with a step"),
        ("hello\n" * 3, "no line of 3 could be read"),
        (b"\xff\xfes\0t\0e\0p\0", "UTF-16 text: write it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a binary file"),
    ],
)
def test_what_is_no_log(read, text, words):
    assert words in refused(read, text)


def test_a_row_alone_and_one_without_numbers_are_logs(read):
    assert read("step,loss\n-5,nan\n").step.tolist() == [-5]
    log = read("step,loss\n1,1e400\n2,nan\n3,-1e400\n")
    np.testing.assert_array_equal(log.loss, [math.inf, math.nan, -math.inf])


def test_a_line_longer_than_any_log_has():
    cutter = LineCutter("log")
    for _ in range(LONGEST_LINE // 2**24 - 1):
        cutter.take(bytes(2**24))
    with pytest.raises(LogContentError, match="a line of over 64 MiB"):
        cutter.take(bytes(2**24))


def test_names_met_are_kept_only_where_some_were_given():
    plain, own = Roles(), Roles({"loss": "ce"})
    for roles in (plain, own):
        roles.of("lr")
    assert (plain.met, own.met) == (set(), {"lr"})


def test_a_folder_of_no_log(tmp_path):
    with pytest.raises(InputFileError, match="a folder"):
        read_log(tmp_path)


def test_zstandard_says_from_where_on(tmp_path):
    path = tmp_path / "log.zst"
    path.write_bytes(b"(\xb5/\xfd")
    with pytest.raises(InputFileError, match=r"zstd -d|damaged"):
        read_log(path)
