"""Pilot runs as people read them and as data: the runs, scores beside each other, results collected."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from scaleplan import pilot, score_pilots
from scaleplan.errors import Notice
from scaleplan.pilots.outcomes import Outcome
from scaleplan.specs.pilot_results import Collected
from scaleplan.views.layout import simple_text
from scaleplan.views.pilot_scores import SCORE_COLUMNS, score_table
from scaleplan.views.pilots import PILOT_COLUMNS, collected_table, pilot_table

FEW = {"runs": 12, "seeds": 2}

pytestmark = pytest.mark.usefixtures("short_curve")


@pytest.fixture(scope="module")
def plan():
    """Runs of which nothing says where they run."""
    return pilot(flops=1e22, pilots=FEW)


@pytest.fixture(scope="module")
def priced(plan):
    """The same runs with what they would take on three accelerators for 48 hours each."""
    manifest = plan.manifest._replace(
        runs=tuple(
            run._replace(accelerator="h100-sxm", accelerators=3, days=2.0, gpu_hours=144.0, cost_usd=1440.0)
            for run in plan.manifest.runs
        )
    )
    return replace(plan, proposal=replace(plan.proposal, manifest=manifest), makespan_days=24.0)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Three runs on one ray, which tell nothing."""
    path = tmp_path_factory.mktemp("own") / "own.csv"
    path.write_text("params,tokens\n1e8,2e9\n2e8,4e9\n4e8,8e9\n")
    return score_pilots(str(path), flops=1e22)


def grids(table):
    return list(table.grids())


def strictly(value):
    """JSON without NaN and Infinity."""
    return json.dumps(value, allow_nan=False)


def test_rows_and_columns_are_in_one_order(plan):
    table = pilot_table(plan)
    assert (table.verb, tuple(table.columns)) == ("pilot", PILOT_COLUMNS)
    assert all(tuple(row) == PILOT_COLUMNS for row in table.rows)
    assert [row["id"] for row in table.rows] == [run.id for run in plan.manifest.runs]
    assert table.warnings == plan.warnings
    assert strictly(table.rows)
    assert strictly(table.inputs)


def test_without_machines_the_settings_are_shown_and_with_them_what_runs_take(plan, priced):
    bare, taken = grids(pilot_table(plan))[0], grids(pilot_table(priced))[0]
    assert bare.headers == ["run", "N", "D", "D/N", "LxW", "batch", "steps", "lr", "FLOP"]
    assert taken.headers == ["run", "N", "D", "D/N", "LxW", "GPUs", "hours", "USD", "FLOP"]
    for grid in (bare, taken):
        assert len(grid.rows) == 12
        assert all(len(row) == len(grid.headers) == len(grid.numeric) for row in grid.rows)
    assert taken.rows[0][5:8] == ["3", "48", "1,440"]
    assert bare.rows[0][6] == f"{plan.manifest.runs[0].steps:,}"


def test_hours_without_a_price_have_no_column_of_money(priced):
    runs = tuple(run._replace(cost_usd=None) for run in priced.manifest.runs)
    free = replace(priced, proposal=replace(priced.proposal, manifest=priced.manifest._replace(runs=runs)))
    grid = grids(pilot_table(free))[0]
    assert "USD" not in grid.headers
    assert all(len(row) == len(grid.headers) == len(grid.numeric) for row in grid.rows)
    assert "$" not in str(grids(pilot_table(free))[-1].rows)
    assert pilot_table(free).inputs["cost_usd"] is None


def test_replicates_and_the_back_test_are_marked(plan):
    names = [row[0] for row in grids(pilot_table(plan))[0].rows]
    roles = [run.role for run in plan.manifest.runs]
    assert [name.endswith("s") for name in names] == [role == "replicate" for role in roles]
    assert [name.endswith("*") for name in names] == [role == "back-test" for role in roles]


@pytest.mark.parametrize("which", ["plan", "priced"])
def test_no_grid_is_wider_than_eighty_columns(which, request):
    for grid in grids(pilot_table(request.getfixturevalue(which))):
        text = simple_text(grid, 80, styled=False)
        assert text is not None
        assert max(map(len, text.splitlines())) <= 80


def test_the_lines_say_what_the_runs_tell_and_what_they_take(plan, priced):
    lines = [row[0] for row in grids(pilot_table(priced))[-1].rows]
    scored = plan.proposal.scored
    assert any(f"{100 * scored.loss_se:.3g}%" in line and f"{math.exp(scored.params_se):.3g}" in line for line in lines)
    assert "decision: go" in lines
    assert "they take 1,728 accelerator-hours, $17.28K, 24 days in all" in lines
    assert not any("accelerator-hours" in row[0] for row in grids(pilot_table(plan))[-1].rows)


def test_a_plan_without_runs_has_no_rows_and_says_its_target(plan):
    over = replace(plan, proposal=None, decision="stop", warnings=(Notice("finished", "all runs are made."),))
    table = pilot_table(over)
    assert table.rows == []
    assert table.inputs["decision"] == "stop"
    assert strictly(table.inputs)
    (grid,) = grids(table)
    assert grid.rows[0][0].startswith("target: 1e22 FLOP")


def test_scores_are_in_order_and_what_cannot_be_told_is_absent(scored):
    table = score_table(scored)
    assert tuple(table.columns) == SCORE_COLUMNS
    assert all(tuple(row) == SCORE_COLUMNS for row in table.rows)
    assert table.rows[0]["name"] == "own.csv"
    assert [table.rows[0][key] for key in ("loss_se", "params_se", "condition")] == [None] * 3
    assert strictly(table.rows)
    assert strictly(table.inputs)
    (grid,) = grids(table)
    own = dict(zip(grid.headers, grid.rows[0], strict=True))
    assert (own["loss +-"], own["N* x/"], own["condition"]) == ("-", "-", "infinite")
    assert max(map(len, simple_text(grid, 80, styled=False).splitlines())) <= 80


def test_results_are_rows_for_a_fit_and_every_run_stands_in_the_inputs():
    def outcome(name, status, loss, **more):
        values = dict.fromkeys(Outcome._fields)
        return Outcome(**values | {"run_id": name, "status": status, "loss": loss, "params": 1e8, "tokens": 2e9} | more)

    outcomes = (outcome("a", "finished", 3.25), outcome("b", "diverged", math.nan), outcome("c", "missing", None))
    table = collected_table(Collected(outcomes, (Notice("missing_runs", "one."),), "ours"))
    assert [row["run"] for row in table.rows] == ["a"]
    assert tuple(table.columns) == ("run", "params", "tokens", "loss")
    assert [each["status"] for each in table.inputs["outcomes"]] == ["finished", "diverged", "missing"]
    assert [each["loss"] for each in table.inputs["outcomes"]] == [3.25, None, None]
    assert strictly(table.inputs)
    (grid,) = grids(table)
    assert grid.title == "ours: 1 of 3 runs finished"
    assert [row[5] for row in grid.rows] == ["3.2500", "nan", "-"]
    nothing = collected_table(Collected(outcomes[2:], (), "ours"))
    assert nothing.rows == []
    assert "loss" in nothing.columns
