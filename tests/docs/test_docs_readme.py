"""What the README shows is what the program prints: every console block is run, every Python block too."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.console import printed_by, shell

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def steps(block: str) -> list[tuple[str, str]]:
    """The commands of a console block, each with the output shown below it."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)[1:]
    return list(zip(parts[::2], parts[1::2], strict=True))


STEPS = [step for block in CONSOLE for step in steps(block)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the README's commands find the examples and leave their files."""
    folder = tmp_path_factory.mktemp("readme")
    shutil.copytree(ROOT / "configs", folder / "configs")
    return folder


@pytest.mark.parametrize(("command", "shown"), STEPS)
def test_a_console_block_shows_what_the_program_prints(folder, command, shown):
    assert printed_by(command, folder).stdout.splitlines() == shown.splitlines()


def test_the_installed_program_prints_it_too(folder):
    command, shown = STEPS[0]
    assert command.startswith("scaleplan allocate ")
    assert shell(command, folder, b"").decode().splitlines() == shown.splitlines()


@pytest.mark.parametrize("block", PYTHON)
def test_a_python_block_runs(block):
    done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "parameters" in done.stdout


def test_the_set_up_commands_are_single_lines():
    for name in ("use", "test"):
        (command,) = re.findall(rf"<!-- set-up: {name} -->\n```sh\n(.*?)```", README, re.DOTALL)
        assert command.count("\n") == 1


def test_every_command_is_named_in_the_readme():
    from scaleplan.cli.app import app

    for info in app.registered_commands:
        assert f"scaleplan {info.name}" in README, f"the README does not show {info.name}"


def test_every_linked_file_exists():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
