"""docs/adding-a-law.md is followed to the letter: its files written, its commands run, their output compared."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "adding-a-law.md").read_text(encoding="utf-8")
FILES = re.findall(r"<!-- file: (\S+) -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)


def steps(block):
    """The commands of a console block, each with the output shown below it."""
    return re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A copy of the package with the page's files written where the page says."""
    folder = tmp_path_factory.mktemp("adding")
    shutil.copytree(ROOT / "scaleplan", folder / "scaleplan", ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in FILES:
        path = folder / name
        assert path.parent.is_dir(), "the page names a folder that is not there"
        assert not path.exists(), "the page shows a file that is there already"
        path.write_text(text, encoding="utf-8")
    return folder


def run(folder, command):
    """In a shell of its own; what the first command compiles, the others find."""
    swaying = ("COLUMNS", "SCALEPLAN_PRESETS", "PYTHONDONTWRITEBYTECODE")
    environment = {key: value for key, value in os.environ.items() if key not in swaying}
    environment["PYTHONPATH"] = str(folder)
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_the_page_shows_a_law_of_a_known_form_and_a_form_with_its_law():
    assert [name for name, _ in FILES] == [
        "outliers-kept.yaml",
        "scaleplan/laws/skaling.py",
        "scaleplan/presets/laws/skaling-example.yaml",
    ]
    assert [len(steps(block)) for block in BLOCKS] == [3, 3, 2]
    assert any("SCALEPLAN_PRESETS" in block for block in BLOCKS)


def test_the_copy_is_what_the_commands_run(folder):
    done = run(folder, "python -c 'import scaleplan; print(scaleplan.__file__)'")
    assert Path(done.stdout.strip()).is_relative_to(folder)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_commands_of_a_block_print_what_it_shows(folder, block):
    """All in one shell, so that what one sets the next one has; each output ends with a line of its own."""
    commands, shown = zip(*steps(block), strict=True)
    done = run(folder, "set -e\n" + "".join(f"{command}\necho END\n" for command in commands))
    assert done.returncode == 0, done.stderr
    printed = done.stdout.split("END\n")[:-1]
    assert [each.splitlines() for each in printed] == [each.splitlines() for each in shown]


CHECK = """
import math
from scaleplan import load_law
from scaleplan.laws.form import SolvedSurface
law = load_law("skaling-example").surface
assert isinstance(law, SolvedSurface)
N, D, h = 1e9, 2e10, 1e-30
by_params, by_tokens = law.gradient(N, D)
assert math.isclose(by_params * N, law.loss(complex(N, h * N), D).imag / h, rel_tol=1e-12)
assert math.isclose(by_tokens * D, law.loss(N, complex(D, h * D)).imag / h, rel_tol=1e-12)
best = law.optimum(1e22)
grid = [law.loss(best.params * math.exp(x / 100), best.tokens / math.exp(x / 100)) for x in range(-300, 301)]
assert min(range(601), key=grid.__getitem__) == 300
assert math.isclose(law.loss(best.params, best.tokens), best.loss, rel_tol=1e-12)
assert math.isclose(law.flop_for_loss(best.loss), 1e22, rel_tol=1e-9)
assert math.isclose(law.tokens_for_loss(N, law.loss(N, D)), D, rel_tol=1e-9)
assert math.isclose(law.params_for_loss(D, law.loss(N, D)), N, rel_tol=1e-9)
assert law.tokens_for_loss(N, law.E) == law.params_for_loss(D, law.E - 1) == law.flop_for_loss(law.E) == math.inf
print("right")
"""


def test_the_form_of_the_page_is_right(folder):
    """Gradient, optimum and inverses, as of the forms that are shipped."""
    done = run(folder, f"python - <<'END'\n{CHECK}\nEND")
    assert done.stdout == "right\n", done.stderr


def test_the_code_of_the_page_is_formatted_and_linted_as_ours_is(folder):
    for check in ("check", "format --check"):
        done = run(folder, f"ruff {check} --config {ROOT / 'pyproject.toml'} scaleplan/laws/skaling.py")
        assert done.returncode == 0, done.stdout
