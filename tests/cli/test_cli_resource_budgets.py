"""Budgets that are a cluster for a time, accelerator-hours or money: on the command line, in words and in files."""

from __future__ import annotations

import json

import pytest

HEAD = "schema: scaleplan.budget/1\n"
CLUSTER = ("--on", "2048xh100-sxm", "--days", "60")
ALLOCATE = ("allocate", "--mfu", "0.4", "--law", "chinchilla")
COLUMNS = ("accelerator", "accelerators", "mfu", "days", "gpu_hours", "cost_usd", "energy_mwh", "co2_t")
EVERY_KEY = """\
schema: scaleplan.budget/1
name: everything
law: [chinchilla, km]
budget:
  days: 8 weeks
  on: 512xh100-sxm
  precision: fp8
  mfu: 35%
  goodput: 0.9
  price: $2.5
  watts: 1100
  pue: google
  grid: usa
  water: 1.8
  network: 400
  batch: 4M
  context: 8192
  evaluation: 2%
pilots: {share: 1%}
compare: [gopher, {name: ours, params: 30B}]
"""


def values(result):
    return result.succeeded("extrapolation").envelope["rows"][0]


@pytest.fixture
def cluster(run_once):
    return run_once(*ALLOCATE, *CLUSTER, "-f", "json").succeeded("extrapolation").envelope


def test_a_plan_on_a_cluster_comes_with_its_bill(cluster):
    row = cluster["rows"][0]
    assert (row["accelerator"], row["accelerators"], row["mfu"]) == ("h100-sxm", 2048, 0.4)
    assert row["days"] == pytest.approx(60, rel=1e-9)
    assert row["gpu_hours"] == pytest.approx(2048 * 24 * 60, rel=1e-9)
    assert row["cost_usd"] == pytest.approx(2048 * 24 * 60 * 3.495, rel=1e-9)
    assert row["energy_mwh"] == pytest.approx(2048 * 24 * 60 * 700 * 1.12 / 1e6, rel=1e-9)
    assert row["co2_t"] is None
    assert row["train_flop"] == pytest.approx(2048 * 60 * 86_400 * 0.4 * 9.894e14 * 0.85, rel=1e-4)
    assert cluster["inputs"]["flops"] is None
    assert cluster["inputs"]["limits"] == {"days": 60.0}
    assert {each["name"] for each in cluster["inputs"]["assumptions"]} >= {"accelerator", "goodput", "price", "mfu"}


@pytest.mark.parametrize(
    "words",
    [
        ("--flops", "2048xh100-sxm for 60d"),
        ("--flops", "2048 x h100-sxm for 60 days"),
        ("--flops", "60d on 2048xh100-sxm"),
        ("--flops", "2949120 gpu-hours on h100-sxm"),
        ("--on", "h100-sxm", "--gpu-hours", "2.94912M"),
        ("--on", "h100-sxm", "--usd", "10307174.4"),
        ("--flops", "$10.3071744M on h100-sxm"),
        ("--on", "2048xh100-sxm", "--days", "8.571428571428571 weeks"),
    ],
    ids=" ".join,
)
def test_every_way_to_say_a_budget_gives_the_same_plan(call, cluster, words):
    row = values(call(*ALLOCATE, *words, "-f", "json"))
    for key in ("train_flop", "params", "tokens", "loss", "gpu_hours", "cost_usd"):
        assert row[key] == pytest.approx(cluster["rows"][0][key], rel=1e-9), key


def test_a_plan_without_a_cluster_has_no_columns_of_one(call):
    row = values(call("allocate", "--flops", "1e24", "--law", "chinchilla", "-f", "json"))
    assert not set(row) & {"accelerator", "gpu_hours", "cost_usd"}


def test_the_other_laws_plan_the_same_flops_and_have_no_bill(call):
    rows = call("allocate", *CLUSTER, "--mfu", "0.4", "-f", "json").succeeded("extrapolation").envelope["rows"]
    assert len(rows) > 3
    assert all(set(row) >= set(COLUMNS) for row in rows)
    assert all(row[key] is None for row in rows[1:] for key in COLUMNS)


@pytest.mark.parametrize("form", ["json", "ndjson", "csv", "markdown", "table"])
def test_every_format_holds_the_plan_and_the_bill(call, form):
    result = call(*ALLOCATE, *CLUSTER, "-f", form, "-q")
    assert (result.code, result.stderr) == (0, "")
    if form in ("json", "ndjson"):
        row = json.loads(result.stdout)["rows"][0] if form == "json" else result.lines[0]
        assert row["accelerators"] == 2048
    elif form == "csv":
        assert float(result.table[0]["gpu_hours"]) == pytest.approx(2_949_120, rel=1e-9)
    else:
        for words in ("training FLOP", "2,048 x h100-sxm, bf16", "restarts", "total", "indicative prices", "40.0%"):
            assert words in result.stdout


def test_get_reads_the_bill(call):
    assert float(call(*ALLOCATE, *CLUSTER, "--get", "gpu_hours", "-q").succeeded().stdout) == pytest.approx(2_949_120)


def test_flops_and_a_loss_may_have_a_cluster_and_a_deadline_too(call):
    row = values(call(*ALLOCATE, "--flops", "1e24", "--on", "h100-sxm", "--days", "60", "-f", "json"))
    assert row["train_flop"] == 1e24
    assert row["accelerators"] == 576
    assert row["days"] <= 60
    row = values(call(*ALLOCATE, "--loss", "1.95", "--on", "512xh100-sxm", "-f", "json"))
    assert row["loss"] == pytest.approx(1.95)
    assert row["accelerators"] == 512


def test_money_takes_the_default_accelerator_and_says_so(call):
    found = call(*ALLOCATE, "--usd", "$5M", "-f", "json").succeeded("extrapolation", "assumed_accelerator").envelope
    assert found["rows"][0]["cost_usd"] == pytest.approx(5e6, rel=1e-9)
    assert found["rows"][0]["accelerators"] is None
    assert "assumed_accelerator" in [notice["code"] for notice in found["warnings"]]


@pytest.mark.parametrize("command", ["allocate", "cost"])
def test_a_file_with_every_key(call, tmp_path, command):
    (tmp_path / "b.yaml").write_text(EVERY_KEY)
    found = call(command, "b.yaml", "-q", "-f", "json").succeeded().envelope
    row = found["rows"][0]
    assert row["gpu_hours"] == pytest.approx(512 * 24 * 56, rel=1e-9)
    assert row["cost_usd"] == pytest.approx(512 * 24 * 56 * 2.5, rel=1e-9)
    assert row["mfu"] == 0.35
    assert row["co2_t"] is not None
    stated = {each["name"]: each["value"] for each in found["inputs"]["assumptions"]}
    assert stated["peak fp8"] == pytest.approx(1.979e15, rel=1e-3)
    assert (stated["goodput"], stated["watts"], stated["water"]) == (0.9, 1100, 1.8)
    assert (stated["evaluation"], stated["pilots"]) == (0.02, 0.01)


def test_the_file_with_every_key_compares_and_is_sound(call, tmp_path):
    (tmp_path / "b.yaml").write_text(EVERY_KEY)
    flop = float(call("allocate", "b.yaml", "-q", "--get", "train_flop").succeeded().stdout)
    rows = call("compare", "b.yaml", "-q", "-f", "json").succeeded().envelope["rows"]
    assert [row["train_flop"] for row in rows if row["law"] == "besiroglu-2024"] == pytest.approx([flop] * 3, rel=1e-9)
    shown = call("check", "b.yaml").succeeded().stdout
    for words in ("days", "56", "512xh100-sxm", "pilots", "1%", "evaluation", "2%", "fp8"):
        assert words in shown


def test_words_of_the_command_line_take_the_place_of_those_of_the_file(call, tmp_path):
    (tmp_path / "b.yaml").write_text(EVERY_KEY)
    row = (
        call("allocate", "b.yaml", "--on", "64xb200", "--mfu", "0.5", "-q", "-f", "json")
        .succeeded()
        .envelope["rows"][0]
    )
    assert (row["accelerator"], row["accelerators"], row["mfu"]) == ("b200", 64, 0.5)
    assert row["gpu_hours"] == pytest.approx(64 * 24 * 56, rel=1e-9)


def test_a_budget_of_a_cluster_comes_on_stdin_too(call, tmp_path):
    (tmp_path / "b.yaml").write_text(EVERY_KEY)
    by_file = call("allocate", "b.yaml", "-q", "--get", "params").succeeded().stdout
    assert call("allocate", "-", "-q", "--get", "params", stdin=EVERY_KEY).succeeded().stdout == by_file
    by_stdin = call("cost", "-", "-q", "--get", "gpu_hours", stdin=EVERY_KEY).succeeded().stdout
    assert float(by_stdin) == pytest.approx(512 * 24 * 56)


def test_an_options_file_may_have_money_as_its_budget(call, tmp_path):
    text = "schema: scaleplan.options/1\nbudget: {usd: 5M, on: h100-sxm, mfu: 0.4}\ncompare: [gopher, chinchilla]\n"
    (tmp_path / "o.yaml").write_text(text)
    flop = float(call(*ALLOCATE, "--usd", "5M", "--on", "h100-sxm", "--get", "train_flop", "-q").succeeded().stdout)
    rows = call("compare", "o.yaml", "-q", "-f", "json").succeeded().envelope["rows"]
    assert rows[0]["train_flop"] == pytest.approx(flop, rel=1e-9)


def test_what_a_comparison_takes_for_granted_is_said(call, tmp_path):
    text = "schema: scaleplan.options/1\nbudget: {usd: 5M, mfu: 0.4}\ncompare: [gopher]\n"
    (tmp_path / "o.yaml").write_text(text)
    call("compare", "o.yaml").succeeded("assumed_accelerator")


def test_a_deadline_of_the_file_decides_the_accelerators(call, tmp_path):
    text = HEAD + "budget: {usd: 5M, on: h100-sxm, mfu: 0.4}\nlimits: {deadline_days: 12 weeks}\n"
    (tmp_path / "b.yaml").write_text(text)
    row = call("allocate", "b.yaml", "-q", "-f", "json").succeeded().envelope["rows"][0]
    assert row["accelerators"] == 736
    assert row["days"] == pytest.approx(5e6 / 3.495 / 24 / 736, rel=1e-9)
    (tmp_path / "b.yaml").write_text(text.replace("on: h100-sxm, ", ""))
    row = call("allocate", "b.yaml", "-q", "-f", "json").succeeded().envelope["rows"][0]
    assert row["accelerators"] == 736


def test_an_accelerator_file_is_looked_for_beside_the_budget_that_names_it(call, tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "mine.yaml").write_text(
        "schema: scaleplan.accelerator/1\nid: mine\nname: Mine\norganisation: us\nannounced: 2026\nkind: ASIC\n"
        "availability: announced\nsource: our data sheet\n"
        "peak: {bf16: {value: 1e15, unit: FLOP/s, status: published}}\n"
    )
    text = HEAD + "budget: {days: 60, on: 8x./mine.yaml, mfu: 0.4}\n"
    (tmp_path / "deep" / "b.yaml").write_text(text)
    found = call("allocate", "deep/b.yaml", "-q", "-f", "json").succeeded().envelope
    row = found["rows"][0]
    assert (row["accelerator"], row["accelerators"]) == ("mine", 8)
    assert (row["cost_usd"], row["energy_mwh"]) == (None, None)
    (tmp_path / "deep" / "b.yaml").write_text(text.replace("mine.yaml", "gone.yaml"))
    call("allocate", "deep/b.yaml").failed(3, "b.yaml:2: budget.on: ", "gone.yaml: no such file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budget: {flops: 1e24, usd: 5M}", ":2: budget: needs exactly one of flops, loss, days, gpu_hours, usd"),
        ("budget: {gpu_hours: 3M}", ":2: budget: gpu_hours need an accelerator: on h100-sxm"),
        ("budget: {days: 60}", ":2: budget: days need a cluster: on 2048xh100-sxm"),
        ("budget:\n  days: 0\n  on: 8xh100-sxm", ":3: budget.days: must be a finite time > 0 (got 0)"),
        ("budget:\n  days: 2 months\n  on: 8xh100-sxm", ":3: budget.days: months and minutes are not read"),
        (
            "budget:\n  days: 60\n  on: 8xh100-smx",
            ":4: budget.on: unknown accelerator 'h100-smx'. Did you mean h100-sxm",
        ),
        ("budget:\n  days: 60\n  on: 0xh100-sxm", ":4: budget.on: accelerators must be a whole number from 1"),
        ("budget: {usd: 5M, goodput: -1}", ":2: budget.goodput: must be a share above 0 and at most 1"),
        ("budget: {usd: 5M, mfu: 1.5}", ":2: budget.mfu: must be a share above 0 and at most 1"),
        ("budget: {usd: 5M, mfu: true}", ":2: budget.mfu: must be a number or text"),
        ("budget: {usd: -5M}", ":2: budget.usd: must be > 0 (got -5M)"),
        ("budget: {usd: 5M, price: 0}", ":2: budget.price: must be > 0 (got 0)"),
        ("budget: {usd: 5M, grid: atlantis}", ":2: budget.grid: unknown grid 'atlantis'"),
        ("budget: {usd: 5M, grid: -1}", ":2: budget.grid: grid must be at least 0 (got -1)"),
        ("budget: {usd: 5M, pue: goggle}", ":2: budget.pue: unknown pue 'goggle'. Did you mean google"),
        ("budget: {usd: 5M, precision: fp7}", ":2: budget.precision: unknown precision 'fp7'. Did you mean fp8"),
        ("budget: {usd: 5M, evaluation: 200%}", ":2: budget.evaluation: must be a share from 0 to below 1"),
        ("budget: {usd: 5M, goodputt: 1}", ":2: budget.goodputt: unknown key. Did you mean goodput?"),
        ("budget: {usd: 5M}\npilots: {}", ":3: pilots: needs exactly one of share, gpu_hours"),
        ("budget: {usd: 5M}\npilots: {share: 1%, gpu_hours: 3}", ":3: pilots: needs exactly one of share, gpu_hours"),
        ("budget: {usd: 5M}\npilots: {share: 100%}", ":3: pilots.share: must be a share from 0 to below 1"),
        ("budget: {usd: 5M}\nlimits: {deadline_days: -1}", ":3: limits.deadline_days: must be a finite time > 0"),
        (
            "budget: {days: 60, on: 8xh100-sxm}\nlimits: {deadline_days: 9}",
            "budget.days and limits.deadline_days are two times for one plan",
        ),
    ],
)
@pytest.mark.parametrize("command", ["allocate", "check"])
def test_a_wrong_file_is_named_by_line_and_field(call, tmp_path, command, text, said):
    (tmp_path / "b.yaml").write_text(f"{HEAD}{text}\n")
    call(command, "b.yaml").failed(3, "b.yaml:", said)


@pytest.mark.parametrize("key", ["mfu: 0.4", "goodput: 0.9", "price: 2", "watts: 700", "grid: usa", "evaluation: 2%"])
def test_what_a_file_says_of_a_cluster_that_it_does_not_name_is_not_dropped(call, tmp_path, key):
    (tmp_path / "b.yaml").write_text(f"{HEAD}budget: {{flops: 1e24, {key}}}\n")
    call("allocate", "b.yaml").failed(2, f"{key.split(':')[0]} without an accelerator: name one with on")
    call("allocate", "b.yaml", "--on", "h100-sxm", "--mfu", "0.4", "-q").succeeded()


def test_pilot_runs_need_no_cluster(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}budget: {{flops: 1e24}}\npilots: {{share: 1%}}\n")
    call("allocate", "b.yaml", "-q").succeeded()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--days", "60"), "days need a cluster: on 2048xh100-sxm"),
        (("--gpu-hours", "3M"), "gpu_hours need an accelerator"),
        (("--on", "h100-sxm"), "an accelerator without a budget: add days, gpu_hours, usd, flops or a loss to reach"),
        (("--on", "h100-sxm", "--days", "60"), "60 days of how many h100-sxm? Write --on 512xh100-sxm"),
        (("--flops", "1e24"), "mfu without an accelerator: name one with on (--on 512xh100-sxm)"),
        (("--usd", "5M", "--flops", "1e24"), "two budgets: flops and usd; keep one"),
        (("--usd", "5M", "--loss", "2"), "two budgets: loss and usd; keep one"),
        (("--usd", "5M", "--gpu-hours", "3M", "--on", "h100-sxm"), "two budgets, gpu_hours and usd: keep one"),
        (("--flops", "8xh100-sxm for 60d", "--days", "50"), "days is given twice: 50 and 60d"),
        (("--flops", "8xh100-sxm for 60d", "--on", "b200"), "on is given twice"),
        (("--flops", "8xh100-sxm for 60d", "--usd", "5M"), "two budgets: '8xh100-sxm for 60d' and usd; keep one"),
        (("--flops", "$5M", "--usd", "5M"), "usd is given twice"),
        (("--flops", "8xh100-sxm for 2 months"), "months and minutes are not read"),
        (("--flops", "8xh100-sxm for 0d"), "days: must be a finite time > 0"),
        (("--flops", "8 h100-sxm for 60d"), "unknown accelerator '8 h100-sxm'. Did you mean h100-sxm"),
        (("--flops", "1e24 on h100-sxm"), "not a number of flops: '1e24 on h100-sxm'"),
        (("--flops", "5M USD"), "not a number of flops: '5M USD'"),
        (("--flops", "$"), "usd: not a number"),
        (("--flops", "$0"), "usd: must be > 0"),
        (("--usd", "5,000,000"), "without thousands separators"),
        (("--usd", "5M", "--on", "gb300"), "no price of gb300 is known: give one [USD an hour] with --price"),
        (("--usd", "5M", "--on", "v100-sxm2-16"), "has no bf16; it has fp32, fp16: add --precision fp16"),
        (("--flops", "-", "--on", "h100-sxm"), "--flops - plans many budgets"),
    ],
    ids=str,
)
def test_a_bad_budget_is_one_clear_line(call, words, said):
    call(*ALLOCATE, *words).failed(2, said)


def test_a_file_has_one_budget(call, tmp_path):
    (tmp_path / "b.yaml").write_text(f"{HEAD}budget: {{usd: 5M, mfu: 0.4}}\n")
    call("allocate", "b.yaml", "--gpu-hours", "3M").failed(2, "two budgets: the file gives one and so does gpu_hours")
    call("allocate", "b.yaml", "--flops", "$3M").failed(2, "two budgets: the file gives one and so does flops")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--loss", "1.96", "--on", "64xh100-sxm", "--days", "30"),
            ("deadline_days 30 and loss 1.96 cannot both hold", "deadline_days of at least"),
        ),
        (("--usd", "1e-30"), ("buy no plan; raise the budget",)),
        (("--usd", "1e300"), ("buy no plan; lower the budget",)),
    ],
)
def test_what_cannot_be_done_says_what_can(call, words, said):
    call(*ALLOCATE, *words).failed(4, *said)


def test_other_work_that_takes_the_whole_budget_is_infeasible(call, tmp_path):
    text = "budget: {gpu_hours: 10k, on: h100-sxm, mfu: 0.4, evaluation: 20k gpu-hours}\n"
    (tmp_path / "b.yaml").write_text(HEAD + text)
    call("allocate", "b.yaml").failed(4, "evaluation and pilot runs alone take 20,000 of 10,000 accelerator-hours")


@pytest.mark.parametrize("name", ["cluster-60-days", "five-million-dollars"])
def test_the_examples_are_planned(call, configs, name):
    call("allocate", str(configs / "budgets" / f"{name}.yaml"), "-q").succeeded()


def test_a_cluster_or_money_in_words_is_a_budget_wherever_flops_are(call):
    """Without a utilisation given: it is estimated, by the same model in every command."""
    words = ("--law", "chinchilla", "-q")
    flop = float(call("allocate", *CLUSTER, *words, "--get", "train_flop").succeeded().stdout)
    rows = (
        call("compare", "gopher", "--flops", "2048xh100-sxm for 60d", *words, "-f", "json").succeeded().envelope["rows"]
    )
    assert [row["train_flop"] for row in rows] == pytest.approx([flop] * 2, rel=1e-9)
    money = float(call("allocate", "--usd", "5M", *words, "--get", "train_flop").succeeded().stdout)
    found = call("frontier", "--from", "1e21", "--to", "$5M", *words, "-f", "json").succeeded().envelope
    assert found["inputs"]["to"] == pytest.approx(money, rel=1e-9)
    assert "assumed_accelerator" in [notice["code"] for notice in found["warnings"]]
