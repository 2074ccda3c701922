"""Laws that count, measure or promise differently, side by side: what is said, and what is never mixed in silence."""

from __future__ import annotations

import pytest

LAW = """\
schema: scaleplan.law/1
id: {id}
title: ours
year: 2026
authors: us
paper: internal
kind: loss
counts:
  params: total
  flop: 6ND
  tokens: training tokens
  loss: {{unit: {unit}, corpus: MassiveText, tokenizer: SentencePiece 32k, context: 2048}}
groups:
  fit:
    form: additive
    source: ours
    constants:
      E: {{value: 1.8, unit: {unit}}}
      A: {{value: 480, unit: {unit}}}
      B: {{value: 2000, unit: {unit}}}
      alpha: {{value: 0.35, unit: "1"}}
      beta: {{value: 0.36, unit: "1"}}
default: {{surface: fit}}
"""


@pytest.fixture
def law(tmp_path):
    def write(name, unit="nats/token"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(LAW.format(id=name, unit=unit), encoding="utf-8")
        return str(path)

    return write


def warned(result):
    return {w["code"]: w["message"] for w in result.succeeded().envelope["warnings"]}


def test_rumours_and_numbers_not_checked_are_marked_in_a_comparison(call):
    words = ("compare", "palm-2", "palm-62b", "gopher", "--as-trained", "--law", "chinchilla", "-q")
    result = call(*words, "-f", "json")
    rows = {row["option"]: row for row in result.succeeded().envelope["rows"]}
    assert (rows["palm-2"]["params_status"], rows["palm-2"]["tokens_status"]) == ("rumour", "rumour")
    assert (rows["gopher-280b"]["params_status"], rows["gopher-280b"]["tokens_status"]) == ("published", "published")
    assert rows["palm-62b"]["tokens_status"] == "unverified"
    message = warned(result)["unsure"]
    assert "palm-2's parameters are a rumour" in message
    assert "palm-62b's tokens were not checked" in message
    assert "gopher" not in message
    table = call(*words).succeeded().stdout
    assert "340B!" in table
    assert "! rumour" in table


def test_at_equal_flops_the_budget_sets_the_tokens_and_only_the_size_is_in_doubt(call):
    words = ("compare", "palm-2", "--law", "chinchilla", "-q", "-f", "json")
    rows = call(*words).succeeded().envelope["rows"]
    assert (rows[0]["params_status"], rows[0]["tokens_status"]) == ("rumour", None)
    assert (rows[1]["params_status"], rows[1]["tokens_status"]) == (None, None)


@pytest.mark.parametrize(
    ("law", "params", "tokens"),
    [
        ("henighan:math", 0.69, 0.31),
        ("porian:kaplan-setting", 0.835, 0.165),
        ("porian", 0.497, 0.503),
        ("hoffmann-2022-a1:published", 0.5, 0.5),
    ],
)
def test_a_variant_has_its_own_printed_exponents(call, law, params, tokens):
    row = (
        call("frontier", "--from", "1e20", "--to", "1e20", "--law", law, "-f", "json", "-q")
        .succeeded()
        .envelope["rows"][0]
    )
    assert row["published_params_growth_per_10x"] == pytest.approx(10**params)
    assert row["published_tokens_growth_per_10x"] == pytest.approx(10**tokens)


def test_losses_in_different_units_stand_apart_and_are_told_apart(call, law):
    bits = law("in-bits", "bits/byte")
    result = call("allocate", "--flops", "1e24", "--law", "chinchilla", "--law", bits, "-f", "json", "-q")
    assert "in bits/byte" in warned(result)["loss_measure"]
    table = call("allocate", "--flops", "1e24", "--law", "chinchilla", "--law", bits, "-q").succeeded().stdout
    assert "MassiveText, SentencePiece 32k, bits/byte" in " ".join(table.split())
    call("allocate", "--loss", "2", "--law", "chinchilla", "--law", bits).failed(2, "bits/byte, not nats/token")
    same = law("in-nats")
    assert "loss_measure" not in warned(
        call("allocate", "--flops", "1e24", "--law", "chinchilla", "--law", same, "-f", "json", "-q")
    )


def test_all_laws_means_the_same_everywhere(call):
    rows = call("allocate", "--flops", "-", "--law", "all", "-f", "csv", "-q", stdin="1e24\n").succeeded().table
    assert len(rows) == 13
    result = call("frontier", "--from", "1e10", "--to", "1e11", "--law", "all", "-f", "json", "-q")
    message = warned(result)["cannot_answer"]
    assert "henighan-2020 (a budget of 1e10 FLOP buys less than one" in message
    assert "gadre-2024 (refused; ask for it by name to see why)" in message
    message = warned(call("compare", "--law", "all", "-f", "json", "-q"))["cannot_answer"]
    assert "having no loss to compare by: deepseek-2024" in message
    assert "refused for comparison (ask for one to see why): gadre-2024" in message
    call("hyper", "--params", "1B", "--tokens", "20B", "--law", "all", "--law", "porian").failed(
        2, "all stands for every law"
    )


def test_counts_that_are_converted_by_an_assumed_shape_say_so_even_alone(call):
    assert (
        "gives training FLOPs a token"
        in warned(call("allocate", "--flops", "1e20", "--law", "deepseek", "-f", "json", "-q"))["converted"]
    )
    assert (
        "counts the output head"
        in warned(call("allocate", "--flops", "1e19", "--law", "porian", "-f", "json", "-q"))["converted"]
    )
    assert "converted" not in warned(call("allocate", "--flops", "1e20", "--law", "chinchilla", "-f", "json", "-q"))


def test_a_law_of_more_variables_says_what_they_are_held_at(call):
    result = call("predict", "--params", "1B", "--tokens", "20B", "--law", "abnar", "-f", "json", "-q")
    assert warned(result)["held"] == "abnar-2025: a law of more than parameters and tokens, used at sparsity = 0."
    envelope = call("allocate", "--flops", "1e20", "--law", "ludziejewski", "-f", "json", "-q").succeeded().envelope
    (own,) = envelope["inputs"]["laws"]
    assert own["held"] == {"experts": 1.0}
    assert "plans at" in call("laws", "ludziejewski").succeeded().stdout


def test_a_loss_below_a_trend_is_out_of_reach(call):
    call("allocate", "--loss", "0.1", "--law", "henighan:math").failed(4, "a loss of 0.1 nats/token cannot be reached")


def test_a_law_file_may_not_take_an_alias(call, law):
    call("allocate", "--flops", "1e24", "--law", law("chinchilla")).failed(3, "chinchilla is a shipped law's name")


def test_hyper_warns_on_both_sides_and_of_compute(call):
    below = warned(call("hyper", "--params", "7M", "--tokens", "1.4M", "--law", "steplaw", "-f", "json", "-q"))
    assert "times below the least of its runs (2B)" in below["extrapolation"]
    dear = warned(call("hyper", "--params", "7B", "--tokens", "1T", "--law", "deepseek", "-f", "json", "-q"))
    assert "times the most of its runs (3e20)" in dear["extrapolation"]
    assert "extrapolation" not in warned(
        call("hyper", "--params", "1.5B", "--tokens", "1B", "--law", "kaplan", "-f", "json")
    )
    call("hyper", "--params", "1e308", "--tokens", "1e10").failed(2, "more FLOPs than numbers here can hold")


def test_how_far_each_plan_lies_beyond_the_runs_of_its_law(call):
    rows = call("allocate", "--flops", "1e24", "--law", "all", "-f", "json", "-q").succeeded().envelope["rows"]
    beyond = {row["law"]: row["flop_over_runs"] for row in rows}
    assert beyond["besiroglu-2024"] == pytest.approx(1e24 / 1.3e22)
    assert beyond["llama3-2024"] == pytest.approx(100)
    assert beyond["ludziejewski-2025"] is None


def test_the_covariance_behind_the_bands_can_be_read(call):
    said = call("laws", "chinchilla", "-f", "json").succeeded().envelope["inputs"]["covariance"]
    assert said["parameters"] == ["ln_A", "ln_B", "ln_E", "alpha", "beta"]
    assert said["standard_errors"][3] == pytest.approx(said["matrix"][3][3] ** 0.5)
    assert "standard errors and correlations" in call("laws", "chinchilla").succeeded().stdout


@pytest.mark.parametrize("columns", ["80", "60"])
def test_groups_of_laws_are_headings_where_no_table_fits(call, columns):
    result = call("allocate", "--flops", "1e24", "-q", environment={"COLUMNS": columns}).succeeded()
    lines = [line.strip() for line in result.stdout.splitlines()]
    assert "MassiveText" in lines
    assert all(len(line) <= int(columns) for line in result.stdout.splitlines())
