"""``scaleplan cost MODEL --published``: what was published of a run beside the estimate of it."""

from __future__ import annotations

import pytest

PUBLISHED = ("cost", "gpt-4", "--published", "--mfu", "0.4")


def test_what_was_published_stands_beside_the_estimate(call):
    found = call(*PUBLISHED, "-f", "json").succeeded().envelope
    assert found["schema"] == "scaleplan.cost-published/1"
    rows = {row["quantity"]: row for row in found["rows"]}
    assert rows["cost_usd, rental, 2024"]["published"] == 78.4e6
    assert rows["cost_usd, amortised, 2023"]["ratio"] is None
    assert all((row["reason"] is None) == (row["ratio"] is not None and 0.8 <= row["ratio"] <= 1.25)
               for row in found["rows"])  # fmt: skip
    assert found["inputs"]["model"] == "gpt-4"
    assert found["inputs"]["assumptions"]


@pytest.mark.parametrize("form", ["ndjson", "csv", "markdown", "table"])
def test_what_was_published_in_every_format(call, form):
    shown = call(*PUBLISHED, "-f", form).succeeded().stdout
    for words in ("rental", "amortised", "never held against rental"):
        assert words in shown


def test_a_run_that_cannot_be_estimated_still_shows_what_was_published(call):
    shown = call("cost", "gemini-1-ultra", "--published").succeeded().stdout
    assert "191.4M" in shown
    assert "30.72M" in shown
    assert "no estimate: its params were never published" in shown
    inputs = call("cost", "gemini-1-ultra", "--published", "-f", "json").succeeded().envelope["inputs"]
    assert "assumptions" not in inputs


def test_a_run_on_accelerators_of_several_kinds_is_estimated_once_one_is_named(call):
    alone = call("cost", "olmo-7b", "--published", "-f", "json").succeeded().envelope["rows"]
    assert {row["ratio"] for row in alone} == {None}
    assert all("no estimate" in row["reason"] for row in alone)
    named = ("cost", "olmo-7b", "--published", "--on", "h100-sxm", "--mfu", "0.4", "-f", "json")
    assert any(row["ratio"] is not None for row in call(*named).succeeded().envelope["rows"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cost", "--published"), "--published is of a model: scaleplan cost llama31-405b --published"),
        (("cost", "chinchilla-70b", "--published"), "nothing was published of the run of chinchilla-70b"),
        ((*PUBLISHED, "--params", "70B"), "--published is of the run of gpt-4: leave --params out"),
        ((*PUBLISHED, "--law", "km", "--usd", "5M"), "leave --law, --usd out"),
        ((*PUBLISHED, "--flops", "1e24"), "leave --flops out"),
    ],
)
def test_published_takes_a_model_alone_and_the_run_of_one_an_accelerator(call, words, said):
    call(*words).failed(2, said)


@pytest.mark.parametrize(
    ("model", "why"),
    [("olmo-7b", "on which accelerator?"), ("gopher-280b", "no known network"), ("gpt-4", "its shape")],
)
def test_what_cannot_be_estimated_is_still_shown_as_published_with_the_reason(call, model, why):
    rows = call("cost", model, "--published", "-f", "json").succeeded().envelope["rows"]
    assert rows
    assert all(row["estimate"] is None and row["ratio"] is None for row in rows)
    assert any(why in row["reason"] for row in rows)
