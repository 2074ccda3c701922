"""docs/tradeoffs.md: its commands print what it shows, its table and its formulas are what the program gives."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from scaleplan import load_law
from scaleplan.api.tradeoffs import tradeoff
from scaleplan.planning.tradeoff import TradeoffRow
from tests.docs.console import printed_by

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tradeoffs.md").read_text(encoding="utf-8")
STEPS = re.findall(r"^\$ (.*)\n((?:(?!\$ |```).*\n)*)", PAGE, re.MULTILINE)
ROWS = re.findall(r"^\| ([\d.]+) \| (\S+) \| (\S+)(?: %)? \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(("command", "shown"), STEPS, ids=[command for command, _ in STEPS])
def test_a_command_prints_what_the_page_shows(command, shown):
    assert printed_by(command, ROOT).stdout.splitlines() == shown.splitlines()


def test_there_are_two_commands_and_nine_rows():
    assert len(STEPS) == 2
    assert len(ROWS) == 9


@pytest.mark.parametrize(("ratio", "tokens", "extra"), ROWS)
def test_a_row_of_the_table_is_on_the_curve(ratio, tokens, extra):
    law = load_law("besiroglu-2024").surface
    k, a, b = float(ratio), law.alpha, law.beta
    if tokens == "endless":
        assert k == pytest.approx((1 + a / b) ** (-1 / a), abs=5e-4)
        return
    found = tradeoff(flops=1e24).rows
    (best,) = (row for row in found if row.kind == "equal-loss" and row.params_ratio == 1)
    (row,) = (row for row in found if row.kind == "equal-loss" and row.params_ratio == k)
    assert row.tokens / best.tokens == pytest.approx((1 + b / a * (1 - k**-a)) ** (-1 / b), rel=1e-6)
    assert f"{row.tokens / best.tokens:.3g}" == tokens
    assert 100 * row.extra_share == pytest.approx(float(extra), abs=0.5 if float(extra) >= 100 else 0.05)


def test_the_least_of_a_life_is_where_the_page_says():
    (least,) = (
        row
        for row in tradeoff(flops=1e24, serving={"tokens": "2T"}).rows
        if row.kind == "equal-loss" and row.least_lifetime
    )
    (said,) = re.findall(r"2T tokens\s+it is ([\d.]+) N", PAGE)
    assert f"{least.params_ratio:.2f}" == said


def test_the_keys_that_the_page_names_are_those_of_the_rows():
    known = {field.name for field in fields(TradeoffRow)}
    assert {name for name in re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGE) if name != "over_trained"} <= known


def test_every_linked_file_exists():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
