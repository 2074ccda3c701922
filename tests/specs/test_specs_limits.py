"""Limits on a plan: what a file, flags and keywords may say of them, and what contradicts itself."""

from __future__ import annotations

import jsonschema
import numpy as np
import pytest

from scaleplan.errors import InfeasibleError, InputFileError, UsageError
from scaleplan.planning.limits import Limits
from scaleplan.specs.budget import read_parsed
from scaleplan.specs.budget_schema import LimitsSpec
from scaleplan.specs.json_schemas import json_schema
from scaleplan.specs.limits import (
    READERS,
    Clash,
    LimitWords,
    check_limits,
    clashes,
    given,
    merged,
    read_limits,
    size_bytes,
)
from scaleplan.specs.yaml12 import parse

BUDGET = "schema: scaleplan.budget/1\nbudget: {flops: 1e24, on: 512xh100-sxm}\n"
HEAD = f"{BUDGET}limits:\n"

GOOD = [
    ("max_params", "80B", 80e9),
    ("max_params", "8e10", 80e9),
    ("min_params", "1B", 1e9),
    ("params", "1", 1.0),
    ("params", "30B", 30e9),
    ("tokens", "5T", 5e12),
    ("tokens_per_param", "20", 20.0),
    ("tokens_per_param", "0.5", 0.5),
    ("unique_tokens", "12T", 12e12),
    ("deadline_days", "90", 90.0),
    ("deadline_days", "12 weeks", 84.0),
    ("deadline_days", "36h", 1.5),
    ("max_usd", "8M", 8e6),
    ("max_usd", "$8M", 8e6),
    ("max_mwh", "4000", 4000.0),
    ("max_mwh", "4e3", 4000.0),
    ("max_mwh", "4 GWh", 4000.0),
    ("max_mwh", "500kWh", 0.5),
    ("memory", "fit", "fit"),
    ("memory", "80GB", 80e9),
    ("memory", "64GiB", 64 * 2.0**30),
    ("memory", "64 gib", 64 * 2.0**30),
    ("memory", "1.5TB", 1.5e12),
    ("batch", "critical", "critical"),
    ("experts", "8", 8.0),
    ("experts", "1", 1.0),
    ("experts", "free", "free"),
]

BAD = [
    ("max_params", "-80B", "must be > 0 (got -80B)"),
    ("max_params", "0", "must be > 0 (got 0)"),
    ("max_params", "0.5", "must be at least 1 (got 0.5)"),
    ("max_params", "small", "not a number: 'small'; write 70B"),
    ("max_params", "80 tokens", "not a number of parameters: '80 tokens'"),
    ("min_params", "-1", "must be > 0 (got -1)"),
    ("params", "1e400", "must be a finite number"),
    ("tokens", "5 params", "not a number of tokens"),
    ("tokens_per_param", "0", "must be a number > 0, such as 20 (got 0)"),
    ("tokens_per_param", "-20", "must be a number > 0, such as 20 (got -20)"),
    ("tokens_per_param", "20x", "must be a number > 0, such as 20 (got 20x)"),
    ("unique_tokens", "0", "must be > 0 (got 0)"),
    ("max_epochs", "0.5", "must be a number of at least 1, such as 4 (got 0.5)"),
    ("max_epochs", "0", "must be a number of at least 1, such as 4 (got 0)"),
    ("max_epochs", "many", "must be a number of at least 1, such as 4 (got many)"),
    ("deadline_days", "0", "must be a finite time > 0 (got 0)"),
    ("deadline_days", "-3", "must be a finite time > 0 (got -3)"),
    ("deadline_days", "3 months", "months and minutes are not read"),
    ("max_usd", "-5M", "must be > 0 (got -5M)"),
    ("max_usd", "0", "must be > 0 (got 0)"),
    ("max_mwh", "-1", "must be an energy > 0 in MWh, such as 4000 or 4 GWh (got -1)"),
    ("max_mwh", "4 PF-days", "must be an energy > 0 in MWh, such as 4000 or 4 GWh (got 4 PF-days)"),
    ("memory", "64", "needs its unit: 80GB or 64GiB (got 64); or fit, what the accelerator of on has"),
    ("memory", "-64GB", "must be a size > 0: 80GB or 64GiB (got -64GB)"),
    ("memory", "fits", "must be a size > 0: 80GB or 64GiB (got fits)"),
    ("batch", "4M", "must be critical: at most the critical batch (got 4M)"),
    ("batch", "Critical", "must be critical: at most the critical batch (got Critical)"),
    ("experts", "0.5", "must be a whole number of at least 1, or free (got 0.5)"),
    ("experts", "8.5", "must be a whole number of at least 1, or free (got 8.5)"),
    ("experts", "4097", "must be at most 4,096, or free (got 4097)"),
    ("experts", "1e300", "must be at most 4,096, or free (got 1e300)"),
    ("experts", "some", "must be a whole number of at least 1, or free (got some)"),
]
NEEDS = {"max_epochs": {"unique_tokens": "1T"}}
"""What a key does not go without."""


def limits_of(text):
    return read_parsed(parse(HEAD + text, "plan.yaml"))[0].limits.words


def problems_of(text):
    with pytest.raises(InputFileError) as caught:
        read_parsed(parse(HEAD + text, "plan.yaml"))
    return caught.value.problems


def lines(words):
    return "".join(f"  {key}: {word}\n" for key, word in words.items())


def test_every_key_has_a_reader_a_heading_and_a_good_and_a_bad_word():
    assert set(READERS) == set(LimitWords._fields) == set(LimitsSpec.model_fields)
    assert {key for key, *_ in GOOD} | {"max_epochs"} == set(READERS)
    assert {key for key, *_ in BAD} == set(READERS)


def test_every_number_is_one_that_the_planner_knows():
    assert set(LimitWords._fields) - {"experts"} <= set(Limits._fields)


@pytest.mark.parametrize(("key", "word", "value"), [*GOOD, ("max_epochs", "4", 4.0), ("max_epochs", "1", 1.0)])
def test_a_limit_is_read_alike_from_a_file_and_from_words(key, word, value):
    beside = NEEDS.get(key, {})
    assert getattr(read_limits({key: word}), key) == value
    assert given(limits_of(lines({key: word, **beside}))) == {key: value} | ({"unique_tokens": 1e12} if beside else {})


@pytest.mark.parametrize(("key", "word", "text"), BAD)
def test_a_wrong_limit_is_named_by_line_and_key_in_a_file(key, word, text):
    (problem,) = problems_of(lines({"name_of_none": 1, key: word, **NEEDS.get(key, {})}))[1:]
    assert problem.startswith(f"plan.yaml:5: limits.{key}: {text}")


@pytest.mark.parametrize(("key", "word", "text"), BAD)
def test_a_wrong_limit_is_named_by_its_flag_in_words(key, word, text):
    with pytest.raises(UsageError) as caught:
        read_limits({"max_usd": None, key: word})
    assert caught.value.message.startswith(f"{key.replace('_', '-')}: {text}")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("key", READERS)
@pytest.mark.parametrize("word", ["[]", "{}", "true", ""])
def test_what_is_no_word_is_an_error_of_a_file(key, word):
    (problem,) = problems_of(lines({key: word, **NEEDS.get(key, {})}))
    written = {"": "nothing"}.get(word, word)
    assert problem.endswith(f"limits.{key}: must be a number or text (got {written})")


def test_a_number_is_shown_as_it_is_written():
    (problem,) = problems_of("  batch: 4e6\n")
    assert "(got 4000000);" in problem


@pytest.mark.parametrize("key", READERS)
@pytest.mark.parametrize("word", [True, {}, [], ["1"], object()])
def test_what_is_no_word_is_an_error_of_a_call(key, word):
    with pytest.raises(UsageError, match=key.replace("_", "-")):
        read_limits({key: word})


@pytest.mark.parametrize(("key", "word", "_"), [*GOOD, ("max_epochs", "4", 4.0)])
def test_an_editor_takes_what_a_file_may_say(key, word, _):
    assert editor_finds(lines({key: word, **NEEDS.get(key, {})})) == []


@pytest.mark.parametrize(
    "words",
    [
        {"max_parms": "1B"},
        {"max_params": "-1"},
        {"max_params": "0.5"},
        {"max_params": "[1]"},
        {"max_params": ""},
        {"max_epochs": "4"},
        {"unique_tokens": "1T", "max_epochs": "0.5"},
        {"params": "1B", "tokens": "1T"},
        {"tokens": "1T", "tokens_per_param": "20"},
        {"batch": "4M"},
        {"memory": "64"},
        {"experts": "0.5"},
    ],
)
def test_an_editor_refuses_what_reading_refuses(words):
    assert editor_finds(lines(words))
    assert problems_of(lines(words))


def editor_finds(text):
    data = parse(HEAD + text, "plan.yaml").data
    return [error.message for error in jsonschema.Draft202012Validator(json_schema("budget")).iter_errors(data)]


def test_an_unknown_key_suggests_the_nearest():
    assert problems_of("  max_parms: 3B\n") == (
        "plan.yaml:4: limits.max_parms: unknown key. Did you mean max_params or min_params or params?",
    )
    with pytest.raises(
        UsageError, match=r"unknown limit 'max_epoch'\. Did you mean max_epochs or .*\? There are min_params"
    ):
        read_limits({"max_epoch": 4})


def test_an_empty_heading_or_none_limits_nothing():
    assert read_limits({}) == read_limits(dict.fromkeys(READERS)) == LimitWords()
    spec, _ = read_parsed(parse(f"{BUDGET}limits: {{}}\n", "plan.yaml"))
    assert spec.limits.words == LimitWords()


def test_numbers_may_be_arrays():
    found = read_limits({"max_params": [1e9, 2e9], "max_usd": np.array([1e6, 2e6, 3e6]), "unique_tokens": np.int64(5)})
    assert found.max_params.tolist() == [1e9, 2e9]
    assert found.max_usd.tolist() == [1e6, 2e6, 3e6]
    assert found.unique_tokens == 5.0
    assert read_limits({"max_epochs": np.array(4)}).max_epochs == 4.0


@pytest.mark.parametrize(
    ("key", "values", "got"),
    [
        ("max_params", [1e9, 0.5], "0.5"),
        ("max_usd", [1e6, -2.0], "-2.0"),
        ("max_epochs", [4, 0.25], "0.25"),
        ("unique_tokens", [1e12, np.nan], "nan"),
        ("deadline_days", [30, np.inf], "inf"),
        ("tokens_per_param", [20, 0], "0.0"),
    ],
)
def test_every_element_of_an_array_is_checked(key, values, got):
    with pytest.raises(UsageError, match=rf"{key.replace('_', '-')}: must be .*\(got {got}\)"):
        read_limits({key: values})


@pytest.mark.parametrize("key", ["memory", "batch", "experts"])
def test_what_is_one_word_is_no_array(key):
    with pytest.raises(UsageError, match=rf"{key}: must be one number or text \(got list\)"):
        read_limits({key: [1.0, 2.0]})


CLASHES = [
    ({"min_params": "80B", "max_params": "1B"}, "min_params", "80B is above the 1B of max_params", True),
    ({"params": "80B", "max_params": "70B"}, "params", "80B is above the 70B of max_params", True),
    ({"params": "1B", "min_params": "2B"}, "min_params", "2B is above the 1B of params", True),
    ({"params": "1B", "tokens": "1T"}, "tokens", "params and tokens are both fixed", False),
    ({"params": "1B", "tokens_per_param": "20"}, "tokens_per_param", "params and tokens_per_param are both", False),
    ({"tokens": "1T", "tokens_per_param": "20"}, "tokens_per_param", "tokens and tokens_per_param are both", False),
    (
        {"params": "1B", "tokens": "1T", "tokens_per_param": "20"},
        "tokens",
        "params, tokens and tokens_per_param are all fixed",
        False,
    ),
    ({"max_epochs": "4"}, "max_epochs", "epochs of how many tokens? Add unique_tokens", False),
    (
        {"unique_tokens": "1T", "max_epochs": "4", "tokens": "5T"},
        "tokens",
        "5T is above the 4T of max_epochs x unique_tokens",
        True,
    ),
]


@pytest.mark.parametrize(("words", "key", "text", "infeasible"), CLASHES)
def test_a_contradiction_is_the_same_from_a_file_and_from_words(words, key, text, infeasible):
    (problem,) = problems_of(lines(words))
    line = 4 + list(words).index(key)
    assert problem.startswith(f"plan.yaml:{line}: limits.{key}: {text}")
    (clash,) = clashes(read_limits(words))
    assert (clash.key, clash.infeasible) == (key, infeasible)
    with pytest.raises(InfeasibleError if infeasible else UsageError) as caught:
        check_limits(read_limits(words))
    assert caught.value.message == f"{key.replace('_', '-')}: {clash.text}"
    assert problem.endswith(clash.text)


@pytest.mark.parametrize(
    "words",
    [
        {"min_params": "1B", "max_params": "1B"},
        {"params": "1B", "min_params": "1B", "max_params": "1B"},
        {"unique_tokens": "1T", "max_epochs": "4", "tokens": "4T"},
        {"unique_tokens": "1T", "tokens": "5T"},
        {"max_usd": "1", "max_mwh": "1", "deadline_days": "1", "memory": "fit", "batch": "critical", "experts": "free"},
    ],
)
def test_limits_that_just_meet_do_not_contradict_each_other(words):
    assert clashes(limits_of(lines(words))) == ()
    check_limits(read_limits(words))


def test_contradictions_come_at_once_and_beside_other_problems_of_the_file():
    text = "  min_params: 80B\n  max_params: 1B\n  max_epochs: 4\nlaww: km\n"
    fields = [problem.split(": ")[1] for problem in problems_of(text)]
    assert fields == ["limits.min_params", "limits.max_epochs", "laww"]


def test_numbers_that_look_alike_are_told_apart():
    (clash,) = clashes(LimitWords(min_params=1e9 + 1, max_params=1e9))
    assert clash.text.startswith("1000000001 is above the 1000000000 of max_params")


def test_of_arrays_the_first_pair_that_clashes_is_named():
    low, high = np.array([1e9, 5e9, 7e9]), np.array([2e9, 4e9, 8e9])
    (clash,) = clashes(LimitWords(min_params=low, max_params=high))
    assert clash == Clash("min_params", "5B is above the 4B of max_params: no plan meets both; change one", True)
    assert clashes(LimitWords(min_params=low[[0, 2]], max_params=high[[0, 2]])) == ()


def test_flags_win_key_by_key():
    file = LimitWords(max_params=80e9, unique_tokens=1e12, memory="fit")
    found = merged(file, LimitWords(max_params=7e9, max_epochs=4.0))
    assert found == LimitWords(max_params=7e9, unique_tokens=1e12, memory="fit", max_epochs=4.0)
    assert merged(file, LimitWords()) == file
    check_limits(found)


@pytest.mark.parametrize(("word", "value"), [("80GB", 80e9), ("80 gb", 80e9), ("500MB", 5e8), ("2MiB", 2.0**21)])
def test_sizes_have_a_unit(word, value):
    assert size_bytes(word) == value


@pytest.mark.parametrize("word", ["", "GB", "80", 80e9, "80B", "80 kB", "nanGB", "1e400GB", "80GB each", None])
def test_a_size_without_its_unit_is_none(word):
    with pytest.raises(UsageError, match=r"80GB or 64GiB"):
        size_bytes(word)
