"""Limits of a plan by flags of ``allocate`` and by the heading ``limits``: what is read, and how the rest is told."""

from __future__ import annotations

import pytest

ALLOCATE = ("allocate", "--flops", "1e24", "--law", "chinchilla")
HEAD = "schema: scaleplan.budget/1\nlaw: chinchilla\nbudget: {flops: 1e24}\n"


def row(result):
    return result.succeeded().envelope["rows"][0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--max-params", "-1B"), "max-params: must be > 0 (got -1B)"),
        (("--max-params", "few"), "max-params: not a number: 'few'; write 70B"),
        (("--min-params", "0.5"), "min-params: must be at least 1 (got 0.5)"),
        (("--tokens-per-param", "0"), "tokens-per-param: must be a number > 0, such as 20 (got 0)"),
        (("--unique-tokens", "0"), "unique-tokens: must be > 0 (got 0)"),
        (
            ("--unique-tokens", "1T", "--max-epochs", "0.5"),
            "max-epochs: must be a number of at least 1, such as 4 (got 0.5)",
        ),
        (("--max-usd", "-5"), "max-usd: must be > 0 (got -5)"),
        (("--max-mwh", "lots"), "max-mwh: must be an energy > 0 in MWh, such as 4000 or 4 GWh (got lots)"),
        (("--memory", "64"), "memory: needs its unit: 80GB or 64GiB (got 64); or fit, what the accelerator of on has"),
        (("--experts", "8.5"), "experts: must be a whole number of at least 1, or free (got 8.5)"),
        (("--max-epochs", "4"), "max-epochs: epochs of how many tokens? Add unique_tokens"),
        (
            ("--params", "30B", "--tokens-per-param", "20"),
            "tokens-per-param: params and tokens_per_param are both fixed, which leaves nothing to plan: keep one",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_flag_that_cannot_be_read_is_one_line_and_exit_2(call, words, message):
    assert call(*ALLOCATE, *words).failed(2).stderr == f"scaleplan: {message}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--min-params", "80B", "--max-params", "1B"), "min-params: 80B is above the 1B of max_params"),
        (("--params", "80B", "--max-params", "1B"), "params: 80B is above the 1B of max_params"),
        (
            ("--tokens", "5T", "--unique-tokens", "1T", "--max-epochs", "4"),
            "tokens: 5T is above the 4T of max_epochs x unique_tokens",
        ),
    ],
)
def test_flags_that_no_plan_meets_are_infeasible(call, words, message):
    result = call(*ALLOCATE, *words).failed(4)
    assert result.stderr == f"scaleplan: {message}: no plan meets both; change one\n"


@pytest.mark.parametrize(
    ("limits", "problems"),
    [
        ("max_params: -1B", ["4: limits.max_params: must be > 0 (got -1B)"]),
        ("max_parms: 1B", ["4: limits.max_parms: unknown key. Did you mean max_params or min_params or params?"]),
        ("deadline_days: 0", ["4: limits.deadline_days: must be a finite time > 0 (got 0)"]),
        ("max_epochs: 4", ["4: limits.max_epochs: epochs of how many tokens? Add unique_tokens"]),
        (
            "min_params: 80B, max_params: 1B, max_usd: -1",
            ["4: limits.max_usd: must be > 0 (got -1)"],
        ),
        (
            "min_params: 80B, max_params: 1B",
            ["4: limits.min_params: 80B is above the 1B of max_params: no plan meets both; change one"],
        ),
    ],
)
def test_a_file_s_wrong_limits_are_told_with_line_and_field(call, tmp_path, limits, problems):
    (tmp_path / "b.yaml").write_text(f"{HEAD}limits: {{{limits}}}\n")
    result = call("allocate", "b.yaml").failed(3)
    assert result.stderr == "".join(f"b.yaml:{problem}\n" for problem in problems)
    assert call("check", "b.yaml").failed(3).stderr == result.stderr


def test_a_flag_goes_before_the_same_limit_of_the_file(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}limits: {{max_params: 30B}}\n")
    by_file = row(call("allocate", "b.yaml", "-f", "json", "-q"))
    assert by_file["params"] == pytest.approx(30e9, rel=1e-6)
    by_flag = row(call("allocate", "b.yaml", "--max-params", "7B", "-f", "json", "-q"))
    assert by_flag["params"] == pytest.approx(7e9, rel=1e-6)
    call("allocate", "b.yaml", "--min-params", "40B").failed(4, "min-params: 40B is above the 30B of max_params")


@pytest.mark.parametrize(
    ("flags", "limits"),
    [
        (("--max-params", "30B"), "max_params: 30B"),
        (("--min-params", "200B"), "min_params: 200B"),
        (("--tokens-per-param", "100"), "tokens_per_param: 100"),
        (("--unique-tokens", "1T", "--max-epochs", "1"), "unique_tokens: 1T, max_epochs: 1"),
        (("--params", "30B", "--max-params", "50B"), "params: 30B, max_params: 50B"),
    ],
)
def test_flags_plan_as_the_same_limits_of_a_file_do(call, tmp_path, flags, limits):
    (tmp_path / "b.yaml").write_text(f"{HEAD}limits: {{{limits}}}\n")
    by_flags = row(call(*ALLOCATE, *flags, "-f", "json", "-q"))
    assert by_flags == row(call("allocate", "b.yaml", "-f", "json", "-q"))
    free = row(call(*ALLOCATE, "-f", "json", "-q"))
    assert by_flags["params"] != pytest.approx(free["params"], rel=0.1)
    assert by_flags["loss"] > free["loss"]


def test_a_stream_of_budgets_is_planned_within_limits_too(call):
    words = ("allocate", "--flops", "-", "--law", "chinchilla", "--max-params", "5B", "-f", "ndjson", "-q")
    rows = call(*words, stdin="1e20\n1e22\n1e24\n").succeeded().lines
    assert rows[0]["params"] < 4e9
    assert [each["params"] for each in rows[1:]] == pytest.approx([5e9, 5e9], rel=1e-6)
    assert rows[2]["train_flop"] == pytest.approx(1e24, rel=1e-6)


def test_a_stream_s_limits_are_checked_before_its_plans(call):
    words = ("allocate", "--flops", "-", "--law", "chinchilla")
    call(*words, "--max-params", "-5B", stdin="1e20\n").failed(2, "max-params: must be > 0 (got -5B)")
    call(*words, "--robust", "mean", stdin="1e20\n").failed(2, "--robust: for one budget; leave out beside --flops -")
    call(*words, "--draws", "100", stdin="1e20\n").failed(2, "--draws: for one budget; leave out beside --flops -")


def test_limits_alone_are_no_budget(call):
    call("allocate", "--max-params", "30B").failed(2, "no budget: give --flops, --loss")
    call("allocate", "--serve", "2T").failed(2, "no budget: give --flops, --loss")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--serve", "-2T"), "serving.tokens (--serve): must be > 0 (got -2T)"),
        (("--serve", "2T", "--serve-mfu", "0"), "serving.mfu (--serve-mfu): must be a share above 0 and at most 1"),
        (("--serve", "2T", "--serve-days", "0"), "serving.days (--serve-days): must be a finite time > 0 (got 0)"),
        (("--serve", "2T", "--discount", "-5%"), "serving.discount (--discount): must be a share from 0 to below 1"),
        (("--serve", "2T", "--serve-on", "h100-smx"), "Did you mean h100-sxm"),
        (("--serve", "2T", "--serve-on", "h100-sxm", "--serve-precision", "fp9"), "fp9"),
        (("--serve", "2T", "--serve-precision", "fp8"), "serving: precision without an accelerator"),
        (("--serve", "2T", "--prompt", "1000"), "prompt without answer"),
        (("--serve-on", "h100-sxm"), "serving: tokens are missing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_is_said_of_serving_is_checked(call, words, message):
    call(*ALLOCATE, *words).failed(2, message)


def test_what_robust_takes_is_said(call):
    result = call(*ALLOCATE, "--robust", "best")
    assert (result.code, result.stdout) == (2, "")
    assert "'mean'" in result.stderr
    assert "'worst'" in result.stderr


@pytest.mark.parametrize("flag", ["--max-usd", "--max-mwh", "--memory"])
def test_limits_of_a_machine_need_one(call, flag):
    word = {"--memory": "80GB"}.get(flag, "5000")
    name = flag.removeprefix("--").replace("-", "_")
    call(*ALLOCATE, flag, word).failed(2, f"{name} without an accelerator: name one with on (--on 512xh100-sxm)")


def test_the_help_fits_80_columns_and_names_every_flag(call):
    page = call("allocate", "--help", environment={"COLUMNS": "80"}).succeeded().stdout
    assert max(len(line) for line in page.splitlines()) <= 80
    flags = (
        "min-params max-params tokens-per-param unique-tokens max-epochs max-usd max-mwh memory critical-batch experts"
    )
    serving = "serve serve-on serve-precision serve-mfu serve-days prompt answer discount robust draws"
    for flag in f"{flags} {serving}".split():
        assert f"  --{flag} " in page
    assert "--deadline" not in page
