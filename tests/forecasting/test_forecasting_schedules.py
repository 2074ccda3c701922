"""Learning-rate schedules: shapes against published figures and measured columns, integrals, what is refused."""

import csv
import math
import os

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.schedule_shapes import named
from scaleplan.forecasting.schedules import Schedule, disagreement

LUO = {"peak": 3e-4, "warm_up": 2160}
MEASURED = {
    "cosine_24000": {"shape": "cosine", "total_steps": 24000, "floor": 3e-5, **LUO},
    "cosine_72000": {"shape": "cosine", "total_steps": 72000, "floor": 3e-5, **LUO},
    "constant_24000": {"shape": "constant", "total_steps": 24000, **LUO},
    "wsd_20000_24000": {
        "shape": "wsd", "total_steps": 24000, "floor": 3e-5, "decay": "exponential", "decay_share": 1 / 6, **LUO,
    },
    "wsdld_20000_24000": {"shape": "wsd", "total_steps": 24000, "floor": 3e-5, "decay_share": 1 / 6, **LUO},
}  # fmt: skip
"""The runs of Luo et al. 2025 (repository thu-yao-01-luo/MultiPowerLaw): warm-up of 2160 steps to 3e-4, decay to a
tenth, the decays of the two stable schedules from step 20,000 to 24,000."""


def rows(step, loss=2.0, lr=None):
    step = np.asarray(step, dtype=float)
    return Readings(step=step, loss=np.full(len(step), loss), lr=None if lr is None else np.asarray(lr, dtype=float))


@pytest.mark.skipif("SCALEPLAN_DATA" not in os.environ, reason="SCALEPLAN_DATA names the folder of measured runs")
@pytest.mark.parametrize("name", MEASURED)
def test_the_columns_of_measured_runs_are_reproduced(name):
    """The rates are printed to a billionth."""
    with open(f"{os.environ['SCALEPLAN_DATA']}/mpl_curves.csv") as file:
        found = [(float(r["step"]), float(r["lr"])) for r in csv.DictReader(file) if r["schedule"] == name]
    step, lr = np.array(found).T
    schedule = named(**MEASURED[name])
    assert len(step) > 500
    assert np.abs(schedule.lr_at(step) - lr).max() < 1e-9
    assert disagreement(schedule, rows(step[:171], lr=lr[:171])) is None


def test_halfway_a_cosine_is_the_mean_of_its_ends():
    schedule = named("cosine", total_steps=2000, peak=1.0, warm_up=1000, floor=0.2)
    assert schedule.lr_at([0, 500, 1000, 1500, 2000]) == pytest.approx([0, 0.5, 1, 0.6, 0.2], abs=1e-12)
    assert schedule.lr_at(1250) == pytest.approx(0.2 + 0.8 * (1 + math.sqrt(0.5)) / 2, rel=3e-7)
    assert (schedule.peak, schedule.warm_up, schedule.final, schedule.total_steps) == (1.0, 1000.0, 0.2, 2000.0)


@pytest.mark.parametrize(
    ("decay", "quarter"),
    [("linear", 0.775), ("cosine", 0.1 + 0.9 * (1 + math.sqrt(0.5)) / 2), ("exponential", 0.1**0.25), ("1-sqrt", 0.55)],
)
def test_a_quarter_into_a_decay(decay, quarter):
    """The formulas of Hu et al. 2024 and Hagele et al. 2024, by hand."""
    schedule = named("wsd", total_steps=1000, peak=1.0, warm_up=100, floor=0.1, decay=decay, decay_share=0.2)
    assert schedule.lr_at([50, 100, 800, 850, 1000]) == pytest.approx([0.5, 1, 1, quarter, 0.1], rel=1e-6)


def test_a_whole_decay_near_its_steep_start():
    """1 - sqrt is vertical there: between knots it stays within a millionth of the peak."""
    schedule = named("wsd", total_steps=1e6, peak=1.0, decay="1-sqrt", decay_share=1.0)
    u = np.geomspace(1e-12, 1, 2001)
    assert np.abs(schedule.lr_at(u * 1e6) - (1 - np.sqrt(u))).max() < 1e-6


def test_an_inverse_square_root():
    """Vaswani et al. 2017, eq. 3: four times the warm-up, half the peak."""
    schedule = named("inverse-sqrt", total_steps=16000, peak=1e-3, warm_up=1000)
    assert schedule.lr_at([500, 1000, 4000, 16000]) == pytest.approx([5e-4, 1e-3, 5e-4, 2.5e-4], rel=1e-6)


def test_shapes_begin_without_a_warm_up():
    for shape in ("cosine", "linear", "constant", "wsd"):
        schedule = named(shape, total_steps=10, peak=2.0)
        assert (schedule.lr_at(0), schedule.warm_up) == (2.0, 0.0)


def test_the_integral_is_exact_for_the_curve():
    """Areas of triangles and trapezia; between knots it is the square of the distance."""
    schedule = Schedule.from_rows([0, 10, 20, 40], [0.0, 1.0, 1.0, 0.0])
    assert schedule.cumulative([0, 5, 10, 15, 20, 30, 40]).tolist() == [0, 1.25, 5, 10, 15, 22.5, 25]
    whole = named("cosine", total_steps=1000, peak=1.0, floor=0.0)
    assert whole.cumulative(1000) == pytest.approx(500, rel=1e-9)
    assert whole.fraction(250.0) == 0.25


def test_rows_that_begin_late():
    held = Schedule.from_rows([100, 200], [1.0, 0.5])
    risen = Schedule.from_rows([100, 200], [1.0, 0.5], warm_up=100)
    shorter = Schedule.from_rows([100, 200], [1.0, 0.5], warm_up=40)
    assert [float(each.cumulative(100)) for each in (held, risen, shorter)] == [100.0, 50.0, 80.0]
    with pytest.raises(UsageError, match=r"a warm-up of 101 steps, but rows begin at step 100"):
        Schedule.from_rows([100, 200], [1.0, 0.5], warm_up=101)


def test_a_part_and_what_may_follow():
    schedule = named("linear", total_steps=100, peak=1.0)
    part = schedule.up_to(40)
    assert (part.total_steps, part.final) == (40.0, 0.6)
    held, fallen = part.continued(100, part.final), part.continued(100, 0.0)
    assert (float(held.cumulative(100)), float(fallen.cumulative(100))) == pytest.approx((32 + 36, 32 + 18))
    with pytest.raises(UsageError, match="goes to step 40, 40 is not beyond"):
        part.continued(40, 0.1)
    with pytest.raises(UsageError, match="nothing is left up to step 0"):
        schedule.up_to(0)
    with pytest.raises(UsageError, match="step 101 is outside of 0 to 100"):
        schedule.up_to(101)


def test_steps_outside_of_the_run_have_no_rate():
    schedule = named("constant", total_steps=100, peak=1.0)
    for ask in (schedule.lr_at, schedule.cumulative):
        with pytest.raises(UsageError, match=r"step 100\.5 is outside of 0 to 100"):
            ask([1, 100.5])
        with pytest.raises(UsageError, match="step nan is outside"):
            ask(math.nan)
    assert schedule.lr_at(100 * (1 + 1e-12)) == 1.0


@pytest.mark.parametrize(
    ("step", "lr", "text"),
    [
        ([0], [1], "needs two rows at least"),
        ([0, 1, 1], [1, 1, 1], r"steps must rise \(got 1, then 1\)"),
        ([0, 2, 1], [1, 1, 1], r"steps must rise \(got 2, then 1\)"),
        ([-1, 2], [1, 1], "finite and not negative"),
        ([0, math.inf], [1, 1], "finite and not negative"),
        ([0, 1], [1, -1], r"at step 1 must be a finite number, 0 or above \(got -1\)"),
        ([0, 1], [math.nan, 1], r"at step 0 must be a finite number, 0 or above \(got nan\)"),
        ([0, 1], [0, 0], "zero at every step"),
        ([0, 1], [0, 0, 1], "columns of one length"),
    ],
)
def test_rows_that_are_no_schedule(step, lr, text):
    with pytest.raises(UsageError, match=text):
        Schedule.from_rows(step, lr)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"shape": "step", "total_steps": 10}, "shapes are cosine"),
        ({"shape": "cosine", "total_steps": math.inf}, "total steps must be at least 1"),
        ({"shape": "cosine", "total_steps": 10, "peak": 0.0}, "peak must be above 0"),
        ({"shape": "cosine", "total_steps": 10, "warm_up": 10}, "must end before step 10"),
        ({"shape": "cosine", "total_steps": 10, "floor": 2.0}, "from 0 to the peak of 1"),
        ({"shape": "wsd", "total_steps": 10, "decay_share": 0.0}, "a share of the run above 0"),
        ({"shape": "wsd", "total_steps": 10, "warm_up": 9}, "begins before its warm-up ends"),
        ({"shape": "wsd", "total_steps": 10, "decay": "exponential"}, "never reaches 0"),
        ({"shape": "inverse-sqrt", "total_steps": 10}, "falls from the end of its warm-up"),
    ],
)
def test_numbers_that_make_no_shape(given, text):
    with pytest.raises(UsageError, match=text):
        named(**{"peak": 1.0, **given})


def test_a_decay_may_begin_where_the_warm_up_ends():
    """0.1 + 0.9 is not 1 in floats: the knots rise all the same."""
    schedule = named("wsd", total_steps=1000, peak=1.0, warm_up=100, decay_share=0.9)
    assert (np.diff(schedule.step) > 0).all()


def test_the_schedule_that_a_log_has():
    """Rows without a rate say nothing, of a step that stands twice the later row counts."""
    log = rows([1, 3, 2, 4, 4, 5], lr=[1, 3, 2, 9, 4, math.nan])
    found = Schedule.of_readings(log)
    assert found is not None
    assert (found.step.tolist(), found.lr.tolist()) == ([0, 1, 2, 3, 4], [1, 1, 2, 3, 4])
    for none in (rows([1, 2]), rows([1, 2], lr=[math.nan, 1]), rows([1, 2], lr=[0, 0])):
        assert Schedule.of_readings(none) is None


def test_where_log_and_schedule_differ():
    schedule = named("linear", total_steps=1000, peak=1e-3, warm_up=100)
    step = np.arange(10.0, 500.0, 10.0)
    right = schedule.lr_at(step)
    assert disagreement(schedule, rows(step, lr=right)) is None
    assert disagreement(schedule, rows(step, lr=right + 0.9e-5)) is None
    assert disagreement(schedule, rows(step)) is None
    late = np.where(step > 300, 1e-3, right)
    text = disagreement(schedule, rows(step, lr=late))
    assert text is not None
    assert "at 19 of 49 rows: first at step 310, 0.001 logged and 0.0007667 planned; most at step 490" in text


def test_a_rate_logged_one_step_later_is_no_difference():
    """In a short warm-up one step is a large part of the peak."""
    schedule = named("constant", total_steps=100, peak=1.0, warm_up=5)
    step = np.arange(0.0, 100.0)
    assert disagreement(schedule, rows(step, lr=schedule.lr_at(step + 1))) is None
    assert disagreement(schedule, rows(step, lr=schedule.lr_at(np.minimum(step + 2, 100)))) is not None
