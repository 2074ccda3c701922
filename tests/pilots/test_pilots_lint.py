"""What is said of a set of runs before any is made: each finding alone, none of a good grid."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaleplan.pilots.certainty import Target, condition_number
from scaleplan.pilots.lint import lint, ranges
from tests.pilots.worlds import grid, plausible, points

GOAL = Target(1e24)


def codes(runs, condition=1e3, target=GOAL):
    return {notice.code for notice in lint(runs, target, condition)}


def said(runs, code, condition=1e3, target=GOAL):
    return next(notice.message for notice in lint(runs, target, condition) if notice.code == code)


def test_nothing_is_said_of_a_good_grid():
    runs = grid(6, 6, 3e8, 1e10, 36.0)
    assert codes(runs, condition_number(plausible(), runs)) == set()


def test_five_different_runs_leave_none_to_judge_the_fit_by():
    runs = points([1e8, 3e8, 1e9, 3e9, 1e10, 1e10], [1e12, 3e9, 5e10, 1e12, 2e11, 2e11])
    assert "few_runs" in codes(runs)
    assert said(runs, "few_runs").startswith("5 different runs for the 5 constants of the law: at least 6")
    assert "few_runs" not in codes(runs.and_(points([2e9], [2e11])))


def test_one_ray_is_told_by_its_ratios():
    sizes = np.geomspace(1e9, 1e10, 12)
    text = said(points(sizes, 20 * sizes), "narrow_ratio")
    assert "tokens a parameter span 0.00 decades, 20 to 20" in text
    wide = points(sizes, sizes * np.geomspace(5.1, 5.1 * 10**1.51, 12))
    assert "narrow_ratio" not in codes(wide)
    narrow = points(sizes, sizes * np.geomspace(5.1, 5.1 * 10**1.49, 12))
    assert "narrow_ratio" in codes(narrow)


@pytest.mark.parametrize(("decades", "narrow"), [(1.45, True), (1.55, False)])
def test_compute_must_span_a_decade_and_a_half(decades, narrow):
    ratio = np.tile([6.0, 60.0, 600.0], 4)
    flop = np.geomspace(1e21, 1e21 * 10**decades, 12)
    size = np.sqrt(flop / 6 / ratio)
    assert ("narrow_flop" in codes(points(size, size * ratio))) is narrow


@pytest.mark.parametrize(
    ("condition", "text"), [(2e6, "have a condition number of 2.0e+06"), (math.inf, "cannot be told")]
)
def test_constants_that_runs_hardly_tell(condition, text):
    assert text in said(grid(), "ill_conditioned", condition)
    assert "ill_conditioned" not in codes(grid(), 1e4)


def test_far_from_the_target_and_beyond_it():
    runs = grid(6, 6, 3e8, 3e9)
    assert "far_target" in codes(runs, target=Target(1e26))
    assert said(runs, "far_target", target=Target(1e26)).startswith(
        "the dearest run is 5.0 decades short of the target"
    )
    assert codes(runs, target=Target(float(runs.flop.max()))) >= {"no_target"}
    assert codes(runs, target=Target(float(runs.flop.max()) * 1.01)) & {"no_target", "far_target"} == set()


def test_runs_of_few_tokens_are_counted():
    sizes = np.geomspace(1e9, 1e10, 6)
    runs = points(np.tile(sizes, 2), np.concatenate([sizes * 4.9, sizes * np.geomspace(10, 900, 6)]))
    assert said(runs, "starved_runs").startswith("6 of 12 runs have fewer than 5 tokens a parameter")
    third = points(np.tile(sizes, 3), np.concatenate([sizes * 4.9, sizes * 50, sizes * np.geomspace(10, 900, 6)]))
    assert "starved_runs" not in codes(third), "a third is not too many"


def test_spans_are_in_decades():
    spans = ranges(points([1e8, 1e10], [1e11, 1e11]), GOAL)
    assert (spans.params, spans.ratio, spans.flop) == pytest.approx((2.0, 2.0, 2.0))
    assert spans.short == pytest.approx(math.log10(1e24 / 6e21))


def test_seeds_of_one_point_are_one_run():
    runs = points(np.full(30, 1e9), np.full(30, 2e10))
    assert said(runs, "few_runs").startswith("1 run for")
