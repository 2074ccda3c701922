"""Job folders: what is written, what bash makes of it, and that nothing in names or commands is ever run."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from scaleplan.errors import UsageError
from scaleplan.pilots.manifest import Manifest
from scaleplan.specs.job_files import write_jobs
from scaleplan.specs.manifest import read_manifest
from tests.specs.test_specs_manifest import MANIFEST, pilot

SHELL = {"manifest.csv", "run.sh", "all.sh", "check.sh"}
CLUSTER = {
    "pilots.sbatch", "submit.sh", "sky.sh", "sky-1.yaml", "sky-8.yaml", "sky-16.yaml", ".skyignore", "ray_jobs.json",
    "ray.sh",
}  # fmt: skip
STUB = """\
#!/usr/bin/env bash
printf '%s\\0' "$@" >>"$(dirname "$0")/argv.$PILOT_ID"
echo "$PILOT_ID" >>"$(dirname "$0")/order"
echo "said by $PILOT_ID"
[ ! -e "$(dirname "$0")/fail.$PILOT_ID" ] || exit 7
"""
DECIDES = """\
#!/usr/bin/env bash
printf '%s\\0' "$@" >>"$(dirname "$0")/argv.scaleplan"
if [ "$2" = --collect ]; then echo params,tokens,loss >runs.csv; else cat "$(dirname "$0")/decision"; fi
"""


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)
    return path


class Jobs:
    """A job folder whose training is a stub that records its words."""

    def __init__(self, place: Path) -> None:
        self.place, self.folder, self.tools = place, place / "jobs", place / "tools"
        self.stub = script(self.tools / "stub", STUB)

    def write(self, manifest: Manifest = MANIFEST, words: str = "{id} {result}", **options):
        return write_jobs(str(self.folder), manifest, f"{shlex.quote(str(self.stub))} {words}", **options)

    def bash(self, *words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """A script of the folder, started elsewhere, where nothing may appear."""
        before = set(self.place.iterdir())
        found = subprocess.run(
            ["bash", str(self.folder / words[0]), *words[1:]],
            cwd=self.place,
            env=os.environ | {"CDPATH": "/"} | (environment or {}),
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert set(self.place.iterdir()) == before
        assert not list(self.place.rglob("pwned*"))
        return found

    def argv(self, name: str) -> list[str]:
        """The words that a run's command was given, of all its starts."""
        path = self.tools / f"argv.{name}"
        return path.read_text(encoding="utf-8").split("\0")[:-1] if path.exists() else []

    def results(self) -> set[str]:
        return {path.name for path in (self.folder / "results").iterdir()}

    def decide(self, decision: str) -> dict[str, str]:
        """A program that stands for ours with a decision, and the environment that names it."""
        (self.folder / "budget.yaml").write_text("schema: scaleplan.budget/1\n", encoding="utf-8")
        (self.tools / "decision").write_text(decision, encoding="utf-8")
        return {"SCALEPLAN": str(script(self.tools / "scaleplan", DECIDES))}


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)  # a dozen files a test, none of which outlives it
    return Jobs(tmp_path)


def test_every_file_is_written_and_every_script_is_bash(jobs):
    found = jobs.write(at_once=2)
    assert {path.name for path in found.paths} == SHELL | CLUSTER
    assert {path.name for path in jobs.folder.iterdir()} == SHELL | CLUSTER
    assert [notice.code for notice in found.notices] == ["ray_many_nodes"]
    scripts = [path for path in found.paths if path.suffix in (".sh", ".sbatch")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in scripts} == {0o755}
    for path in scripts:
        subprocess.run(["bash", "-n", str(path)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", *map(str, scripts)], check=True)


def test_without_a_command_there_is_the_manifest_alone(jobs):
    found = write_jobs(str(jobs.folder), MANIFEST, None)
    assert [path.name for path in found.paths] == ["manifest.csv"]
    assert read_manifest(str(found.paths[0])).runs == MANIFEST.runs


def test_without_an_accelerator_there_are_no_files_for_clusters(jobs):
    found = jobs.write(Manifest("x", (pilot("r1", accelerators=None), pilot("r2", accelerators=None))))
    assert {path.name for path in found.paths} == SHELL
    assert [notice.code for notice in found.notices] == ["no_accelerator"]


def test_one_run_alone_waits_for_no_check(jobs):
    found = jobs.write(Manifest("x", (pilot("r1"),)))
    assert "check.sh" not in {path.name for path in found.paths}
    assert jobs.bash("all.sh").returncode == 0
    assert jobs.results() == {"r1.log", "r1.done"}
    subprocess.run(["bash", "-n", str(jobs.folder / "submit.sh")], check=True)
    assert "check" not in (jobs.folder / "submit.sh").read_text(encoding="utf-8").split("\n", 3)[-1]


def test_a_run_gets_its_words_and_leaves_its_log(jobs):
    jobs.write(words="{id} --out={result} --lr {lr}")
    done = jobs.bash("run.sh", "r2")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert jobs.argv("r2") == ["r2", "--out=results/r2.json", "--lr", "1e-05"]
    assert jobs.results() == {"r2.log", "r2.done"}
    assert (jobs.folder / "results/r2.log").read_text(encoding="utf-8") == "said by r2\n"


def test_a_finished_run_is_skipped(jobs):
    jobs.write()
    jobs.bash("run.sh", "r1")
    again = jobs.bash("run.sh", "r1")
    assert (again.returncode, again.stdout) == (0, "r1: finished before, skipped\n")
    assert jobs.argv("r1") == ["r1", "results/r1.json"]


def test_a_failed_run_keeps_its_exit_code_until_it_succeeds(jobs):
    jobs.write()
    script(jobs.tools / "fail.r1", "")
    failed = jobs.bash("run.sh", "r1")
    assert (failed.returncode, failed.stdout) == (7, "")
    assert failed.stderr == "r1: failed with exit code 7, see results/r1.log\n"
    assert (jobs.folder / "results/r1.failed").read_text(encoding="utf-8") == "7\n"
    (jobs.tools / "fail.r1").unlink()
    assert jobs.bash("run.sh", "r1").returncode == 0
    assert jobs.results() == {"r1.log", "r1.done"}
    assert (jobs.folder / "results/r1.log").read_text(encoding="utf-8") == "said by r1\n" * 2


def test_all_runs_go_on_after_a_failure_and_stop_before_the_dearest(jobs):
    jobs.write()
    script(jobs.tools / "fail.r1", "")
    ended = jobs.bash("all.sh")
    assert ended.returncode == 1
    assert (jobs.tools / "order").read_text(encoding="utf-8").split() == ["r1", "r2", "r1-seed2"]
    assert ended.stderr.splitlines()[1:] == [
        "stop: not finished: r1; ./run.sh ID runs one, ./all.sh all of them",
        "Last.1: not started, the check before it said no",
        "failed: r1",
    ]


def test_all_runs_end_with_the_dearest_where_the_check_says_go(jobs):
    jobs.write()
    ended = jobs.bash("all.sh", environment=jobs.decide("go\n"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert (jobs.tools / "order").read_text(encoding="utf-8").split() == ["r1", "r2", "r1-seed2", "Last.1"]
    assert jobs.argv("scaleplan") == [
        "pilot", "--collect", ".", "--format", "csv", "-o", "runs.csv",
        "pilot", "budget.yaml", "--after", "runs.csv", "--get", "decision",
    ]  # fmt: skip
    again = jobs.bash("all.sh", environment={"SCALEPLAN": "/none"})
    assert again.returncode == 0
    assert again.stdout.count("finished before, skipped") == 4


def test_the_check_says_why_it_stops(jobs):
    jobs.write()
    for run in ("r1", "r2"):
        jobs.bash("run.sh", run)
    assert jobs.bash("check.sh").stderr.startswith("stop: not finished: r1-seed2; ")
    jobs.bash("run.sh", "r1-seed2")
    ended = jobs.bash("check.sh")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert ended.stderr.startswith("stop: no budget.yaml in this folder to decide by; ")
    environment = jobs.decide("stop\n")
    ended = jobs.bash("check.sh", environment=environment)
    assert ended.returncode == 3
    assert ended.stderr.startswith("stop: the runs say stop, see: ")
    script(jobs.tools / "scaleplan", "#!/usr/bin/env bash\nexit 4\n")
    ended = jobs.bash("check.sh", environment=environment)
    assert (ended.returncode, ended.stderr) == (3, "stop: the results could not be collected\n")
    ended = jobs.bash("check.sh", environment={"SCALEPLAN": "/none/scaleplan"})
    assert (ended.returncode, ended.stdout) == (127, "")
    assert ended.stderr.startswith("check.sh: no program /none/scaleplan; pip install scaleplan")


def test_a_folder_with_results_keeps_its_manifest(jobs):
    jobs.write()
    jobs.bash("run.sh", "r1")
    other = Manifest("pilots", (pilot("r7", accelerators=4), pilot("r8", accelerators=4)))
    with pytest.raises(UsageError, match="has results of another manifest: write to another folder, or move results/"):
        jobs.write(other)
    assert read_manifest(str(jobs.folder / "manifest.csv")).runs == MANIFEST.runs
    jobs.write(words="{id} --again")
    jobs.bash("run.sh", "r2")
    assert jobs.argv("r2") == ["r2", "--again"]
    shutil.rmtree(jobs.folder / "results")
    jobs.write(other)
    assert {path.name for path in jobs.folder.glob("sky-*")} == {"sky-4.yaml"}
    write_jobs(str(jobs.folder), MANIFEST, None)
    assert [path.name for path in jobs.folder.iterdir()] == ["manifest.csv"]


def test_a_folder_of_something_else_is_left_alone(jobs):
    script(jobs.folder / "run.sh", "echo mine\n")
    with pytest.raises(UsageError, match=r"'run.sh' stands there and is not ours"):
        jobs.write()
    assert (jobs.folder / "run.sh").read_text(encoding="utf-8") == "echo mine\n"
    assert [path.name for path in jobs.folder.iterdir()] == ["run.sh"]
    with pytest.raises(UsageError, match=r"no such folder as .*none"):
        write_jobs(str(jobs.place / "none" / "jobs"), MANIFEST, None)
    with pytest.raises(UsageError, match=r"run\.sh: not a directory"):
        write_jobs(str(jobs.folder / "run.sh"), MANIFEST, None)
    (jobs.place / "lost" / "results" / "x").mkdir(parents=True)
    with pytest.raises(UsageError, match="has results and no manifest"):
        write_jobs(str(jobs.place / "lost"), MANIFEST, None)


@pytest.mark.parametrize("option", ["gpus_per_node", "at_once"])
def test_numbers_below_one_are_refused(jobs, option):
    with pytest.raises(UsageError, match=f"{option} must be at least 1 .got 0."):
        jobs.write(**{option: 0})
