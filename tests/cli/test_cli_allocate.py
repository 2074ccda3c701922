"""``scaleplan allocate`` with one budget: the plan, its bands, its cross-check, its formats and its words."""

from __future__ import annotations

import math

import pytest

import scaleplan

E, A, B, ALPHA, BETA = 1.8168640400416654, 482.0057194215438, 2085.434195928221, 0.34781303, 0.36585412
"""The constants of Besiroglu et al. 2024 in full digits, as their notebook prints them."""
PLAN_KEYS = [
    "law", "fitted_on", "train_flop", "train_flop_low", "train_flop_high", "params", "params_low", "params_high",
    "params_nonembedding", "tokens", "tokens_low", "tokens_high", "tokens_per_param", "tokens_per_param_low",
    "tokens_per_param_high", "loss", "loss_low", "loss_high", "method", "flop_over_runs",
    "extra_share_at_low", "extra_share_at_high", "extra_share_x1_3", "extra_share_x0_7",
]  # fmt: skip
CROSS_CHECK = ["besiroglu-2024", "hoffmann-2022-a1", "hoffmann-2022-a2", "hoffmann-2022-a3", "kaplan-2020"]
CROSS_CHECK_NOTICES = ("extrapolation", "no_loss", "no_interval", "converted", "loss_measure")
DEFAULT = ("allocate", "--flops", "1e24")


def test_json_is_the_envelope_with_exactly_its_five_keys(run_once):
    envelope = run_once(*DEFAULT, "--format", "json").succeeded(*CROSS_CHECK_NOTICES).envelope
    assert list(envelope) == ["schema", "version", "inputs", "rows", "warnings"]
    assert envelope["schema"] == "scaleplan.allocate/1"
    assert envelope["version"] == scaleplan.__version__
    assert [list(row) for row in envelope["rows"]] == [PLAN_KEYS] * 5
    assert [row["law"] for row in envelope["rows"]] == CROSS_CHECK


def test_json_is_one_line_that_ends_with_a_newline(run_once):
    text = run_once(*DEFAULT, "--format", "json").stdout
    assert text.endswith("}\n")
    assert text.count("\n") == 1


def test_the_plan_for_1e24_has_the_published_figures(run_once):
    row = run_once(*DEFAULT, "--format", "json").envelope["rows"][0]
    assert f"{row['params'] / 1e9:.1f}" == "96.0"
    assert f"{row['tokens'] / 1e12:.3f}" == "1.736"
    assert f"{row['tokens_per_param']:.2f}" == "18.08"
    assert row["loss"] == pytest.approx(1.9593, abs=1e-4)


def test_the_plan_is_the_closed_form_at_full_precision(run_once):
    row = run_once(*DEFAULT, "--format", "json").envelope["rows"][0]
    params = (ALPHA * A / (BETA * B)) ** (1 / (ALPHA + BETA)) * (1e24 / 6) ** (BETA / (ALPHA + BETA))
    tokens = 1e24 / (6 * params)
    assert row["params"] == pytest.approx(params, rel=1e-12)
    assert row["tokens"] == pytest.approx(tokens, rel=1e-12)
    assert row["tokens_per_param"] == pytest.approx(tokens / params, rel=1e-12)
    assert row["loss"] == pytest.approx(E + A / params**ALPHA + B / tokens**BETA, rel=1e-12)
    assert row["train_flop"] == 1e24


def test_every_band_holds_its_value_and_a_given_budget_has_none(run_once):
    row = run_once(*DEFAULT, "--format", "json").envelope["rows"][0]
    for key in ("params", "tokens", "tokens_per_param", "loss"):
        assert row[f"{key}_low"] < row[key] < row[f"{key}_high"], key
    assert row["train_flop_low"] is None
    assert row["train_flop_high"] is None


def test_inputs_hold_all_that_was_resolved(run_once):
    inputs = run_once(*DEFAULT, "--format", "json").envelope["inputs"]
    assert inputs["flops"] == 1e24
    assert inputs["level"] == 0.95
    assert inputs["flop_convention"] == "6ND"
    assert [law["id"] for law in inputs["laws"]] == CROSS_CHECK
    counted = {law["id"]: (law["counts_params"], law["counts_flop"]) for law in inputs["laws"]}
    assert counted["besiroglu-2024"] == ("total", "6ND")
    assert counted["kaplan-2020"] == ("nonembedding", "6ND-nonembedding")
    assert all(law["loss_unit"] == "nats/token" for law in inputs["laws"])


def test_warnings_are_the_same_in_json_and_on_stderr(run_once):
    result = run_once(*DEFAULT, "--format", "json")
    assert [(w["code"], w["message"]) for w in result.envelope["warnings"]] == result.notices


def test_the_extrapolation_warning_says_how_far(run_once):
    notices = dict(run_once(*DEFAULT, "--format", "json").notices)
    assert "1e24 FLOP is 76.9 times" in notices["extrapolation"]
    assert "1.3e22" in notices["extrapolation"]
    assert "besiroglu-2024" in notices["extrapolation"]


def test_csv_and_ndjson_hold_the_values_of_json(run_once):
    rows = run_once(*DEFAULT, "--format", "json").envelope["rows"]
    lines = run_once(*DEFAULT, "--format", "ndjson").succeeded(*CROSS_CHECK_NOTICES).lines
    table = run_once(*DEFAULT, "--format", "csv").succeeded(*CROSS_CHECK_NOTICES).table
    assert lines == rows
    assert [list(row) for row in table] == [PLAN_KEYS] * 5
    for cells, row in zip(table, rows, strict=True):
        for key, value in row.items():
            if isinstance(value, float):
                assert float(cells[key]) == value, key
            else:
                assert cells[key] == (value or ""), key


def test_the_table_shows_the_plan_with_its_bands_and_the_other_laws(run_once):
    text = run_once(*DEFAULT).succeeded(*CROSS_CHECK_NOTICES).stdout
    for shown in ("96.01B", "1.736T", "18.08", "1.9592", "1e24", "band", *CROSS_CHECK):
        assert shown in text
    assert "\x1b" not in text
    assert text == run_once(*DEFAULT, "--format", "table").stdout


def test_markdown_has_as_many_cells_in_every_row_of_a_table(run_once):
    text = run_once(*DEFAULT, "--format", "markdown").succeeded(*CROSS_CHECK_NOTICES).stdout
    for shown in ("96.01B", "1.736T", "18.08", *CROSS_CHECK):
        assert shown in text
    tables = [part.splitlines() for part in text.split("\n\n") if part.startswith("|")]
    assert len(tables) == 2
    for table in tables:
        assert len({line.count("|") for line in table}) == 1
        assert set(table[1]) <= set("|-: ")


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv", "markdown"])
def test_every_format_has_the_same_notices(run_once, form):
    result = run_once(*DEFAULT, "--format", form).succeeded(*CROSS_CHECK_NOTICES)
    assert result.stderr == run_once(*DEFAULT).stderr


def test_1e21_has_the_published_figures(call):
    row = call("allocate", "--flops", "1e21", "--law", "chinchilla", "-f", "json").succeeded().envelope["rows"][0]
    assert f"{row['params'] / 1e9:.3f}" == "2.782"
    assert f"{row['tokens_per_param']:.2f}" == "21.53"
    assert f"{row['loss']:.4f}" == "2.3048"


def test_the_paper_s_rounded_digits_are_a_variant_with_their_own_figures(call):
    result = call("allocate", "--flops", "1e24", "--law", "chinchilla:printed", "-f", "json", "-q").succeeded()
    row = result.envelope["rows"][0]
    assert f"{row['params'] / 1e9:.1f}" == "95.9"
    assert f"{row['tokens_per_param']:.2f}" == "18.14"
    assert row["loss"] == pytest.approx(1.9597, abs=1e-4)


def test_kaplan_allocates_nonembedding_parameters_with_twice_the_least_compute(call):
    result = call("allocate", "--flops", "1e21", "--law", "km", "-f", "json").succeeded("extrapolation", "no_interval")
    row = result.envelope["rows"][0]
    assert row["law"] == "kaplan-2020"
    assert f"{row['params_nonembedding'] / 1e9:.2f}" == "4.68"
    assert row["params_nonembedding"] == pytest.approx(1.3e9 * (1e21 / 2 / 8.64e19) ** 0.73, rel=1e-9)
    assert row["params"] > row["params_nonembedding"]
    assert 6 * row["params_nonembedding"] * row["tokens"] == pytest.approx(1e21, rel=1e-12)
    assert result.envelope["inputs"]["flop_convention"] == "6ND-nonembedding"


def test_a_law_without_covariance_has_absent_ends_and_says_so(call):
    words = ("allocate", "--flops", "1e21", "--law", "km")
    notices = ("extrapolation", "no_interval")
    ends = [key for key in PLAN_KEYS if key.endswith(("_low", "_high"))]
    (row,) = call(*words, "-f", "json").succeeded(*notices).envelope["rows"]
    assert [row[key] for key in ends] == [None] * len(ends)
    (cells,) = call(*words, "-f", "csv").succeeded(*notices).table
    assert [cells[key] for key in ends] == [""] * len(ends)
    assert call(*words, "--get", "params_low").succeeded(*notices).stdout == "null\n"
    for form in ("table", "markdown"):
        shown = call(*words, "-f", form).succeeded(*notices).stdout
        assert not any(word in shown for word in ("None", "nan", "null")), form


def test_within_the_runs_behind_the_law_nothing_is_warned_of(call):
    result = call("allocate", "--flops", "1e21", "--law", "chinchilla", "--format", "json").succeeded()
    assert result.envelope["warnings"] == []


def test_far_below_the_runs_behind_the_law_is_extrapolation_too(call):
    result = call("allocate", "--flops", "1e17", "--law", "chinchilla").succeeded("extrapolation")
    assert "1e17 FLOP is 14 times below" in result.stderr


def test_quiet_drops_notes_from_stderr_but_json_keeps_them(run_once):
    quiet = run_once(*DEFAULT, "--format", "json", "--quiet").succeeded()
    assert quiet.stdout == run_once(*DEFAULT, "--format", "json").stdout
    assert quiet.envelope["warnings"]


def test_quiet_keeps_errors(call):
    call("allocate", "--flops", "0", "-q").failed(2, "flops")


def test_the_level_widens_and_narrows_the_bands_around_the_same_plan(call):
    rows = {}
    for level in ("0.5", "0.8", "0.95", "0.99"):
        result = call("allocate", "--flops", "1e24", "--law", "chinchilla", "--level", level, "-f", "json", "-q")
        envelope = result.succeeded().envelope
        assert envelope["inputs"]["level"] == float(level)
        rows[level] = envelope["rows"][0]
    for key in ("params", "tokens", "tokens_per_param", "loss"):
        assert len({row[key] for row in rows.values()}) == 1
        lows = [row[f"{key}_low"] for row in rows.values()]
        highs = [row[f"{key}_high"] for row in rows.values()]
        assert lows == sorted(lows, reverse=True)
        assert highs == sorted(highs)
    shown = call("allocate", "--flops", "1e24", "--law", "chinchilla", "--level", "0.5", "-q").succeeded().stdout
    assert "50 % band" in shown.replace("50% band", "50 % band")


def test_a_target_loss_is_reached_by_the_compute_it_asks_for(call):
    words = ("allocate", "--law", "chinchilla", "--format", "json", "-q")
    first = call(*words, "--loss", "2.0").succeeded().envelope
    assert first["inputs"]["loss"] == 2.0
    assert first["inputs"]["flops"] is None
    row = first["rows"][0]
    assert row["loss"] == pytest.approx(2.0, rel=1e-12)
    assert row["train_flop_low"] < row["train_flop"] < row["train_flop_high"]
    back = call(*words, "--flops", repr(row["train_flop"])).succeeded().envelope["rows"][0]
    assert back["loss"] == pytest.approx(2.0, rel=1e-9)
    assert back["params"] == pytest.approx(row["params"], rel=1e-9)


def test_a_target_loss_leaves_out_laws_that_measure_another_loss_and_says_so(call):
    result = call("allocate", "--loss", "2.0", "--format", "json")
    result.succeeded("extrapolation", "no_interval", "cannot_answer")
    assert [row["law"] for row in result.envelope["rows"]] == ["besiroglu-2024", "hoffmann-2022-a3"]
    left_out = dict(result.notices)["cannot_answer"]
    assert all(name in left_out for name in ("hoffmann-2022-a1", "hoffmann-2022-a2", "kaplan-2020"))


@pytest.mark.parametrize("loss", ["1.5", "1.8", "1.8168640400416654"])
def test_a_target_loss_at_or_below_the_floor_is_infeasible_and_names_the_floor(call, loss):
    result = call("allocate", "--loss", loss).failed(4, "cannot be reached", "E", "besiroglu-2024", "1.8169")
    assert "1.7592 to 1.8765" in result.stderr


def test_an_infeasible_problem_ends_the_process_with_4(run):
    run("allocate", "--loss", "1.5").failed(4, "1.8169")


def test_fixed_parameters_leave_the_tokens_to_the_budget(call):
    words = ("allocate", "--flops", "1e24", "--law", "chinchilla", "-f", "json", "-q", "--params", "30B")
    row = call(*words).succeeded().envelope["rows"][0]
    assert row["params"] == 30e9
    assert row["tokens"] == pytest.approx(1e24 / (6 * 30e9), rel=1e-12)
    assert row["loss"] == pytest.approx(E + A / 30e9**ALPHA + B / row["tokens"] ** BETA, rel=1e-12)
    assert row["params_low"] is None
    assert row["tokens_low"] is None
    assert row["loss_low"] < row["loss"] < row["loss_high"]


def test_fixed_tokens_leave_the_parameters_to_the_budget(call):
    words = ("allocate", "--flops", "1e24", "--law", "chinchilla", "-f", "json", "-q", "--tokens", "5T")
    row = call(*words).succeeded().envelope["rows"][0]
    assert row["tokens"] == 5e12
    assert row["params"] == pytest.approx(1e24 / (6 * 5e12), rel=1e-12)
    assert row["loss"] == pytest.approx(E + A / row["params"] ** ALPHA + B / 5e12**BETA, rel=1e-12)


@pytest.mark.parametrize("side", [("--params", "30B"), ("--tokens", "1T")])
def test_a_target_loss_with_a_side_fixed_is_reached(call, side):
    words = ("allocate", "--loss", "2.0", "--law", "chinchilla", "-f", "json", "-q", *side)
    row = call(*words).succeeded().envelope["rows"][0]
    assert E + A / row["params"] ** ALPHA + B / row["tokens"] ** BETA == pytest.approx(2.0, rel=1e-9)
    assert row["train_flop"] == pytest.approx(6 * row["params"] * row["tokens"], rel=1e-12)


def test_a_target_loss_that_fixed_parameters_cannot_reach_is_infeasible(call):
    call("allocate", "--loss", "2.0", "--params", "100M").failed(4, "cannot be reached")


def test_the_first_law_makes_the_plan_and_the_others_follow_in_order(call):
    words = ("allocate", "--flops", "1e21", "-f", "json", "-q")
    asked = ["kaplan-2020", "hoffmann-2022-a3", "besiroglu-2024"]
    rows = call(*words, "--law", "km", "--law", "hoffmann-2022-a3", "--law", "chinchilla").succeeded().envelope["rows"]
    assert [row["law"] for row in rows] == asked
    alone = call(*words, "--law", "km").succeeded().envelope["rows"]
    assert alone == rows[:1]


def test_law_all_takes_every_law_that_allocates_the_default_first(call):
    envelope = call("allocate", "--flops", "1e21", "--law", "all", "-f", "json", "-q").succeeded().envelope
    rows = envelope["rows"]
    assert rows[0]["law"] == "besiroglu-2024"
    assert {row["law"] for row in rows} == {
        "besiroglu-2024", "hoffmann-2022-a1", "hoffmann-2022-a2", "hoffmann-2022-a3", "abnar-2025", "deepseek-2024",
        "henighan-2020", "kaplan-2020", "krajewski-2024", "llama3-2024", "ludziejewski-2025", "muennighoff-2023",
        "porian-2024",
    }  # fmt: skip
    (left_out,) = [w["message"] for w in envelope["warnings"] if w["code"] == "cannot_answer"]
    assert all(name in left_out for name in ("gadre-2024", "kumar-precision-2024", "sardana-2023"))


def test_the_laws_disagree_at_the_budget_of_llama_3_as_published(call):
    """16.5, 17, 21, 26 and 42 tokens per parameter: Besiroglu, Porian, Hoffmann's approaches 1 and 2, Llama 3."""
    rows = call("allocate", "--flops", "3.8e25", "--law", "all", "-f", "json", "-q").succeeded().envelope["rows"]
    ratio = {row["law"]: row["tokens_per_param"] for row in rows}
    assert ratio["besiroglu-2024"] == pytest.approx(16.5, abs=0.05)
    assert ratio["porian-2024"] == pytest.approx(17, abs=0.1)
    assert ratio["hoffmann-2022-a1"] == pytest.approx(21, abs=0.3)
    assert ratio["hoffmann-2022-a2"] == pytest.approx(26, abs=0.1)
    assert ratio["llama3-2024"] == pytest.approx(42, abs=0.1)
    assert ratio["deepseek-2024"] == pytest.approx(12, abs=0.5)


def test_laws_fitted_on_the_same_text_stand_together_and_the_spread_is_told(call):
    result = call("allocate", "--flops", "3.8e25", "--law", "all", "-q").succeeded()
    lines = result.stdout.splitlines()
    group = lines.index(" MassiveText")
    assert [line.split()[1] for line in lines[group + 1 : group + 5]] == CROSS_CHECK[:4]
    assert "Spread: N 273.2B to 17.02T, D/N 0.02185 to 84.83 (MassiveText 16.49 to 84.83)." in result.stdout


def test_rounded_digits_are_refused_with_what_would_work(call):
    call("allocate", "--flops", "3.8e25", "--law", "llama3-2024:printed").failed(
        2, "llama3-2024:printed is refused for allocate", "its digits are rounded", "use llama3-2024"
    )


def test_a_law_that_plans_nothing_says_what_it_gives(call):
    call("allocate", "--flops", "1e21", "--law", "clark-2022").failed(
        2, "clark-2022 plans nothing by itself", "scaleplan laws clark-2022", "besiroglu-2024"
    )


def test_hyper_adds_learning_rate_and_batch_by_the_default_rule(call):
    """Step Law: 1.79 N^-0.713 D^0.307 without embeddings, 0.58 D^0.571 tokens."""
    words = ("allocate", "--flops", "1e24", "--law", "chinchilla", "--hyper")
    envelope = call(*words, "-f", "json").succeeded("extrapolation").envelope
    (row,) = envelope["rows"]
    params, tokens = row["params_nonembedding"], row["tokens"]
    assert row["learning_rate"] == pytest.approx(1.79 * params**-0.713 * tokens**0.307, rel=1e-12)
    assert row["batch_tokens"] == pytest.approx(0.58 * tokens**0.571, rel=1e-12)
    assert envelope["inputs"]["hyper_law"] == "steplaw-2025"
    assert "learning rate" in call(*words, "-q").succeeded().stdout
    assert "learning_rate" not in call(*DEFAULT, "-q", "-f", "csv").succeeded().stdout


def test_hyper_is_for_one_budget(call):
    call("allocate", "--flops", "-", "--hyper", stdin="1e24\n").failed(2, "--hyper is for one budget")


def test_a_law_file_serves_like_a_preset(call, configs):
    words = ("allocate", "--flops", "1e21", "--law", str(configs / "laws" / "my-lab.yaml"), "-f", "json")
    (row,) = call(*words).succeeded("no_interval").envelope["rows"]
    assert row["law"] == "my-lab"
    assert 6 * row["params"] * row["tokens"] == pytest.approx(1e21, rel=1e-12)
    assert row["loss"] == pytest.approx(1.71 + 420 / row["params"] ** 0.34 + 1650 / row["tokens"] ** 0.36, rel=1e-12)


def test_the_printed_digits_of_approach_3_are_refused_with_the_reason(call):
    result = call("allocate", "--flops", "1e24", "--law", "hoffmann-2022-a3:printed")
    result.failed(2, "hoffmann-2022-a3:printed", "refused", "rounded", "use hoffmann-2022-a3")


@pytest.mark.parametrize("key", ["params", "tokens", "loss", "loss_high", "train_flop", "tokens_per_param"])
def test_get_prints_the_bare_value_that_json_has(call, run_once, key):
    row = run_once(*DEFAULT, "-f", "json").envelope["rows"][0]
    text = call(*DEFAULT, "--get", key, "-q").succeeded().stdout
    assert text == f"{row[key]!r}\n"


def test_get_from_a_shell_prints_one_float_and_nothing_else(run):
    result = run(*DEFAULT, "--law", "chinchilla", "--get", "params").succeeded("extrapolation")
    assert float(result.stdout) == pytest.approx(9.6005e10, rel=1e-4)
    assert len(result.stdout.split()) == 1


def test_get_of_text_is_bare_too(call):
    assert call(*DEFAULT, "--get", "law", "-q").succeeded().stdout == "besiroglu-2024\n"


def test_get_of_an_unknown_key_suggests_the_nearest(call):
    call(*DEFAULT, "--get", "parms").failed(2, "'parms'", "Did you mean params")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e24", 1e24), ("1E24", 1e24), ("1000000000000000000000000", 1e24), ("1000 ZFLOP", 1e24),
        ("2.5 ZFLOPs", 2.5e21),        ("10 PF-days", 8.64e20), ("1.0e+24", 1e24), (" 1e24 ", 1e24),
    ],
)  # fmt: skip
def test_a_budget_may_be_written_in_several_ways(call, text, value):
    result = call("allocate", "--flops", text, "--law", "chinchilla", "--get", "train_flop", "-q").succeeded()
    assert float(result.stdout) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("--flops", "0"), ("flops", "must be > 0", "got 0")),
        (("--flops", "-1e24"), ("flops", "must be > 0", "got -1e24")),
        (("--flops", "nan"), ("flops", "finite", "got nan")),
        (("--flops", "NaN"), ("flops", "finite", "got NaN")),
        (("--flops", "inf"), ("flops", "finite", "got inf")),
        (("--flops", "-inf"), ("flops", "got -inf")),
        (("--flops", "1e400"), ("flops", "finite", "got 1e400")),
        (("--flops", ""), ("flops", "not a number")),
        (("--flops", "lots"), ("flops", "not a number", "'lots'")),
        (("--flops", "1,000"), ("flops", "'1,000'", "thousands")),
        (("--flops", "1e24 tokens"), ("flops", "'1e24 tokens'")),
        (("--loss", "0"), ("loss", "must be > 0")),
        (("--loss", "-2"), ("loss", "must be > 0", "got -2")),
        (("--loss", "nan"), ("loss", "finite")),
        (("--loss", "inf"), ("loss", "finite")),
        (("--loss", "low"), ("loss", "not a number", "'low'")),
        (("--flops", "1e24", "--params", "0"), ("params", "got 0")),
        (("--flops", "1e24", "--params", "-3B"), ("params", "got -3B")),
        (("--flops", "1e24", "--params", "nan"), ("params", "finite")),
        (("--flops", "1e24", "--params", "0.5"), ("params", "at least 1", "got 0.5")),
        (("--flops", "1e24", "--tokens", "0.5"), ("tokens", "at least 1", "got 0.5")),
        (("--flops", "1e24", "--tokens", "inf"), ("tokens", "finite")),
        (("--flops", "1e24", "--tokens", "many"), ("tokens", "'many'")),
        (("--flops", "1e24", "--tokens", "1T", "--params", "1B"), ("params and tokens", "predict")),
        (("--flops", "1e24", "--level", "0"), ("level", "0.95", "got 0")),
        (("--flops", "1e24", "--level", "1"), ("level", "got 1")),
        (("--flops", "1e24", "--level", "95"), ("level", "got 95")),
        (("--flops", "1e24", "--level", "nan"), ("level", "got nan")),
        (("--flops", "1e24", "--level", "high"), ("level", "high")),
        (("--flops", "1e24", "--law", "chinchila"), ("'chinchila'", "Did you mean chinchilla", "scaleplan laws")),
        (("--flops", "1e24", "--law", "kaplan-2021"), ("'kaplan-2021'", "Did you mean kaplan-2020")),
        (("--flops", "1e24", "--law", ""), ("unknown law ''",)),
        (("--flops", "1e24", "--law", "km:cmin"), ("kaplan-2020", "'cmin'", "Did you mean c-min")),
        (("--flops", "1e24", "--law", "km", "--law", "kaplan"), ("kaplan-2020", "twice")),
        (("--flops", "1e24", "--loss", "2"), ("two budgets",)),
        (("--flops", "-", "--loss", "2"), ("two budgets",)),
        ((), ("no budget", "--flops", "--loss")),
        (("--params", "30B"), ("no budget",)),
        (("--flops", "1e24", "--format", "jsn"), ("--format", "'jsn'", "json")),
        (("--flops",), ("--flops", "requires an argument")),
    ],
    ids=" ".join,
)  # fmt: skip
def test_words_that_make_no_sense_are_one_clear_line_and_exit_code_2(call, words, fragments):
    call("allocate", *words).failed(2, *fragments)


@pytest.mark.parametrize(
    ("words", "fragments"),
    [
        (("--flops", "1e-3"), ("less than one parameter",)),
        (("--flops", "1e24", "--tokens", "1e30"), ("less than one parameter",)),
        (("--flops", "1e24", "--params", "1e30"), ("less than one token",)),
        (("--loss", "5000"), ("less than one",)),
    ],
    ids=" ".join,
)
def test_a_budget_that_buys_nothing_is_infeasible(call, words, fragments):
    call("allocate", *words).failed(4, *fragments)


def test_a_cross_check_that_cannot_answer_does_not_take_the_plan_with_it(call):
    """1000 FLOP buy a parameter and a token under the default law, less than a token under Kaplan's."""
    result = call("allocate", "--flops", "1000", "--format", "json")
    assert result.code == 0, result.stderr
    assert result.envelope["rows"][0]["law"] == "besiroglu-2024"
    assert "kaplan-2020" in dict(result.notices)["cannot_answer"]


def test_a_law_file_that_is_missing_is_a_bad_input_file(call):
    call("allocate", "--flops", "1e24", "--law", "./mine.yaml").failed(3, "./mine.yaml", "no such file")


def test_usage_errors_end_the_process_with_2(run):
    run("allocate", "--flops", "nan").failed(2, "flops", "finite")


def test_the_largest_floats_are_planned_without_overflow(call):
    row = (
        call("allocate", "--flops", "1e300", "--law", "chinchilla", "-f", "json", "-q").succeeded().envelope["rows"][0]
    )
    assert all(math.isfinite(value) for value in row.values() if isinstance(value, float))
