"""The numeric optimiser on functions whose minima are known, wherever they lie and however they are scaled."""

import math

import numpy as np
import pytest

from scaleplan.errors import ConvergenceError
from scaleplan.ops import exp, log, where
from scaleplan.search import argmin, increasing_root, last_within


def wave(x):
    """Many valleys; the deepest of them found once by Newton on 3 cos(3x) + 0.2 (x - 2) = 0 below."""
    return np.sin(3 * x) + 0.1 * (x - 2) ** 2


def deepest_of_wave():
    x = np.linspace(-5, 9, 200_001)
    best = float(x[np.argmin(wave(x))])
    for _ in range(20):
        best -= (3 * math.cos(3 * best) + 0.2 * (best - 2)) / (-9 * math.sin(3 * best) + 0.2)
    return best


@pytest.mark.parametrize("shift", [0.0, 1.0, -40.0, 1e3])
@pytest.mark.parametrize("scale", [1.0, 0.01, 50.0])
@pytest.mark.parametrize("height", [1.0, 1e-12, 1e12])
def test_the_deepest_of_several_valleys_is_found_shifted_and_scaled(shift, scale, height):
    def moved(x):
        return height * wave((x - shift) / scale)

    found = argmin(moved, shift - 5 * scale, shift + 9 * scale)
    assert (found - shift) / scale == pytest.approx(deepest_of_wave(), abs=1e-6)


@pytest.mark.parametrize("centre", [0.0, 0.1, 3.7, -22.5, 61.3, 79.99])
def test_a_valley_off_zero_is_found_as_well_as_one_at_zero(centre):
    found = argmin(lambda x: (x - centre) ** 2, centre - 60.0, centre + 20.0)
    assert found == pytest.approx(centre, abs=1e-7)


@pytest.mark.parametrize("centre", [0.3, 0.5, 0.9])
def test_a_reflected_function_has_the_reflected_minimum(centre):
    def steep(x):
        return exp(3 * (x - centre)) - 3 * x

    straight, mirrored = argmin(steep, -2.0, 3.0), argmin(lambda x: steep(1.0 - x), -2.0, 3.0)
    assert mirrored == pytest.approx(1.0 - straight, abs=1e-7)


def test_a_minimum_at_an_end_is_found_there():
    assert argmin(lambda x: x, 2.0, 50.0) == pytest.approx(2.0, abs=1e-8)
    assert argmin(lambda x: -x, 2.0, 50.0) == pytest.approx(50.0, abs=1e-8)


def test_a_kink_is_found():
    assert argmin(lambda x: abs(x - 17.123), 0.0, 80.0) == pytest.approx(17.123, abs=1e-8)


def test_an_infinite_stretch_does_not_hide_the_minimum():
    """What cannot be reached costs infinitely much: the search must cross the plateau."""

    def cost(x):
        return where(x > 30.2, x - log(where(x > 30.2, x - 30.2, 1.0)), math.inf)

    assert argmin(cost, 0.0, 92.0) == pytest.approx(31.2, abs=1e-6)


def test_of_two_equal_valleys_the_smaller_x_is_taken():
    found = argmin(lambda x: (x * x - 4.0) ** 2, -8.0, 8.0)
    assert found == pytest.approx(-2.0, abs=1e-5)


def test_a_single_point_is_its_own_minimum():
    assert argmin(lambda x: x * x, 5.0, 5.0) == 5.0


def test_arrays_are_searched_element_by_element():
    centres = np.array([0.1, 3.7, 22.5, 61.3])
    found = argmin(lambda x: (x - centres) ** 2, np.zeros(4), np.full(4, 80.0))
    np.testing.assert_allclose(found, centres, atol=1e-7)


def test_each_element_of_an_array_may_have_its_own_range_and_valley():
    low, high = np.array([-5.0, 1.0, 6.0]), np.array([9.0, 4.0, 9.0])
    found = argmin(wave, low, high)
    alone = [argmin(wave, a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True)]
    np.testing.assert_allclose(found, alone, atol=1e-9)


@pytest.mark.parametrize(("low", "high"), [(0.0, 5.0), (-1e3, 1e3), (1.7, 1.72)])
def test_the_root_of_an_increasing_function(low, high):
    assert increasing_root(lambda x: x**3 - 5.0, low, high) == pytest.approx(5 ** (1 / 3), rel=1e-15)


def test_roots_of_arrays():
    levels = np.array([0.5, 5.0, 100.0])
    found = increasing_root(lambda x: x**3 - levels, np.zeros(3), np.full(3, 10.0))
    np.testing.assert_allclose(found, levels ** (1 / 3), rtol=1e-15)


def test_a_step_is_found_where_it_steps():
    assert increasing_root(lambda x: -1.0 if x < 2.25 else 1.0, 0.0, 80.0) == pytest.approx(2.25, rel=1e-15)


@pytest.mark.parametrize("root", [0.0, 1.0, -30.0, 54.321, 60.0])
@pytest.mark.parametrize("start", [0.0, 20.0, 55.0])
@pytest.mark.parametrize("slope", [0.6, 0.9, 1.0, 1.1, 1.9])
def test_the_last_x_within_of_a_smooth_function_is_its_root(root, start, slope):
    found = last_within(lambda x: slope * (x - root), start)
    assert found == pytest.approx(root, abs=1e-12)


@pytest.mark.parametrize("start", [40.0, 49.9, 50.0, 50.1, 60.0])
def test_a_curved_function_is_solved_to_rounding(start):
    def curved(x):
        return (x - 50) + 0.3 * math.sin(x - 50)

    assert last_within(curved, start) == pytest.approx(50.0, abs=1e-12)


@pytest.mark.parametrize("start", [48.0, 49.99, 50.0, 50.01, 53.0])
@pytest.mark.parametrize("height", [0.01, 0.4, 3.0])
def test_at_a_jump_over_zero_it_stops_just_below(start, height):
    """At 50 the function leaps from below zero to above it."""

    def leaping(x):
        return x - 50 - 0.5 * height + (height if x > 50 else 0.0)

    found = last_within(leaping, start)
    assert found <= 50
    assert leaping(found) <= 0
    assert found == pytest.approx(50.0, abs=1e-8)


def test_steps_as_of_whole_nodes_are_climbed_to_the_last_within():
    """Hours that rise by 0.01 at every hundredth: of those at or below zero the last."""

    def stairs(x):
        return x - 50 + 0.01 * math.floor((x - 50) * 100) - 0.0155

    found = last_within(stairs, 47.3)
    assert stairs(found) <= 0
    assert stairs(found + 2e-9) > 0


def test_few_evaluations_find_what_rises_as_x():
    asked: list[float] = []

    def counted(x):
        asked.append(x)
        return 0.97 * (x - 50)

    last_within(counted, 48.0)
    assert len(asked) <= 6


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_a_function_on_one_side_of_zero_has_no_solution(side):
    with pytest.raises(ConvergenceError):
        last_within(lambda x: side + 0.0 * x, 50.0)
