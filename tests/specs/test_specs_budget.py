"""Budget and options documents: what they hold, and every problem of one at once."""

import pytest

from scaleplan.compute.bill import Extra
from scaleplan.errors import InputFileError
from scaleplan.planning.comparison import Option
from scaleplan.specs.budget import read_budget, read_comparison, read_parsed
from scaleplan.specs.yaml12 import parse
from tests.specs.test_specs_own_presets import ACCELERATOR

HEAD = "schema: scaleplan.budget/1\n"
BUDGET = HEAD + "budget: {flops: 1e24}\n"


def read(text):
    return read_parsed(parse(text, "plan.yaml"))


def problems_of(text):
    with pytest.raises(InputFileError) as caught:
        read(text)
    return caught.value.problems


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "plan.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


@pytest.mark.parametrize(
    ("text", "flops", "loss"),
    [
        ("budget: {flops: 1e24}", 1e24, None),
        ("budget:\n  flops: 10 PF-days", 8.64e20, None),
        ("budget: {flops: '5.76e23'}", 5.76e23, None),
        ("budget: {loss: 1.95}", None, 1.95),
    ],
)
def test_a_budget_is_compute_or_a_loss(text, flops, loss):
    spec, options = read(HEAD + text)
    assert (spec.budget.flops, spec.budget.loss) == (flops, loss)
    assert options == []


@pytest.mark.parametrize(
    ("text", "laws"), [("", []), ("law: chinchilla", ["chinchilla"]), ("law: [km, chinchilla]", ["km", "chinchilla"])]
)
def test_one_law_or_a_list(text, laws):
    assert read(BUDGET + text)[0].law == laws


def test_options_are_models_of_the_catalogue_and_ones_own():
    _, options = read(BUDGET + "compare: [gopher, {name: ours, params: 30B, tokens: 5T}, {name: long, tokens: 1e13}]")
    assert [option.name for option in options] == ["gopher-280b", "ours", "long"]
    assert options[0].from_catalogue
    assert options[0].params == 2.8e11
    assert options[1] == Option(name="ours", params=3e10, tokens=5e12)
    assert options[2] == Option(name="long", tokens=1e13)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("budget: {flops: -1e24}", ["plan.yaml:2: budget.flops: must be > 0 (got -1e24)"]),
        ("budget: {flops: .nan}", ["plan.yaml:2: budget.flops: must be a finite number (got nan)"]),
        ("budget:\n  flops: yes", ["plan.yaml:3: budget.flops: not a number: 'yes'; write 1e24 or 10 PF-days"]),
        ("budget: {flops: true}", ["plan.yaml:2: budget.flops: must be a number (got true)"]),
        ("budget: {flops: [1]}", ["plan.yaml:2: budget.flops: must be a number (got [1])"]),
        (
            "budget: {flops: 1e24, loss: 2}",
            ["plan.yaml:2: budget: needs exactly one of flops, loss, days, gpu_hours, usd (got flops and loss)"],
        ),
        ("budget: {}", ["plan.yaml:2: budget: needs exactly one of flops, loss, days, gpu_hours, usd (got none)"]),
        ("budget: {flop: 1e24}", ["plan.yaml:2: budget.flop: unknown key. Did you mean flops or loss?"]),
        (
            "budgett: {flops: 1e24}",
            ["plan.yaml:1: budget: missing", "plan.yaml:2: budgett: unknown key. Did you mean budget?"],
        ),
        ("name: x", ["plan.yaml:1: budget: missing"]),
    ],
)
def test_a_wrong_budget_is_named_by_line_field_and_value(text, expected):
    assert list(problems_of(HEAD + text)) == expected


def test_all_problems_come_at_once_sorted_by_line():
    text = HEAD + "name: 12\nbudget:\n  flops: -3\nlaw: 5\ncompair: []\n"
    assert list(problems_of(text)) == [
        "plan.yaml:2: name: must be text: write it in quotes (got 12)",
        "plan.yaml:4: budget.flops: must be > 0 (got -3)",
        "plan.yaml:5: law: must be a list (got 5)",
        "plan.yaml:6: compair: unknown key. Did you mean compare?",
    ]


def test_unknown_names_take_their_place_among_the_other_problems():
    lines = [text.split(":")[1] for text in problems_of(HEAD + "law:\n- chinchila\nnmae: x\nbudget: {flops: -1}\n")]
    assert lines == ["3", "4", "5"]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{name: ours, params: -1}", "plan.yaml:4: compare.0.params: must be > 0 (got -1)"),
        ("{name: ours, parms: 3B}", "plan.yaml:4: compare.0.parms: unknown key. Did you mean params?"),
        ("{params: 3B}", "plan.yaml:4: compare.0.name: missing"),
        ("{name: ours}", "plan.yaml:4: compare.0: needs params or tokens"),
        ("{name: ours, tokens: 0.5}", "plan.yaml:4: compare.0.tokens: must be at least 1 (got 0.5)"),
    ],
)
def test_a_wrong_option_is_named_once_and_by_its_own_keys(entry, problem):
    problems = problems_of(BUDGET + f"compare:\n- {entry}\n")
    assert problem in problems
    assert not [text for text in problems if "compare.0.str" in text or "valid string" in text]


def test_unknown_laws_and_models_are_found_together_with_the_nearest():
    text = BUDGET + "law:\n- km\n- chinchila\ncompare:\n- gopher\n- gofer\n"
    law, model = problems_of(text)
    assert law.startswith("plan.yaml:5: law.1: unknown law 'chinchila'. Did you mean chinchilla")
    assert model.startswith("plan.yaml:8: compare.1: unknown model 'gofer'. Did you mean gopher")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("budget: {flops: 1e24}\n", "plan.yaml:1: schema: missing"),
        ("name: x\nschema: scaleplan.budget/2\n", "plan.yaml:2: schema: must be scaleplan.budget/1"),
        ("- a\n", "plan.yaml:1: must be a mapping of keys to values (got list)"),
        ("word\n", "plan.yaml:1: must be a mapping of keys to values (got str)"),
        ("", "plan.yaml: must be a mapping of keys to values"),
    ],
)
def test_a_document_of_another_kind_is_refused(text, words):
    assert words in problems_of(text)[0]


OPTIONS = "schema: scaleplan.options/1\ncompare: [gopher, chinchilla]\n"


def test_an_options_file_may_leave_out_the_budget():
    spec, options = read(OPTIONS)
    assert spec.budget is None
    assert [option.name for option in options] == ["gopher-280b", "chinchilla-70b"]


def test_an_options_file_needs_options():
    assert problems_of("schema: scaleplan.options/1\n") == ("plan.yaml:1: compare: missing",)
    (problem,) = problems_of("schema: scaleplan.options/1\ncompare: []\n")
    assert problem.startswith("plan.yaml:2: compare: ")


def test_files_are_read(written):
    assert read_budget(written(BUDGET)).budget.flops == 1e24
    spec, options = read_comparison(written(OPTIONS))
    assert spec.compare == ["gopher", "chinchilla"]
    assert len(options) == 2


def test_an_options_file_is_no_budget(written):
    with pytest.raises(InputFileError, match=r"plan\.yaml:1: schema: an options file; it serves scaleplan compare"):
        read_budget(written(OPTIONS))


def test_a_budget_without_options_compares_nothing(written):
    with pytest.raises(InputFileError, match=r"compare: missing; list the options to compare"):
        read_comparison(written(BUDGET))


@pytest.mark.parametrize(
    ("law", "budget", "reason"),
    [
        ("hoffmann-2022-a3:printed", "{flops: 1e24}", "refused for allocation"),
        ("hoffmann-2022-a1", "{loss: 2.0}", "cannot answer a target loss"),
    ],
)
def test_a_first_law_that_cannot_make_the_plan_is_an_error_of_the_file(law, budget, reason):
    with pytest.raises(InputFileError, match=rf"plan\.yaml:3: law: .*{reason}"):
        read(f"{HEAD}budget: {budget}\nlaw: {law}\n")


@pytest.mark.parametrize(
    ("budget", "name", "value"),
    [
        ("{days: 60, on: 2048xh100-sxm}", "days", 60.0),
        ("{days: 8 weeks, on: 2048xh100-sxm}", "days", 56.0),
        ("{gpu_hours: 3M, on: h100-sxm}", "gpu_hours", 3e6),
        ("{gpu_hours: 3e6, on: h100-sxm}", "gpu_hours", 3e6),
        ("{usd: $5M}", "usd", 5e6),
        ("{usd: 5M, on: h100-sxm}", "usd", 5e6),
    ],
)
def test_a_budget_is_a_cluster_hours_or_money_too(budget, name, value):
    spec, _ = read(f"{HEAD}budget: {budget}\n")
    assert getattr(spec.budget, name) == getattr(spec.conditions, name) == value
    assert (spec.budget.flops, spec.budget.loss) == (None, None)


def test_the_conditions_of_a_file_are_those_of_its_headings():
    text = "budget: {usd: 5M, on: h100-sxm, mfu: 40%, price: $2, evaluation: 2%}\n"
    spec, _ = read(HEAD + text + "limits: {deadline_days: 9 weeks}\npilots: {gpu_hours: 20k}\n")
    found = spec.conditions
    assert (found.usd, found.on, found.mfu, found.price, found.precision) == (5e6, "h100-sxm", 0.4, 2.0, "bf16")
    assert (found.days, found.evaluation, found.pilots) == (63.0, Extra(share=0.02), Extra(gpu_hours=2e4))


def test_every_problem_of_a_cluster_comes_at_once_each_with_its_line():
    text = "budget:\n  days: 0\n  on: 8xh100-smx\n  grid: atlantis\n  mfu: 1.5\npilots: {share: 200%}\nlaw: kn\n"
    found = problems_of(HEAD + text)
    fields = ["budget.days", "budget.on", "budget.grid", "budget.mfu", "pilots.share", "law"]
    assert [problem.split(": ")[1] for problem in found] == fields
    assert [problem.split(":")[1] for problem in found] == ["3", "4", "5", "6", "7", "8"]


@pytest.mark.parametrize(
    "words", ["precision: fp16", "precision: FP8", "pue: google", "pue: 1.1", "grid: usa", "grid: 0.37"]
)
def test_known_words_of_a_cluster_pass(words):
    read(f"{HEAD}budget: {{days: 60, on: 8xh100-sxm, {words}}}\n")


def test_an_options_file_may_have_any_budget():
    spec, _ = read("schema: scaleplan.options/1\nbudget: {usd: 5M, mfu: 0.4}\ncompare: [gopher]\n")
    assert (spec.conditions.usd, spec.conditions.mfu) == (5e6, 0.4)


def test_a_file_may_say_what_is_served():
    text = "budget: {usd: $20M, on: h100-sxm}\nserving: {tokens: 10T, on: 8xh100-sxm, prompt: 1000, answer: 300}\n"
    words = read(HEAD + text)[0].serving.words
    assert (words.tokens, words.on, words.prompt, words.answer) == (1e13, "8xh100-sxm", 1000.0, 300.0)
    assert read(BUDGET)[0].serving is None


def test_what_is_wrong_with_serving_comes_with_the_other_problems_of_the_file():
    text = "limits: {max_epochs: 0.5}\nserving:\n  tokens: -1\n  on: h100-smx\n  promt: 3\nlaww: km\n"
    found = problems_of(BUDGET + text)
    fields = ["limits.max_epochs", "serving.tokens", "serving.on", "serving.promt", "laww"]
    assert [problem.split(": ")[1] for problem in found] == fields
    assert [problem.split(":")[1] for problem in found] == ["3", "5", "6", "7", "8"]


def test_a_precision_that_what_serves_has_not_is_told_with_the_other_problems():
    text = "serving:\n  tokens: 1T\n  on: a100-sxm-80\n  precision: fp8\nlaww: km\n"
    first, second = problems_of(BUDGET + text)
    assert first.startswith("plan.yaml:6: serving.precision: a100-sxm-80 has no fp8; it has fp32, tf32, fp16, bf16: ")
    assert second.startswith("plan.yaml:7: laww")


def test_two_times_for_one_plan_are_told_at_the_second():
    (problem,) = problems_of(f"{HEAD}budget: {{days: 60, on: 8xh100-sxm}}\nlimits:\n  deadline_days: 9\n")
    text = "budget.days and limits.deadline_days are two times for one plan: keep one"
    assert problem == f"plan.yaml:4: limits.deadline_days: {text}"


def test_an_accelerator_file_that_serves_is_found_beside_the_budget_file(written, tmp_path):
    (tmp_path / "chip.yaml").write_text(ACCELERATOR, encoding="utf-8")
    text = BUDGET + "serving: {tokens: 1T, on: 4x./chip.yaml}\n"
    assert read_budget(written(text)).serving.on == f"4x{tmp_path / 'chip.yaml'}"


def test_limits_and_serving_stand_beside_a_budget_of_money():
    spec, options = read(
        f"{HEAD}name: dense-2027\nlaw: chinchilla\nbudget: {{usd: 5M, on: h100-sxm}}\n"
        "limits: {max_params: 80B, min_params: 1B, unique_tokens: 12T, max_epochs: 4, memory: fit, deadline_days: 90, "
        "max_usd: 8M, max_mwh: 4000}\n"
        "serving: {tokens: 2T, on: h100-sxm, precision: fp8, prompt: 1000, answer: 300}\n"
        "pilots: {share: 1%}\ncompare: [gopher, chinchilla, {name: ours, params: 30B, tokens: 5T}]\n"
    )
    words = spec.limits.words
    assert (words.min_params, words.max_params, words.unique_tokens, words.max_epochs) == (1e9, 80e9, 12e12, 4.0)
    assert (words.memory, words.deadline_days, words.max_usd, words.max_mwh) == ("fit", 90.0, 8e6, 4000.0)
    assert (words.params, words.tokens, words.batch, words.experts) == (None, None, None, None)
    assert (spec.serving.tokens, spec.serving.precision, spec.conditions.days) == (2e12, "fp8", 90.0)
    assert len(options) == 3
