"""Names and files of users stay text: no markup, no terminal command, no broken row, in any format and any message."""

from __future__ import annotations

import re

import pytest

NAMES = [
    "[red]x[/]",
    "[/]",
    "a|b",
    "two\nlines",
    "<b>h</b>",
    "*bold* _it_ `code`",
    ":smile:",
    '"quoted", and, commas',
    "\t",
]
ESCAPE = "\x1b[31mred\x1b]0;title\x07"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def table_of_runs(names: list[str]) -> str:
    return "run,params,tokens\n" + "".join(f'"{name.replace(chr(34), chr(34) * 2)}",1e9,2e10\n' for name in names)


@pytest.fixture
def options(tmp_path):
    """An options file whose names are hostile; YAML's double quotes take JSON's escapes."""
    import json

    lines = [f"- {{name: {json.dumps(name)}, params: {i + 1}B}}\n" for i, name in enumerate([*NAMES, ESCAPE])]
    text = "schema: scaleplan.options/1\nlaw: chinchilla\ncompare:\n" + "".join(lines)
    (tmp_path / "hostile.yaml").write_text(text)
    return "hostile.yaml"


def test_data_formats_hold_names_exactly(call, options):
    names = [*NAMES, ESCAPE, "besiroglu-2024 optimum"]
    words = ("compare", options, "-q", "-f")
    assert [row["option"] for row in call(*words, "json").succeeded().envelope["rows"]] == names
    assert [row["option"] for row in call(*words, "ndjson").succeeded().lines] == names
    assert [row["option"] for row in call(*words, "csv").succeeded().table] == names
    assert not CONTROL.search(call(*words, "json").stdout)


def test_runs_keep_their_names_exactly_in_data_formats(call):
    names = [name for name in NAMES if name.strip() and "\n" not in name]
    text = table_of_runs(names)
    words = ("predict", "--runs", "-", "-f")
    assert [row["run"] for row in call(*words, "csv", stdin=text).succeeded().table] == names
    assert [row["run"] for row in call(*words, "ndjson", stdin=text).succeeded().lines] == names
    assert [row["run"] for row in call(*words, "json", stdin=text).succeeded().envelope["rows"]] == names


def test_the_table_shows_markup_as_text_and_no_control_characters(call, options):
    text = call("compare", options, "-q").succeeded().stdout
    for name in ("[red]x[/]", "[/]", "a|b", "<b>h</b>", "*bold* _it_ `code`", ":smile:"):
        assert name in text
    assert not CONTROL.search(text)


def test_the_terminal_gets_no_command_from_a_name(terminal, options):
    shown = terminal("compare", options, "-q").succeeded().stdout
    assert "\x1b[31m" not in shown
    assert "\x1b]0;" not in shown
    assert "\x07" not in shown
    assert "[red]x[/]" in shown


def test_markdown_keeps_a_row_a_row_and_a_name_a_name(call, options):
    text = call("compare", options, "-q", "-f", "markdown").succeeded().stdout
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + len(NAMES) + 1 + 1
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    for raw in ("[red]x[/]", "<b>", "*bold*", "_it_", "`code`"):
        assert raw not in text.replace("\\", "\0")


def test_markdown_holds_no_control_characters(call, options):
    assert not CONTROL.search(call("compare", options, "-q", "-f", "markdown").succeeded().stdout)


@pytest.mark.parametrize(("name", "raw"), [("a&lt;b", "&lt;"), ("~~struck~~", "~~struck~~")])
def test_markdown_reads_no_entities_and_no_strikes_in_a_name(call, name, raw):
    words = ("compare", f"name={name},params=1B", "--law", "chinchilla", "-q", "-f", "markdown")
    assert raw not in call(*words).succeeded().stdout


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_run_names_stay_inert_for_people_too(call, form):
    text = table_of_runs([*(name for name in NAMES if "\n" not in name), ESCAPE])
    shown = call("predict", "--runs", "-", "-f", form, stdin=text).succeeded().stdout
    assert not CONTROL.search(shown)
    assert "smile" in shown


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("allocate", "-"), f'schema: scaleplan.budget/1\nbudget: {{flops: 1e24}}\n"{ESCAPE!r}": 1\n'),
        (("allocate", "-"), 'schema: scaleplan.budget/1\nbudget: {flops: 1e24}\n"\\e[31mkey": 1\n'),
        (("allocate", "-"), 'schema: scaleplan.budget/1\nbudget: {flops: "\\e[31m"}\n'),
        (("allocate", "-"), 'schema: scaleplan.budget/1\nbudget: {flops: 1e24}\nlaw: "\\e[31m"\n'),
        (("allocate", "-"), 'schema: "\\e[31m"\n'),
        (("allocate", "-"), 'schema: scaleplan.budget/1\n"\\e[31m": 1\n"\\e[31m": 2\n'),
        (("predict", "--runs", "-"), f"params,tokens,{ESCAPE},{ESCAPE}\n1e9,2e10,1,1\n"),
        (("predict", "--runs", "-"), f"params,{ESCAPE}\n1e9,2e10\n"),
        (("predict", "--runs", "-"), f"params,tokens,{ESCAPE}\n1e9,2e10,1\n"),
        (("predict", "--runs", "-"), f"params,tokens\n1e9,{ESCAPE}\n"),
        (("allocate", "--flops", "-"), f"1e21\n{ESCAPE}\n"),
        (("allocate", "--flops", ESCAPE), ""),
        (("allocate", "--flops", "1e24", "--law", ESCAPE), ""),
        (("allocate", "--flops", "1e24", "--get", ESCAPE), ""),
        (("allocate", f"{ESCAPE}.yaml"), ""),
        (("compare", ESCAPE), ""),
        (("compare", f"name={ESCAPE},params=x"), ""),
        (("compare", f"name={ESCAPE}"), ""),
        (("models", ESCAPE), ""),
        ((ESCAPE,), ""),
        (("allocate", f"--{ESCAPE}"), ""),
    ],
    ids=lambda value: ascii(value)[:60],
)
def test_messages_hold_no_control_characters(call, words, text):
    result = call(*words, stdin=text)
    assert not CONTROL.search(result.stderr), ascii(result.stderr)


@pytest.mark.parametrize("path", ["a\nb.yaml", "a\r\nb.yaml"])
def test_a_line_break_in_a_path_does_not_break_the_message(call, path):
    call("allocate", path).failed(3, "no such file")


def test_words_that_are_no_text_do_not_break_json(run):
    """A shell may pass bytes that are not UTF-8: JSON must be, whatever it is made of."""
    result = run("compare", b"name=\xff,params=30B", "--law", "chinchilla", "-q", "-f", "json")
    assert result.code in (0, 2)
    if result.code == 0:
        assert result.envelope["rows"][0]["params"] == 30e9
