"""Job files as SkyPilot and Ray themselves read them, where those are installed; each in a process and home of its own.

Neither is among the development tools: pip install skypilot "ray[default]".
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest

from scaleplan.specs.job_files import write_jobs
from tests.specs.test_specs_manifest import MANIFEST

SKYPILOT = """\
import json, pathlib, sys
import sky, yaml
for path in sorted(pathlib.Path(sys.argv[1]).glob("sky-*.yaml")):
    try:
        sky.Task.from_yaml(str(path))
    except ValueError as error:
        assert "RUN_ID" in str(error), error
    else:
        raise AssertionError("a task without a run was taken")
    given = [("RUN_ID", "r1"), ("RESULTS_BUCKET", "s3://bucket/place")]
    task = sky.Task.from_yaml_config(yaml.safe_load(path.read_text()), env_overrides=given)
    (mount,) = task.storage_mounts.values()
    (resources,) = task.resources
    print(json.dumps([path.name, task.num_nodes, resources.accelerators, task.envs["RUN_ID"], mount.source]))
"""
RAY = """\
import inspect, json, sys
from ray.job_submission import JobSubmissionClient
from ray.runtime_env import RuntimeEnv
for each in json.load(open(sys.argv[1] + "/ray_jobs.json")):
    bound = inspect.signature(JobSubmissionClient.submit_job).bind(None, **each)
    RuntimeEnv(**each["runtime_env"])
    print(json.dumps([bound.arguments["submission_id"], bound.arguments.get("entrypoint_num_gpus")]))
"""


@pytest.fixture
def loaded(tmp_path):
    """The lines that a program prints of the job folder, with a package that it needs."""

    def load(package: str, program: str) -> list[list[object]]:
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
        folder = tmp_path / "jobs"
        write_jobs(str(folder), MANIFEST, "python train.py {params} {result}")
        quiet = {"HOME": str(tmp_path), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1", "RAY_USAGE_STATS_ENABLED": "0"}
        done = subprocess.run(
            [sys.executable, "-c", program, str(folder)],
            cwd=tmp_path,
            env=os.environ | quiet,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]

    return load


def test_skypilot_reads_every_task(loaded):
    bucket = "s3://bucket/place"
    assert loaded("sky", SKYPILOT) == [
        ["sky-1.yaml", 1, {"H100": 1}, "r1", bucket],
        ["sky-16.yaml", 2, {"H100": 8}, "r1", bucket],
        ["sky-8.yaml", 1, {"H100": 8}, "r1", bucket],
    ]


def test_ray_takes_every_job(loaded):
    assert loaded("ray", RAY) == [["pilots-r1", 1], ["pilots-r2", 8], ["pilots-r1-seed2", 8], ["pilots-Last.1", None]]
