"""YAML 1.2 scalars, lines, and everything that is refused."""

import math

import pytest

from scaleplan.errors import InputFileError
from scaleplan.specs.yaml12 import merged, parse, parse_parts


def value(text):
    return parse(f"key: {text}\n", "f.yaml").data["key"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1e24", 1e24),
        ("1.0e24", 1e24),
        ("1E+24", 1e24),
        ("5.76e23", 5.76e23),
        ("-1e-3", -0.001),
        ("1.", 1.0),
        (".5", 0.5),
        ("+.5", 0.5),
        ("0.0", 0.0),
        (".inf", math.inf),
        (".Inf", math.inf),
        (".INF", math.inf),
        ("+.inf", math.inf),
        ("+.Inf", math.inf),
        ("+.INF", math.inf),
        ("-.inf", -math.inf),
        ("-.INF", -math.inf),
    ],
)
def test_floats(text, number):
    assert value(text) == number
    assert type(value(text)) is float


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number(text):
    assert math.isnan(value(text))


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("7", 7), ("-3", -3), ("+3", 3), ("012", 12), ("0x1F", 31), ("0xdead", 57005), ("0o17", 15)],
)
def test_integers(text, number):
    assert value(text) == number
    assert type(value(text)) is int


@pytest.mark.parametrize(
    "text",
    [
        "no", "yes", "on", "off", "No", "YES", "y", "n", "12:30", "1:2:3", "2024-01-01", "1_000", "0b101", "0x", "0o8",
        "0xfg", "-0x1f", "nan", "inf", "Infinity", "1e", "e5", ".", "+", "1e5.5", "70B", "1.2.3", "tRue", "=", "<<",
    ],
)  # fmt: skip
def test_text_stays_text(text):
    assert value(text) == text


@pytest.mark.parametrize("text", ["0x_1", "0o1_7", "0x1_F"])
def test_underscores_make_no_number(text):
    assert value(text) == text


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL", "# only a comment"])
def test_null(text):
    assert value(text) is None


@pytest.mark.parametrize(
    ("text", "truth"), [("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False)]
)
def test_booleans(text, truth):
    assert value(text) is truth


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('"1e24"', "1e24"),
        ("'5'", "5"),
        ("'true'", "true"),
        ('"null"', "null"),
        ("''", ""),
        ('"~"', "~"),
        ('"0x1F"', "0x1F"),
    ],
)
def test_what_is_quoted_stays_text(text, read):
    assert value(text) == read


def test_block_text_stays_text():
    assert parse("a: |\n  12\nb: >-\n  1e24\n", "f").data == {"a": "12\n", "b": "1e24"}


@pytest.mark.parametrize(("text", "read"), [("!!str 5", "5"), ("!!int '5'", 5), ("!!str true", "true")])
def test_a_tag_is_obeyed_or_refused_but_not_dropped(text, read):
    try:
        got = value(text)
    except InputFileError:
        return
    assert got == read
    assert type(got) is type(read)


def test_unicode():
    data = parse("größe: 7\nname: 大模型 🚀\ncafé: 'é'\n", "f").data
    assert data == {"größe": 7, "name": "大模型 🚀", "café": "é"}


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    assert parse("\ufeffa: 1\n", "f").data == {"a": 1}


def test_windows_line_ends():
    document = parse("a: 1\r\nb:\r\n- x\r\n- 2\r\n", "f")
    assert document.data == {"a": 1, "b": ["x", 2]}
    assert document.lines["b", 1] == 4


def test_an_empty_text_is_null():
    assert parse("", "f").data is None
    assert parse("# nothing\n", "f").data is None


NESTED = """\
schema: x

budget:
  flops: 1e24
compare:
- gopher
- {name: ours,
   params: 30B}
- name: other
  limits: [1,
    2]
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("schema",), 1),
        (("budget",), 3),
        (("budget", "flops"), 4),
        (("compare",), 5),
        (("compare", 0), 6),
        (("compare", 1), 7),
        (("compare", 1, "name"), 7),
        (("compare", 1, "params"), 8),
        (("compare", 2), 9),
        (("compare", 2, "limits"), 10),
        (("compare", 2, "limits", 0), 10),
        (("compare", 2, "limits", 1), 11),
    ],
)
def test_every_value_has_its_line(path, line):
    document = parse(NESTED, "f.yaml")
    assert document.where(path) == f"f.yaml:{line}"


@pytest.mark.parametrize(
    ("path", "line"), [(("budget", "flop"), 3), (("compare", 1, "tokens"), 7), (("nothing", 3, "there"), 1)]
)
def test_what_is_not_there_is_placed_at_the_nearest_thing_around_it(path, line):
    assert parse(NESTED, "f.yaml").where(path) == f"f.yaml:{line}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: duplicate key 'a'"),
        ("a:\n  b: 1\n  c: 2\n  b: 3\n", "f.yaml:4: duplicate key 'a.b'"),
        ("a:\n- {x: 1, x: 1}\n", "f.yaml:2: duplicate key 'a.0.x'"),
        ("1: a\n'1': b\n", "f.yaml:2: duplicate key '1'"),
        ("a:\n\t- x\n", "f.yaml:2: not valid YAML"),
        ("a: [1, 2\n", "not valid YAML"),
        ("a: 'open\n", "not valid YAML"),
        ("a: *nowhere\n", "f.yaml:1: not valid YAML: found undefined alias"),
        ("a: b: c\n", "f.yaml:1: not valid YAML"),
        ("a: \x07\n", "not valid YAML"),
        ("? [a, b]\n: 1\n", "f.yaml:1: a key must be plain text"),
        ("a: &x [*x]\n", "f.yaml:1: an alias that contains itself"),
        ("a: &x\n  b:\n  - *x\n", "an alias that contains itself"),
        ("[" * 5000 + "]" * 5000, "f.yaml:1: nested more than 100 deep"),
        ("a: 1\n---\nb: 2\n", "f.yaml:3: a second YAML document"),
    ],
)
def test_what_is_no_sound_yaml_is_refused_with_its_line(text, words):
    with pytest.raises(InputFileError) as caught:
        parse(text, "f.yaml")
    assert words in caught.value.message
    assert "\n" not in caught.value.message


def test_aliases_are_read():
    assert parse("a: &x {n: 1}\nb: *x\nc: [*x, *x]\n", "f").data == {"a": {"n": 1}, "b": {"n": 1}, "c": [{"n": 1}] * 2}


def test_an_alias_bomb_is_refused_before_it_goes_off():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]
    with pytest.raises(InputFileError, match="more than 200,000 values, aliases counted each time"):
        parse("\n".join(lines), "bomb.yaml")


def test_parts_are_the_documents_of_a_text():
    parts = parse_parts("a: 1\n---\nb: 2\n", "f")
    assert [part.data for part in parts] == [{"a": 1}, {"b": 2}]
    assert parts[1].where(("b",)) == "f:3"


def test_what_comes_after_the_parts_asked_for_is_not_read():
    (part,) = parse_parts("a: 1\n---\nb: [broken\n", "f", 1, ours=True)
    assert part.data == {"a": 1}


def test_parts_merge_into_one_with_the_lines_of_each():
    document = merged(parse_parts("a: 1\n---\nb:\n  c: 2\n", "f"))
    assert document.data == {"a": 1, "b": {"c": 2}}
    assert document.where(("a",)) == "f:1"
    assert document.where(("b", "c")) == "f:4"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\n---\na: 2\n", "f:3: duplicate key 'a'"),
        ("a: 1\n---\n- x\n", "f:3: must be a mapping"),
        ("a: 1\n---\n---\n", "must be a mapping"),
        ("- x\n---\na: 1\n", "f:1: must be a mapping"),
        ("---\n---\na: 1\n", "must be a mapping"),
        ("word\n---\na: 1\n", "f:1: must be a mapping"),
    ],
)
def test_parts_that_do_not_merge_are_refused(text, words):
    with pytest.raises(InputFileError) as caught:
        merged(parse_parts(text, "f"))
    assert words in caught.value.message
