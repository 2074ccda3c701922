"""The pilot runs of a budget file: a share, hours or a manifest; and their bill as part of every plan's cost."""

from __future__ import annotations

import json

import pytest

import scaleplan
from scaleplan.compute.bill import Extra
from scaleplan.errors import InfeasibleError, InputFileError
from scaleplan.pilots.manifest import Manifest
from scaleplan.specs.budget import read_budget, read_parsed
from scaleplan.specs.conditions import read_conditions
from scaleplan.specs.machines import machine_of
from scaleplan.specs.manifest import manifest_csv
from scaleplan.specs.pilot_costs import costed
from scaleplan.specs.yaml12 import parse
from tests.specs.test_specs_pilot_costs import LADDER

HEAD = "schema: scaleplan.budget/1\nlaw: chinchilla\n"
CLUSTER = "budget: {days: 60, on: 512xh100-sxm, mfu: 0.4, price: 2.5}\n"
HOURS = 512 * 24 * 60
LADEN = "pilots: {gpu_hours: 50k}\n"
SHARED = "pilots: {share: 5%}\n"


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return str(path)


def manifest_of(on="h100-sxm", mfu=0.4):
    return Manifest("pilots", costed(LADDER, machine_of(read_conditions({"on": on, "mfu": mfu}))).runs)


@pytest.fixture(scope="module")
def manifest():
    return manifest_of()


@pytest.fixture
def budget(tmp_path, manifest):
    """Writes a budget file beside a manifest ``pilots.csv``, and gives its path."""
    write(tmp_path / "pilots.csv", manifest_csv(manifest))
    return lambda text, name="plan.yaml": write(tmp_path / name, HEAD + text)


def line_of(costing):
    """The pilot runs' line of a bill."""
    return next(line for line in costing.bill.lines if line.name == "pilot runs")


def plan(path):
    return scaleplan.allocate(path)


def test_a_manifest_s_hours_are_those_of_its_runs(budget, manifest):
    spec = read_budget(budget(f"{CLUSTER}pilots: {{manifest: pilots.csv}}\n"))
    assert manifest.gpu_hours > 100
    assert spec.conditions.pilots == Extra(gpu_hours=pytest.approx(manifest.gpu_hours, rel=1e-12))


@pytest.mark.parametrize(
    "written", ["runs/pilots.csv", "./runs/pilots.csv", "runs/../runs/pilots.csv", "{folder}/runs/pilots.csv"]
)
def test_a_manifest_s_path_starts_at_the_budget_file(budget, tmp_path, manifest, monkeypatch, written):
    write(tmp_path / "runs" / "pilots.csv", manifest_csv(manifest))
    (tmp_path / "pilots.csv").unlink()
    text = f"{CLUSTER}pilots: {{manifest: {json.dumps(written.format(folder=tmp_path))}}}\n"
    monkeypatch.chdir(tmp_path.parent)
    assert read_budget(budget(text)).conditions.pilots.gpu_hours == pytest.approx(manifest.gpu_hours, rel=1e-12)


def test_a_dash_is_a_file_beside_the_budget_and_never_standard_input(budget):
    with pytest.raises(InputFileError, match=r"plan\.yaml:4: pilots\.manifest: .*-: no such file"):
        read_budget(budget(f"{CLUSTER}pilots: {{manifest: '-'}}\n"))


def problems_of(path):
    with pytest.raises(InputFileError) as caught:
        read_budget(path)
    return caught.value.problems


def test_a_manifest_without_hours_says_how_to_get_them(budget, tmp_path):
    bare = Manifest("pilots", tuple(LADDER))
    write(tmp_path / "bare.csv", manifest_csv(bare))
    (problem,) = problems_of(budget(f"{CLUSTER}pilots: {{manifest: bare.csv}}\n"))
    assert "plan.yaml:4: pilots.manifest: " in problem
    assert "bare.csv: without accelerator-hours: name an accelerator when it is written" in problem
    assert problem.endswith("`scaleplan pilot --on h100-sxm`, or give gpu_hours instead")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budget: {usd: 5M, on: b200}", "its hours are of h100-sxm, the budget is of b200: write it anew for b200"),
        ("budget: {flops: 1e24}", "its hours are of h100-sxm: name that in budget.on"),
        ("budget: {loss: 2.1}", "its hours are of h100-sxm: name that in budget.on"),
        ("budget: {days: 9, on: 8xh100-smx}", "unknown accelerator 'h100-smx'"),
    ],
)
def test_hours_of_another_accelerator_or_of_none_are_refused(budget, text, said):
    found = problems_of(budget(f"{text}\npilots: {{manifest: pilots.csv}}\n"))
    assert any("plan.yaml:4: pilots.manifest: " in each and said in each for each in found)


def test_money_without_an_accelerator_is_of_the_default_one(budget, tmp_path):
    assert (
        plan(budget("budget: {usd: 5M, mfu: 0.4}\npilots: {manifest: pilots.csv}\n")).costing.accelerator == "h100-sxm"
    )
    write(tmp_path / "pilots.csv", manifest_csv(manifest_of("b200")))
    (problem,) = problems_of(budget("budget: {usd: 5M}\npilots: {manifest: pilots.csv}\n"))
    assert "its hours are of b200, the budget is of h100-sxm" in problem


def test_every_problem_of_a_manifest_is_told_with_its_own_line_too(budget, tmp_path):
    path = budget(f"{CLUSTER}pilots: {{manifest: broken.csv}}\nlaww: x\n")
    lines = (tmp_path / "pilots.csv").read_text().splitlines()
    write(tmp_path / "broken.csv", "\n".join([lines[0], *(line.replace(",", ",x", 3) for line in lines[1:3])]) + "\n")
    found = problems_of(path)
    told = [each for each in found if "plan.yaml:4: pilots.manifest: " in each]
    assert len(told) >= 2
    assert all("broken.csv:" in each and "\n" not in each for each in told)
    assert any(each.startswith(str(tmp_path / "plan.yaml:5: laww")) for each in found)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{}", "pilots: needs exactly one of share, gpu_hours, manifest"),
        ("{share: 1%, manifest: pilots.csv}", "pilots: needs exactly one of share, gpu_hours, manifest"),
        ("{manifest: 3}", "pilots.manifest: must be the path of a manifest, such as pilots.csv (got 3)"),
        ("{manifest: ' '}", "pilots.manifest: must be the path of a manifest"),
        ("{manifest: [a.csv]}", "pilots.manifest: must be a number or text"),
        ("{manifest: none.csv}", "none.csv: no such file"),
        ('{manifest: "$(touch x)\\n.csv"}', "no such file"),
    ],
)
def test_a_wrong_heading_is_told_with_its_line(budget, value, said):
    found = problems_of(budget(f"{CLUSTER}pilots: {value}\n"))
    assert any("plan.yaml:4: pilots" in each and said in each for each in found)
    assert all("\n" not in each for each in found)


def test_from_standard_input_a_path_starts_here(manifest, tmp_path, monkeypatch):
    write(tmp_path / "pilots.csv", manifest_csv(manifest))
    monkeypatch.chdir(tmp_path)
    spec, _ = read_parsed(parse(f"{HEAD}{CLUSTER}pilots: {{manifest: pilots.csv}}\n", "<stdin>"))
    assert spec.pilots.extra.gpu_hours == pytest.approx(manifest.gpu_hours, rel=1e-12)


BUDGETS = {
    "days": (CLUSTER, HOURS),
    "gpu_hours": ("budget: {gpu_hours: 700k, on: h100-sxm, mfu: 0.4, price: 2.5}\n", 7e5),
    "usd": ("budget: {usd: 2M, on: h100-sxm, mfu: 0.4, price: 2.5}\n", 8e5),
}


@pytest.mark.parametrize("kind", BUDGETS)
def test_time_hours_and_money_pay_for_pilots_first_and_train_with_the_rest(budget, manifest, kind):
    text, hours = BUDGETS[kind]
    plain = plan(budget(text))
    for pilots, left in (
        (LADEN, 1 - 5e4 / hours),
        (SHARED, 1 / 1.05),
        ("pilots: {manifest: pilots.csv}\n", 1 - manifest.gpu_hours / hours),
    ):
        found = plan(budget(text + pilots))
        assert found.costing.gpu_hours == pytest.approx(plain.costing.gpu_hours, rel=1e-9) == hours
        assert found.train_flop == pytest.approx(left * plain.train_flop, rel=1e-9)
        assert line_of(found.costing).gpu_hours.value == pytest.approx(hours * (1 - left), rel=1e-9)
        assert line_of(found.costing).cost_usd.value == pytest.approx(2.5 * hours * (1 - left), rel=1e-9)


def test_at_the_estimated_utilisation_as_well(budget):
    text = "budget: {gpu_hours: 700k, on: h100-sxm, price: 2.5}\n"
    plain, found = plan(budget(text)), plan(budget(text + LADEN))
    assert found.costing.gpu_hours == pytest.approx(7e5, rel=2e-3)
    assert line_of(found.costing).gpu_hours.value == 5e4
    assert found.train_flop == pytest.approx(plain.train_flop * 65 / 70, rel=0.02)


def test_a_budget_of_flop_on_an_accelerator_is_the_run_s_own_and_pilots_come_on_top(budget):
    text = "budget: {flops: 1e23, on: h100-sxm, mfu: 0.4, price: 2.5}\n"
    plain, found = plan(budget(text)), plan(budget(text + LADEN))
    assert found.train_flop == plain.train_flop == 1e23
    assert found.costing.gpu_hours == pytest.approx(plain.costing.gpu_hours + 5e4, rel=1e-12)
    assert found.costing.cost_usd == pytest.approx(plain.costing.cost_usd + 2.5 * 5e4, rel=1e-12)
    loss = f"budget: {{loss: {float(plain.loss)!r}, on: h100-sxm, mfu: 0.4, price: 2.5}}\n"
    assert plan(budget(loss + SHARED)).costing.gpu_hours == pytest.approx(1.05 * plain.costing.gpu_hours, rel=1e-6)


@pytest.mark.parametrize(
    ("limit", "hours"),
    [("max_usd: 1M", 4e5), ("deadline_days: 30", 512 * 720), ("max_mwh: 300", 300e6 / (700 * 1.12))],
)
def test_limits_of_money_time_and_energy_hold_pilots_too(budget, limit, hours):
    text = f"budget: {{flops: 1e25, on: 512xh100-sxm, mfu: 0.4, price: 2.5}}\nlimits: {{{limit}}}\n"
    plain, found = plan(budget(text)), plan(budget(text + LADEN))
    assert found.costing.gpu_hours == pytest.approx(plain.costing.gpu_hours, rel=1e-8)
    assert found.costing.gpu_hours == pytest.approx(hours, rel=1e-6)
    assert found.train_flop == pytest.approx(plain.train_flop * (1 - 5e4 / hours), rel=1e-6)


def test_pilots_that_take_all_of_a_budget_leave_no_run(budget):
    with pytest.raises(
        InfeasibleError, match="evaluation and pilot runs alone take 800,000 of 737,280 accelerator-hours"
    ):
        plan(budget(f"{CLUSTER}pilots: {{gpu_hours: 800k}}\n"))


def test_a_comparison_has_what_pilots_leave(budget):
    text = f"{CLUSTER}compare: [gopher]\n"
    plain, found = scaleplan.compare(file=budget(text)), scaleplan.compare(file=budget(f"{text}{LADEN}"))
    assert found.train_flop == pytest.approx(plain.train_flop * (1 - 5e4 / HOURS), rel=1e-8)
    bounded = f"{text}limits: {{max_params: 20B}}\n"
    plain, found = scaleplan.compare(file=budget(bounded)), scaleplan.compare(file=budget(f"{bounded}{LADEN}"))
    assert found.train_flop == pytest.approx(plain.train_flop * (1 - 5e4 / HOURS), rel=1e-6)


def rows_of(path):
    blocks = list(scaleplan.sweep(path).blocks)
    return {name: [value for block in blocks for value in block[name]] for name in blocks[0]}


def test_rows_of_a_sweep_are_plans_with_pilots(budget, tmp_path, manifest):
    head = "schema: scaleplan.sweep/1\nlaw: chinchilla\n"
    text = "budget: {gpu_hours: [300k, 700k], on: h100-sxm, mfu: 0.4, price: 2.5}\n"
    for pilots in (LADEN, SHARED, "pilots: {manifest: pilots.csv}\n"):
        budget(CLUSTER)
        rows = rows_of(write(tmp_path / "sweep.yaml", head + text + pilots))
        alone = [plan(budget(text.replace("[300k, 700k]", hours) + pilots)) for hours in ("300k", "700k")]
        assert rows["train_flop"] == pytest.approx([each.train_flop for each in alone], rel=1e-6)
        assert rows["gpu_hours"] == pytest.approx([3e5, 7e5], rel=1e-6)
        assert rows["cost_usd"] == pytest.approx([7.5e5, 1.75e6], rel=1e-6)
    write(tmp_path / "half.csv", manifest_csv(Manifest("half", manifest.runs[:3])))
    axis = "budget: {gpu_hours: 20k, on: h100-sxm, mfu: 0.4}\npilots: {manifest: [pilots.csv, half.csv]}\n"
    rows = rows_of(write(tmp_path / "axis.yaml", head + axis))
    hours = [manifest.gpu_hours, sum(run.gpu_hours for run in manifest.runs[:3])]
    ratio = (2e4 - hours[0]) / (2e4 - hours[1])
    assert rows["train_flop"][0] / rows["train_flop"][1] == pytest.approx(ratio, rel=1e-6)
    assert rows["pilots_manifest"] == ["pilots.csv", "half.csv"]


def test_the_cost_of_a_budget_file_and_of_a_run_have_their_pilots(budget, manifest):
    found = scaleplan.cost(budget(f"{CLUSTER}pilots: {{manifest: pilots.csv}}\n"))
    assert found.gpu_hours == pytest.approx(HOURS, rel=1e-9)
    assert line_of(found).gpu_hours.value == pytest.approx(manifest.gpu_hours, rel=1e-12)
    run = {"params": 7e9, "tokens": 1e12, "on": "h100-sxm", "mfu": 0.4}
    plain = scaleplan.cost(**run)
    assert scaleplan.cost(**run, pilots="5%").gpu_hours == pytest.approx(1.05 * plain.gpu_hours, rel=1e-12)
    assert scaleplan.cost(**run, pilots="50k gpu-hours").gpu_hours == pytest.approx(plain.gpu_hours + 5e4, rel=1e-12)
    model = scaleplan.cost("llama-2-7b", on="h100-sxm", mfu=0.4)
    laden = scaleplan.cost("llama-2-7b", on="h100-sxm", mfu=0.4, pilots="5%")
    assert laden.gpu_hours == pytest.approx(1.05 * model.gpu_hours, rel=1e-12)


def test_checking_a_file_says_the_hours_of_its_manifest(budget, manifest):
    from scaleplan.specs.checking import check_file

    holds = dict(check_file(budget(f"{CLUSTER}pilots: {{manifest: pilots.csv}}\n")).holds)
    assert holds["pilots"] == f"{manifest.gpu_hours:,.6g} accelerator-hours"
