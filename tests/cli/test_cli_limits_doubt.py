"""Plans under limits when the law is in doubt, bands, draws and regret, and every format that they come in."""

from __future__ import annotations

import json

import pytest

LAW = ("--law", "chinchilla")
FLOPS = ("--flops", "1e24", *LAW)
CLUSTER = ("--on", "512xh100-sxm")
SERVED = ("--serve", "1T", "--serve-on", "h100-sxm")


@pytest.fixture
def plan(call):
    """A plan's first row by words of ``allocate``, and its inputs."""

    def start(*words):
        envelope = call("allocate", *words, "-f", "json", "-q").succeeded().envelope
        return envelope["rows"][0] | {"inputs": envelope["inputs"]}

    return start


@pytest.mark.parametrize(
    ("budget", "limits", "within"),
    [
        (("--flops", "1e24"), ("--max-params", "1T"), 1e-3),
        (("--flops", "1e20"), ("--min-params", "1M"), 1e-3),
        (("--flops", "1e24"), ("--unique-tokens", "1000T"), 1e-3),
        # The ends of a loss are steps of the whole half-width, not slopes.
        (("--loss", "2.1"), ("--max-params", "1T"), 5e-3),
    ],
)
def test_a_limit_that_does_not_bind_leaves_the_bands(plan, budget, limits, within):
    free, bounded = plan(*budget, *LAW), plan(*budget, *LAW, *limits)
    for name in ("params", "tokens", "tokens_per_param", "train_flop"):
        for end in ("low", "high"):
            expected = free[f"{name}_{end}"]
            assert bounded[f"{name}_{end}"] == (None if expected is None else pytest.approx(expected, rel=within))
    for name in ("loss", "loss_low", "loss_high"):
        assert bounded[name] == pytest.approx(free[name], rel=1e-9)


def test_what_a_limit_pins_has_no_band(plan):
    pinned = plan(*FLOPS, "--max-params", "30B")
    for name in ("params", "tokens", "tokens_per_param", "train_flop"):
        assert (pinned[f"{name}_low"], pinned[f"{name}_high"]) == (None, None)
    assert pinned["loss_low"] < pinned["loss"] < pinned["loss_high"]
    ratio = plan(*FLOPS, "--tokens-per-param", "100")
    assert ratio["params_low"] is ratio["tokens_per_param_high"] is None


def test_the_robust_plan_comes_first_and_brings_the_table_of_regret(call):
    laws = ("--law", "besiroglu-2024", "--law", "kaplan-2020", "--law", "hoffmann-2022-a3")
    for how, method in (("mean", "least expected regret"), ("worst", "least worst regret")):
        words = ("allocate", "--flops", "1e24", *laws, "--max-params", "500B", "--robust", how, "-f", "json", "-q")
        result = call(*words).succeeded()
        rows = result.envelope["rows"]
        assert [row["law"] for row in rows[1:]] == ["besiroglu-2024", "hoffmann-2022-a3", "kaplan-2020"]
        assert rows[0]["method"] == method
        table = rows[0]["regret"]
        (best,) = [row for row in table if row["recommended"]]
        assert (rows[0]["params"], rows[0]["tokens"]) == (best["params"], best["tokens"])
        key = {"mean": "expected_regret", "worst": "worst_regret"}[how]
        assert best[key] == min(row[key] for row in table)
        for row in table:
            regret = row["regret"]
            assert row["expected_regret"] == pytest.approx(sum(regret.values()) / 3, rel=1e-12)
            assert row["worst_regret"] == max(regret.values())
            if row["plan"] in regret:
                assert regret[row["plan"]] == pytest.approx(0, abs=1e-9)
            assert row["params"] <= 500e9 * (1 + 1e-9)
        assert call(*words).stdout == result.stdout


def test_draws_are_the_same_for_the_same_seed_and_others_for_another(call):
    words = ("allocate", *FLOPS, "--max-params", "200B", "--draws", "500", "-f", "json", "-q")
    one, again, other = (call(*words, "--seed", seed).succeeded() for seed in ("1", "1", "2"))
    assert one.stdout == again.stdout
    first, second = one.envelope["rows"][0], other.envelope["rows"][0]
    assert first["params"] == second["params"]
    assert first["params_low"] != second["params_low"]
    assert first["params_low"] < first["params"] < first["params_high"] <= 200e9 * (1 + 1e-9)


def test_draws_band_what_a_plan_takes_and_what_a_limit_sets_has_none(plan):
    machine = (*CLUSTER, "--mfu", "0.4", "--draws", "300")
    served = plan(*FLOPS, *machine, "--serve", "5T")
    for name in ("days", "cost_usd"):
        assert served[f"{name}_low"] < served[name] < served[f"{name}_high"]
        share = served[f"{name}_low"] / served[name]
        assert share == pytest.approx(served["train_flop_low"] / served["train_flop"], rel=1e-9)
    bound = plan(*FLOPS, *machine, "--days", "20")
    assert (bound["days_low"], bound["days_high"], bound["train_flop_low"]) == (None, None, None)
    assert bound["params_low"] < bound["params"] < bound["params_high"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--draws", "0"), "draws"),
        (("--draws", "few"), "draws"),
        (("--draws", "100", "--seed", "x"), "seed"),
        (("--draws", "100", "--law", "kaplan-2020"), "kaplan-2020 has no covariance of a loss surface to draw from"),
    ],
)
def test_words_of_doubt_that_cannot_be_read_are_one_line(call, words, message):
    law = () if "--law" in words else LAW
    call("allocate", "--flops", "1e24", *law, *words).failed(2, message)


def test_constraints_are_a_list_in_json_text_in_csv_and_rows_of_a_table(call):
    words = ("allocate", *FLOPS, "--max-params", "30B", "-q")
    (row,) = call(*words, "-f", "json").succeeded().envelope["rows"]
    keys = {"name", "of", "limit", "used", "slack", "binding", "loss_per_percent", "flop_per_percent"}
    assert all(keys <= set(each) for each in row["constraints"])
    (cells,) = call(*words, "-f", "csv").succeeded().table
    assert json.loads(cells["constraints"]) == row["constraints"]
    assert cells["binding"] == "flops+max_params"
    assert call(*words, "-f", "ndjson").succeeded().lines[0]["constraints"] == row["constraints"]
    table = call(*words).succeeded().stdout
    assert "what holds the plan back" in table
    assert "relax max_params first" in table
    markdown = call(*words, "-f", "markdown").succeeded().stdout
    assert "| max\\_params | 30B | 30B | binds |" in markdown
    assert call(*words, "--get", "binding").succeeded().stdout == "flops+max_params\n"
    assert call(*words, "--get", "relax_first").succeeded().stdout == "max_params\n"


def test_a_table_of_a_served_plan_says_what_serving_takes(call):
    words = ("allocate", "--usd", "1M", *CLUSTER, *LAW, *SERVED, "--prompt", "1000", "--answer", "300", "-q")
    table = call(*words).succeeded().stdout
    for text in ("serving on h100-sxm in bf16 over 365 days", "USD, present value", "USD with training", "a replica"):
        assert text in table
    inputs = call(*words, "-f", "json").succeeded().envelope["inputs"]
    assert (inputs["serving"]["prompt"], inputs["serving"]["answer"]) == (1000, 300)
    assert {each["name"] for each in inputs["serving"]["assumptions"]} >= {"serving: mfu", "serving: precision"}
