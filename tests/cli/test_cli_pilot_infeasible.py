"""``scaleplan pilot`` where nothing can be done: exit code 4 and the nearest change, which then does."""

from __future__ import annotations

import re

import pytest

BARE = ("--flops", "1e24")
LEAST = ("--runs", "12", "--seeds", "1")

pytestmark = pytest.mark.usefixtures("short_curve")


@pytest.fixture
def pilot(call):
    """The command."""
    return lambda *words: call("pilot", *words)


def rows_of(pilot, *words):
    return pilot(*words, "-f", "json", "-q").succeeded().envelope["rows"]


def named(pattern, result):
    """What a message names to change."""
    found = re.search(pattern, result.stderr)
    assert found, result.stderr
    return found[1]


def test_a_share_below_the_cheapest_useful_design_names_one_that_is_enough(pilot):
    enough = named(r"a share of ([\d.e-]+%)", pilot(*BARE, *LEAST, "--share", "1e-5").failed(4, "tell no more"))
    rows = rows_of(pilot, *BARE, *LEAST, "--share", enough)
    assert sum(row["train_flop"] for row in rows) <= 1e24 * float(enough[:-1]) / 100


def test_a_share_of_no_run_at_all_names_one_too(pilot):
    told = pilot(*BARE, *LEAST, "--share", "1e-9").failed(4, "no run of at most")
    assert 0 < float(named(r"a share of ([\d.e-]+)%", told)) < 1


def test_a_target_smaller_than_its_pilots_asks_for_a_larger_one(pilot):
    for words in ((), ("--share", "99%")):
        pilot("--flops", "1e15", *LEAST, *words).failed(4, "larger")


def test_too_few_days_name_those_that_do(pilot):
    words = (*BARE, *LEAST, "--on", "64xh100-sxm", "--mfu", "0.4")
    days = named(r"allow ([\d.]+) days", pilot(*words, "--within", "1d").failed(4))
    envelope = pilot(*words, "--within", f"{days}d", "-f", "json", "-q").succeeded().envelope
    assert envelope["inputs"]["makespan_days"] <= float(days)


def test_sizes_that_do_not_fit_are_left_out_in_words(pilot):
    result = pilot(*BARE, *LEAST, "--on", "4xh100-sxm", "-f", "json").succeeded("size_limit")
    envelope = result.envelope
    (told,) = (text for code, text in result.notices if code == "size_limit")
    assert "4 h100-sxm" in told
    assert all(row["accelerators"] <= 4 for row in envelope["rows"])


def test_where_not_even_the_smallest_size_fits_the_message_names_what_would(pilot):
    words = (*BARE, *LEAST, "--vocab", "400000", "--on")
    pilot(*words, "1xl4").failed(4, "nothing fits on 1 l4", "larger accelerators or more", "--context or --vocab")
    # A shorter context holds the smallest sizes, which tell too little; larger accelerators hold what does.
    pilot(*words, "1xl4", "--context", "512").failed(4, "do not fit on 1 l4", "name larger accelerators, or more")
    assert rows_of(pilot, *words, "8xh100-sxm")


def test_too_few_unique_tokens_ask_for_more(pilot):
    pilot(*BARE, *LEAST, "--unique-tokens", "1M").failed(4, "tokens")


def test_a_context_that_no_run_has_steps_for_is_named(pilot):
    pilot(*BARE, *LEAST, "--context", "1e9").failed(4, "--context")
