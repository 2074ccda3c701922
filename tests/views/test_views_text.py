"""JSON, NDJSON, CSV and Markdown."""

import csv
import io
import json
import math
import re

import numpy as np
import pytest

from scaleplan.errors import Notice
from scaleplan.version import __version__
from scaleplan.views.table import Grid, Stream, Table
from scaleplan.views.text import (
    block_rows,
    column_values,
    csv_text,
    json_envelope,
    markdown,
    ndjson_lines,
    write_stream,
)

NASTY = [
    "plain",
    "a,b",
    'with "quotes"',
    "two\nlines",
    "tab\there",
    "größe 大模型 🚀",
    "",
    " spaces ",
    "back\\slash",
    "\x1b[31m",
]
NUMBERS = [0.1, 1 / 3, 96.01403123456789e9, 5.76e23, 1e-300, 1.7976931348623157e308, 123456789.123456789, 1e16]


def table(rows, warnings=()):
    columns = tuple(rows[0]) if rows else ("a",)
    return Table(verb="try", inputs={"flops": 1e24}, columns=columns, rows=rows, warnings=warnings, grids=list)


def stream(blocks, warnings=()):
    return Stream(
        verb="try",
        inputs={"flops": "-"},
        columns=tuple(blocks[0]),
        blocks=iter(blocks),
        warnings=lambda: list(warnings),
        grids_of=lambda _: [],
    )


def streamed(form, blocks, warnings=()):
    sink = io.BytesIO()
    notices = write_stream(stream(blocks, warnings), form, sink)
    assert list(notices) == list(warnings)
    return sink.getvalue().decode()


def test_the_envelope_has_schema_version_inputs_rows_and_warnings():
    text = json_envelope(table([{"params": 1.5, "law": None}], [Notice("far", 'a "quoted" warning')]))
    assert text.endswith("}\n")
    assert json.loads(text) == {
        "schema": "scaleplan.try/1",
        "version": __version__,
        "inputs": {"flops": 1e24},
        "rows": [{"params": 1.5, "law": None}],
        "warnings": [{"code": "far", "message": 'a "quoted" warning'}],
    }
    assert list(json.loads(text)) == ["schema", "version", "inputs", "rows", "warnings"]


def test_an_envelope_without_rows_is_sound():
    assert json.loads(json_envelope(table([])))["rows"] == []


@pytest.mark.parametrize("value", NUMBERS)
def test_json_and_csv_keep_every_digit(value):
    assert json.loads(json_envelope(table([{"a": value}])))["rows"][0]["a"] == value
    assert json.loads(next(iter(ndjson_lines([{"a": value}]))))["a"] == value
    assert float(csv_text(["a"], [{"a": value}]).splitlines()[1]) == value


@pytest.mark.parametrize("text", NASTY)
def test_text_survives_json_and_csv(text):
    assert json.loads(json_envelope(table([{"a": text}])))["rows"][0]["a"] == text
    rows = list(csv.reader(io.StringIO(csv_text(["a", "b"], [{"a": text, "b": 1}]), newline="")))
    assert rows == [["a", "b"], [text, "1"]]


def test_csv_has_a_header_empty_cells_for_absent_values_and_plain_line_ends():
    text = csv_text(["a", "b", "c"], [{"a": None, "b": True, "c": False}, {"a": 1.5, "b": "x", "c": 2}])
    assert text == "a,b,c\n,true,false\n1.5,x,2\n"


def test_ndjson_is_an_object_a_line():
    lines = list(ndjson_lines([{"a": 1.0, "b": "two\nlines"}, {"a": None, "b": ""}]))
    assert all(line.count("\n") == 1 and line.endswith("\n") for line in lines)
    assert [json.loads(line) for line in lines] == [{"a": 1.0, "b": "two\nlines"}, {"a": None, "b": ""}]


GRID = Grid(title="plan", headers=("law", "N"), rows=[("km", "4.68B"), ("ours", "1B")], numeric=(False, True))


def test_markdown_is_a_titled_table_with_numbers_to_the_right():
    assert markdown([GRID]) == "**plan**\n\n| law | N |\n| --- | ---: |\n| km | 4.68B |\n| ours | 1B |\n"


def test_markdown_grids_stand_one_below_the_other():
    text = markdown([GRID, GRID._replace(title=None)])
    assert text.count("| law | N |") == 2
    assert text.count("**plan**") == 1


@pytest.mark.parametrize(
    "user",
    [
        "a|b",
        "<script>alert(1)</script>",
        "two\nlines",
        "a\r\n| b |",
        "**bold** _it_",
        "`code`",
        "[x](http://e)",
        "\\|",
        "a\x0bb",
    ],
)
def test_user_text_breaks_no_markdown_and_is_obeyed_by_nothing(user):
    text = markdown(
        [Grid(title=user, headers=("name", user), rows=[(user, "1"), ("next", "2")], numeric=(False, True))]
    )
    lines = text.splitlines()
    assert len(lines) == 6
    unescaped = re.compile(r"(?<!\\)(?:\\\\)*\|")
    for line in lines[2:]:
        assert len(unescaped.findall(line)) == 3, line
    assert "<" not in text
    assert ">" not in text
    for mark in "*_`[":
        inner = lines[4]
        assert not re.search(rf"(?<!\\)(?:\\\\)*{re.escape(mark)}", inner), inner


BLOCKS = [
    {"train_flop": np.array([1e24, 1 / 3]), "params_low": np.array([1.5, math.nan]), "law": "km", "loss": None},
    {"train_flop": np.array([5.76e23]), "params_low": np.array([math.nan]), "law": "km", "loss": None},
]
ROWS = [
    {"train_flop": 1e24, "params_low": 1.5, "law": "km", "loss": None},
    {"train_flop": 1 / 3, "params_low": None, "law": "km", "loss": None},
    {"train_flop": 5.76e23, "params_low": None, "law": "km", "loss": None},
]


def test_a_stream_of_json_is_one_envelope_with_null_for_what_is_not_there():
    document = json.loads(streamed("json", BLOCKS, [Notice("far", "very")]))
    assert document["schema"] == "scaleplan.try/1"
    assert document["rows"] == ROWS
    assert document["warnings"] == [{"code": "far", "message": "very"}]


def test_a_stream_of_ndjson():
    assert [json.loads(line) for line in streamed("ndjson", BLOCKS).splitlines()] == ROWS


def test_a_stream_of_csv_has_one_header():
    lines = list(csv.reader(io.StringIO(streamed("csv", BLOCKS))))
    assert lines[0] == ["train_flop", "params_low", "law", "loss"]
    assert [[float(line[0]), line[1], line[2], line[3]] for line in lines[1:]] == [
        [1e24, "1.5", "km", ""],
        [1 / 3, "", "km", ""],
        [5.76e23, "", "km", ""],
    ]


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_streams_keep_every_digit(form):
    values = np.concatenate([np.array(NUMBERS), np.random.default_rng(1).lognormal(40, 20, 1000)])
    text = streamed(form, [{"a": values}])
    if form == "json":
        read = [row["a"] for row in json.loads(text)["rows"]]
    elif form == "ndjson":
        read = [json.loads(line)["a"] for line in text.splitlines()]
    else:
        read = [float(line) for line in text.splitlines()[1:]]
    assert read == values.tolist()


@pytest.mark.parametrize("form", ["json", "ndjson", "csv"])
def test_names_in_a_stream_survive(form):
    blocks = [{"run": [*NASTY, None], "loss": np.arange(1.0, len(NASTY) + 2)}]
    text = streamed(form, blocks)
    if form == "json":
        names = [row["run"] for row in json.loads(text)["rows"]]
    elif form == "ndjson":
        names = [json.loads(line)["run"] for line in text.split("\n") if line]
    else:
        names = [row[0] or None for row in list(csv.reader(io.StringIO(text, newline="")))[1:]]
        assert names == [name or None for name in [*NASTY, None]]
        return
    assert names == [*NASTY, None]


def test_blocks_as_rows_and_columns():
    assert list(block_rows(BLOCKS[0], ("train_flop", "params_low", "law", "loss"))) == ROWS[:2]
    assert column_values(BLOCKS[0], "params_low") == [1.5, None]
    assert column_values(BLOCKS[0], "law") == ["km", "km"]
    assert column_values({"run": ["a", None], "x": 1.0}, "x") == [1.0, 1.0]
