"""A forecast beside a law's promise: the gap, the band, and the compute it is worth, against sums by hand."""

import math

import pytest

from scaleplan.compute.accounting import Accounting
from scaleplan.errors import UsageError
from scaleplan.forecasting.plan_check import Ahead, against_law
from scaleplan.planning.prediction import predict
from scaleplan.specs.laws import load_law

LAW = load_law("chinchilla")
E, A, B, ALPHA, BETA = 1.8168640400416654, 482.0057194215438, 2085.434195928221, 0.34781303, 0.36585412
"""Besiroglu et al. 2024 (arXiv 2404.10102), the constants behind the shipped law."""
N, D = 7e10, 1.4e12
PROMISE = E + A * N**-ALPHA + B * D**-BETA


def check(loss, half=0.001, law=LAW, params=N, tokens=D, **kw):
    return against_law(Ahead(loss, loss - half, loss + half), law, params, tokens, level=0.95, **kw)


def test_a_run_that_lost_a_quarter_of_its_tokens():
    """Its loss is that of the law at 0.75 D: a quarter of the compute at its size, by construction."""
    loss = E + A * N**-ALPHA + B * (0.75 * D) ** -BETA
    found = check(loss, half=1e-4)
    assert found.same_size is not None
    assert (found.same_size.factor, found.same_size.lost_share) == pytest.approx((0.75, 0.25), rel=1e-9)
    assert found.same_size.lost_flop == pytest.approx(0.25 * 6 * N * D, rel=1e-9)
    assert found.same_size.lost_share_low < 0.25 < found.same_size.lost_share_high
    assert (found.gap, found.gap_share) == pytest.approx((loss - PROMISE, loss / PROMISE - 1))
    assert "as if 25.0% of the compute (1.47e23 FLOP) had been lost, at this size" in found.text


def test_on_the_frontier_the_whole_budget_counts():
    """L* - E falls as C^-(alpha beta / (alpha + beta)): the closed form of Hoffmann et al. 2022, eq. 4."""
    loss = 2.05
    power = -(ALPHA + BETA) / (ALPHA * BETA)
    assert check(loss).best_split.factor == pytest.approx(((loss - E) / (PROMISE - E)) ** power, rel=1e-6)


def test_a_better_loss_is_worth_more():
    found = check(E + A * N**-ALPHA + B * (2 * D) ** -BETA)
    assert found.same_size is not None
    assert (found.same_size.factor, found.same_size.lost_share) == pytest.approx((2, -1), rel=1e-9)
    assert found.text.endswith("worth 2 times the compute, at this size")


def test_a_loss_that_no_tokens_reach_at_this_size():
    """Below E + A/N^alpha the size is not enough, above E the frontier still is; at E nothing is."""
    between = E + 0.5 * A * N**-ALPHA
    found = check(between)
    assert found.same_size == (None, None, None, None, None)
    assert found.best_split.factor > 100
    assert "lower than any tokens take 70B parameters under besiroglu-2024" in found.text
    for loss in (E, 1.0):
        sunk = check(loss)
        assert (sunk.best_split.factor, sunk.best_split.lost_flop) == (None, None)
        assert [notice.code for notice in sunk.warnings] == ["extrapolation", "loss_measure", "below_floor"]
    end = check(E + 1.001 * A * N**-ALPHA, half=0.01)
    assert end.same_size.factor is not None
    assert end.same_size.lost_share_low is None


def test_on_track_within_both_bands_together():
    """Half-widths 0.03 and the law's own: inside of their root of squares the run is on its track, beyond it is not."""
    promised = predict(LAW, N, D, level=0.95, accounting=Accounting())
    above = math.hypot(0.03, promised.loss_high - promised.loss)
    below = math.hypot(0.03, promised.loss - promised.loss_low)
    found = check(PROMISE, half=0.03)
    assert (found.gap_low, found.gap_high) == pytest.approx((-below, above))
    expected = {
        0.999 * above: "on_track",
        1.001 * above: "above_band",
        -0.999 * below: "on_track",
        -1.001 * below: "below_band",
    }
    assert {gap: check(PROMISE + gap, half=0.03).status for gap in expected} == expected
    assert check(PROMISE + 1.001 * above, half=0.03).text.startswith("above the band: ")


def test_a_law_without_a_band_leaves_the_forecasts_own():
    kaplan = load_law("kaplan-2020")
    promise = predict(kaplan, 1e9, 2e10, level=0.95, accounting=Accounting()).loss
    assert check(promise + 0.02, half=0.03, law=kaplan, params=1e9, tokens=2e10).status == "on_track"
    found = check(promise + 0.04, half=0.03, law=kaplan, params=1e9, tokens=2e10)
    assert found.status == "above_band"
    assert {"no_interval", "converted"} <= {notice.code for notice in found.warnings}
    counted = predict(kaplan, 1e9, 2e10, level=0.95, accounting=Accounting()).params_nonembedding
    assert found.same_size.factor == pytest.approx(kaplan.surface.tokens_for_loss(counted, promise + 0.04) / 2e10)
    assert against_law(Ahead(promise + 0.001), kaplan, 1e9, 2e10, level=0.95).status == "above_band"


def test_a_law_of_the_compute_alone():
    """Without L(N, D) there is no path at one size: the trend says what the loss is worth."""
    law = load_law("henighan-2020")
    promise = predict(law, 7e9, 1.4e11, level=0.95, accounting=Accounting()).loss
    assert law.trend is not None
    found = check(1.02 * promise, law=law, params=7e9, tokens=1.4e11)
    assert found.same_size is None
    expected = law.trend.flop_for_loss(1.02 * promise) / law.trend.flop_for_loss(promise)
    assert found.best_split.factor == pytest.approx(expected)
    assert 0 < expected < 1
    assert found.text.endswith("had been lost, on its frontier")
    gone = check(1e-9, half=0, law=law, params=7e9, tokens=1.4e11)
    assert gone.status == "below_band"


def test_what_the_losses_are_of():
    """A shipped law speaks of its own text; one of own runs is taken at its word, unless the tokenizer is another."""
    own = LAW._replace(file="law.yaml")
    (notice,) = [each for each in check(2.0).warnings if each.code == "loss_measure"]
    assert "its loss is of MassiveText with SentencePiece 32k in nats/token" in notice.message
    assert "the log's loss is taken as the same" in notice.message
    assert "loss_measure" not in [each.code for each in check(2.0, law=own).warnings]
    assert "loss_measure" not in [each.code for each in check(2.0, law=own, tokenizer="SentencePiece 32k").warnings]
    (other,) = [each for each in check(2.0, law=own, tokenizer="BPE 50k").warnings if each.code == "loss_measure"]
    assert "the log's tokenizer is BPE 50k" in other.message


@pytest.mark.parametrize(
    "bad",
    [
        Ahead(2.0, 2.1, 2.2),
        Ahead(2.0, 1.9, 1.95),
        Ahead(math.nan),
        Ahead(-1.0),
        Ahead(2.0, 0.0),
        Ahead(2.0, 1.0, math.inf),
    ],
)
def test_a_forecast_that_is_none(bad):
    with pytest.raises(UsageError, match="a forecast loss is a number above 0 within its band"):
        against_law(bad, LAW, N, D, level=0.95)


def test_a_law_that_gives_no_loss():
    with pytest.raises(UsageError, match="it gives parameters and tokens for a budget but no loss"):
        check(2.0, law=load_law("hoffmann-2022-a1"))
