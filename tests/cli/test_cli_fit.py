"""``scaleplan fit`` from the outside: what it prints, what it writes, what it refuses."""

import contextlib
import csv
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from scaleplan.laws.additive import Additive
from tests.cli.conftest import Result

RUNS = Path(__file__).resolve().parents[2] / "configs" / "runs" / "isoflop-grid.csv"
TRUTH = Additive(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)


def table(path, *, noise=0.003, budgets=6, sizes=6, seed=0, header="run,params,tokens,loss", law=TRUTH):
    """An IsoFLOP grid that a law made, as CSV."""
    rng = np.random.default_rng(seed)
    lines = [header]
    for flop in np.geomspace(1e19, 1e21, budgets):
        for off in np.geomspace(1 / 8, 8, sizes):
            params = float(law.optimum(flop).params * off)
            tokens = flop / (6 * params)
            loss = law.loss(params, tokens) * np.exp(noise * rng.standard_normal())
            lines.append(f"r{len(lines)},{params!r},{float(tokens)!r},{float(loss)!r}")
    path.write_text("\n".join(lines) + "\n")
    return path


class Noticed(Result):
    """A result whose notices are the business of other tests: those of diagnostics."""

    def succeeded(self, *codes):
        assert self.code == 0, self.stderr
        assert {code for code, _ in self.notices} >= set(codes), self.stderr
        return self


@pytest.fixture(name="run")
def _run(call):
    def start(*words, stdin=""):
        result = call(*words, stdin=stdin)
        return Noticed(result.stdout, result.stderr, result.code)

    return start


@pytest.fixture(name="runs")
def _runs(tmp_path):
    return table(tmp_path / "runs.csv")


def test_the_law_that_is_written_is_the_law_that_made_the_runs(run, tmp_path):
    runs = table(tmp_path / "exact.csv", noise=0.0)
    out = tmp_path / "law.yaml"
    result = run("fit", str(runs), "--out", str(out), "--no-prior", "--format", "json").succeeded()
    row = json.loads(result.stdout)["rows"][0]
    for name in ("A", "B", "E", "alpha", "beta"):
        assert row[name] == pytest.approx(getattr(TRUTH, name), rel=1e-5)
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
    assert row["status"] == "converged"
    assert row["objective"] < 1e-12
    plan = json.loads(
        run("allocate", "--law", str(out), "--flops", "1e21", "--format", "json", "-q").succeeded().stdout
    )
    assert plan["rows"][0]["params"] == pytest.approx(TRUTH.optimum(1e21).params, rel=1e-4)


@pytest.mark.parametrize("words", [(), ("--objective", "hoffmann", "--bootstrap", "200"), ("--objective", "mse")])
def test_every_command_takes_the_file(run, runs, tmp_path, words):
    out = tmp_path / "ours.yaml"
    run("fit", str(runs), "--out", str(out), *words).succeeded()
    for command in (
        ("allocate", "--flops", "1e23"),
        ("allocate", "--loss", "2.2"),
        ("compare", "gopher", "chinchilla"),
        ("predict", "--params", "7B", "--tokens", "140B"),
        ("frontier", "--from", "1e20", "--to", "1e23"),
    ):
        shown = json.loads(run(*command, "--law", str(out), "--format", "json", "-q").succeeded().stdout)
        row = shown["rows"][0]
        assert np.isfinite(row["loss"])
        if command[0] != "compare":
            assert row["loss_low"] < row["loss"] < row["loss_high"]
    laws = json.loads(run("laws", str(out), "--format", "json").succeeded().stdout)
    assert {row["symbol"] for row in laws["rows"]} >= {"A", "B", "E", "alpha", "beta"}


def test_predictions_come_in_the_order_of_the_points_and_bands_nest(run, runs, tmp_path):
    out = tmp_path / "law.yaml"
    run("fit", str(runs), "--out", str(out)).succeeded()
    points = tmp_path / "points.csv"
    points.write_text("params,tokens\n7e9,1.4e11\n1e9,2e10\n7e10,1.4e12\n")
    bands = {}
    for words in (("--level", "0.5"), ("--level", "0.95"), ("--band", "sampling")):
        shown = run("predict", "--law", str(out), "--runs", str(points), "--format", "json", "-q", *words).succeeded()
        rows = json.loads(shown.stdout)["rows"]
        assert [row["params"] for row in rows] == [7e9, 1e9, 7e10]
        for row in rows:
            assert row["loss"] == pytest.approx(TRUTH.loss(row["params"], row["tokens"]), rel=0.05)
        bands[words] = [row["loss_high"] - row["loss_low"] for row in rows]
    half, full, sampling = bands.values()
    assert all(a < b for a, b in zip(half, full, strict=True))
    assert all(a <= b for a, b in zip(sampling, full, strict=True))
    assert sampling[2] < 0.9 * full[2]


def test_the_seed_fixes_every_bit_of_the_file_and_the_workers_change_none(run, runs, tmp_path):
    texts = []
    for workers, seed in (("1", "7"), ("2", "7"), ("1", "8")):
        out = tmp_path / "law.yaml"
        run("fit", str(runs), "--out", str(out), "--bootstrap", "300", "--seed", seed, "--workers", workers).succeeded()
        texts.append(out.read_text())
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_the_file_says_how_to_repeat_the_fit(run, runs, tmp_path):
    out = tmp_path / "law.yaml"
    run("fit", str(runs), "--out", str(out), "--where", "params < 5e9", "--bootstrap", "200").succeeded()
    law = yaml.safe_load(out.read_text())
    recipe = law["recipe"]
    assert recipe["form"] == "additive"
    assert recipe["objective"] == "huber"
    assert recipe["priors"]["alpha"] == recipe["priors"]["beta"] == {"mean": 0.35, "sd": 0.075}
    assert set(recipe["priors"]) == {"alpha", "beta", "ln_E", "ln_N_opt"}
    assert recipe["resamples"] == 200
    assert recipe["runs"]["rows_read"] == 36
    assert recipe["runs"]["rows"] < 36
    assert recipe["runs"]["where"] == ["params < 5e9"]
    assert recipe["runs"]["digest"].startswith("sha256:")
    assert recipe["search"]["agree"] <= recipe["search"]["starts"]
    assert recipe["validation"]
    low, high = (float(end) for end in law["fitted"]["params"])
    assert low < high < 5e9


def test_columns_by_other_names_and_rows_by_condition(run, tmp_path):
    runs = table(tmp_path / "odd.csv", header="name,n,d,val_loss")
    words = ("--column", "params=n", "--column", "tokens=d", "--column", "loss=val_loss", "--where", "n < 1e10")
    row = json.loads(run("fit", str(runs), *words, "--format", "json").succeeded().stdout)["rows"][0]
    assert row["rows"] < 36
    assert row["alpha"] == pytest.approx(0.34, abs=0.1)


def test_the_plain_fit_has_no_prior_and_says_so(run, runs):
    plain = json.loads(run("fit", str(runs), "--no-prior", "--format", "json").succeeded().stdout)
    drawn = json.loads(run("fit", str(runs), "--format", "json").succeeded().stdout)
    assert plain["inputs"]["recipe"]["priors"] == {}
    assert plain["inputs"]["recipe"]["weights"] == "equal"
    assert drawn["inputs"]["recipe"]["priors"]["alpha"]["sd"] == 0.075
    assert "L_min" in drawn["inputs"]["recipe"]["weights"]
    assert plain["rows"][0]["alpha"] != drawn["rows"][0]["alpha"]


@pytest.mark.parametrize("form", ["tied", "kaplan-joint", "over-training", "compute-only", "one-break"])
def test_every_form_gives_a_law_that_plans(run, runs, tmp_path, form):
    out = tmp_path / "law.yaml"
    run("fit", str(runs), "--form", form, "--out", str(out)).succeeded()
    row = json.loads(run("allocate", "--law", str(out), "--flops", "1e22", "--format", "json").succeeded().stdout)[
        "rows"
    ][0]
    assert 1e8 < row["params"] < 1e11
    assert 1.5 < row["loss"] < 3.5
    assert row["loss_low"] < row["loss"] < row["loss_high"]
    points = tmp_path / "points.csv"
    points.write_text("params,tokens\n1e9,2e10\n")
    shown = run("predict", "--law", str(out), "--runs", str(points), "--format", "json").succeeded()
    assert 1.5 < json.loads(shown.stdout)["rows"][0]["loss"] < 3.5


def test_repetition_needs_to_know_what_is_unique_and_fits_where_it_does(run, runs, tmp_path):
    refused = run("fit", str(runs), "--form", "repetition")
    assert refused.code == 2
    assert "unique_tokens" in refused.stderr
    with runs.open() as file:
        rows = list(csv.DictReader(file))
    repeated = tmp_path / "repeated.csv"
    lines = ["params,tokens,unique_tokens,loss"]
    for i, row in enumerate(rows):
        epochs = (1, 2, 4, 8)[i % 4]
        tokens = float(row["tokens"])
        worth = tokens / epochs * (1 + 15 * (1 - np.exp((1 - epochs) / 15)))
        lines.append(f"{row['params']},{tokens},{tokens / epochs},{TRUTH.loss(float(row['params']), worth)}")
    repeated.write_text("\n".join(lines) + "\n")
    out = tmp_path / "law.yaml"
    result = run("fit", str(repeated), "--form", "repetition", "--out", str(out), "--format", "json").succeeded()
    assert 4 < json.loads(result.stdout)["rows"][0]["R_D_star"] < 60
    run("allocate", "--law", str(out), "--flops", "1e22").succeeded()


def test_all_three_approaches_stand_side_by_side(run, tmp_path):
    runs = table(tmp_path / "runs.csv", sizes=7)
    result = run("fit", str(runs), "--method", "all", "--format", "json").succeeded()
    rows = json.loads(result.stdout)["rows"]
    assert [row["method"] for row in rows][:2] == ["parametric", "isoflop"]
    exponents = [row["params_exponent"] for row in rows[:2]]
    assert exponents[0] == pytest.approx(exponents[1], abs=0.05)


def test_the_isoflop_law_plans_by_its_own_rule(run, tmp_path):
    runs = table(tmp_path / "runs.csv", sizes=7)
    out = tmp_path / "iso.yaml"
    run("fit", str(runs), "--method", "isoflop", "--out", str(out)).succeeded()
    row = json.loads(run("allocate", "--law", str(out), "--flops", "1e22", "--format", "json").succeeded().stdout)[
        "rows"
    ][0]
    assert row["params"] == pytest.approx(TRUTH.optimum(1e22).params, rel=0.2)
    assert row["params_low"] < row["params"] < row["params_high"]
    assert row["loss"] == pytest.approx(TRUTH.optimum(1e22).loss, rel=0.02)


def test_forms_are_ranked_on_request(run, runs):
    result = run("fit", str(runs), "--compare", "--format", "json").succeeded()
    rows = json.loads(result.stdout)["rows"]
    assert {row["form"] for row in rows} >= {"additive", "tied", "kaplan-joint"}
    assert rows[0]["form"] == "additive"
    assert all(row["aicc"] is not None for row in rows[1:])


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("--executor", "dask"), ("--scheduler",)),
        (("--scheduler", "tcp://127.0.0.1:1"), ("--executor dask",)),
        (("--column", "loss"), ("OURS=THEIRS", "'loss'")),
        (("--column", "loss=a", "--column", "loss=b"), ("loss twice",)),
        (("--bootstrap", "5"), ("at least 40",)),
        (("--bootstrap", "many"), ("whole number",)),
        (("--seed", "-1"), ("whole number",)),
        (("--level", "95"), ("fraction",)),
        (("--workers", "0"), ("workers",)),
        (("--form", "adaptive"), ("adaptive",)),
        (("--out", "besiroglu-2024.yaml"), ("shipped law",)),
        (("--where", "flopz < 3"), ("flopz",)),
    ],
)
def test_words_that_make_no_sense_are_refused_with_what_would(run, runs, words, fragments):
    result = run("fit", str(runs), *words)
    assert result.code == 2
    assert result.stdout == ""
    assert all(fragment in result.stderr for fragment in fragments), result.stderr


@pytest.mark.parametrize(
    ("spoil", "fragments"),
    [
        (lambda rows: rows[3].update(loss="-1"), ("runs.csv:5", "loss", "-1")),
        (lambda rows: rows[3].update(loss="nan"), ("runs.csv:5", "loss")),
        (lambda rows: rows[3].update(loss="inf"), ("runs.csv:5", "loss")),
        (lambda rows: rows[3].update(params="0"), ("runs.csv:5", "params")),
        (lambda rows: rows[3].update(tokens=""), ("runs.csv:5", "tokens")),
        (lambda rows: rows[7].update(loss="57.1"), ("line 9: 57.1", "bits", "--any-loss")),
        (lambda rows: rows[7].update(loss="0.02"), ("line 9: 0.02", "percent", "--any-loss")),
    ],
)
def test_bad_rows_are_named_and_no_law_is_written(run, runs, tmp_path, spoil, fragments):
    with runs.open() as file:
        rows = list(csv.DictReader(file))
    spoil(rows)
    with runs.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    out = tmp_path / "law.yaml"
    out.write_text("the old file\n")
    result = run("fit", str(runs), "--out", str(out))
    assert result.code == 3
    assert result.stdout == ""
    assert all(fragment in result.stderr for fragment in fragments), result.stderr
    assert out.read_text() == "the old file\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["law.yaml", "runs.csv"]


def test_too_few_runs_are_refused_with_how_many_are_needed(run, tmp_path):
    runs = table(tmp_path / "few.csv", budgets=2, sizes=2)
    result = run("fit", str(runs))
    assert result.code == 2
    assert "at least 5" in result.stderr


def test_one_size_alone_is_refused(run, tmp_path):
    runs = tmp_path / "one.csv"
    runs.write_text("params,tokens,loss\n" + "".join(f"1e9,{t}e9,{3.2 - 0.01 * t}\n" for t in range(2, 30)))
    result = run("fit", str(runs))
    assert result.code == 2
    assert "every run has 1B parameters" in result.stderr
    assert "compute-only" in result.stderr


def test_a_result_file_and_a_law_file_are_two_things(run, runs, tmp_path):
    out, printed = tmp_path / "law.yaml", tmp_path / "result.json"
    result = run("fit", str(runs), "--out", str(out), "-o", str(printed), "--format", "json").succeeded()
    assert result.stdout == ""
    assert json.loads(printed.read_text())["schema"] == "scaleplan.fit/1"
    assert out.read_text().startswith("# Fitted by scaleplan")


def test_standard_input_is_a_table_too(run, runs):
    result = run("fit", "-", "--format", "json", stdin=runs.read_text()).succeeded()
    assert json.loads(result.stdout)["rows"][0]["rows"] == 36


def test_every_format_prints_the_same_law(run):
    values = set()
    for form in ("json", "ndjson", "csv"):
        text = run("fit", str(RUNS), "--format", form, "-q").succeeded().stdout
        if form == "csv":
            values.add(next(csv.DictReader(text.splitlines()))["alpha"])
        else:
            data = json.loads(text.splitlines()[0] if form == "ndjson" else text)
            values.add(repr((data if form == "ndjson" else data["rows"][0])["alpha"]))
    assert len(values) == 1
    for form in ("table", "markdown"):
        text = run("fit", str(RUNS), "--format", form, "-q").succeeded().stdout
        assert "alpha" in text
        assert "back-test" in text


def test_a_typo_is_reported_though_the_condition_would_leave_it_out(run, runs):
    text = runs.read_text().splitlines()
    text[3] = text[3].rsplit(",", 1)[0] + ",abc"
    runs.write_text("\n".join(text) + "\n")
    result = run("fit", str(runs), "--where", "loss IS NOT NULL")
    assert result.code == 3
    assert "runs.csv:4: loss: not a number: 'abc'" in result.stderr
    text[3] = text[3].rsplit(",", 1)[0] + ","
    runs.write_text("\n".join(text) + "\n")
    run("fit", str(runs), "--where", "loss IS NOT NULL").succeeded("rows_filtered")


@pytest.mark.parametrize(("column", "value"), [(1, "1e300"), (2, "1e31"), (1, "0.5"), (2, "inf")])
def test_sizes_beyond_any_run_are_refused_by_line(run, runs, column, value):
    lines = runs.read_text().splitlines()
    cells = lines[3].split(",")
    cells[column] = value
    lines[3] = ",".join(cells)
    runs.write_text("\n".join(lines) + "\n")
    result = run("fit", str(runs))
    assert result.code == 3
    assert "runs.csv:4: " in result.stderr
    assert value in result.stderr


def test_files_that_would_replace_each_other_are_refused_before_any_work(run, runs, tmp_path):
    before = runs.read_text()
    for words in (("-o", str(runs)), ("--out", "law.yaml", "-o", "./law.yaml")):
        result = run("fit", str(runs), *words)
        assert result.code == 2
        assert "one would replace the other" in result.stderr
    assert run("fit", str(runs), "-o", str(tmp_path / "no" / "x.json")).code == 2
    assert runs.read_text() == before
    assert [path.name for path in tmp_path.iterdir()] == ["runs.csv"]


def test_six_runs_are_not_resampled(run, tmp_path):
    runs = table(tmp_path / "six.csv", budgets=3, sizes=2, noise=0.01)
    result = run("fit", str(runs), "--no-prior", "--bootstrap", "200")
    assert result.code == 2
    assert "cannot be resampled" in result.stderr
    row = json.loads(
        run("fit", str(runs), "--objective", "hoffmann", "--format", "json").succeeded("bootstrap_left_out").stdout
    )["rows"][0]
    assert row["intervals"] == "delta method"


def test_forms_are_compared_on_as_few_runs_as_can_be_fitted(run, tmp_path):
    for budgets in (3, 4):
        runs = table(tmp_path / "few.csv", budgets=budgets, sizes=2)
        rows = json.loads(run("fit", str(runs), "--compare", "--format", "json").succeeded().stdout)["rows"]
        assert rows[0]["form"] in {"additive", "tied"}
        assert all(row["aicc"] is None or np.isfinite(row["aicc"]) for row in rows)


def test_a_scheduler_without_resamples_is_refused(run, runs):
    result = run("fit", str(runs), "--executor", "dask", "--scheduler", "tcp://127.0.0.1:9")
    assert result.code == 2
    assert "--bootstrap N" in result.stderr
    garbage = run("fit", str(runs), "--executor", "dask", "--scheduler", "garbage::", "--bootstrap", "100")
    assert garbage.code == 2
    assert "tcp://10.0.0.1:8786" in garbage.stderr


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc")
def test_workers_end_with_the_process_that_asked_for_them(runs, tmp_path):
    words = [sys.executable, "-m", "scaleplan", "fit", str(runs), "--bootstrap", "1000000", "--workers", "2", "-q"]
    asked = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def children():
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, IndexError):
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if fields[1] == str(asked.pid) and "spawn_main" in (entry / "cmdline").read_text():
                    found.append(int(entry.name))
        return found

    try:
        workers: list[int] = []
        for _ in range(300):
            workers = children()
            if len(workers) == 2:
                break
            time.sleep(0.1)
        assert len(workers) == 2
        time.sleep(1.0)
        asked.terminate()
        asked.wait(timeout=30)
        for _ in range(300):
            if not any(Path(f"/proc/{pid}/stat").exists() for pid in workers):
                break
            time.sleep(0.1)
        assert not any(Path(f"/proc/{pid}/stat").exists() for pid in workers)
    finally:
        asked.kill()
