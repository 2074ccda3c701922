"""Budget files: what is read from them, and the line that says what is wrong with one."""

from __future__ import annotations

import re

import pytest

HEAD = "schema: scaleplan.budget/1\n"
GOOD = f"{HEAD}budget: {{flops: 1e24}}\n"
LINE = re.compile(r"[^:\n]+:\d+: [\w.-]+: \S.*")
"""``file:line: field: text``."""


def wrong_part(value: object) -> str:
    """A short name for a bad file: what it adds to a good one."""
    return repr(str(value).replace(GOOD, "").replace(HEAD, ""))


@pytest.mark.parametrize(
    "number", ["1e24", "1E24", "1.0e24", "1.e+24", "'1e24'", "1000 ZFLOP", "1000000000000000000000000"]
)
def test_a_number_in_a_budget_is_a_number_however_it_is_written(call, tmp_path, number):
    (tmp_path / "b.yaml").write_text(f"{HEAD}budget:\n  flops: {number}\n")
    result = call("allocate", "b.yaml", "--law", "chinchilla", "--get", "train_flop").succeeded("extrapolation")
    assert float(result.stdout) == 1e24


def test_a_file_plans_as_the_same_words_do(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}law: [km, chinchilla]\nbudget: {{flops: 1e21}}\n")
    by_file = call("allocate", "b.yaml", "-f", "json")
    by_words = call("allocate", "--flops", "1e21", "--law", "km", "--law", "chinchilla", "-f", "json")
    assert by_file.code == by_words.code == 0
    assert by_file.stderr == by_words.stderr
    answers = [by_file.envelope, by_words.envelope]
    assert [answer["inputs"].pop("file") for answer in answers] == ["b.yaml", None]
    assert answers[0] == answers[1]
    assert [row["law"] for row in by_file.envelope["rows"]] == ["kaplan-2020", "besiroglu-2024"]


def test_a_file_may_ask_for_a_loss(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}law: chinchilla\nbudget: {{loss: 2.0}}\n")
    row = call("allocate", "b.yaml", "-f", "json", "-q").succeeded().envelope["rows"][0]
    assert row["loss"] == pytest.approx(2.0, rel=1e-12)


def test_a_file_comes_on_stdin_too(call):
    result = call("allocate", "-", "--law", "chinchilla", "--get", "params", "-q", stdin=GOOD).succeeded()
    assert float(result.stdout) == pytest.approx(9.6005e10, rel=1e-4)
    call("allocate", "-", stdin=f"{HEAD}budget: {{flops: 0}}\n").failed(3, "<stdin>:2: budget.flops: must be > 0")
    call("allocate", "-", stdin="").failed(3, "<stdin>", "empty")


@pytest.mark.parametrize(
    "text", [GOOD.replace("\n", "\r\n"), f"\ufeff{GOOD}", f"---\n{GOOD}", f"# a comment\n\n{GOOD}"]
)
def test_line_ends_byte_order_marks_and_comments_do_not_matter(call, tmp_path, text):
    (tmp_path / "b.yaml").write_bytes(text.encode())
    assert call("allocate", "b.yaml", "--get", "train_flop", "-q").succeeded().stdout == "1e+24\n"


def test_words_beside_a_file_fix_a_side_and_choose_the_law(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}law: km\nbudget: {{flops: 1e24}}\n")
    words = ("allocate", "b.yaml", "--law", "chinchilla", "--params", "30B", "-f", "json", "-q")
    (row,) = call(*words).succeeded().envelope["rows"]
    assert (row["law"], row["params"]) == ("besiroglu-2024", 30e9)


@pytest.mark.parametrize("words", [("--flops", "1e24"), ("--loss", "2.0"), ("--flops", "-")])
def test_a_file_and_a_budget_in_words_are_two_budgets(call, tmp_path, words):
    (tmp_path / "b.yaml").write_text(GOOD)
    call("allocate", "b.yaml", *words).failed(2, "two budgets")


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (f"{HEAD}budget: {{flops: 1e24, loss: 2}}\n", (":2: budget: ", "exactly one", "flops and loss")),
        (f"{HEAD}budget: {{}}\n", (":2: budget: ", "exactly one")),
        (HEAD, (": budget: missing",)),
        (f"{GOOD}laww: km\n", (":3: laww: unknown key", "Did you mean law?")),
        (f"{HEAD}budget:\n  flopz: 1e24\n", (":3: budget.flopz: unknown key", "Did you mean flops?")),
        (f"{GOOD}colour: blue\n", (":3: colour: unknown key",)),
        (f"{GOOD}compare:\n- {{name: x, parms: 3B}}\n", (":4: compare.0.parms: unknown key", "Did you mean params?")),
        ("budget: {flops: 1e24}\n", (": schema: missing", "scaleplan.budget/1")),
        ("schema: scaleplan.budget/2\nbudget: {flops: 1e24}\n", (":1: schema: ", "scaleplan.budget/1", "budget/2'")),
        ("schema: scaleplan.options/1\ncompare: [gopher]\n", (":1: schema: ", "options", "compare")),
        (f"{HEAD}budget:\n  flops: .nan\n", (":3: budget.flops: must be a finite number (got nan)",)),
        (f"{HEAD}budget:\n  flops: .inf\n", (":3: budget.flops: must be a finite number (got inf)",)),
        (f"{HEAD}budget:\n  flops: -.inf\n", (":3: budget.flops: ", "got -inf")),
        (f"{HEAD}budget:\n  flops: 1e400\n", (":3: budget.flops: must be a finite number",)),
        (f"{HEAD}budget:\n  flops: -5\n", (":3: budget.flops: must be > 0 (got -5)",)),
        (f"{HEAD}budget:\n  flops: 0\n", (":3: budget.flops: must be > 0 (got 0)",)),
        (f"{HEAD}budget:\n  flops: true\n", (":3: budget.flops: must be a number",)),
        (f"{HEAD}budget:\n  flops: yes\n", (":3: budget.flops: not a number: 'yes'",)),
        (f"{HEAD}budget:\n  flops: plenty\n", (":3: budget.flops: not a number: 'plenty'",)),
        (f"{HEAD}budget:\n  flops: ''\n", (":3: budget.flops: not a number",)),
        (f"{HEAD}budget:\n  flops: 12:30\n", (":3: budget.flops: ", "12:30")),
        (f"{HEAD}budget:\n  flops: [1e24]\n", (":3: budget.flops: must be a number",)),
        (f"{HEAD}budget:\n  loss: 0\n", (":3: budget.loss: must be > 0",)),
        (f"{HEAD}budget:\n  loss: low\n", (":3: budget.loss: not a number: 'low'",)),
        (f"{GOOD}law: chinchila\n", (":3: law", "unknown law 'chinchila'", "Did you mean chinchilla?")),
        (f"{GOOD}law:\n- km\n- gadrr\n", (":5: law", "unknown law 'gadrr'", "scaleplan laws")),
        (f"{GOOD}law: 3\n", (":3: law: ", "got 3")),
        (f"{GOOD}compare: [goper]\n", (":3: compare.0: unknown model 'goper'", "Did you mean gopher")),
        (f"{GOOD}compare:\n- {{name: x, params: -1}}\n", (":4: compare.0.params: must be > 0 (got -1)",)),
        (f"{GOOD}compare:\n- {{name: x, params: 1B, tokens: 0.5}}\n", (":4: compare.0.tokens: must be at least 1",)),
        (f"{GOOD}compare:\n- {{name: x}}\n", (":4: compare.0: needs params or tokens",)),
        (f"{GOOD}compare:\n- {{params: 1B}}\n", (":4: compare.0.name: missing",)),
    ],
    ids=wrong_part,
)  # fmt: skip
def test_a_bad_value_is_one_line_with_file_line_field_and_what_would_be_right(call, tmp_path, text, fragments):
    (tmp_path / "b.yaml").write_text(text)
    result = call("allocate", "b.yaml").failed(3, "b.yaml", *fragments)
    assert LINE.fullmatch(result.stderr.strip()), result.stderr


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (f"{GOOD}budget: {{loss: 2}}\n", (":3: ", "duplicate key", "budget")),
        (f"{HEAD}budget:\n  flops: 1e24\n  flops: 2e24\n", (":4: ", "duplicate key", "budget.flops")),
        (f"{HEAD}{GOOD}", (":2: ", "duplicate key", "schema")),
        (f"{HEAD}budget: {{flops: 1e24\n", (":3: ", "not valid YAML")),
        (f"{HEAD}\tbudget: 1\n", (":2: ", "not valid YAML", "tab")),
        (f"{GOOD}---\nname: two\n", (":4: ", "second YAML document")),
        (f"{HEAD}budget: &a {{flops: *a}}\n", (":2: ", "alias")),
        (f"{HEAD}? [a]\n: 1\n", (":2: ", "key")),
        ("[1, 2]\n", (":1: ", "mapping")),
        ("1e24\n", (":1: ", "mapping")),
        ("# nothing but a comment\n", ("b.yaml",)),
        ("", ("b.yaml: empty", "scaleplan init")),
        (" \n\t\n", ("b.yaml: empty",)),
    ],
    ids=wrong_part,
)
def test_a_document_that_is_none_is_one_line_with_its_place(call, tmp_path, text, fragments):
    (tmp_path / "b.yaml").write_text(text)
    call("allocate", "b.yaml").failed(3, "b.yaml", *fragments)


def test_the_value_got_is_shown_as_it_was_written(call, tmp_path):
    (tmp_path / "plan.yaml").write_text(f"{HEAD}\nbudget:\n  flops: -1e24\n")
    result = call("allocate", "plan.yaml").failed(3)
    assert result.stderr == "plan.yaml:4: budget.flops: must be > 0 (got -1e24)\n"


@pytest.mark.parametrize(
    "wrong", ["budget: 1e24\n", "budget:\n", "budget: [flops, 1e24]\n", "budget: {flops: 1e24}\ncompare: [3]\n",
              "budget: {flops: 1e24}\ncompare: gopher\n", "budget: {flops: 1e24}\ncompare: [{name: x}]\n"],
)  # fmt: skip
def test_messages_speak_of_the_file_and_not_of_the_program(call, tmp_path, wrong):
    (tmp_path / "b.yaml").write_text(HEAD + wrong)
    result = call("allocate", "b.yaml")
    assert result.code == 3
    assert result.stdout == ""
    assert result.stderr.startswith("b.yaml:")
    assert not re.search(r"Spec|function-|instance of|dictionary|\.str\b|NoneType", result.stderr)


def test_all_problems_come_at_once_in_the_order_of_their_lines(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}nam: x\nbudget:\n  flops: -1\ncompare:\n- {{name: y, params: 0}}\n")
    result = call("allocate", "b.yaml")
    assert (result.code, result.stdout) == (3, "")
    lines = result.stderr.splitlines()
    assert [line.split(": ")[:2] for line in lines] == [
        ["b.yaml:2", "nam"],
        ["b.yaml:4", "budget.flops"],
        ["b.yaml:6", "compare.0.params"],
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{GOOD}law: [km, km]\n", 3),
        (f"{GOOD}law: [km, kaplan]\n", 3),
        (f"{GOOD}law: [all, km]\n", 3),
        (f"{GOOD}law: ./nowhere.yaml\n", 3),
        (f"{GOOD}law: km:cmin\n", 3),
    ],
    ids=wrong_part,
)
def test_laws_that_a_file_cannot_have_are_an_error_of_the_file(call, tmp_path, text, line):
    (tmp_path / "b.yaml").write_text(text)
    call("allocate", "b.yaml").failed(3, f"b.yaml:{line}: law")


def test_two_options_of_one_name_are_an_error_of_the_file(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{GOOD}compare: [gopher, gopher-280b]\n")
    call("compare", "b.yaml").failed(3, "b.yaml:3: compare", "gopher-280b")


def test_an_infeasible_loss_in_a_file_is_infeasible(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}budget: {{loss: 1.5}}\n")
    call("allocate", "b.yaml").failed(4, "1.8169")


def test_a_bad_input_file_ends_the_process_with_3(run, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}budget: {{flops: 0}}\n")
    run("allocate", "b.yaml").failed(3, "b.yaml:2: budget.flops: must be > 0 (got 0)")


@pytest.mark.parametrize("command", [("allocate",), ("check",), ("compare",)])
def test_what_is_no_file_of_text_is_one_clear_line(call, tmp_path, command):
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "binary.yaml").write_bytes(b"\x7fELF\x00\x01\x02")
    (tmp_path / "latin.yaml").write_bytes(f"{HEAD}name: ".encode() + b"\xe9t\xe9\n")
    with (tmp_path / "huge.yaml").open("wb") as file:
        file.write(GOOD.encode())
        file.truncate(100 * 2**20)
    call(*command, "missing.yaml").failed(3, "missing.yaml: no such file")
    call(*command, "folder.yaml").failed(3, "folder.yaml: a folder")
    call(*command, "binary.yaml").failed(3, "binary.yaml: a binary file")
    call(*command, "latin.yaml").failed(3, "latin.yaml:2: not UTF-8")
    call(*command, "huge.yaml").failed(3, "huge.yaml: larger than")


def test_aliases_that_blow_up_are_refused(call, tmp_path):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for name, last in zip("bcdefghi", "abcdefgh", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{last}'] * 10)}]")
    (tmp_path / "bomb.yaml").write_text(HEAD + "\n".join(lines) + "\n")
    call("allocate", "bomb.yaml").failed(3, "bomb.yaml", "aliases")


@pytest.mark.parametrize("opening", ["[", "{a: "])
def test_a_file_nested_very_deeply_is_refused(run, tmp_path, opening):
    (tmp_path / "deep.yaml").write_text(f"{GOOD}name: {opening * 100_000}\n")
    run("allocate", "deep.yaml").failed(3, "deep.yaml")


def test_tags_run_nothing(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}budget: !!python/object/apply:os.mkdir [made]\n")
    call("allocate", "b.yaml").failed(3, "b.yaml:2")
    assert not (tmp_path / "made").exists()
