"""``scaleplan predict``: the loss of one run, or of every run of a table."""

from __future__ import annotations

import json
import re

import pytest

E, A, B, ALPHA, BETA = 1.8168640400416654, 482.0057194215438, 2085.434195928221, 0.34781303, 0.36585412
"""The constants of Besiroglu et al. 2024 in full digits."""
COLUMNS = ["params", "params_nonembedding", "tokens", "tokens_per_param", "train_flop", "loss", "loss_low", "loss_high"]
RUNS = "params,tokens\n1e9,20B\n2e9,4e10\n"


def loss_of(params: float, tokens: float) -> float:
    return E + A / params**ALPHA + B / tokens**BETA


def test_one_run_is_predicted_by_the_law(run):
    result = run("predict", "--params", "70B", "--tokens", "1.4T", "-f", "json").succeeded("extrapolation")
    envelope = result.envelope
    assert list(envelope) == ["schema", "version", "inputs", "rows", "warnings"]
    assert envelope["schema"] == "scaleplan.predict/1"
    (row,) = envelope["rows"]
    assert list(row) == COLUMNS
    assert row["loss"] == pytest.approx(loss_of(70e9, 1.4e12), rel=1e-12)
    assert row["loss_low"] < row["loss"] < row["loss_high"]
    assert row["train_flop"] == pytest.approx(5.88e23)
    assert row["tokens_per_param"] == pytest.approx(20)
    assert (envelope["inputs"]["params"], envelope["inputs"]["tokens"]) == (70e9, 1.4e12)


def test_one_run_in_every_format(call):
    words = ("predict", "--params", "1B", "--tokens", "20B")
    (row,) = call(*words, "-f", "json").succeeded().envelope["rows"]
    assert call(*words, "-f", "ndjson").succeeded().lines == [row]
    (cells,) = call(*words, "-f", "csv").succeeded().table
    assert {key: float(value) for key, value in cells.items()} == row
    assert call(*words, "--get", "loss").succeeded().stdout == f"{row['loss']!r}\n"
    for form in ("table", "markdown"):
        text = call(*words, "-f", form).succeeded().stdout
        assert all(shown in text for shown in ("1B", "20B", "1.2e20", f"{row['loss']:.4f}"))


def test_bands_are_named_as_allocate_names_them(call):
    heading = re.compile(r"95 ?% band")
    assert heading.search(call("allocate", "--flops", "1e21", "--law", "chinchilla").succeeded().stdout)
    assert heading.search(call("predict", "--params", "1B", "--tokens", "20B").succeeded().stdout)


def test_the_law_and_the_level_may_be_chosen(call):
    words = ("predict", "--params", "1B", "--tokens", "20B", "-f", "json")
    wide = call(*words).succeeded().envelope["rows"][0]
    narrow = call(*words, "--level", "0.5").succeeded().envelope["rows"][0]
    assert wide["loss_low"] < narrow["loss_low"] < narrow["loss_high"] < wide["loss_high"]
    kaplan = call(*words, "--law", "km").succeeded("no_interval").envelope
    assert kaplan["inputs"]["laws"][0]["id"] == "kaplan-2020"
    assert kaplan["rows"][0]["loss_low"] is None
    assert kaplan["rows"][0]["params_nonembedding"] < 1e9


def test_a_table_has_a_row_a_run_in_every_format(call, tmp_path):
    (tmp_path / "runs.csv").write_text(RUNS)
    words = ("predict", "--runs", "runs.csv")
    rows = call(*words, "-f", "ndjson").succeeded().lines
    assert [(row["params"], row["tokens"]) for row in rows] == [(1e9, 20e9), (2e9, 4e10)]
    assert [row["loss"] for row in rows] == pytest.approx([loss_of(1e9, 20e9), loss_of(2e9, 4e10)], rel=1e-12)
    assert [list(row) for row in rows] == [COLUMNS] * 2
    assert call(*words, "-f", "json").succeeded().envelope["rows"] == rows
    table = call(*words, "-f", "csv").succeeded().table
    assert [{key: float(value) for key, value in row.items()} for row in table] == rows
    assert call(*words, "--get", "loss").succeeded().stdout == "".join(f"{row['loss']!r}\n" for row in rows)
    for form in ("table", "markdown"):
        text = call(*words, "-f", form).succeeded().stdout
        assert all(f"{row['loss']:.4f}" in text for row in rows)


def test_a_table_comes_on_stdin_too(call):
    result = call("predict", "--runs", "-", "-f", "ndjson", stdin=RUNS).succeeded()
    assert [row["params"] for row in result.lines] == [1e9, 2e9]
    call("predict", "--runs", "-", "-f", "csv", stdin="params,tokens\n1e9,x\n").failed(3, "<stdin>:2: tokens", "'x'")


def test_rows_come_out_while_the_table_stays_open(live):
    program = live("predict", "--runs", "-", "-f", "csv")
    program.send("params,tokens\n1e9,2e10\n")
    assert program.receive().startswith("params,")
    assert program.receive().startswith("1000000000.0,")
    program.send("2e9,4e10\n")
    assert program.receive().startswith("2000000000.0,")
    program.send("3e9,oops\n")
    result = program.finish()
    assert result.code == 3
    assert result.stderr.startswith("<stdin>:4: tokens: not a number: 'oops'")


@pytest.mark.parametrize("column", ["flops", "train_flop"])
def test_flops_stand_in_for_the_params_or_the_tokens(call, column):
    by_tokens = call("predict", "--runs", "-", "-f", "ndjson", stdin=f"tokens,{column}\n2e10,1.2e20\n").succeeded()
    by_params = call("predict", "--runs", "-", "-f", "ndjson", stdin=f"{column},params\n1.2e20,1e9\n").succeeded()
    for result in (by_tokens, by_params):
        (row,) = result.lines
        assert (row["params"], row["tokens"]) == pytest.approx((1e9, 2e10), rel=1e-12)
        assert row["train_flop"] == pytest.approx(1.2e20, rel=1e-12)


def test_names_of_runs_are_kept(call):
    text = 'run,params,tokens\n"a, b",1e9,2e10\n7,2e9,4e10\n'
    words = ("predict", "--runs", "-", "-f")
    assert [row["run"] for row in call(*words, "csv", stdin=text).succeeded().table] == ["a, b", "7"]
    assert [row["run"] for row in call(*words, "ndjson", stdin=text).succeeded().lines] == ["a, b", "7"]


def test_columns_that_are_not_used_are_named(call):
    result = call("predict", "--runs", "-", "-f", "json", stdin="lr,params,tokens,note\n3,1e9,2e10,x\n")
    result.succeeded("ignored_columns")
    assert "lr, note" in dict(result.notices)["ignored_columns"]
    assert result.envelope["warnings"][0]["code"] == "ignored_columns"


def test_flops_that_disagree_with_params_and_tokens_are_not_dropped_in_silence(call):
    result = call("predict", "--runs", "-", "-f", "csv", stdin="params,tokens,flops\n1e9,2e10,5e25\n")
    assert "flop" in result.stderr


def test_inputs_name_the_table(call, tmp_path):
    (tmp_path / "runs.csv").write_text(RUNS)
    inputs = call("predict", "--runs", "runs.csv", "-f", "json").succeeded().envelope["inputs"]
    assert "runs.csv" in json.dumps(inputs)


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("params,tokens\n1e9,2e10\nabc,3e9\n", (":3: params: not a number: 'abc'",)),
        ("params,tokens\n1e9,2e10\n1e9,\n", (":3: tokens: ", "empty")),
        ("params,tokens\n1e9,2e10\n1e9,nan\n", (":3: tokens: must be a finite number (got nan)",)),
        ("params,tokens\n1e9,2e10\n1e9,inf\n", (":3: tokens: must be a finite number (got inf)",)),
        ("params,tokens\n1e9,-1\n", (":2: tokens: must be > 0 (got -1)",)),
        ("params,tokens\n0,1e9\n", (":2: params: must be > 0 (got 0)",)),
        ("params,tokens\n1e9,0.5\n", (":2: tokens: must be at least 1 (got 0.5)",)),
        ("params,flops\n1e9,1\n", (":2: tokens: must be at least 1",)),
        ("params,tokens\n1e9,2e10\n\n1e9,\n", (":4: tokens: ", "empty")),
        ("params,tokens\n1e9,2e10\n1e9\n", (":3: ",)),
        ("params,tokens\n1e9,2e10\n1e9,3,4\n", (":3: ",)),
        ("params,tokens\n", ("no rows",)),
        ("", ("empty", "params,tokens")),
        ("params\n1e9\n", (":1: ", "'tokens'", "flops")),
        ("parms,tokens\n1e9,2e10\n", (":1: ", "'params'", "parms")),
        ("1e9,2e10\n", (":1: ", "'params'")),
        ("params,params,tokens\n1,2,3\n", (":1: ", "'params'", "twice")),
        ("flops,train_flop,params\n1,2,3\n", (":1: ", "flops and train_flop", "same")),
    ],
    ids=repr,
)
def test_a_bad_table_is_named_with_its_line(call, tmp_path, text, fragments):
    (tmp_path / "runs.csv").write_text(text)
    call("predict", "--runs", "runs.csv", "-f", "csv").failed(3, "runs.csv", *fragments)


def test_a_row_too_long_is_told_in_the_words_of_the_table(call):
    result = call("predict", "--runs", "-", "-f", "csv", stdin="params,tokens\n1e9,2e10\n1e9,3,4\n").failed(3)
    assert "Schema" not in result.stderr
    assert "3 values" in result.stderr


def test_what_is_no_table_is_one_clear_line(call, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary.csv").write_bytes(b"PK\x03\x04\x00\x00,\n\x00")
    (tmp_path / "latin.csv").write_bytes(b"run,params,tokens\na,1e9,2e10\n\xe9,1e9,2e10\n")
    with (tmp_path / "huge.csv").open("wb") as file:
        file.write(b"params" * 1000)
        file.truncate(100 * 2**20)
    (tmp_path / "long.csv").write_bytes(b"x" * 2**22)
    call("predict", "--runs", "missing.csv").failed(3, "missing.csv: no such file")
    call("predict", "--runs", "folder").failed(3, "folder: a folder")
    call("predict", "--runs", "binary.csv").failed(3, "binary.csv: a binary file")
    call("predict", "--runs", "huge.csv").failed(3, "huge.csv")
    call("predict", "--runs", "long.csv").failed(3, "long.csv")


def test_bytes_that_are_no_text_are_named_by_their_line(call):
    text = b"run,params,tokens\na,1e9,2e10\n\xe9,1e9,2e10\n"
    call("predict", "--runs", "-", "-f", "csv", stdin=text).failed(3, "<stdin>:3: ", "UTF-8")


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        ((), ("--params", "--tokens", "--runs")),
        (("--params", "1B"), ("missing --tokens",)),
        (("--tokens", "1B"), ("missing --params",)),
        (("--params", "0", "--tokens", "1B"), ("params", "must be > 0")),
        (("--params", "1B", "--tokens", "0.5"), ("tokens", "at least 1")),
        (("--params", "nan", "--tokens", "1B"), ("params", "finite")),
        (("--runs", "r.csv", "--params", "1B"), ("--runs", "--params")),
        (("--params", "1B", "--tokens", "1B", "--law", "hoffmann-2022-a1"), ("hoffmann-2022-a1", "besiroglu-2024")),
        (("--params", "1B", "--tokens", "1B", "--law", "chinchila"), ("Did you mean chinchilla",)),
        (("--params", "1B", "--tokens", "1B", "--law", "all"), ("law", "all")),
        (("--params", "1B", "--tokens", "1B", "--law", "km", "--law", "chinchilla"), ("law",)),
        (("--params", "1B", "--tokens", "1B", "--level", "0"), ("level",)),
    ],
    ids=" ".join,
)
def test_words_that_make_no_sense_are_one_clear_line_and_exit_code_2(call, words, fragments):
    call("predict", *words).failed(2, *fragments)
