"""The curve as it is drawn: few points, whatever comes."""

from __future__ import annotations

import numpy as np
import pytest

from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.series import MOST, Series


def fed(step, loss, parts=1):
    series = Series()
    for steps, losses in zip(np.array_split(step, parts), np.array_split(loss, parts), strict=True):
        series.feed(Readings(step=steps, loss=losses))
    return series.curve()


def test_few_rows_are_the_curve_themselves():
    step, loss = np.arange(1.0, 501.0), np.linspace(4, 3, 500)
    curve = fed(step, loss, parts=7)
    assert np.array_equal(curve.step, step)
    assert np.array_equal(curve.loss, loss)
    assert np.array_equal(curve.loss_min, curve.loss_max)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 512.0, 1e9])
def test_many_rows_become_at_most_a_thousand_points_whatever_steps_are_called(scale):
    rng = np.random.default_rng(0)
    step = scale * np.arange(100_000.0)
    loss = 3 + rng.normal(0, 0.1, step.size)
    loss[40_404] = 99.0
    curve = fed(step, loss, parts=13)
    assert MOST / 2 <= len(curve) <= MOST
    assert curve.rows.sum() == step.size
    assert np.all(np.diff(curve.step) > 0)
    assert curve.loss_max.max() == 99.0
    assert np.average(curve.loss, weights=curve.rows) == pytest.approx(loss.mean(), rel=1e-12)
    assert np.all((curve.loss_min <= curve.loss) & (curve.loss <= curve.loss_max))


def test_the_curve_does_not_depend_on_how_the_rows_came():
    rng = np.random.default_rng(1)
    step = rng.permutation(np.concatenate((np.arange(0.0, 9000.0), np.arange(5000.0, 9000.0))))
    loss = rng.normal(3, 0.1, step.size)
    whole, parts = fed(step, loss), fed(step, loss, parts=100)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_rows_without_a_finite_loss_or_step_are_no_points():
    curve = fed(np.array([1.0, 2.0, np.nan, 4.0]), np.array([3.0, np.nan, 3.0, np.inf]))
    assert curve.step.tolist() == [1.0]
    assert len(Series().curve()) == 0
