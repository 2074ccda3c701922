"""What the loss of a pilot is off by: seeds, misfit of the form, too few tokens."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.pilots.noise import Noise
from tests.pilots.worlds import points


def test_the_three_parts_add_in_squares():
    run = points([1e9], [5e8])
    decades_short, starved = math.log10(1e24 / 3e18), 1.0
    want = 0.004**2 / 3 + (0.001 * decades_short) ** 2 + (0.02 * starved) ** 2
    assert Noise(0.004, 0.001, 0.02).variance(run, 1e24, 3) == pytest.approx([want], rel=1e-12)


def test_misfit_is_none_at_the_target_and_beyond_and_starvation_none_from_five_tokens():
    runs = points([1e11, 1e11, 1e9], [5e11, 1e13, 5.001e9])
    noise = Noise(0.003, 0.002, 0.01)
    assert noise.variance(runs, 3e23, 1)[:2] == pytest.approx([9e-6, 9e-6], rel=1e-12)
    short = math.log10(3e23 / (6e9 * 5.001e9))
    assert noise.variance(runs, 3e23, 1)[2] == pytest.approx(9e-6 + (0.002 * short) ** 2, rel=1e-12)


def test_seeds_average_their_scatter_and_nothing_else():
    runs, noise = points([1e8, 2e9], [1e8, 4e10]), Noise()
    once, many = noise.variance(runs, 1e24, 1), noise.variance(runs, 1e24, 1e12)
    four = noise.variance(runs, 1e24, np.array([4, 4]))
    assert once - many == pytest.approx(np.full(2, noise.seed**2), rel=1e-9)
    assert four - many == pytest.approx(np.full(2, noise.seed**2 / 4), rel=1e-9)
    assert np.all(many > 0)


def test_nearer_the_target_a_run_says_more():
    params = np.geomspace(1e7, 1e11, 40)
    assert np.all(np.diff(Noise().variance(points(params, 20 * params), 1e26, 1)) < 0)


@pytest.mark.parametrize("seed", [0.0, -0.1, 0.51, math.nan, math.inf])
def test_noise_must_be_there_and_small(seed):
    with pytest.raises(UsageError, match=r"noise must be above 0 and at most 50% of the loss, such as 0\.3% \(got "):
        Noise(seed=seed).check()


@pytest.mark.parametrize("name", ["misfit", "starvation"])
@pytest.mark.parametrize("value", [-1e-9, 0.6, math.nan])
def test_what_is_added_must_be_small_and_not_negative(name, value):
    with pytest.raises(UsageError, match=rf"{name} must be 0 to 50% of the loss a decade"):
        Noise(**{name: value}).check()


def test_none_of_what_is_added_is_fine():
    Noise(seed=0.5, misfit=0.0, starvation=0.0).check()
