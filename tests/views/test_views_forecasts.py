"""A forecast as a table: the row, the grids that people see, words for ways."""

import datetime

import numpy as np

from scaleplan.forecasting.annealing import USUAL_GAIN
from scaleplan.forecasting.events import Event
from scaleplan.forecasting.outcome import Arrival, RunForecast
from scaleplan.forecasting.result import Earlier, Forecast, Line, Way
from scaleplan.views.forecasts import COLUMNS, forecast_table

LINE = Line(np.array([1e3, 2e3]), np.array([2.9, 2.8]), np.array([2.8, 2.7]), np.array([3.0, 2.9]))
SEEN = Line(np.array([0.0, 900.0]), np.array([9.0, 3.0]))
WAYS = (Way("template:0", 2.8, 0.004, 0.6), Way("law+", 2.81, None, 0.398), Way("last", 3.0, 0.1, 0.002))
PAST_WAYS = (Way("past:M2", 2.8, 0.01, 0.7), Way("past:last", 3.0, None, 0.3))


def made(**changes):
    parts = {
        "step": 900.0,
        "total_steps": 2000.0,
        "now": 3.0,
        "loss": 2.8,
        "loss_low": 2.7,
        "loss_high": 2.9,
        "level": 0.9,
        "refused": None,
        "ways": WAYS,
        "earlier": (Earlier(500.0, 3.03, 3.0),),
        "gain": USUAL_GAIN,
        "seen": SEEN,
        "ahead": LINE,
        "donors": (("runs/[b]old.csv", SEEN),),
        "warnings": (),
    }
    return Forecast(**(parts | changes))


def run(forecast=None, **changes):
    parts = {
        "log": "log.csv",
        "format": "CSV",
        "forecast": forecast or made(),
        "schedule": "cosine",
        "arrival": None,
        "plan": None,
        "collapse": None,
        "events": (),
        "warnings": (),
    }
    return RunForecast(**(parts | changes))


def grids(result):
    return {grid.title: grid for grid in forecast_table(result).grids()}


def event(step):
    return Event(float(step), "spike", step + 1.0, None, 1.0, "nats", "It rose.", "Look.")


def test_the_row_has_every_column_and_null_for_what_is_not_known():
    table = forecast_table(run())
    assert table.verb == "forecast"
    assert table.columns == COLUMNS
    (row,) = table.rows
    assert tuple(row) == COLUMNS
    assert (row["share"], row["loss"], row["days_left"], row["status"]) == (0.45, 2.8, None, None)


def test_the_inputs_hold_series_to_be_drawn():
    inputs = forecast_table(run(events=(event(7),))).inputs
    assert inputs["curve"] == [
        {"step": 1e3, "loss": 2.9, "loss_low": 2.8, "loss_high": 3.0},
        {"step": 2e3, "loss": 2.8, "loss_low": 2.7, "loss_high": 2.9},
    ]
    assert inputs["seen"] == [{"step": 0.0, "loss": 9.0}, {"step": 900.0, "loss": 3.0}]
    assert inputs["donors"] == [{"name": "runs/[b]old.csv", "curve": inputs["seen"]}]
    assert inputs["events"][0]["kind"] == "spike"
    assert inputs["ways"][1] == {"way": "law+", "loss": 2.81, "error": None, "weight": 0.398}


def test_ways_are_said_in_words_and_light_ones_are_counted():
    grid = grids(run())["how it was found"]
    assert [row[0] for row in grid.rows] == ["as [b]old.csv fell, stretched", "annealing law: its fall from now"]
    assert grid.rows[0][1:] == ("2.8000", "0.40%", "60.0%")
    assert grid.rows[1][2] == "-"
    assert grid.note is not None
    assert "1 more of under 0.5% each" in grid.note


def test_earlier_forecasts_stand_beside_what_they_came_to():
    grid = grids(run())["what it would have said before of the loss now"]
    assert list(grid.rows) == [("500", "3.0300", "+1.00%")]
    assert "what it would have said before of the loss now" not in grids(run(made(earlier=())))


def test_a_refusal_says_why_and_calls_the_range_one():
    shown = grids(run(made(loss=None, refused="give --schedule", ways=PAST_WAYS, earlier=()), schedule=None))
    (main, *_) = shown.values()
    rows = dict(main.rows)
    assert rows["final loss"] == "-"
    assert rows["range, from full decay to a learning rate held"] == "2.7000 to 2.9000"
    assert "schedule" not in rows
    assert "no point forecast" in shown
    assert next(row[0] for row in shown["by its past alone"].rows) == "power law with a floor"


def test_the_date_and_the_days_to_it():
    date = datetime.datetime(2027, 1, 2, 3, 4, tzinfo=datetime.UTC)
    rows = dict(grids(run(arrival=Arrival(1.25, date)))["forecast of log.csv"].rows)
    assert rows["reached"] == "in 1.2 days, 2027-01-02 03:04 UTC"
    assert rows["90% band"] == "2.7000 to 2.9000"
    row = forecast_table(run(arrival=Arrival(1.25, date))).rows[0]
    assert (row["days_left"], row["ends"]) == (1.25, "2027-01-02T03:04:00+00:00")
    assert dict(grids(run(arrival=Arrival(1.25, None)))["forecast of log.csv"].rows)["reached"] == "in 1.2 days"


def test_the_last_five_events_are_named_and_the_others_counted():
    grid = grids(run(events=tuple(event(step) for step in range(8))))["events so far"]
    text = str(grid)
    assert "and 3 before" in text
    assert "spike at step 7" in text
    assert "spike at step 2" not in text
