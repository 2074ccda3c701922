"""How answers move with the constants: analytic sensitivities against complex steps, the formulas written out here."""

import cmath
import math

import numpy as np
import pytest

from scaleplan.laws.additive import Additive
from scaleplan.laws.broken_power import BrokenPower
from scaleplan.laws.compute_trend import ComputeTrend
from scaleplan.laws.form import LossSurface, LossTrend
from scaleplan.laws.kaplan_joint_nd import KaplanJointNd
from scaleplan.laws.overtraining import Overtraining
from scaleplan.laws.power_rule import PowerRule

H = 1e-25
KAPLAN = KaplanJointNd(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103)
TREND = ComputeTrend(L_inf=1.7, C_0=2e22, alpha=0.15)
BREAKS = [
    BrokenPower(a=1.6, b=300.0, c_0=0.12, c_1=0.1, d_1=1e20, f_1=0.7),
    BrokenPower(a=1.6, b=300.0, c_0=0.2, c_1=-0.1, d_1=1e21, f_1=2.0),
]


def moved(form, i):
    """The constants by name, the i-th of the covariance's moved by H i, in its logarithm for ``ln_`` names."""
    constants = form._asdict()
    if isinstance(form, ComputeTrend):
        constants["K"] = constants["C_0"] ** constants["alpha"]
    name = form.covariance_of[i]
    key = name.removeprefix("ln_")
    constants[key] = constants[key] * cmath.exp(1j * H) if name.startswith("ln_") else constants[key] + 1j * H
    return constants


@pytest.mark.parametrize("i", range(4))
@pytest.mark.parametrize(("N", "D"), [(3e9, 7e10), (1e8, 1e12), (1e12, 1e9)])
def test_kaplans_loss(N, D, i):
    c = moved(KAPLAN, i)
    s = c["alpha_N"] / c["alpha_D"]
    ln_loss = c["alpha_D"] * cmath.log(cmath.exp(s * cmath.log(c["N_c"] / N)) + c["D_c"] / D)
    assert KAPLAN.log_loss_sensitivity(N, D)[i] == pytest.approx(ln_loss.imag / H, rel=1e-12)


@pytest.mark.parametrize("i", range(4))
@pytest.mark.parametrize("C", [1e19, 1e24])
def test_kaplans_optimal_size(C, i):
    c = moved(KAPLAN, i)
    s = c["alpha_N"] / c["alpha_D"]
    ln_params = (cmath.log(s / c["D_c"]) + s * cmath.log(c["N_c"]) + math.log(C / 6)) / (1 + s)
    best = KAPLAN.optimum(C)
    assert math.log(best.params) == pytest.approx(ln_params.real, rel=1e-12)
    assert KAPLAN.log_params_sensitivity(best.params, best.tokens)[i] == pytest.approx(ln_params.imag / H, rel=1e-10)


@pytest.mark.parametrize("i", range(4))
def test_kaplans_least_loss_moves_with_the_constants_as_the_loss_there_does(i):
    """The envelope theorem, against central differences of the optimum itself."""
    key, h = KAPLAN.covariance_of[i], 1e-6
    ends = []
    for step in (h, -h):
        name = key.removeprefix("ln_")
        value = getattr(KAPLAN, name)
        other = value * math.exp(step) if key.startswith("ln_") else value + step
        ends.append(math.log(KAPLAN._replace(**{name: other}).optimum(1e22).loss))
    best = KAPLAN.optimum(1e22)
    assert KAPLAN.log_loss_sensitivity(best.params, best.tokens)[i] == pytest.approx(
        (ends[0] - ends[1]) / (2 * h), rel=1e-5
    )


@pytest.mark.parametrize("i", range(3))
@pytest.mark.parametrize("C", [1e17, 1e22, 1e27])
def test_the_trends_loss(C, i):
    c = moved(TREND, i)
    loss = c["L_inf"] + c["K"] * cmath.exp(-c["alpha"] * math.log(C))
    assert TREND.loss(C) == pytest.approx(loss.real, rel=1e-12)
    assert TREND.log_loss_sensitivity(C)[i] == pytest.approx(cmath.log(loss).imag / H, rel=1e-12)


@pytest.mark.parametrize("form", BREAKS)
@pytest.mark.parametrize("i", range(6))
@pytest.mark.parametrize("C", [1e16, 1e20, 3e21, 1e25])
def test_the_broken_powers_loss(form, C, i):
    c = moved(form, i)
    t = (math.log(C) - cmath.log(c["d_1"])) / c["f_1"]
    soft = t + cmath.log(1 + cmath.exp(-t)) if t.real > 0 else cmath.log(1 + cmath.exp(t))
    loss = c["a"] + c["b"] * cmath.exp(-c["c_0"] * math.log(C) - c["c_1"] * c["f_1"] * soft)
    assert form.loss(C) == pytest.approx(loss.real, rel=1e-12)
    # Far from the break this formula rounds; the form's own is written so that it does not.
    assert form.log_loss_sensitivity(C)[i] == pytest.approx(cmath.log(loss).imag / H, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize("i", range(2))
def test_the_power_rules_size(i):
    rule = PowerRule(k=0.1, a=0.5)
    c = moved(rule, i)
    expected = (cmath.log(c["k"]) + c["a"] * math.log(1e21)).imag / H
    assert rule.log_params_sensitivity(1e21)[i] == pytest.approx(expected, rel=1e-14)


def test_an_over_training_law_has_the_covariance_of_the_additive_law_that_plans():
    form = Overtraining(E=1.84, a=130.0, b=200.0, eta=0.14)
    assert form.covariance_of == Additive.covariance_of
    assert isinstance(form.at(), Additive)
    assert isinstance(form.at(), LossSurface)


@pytest.mark.parametrize("form", BREAKS)
def test_a_broken_power_is_a_trend_whose_budget_for_a_loss_undoes_the_loss(form):
    assert isinstance(form, LossTrend)
    for C in (1e12, 1e18, 1e20, 1e23, 1e30):
        assert form.flop_for_loss(form.loss(C)) == pytest.approx(C, rel=1e-9)
    both = form.flop_for_loss(np.array([form.loss(1e18), form.a, form.loss(1e23)]))
    assert both[0] == pytest.approx(1e18, rel=1e-9)
    assert both[1] == math.inf
    assert both[2] == pytest.approx(1e23, rel=1e-9)


def test_where_a_broken_power_turns_upwards_the_budget_is_the_one_before_the_turn():
    form = BrokenPower(a=1.6, b=300.0, c_0=0.2, c_1=-0.5, d_1=1e21, f_1=1.0)
    bottom = min(form.loss(10**x) for x in np.linspace(18, 24, 6001))
    assert form.flop_for_loss(form.loss(1e19)) == pytest.approx(1e19, rel=1e-9)
    assert form.flop_for_loss(bottom * 0.999) == math.inf
    assert form.flop_for_loss(bottom * 1.0001) < 1e21


def test_a_broken_power_that_only_rises_reaches_no_loss():
    form = BrokenPower(a=1.6, b=300.0, c_0=-0.2, c_1=-0.5, d_1=1e21, f_1=1.0)
    assert form.flop_for_loss(2.0) == math.inf
    assert np.all(form.flop_for_loss(np.array([2.0, 3.0])) == math.inf)


def test_a_broken_power_that_rises_before_its_break_and_falls_after_it():
    form = BrokenPower(a=1.6, b=1e-3, c_0=-0.1, c_1=0.5, d_1=1e20, f_1=1.0)
    assert form.flop_for_loss(form.loss(1e23)) == pytest.approx(1e23, rel=1e-9)
