"""A fitted law written as a file: read back bit for bit, named after its file, and whole or not there at all."""

import hashlib
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

import scaleplan
from scaleplan.compute.accounting import Accounting
from scaleplan.errors import ConvergenceError, InputFileError, UsageError
from scaleplan.fitting.fitted_law import fit_law
from scaleplan.fitting.forms import FIT_FORMS
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.runs import runs_of
from scaleplan.fitting.settings import Settings
from scaleplan.laws.student import two_sided_quantile
from scaleplan.planning.prediction import predict
from scaleplan.specs.law_writing import law_document, law_id_of, law_text, read_back
from scaleplan.specs.laws import load_law
from scaleplan.specs.run_tables import TableOfRuns
from tests.fitting.test_fitting_fitted_law import curves, grid
from tests.fitting.test_fitting_forms import made

RUNS = Path(__file__).resolve().parents[2] / "configs" / "runs" / "isoflop-grid.csv"
TINY = float(np.finfo(float).tiny)


def written(fitted, runs, columns=None, where=()):
    table = TableOfRuns(runs=runs, notices=(), rows_read=len(runs) + 2)
    document = law_document("own", fitted, table, columns or {}, list(where))
    return document, *read_back(law_text(document, "own.yaml"), "own.yaml")


@pytest.mark.parametrize("form", FIT_FORMS, ids=lambda form: form.name)
def test_the_constants_and_the_covariance_come_back_bit_for_bit(form):
    runs = made(form.name, noise=0.003)
    fitted = fit_law(runs, Settings(form=form.name, prior=False))
    _, data, law = written(fitted, runs)
    name = "repeated" if form.needs_unique_tokens else "fit"
    constants = {key: each["value"] for key, each in data["groups"][name]["constants"].items()}
    assert constants == {key: float(value) for key, value in fitted.fit.law_form._asdict().items()}
    assert data["groups"][name]["form"] == form.law_form_name
    spread = form.surface_jacobian()
    np.testing.assert_allclose(law.uncertainty.covariance, spread @ fitted.covariance @ spread.T, rtol=1e-9, atol=1e-30)
    assert law.uncertainty.parameters == form.covariance_names
    assert (law.surface is None) == form.compute_only
    assert (law.trend is not None) == form.compute_only
    held = law.uncertainty
    assert (held.kappa, held.tau, held.drift, held.starvation, held.size_misfit) == tuple(fitted.allowances[:5])
    assert (held.residual_sd, held.dof) == (fitted.fit.sd, fitted.fit.dof)
    assert data["uncertainty"]["source"] == f"delta; {fitted.allowances.source}"


@pytest.mark.parametrize("prior", [True, False])
@pytest.mark.parametrize("level", [0.5, 0.95])
def test_bands_are_those_of_the_fits_covariance(prior, level):
    runs = grid()
    fitted = fit_law(runs, Settings(prior=prior))
    _, _, law = written(fitted, runs)
    fit, allowed = fitted.fit, fitted.allowances
    dearest = float(runs.train_flop.max())
    for params, tokens in ((1e9, 2e10), (7e9, 1.4e11), (7e10, 1.4e12), (5e9, 5e9)):
        shown = predict(law, params, tokens, level=level, accounting=Accounting(flop=law.counts_flop))
        u, w = fit.law_form.A * params**-fit.law_form.alpha, fit.law_form.B * tokens**-fit.law_form.beta
        loss = fit.law_form.E + u + w
        g = np.array([u, w, fit.law_form.E, -u * math.log(params), -w * math.log(tokens)]) / loss
        decades = max(0.0, math.log10(6 * params * tokens / dearest))
        starved = max(0.0, math.log10(5 * params / tokens))
        half = two_sided_quantile(level, fit.dof) * math.sqrt(
            allowed.kappa**2 * (g @ fit.covariance @ g + fit.sd**2)
            + (allowed.tau * decades) ** 2
            + (allowed.starvation * starved) ** 2
        )
        assert shown.loss == pytest.approx(loss, rel=1e-13)
        assert math.log(shown.loss_high / loss) == pytest.approx(half, rel=1e-8)
        assert math.log(shown.loss_low / loss) == pytest.approx(-half, rel=1e-8)


def test_the_file_says_what_was_counted_and_where():
    runs = grid()
    document, data, law = written(fit_law(runs, Settings()), runs)
    assert data["counts"]["params"] == "total"
    assert data["counts"]["flop"] == "6ND"
    assert law.fitted.train_flop == (runs.train_flop.min(), runs.train_flop.max())
    assert law.fitted.params == (runs.params.min(), runs.params.max())
    assert law.fitted.tokens == (runs.tokens.min(), runs.tokens.max())
    ratio = runs.tokens / runs.params
    assert law.fitted.tokens_per_param == (ratio.min(), ratio.max())
    assert data["fitted"]["source"] == "runs: 36 runs"
    assert document["default"] == {"surface": "fit"}


def test_intervals_stand_beside_their_constants_with_their_level():
    runs = grid()
    fitted = fit_law(runs, Settings(level=0.8))
    _, data, _ = written(fitted, runs)
    for each in fitted.constants:
        entry = data["groups"]["fit"]["constants"][each.symbol]
        assert entry["interval"] == {"low": each.low, "high": each.high, "level": 0.8}


def test_a_constant_without_an_end_has_no_interval():
    runs = grid()
    fitted = fit_law(runs, Settings())
    constants = tuple(each._replace(low=None) if each.symbol == "E" else each for each in fitted.constants)
    _, data, _ = written(replace(fitted, constants=constants), runs)
    assert "interval" not in data["groups"]["fit"]["constants"]["E"]
    assert "interval" in data["groups"]["fit"]["constants"]["A"]


def test_the_recipe_of_a_forecast():
    runs = grid()
    fitted = fit_law(runs, Settings(seed=3))
    _, data, _ = written(fitted, runs, {"loss": "val_loss"}, ["flops < 1e21", "params > 1e7"])
    recipe = data["recipe"]
    digest = hashlib.sha256()
    for column in (runs.params, runs.tokens, runs.loss, np.ones(36), np.arange(36.0)):
        digest.update(column.astype("<f8").tobytes())
    assert recipe["runs"] == {
        "source": "runs",
        "rows_read": 38,
        "rows": 36,
        "runs": 36,
        "columns": {"loss": "val_loss"},
        "where": ["flops < 1e21", "params > 1e7"],
        "checkpoints": "one row a run",
        "digest": f"sha256:{digest.hexdigest()}",
    }
    assert (recipe["method"], recipe["form"], recipe["objective"]) == ("parametric", "additive", "huber")
    assert recipe["delta"] == fitted.fit.delta
    assert recipe["value"] == fitted.fit.value
    assert (recipe["covariance"], recipe["resamples"], recipe["seed"]) == ("delta", 0, 3)
    assert recipe["weights"].startswith("equal, times (L_min/L)^12")
    assert recipe["priors"] == {each.quantity: {"mean": each.value, "sd": each.sd} for each in fitted.fit.prior}
    assert recipe["validation"] == [split.summary() for split in fitted.back_test.splits]
    assert recipe["search"]["status"] == "converged"
    assert recipe["steadying"] == {}


def test_the_recipe_of_other_fits():
    runs = replace(grid(), weight=np.linspace(1, 2, 36))
    least = written(fit_law(runs, Settings(objective=Objective.MSE, bootstrap=60)), runs)[1]["recipe"]
    assert "delta" not in least
    assert least["priors"] == {}
    assert (least["covariance"], least["resamples"], least["weights"]) == ("bootstrap", 60, "column weight")
    form = next(form for form in FIT_FORMS if form.name == "kaplan-joint")
    held = written(fit_law(runs, Settings(form="kaplan-joint")), runs)[1]["recipe"]["steadying"]
    assert held == {each.name: {"mean": each.mean, "sd": each.sd} for each in form.steadying(runs)}
    assert held


def test_repeated_data_write_the_law_at_one_epoch_and_the_whole_beside_it():
    runs = made("repetition", noise=0.003)
    fitted = fit_law(runs, Settings(form="repetition"))
    document, data, law = written(fitted, runs)
    assert set(data["groups"]) == {"fit", "repeated"}
    assert data["default"]["surface"] == "fit"
    assert data["groups"]["fit"]["form"] == "additive"
    assert data["groups"]["repeated"]["form"] == "data-constrained"
    whole, single = (
        {key: each["value"] for key, each in data["groups"][name]["constants"].items()} for name in ("repeated", "fit")
    )
    assert single == {key: whole[key] for key in ("E", "A", "B", "alpha", "beta")}
    assert law.surface.loss(1e9, 2e10) == pytest.approx(fitted.fit.law_form.loss(1e9, 2e10, 2e10), rel=0.05)
    np.testing.assert_allclose(law.uncertainty.covariance, fitted.covariance[:5, :5], rtol=1e-9)
    assert "&id" not in law_text(document, "own.yaml")  # plain YAML, without anchors


@pytest.mark.parametrize("method", ["isoflop", "envelope"])
def test_a_rule_is_written_with_its_trend_and_their_covariances(method):
    runs = grid(sizes=7) if method == "isoflop" else curves(noise=0.001)
    fitted = fit_law(runs, Settings(method=method))
    _, data, law = written(fitted, runs)
    rule = fitted.rule
    assert data["default"]["allocation"] == "allocation"
    assert data["default"].get("trend") == ("fit" if rule.trend is not None else None)
    assert "surface" not in data["default"]
    assert (law.allocation.k, law.allocation.a) == (rule.rule.k, rule.rule.a)
    if rule.covariance is not None:
        np.testing.assert_allclose(law.allocation_uncertainty.covariance, rule.covariance, rtol=1e-12)
        assert law.allocation_uncertainty.dof == max(rule.dof, 1)
    assert f"approach {2 if method == 'isoflop' else 1}" in data["groups"]["allocation"]["source"]
    if rule.trend is not None:
        assert law.trend.loss(1e21) == pytest.approx(rule.trend.law_form.loss(1e21), rel=1e-14)
        np.testing.assert_allclose(law.uncertainty.covariance, rule.trend.covariance, rtol=1e-12)
    assert data["recipe"]["method"] == method


def test_of_all_approaches_the_parametric_one_plans_and_the_others_stand_beside_it():
    runs = grid(sizes=7)
    fitted = fit_law(runs, Settings(method="all"))
    _, data, law = written(fitted, runs)
    assert data["default"] == {"surface": "fit", "hyper": [], "at": {}, "refuses": {}}
    assert law.allocation is None
    approach = fitted.approaches[0].found.rule
    constants = data["groups"]["isoflop"]["constants"]
    assert (constants["k"]["value"], constants["a"]["value"]) == (approach.k, approach.a)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("law.yaml", "law"),
        ("LAW.yml", "law"),
        ("My Lab_2.v3.yaml", "my-lab_2.v3"),
        ("ÜBER Größe!.yaml", "ber-gr-e"),
        ("--7--.yaml", "7"),
        (".hidden.yaml", "hidden"),
        ("besiroglu-2024-own.yaml", "besiroglu-2024-own"),
    ],
)
def test_a_law_is_called_by_its_file(tmp_path, file, name):
    assert law_id_of(str(tmp_path / file)) == name


@pytest.mark.parametrize("path", ["", "-", "law", "x.csv", ".."])
def test_a_file_that_no_command_would_take_for_a_law_is_refused(path):
    with pytest.raises(UsageError, match=r"a law file ends in \.yaml"):
        law_id_of(path)


@pytest.mark.parametrize("path", ["---.yaml", "質量.yaml"])
def test_a_file_without_a_name_is_refused(path):
    with pytest.raises(UsageError, match="takes its name from the file's"):
        law_id_of(path)


def test_a_folder_that_is_not_there_is_refused_before_anything_is_fitted():
    with pytest.raises(UsageError, match="no such folder as /no/such"):
        law_id_of("/no/such/law.yaml")


@pytest.mark.parametrize("path", ["besiroglu-2024.yaml", "Besiroglu-2024.yml", "chinchilla.yaml"])
def test_the_name_of_a_shipped_law_is_refused(path):
    with pytest.raises(UsageError, match="is a shipped law's name; choose another"):
        law_id_of(path)


@pytest.mark.parametrize(
    "name", ["plain.yaml", "with space's.yaml", "two\nlines: x.yaml", "bad\udcff.yaml", "größe.x.yml"]
)
def test_odd_file_names_are_written_and_read(tmp_path, name):
    path = tmp_path / name
    scaleplan.fit(str(RUNS), out=path)
    law = load_law(str(path))
    assert law.id == law_id_of(name)
    header, usage, call, schema = path.read_text().splitlines()[:4]
    assert header.startswith("# Fitted by scaleplan")
    assert usage.startswith("#   scaleplan allocate --flops 1e23 --law ") or call.startswith("#   scaleplan allocate")
    assert "schema: scaleplan.law/1" in (call, schema)


def test_nothing_is_written_where_the_law_does_not_validate(tmp_path, monkeypatch):
    out = tmp_path / "law.yaml"
    out.write_text("the old file\n")

    def refuse(_, name):
        raise InputFileError(f"{name}:3: an exponent below zero")

    monkeypatch.setattr("scaleplan.api.fits.read_back", refuse)
    with pytest.raises(ConvergenceError, match=r"plans nothing.*an exponent below zero"):
        scaleplan.fit(str(RUNS), out=out)
    assert out.read_text() == "the old file\n"
    assert [path.name for path in tmp_path.iterdir()] == ["law.yaml"]


def test_constants_that_do_not_plan_do_not_read_back():
    runs = grid()
    document = law_document("own", fit_law(runs, Settings()), TableOfRuns(runs=runs, notices=(), rows_read=36), {}, [])
    document["groups"]["fit"]["constants"]["alpha"]["value"] = -0.3
    with pytest.raises(InputFileError, match=r"own\.yaml:"):
        read_back(law_text(document, "own.yaml"), "own.yaml")


def test_the_text_is_yaml_that_any_reader_takes():
    runs = grid()
    document, data, _ = written(fit_law(runs, Settings()), runs)
    plain = yaml.safe_load(law_text(document, "own.yaml"))
    assert plain["id"] == data["id"] == "own"
    assert plain["recipe"]["runs"]["digest"] == data["recipe"]["runs"]["digest"]


def test_exact_runs_have_a_law_too():
    runs = grid(noise=0.0)
    fitted = fit_law(runs, Settings(prior=False))
    _, data, law = written(fitted, runs)
    assert data["uncertainty"]["residual_sd"] >= TINY
    assert law.surface.alpha == pytest.approx(0.34, rel=1e-6)


def test_runs_with_checkpoints_say_which_were_used():
    sizes = np.repeat(np.geomspace(5e7, 5e9, 8), 6)
    tokens = np.tile(np.geomspace(1e9, 1e11, 6), 8)
    loss = fit_law(grid(noise=0), Settings(prior=False)).fit.law_form.loss(sizes, tokens)
    loss = loss * np.exp(0.002 * np.random.default_rng(1).standard_normal(48))
    runs = runs_of(sizes, tokens, loss, run=np.repeat(np.arange(8), 6))
    fitted = fit_law(runs, Settings(prior=False))
    _, data, _ = written(fitted, runs)
    assert data["fitted"]["source"] == "runs: 8 runs, 48 rows"
    assert data["recipe"]["runs"]["checkpoints"] == "every row of every run"
    assert (data["recipe"]["runs"]["rows"], data["recipe"]["runs"]["runs"]) == (48, 8)
    more = TableOfRuns(runs=runs, notices=(), rows_read=48)
    some = replace(fitted, runs=runs.subset(np.arange(0, 48, 2)))
    recipe = law_document("own", some, more, {}, [])["recipe"]
    assert recipe["runs"]["checkpoints"] == "24 of 48 rows, spread evenly over the logarithm of tokens"
