"""``--flops -``: a budget a line in, a row a budget out, as they come."""

from __future__ import annotations

import signal

import pytest

STREAM = ("allocate", "--flops", "-")
COLUMNS = [
    "train_flop", "params", "params_low", "params_high", "tokens", "tokens_low", "tokens_high", "tokens_per_param",
    "loss", "loss_low", "loss_high",
]  # fmt: skip
BUDGETS = "1e21\n2.5e21\n1e22\n"


def test_a_stream_has_a_row_a_budget_in_every_format(call):
    table = call(*STREAM, "-f", "csv", stdin=BUDGETS).succeeded().table
    assert [list(row) for row in table] == [COLUMNS] * 3
    rows = [{key: float(value) for key, value in row.items()} for row in table]
    assert [row["train_flop"] for row in rows] == [1e21, 2.5e21, 1e22]
    assert call(*STREAM, "-f", "ndjson", stdin=BUDGETS).succeeded().lines == rows
    envelope = call(*STREAM, "-f", "json", stdin=BUDGETS).succeeded().envelope
    assert list(envelope) == ["schema", "version", "inputs", "rows", "warnings"]
    assert envelope["schema"] == "scaleplan.allocate/1"
    assert envelope["inputs"]["flops"] == "-"
    assert [law["id"] for law in envelope["inputs"]["laws"]] == ["besiroglu-2024"]
    assert envelope["rows"] == rows
    assert call(*STREAM, "--get", "params", stdin=BUDGETS).succeeded().stdout.split() == [
        repr(row["params"]) for row in rows
    ]


def test_a_stream_answers_as_the_budgets_do_one_by_one(call):
    rows = call(*STREAM, "-f", "ndjson", stdin=BUDGETS).succeeded().lines
    for row in rows:
        words = ("allocate", "--flops", repr(row["train_flop"]), "--law", "chinchilla", "-f", "json", "-q")
        (plan,) = call(*words).succeeded().envelope["rows"]
        assert {key: plan[key] for key in COLUMNS} == pytest.approx(row, rel=1e-12)


@pytest.mark.parametrize("form", ["table", "markdown"])
def test_a_stream_may_be_read_by_people(call, form):
    text = call(*STREAM, "-f", form, stdin=BUDGETS).succeeded().stdout
    for shown in ("1e21", "2.5e21", "1e22", "2.782B", "21.53", "2.3048"):
        assert shown in text


def test_lines_may_have_units_spaces_and_any_line_end(call):
    text = "1 PF-day\r\n10 PF-days\r\n  1 ZFLOP \n2.5e21"
    result = call(*STREAM, "--get", "train_flop", stdin=text).succeeded()
    assert [float(line) for line in result.stdout.split()] == pytest.approx([8.64e19, 8.64e20, 1e21, 2.5e21])


def test_a_law_without_covariance_streams_empty_ends(call):
    notices = ("extrapolation", "no_interval")
    table = call(*STREAM, "--law", "km", "-f", "csv", stdin=BUDGETS).succeeded(*notices).table
    assert {row["loss_low"] for row in table} == {""}
    result = call(*STREAM, "--law", "km", "-f", "json", stdin=BUDGETS).succeeded(*notices)
    assert {row["params_high"] for row in result.envelope["rows"]} == {None}
    assert [(w["code"], w["message"]) for w in result.envelope["warnings"]] == result.notices
    assert call(*STREAM, "--law", "km", "--get", "loss_low", "-q", stdin=BUDGETS).succeeded().stdout == "null\n" * 3


def test_the_notices_speak_of_the_whole_stream_once(call):
    result = call(*STREAM, "-f", "csv", stdin="1e21\n1e24\n1e23\n").succeeded("extrapolation")
    assert "1e24 FLOP is 76.9 times" in result.stderr
    assert call(*STREAM, "-f", "csv", "-q", stdin="1e24\n").succeeded().stderr == ""


def test_a_fixed_side_holds_for_every_line(call):
    rows = call(*STREAM, "--params", "1B", "-f", "ndjson", "-q", stdin=BUDGETS).succeeded().lines
    assert [row["params"] for row in rows] == [1e9] * 3
    assert [row["tokens"] for row in rows] == pytest.approx([c / 6e9 for c in (1e21, 2.5e21, 1e22)])


def test_a_long_stream_loses_no_line(run):
    budgets = [1e18 * (2 + i / 70) for i in range(100_000)]
    text = "".join(f"{budget!r}\n" for budget in budgets)
    result = run(*STREAM, "--get", "train_flop", stdin=text).succeeded()
    assert [float(line) for line in result.stdout.split()] == budgets


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("1e21\nabc\n", ("<stdin>:2: flops: not a number: 'abc'",)),
        ("1e21\n1e22\n0\n1e23\n", ("<stdin>:3: flops: must be > 0 (got 0)",)),
        ("-1e24\n", ("<stdin>:1: flops: must be > 0 (got -1e24)",)),
        ("1e21\nnan\n", ("<stdin>:2: flops: must be a finite number (got nan)",)),
        ("1e21\ninf\n", ("<stdin>:2: flops: must be a finite number (got inf)",)),
        ("1e21\n1e400\n", ("<stdin>:2: flops: must be a finite number (got 1e400)",)),
        ("1e21\n\n1e22\n", ("<stdin>:2: flops: ", "empty")),
        ("1e21\n1e22 tokens\n", ("<stdin>:2: flops: ", "'1e22 tokens'")),
        ("flops\n1e21\n", ("<stdin>:1: flops: not a number: 'flops'",)),
        ("1e21,1e22\n", ("<stdin>:1: flops: ", "'1e21,1e22'")),
        ("1e2x", ("<stdin>:1: flops: ", "'1e2x'")),
        ("", ("<stdin>", "empty")),
    ],
    ids=repr,
)
def test_a_bad_line_is_named_by_its_number(call, text, fragments):
    call(*STREAM, "-f", "csv", stdin=text).failed(3, *fragments)


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv", "markdown"])
def test_a_bad_line_prints_nothing_in_any_format(call, form):
    call(*STREAM, "-f", form, stdin="1e21\nabc\n").failed(3, "<stdin>:2")
    call(*STREAM, "-f", form, stdin="").failed(3, "<stdin>")


def test_a_bad_last_line_without_its_end_is_named_too(call):
    result = call(*STREAM, "-f", "csv", stdin="1e21\n1e22\n1e2x")
    assert result.code == 3
    assert result.stderr.startswith("<stdin>:3: flops: ")
    assert "'1e2x'" in result.stderr


def test_bytes_that_are_no_text_are_named_by_their_line(call):
    call(*STREAM, "-f", "csv", stdin=b"1e21\n\xff\xfe\x00\n").failed(3, "<stdin>:2: flops")


def test_a_line_without_end_is_no_stream_of_numbers(call):
    call(*STREAM, "-f", "csv", stdin=b"\x00" * 2_000_000).failed(3, "<stdin>")


def test_a_budget_that_buys_nothing_is_named_by_its_line(call):
    result = call(*STREAM, "-f", "csv", stdin="1e21\n1e22\n1e-5\n")
    assert result.code in (3, 4)
    assert result.stdout == ""
    assert "<stdin>:3" in result.stderr


def test_an_unknown_key_is_told_before_any_row(call):
    call(*STREAM, "--get", "parms", stdin=BUDGETS).failed(2, "'parms'", "Did you mean params")


@pytest.mark.parametrize("form", [("-f", "csv"), ("-f", "ndjson"), ("--get", "params")], ids=" ".join)
def test_rows_come_out_while_the_input_stays_open(live, form):
    program = live(*STREAM, *form)
    program.send("1e21\n")
    if "csv" in form:
        assert program.receive().startswith("train_flop,params,")
    assert "2782115290.6" in program.receive()
    program.send("2e21\n1e2")
    assert "3969127523.3" in program.receive()
    program.send("2\n")
    assert "9057635340.0" in program.receive()
    result = program.finish()
    assert (result.stdout, result.stderr, result.code) == ("", "", 0)


def test_json_rows_come_out_while_the_input_stays_open(live):
    program = live(*STREAM, "-f", "json")
    program.send("1e21\n")
    head = program.receive("}]}, ") + program.receive("}")
    program.send("2e21\n")
    more = program.receive("}")
    result = program.finish()
    assert (result.stderr, result.code) == ("", 0)
    whole = type(result)(head + more + result.stdout, "", 0)
    assert [row["train_flop"] for row in whole.envelope["rows"]] == [1e21, 2e21]


def test_line_numbers_go_on_over_lines_that_came_before(live):
    program = live(*STREAM, "-f", "ndjson")
    program.send("1e21\n2e21\n")
    program.receive()
    program.receive()
    program.send("3e21\nabc\n")
    result = program.finish()
    assert result.code == 3
    assert "<stdin>:4: flops: not a number: 'abc'" in result.stderr


def test_the_order_of_rows_does_not_hang_on_how_the_input_arrives(call, live):
    words = (*STREAM, "--law", "km", "--law", "chinchilla", "-f", "ndjson", "-q")
    at_once = [(row["law"], row["train_flop"]) for row in call(*words, stdin="1e21\n2e21\n").succeeded().lines]
    program = live(*words)
    program.send("1e21\n")
    first = program.receive() + program.receive()
    program.send("2e21\n")
    rest = program.finish()
    slowly = type(rest)(first + rest.stdout, rest.stderr, rest.code).succeeded().lines
    assert [(row["law"], row["train_flop"]) for row in slowly] == at_once


@pytest.mark.parametrize("form", ["csv", "table"])
def test_ctrl_c_ends_a_stream_with_130_and_no_traceback(live, form):
    program = live(*STREAM, "-f", form)
    program.send("1e21\n")
    if form == "csv":
        program.receive()
        program.receive()
    else:
        other = live(*STREAM, "-f", "csv")  # a table prints at the end alone: wait as long as another takes to start
        other.send("1e21\n")
        other.receive()
    program.interrupt()
    result = program.finish()
    assert result.code == 130
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert len(result.stderr.splitlines()) <= 1


@pytest.mark.parametrize("form", [("-f", "csv"), ("-f", "ndjson"), ("--get", "params")], ids=" ".join)
def test_a_reader_that_goes_away_ends_the_stream_without_a_word(live, form):
    program = live(*STREAM, *form)
    program.send("1e21\n")
    program.receive()
    program.close_stdout()
    program.send("2e21\n")
    assert program.process.wait(60) in (0, -signal.SIGPIPE)
    assert program.finish().stderr == ""


def test_several_laws_come_budget_by_budget_and_get_prints_each(call):
    printed = call("allocate", "--flops", "-", "--law", "chinchilla", "--law", "km", "--get", "params", "-q",
                   stdin="1e21\n1e22\n").succeeded().stdout  # fmt: skip
    rows = call("allocate", "--flops", "-", "--law", "chinchilla", "--law", "km", "-f", "csv", "-q",
                stdin="1e21\n1e22\n").succeeded().table  # fmt: skip
    assert [row["params"] for row in rows] == printed.split()
    assert [row["law"] for row in rows] == ["besiroglu-2024", "kaplan-2020"] * 2


def test_a_law_without_embeddings_gives_its_own_count_in_a_stream(call):
    (row,) = call("allocate", "--flops", "-", "--law", "km", "-f", "csv", "-q", stdin="1e21\n").succeeded().table
    assert float(row["params_nonembedding"]) == pytest.approx(4.68e9, rel=2e-3)
