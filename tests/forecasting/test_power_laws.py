"""The four power laws: what is generated is found again, by hand, on hostile curves, and what is refused."""

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.forecasting.power_laws import M1, M2, M3, M4, fit_m1, fit_m2, fit_m3, fit_m4

X = np.geomspace(1e6, 1e9, 80)
LATER = np.array([2e9, 1e10])
TRUTHS = (
    (fit_m1, M1(3.0, 0.2)),
    (fit_m2, M2(1.7, 5.0, 0.35)),
    (fit_m3, M3(4.0, 1e-8, 0.25)),
    (fit_m4, M4(0.2, 0.99, 0.8, 8.0, 0.5)),
)
FITS = (fit_m1, fit_m2, fit_m3, fit_m4)


@pytest.mark.parametrize(("fit", "truth"), TRUTHS)
def test_what_is_generated_is_found(fit, truth):
    """Losses between the points and tenfold beyond them."""
    found = fit(X, truth.predict(X))
    assert found.predict(X) == pytest.approx(truth.predict(X), rel=2e-4)
    assert found.predict(LATER) == pytest.approx(truth.predict(LATER), rel=2e-3)


def test_parameters_are_found():
    """Where a curve tells them."""
    assert fit_m1(X, TRUTHS[0][1].predict(X)) == pytest.approx(TRUTHS[0][1], rel=1e-9)
    assert fit_m2(X, TRUTHS[1][1].predict(X)) == pytest.approx(TRUTHS[1][1], rel=2e-3)
    assert fit_m3(X, TRUTHS[2][1].predict(X)) == pytest.approx(TRUTHS[2][1], rel=1e-2)


def test_the_forms_by_hand():
    """Each at a point; M4 by putting its loss into the equation."""
    assert M1(np.log(2), 0.5).predict(np.array([4.0])) == pytest.approx([1.0])
    assert M2(1.0, np.log(2), 0.5).predict(np.array([4.0])) == pytest.approx([2.0])
    assert M3(np.log(2), 0.75, 0.5).predict(np.array([4.0])) == pytest.approx([2.0])
    law = M4(0.1, 0.9, 2.5, 3.0, 0.4)
    x = np.geomspace(1e-6, 1e12, 40)
    loss = law.predict(x)
    assert (loss > 0.1).all()
    assert (loss < 0.9).all()
    assert (np.diff(loss) < 0).all()
    left = np.log(loss - 0.1) - 2.5 * np.log(0.9 - loss)
    assert left == pytest.approx(3.0 - 0.4 * np.log(x), abs=1e-4)


@pytest.mark.parametrize(("fit", "truth"), TRUTHS)
def test_noise(fit, truth):
    """One per cent on each of 80 points moves a forecast of twice as many by little, and no fit depends on luck."""
    y = truth.predict(X) * np.exp(0.01 * np.random.default_rng(1).standard_normal(len(X)))
    found = fit(X, y)
    assert found == fit(X, y)
    assert found.predict(LATER[:1]) == pytest.approx(truth.predict(LATER[:1]), rel=0.02)


@pytest.mark.parametrize("fit", FITS)
def test_constant_rising_and_short_curves(fit):
    """A constant stays, a rise is not followed, one and two points have a fit, and units do not matter."""
    assert fit(X, np.full(80, 2.5)).predict(LATER) == pytest.approx([2.5, 2.5], rel=5e-3)
    rising = fit(X, np.geomspace(1, 2, 80)).predict(np.concatenate([X, LATER]))
    assert (rising > 0.9).all()
    assert (rising < 2.1).all()
    for rows in (1, 2):
        assert np.isfinite(fit(X[:rows], np.array([3.0, 2.0])[:rows]).predict(LATER)).all()
    y = M2(1.7, 5.0, 0.35).predict(X)
    assert fit(X / 1e6, 7 * y).predict(LATER / 1e6) == pytest.approx(7 * fit(X, y).predict(LATER), rel=1e-3)


@pytest.mark.parametrize("fit", FITS)
def test_weights(fit):
    """A row of no weight does not count."""
    y = M2(1.7, 5.0, 0.35).predict(X)
    spoiled, w = y.copy(), np.ones(80)
    spoiled[40], w[40] = 50.0, 0.0
    kept = np.arange(80) != 40
    assert fit(X, spoiled, w).predict(LATER) == pytest.approx(fit(X[kept], y[kept]).predict(LATER), rel=1e-3)


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ([1.0, 2.0], [1.0, 0.0], r"loss > 0 \(got 0 in row 2\)"),
        ([1.0, 2.0], [-1.0, 1.0], r"loss > 0 \(got -1 in row 1\)"),
        ([0.0, 2.0], [1.0, 1.0], r"x > 0 \(got 0 in row 1\)"),
        ([1.0, 2.0], [1.0, np.nan], r"loss > 0 \(got nan in row 2\)"),
        ([1.0], [1.0, 2.0], "columns of one length"),
        ([], [], "columns of one length"),
    ],
)
def test_refusals(fit, x, y, said):
    """What no power law has, with its row."""
    with pytest.raises(UsageError, match=said):
        fit(np.array(x), np.array(y))


def test_weights_refused():
    """None above zero, or one below."""
    with pytest.raises(UsageError, match="a weight above 0"):
        fit_m2(X, X, np.zeros(80))
    with pytest.raises(UsageError, match=r"weight >= 0 \(got -1 in row 1\)"):
        fit_m2(X, X, np.full(80, -1.0))
