"""docs/forecasting-a-run.md is followed to the letter: its commands print what it shows, its tables name all."""

from __future__ import annotations

import ast
import re
import shutil
from contextlib import chdir
from pathlib import Path
from typing import get_args

import pytest

from scaleplan.forecasting.events import EventKind
from scaleplan.specs.log_forms import FORMS
from tests.docs.console import printed_by
from tests.program import Printed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "forecasting-a-run.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
STEPS = [step for block in BLOCKS for step in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]
PROGRAM = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)[1]
KNOWN: dict[str, Printed] = {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(ROOT / "configs", folder / "configs")
    return folder


@pytest.mark.parametrize(("command", "shown"), STEPS, ids=[command for command, _ in STEPS])
def test_a_command_prints_what_the_page_shows(folder, command, shown):
    assert printed_by(command, folder, KNOWN).stdout.splitlines() == shown.splitlines()


def test_the_python_of_the_page_says_what_the_command_says(folder, capsys):
    with chdir(folder):
        exec(compile(PROGRAM, "next.py", "exec"), {})  # noqa: S102 - the page's own
    forecast, kinds = capsys.readouterr().out.splitlines()
    shown = re.search(r"final loss +(\S+)\n 95% band +(\S+) to (\S+)\n", PAGE).groups()
    assert re.findall(r"[\d.]+", forecast) == [f"{float(value):.2f}" for value in shown]
    assert ast.literal_eval(kinds) == ["grad_spike", "spike"]


def test_every_kind_of_event_and_every_format_is_on_the_page():
    rows = re.findall(r"^\| (.*?) \| (.*?) \|", PAGE, re.MULTILINE)
    kinds = {kind for first, _ in rows for kind in re.findall(r"`(\w+)`", first)}
    assert set(get_args(EventKind)) <= kinds
    assert set(FORMS) <= {form for _, second in rows for form in re.findall(r"`([\w-]+)`", second)}
