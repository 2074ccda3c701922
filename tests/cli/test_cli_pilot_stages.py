"""``scaleplan pilot`` after the first runs, ``--after``, and beside runs of one's own, ``--score``."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from scaleplan.laws.additive import Additive

GRID = Path(__file__).resolve().parents[2] / "configs" / "runs" / "isoflop-grid.csv"
TRUTH = Additive(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
TARGET = ("--flops", "1e22", "--runs", "12")

pytestmark = pytest.mark.usefixtures("short_curve")


@pytest.fixture(scope="module")
def designed():
    """The rows of the design for ``TARGET``, once made."""
    return []


@pytest.fixture
def pilot(call):
    """The command."""
    return lambda *words: call("pilot", *words)


@pytest.fixture
def rows(pilot, designed):
    """The runs of the first design."""
    if not designed:
        designed.extend(pilot(*TARGET, "-f", "json", "-q").succeeded().envelope["rows"])
    return designed


@pytest.fixture
def finished(tmp_path):
    """Writes what runs would have come to, as a table."""

    def write(rows, noise=0.003, names=True):
        rng = np.random.default_rng(5)
        lines = ["run,params,tokens,loss" if names else "params,tokens,loss"]
        for row in rows:
            loss = TRUTH.loss(row["params"], row["tokens"]) * math.exp(noise * rng.standard_normal())
            cells = f"{row['params']!r},{row['tokens']!r},{float(loss)!r}"
            lines.append(f"{row['id']},{cells}" if names else cells)
        (tmp_path / "finished.csv").write_text("\n".join(lines) + "\n")
        return "finished.csv"

    return write


def after(pilot, table, *words):
    return pilot(*TARGET, *words, "--after", table, "-f", "json")


def near(one, other):
    """Whether two runs are next to each other in size and tokens."""
    return all(abs(math.log(one[key] / other[key])) < 0.09 for key in ("params", "tokens"))


def test_after_the_first_stage_the_next_runs_are_new_and_go_on(pilot, rows, finished):
    first = [row for row in rows if row["stage"] == 1]
    envelope = after(pilot, finished(first)).succeeded("measured_noise").envelope
    inputs, more = envelope["inputs"], envelope["rows"]
    spent = math.fsum(row["train_flop"] for row in first)
    assert inputs["decision"] == "go"
    assert {row["decision"] for row in more} == {"go"}
    assert 1 <= len(more) <= 12 - len(first)
    assert inputs["spent_flop"] == pytest.approx(spent, rel=1e-9)
    assert math.fsum(row["train_flop"] for row in more) <= (inputs["flop"] - spent) * (1 + 1e-9)
    assert [row["id"] for row in more] == [f"p{len(first) + i:02d}" for i in range(len(more))]
    assert not any(near(new, old) for new in more for old in first)
    assert inputs["law_fitted"]["id"] == "own-runs"
    assert inputs["value"]["gain_flop"] > inputs["value"]["cost_flop"] > 0
    # The refit is of the truth, within what so few runs leave open.
    target = inputs["target"]
    best = float(TRUTH.optimum(1e22).params)
    assert abs(math.log(target["params"] / best)) < 4 * inputs["params_se_before"]
    assert inputs["designs"][0]["params_se"] < inputs["params_se_before"]


def test_seeds_of_one_point_measure_the_noise(pilot, rows, finished):
    envelope = after(pilot, finished(rows[:-1]), "-q").succeeded().envelope
    noise = envelope["inputs"]["noise"]["seed"]
    assert noise != 0.003
    assert 0.001 < noise < 0.01
    given = after(pilot, finished(rows[:-1]), "-q", "--noise", "0.3%").succeeded().envelope
    assert given["inputs"]["noise"]["seed"] == 0.003
    assert "measured_noise" not in {each["code"] for each in given["warnings"]}


def test_numbers_go_on_after_the_highest_name_and_after_the_count_without_names(pilot, rows, finished):
    renamed = [row | {"id": f"p{40 + i}"} for i, row in enumerate(rows[:-2])]
    assert after(pilot, finished(renamed), "-q").succeeded().envelope["rows"][0]["id"] == "p50"
    bare = after(pilot, finished(rows[:-2], names=False), "-q").succeeded().envelope
    assert bare["rows"][0]["id"] == f"p{len(rows) - 2}"


def test_runs_that_cost_more_than_they_save_are_stopped_with_the_reason(pilot, rows, finished):
    words = ("--noise", "0.01%", "--misfit", "0", "--share", "60%")
    result = after(pilot, finished(rows[:-1], noise=1e-4), *words).succeeded("stop")
    envelope = result.envelope
    assert envelope["inputs"]["decision"] == "stop"
    assert {row["decision"] for row in envelope["rows"]} <= {"stop"}
    value = envelope["inputs"]["value"]
    assert value["gain_flop"] <= value["cost_flop"]
    (told,) = (text for code, text in result.notices if code == "stop")
    assert "plan with the law of these" in told
    table = pilot(*TARGET, *words, "--after", "finished.csv", "-q").succeeded().stdout
    assert "decision: stop" in table


def test_when_all_runs_are_made_nothing_is_proposed(pilot, rows, finished):
    result = after(pilot, finished(rows)).succeeded("finished")
    assert result.envelope["rows"] == []
    assert result.envelope["inputs"]["decision"] == "stop"
    (told,) = (text for code, text in result.notices if code == "finished")
    assert told.startswith("all runs are made: 12 runs took")
    table = pilot(*TARGET, "--after", "finished.csv", "-q").succeeded().stdout
    assert "finished: 12 runs" in table
    assert pilot(*TARGET, "--after", "finished.csv", "-q", "-f", "csv").succeeded().table == []


def test_when_the_share_is_spent_nothing_is_proposed(pilot, rows, finished):
    table = finished(rows[:-1])
    result = pilot("--flops", "1e22", "--runs", "20", "--share", "0.5%", "--after", table, "-f", "json")
    told = dict(result.succeeded("finished").notices)["finished"]
    assert told.startswith("too little is left for another run: 11 runs took")
    assert result.envelope["inputs"]["spent_flop"] > result.envelope["inputs"]["flop"]


def test_the_decision_of_finished_pilots_can_be_read_alone(pilot, rows, finished):
    assert pilot(*TARGET, "--after", finished(rows[:-2]), "-q", "--get", "decision").succeeded().stdout == "go\n"
    assert pilot(*TARGET, "--after", finished(rows), "-q", "--get", "decision").succeeded().stdout == "stop\n"


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("", 3, "runs.csv: empty; the first line must name the columns"),
        ("params,tokens,loss\n", 3, "runs.csv: a header and no rows"),
        ("tokens,loss\n1e9,3\n", 3, "runs.csv:1: no column 'params'"),
        ("params,tokens,loss\n1e9,2e10,2.5\n", 2, "runs.csv: every run has 1B parameters"),
        ("params,tokens,loss\nabc,2e10,2.5\n", 3, "runs.csv:2: params: not a number: 'abc'"),
        ("params,tokens,loss\n1e9,2e10,-1\n", 3, "runs.csv:2: loss"),
        (None, 3, "runs.csv: no such file"),
    ],
)
def test_finished_tables_that_tell_nothing_are_refused(pilot, tmp_path, text, code, said):
    if text is not None:
        (tmp_path / "runs.csv").write_text(text)
    pilot(*TARGET, "--after", "runs.csv").failed(code, said)


def test_not_a_number_is_refused_by_its_line(pilot, tmp_path):
    (tmp_path / "runs.csv").write_text("params,tokens,loss\n1e9,nan,2.5\n2e9,2e10,nan\n")
    result = pilot(*TARGET, "--after", "runs.csv")
    assert (result.code, result.stdout) == (3, "")
    assert "runs.csv:2: tokens: must be a finite number (got nan)" in result.stderr
    assert "runs.csv:3: loss: must be a finite number (got nan)" in result.stderr


def test_fewer_finished_runs_than_constants_ask_for_more(pilot, rows, finished):
    pilot(*TARGET, "--after", finished(rows[:4])).failed(2, "at least 6 are needed", "add runs")


def test_a_folder_is_no_table_of_finished_runs(pilot, tmp_path):
    (tmp_path / "folder").mkdir()
    pilot(*TARGET, "--after", "folder").failed(3, "folder: a folder, not a file")
    pilot(*TARGET[:2], "--score", "folder").failed(3, "folder: a folder, not a file")


def test_hours_cannot_be_counted_from_a_table(pilot, rows, finished):
    words = ("--share", "20k gpu-hours", "--on", "h100-sxm")
    pilot(*TARGET, *words, "--after", finished(rows[:-1])).failed(2, "give --share 1%")


def test_a_grid_of_one_s_own_stands_beside_designs_of_the_same_compute(pilot):
    result = pilot("--flops", "1e24", "--score", str(GRID), "-f", "json").succeeded("ignored_columns")
    envelope = result.envelope
    own, *others = envelope["rows"]
    assert own["name"] == GRID.name
    assert own["runs"] == 42
    assert "no_accelerator" not in {each["code"] for each in envelope["warnings"]}
    designed = next(row for row in others if row["name"] == "designed")
    assert designed["loss_se"] < own["loss_se"]
    assert designed["params_se"] < own["params_se"]
    assert designed["train_flop"] <= own["train_flop"] * (1 + 1e-9)
    assert designed["compute_for_same"] is None
    assert 0 < own["compute_for_same"] < 1
    assert {row["name"] for row in others} >= {"6x6", "9x4"}
    assert own["tokens_per_param_decades"] > 1.5
    assert envelope["inputs"]["target"]["train_flop"] == 1e24
    sure = [row["loss_se"] * row["params_se"] for row in others if None not in (row["loss_se"], row["params_se"])]
    assert sure == sorted(sure)


def codes_of_score(pilot, tmp_path, points, flops="1e24"):
    (tmp_path / "own.csv").write_text("params,tokens\n" + "".join(f"{n!r},{d!r}\n" for n, d in points))
    result = pilot("--flops", flops, "--score", "own.csv", "-f", "json")
    return {code for code, _ in result.succeeded("far_target").notices}, result.envelope["rows"]


def test_few_runs_on_one_ray_are_linted_and_have_no_standard_error(pilot, tmp_path):
    codes, rows = codes_of_score(pilot, tmp_path, [(k * 1e8, k * 2e9) for k in (1, 2, 4)])
    assert codes >= {"few_runs", "narrow_ratio", "narrow_flop", "ill_conditioned", "far_target"}
    assert [rows[0][key] for key in ("loss_se", "params_se", "condition")] == [None] * 3
    assert rows[0]["tokens_per_param_decades"] == pytest.approx(0, abs=1e-12)


def test_starved_runs_are_linted(pilot, tmp_path):
    points = [(n, r * n) for n in (1e8, 3e8, 1e9) for r in (0.5, 2, 40)]
    codes, rows = codes_of_score(pilot, tmp_path, points)
    assert "starved_runs" in codes
    assert "few_runs" not in codes
    assert rows[0]["params_decades"] == pytest.approx(1)


def test_pilots_as_large_as_the_target_are_linted(pilot, tmp_path):
    points = [(n, r * n) for n in (1e9, 3e9, 1e10) for r in (5, 20, 80, 320)]
    (tmp_path / "own.csv").write_text("params,tokens\n" + "".join(f"{n!r},{d!r}\n" for n, d in points))
    result = pilot("--flops", "1e22", "--score", "own.csv", "-f", "json").succeeded("no_target")
    assert result.envelope["rows"][0]["decades_to_target"] < 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "own.csv: empty"),
        ("params,tokens\n", "own.csv: a header and no rows"),
        ("tokens\n1e9\n", "own.csv:1: no column 'params'"),
        ("params,tokens\n1e9,nan\n", "own.csv:2: tokens: must be a finite number"),
        ("params,tokens\nabc,1e9\n", "own.csv:2: params: not a number: 'abc'"),
        ("params,tokens\n-1e9,1e9\n", "own.csv:2: params"),
    ],
)
def test_runs_that_cannot_be_scored_are_refused_by_their_line(pilot, tmp_path, text, said):
    (tmp_path / "own.csv").write_text(text)
    pilot(*TARGET[:2], "--score", "own.csv").failed(3, said)


def test_a_table_to_score_needs_a_target(pilot, tmp_path):
    (tmp_path / "own.csv").write_text("params,tokens\n1e9,2e10\n")
    pilot("--score", "own.csv").failed(2, "pilots of which target?")
