"""The runs proposed: never worse than templates, within the budget, in order; where none are of use, what would be."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.pilots.candidates import candidates
from scaleplan.pilots.certainty import certainty, distinct
from scaleplan.pilots.choice import choice_for, choose
from scaleplan.pilots.goals import GOALS
from scaleplan.pilots.noise import Noise
from scaleplan.pilots.plausible import published
from scaleplan.pilots.proposal import _require_useful, propose, with_costs
from scaleplan.pilots.savings import Fraction, share_for
from scaleplan.pilots.scoring import score, sure_of, templates_for
from tests.pilots.worlds import TARGET, ask, grid, laws, plausible


def chosen(what):
    """The runs alone, held against no template."""
    return choose(what, candidates(what.kind, what.reach), ()).points


@pytest.fixture(scope="module")
def usual():
    return propose(ask(), "usual")


@pytest.mark.parametrize(
    ("target", "share", "vocabulary", "runs", "seed"),
    [
        (1e21, 0.01, 128_256, 36, 0),
        (1e22, 0.002, 32_000, 24, 1),
        (1e24, 0.01, 128_256, 16, 2),
        (1e24, 0.1, 32_000, 72, 3),
        (1e26, 0.003, 128_256, 36, 4),
    ],
)
def test_no_template_is_surer_of_either(target, share, vocabulary, runs, seed):
    what = ask(share, target, vocabulary, runs=runs, laws=published(laws(), 6, seed))
    found = candidates(what.kind, what.reach)
    beside = templates_for(what, float(found.points.params.min()))
    chosen = choose(what, found, beside)
    sure = sure_of(what, chosen.points)
    assert chosen.points.flop.sum() <= what.flop
    assert len(beside) == (5 if runs >= 20 else 2)
    for each in beside:
        assert each.points.flop.sum() == pytest.approx(what.flop)
        other = sure_of(what, each.points)
        assert sure.loss_se < other.loss_se
        assert sure.params_se < other.params_se


def test_where_a_template_is_surer_of_one_than_the_design_for_both_alike_another_weight_is_found():
    what = ask(0.002, vocabulary=128_256, runs=24, noise=Noise(starvation=0.0), laws=plausible(4))
    found = candidates(what.kind, what.reach)
    beside = templates_for(what, float(found.points.params.min()))
    others = [sure_of(what, each.points) for each in beside]

    def worst(made):
        sure = sure_of(what, made.points)
        return max(
            sure.loss_se / min(each.loss_se for each in others), sure.params_se / min(each.params_se for each in others)
        )

    assert worst(choice_for(what, found, GOALS["both"])) > 1
    assert worst(choose(what, found, beside)) < 1


def test_a_quarter_surer_than_6x6_on_laws_that_it_was_not_made_for(usual):
    drawn = published(laws(), 200, 77)
    grid_6x6 = next(each for each in usual.others if each.name == "6x6")
    for noise in (Noise(), Noise(starvation=0.0)):
        own, other = (certainty(drawn, usual.ask.target, each.points, noise) for each in (usual.scored, grid_6x6))
        assert own.loss_se < 0.75 * other.loss_se
        assert own.params_se < 0.75 * other.params_se


def test_the_runs_are_within_the_budget_and_in_order(usual):
    manifest, what = usual.manifest, usual.ask
    runs = manifest.runs
    assert manifest.name == "usual"
    assert len(runs) == 36
    assert manifest.train_flop == pytest.approx(usual.scored.points.flop.sum())
    assert 0.9 * what.flop < manifest.train_flop <= what.flop
    assert [run.id for run in runs] == [f"p{i:02d}" for i in range(36)]
    flop = [run.train_flop for run in runs]
    assert flop == sorted(flop)
    assert max(flop) <= 0.35 * what.flop
    for run in runs:
        assert run.train_flop == 6 * run.params * run.tokens
        assert run.tokens == run.steps * run.batch_tokens
        assert run.batch_sequences * run.shape.context == run.batch_tokens
        assert run.params == run.shape.params.total
        assert run.params_nonembedding == run.shape.params.nonembedding
        assert run.tokens_per_param == pytest.approx(run.tokens / run.params)
        assert (run.accelerator, run.days, run.gpu_hours, run.time_limit_minutes) == (None, None, None, None)
    assert manifest.gpu_hours is None
    assert manifest.cost_usd is None


def test_the_dearest_is_the_back_test_and_one_cheap_run_is_repeated(usual):
    runs = usual.manifest.runs
    assert [run.role for run in runs].count("back-test") == 1
    assert runs[-1].role == "back-test"
    seeds = {}
    for run in runs:
        seeds.setdefault((run.params, run.tokens), []).append(run.seed)
    repeated = [each for each in seeds.values() if len(each) > 1]
    assert repeated == [[0, 1, 2]]
    assert [run.role for run in runs if run.seed] == ["replicate"] * 2
    point = next(run for run in runs if run.seed)
    assert 2 * point.train_flop <= 0.02 * usual.ask.flop + usual.ask.flop - usual.manifest.train_flop


def test_the_first_stage_is_half_the_compute_at_most_and_cheaper_than_the_second(usual):
    stages = [run.stage for run in usual.manifest.runs]
    assert stages == sorted(stages)
    assert set(stages) == {1, 2}
    assert sum(run.train_flop for run in usual.manifest.runs if run.stage == 1) <= 0.5 * usual.manifest.train_flop
    assert stages[-1] == 2


def test_what_is_told_is_what_the_runs_tell(usual):
    sure = certainty(plausible(), usual.ask.target, usual.scored.points, Noise())
    assert (usual.scored.loss_se, usual.scored.params_se) == (sure.loss_se, sure.params_se)
    assert 0 <= usual.bound < 0.05
    assert usual.value.cost_flop == pytest.approx(usual.manifest.train_flop)
    assert usual.value.pays
    assert usual.before > usual.scored.params_se
    order = [each.loss_se * each.params_se for each in usual.others]
    assert order == sorted(order)


def test_with_the_share_that_is_told_the_design_is_as_sure_as_the_template(usual):
    for other in usual.others[:2]:
        share = other.compute_for_same
        assert share is not None
        assert share < 0.65
        what = ask(0.01 * share)
        sure = sure_of(what, chosen(what))
        assert sure.loss_se <= 1.04 * other.loss_se
        assert sure.params_se <= 1.04 * other.params_se


def test_shares_are_found_between_designs_by_logarithms():
    curve = [Fraction(0.1, 0.04, 0.8), Fraction(1.0, 0.01, 0.2)]
    other = score(ask(), "other", grid())

    def share(loss, params, goal="both"):
        return share_for(curve, other._replace(loss_se=loss, params_se=params), goal)

    assert share(0.02, 0.8) == pytest.approx(math.sqrt(0.1))
    assert share(0.04, 0.4) == pytest.approx(math.sqrt(0.1))
    assert share(9.0, 9.0) == 0.1, "the least that was tried"
    assert share(0.009, 0.8) is None, "never as sure of the loss"
    assert share(0.009, 0.4, "params") == pytest.approx(math.sqrt(0.1))
    assert share(0.02, 0.01, "loss") == pytest.approx(math.sqrt(0.1))


def test_goals_do_what_they_say():
    what = [ask(0.003, goal=goal, laws=plausible(4)) for goal in ("both", "loss", "params")]
    both, loss, params = (sure_of(each, chosen(each)) for each in what)
    assert loss.loss_se < both.loss_se < params.loss_se
    assert params.params_se < both.params_se < loss.params_se


def test_unique_tokens_and_the_largest_run_are_kept():
    what = ask(tokens=5e10, most_run=0.05, runs=30, seeds=1, laws=plausible(4))
    found = chosen(what)
    assert found.tokens.max() <= 5e10
    assert found.flop.max() <= 0.05 * 1e22
    assert len(distinct(found)[0]) == len(found)


def test_a_second_stage_adds_other_runs_and_is_nearly_as_sure_as_one_of_both(usual):
    half = ask(0.005, runs=18)
    done = chosen(half)
    before = sure_of(half, done)
    next_ = propose(ask(0.005, runs=18, seeds=1, done=done), "next", first=18)
    made = set(zip(done.params.tolist(), done.tokens.tolist(), strict=True))
    new = next_.scored.points
    assert not made & set(zip(new.params.tolist(), new.tokens.tolist(), strict=True))
    assert next_.scored.loss_se < before.loss_se
    assert next_.scored.loss_se < 1.25 * usual.scored.loss_se
    assert next_.scored.params_se < 1.25 * usual.scored.params_se
    assert [run.id for run in next_.manifest.runs][:2] == ["p18", "p19"]
    assert next_.others == ()
    assert next_.before == pytest.approx(before.params_se, rel=1e-9)


def test_costs_are_put_in_without_moving_anything_else(usual):
    runs = [run._replace(gpu_hours=2.0, cost_usd=5.0) for run in usual.manifest.runs]
    costed = with_costs(usual, runs, ())
    assert (costed.manifest.gpu_hours, costed.manifest.cost_usd) == (72.0, 180.0)
    assert costed.scored is usual.scored
    assert costed.warnings == usual.warnings


def told_enough(share, target, goal, text):
    """The share that a refusal names, which is more, and with which the same is not refused."""
    with pytest.raises(InfeasibleError, match=text) as error:
        propose(ask(share, target, goal=goal, runs=12, laws=plausible(4)), "little")
    told = re.search(r"a share of ([\d.e-]+)%", error.value.message)
    assert told is not None
    enough = float(told[1]) / 100
    assert enough > share
    again = ask(enough, target, goal=goal, runs=12, laws=plausible(4))
    runs = chosen(again)
    assert runs.flop.sum() <= again.flop
    _require_useful(again, sure_of(again, runs))


def test_a_budget_that_tells_too_little_names_one_that_tells_enough():
    told_enough(
        1e-6, TARGET, "both", r"FLOP of pilots leave N\* at the target open by a factor of .*, published laws by"
    )


def test_so_does_one_of_a_small_target():
    told_enough(
        0.03, 1e18, "params", r"FLOP of pilots leave N\* at the target open by a factor of .*, published laws by"
    )


def test_so_does_one_below_the_cheapest_run():
    told_enough(1e-9, TARGET, "loss", r"least 2,000 steps: too few to tell .* lower --vocab or --context; a share")


@pytest.mark.parametrize("flop", np.geomspace(2e15, 2e17, 4))
@pytest.mark.parametrize("vocabulary", [32_000, 128_256])
def test_any_budget_is_kept_or_refused(flop, vocabulary):
    what = ask(flop / TARGET, vocabulary=vocabulary, runs=16, laws=plausible(3))
    refused = ""
    try:
        found = chosen(what)
    except InfeasibleError as error:
        refused, found = error.message, grid()
    if refused:
        assert re.search("--vocab|--ratios|--seeds", refused)
    else:
        assert found.flop.sum() <= what.flop * (1 + 1e-12)
        assert len(found) <= 16


def test_pilots_are_smaller_than_their_target():
    with pytest.raises(InfeasibleError, match=r"pilots of 1e22 FLOP are no smaller than the target of 1e22 FLOP: give"):
        propose(ask(1.0, 1e22), "large")


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"runs": 8}, r"runs must be at least 9: 6 different ones .* one that .*, and 2 further seeds \(got 8\)"),
        ({"most_run": 0.0}, "max-run must be a share above 0"),
        ({"most_run": 1.01}, "max-run must be a share above 0"),
        ({"noise": Noise(seed=0.0)}, "noise must be above 0"),
    ],
)
def test_numbers_out_of_range_are_refused(more, text):
    with pytest.raises(UsageError, match=text):
        propose(ask(**more), "wrong")


def test_seeds_that_leave_nothing_are_refused(monkeypatch):
    monkeypatch.setattr("scaleplan.pilots.proposal._enough", lambda _: "more")  # what would do is tested above
    with pytest.raises(InfeasibleError, match="further seeds of a run leave too little"):
        propose(ask(1e-8, runs=400, seeds=390), "seeds")
