"""When a run ends: by times of rows, by times a step, with a date where rows have one."""

import datetime

import numpy as np
import pytest

from scaleplan.forecasting.outcome import arrival
from scaleplan.forecasting.readings import Readings

STEP = np.arange(10.0, 5010.0, 10.0)
EPOCH = 1.75e9


def log(**columns):
    return Readings(step=STEP, loss=np.full(len(STEP), 3.0), **columns)


def test_the_pace_of_the_last_rows_gives_days_and_a_date():
    """The first half took ten times as long; only the present pace counts."""
    took = np.where(STEP <= 2500, 200.0, 20.0)
    found = arrival(log(time=EPOCH + np.cumsum(took)), 48_200)
    assert found is not None
    assert found.days == pytest.approx((48_200 - 5_000) * 2 / 86_400)
    end = EPOCH + took.sum() + 86_400
    assert found.date == datetime.datetime.fromtimestamp(end, datetime.UTC)


def test_times_from_a_zero_of_the_logs_own_give_days_without_a_date():
    found = arrival(log(time=STEP * 2), 48_200)
    assert found is not None
    assert (found.days, found.date) == (pytest.approx(1.0), None)


def test_a_stop_of_the_run_counts_as_time():
    time = STEP * 2
    time[-50:] += 4_000
    found = arrival(log(time=time), 48_200)
    assert found is not None
    assert found.days > 1.9


def test_without_times_the_median_step_is_taken():
    took = np.full(len(STEP), 2.0)
    took[-3:] = 500
    took[-9:-5] = np.nan
    found = arrival(log(step_time=took), 48_200)
    assert found is not None
    assert (found.days, found.date) == (pytest.approx(1.0), None)


@pytest.mark.parametrize(
    "columns",
    [{}, {"time": STEP * np.nan}, {"time": EPOCH - STEP}, {"time": STEP * 0}, {"step_time": STEP * 0}],
    ids=["none", "nan", "backwards", "still", "zero"],
)
def test_a_log_that_tells_no_pace_gives_none(columns):
    assert arrival(log(**columns), 48_200) is None


def test_rows_without_a_time_are_passed_over():
    time = EPOCH + STEP * 2
    time[::3] = np.nan
    time[-1] = np.nan
    found = arrival(log(time=time), 48_200)
    assert found is not None
    assert found.days == pytest.approx(1.0)
    assert found.date is not None


def test_a_finished_run_is_there_and_an_empty_log_nowhere():
    found = arrival(log(time=EPOCH + STEP), 5_000)
    assert found is not None
    assert found.days == 0
    assert arrival(log(time=EPOCH + STEP).part(slice(0)), 5_000) is None


def test_a_date_beyond_the_calendar_is_none():
    found = arrival(log(time=EPOCH + STEP * 1e12), 1e9)
    assert found is not None
    assert found.date is None
    assert found.days > 1e10
