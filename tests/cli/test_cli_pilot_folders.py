"""``scaleplan pilot --emit`` and ``--collect``: a job folder, its budget file, the loop to a plan, hostile names."""

from __future__ import annotations

import csv
import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from scaleplan.api import pilots as verbs
from scaleplan.api.pilot_folders import write_pilots
from scaleplan.specs.budget import read_budget
from scaleplan.specs.conditions import Conditions
from scaleplan.specs.machines import machine_of
from scaleplan.specs.pilot_budget import runs_before_text
from scaleplan.specs.run_tables import read_runs
from tests.cli.test_cli_hostile_text import CONTROL, ESCAPE

PROGRAM = str(Path(sys.executable).with_name("scaleplan"))
TARGET = ("--flops", "1e22", "--runs", "12")
ON = ("--on", "8xh100-sxm", "--mfu", "0.4")
SHELL = {"manifest.csv", "budget.yaml", "run.sh", "all.sh", "check.sh"}
CLUSTER = {"pilots.sbatch", "submit.sh", "ray_jobs.json", "ray.sh", "sky.sh", ".skyignore"}
TRAIN = """\
#!/bin/sh
# A training that measures what Besiroglu et al. 2024 (arXiv 2404.10102) expect, but for 0.3 % that hang on the run.
awk -v n="$1" -v d="$2" -v k="$4" 'BEGIN {
  noise = 0.003 * sin(12.9 * k); printf "{\\"loss\\": %.12f}\\n",
  (1.8172 + 482.01 / n ^ 0.3478 + 2085.43 / d ^ 0.3658) * (1 + noise) }' >"$3"
"""
NAMES = (
    "$(touch pwned)", "; touch pwned #", "`touch pwned`", "'; touch pwned; '", '"', "a\nb", "[red]x[/]", "=1+1",
    "{params}", ESCAPE, "a: b # c", "- x", "../../up", "%s %d",
)  # fmt: skip

pytestmark = pytest.mark.usefixtures("short_curve")


@pytest.fixture(scope="module")
def designed():
    """What was designed in this module, by its words."""
    return {}


@pytest.fixture
def pilot(call, monkeypatch, designed):
    """The command over a verb that remembers what it made of flags, so that one plan is written in many ways."""
    verb = verbs.pilot

    def once(**words):
        if words["budget"] is not None or words["after"] is not None:
            return verb(**words)
        key = repr(sorted(words.items(), key=lambda each: each[0]))
        if key not in designed:
            designed[key] = verb(**words)
        return designed[key]

    monkeypatch.setattr(verbs, "pilot", once)
    monkeypatch.setattr("os.fsync", lambda _: None)  # a dozen files a test, none of which outlives it
    return lambda *words: call("pilot", *words)


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def run_columns(rows):
    return [[row[key] for key in ("id", "role", "params", "tokens", "shape", "steps", "learning_rate")] for row in rows]


def test_without_a_command_the_folder_holds_the_runs_and_what_they_are_for(pilot, tmp_path):
    rows = pilot(*TARGET, "--emit", "jobs", "-f", "json", "-q").succeeded().envelope["rows"]
    assert names_in(tmp_path / "jobs") == {"manifest.csv", "budget.yaml"}
    with (tmp_path / "jobs/manifest.csv").open(newline="") as file:
        written = list(csv.DictReader(file))
    assert [row["id"] for row in written] == [row["id"] for row in rows]
    assert [row["shape"] for row in written] == [row["shape"] for row in rows]
    assert [float(row["params"]) for row in written] == [row["params"] for row in rows]
    assert {row["gpu_hours"] for row in written} == {""}


def test_without_an_accelerator_a_command_gets_shell_scripts_and_a_word_on_the_others(pilot, tmp_path):
    result = pilot(*TARGET, "--emit", "jobs", "--command", "train {params}")
    assert any(
        code == "no_accelerator" and "Slurm" in text for code, text in result.succeeded("no_accelerator").notices
    )
    assert names_in(tmp_path / "jobs") == SHELL
    assert os.access(tmp_path / "jobs/run.sh", os.X_OK)


def test_with_an_accelerator_there_is_a_file_for_every_kind_of_cluster(pilot, tmp_path):
    words = ("--emit", "jobs", "--command", "train {params} {result}", "--at-once", "3", "--gpus-per-node", "4")
    pilot(*TARGET, *ON, *words, "-q").succeeded()
    names = names_in(tmp_path / "jobs")
    assert names - {name for name in names if name.startswith("sky-")} == SHELL | CLUSTER
    assert "%3" in (tmp_path / "jobs/submit.sh").read_text() + (tmp_path / "jobs/pilots.sbatch").read_text()
    for task in (tmp_path / "jobs").glob("sky-*.yaml"):
        assert yaml.safe_load(task.read_text())["resources"]
    assert json.loads((tmp_path / "jobs/ray_jobs.json").read_text())


def test_the_budget_file_is_sound_and_designs_the_same_runs(pilot, call):
    words = ("--noise", "0.4%", "--max-run", "30%", "--ratios", "2:500", "--goal", "params", "--seeds", "2")
    rows = pilot(*TARGET, *ON, *words, "--emit", "jobs", "-f", "json", "-q").succeeded().envelope["rows"]
    assert "sound (scaleplan.budget/1)" in call("check", "jobs/budget.yaml").succeeded().stdout
    again = pilot("jobs/budget.yaml", "-f", "json", "-q").succeeded().envelope["rows"]
    assert run_columns(again) == run_columns(rows)
    assert [row["accelerators"] for row in again] == [row["accelerators"] for row in rows]
    # What was given for the bill is in it too.
    assert [row["gpu_hours"] for row in again] == pytest.approx([row["gpu_hours"] for row in rows], rel=1e-9)


def test_a_law_file_stays_the_law_of_the_budget_file(pilot, configs):
    law = str(configs / "laws" / "my-lab.yaml")
    words = ("--flops", "1e24", "--law", law, "--goal", "loss", "--share", "2%")
    rows = pilot(*words, "--emit", "jobs", "-f", "json", "-q").succeeded().envelope["rows"]
    again = pilot("jobs/budget.yaml", "-f", "json", "-q").succeeded().envelope
    assert run_columns(again["rows"]) == run_columns(rows)


def test_a_folder_is_written_again_but_not_over_results_of_other_runs(pilot, tmp_path):
    emit = ("--emit", "jobs", "--command", "train {params}", "-q")
    pilot(*TARGET, *emit).succeeded()
    pilot(*TARGET, *emit).succeeded()
    (tmp_path / "jobs/results").mkdir()
    (tmp_path / "jobs/results/p00.json").write_text("{}")
    pilot(*TARGET, *emit).succeeded()
    before = (tmp_path / "jobs/manifest.csv").read_bytes()
    pilot(*TARGET, *ON, *emit).failed(2, "jobs: has results of another manifest", "write to another folder")
    assert (tmp_path / "jobs/manifest.csv").read_bytes() == before


def test_a_budget_file_of_ones_own_is_never_replaced(pilot, tmp_path):
    (tmp_path / "budget.yaml").write_text("mine\n")
    refused = pilot(*TARGET, "--emit", ".", "-q")
    refused.failed(2, ".: 'budget.yaml' stands there and is not ours: write elsewhere")
    assert names_in(tmp_path) == {"budget.yaml"}
    assert (tmp_path / "budget.yaml").read_text() == "mine\n"


def test_a_later_stage_knows_the_runs_before(pilot, tmp_path, designed):
    pilot(*TARGET, "-q").succeeded()
    (tmp_path / "first.csv").write_text("run,params,tokens,loss\np00,1e7,1e9,4.5\n$(x),2e7,1e9,4.25\n")
    known = SimpleNamespace(table=read_runs("first.csv"))
    plan = next(iter(designed.values()))
    write_pilots(replace(plan, fitted=known), "jobs", command="train {params}")
    assert (tmp_path / "jobs/before.csv").read_text() == (
        "run,params,tokens,loss\np00,10000000.0,1000000000.0,4.5\n$(x),20000000.0,1000000000.0,4.25\n"
    )
    collected = pilot("--collect", "jobs", "-f", "csv", "-o", "runs.csv")
    assert (collected.code, collected.notices[0][0]) == (0, "earlier_runs")
    assert read_runs("runs.csv").runs.names == ("p00-before", "$(x)")
    (tmp_path / "nameless.csv").write_text("params_nonembedding,tokens,loss\n1e7,1e9,4.5\n")
    nameless = SimpleNamespace(table=read_runs("nameless.csv"))
    assert runs_before_text(replace(plan, fitted=nameless)) == (
        "run,params_nonembedding,tokens,loss\nline-2,10000000.0,1000000000.0,4.5\n"
    )


@pytest.mark.parametrize(("on", "gpus"), [("8xa100-sxm-80", 8), ("8xgb200", 8), ("8xgh200-96", 1), (None, 8)])
def test_a_node_has_as_many_accelerators_as_widths_are_chosen_by(pilot, on, gpus, monkeypatch, designed):
    pilot(*TARGET, "-q").succeeded()
    plan = next(iter(designed.values()))
    taken = []
    monkeypatch.setattr("scaleplan.api.pilot_folders.write_jobs", lambda *_, **words: taken.append(words) or ())
    machine = None if on is None else machine_of(Conditions(on=on))
    write_pilots(replace(plan, machine=machine), "jobs")
    assert taken[0]["gpus_per_node"] == gpus


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--emit", "none/jobs"), "none/jobs: no such folder as none"),
        (("--emit", "file"), "file: not a directory"),
        (("--emit", "jobs", "--command", ""), "command: empty; write one such as"),
        (("--emit", "jobs", "--command", "x {foo}"), "'{foo}' is no place for a number of a run"),
        (("--emit", "jobs", "--command", "x 'y"), "close it"),
        (("--emit", "jobs", "--command", "x {"), "a single brace"),
        (("--emit", "jobs", "--command", "A=1 x"), "write env A=1"),
        (("--emit", "jobs", "--command", "x\ny"), "one line of printable text"),
        (("--emit", "jobs", "--command", "x {accelerators}"), "{accelerators} is not known where no accelerator"),
        (("--emit", "jobs", "--command", "x", "--at-once", "0"), "at-once must be at least 1 (got 0)"),
        (("--emit", "jobs", "--command", "x", "--gpus-per-node", "x"), "gpus-per-node must be a whole number"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_a_folder_that_cannot_be_written_is_a_line_and_leaves_nothing(pilot, tmp_path, words, said):
    (tmp_path / "file").write_text("mine")
    pilot(*TARGET, *words).failed(2, said)
    assert names_in(tmp_path) == {"file"}
    assert (tmp_path / "file").read_text() == "mine"


def bash(place, *words):
    environment = os.environ | {"SCALEPLAN": PROGRAM, "CDPATH": "/"}
    return subprocess.run(["bash", *words], cwd=place, capture_output=True, text=True, env=environment, check=False)


def test_from_pilots_to_a_plan_on_one_folder(pilot, call, tmp_path):
    (tmp_path / "train").write_text(TRAIN)
    (tmp_path / "train").chmod(0o755)
    command = f"{shlex.quote(str(tmp_path / 'train'))} {{params}} {{tokens}} {{result}} {{steps}}"
    rows = pilot(*TARGET, "--emit", "jobs", "--command", command, "-f", "json", "-q").succeeded().envelope["rows"]
    done = bash(tmp_path, "jobs/all.sh")
    assert done.returncode == 0, done.stderr
    assert f"go: {rows[-1]['id']}" in done.stdout
    assert "skipped" in bash(tmp_path, "jobs/run.sh", "p00").stdout

    collected = pilot("--collect", "jobs", "-f", "json").succeeded().envelope
    assert [row["run"] for row in collected["rows"]] == [row["id"] for row in rows]
    assert {each["status"] for each in collected["inputs"]["outcomes"]} == {"finished"}
    assert pilot("--collect", "jobs", "-f", "csv", "-o", "runs.csv").code == 0
    call("fit", "runs.csv", "--no-prior", "--out", "law.yaml", "-q").succeeded()
    plan = call("allocate", "--law", "law.yaml", "--flops", "1e22", "-f", "json", "-q").succeeded().envelope["rows"][0]
    # The law that made the results has its least loss, 2.1405, at 9.06 B parameters.
    assert plan["loss"] == pytest.approx(2.1405, rel=0.06)
    assert 9.06e9 / 3 < plan["params"] < 9.06e9 * 3
    over = pilot("jobs/budget.yaml", "--after", "runs.csv", "-f", "json").succeeded("finished").envelope
    assert over["inputs"]["law_fitted"]["id"] == "own-runs"


def test_a_run_that_failed_and_one_that_is_missing_are_told_apart(pilot, tmp_path):
    pilot(*TARGET, "--emit", "jobs", "--command", "sh -c 'exit 7'", "-q").succeeded()
    assert bash(tmp_path, "jobs/run.sh", "p03").returncode == 7
    result = pilot("--collect", "jobs", "-f", "json").succeeded("failed_runs", "missing_runs")
    status = {each["run_id"]: each["status"] for each in result.envelope["inputs"]["outcomes"]}
    assert status.pop("p03") == "failed"
    assert set(status.values()) == {"missing"}
    assert result.envelope["rows"] == []
    table = pilot("--collect", "jobs", "-q").succeeded().stdout
    assert "0 of 12 runs finished" in table
    assert max(map(len, table.splitlines())) <= 80
    pilot("--collect", "jobs", "--get", "loss").failed(2, "no rows")


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("none", "none: no such"),
        ("file", "file: not a folder of results"),
        ("empty", "empty: no results"),
        ("", "folder"),
    ],
)
def test_what_cannot_be_collected_is_refused(pilot, tmp_path, folder, said):
    (tmp_path / "file").write_text("params,tokens\n")
    (tmp_path / "empty").mkdir()
    pilot("--collect", folder).failed(3, said)


@pytest.fixture
def renamed(call, monkeypatch, designed):
    """The command over one plan, under the name that the budget file gives."""
    monkeypatch.setattr("os.fsync", lambda _: None)
    verb = verbs.pilot

    def under(**words):
        plan = designed.setdefault("plan", None) or verb(**words)
        designed["plan"] = plan
        name = read_budget(words["budget"]).name
        proposal = replace(plan.proposal, manifest=plan.proposal.manifest._replace(name=name))
        return replace(plan, name=name, proposal=proposal)

    monkeypatch.setattr(verbs, "pilot", under)
    return lambda *words: call("pilot", *words)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_hostile_name_stays_text_everywhere(renamed, tmp_path, name):
    head = f"schema: scaleplan.budget/1\nname: {json.dumps(name)}\nbudget: {{flops: 1e22}}\n"
    (tmp_path / "plan.yaml").write_text(f"{head}pilots: {{share: 1%, runs: 12, on: 8xh100-sxm}}\n")
    argument = shlex.quote(name).replace("{", "{{").replace("}", "}}") if name.isprintable() else ""
    words = ("plan.yaml", "--emit", "jobs", "--command", f"echo {argument} {{params}}", "-q")
    result = renamed(*words, "-f", "json").succeeded()
    assert result.envelope["inputs"]["name"] == name
    assert not CONTROL.search(result.stdout)
    assert yaml.safe_load((tmp_path / "jobs/budget.yaml").read_text())["name"] == name
    for form in ("table", "markdown", "csv"):
        assert not CONTROL.search(renamed("plan.yaml", "-q", "-f", form).succeeded().stdout)
    if name.isprintable():
        assert f"{name}: 12 pilot runs" in renamed("plan.yaml", "-q").stdout
    scripts = [path for path in (tmp_path / "jobs").iterdir() if path.suffix in {".sh", ".sbatch"}]
    assert len(scripts) == 7
    for script in scripts:
        assert bash(tmp_path, "-n", str(script)).returncode == 0
    assert bash(tmp_path, "jobs/run.sh", "p00").returncode == 0
    assert names_in(tmp_path) == {"plan.yaml", "jobs"}
    assert "pwned" not in names_in(tmp_path / "jobs")
    params = result.envelope["rows"][0]["params"]
    log = (tmp_path / "jobs/results/p00.log").read_text()
    assert log == (f"{name} {params:.0f}\n" if argument else f"{params:.0f}\n")


def test_messages_about_hostile_words_hold_no_control_characters(pilot):
    for words in (
        ("--emit", ESCAPE + "/x"),
        ("--collect", ESCAPE),
        ("--score", ESCAPE),
        ("--on", ESCAPE),
        ("--law", ESCAPE),
    ):
        target = () if words[0] == "--collect" else TARGET[:2]
        result = pilot(*target, *words)
        assert result.code in {2, 3}, result.stderr
        assert not CONTROL.search(result.stderr)
        assert len(result.stderr.splitlines()) == 1
