"""Forms ranked by what they foretell, and the one that is planned with."""

import math
from dataclasses import replace

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.fitting.backtest import back_test
from scaleplan.fitting.form_comparison import ComparedForm, FormComparison, compare_forms
from scaleplan.fitting.forms import FIT_FORMS, find_fit_form
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import runs_of
from scaleplan.fitting.settings import Settings
from scaleplan.laws.additive import Additive
from scaleplan.laws.kaplan_joint_nd import KaplanJointNd

PLAIN = Settings(prior=False)
LAWS = {
    "additive": Additive(E=1.8, A=3000.0, B=60.0, alpha=0.48, beta=0.2),
    "tied": Additive(E=1.8, A=400.0, B=1100.0, alpha=0.34, beta=0.34),
    "kaplan-joint": KaplanJointNd(N_c=6.4e13, D_c=1.8e13, alpha_N=0.076, alpha_D=0.103),
}


def grid(law, noise=0.001, seed=0, budgets=6):
    flop = np.repeat(np.geomspace(1e19, 1e21, budgets), 6)
    params = 0.2 * flop**0.48 * np.tile(np.geomspace(1 / 8, 8, 6), budgets)
    tokens = flop / (6 * params)
    draws = np.random.default_rng(seed).standard_normal(len(flop))
    return runs_of(params, tokens, law.loss(params, tokens) * np.exp(noise * draws))


def form_of(name, error, aicc, fit):
    return ComparedForm(fit=replace(fit, form=find_fit_form(name)), aicc=aicc, error=error, bias=0.0, steps=3)


@pytest.fixture(name="fit", scope="module")
def _fit():
    return fit_form(grid(LAWS["tied"]), find_fit_form("additive"))


@pytest.fixture(name="runs", scope="module")
def _runs():
    return grid(LAWS["tied"], noise=0.004, budgets=5)


@pytest.fixture(name="found", scope="module")
def _found(runs):
    return compare_forms(runs, PLAIN)


@pytest.mark.parametrize("name", LAWS)
def test_the_form_that_made_the_runs_comes_before_those_that_cannot(name):
    found = compare_forms(grid(LAWS[name]), PLAIN)
    ranks = {each.fit.form.name: rank for rank, each in enumerate(found.forms)}
    cannot = {"additive": ("tied", "kaplan-joint"), "tied": ("kaplan-joint",), "kaplan-joint": ("additive", "tied")}
    assert all(ranks[name] < ranks[other] for other in cannot[name] if other in ranks)
    # A tied law is an additive one too: only by a tenth or more does it take the default's place.
    if name != "tied":
        assert found.best == name
    errors = [each.error for each in found.forms]
    assert errors == sorted(errors)
    for each in found.forms:
        if name == each.fit.form.name:
            assert each.error < 0.005


def test_errors_are_weighed_by_how_far_a_step_reaches_over_the_steps_in_common(runs, found):
    own = {
        each.fit.form.name: back_test(runs, lambda some, form=each.fit.form: fit_form(some, form))
        for each in found.forms
    }
    common = set.intersection(*({split.budgets for split in tested.splits} for tested in own.values()))
    for each in found.forms:
        shared = [split for split in own[each.fit.form.name].splits if split.budgets in common]
        weights = np.log([split.reach for split in shared])
        assert each.steps == len(common) >= 2
        assert each.error == pytest.approx(np.average([split.error for split in shared], weights=weights), rel=1e-9)
        assert each.bias == pytest.approx(np.average([split.bias for split in shared], weights=weights), rel=1e-9)


def test_akaikes_criterion_by_hand(runs, found):
    delta = fit_form(runs, find_fit_form("additive")).delta
    for each in found.forms:
        size = np.abs(each.fit.residuals)
        rho = np.where(size <= delta, size**2 / 2, delta * (size - delta / 2))
        n, k = 30, len(each.fit.form.parameters) + 1  # the noise is a parameter too
        expected = n * math.log(2 * rho.sum() / n) + 2 * k + 2 * k * (k + 1) / (n - k - 1)
        assert each.aicc == pytest.approx(expected, rel=1e-12)


def test_with_too_few_budgets_the_criterion_ranks():
    found = compare_forms(grid(LAWS["tied"], budgets=3), PLAIN)
    assert [each.error for each in found.forms] == [None] * len(found.forms)
    values = [each.aicc for each in found.forms]
    assert values == sorted(values)
    assert found.forms[0].fit.form.name in {"tied", "additive"}


@pytest.mark.parametrize(
    ("tied", "additive", "best"),
    [
        ((0.0089, -1e3), (0.01, -1.0), "tied"),
        ((0.0091, -1e3), (0.01, -1.0), "additive"),
        ((None, -111.0), (None, -100.0), "tied"),
        ((None, -109.0), (None, -100.0), "additive"),
        ((0.02, -1e3), (0.01, -1.0), "additive"),
    ],
)
def test_the_default_form_stays_unless_another_is_clearly_better(fit, tied, additive, best):
    forms = [form_of("tied", *tied, fit), form_of("additive", *additive, fit)]
    forms.sort(key=lambda each: each.aicc if each.error is None else each.error)
    assert FormComparison(forms=tuple(forms), left_out={}).best == best


def test_a_law_of_compute_alone_never_plans_however_well_it_foretells(fit):
    forms = (form_of("compute-only", 1e-6, -1e6, fit), form_of("additive", 0.01, -1.0, fit))
    assert FormComparison(forms=forms, left_out={}).best == "additive"


def test_without_the_default_the_first_surface_plans(fit):
    forms = (form_of("one-break", 0.001, -9.0, fit), form_of("kaplan-joint", 0.01, -1.0, fit))
    assert FormComparison(forms=forms, left_out={}).best == "kaplan-joint"


def test_what_is_left_out_has_its_reason(found):
    assert set(found.left_out) | {each.fit.form.name for each in found.forms} == {form.name for form in FIT_FORMS}
    assert "the same surface as tied" in found.left_out["over-training"]
    assert "unique_tokens" in found.left_out["repetition"]


def test_forms_with_more_parameters_than_runs_are_left_out_and_those_with_fewer_are_not():
    runs = grid(LAWS["tied"]).subset(np.array([0, 7, 14, 21, 28]))  # five runs
    found = compare_forms(runs, PLAIN)
    assert "at least 6 are needed" in found.left_out["additive"]
    assert "compute-only" in {each.fit.form.name for each in found.forms}


def test_a_fit_that_plans_nothing_is_left_out():
    runs = grid(LAWS["tied"], noise=0)
    with pytest.raises(UsageError, match="no form can be fitted: its fit ended at_bound"):
        compare_forms(replace(runs, loss=1 + 0.05 * np.log(runs.train_flop)), PLAIN)


def test_too_few_runs_for_any_form_are_refused():
    with pytest.raises(UsageError, match="no form can be fitted"):
        compare_forms(grid(LAWS["tied"]).subset(np.arange(3)), PLAIN)


def test_repeated_data_bring_the_repetition_form_in():
    runs = grid(LAWS["tied"], budgets=4)
    epochs = np.tile([1.0, 2.0, 4.0, 8.0], 6)
    found = compare_forms(replace(runs, unique_tokens=runs.tokens / epochs), PLAIN)
    assert "repetition" in {each.fit.form.name for each in found.forms}
    once = compare_forms(replace(runs, unique_tokens=runs.tokens), PLAIN)
    assert "no run repeats its data" in once.left_out["repetition"]


def test_the_forms_are_fitted_as_the_settings_say():
    runs = grid(LAWS["tied"], noise=0.004, budgets=3)
    forecast = {each.fit.form.name: each.fit for each in compare_forms(runs, Settings()).forms}
    assert forecast["additive"].prior
    assert not forecast["kaplan-joint"].prior
    least = {each.fit.form.name: each.fit for each in compare_forms(runs, Settings(objective=Objective.MSE)).forms}
    assert {fit.objective for fit in least.values()} == {Objective.MSE}
