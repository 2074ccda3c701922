"""One factor from measured steps."""

from __future__ import annotations

import numpy as np
import pytest

from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.layout import Layout, Recompute
from scaleplan.compute.step_calibration import calibrated, least_seconds, time_factor
from scaleplan.compute.transformer import Transformer

PLAIN = Calibration(0.7, 1.1, 0.7, "", "")


def test_steps_that_all_take_as_much_longer_give_that_factor() -> None:
    found = time_factor([1.3, 2.6, 13.0], [1.0, 2.0, 10.0])
    assert found.factor == pytest.approx(1.3)
    assert found.steps == 3


def test_one_odd_step_among_many_moves_little() -> None:
    found = time_factor([1.1, 1.1, 1.1, 1.1, 3.0], [1.0] * 5)
    assert found.factor == pytest.approx(1.1)
    assert found.spread > time_factor([1.1] * 5, [1.0] * 5).spread


def test_more_steps_narrow_the_band_and_never_close_it() -> None:
    spreads = [time_factor([1.2] * n, [1.0] * n).spread for n in (1, 2, 5, 50)]
    assert spreads == sorted(spreads, reverse=True)
    assert 0.2 < spreads[0] < 0.3, "1.645 times 0.09 times the root of two"
    assert spreads[-1] > 0.02


def test_the_band_holds_for_the_next_step() -> None:
    """Steps that scatter by 9 %, as published sources do: nine in ten of the next lie in the band."""
    random = np.random.default_rng(1)
    inside = 0
    for _ in range(2000):
        steps = np.exp(0.2 + 0.09 * random.standard_normal(5))
        found = time_factor(steps[:4].tolist(), [1.0] * 4)
        inside += 1 / (1 + found.spread) <= steps[4] / found.factor <= 1 + found.spread
    assert 0.86 < inside / 2000 < 0.96


def test_the_band_is_as_wide_below_as_above_in_the_logarithm() -> None:
    above, below = (time_factor([1.0, 1.0, x], [1.0] * 3).spread for x in (1.3, 1 / 1.3))
    assert above == pytest.approx(below)


def test_the_least_time_is_that_of_all_flops_at_the_peak() -> None:
    """Again of everything: a third more in the layers."""
    shape, on = Transformer(10, 1024, 8, 8, 128, 4096, 1000, 512, gated=False), Device("x", "bf16", 1e12, 1, 1, 1, 1, 8)
    plain = least_seconds(shape, Layout(data=4), on, 8)
    layers, head, scores = 10 * 12 * 1024**2, 1000 * 1024, 2 * 10 * 1024 * 512
    assert plain == pytest.approx((6 * (layers + head) + 3 * scores) * 512 * 8 / 4e12)
    again = least_seconds(shape, Layout(data=4, recompute=Recompute.FULL), on, 8)
    assert again == pytest.approx((8 * layers + 6 * head + 4 * scores) * 512 * 8 / 4e12)


def test_the_factor_and_its_band_go_into_the_constants() -> None:
    found = time_factor([1.3], [1.0])
    used = calibrated(PLAIN, found)
    assert used.time_factor == pytest.approx(1.3)
    assert used.error == found.spread
    assert used.expert_range == pytest.approx((1 / (1 + found.spread), 1 + found.spread))
    assert used[:3] == PLAIN[:3]


@pytest.mark.parametrize(("measured", "estimated"), [([], []), ([1.0], [1.0, 2.0]), ([0.0], [1.0]), ([1.0], [-1.0])])
def test_nonsense_is_refused(measured: list[float], estimated: list[float]) -> None:
    with pytest.raises(ValueError, match=r"needs as many|above zero"):
        time_factor(measured, estimated)
