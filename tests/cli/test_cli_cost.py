"""``scaleplan cost``: hours, days, money and energy of a run, in every format; and what it refuses."""

from __future__ import annotations

import pytest

RUN = ("cost", "--params", "70B", "--tokens", "1.4T", "--mfu", "0.4")
H100 = (*RUN, "--on", "h100-sxm")
CLUSTER = (*RUN, "--on", "344xh100-sxm")
HOURS = 6 * 70e9 * 1.4e12 / (0.4 * 9.894e14 * 3600) / 0.85
"""485,539: 5.88e23 FLOP at 40 % of 989.4 TFLOP/s, of which 85 % of the hours move the run on."""
KEYS = {
    "line", "gpu_hours", "gpu_hours_low", "gpu_hours_high", "days", "days_low", "days_high", "cost_usd",
    "cost_usd_low", "cost_usd_high", "energy_mwh", "co2_t", "water_m3", "accelerator", "accelerators", "precision",
    "model", "params", "params_active", "tokens", "train_flop", "mfu", "mfu_low", "mfu_high", "tokens_per_second",
}  # fmt: skip
LADEN = (*CLUSTER, "--price", "2.5", "--grid", "0.5", "--water", "2", "--evaluation", "2%", "--pilots", "20k gpu-hours")


@pytest.fixture
def envelope(run_once):
    return run_once(*LADEN, "-f", "json").succeeded().envelope


def test_the_envelope_is_that_of_every_command(envelope):
    assert set(envelope) == {"schema", "version", "inputs", "rows", "warnings"}
    assert envelope["schema"] == "scaleplan.cost/1"
    assert envelope["warnings"] == []
    assert all(set(row) == KEYS for row in envelope["rows"])


def test_the_first_row_is_the_total_and_the_others_add_up_to_it(envelope):
    total, *lines = envelope["rows"]
    assert [row["line"] for row in (total, *lines)] == ["total", "training", "restarts", "evaluation", "pilot runs"]
    for key in ("gpu_hours", "days", "cost_usd", "energy_mwh", "co2_t", "water_m3"):
        assert sum(row[key] for row in lines) == pytest.approx(total[key], rel=1e-12), key


def test_the_total_by_hand(envelope):
    total = envelope["rows"][0]
    hours = HOURS * 1.02 + 20_000
    assert total["gpu_hours"] == pytest.approx(hours, rel=1e-4)
    assert total["days"] == pytest.approx(hours / 24 / 344, rel=1e-4)
    assert total["cost_usd"] == pytest.approx(hours * 2.5, rel=1e-4)
    assert total["energy_mwh"] == pytest.approx(hours * 700 * 1.12 / 1e6, rel=1e-4)
    assert total["co2_t"] == pytest.approx(total["energy_mwh"] * 0.5, rel=1e-12)
    assert total["water_m3"] == pytest.approx(total["energy_mwh"] * 2, rel=1e-12)
    assert total["tokens_per_second"] == pytest.approx(344 * 0.4 * 9.894e14 / 6 / 70e9, rel=1e-4)
    assert (total["params"], total["tokens"], total["train_flop"]) == (70e9, 1.4e12, pytest.approx(5.88e23))


def test_every_assumption_has_its_value_status_and_source(envelope):
    listed = envelope["inputs"]["assumptions"]
    names = [each["name"] for each in listed]
    assert names == [
        "accelerator", "peak bf16", "goodput", "price", "watts", "pue", "grid", "water", "evaluation", "pilots", "mfu",
    ]  # fmt: skip
    for each in listed:
        assert set(each) == {"name", "value", "unit", "status", "source"}
        assert each["source"]
        assert each["status"] in ("given", "our choice", "published", "derived", "estimate")


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "markdown", "table"])
def test_every_format_holds_every_line(call, form):
    result = call(*LADEN, "-f", form).succeeded()
    for name in ("training", "restarts", "evaluation", "pilot runs", "total"):
        assert name in result.stdout
    if form == "ndjson":
        assert [row["line"] for row in result.lines] == ["total", "training", "restarts", "evaluation", "pilot runs"]
        assert all(set(row) == KEYS for row in result.lines)
    if form == "csv":
        assert set(result.table[0]) == KEYS
        assert float(result.table[0]["gpu_hours"]) == pytest.approx(HOURS * 1.02 + 20_000, rel=1e-4)
    if form in ("table", "markdown"):
        for words in ("GPU-hours", "USD", "MWh", "t CO2e", "m3 water", "assumptions", "our choice", "40.0%"):
            assert words in result.stdout


def test_the_table_leaves_out_what_nobody_asked_for(call):
    shown = call(*H100).succeeded().stdout
    assert "days" not in shown.split("speed")[0]
    assert "m3 water" not in shown
    assert "5.88e23 FLOP on h100-sxm, bf16" in shown


def test_prices_are_called_indicative_and_dated(call):
    shown = call(*CLUSTER).succeeded().stdout
    assert "over the indicative prices, $1.99 to $5 an hour" in shown
    row = call(*CLUSTER, "-f", "json").succeeded().envelope["rows"][0]
    hours = row["gpu_hours"]
    ends = (row["cost_usd_low"], row["cost_usd"], row["cost_usd_high"])
    assert ends == pytest.approx((1.99 * hours, 3.495 * hours, 5 * hours), rel=1e-12)
    listed = call(*CLUSTER, "-f", "json").succeeded().envelope["inputs"]["assumptions"]
    (price,) = [each for each in listed if each["name"] == "price"]
    assert "indicative, of 2026-05, never a quote" in price["source"]


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (H100, "gpu_hours", HOURS),
        (CLUSTER, "days", HOURS / 24 / 344),
        ((*H100, "--days", "60"), "accelerators", 352),
        ((*H100, "--price", "$2"), "cost_usd", 2 * HOURS),
        ((*H100, "--goodput", "50%"), "gpu_hours", HOURS * 0.85 / 0.5),
        ((*H100, "--watts", "1000", "--pue", "1"), "energy_mwh", HOURS / 1000),
        ((*H100, "--active", "7B"), "gpu_hours", HOURS / 10),
        ((*H100, "--precision", "FP8"), "gpu_hours", HOURS * 9.894 / 19.789),
        ((*H100, "--evaluation", "0"), "gpu_hours", HOURS),
    ],
)
def test_get_reads_the_total(call, words, key, value):
    result = call(*words, "--get", key).succeeded()
    assert float(result.stdout) == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize("key", ["co2_t", "water_m3", "days", "accelerators", "cost_usd_low"])
def test_what_is_not_known_or_not_in_doubt_is_null(call, key):
    assert call(*H100, "--price", "2", "--get", key).succeeded().stdout == "null\n"


def test_a_price_that_is_not_known_is_null_and_never_invented(call):
    words = (*RUN, "--on", "gb300")
    row = call(*words, "-f", "json").succeeded().envelope["rows"][0]
    assert (row["cost_usd"], row["cost_usd_low"], row["cost_usd_high"]) == (None, None, None)
    assert "no price of gb300 is known: --price" in " ".join(call(*words).succeeded().stdout.split())
    assert float(call(*words, "--price", "4", "--get", "cost_usd").succeeded().stdout) > 0


def test_a_model_of_the_catalogue_runs_where_it_was_trained(call):
    row = call("cost", "llama31-405b", "--mfu", "0.4", "-f", "json").succeeded().envelope["rows"][0]
    assert (row["accelerator"], row["accelerators"], row["tokens"]) == ("h100-sxm", 16384, 15.6e12)
    other = call("cost", "llama31-405b", "--mfu", "0.4", "--on", "8xb200", "--tokens", "1T", "-f", "json")
    row = other.succeeded("does_not_fit").envelope["rows"][0]
    assert (row["accelerator"], row["accelerators"], row["tokens"]) == ("b200", 8, 1e12)


def test_a_mixture_of_experts_is_costed_by_what_a_token_passes(call):
    row = call("cost", "deepseek-v3", "--mfu", "0.4", "-f", "json").succeeded().envelope["rows"][0]
    assert row["params"] == pytest.approx(671e9, rel=1e-2)
    assert row["params_active"] == pytest.approx(37e9, rel=2e-2)
    assert row["train_flop"] == pytest.approx(6 * row["params_active"] * row["tokens"])
    shown = call("cost", "deepseek-v3", "--mfu", "0.4").succeeded().stdout
    assert "a token)" in shown


def test_a_shape_has_its_own_parameters(call):
    shape = "layers=80,width=8192,heads=64,kv_heads=8,feed_forward=28672,vocabulary=128256,gated=true,context=8192"
    words = ("cost", "--shape", shape, "--tokens", "1T", "--mfu", "0.4", "--on", "h100-sxm")
    assert float(call(*words, "--get", "params").succeeded().stdout) == pytest.approx(70.55e9, rel=1e-3)


def test_a_plan_of_flops_a_cluster_or_money_is_costed(call):
    by_flops = call("cost", "--flops", "1e24", "--on", "h100-sxm", "--mfu", "0.4", "-f", "json").succeeded()
    row = by_flops.envelope["rows"][0]
    assert row["model"] == "plan of besiroglu-2024"
    assert row["train_flop"] == pytest.approx(1e24, rel=1e-9)
    days = call("cost", "--on", "2048xh100-sxm", "--days", "60", "--mfu", "0.4", "--get", "days").succeeded()
    assert float(days.stdout) == pytest.approx(60, rel=1e-9)
    usd = call("cost", "--usd", "$5M", "--on", "h100-sxm", "--mfu", "0.4", "--get", "cost_usd").succeeded()
    assert float(usd.stdout) == pytest.approx(5e6, rel=1e-9)
    words = call("cost", "--flops", "$5M on h100-sxm", "--mfu", "0.4", "--get", "cost_usd").succeeded()
    assert float(words.stdout) == pytest.approx(5e6, rel=1e-9)


def test_a_law_counts_for_the_plan_alone(call):
    words = ("cost", "--flops", "1e23", "--on", "h100-sxm", "--mfu", "0.4", "--get", "params")
    assert float(call(*words, "--law", "km").succeeded().stdout) > 2 * float(call(*words).succeeded().stdout)


def test_a_budget_file_is_costed_from_its_path_and_from_stdin(call, tmp_path):
    text = (
        "schema: scaleplan.budget/1\nname: mine\nbudget: {days: 60, on: 2048xh100-sxm, mfu: 40%}\npilots: {share: 1%}\n"
    )
    (tmp_path / "b.yaml").write_text(text)
    by_file = call("cost", "b.yaml", "-f", "json").succeeded().envelope
    assert [row["line"] for row in by_file["rows"]] == ["total", "training", "restarts", "pilot runs"]
    assert by_file["rows"][0]["model"] == "mine"
    assert by_file["rows"][0]["days"] == pytest.approx(60, rel=1e-9)
    assert call("cost", "-", "-f", "json", stdin=text).succeeded().envelope == by_file


def test_money_without_an_accelerator_says_which_was_taken_unless_quiet(call):
    words = ("cost", "--usd", "5M", "--mfu", "0.4", "--get", "accelerator")
    assert call(*words).succeeded("assumed_accelerator").stdout == "h100-sxm\n"
    assert call(*words, "-q").succeeded().stderr == ""
    (notice,) = call(*words[:5], "-q", "-f", "json").succeeded().envelope["warnings"]
    assert notice["code"] == "assumed_accelerator"


def test_a_deadline_decides_the_accelerators_and_a_missed_one_names_them(call):
    """60 days take 338 accelerators: 43 nodes, or 44 where their number is round in binary."""
    assert call(*H100, "--days", "60", "--get", "accelerators").succeeded().stdout == "352\n"
    call(*RUN, "--on", "336xh100-sxm", "--days", "60").failed(
        4, "60.21 days on 336 h100-sxm", "deadline is 60", "352 of"
    )
    call(*CLUSTER, "--days", "60").succeeded()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("cost",), "nothing to cost: name a model, a budget file, --flops, or --params and --tokens"),
        (("cost", "--params", "70B", "--on", "h100-sxm"), "nothing to cost"),
        (("cost", "--tokens", "1T", "--on", "h100-sxm"), "Add --params or --shape"),
        (RUN, "on which accelerator? Add --on 512xh100-sxm"),
        (("cost", "--flops", "1e24"), "on which accelerator?"),
        (("cost", "nosuch"), "unknown model 'nosuch'"),
        (("cost", "gpt-5"), "gpt-5: its params were never published"),
        (("cost", "grok-3"), "give --tokens"),
        (("cost", "gpt3", "--on", "v100-sxm2-32"), "v100-sxm2-32 has no bf16; it has fp32, fp16: add --precision fp16"),
        ((*RUN, "--on", "v100-sxm2-16"), "has no bf16"),
        ((*RUN, "--on", "a100-sxm-80", "--precision", "fp8"), "a100-sxm-80 has no fp8"),
        ((*H100, "--precision", "fp7"), "unknown precision 'fp7'. Did you mean fp8"),
        ((*RUN, "--on", "h100-smx"), "Did you mean h100-sxm"),
        ((*RUN, "--on", "0xh100-sxm"), "(got 0)"),
        ((*RUN, "--on", "-3xh100-sxm"), "(got -3)"),
        ((*H100, "--days", "0"), "days: must be a finite time > 0 (got 0)"),
        ((*H100, "--days", "2 months"), "months and minutes are not read"),
        ((*H100, "--goodput", "-0.5"), "a share above 0 and at most 1"),
        ((*H100, "--goodput", "0"), "a share above 0 and at most 1"),
        ((*H100, "--mfu", "0"), "a share above 0 and at most 1"),
        ((*H100, "--mfu", "1.5"), "(got 1.5)"),
        ((*H100, "--grid", "us"), "unknown grid 'us'. Did you mean usa?"),
        ((*H100, "--grid", "-1"), "grid must be at least 0"),
        ((*H100, "--pue", "goggle"), "Did you mean google"),
        ((*H100, "--pue", "0.9"), "pue must be at least 1"),
        ((*H100, "--water", "-1"), "litres a kWh"),
        ((*H100, "--watts", "1kW"), "a power in W above zero"),
        ((*H100, "--price", "0"), "price: must be > 0"),
        ((*H100, "--evaluation", "200%"), "evaluation: must be a share from 0 to below 1"),
        ((*H100, "--pilots", "x"), "a share such as 2% or accelerator-hours such as 20k gpu-hours"),
        ((*H100, "--active", "80B"), "active parameters are part of the parameters (got 80B of 70B)"),
        ((*H100, "--usd", "5M"), "usd beside a run, which is not planned"),
        ((*H100, "--gpu-hours", "5M"), "gpu_hours beside a run, which is not planned"),
        ((*H100, "--law", "km"), "law beside a run, which is not planned"),
        (("cost", "llama31-405b", "--law", "km"), "law beside llama31-405b, which is not planned"),
        (("cost", "llama31-405b", "--params", "70B"), "params beside llama31-405b"),
        ((*H100, "--flops", "1e24"), "params and tokens beside flops"),
        (("cost", "--shape", "layers=80", "--tokens", "1T", "--on", "h100-sxm"), "shape 'layers=80': needs width"),
        (("cost", "--usd", "5M", "--on", "gb300", "--mfu", "0.4"), "no price of gb300 is known: give one"),
        ((*H100, "--get", "gpu_hour"), "no key 'gpu_hour' in the rows of cost. Did you mean gpu_hours"),
    ],
)
def test_a_bad_word_is_one_clear_line(call, words, said):
    call(*words).failed(2, said)


def test_a_file_that_cannot_be_used_is_an_error_of_the_file(call, tmp_path):
    call("cost", "missing.yaml").failed(3, "missing.yaml: no such file")
    (tmp_path / "b.yaml").write_text("schema: scaleplan.budget/1\nbudget:\n  days: 0\n  on: 8xh100-sxm\n")
    call("cost", "b.yaml").failed(3, "b.yaml:3: budget.days: must be a finite time > 0 (got 0)")
    (tmp_path / "o.yaml").write_text("schema: scaleplan.options/1\ncompare: [gopher]\n")
    call("cost", "o.yaml").failed(3, "o.yaml:1: schema: an options file")
    (tmp_path / "b.yaml").write_text("schema: scaleplan.budget/1\nbudget: {flops: 1e24}\n")
    call("cost", "b.yaml").failed(2, "on which accelerator?")
    call("cost", "b.yaml", "--tokens", "1T").failed(2, "tokens beside b.yaml: keep one")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--params", "1e20", "--tokens", "1e25"), "nothing fits on 1000000000 h100-sxm"),
        (("--params", "1e15", "--tokens", "1e18", "--days", "1"), "h100-sxm"),
        (
            ("--params", "70B", "--tokens", "1.4T", "--days", "1"),
            "finishes in 1 days with steps of 4.999M tokens: give",
        ),
    ],
)
def test_a_run_beyond_all_accelerators_or_its_batch_is_refused(call, words, said):
    call("cost", *words, "--on", "h100-sxm").failed(4, said)


def test_a_model_smaller_than_its_vocabulary_needs_a_shape(call):
    call("cost", "--params", "1M", "--tokens", "1B", "--on", "h100-sxm").failed(2, "less than a layer: give a shape")


def test_what_does_not_fit_says_on_how_many_it_does(call):
    call("cost", "llama31-405b", "--on", "8xh100-sxm").failed(4, "short by", "it fits on")


def test_a_given_utilisation_that_hides_a_model_too_large_is_said(call):
    result = call("cost", "llama31-405b", "--on", "8xh100-sxm", "--mfu", "0.4").succeeded("does_not_fit")
    assert "have 640 GB" in result.stderr


def test_words_for_the_estimate_are_not_used_beside_a_given_utilisation(call):
    words = ("--params", "7B", "--tokens", "1T", "--on", "64xh100-sxm", "--mfu", "0.4", "--batch", "4M")
    assert "batch would serve the estimate" in call("cost", *words).succeeded("unused").stderr


def test_a_step_of_more_tokens_than_the_run_is_refused(call):
    words = ("--params", "7B", "--tokens", "1T", "--on", "64xh100-sxm", "--batch", "2T")
    call("cost", *words).failed(2, "batch: a step of 2T tokens is more than the run's 1T")


def test_inputs_say_what_was_given_and_how_the_speed_came_about(call):
    words = (
        "cost",
        "--params",
        "7B",
        "--tokens",
        "1T",
        "--on",
        "64xh100-sxm",
        "--days",
        "90",
        "--pilots",
        "1%",
        "-f",
        "json",
    )
    inputs = call(*words).succeeded().envelope["inputs"]
    assert inputs["conditions"]["on"] == "64xh100-sxm"
    assert inputs["conditions"]["days"] == 90.0
    assert inputs["conditions"]["pilots"] == {"share": 0.01, "gpu_hours": 0.0}
    assert inputs["layout"]["tensor"] * inputs["layout"]["pipeline"] * inputs["layout"]["data"] == 64
    assert inputs["step_seconds"] > 0
