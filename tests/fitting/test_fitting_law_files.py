"""A fitted law of any form is a law file that plans and predicts with bands: its constants, covariance and roles."""

import math

import numpy as np
import pytest
import yaml

from scaleplan.compute.accounting import Accounting
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.point import fit_form
from scaleplan.planning.allocation import allocate
from scaleplan.planning.prediction import predict
from scaleplan.planning.problem import Problem
from scaleplan.specs.laws import load_law
from tests.fitting.test_fitting_forms import made

SURFACES = ["additive", "tied", "kaplan-joint", "over-training", "repetition"]
TRENDS = ["compute-only", "one-break"]


def group(form):
    units = dict(getattr(type(form), "units", ()))
    constants = {key: {"value": float(x), "unit": units.get(key, "nats/token")} for key, x in form._asdict().items()}
    name = "".join(f"-{c.lower()}" if c.isupper() else c for c in type(form).__name__).lstrip("-")
    return {"form": name, "source": "own runs", "constants": constants}


def uncertainty(parameters, covariance, sd):
    rows = [[float(x) for x in row] for row in (covariance + covariance.T) / 2]
    return {"parameters": list(parameters), "covariance": rows, "residual_sd": sd, "dof": 60, "source": "own"}


def ends(values):
    return [float(values.min()), float(values.max())]


def document(runs, **rest):
    return {
        "schema": "scaleplan.law/1", "id": "own", "title": "Own", "year": 2026, "authors": "us", "paper": "own runs",
        "kind": "loss",
        "counts": {"params": "total", "flop": "6ND", "tokens": "training tokens",
                   "loss": {"unit": "nats/token", "corpus": "ours", "tokenizer": "ours"}},
        "fitted": {"params": ends(runs.params), "tokens": ends(runs.tokens), "train_flop": ends(runs.train_flop),
                   "source": "own runs"},
        **rest,
    }  # fmt: skip


def law_of(tmp_path, data):
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(data))
    return load_law(str(path))


def fitted(name):
    runs = made(name, noise=0.003)
    return runs, fit_form(runs, find_fit_form(name))


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_plans_with_bands(tmp_path, name):
    """Of the repetition form the additive part plans, by its part of the covariance; the whole law stands beside it."""
    runs, fit = fitted(name)
    spread = fit.form.surface_jacobian()
    covariance = spread @ fit.covariance @ spread.T
    groups, surface = {"fit": group(fit.law_form)}, fit.law_form
    if name == "repetition":
        surface = find_fit_form("additive").law_form(fit.theta.tolist()[:5])
        groups, covariance = {"fit": group(surface), "repeated": group(fit.law_form)}, covariance[:5, :5]
    block = uncertainty(type(surface).covariance_of, covariance, fit.sd)
    law = law_of(tmp_path, document(runs, groups=groups, default={"surface": "fit"}, uncertainty=block))
    plan = allocate(law, Problem(train_flop=1e21))
    assert plan.params_low < plan.params < plan.params_high
    assert plan.loss_low < plan.loss < plan.loss_high
    prediction = predict(law, 1e9, 2e10, level=0.95, accounting=Accounting())
    assert prediction.loss == pytest.approx(fit_loss(fit, 1e9, 2e10), rel=1e-12)
    # In the middle of 80 runs that scatter by 0.3 % the band is about twice 1.7 times as wide.
    assert 0.005 < math.log(prediction.loss_high / prediction.loss) < 0.03
    target = allocate(law, Problem(loss=plan.loss))
    assert target.train_flop == pytest.approx(1e21, rel=1e-6)
    assert target.train_flop_low < 1e21 < target.train_flop_high


def fit_loss(fit, N, D):
    form = fit.law_form
    if fit.form.name == "repetition":
        return form.loss(N, D, D) if form.matched_params(D) >= N else find_fit_form("additive").law_form(
            fit.theta.tolist()[:5]
        ).loss(N, D)  # fmt: skip
    return form.at().loss(N, D) if hasattr(form, "at") else form.loss(N, D)


@pytest.mark.parametrize("name", TRENDS)
def test_a_trend_plans_along_the_runs_own_sizes_and_predicts_by_compute(tmp_path, name):
    runs, fit = fitted(name)
    x, y = np.log(runs.train_flop), np.log(runs.params)
    (a, ln_k), covariance = np.polyfit(x, y, 1, cov="unscaled")
    sd = float(np.std(y - a * x - ln_k, ddof=2))
    constants = {
        "k": {"value": math.exp(ln_k), "unit": "parameters/FLOP^a"},
        "a": {"value": float(a), "unit": "1"},
    }
    split = {"form": "power-rule", "source": "own runs", "constants": constants}
    data = document(
        runs,
        groups={"ladder": split, "fit": group(fit.law_form)},
        default={"allocation": "ladder", "trend": "fit"},
        uncertainty=uncertainty(type(fit.law_form).covariance_of, fit.covariance, fit.sd),
        allocation_uncertainty=uncertainty(("ln_k", "a"), sd**2 * covariance[::-1, ::-1], sd),
    )
    law = law_of(tmp_path, data)
    plan = allocate(law, Problem(train_flop=1e20))
    assert plan.params == pytest.approx(math.exp(ln_k + a * math.log(1e20)), rel=1e-9)
    assert plan.params_low < plan.params < plan.params_high
    assert plan.loss == pytest.approx(fit.law_form.loss(1e20), rel=1e-12)
    assert plan.loss_low < plan.loss < plan.loss_high
    target = allocate(law, Problem(loss=plan.loss))
    assert target.train_flop == pytest.approx(1e20, rel=1e-6)
    assert target.train_flop_low < 1e20 < target.train_flop_high
    prediction = predict(law, 1e9, 2e10, level=0.95, accounting=Accounting())
    assert prediction.loss == pytest.approx(fit.law_form.loss(1.2e20), rel=1e-12)
    assert 0.005 < math.log(prediction.loss_high / prediction.loss) < 0.03
    assert "compute_only" in [notice.code for notice in prediction.warnings]
