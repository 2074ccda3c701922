"""``watch``: a log as it stands, a folder of runs, and words that cannot be used."""

from __future__ import annotations

import json
import math
import os
import shutil
import time

import pytest

from tests.training import train, write_log

KEYS = ["step", "kind", "seen", "end", "size", "unit", "detail", "advice"]


def warmed(step):
    """A learning rate that training thrives on."""
    return 0.5 * min(1.0, step / 100)


def wild(step):
    """One that blows up after 1,000 steps."""
    return warmed(step) if step < 1000 else 40.0


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """Logs of a training run that went well and of one that blew up."""
    folder = tmp_path_factory.mktemp("logs")
    write_log(folder / "good.csv", train(2000, warmed))
    write_log(folder / "bad.csv", train(2000, wild))
    return folder


@pytest.fixture
def runs(logs, tmp_path):
    """A folder of runs as people have them."""
    folder = tmp_path / "runs"
    for place in ("a", "b", ".hidden", "hf/checkpoint-5", "hf/checkpoint-20"):
        (folder / place).mkdir(parents=True)
    shutil.copy(logs / "good.csv", folder)
    shutil.copy(logs / "bad.csv", folder / "a/log.csv")
    shutil.copy(logs / "good.csv", folder / "b/x.csv")
    shutil.copy(logs / "good.csv", folder / "b/y.csv")
    shutil.copy(logs / "bad.csv", folder / ".hidden/log.csv")
    (folder / "weights.bin").write_bytes(b"\0" * 100)
    for last in (5, 20):
        rows = [{"step": step, "loss": 3 - step / 50, "epoch": step / 20} for step in range(1, last + 1)]
        state = {"max_steps": 20, "global_step": last, "log_history": rows}
        (folder / f"hf/checkpoint-{last}/trainer_state.json").write_text(json.dumps(state))
    long_ago = time.time() - 7200
    os.utime(folder / "b/x.csv", (long_ago, long_ago))
    return folder


def test_a_run_that_blew_up_ends_with_6_and_says_where(call, logs):
    result = call("watch", str(logs / "bad.csv"), "-f", "json")
    assert result.code == 6
    assert result.stderr == ""
    envelope = result.envelope
    assert envelope["schema"] == "scaleplan.watch/1"
    rows = envelope["rows"]
    assert all(list(row) == KEYS for row in rows)
    assert [row["step"] for row in rows] == sorted(row["step"] for row in rows)
    divergence = next(row for row in rows if row["kind"] == "divergence")
    assert 1000 <= divergence["step"] <= divergence["seen"] <= 1200
    assert divergence["end"] is None
    assert {row["kind"] for row in rows} >= {"divergence", "grad_spike"}
    inputs = envelope["inputs"]
    assert inputs["log"] == str(logs / "bad.csv")
    assert inputs["format"] == "CSV"
    assert inputs["idle_s"] == 1800
    summary = inputs["summary"]
    assert (summary["status"], summary["diverged"], summary["rows"], summary["last_step"]) == (
        "diverged",
        True,
        2000,
        2000,
    )
    assert summary["spike_score"] > 0


def test_a_sound_run_has_no_divergence_and_ends_with_0(call, logs):
    envelope = call("watch", str(logs / "good.csv"), "-f", "json", "--total-steps", "2000").succeeded().envelope
    assert envelope["rows"] == []
    assert envelope["inputs"]["summary"]["status"] == "finished"
    assert envelope["inputs"]["summary"]["share"] == 1.0


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "ndjson"])
def test_events_are_told_in_every_format(call, logs, form):
    result = call("watch", str(logs / "bad.csv"), "-f", form)
    assert result.code == 6
    assert result.stderr == ""
    if form == "csv":
        assert {row["kind"] for row in result.table} >= {"divergence", "grad_spike"}
    elif form == "ndjson":
        assert {row["kind"] for row in result.lines} >= {"divergence", "grad_spike"}
    else:
        text = result.stdout.replace("\\_", "_")
        assert "bad.csv: diverged" in text
        assert "divergence: Stop the run" in text
        assert "2,000 rows, steps 1 to 2,000" in text


def test_a_log_on_standard_input_with_columns_of_its_own(call):
    rows = "".join(f"{step},{4 - math.log(step):.4f}\n" for step in range(1, 40))
    words = ("watch", "-", "--column", "loss=ce", "--column", "step=n", "-f", "json")
    envelope = call(*words, stdin=f"n,ce\n{rows}").succeeded().envelope
    assert envelope["inputs"]["columns"] == {"loss": "ce", "step": "n"}
    assert envelope["inputs"]["summary"]["last_step"] == 39
    assert envelope["inputs"]["summary"]["quiet_s"] is None


def test_values_that_are_no_numbers_are_an_event_and_no_json_constants(call, tmp_path):
    rows = "".join(f"{step},{'nan' if step >= 300 else 3.0 + 0.01 * math.sin(step)}\n" for step in range(1, 400))
    (tmp_path / "log.csv").write_text(f"step,loss\n{rows}")
    result = call("watch", "log.csv", "-f", "json")
    assert result.code == 6
    kinds = {row["kind"]: row["step"] for row in result.envelope["rows"]}
    assert kinds["nan"] == 300


def test_a_run_outside_of_the_band_that_was_expected_is_off_band(call, logs, tmp_path):
    rows = [{"step": step, "loss_low": 1.2, "loss_high": 1.3} for step in (1, 1000, 2000)]
    envelope = {"schema": "scaleplan.forecast/1", "version": "0", "inputs": {}, "rows": rows, "warnings": []}
    (tmp_path / "band.json").write_text(json.dumps(envelope))
    words = ("watch", str(logs / "good.csv"), "--expected", "band.json", "--total-steps", "2000", "-f", "json")
    envelope = call(*words).succeeded().envelope
    assert "off_band" in {row["kind"] for row in envelope["rows"]}
    assert envelope["inputs"]["expected"] == "band.json"


def test_lines_that_cannot_be_read_are_told(call, tmp_path):
    rows = "".join(f"{step},{4 - math.log(step):.4f}\n" for step in range(1, 40))
    (tmp_path / "log.csv").write_text(f"step,loss\n{rows}what,ever,this,is\n40,1\n")
    result = call("watch", "log.csv", "-f", "json").succeeded("unreadable_lines")
    assert [warning["code"] for warning in result.envelope["warnings"]] == ["unreadable_lines"]
    assert call("watch", "log.csv", "-q").succeeded().stderr == ""


def test_a_folder_of_runs_is_a_table_of_how_they_stand(call, runs):
    (runs / "notes.txt").write_text("nothing\n")
    result = call("watch", "runs", "-f", "json")
    assert result.code == 6
    rows = {row["run"]: row for row in result.envelope["rows"]}
    assert list(rows) == ["a", "b/x", "b/y", "good", "hf"]
    statuses = {name: row["status"] for name, row in rows.items()}
    assert statuses == {"a": "diverged", "b/x": "stopped", "b/y": "running", "good": "running", "hf": "finished"}
    assert rows["a"]["events"]["divergence"] == 1
    assert rows["a"]["log"] == "runs/a/log.csv"
    assert (rows["hf"]["step"], rows["hf"]["share"]) == (20, 1.0)
    assert rows["b/x"]["quiet_s"] >= 7200
    assert [code for code, _ in result.notices] == ["no_logs"]
    assert "notes.txt" in result.stderr
    table = call("watch", "runs", "-q").stdout
    assert "5 runs" in table
    assert "stopped: nothing written for long" in table


def test_the_length_of_runs_tells_a_stall_from_an_end(call, runs):
    (runs / "a/log.csv").unlink()
    rows = call("watch", "runs", "-f", "json", "--total-steps", "2500").succeeded().envelope["rows"]
    assert {row["run"]: row["status"] for row in rows} == {
        "b/x": "stalled",
        "b/y": "running",
        "good": "running",
        "hf": "running",
    }


def test_a_link_that_leads_back_is_a_clear_error(call, runs):
    (runs / "b/back").symlink_to("..", target_is_directory=True)
    (runs / "back").symlink_to(".", target_is_directory=True)
    call("watch", "runs").failed(3, "runs/back", "a link to a folder that it is in")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "empty"),
        (b"step,loss\n", "log"),
        (b"\0\1\2" * 99, "binary"),
        (b"loss,lr\n3,1\n2,1\n", "step"),
        (b"step,eval_loss\n1,3\n2,2\n", "no training loss"),
        (b"hello\n", "no line of 1"),
    ],
)
def test_what_is_no_log_is_refused_on_one_line(call, tmp_path, text, said):
    (tmp_path / "log").write_bytes(text)
    call("watch", "log").failed(3, "log:", said)


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("none.csv",), 3, "no such file"),
        (("empty",), 3, "no logs"),
        (("log.csv", "--format-in", "excel"), 2, "no log format 'excel'"),
        (("log.csv", "--column", "loss"), 2, "OURS=THEIRS"),
        (("log.csv", "--column", "loss=a", "--column", "loss=b"), 2, "names loss twice"),
        (("log.csv", "--column", "loess=a"), 2, "Did you mean loss"),
        (("log.csv", "--column", "loss=a"), 3, "'a'"),
        (("log.csv", "--run", "x"), 3, "no run 'x'"),
        (("log.csv", "--total-steps", "0"), 2, "total-steps"),
        (("log.csv", "--total-steps", "many"), 2, "total-steps"),
        (("log.csv", "--warm-up", "-1"), 2, "warm-up"),
        (("log.csv", "--floor", "x"), 2, "floor"),
        (("log.csv", "--idle", "30"), 2, "write 90s, 30m"),
        (("log.csv", "--expected", "log.csv"), 3, "no 'loss_low'"),
        (("log.csv", "--until-idle"), 2, "add --follow"),
        (("log.csv", "-o", "log.csv"), 2, "one would replace the other"),
        (("log.csv", "--follow", "-o", "x"), 2, "leave -o out"),
        (("log.csv", "--follow", "--get", "kind"), 2, "leave --get out"),
        (("log.csv", "--follow", "-f", "json"), 2, "table, ndjson or csv"),
        ((".", "--follow", "-f", "ndjson"), 2, "--follow takes one log"),
        (("gone/log.csv", "--follow"), 3, "no such folder as gone"),
    ],
)
def test_words_that_cannot_be_used_are_refused(call, tmp_path, words, code, said):
    (tmp_path / "log.csv").write_text("step,loss\n1,3\n2,2\n")
    (tmp_path / "other.csv").write_text("step,loss\n1,3\n2,2\n")
    (tmp_path / "empty").mkdir()
    call("watch", *words).failed(code, said)


def test_what_is_no_log_when_the_patience_ends_is_an_error(call, tmp_path):
    (tmp_path / "log.csv").write_text("step,loss\n1,3\n2,2\n")
    result = call("watch", "log.csv", "--follow", "--run", "x", "--idle", "0.001s", "--until-idle")
    assert result.code == 3
    assert "interrupted" not in result.stderr
    assert result.stderr.splitlines()[-1].startswith("log.csv: no run 'x'")


def test_the_table_fits_a_terminal(terminal, logs):
    result = terminal("watch", str(logs / "bad.csv"), columns=80, environment={"NO_COLOR": "1"})
    assert result.code == 6
    assert max(map(len, result.stdout.splitlines())) <= 80
