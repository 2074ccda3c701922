"""docs/forecasting-a-run.md is followed to the letter: its job is stopped, its tables name every kind, key and format.

Commands of the program run in this process, and those that only look at the same output again run once.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import get_args

import pytest

from tests.docs.console import printed_by, printed_by_python
from tests.program import Printed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "forecasting-a-run.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
STEPS = [step for block in BLOCKS for step in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]
FILES = dict(re.findall(r"```(?:python|sh)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
(SAID,) = re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page's commands find the examples and leave their files."""
    folder = tmp_path_factory.mktemp("forecasts")
    shutil.copytree(ROOT / "configs", folder / "configs")
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def printed(folder):
    """What every command of the page prints, in its order: later ones use what earlier ones leave."""
    known: dict[str, Printed] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
        return [printed_by(command, folder, known).stdout for command, _ in STEPS]


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[command for command, _ in STEPS])
def test_a_command_prints_what_the_page_shows(printed, number):
    assert printed[number].splitlines() == STEPS[number][1].splitlines()


@pytest.mark.usefixtures("printed")
def test_the_python_of_the_page_says_what_it_shows(folder):
    assert printed_by_python(FILES["look.py"], folder).splitlines() == SAID.splitlines()


@pytest.mark.usefixtures("printed")
def test_the_job_was_stopped_after_it_diverged_and_before_its_end(folder):
    planned = int(re.search(r"live\.csv (\d+)", FILES["guard.sh"])[1])
    *_, last = (folder / "live.csv").read_text(encoding="utf-8").rpartition("\n")[0].splitlines()
    assert 1_500 < int(last.partition(",")[0]) < planned


def section(heading):
    return PAGE[PAGE.index(f"\n## {heading}\n") + 1 :].partition("\n## ")[0]


def first_cells(heading, table=0):
    """The words in backticks of the first cells of a table of a section."""
    tables = re.findall(r"^\|.*\n\|[-|]+\n((?:\|.*\n)+)", section(heading), re.MULTILINE)
    cells = re.findall(r"^\| (.*?) ?\|", tables[table], re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`([\w.+-]+)`", cell)]


@pytest.mark.usefixtures("printed")
def test_the_tables_of_json_name_every_key_and_no_other(folder):
    made = json.loads((folder / "early.json").read_text(encoding="utf-8"))
    assert sorted(first_cells("As JSON")) == sorted(made["rows"][0])
    assert sorted(first_cells("As JSON", 1)) == sorted(made["inputs"])


def test_the_table_of_events_names_every_kind_and_no_other():
    from scaleplan.forecasting.events import EventKind

    assert sorted(first_cells("Watching")) == sorted(get_args(EventKind))


def test_the_table_of_statuses_names_every_status_and_no_other():
    from scaleplan.specs.watched import RunStatus

    assert sorted(first_cells("Watching", 1)) == sorted(get_args(RunStatus))


def test_the_table_of_ways_names_every_way():
    from scaleplan.forecasting.combination import _USUAL

    of_falls = [f"{name}+" for name in ("law", "recent", "multi")]
    assert sorted([*first_cells("The ways and their weights"), *of_falls]) == sorted(_USUAL)
    assert all(f"`{name}`" in section("The ways and their weights") for name in of_falls)


def test_the_table_of_formats_names_every_format_and_no_other():
    from scaleplan.specs.log_forms import FORMS

    assert sorted(first_cells("Logs as they are")) == sorted(FORMS)


def test_every_column_that_can_be_named_is_on_the_page():
    from scaleplan.specs.log_names import GIVEN

    assert all(f"`{role}`" in section("Logs as they are") for role in GIVEN)


def test_the_table_of_schedules_names_every_shape_and_its_flags():
    from scaleplan.specs.schedule_words import TAKES

    rows = re.findall(r"^\| `([\w-]+)` \| .* \| `(--.*)` \|$", section("The schedule"), re.MULTILINE)
    wanted = {shape: {f"--{word.replace('_', '-')}" for word in words} for shape, words in TAKES.items()}
    assert {shape: set(flags.split()) for shape, flags in rows} == wanted


def test_the_table_of_warnings_names_every_code_of_a_forecast():
    sources = [
        "api/forecasts.py",
        "api/donors.py",
        "api/run_rows.py",
        "api/watched_folder.py",
        "forecasting/forecast.py",
        "forecasting/plan_check.py",
    ]
    sources += ["specs/schedules.py", "specs/schedule_files.py"]
    text = "".join((ROOT / "scaleplan" / source).read_text(encoding="utf-8") for source in sources)
    in_use = set(re.findall(r'Notice\(\s*"(\w+)"', text))
    assert {"no_point", "donor_left_out", "loss_measure"} <= in_use
    assert set(first_cells("Warnings")) == in_use


def test_every_option_of_the_page_exists():
    import typer

    from scaleplan.cli.app import app

    commands = typer.main.get_command(app).commands
    known = {name for verb in ("forecast", "watch") for each in commands[verb].params for name in each.opts}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE))
    assert named - known == set()


def test_every_linked_file_exists():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
