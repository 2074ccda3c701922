"""The choice by back-test: laws where they hold, the last value where they do not, and the published benchmark."""

import os

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.forecasting.extrapolation import CANDIDATES, extrapolate
from scaleplan.forecasting.power_laws import M2, M4
from tests.benchmarks import score_extrapolation

X = np.linspace(1e7, 1e9, 100)
TARGETS = np.array([1.5e9, 2e9])


@pytest.mark.parametrize("law", [M2(1.7, 5.0, 0.35), M4(0.2, 0.99, 0.8, 8.0, 0.5)])
def test_a_law_that_held_is_followed(law):
    """Hardly any weight is left on the last value, and the forecast is the law's."""
    found = extrapolate(X, law.predict(X), TARGETS)
    assert found.values == pytest.approx(law.predict(TARGETS), rel=2e-3)
    assert found.weights["last"] < 0.01
    assert sum(found.weights.values()) == pytest.approx(1)
    assert found.back_test is not None
    assert found.back_test["last"] > 10 * min(found.back_test.values())
    assert found.tests > 4


def test_a_curve_that_stopped_falling():
    """Noise about a level: the last value has most of the weight, as a law goes on falling."""
    y = np.maximum(3 - X / 3e8, 2.0) * np.exp(0.002 * np.random.default_rng(0).standard_normal(100))
    found = extrapolate(X, y, TARGETS)
    assert found.weights["last"] > 0.5
    assert found.values == pytest.approx([2.0, 2.0], rel=0.02)


def test_order_length_and_units():
    """Rows in any order; long curves are binned, which keeps the forecast; units of x and of the loss do not matter."""
    law = M2(1.7, 5.0, 0.35)
    long = np.linspace(1e7, 1e9, 20_000)
    noise = np.random.default_rng(3).standard_normal(len(long))
    y = law.predict(long) * np.exp(0.01 * noise)
    found = extrapolate(long, y, TARGETS)
    assert found.values == pytest.approx(law.predict(TARGETS), rel=3e-3)
    order = np.random.default_rng(4).permutation(len(long))
    assert extrapolate(long[order], y[order], TARGETS).values == pytest.approx(found.values, rel=1e-12)
    assert extrapolate(long / 1e6, 3 * y, TARGETS / 1e6).values == pytest.approx(3 * found.values, rel=1e-3)


def test_short_and_constant_curves():
    """Up to four rows there is no back-test and the last value stands; a constant stays one."""
    for rows in (1, 2, 4):
        found = extrapolate(X[:rows], np.array([3.0, 2.5, 2.25, 2.0])[:rows], TARGETS)
        assert (found.back_test, found.tests, found.weights["last"]) == (None, 0, 1.0)
        assert found.values == pytest.approx(np.full(2, (3.0, 2.5, 2.25, 2.0)[rows - 1]))
    assert extrapolate(X, np.full(100, 2.5), TARGETS).values == pytest.approx([2.5, 2.5], rel=1e-3)
    found = extrapolate(np.full(6, 1e7), np.full(6, 2.5), TARGETS)
    assert (found.tests, found.values.tolist()) == (0, [2.5, 2.5])


def test_far_targets():
    """A horizon longer than the past: back-tests reach as far as they can."""
    law = M2(1.7, 5.0, 0.35)
    found = extrapolate(X, law.predict(X), np.array([1e14]))
    assert found.tests >= 1
    assert 1.5 < float(found.values[0]) < float(law.predict(X[-1:])[0])
    assert set(found.by_candidate) == set(CANDIDATES)


def test_refusals():
    """Targets that were passed or are no numbers; losses without a logarithm."""
    for target in (1e9, -1.0, np.nan, np.inf):
        with pytest.raises(UsageError, match=r"beyond the last x, 1e\+09"):
            extrapolate(X, X, np.array([target]))
    with pytest.raises(UsageError, match="one target or more"):
        extrapolate(X, X, np.array([]))
    with pytest.raises(UsageError, match=r"loss > 0 \(got -1e\+07 in row 1\)"):
        extrapolate(X, -X, TARGETS)


@pytest.mark.skipif("SCALEPLAN_DATA" not in os.environ, reason="SCALEPLAN_DATA names the folder of measured runs")
def test_the_benchmark_of_alabdulmohsin():
    """In every domain at most the error of the better of the last row and M2, each measured here."""
    found = score_extrapolation.scores(score_extrapolation.benchmark())
    assert set(found) == {"IC", "LM", "NMT", "BB"}
    for means in found.values():
        assert means["chosen"] <= min(means["last row"], means["M2 alone"])
    assert found["IC"]["chosen"] < 0.045
    assert found["NMT"]["chosen"] < 0.008
