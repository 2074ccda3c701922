"""The covariance that ships is the one the 240 digitised runs give (docs/decisions/0003). Needs the measured runs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import least_squares

from scaleplan import load_law
from scaleplan.laws.additive import Additive
from tests.derivations.besiroglu_covariance import covariance, jacobian, read_runs, residuals, theta_of

HUBER_DELTA = 1e-3  # Hoffmann et al. 2022, app. D.2


@pytest.fixture(scope="module")
def runs():
    folder = os.environ.get("SCALEPLAN_DATA")
    if not folder:
        pytest.skip("SCALEPLAN_DATA is not set: the measured runs are not here")
    return read_runs(Path(folder))


def test_the_preset_holds_the_derived_covariance(runs):
    law = load_law("besiroglu-2024")
    matrix, sd, dof = covariance(law.surface, runs)
    assert law.uncertainty.dof == dof == 235
    assert law.uncertainty.residual_sd == pytest.approx(sd, rel=1e-9)
    assert np.array(law.uncertainty.covariance) == pytest.approx(matrix, rel=1e-6, abs=1e-9)


def test_refitting_moves_the_optimum_by_less_than_a_fifth_of_its_standard_error(runs):
    law = load_law("besiroglu-2024")
    fit = least_squares(
        residuals, theta_of(law.surface), jac=jacobian, args=(runs,), loss="huber", f_scale=HUBER_DELTA,
        x_scale="jac", xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=5000,
    )  # fmt: skip
    a, b, e, alpha, beta = fit.x
    refitted = Additive(E=float(np.exp(e)), A=float(np.exp(a)), B=float(np.exp(b)), alpha=alpha, beta=beta)
    objective = 2 * fit.cost / 2
    assert objective == pytest.approx(1.01827401781e-3, rel=1e-6), "the optimum that others reach too"
    for flop in (1e21, 1e24):
        shipped = law.surface.optimum(flop)
        moved = abs(np.log(refitted.optimum(flop).params / shipped.params))
        sensitivity = law.surface.log_params_sensitivity(shipped.params, shipped.tokens)
        assert moved < 0.2 * law.uncertainty.variance(sensitivity) ** 0.5
        # D* = C / (6 N*): ln D* moves as much, against the same standard error.
        assert abs(np.log(refitted.optimum(flop).tokens / shipped.tokens)) == pytest.approx(moved, rel=1e-9)


def test_with_its_widening_the_covariance_agrees_with_the_published_bootstrap(runs):  # noqa: ARG001 - same data
    """kappa times our standard errors against Besiroglu et al.'s bootstrap: E 0.026, alpha 0.015, beta 0.021."""
    law = load_law("besiroglu-2024")
    names, kappa = law.uncertainty.parameters, law.uncertainty.kappa
    error = {name: kappa * law.uncertainty.covariance[i][i] ** 0.5 for i, name in enumerate(names)}
    assert law.surface.E * error["ln_E"] == pytest.approx(0.0257, rel=0.35)
    assert error["alpha"] == pytest.approx(0.0154, rel=0.35)
    assert error["beta"] == pytest.approx(0.0206, rel=0.35)
