"""``scaleplan pilot`` from the outside: the runs, every format, words that shape them, and what is refused."""

from __future__ import annotations

import math

import pytest

from scaleplan.api import pilots as verbs
from scaleplan.pilots.candidates import RATIOS
from scaleplan.specs.shape_words import shape_from_words

KEYS = [
    "id", "stage", "role", "params", "params_nonembedding", "tokens", "tokens_per_param", "shape", "layers", "width",
    "batch_tokens", "steps", "learning_rate", "seed", "train_flop", "accelerator", "accelerators", "days",
    "time_limit_minutes", "gpu_hours", "cost_usd", "decision",
]  # fmt: skip
TAKEN = ("accelerator", "accelerators", "days", "time_limit_minutes", "gpu_hours", "cost_usd")
BARE = ("--flops", "1e24")
PRICED = (*BARE, "--on", "64xh100-sxm", "--mfu", "0.4", "--goodput", "0.8", "--price", "3", "--within", "20d")
NARROW = (
    *("--flops", "1e23", "--runs", "12", "--seeds", "2", "--ratios", "5:200", "--vocab", "32000", "--context", "2048"),
    *("--max-run", "20%", "--unique-tokens", "30B", "--noise", "0.5%", "--misfit", "0.1%", "--share", "2%"),
)

pytestmark = pytest.mark.usefixtures("short_curve")


@pytest.fixture(scope="module")
def designed():
    """What was designed in this module, by its words."""
    return {}


@pytest.fixture
def pilot(call, monkeypatch, designed):
    """The command over a verb that remembers its plans, so that a plan in five formats is made once."""
    verb = verbs.pilot

    def once(**words):
        key = repr(sorted(words.items(), key=lambda each: each[0]))
        if key not in designed:
            designed[key] = verb(**words)
        return designed[key]

    monkeypatch.setattr(verbs, "pilot", once)
    return lambda *words: call("pilot", *words)


def envelope_of(pilot, *words):
    return pilot(*words, "-f", "json", "-q").succeeded().envelope


def test_the_rows_have_every_key_and_the_envelope_is_the_house_s(pilot):
    envelope = pilot(*BARE, "-f", "json").succeeded("no_accelerator", "extrapolated_rule").envelope
    assert envelope["schema"] == "scaleplan.pilot/1"
    assert len(envelope["rows"]) == 36
    assert all(list(row) == KEYS for row in envelope["rows"])
    assert {row[key] for row in envelope["rows"] for key in TAKEN} == {None}
    assert {each["code"] for each in envelope["warnings"]} >= {"no_accelerator", "extrapolated_rule"}
    inputs = envelope["inputs"]
    assert inputs["target"]["train_flop"] == 1e24
    assert inputs["laws"][0]["id"] == "besiroglu-2024"
    assert (
        inputs["asked"] | {"runs": 36, "seeds": 3, "goal": "both", "noise": 0.003, "misfit": 0.002} == inputs["asked"]
    )
    assert (inputs["asked"]["max_run"], inputs["asked"]["ratios"]) == (0.35, list(RATIOS))
    assert (inputs["flop"], inputs["spent_flop"], inputs["decision"]) == (1e22, 0, "go")
    assert len(inputs["laws_averaged"]) > 5
    assert inputs["value"]["pays"] is True
    assert inputs["value"]["gain_flop"] > inputs["value"]["cost_flop"]


def test_every_run_is_a_real_shape_on_whole_steps_of_whole_sequences(pilot):
    for row in envelope_of(pilot, *BARE)["rows"]:
        shape = shape_from_words(row["shape"])
        assert (shape.params.total, shape.params.nonembedding) == (row["params"], row["params_nonembedding"])
        assert (shape.layers, shape.width) == (row["layers"], row["width"])
        assert (shape.vocabulary, shape.context) == (128_256, 8192)
        assert row["steps"] * row["batch_tokens"] == row["tokens"]
        assert row["batch_tokens"] % 8192 == 0
        assert row["steps"] >= 2000
        assert 0 < row["learning_rate"] < 0.1
        assert row["train_flop"] == pytest.approx(6 * row["params"] * row["tokens"], rel=1e-12)
        assert row["tokens_per_param"] == pytest.approx(row["tokens"] / row["params"], rel=1e-12)
        assert RATIOS[0] * (1 - 1e-3) <= row["tokens_per_param"] <= RATIOS[1] * (1 + 1e-3)


def test_the_runs_stay_within_the_share_cheapest_first_the_dearest_last(pilot):
    envelope = envelope_of(pilot, *BARE)
    rows, spent = envelope["rows"], [row["train_flop"] for row in envelope["rows"]]
    assert 0.8e22 < math.fsum(spent) <= 1e22
    assert max(spent) <= 0.35e22
    assert spent == sorted(spent)
    assert [row["id"] for row in rows] == [f"p{i:02d}" for i in range(36)]
    assert [row["role"] == "back-test" for row in rows] == [False] * 35 + [True]
    stages = [row["stage"] for row in rows]
    assert stages == sorted(stages)
    assert set(stages) == {1, 2}
    assert math.fsum(row["train_flop"] for row in rows if row["stage"] == 1) <= 0.5 * math.fsum(spent)
    assert envelope["inputs"]["value"]["cost_flop"] == pytest.approx(math.fsum(spent), rel=1e-9)


def test_three_seeds_of_one_run_measure_the_noise_and_no_other_run_is_made_twice(pilot):
    rows = envelope_of(pilot, *BARE)["rows"]
    again = [row for row in rows if row["role"] == "replicate"]
    assert [row["seed"] for row in again] == [1, 2]
    points = [(row["params"], row["tokens"]) for row in rows]
    assert len(set(points)) == 34
    assert points.count((again[0]["params"], again[0]["tokens"])) == 3
    assert {row["seed"] for row in rows if row["role"] != "replicate"} == {0}


def test_the_design_is_surer_than_every_template_for_the_same_compute(pilot):
    own, *others = envelope_of(pilot, *BARE)["inputs"]["designs"]
    assert own["name"] == "designed"
    assert own["compute_for_same"] is None
    assert {each["name"] for each in others} >= {"6x6", "9x4", "hoffmann-2022", "llama3-2024", "olmo-ladder-2024"}
    for each in others:
        assert own["loss_se"] < each["loss_se"]
        assert own["params_se"] < each["params_se"]
        assert 0 < each["compute_for_same"] < 1
        assert each["train_flop"] == pytest.approx(1e22, rel=1e-3)


def test_on_accelerators_hours_days_and_money_agree(pilot):
    envelope = pilot(*PRICED, "-f", "json").succeeded("extrapolated_rule").envelope
    rows, inputs = envelope["rows"], envelope["inputs"]
    assert "no_accelerator" not in {each["code"] for each in envelope["warnings"]}
    for row in rows:
        assert row["accelerator"] == "h100-sxm"
        assert 1 <= row["accelerators"] <= 64
        assert row["gpu_hours"] == pytest.approx(row["accelerators"] * row["days"] * 24, rel=1e-9)
        assert row["cost_usd"] == pytest.approx(3 * row["gpu_hours"], rel=1e-9)
        # At the utilisation given, over 989.4 TFLOP/s, of which goodput leaves 0.8.
        assert row["gpu_hours"] * 3600 * 0.4 * 0.8 * 989.4e12 == pytest.approx(row["train_flop"], rel=5e-3)
        assert row["time_limit_minutes"] >= max(10, 1.3 * row["days"] * 1440)
    assert inputs["gpu_hours"] == pytest.approx(math.fsum(row["gpu_hours"] for row in rows), rel=1e-9)
    assert inputs["cost_usd"] == pytest.approx(3 * inputs["gpu_hours"], rel=1e-9)
    assert max(row["days"] for row in rows) <= inputs["makespan_days"] <= 20
    assert inputs["makespan_days"] * 24 * 64 >= inputs["gpu_hours"] * (1 - 1e-9)
    assert any(each["name"] == "goodput" and each["value"] == 0.8 for each in inputs["assumptions"])


def test_accelerator_hours_are_met_within_two_per_cent_below(pilot):
    words = (*BARE, "--share", "20k gpu-hours", "--on", "64xh100-sxm", "--mfu", "0.4")
    envelope = envelope_of(pilot, *words)
    hours = math.fsum(row["gpu_hours"] for row in envelope["rows"])
    assert 0.98 * 20_000 <= hours <= 20_000
    assert envelope["inputs"]["asked"]["share"]["gpu_hours"] == 20_000


def test_words_of_the_design_shape_it(pilot):
    envelope = envelope_of(pilot, *NARROW)
    rows, asked = envelope["rows"], envelope["inputs"]["asked"]
    assert len(rows) == 12
    assert [row["role"] for row in rows].count("replicate") == 1
    for row in rows:
        assert 5 * (1 - 1e-3) <= row["tokens_per_param"] <= 200 * (1 + 1e-3)
        assert row["tokens"] <= 30e9
        assert row["train_flop"] <= 0.2 * 2e21
        shape = shape_from_words(row["shape"])
        assert (shape.vocabulary, shape.context) == (32_000, 2048)
    assert math.fsum(row["train_flop"] for row in rows) <= 2e21
    assert (asked["noise"], asked["misfit"], asked["unique_tokens"]) == (0.005, 0.001, 30e9)
    assert envelope["inputs"]["noise"] | {"seed": 0.005, "misfit": 0.001} == envelope["inputs"]["noise"]


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_data_formats_have_the_rows_of_json(pilot, form):
    rows = envelope_of(pilot, *PRICED)["rows"]
    result = pilot(*PRICED, "-f", form).succeeded("extrapolated_rule")
    if form == "ndjson":
        assert result.lines == rows
    else:
        assert list(result.table[0]) == KEYS
        assert [row["shape"] for row in result.table] == [row["shape"] for row in rows]
        for key in ("params", "tokens", "learning_rate", "gpu_hours"):
            assert [float(row[key]) for row in result.table] == [row[key] for row in rows]


@pytest.mark.parametrize("words", [BARE, PRICED], ids=["bare", "priced"])
@pytest.mark.parametrize("columns", [80, 60])
def test_the_table_keeps_within_the_width_and_cuts_no_number(pilot, monkeypatch, words, columns):
    monkeypatch.setenv("COLUMNS", "400")
    wide = pilot(*words, "-q").succeeded().stdout
    monkeypatch.setenv("COLUMNS", str(columns))
    text = pilot(*words, "-q").succeeded().stdout
    assert max(map(len, text.splitlines())) <= columns
    assert "…" not in text
    assert "\x1b" not in text
    cells = {word for word in wide.split() if word[0].isdigit()}
    assert cells <= set(text.split())


def test_the_table_says_the_runs_what_they_tell_and_what_that_is_worth(pilot):
    text = pilot(*PRICED).succeeded("extrapolated_rule").stdout
    for line in (
        "36 pilot runs, cheapest first",
        "p35*",
        "what equal compute tells",
        "designed",
        "6x6",
        "decision: go",
    ):
        assert line in text
    assert "accelerator-hours, $" in text
    assert pilot(*PRICED, "-q").stderr == ""


def test_markdown_has_a_row_a_run(pilot):
    text = pilot(*BARE, "-f", "markdown", "-q").succeeded().stdout
    assert sum(line.startswith("| p") for line in text.splitlines()) == 36
    assert len({line.count("|") for line in text.splitlines() if line.startswith("| p")}) == 1


def test_a_value_alone_and_a_file_for_the_result(pilot, tmp_path):
    assert float(pilot(*PRICED, "--get", "gpu_hours", "-q").succeeded().stdout) > 0
    assert pilot(*PRICED, "--get", "decision", "-q").succeeded().stdout == "go\n"
    assert pilot(*BARE, "--get", "gpu_hours", "-q").stdout.strip() in {"", "null"}
    pilot(*BARE, "--get", "gpu_hour").failed(2, "no key 'gpu_hour'", "Did you mean gpu_hours")
    result = pilot(*BARE, "-q", "-f", "csv", "-o", "runs.csv")
    assert (result.stdout, result.stderr, result.code) == ("", "", 0)
    assert (tmp_path / "runs.csv").read_text() == pilot(*BARE, "-q", "-f", "csv").stdout


def test_a_terminal_gets_the_table_without_colours_where_it_wants_none(terminal):
    words = ("pilot", "--flops", "1e22", "--runs", "9", "--seeds", "1", "-q")
    shown = terminal(*words, columns=70, environment={"NO_COLOR": "1"})
    assert shown.code == 0, shown.stderr
    assert shown.stderr == ""
    assert "\x1b" not in shown.stdout
    assert max(map(len, shown.stdout.splitlines())) <= 70
    assert "decision: " in shown.stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, ("pilots of which target?", "--flops 1e24")),
        ((*BARE, "plan.yaml"), 2, ("two budgets", "keep one")),
        (("none.yaml",), 3, ("none.yaml: no such file",)),
        (("--flops", "-1e24"), 2, ("flops: must be > 0",)),
        (("--flops", "nan"), 2, ("flops: must be a finite number",)),
        (("--flops", "x"), 2, ("flops: not a number: 'x'",)),
        ((*BARE, "--runs", "5"), 2, ("runs must be at least", "(got 5)")),
        ((*BARE, "--runs", "-3"), 2, ("runs: must be a whole number from 1", "(got -3)")),
        ((*BARE, "--runs", "2.5"), 2, ("whole number",)),
        ((*BARE, "--runs", "1e400"), 2, ("runs",)),
        ((*BARE, "--seeds", "0"), 2, ("seeds: must be a whole number from 1", "(got 0)")),
        ((*BARE, "--seeds", "40"), 2, ("39 further seeds", "(got 36)")),
        ((*BARE, "--goal", "losss"), 2, ("--goal", "'both', 'loss', 'params'")),
        ((*BARE, "--share", "150%"), 2, ("share: must be a share", "(got 150%)")),
        ((*BARE, "--share", "100%"), 2, ("share: must be a share", "(got 100%)")),
        ((*BARE, "--share", "-1%"), 2, ("share", "such as")),
        ((*BARE, "--share", "nan"), 2, ("share", "such as")),
        ((*BARE, "--share", "x"), 2, ("share: must be a share such as 2% or accelerator-hours",)),
        ((*BARE, "--share", "20k gpu-hours"), 2, ("accelerator", "add --on h100-sxm")),
        ((*BARE, "--noise", "0"), 2, ("noise: must be a share above 0, such as 0.3%",)),
        ((*BARE, "--noise", "-1%"), 2, ("noise: must be a share",)),
        ((*BARE, "--noise", "90%"), 2, ("noise must be above 0 and at most 50%", "(got 0.9)")),
        ((*BARE, "--misfit", "90%"), 2, ("misfit must be 0 to 50%",)),
        ((*BARE, "--ratios", "5"), 2, ("ratios: must be the least and most tokens a parameter, such as 5:200",)),
        ((*BARE, "--ratios", "50:5"), 2, ("ratios: must be the least and most",)),
        ((*BARE, "--ratios", "1:inf"), 2, ("ratios: must be the least and most",)),
        ((*BARE, "--max-run", "0"), 2, ("max-run", "above 0", "(got 0)")),
        ((*BARE, "--max-run", "120%"), 2, ("max-run", "(got 120%)")),
        ((*BARE, "--vocab", "0"), 2, ("vocab: must be a whole number from 1", "(got 0)")),
        ((*BARE, "--context", "-1"), 2, ("context: must be a whole number from 1", "(got -1)")),
        ((*BARE, "--within", "-3d"), 2, ("within: must be a finite time > 0",)),
        ((*BARE, "--unique-tokens", "0"), 2, ("unique",)),
        ((*BARE, "--on", "h101"), 2, ("unknown accelerator 'h101'", "Did you mean h100")),
        ((*BARE, "--on", " "), 2, ("on: is empty",)),
        ((*BARE, "--on", "0xh100-sxm"), 2, ("accelerators must be a whole number", "write 8xh100-sxm")),
        ((*BARE, "--on", "h100-sxm", "--mfu", "2"), 2, ("mfu",)),
        ((*BARE, "--seed", "x"), 2, ("seed must be a whole number",)),
        ((*BARE, "--law", "km"), 2, ("kaplan-2020: pilots are designed for", "add --law besiroglu-2024")),
        ((*BARE, "--law", "nolaw"), 2, ("unknown law 'nolaw'", "`scaleplan laws`")),
        (("--score", "a", "--after", "b"), 2, ("--score and --after are different things to do: keep one",)),
        (("--collect", "x", *BARE, "--runs", "9"), 2, ("--collect does not look at --flops, --runs: leave them out",)),
        (("--collect", "x", "--emit", "y"), 2, ("--collect does not look at --emit",)),
        (("--score", "x", *BARE, "--on", "h100-sxm"), 2, ("--score does not look at --on",)),
        ((*BARE, "--command", "x"), 2, ("--command of which job folder? Add --emit DIR",)),
        ((*BARE, "--at-once", "4", "--gpus-per-node", "8"), 2, ("--at-once and --gpus-per-node", "Add --emit DIR")),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, tuple) else value,
)
def test_what_cannot_be_meant_is_refused_in_a_line(call, words, code, said):
    call("pilot", *words).failed(code, *said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--share", "0"), "share: must be at least 1e-09"),
        (("--share", "0%"), "share: must be at least 1e-09"),
        (("--within", "3d"), "--on"),
        (("--price", "3"), "--on"),
        (("--mfu", "0.4"), "--on"),
        (("--seed", "-1"), "seed must be at least 0 (got -1)"),
        (("--runs", "1e9"), "runs: must be a whole number from 1 to 1,000"),
        (("--seeds", "1e9"), "seeds: must be a whole number from 1 to 1,000"),
        (("--vocab", "1e12"), "vocab"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else value,
)
def test_words_without_effect_or_without_end_are_refused_in_a_line(call, words, said):
    call("pilot", *BARE, *words).failed(2, said)


def test_help_names_every_word(call):
    text = call("pilot", "--help").stdout
    for flag in ("--share", "--after", "--score", "--collect", "--emit", "--command", "--within", "--max-run"):
        assert flag in text
