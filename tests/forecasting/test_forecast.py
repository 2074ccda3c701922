"""Forecasts of a run's final loss: known truths, measured runs, what is refused, what a donor changes."""

import csv
import os
from functools import cache

import numpy as np
import pytest

from scaleplan.errors import InputFileError
from scaleplan.forecasting.annealing import track
from scaleplan.forecasting.candidates import borrowed_gain, donor_of
from scaleplan.forecasting.forecast import forecast
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.result import FinishedRun
from scaleplan.forecasting.schedule_shapes import named
from scaleplan.forecasting.schedules import Schedule
from scaleplan.forecasting.smoothing import curve_of

TRUTH = {"L0": 2.4, "A": 30.0, "alpha": 0.5, "G": 0.15}
COSINE = named("cosine", total_steps=20_000, peak=3e-4, warm_up=500, floor=3e-5)
WSD = named("wsd", total_steps=20_000, peak=3e-4, warm_up=500, floor=0.0, decay_share=0.2)


def curve(schedule, level=1.0, rows=400, noise=0.0, seed=0, gain=TRUTH["G"]):
    """A run of the annealing law."""
    own = track(schedule)
    step = np.linspace(schedule.total_steps / rows, schedule.total_steps, rows)
    S, D = own.at(step)
    loss = level * (TRUTH["L0"] + TRUTH["A"] * S ** -TRUTH["alpha"] - gain * D)
    scatter = np.random.default_rng(seed).normal(0.0, noise, rows)
    return Readings(step=step, loss=loss * np.exp(scatter))


def early(readings, share):
    return readings.part(readings.step <= share * readings.step[-1])


def donors(*schedules, **words):
    return [FinishedRun(f"donor{i}", curve(each, **words), each) for i, each in enumerate(schedules)]


def test_the_law_reads_a_schedule_as_its_definition_says():
    """A naive twin: every step on its own, in two loops."""
    schedule = named("wsd", total_steps=600, peak=2e-3, warm_up=60, floor=1e-4, decay_share=0.3)
    own = track(schedule)
    u = schedule.lr_at(np.arange(601)) / schedule.peak
    S = np.array([sum((u[i] + u[i + 1]) / 2 for i in range(t)) for t in range(601)])
    D = np.zeros(601)
    for t in range(601):
        for k in range(61, t + 1):
            after = (t - k + 0.5) / 600
            D[t] += (u[k - 1] - u[k]) * (1 - np.exp(-after / 0.006) / 2 - np.exp(-after / 0.1) / 2)
    found = own.at(np.arange(601.0))
    assert np.abs(found[0] - S).max() < 1e-9 * S[-1]
    assert np.abs(found[1] - D).max() < 1e-9


@pytest.mark.parametrize("schedule", [COSINE, WSD])
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_what_the_law_made_is_forecast_from_its_beginning(schedule, share):
    """The decay's worth is known from a run of another schedule."""
    run = curve(schedule)
    made = forecast(early(run, share), 20_000, schedule, donors(WSD if schedule is COSINE else COSINE))
    assert made.loss == pytest.approx(run.loss[-1], rel=0.005)
    assert made.loss_low < run.loss[-1] < made.loss_high
    assert [each.forecast for each in made.earlier] == pytest.approx([made.now] * len(made.earlier), rel=0.004)


def test_a_fall_of_the_schedule_is_foreseen():
    """Before the decay a power of steps sees nothing of it, and the forecast does."""
    run = curve(WSD)
    made = forecast(early(run, 0.7), 20_000, WSD, donors(COSINE))
    blind = next(each for each in made.ways if each.way == "last")
    assert blind.loss > 1.04 * run.loss[-1]
    assert made.loss == pytest.approx(run.loss[-1], rel=0.005)


def test_neither_the_length_of_steps_nor_the_unit_of_the_learning_rate_matters():
    here = forecast(early(curve(COSINE), 0.4), 20_000, COSINE, donors(WSD))
    longer, finished = (Schedule(step=e.step * 7, lr=e.lr * 100, name="longer", text="") for e in (COSINE, WSD))
    run, other = (Readings(step=each.step * 7, loss=each.loss) for each in (curve(COSINE), curve(WSD)))
    there = forecast(early(run, 0.4), 140_000, longer, [FinishedRun("d", other, finished)])
    assert there.loss == pytest.approx(here.loss, rel=1e-6)


def test_noise_widens_the_band_and_hardly_moves_the_forecast():
    run = curve(COSINE, rows=8000, noise=0.02)
    made = forecast(early(run, 0.4), 20_000, COSINE, donors(WSD))
    clean = forecast(early(curve(COSINE, rows=8000), 0.4), 20_000, COSINE, donors(WSD))
    assert made.loss == pytest.approx(clean.loss, rel=0.01)
    assert made.loss_high - made.loss_low > clean.loss_high - clean.loss_low


@pytest.mark.parametrize("factor", [0.01, 10.0])
def test_losses_in_another_unit_are_forecast_as_well(factor):
    run, finished = early(curve(COSINE), 0.4), donors(WSD)
    scaled = [
        each._replace(readings=Readings(step=each.readings.step, loss=each.readings.loss * factor)) for each in finished
    ]
    here = forecast(Readings(step=run.step, loss=run.loss * factor), 20_000, COSINE, scaled)
    truth = curve(COSINE).loss[-1] * factor
    assert here.loss == pytest.approx(truth, rel=0.006)
    assert here.loss_low < truth < here.loss_high


def test_a_range_has_no_line_in_its_middle():
    made = forecast(early(curve(WSD), 0.5), 20_000)
    assert made.ahead.loss is None
    assert (made.ahead.low < made.ahead.high).all()


def test_a_wider_level_is_a_wider_band():
    run = early(curve(COSINE), 0.4)
    narrow = forecast(run, 20_000, COSINE, donors(WSD), level=0.5)
    wide = forecast(run, 20_000, COSINE, donors(WSD), level=0.99)
    assert wide.loss == narrow.loss
    assert wide.loss_low < narrow.loss_low < narrow.loss < narrow.loss_high < wide.loss_high


def test_without_a_schedule_there_is_a_range_only():
    """Its ends hold what a learning rate held and one that falls come to."""
    made = forecast(early(curve(WSD), 0.5), 20_000)
    assert made.loss is None
    assert "--schedule" in made.refused
    held = curve(named("constant", total_steps=20_000, peak=3e-4, warm_up=500)).loss[-1]
    assert made.loss_low < curve(WSD).loss[-1] < held < made.loss_high


def test_without_a_donor_a_decay_ahead_is_a_range_only():
    made = forecast(early(curve(COSINE), 0.5), 20_000, COSINE)
    assert made.loss is None
    assert "--donor" in made.refused
    assert made.loss_low < curve(COSINE).loss[-1] < made.loss_high


def test_a_learning_rate_held_needs_no_donor():
    constant = named("constant", total_steps=20_000, peak=3e-4, warm_up=500)
    run = curve(constant)
    made = forecast(early(run, 0.5), 20_000, constant)
    assert made.refused is None
    assert made.loss == pytest.approx(run.loss[-1], rel=0.003)


def test_late_in_its_decay_a_run_needs_no_donor():
    made = forecast(early(curve(COSINE), 0.9), 20_000, COSINE)
    assert made.loss == pytest.approx(curve(COSINE).loss[-1], rel=0.003)


def test_a_donor_that_turned_up_is_left_out_and_named():
    bad = curve(WSD)
    bad = Readings(step=bad.step, loss=np.where(bad.step > 15_000, bad.loss * 1.1, bad.loss))
    run = early(curve(COSINE), 0.4)
    made = forecast(run, 20_000, COSINE, [FinishedRun("bad", bad, WSD), *donors(WSD)])
    assert [each.code for each in made.warnings] == ["donor_left_out"]
    assert made.loss == forecast(run, 20_000, COSINE, donors(WSD)).loss


def test_the_worth_of_a_decay_is_taken_from_donors_that_had_one():
    run = curve_of(early(curve(COSINE, gain=0.2), 0.3))
    own = track(COSINE)
    constant = named("constant", total_steps=20_000, peak=3e-4, warm_up=500)
    usual = borrowed_gain(run, own, [])
    of_none = borrowed_gain(run, own, [donor_of("c", curve_of(curve(constant)), track(constant))])
    told = borrowed_gain(run, own, [donor_of("w", curve_of(curve(WSD, gain=0.2)), track(WSD))])
    assert of_none.mean == pytest.approx(usual.mean, rel=0.02)
    assert usual.mean < told.mean <= 0.2
    assert told.sd < usual.sd


def test_a_donor_without_a_schedule_has_the_shape_of_the_run():
    run = early(curve(COSINE), 0.4)
    shorter = named("cosine", total_steps=5_000, peak=3e-4, warm_up=125, floor=3e-5)
    named_one = forecast(run, 20_000, COSINE, [FinishedRun("d", curve(shorter), shorter)])
    taken = forecast(run, 20_000, COSINE, [FinishedRun("d", curve(shorter))])
    assert taken.loss == pytest.approx(named_one.loss, rel=1e-4)


def test_a_run_that_has_ended_is_what_it_came_to():
    made = forecast(curve(COSINE), 20_000, COSINE)
    assert made.loss == curve(COSINE).loss[-1]
    assert made.step == made.total_steps


def test_a_run_on_a_plateau_is_forecast_to_stay():
    step = np.arange(1.0, 3001.0)
    loss = 7.6 + 0.02 * np.random.default_rng(1).standard_normal(3000)
    made = forecast(Readings(step=step, loss=loss), 20_000, COSINE, donors(WSD))
    assert made.loss == pytest.approx(7.6, rel=0.03)


def test_losses_that_are_no_number_are_left_out():
    run = early(curve(COSINE), 0.4)
    loss = run.loss.copy()
    loss[50:55] = np.nan
    made = forecast(Readings(step=run.step, loss=loss), 20_000, COSINE, donors(WSD))
    assert made.loss == pytest.approx(forecast(run, 20_000, COSINE, donors(WSD)).loss, rel=1e-3)


@pytest.mark.parametrize(
    ("step", "loss", "said"),
    [([1, 2, 3], [3.0, 2.9, 2.8], "loss: 3"), (range(20), [2.0] * 19 + [-1.0], "a loss of -1;")],
)
def test_too_little_is_refused(step, loss, said):
    readings = Readings(step=np.array(step, dtype=float), loss=np.array(loss))
    with pytest.raises(InputFileError, match=said):
        forecast(readings, 100, COSINE, name="log.csv")


@cache
def measured():
    runs = {}
    with open(f"{os.environ['SCALEPLAN_DATA']}/mpl_curves.csv") as file:
        for row in csv.DictReader(file):
            runs.setdefault(row["run"], []).append([float(row[key]) for key in ("step", "loss", "lr")])
    return {name: np.array(rows).T for name, rows in runs.items()}


def of_measured(name, donor, share, level=0.9):
    """Relative error of a forecast of a measured run from a share of its steps, and whether the band covers."""
    step, loss, lr = measured()[name]
    d_step, d_loss, d_lr = measured()[donor]
    seen = step <= step[0] + share * (step[-1] - step[0])
    finished = FinishedRun(donor, Readings(step=d_step, loss=d_loss), Schedule.from_rows(d_step, d_lr))
    schedule = Schedule.from_rows(step, lr)
    made = forecast(Readings(step=step[seen], loss=loss[seen]), step[-1], schedule, [finished], level=level)
    return made.loss / loss[-1] - 1, made.loss_low <= loss[-1] <= made.loss_high


@pytest.mark.skipif("SCALEPLAN_DATA" not in os.environ, reason="SCALEPLAN_DATA names the folder of measured runs")
def test_measured_runs_are_forecast_with_one_donor():
    """24 runs of three sizes and eight schedules; the donor is the 24k cosine run of the same or of another size."""
    bars = {(0.2, False): 0.0045, (0.3, False): 0.0030, (0.3, True): 0.0030}
    covered = []
    for (share, other), bar in bars.items():
        errors = []
        for name in measured():
            size, _, schedule = name.partition("-")
            sizes = [each for each in ("25M", "100M", "400M") if (each != size) == other]
            if schedule != "cosine_24000":
                found = [of_measured(name, f"{each}-cosine_24000", share) for each in sizes]
                errors += [abs(error) for error, _ in found]
                covered += [inside for _, inside in found]
        assert len(errors) == 24 * (2 if other else 1)
        assert np.mean(errors) < bar
    assert np.mean(covered) > 0.85
