"""docs/planning-under-limits.md: its commands print what it shows, its tables name every limit and every notice."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from scaleplan.specs.limits import LimitWords
from tests.docs.console import printed_by, printed_by_python
from tests.program import run_inside

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "planning-under-limits.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
STEPS = [step for block in BLOCKS for step in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]
PLANNING = ROOT / "scaleplan" / "planning"
MODULES = (
    "regret", "robust", "worlds", "draws", "draw_bands", "critical_batch", "experts", "precision", "tradeoff",
    "cross_check", "allocation", "notices",
)  # fmt: skip
SOURCES = [
    *(PLANNING / f"{name}.py" for name in MODULES),
    ROOT / "scaleplan" / "api" / "limits.py",
    ROOT / "scaleplan" / "api" / "doubt.py",
]


def section(heading):
    return PAGE[PAGE.index(f"## {heading}") :].partition("\n## ")[0]


@pytest.mark.parametrize(("command", "shown"), STEPS, ids=[command for command, _ in STEPS])
def test_a_command_prints_what_the_page_shows(command, shown):
    assert printed_by(command, ROOT).stdout.splitlines() == shown.splitlines()


def test_the_three_budgets_are_shown():
    files = {path for command, _ in STEPS for path in re.findall(r"configs/budgets/[\w-]+\.yaml", command)}
    assert files == {f"configs/budgets/{name}.yaml" for name in ("data-limited", "serving-heavy", "small-and-cheap")}


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_a_python_block_runs(block):
    assert "max_params" in printed_by_python(block, ROOT)


def test_the_table_of_limits_names_every_key_and_no_other():
    cells = re.findall(r"^\| (`.*?) \|", section("Limits"), re.MULTILINE)
    named = [key for cell in cells for key in re.findall(r"`(\w+)", cell)]
    assert sorted(named) == sorted(LimitWords._fields)


def test_the_table_of_notices_names_every_code_and_no_other():
    cells = re.findall(r"^\| (`.*?) \|", section("Notices and what to do"), re.MULTILINE)
    named = re.findall(r"`(\w+)`", " ".join(cells))
    in_use = set[str]().union(*map(codes_of, SOURCES))
    assert {
        "law_of_repeats",
        "many_epochs",
        "unspent",
        "not_drawn",
        "large_batch",
        "precision",
        "over_trained",
    } <= in_use
    assert sorted(named) == sorted(in_use)


def codes_of(source):
    """The codes of notices in a module: the first arguments of ``Notice`` that are literals."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    first = [
        node.args[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Notice"
    ]
    return {each.value for each in first if isinstance(each, ast.Constant)}


def test_every_option_of_the_page_exists():
    pages = (run_inside(verb, "--help", folder=ROOT) for verb in ("allocate", "compare", "fit"))
    helped = "".join(page.stdout.decode() for page in pages)
    for option in set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)):
        assert re.search(rf"{option}(?![\w-])", helped), option


def test_the_laws_said_to_know_repeats_experts_and_bits_are_all_there_are():
    from scaleplan import list_laws
    from scaleplan.planning.moved import moves

    laws = [record.law for record in list_laws() if record.law is not None and record.law.surface is not None]
    assert [law.id for law in laws if law.repeated is not None] == ["muennighoff-2023"]
    assert [law.id for law in laws if "experts" in law.held] == ["ludziejewski-2025"]
    assert [law.id for law in laws if "weights" in law.held] == ["kumar-precision-2024"]
    assert [law.id for law in laws if moves(law)] == ["besiroglu-2024"]


def test_every_linked_file_exists():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
