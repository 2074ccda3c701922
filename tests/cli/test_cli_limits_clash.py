"""A loss to reach under limits, limits that clash and the values that are named instead, and bad input."""

from __future__ import annotations

import pytest

LAW = ("--law", "chinchilla")
FLOPS = ("--flops", "1e24", *LAW)
CLUSTER = ("--on", "512xh100-sxm")
SERVED = ("--serve", "1T", "--serve-on", "h100-sxm")
# h100-sxm: dense bf16 peak, middle of its price range, default goodput.
PEAK, PRICE = 989.4e12, 3.495
PER_HOUR = 0.4 * PEAK * 0.85 * 3600


@pytest.fixture
def plan(call):
    """A plan's first row by words of ``allocate``, and its inputs."""

    def start(*words):
        envelope = call("allocate", *words, "-f", "json", "-q").succeeded().envelope
        return envelope["rows"][0] | {"inputs": envelope["inputs"]}

    return start


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
        ((*FLOPS, "--experts", "8"), 2, "besiroglu-2024 says nothing of experts: "),
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
