"""docs/fitting-a-law.md is followed to the letter: its commands run, their output compared, its codes held complete."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path

import pytest

from tests.docs.console import printed_by, printed_by_python
from tests.program import run_inside

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fitting-a-law.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
STEPS = [step for block in BLOCKS for step in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SOURCES = [
    *(ROOT / "scaleplan" / "fitting").glob("*.py"),
    *(ROOT / "scaleplan" / "specs").glob("run_*.py"),
    ROOT / "scaleplan" / "api" / "fits.py",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the page's commands find the examples and leave their files."""
    folder = tmp_path_factory.mktemp("fitting")
    shutil.copytree(ROOT / "configs", folder / "configs")
    return folder


@pytest.fixture(scope="module")
def printed(folder):
    """What every command of the page prints, in its order: later ones use the law that an earlier one writes."""
    return [printed_by(command, folder) for command, _ in STEPS]


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[command for command, _ in STEPS])
def test_a_command_prints_what_the_page_shows(printed, number):
    assert printed[number].stdout.splitlines() == STEPS[number][1].splitlines()


def test_the_example_that_is_explained_draws_no_warning(printed):
    (shown,) = [done for (command, _), done in zip(STEPS, printed, strict=True) if "--out mine.yaml" in command]
    assert shown.stderr == ""


@pytest.mark.parametrize("block", PYTHON)
def test_a_python_block_runs(folder, block):
    assert "rows_filtered" in printed_by_python(block, folder)


def codes_of(source):
    """The codes of notices in a module: first arguments of ``Notice``, and pairs of a code and a text in ``found``."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    first = [
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Notice" and node.args
    ]
    if source.name.endswith("_diagnostics.py"):
        tables = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["found"]
        ]
        pairs = [pair for table in tables if isinstance(table, ast.Tuple) for pair in table.elts]
        first += [pair.elts[0] for pair in pairs if isinstance(pair, ast.Tuple)]
    return {node.value for node in first if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_the_table_of_warnings_names_every_code_and_no_other():
    table = PAGE[PAGE.index("## Warnings") :].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
    named = re.findall(r"`(\w+)`", " ".join(rows))
    in_use = set[str]().union(*map(codes_of, SOURCES))
    assert {"misfit", "prior_moved", "few_runs", "envelope_edge", "rows_filtered", "thinned"} <= in_use
    assert sorted(named) == sorted(in_use)


def test_every_form_and_option_of_the_page_exists():
    from scaleplan.fitting.forms import FIT_FORMS

    forms = PAGE[PAGE.index("## Forms") :].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w[\w-]*)` \|", forms, re.MULTILINE) == [form.name for form in FIT_FORMS]
    helped = "".join(run_inside(verb, "--help", folder=ROOT).stdout.decode() for verb in ("fit", "predict", "allocate"))
    program = PAGE.replace("--nworkers", "")
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", program)):
        assert option in helped, option


def test_every_linked_file_exists():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
