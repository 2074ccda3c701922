"""Logs that are read as they grow: nothing twice, nothing lost, whatever becomes of the file."""

import gzip
import io
import json
import os
import random
from contextlib import ExitStack
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs import log_tail
from scaleplan.specs.log_rows import LogContentError
from scaleplan.specs.log_stream import LogStream
from scaleplan.specs.training_logs import read_log


class Log:
    """A file that a run writes."""

    def __init__(self, path):
        self.path = path

    def write(self, text, mode="a"):
        with open(self.path, f"{mode}b") as file:
            file.write(text if isinstance(text, bytes) else text.encode())


@pytest.fixture
def follow():
    """Begins to follow a log; at the end of the test it is let go."""
    with ExitStack() as stack:
        yield lambda *words, **more: stack.enter_context(LogStream(*words, **more))


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "run.log")


def steps(readings):
    return None if readings is None else readings.step.tolist()


def everything(stream):
    """The rows up to now, and those of an unfinished line."""
    found = []
    while (readings := stream.read()) is not None:
        found.append(readings)
    last = stream.finish()
    return found + ([] if last is None else [last])


def codes(stream):
    return [each.code for each in stream.notices]


def test_a_partial_last_line_waits_for_its_end(log):
    log.write("step,loss\n1,2.5\n2,3")
    with LogStream(log.path) as stream:
        assert (steps(stream.read()), stream.form, stream.read()) == ([1], "CSV", None)
        log.write(".5\n3,4\n4")
        readings = stream.read()
        assert (steps(readings), readings.loss.tolist()) == ([2, 3], [3.5, 4])
        log.write(",5")
        assert stream.read() is None
        assert steps(stream.finish()) == [4]
        assert (stream.notices, stream.ended) == ([], False)


def test_a_file_that_is_not_there_yet_is_waited_for(log, follow):
    with pytest.raises(InputFileError, match="no such file"):
        follow(log.path).read()
    stream = follow(log.path, wait=True)
    assert (stream.read(), stream.form) == (None, "")
    log.write("\n")
    assert stream.read() is None
    log.write('{"step": 1, "loss": 2}\n')
    assert (steps(stream.read()), stream.form) == ([1], "JSON lines")


def test_garbage_duplicates_and_a_header_in_the_middle(log, follow):
    log.write(b"step,loss\n1,5\n1,5\n\xff\x00garbage\nstep,loss\n3,4\n2,4.5\nstep,lr,loss\n4,0.5,3\n\n9\n")
    stream = follow(log.path)
    readings = stream.read()
    assert steps(readings) == [1, 1, 3, 2, 4]
    assert readings.loss.tolist() == [5, 5, 4, 4.5, 3]
    assert readings.lr[-1] == 0.5
    assert stream.notices[0].code == "unreadable_lines"
    assert "4 lines cannot be read as CSV; first line 4: " in stream.notices[0].message


@pytest.mark.parametrize("longer", [False, True])
def test_a_file_that_is_written_anew_is_read_from_its_beginning(log, longer, follow):
    log.write("step,loss\n1,2\n2,3\n7,")
    stream = follow(log.path)
    assert steps(stream.read()) == [1, 2]
    log.write("step,loss\n1,9\n" + "3,4\n" * 30 * longer, "w")
    assert steps(stream.read()) == [1] + [3] * 30 * longer
    assert codes(stream) == ["log_truncated"]
    assert "was cut down or written anew" in stream.notices[0].message


def test_a_file_that_is_moved_away_is_read_to_its_end_first(log, follow):
    log.write("step,loss\n1,2\n")
    stream = follow(log.path)
    assert steps(stream.read()) == [1]
    old = Log(log.path.with_suffix(".1"))
    log.path.rename(old.path)
    old.write("2,3\n3,4")
    assert steps(stream.read()) == [2]
    assert stream.read() is None
    log.write("4,5\n5,6\n")
    assert steps(stream.read()) == [3]
    assert steps(stream.read()) == [4, 5]  # without a header it goes on as before
    assert (codes(stream), stream.read()) == (["log_rotated"], None)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("form", ["csv", "ndjson", "megatron", "nanogpt", "printed"])
def test_however_it_is_written_a_log_is_what_it_is(log, monkeypatch, form, seed, follow):
    chance = random.Random(seed)  # noqa: S311 - the same cuts each time
    monkeypatch.setattr(log_tail, "BLOCK_BYTES", 200)
    rows = [(step, chance.choice([2.5, float("nan"), 3.25]), 1e-3) for step in (*range(60), *range(30, 90))]
    of_form = {
        "csv": "step,loss,lr\n" + "".join(f"{step},{loss},{lr}\n" for step, loss, lr in rows),
        "ndjson": "".join(json.dumps({"step": step, "loss": loss, "lr": lr}) + "\r\n" for step, loss, lr in rows),
        "megatron": "".join(f" iteration {i}/ 90 | lm loss: {loss} | learning rate: {lr} |\n" for i, loss, lr in rows),
        "nanogpt": "".join(f"iter {step}: loss {loss}, time 250.00ms\n" for step, loss, _ in rows),
        "printed": "".join(f"{{'loss': {loss}, 'learning_rate': {lr}}}\n" for _, loss, lr in rows),
    }
    data = of_form[form].encode()
    stream = follow(log.path, wait=True)
    parts = []
    while data:
        cut = chance.randrange(1, 400)
        log.write(data[:cut])
        data = data[cut:]
        while (readings := stream.read()) is not None:
            parts.append(readings)
    whole = read_log(log.path)
    for role in ("step", "loss"):
        streamed = np.concatenate([getattr(each, role) for each in parts])
        np.testing.assert_array_equal(streamed, getattr(whole.written, role))
    assert (stream.form, stream.read(), tuple(stream.notices)) == (whole.format, None, whole.notices)
    assert whole.counted == any(each.code == "rows_numbered" for each in whole.notices)


def test_a_trainer_state_gives_what_is_beyond_what_it_gave(log, follow):
    history = [{"step": step, "loss": 5.0 - step} for step in (1, 2)]
    log.write(json.dumps({"log_history": history}, indent=2))
    stream = follow(log.path)
    assert (steps(stream.read()), stream.read()) == ([1, 2], None)
    text = json.dumps({"log_history": [*history, {"step": 3, "loss": 2.0}]}, indent=2)
    log.write(text[:40], "w")
    assert stream.read() is None  # in the middle of being written
    with pytest.raises(LogContentError, match="cut off"):
        stream.finish()
    log.write(text[40:])
    assert (steps(stream.read()), stream.form) == ([3], "Hugging Face trainer state")
    log.write(json.dumps({"log_history": history[:1]}), "w")
    assert (steps(stream.read()), codes(stream)) == ([1], ["log_truncated"])


def test_a_table_that_is_written_again_gives_what_is_new(tmp_path, follow):
    path = tmp_path / "run.parquet"
    stream = follow(path, wait=True)
    assert stream.read() is None
    for last, new in ((2, [1, 2]), (4, [3, 4]), (1, [1])):
        rising = list(range(1, last + 1))
        pl.DataFrame({"step": rising, "loss": [2.5] * last}).write_parquet(path)
        assert (steps(stream.read()), stream.read()) == (new, None)
    assert (stream.form, codes(stream)) == ("Parquet", ["log_truncated"])


def test_a_folder_of_metrics_as_it_grows(tmp_path, follow):
    folder = tmp_path / "mlruns/0/abc"
    (folder / "metrics").mkdir(parents=True)
    (folder / "meta.yaml").write_text("run_id: abc\nrun_name: one\n")
    metric = Log(folder / "metrics/loss")
    metric.write("1700000000000 3.0 0\n")
    stream = follow(tmp_path)
    assert (steps(stream.read()), stream.read()) == ([0], None)
    metric.write("1700000001000 2.5 1\n")
    readings = stream.read()
    assert (steps(readings), readings.time.tolist()) == ([1], [1700000001])


def test_a_trainer_state_on_one_line_without_an_end(log, follow):
    log.write('{"log_history": [{"step": 1, "loss": 2}')
    stream = follow(log.path)
    assert stream.read() is None
    log.write("]}")
    assert steps(stream.read()) == [1]


def test_standard_input_as_it_comes(monkeypatch, follow):
    numbers = io.BufferedReader(io.BytesIO(b"step,loss\n1,2\n2,3"))
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=numbers))
    stream = follow("-")
    assert (steps(stream.read()), steps(stream.read()), stream.read(), stream.ended) == ([1], [2], None, True)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"step,loss\n1,2\n2,3")))
    assert read_log("-").step.tolist() == [1, 2]
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b'{"log_history": [\n{"step":1,"loss":2}\n]}')))
    assert [steps(each) for each in everything(follow("-"))] == [[1]]


def test_a_pipe_gives_its_lines_before_it_ends(monkeypatch, follow):
    reader, writer = os.pipe()
    with open(reader, "rb") as source:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=source))
        stream = follow("-")
        os.write(writer, b"step,loss\n1,2\n2,")
        assert (steps(stream.read()), stream.ended) == ([1], False)
        os.write(writer, b"3\n")
        assert steps(stream.read()) == [2]
        os.close(writer)
        assert (stream.read(), stream.ended) == (None, True)


def test_a_packed_log(log, follow):
    path = log.path.with_suffix(".csv.gz")
    path.write_bytes(gzip.compress(b"step,loss\n1,2\n2,3\n"))
    assert read_log(path).step.tolist() == [1, 2]
    assert [steps(each) for each in everything(follow(path))] == [[1, 2]]
    path.write_bytes(path.read_bytes()[:-9])
    for read in (lambda: read_log(path), lambda: everything(follow(path))):
        with pytest.raises(LogContentError, match="cut off or damaged"):
            read()
    path.write_bytes(b"step,loss\n1,2\n")
    with pytest.raises(LogContentError, match="damaged"):
        read_log(path)


def test_nothing_at_all_is_said_at_the_end(log, follow):
    log.write("step,loss\n")
    stream = follow(log.path)
    assert stream.read() is None
    with pytest.raises(LogContentError, match="a header and no rows below it"):
        stream.finish()
    log.write("")
    stream = follow(log.path)
    log.write("", "w")
    assert stream.read() is None
    with pytest.raises(LogContentError, match="empty; looked for"):
        stream.finish()


@pytest.mark.parametrize("text", ["", " \n\n", "step,loss\n"])
@pytest.mark.parametrize("form", [None, "csv", "ndjson", "json", "trainer-state", "megatron", "printed", "parquet"])
def test_a_stream_without_rows_ends_with_what_is_said_of_the_whole_file(log, follow, form, text):
    log.write(text)
    with pytest.raises(LogContentError) as whole:
        read_log(log.path, form=form)
    stream = follow(log.path, form=form)
    with pytest.raises(LogContentError) as streamed:
        stream.read() or stream.finish()
    assert streamed.value.message == whole.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"PK\x03\x04\0\0\n", "a binary file"),
        ("epoch,loss\n1,2\n", "no column 'step'"),
        ("step,loss,run\n1,2,a\n1,2,b\n", "rows of 2 runs"),
    ],
)
def test_what_is_no_log_is_said_at_once(log, text, words, follow):
    log.write(text)
    with pytest.raises(LogContentError, match=words):
        follow(log.path).read()


def test_one_run_of_several(log, follow):
    log.write("step,loss,run\n1,2,a\n1,3,b\n2,4,a\n")
    assert steps(follow(log.path, run="a").read()) == [1, 2]
    with pytest.raises(InputFileError, match="no run 'c'"):
        everything(follow(log.path, run="c"))


def test_lines_of_another_format_that_become_more_are_told(log, follow):
    log.write("iter 1: loss 2.5, time 1ms\n")
    stream = follow(log.path)
    assert (steps(stream.read()), stream.form) == ([1], "nanoGPT text")
    log.write("{'loss': 3, 'step': 2}\n" * 3 + "iter 2: loss 2.25, time 1ms\n")
    assert (steps(stream.read()), codes(stream)) == ([2], ["log_of_two_formats"])


def test_a_form_that_does_not_exist(follow):
    with pytest.raises(UsageError, match="Did you mean megatron"):
        follow("x", form="megatrom")


def test_an_idle_look_opens_nothing(log, monkeypatch, follow):
    log.write("step,loss\n1,2\n")
    stream = follow(log.path)
    stream.read()
    monkeypatch.setattr(log_tail, "open_regular", None)
    assert stream.read() is None
