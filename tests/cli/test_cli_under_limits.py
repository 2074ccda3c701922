"""Plans under limits by the program: each limit where it binds alone, every kind of budget, what clashes, what is said.

What a plan takes is computed again here from the numbers that were printed, by the arithmetic of a bill on paper.
"""

from __future__ import annotations

import json
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
    "batch": lambda row: row["tokens"],
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
    assert row["binding"] == "flops+batch"
    (batch,) = [each for each in row["constraints"] if each["name"] == "batch"]
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
        # An estimated speed jumps with the layout; the size is the best at the speed of its plan, and not tuned to it.
        ((*FLOPS, *CLUSTER, "--max-mwh", "100"), ("--max-params", "36B"), 1e-3),
        ((*CLUSTER, "--usd", "1M", *LAW), ("--max-params", "50B"), 1e-3),
    ],
)
def test_a_further_limit_never_lowers_the_loss(plan, words, further, within):
    assert plan(*words, *further)["loss"] >= plan(*words)["loss"] * (1 - within)


# Repeated data


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
    message = "the best plan needs more than 1T unique tokens, and besiroglu-2024 does not say what repeated ones are"
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


# A loss to reach


def test_a_loss_is_reached_with_the_least_of_flops_or_of_money(plan):
    loss = ("--loss", "2.1", *LAW)
    free, small = plan(*loss), plan(*loss, "--max-params", "5B")
    assert small["binding"] == "max_params+loss"
    assert (small["params"], small["loss"]) == pytest.approx((5e9, 2.1), rel=1e-9)
    assert small["train_flop"] > free["train_flop"]
    served = plan(*loss, "--serve", "10T")
    assert served["method"] == "least FLOP for its loss under its limits"
    assert served["loss"] == pytest.approx(2.1, rel=1e-9)
    priced = plan(*loss, "--serve", "10T", "--serve-on", "h100-sxm", *CLUSTER, "--mfu", "0.4")
    assert priced["method"] == "least money for its loss under its limits"
    per_train, per_serve = PRICE / PER_HOUR, PRICE / (0.5 * PEAK * 3600)
    expense = {
        "flops": lambda params, tokens: 6 * params * tokens + 2 * params * 1e13,
        "usd": lambda params, tokens: 6 * params * tokens * per_train + 2 * params * 1e13 * per_serve,
    }
    for row, what in ((served, "flops"), (priced, "usd")):
        least = expense[what](row["params"], row["tokens"])
        for factor in (0.8, 0.95, 1.05, 1.25):
            size = factor * row["params"]
            same = plan(*loss, "--params", f"{size:.6f}")
            assert same["loss"] == pytest.approx(2.1, rel=1e-9)
            assert expense[what](same["params"], same["tokens"]) > least
    assert priced["lifetime_usd"] == pytest.approx(expense["usd"](priced["params"], priced["tokens"]), rel=1e-9)


def written(number):
    """A number of a message as a word that a flag takes again."""
    return number.rstrip(".,\n").removeprefix("$")


CLASHES = [
    (("--loss", "1.9", *LAW, "--max-params", "2B"), 4, "max_params 2B and loss 1.9 cannot both hold", "max_params"),
    (("--loss", "1.9", *LAW, "--max-params", "2B"), 4, "cannot both hold", "loss"),
    (
        ("--loss", "1.9", *LAW, *CLUSTER, "--mfu", "0.4", "--days", "10"),
        4,
        "deadline_days 10 and loss 1.9 cannot both hold",
        "deadline_days",
    ),
    (("--loss", "1.98", *LAW, *CLUSTER, "--mfu", "0.4", "--max-usd", "1M"), 4, "max_usd $1M and loss", "max_usd"),
    (("--loss", "1.98", *LAW, *CLUSTER, "--mfu", "0.4", "--max-mwh", "100"), 4, "max_mwh 100 and loss", "max_mwh"),
    # At an estimated speed what it takes is that of the run that reaches the loss.
    (("--loss", "1.9", *LAW, *CLUSTER, "--days", "10"), 4, "deadline_days 10 and loss 1.9", "deadline_days"),
    (("--loss", "1.98", *LAW, *CLUSTER, "--max-usd", "1M"), 4, "max_usd $1M and loss 1.98", "max_usd"),
    (("--loss", "2.3", "--law", "muennighoff-2023", "--unique-tokens", "1B"), 4, "unique_tokens 1B", "unique_tokens"),
    (
        ("--loss", "2.1", *LAW, "--tokens", "50B", "--max-params", "10B"),
        4,
        "max_params 10B, tokens 50B and loss 2.1 cannot all hold",
        "tokens",
    ),
    (
        ("--flops", "1e22", *LAW, "--min-params", "100B", "--tokens", "1T"),
        4,
        "flops 1e22, min_params 100B and tokens 1T cannot all hold",
        "flops",
    ),
    (("--flops", "1e22", *LAW, "--min-params", "100B", "--tokens", "1T"), 4, "cannot all hold", "min_params"),
    (("--flops", "1e22", *LAW, "--min-params", "100B", "--tokens", "1T"), 4, "cannot all hold", "tokens"),
    (
        ("--usd", "10K", *CLUSTER, *LAW, "--mfu", "0.4", *SERVED, "--min-params", "10B"),
        4,
        "usd $10K and min_params 10B cannot both hold",
        "usd",
    ),
]
FLAGS = {"deadline_days": "--days"}


@pytest.mark.parametrize(("words", "code", "message", "name"), CLASHES)
def test_what_clashes_is_named_and_a_value_that_is_named_helps(call, plan, words, code, message, name):
    said = call("allocate", *words).failed(code, message).stderr
    ways = said.partition("it takes ")[2].split(", or ")
    what = "a loss" if name == "loss" else name
    (value,) = [written(way.split()[-1]) for way in ways if way.startswith(f"{what} of at ")]
    flag = FLAGS.get(name, f"--{name.replace('_', '-')}")
    changed = list(words)
    changed[changed.index(flag) + 1] = value
    assert flag in words
    assert plan(*changed)["binding"]


@pytest.mark.parametrize("loss", ["1.9", "1.98", "2.2"])
def test_a_deadline_that_the_run_keeps_is_no_clash(plan, loss):
    """Just above the days that it takes at its own estimated speed, above or below that where the search starts."""
    free = plan("--loss", loss, *LAW, *CLUSTER)
    row = plan("--loss", loss, *LAW, *CLUSTER, "--days", f"{1.0005 * free['days']:.6f}")
    assert row["days"] == pytest.approx(free["days"], rel=1e-5)
    assert row["binding"] == "loss"


# Bands


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


# Doubt


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


# Formats


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


# Bad input


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--flops", "1e24", *CLUSTER, "--days", "0"), 2, "days: must be a finite time > 0 (got 0)"),
        ((*CLUSTER, "--days", "0"), 2, "days: must be a finite time > 0 (got 0)"),
        (("--flops", "1e24", *CLUSTER, "--price", "-1"), 2, "price: must be > 0 (got -1)"),
        (("--usd", "1M", *CLUSTER, "--serve", "1T"), 2, "the costs of serving depend on the accelerator: name one"),
        (
            ("--flops", "1e24", "--law", "hoffmann-2022-a1", "--max-params", "30B"),
            2,
            "hoffmann-2022-a1 is an allocation",
        ),
        ((*FLOPS, "--experts", "8"), 2, "besiroglu-2024 says nothing of experts: choose a law that does"),
        (
            ("--loss", "2.1", "--law", "besiroglu-2024", "--law", "kaplan-2020", "--max-params", "30B"),
            2,
            "kaplan-2020 cannot answer this beside besiroglu-2024: its loss is measured otherwise",
        ),
        ((*FLOPS, "--on", "8xh100-sxm", "--memory", "1GB"), 4, "memory: 8 h100-sxm of 1 GB train no model"),
        ((*FLOPS, "--critical-batch"), 2, "batch critical without an accelerator: name one with on"),
        (("--usd", "1", *CLUSTER, *LAW, *SERVED, "--min-params", "70B"), 4, "usd $1 and min_params 70B cannot both"),
    ],
)
def test_bad_input_is_one_line(call, words, code, message):
    call("allocate", *words).failed(code, message)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("budget: {flops: 1e24, on: 512xh100-sxm}\nlimits: {deadline_days: 0}", 3, "limits.deadline_days"),
        ("budget: {flops: 1e24}\nlimits: {unique_tokens: 1T, max_epochs: 0.5}", 3, "limits.max_epochs"),
        ("budget: {usd: 1M, on: 512xh100-sxm, price: -3}", 3, "price"),
        ("budget: {usd: 1M, on: 512xh100-sxm}\nserving: {tokens: 1T}", 2, "serving"),
        ("budget: {flops: 1e24}\nlimits: {min_params: 2B, max_params: 1B}", 3, "limits.min_params"),
        ("budget: {flops: 1e22}\nlaw: chinchilla\nlimits: {min_params: 100B, tokens: 1T}", 4, "cannot all hold"),
    ],
)
def test_a_file_of_bad_input_is_told_in_lines(call, tmp_path, body, code, message):
    (tmp_path / "b.yaml").write_text(f"schema: scaleplan.budget/1\n{body}\n")
    result = call("allocate", "b.yaml")
    assert (result.code, result.stdout) == (code, ""), result.stderr
    assert message in result.stderr
    assert "unexpected" not in result.stderr
