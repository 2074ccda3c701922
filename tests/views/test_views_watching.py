"""A watch as people read it and as data."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from scaleplan.forecasting.events import Event
from scaleplan.forecasting.series import DrawnCurve
from scaleplan.forecasting.watch import WatchSummary
from scaleplan.specs.watched import Watch, WatchedFolder, WatchedRun, status_of
from scaleplan.views.following import ended_line, event_line, following_line
from scaleplan.views.layout import simple_text
from scaleplan.views.watching import EVENT_COLUMNS, RUN_COLUMNS, folder_table, size, summary_lines, watch_table

SUMMARY = WatchSummary(
    rows=5000, first_step=1, last_step=5000, loss=2.5, spike_score=0.125, grad_spike_score=None, restarts=2,
    duplicates=0, out_of_order=3, gaps=0, unreadable=0, steps_per_second=0.25, tokens_per_second=1.5e6,
    status="running",
)  # fmt: skip
SPIKE = Event(1200, "spike", 1203, 1214, 0.5, "nats", "The loss rose.", "Wait.")
OPEN = Event(4000.5, "divergence", 4010, None, math.inf, "nats", "It rises.", "Stop.")


def watched(*events, **changes):
    empty = np.empty(0)
    asked = {
        "log": "run.csv", "format": "CSV", "events": events, "summary": SUMMARY, "curve": DrawnCurve(*[empty] * 5),
        "status": "running", "diverged": False, "total_steps": 10_000.0, "quiet": 3.0, "settings": {"idle_s": 1800.0},
        "warnings": (),
    }  # fmt: skip
    return Watch(**(asked | changes))


def test_rows_have_every_key_and_no_json_constants():
    table = watch_table(watched(SPIKE, OPEN))
    assert [tuple(row) for row in table.rows] == [EVENT_COLUMNS] * 2
    assert table.rows[1]["size"] is None
    json.dumps([table.inputs, list(table.rows)], allow_nan=False)
    assert table.inputs["summary"]["share"] == 0.5
    assert table.inputs["idle_s"] == 1800


def test_a_log_without_a_loss_at_its_end_is_data_too():
    bad = SUMMARY._replace(loss=math.nan, spike_score=None, steps_per_second=None, tokens_per_second=None)
    table = watch_table(watched(summary=bad))
    assert table.inputs["summary"]["loss"] is None
    json.dumps(table.inputs, allow_nan=False)


def test_the_summary_says_what_there_is_and_no_more():
    text = "\n".join(summary_lines(watched()))
    assert "5,000 rows, steps 1 to 5,000 of 10,000 (50.0%)" in text
    assert "loss 0.12 %" in text or "loss 0.13 %" in text
    assert "gradient" not in text
    assert "order of rows: 2 restarts, 3 rows out of order" in text
    assert "pace: 4 s a step, 1.5M tokens/s" in text
    assert "nothing was written" not in text
    assert "nothing was written for 2 hours" in "\n".join(summary_lines(watched(quiet=7200.0, status="stalled")))


def test_events_are_a_grid_with_each_advice_once():
    head, events, advice = watch_table(watched(SPIKE, SPIKE._replace(step=1300, end=1310), OPEN)).grids()
    assert head.title == "run.csv: running"
    assert [row[:4] for row in events.rows] == [
        ["1,200", "spike", "0.5 nats", "14"],
        ["1,300", "spike", "0.5 nats", "10"],
        ["4,000.5", "divergence", "-", "open"],
    ]
    assert [line for (line,) in advice.rows] == ["spike: Wait.", "divergence: Stop."]
    for grid in (head, events, advice):
        text = simple_text(grid, 80, styled=False)
        assert text is not None
        assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (0.1234, "nats", "0.123 nats"), (0.3, "share", "30.0%"), (1, "rows", "1 row"), (1200, "rows", "1,200 rows"),
        (1800, "s", "1,800 s"), (4.25, "times", "4.25x"), (9.1, "sd", "9.1 sd"), (math.nan, "nats", "-"),
    ],
)  # fmt: skip
def test_a_size_is_written_with_its_unit(value, unit, words):
    assert size(SPIKE._replace(size=value, unit=unit)) == words


def test_a_folder_counts_its_runs_by_status_and_their_events_by_kind():
    runs = (
        WatchedRun("a", watched(SPIKE, SPIKE._replace(step=1300), OPEN, status="diverged", diverged=True)),
        WatchedRun("b", watched(status="stopped", total_steps=None)),
    )
    folder = WatchedFolder(folder="runs", runs=runs, settings={}, warnings=())
    table = folder_table(folder)
    assert folder.diverged
    assert [tuple(row) for row in table.rows] == [RUN_COLUMNS] * 2
    assert table.rows[0]["events"] == {"spike": 2, "divergence": 1}
    assert table.rows[1]["last_kind"] is None
    (grid,) = table.grids()
    assert grid.title == "runs: 2 runs, 1 diverged, 1 stopped"
    assert grid.rows[0] == [
        "a",
        "diverged",
        "5,000",
        "50.0%",
        "2.5000",
        "2 spike, 1 divergence",
        "divergence at 4,000.5",
    ]
    assert grid.rows[1] == ["b", "stopped", "5,000", "-", "2.5000", "-", "-"]
    assert grid.note is not None


@pytest.mark.parametrize(
    ("changes", "quiet", "total", "events", "status"),
    [
        ({}, 5.0, None, (), "running"),
        ({"status": "diverged"}, 5000.0, 5000.0, (), "diverged"),
        ({"status": "recovered"}, 5.0, 5000.0, (), "finished"),
        ({"status": "recovered"}, 5.0, 6000.0, (), "recovered"),
        ({}, 5000.0, 6000.0, (), "stalled"),
        ({}, 5000.0, None, (), "stopped"),
        ({}, None, None, (SPIKE._replace(kind="plateau", end=None),), "plateau"),
        ({}, None, None, (SPIKE._replace(kind="plateau"),), "running"),
    ],
)
def test_how_a_run_stands(changes, quiet, total, events, status):
    found = status_of(SUMMARY._replace(**changes), events, total_steps=total, quiet=quiet, idle=1800.0)
    assert found == status


def test_an_event_is_a_line_and_another_one_when_it_is_over():
    assert event_line(OPEN) == "step 4,000.5  divergence  -  It rises. Stop."
    assert event_line(SPIKE) == "step 1,200  spike  0.5 nats  over at step 1,214: The loss rose."


def test_where_a_follower_is_is_a_line():
    empty = SUMMARY._replace(rows=0, first_step=None, last_step=None, loss=None)
    assert following_line("run.csv", "", empty) == "run.csv: nothing so far; waiting for more, Ctrl-C ends it"
    told = following_line("run.csv", "CSV", SUMMARY)
    assert told == "run.csv (CSV): 5,000 rows to step 5,000, loss 2.5000; following, Ctrl-C ends it"
    said = ended_line("run.csv", "diverged", SUMMARY, 6000.0, {"spike": 2})
    assert said == "run.csv: diverged; 5,000 rows to step 5,000 of 6,000, loss 2.5000; 2 spike"
    assert ended_line("run.csv", None, empty, None, {}) == "run.csv: interrupted; no rows; no events"
