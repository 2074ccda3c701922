"""Job folders for Slurm, SkyPilot and Ray: what their commands are given, recorded by programs in their place."""

from __future__ import annotations

import json
import os

import pytest
import yaml

from scaleplan.pilots.manifest import Manifest
from scaleplan.specs.command_template import command_template
from scaleplan.specs.job_set import job_set, nodes_of
from scaleplan.specs.job_skypilot import SKYPILOT_NAMES
from scaleplan.specs.presets import ids
from tests.specs.test_specs_job_files import Jobs, script
from tests.specs.test_specs_manifest import MANIFEST, pilot


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)  # a dozen files a test, none of which outlives it
    return Jobs(tmp_path)


def test_runs_spread_over_equal_nodes():
    assert [nodes_of(count, 8) for count in (1, 8, 9, 12, 16, 24, 11)] == [1, 1, 3, 2, 2, 3, 11]


def test_slurm_is_asked_for_what_each_number_of_accelerators_needs(jobs):
    record = '#!/usr/bin/env bash\nprintf \'%s\\0\' "$@" end >>"$(dirname "$0")/argv.sbatch"\necho \'41;cluster\'\n'
    script(jobs.tools / "sbatch", record)
    script(jobs.tools / "squeue", "#!/bin/sh\necho '7 /other'\n")
    jobs.write(at_once=2, gpus_per_node=4)
    path = {"PATH": f"{jobs.tools}:{os.environ['PATH']}"}
    assert jobs.bash("submit.sh", "--account=$(touch pwned)", environment=path).returncode == 0
    first, second, check, last = " ".join(jobs.argv("sbatch")).split(" end")[:-1]
    shared = f"--parsable --chdir={jobs.folder}"
    option = "--account=$(touch pwned)"
    assert first == f"{shared} --nodes=1 --gres=gpu:1 --time=624 --array=0%2 {option} pilots.sbatch"
    assert second == f" {shared} --nodes=2 --gres=gpu:4 --time=624 --array=1,2%2 {option} pilots.sbatch"
    assert "--dependency=afterany:41:41" in check
    assert check.endswith(f"{option} --wrap=exec ./check.sh")
    assert " --nodes=4 --gres=gpu:4 " in last
    assert " --array=3%2 --dependency=afterok:41 --kill-on-invalid-dep=yes " in last
    jobs.bash("run.sh", "r1")
    (jobs.tools / "argv.sbatch").unlink()
    again = jobs.bash("submit.sh", environment=path)
    assert again.stdout.startswith("r1: finished before, left out\n")
    assert " ".join(jobs.argv("sbatch")).count(" end") == 3


@pytest.fixture
def slurm(jobs):
    """The folder beside programs that stand for those of Slurm, and the environment in which they are found."""
    script(jobs.tools / "sbatch", '#!/bin/sh\necho x >>"$(dirname "$0")/submitted"\necho 1\n')
    script(jobs.tools / "squeue", "#!/bin/sh\n")
    jobs.write()
    return jobs, {"PATH": f"{jobs.tools}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    "words", ["-d afterok:1", "--dependency=singleton", "--dep x", "-a0", "--array=0", "--ar=1", "-Ha 1", "-p x -d y"]
)
def test_slurm_options_that_would_undo_the_check_are_refused(slurm, words):
    jobs, environment = slurm
    refused = jobs.bash("submit.sh", *words.split(), environment=environment)
    assert refused.returncode == 2
    assert "is not taken: it would replace the arrays of runs, or start the dearest too early" in refused.stderr
    assert not (jobs.tools / "submitted").exists()


def test_other_slurm_options_are_taken(slurm):
    jobs, environment = slurm
    taken = ("-pdebug", "-Aaccount", "--account=a", "--deadline=x", "--comment=-d", "-D.")
    assert jobs.bash("submit.sh", *taken, environment=environment).returncode == 0


@pytest.mark.parametrize("said", ["jobs", "fails"])
def test_what_is_queued_is_not_submitted_again(slurm, said):
    jobs, environment = slurm
    lines = f"printf '%s\\n' '7 /other' '12 {jobs.folder}'" if said == "jobs" else "exit 1"
    script(jobs.tools / "squeue", f"#!/bin/sh\n{lines}\n")
    refused = jobs.bash("submit.sh", environment=environment)
    assert refused.returncode == 1
    assert ("job 12 of this folder is queued or running" if said == "jobs" else "nothing submitted") in refused.stderr
    assert not (jobs.tools / "submitted").exists()


def test_short_runs_get_short_limits():
    days = (0.001, 0.01, 0.011, 0.04, 2.0)
    runs = tuple(pilot(f"r{i}", days=each) for i, each in enumerate(days))
    jobs = job_set(Manifest("x", runs), command_template("true"), 8, None)
    assert [run.time_limit_minutes for run in runs] == [10, 19, 21, 75, 3744]
    found = [(group.minutes, group.places) for group in jobs.groups(runs)]
    assert found == [(10, (0,)), (19, (1,)), (21, (2,)), (75, (3,)), (3744, (4,))]
    assert [group.places for group in jobs.groups([runs[2], runs[2]._replace(id="r3", days=0.02)])] == [(2, 3)]


def test_skypilot_launches_every_run_with_its_task(jobs):
    script(jobs.tools / "sky", '#!/usr/bin/env bash\nprintf \'%s\\0\' "$@" end >>"$(dirname "$0")/argv.sky"\n')
    jobs.write()
    environment = {"PATH": f"{jobs.tools}:{os.environ['PATH']}", "RESULTS_BUCKET": "s3://b;touch pwned"}
    assert jobs.bash("sky.sh", environment=environment | {"RESULTS_BUCKET": ""}).returncode == 2
    assert jobs.bash("sky.sh", "r9", environment=environment).returncode == 2
    assert jobs.argv("sky") == []
    jobs.bash("run.sh", "r1")
    assert jobs.bash("sky.sh", "--use-spot", environment=environment).returncode == 0
    launched = " ".join(jobs.argv("sky")).split(" end")[:-1]
    rest = "--env RESULTS_BUCKET=s3://b;touch pwned --use-spot sky-8.yaml"
    assert [each.strip() for each in launched] == [
        f"jobs launch -y --detach-run --name r2-pilots --env RUN_ID=r2 {rest}",
        f"jobs launch -y --detach-run --name r1-seed2-pilots --env RUN_ID=r1-seed2 {rest}",
    ]
    assert jobs.bash("sky.sh", "Last.1", environment=environment).returncode == 3
    task = yaml.safe_load((jobs.folder / "sky-16.yaml").read_text(encoding="utf-8"))
    assert task["resources"] == {"accelerators": "H100:8"}
    assert task["num_nodes"] == 2
    assert task["envs"] == {"RUN_ID": None, "RESULTS_BUCKET": None}


def test_skypilot_names_are_of_accelerators_that_are_shipped():
    assert set(SKYPILOT_NAMES) <= set(ids("accelerators"))


def test_an_accelerator_without_a_skypilot_name_is_said(jobs):
    found = jobs.write(Manifest("x", tuple(pilot(name, accelerator="gaudi3") for name in ("r1", "r2"))))
    assert [notice.code for notice in found] == ["no_skypilot_name"]
    assert not list(jobs.folder.glob("*sky*"))


def test_ray_gets_every_run_once(jobs):
    script(jobs.tools / "ray", '#!/usr/bin/env bash\nprintf \'%s\\0\' "$@" end >>"$(dirname "$0")/argv.ray"\n')
    jobs.write()
    submitted = json.loads((jobs.folder / "ray_jobs.json").read_text(encoding="utf-8"))
    assert [each["entrypoint"] for each in submitted] == [f"bash run.sh {run.id}" for run in MANIFEST.runs]
    assert [each.get("entrypoint_num_gpus") for each in submitted] == [1, 8, 8, None]
    assert submitted[0]["runtime_env"]["env_vars"] == {"PILOT_RESULTS": f"{jobs.folder}/results"}
    environment = {"PATH": f"{jobs.tools}:{os.environ['PATH']}"}
    odd = jobs.bash("ray.sh", environment=environment | {"PILOT_RESULTS": '/x"; touch pwned'})
    assert odd.returncode == 2
    assert jobs.bash("ray.sh", "--address=http://h:1", environment=environment).returncode == 0
    words = jobs.argv("ray")
    assert words.count("end") == 3
    first = words[: words.index("end")]
    assert first[:5] == ["job", "submit", "--no-wait", "--submission-id", "pilots-r1"]
    assert first[-5:] == ["--address=http://h:1", "--", "bash", "run.sh", "r1"]
    settings = json.loads(first[first.index("--runtime-env-json") + 1])
    assert settings == {"excludes": ["/results/"], "env_vars": submitted[0]["runtime_env"]["env_vars"]}
    assert jobs.bash("ray.sh", "last", environment=environment).returncode == 3
    elsewhere = environment | {"PILOT_RESULTS": str(jobs.tools / "results")}
    for run in MANIFEST.runs[:-1]:
        jobs.bash("run.sh", run.id, environment=elsewhere)
    assert jobs.bash("ray.sh", "last", environment=elsewhere | jobs.decide("go\n")).returncode == 0
    assert jobs.argv("scaleplan")[2] == elsewhere["PILOT_RESULTS"]
    assert jobs.argv("ray")[-2:] == ["Last.1", "end"]
