"""The watch on made runs: what each shape is called, when, and that the cut of the log makes no difference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaleplan.errors import UsageError
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.watch import Expected, Watcher, WatchSettings

STEP = np.arange(1.0, 12_001.0)


def curve(step=STEP):
    return 2.3 + 8.5 * (1 + step / 30) ** -0.35


def noisy(loss, seed=0, size=0.012):
    return loss * (1 + size * np.random.default_rng(seed).standard_t(5, len(loss)) / math.sqrt(5 / 3))


def watched(step, loss, settings=None, expected=None, **columns):
    watcher = Watcher(settings, expected)
    watcher.feed(Readings(step=step, loss=loss, **columns))
    return watcher.close(), watcher


def kinds(events):
    return {each.kind for each in events}


def test_a_healthy_run_has_no_events():
    events, watcher = watched(STEP, noisy(curve()))
    assert events == []
    assert watcher.summary().status == "running"
    assert not watcher.diverged


@pytest.mark.parametrize("decay", [0.25, 0.15])
def test_the_fall_of_a_decaying_learning_rate_is_not_low(decay):
    loss = curve() - decay * np.clip((STEP - 10_000) / 2000, 0, 1) ** 0.7
    assert watched(STEP, noisy(loss))[0] == []


def test_a_spike_is_known_within_three_steps_and_ends():
    loss = noisy(curve())
    loss[8000:8020] += 0.4
    (event,), watcher = watched(STEP, loss)
    assert event.kind == "spike"
    assert 8000 <= event.step <= event.seen <= 8004
    assert event.end == pytest.approx(8021, abs=3)
    assert 0.3 < event.size < 0.8
    assert not watcher.diverged


def test_one_far_value_is_a_spike_where_rows_are_far_apart():
    step = STEP[::100]
    loss = noisy(curve(step), size=0.002)
    loss[80] += 1.0
    (event,), _ = watched(step, loss)
    assert (event.kind, event.step, event.seen) == ("spike", step[80], step[80])


def test_a_blow_up_that_stays_is_a_divergence_and_no_spike():
    loss = noisy(np.where(STEP < 8000, curve(), 7.5))
    (event,), watcher = watched(STEP, loss)
    assert (event.kind, event.end) == ("divergence", None)
    assert event.step == pytest.approx(8000, abs=3)
    assert event.seen < 8600
    assert watcher.diverged
    assert watcher.summary().status == "diverged"


def test_a_slow_rise_is_a_divergence():
    loss = noisy(curve() * (1 + 0.02 * np.maximum(STEP - 8000, 0) / 1000))
    events, _ = watched(STEP, loss)
    assert kinds(events) == {"divergence"}
    assert 8000 < events[0].seen < 9800


def test_a_divergence_in_a_short_coarse_log():
    step = np.arange(200.0, 6001.0, 200.0)
    loss = noisy(np.where(step < 4000, curve(step), 6.0), size=0.005)
    (event,), _ = watched(step, loss)
    assert (event.kind, event.step) == ("divergence", 4000)
    assert event.seen <= 4400


@pytest.mark.parametrize("every", [1, 10, 100])
@pytest.mark.parametrize("known", [True, False])
def test_a_rise_in_the_warm_up_that_recovers_is_a_transient(every, known):
    step = STEP[::every]
    loss = noisy(curve(step) + 2.5 * np.exp(-0.5 * ((step - 600) / 120) ** 2), size=0.005)
    events, watcher = watched(step, loss, lr=np.minimum(step / 1000, 1) if known else None)
    assert kinds(events) == {"transient"}
    assert all(each.end is not None for each in events)
    assert not watcher.diverged


@pytest.mark.parametrize("level", [10.8, 7.4])
def test_a_plateau_from_the_first_step_is_told_early(level):
    (event,), _ = watched(STEP, noisy(level + (10.8 - level) * np.exp(-STEP / 60)))
    assert (event.kind, event.step, event.end) == ("plateau", 1, None)
    assert event.seen < 1100


def test_a_leak_is_low_and_a_change_of_data_is_not():
    assert kinds(watched(STEP, noisy(np.where(STEP < 8000, 1, 0.6) * curve()))[0]) == {"low"}
    assert watched(STEP, noisy(np.where(STEP < 8000, 1, 0.95) * curve()))[0] == []
    assert "divergence" not in kinds(watched(STEP, noisy(np.where(STEP < 8000, 1, 1.05) * curve()))[0])


def test_losses_that_are_no_numbers():
    loss = noisy(curve())
    loss[5000:5004] = math.nan
    loss[5006] = math.inf
    (event,), watcher = watched(STEP, loss)
    assert (event.kind, event.step, event.end, event.size) == ("nan", 5001, 5008, 5)
    assert not watcher.diverged
    loss[9000:] = math.nan
    events, watcher = watched(STEP, loss)
    assert [each.kind for each in events] == ["nan", "divergence", "nan"]
    assert watcher.diverged


def test_values_that_repeat():
    loss = noisy(curve())
    loss[6000:6100] = loss[6000]
    loss[9000:9090] = np.tile(loss[9000:9009], 10)
    first, second = watched(STEP, loss)[0]
    assert (first.kind, first.step, first.end, first.size) == ("stall", 6001, 6101, 100)
    assert second.kind == "stall"
    assert 9000 < second.step < 9050
    assert "9 values" in second.detail


def test_losses_printed_with_two_decimals_do_not_stall():
    assert watched(STEP, np.round(noisy(curve()), 2))[0] == []


def test_the_band_that_was_expected():
    expected = Expected(STEP, curve() * 0.97, curve() * 1.03)
    settings = WatchSettings(total_steps=12_000)
    assert watched(STEP, noisy(curve()), settings, expected)[0] == []
    high = watched(STEP, noisy(curve() * 1.05), settings, expected)[0]
    assert kinds(high) == {"off_band"}
    assert high[0].seen < 600
    assert kinds(watched(STEP, noisy(curve() * 0.95), settings, expected)[0]) == {"low"}


def test_steps_that_take_longer():
    seconds = 1 + 0.02 * np.random.default_rng(1).standard_normal(len(STEP))
    seconds[::500] = 30
    assert watched(STEP, noisy(curve()), step_time=seconds)[0] == []
    seconds[7000:9000] *= 1.5
    (event,), watcher = watched(STEP, noisy(curve()), time=np.cumsum(seconds), tokens=STEP * 1e6)
    assert event.kind == "throughput"
    assert event.size == pytest.approx(0.5, abs=0.05)
    assert 6980 < event.step < 7040
    assert watcher.summary().tokens_per_second == pytest.approx(1e6, rel=0.02)


def test_a_gradient_norm_that_jumps():
    grad = np.exp(0.2 * np.random.default_rng(1).standard_normal(len(STEP)) - 1)
    grad[7000:7010] *= 20
    (event,), watcher = watched(STEP, noisy(curve()), grad_norm=grad)
    assert (event.kind, event.unit) == ("grad_spike", "times")
    assert event.seen <= 7004
    assert watcher.summary().grad_spike_score == pytest.approx(100 * 10 / 11_000, rel=0.7)


def test_a_restart_undoes_a_divergence():
    loss = noisy(np.where(STEP < 8000, curve(), 7.0))
    step = np.concatenate((STEP[:9500], STEP[7500:]))
    again = np.concatenate((loss[:9500], noisy(curve(), seed=1)[7500:]))
    (event,), watcher = watched(step, again)
    assert (event.kind, event.end) == ("divergence", 9500)
    assert watcher.summary().restarts == 1
    assert not watcher.diverged


def test_lines_twice_late_and_missing_raise_nothing():
    step = np.concatenate(
        (STEP[:3000], STEP[2999:3000], STEP[3001:3002], STEP[3000:3001], STEP[3002:5000], STEP[5400:])
    )
    events, watcher = watched(step, noisy(curve(step)))
    found = watcher.summary()
    assert events == []
    assert (found.duplicates, found.out_of_order, found.gaps, found.restarts) == (1, 1, 1, 0)
    assert found.rows == len(step)


@pytest.mark.parametrize("rows", [0, 1, 2, 5])
def test_very_short_logs(rows):
    events, watcher = watched(STEP[:rows], curve()[:rows])
    assert events == []
    assert watcher.summary().status == ("running" if rows else "empty")


def test_all_losses_are_nan():
    events, watcher = watched(STEP[:20], np.full(20, math.nan))
    assert kinds(events) == {"nan", "divergence"}
    assert watcher.summary().loss is None


@pytest.mark.parametrize("given", [{"warm_up": -1.0}, {"total_steps": 0.0}, {"floor": math.nan}])
def test_settings_out_of_range(given):
    with pytest.raises(UsageError, match="got"):
        Watcher(WatchSettings(**given))


def troubled():
    """A run of 3000 rows with something of everything."""
    step = np.concatenate((STEP[:1500], STEP[1200:2700]))
    loss = noisy(curve(step), seed=3)
    loss[400:600] += 2.5
    loss[900:912] += 0.5
    loss[1000:1003] = math.nan
    loss[1100:1140] = 3.00012345
    loss[2300:] += np.linspace(0, 4, 700)
    order = np.arange(len(step))
    order[[700, 701]] = order[[701, 700]]
    grad = np.exp(0.2 * np.random.default_rng(1).standard_normal(len(step)))
    grad[1400:1410] *= 30
    rows = Readings(step=step, loss=loss, grad_norm=grad, step_time=1 + 0.5 * (step > 2000), tokens=step * 1e5)
    return rows.part(order)


ROWS = troubled()
WHOLE = Watcher()
WHOLE.feed(ROWS)


@settings(max_examples=4, deadline=None)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=8))
def test_the_cut_of_the_log_makes_no_difference(sizes):
    watcher, at, known = Watcher(), 0, {}
    while at < len(ROWS):
        size = sizes.pop(0) if len(sizes) > 1 else sizes[0] + 20
        known |= {(each.kind, each.step): each for each in watcher.feed(ROWS.part(slice(at, at + size)))}
        at += size
    assert watcher.close() == WHOLE.close()
    assert watcher.summary() == WHOLE.summary()
    assert all(known[each.kind, each.step] == each for each in watcher.close())


def test_rows_one_by_one_and_by_twenties_are_as_at_once():
    watcher = Watcher()
    at = 0
    while at < len(ROWS):
        size = 1 if at // 200 % 2 else 20
        watcher.feed(ROWS.part(slice(at, at + size)))
        at += size
    assert {"transient", "spike", "nan", "stall", "divergence", "grad_spike"} <= kinds(watcher.close())
    assert watcher.close() == WHOLE.close()
    assert watcher.summary() == WHOLE.summary()


def test_a_transient_of_single_values_is_over_when_they_are_back():
    first = next(each for each in WHOLE.close() if each.kind == "transient")
    assert (first.step, first.end) == (401, 601)


def test_a_loss_that_jumps_and_falls_again_has_not_stopped():
    jumped = curve() + np.where(STEP > 5000, 0.4, 0) * np.exp(-np.maximum(STEP - 5000, 0) / 4000)
    assert "plateau" not in kinds(watched(STEP, noisy(jumped, size=0.004))[0])


def test_a_loss_of_zero_is_a_stall_and_breaks_nothing():
    loss = np.concatenate((noisy(curve())[:3000], np.zeros(9000)))
    assert {"stall", "low"} <= kinds(watched(STEP, loss)[0])


def test_a_single_row_is_counted_as_one():
    loss = noisy(curve())
    loss[5000] = math.nan
    ((event,), _) = watched(STEP, loss)
    assert event.detail == "The loss is no finite number in 1 row."


def test_memory_does_not_grow():
    rng = np.random.default_rng(0)
    watcher, sizes = Watcher(), []
    for part in range(12):
        step = np.arange(20_000.0) + part * 20_000
        watcher.feed(Readings(step=step, loss=3 + 0.03 * rng.standard_normal(20_000)))
        sizes.append(sum(len(each) for each in watcher._loss.rolling.__dict__.values() if isinstance(each, np.ndarray)))
        assert len(watcher._levels.levels) <= 128
        assert len(watcher._levels._part) < 64
    assert sizes[0] == sizes[-1]
