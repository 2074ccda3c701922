"""Names, commands and environments that look like shell: bash runs the scripts, and nothing but the stub is run."""

from __future__ import annotations

import os
import re
import shlex

import pytest
import yaml

from scaleplan.errors import UsageError
from scaleplan.pilots.manifest import Manifest
from scaleplan.specs.job_files import write_jobs
from tests.specs.test_specs_job_files import Jobs, script
from tests.specs.test_specs_manifest import MANIFEST, pilot

HOSTILE = (
    "$(touch pwned)", ";touch pwned", "`touch pwned`", "a\nb; touch pwned", "'; touch pwned; '", '"$(touch pwned)"',
    "--flag", "| touch pwned", "> pwned", "&& touch pwned &", "*", "esac", "{0}", "%s",
)  # fmt: skip


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda _: None)  # a dozen files a test, none of which outlives it
    return Jobs(tmp_path)


def test_results_go_where_the_environment_says(jobs):
    jobs.write()
    place = jobs.tools / "re sults;touch pwned"
    assert jobs.bash("run.sh", "r1", environment={"PILOT_RESULTS": str(place)}).returncode == 0
    assert jobs.argv("r1") == ["r1", f"{place}/r1.json"]
    assert {path.name for path in place.iterdir()} == {"r1.log", "r1.done", "r1.lock", "manifest.csv"}


def test_an_unknown_run_and_none_are_refused(jobs):
    jobs.write()
    unknown = jobs.bash("run.sh", "$(touch pwned)")
    assert unknown.returncode == 2
    assert unknown.stderr == "run.sh: no run \\$\\(touch\\ pwned\\) in manifest.csv\n"
    assert jobs.bash("run.sh").returncode == 2


def test_a_word_of_the_shell_is_no_program(jobs):
    write_jobs(str(jobs.folder), MANIFEST, "exit 0")
    assert jobs.bash("run.sh", "r1").returncode == 127
    assert jobs.results() == {"r1.log", "r1.failed"}


@pytest.mark.parametrize("word", [word for word in HOSTILE if word.isprintable() and "{" not in word])
def test_hostile_words_of_a_command_arrive_as_they_are(jobs, word):
    jobs.write(words=f"{shlex.quote(word)} {shlex.quote(word)}{{result}}{shlex.quote(word)}")
    assert jobs.bash("run.sh", "r1").returncode == 0
    assert jobs.argv("r1") == [word, f"{word}results/r1.json{word}"]


def test_hostile_signs_without_quotes_are_words_too(jobs):
    words = "; touch pwned | tee pwned > pwned & $(touch pwned) `touch pwned`"
    jobs.write(words=words)
    assert jobs.bash("run.sh", "r1").returncode == 0
    assert jobs.argv("r1") == words.split()


def test_a_hostile_name_of_the_folder_is_inert(jobs):
    jobs.folder = jobs.place / "; $(touch pwned) `touch pwned` 'x"
    jobs.write()
    assert jobs.bash("all.sh", environment=jobs.decide("go\n")).returncode == 0
    assert jobs.argv("Last.1") == ["Last.1", "results/Last.1.json"]
    script(jobs.tools / "squeue", "#!/bin/sh\n")
    script(jobs.tools / "sbatch", '#!/usr/bin/env bash\necho "$2" >>"$(dirname "$0")/chdir"\necho 1\n')
    (jobs.folder / "results/Last.1.done").unlink()
    assert jobs.bash("submit.sh", environment={"PATH": f"{jobs.tools}:{os.environ['PATH']}"}).returncode == 0
    assert set((jobs.tools / "chdir").read_text(encoding="utf-8").splitlines()) == {f"--chdir={jobs.folder}"}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_of_a_manifest_is_inert(jobs, name):
    jobs.write(MANIFEST._replace(name=name))
    assert jobs.bash("run.sh", "r1").returncode == 0
    called = re.findall(r"job-name=(\S+)", (jobs.folder / "pilots.sbatch").read_text(encoding="utf-8"))
    assert called[0].replace("-", "").isalnum()
    task = yaml.safe_load((jobs.folder / "sky-8.yaml").read_text(encoding="utf-8"))
    assert task["name"] == called[0]


@pytest.mark.parametrize("name", [name for name in HOSTILE if name != "esac"])
def test_a_hostile_name_of_a_run_is_refused(jobs, name):
    with pytest.raises(UsageError, match="a run's id must be"):
        jobs.write(Manifest("x", (pilot(name), pilot("r2"))))
    assert not jobs.folder.exists()


def test_names_that_the_shell_knows_are_names(jobs):
    jobs.write(Manifest("x", tuple(pilot(name) for name in ("esac", "if", "last", "0", "_-n"))))
    assert jobs.bash("all.sh").returncode == 3
    assert (jobs.tools / "order").read_text(encoding="utf-8").split() == ["esac", "if", "last", "0"]
