"""``scaleplan.fit``: tables of every kind in, a law that goes wherever a law goes out."""

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import scaleplan
from scaleplan.errors import ConvergenceError, InputFileError, ScaleplanError, UsageError
from scaleplan.laws.student import two_sided_quantile
from scaleplan.specs.law_fit import LawFit
from scaleplan.specs.laws import load_law
from tests.fitting.test_fitting_fitted_law import grid

RUNS = Path(__file__).resolve().parents[2] / "configs" / "runs" / "isoflop-grid.csv"


def frame(runs):
    return pl.DataFrame({"params": runs.params, "tokens": runs.tokens, "loss": runs.loss})


@pytest.fixture(name="table", scope="module")
def _table():
    return frame(grid())


@pytest.fixture(name="result", scope="module")
def _result(table):
    return scaleplan.fit(table)


def test_a_file_and_a_dataframe_of_it_give_the_same_law():
    path, table = scaleplan.fit(str(RUNS)), scaleplan.fit(pl.read_csv(RUNS))
    assert path.law.surface == table.law.surface
    assert path.law.uncertainty == table.law.uncertainty
    assert path.document["recipe"]["runs"]["digest"] == table.document["recipe"]["runs"]["digest"]
    assert path.document["recipe"]["runs"]["source"] != table.document["recipe"]["runs"]["source"]
    assert scaleplan.fit(RUNS).law.surface == path.law.surface


def test_tables_of_every_kind_give_the_same_bits(table, result, tmp_path):
    table.write_csv(tmp_path / "runs.csv")
    table.write_parquet(tmp_path / "runs.parquet")
    table.write_ndjson(tmp_path / "runs.ndjson")
    for name in ("runs.csv", "runs.parquet", "runs.ndjson"):
        assert scaleplan.fit(tmp_path / name).law.surface == result.law.surface


def test_without_a_file_the_law_is_the_callers_alone(result):
    assert isinstance(result, LawFit)
    assert result.file is None
    assert result.law.file is None
    assert result.law.id == "own-runs"
    assert result.compared is None


def test_with_a_file_the_law_is_that_of_the_file(table, tmp_path):
    out = tmp_path / "ours.yaml"
    result = scaleplan.fit(table, out=out)
    assert result.file == result.law.file == str(out)
    assert result.law.id == "ours"
    assert load_law(str(out)) == result.law


def test_the_law_goes_wherever_a_law_does(result):
    plan = scaleplan.allocate(flops=1e23, law=result.law)
    assert plan.params_low < plan.params < plan.params_high
    assert 6 * plan.params * plan.tokens == pytest.approx(1e23)
    prediction = scaleplan.predict(params=7e9, tokens=1.4e11, law=result.law)
    assert prediction.loss_low < prediction.loss < prediction.loss_high
    assert prediction.loss == pytest.approx(result.law.surface.loss(7e9, 1.4e11))
    compared = scaleplan.compare("gopher", "chinchilla", law=result.law)
    assert [row.loss for row in compared.rows] == pytest.approx(
        [result.law.surface.loss(row.params, row.tokens) for row in compared.rows]
    )


def test_the_optima_are_what_the_law_plans_at_the_dearest_run_and_beyond(result):
    dearest = result.fitted.runs.train_flop.max()
    assert [plan.train_flop for plan in result.optima] == pytest.approx([dearest, 10 * dearest, 100 * dearest])
    for plan in result.optima:
        again = scaleplan.allocate(flops=float(plan.train_flop), law=result.law)
        assert (plan.params, plan.params_low, plan.loss_high) == pytest.approx(
            (again.params, again.params_low, again.loss_high)
        )


def test_a_level_changes_widths_by_the_ratio_of_students_quantiles(table, result):
    half = scaleplan.fit(table, level=0.5)
    ratio = two_sided_quantile(0.95, result.fitted.fit.dof) / two_sided_quantile(0.5, result.fitted.fit.dof)
    for a, b in zip(result.fitted.constants, half.fitted.constants, strict=True):
        assert a.value == b.value
        log = math.log if a.symbol in "ABE" else float
        assert (log(a.high) - log(a.low)) / (log(b.high) - log(b.low)) == pytest.approx(ratio, rel=1e-9)
    wide, narrow = result.optima[2], half.optima[2]
    assert math.log(wide.loss_high / wide.loss) / math.log(narrow.loss_high / narrow.loss) == pytest.approx(ratio)
    sizes = [math.log(each.params_high / each.params) for each in (wide, narrow)]
    assert sizes[0] / sizes[1] == pytest.approx(ratio)
    # The file holds what is known, not what was asked to be shown.
    assert half.law.uncertainty == result.law.uncertainty


@pytest.mark.parametrize("prior", [True, False])
def test_sampling_bands_are_never_wider(table, prior):
    wide, narrow = (scaleplan.fit(table, band=band, prior=prior) for band in ("forecast", "sampling"))
    for a, b in zip(wide.fitted.constants, narrow.fitted.constants, strict=True):
        assert a.low <= b.low <= b.value <= b.high <= a.high
    for a, b in zip(wide.optima, narrow.optima, strict=True):
        assert a.loss_low <= b.loss_low < b.loss_high <= a.loss_high
        assert a.params_low <= b.params_low < b.params_high <= a.params_high
    assert narrow.optima[2].params_high < 0.9 * wide.optima[2].params_high
    # The law that comes out carries its allowances either way.
    assert narrow.law.uncertainty == wide.law.uncertainty


def test_columns_and_conditions(table, result):
    odd = table.rename({"loss": "val_loss", "params": "n"}).with_columns(kept=pl.lit(1))
    worse = odd.with_columns(loss_of=pl.lit(0)).head(5).with_columns(kept=pl.lit(0), val_loss=pl.col("val_loss") * 2)
    both = pl.concat([odd, worse.select(odd.columns)])
    found = scaleplan.fit(both, columns={"loss": "val_loss", "params": "n"}, where="kept = 1")
    assert found.law.surface == result.law.surface
    assert found.document["recipe"]["runs"]["where"] == ["kept = 1"]
    assert found.document["recipe"]["runs"]["columns"] == {"loss": "val_loss", "params": "n"}
    assert found.table.rows_read == 41
    assert "rows_filtered" in {notice.code for notice in found.fitted.warnings}


def test_long_runs_are_thinned_and_that_is_said():
    law = grid()
    n = len(law)
    tokens = (law.tokens[:, None] * np.geomspace(0.05, 1, 250)).ravel()
    params, run = np.repeat(law.params, 250), np.repeat(np.arange(n), 250)
    draws = np.random.default_rng(0).standard_normal(n)[run]
    loss = (1.69 + 406.4 * params**-0.34 + 410.7 * tokens**-0.28) * np.exp(0.002 * draws)
    table = pl.DataFrame({"run": run, "params": params, "tokens": tokens, "loss": loss})
    found = scaleplan.fit(table, prior=False)
    assert len(found.fitted.runs) == 200 * n
    (notice,) = [notice for notice in found.fitted.warnings if notice.code == "thinned"]
    assert "1,800 of 9,000 rows" in notice.message
    assert "7200 of 9000 rows" in found.document["recipe"]["runs"]["checkpoints"]


def test_the_form_is_chosen_by_comparing_unless_it_is_named(table):
    chosen = scaleplan.fit(table, compare=True)
    named = scaleplan.fit(table, compare=True, form="tied")
    assert chosen.fitted.fit.form.name == chosen.compared.best == "additive"
    assert named.fitted.fit.form.name == "tied"
    assert [each.error for each in named.compared.forms] == [each.error for each in chosen.compared.forms]


@pytest.mark.parametrize(
    ("words", "kind", "fragment"),
    [
        ({"form": "adaptive"}, UsageError, "adaptive"),
        ({"method": "isoflops"}, UsageError, "Did you mean isoflop"),
        ({"objective": "mae"}, UsageError, "huber, hoffmann, mse"),
        ({"band": "wide"}, UsageError, "Bands: forecast, sampling"),
        ({"level": 95}, UsageError, "fraction"),
        ({"level": "x"}, UsageError, "x"),
        ({"bootstrap": 1.5}, UsageError, "whole number"),
        ({"bootstrap": 12}, UsageError, "at least 40"),
        ({"seed": -1}, UsageError, "seed"),
        ({"workers": 0}, UsageError, "workers"),
        ({"where": "flopz < 1"}, UsageError, "flopz"),
        ({"columns": {"loss": "nope"}}, UsageError, "nope"),
        ({"out": "besiroglu-2024.yaml"}, UsageError, "shipped law"),
        ({"method": "isoflop", "compare": True}, UsageError, "leave one out"),
        ({"method": "envelope", "form": "tied", "bootstrap": 100}, UsageError, "form and bootstrap belong to"),
        ({"out": "/no/such/folder/law.yaml"}, UsageError, "no such folder as /no/such/folder"),
        ({"where": "loss > 99"}, InputFileError, "none of 36 rows"),
    ],
)
def test_what_makes_no_sense_is_refused(table, words, kind, fragment):
    with pytest.raises(kind, match=r".") as caught:
        scaleplan.fit(table, **words)
    assert isinstance(caught.value, ScaleplanError)
    assert fragment in caught.value.message


@pytest.mark.parametrize("source", ["missing.csv", 7, None])
def test_what_is_no_table_is_refused(tmp_path, monkeypatch, source):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScaleplanError):
        scaleplan.fit(source)


@pytest.mark.parametrize("words", [{"prior": False}, {"form": "one-break"}])
def test_a_loss_that_rises_with_compute_is_no_law_and_leaves_no_file(tmp_path, words):
    runs = grid()
    rises = frame(runs).with_columns(loss=1 + 0.05 * (pl.col("params") * pl.col("tokens")).log())
    with pytest.raises(ConvergenceError):
        scaleplan.fit(rises, out=tmp_path / "law.yaml", **words)
    assert list(tmp_path.iterdir()) == []


def test_a_law_that_cannot_plan_its_own_dearest_run_leaves_no_file(tmp_path):
    runs = grid()
    draws = np.random.default_rng(0).standard_normal(len(runs))
    noise = frame(runs).with_columns(loss=pl.Series(3 * np.exp(0.05 * draws)))
    with pytest.raises(ConvergenceError, match=r"plans nothing.*less than one parameter"):
        scaleplan.fit(noise, out=tmp_path / "law.yaml")
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_ends_with_the_code_of_a_search_that_found_no_law(tmp_path):
    runs = grid()
    rises = frame(runs).with_columns(loss=1 + 0.05 * (pl.col("params") * pl.col("tokens")).log())
    rises.write_csv(tmp_path / "runs.csv")
    words = ["fit", "runs.csv", "--no-prior", "--out", "law.yaml"]
    done = subprocess.run(
        [sys.executable, "-m", "scaleplan", *words], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (5, "")
    assert "leave --no-prior out" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]
