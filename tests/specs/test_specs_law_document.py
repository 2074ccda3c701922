"""Law documents: the shipped ones, one of one's own, and every way to break one."""

import math
from pathlib import Path

import pytest

import scaleplan
from scaleplan.conventions import FlopConvention, ParamCount
from scaleplan.errors import InputFileError, UsageError
from scaleplan.planning.allocation import allocate
from scaleplan.planning.problem import Problem
from scaleplan.specs.law_document import validate
from scaleplan.specs.laws import build_law, load_law
from scaleplan.specs.records import load_record
from scaleplan.specs.yaml12 import merged, parse_parts

PRESETS = sorted((Path(scaleplan.__file__).parent / "presets" / "laws").glob("*.yaml"))

LAW = """\
schema: scaleplan.law/1
id: ours
title: Our ladder
year: 2026
authors: us
paper: internal
kind: loss
counts:
  params: total
  flop: 6ND
  tokens: training tokens
  loss: {unit: nats/token, corpus: our mix, tokenizer: our BPE}
fitted:
  params: [5e7, 6e9]
  train_flop: [1e18, 5e21]
  source: 48 runs
groups:
  fit:
    form: additive
    source: our fit
    constants:
      E: {value: 1.71, unit: nats/token}
      A: {value: 420.0, unit: nats/token}
      B: {value: 1650.0, unit: nats/token}
      alpha: {value: 0.34, unit: "1"}
      beta: {value: 0.36, unit: "1"}
  line:
    form: power-rule
    source: our line
    constants:
      k: {value: 0.1, unit: parameters/FLOP^a}
      a: {value: 0.5, unit: "1"}
default: {surface: fit}
uncertainty:
  source: our jackknife
  parameters: [ln_A, ln_B, ln_E, alpha, beta]
  residual_sd: 0.01
  dof: 43
  covariance:
  - [0.04, 0, 0, 0, 0]
  - [0, 0.04, 0, 0, 0]
  - [0, 0, 1e-4, 1e-5, 0]
  - [0, 0, 1e-5, 1e-4, 0]
  - [0, 0, 0, 0, 1e-4]
"""


def check(text):
    return validate(merged(parse_parts(text, "law.yaml")))


def broken(old, new):
    assert LAW.count(old) == 1, old
    return LAW.replace(old, new)


def line_of(fragment, text=LAW):
    return text[: text.index(fragment)].count("\n") + 1


@pytest.fixture(params=PRESETS, ids=lambda path: path.stem)
def preset(request):
    return merged(parse_parts(request.param.read_text(encoding="utf-8"), request.param.name))


def test_every_shipped_law_is_sound(preset):
    data = validate(preset)
    assert f"{data['id']}.yaml" == preset.name


def test_every_constant_of_a_shipped_law_has_a_source_and_a_unit(preset):
    for name, group in preset.data["groups"].items():
        assert group["source"].strip(), name
        for symbol, constant in group["constants"].items():
            assert constant["unit"].strip(), symbol
            assert constant.get("source", group["source"]).strip(), symbol


def test_every_shipped_law_builds_with_each_of_its_variants(preset):
    for variant in ("", *preset.data.get("variants", {})):
        law = build_law(preset.data, variant)
        assert law.surface is not None or law.allocation is not None
        assert law.fitted.source
        assert law.id == preset.data["id"] + (f":{variant}" if variant else "")


def test_every_check_of_a_shipped_law_comes_out_as_it_says(preset):
    record = load_record(preset.data["id"])
    for item in record.checks:
        assert item.holds(record) is (item.outcome == "reproduced"), item
        assert item.source
        assert item.outcome == "reproduced" or item.note


def test_there_are_the_five_laws_that_were_asked_for():
    assert {path.stem for path in PRESETS} >= {
        "besiroglu-2024",
        "hoffmann-2022-a1",
        "hoffmann-2022-a2",
        "hoffmann-2022-a3",
        "kaplan-2020",
    }


def test_ones_own_law_on_disk_plans_with_bands(tmp_path):
    path = tmp_path / "ours.yaml"
    path.write_text(LAW, encoding="utf-8")
    law = load_law(str(path))
    assert law.id == "ours"
    assert law.counts_params is ParamCount.TOTAL
    assert law.counts_flop is FlopConvention.SIX_ND
    assert law.measure.corpus == "our mix"
    assert law.measure.context is None
    assert law.fitted.params == (5e7, 6e9)
    assert law.fitted.tokens is None
    assert law.uncertainty.flop_max == 5e21
    assert (law.uncertainty.kappa, law.uncertainty.tau, law.uncertainty.drift) == (1.7, 0.01, 0.3)
    plan = allocate(law, Problem(train_flop=1e22))
    ln_n = (math.log(0.34 * 420 / (0.36 * 1650)) + 0.36 * math.log(1e22 / 6)) / 0.7
    assert plan.params == pytest.approx(math.exp(ln_n), rel=1e-12)
    assert plan.params_low < plan.params < plan.params_high


def test_a_law_of_ones_own_sets_its_own_allowances():
    law = build_law(check(broken("  residual_sd: 0.01", "  residual_sd: 0.01\n  kappa: 1\n  tau: 0.005\n  drift: 0.1")))
    assert (law.uncertainty.kappa, law.uncertainty.tau, law.uncertainty.drift) == (1.0, 0.005, 0.1)


def test_traps_and_checks_may_stand_in_a_second_document():
    data = check(LAW + "---\ntraps: [read the band]\n")
    assert data["traps"] == ["read the band"]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('      beta: {value: 0.36, unit: "1"}\n', "", "  fit:", ["groups.fit", "lacks beta"]),
        ("form: additive", "form: aditive", "  fit:", ["unknown form 'aditive'", "Did you mean additive?"]),
        ("value: 420.0", "value: -420.0", "      A:", ["groups.fit.constants.A.value: must be > 0 (got -420)"]),
        ("420.0, unit: nats/token", "420.0, unit: bits/byte", "      A:", ["constants.A.unit", "(got bits/byte)"]),
        ("value: 420.0", "value: .nan", "      A:", ["groups.fit.constants.A.value: must be a finite number"]),
        ("value: 420.0", "value: many", "      A:", ["groups.fit.constants.A.value: ", "'many'"]),
        ("surface: fit", "surface: fut", "default:", ["default.surface: no group is called 'fut'", "fit, line"]),
        ("surface: fit", "allocation: fit", "default:", ["default.allocation", "cannot serve as allocation"]),
        ("{surface: fit}", "{surface: fit, trend: line}", "default:", ["default.trend", "cannot serve as trend"]),
        ("{surface: fit}", "{surface: line}", "default:", ["default.surface", "power-rule cannot serve as surface"]),
        ("{surface: fit}", "{}", "default:", ["default: needs a surface or an allocation"]),
        ("{surface: fit}", "{surfase: fit}", "default:", ["default.surfase: unknown key. Did you mean surface"]),
        ("  params: total", "  parms: total", "  params: total", ["counts.parms: unknown key. Did you mean params?"]),
        ("flop: 6ND", "flop: 6NDX", "  flop: 6ND", ["counts.flop: ", "'6NDX'"]),
        ("id: ours", "id: Our Law", "id: ours", ["id: ", "'Our Law'"]),
        ("year: 2026", "year: soon", "year: 2026", ["year: ", "'soon'"]),
        ("schema: scaleplan.law/1", "schema: scaleplan.law/9", "schema", ["schema: ", "scaleplan.law/1"]),
        ("    source: our fit\n", "", "  fit:", ["groups.fit.source: missing"]),
        ("ln_A, ln_B, ln_E", "ln_B, ln_A, ln_E", "uncertainty:", ["must be ln_A, ln_B, ln_E, alpha, beta in this"]),
        ("[ln_A, ln_B, ln_E, alpha, beta]", "[ln_A]", "uncertainty:", ["uncertainty.parameters: must be ln_A"]),
        ("  - [0, 0, 1e-5, 1e-4, 0]", "  - [0, 0, 2e-5, 1e-4, 0]", "uncertainty:", ["covariance: must be symmetric"]),
        ("  - [0, 0, 0, 0, 1e-4]\n", "", "uncertainty:", ["covariance: must be 5 rows of 5 numbers"]),
        ("  - [0, 0, 0, 0, 1e-4]", "  - [0, 0, 0, 0]", "uncertainty:", ["covariance: must be 5 rows of 5 numbers"]),
        ("  - [0, 0, 0, 0, 1e-4]", "  - [0, 0, 0, 0, -1e-4]", "uncertainty:", ["must be positive definite"]),
        ("  - [0, 0, 0, 0, 1e-4]", "  - [0, 0, 0, 0, 0]", "uncertainty:", ["must be positive definite"]),
        ("dof: 43", "dof: 0", "  dof:", ["uncertainty.dof: ", "(got 0)"]),
        ("  train_flop: [1e18, 5e21]\n", "", "uncertainty:", ["needs fitted.train_flop"]),
        ("[1e18, 5e21]", "[1e18]", "  train_flop:", ["fitted.train_flop.1: missing"]),
    ],
)  # fmt: skip
def test_a_broken_law_is_refused_with_line_and_reason(old, new, line, words):
    with pytest.raises(InputFileError) as caught:
        check(broken(old, new))
    for word in words:
        assert word in caught.value.message
    # A line that was removed shifts nothing above the place the problem is put at.
    expected = line_of(line) - (1 if new == "" and line_of(line) > line_of(old) else 0)
    assert any(problem.startswith(f"law.yaml:{expected}: ") for problem in caught.value.problems), caught.value.problems


@pytest.mark.parametrize("written", ["nan", "NaN", "inf", "Infinity", "true"])
def test_a_constant_must_be_a_number_and_not_a_word_that_reads_like_one(written):
    with pytest.raises(InputFileError, match=r"groups\.fit\.constants\.E\.value"):
        check(broken("value: 1.71", f"value: {written}"))


def test_a_covariance_must_be_of_numbers_and_not_of_words():
    with pytest.raises(InputFileError, match=r"uncertainty\.covariance"):
        check(broken("[0.04, 0, 0, 0, 0]", "[nan, 0, 0, 0, 0]"))


@pytest.mark.parametrize("written", ["[5e21, 1e18]", "[1e18, -5e21]", "[0, 0]"])
def test_the_range_of_the_runs_runs_from_low_to_high_above_zero(written):
    """A plan's band takes the logarithm of the upper end."""
    with pytest.raises(InputFileError, match=r"fitted\.train_flop"):
        check(broken("[1e18, 5e21]", written))


@pytest.mark.parametrize(
    "item",
    ["group: nope, call: loss, at: {params: 1, tokens: 1}", "group: fit, call: los, at: {params: 1, tokens: 1}"],
)
def test_a_check_must_ask_a_group_that_exists_for_what_its_form_answers(item):
    with pytest.raises(InputFileError, match="checks"):
        check(LAW + f"checks:\n- {{{item}, expected: 1, rtol: 0.1, outcome: reproduced, source: x}}\n")


def test_several_problems_of_a_law_come_at_once():
    text = broken("form: power-rule", "form: power-rul").replace("value: 420.0", "value: -420.0")
    text = text.replace("surface: fit", "surface: fut")
    with pytest.raises(InputFileError) as caught:
        check(text)
    for word in ("fut", "power-rul", "-420"):
        assert word in caught.value.message
    lines = [int(problem.split(":")[1]) for problem in caught.value.problems]
    assert lines == sorted(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n", "must be a mapping"),
        ("- a\n---\nb: 1\n", "must be a mapping"),
        ("schema: scaleplan.budget/1\nbudget: {flops: 1}\n", "schema"),
    ],
)
def test_a_file_that_is_no_law_is_refused(tmp_path, text, words):
    path = tmp_path / "law.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputFileError, match=words):
        load_law(str(path))


def test_a_law_file_that_is_not_there(tmp_path):
    with pytest.raises(InputFileError, match=r"gone\.yaml: no such file"):
        load_law(str(tmp_path / "gone.yaml"))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("besiroglu", r"unknown law 'besiroglu'\. Did you mean .*besiroglu-2024"),
        ("", "unknown law ''"),
        ("chinchilla:tex", r"besiroglu-2024 has no variant 'tex'; it has printed"),
        ("hoffmann-2022-a2:x", "hoffmann-2022-a2 has no variant 'x'; it has none"),
    ],
)
def test_unknown_names_and_variants(name, words):
    with pytest.raises(UsageError, match=words):
        load_law(name)


@pytest.mark.parametrize(
    ("name", "law_id"),
    [
        ("chinchilla", "besiroglu-2024"),
        ("km", "kaplan-2020"),
        ("Kaplan", "kaplan-2020"),
        ("BESIROGLU-2024", "besiroglu-2024"),
        ("chinchilla:printed", "besiroglu-2024:printed"),
        ("km:c-min", "kaplan-2020:c-min"),
    ],
)
def test_names_aliases_and_variants_in_any_case(name, law_id):
    assert load_law(name).id == law_id


def test_the_covariance_belongs_to_the_default_constants_only():
    assert load_law("chinchilla").uncertainty is not None
    assert load_law("chinchilla:printed").uncertainty is None
