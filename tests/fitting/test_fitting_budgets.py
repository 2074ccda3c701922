"""Budgets are found where a designer put them, and every table can be parted into cheap and dear rows."""

from __future__ import annotations

import csv
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from scaleplan.fitting.budgets import BUDGET_WIDTH, cheap_to_dear, compute_budgets, distinct_sizes, size_index
from scaleplan.fitting.runs import runs_of


def isoflop_table(flop=(6e18, 1e19, 3e19, 1e20), sizes=5, scatter=0.0, seed=0):
    """Rows of each budget at ``sizes`` sizes, their C off by up to ``scatter``, in random order."""
    rng = np.random.default_rng(seed)
    c = np.repeat(flop, sizes)
    n = np.tile(np.geomspace(1e8, 2e9, sizes), len(flop))
    d = c * np.exp(rng.uniform(-scatter, scatter, len(c))) / (6 * n)
    order = rng.permutation(len(c))
    return runs_of(n[order], d[order], 3 - 0.01 * np.log(c[order])), np.repeat(np.arange(len(flop)), sizes)[order]


@pytest.mark.parametrize("scatter", [0.0, 0.03, 0.09])
def test_rows_that_miss_their_budget_by_a_few_per_cent_stay_in_it(scatter):
    runs, designed = isoflop_table(scatter=scatter)
    found = compute_budgets(runs)
    assert found.index.tolist() == designed.tolist()
    assert found.isoflop
    assert found.rows.tolist() == found.sizes.tolist() == [5, 5, 5, 5]
    ln_c = np.log(runs.train_flop)
    assert found.flop == pytest.approx([np.exp(ln_c[designed == b].mean()) for b in range(4)], rel=1e-12)


def test_the_closest_budgets_of_hoffmann_stay_apart_and_in_rising_order():
    runs, _ = isoflop_table(flop=(1e19, 6e18))
    assert compute_budgets(runs).flop == pytest.approx([6e18, 1e19])


def test_repeated_seeds_and_a_per_cent_of_difference_are_one_size():
    assert len(distinct_sizes(np.log([1e8, 1e8, 1.005e8, 1.5e8]))) == 2
    assert distinct_sizes(np.log([2e8, 1e8, 1e8])) == pytest.approx(np.log([1e8, 2e8]))
    assert size_index(np.log([2e8, 1e8, 1.001e8, 3e8])).tolist() == [1, 0, 0, 2]
    runs = runs_of([1e8, 1e8, 1e8], [1e9, 1e9, 1e9], [3.0, 3.01, 3.02])
    found = compute_budgets(runs)
    assert (len(found), found.rows.tolist(), found.sizes.tolist(), found.isoflop) == (1, [3], [1], False)


def test_sizes_without_a_gap_are_not_one():
    assert len(distinct_sizes(np.linspace(18, 20, 5001))) == pytest.approx(200, abs=1)


def test_a_ladder_is_no_isoflop_table():
    n = np.geomspace(1e7, 1e9, 7)
    assert not compute_budgets(runs_of(n, 20 * n, np.linspace(4, 3, 7))).isoflop


def test_one_budget_alone_is_no_isoflop_table():
    runs, _ = isoflop_table(flop=(1e19,))
    assert not compute_budgets(runs).isoflop


def test_no_budget_is_wider_than_said_and_none_overlap():
    rng = np.random.default_rng(3)
    n, d = np.exp(rng.uniform(17, 22, 500)), np.exp(rng.uniform(20, 25, 500))
    runs = runs_of(n, d, np.full(500, 3.0))
    found = compute_budgets(runs)
    ln_c = np.log(runs.train_flop)
    ends = [(ln_c[found.index == b].min(), ln_c[found.index == b].max()) for b in range(len(found))]
    assert all(high - low <= BUDGET_WIDTH for low, high in ends)
    assert all(one[1] < other[0] for one, other in pairwise(ends))
    assert int(found.rows.sum()) == 500


def test_checkpoints_at_even_steps_fall_into_bins():
    d = 1e6 * np.arange(1, 100_001)
    found = compute_budgets(runs_of(np.full(len(d), 1e9), d, np.full(len(d), 3.0)))
    ln_c = np.log(6e9 * d)
    assert len(found) < 2 * 100 + np.sum(np.diff(ln_c) > 0.02), "two bins a width at most, and the first few rows alone"
    ends = np.flatnonzero(np.diff(found.index))
    assert np.all(np.diff(found.index) >= 0)
    widths = np.diff(ln_c[np.concatenate([[0], ends + 1])])
    assert float(widths[-20:].min()) > 0.04
    assert float(widths[-20:].max()) <= BUDGET_WIDTH + 0.02


def test_every_row_is_in_one_group_and_groups_rise():
    rng = np.random.default_rng(4)
    runs = runs_of(np.exp(rng.uniform(17, 22, 100)), np.exp(rng.uniform(20, 25, 100)), np.full(100, 3.0))
    groups = cheap_to_dear(runs)
    assert len(groups) == 8
    assert sorted(np.concatenate(groups).tolist()) == list(range(100))
    assert min(len(g) for g in groups) >= 3
    assert max(len(g) for g in groups) <= 30, "of scattered rows the groups are of one order"
    c = runs.train_flop
    assert all(c[one].max() < c[other].min() for one, other in pairwise(groups))


def test_the_groups_of_an_isoflop_table_are_its_budgets():
    runs, designed = isoflop_table()
    assert [set(g.tolist()) for g in cheap_to_dear(runs)] == [set(np.flatnonzero(designed == b)) for b in range(4)]


def test_groups_too_small_to_judge_by_join_their_smaller_neighbour():
    n = np.array([1e8, 1.3e8, 1.7e8, 2.2e8, 1e8, 5e8, 6e8, 7e8])
    c = np.array([1e18, 1e18, 1e18, 1e18, 1e19, 1e20, 1e20, 1e20])
    groups = cheap_to_dear(runs_of(n, c / 6 / n, np.full(8, 3.0)))
    assert [g.tolist() for g in groups] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_few_rows_are_one_group():
    assert [g.tolist() for g in cheap_to_dear(runs_of([1e8, 2e8], [1e9, 4e9], [3.0, 2.9]))] == [[0, 1]]


def test_the_nine_budgets_of_the_digitised_runs_are_the_fullest():
    folder = os.environ.get("SCALEPLAN_DATA")
    if not folder:
        pytest.skip("SCALEPLAN_DATA is not set: the measured runs are not here")
    with (Path(folder) / "chinchilla_epoch.csv").open() as file:
        rows = list(csv.DictReader(file))
    runs = runs_of(*(np.array([float(row[name]) for row in rows]) for name in ("params", "tokens", "loss")))
    found = compute_budgets(runs)
    assert found.isoflop
    nominal = np.array([6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21])
    fullest = np.sort(found.flop[np.argsort(-found.sizes)[:9]])
    # Digitised FLOPs lie a few per cent below the nominal ones of Hoffmann et al. 2022, sec. 3.2.
    assert np.abs(np.log(fullest / nominal)).max() < 0.1
    groups = cheap_to_dear(runs)
    assert len(groups) == 8
    assert min(len(g) for g in groups) >= 20
