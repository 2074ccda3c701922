"""docs/pilot-runs.md is followed to the letter: its loop is run, its tables name every key, place, file and code.

Commands of the program run in this process, and those that only look at the same output again run once.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import sys
from contextlib import chdir
from pathlib import Path
from typing import get_args

import pytest

from scaleplan.specs.command_template import PLACES
from scaleplan.specs.pilot_words import READERS
from scaleplan.specs.pilots_schema import PilotsSpec
from tests.docs.console import printed_by
from tests.program import Printed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "pilot-runs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
STEPS = [step for block in BLOCKS for step in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]
FILES = dict(re.findall(r"```(?:python|yaml|csv)\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
SOURCES = [
    *(ROOT / "scaleplan" / "pilots").glob("*.py"),
    *(ROOT / "scaleplan" / "api").glob("pilot*.py"),
    *(ROOT / "scaleplan" / "specs" / f"{name}.py" for name in ("job_files", "pilot_costs", "pilot_results")),
    ROOT / "scaleplan" / "specs" / "log_folder.py",
    ROOT / "scaleplan" / "api" / "budgets.py",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page's commands find the examples and leave their files."""
    folder = tmp_path_factory.mktemp("pilots")
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
def test_the_python_of_the_page_runs_after_the_loop(folder, capsys):
    with chdir(folder):
        exec(compile(FILES["next.py"], "next.py", "exec"), {})  # noqa: S102 - the page's own
    (decision, spent), *runs = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert decision in ("go", "stop")
    assert 0.5 < float(spent) < 1
    assert runs
    assert all(name.startswith("p") and float(hours) > 0 for name, _, _, hours in runs)


@pytest.mark.usefixtures("printed")
def test_the_law_of_the_loop_is_the_one_that_the_stand_in_measures(folder):
    from scaleplan import allocate, load_law

    true, found = (allocate(flops=1e24, law=law) for law in ("besiroglu-2024", str(folder / "ours.yaml")))
    said = re.search(r"plans (\S+)B on (\S+)T tokens and\s+expects (\S+)\.\n", PAGE).groups()
    assert [float(word) for word in said] == pytest.approx([true.params / 1e9, true.tokens / 1e12, true.loss], rel=5e-3)
    assert found.loss == pytest.approx(true.loss, rel=0.03)
    numbers = [float(word) for word in re.findall(r"\d+\.\d+", FILES["train.py"])]
    for value in load_law("besiroglu-2024").surface:
        assert min(abs(number / value - 1) for number in numbers) < 2e-4


def section(heading):
    return PAGE[PAGE.index(f"\n## {heading}\n") + 1 :].partition("\n## ")[0]


def first_cells(heading):
    """The words in backticks of the first cells of a section's tables."""
    cells = re.findall(r"^\| (`.*?) \|", section(heading), re.MULTILINE)
    return [word for cell in cells for word in re.findall(r"`\{?([\w.{}-]+?)\}?`", cell)]


def test_the_table_of_keys_names_every_key_and_no_other():
    assert sorted(first_cells("What can be asked")) == sorted(PilotsSpec.model_fields)


def test_defaults_of_the_table_are_those_of_the_program():
    from scaleplan.compute.family import CONTEXT, VOCABULARY
    from scaleplan.pilots.candidates import RATIOS
    from scaleplan.pilots.goals import MOST_RUN, RUNS, SEEDS, SHARE
    from scaleplan.pilots.noise import MISFIT, SEED_SD

    said = dict(re.findall(r"^\| `(\w+)` \| (\S+) \|", section("What can be asked"), re.MULTILINE))
    words = {key: READERS[key](word) for key, word in said.items() if word not in ("|", "the")}
    assert words.pop("share").share == SHARE
    assert words == {
        "runs": RUNS,
        "seeds": SEEDS,
        "goal": "both",
        "noise": SEED_SD,
        "misfit": MISFIT,
        "max_run": MOST_RUN,
        "ratios": RATIOS,
        "vocab": VOCABULARY,
        "context": CONTEXT,
    }


def test_the_table_of_places_names_every_place_and_no_other():
    rows = section("The job folder").partition("| place |")[2]
    named = re.findall(r"`\{(\w+)\}`", " ".join(re.findall(r"^\| (`\{.*?) \|", rows, re.MULTILINE)))
    assert sorted(named) == sorted(PLACES)


@pytest.mark.usefixtures("printed")
def test_the_table_of_files_names_every_file_of_the_folder(folder):
    rows = section("The job folder").partition("| place |")[0]
    named = re.findall(r"`([\w.-]+)/?`", " ".join(re.findall(r"^\| (`.*?) \|", rows, re.MULTILINE)))
    there = {re.sub(r"^sky-\d+", "sky-N", path.name) for path in (folder / "jobs").iterdir()}
    assert sorted(named) == sorted(there)


def test_the_table_of_statuses_names_every_status():
    from scaleplan.pilots.outcomes import Status

    assert sorted(first_cells("Collecting")) == sorted(get_args(Status))


def test_the_tables_of_warnings_name_every_code_and_no_other():
    from scaleplan.pilots.outcomes import Status

    ended = {f"{status}_runs" for status in get_args(Status) if status != "finished"}
    lints = codes_of(ROOT / "scaleplan" / "pilots" / "lint.py")
    in_use = set[str]().union(*map(codes_of, SOURCES), ended)
    assert {"narrow_ratio", "does_not_pay", "ray_many_nodes", "mixed_losses", "pilots_on_top"} <= in_use
    assert sorted(first_cells("A set of your own")) == sorted(lints)
    assert sorted(first_cells("Warnings and what to do")) == sorted(in_use - lints)


def codes_of(source):
    """The codes of notices in a module: first arguments of ``Notice``, and of the lint pairs of a code and a text."""
    calls = [node for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    first = [node.args[0] for node in calls if isinstance(node.func, ast.Name) and node.func.id == "Notice"]
    if source.name == "lint.py":
        first += [node.args[0].elts[0] for node in calls if node.args and isinstance(node.args[0], ast.Tuple)]
    return {node.value for node in first if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_option_of_the_page_exists():
    import typer

    from scaleplan.cli.app import app

    commands = typer.main.get_command(app).commands
    verbs = ("pilot", "fit", "allocate", "predict")
    known = {name for verb in verbs for each in commands[verb].params for name in each.opts}
    foreign = {"--partition", "--address", "--requeue"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", "\n".join([PAGE, *(command for command, _ in STEPS)])))
    assert named - foreign - known == set()
    assert {option.name for option in commands["pilot"].params} >= set(READERS)


def test_every_linked_file_exists():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
