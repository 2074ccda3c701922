"""``scaleplan shape``: real shapes near a size, and what each gives away."""

from __future__ import annotations

import pytest

ASK = ("shape", "--params", "70B")
KEYS = [
    "rank", "params", "params_active", "params_embedding", "params_nonembedding", "params_error_percent", "layers",
    "width", "heads", "kv_heads", "head_size", "feed_forward", "vocabulary", "experts", "experts_active",
    "expert_feed_forward", "width_per_layer", "pipeline", "tokens", "loss_given_away", "loss_given_away_percent",
    "score", "shape",
]  # fmt: skip


def rows(result):
    return result.succeeded("extrapolation").envelope["rows"]


def test_rows_hold_exact_counts_and_the_loss_given_away(call):
    result = call(*ASK, "-f", "json")
    found, optimum = rows(result), result.envelope["inputs"]
    assert len(found) == 10
    assert [list(row) for row in found] == [KEYS] * 10
    assert [row["rank"] for row in found] == list(range(1, 11))
    (llama,) = (row for row in found if row["layers"] == 80)
    assert llama["params"] == llama["params_active"] == 70_553_706_496
    assert llama["params_embedding"] == 2 * 128_256 * 8192
    assert llama["params_nonembedding"] == llama["params"] - llama["params_embedding"]
    assert llama["params_error_percent"] == pytest.approx(0.791009, abs=1e-6)
    assert (llama["heads"], llama["kv_heads"], llama["head_size"], llama["feed_forward"]) == (64, 8, 128, 28_672)
    assert llama["pipeline"] == "2 4 5 8 10 16"
    assert 0 < llama["loss_given_away_percent"] < 0.01
    assert llama["loss_given_away_percent"] == pytest.approx(100 * llama["loss_given_away"] / optimum["loss"])
    assert llama["tokens"] == pytest.approx(optimum["train_flop"] / (6 * llama["params"]))
    assert llama["experts"] is llama["expert_feed_forward"] is None


def test_inputs_say_everything_that_was_taken_for_granted(call):
    inputs = call(*ASK, "-f", "json", "-q").succeeded().envelope["inputs"]
    assert inputs["params"] == 7e10
    assert inputs["law"]["id"] == "besiroglu-2024"
    assert inputs["train_flop"] == pytest.approx(6 * 7e10 * inputs["tokens"])
    assert (inputs["tensor"], inputs["tile"], inputs["kv_heads"], inputs["head_size"]) == (8, 128, 8, 128)
    assert (inputs["vocabulary"], inputs["vocabulary_padded"], inputs["tied"]) == (128_256, 128_256, False)
    assert "Llama 3" in inputs["vocabulary_default"]
    assert "ln(N / asked)" in inputs["score"]
    assert inputs["flop_convention"] == "6ND"


def test_options_reach_the_search(call):
    words = ("--tensor", "4", "--vocab", "50257", "--context", "2048", "--tied", "--ungated", "--kv-heads", "16")
    result = call("shape", "--params", "3B", *words, "--head-size", "64", "--top", "3", "-f", "json", "-q").succeeded()
    assert len(result.envelope["rows"]) == 3
    for row in result.envelope["rows"]:
        assert (row["kv_heads"], row["head_size"], row["vocabulary"]) == (16, 64, 50_304)
        assert row["params_embedding"] == 50_304 * row["width"]
        assert row["feed_forward"] >= 4 * row["width"]
        assert row["shape"].endswith("context=2048,gated=no,tied=yes")
    untied = call("shape", "--params", "3B", "--untied", "--top", "1", "-f", "json", "-q").succeeded()
    assert untied.envelope["inputs"]["tied"] is False


def test_a_budget_in_place_of_a_size(call):
    result = call("shape", "--flops", "1e22", "--law", "hoffmann-2022-a3", "-f", "json", "-q").succeeded()
    plan = call("allocate", "--flops", "1e22", "--law", "hoffmann-2022-a3", "--get", "params", "-q").succeeded()
    assert result.envelope["inputs"]["params"] == pytest.approx(float(plan.stdout))
    assert result.envelope["inputs"]["train_flop"] == 1e22
    assert max(row["loss_given_away_percent"] for row in result.envelope["rows"][:3]) < 0.01


def test_a_mixture_of_experts_says_why_it_has_no_loss(call):
    words = ("shape", "--params", "46.7B", "--experts", "8", "--active", "2", "--vocab", "32000")
    found = call(*words, "-f", "json").succeeded("no_loss").envelope
    for row in found["rows"]:
        assert (row["experts"], row["experts_active"], row["feed_forward"]) == (8, 2, None)
        assert row["params_active"] < 0.4 * row["params"]
        assert row["loss_given_away"] is row["loss_given_away_percent"] is row["tokens"] is None
    assert found["inputs"]["law"] is found["inputs"]["train_flop"] is None
    text = call(*words, "-q").succeeded().stdout
    assert "8 experts a layer, 2 active" in text
    assert "expert: feed-forward width of one" in " ".join(text.split())


@pytest.mark.parametrize("form", ["table", "markdown", "csv", "ndjson", "json"])
def test_every_format_has_every_shape(call, form):
    text = call(*ASK, "-f", form, "-q").succeeded().stdout
    for row in call(*ASK, "-f", "ndjson", "-q").succeeded().lines:
        assert str(row["feed_forward"]) in text


@pytest.mark.parametrize("words", [ASK, ("shape", "--params", "1T", "--experts", "384", "--active", "8")], ids=str)
def test_the_table_is_whole_on_80_columns(terminal, words):
    lines = terminal(*words, "-q", environment={"NO_COLOR": "1"}).succeeded().stdout.splitlines()
    assert max(len(line) for line in lines) <= 80
    header = next(line for line in lines if "layers" in line)
    assert header.split()[:5] == ["params", "off", "layers", "width", "heads"]
    first = lines[lines.index(header) + 2].split()
    assert first[0].endswith(("B", "T"))
    assert first[1].endswith("%")


def test_one_value(call):
    assert call(*ASK, "--get", "width", "-q").succeeded().stdout.strip().isdecimal()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "no size: give --params, or --flops"),
        (("--params", "0"), 2, "must be > 0"),
        (("--params", "-7B"), 2, "must be > 0"),
        (("--params", "many"), 2, "'many'"),
        (("--params", "1e16"), 2, "from 1 to 1e15 parameters"),
        (("--params", "7B", "--flops", "1e22"), 2, "both given"),
        (("--params", "20M"), 4, "vocab"),
        (("--params", "7B", "--tensor", "64"), 4, "tensor degree 64"),
        (("--params", "7B", "--tensor", "0"), 2, "tensor must be at least 1"),
        (("--params", "7B", "--tensor", "x"), 2, "tensor must be a whole number (got x)"),
        (("--params", "7B", "--kv-heads", "12"), 2, "kv-heads must be a multiple of tensor, 8 (got 12)"),
        (("--params", "7B", "--experts", "2", "--active", "4"), 2, "active is above experts (got 4 of 2)"),
        (("--params", "7B", "--experts", "2"), 2, "experts and active go together"),
        (("--params", "7B", "--top", "0"), 2, "top must be at least 1"),
        (("--params", "7B", "--law", "llama3-2024"), 2, "a law with a loss surface can"),
        (("--params", "7B", "--law", "all"), 2, "by one law"),
        (("--params", "7B", "--law", "nope"), 2, "unknown law 'nope'"),
    ],
)
def test_what_makes_no_sense_is_one_line_on_stderr(call, words, code, said):
    call("shape", *words).failed(code, said)
