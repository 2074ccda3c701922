"""The forms that can be fitted: they find the law that made the runs, stay sound on poor runs, and give law files."""

import csv
import math
import os
from pathlib import Path

import numpy as np
import pytest

from scaleplan.errors import UsageError
from scaleplan.fitting.exponential_sum import ExponentialSum
from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import FIT_FORMS, find_fit_form
from scaleplan.fitting.newton import minimise
from scaleplan.fitting.objective import Objective, Penalty
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import runs_of

TRUTH = {
    "additive": [6.2, 7.6, 0.6, 0.35, 0.37],
    "tied": [6.2, 7.6, 0.6, 0.36],
    "kaplan-joint": [30.0, 31.0, 0.094, 0.116],
    "compute-only": [6.0, 0.5, 0.15],
    "repetition": [6.2, 7.4, 0.6, 0.35, 0.37, 2.7, 1.6],
    "over-training": [5.1, 5.7, 0.6, 0.27],
    "one-break": [0.4, 5.5, 0.12, 0.15, 45.0, -0.3],
}
NAMES = list(TRUTH)
GENERAL = ["kaplan-joint", "repetition", "one-break"]
DATA = os.environ.get("SCALEPLAN_DATA")
needs_data = pytest.mark.skipif(DATA is None, reason="SCALEPLAN_DATA is not set: the measured runs are not here")


def loss_of(name, N, D, U):
    form = find_fit_form(name).law_form(TRUTH[name])
    if name == "repetition":
        return form.loss(N, D, U)
    if name == "over-training":
        return form.loss(6 * N * D, D / N)
    return form.loss(6 * N * D) if find_fit_form(name).compute_only else form.loss(N, D)


def made(name, n=80, noise=0.0, seed=0, repeated=True):
    rng = np.random.default_rng(seed)
    N = np.exp(rng.uniform(math.log(2e7), math.log(5e9), n))
    D = np.exp(rng.uniform(math.log(5e8), math.log(2e11), n))
    U = D / rng.choice([1.0, 2.0, 6.0, 20.0, 60.0], n) if repeated else D
    loss = loss_of(name, N, D, U) * np.exp(noise * rng.normal(size=n))
    return runs_of(N, D, loss, unique_tokens=U)


def test_every_form_has_a_truth_here():
    assert [form.name for form in FIT_FORMS] == NAMES


@pytest.mark.parametrize("objective", list(Objective))
@pytest.mark.parametrize("name", NAMES)
def test_a_form_finds_the_law_that_made_the_runs(name, objective):
    fit = fit_form(made(name), find_fit_form(name), objective=objective)
    np.testing.assert_allclose(fit.theta, TRUTH[name], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("objective", list(Objective))
@pytest.mark.parametrize("name", GENERAL)
def test_scattered_runs_are_fitted_at_least_as_well_as_by_the_truth(name, objective, seed):
    runs = made(name, noise=0.005, seed=seed)
    fit = fit_form(runs, find_fit_form(name), objective=objective)
    assert fit.status == "converged"
    model = find_fit_form(name).bind(runs)
    there = np.linalg.solve(model.to_natural, np.array([fit.theta, TRUTH[name]]).T).T
    value = model.local(there, np.ones((1, len(runs))), fit.delta, None).value
    assert value[0] <= value[1]


@pytest.mark.parametrize("seed", range(5))
def test_without_repeats_their_decay_stays_where_it_is_usually(seed):
    """Nothing in these runs speaks of R_D*; without the steadying it would run away."""
    runs = made("repetition", noise=0.005, seed=seed, repeated=False)
    fit = fit_form(runs, find_fit_form("repetition"))
    assert fit.status == "converged"
    decay = dict(zip(fit.form.parameters, fit.theta.tolist(), strict=True))
    assert decay["ln_R_D_star"] == pytest.approx(math.log(15.39), abs=1e-3)
    assert abs(decay["ln_R_N_star"] - math.log(5.31)) < 4.5


def test_a_forecast_by_the_repetition_form_has_priors_and_steadying():
    runs = made("repetition", noise=0.005)
    fit = fit_forecast(runs, find_fit_form("repetition"))
    assert fit.status == "converged"
    np.testing.assert_allclose(fit.theta[3:5], TRUTH["repetition"][3:5], atol=0.05)
    assert abs(fit.theta[5] - TRUTH["repetition"][5]) < 1


@pytest.mark.parametrize("seed", range(5))
def test_runs_without_a_break_show_none(seed):
    """Of a plain power of compute with a floor: the change of slope stays small and the break among the runs."""
    runs = made("compute-only", n=40, noise=0.005, seed=seed)
    fit = fit_form(runs, find_fit_form("one-break"))
    assert fit.status == "converged"
    found = dict(zip(fit.form.parameters, fit.theta.tolist(), strict=True))
    flop = np.log(runs.train_flop)
    assert abs(found["c_1"]) < 0.4
    assert abs(found["ln_f_1"]) < 4
    assert flop.min() - 2 < found["ln_d_1"] < flop.max() + 2


@pytest.mark.parametrize("name", GENERAL)
def test_many_rows_cost_no_more_starts(name):
    fit = fit_form(made(name, n=6000, noise=0.01), find_fit_form(name))
    assert fit.status == "converged"
    assert fit.starts <= 4


def test_a_form_that_needs_unique_tokens_says_so():
    runs = runs_of(np.geomspace(1e7, 1e9, 20), np.geomspace(1e9, 1e11, 20), np.linspace(4, 2, 20), source="own.csv")
    with pytest.raises(UsageError, match=r"own\.csv: the form repetition needs a column unique_tokens"):
        find_fit_form("repetition").bind(runs)


def test_an_unknown_form_is_named_with_its_neighbours():
    with pytest.raises(UsageError, match="Did you mean one-break"):
        find_fit_form("one-brake")


@pytest.mark.parametrize("name", NAMES)
def test_the_covariance_of_a_law_file_is_of_the_constants_that_its_form_names(name):
    """What is fitted, spread to the parameters that bands of the law's form are by."""
    form = find_fit_form(name)
    law_form = form.law_form(TRUTH[name])
    spread = form.surface_jacobian()
    if name == "repetition":
        # Its additive part plans: the first five.
        assert form.parameters[:5] == find_fit_form("additive").law_form(TRUTH["additive"]).covariance_of
        return
    assert spread.shape == (len(law_form.covariance_of), len(form.parameters))
    if not form.spread:
        assert form.parameters == law_form.covariance_of


@pytest.mark.parametrize("name", NAMES)
def test_steadying_names_parameters_of_the_form_and_gives_a_reason(name):
    form, runs = find_fit_form(name), made(name)
    for steady in form.steadying(runs):
        assert steady.name in form.parameters
        assert steady.sd > 0
        assert len(steady.reason) > 20
    assert bool(form.steadying(runs)) == (name in GENERAL)


def read(file, **where):
    with (Path(str(DATA)) / file).open() as lines:
        return [row for row in csv.DictReader(lines) if all(row[key] == value for key, value in where.items())]


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


def gadre():
    """Redpajama runs with the C4 loss: the five that Gadre et al. fit, and the two that they predict (sec. 4)."""
    rows = read("gadre_loss.csv", train_data="rpj", val_data="c4_val")
    chosen = {("d=96", 1), ("d=512", 1), ("d=576", 1), ("d=1024", 1), ("d=96", 16)}
    small = [row for row in rows if (row["arch"].split("_")[0], float(row["chinchilla_mult"])) in chosen]
    large = [
        row
        for row in rows
        if row["arch"] == "open_lm_7b" or (row["arch"], row["token_per_param"]) == ("open_lm_1b", "640")
    ]
    return small, large


def gadre_errors(weight):
    small, large = gadre()
    assert (len(small), len(large)) == (5, 2)
    runs = runs_of(
        *(column(small, name) for name in ("params", "tokens", "loss")), weight=weight(column(small, "loss"))
    )
    fit = fit_form(runs, find_fit_form("over-training"), objective=Objective.MSE)
    predicted = fit.law_form.at().loss(column(large, "params"), column(large, "tokens"))
    return 100 * np.abs(predicted / column(large, "loss") - 1)


@needs_data
def test_gadres_published_errors_of_over_trained_runs_come_of_least_squares_on_the_loss():
    """0.7103 % at 1.4B with 640 tokens a parameter, 0.7320 % at 6.9B with 20 (github.com/mlfoundations/scaling).

    That fit is least squares of L; least squares of ln L with weights L^2 is the same to first order in the residuals,
    which reach 1 % here.
    """
    np.testing.assert_allclose(gadre_errors(lambda loss: loss**2), [0.7103, 0.7320], atol=0.005)


@needs_data
def test_gadres_runs_by_least_squares_of_the_logarithm():
    """Five runs for four parameters: the objective moves the forecast from 0.7 to 1.1 %."""
    np.testing.assert_allclose(gadre_errors(np.ones_like), [1.049, 1.104], atol=0.002)


def datablations(most_loss=4.0, most_epochs=60.0):
    rows = read("datablations_final.csv")
    kept = [row for row in rows if float(row["loss"]) < most_loss and float(row["epochs"]) <= most_epochs]
    names = ("params", "tokens", "loss")
    return runs_of(*(column(kept, name) for name in names), unique_tokens=column(kept, "unique_tokens"))


def muennighoff():
    """Their constants, in full digits (utils/parametric_fit.ipynb of github.com/huggingface/datablations)."""
    return [6.255414, 7.3049974, 0.6254804, 0.3526596, 0.3526596, math.log(15.387756), math.log(5.309743)]


def quality(runs, loss):
    """Mean absolute error in per cent, and the share of the variance of the loss explained."""
    left = np.sum((loss - runs.loss) ** 2) / np.sum((runs.loss - runs.loss.mean()) ** 2)
    return 100 * float(np.mean(np.abs(loss / runs.loss - 1))), 1 - float(left)


@needs_data
def test_muennighoffs_law_on_their_runs_and_without_its_decay():
    runs = datablations()
    assert len(runs) == 187
    law = find_fit_form("repetition").law_form(muennighoff())
    error, explained = quality(runs, law.loss(runs.params, runs.tokens, runs.unique_tokens))
    assert (error, explained) == (pytest.approx(8.7, abs=0.05), pytest.approx(0.62, abs=0.005))
    base = find_fit_form("additive").law_form(muennighoff()[:5])
    error, explained = quality(runs, base.loss(runs.params, runs.tokens))
    assert (error, explained) == (pytest.approx(12.9, abs=0.05), pytest.approx(0.06, abs=0.01))


@needs_data
def test_the_joint_fit_to_their_runs_is_four_times_as_near_as_the_published_law():
    """Their base law is of 54 points digitised from another paper's figure, so its own constants are not in these runs.

    Fitted jointly R_D* is about theirs (15.4) and R_N* is not (5.3): below 1, whatever the objective; the floor and the
    exponents are held by their priors alone.
    """
    runs = datablations()
    for objective in Objective:
        fit = fit_form(runs, find_fit_form("repetition"), objective=objective)
        assert fit.status == "converged"
        error, explained = quality(runs, runs.loss * np.exp(fit.residuals))
        assert error < 2.5
        assert explained > 0.9
        found = dict(zip(fit.form.parameters, np.exp(fit.theta).tolist(), strict=True))
        assert 8 < found["ln_R_D_star"] < 30
        assert found["ln_R_N_star"] < 1.5


@needs_data
def test_single_epoch_runs_alone_give_another_base_law():
    """An additive law of the 41 runs of one epoch: alpha 0.339, beta 0.387, errors of 2.3 %."""
    rows = [row for row in read("datablations_final.csv") if float(row["epochs"]) == 1]
    assert len(rows) == 41
    runs = runs_of(*(column(rows, name) for name in ("params", "tokens", "loss")))
    fit = fit_form(runs, find_fit_form("additive"), objective=Objective.HOFFMANN)
    np.testing.assert_allclose(fit.theta[3:], [0.339, 0.387], atol=6e-4)
    assert quality(runs, runs.loss * np.exp(fit.residuals))[0] == pytest.approx(2.3, abs=0.05)


@needs_data
def test_decay_fitted_to_their_base_law_is_not_where_they_stopped():
    """Two steps as published: the base law held, R_D* and R_N* fitted by Huber 1e-3. The minimum has no excess at all.

    Held by a penalty of a million: the objective there is a fifth below that of the published constants.
    """
    runs = datablations()
    form = find_fit_form("repetition")
    model = form.bind(runs)
    held = np.linalg.solve(model.to_natural, muennighoff())
    inverse = np.linalg.inv(model.to_natural)
    natural = np.diag([1e6] * 5 + [0.0] * 2)
    penalty = Penalty(held, inverse.T @ natural @ inverse)
    weight = np.ones((1, len(runs)))
    found = minimise(lambda at, _: model.local(at, weight, 1e-3, penalty), held[None, :])
    theta = model.to_natural @ found.theta[0]
    np.testing.assert_allclose(theta[:5], muennighoff()[:5], atol=1e-3)
    at = model.local(np.stack([found.theta[0], held]), weight, 1e-3, None).value
    assert at[0] < 0.85 * at[1]
    assert theta[6] < 0


def test_sums_of_powers_have_their_own_model():
    assert isinstance(find_fit_form("additive").bind(made("additive")), ExponentialSum)
