"""Designs that labs have used: their compute, their numbers of runs, their spans and the ratios of their budgets."""

from __future__ import annotations

import numpy as np
import pytest

from scaleplan.pilots.scoring import templates_for
from scaleplan.pilots.templates import GRIDS, LADDER, isoflop, templates
from tests.pilots.worlds import ask

FLOP = 1e22


def best_size(budgets):
    return 0.1 * np.asarray(budgets) ** 0.5


def named(runs=36, flop=FLOP, least=0.0):
    return {each.name: each for each in templates(best_size, runs=runs, flop=flop, least=least)}


@pytest.mark.parametrize("least", [0.0, 4e7, 1e9])
@pytest.mark.parametrize("runs", [20, 36, 37, 100])
def test_every_template_takes_the_whole_budget_with_as_many_runs_as_asked_for(runs, least):
    found = named(runs, least=least)
    assert set(found) == {"6x6", "9x4", "hoffmann-2022", "llama3-2024", "olmo-ladder-2024"}
    for name, each in found.items():
        assert each.points.flop.sum() == pytest.approx(FLOP, rel=1e-12)
        assert each.points.flop == pytest.approx(6 * each.points.params * each.points.tokens, rel=1e-12)
        assert len(each.points) == (16 if name == LADDER else runs)
        assert each.points.params.min() >= least


@pytest.mark.parametrize(
    ("name", "budgets", "decades"), [("6x6", 6, 2.0), ("9x4", 9, np.log10(1500)), ("hoffmann-2022", 9, np.log10(500))]
)
def test_grids_have_their_budgets_and_spans(name, budgets, decades):
    flop = named()[name].points.flop
    different = np.unique(flop.round(-10))
    assert len(different) == budgets
    assert np.log10(flop.max() / flop.min()) == pytest.approx(decades, rel=1e-9)


def test_published_budgets_keep_their_ratios():
    for name in ("hoffmann-2022", "llama3-2024"):
        budgets = np.unique(named()[name].points.flop)
        distinct = budgets[np.append(True, np.diff(np.log(budgets)) > 1e-9)]
        assert distinct / distinct[0] == pytest.approx(np.array(GRIDS[name]) / GRIDS[name][0], rel=1e-9)
    assert len(GRIDS["hoffmann-2022"]) == 9
    assert len(GRIDS["llama3-2024"]) == 10
    assert GRIDS["hoffmann-2022"][0] == GRIDS["llama3-2024"][0] == 6e18
    assert (GRIDS["hoffmann-2022"][-1], GRIDS["llama3-2024"][-1]) == (3e21, 1e22)


def test_6x6_has_six_sizes_of_each_budget_from_an_eighth_to_eight_times_the_best():
    found = named()["6x6"].points
    for budget in np.geomspace(found.flop.min(), found.flop.max(), 6):
        here = found.params[np.abs(np.log(found.flop / budget)) < 1e-6]
        assert len(here) == 6
        assert np.sort(here) == pytest.approx(best_size(budget) * np.geomspace(1 / 8, 8, 6), rel=1e-9)


def test_the_cheapest_budgets_take_the_runs_that_are_left_over():
    flop = named(39)["6x6"].points.flop
    counts = np.unique(flop.round(-10), return_counts=True)[1].tolist()
    assert counts == [7, 7, 7, 6, 6, 6]
    assert "9x4" not in named(17), "with one size a budget a grid is a ray"
    assert "9x4" in named(18)


def test_the_ladder_is_the_published_one_at_another_scale():
    found = named()[LADDER].points
    sizes = np.unique(found.params.round(-1))
    assert sizes / sizes[0] == pytest.approx(np.array([190, 370, 760, 1300]) / 190, rel=1e-6)
    ratios = (found.tokens / found.params).reshape(4, 4)
    assert ratios == pytest.approx(np.tile([20, 40, 100, 200], (4, 1)), rel=1e-9)


def test_runs_below_the_smallest_size_are_moved_there_at_the_same_compute_and_counted():
    free, held = named()["9x4"], named(least=1e9)["9x4"]
    small = free.points.params < 1e9
    assert free.moved == 0
    assert held.moved == small.sum() > 0
    assert held.points.params == pytest.approx(np.maximum(free.points.params, 1e9), rel=1e-12)
    assert held.points.flop == pytest.approx(free.points.flop, rel=1e-12)


def test_a_grid_of_its_own():
    found = isoflop(np.array([6e18, 6e20]), [3, 1], lambda budgets: 1e8 * (budgets / 6e18) ** 0.5)
    assert found.params == pytest.approx([1.25e7, 1e8, 8e8, 1e9], rel=1e-12)
    assert found.tokens == pytest.approx([8e10, 1e10, 1.25e9, 1e11], rel=1e-12)
    assert found.flop.tolist() == [6e18, 6e18, 6e18, 6e20]


def test_too_few_runs_for_the_law_make_no_template():
    assert [each.name for each in templates(best_size, runs=4, flop=FLOP, least=0.0)] == [LADDER]


def test_for_what_is_asked_grids_lie_around_the_best_size_of_the_middle_of_the_plausible_laws():
    what = ask()
    found = {each.name: each for each in templates_for(what, 0.0)}["6x6"].points
    dearest = found.params[found.flop > found.flop.max() * 0.999]
    middle = float(what.plausible.centre.optimum(found.flop.max()).params)
    assert np.exp(np.mean(np.log(dearest))) == pytest.approx(middle, rel=1e-9)
    assert found.flop.sum() == pytest.approx(what.flop, rel=1e-12)
