"""Job folders: what is written, what bash makes of it, and that nothing in names or commands is ever run."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path

import pytest

from scaleplan.errors import UsageError
from scaleplan.pilots.manifest import Manifest
from scaleplan.specs.job_files import write_jobs
from scaleplan.specs.manifest import read_manifest
from scaleplan.specs.pilot_budget import HEADER
from scaleplan.specs.pilot_results import collect
from tests.specs.test_specs_manifest import MANIFEST, pilot

BESIDE = {
    "budget.yaml": f"{HEADER}schema: scaleplan.budget/1\n",
    "before.csv": "run,params,tokens,loss\nx,1e8,2e9,3.5\n",
}
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
if [ "$2" = --collect ]; then echo params,tokens,loss >"$7"; else cat "$(dirname "$0")/decision"; fi
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
        """What runs left, but for their locks."""
        return {path.name for path in (self.folder / "results").iterdir() if path.suffix != ".lock"}

    def decide(self, decision: str) -> dict[str, str]:
        """A program that stands for ours with a decision, and the environment that names it."""
        (self.folder / "budget.yaml").write_text(BESIDE["budget.yaml"], encoding="utf-8")
        (self.tools / "decision").write_text(decision, encoding="utf-8")
        return {"SCALEPLAN": str(script(self.tools / "scaleplan", DECIDES))}


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)  # a dozen files a test, none of which outlives it
    return Jobs(tmp_path)


def test_every_file_is_written_and_every_script_is_bash(jobs):
    found = jobs.write(at_once=2)
    assert {path.name for path in jobs.folder.iterdir()} == SHELL | CLUSTER
    assert [notice.code for notice in found] == ["ray_many_nodes"]
    scripts = [path for path in jobs.folder.iterdir() if path.suffix in (".sh", ".sbatch")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in scripts} == {0o755}
    for path in scripts:
        subprocess.run(["bash", "-n", str(path)], check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", *map(str, scripts)], check=True)


def test_without_a_command_there_is_the_manifest_alone(jobs):
    assert write_jobs(str(jobs.folder), MANIFEST, None) == ()
    (path,) = jobs.folder.iterdir()
    assert path.name == "manifest.csv"
    assert read_manifest(str(path)).runs == MANIFEST.runs


def test_without_an_accelerator_there_are_no_files_for_clusters(jobs):
    found = jobs.write(Manifest("x", (pilot("r1", accelerators=None), pilot("r2", accelerators=None))))
    assert {path.name for path in jobs.folder.iterdir()} == SHELL
    assert [notice.code for notice in found] == ["no_accelerator"]


def test_one_run_alone_waits_for_no_check(jobs):
    jobs.write(Manifest("x", (pilot("r1"),)))
    assert not (jobs.folder / "check.sh").exists()
    assert jobs.bash("all.sh").returncode == 0
    assert jobs.results() == {"r1.log", "r1.done"}
    subprocess.run(["bash", "-n", str(jobs.folder / "submit.sh")], check=True)
    assert "check.sh" not in (jobs.folder / "submit.sh").read_text(encoding="utf-8")


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
        "pilot", "--collect", ".", "--format", "csv", "-o", "results/collected.csv",
        "pilot", "budget.yaml", "--after", "results/collected.csv", "--judge", "manifest.csv", "--get", "decision",
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


def test_what_others_wrote_beside_is_never_replaced(jobs):
    jobs.folder.mkdir()
    (jobs.folder / "budget.yaml").write_text("mine\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"'budget.yaml' stands there and is not ours: write elsewhere"):
        jobs.write(beside=BESIDE)
    (jobs.folder / "manifest.csv").write_text("file,digest\nx,1\n", encoding="utf-8")
    with pytest.raises(UsageError, match="stands there and is not ours"):
        jobs.write(beside=BESIDE)
    (jobs.folder / "manifest.csv").unlink()
    jobs.write()
    other = Manifest("pilots", (pilot("r7"), pilot("r8")))
    jobs.write(other)
    with pytest.raises(UsageError, match=r"'budget.yaml' stands there and is not ours: write elsewhere"):
        jobs.write(beside=BESIDE)
    assert (jobs.folder / "budget.yaml").read_text(encoding="utf-8") == "mine\n"
    (jobs.folder / "budget.yaml").unlink()
    jobs.write(beside=BESIDE)
    jobs.write(beside=BESIDE)
    assert (jobs.folder / "before.csv").read_text(encoding="utf-8") == BESIDE["before.csv"]
    jobs.write(other)
    assert not (jobs.folder / "before.csv").exists()


def test_a_pipe_where_a_file_of_ours_would_be_is_no_wait(jobs):
    jobs.folder.mkdir()
    os.mkfifo(jobs.folder / "manifest.csv")
    with pytest.raises(UsageError, match=r"'manifest.csv' stands there and is not ours"):
        jobs.write()


def test_results_elsewhere_are_checked_and_collected_there(jobs):
    jobs.write(beside=BESIDE)
    place = jobs.tools / "else where"
    ended = jobs.bash("all.sh", environment={**jobs.decide("go\n"), "PILOT_RESULTS": str(place)})
    assert (ended.returncode, ended.stderr) == (0, "")
    assert jobs.argv("scaleplan")[2] == str(place)
    assert jobs.argv("scaleplan")[6] == f"{place}/collected.csv"
    assert (place / "manifest.csv").read_bytes() == (jobs.folder / "manifest.csv").read_bytes()
    assert (place / "before.csv").read_text(encoding="utf-8") == BESIDE["before.csv"]
    assert not (jobs.folder / "results").exists()
    assert {each.status for each in collect(place).outcomes[1:]} == {"failed"}  # ended without a loss


def test_a_check_that_cannot_be_made_is_no_word_on_the_runs(jobs):
    jobs.write(beside=BESIDE)
    ended = jobs.bash("all.sh", environment={"SCALEPLAN": "/none/scaleplan"})
    assert ended.returncode == 127
    assert ended.stderr.endswith("Last.1: not started, the check before it could not be made\n")


def waits(jobs: Jobs, *words: str) -> subprocess.Popen[str]:
    """A script of which a training waits, which says so when it is told to end, and has a helper that waits too."""
    text = "#!/usr/bin/env bash\ntrap 'echo told; exit 0' TERM\nsleep 50 &\necho $! >helper\n: >up\nwait\n"
    script(jobs.stub, text)
    started = subprocess.Popen(["bash", *words], cwd=jobs.folder, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 10
    while not (jobs.folder / "up").exists() and time.monotonic() < end:
        time.sleep(0.01)
    return started


def runs(process: str) -> bool:
    """Whether a process is there and has not ended, whether or not anybody has asked how."""
    said = subprocess.run(["ps", "-o", "stat=", "-p", process], capture_output=True, text=True, check=False).stdout
    return said.strip()[:1] not in ("", "Z")


@pytest.mark.parametrize("name", ["run.sh", "all.sh"])
def test_told_to_end_it_ends_the_training_and_leaves_no_marker(jobs, name):
    jobs.write()
    started = waits(jobs, name, *(["r1"] if name == "run.sh" else []))
    started.terminate()
    _, said = started.communicate(timeout=10)
    assert started.returncode == 143
    assert "r1: stopped by a signal, not finished" in said
    assert jobs.results() == {"r1.log"}
    assert "told" in (jobs.folder / "results/r1.log").read_text(encoding="utf-8")
    helper = (jobs.folder / "helper").read_text(encoding="utf-8").strip()
    end = time.monotonic() + 10
    while runs(helper) and time.monotonic() < end:
        time.sleep(0.01)
    assert not runs(helper)


def test_a_run_that_is_running_is_left_alone(jobs):
    jobs.write()
    started = waits(jobs, "run.sh", "r1")
    again = jobs.bash("run.sh", "r1")
    assert again.returncode == 75
    assert again.stderr == "r1: is running already, holding results/r1.lock; left alone\n"
    started.terminate()
    started.communicate(timeout=10)
    script(jobs.stub, STUB)
    assert jobs.bash("run.sh", "r1").returncode == 0


def test_what_a_training_leaves_running_keeps_no_lock(jobs):
    jobs.write()
    script(jobs.stub, "#!/usr/bin/env bash\nsleep 50 &\necho $! >helper\nexit 7\n")
    assert jobs.bash("run.sh", "r1").returncode == 7
    script(jobs.stub, STUB)
    assert jobs.bash("run.sh", "r1").returncode == 0
    os.kill(int((jobs.folder / "helper").read_text(encoding="utf-8")), signal.SIGKILL)


def test_without_a_lock_it_says_so(jobs):
    jobs.write()
    script(jobs.tools / "flock", "#!/bin/sh\nexit 71\n")
    done = jobs.bash("run.sh", "r1", environment={"PATH": f"{jobs.tools}:{os.environ['PATH']}"})
    assert done.returncode == 0
    assert done.stderr == "r1: no lock (flock ended with 71): see to it that no run is started twice\n"
