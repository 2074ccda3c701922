"""``scaleplan compare``: options side by side at equal FLOPs, or as they were trained."""

from __future__ import annotations

import json

import pytest

KEYS = {
    "law", "option", "role", "params", "tokens", "tokens_per_param", "train_flop", "loss", "loss_low", "loss_high",
    "optimal_flop_same_loss", "wasted_share", "inference_flop_per_token", "inference_relative",
}  # fmt: skip
NOTICES = ("extrapolation", "converted", "no_interval", "loss_measure")
HEAD = "schema: scaleplan.options/1\n"


@pytest.fixture
def rows(run_once):
    """The rows of the default comparison."""
    return run_once("compare", "-f", "json").succeeded(*NOTICES).envelope["rows"]


def of_law(rows, law):
    return [row for row in rows if row["law"] == law]


def test_the_default_sets_gopher_beside_chinchilla_and_each_law_s_optimum(rows):
    assert [(row["law"], row["option"], row["role"]) for row in rows] == [
        ("besiroglu-2024", "gopher-280b", "option"),
        ("besiroglu-2024", "chinchilla-70b", "option"),
        ("besiroglu-2024", "besiroglu-2024 optimum", "optimum"),
        ("kaplan-2020", "gopher-280b", "option"),
        ("kaplan-2020", "chinchilla-70b", "option"),
        ("kaplan-2020", "kaplan-2020 published frontier", "option"),
        ("kaplan-2020", "kaplan-2020 optimum", "optimum"),
    ]
    assert all(set(row) >= KEYS for row in rows)


def test_chinchilla_wins_under_its_law_and_gopher_under_kaplan_s(rows):
    gopher, chinchilla, best = of_law(rows, "besiroglu-2024")
    assert best["loss"] <= chinchilla["loss"] < gopher["loss"]
    gopher, chinchilla, frontier, best = of_law(rows, "kaplan-2020")
    assert best["loss"] <= gopher["loss"] < chinchilla["loss"]
    assert best["loss"] < frontier["loss"]


def test_every_row_costs_the_same(rows):
    assert [row["train_flop"] for row in rows] == pytest.approx([5.76e23] * 7, rel=1e-9)
    for row in rows:
        assert 6 * row["params"] * row["tokens"] == pytest.approx(5.76e23, rel=1e-9), row["option"]
        assert row["tokens_per_param"] == pytest.approx(row["tokens"] / row["params"], rel=1e-12)


def test_the_wasted_share_is_one_less_optimal_by_spent_flops(rows):
    for row in rows:
        share = 1 - row["optimal_flop_same_loss"] / row["train_flop"]
        assert row["wasted_share"] == pytest.approx(share, abs=1e-12)
        assert row["wasted_share"] >= -1e-9
    assert [row["wasted_share"] for row in rows if row["role"] == "optimum"] == pytest.approx([0, 0], abs=1e-9)
    gopher, chinchilla, _ = of_law(rows, "besiroglu-2024")
    assert gopher["wasted_share"] > 0.4
    assert chinchilla["wasted_share"] < 0.01


def test_the_equivalent_compute_reaches_the_same_loss_on_the_same_law(rows, call):
    gopher = rows[0]
    flops = repr(gopher["optimal_flop_same_loss"])
    result = call("allocate", "--flops", flops, "--law", "chinchilla", "--get", "loss", "-q").succeeded()
    assert float(result.stdout) == pytest.approx(gopher["loss"], rel=1e-9)


def test_inference_is_relative_to_the_first_option(rows):
    for law in ("besiroglu-2024", "kaplan-2020"):
        first = of_law(rows, law)[0]
        for row in of_law(rows, law):
            assert row["inference_flop_per_token"] == pytest.approx(2 * row["params"], rel=1e-12)
            assert row["inference_relative"] == pytest.approx(row["params"] / first["params"], rel=1e-12)
    assert rows[1]["inference_relative"] == 0.25


def test_bands_stand_where_the_law_has_them_and_are_null_where_not(rows):
    for row in of_law(rows, "besiroglu-2024"):
        assert row["loss_low"] < row["loss"] < row["loss_high"]
    assert {(row["loss_low"], row["loss_high"]) for row in of_law(rows, "kaplan-2020")} == {(None, None)}


def test_the_level_moves_the_bands(call, rows):
    words = ("compare", "--law", "chinchilla", "--level", "0.5", "-f", "json", "-q")
    for narrow, wide in zip(call(*words).succeeded().envelope["rows"], rows, strict=False):
        assert wide["loss_low"] < narrow["loss_low"] < narrow["loss"] == wide["loss"]
        assert narrow["loss_high"] < wide["loss_high"]


def test_every_format_holds_the_same(run_once, call, rows):
    envelope = run_once("compare", "-f", "json").envelope
    assert list(envelope) == ["schema", "version", "inputs", "rows", "warnings"]
    assert envelope["schema"] == "scaleplan.compare/1"
    assert call("compare", "-f", "ndjson").succeeded(*NOTICES).lines == rows
    for cells, row in zip(call("compare", "-f", "csv").succeeded(*NOTICES).table, rows, strict=True):
        for key, value in row.items():
            assert (float(cells[key]) if isinstance(value, float) else cells[key] or None) == value
    for form in ("table", "markdown"):
        text = call("compare", "-f", form).succeeded(*NOTICES).stdout
        for shown in ("gopher-280b", "chinchilla-70b", "optimum", "published frontier", "47.0", "1.9928", "5.76e23"):
            assert shown in text, (form, shown)


def test_inputs_name_all_that_was_compared(run_once):
    """Enough to run it again: the options stand among the inputs, with the budget, the laws and the mode."""
    inputs = run_once("compare", "-f", "json").envelope["inputs"]
    assert inputs["flops"] == 5.76e23
    assert inputs["as_trained"] is False
    assert [law["id"] for law in inputs["laws"]] == ["besiroglu-2024", "kaplan-2020"]
    assert all(name in json.dumps(inputs) for name in ("gopher-280b", "chinchilla-70b"))


def test_get_prints_the_first_row_s_value(call, rows):
    assert call("compare", "--get", "wasted_share", "-q").succeeded().stdout == f"{rows[0]['wasted_share']!r}\n"
    call("compare", "--get", "waste").failed(2, "'waste'", "wasted_share")


def test_as_trained_keeps_the_published_tokens_and_warns_of_unequal_flops(call):
    result = call("compare", "--as-trained", "-f", "json").succeeded("unequal_flops", *NOTICES)
    rows = result.envelope["rows"]
    assert result.envelope["inputs"]["as_trained"] is True
    assert [row["tokens"] for row in rows[:2]] == [300e9, 1.4e12]
    assert [row["train_flop"] for row in rows[:2]] == pytest.approx([5.04e23, 5.88e23], rel=1e-9)
    message = dict(result.notices)["unequal_flops"]
    assert "gopher-280b" in message
    assert "chinchilla-70b" in message


def test_an_option_of_one_s_own_stands_beside_the_catalogue(call):
    words = ("compare", "gopher", "name=ours,params=30B", "--law", "chinchilla", "-f", "json")
    gopher, ours, _ = call(*words).succeeded("extrapolation").envelope["rows"]
    assert (gopher["option"], ours["option"], ours["role"]) == ("gopher-280b", "ours", "option")
    assert ours["params"] == 30e9
    assert ours["tokens"] == pytest.approx(5.76e23 / (6 * 30e9))


def test_an_option_may_be_given_by_its_tokens(call):
    words = ("compare", "name=ours,tokens=1T", "--law", "chinchilla", "--flops", "6e23", "-f", "json")
    ours = call(*words).succeeded("extrapolation").envelope["rows"][0]
    assert ours["params"] == pytest.approx(1e11, rel=1e-12)


def test_own_tokens_are_not_replaced_in_silence(call):
    words = ("compare", "name=ours,params=30B,tokens=5T", "--law", "chinchilla", "-f", "json")
    result = call(*words).succeeded("tokens_replaced", "extrapolation")
    assert result.envelope["rows"][0]["tokens"] == pytest.approx(3.2e12)
    assert "ours" in dict(result.notices)["tokens_replaced"]
    as_trained = call(*words, "--as-trained").succeeded("extrapolation")
    assert "tokens_replaced" not in as_trained.stderr
    kept = as_trained.envelope["rows"][0]
    assert kept["tokens"] == 5e12
    assert kept["train_flop"] == pytest.approx(9e23)
    same = call(*words[:1], "name=ours,params=30B,tokens=3.2T", *words[2:]).succeeded("extrapolation")
    assert "tokens_replaced" not in same.stderr


def test_the_budget_may_be_chosen(call):
    words = ("compare", "chinchilla", "--flops", "1e24", "--law", "chinchilla", "-f", "json", "-q")
    option, best = call(*words).succeeded().envelope["rows"]
    assert option["train_flop"] == pytest.approx(1e24)
    assert f"{best['params'] / 1e9:.1f}" == "96.0"


def test_kaplan_s_frontier_plan_is_judged_on_the_same_surface_as_the_options(rows):
    frontier, best = of_law(rows, "kaplan-2020")[2:]
    assert frontier["optimal_flop_same_loss"] < frontier["train_flop"]
    assert frontier["params"] > 1.5 * best["params"]


def test_an_options_file_gives_options_laws_and_budget(run, configs, tmp_path):
    (tmp_path / "mine.yaml").write_text((configs / "options" / "gopher-budget.yaml").read_text())
    result = run("compare", "mine.yaml", "-f", "json").succeeded(*NOTICES)
    names = [row["option"] for row in of_law(result.envelope["rows"], "besiroglu-2024")]
    assert names[:5] == ["gopher-280b", "chinchilla-70b", "gpt3-175b", "llama2-70b", "small-and-long"]
    assert {row["law"] for row in result.envelope["rows"]} == {"besiroglu-2024", "kaplan-2020"}
    assert result.envelope["inputs"]["flops"] == 5.76e23


def test_names_stand_beside_a_file_and_words_win_over_it(call, tmp_path):
    (tmp_path / "o.yaml").write_text(f"{HEAD}law: km\nbudget: {{flops: 1e24}}\ncompare: [gopher]\n")
    words = ("compare", "o.yaml", "chinchilla", "--law", "besiroglu-2024", "--flops", "1e23", "-f", "json", "-q")
    rows = call(*words).succeeded().envelope["rows"]
    assert [row["option"] for row in rows] == ["gopher-280b", "chinchilla-70b", "besiroglu-2024 optimum"]
    assert rows[0]["train_flop"] == pytest.approx(1e23)


def test_a_budget_file_compares_what_it_lists(call, configs):
    result = call("compare", str(configs / "budgets" / "frontier-1e24.yaml"), "-f", "json", "-q").succeeded()
    rows = of_law(result.envelope["rows"], "besiroglu-2024")
    assert [row["option"] for row in rows] == [
        "gopher-280b",
        "chinchilla-70b",
        "ours",
        "besiroglu-2024 optimum",
    ]
    assert "cannot_answer" in {warning["code"] for warning in result.envelope["warnings"]}


def test_an_options_file_on_stdin(call):
    words = ("compare", "-", "--law", "chinchilla", "-f", "json", "-q")
    rows = call(*words, stdin=f"{HEAD}compare: [gopher]\n").succeeded().envelope["rows"]
    assert rows[0]["option"] == "gopher-280b"
    call("compare", "-", stdin=f"{HEAD}compare: [goper]\n").failed(3, "<stdin>:2: compare.0", "Did you mean gopher")


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        (f"{HEAD}compare: []\n", (":2: compare: ",)),
        (f"{HEAD}law: km\n", ("compare: missing",)),
        (f"{HEAD}compare: [gopher]\nbudget: {{flops: -1}}\n", (":3: budget.flops: must be > 0 (got -1)",)),
        (f"{HEAD}compare: [gopher]\nbudgit: 1\n", (":3: budgit: unknown key", "Did you mean budget?")),
        (f"{HEAD}compare: [gopher, gophr]\n", (":2: compare.1: unknown model 'gophr'", "Did you mean gopher")),
        ("schema: scaleplan.budget/1\nbudget: {flops: 1e24}\n", ("compare: missing",)),
    ],
    ids=repr,
)
def test_a_bad_options_file_is_named_with_its_line(call, tmp_path, text, fragments):
    (tmp_path / "o.yaml").write_text(text)
    call("compare", "o.yaml").failed(3, "o.yaml", *fragments)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("schema: scaleplan.law/1\n---\nmore: 1\n", "(got 'scaleplan.law/1'); a law goes to --law"),
        ("schema: scaleplan.accelerator/1\n", "(got 'scaleplan.accelerator/1')"),
        ("schema: 1\n", "(got 1)"),
        ("name: x\n", "(missing)"),
    ],
)
def test_a_file_of_another_kind_is_told_what_compare_takes(call, tmp_path, text, said):
    takes = (
        ":1: schema: compare takes an options file (scaleplan.options/1), a budget file with a compare list "
        "(scaleplan.budget/1) or a model file (scaleplan.model/1) "
    )
    (tmp_path / "mine.yaml").write_text(text)
    assert call("compare", "mine.yaml").failed(3).stderr == f"mine.yaml{takes}{said}\n"
    assert call("compare", "-", stdin=text).failed(3).stderr == f"<stdin>{takes}{said}\n"


def test_a_model_through_standard_input_and_a_second_document_are_refused(call):
    call("compare", "-", stdin="schema: scaleplan.model/1\n").failed(3, "a model file goes to compare by its path")
    text = "schema: scaleplan.options/1\ncompare: [gopher]\n---\na: 1\n"
    call("compare", "-", stdin=text).failed(3, "<stdin>:4: a second YAML document")


def test_a_loss_as_budget_cannot_set_options_side_by_side(call, tmp_path):
    (tmp_path / "o.yaml").write_text(f"{HEAD}budget: {{loss: 2}}\ncompare: [gopher]\n")
    result = call("compare", "o.yaml")
    assert result.code in (2, 3)
    assert result.stdout == ""
    assert "--flops" in result.stderr


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("chincilla",), ("unknown model 'chincilla'", "Did you mean chinchilla", "scaleplan models")),
        (("gopher", "gopher-280b"), ("two options", "gopher-280b")),
        (("name=x,params=1B", "name=x,params=2B"), ("two options", "'x'")),
        (("lamda", "--as-trained"), ("lamda-137b", "tokens", "not known")),
        (("ernie3-titan", "--as-trained"), ("ernie3-titan-260b", "tokens", "not known")),
        (("name=x,params=30B", "--as-trained"), ("x", "tokens", "as trained")),
        (("name=x",), ("x", "params", "tokens")),
        (("name=,params=1B",), ("name",)),
        (("params=1B",), ("name=ours",)),
        (("name=x,parms=1B",), ("parms", "Did you mean params?")),
        (("name=x,params=1B,params=2B",), ("params", "twice")),
        (("name=x,params=-1",), ("params", "must be > 0", "got -1")),
        (("name=x,params=nan",), ("params", "finite", "got nan")),
        (("name=x,params=1B,tokens=0.5",), ("tokens", "at least 1", "got 0.5")),
        (("name=x,params=big",), ("params", "'big'")),
        (("gopher", "--flops", "0"), ("flops", "must be > 0")),
        (("gopher", "--flops", "inf"), ("flops", "finite")),
        (("gopher", "--law", "hoffmann-2022-a1"), ("hoffmann-2022-a1", "no loss", "besiroglu-2024")),
        (("gopher", "--level", "2"), ("level", "got 2")),
    ],
    ids=" ".join,
)
def test_words_that_make_no_sense_are_one_clear_line_and_exit_code_2(call, words, fragments):
    call("compare", *words).failed(2, *fragments)


def test_unpublished_tokens_do_not_stop_a_comparison_at_equal_flops(call):
    words = ("compare", "ernie3-titan", "lamda", "--law", "chinchilla", "-f", "json", "-q")
    rows = call(*words).succeeded().envelope["rows"]
    assert [row["option"] for row in rows[:2]] == ["ernie3-titan-260b", "lamda-137b"]


def test_an_optimum_of_less_than_a_token_is_not_shown_as_a_plan(call):
    result = call("compare", "name=x,params=1,tokens=1", "--as-trained")
    assert result.code in (2, 4)
    assert result.stdout == ""


def test_draws_add_how_likely_each_option_is_the_best(run_once):
    words = ("compare", "gopher", "chinchilla", "name=ours,params=100B", "--law", "chinchilla", "--draws", "500")
    envelope = run_once(*words, "-f", "json").succeeded("extrapolation").envelope
    *options, best = envelope["rows"]
    assert sum(row["p_best"] for row in options) == pytest.approx(1.0, abs=1e-12)
    assert options[0]["p_beats_first"] is None
    assert all(0 <= row["p_beats_first"] <= 1 for row in options[1:])
    assert best["p_best"] is best["p_beats_first"] is None
    assert (envelope["inputs"]["draws"], envelope["inputs"]["seed"]) == (500, 0)


def test_the_odds_follow_the_seed(call):
    words = ("compare", "gopher", "chinchilla", "--law", "chinchilla", "--draws", "200", "-f", "json", "-q")
    same, again, other = (call(*words, "--seed", seed).succeeded().stdout for seed in ("1", "1", "2"))
    assert same == again != other


def test_odds_are_columns_only_where_they_were_asked_for(rows, call):
    assert all("p_best" not in row for row in rows)
    words = ("compare", "gopher", "chinchilla", "--law", "chinchilla", "-q")
    assert "p best" not in call(*words).succeeded().stdout
    shown = call(*words, "--draws", "200").succeeded().stdout
    assert "p best" in shown
    assert "200 draws" in " ".join(shown.split())
    assert max(len(line) for line in shown.splitlines() if "gopher" in line or "p best  " in line) <= 80


def test_a_law_without_a_covariance_says_that_it_gives_no_odds(call):
    words = ("compare", "gopher", "chinchilla", "--law", "kaplan-2020", "--draws", "50", "-f", "json")
    envelope = call(*words).succeeded("no_interval", "not_drawn").envelope
    assert all(row["p_best"] is None for row in envelope["rows"])


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("--draws", "0"), ("draws", "at least 1", "got 0")),
        (("--draws", "many"), ("draws", "whole number", "many")),
        (("--draws", "10", "--seed", "x"), ("seed", "whole number")),
        (("--draws", "10", "--seed", "-1"), ("seed", "got -1")),
    ],
)
def test_draws_and_seeds_that_are_none_are_one_clear_line(call, words, fragments):
    call("compare", "gopher", *words).failed(2, *fragments)
