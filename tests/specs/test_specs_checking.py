import pytest

from scaleplan.errors import InputFileError
from scaleplan.specs.checking import check_file

BUDGET = "schema: scaleplan.budget/1\nname: plan\nlaw: [km, chinchilla]\nbudget: {flops: 1e24}\ncompare: [gopher]\n"


@pytest.fixture
def check(tmp_path):
    def of(text, name="file.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return check_file(str(path))

    return of


def test_a_budget(check):
    found = check(BUDGET)
    assert found.schema == "scaleplan.budget/1"
    assert dict(found.holds) == {"name": "plan", "laws": "km, chinchilla", "flops": "1e24", "compare": "gopher-280b"}


def test_an_options_file(check):
    found = check("schema: scaleplan.options/1\ncompare: [gopher, {name: ours, params: 1B}]\n")
    assert found.schema == "scaleplan.options/1"
    assert dict(found.holds) == {"name": "-", "laws": "the default", "compare": "gopher-280b, ours"}


def test_a_target_loss(check):
    assert dict(check("schema: scaleplan.budget/1\nbudget: {loss: 1.95}\n").holds)["loss"] == "1.95"


def test_a_law(check):
    text = """\
schema: scaleplan.law/1
id: ours
title: t
year: 2026
authors: us
paper: internal
kind: allocation
counts: {params: total, flop: 6ND, tokens: t, loss: {unit: nats/token, corpus: c, tokenizer: t}}
groups:
  line: {form: power-rule, source: s, constants: {k: {value: 0.1, unit: parameters/FLOP^a}, a: {value: 0.5, unit: "1"}}}
default: {allocation: line}
"""
    found = check(text)
    assert found.schema == "scaleplan.law/1"
    holds = dict(found.holds)
    assert holds["law"] == "ours"
    assert holds["bands"] == "no"


def test_a_table_of_runs(check):
    found = check("params,tokens,seed\n1e9,2e10,1\n2e9,2e10,2\n", "runs.csv")
    assert found.schema == "table of runs"
    assert dict(found.holds) == {"rows": "2", "columns not used": "seed"}


def test_a_model_an_accelerator_and_an_ability(check):
    model = "schema: scaleplan.model/1\nid: ours\nname: Ours\norganisation: us\nannounced: 2026\n"
    found = check(model + "params: {value: 30B, status: derived, source: our run}\n")
    assert dict(found.holds) == {"id": "ours", "name": "Ours", "params": "30B"}
    device = "schema: scaleplan.accelerator/1\nid: dev\nname: Dev\norganisation: us\nannounced: 2026\nkind: ASIC\n"
    found = check(
        device + "availability: announced\nsource: s\npeak: {bf16: {value: 1e15, unit: FLOP/s, status: rumour}}\n"
    )
    assert dict(found.holds) == {"id": "dev", "name": "Dev", "peak_bf16": "1e15 FLOP/s"}
    claim = "schema: scaleplan.ability/1\nid: ab\nname: Ab\nkind: emergent\nclaim: c\nstatus: unverified\nsource: s\n"
    found = check(claim + "train_flop: {value: 1e22, status: unverified}\n")
    assert dict(found.holds) == {"id": "ab", "name": "Ab", "kind": "emergent", "train_flop": "1e22 FLOP"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "schema: other/1\n",
            ":1: schema: must be scaleplan.budget/1, scaleplan.options/1, scaleplan.sweep/1, scaleplan.law/1, ",
        ),
        ("a: 1\n", "schema: must be scaleplan.budget/1"),
        ("- a\n", "schema"),
        (BUDGET + "---\na: 1\n", ":7: a second YAML document; only a law or a model file has one"),
        (BUDGET.replace("km", "kn"), ":3: law.0: unknown law 'kn'"),
        (BUDGET.replace("1e24", "-1"), ":4: budget.flops: must be > 0 (got -1)"),
        ("- a\n---\nb: 1\n", ":1: "),
    ],
)
def test_a_file_that_is_not_sound(check, text, words):
    with pytest.raises(InputFileError) as caught:
        check(text)
    assert words in caught.value.message


def test_a_table_that_is_not_sound(check):
    with pytest.raises(InputFileError, match=r"runs\.csv:2: tokens"):
        check("params,tokens\n1e9,x\n", "runs.csv")


CLUSTER = (
    "schema: scaleplan.budget/1\nbudget: {days: 8 weeks, on: 512xh100-sxm, mfu: 40%, evaluation: 2%, precision: fp8}\n"
)


def test_a_budget_of_a_cluster(check):
    assert dict(check(f"{CLUSTER}pilots: {{gpu_hours: 20k}}\n").holds) == {
        "name": "-",
        "laws": "the default",
        "days": "56",
        "on": "512xh100-sxm",
        "precision": "fp8",
        "mfu": "0.4",
        "evaluation": "2%",
        "pilots": "20,000 accelerator-hours",
        "compare": "-",
    }


def test_a_budget_of_money_with_a_deadline(check):
    text = "schema: scaleplan.budget/1\nbudget: {usd: $5M}\nlimits: {deadline_days: 90}\npilots: {share: 1%}\n"
    holds = dict(check(text).holds)
    assert (holds["usd"], holds["deadline_days"], holds["pilots"]) == ("5,000,000", "90", "1%")
    assert "precision" not in holds


@pytest.mark.parametrize(
    "limit", ["deadline_days: 90", "max_usd: 5M", "max_mwh: 4000", "memory: fit", "batch: critical"]
)
def test_what_needs_an_accelerator_that_the_file_does_not_name_is_said(check, limit):
    text = f"schema: scaleplan.budget/1\nbudget: {{flops: 1e24}}\nlimits: {{{limit}}}\n"
    assert dict(check(text).holds)["needs"] == "an accelerator for its limits: budget.on, or --on"
    assert "needs" not in dict(check(text.replace("1e24", "1e24, on: h100-sxm")).holds)
    assert "needs" not in dict(check(text.replace("flops: 1e24", "usd: 5M")).holds)
    assert "needs" not in dict(check(text.replace(limit, "max_params: 1B")).holds)


def test_limits_and_serving_of_a_budget(check):
    text = (
        "schema: scaleplan.budget/1\nbudget: {usd: $5M}\nlimits: {max_params: 80B, memory: fit, deadline_days: 90}\n"
        "serving: {tokens: 2T, on: 8xh100-sxm, prompt: 1000, answer: 300, discount: 10%}\n"
    )
    holds = dict(check(text).holds)
    assert (holds["max_params"], holds["memory"], holds["deadline_days"]) == ("80B", "fit", "90")
    assert (holds["serving tokens"], holds["serving on"]) == ("2T", "8xh100-sxm")
    assert (holds["serving prompt"], holds["serving answer"], holds["serving discount"]) == ("1K", "300", "0.1")
    assert dict(check(text.replace("fit", "80GB")).holds)["memory"] == "80 GB"


def test_an_options_file_with_a_budget_of_hours(check):
    text = "schema: scaleplan.options/1\nbudget: {gpu_hours: 3M, on: h100-sxm}\ncompare: [gopher]\n"
    holds = dict(check(text).holds)
    assert (holds["gpu_hours"], holds["on"]) == ("3,000,000", "h100-sxm")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("h100-sxm", "h100-smx"), ":2: budget.on: unknown accelerator 'h100-smx'. Did you mean h100-sxm"),
        (("fp8", "fp7"), ":2: budget.precision: unknown precision 'fp7'"),
        (("40%", "1.5"), ":2: budget.mfu: "),
        (("8 weeks", "2 months"), ":2: budget.days: months and minutes are not read"),
        ((", on: 512xh100-sxm", ""), ":2: budget: days need a cluster"),
    ],
)
def test_a_cluster_that_is_not_sound(check, changes, words):
    with pytest.raises(InputFileError) as caught:
        check(CLUSTER.replace(*changes))
    assert words in caught.value.message
