"""The watch on measured runs: the divergences, spikes and false alarms that it must and must not tell."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.watch import Watcher

pytestmark = pytest.mark.skipif(
    "SCALEPLAN_DATA" not in os.environ, reason="SCALEPLAN_DATA names the folder of measured runs"
)


def events_of(name):
    runs = {}
    with (Path(os.environ["SCALEPLAN_DATA"]) / f"{name}.csv").open() as file:
        for row in csv.DictReader(file):
            runs.setdefault(row["run"], []).append(row)
    found = {}
    for run, rows in runs.items():
        columns = {
            key: np.array([float(row[key] or "nan") for row in rows])
            for key in ("step", "loss", "lr", "grad_norm", "tokens")
            if key in rows[0]
        }
        columns.setdefault("step", columns.get("tokens"))
        watcher = Watcher()
        watcher.feed(Readings(**columns))
        found[run] = (len(rows), watcher.close())
    return found


def kinds(events):
    return {each.kind for each in events}


def test_the_runs_that_blow_up_and_those_that_do_not():
    told = {"divergence": set(), "no_blowup_in_log": set()}
    with (Path(os.environ["SCALEPLAN_DATA"]) / "anomaly_labels.csv").open() as file:
        for row in csv.DictReader(file):
            if row["file"] == "lumi_blowups.csv" and row["kind"] in told:
                told[row["kind"]].add(row["run"])
    found = {run: "divergence" in kinds(events) for run, (_, events) in events_of("lumi_blowups").items()}
    assert len(told["divergence"]) == 8
    assert all(found[run] for run in told["divergence"])
    assert not any(found[run] for run in told["no_blowup_in_log"])


def test_the_spikes_of_k2():
    found = events_of("k2_65b_curve")
    with (Path(os.environ["SCALEPLAN_DATA"]) / "anomaly_labels.csv").open() as file:
        labels = [row for row in csv.DictReader(file) if row["file"] == "k2_65b_curve.csv"]
    for row in labels:
        first, last = float(row["start_step"]), float(row["end_step"])
        caught = [e for e in found[row["run"]][1] if e.step <= last and (e.end is None or e.end >= first)]
        assert caught, row
    main = found["k2_main"][1]
    # One more than the labels: four values in a row 0.05 to 0.16 above 1.92 +- 0.015 at 1.507e7, a spike indeed.
    assert len(main) <= sum(row["run"] == "k2_main" for row in labels) + 1
    assert kinds(main) == {"spike"}


def test_a_clean_long_log_has_at_most_one_false_alarm():
    events = events_of("mamba3b_curve")["mamba3b"][1]
    assert len([each for each in events if each.kind != "transient" and each.step != 46396]) <= 1


def test_healthy_runs_neither_diverge_nor_stand_still():
    assert all(not events for _, events in events_of("mpl_curves").values())
    found = events_of("datablations_curves")
    late = {run for run, (_, events) in found.items() if {"divergence", "plateau"} & kinds(events)}
    assert 6 <= len(late) <= 7
