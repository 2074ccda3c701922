"""Bands by the documented formula, written here a second time."""

import math

import numpy as np
import pytest
from scipy.special import stdtrit

from scaleplan.laws.uncertainty import Uncertainty

NAMES = ("ln_A", "ln_B", "ln_E", "alpha", "beta")


def make(seed=3, **changes):
    root = np.random.default_rng(seed).normal(size=(5, 5)) * 0.1
    matrix = root @ root.T + 1e-4 * np.eye(5)
    settings = {
        "parameters": NAMES,
        "covariance": tuple(tuple(row) for row in matrix.tolist()),
        "residual_sd": 0.0077,
        "dof": 235,
        "flop_max": 1.3e22,
        "source": "a test",
    }
    return Uncertainty(**(settings | changes)), matrix


@pytest.mark.parametrize("seed", range(5))
def test_variance_is_the_quadratic_form(seed):
    uncertainty, matrix = make(seed)
    g = np.random.default_rng(seed + 100).normal(size=5)
    assert uncertainty.variance(tuple(g.tolist())) == pytest.approx(g @ matrix @ g, rel=1e-12)


def test_variance_of_arrays_is_that_of_each_element():
    uncertainty, matrix = make()
    g = np.random.default_rng(7).normal(size=(5, 4))
    result = uncertainty.variance(tuple(g))
    np.testing.assert_allclose(result, [column @ matrix @ column for column in g.T], rtol=1e-12)


def test_variance_takes_plain_numbers_among_arrays():
    uncertainty, matrix = make()
    result = uncertainty.variance((np.array([1.0, 2.0]), -1.0, 0.0, 3.0, np.array([0.5, 0.25])))
    for i, g in enumerate(np.array([[1, -1, 0, 3, 0.5], [2, -1, 0, 3, 0.25]])):
        assert result[i] == pytest.approx(g @ matrix @ g, rel=1e-12)


@pytest.mark.parametrize(("C", "decades"), [(1e18, 0.0), (1.3e22, 0.0), (1.3e23, 1.0), (1.3e25, 3.0)])
def test_decades_are_counted_only_beyond_the_fit(C, decades):
    uncertainty, _ = make()
    assert uncertainty.decades_beyond(C) == pytest.approx(decades, abs=1e-12)
    assert uncertainty.decades_beyond(np.array([C, 1.0])) == pytest.approx([decades, 0.0], abs=1e-12)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.99])
@pytest.mark.parametrize("C", [1e20, 1e24, 1e27])
def test_half_widths_are_the_documented_formulas(level, C):
    uncertainty, matrix = make()
    g = np.array([0.03, 0.02, 0.9, -0.5, -0.6])
    t = stdtrit(235, (1 + level) / 2)
    beyond = max(math.log10(C / 1.3e22), 0.0)
    of_loss = t * math.sqrt(1.7**2 * (g @ matrix @ g + 0.0077**2) + (0.01 * beyond) ** 2)
    of_params = t * math.sqrt(1.7**2 * (g @ matrix @ g) + (0.3 * beyond) ** 2)
    assert uncertainty.log_loss_half_width(tuple(g), C, level) == pytest.approx(of_loss, rel=1e-10)
    assert uncertainty.log_params_half_width(tuple(g), C, level) == pytest.approx(of_params, rel=1e-10)
    both = uncertainty.log_params_half_width(tuple(g), np.array([C, C]), level)
    assert both == pytest.approx([of_params] * 2, rel=1e-10)


def test_allowances_of_the_law_replace_the_usual_ones():
    uncertainty, matrix = make(kappa=1.0, tau=0.02, drift=0.0)
    g = (0.0, 0.0, 0.0, 0.0, 0.0)
    t = stdtrit(235, 0.975)
    assert uncertainty.log_loss_half_width(g, 1.3e23, 0.95) == pytest.approx(t * math.hypot(0.0077, 0.02), rel=1e-10)
    g = (0.0, 0.0, 1.0, 0.0, 0.0)
    assert uncertainty.log_params_half_width(g, 1.3e25, 0.95) == pytest.approx(t * math.sqrt(matrix[2, 2]), rel=1e-10)


def test_one_constant_has_its_own_band_without_extrapolation():
    uncertainty, matrix = make()
    expected = stdtrit(235, 0.975) * 1.7 * math.sqrt(matrix[2, 2])
    assert uncertainty.log_constant_half_width("ln_E", 0.95) == pytest.approx(expected, rel=1e-10)


def test_the_sampling_band_has_no_allowances():
    """Inside the range and beyond it alike: t times the delta method's standard error."""
    uncertainty, matrix = make(kappa=2.5, tau=0.02, drift=0.4)
    g = (0.3, 0.2, 0.5, -6.0, -7.0)
    variance = np.array(g) @ matrix @ np.array(g)
    t = stdtrit(235, 0.95)
    bare = uncertainty.sampling()
    for C in (1e20, 1e26):
        assert bare.log_loss_half_width(g, C, 0.9) == pytest.approx(t * math.sqrt(variance + 0.0077**2), rel=1e-9)
        assert bare.log_params_half_width(g, C, 0.9) == pytest.approx(t * math.sqrt(variance), rel=1e-9)
    assert (uncertainty.kappa, uncertainty.tau, uncertainty.drift) == (2.5, 0.02, 0.4)


def test_misfit_moves_the_best_size_inside_the_range_too():
    bare, _ = make(kappa=1.0, tau=0.0, drift=0.0)
    moved = bare._replace(size_misfit=0.12)
    slope = (0.3, -0.2) if len(bare.parameters) == 2 else tuple(0.1 * (i + 1) for i in range(len(bare.parameters)))
    own = bare.log_params_half_width(slope, bare.flop_max, 0.95)
    widened = moved.log_params_half_width(slope, bare.flop_max, 0.95)
    t = float(stdtrit(bare.dof, 0.975))
    assert widened**2 == pytest.approx(own**2 + (t * 0.12) ** 2)
    assert moved.log_loss_half_width(slope, bare.flop_max, 0.95) == bare.log_loss_half_width(slope, bare.flop_max, 0.95)
    assert moved.sampling().log_params_half_width(slope, bare.flop_max, 0.95) == pytest.approx(own)
