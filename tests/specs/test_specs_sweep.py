"""The sweep file: its axes, in the order of the file, and every problem with its line."""

import numpy as np
import pytest

from scaleplan.errors import InputFileError
from scaleplan.specs.axes import Axis, Span, is_number
from scaleplan.specs.sweep import read_sweep

HEAD = "schema: scaleplan.sweep/1\n"


@pytest.fixture(name="read")
def _read(tmp_path):
    def read(text):
        file = tmp_path / "sweep.yaml"
        file.write_text(HEAD + text, encoding="utf-8")
        return read_sweep(str(file))

    return read


@pytest.fixture(name="problems")
def _problems(read, tmp_path):
    def problems(text):
        with pytest.raises(InputFileError) as caught:
            read(text)
        return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return problems


def test_lists_and_ranges_are_axes_in_the_order_of_the_file(read):
    spec = read("""\
name: grid
limits: {unique_tokens: [1T, 1.5e13], max_epochs: 4}
budget: {flops: {from: 1e21, to: 1e23, points: 3}, on: [8xh100-sxm, a100-sxm-80], mfu: 40%}
law: [chinchilla, muennighoff-2023]
""")
    assert [axis.column for axis in spec.axes] == ["limits_unique_tokens", "budget_flops", "budget_on", "law"]
    assert [axis.size for axis in spec.axes] == [2, 3, 2, 2]
    assert spec.rows == 24
    tokens, flops, on, law = spec.axes
    assert tokens.values == (1e12, 1.5e13)
    assert flops.at(np.arange(3)) == pytest.approx([1e21, 1e22, 1e23], rel=1e-14)
    assert on.at(np.array([1, 0])) == ["a100-sxm-80", "8xh100-sxm"]
    assert law.values == ("besiroglu-2024", "muennighoff-2023")  # by their ids, whatever they are called
    assert [is_number(axis.path) for axis in spec.axes] == [True, True, False, False]


def test_scalars_hold_for_every_row_and_axes_go_into_their_place(read):
    spec = read("law: chinchilla\nbudget: {flops: [1e21, 1e22], on: [8xh100-sxm, 16xh100-sxm], goodput: 0.9}\n")
    document = spec.document({("budget", "on"): "16xh100-sxm"})
    assert (document.budget.on, document.budget.goodput, document.budget.flops) == ("16xh100-sxm", 0.9, 1e21)
    assert spec.law(document).id == "besiroglu-2024"
    assert hash(spec) == hash(spec._replace())


def test_a_sweep_without_an_axis_is_one_row_by_the_default_law(read):
    spec = read("budget: {flops: 1e21}\n")
    assert (spec.axes, spec.rows) == ((), 1)
    assert spec.law(spec.document({})).id == "besiroglu-2024"


def test_all_laws_are_those_with_a_loss_surface(read):
    (law,) = read("law: all\nbudget: {flops: 1e21}\n").axes
    assert {"besiroglu-2024", "kaplan-2020", "muennighoff-2023"} < set(law.values)
    assert "hoffmann-2022-a1" not in law.values


def test_ranges_end_where_they_say_to_the_bit():
    log, linear = Span(1e21, 3e26, 1000, linear=False), Span(0.0, 0.7, 8, linear=True)
    values = log.at(np.arange(1000))
    assert (values[0], values[-1]) == (1e21, 3e26)
    assert np.diff(np.log(values)) == pytest.approx(np.full(999, np.log(3e5) / 999))
    assert Span(1e22, 1e24, 3, linear=False).at(np.arange(3)).tolist() == [1e22, 1e23, 1e24]
    assert linear.at(np.arange(8)) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert Axis("budget", "price", span=linear).raw_at(7) == 0.7


@pytest.mark.parametrize("ends", [(1e-300, 1e300), (1e10, 1e26), (3e-9, 7.0), (1e38, 1e45), (1.0, 4.0), (0.0, 0.6)])
@pytest.mark.parametrize("linear", [True, False])
def test_points_of_a_range_are_the_floats_of_15_digits(ends, linear):
    if not linear and ends[0] == 0:
        ends = (1e-3, 0.6)
    values = Span(*ends, 1001, linear=linear).at(np.arange(1001)).tolist()
    assert values[1:-1] == [float(f"{value:.14e}") for value in values[1:-1]]
    assert (np.diff(values) > 0).all()


def test_relative_paths_start_at_the_file(read, tmp_path):
    law = (tmp_path / "own.yaml").resolve()
    source = read_sweep.__globals__["__file__"].replace("scaleplan/specs/sweep.py", "configs/laws/my-lab.yaml")
    with open(source, encoding="utf-8") as file:
        law.write_text(file.read(), encoding="utf-8")
    spec = read("law: [./own.yaml, chinchilla]\nbudget: {flops: 1e21}\n")
    assert spec.law(spec.document({("law",): "./own.yaml"})).file == str(tmp_path / "own.yaml")


def test_limits_of_which_some_pairs_clash_are_rows_like_others(read):
    spec = read("budget: {flops: 1e23}\nlimits: {min_params: [50B, 1B], max_params: [10B, 100B]}\n")
    assert spec.rows == 4


BAD = [
    ("budget: {flops: []}", ["sweep.yaml:2: budget.flops: an axis without values: list one or more"]),
    ("budget:\n  flops:\n    - 1e21\n    - -1e22\n", ["sweep.yaml:5: budget.flops: must be > 0 (got -1e22)"]),
    ("budget: {flops: [1e21, null]}", ["sweep.yaml:2: budget.flops: a value is missing"]),
    ("budget: {flops: [1e21, [1e22]]}", ["sweep.yaml:2: budget.flops: must be a number"]),
    ("budget: {flopz: [1e21, 1e22]}", ["sweep.yaml:2: budget.flopz: unknown key. Did you mean flops?"]),
    ("budget: {flops: [1e21], usd: [1M, 2M]}", ["needs exactly one of flops, loss, days, gpu_hours, usd (got"]),
    ("budget: {on: [8xh100-sxm], days: [3], gpu_hours: [1M]}", ["needs exactly one of"]),
    ("budget: {flops: [1e21], on: [h100-sxm, h200-smx]}", ["sweep.yaml:2: budget.on: unknown accelerator 'h200-smx'."]),
    ("law: [chinchilla, chinchila]\nbudget: {flops: 1e21}", ["sweep.yaml:2: law.1: unknown law 'chinchila'."]),
    ("law: [[besiroglu-2024]]\nbudget: {flops: 1e21}", ["sweep.yaml:2: law.0: must be text (got ['besiroglu-2024'])"]),
    ("law: [3]\nbudget: {flops: 1e21}", ["sweep.yaml:2: law.0: must be text: write it in quotes (got 3)"]),
    ("law: {from: 1, to: 3, points: 3}\nbudget: {flops: 1e21}", ["sweep.yaml:2: law: must be a list (got {'from': "]),
    ("law: [all, chinchilla]\nbudget: {flops: 1e21}", ["sweep.yaml:2: law: all stands for every law: leave the oth"]),
    ("law:\n- besiroglu-2024\n- chinchilla\nbudget: {flops: -1}",
     ["sweep.yaml:4: law.1: besiroglu-2024 stands twice", "sweep.yaml:5: budget.flops: must be > 0 (got -1)"]),
    ("budget: {flops: 1e21}\npilots: {share: [1%, 2%]}", ["sweep.yaml:3: pilots.share: changes no row without an acc"]),
    ("budget: {flops: 1e21}\nlimits: {memory: fit, max_params: [1B, 2B]}", ["sweep.yaml:3: limits.memory: needs an a"]),
    ("budget: {flops: 1e21, precision: [bf16, fp8]}", ["sweep.yaml:2: budget.precision: changes no row without an"]),
    ("law: [chinchilla, hoffmann-2022-a1]\nbudget: {flops: 1e21}", ["sweep.yaml:2: law: hoffmann-2022-a1 is an all"]),
    ("budget: {flops: 1e21}\nlimits: {max_epochs: [2, 0.5], unique_tokens: 1T}", ["sweep.yaml:3: limits.max_epochs: "]),
    ("budget: {flops: 1e21}\nlimits: {max_epochs: [2, 4]}", ["sweep.yaml:3: limits.max_epochs: epochs of how many"]),
    ("budget: {flops: 1e21}\nlimits: {params: [1B, 2B], tokens: [1T]}", ["sweep.yaml:3: limits.tokens: params and to"]),
    ("budget: {flops: 1e21}\nlimits: {deadline_days: [30, 60]}", ["sweep.yaml:3: limits.deadline_days: needs an acc"]),
    ("budget: {flops: {from: 1e21, to: 1e22}}", ["sweep.yaml:2: budget.flops: a range needs points"]),
    ("budget:\n  flops: {from: 1e21, to: 1e22, points: 1}", ["sweep.yaml:3: budget.flops.points: must be a whole nu"]),
    ("budget: {flops: {from: 1e21, to: 1e22, points: 3, step: 2}}", ["sweep.yaml:2: budget.flops.step: unknown key"]),
    ("budget: {flops: {from: 1e21, to: 1e22, points: 3, scale: ln}}", ["budget.flops.scale: must be log or linear"]),
    ("budget:\n  flops:\n    from: 1e21\n    to: -5\n    points: 9", ["sweep.yaml:5: budget.flops: must be > 0 (got"]),
    ("budget: {flops: 1e21, on: {from: h100-sxm, to: h200, points: 2}}", ["sweep.yaml:2: budget.on: not a number"]),
    ("budget: {flops: 1e21}\nserving: {tokens: 1T, on: h100-sxm, discount: {from: 0, to: 0.1, points: 3}}",
     ["sweep.yaml:3: serving.discount: there are no equal ratios from zero; add scale: linear"]),
    ("budget: {flops: [1e21]}\ncompare: [gopher]", ["sweep.yaml:3: compare: unknown key in a sweep."]),
    ("budget: {flops: {from: 1, to: 2, points: 1e6}}\nlimits: {max_params: {from: 1, to: 2, points: 1001}}",
     ["sweep.yaml: 1,000,000 x 1,001 = 1,001,000,000 rows are more than 1e9: take fewer points"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "told"), BAD)
def test_every_problem_names_its_line_and_field(problems, text, told):
    found = problems(text)
    assert len(found) == len(told), found
    for problem, fragment in zip(found, told, strict=True):
        assert fragment in problem


def test_problems_of_several_axes_come_together(problems):
    found = problems("budget:\n  flops: [1e21, x]\n  price: [2, -3]\n  on: 8xh100-sxm\n")
    assert [problem.split(": ")[:2] for problem in found] == [
        ["sweep.yaml:3", "budget.flops"],
        ["sweep.yaml:4", "budget.price"],
    ]


def test_another_schema_is_refused(tmp_path):
    file = tmp_path / "budget.yaml"
    file.write_text("schema: scaleplan.budget/1\nbudget: {flops: [1e21]}\n")
    with pytest.raises(InputFileError, match=r"budget.yaml:1: schema: must be scaleplan.sweep/1 \(got 'scaleplan.budg"):
        read_sweep(str(file))
