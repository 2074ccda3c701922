"""Watching from Python: a log as it stands, a log as it grows, a folder of runs."""

from __future__ import annotations

import itertools
import os
import time

import numpy as np
import pytest

from scaleplan.api.following import Follower
from scaleplan.api.watched_folder import is_folder_of_runs, watch_folder
from scaleplan.api.watching import follow, watch
from scaleplan.errors import InputFileError, Notice, UsageError
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.watch import Watcher

HEADER = "step,loss\n"


def lines(first, last, *, up=0.0):
    """Rows of a loss that falls slowly, or that stands ``up`` nats higher."""
    rng = np.random.default_rng(first)
    steps = np.arange(first, last + 1)
    losses = 2 + 3 * steps**-0.3 + rng.normal(0, 0.01, steps.size) + up
    return "".join(f"{step},{loss:.5f}\n" for step, loss in zip(steps, losses, strict=True))


class Script:
    """A clock, and what happens to a file while somebody sleeps; after that nobody is to wait any longer."""

    def __init__(self, path, *texts):
        self.path, self.texts, self.now = path, list(texts), 0.0

    def sleep(self, length):
        self.now += length
        text = self.texts.pop(0)
        if text is not None:
            with self.path.open("a") as file:
                file.write(text)


def followed(path, *texts, **asked):
    """The events of a file to which a text is added at each look, who followed it, and what was told."""
    told = []
    script = Script(path, *texts)
    with follow(path, tell=told.append, **asked) as follower:
        follower._clock, follower._sleep = lambda: script.now, script.sleep
        events = list(follower)
    return events, follower, told


def test_a_watch_has_events_a_summary_and_a_curve_to_draw(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + lines(1, 3000) + lines(3001, 4000, up=2.0))
    found = watch(path, total_steps=10_000)
    assert found.diverged
    assert found.status == "diverged"
    assert found.share == 0.4
    assert found.summary.rows == 4000
    assert found.format == "CSV"
    assert next(event for event in found.events if event.kind == "divergence").step == pytest.approx(3000, abs=100)
    assert len(found.curve) <= 1000
    assert found.curve.rows.sum() == 4000
    assert found.curve.step[-1] == pytest.approx(4000, abs=4)


def test_a_log_says_itself_how_long_the_run_is(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("".join(f" iteration {i}/ 100 | lm loss: {4 - i / 50:.4f} |\n" for i in range(1, 101)))
    found = watch(path)
    assert found.total_steps == 100
    assert found.status == "finished"


def test_a_file_that_is_not_there_yet_is_waited_for(tmp_path):
    path = tmp_path / "log.csv"
    events, follower, told = followed(path, None, HEADER, lines(1, 60), lines(61, 100), total_steps=100)
    assert events == []
    assert follower.ended == "finished"
    assert follower.summary().last_step == 100
    assert told == []


def test_half_a_line_waits_for_its_end(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + lines(1, 9) + "10,")
    _, follower, told = followed(path, "2.5\n11,", "2.4\n", total_steps=11)
    assert follower.summary().rows == 11
    assert told == []


def test_a_divergence_ends_it_at_once(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + lines(1, 3000))
    texts = [lines(start, start + 49, up=2.0) for start in range(3001, 6001, 50)]
    events, follower, _ = followed(path, *texts)
    assert follower.ended == "diverged"
    assert follower.diverged
    assert events[-1].kind == "divergence"
    assert follower.summary().last_step < 6000


def test_a_divergence_of_before_that_a_restart_undid_is_no_end(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + lines(1, 3000) + lines(3001, 4000, up=2.0) + lines(2500, 3500))
    events, follower, _ = followed(path, lines(3501, 3600), total_steps=3600)
    assert "divergence" in {event.kind for event in events}
    assert follower.ended == "finished"
    assert not follower.diverged
    assert follower.summary().restarts == 1


def test_a_log_that_stands_still_is_told_once_and_again_after_it_went_on(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + lines(1, 50))
    texts = [*[None] * 14, lines(51, 52), *[None] * 14, lines(53, 60)]
    events, follower, _ = followed(path, *texts, idle=10, total_steps=60)
    assert [(event.kind, event.step, event.unit) for event in events] == [("stall", 50, "s"), ("stall", 52, "s")]
    assert all(10 <= event.size <= 11.5 for event in events)
    assert follower.ended == "finished"


def test_a_log_that_stands_still_can_be_the_end_and_how_long_it_did_before_counts(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + lines(1, 50) + "51,2.5")
    long_ago = time.time() - 4000
    os.utime(path, (long_ago, long_ago))
    events, follower, _ = followed(path, idle="1h", until_idle=True)
    assert [event.kind for event in events] == ["stall"]
    assert follower.ended == "idle"
    assert follower.summary().rows == 51
    assert not follower.diverged


def test_a_file_that_is_written_anew_is_told_once_and_read_again(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + lines(1, 50))
    told = []
    texts = iter([HEADER + lines(1, 30), None, lines(31, 60)])

    def sleep(_):
        text = next(texts)
        if text is not None and text.startswith(HEADER):
            path.write_text(text)
        elif text is not None:
            with path.open("a") as file:
                file.write(text)

    with follow(path, tell=told.append, total_steps=60) as follower:
        follower._sleep = sleep
        list(follower)
    assert [notice.code for notice in told] == ["log_truncated"]
    assert follower.ended == "finished"


def test_a_notice_whose_numbers_change_is_told_once():
    rows = Readings(step=np.array([1.0]), loss=np.array([3.0]))

    class Source:
        ended, form = False, "CSV"

        def __init__(self):
            self.looks = 0

        @property
        def notices(self):
            return [Notice("odd", f"{self.looks} odd lines")] * (1 if self.looks < 4 else 2)

        def read(self):
            self.looks += 1
            self.ended = self.looks > 5
            return None if self.ended else rows

        def finish(self):
            return None

        def close(self):
            self.looks = 0

    told = []
    ready = []
    follower = Follower(
        Source(), Watcher, path=None, total_steps=lambda: None, idle=9.0, tell=told.append, ready=ready.append
    )
    list(follower)
    assert [notice.message for notice in told] == ["1 odd lines", "4 odd lines"]
    assert follower.ended == "end"
    assert ready == [follower]


@pytest.mark.parametrize(
    ("asked", "said"),
    [({"idle": 0}, "idle"), ({"floor": -1}, "floor"), ({"total_steps": "x"}, "total-steps"), ({"form": "x"}, "format")],
)
def test_words_that_cannot_be_used_are_refused(tmp_path, asked, said):
    (tmp_path / "log.csv").write_text(HEADER + lines(1, 5))
    with pytest.raises(UsageError, match=said):
        watch(tmp_path / "log.csv", **asked)
    with pytest.raises(UsageError, match=said), follow(tmp_path / "log.csv", **asked):
        pass


def mlflow_run(folder, name):
    """A run as MLflow's folder store has it."""
    (folder / name / "metrics").mkdir(parents=True)
    (folder / name / "meta.yaml").write_text(f"run_id: {name}\nrun_name: {name}\nlifecycle_stage: active\n")
    rows = "".join(f"17000000{step:05d} {4 - step / 50} {step}\n" for step in range(1, 51))
    (folder / name / "metrics" / "loss").write_text(rows)


def test_the_folder_of_a_tool_is_one_log_if_it_has_one_run_and_else_a_folder_of_them(tmp_path):
    store = tmp_path / "mlruns"
    (store / "0").mkdir(parents=True)
    (store / "0" / "meta.yaml").write_text("experiment_id: '0'\nname: e\n")
    mlflow_run(store / "0", "first")
    assert not is_folder_of_runs(store)
    assert watch(store).summary.last_step == 50
    mlflow_run(store / "0", "second")
    assert is_folder_of_runs(store)
    assert not is_folder_of_runs(store / "0" / "second")
    for folder in (store, store / "0"):
        found = watch_folder(folder)
        assert {each.watch.log.rpartition("/")[2] for each in found.runs} == {"first", "second"}
        assert {each.watch.format for each in found.runs} == {"MLflow"}


def test_runs_are_called_by_the_shortest_name_that_no_other_has(tmp_path):
    text = HEADER + lines(1, 5)
    for place in ("a.csv", "a.jsonl", "b/log.csv", "c/x.csv", "c/y.csv.gz", "d.v2.log"):
        path = tmp_path / "runs" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        if place.endswith(".gz"):
            import gzip

            path.write_bytes(gzip.compress(text.encode()))
        elif place.endswith(".jsonl"):
            path.write_text("".join(f'{{"step": {step}, "loss": {3 - step / 9}}}\n' for step in range(1, 6)))
        else:
            path.write_text(text)
    found = watch_folder(tmp_path / "runs")
    assert [each.run for each in found.runs] == ["a.csv", "a.jsonl", "b", "c/x", "c/y", "d.v2"]
    assert not found.diverged


def test_a_folder_without_logs_is_an_error(tmp_path):
    (tmp_path / "weights.bin").write_bytes(b"\0")
    (tmp_path / "notes.txt").write_text("hello\n" * 3)
    with pytest.raises(InputFileError, match=r"no logs; .*no log: notes.txt: no line of 3"):
        watch_folder(tmp_path)


def test_every_event_has_a_step_that_was_logged_or_lies_between(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(HEADER + lines(1, 2000) + lines(2001, 2020, up=1.0) + lines(2021, 3000))
    found = watch(path)
    assert [event.kind for event in found.events] == ["spike"]
    assert 2001 <= found.events[0].step <= found.events[0].seen <= 2005
    assert all(earlier.step <= later.step for earlier, later in itertools.pairwise(found.events))
