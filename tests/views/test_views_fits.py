"""A fitted law as rows and as tables."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import scaleplan
from scaleplan.laws.student import two_sided_quantile
from scaleplan.views.fits import FIT_COLUMNS, fit_table
from scaleplan.views.terminal import render
from scaleplan.views.text import csv_text, json_envelope, markdown, ndjson_lines
from tests.fitting.test_fitting_fitted_law import LOW_E, grid
from tests.fitting.test_fitting_forms import made

COLUMNS = [
    "law", "method", "form",
    "A", "A_low", "A_high", "B", "B_low", "B_high", "E", "E_low", "E_high",
    "alpha", "alpha_low", "alpha_high", "beta", "beta_low", "beta_high",
    "params_exponent", "params_exponent_low", "params_exponent_high", "params_prefactor",
    "rank", "objective", "status", "starts", "starts_agree", "runs", "rows", "residual_sd", "dof", "delta",
    "kappa", "tau", "drift", "starvation", "size_misfit",
    "backtest_error", "backtest_bias", "backtest_coverage", "aicc",
    "condition", "replicate_sd", "plain_loss_shift", "intervals", "digest",
]  # fmt: skip
"""What scripts read: a name may be added, none may go."""


def frame(runs, **more):
    return pl.DataFrame({"params": runs.params, "tokens": runs.tokens, "loss": runs.loss, **more})


@pytest.fixture(name="table", scope="module")
def _table():
    return frame(grid(sizes=7))


@pytest.fixture(name="result", scope="module")
def _result(table):
    return scaleplan.fit(table)


@pytest.fixture(name="compared", scope="module")
def _compared(table):
    return scaleplan.fit(table, method="all", compare=True)


def strict(text):
    def refuse(word):
        raise ValueError(word)

    return json.loads(text, parse_constant=refuse)


def test_the_columns_are_stable(result):
    assert list(FIT_COLUMNS) == COLUMNS
    shown = fit_table(result)
    assert list(shown.columns) == COLUMNS
    text = csv_text(shown.columns, shown.rows)
    assert text.splitlines()[0] == ",".join(COLUMNS)
    (row,) = csv.DictReader(io.StringIO(text))
    assert float(row["alpha"]) == result.law.surface.alpha
    assert row["rank"] == ""


def test_the_first_row_is_the_law(result):
    shown = fit_table(result)
    (row,) = shown.rows
    fit, fitted = result.fitted.fit, result.fitted
    for each in fitted.constants:
        assert (row[each.symbol], row[f"{each.symbol}_low"], row[f"{each.symbol}_high"]) == each[1:]
    surface = result.law.surface
    assert {name: row[name] for name in ("A", "B", "E", "alpha", "beta")} == surface._asdict()
    assert row["params_exponent"] == surface.params_exponent
    assert (row["objective"], row["status"]) == (fit.value, "converged")
    assert (row["starts"], row["starts_agree"]) == (fit.starts, fit.agree)
    assert (row["runs"], row["rows"], row["dof"]) == (42, 42, 39)
    assert (row["kappa"], row["tau"], row["drift"], row["starvation"]) == tuple(fitted.allowances[:4])
    assert row["backtest_error"] == fitted.back_test.error
    assert row["backtest_coverage"] == fitted.back_test.coverage(fitted.allowances, 0.95)
    assert row["digest"] == f"sha256:{fitted.runs.digest()}"
    assert (row["law"], row["method"], row["form"]) == ("own-runs", "parametric", "additive")
    assert row["params_exponent_low"] < row["params_exponent"] < row["params_exponent_high"]
    assert row["intervals"] == "delta method"
    shift = fitted.shift.ln_loss
    assert row["plain_loss_shift"] == shift.plain - shift.now
    assert [row[key] for key in ("rank", "aicc", "params_prefactor", "replicate_sd")] == [None] * 4


def test_inputs_hold_the_recipe_the_back_test_and_the_plans(result):
    inputs = strict(json_envelope(fit_table(result)))["inputs"]
    assert inputs["recipe"]["runs"]["digest"] == fit_table(result).rows[0]["digest"]
    assert [split["budgets"] for split in inputs["back_test"]] == [2, 3, 4, 5]
    assert [row["params"] for row in inputs["optima"]] == [plan.params for plan in result.optima]
    assert (inputs["file"], inputs["level"], inputs["band"], inputs["left_out"]) == (None, 0.95, "forecast", {})


def test_forms_and_approaches_have_rows_of_their_own(compared):
    rows = fit_table(compared).rows
    assert [(row["method"], row["form"]) for row in rows[:2]] == [("parametric", "additive"), ("isoflop", None)]
    assert rows[0]["rank"] == 1
    ranked = {row["form"]: row for row in rows if row["rank"] is not None}
    assert sorted(row["rank"] for row in ranked.values()) == list(range(1, len(compared.compared.forms) + 1))
    for rank, each in enumerate(compared.compared.forms, 1):
        row = ranked[each.fit.form.name]
        # One definition in the whole column: what ranks is what is shown.
        assert (row["rank"], row["aicc"], row["backtest_error"]) == (rank, each.aicc, each.error)
        assert row["objective"] == each.fit.value
        assert row["method"] == "parametric"
    assert "E" in ranked["tied"]
    assert ranked["kaplan-joint"]["E"] is None
    assert ranked["kaplan-joint"]["alpha_N"] > 0
    assert ranked["additive"]["alpha_N"] is None


def test_an_approachs_exponent_has_the_interval_of_its_own_line(compared):
    row = fit_table(compared).rows[1]
    found = compared.fitted.approaches[0].found
    half = two_sided_quantile(0.95, found.dof) * found.covariance[1, 1] ** 0.5
    assert row["params_exponent"] == found.rule.a
    assert row["params_prefactor"] == found.rule.k
    assert row["params_exponent_low"] == pytest.approx(found.rule.a - half)
    assert row["params_exponent_high"] == pytest.approx(found.rule.a + half)
    assert row["objective"] is None


@pytest.mark.parametrize("form", ["kaplan-joint", "compute-only", "repetition"])
def test_constants_of_other_forms_come_besides(form):
    runs = made(form, noise=0.003)
    table = frame(runs, unique_tokens=runs.unique_tokens)
    result = scaleplan.fit(table, form=form)
    shown = fit_table(result)
    row = strict(json_envelope(shown))["rows"][0]
    assert list(shown.columns)[: len(COLUMNS)] == COLUMNS
    assert set(row) == set(shown.columns)
    for each in result.fitted.constants:
        assert (row[each.symbol], row[f"{each.symbol}_low"]) == (each.value, each.low)
    assert "what it plans" in render(shown.grids(), terminal=False)


def test_an_end_that_is_not_there_is_null_in_json_and_words_in_tables():
    result = scaleplan.fit(frame(grid(0.01, seed=0, sizes=5, law=LOW_E)), prior=False)
    shown = fit_table(result)
    row = strict(json_envelope(shown))["rows"][0]
    assert row["E_low"] is None
    assert row["E_high"] > row["E"]
    assert row["status"] == "at_bound"
    line = next(line for line in render(shown.grids(), terminal=False).splitlines() if line.split()[:1] == ["E"])
    assert "up to" in line


def test_bands_without_bounds_are_still_json():
    """A loss that rises leaves nothing but the priors: of N* the runs know nothing at all."""
    runs = grid()
    result = scaleplan.fit(frame(replace(runs, loss=1 + 0.05 * np.log(runs.train_flop))))
    shown = fit_table(result)
    optima = strict(json_envelope(shown))["inputs"]["optima"]
    assert optima[0]["params_high"] is None
    assert list(ndjson_lines(shown.rows))
    assert render(shown.grids(), terminal=False)


def test_the_terminal_shows_every_section(compared):
    text = render(fit_table(compared).grids(), terminal=False)
    for part in (
        "own-runs: additive, L(N, D)", "95 % band", "a in N* ~ C^a", "42 runs", "objective", "starts agree",
        "noise of a run", "priors", "intervals", "allowances from 4 back-tests", "approaches", "3 parametric",
        "2 isoflop", "forms, by their back-tests: additive plans", "left out", "what it plans", "AICc",
        "back-test: the cheap runs fitted", "the same surface as tied",
    ):  # fmt: skip
        assert part in text, part
    assert "written to" not in text


def test_sections_are_there_only_where_they_say_something(table, tmp_path):
    out = tmp_path / "law.yaml"
    text = render(fit_table(scaleplan.fit(table, out=out, band="sampling", prior=False)).grids(), terminal=False)
    assert "95 % sampling band" in text
    assert "written to" in text
    assert "law.yaml" in text.replace("\n", "").replace(" ", "")
    for part in ("approaches", "forms, by", "left out"):
        assert part not in text
    few = render(fit_table(scaleplan.fit(frame(grid(budgets=3)))).grids(), terminal=False)
    assert "back-test: " not in few
    assert "too few budgets to back-test" in " ".join(few.split())


def test_markdown_has_a_table_a_section(compared):
    shown = fit_table(compared)
    text = markdown(shown.grids())
    titles = [line for line in text.splitlines() if line.startswith("**")]
    assert len(titles) == len([grid for grid in shown.grids() if grid.title])
    assert "| alpha |" in text
    assert "| 1 | additive | 5 |" in text


def test_a_rule_alone_shows_its_line_and_what_the_loss_does_along_it(table):
    result = scaleplan.fit(table, method="isoflop")
    shown = fit_table(result)
    row = shown.rows[0]
    assert row["params_exponent"] == result.fitted.rule.rule.a
    assert row["params_prefactor"] == result.fitted.rule.rule.k
    assert row["L_inf"] == result.fitted.fit.law_form.L_inf
    assert (row["A"], row["backtest_error"]) == (None, None)
    text = render(shown.grids(), terminal=False)
    assert "k of N* = k C^a" in text
    assert "2 isoflop" in text
    assert "3 parametric" not in text


def test_least_squares_have_no_threshold(table):
    row = fit_table(scaleplan.fit(table, objective="mse")).rows[0]
    assert row["delta"] is None
    assert fit_table(scaleplan.fit(table, objective="hoffmann", bootstrap=0)).rows[0]["delta"] == 1e-3
