"""Training commands with places: what is filled in, what is refused, and that nothing in them is shell."""

from __future__ import annotations

import shlex

import pytest

from scaleplan.errors import UsageError
from scaleplan.specs.command_template import PLACES, command_template
from tests.specs.test_specs_manifest import pilot

RUN = pilot("r1", steps=10**7, accelerators=8, learning_rate=3e-4)


def filled(text: str, run=RUN) -> list[str]:
    """The words a shell makes of a command, the result being a variable without value."""
    return shlex.split(command_template(text).shell_words(run, "RESULT"))


def test_every_place_is_filled():
    words = filled(" ".join(f"{place}={{{place}}}" for place in ("id", *PLACES[1:])).replace("id=", "run ", 1))
    assert words == [
        "run", "r1", "params=20580608", "tokens=327680000000", "lr=0.0003", "batch=32768", "steps=10000000",
        "shape=layers=4,width=256,heads=4,feed_forward=1024,vocabulary=32000,kv_heads=4,head_size=64,context=512",
        "seed=7", "result=RESULT", "accelerators=8", "sequences=64", "layers=4", "width=256", "heads=4", "kv_heads=4",
        "head_size=64", "feed_forward=1024", "vocabulary=32000", "context=512",
    ]  # fmt: skip


def test_counts_beyond_what_floats_write_out_stay_plain_digits():
    assert filled("t {tokens} {params}", RUN._replace(tokens=1.5e13, params=1e22)) == [
        "t", "15000000000000", "10000000000000000000000",
    ]  # fmt: skip


def test_doubled_braces_are_braces_and_quotes_group_words():
    assert filled("""t '{{"lr": {lr}}}' "a b"{id} '' {{}}""") == ["t", '{"lr": 0.0003}', "a br1", "", "{}"]


@pytest.mark.parametrize(
    "word",
    [
        "$(touch pwned)",
        "`touch pwned`",
        ";touch pwned",
        "> pwned",
        "*",
        "~",
        "$HOME",
        "a'b",
        'a"b',
        "--flag",
        "&&",
        "#x",
    ],
)
def test_signs_of_the_shell_stay_text(word):
    quoted = command_template(f"t {shlex.quote(word)}{{result}}{shlex.quote(word)}").shell_words(RUN, '"$result"')
    assert quoted == f't {shlex.quote(word)}"$result"{shlex.quote(word)}'
    assert filled(f"t {shlex.quote(word)}") == ["t", word]


def test_signs_that_no_one_quoted_are_words_too():
    assert filled("t {id};rm -rf x | y > z") == ["t", "r1;rm", "-rf", "x", "|", "y", ">", "z"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "command: empty"),
        ("   ", "command: empty"),
        ("t '{id}", "no closing quotation"),
        ("t \\", "no escaped character"),
        ("t\nrm", r"command: '\n' cannot stand in it"),
        ("t \0", r"command: '\x00' cannot stand in it"),
        ("t \x1b[2J", r"'\x1b' cannot stand in it"),
        ("t {param}", "'{param}' is no place for a number of a run. Did you mean params"),
        ("t {}", "'{}' is no place"),
        ("t {params:,}", "'{params:,}' is no place"),
        ("t {params!r}", "'{params!r}' is no place"),
        ("t {id.__class__}", "'{id.__class__}' is no place"),
        ("t {0}", "'{0}' is no place"),
        ("t {id", "a single brace in '{id'"),
        ("t id}", "a single brace in 'id}'"),
        ("CUDA_VISIBLE_DEVICES=0 python t.py", "write env CUDA_VISIBLE_DEVICES=0 and the rest"),
        ("./a=b/train {params}", "call a program by a path without ="),
        ("{shape} x", "is no program but a variable"),
    ],
)
def test_a_command_that_means_nothing_is_refused(text, said):
    with pytest.raises(UsageError) as caught:
        command_template(text)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_place_without_a_value_is_refused():
    with pytest.raises(UsageError, match=r"\{accelerators\} is not known where no accelerator was named"):
        filled("t {accelerators}", pilot("r1", accelerators=None))
    with pytest.raises(UsageError, match=r"run r1: 1000 tokens of batch are no whole sequences of 512: use \{batch\}"):
        filled("t {sequences}", RUN._replace(batch_tokens=1000.0))
