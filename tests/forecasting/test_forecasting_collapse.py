"""The collapse check: exact where the law says that curves collapse, its false alarms counted, on measured ladders."""

import csv
import math
import os

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.forecasting.collapse import CELLS, Final, collapse
from scaleplan.forecasting.ladder_curves import LadderRun, cells_of
from scaleplan.forecasting.schedule_shapes import named

FLOOR, COEFFICIENT, EXPONENT = 1.8, 400.0, 0.34


def curve(params, *, noise=0.0, wander=0.0, slow=0.0, rng=None, rows=1000):
    """A run on 20 tokens a parameter: L0 + A/N^a + A/D^a, which collapses exactly (Qiu et al. 2025).

    ``wander`` is the size of smooth deviations of its own, ``slow`` lowers the exponent of its fall.
    """
    x = np.arange(1, rows + 1) / rows
    left = COEFFICIENT * params**-EXPONENT * (1 + (20 * x) ** -EXPONENT * x**-slow)
    if rng is not None:
        waves = np.sin(np.pi * np.outer(np.arange(1, 4), x))
        left = left * np.exp(wander * rng.standard_normal(3) @ waves)
    loss = FLOOR + left
    return LadderRun(
        f"{params:g}",
        50.0 * np.arange(1, rows + 1),
        loss if rng is None else loss * (1 + noise * rng.standard_normal(rows)),
        50.0 * rows,
    )


def final(run, share=0.003):
    loss = float(np.median(run.loss[-10:]))
    return Final(loss, loss * (1 - share), loss * (1 + share))


def part(run, share):
    kept = run.step <= share * run.total_steps
    return run._replace(step=run.step[kept], loss=run.loss[kept])


LADDER = [curve(params) for params in (1e7, 5e7, 2.5e8)]


def test_a_ladder_that_collapses_exactly():
    """Its own floor is found, the run lies on the template to a ten-thousandth, whatever its size and length."""
    run = curve(1e10, rows=3000)
    found = collapse(part(run, 0.3999), final(run), LADDER)
    assert found.verdict == "follows"
    assert found.floor == pytest.approx(FLOOR, abs=0.02)
    assert found.ladder == ("1e+07", "5e+07", "2.5e+08")
    assert found.seen == pytest.approx(0.4, abs=1e-3)
    exact = collapse(part(run, 0.3999), final(run), LADDER, floor=FLOOR)
    seen = ~np.isnan(exact.run)
    assert (int(seen.sum()), len(exact.fraction), exact.fraction[0]) == (35, 95, 0.055)
    assert np.abs(exact.run / exact.template - 1)[seen].max() < 2e-3
    x = exact.fraction
    own = (1 + (20 * x) ** -EXPONENT) / (1 + 20**-EXPONENT)
    assert exact.template == pytest.approx(own, rel=3e-3)
    assert (exact.left_at, exact.left_step, exact.side) == (None, None, None)


def test_where_a_run_leaves():
    """From 30 % of the run on a part of its reducible loss does not fall: it is above from there on."""
    rng = np.random.default_rng(4)
    ladder = [curve(params, noise=0.002, wander=0.002, rng=rng) for params in np.geomspace(1e7, 1e9, 6)]
    run = curve(2e9, noise=0.002, wander=0.002, rng=rng)
    x = run.step / run.total_steps
    ill = run._replace(loss=run.loss + 0.15 * (run.loss - FLOOR) * (x > 0.3))
    found = collapse(part(ill, 0.5), final(run), ladder, floor=FLOOR)
    assert (found.verdict, found.side) == ("leaves", "above")
    assert found.left_at == pytest.approx(0.30, abs=0.011)
    assert found.left_step == pytest.approx(found.left_at * run.total_steps)
    assert found.deviation == pytest.approx(0.15, abs=0.03)
    assert found.spreads is not None
    assert found.spreads > 5
    assert collapse(part(ill, 0.25), final(run), ladder, floor=FLOOR).verdict == "follows"
    low = ill._replace(loss=run.loss - 0.15 * (run.loss - FLOOR) * (x > 0.3))
    assert collapse(part(low, 0.5), final(run), ladder, floor=FLOOR).side == "below"


def wandering(rng):
    """A ladder of six and two larger runs, one sound and one that falls with another exponent."""
    sizes = np.geomspace(1e7, 1e9, 6)
    ladder = [curve(params, noise=0.004, wander=0.003, rng=rng, rows=500) for params in sizes]
    return ladder, *(curve(2e9, noise=0.004, wander=0.003, slow=slow, rng=rng, rows=500) for slow in (0.0, 0.1))


def test_how_often_a_sound_run_leaves():
    """Of 20 sound runs at most 2 (nominal 5 %: 1), also where the floor is only found; of 20 slow ones at least 16."""
    rng = np.random.default_rng(7)
    wrong = found = caught = 0
    for _ in range(20):
        ladder, sound, slow = wandering(rng)
        wrong += collapse(sound, final(sound), ladder, floor=FLOOR).verdict == "leaves"
        found += collapse(sound, final(sound), ladder).verdict == "leaves"
        caught += collapse(slow, final(slow), ladder, floor=FLOOR).verdict == "leaves"
    assert wrong <= 2
    assert found <= 2
    assert caught >= 16


def test_the_band_of_the_forecast_widens_that_of_the_run():
    run = curve(1e9)
    narrow, wide = (collapse(run, final(run, share), LADDER, floor=FLOOR) for share in (0.0, 0.01))
    assert (wide.high > narrow.high).all()
    assert (wide.low < narrow.low).all()
    loss = final(run).loss
    shift = math.log((loss - FLOOR) / (0.99 * loss - FLOOR))
    assert np.log(wide.high / wide.template).min() >= shift


def test_spikes_do_not_count():
    run = curve(1e9, rows=2000)
    spiked = run._replace(loss=np.where(np.arange(2000) % 25 == 3, 9.0, run.loss))
    found = collapse(spiked, final(run), LADDER, floor=FLOOR)
    assert found.verdict == "follows"


def test_a_loss_below_the_floor_is_below():
    run = curve(1e9)
    sunk = run._replace(loss=np.where(run.step > 0.5 * run.total_steps, 1.0, run.loss))
    found = collapse(part(sunk, 0.6), final(run), LADDER, floor=FLOOR)
    assert (found.verdict, found.side, found.left_at) == ("leaves", "below", 0.5)
    assert (found.deviation, found.spreads) == (-1.0, None)


def test_too_early():
    run = curve(1e9)
    found = collapse(part(run, 0.055), final(run), LADDER)
    assert (found.verdict, found.left_at) == ("too_early", None)
    nothing = collapse(part(run, 0.0), final(run), LADDER)
    assert (nothing.verdict, nothing.seen, nothing.deviation, nothing.spreads) == ("too_early", 0.0, None, None)


def test_curves_of_another_schedule_are_left_out():
    def planned(each, shape, **kw):
        return each._replace(schedule=named(shape, total_steps=each.total_steps, peak=1e-3, warm_up=500, **kw))

    cosines = [planned(each, "cosine", floor=1e-4) for each in LADDER]
    other = planned(curve(3e7), "wsd", floor=1e-4)._replace(name="stable")
    run = planned(curve(1e9, rows=3000), "cosine", floor=1e-4)
    found = collapse(run, final(run), [*cosines, other])
    assert (found.left_out, len(found.ladder)) == (("stable",), 3)
    with pytest.raises(UsageError, match=r"two finished curves at least \(got 1; stable: another shape of schedule\)"):
        collapse(run, final(run), [cosines[0], other])


def test_what_cannot_be_compared():
    run = curve(1e9)
    with pytest.raises(UsageError, match=r"two finished curves at least \(got 1\)"):
        collapse(run, final(run), LADDER[:1])
    with pytest.raises(UsageError, match=r"5e\+07 stops before step 50000"):
        collapse(run, final(run), [LADDER[0], part(LADDER[1], 0.8)])
    with pytest.raises(UsageError, match="a floor from 0 to below"):
        collapse(run, final(run), LADDER, floor=3.0)
    ends = [each._replace(loss=np.where(np.arange(1000) < 980, np.nan, each.loss)) for each in LADDER]
    assert collapse(run, final(run), ends).fraction.tolist() == [0.985, 0.995]
    cell = np.arange(1, 1001) // 10
    apart = [LADDER[i]._replace(loss=np.where((cell % 2 == i) & (cell < 99), LADDER[i].loss, np.nan)) for i in (0, 1)]
    with pytest.raises(UsageError, match="these share none"):
        collapse(run, final(run), apart)


def test_cells_are_medians():
    """By hand: a cell is a hundredth of the run, the last step in the last of them."""
    made = LadderRun("made", np.array([0.0, 3, 9, 10, 999, 1000]), np.array([5.0, 9, 4, np.inf, 2, 1]), 1000.0)
    cells = cells_of(made)
    assert len(cells) == CELLS
    assert (cells[0], cells[99]) == (5.0, 1.5)
    assert np.isnan(cells[1:99]).all()


@pytest.mark.skipif("SCALEPLAN_DATA" not in os.environ, reason="SCALEPLAN_DATA names the folder of measured runs")
def test_measured_ladders():
    """Three sizes on equal tokens (Luo et al. 2025): 1 % of spread by size, the middle one on the mean."""
    runs: dict[str, list[tuple[float, float]]] = {}
    with open(f"{os.environ['SCALEPLAN_DATA']}/mpl_curves.csv") as file:
        for row in csv.DictReader(file):
            runs.setdefault(row["run"], []).append((float(row["step"]), float(row["loss"])))
    sizes = ("25M", "100M", "400M")
    ladder = [LadderRun(size, *np.array(runs[f"{size}-cosine_24000"]).T, 24000.0) for size in sizes]
    outer = collapse(ladder[1], final(ladder[1]), [ladder[0], ladder[2]])
    assert (outer.verdict, outer.floor) == ("follows", 0.0)
    assert np.abs(outer.run / outer.template - 1).max() < 0.004
    assert outer.ladder_spread == pytest.approx(0.0136, abs=0.001)
    whole = collapse(ladder[2], final(ladder[2]), ladder)
    assert whole.ladder_spread == pytest.approx(0.0096, abs=0.001)
    stable = LadderRun("wsd", *np.array(runs["100M-wsd_20000_24000"]).T, 24000.0)
    left = collapse(stable, final(stable, 0.001), ladder)
    assert (left.verdict, left.side) == ("leaves", "above")
    assert 0.5 < left.left_at < 0.85
