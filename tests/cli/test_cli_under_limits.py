"""Plans under limits by the program: each limit where it binds alone, every kind of budget, repeated data.

What a plan takes is computed again here from the numbers that were printed, by the arithmetic of a bill on paper.
"""

from __future__ import annotations

import math

import pytest

LAW = ("--law", "chinchilla")
FLOPS = ("--flops", "1e24", *LAW)
REPEATS = ("--flops", "1e24", "--law", "muennighoff-2023")
CLUSTER = ("--on", "512xh100-sxm")
SERVED = ("--serve", "1T", "--serve-on", "h100-sxm")
# h100-sxm: dense bf16 peak, thermal design power, middle of its price range; goodput and pue are the defaults.
PEAK, WATTS, PRICE, GOODPUT, PUE = 989.4e12, 700.0, 3.495, 0.85, 1.12
PER_HOUR = 0.4 * PEAK * GOODPUT * 3600


@pytest.fixture
def plan(call):
    """A plan's first row by words of ``allocate``, and its inputs."""

    def start(*words):
        envelope = call("allocate", *words, "-f", "json", "-q").succeeded().envelope
        return envelope["rows"][0] | {"inputs": envelope["inputs"]}

    return start


def training(row):
    """FLOPs of training, of a mixture with the parameters that a token passes."""
    return 6 * (row["params_active"] or row["params"]) * row["tokens"]


def serving(row):
    """FLOPs of serving: 2 N a token."""
    return 2 * row["params"] * row["inputs"]["serving"]["tokens"]


def hours(row):
    """Accelerator-hours on an H100 at the utilisation of the row."""
    return training(row) / (row["mfu"] / 0.4 * PER_HOUR)


TAKEN = {
    "flops": training,
    "max_params": lambda row: row["params"],
    "min_params": lambda row: row["params"],
    "params": lambda row: row["params"],
    "memory": lambda row: row["params"],
    "serving_memory": lambda row: row["params"],
    "tokens": lambda row: row["tokens"],
    "unique_tokens": lambda row: row["tokens"],
    "tokens_for_batch": lambda row: row["tokens"],
    "tokens_per_param": lambda row: row["tokens"] / row["params"],
    "gpu_hours": hours,
    "days": lambda row: hours(row) / 512 / 24,
    "deadline_days": lambda row: hours(row) / 512 / 24,
    "usd": lambda row: hours(row) * PRICE,
    "max_usd": lambda row: hours(row) * PRICE,
    "max_mwh": lambda row: hours(row) * WATTS * PUE / 1e6,
}
BINDING = {
    # name: words, what binds, and the limit that it is printed with
    "max_params": ((*FLOPS, "--max-params", "30B"), "flops+max_params", 30e9),
    "min_params": ((*FLOPS, "--min-params", "200B"), "flops+min_params", 200e9),
    "params": ((*FLOPS, "--params", "50B", "--max-params", "80B"), "flops+params", 50e9),
    "tokens": ((*FLOPS, "--tokens", "5T", "--min-params", "1B"), "flops+tokens", 5e12),
    "tokens_per_param": ((*FLOPS, "--tokens-per-param", "100"), "flops+tokens_per_param", 100),
    "one epoch": ((*FLOPS, "--unique-tokens", "1T", "--max-epochs", "1"), "flops+unique_tokens", 1e12),
    "a deadline": ((*FLOPS, *CLUSTER, "--days", "10", "--mfu", "0.4"), "deadline_days", 10),
    "a deadline, estimated": ((*FLOPS, *CLUSTER, "--days", "20"), "deadline_days", 20),
    "money": ((*FLOPS, *CLUSTER, "--max-usd", "1M", "--mfu", "0.4"), "max_usd", 1e6),
    "money, estimated": ((*FLOPS, *CLUSTER, "--max-usd", "1M"), "max_usd", 1e6),
    "energy": ((*FLOPS, *CLUSTER, "--max-mwh", "0.1 GWh", "--mfu", "0.4"), "max_mwh", 100),
    "energy, estimated": ((*FLOPS, *CLUSTER, "--max-mwh", "300"), "max_mwh", 300),
    "a budget of days": ((*CLUSTER, "--days", "30", *LAW, "--max-params", "20B"), "days+max_params", 20e9),
    "a budget of hours": (
        (*CLUSTER, "--gpu-hours", "500K", *LAW, "--min-params", "99B", "--mfu", "0.4"),
        "gpu_hours+min_params",
        99e9,
    ),
    "a budget of money": ((*CLUSTER, "--usd", "1M", *LAW, "--max-params", "20B"), "usd+max_params", 20e9),
    "a budget and a deadline": ((*CLUSTER, "--usd", "1M", *LAW, "--days", "5"), "deadline_days", 5),
    "a cluster and money": ((*CLUSTER, "--days", "30", *LAW, "--max-usd", "500K"), "max_usd", 5e5),
    "hours and a deadline": ((*CLUSTER, "--gpu-hours", "100K", "--days", "5", *LAW), "deadline_days", 5),
}


@pytest.mark.parametrize("name", BINDING)
def test_a_limit_binds_alone_and_the_plan_keeps_to_it(plan, name):
    words, binding, limit = BINDING[name]
    row = plan(*words)
    assert row["binding"] == binding
    last = binding.split("+")[-1]
    constraints = {each["name"]: each for each in row["constraints"]}
    assert constraints[last]["limit"] == pytest.approx(limit, rel=1e-12)
    for held in constraints.values():
        taken = TAKEN[held["name"]](row)
        assert held["used"] == pytest.approx(taken, rel=1e-6)
        assert held["binding"] is (held["name"] in binding.split("+"))
        if held["binding"]:
            assert taken == pytest.approx(held["limit"], rel=1e-6)
            assert held["slack"] == 0
        elif held["name"] == "min_params":
            assert held["slack"] == pytest.approx(taken / held["limit"] - 1, rel=1e-6)
        else:
            assert held["slack"] == pytest.approx(1 - taken / held["limit"], rel=1e-6)
    assert [each["name"] for each in row["constraints"] if each["relax_first"]] == [row["relax_first"]]
    assert row["train_flop"] == pytest.approx(training(row), rel=1e-12)


def test_of_two_sizes_of_the_memory_the_larger_model_fits_the_larger(plan):
    machine = ("--on", "64xh100-sxm", "--mfu", "0.4")
    by_size = plan(*FLOPS, *machine, "--memory", "40GB")
    assert by_size["binding"] == "flops+memory"
    (memory,) = [each for each in by_size["constraints"] if each["name"] == "memory"]
    assert memory["of"] == "params"
    assert by_size["params"] == pytest.approx(memory["limit"], rel=1e-12)
    # Sharded over 64, weights, gradients and both moments of Adam take at least 16 bytes a parameter.
    assert memory["limit"] < 64 * 40e9 / 16
    free = plan(*FLOPS)
    whole = plan(*FLOPS, *machine, "--memory", "fit")
    assert whole["binding"] == "flops"
    assert whole["params"] == pytest.approx(free["params"], rel=1e-6)
    assert by_size["loss"] > free["loss"]


def test_serving_takes_its_flops_from_the_same_budget(plan):
    row = plan(*FLOPS, "--serve", "10T")
    assert row["binding"] == "flops"
    assert row["serving_flop"] == pytest.approx(serving(row), rel=1e-12)
    assert training(row) + serving(row) == pytest.approx(1e24, rel=1e-6)
    assert row["lifetime_flop"] == pytest.approx(1e24, rel=1e-6)
    free = plan(*FLOPS)
    assert row["params"] < free["params"] / 2
    assert row["tokens"] > free["tokens"]


@pytest.mark.parametrize("mfu", [(), ("--mfu", "0.4")])
@pytest.mark.parametrize(
    "words",
    [
        ("--usd", "1M"),
        ("--days", "365", "--max-usd", "1M"),
        ("--flops", "1e25", "--max-usd", "1M"),
    ],
)
def test_money_pays_for_training_and_serving_together(plan, words, mfu):
    row = plan(*words, *CLUSTER, *LAW, *SERVED, "--discount", "10%", *mfu)
    assert row["binding"] == ("usd" if "--usd" in words else "max_usd")
    # Prompts alone at half of the peak over a year, paid as it goes: discounted on average by (1 - 1.1^-1) / ln 1.1.
    later = (1 - 1 / 1.1) / math.log(1.1)
    served = serving(row) / (0.5 * PEAK * 3600) * PRICE * later
    assert row["serving_usd"] == pytest.approx(served, rel=1e-9)
    assert row["cost_usd"] == pytest.approx(hours(row) * PRICE, rel=1e-9)
    assert row["lifetime_usd"] == pytest.approx(1e6, rel=1e-6)
    assert hours(row) * PRICE + served == pytest.approx(1e6, rel=1e-6)
    (money,) = [each for each in row["constraints"] if each["of"] == "USD"]
    assert money["used"] == pytest.approx(row["cost_usd"] + row["serving_usd"], rel=1e-6)


def test_a_replica_of_one_accelerator_bounds_the_model(plan):
    row = plan("--flops", "1e25", *LAW, "--serve", "1T", "--serve-on", "1xh100-sxm")
    assert row["binding"] == "flops+serving_memory"
    # 90 % of 80 GB at two bytes a parameter.
    assert row["params"] == pytest.approx(0.9 * 80e9 / 2, rel=1e-12)


@pytest.mark.parametrize(("words", "days"), [(("--mfu", "0.4"), 10), ((), 20), (("--mfu", "0.4"), 0.5), ((), 200)])
def test_the_bill_of_a_plan_ends_at_its_deadline(plan, words, days):
    row = plan("--flops", "1e26", *LAW, *CLUSTER, "--days", str(days), *words)
    assert row["binding"] == "deadline_days"
    assert row["days"] == pytest.approx(days, rel=1e-6)
    assert row["gpu_hours"] == pytest.approx(512 * 24 * days, rel=1e-6)
    assert row["energy_mwh"] == pytest.approx(row["gpu_hours"] * WATTS * PUE / 1e6, rel=1e-9)


@pytest.mark.parametrize(
    ("words", "key", "limit"), [(("--max-mwh", "100"), "energy_mwh", 100), (("--days", "10"), "days", 10)]
)
def test_where_a_larger_model_trains_in_a_slower_layout_the_size_stays_and_trains_longer(call, plan, words, key, limit):
    row = plan(*FLOPS, *CLUSTER, *words)
    assert row[key] == pytest.approx(limit, rel=1e-6)
    assert row["binding"] == {"energy_mwh": "max_mwh", "days": "deadline_days"}[key]
    warned = call("allocate", *FLOPS, *CLUSTER, *words, "-f", "json", "-q").envelope["warnings"]
    assert any(each["code"] == "layout" and "train in a slower layout" in each["message"] for each in warned)
    # A little larger it is slower by more than the layout takes: the same time buys fewer FLOPs.
    larger = plan(*FLOPS, *CLUSTER, *words, "--params", f"{1.01 * row['params']:.6f}")
    assert larger["mfu"] < 0.97 * row["mfu"]
    assert larger["loss"] > row["loss"]


def test_time_that_trains_is_not_taken_by_serving(call, plan):
    words = ("allocate", *CLUSTER, "--days", "30", *LAW, *SERVED, "-f", "json")
    row = call(*words).succeeded("serving_beside").envelope["rows"][0]
    alone = plan(*CLUSTER, "--days", "30", *LAW)
    assert row["params"] == pytest.approx(alone["params"], rel=1e-6)
    assert row["days"] == pytest.approx(30, rel=1e-6)
    assert row["lifetime_usd"] == pytest.approx(row["cost_usd"] + row["serving_usd"], rel=1e-12)


@pytest.mark.parametrize("mfu", [(), ("--mfu", "0.3")])
def test_a_large_batch_below_the_critical_one_calls_for_tokens(plan, mfu):
    words = ("--flops", "1e22", *LAW, *CLUSTER, "--batch", "20M", "--critical-batch", *mfu)
    row = plan(*words)
    assert row["binding"] == "flops+tokens_for_batch"
    (batch,) = [each for each in row["constraints"] if each["name"] == "tokens_for_batch"]
    assert row["tokens"] == pytest.approx(batch["limit"], rel=1e-9)
    # B_crit = 20.4 D^0.463, as planning/critical_batch.py derives it.
    assert 20.4 * row["tokens"] ** 0.463 == pytest.approx(20e6, rel=1e-6)


def test_experts_are_planned_at_a_given_number_and_at_the_best(plan):
    words = ("--flops", "1e22", "--law", "ludziejewski-2025")
    eight, free = plan(*words, "--experts", "8"), plan(*words, "--experts", "free")
    for row in (eight, free):
        assert row["params"] > row["params_active"]
        assert training(row) == pytest.approx(1e22, rel=1e-6)
        assert row["binding"] == "flops"
    assert eight["experts"] == 8
    assert free["loss"] <= eight["loss"]
    others = [plan(*words, "--experts", str(number))["loss"] for number in (1, 4, 16, 32)]
    assert free["loss"] == pytest.approx(min([eight["loss"], *others]), rel=1e-9)


@pytest.mark.parametrize("mfu", [(), ("--mfu", "0.3")])
def test_numbers_of_experts_that_do_not_fit_are_passed_over(plan, mfu):
    words = ("--flops", "1e22", "--law", "ludziejewski-2025", "--experts", "free", "--on", "8xh100-sxm")
    row = plan(*words, "--memory", "16GB", *mfu)
    assert row["binding"] == "flops+memory"
    assert row["params"] < 8 * 16e9 / 16


def test_all_of_a_mixture_must_fit_and_only_what_a_token_passes_is_computed(plan):
    words = ("--flops", "1e22", "--law", "ludziejewski-2025", "--experts", "8")
    row = plan(*words, "--max-params", "20B")
    assert row["binding"] == "flops+max_params"
    assert row["params"] == pytest.approx(20e9, rel=1e-9)
    assert training(row) == pytest.approx(1e22, rel=1e-6)
    held = plan(*words, "--on", "8xh100-sxm", "--memory", "fit", "--mfu", "0.3")
    assert held["binding"] == "flops+memory"
    assert held["params_active"] < held["params"] < 8 * 80e9 / 16


def test_of_two_limits_the_tighter_binds(plan):
    for params, binding in (("30B", "flops+max_params"), ("150B", "flops+unique_tokens")):
        words = (*FLOPS, "--max-params", params, "--unique-tokens", "1.5T", "--max-epochs", "1")
        if params == "150B":
            assert plan(*words)["binding"] == binding
        else:
            assert plan(*words)["binding"] == "unique_tokens+max_params"
    for days, binding in (("10", "deadline_days"), ("60", "max_usd")):
        assert plan(*FLOPS, *CLUSTER, "--days", days, "--max-usd", "1M", "--mfu", "0.4")["binding"] == binding


@pytest.mark.parametrize(
    ("words", "further", "within"),
    [
        ((*FLOPS, *CLUSTER, "--days", "20", "--mfu", "0.4"), ("--min-params", "80B"), 1e-9),
        ((*REPEATS, "--unique-tokens", "100B"), ("--max-epochs", "10"), 1e-9),
        ((*FLOPS, "--serve", "1T"), ("--tokens", "3T"), 1e-9),
        # An estimated speed goes up and down with the size; the plan is the best at its own speed, not tuned to it.
        ((*FLOPS, *CLUSTER, "--max-mwh", "100"), ("--max-params", "36B"), 1e-4),
        ((*CLUSTER, "--usd", "1M", *LAW), ("--max-params", "50B"), 1e-3),
    ],
)
def test_a_further_limit_never_lowers_the_loss(plan, words, further, within):
    assert plan(*words, *further)["loss"] >= plan(*words)["loss"] * (1 - within)


def test_tokens_may_repeat_without_end_under_a_law_that_values_them(plan):
    row = plan(*REPEATS, "--unique-tokens", "100B")
    assert row["binding"] == "flops"
    assert row["epochs"] == pytest.approx(row["tokens"] / 1e11, rel=1e-12)
    assert row["epochs"] > 4
    assert row["relax_first"] == "unique_tokens"
    few = plan(*REPEATS, "--unique-tokens", "100B", "--max-epochs", "4")
    assert few["binding"] == "flops+unique_tokens"
    assert (few["tokens"], few["epochs"]) == pytest.approx((4e11, 4), rel=1e-9)
    assert training(few) == pytest.approx(1e24, rel=1e-6)
    assert few["loss"] > row["loss"]


def test_the_default_law_gives_way_to_one_that_values_repeats_and_says_so(call):
    words = ("allocate", "--flops", "1e24", "--unique-tokens", "1T", "-f", "json")
    result = call(*words).succeeded("law_of_repeats")
    (row,) = result.envelope["rows"]
    assert row["law"] == "muennighoff-2023"
    assert row["tokens"] > 1e12
    text = dict(result.notices)["law_of_repeats"]
    assert text.startswith("muennighoff-2023 plans in place of besiroglu-2024")
    named = call("allocate", *REPEATS, "--unique-tokens", "1T", "-f", "json", "-q").envelope["rows"][0]
    assert {key: row[key] for key in ("params", "tokens", "loss")} == {
        key: named[key] for key in ("params", "tokens", "loss")
    }


@pytest.mark.parametrize("epochs", [(), ("--max-epochs", "4")])
def test_a_law_that_was_named_and_does_not_value_repeats_is_not_replaced(call, epochs):
    message = "the plan needs more than 1T unique tokens, and besiroglu-2024 does not say what repeats are"
    result = call("allocate", *FLOPS, "--unique-tokens", "1T", *epochs).failed(2, message)
    assert "--max-epochs 1 sees each once" in result.stderr
    assert "--law muennighoff-2023" in result.stderr


def test_where_there_is_data_enough_the_law_that_was_named_plans_as_before(plan):
    free, enough = plan(*FLOPS), plan(*FLOPS, "--unique-tokens", "10T")
    assert enough["law"] == "besiroglu-2024"
    assert (enough["binding"], enough["epochs"]) == ("flops", pytest.approx(enough["tokens"] / 1e13))
    assert enough["params"] == pytest.approx(free["params"], rel=1e-6)
    assert enough["loss"] == pytest.approx(free["loss"], rel=1e-12)


def test_the_default_law_plans_a_single_epoch_itself(plan):
    row = plan("--flops", "1e24", "--unique-tokens", "1T", "--max-epochs", "1")
    assert (row["law"], row["epochs"]) == ("besiroglu-2024", pytest.approx(1))
