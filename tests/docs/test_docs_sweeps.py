"""docs/sweeps.md: its file is swept, its columns are all there are, its Python runs."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from scaleplan.api.sweeps import sweep
from scaleplan.planning import sweep as core
from tests.program import run_inside

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "sweeps.md").read_text(encoding="utf-8")


def test_the_file_of_the_page_has_the_rows_that_the_page_counts(tmp_path):
    text, _ = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "sweep.yaml").write_text(text, encoding="utf-8")
    found = sweep(tmp_path / "sweep.yaml")
    product, rows = re.search(r"(\d+(?: x \d+)+) = (\d+)", PAGE).groups()
    assert [axis.size for axis in found.spec.axes] == [int(size) for size in product.split(" x ")]
    assert found.rows == int(rows) == sum(len(block["loss"]) for block in found.blocks)


def test_the_page_names_every_column():
    columns = (
        *core.PLAN_COLUMNS, *core.EXPERT_COLUMNS, *core.MACHINE_COLUMNS, *core.SERVING_COLUMNS, *core.SERVER_COLUMNS
    )  # fmt: skip
    listed = re.findall(r"^\| (`.*?) \|", PAGE, re.MULTILINE)
    assert {name for cell in listed for name in re.findall(r"`(\w+)`", cell)} - {"2"} == {*columns}


def test_the_python_of_the_page_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(code, "sweeps.md", "exec"), {})  # noqa: S102 - the page's own
    assert "'loss'" in capsys.readouterr().out


def test_the_cheapest_run_for_a_loss_is_found_as_the_page_says(tmp_path):
    _, text = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "losses.yaml").write_text(text, encoding="utf-8")
    *_, commands = re.findall(r"```\n(scaleplan.*?)```", PAGE, re.DOTALL)
    program, *sorts = commands.strip().splitlines()
    words = program.split()[1:]
    assert run_inside(*words, "-q", folder=tmp_path).code == 0
    header, *rows = [line.split(",") for line in (tmp_path / "rows.csv").read_text().splitlines()]
    assert (header[11], header[7]) == ("cost_usd", "loss")
    planned = sorted((row for row in rows if row[2] == "ok"), key=lambda row: float(row[11]))
    assert 4 < len(planned) < len(rows)  # one of the scenarios has no plan
    cheapest, of_each = (
        [line.split(",") for line in subprocess.check_output(["sh", "-c", sort], cwd=tmp_path, text=True).splitlines()]
        for sort in sorts
    )
    assert cheapest == planned[:10]
    assert [row[0] for row in of_each] == sorted({row[0] for row in planned}, key=float)
    assert all(row == next(each for each in planned if each[0] == row[0]) for row in of_each)


@pytest.mark.parametrize("path", re.findall(r"`((?:tests|configs)/[\w./-]+)`", PAGE))
def test_what_the_page_points_to_is_there(path):
    assert (ROOT / path).exists()
