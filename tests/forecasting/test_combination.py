"""How ways are weighed and joined, and curves thinned: naive twins, and what must not matter."""

import itertools

import numpy as np
import pytest

from scaleplan.forecasting.annealing import track
from scaleplan.forecasting.candidates import Guess, Known, borrowed_gain, donor_of, forecasts
from scaleplan.forecasting.combination import PAST, Past, Trust, combined, donors_past, own_past, trusted
from scaleplan.forecasting.forecast import forecast
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.result import FinishedRun
from scaleplan.forecasting.schedule_shapes import named
from scaleplan.forecasting.smoothing import BLOCKS, KEPT, Curve, curve_of, thinned

COSINE = named("cosine", total_steps=20_000, peak=3e-4, warm_up=500, floor=3e-5)
WSD = named("wsd", total_steps=20_000, peak=3e-4, warm_up=500, floor=0.0, decay_share=0.2)
HELD = named("constant", total_steps=20_000, peak=3e-4, warm_up=0)


def run_of(schedule, rows=300, level=1.0, seed=0):
    """A run of the annealing law with a little noise."""
    own = track(schedule)
    step = np.linspace(20_000 / rows, 20_000, rows)
    S, D = own.at(step)
    noise = np.random.default_rng(seed).normal(0, 0.003, rows)
    return Readings(step=step, loss=level * (2.4 + 30 / np.sqrt(S) - 0.14 * D) * np.exp(noise))


def seen(readings, share=0.4):
    return readings.part(readings.step <= share * 20_000)


def ready(*schedules):
    return [donor_of(f"d{i}", curve_of(run_of(each, seed=i + 1)), track(each)) for i, each in enumerate(schedules)]


def naive_median(values, weights):
    """Where the broken line through the middles of the sorted weights crosses one half."""
    ordered = sorted(zip(values, weights, strict=True))
    done, marks = 0.0, []
    for value, weight in ordered:
        marks.append((done + weight / 2, value))
        done += weight
    if marks[0][0] >= 0.5:
        return marks[0][1]
    for (before, low), (after, high) in itertools.pairwise(marks):
        if before <= 0.5 <= after:
            return low + (high - low) * (0.5 - before) / (after - before)
    return marks[-1][1]


@pytest.mark.parametrize("seed", range(10))
def test_the_weighted_median_and_the_spread_are_those_of_a_naive_twin(seed):
    random = np.random.default_rng(seed)
    count = int(random.integers(1, 9))
    values, weights = random.normal(1, 0.1, (count, 3)), random.dirichlet(np.full(count, 0.7))
    trust = [Trust(f"w{i}", 0.01 * (i + 1), float(each)) for i, each in enumerate(weights)]
    middle, sd = combined(values, trust)
    naive = [naive_median(values[:, place], weights) for place in range(3)]
    assert middle == pytest.approx(naive, rel=1e-12)
    squares = [each.weight * ((row[-1] - naive[-1]) ** 2 + each.sd**2) for each, row in zip(trust, values, strict=True)]
    assert sd == pytest.approx(sum(squares) ** 0.5, rel=1e-12)


def test_one_way_that_went_astray_does_not_move_the_forecast_with_how_far():
    trust = [Trust(name, 0.01, 0.2) for name in "abcde"]
    near, far = (combined(np.array([[1.0], [1.01], [1.02], [1.03], [end]]), trust)[0][0] for end in (1.5, 1e6))
    assert near == far == pytest.approx(1.02)


def test_weights_sum_to_one_whatever_the_past():
    guesses = {name: Guess(np.array([1.0]), 0.01) for name in ("last", "law", "ratio:0", "ratio:1", "power")}
    past = [Past(100.0, {"law": 1.2, "last": 0.4}, 1.0)]
    for share in (0.0, 0.05, 0.3, 0.99, 1.0):
        trust = trusted(guesses, share, past, [{"law": 0.5}, {}])
        assert [each.way for each in trust] == list(guesses)
        assert sum(each.weight for each in trust) == pytest.approx(1.0)
        assert all(each.weight > 0 and each.sd > 0 for each in trust)


def test_a_way_that_was_right_weighs_more_than_before_and_a_wrong_one_less():
    guesses = {name: Guess(np.array([1.0]), 0.0) for name in ("power", "law")}
    weight = {each.way: each.weight for each in trusted(guesses, 0.3, [], [])}
    own = [Past(100.0, {"power": 1.0, "law": 1.3}, 1.0)] * 4
    for past, donors in ((own, []), ([], [{"power": 0.0, "law": 0.3}])):
        later = {each.way: each for each in trusted(guesses, 0.3, past, donors)}
        assert later["power"].weight > weight["power"]
        assert later["law"].weight < weight["law"]
    later = {each.way: each for each in trusted(guesses, 0.3, own, [])}
    assert later["law"].sd == pytest.approx(((4 * 0.004**2 + 4 * 0.3**2) / 8) ** 0.5)


def test_a_way_that_doubts_itself_weighs_less():
    sure, unsure = Guess(np.array([1.0]), 0.0), Guess(np.array([1.0]), 0.05)
    trust = trusted({"law": unsure, "recent": sure}, 0.3, [], [])
    assert trust[0].weight < trust[1].weight
    assert trust[0].sd == pytest.approx((0.004**2 + 0.25 * 0.05**2) ** 0.5)


def test_several_donors_share_the_weight_of_one():
    def weight(count):
        guesses = {"law": Guess(np.array([1.0]), 0.0)}
        guesses |= {f"ratio:{place}": Guess(np.array([1.0]), 0.0) for place in range(count)}
        return 1 - trusted(guesses, 0.3, [], [])[0].weight

    assert weight(1) == pytest.approx(weight(5))


def test_every_way_forecasts_every_target_and_says_so_by_name():
    curve, own, donors = curve_of(seen(run_of(COSINE))), track(COSINE), ready(WSD, HELD)
    known = Known(borrowed_gain(curve, own, donors))
    targets = np.array([10_000.0, 15_000.0, 20_000.0])
    found = forecasts(curve, own, 20_000.0, targets, donors, known)
    places = {f"{kind}:{place}" for kind in ("ratio", "template") for place in (0, 1)}
    assert set(found) == {"last", "law", "law+", "recent", "recent+", "power"} | places
    for guess in found.values():
        assert guess.values.shape == (3,)
        assert np.isfinite(guess.values).all()
        assert guess.sd >= 0
    assert np.exp(found["last"].values) == pytest.approx([curve.last[1]] * 3)


def test_a_donor_that_is_the_same_curve_tells_the_end():
    """Of equal schedules and losses the ratio is exact: nothing is annealed twice."""
    whole = run_of(COSINE, seed=4)
    donor = donor_of("twin", curve_of(whole), track(COSINE))
    curve = curve_of(seen(whole))
    found = forecasts(curve, track(COSINE), 20_000.0, np.array([20_000.0]), [donor], Known(donor.law.gain))
    assert found["ratio:0"].values[-1] == pytest.approx(np.log(donor.final), abs=2e-3)


def test_the_past_of_a_run_is_told_from_earlier_points_only():
    curve, own = curve_of(seen(run_of(COSINE))), track(COSINE)
    donors = ready(WSD)
    known = Known(borrowed_gain(curve, own, donors))
    past = own_past(curve, own, 20_000.0, donors, known)
    assert len(past) == len(PAST)
    assert [each.step for each in past] == sorted(each.step for each in past)
    assert all(each.step < curve.last[0] and each.now == np.log(curve.last[1]) for each in past)
    short = Curve(curve.step[:9], curve.loss[:9], curve.rows[:9], curve.noise)
    assert own_past(short, own, 20_000.0, donors, known) == []


def test_finished_runs_are_forecast_without_themselves():
    alone = donors_past(0.3, ready(COSINE))
    assert len(alone) == 1
    assert set(alone[0]) == {"last", "law", "law+", "recent", "recent+", "power"}
    both = donors_past(0.3, ready(COSINE, WSD))
    assert all(set(each) == {*alone[0], "ratio", "template"} for each in both)
    assert all(each["law"] < each["last"] for each in both)
    assert donors_past(0.001, ready(COSINE)) == []


def test_the_order_of_donors_does_not_matter():
    log = seen(run_of(COSINE))
    donors = [FinishedRun(f"d{i}", run_of(each, seed=i + 1), each) for i, each in enumerate((WSD, HELD, COSINE))]
    one, other = (forecast(log, 20_000, COSINE, each) for each in (donors, donors[::-1]))
    assert one.loss == pytest.approx(other.loss, rel=1e-9)
    assert (one.loss_low, one.loss_high) == pytest.approx((other.loss_low, other.loss_high), rel=1e-9)


@pytest.mark.parametrize("factor", [1 / np.log(2), 0.3])
def test_the_unit_of_the_loss_scales_the_forecast_where_nothing_decays(factor):
    """What a decay brings is known in nats; without one every way is a share of the loss."""
    log = seen(run_of(HELD))
    plain = forecast(log, 20_000, HELD)
    scaled = forecast(Readings(step=log.step, loss=log.loss * factor), 20_000, HELD)
    assert plain.loss is not None
    assert scaled.loss == pytest.approx(factor * plain.loss, rel=1e-5)
    assert scaled.loss_high == pytest.approx(factor * plain.loss_high, rel=1e-4)


def test_rows_that_are_shuffled_twice_written_or_no_number_change_nothing():
    log = seen(run_of(COSINE))
    donors = [FinishedRun("d", run_of(WSD, seed=1), WSD)]
    plain = forecast(log, 20_000, COSINE, donors)
    order = np.random.default_rng(1).permutation(len(log))
    twice = np.r_[np.arange(len(log)), np.arange(len(log))]
    first = Readings(step=log.step[twice], loss=np.r_[log.loss * 3, log.loss])
    gaps = Readings(step=np.r_[log.step, log.step[5:9] + 0.5], loss=np.r_[log.loss, [np.nan, np.inf, -np.inf, np.nan]])
    for other in (log.part(order), first, gaps):
        made = forecast(other, 20_000, COSINE, donors)
        assert (made.loss, made.loss_low, made.loss_high) == (plain.loss, plain.loss_low, plain.loss_high)


def test_spikes_of_single_rows_in_a_long_log_hardly_move_the_forecast():
    log = seen(run_of(COSINE, rows=40_000))
    spikes = log.loss.copy()
    spikes[np.random.default_rng(2).choice(np.arange(500, len(log)), 40, replace=False)] = 12.0
    donors = [FinishedRun("d", run_of(WSD, seed=1), WSD)]
    plain = forecast(log, 20_000, COSINE, donors)
    made = forecast(Readings(step=log.step, loss=spikes), 20_000, COSINE, donors)
    assert made.loss == pytest.approx(plain.loss, rel=5e-4)


def naive_blocks(curve, blocks):
    """Each block on its own: the median, values beyond four robust deviations drawn in, the mean by rows."""
    low, high = curve.step[0], curve.step[-1]
    edges = np.linspace(low, high, blocks + 1)
    points = []
    for place in range(blocks):
        last = place == blocks - 1
        inside = (curve.step >= edges[place]) & ((curve.step < edges[place + 1]) | last)
        if not inside.any():
            continue
        loss, rows = curve.loss[inside], curve.rows[inside]
        middle = np.median(loss)
        if len(loss) > 2:
            reach = 4 * 1.4826 * np.median(np.abs(loss - middle))
            loss = np.clip(loss, middle - reach, middle + reach)
        points.append((np.average(curve.step[inside], weights=rows), np.average(loss, weights=rows), rows.sum()))
    return np.array(points).T


@pytest.mark.parametrize(("rows", "blocks"), [(500, 40), (5_000, 7), (300, BLOCKS)])
def test_blocks_are_those_of_a_naive_twin(rows, blocks):
    """Few rows a block are sorted at once, many one block after the other: both ways, uneven steps, spikes."""
    random = np.random.default_rng(rows)
    step = np.cumsum(random.exponential(10, rows))
    loss = 3 + random.standard_t(2, rows)
    curve = Curve(step, loss, random.integers(1, 5, rows).astype(float), 0.1)
    found = thinned(curve, blocks)
    naive = naive_blocks(curve, blocks)
    assert found.step == pytest.approx(naive[0])
    assert found.loss == pytest.approx(naive[1])
    assert found.rows == pytest.approx(naive[2])
    assert found.rows.sum() == curve.rows.sum()


def test_a_curve_of_few_points_stays_and_one_of_many_is_thinned():
    assert len(curve_of(run_of(COSINE, rows=KEPT)).step) == KEPT
    long = curve_of(run_of(COSINE, rows=3 * KEPT))
    assert len(long.step) <= KEPT
    assert (np.diff(long.step) > 0).all()
    assert long.rows.sum() == 3 * KEPT
    assert long.noise == pytest.approx(0.003, rel=0.1)
