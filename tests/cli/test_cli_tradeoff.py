"""``scaleplan tradeoff``: runs of one loss, the front, the break-even of two plans."""

from __future__ import annotations

import pytest

KEYS = [
    "kind", "option", "params_ratio", "params", "params_nonembedding", "tokens", "tokens_per_param", "train_flop",
    "loss", "optimal_flop_same_loss", "extra_share", "break_even_tokens", "serving_flop", "lifetime_flop",
    "serving_usd", "least_lifetime",
]  # fmt: skip
NOTICES = ("extrapolation", "over_trained")
PLANS = ("name=a,params=7B,tokens=1.9T", "name=b,params=13B,tokens=400B")


@pytest.fixture
def envelope(run_once):
    """The default trade-off."""
    return run_once("tradeoff", "-f", "json").succeeded(*NOTICES).envelope


def of_kind(envelope, kind):
    return [row for row in envelope["rows"] if row["kind"] == kind]


def test_without_words_the_optimum_of_chinchilla_s_budget_is_traded(envelope):
    assert envelope["schema"] == "scaleplan.tradeoff/1"
    inputs = envelope["inputs"]
    assert inputs["flops"] == 5.76e23
    assert inputs["laws"][0]["id"] == "besiroglu-2024"
    assert (inputs["serving"], inputs["options"], inputs["assumptions"]) == (None, [], [])
    assert f"{inputs['least_params_ratio']:.3f}" == "0.146"
    assert {row["kind"] for row in envelope["rows"]} == {"equal-loss", "front"}
    assert all(list(row) == KEYS for row in envelope["rows"])
    assert {row["loss"] for row in of_kind(envelope, "equal-loss")} == {inputs["loss"]}


def test_the_curve_says_3_4_26_and_347_per_cent_and_ends_at_0_146(envelope):
    rows = of_kind(envelope, "equal-loss")
    extra = {row["params_ratio"]: row["extra_share"] for row in rows}
    assert [f"{100 * extra[k]:.3g}" for k in (0.75, 0.5, 0.25)] == ["3.35", "25.9", "347"]
    assert f"{rows[-1]['params_ratio']:.3f}" == "0.146"
    assert [rows[-1][key] for key in ("tokens", "train_flop", "extra_share")] == [None] * 3
    assert all(row["serving_flop"] is None and row["least_lifetime"] is None for row in rows)


def test_the_front_has_every_size_up_to_the_optimum_of_five_losses(envelope):
    front = of_kind(envelope, "front")
    assert len({row["loss"] for row in front}) == 5
    assert len(front) == 45
    assert max(row["params_ratio"] for row in front) == 1


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_every_row_is_there_in_every_form(call, envelope, form):
    result = call("tradeoff", "-f", form, "-q").succeeded()
    rows = result.table if form == "csv" else result.lines
    assert len(rows) == len(envelope["rows"])
    assert float(rows[0]["params"]) == envelope["rows"][0]["params"]


def test_a_loss_may_be_kept_instead(call, envelope):
    words = ("tradeoff", "--loss", repr(envelope["inputs"]["loss"]), "-f", "json", "-q")
    kept = call(*words).succeeded().envelope
    assert kept["inputs"]["flops"] == pytest.approx(5.76e23, rel=1e-9)


def test_with_tokens_to_serve_each_loss_has_one_run_of_least_life(call):
    words = ("tradeoff", "--flops", "1e24", "--serve", "2T", "-f", "json", "-q")
    served = call(*words).succeeded().envelope
    assert served["inputs"]["serving"]["tokens"] == 2e12
    curve = of_kind(served, "equal-loss")
    (least,) = (row for row in curve if row["least_lifetime"])
    assert f"{least['params_ratio']:.2f}" == "0.73"
    assert least["lifetime_flop"] == pytest.approx(6 * least["params"] * least["tokens"] + 4e12 * least["params"])
    assert least["lifetime_flop"] == min(row["lifetime_flop"] for row in curve if row["lifetime_flop"])
    by_loss = {row["loss"]: 0 for row in of_kind(served, "front")}
    for row in of_kind(served, "front"):
        by_loss[row["loss"]] += row["least_lifetime"]
    assert list(by_loss.values()) == [1] * 5


def test_on_an_accelerator_serving_has_its_price_and_its_assumptions(call):
    words = ("tradeoff", "--serve", "2T", "--serve-on", "h100-sxm", "--prompt", "1000", "--answer", "300")
    served = call(*words, "-f", "json", "-q").succeeded().envelope
    assert all(row["serving_usd"] > 0 for row in of_kind(served, "front"))
    assert served["inputs"]["serving"]["on"] == "h100-sxm"
    assert any(each["name"] == "serving: price" for each in served["inputs"]["assumptions"])
    # Attention comes on top of 2 N a token.
    assert all(row["serving_flop"] > 4e12 * row["params"] for row in served["rows"])


def test_two_plans_break_even(call):
    result = call("tradeoff", *PLANS, "-f", "json").succeeded("unlike_loss", "extrapolation")
    rows = result.envelope["rows"]
    assert [(row["kind"], row["option"]) for row in rows] == [("plan", "a"), ("plan", "b")]
    tokens = (6 * 7e9 * 1.9e12 - 6 * 13e9 * 4e11) / (2 * (13e9 - 7e9))
    assert [row["break_even_tokens"] for row in rows] == pytest.approx([tokens] * 2, rel=1e-12)


def test_catalogue_models_are_plans(call):
    rows = call("tradeoff", "gopher-280b", "chinchilla-70b", "-f", "json", "-q").succeeded().envelope["rows"]
    assert rows[0]["break_even_tokens"] == pytest.approx(2e11, rel=1e-9)


@pytest.mark.parametrize(
    "words",
    [
        ("--flops", "1e24"),
        ("--flops", "1e24", "--serve", "2T"),
        ("--serve", "2T", "--serve-on", "h100-sxm", "--prompt", "1000", "--answer", "300"),
        ("gopher-280b", "chinchilla-70b"),
        ("gopher-280b", "chinchilla-70b", "--serve", "2T"),
        ("--law", "kaplan-2020"),
    ],
)
def test_a_terminal_of_80_columns_shows_it_all(terminal, words):
    shown = terminal("tradeoff", *words, environment={"NO_COLOR": "1"})
    assert shown.code == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any({"N", "D", "FLOP"} <= set(line.split()) for line in lines), shown.stdout


def test_the_table_marks_the_least_life_and_the_endless_run(call):
    shown = call("tradeoff", "--flops", "1e24", "--serve", "2T", "-q").succeeded().stdout
    assert "*0.73" in shown
    assert "endless" in shown
    assert "10.24Kx" in shown


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("gopher-280b",), 2, "give two"),
        ((*PLANS, "gopher-280b"), 2, "got 3"),
        ((*PLANS, "--flops", "1e24"), 2, "leave out flops and loss"),
        (("--flops", "1e24", "--loss", "2"), 2, "keep one"),
        ((PLANS[0], "name=b,params=13B"), 2, "b: its tokens are not known"),
        (("--law", "llama3-2024"), 2, "llama3-2024 is an allocation rule"),
        (("--law", "gadre-2024"), 2, "gadre-2024 is refused for allocate"),
        (("--law", "all"), 2, "one law at a time"),
        (("--law", "besiroglu-2024", "--law", "kaplan-2020"), 2, "one law at a time"),
        (("--loss", "1.5"), 4, "does not go below 1.8169"),
        (("--flops", "3"), 4, "less than one parameter"),
        (("--flops", "-1"), 2, "> 0"),
        (("--flops", "1e300"), 4, "ask for less"),
        (("--loss", "2000"), 4, "ask for a lower one"),
        (("--serve", "1e300"), 4, "serve fewer"),
        (("--serve", "0"), 2, "tokens"),
        (("--serve-on", "h100-sxm"), 2, "tokens are missing"),
        (("--serve", "2T", "--prompt", "100"), 2, "prompt without answer"),
    ],
)
def test_bad_words_end_with_one_clear_line(call, words, code, said):
    call("tradeoff", *words).failed(code, said)
