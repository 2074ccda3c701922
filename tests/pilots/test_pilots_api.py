"""``scaleplan.pilot`` and ``score_pilots`` in Python: words and numbers, budget files, laws, conditions, slips."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

import scaleplan
from scaleplan.api.pilot_target import PLAUSIBLE, wanted
from scaleplan.errors import InfeasibleError, InputFileError, UsageError
from scaleplan.specs.manifest import read_manifest

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
BUDGETS = sorted((CONFIGS / "budgets").glob("*.yaml"))
HELD = {"data-limited", "serving-heavy", "small-and-cheap"}
FEW = {"runs": 12, "seeds": 1}
SHAPE = ("id", "params", "tokens", "steps", "learning_rate", "seed", "role")

pytestmark = pytest.mark.usefixtures("short_curve")


@pytest.fixture(scope="module")
def plan():
    """A design for 1e22 FLOP."""
    return scaleplan.pilot(flops=1e22, pilots=FEW)


@pytest.fixture(scope="module")
def priced():
    """The same on a cluster."""
    return scaleplan.pilot(flops=1e22, pilots={**FEW, "on": "8xh100-sxm", "within": "30d"}, mfu=0.4, goodput=1, price=2)


def runs_of(plan):
    return [tuple(getattr(run, key) for key in SHAPE) for run in plan.manifest.runs]


def test_a_plan_says_what_it_is_for_and_what_it_costs(plan):
    assert plan.law.id == "besiroglu-2024"
    assert plan.plan.params == scaleplan.allocate(flops=1e22).params
    assert (plan.target.train_flop, plan.target.run, plan.flop, plan.spent_flop) == (1e22, None, 1e20, 0)
    assert (plan.words.runs, plan.words.seeds, plan.words.goal) == (12, 1, "both")
    assert (plan.words.vocab, plan.words.context, plan.words.max_run) == (128_256, 8192, 0.35)
    assert plan.manifest.train_flop <= plan.flop
    assert plan.proposal.value.cost_flop == pytest.approx(plan.manifest.train_flop, rel=1e-9)
    assert repr(plan) == f"PilotPlan('pilots', runs=12, flop=1e+20, decision={plan.decision!r})"
    assert (plan.fitted, plan.makespan_days, plan.assumptions) == (None, None, ())


def test_words_and_numbers_are_the_same_and_so_is_the_design_of_a_seed(plan):
    words = scaleplan.pilot(flops="1e22", pilots={"runs": "12", "seeds": "1", "share": "1%", "noise": "0.3%"}, seed="0")
    assert runs_of(words) == runs_of(plan)


def test_a_cluster_changes_what_runs_take_and_a_time_is_kept(plan, priced):
    assert priced.target == plan.target
    assert priced.makespan_days <= 30
    for run in priced.manifest.runs:
        assert run.accelerators <= 8
        assert run.gpu_hours == pytest.approx(24 * run.days * run.accelerators, rel=1e-9)
        assert run.cost_usd == pytest.approx(2 * run.gpu_hours, rel=1e-9)
    assert {each.name for each in priced.assumptions} >= {"goodput", "price"}


def test_a_design_for_the_loss_is_surer_of_it_and_less_of_the_size():
    goals = {goal: scaleplan.pilot(flops=1e22, pilots={**FEW, "goal": goal}) for goal in ("loss", "params")}
    assert goals["loss"].proposal.scored.loss_se < goals["params"].proposal.scored.loss_se
    assert goals["params"].proposal.scored.params_se < goals["loss"].proposal.scored.params_se
    # What a more certain loss is worth depends on its use: that it saves nothing of the target is no reason to stop.
    assert goals["loss"].decision == "go"
    assert "does_not_pay" not in {each.code for each in goals["loss"].warnings}


@pytest.mark.parametrize("path", BUDGETS, ids=lambda path: path.stem)
def test_every_example_of_a_budget_is_a_target_or_says_why_not(path):
    if path.stem == "kaplan-1e21":
        with pytest.raises(UsageError, match=r"kaplan-2020: pilots are designed for .* add --law besiroglu-2024"):
            wanted(str(path), None, None, None, {})
        path_law = "besiroglu-2024"
    else:
        path_law = None
    goal = wanted(str(path), None, path_law, None, {})
    planned = goal.plan
    assert goal.name == path.stem
    assert goal.target.train_flop == pytest.approx(float(planned.train_flop), rel=1e-9)
    assert 0 < goal.flop < goal.target.train_flop
    assert (goal.target.run is not None) is (path.stem in HELD)
    if goal.target.run is not None:
        assert goal.target.run == (float(planned.params), float(planned.tokens))


def test_limits_that_hold_the_size_leave_the_loss_to_tell():
    path = str(CONFIGS / "budgets" / "small-and-cheap.yaml")
    plan = scaleplan.pilot(path, pilots=FEW)
    assert "size_held" in {each.code for each in plan.warnings}
    assert plan.decision == "go"
    assert plan.target.run[0] == pytest.approx(8e9)
    assert plan.manifest.runs[0].accelerator == "h100-sxm"
    assert plan.manifest.cost_usd == pytest.approx(2.5 * plan.manifest.gpu_hours, rel=1e-9)


def test_a_file_asks_and_a_call_asks_before_it(tmp_path):
    (tmp_path / "plan.yaml").write_text(
        "schema: scaleplan.budget/1\nname: ours\nbudget: {flops: 1e22}\nlimits: {unique_tokens: 400B}\n"
        "pilots: {share: 2%, runs: 20, seeds: 2, goal: loss, noise: 0.5%, misfit: 0.1%, max_run: 20%, ratios: '5:200',"
        " vocab: 32000, context: 2048, on: 8xh100-sxm, within: 30d}\n"
    )
    plan = scaleplan.pilot(str(tmp_path / "plan.yaml"), pilots={"runs": 12, "noise": "0.4%"}, mfu=0.4)
    assert plan.name == "ours"
    words = plan.words
    assert (words.runs, words.noise) == (12, 0.004)
    assert (words.seeds, words.goal, words.misfit, words.max_run) == (2, "loss", 0.001, 0.2)
    assert words.unique_tokens == 400e9
    assert (words.ratios, words.vocab, words.context, words.within) == ((5, 200), 32_000, 2048, 30)
    assert plan.flop == pytest.approx(2e20)
    runs = plan.manifest.runs
    assert len(runs) == 12
    assert {run.accelerator for run in runs} == {"h100-sxm"}
    assert all(run.tokens <= 400e9 and run.train_flop <= 0.2 * plan.flop for run in runs)
    assert {(run.shape.vocabulary, run.shape.context) for run in runs} == {(32_000, 2048)}


def test_a_preset_stands_for_published_laws_and_a_law_file_for_itself():
    law = str(CONFIGS / "laws" / "my-lab.yaml")
    ours, theirs = wanted(None, 1e24, law, None, {}), wanted(None, 1e24, None, None, {})
    assert ours.plausible(20, 0).sources == (ours.law.id,)
    assert theirs.plausible(20, 0).sources == PLAUSIBLE
    assert wanted(None, 1e24, "all", None, {}).law.id == "besiroglu-2024"
    first = wanted(None, 1e24, ["hoffmann-2022-a3", "kaplan-2020"], None, {})
    assert first.law.id == "hoffmann-2022-a3"


def test_seeds_of_the_draws_are_drawn_anew():
    goal = wanted(None, 1e24, None, None, {})
    one, same, other = (goal.plausible(20, seed).best_size(1e24) for seed in (0, 0, 1))
    assert (one == same).all()
    assert not (one == other).any()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({}, "pilots of which target?"),
        ({"budget": "x.yaml", "flops": 1e24}, "two budgets"),
        ({"budget": 1e24}, "write flops="),
        ({"flops": 1e24, "pilots": {"shar": "1%"}}, "unknown word 'shar'. Did you mean share?"),
        ({"flops": 1e24, "pilots": "1%"}, "pilots"),
        ({"flops": 1e24, "pilots": {"share": 0}}, "share: must be at least 1e-09"),
        ({"flops": 1e24, "pilots": {"within": 3}}, "within"),
        ({"flops": 1e24, "seed": -1}, "seed must be at least 0"),
        ({"flops": 1e24, "price": 3}, "price"),
        ({"flops": 1e24, "mfuu": 0.4}, "mfuu"),
        ({"flops": 1e24, "law": "kaplan-2020"}, "add --law besiroglu-2024"),
        ({"flops": 1e24, "pilots": {"runs": 7}}, "runs must be at least"),
    ],
    ids=str,
)
def test_slips_are_usage_errors(words, said):
    with pytest.raises(UsageError) as caught:
        scaleplan.pilot(**words)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_what_cannot_be_done_is_infeasible_and_what_cannot_be_read_an_input_error(tmp_path):
    with pytest.raises(InfeasibleError):
        scaleplan.pilot(flops=1e24, pilots={"unique_tokens": "1M"})
    with pytest.raises(InputFileError):
        scaleplan.pilot(str(tmp_path / "none.yaml"))
    with pytest.raises(InputFileError):
        scaleplan.score_pilots(str(tmp_path / "none.csv"), flops=1e24)
    with pytest.raises(InputFileError):
        scaleplan.collect_pilots(tmp_path / "none")


def test_a_plan_can_be_written_and_its_manifest_read_back(priced, tmp_path):
    written = scaleplan.write_pilots(priced, tmp_path / "jobs", command="train {params}", at_once=2, gpus_per_node="4")
    assert read_manifest(str(tmp_path / "jobs" / "manifest.csv")).runs == priced.manifest.runs
    assert written.manifest == priced.manifest
    assert len(written.warnings) >= len(priced.warnings)
    with pytest.raises(UsageError, match="at-once must be at least 1"):
        scaleplan.write_pilots(priced, tmp_path / "other", command="x", at_once=0)
    assert not (tmp_path / "other").exists()


def test_a_set_of_one_s_own_is_scored_by_any_kind_of_table(tmp_path):
    lines = ['{"params": %r, "tokens": %r}' % (n, r * n) for n in (1e8, 3e8, 1e9) for r in (5, 20, 100)]  # noqa: UP031
    (tmp_path / "own.ndjson").write_text("\n".join(lines) + "\n")
    scored = scaleplan.score_pilots(str(tmp_path / "own.ndjson"), flops=1e22)
    assert scored.own.name == "own.ndjson"
    assert len(scored.own.points) == 9
    assert scored.ask.flop == pytest.approx(math.fsum(6 * n * r * n for n in (1e8, 3e8, 1e9) for r in (5, 20, 100)))
    designed = next(each for each in scored.others if each.name == "designed")
    assert designed.loss_se * designed.params_se < scored.own.loss_se * scored.own.params_se
    assert repr(scored).startswith("ScoredPilots('own.ndjson', loss_se=")
