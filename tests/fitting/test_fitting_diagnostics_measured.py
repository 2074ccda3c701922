"""Which notices the measured tables raise."""

import csv
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scaleplan.fitting.fit_diagnostics import fit_notices, prior_notices, prior_shift
from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.row_diagnostics import replicate_noise
from scaleplan.fitting.run_diagnostics import run_notices
from scaleplan.fitting.runs import runs_of


@pytest.fixture(scope="module")
def table():
    folder = os.environ.get("SCALEPLAN_DATA")
    if not folder:
        pytest.skip("SCALEPLAN_DATA is not set: the measured runs are not here")

    def read(name, keep=lambda _: True):
        with (Path(folder) / name).open() as lines:
            rows = [row for row in csv.DictReader(lines) if keep(row)]
        runs = runs_of(
            *(np.array([float(row[key]) for row in rows]) for key in ("params", "tokens", "loss")),
            run=np.unique([row["run"] for row in rows], return_inverse=True)[1],
            unique_tokens=[float(row["unique_tokens"]) for row in rows] if "unique_tokens" in rows[0] else None,
            source=name,
        )
        return replace(runs, flop=np.array([float(row["flops"]) for row in rows]))

    return read


def notices(runs, form="additive", **kwargs):
    form = find_fit_form(form)
    return {n.code: n.message for n in (*run_notices(runs, form), *fit_notices(fit_form(runs, form, **kwargs)))}


def tokens_per_param(row):
    return float(row["tokens"]) / float(row["params"])


def test_of_hoffmanns_240_runs_the_starved_ones_are_named(table):
    runs = table("chinchilla_epoch.csv")
    kept = runs.subset(np.sort(np.argsort(-runs.loss, kind="stable")[5:]))
    found = notices(kept)
    assert set(found) == {"outliers", "regime_break"}
    assert "row 6 +" in found["outliers"], "few tokens per parameter, at the edge of what was dropped"
    assert "at 0.793 tokens per parameter and below, losses are 3.0% above the law" in found["regime_break"]


def test_of_all_245_the_five_dropped_ones_are_named(table):
    runs = table("chinchilla_epoch.csv")
    found = notices(runs)
    assert set(found) == {"outliers", "regime_break"}
    assert "(rows 1, 2, 3 and 4)" in found["regime_break"]
    assert "losses are 14.4% above the law" in found["regime_break"]
    for row in (1, 2, 3, 4):
        assert f"row {row} +" in found["outliers"]


def test_gadres_runs_bend_and_have_runs_that_went_wrong(table):
    found = notices(table("gadre_loss.csv", lambda row: row["train_data"] == "rpj" and row["val_data"] == "c4_val"))
    assert set(found) == {"outliers", "regime_break", "misfit"}
    assert "row 9 +15.67%" in found["outliers"]
    assert "at 5 tokens per parameter and below, losses are 4.7% above the law" in found["regime_break"]


def test_gadres_eight_validation_sets_in_one_table(table):
    assert {"several_losses", "replicate_spread", "noisy"} <= set(notices(table("gadre_loss.csv")))


@pytest.mark.parametrize("own", [False, True])
def test_porians_pooled_sweeps_are_flagged(table, own):
    runs = table("porian_isoflop.csv")
    found = notices(replace(runs, run=np.arange(len(runs))) if own else runs)
    assert {"replicate_spread", "regime_break", "misfit", "noisy"} <= set(found)
    assert ("unannealed_checkpoints" in found) is not own


def test_porians_sweeps_at_constant_rates_fit_to_one_percent_and_are_flagged(table):
    """Fits to 0.8 to 1.1 % in sample are 5 to 8 % off at ten times the compute."""

    def sweep(row):
        return row["run"].rsplit("-", 1)[0]

    names: Counter[str] = Counter()
    table("porian_isoflop.csv", lambda row: row["decay"] == "const" and not names.update([sweep(row)]))
    assert len(names) == 4
    for name in names:
        runs = table("porian_isoflop.csv", lambda row, name=name: sweep(row) == name and tokens_per_param(row) >= 4)
        fit = fit_form(runs, find_fit_form("additive"))
        assert np.abs(fit.residuals).mean() < 0.012
        assert "misfit" in [n.code for n in fit_notices(fit)]
        cheap = fit_form(runs.subset(runs.train_flop < runs.train_flop.max() / 9), fit.form)
        assert "misfit" in [n.code for n in fit_notices(cheap)], "and before the dear runs are known"


def test_the_prior_is_said_to_lift_the_exponents_of_gadres_runs(table):
    runs = table("gadre_loss.csv", lambda row: row["train_data"] == "rpj" and row["val_data"] == "c4_val")
    fit = fit_forecast(runs, find_fit_form("additive"))
    assert [notice.code for notice in prior_notices(fit)] == ["prior_moved"]
    assert all(0.2 < each.plain < 0.28 < each.now < 0.35 for each in prior_shift(fit).exponents.values())


def test_repeated_data_and_the_noise_of_64_repeats(table):
    runs = table("datablations_final.csv")
    sd, dof = replicate_noise(runs)
    assert (round(sd, 4), dof) == (0.0070, 65)
    found = notices(runs)
    assert {"repeated_data", "outliers", "misfit", "noisy"} <= set(found)
    assert "9e+03 epochs" in found["repeated_data"]
    single = notices(table("datablations_final.csv", lambda row: float(row["epochs"]) <= 1))
    assert {"outliers", "misfit"} <= set(single)
    assert not {"repeated_data", "noisy"} & set(single)
    assert "0.30% among replicates (8 degrees of freedom)" in single["misfit"]


def test_recorded_flops_of_the_sets_are_six_nd(table):
    for name in ("chinchilla_epoch.csv", "gadre_loss.csv", "porian_isoflop.csv", "datablations_final.csv"):
        assert "flops_disagree" not in [n.code for n in run_notices(table(name))]
