"""What approaches that disagree add to the covariance."""

import math

import numpy as np
import pytest

from scaleplan.fitting.disagreement import widened
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.point import fit_form
from scaleplan.laws.additive import Additive
from scaleplan.laws.power_rule import PowerRule
from tests.fitting.test_fitting_forms import made

KAPPA = 1.3
FORMS = ["additive", "tied", "over-training", "kaplan-joint", "repetition"]


def fitted(name):
    return fit_form(made(name, noise=0.003), find_fit_form(name))


def planned(form):
    """The surface that plans: of repeated data the part at a single epoch, of over-training its own."""
    if hasattr(form, "R_D_star"):
        return Additive(form.E, form.A, form.B, form.alpha, form.beta)
    return form.at() if hasattr(form, "at") else form


def surface_of(fit):
    return planned(fit.law_form)


def rule_at(fit, off):
    """A rule that gives ``off`` times the fit's best size at its dearest run."""
    dearest = float(fit.runs.train_flop.max())
    return PowerRule(k=float(surface_of(fit).optimum(dearest).params) * off / dearest**0.5, a=0.5)


def ln_best_size(fit, theta):
    """ln N* at the dearest run by the natural parameters, without the code's sensitivities."""
    form = planned(fit.form.law_form(list(theta)))
    return math.log(form.optimum(float(fit.runs.train_flop.max())).params)


def slope(fit):
    """d ln N* / d theta by central differences."""
    steps = 1e-5 * np.eye(len(fit.theta))
    return np.array([(ln_best_size(fit, fit.theta + h) - ln_best_size(fit, fit.theta - h)) / 2e-5 for h in steps])


@pytest.mark.parametrize("name", FORMS)
def test_the_variance_of_the_best_size_grows_by_just_the_spread(name):
    fit = fitted(name)
    rules = [rule_at(fit, 1.5), rule_at(fit, 0.9)]
    spread = np.std(np.log([1.0, 1.5, 0.9]), ddof=1)
    out, notices = widened(fit, fit.covariance, KAPPA, rules)
    g = slope(fit)
    assert g @ out @ g == pytest.approx(g @ fit.covariance @ g + (spread / KAPPA) ** 2, rel=1e-5)
    np.testing.assert_allclose(out, out.T, rtol=1e-12)
    scale = np.sqrt(np.diag(out))
    assert np.linalg.eigvalsh(out / np.outer(scale, scale)).min() > -1e-10
    assert [notice.code for notice in notices] == ["approaches_disagree"]
    assert "67 % apart" in notices[0].message


def test_what_the_fit_knows_besides_stays_as_it_is():
    """A combination of parameters that is independent of ln N* by the covariance keeps its variance."""
    fit = fitted("additive")
    out, _ = widened(fit, fit.covariance, KAPPA, [rule_at(fit, 2.0)])
    g, S = slope(fit), fit.covariance
    other = np.array([0.2, -0.3, 1.0, 0.1, -2.0])
    other -= g * (other @ S @ g) / (g @ S @ g)
    assert other @ out @ other == pytest.approx(other @ S @ other, rel=1e-6)


@pytest.mark.parametrize(("off", "said"), [(1.13, False), (1.17, True), (0.87, False), (0.85, True)])
def test_a_notice_comes_where_the_sizes_scatter_by_a_tenth(off, said):
    # The standard deviation of two values is |ln off| / sqrt(2): a tenth at a factor of 1.152 or 0.868.
    fit = fitted("additive")
    out, notices = widened(fit, fit.covariance, 1.0, [rule_at(fit, off)])
    assert bool(notices) == said
    assert not np.array_equal(out, fit.covariance)


def test_agreement_adds_nothing():
    fit = fitted("additive")
    out, notices = widened(fit, fit.covariance, 1.0, [rule_at(fit, 1.0)])
    np.testing.assert_allclose(out, fit.covariance, rtol=1e-9)
    assert notices == ()


@pytest.mark.parametrize("name", ["compute-only", "one-break"])
def test_a_law_of_compute_alone_has_no_best_size_to_disagree_on(name):
    fit = fitted(name)
    out, notices = widened(fit, fit.covariance, 1.0, [PowerRule(k=1.0, a=0.5)])
    assert out is fit.covariance
    assert notices == ()
