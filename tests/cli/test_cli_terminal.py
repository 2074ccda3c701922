"""In a real terminal: as wide as it is, in the colours it has, and no number cut."""

from __future__ import annotations

import re

import pytest

NUMBER = re.compile(r"[±]?\d[\d.]*(?:e-?\d+)?[KMBT]?[x%?~]?")
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
VIEWS = [
    ("allocate", "--flops", "1e24"),
    ("compare",),
    ("compare", "--as-trained", "gopher", "name=a-rather-long-name-for-a-run,params=30B,tokens=5T"),
    ("frontier", "--law", "km"),
    ("laws", "km"),
    ("models", "gopher"),
]


def plain(text: str) -> str:
    return ESCAPE.sub("", text)


@pytest.mark.parametrize("columns", [80, 60])
@pytest.mark.parametrize("words", VIEWS, ids=" ".join)
def test_nothing_is_wider_than_the_terminal_and_no_number_is_cut(terminal, run_once, words, columns):
    shown = terminal(*words, columns=columns)
    assert shown.code == 0, shown.stderr
    text = plain(shown.stdout)
    assert max(map(len, text.splitlines())) <= columns
    assert "…" not in text
    assert "\x1b" not in text
    wide = run_once(*words)
    assert wide.code == 0
    whole = {word for word in wide.stdout.split() if NUMBER.fullmatch(word)}
    assert whole <= set(text.split())
    assert shown.notices == wide.notices


def test_a_terminal_gets_colours_or_weights_and_a_pipe_none(terminal_of_its_own, run_once):
    shown = terminal_of_its_own("allocate", "--flops", "1e24")
    assert ESCAPE.search(shown.stdout)
    assert "\x1b" not in run_once("allocate", "--flops", "1e24").stdout
    assert "\x1b" not in shown.stderr


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_a_terminal_that_wants_no_colours_gets_no_escape_codes(terminal, environment):
    shown = terminal("allocate", "--flops", "1e24", environment=environment)
    assert shown.code == 0
    assert "96.01B" in shown.stdout
    assert "\x1b" not in shown.stdout


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "markdown"])
def test_data_in_a_terminal_is_the_data_of_a_pipe(terminal, run_once, form):
    words = ("allocate", "--flops", "1e24", "-f", form)
    assert terminal(*words, columns=60).stdout == run_once(*words).stdout


def test_a_piped_table_is_as_wide_as_columns_says(call, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    text = call("compare", "-q").succeeded().stdout
    assert max(map(len, text.splitlines())) <= 60
    assert "…" not in text
    monkeypatch.setenv("COLUMNS", "400")
    assert call("compare", "-q").succeeded().stdout != text


@pytest.mark.parametrize("columns", ["", "0", "-5", "wide", "1e2"])
def test_columns_that_are_no_width_do_not_stop_the_result(call, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert "96.01B" in call("allocate", "--flops", "1e24", "-q").succeeded().stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_an_output_that_is_not_utf8_gets_what_it_can_show(run, encoding):
    environment = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for words in (("allocate", "--flops", "1e24", "-q"), ("compare", "name=größe,params=30B", "-q")):
        result = run(*words, environment=environment).succeeded()
        assert result.stdout.isascii() or encoding != "ascii"
        assert "30B" in result.stdout or "96.01B" in result.stdout


def test_errors_on_an_output_that_is_not_utf8_are_still_one_line(run):
    environment = {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    run("compare", "größe", environment=environment).failed(2, "unknown model")


def test_an_ascii_terminal_gets_no_box_of_unicode(terminal_of_its_own):
    shown = terminal_of_its_own(
        "allocate", "--flops", "1e24", environment={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    )
    assert shown.code == 0
    assert shown.stdout.isascii()
    assert "96.01B" in shown.stdout
