"""Draws of a law: their distribution, and the bands of plans by them."""

import math

import numpy as np
import pytest

from scaleplan.compute.accounting import DEFAULT_ACCOUNTING
from scaleplan.errors import UsageError
from scaleplan.laws.data_constrained import DataConstrained
from scaleplan.laws.student import two_sided_quantile
from scaleplan.planning.bands import plan_ends
from scaleplan.planning.constraints import Ceiling, Range, fixed
from scaleplan.planning.draw_bands import BLOCK, bands_by_draws
from scaleplan.planning.draws import draws, law_draws
from scaleplan.planning.moved import tilt
from scaleplan.planning.optimum import surface_optimum, surface_optimum_for_loss
from scaleplan.planning.problem import Problem
from scaleplan.planning.solver import Task, solve
from scaleplan.specs.laws import load_law

LAW = load_law("besiroglu-2024")
OWN = LAW.uncertainty


def logged(law):
    surface = law.surface
    return np.array([np.log(surface.A), np.log(surface.B), np.log(surface.E), surface.alpha, surface.beta])


def part(form, i):
    """The form with the constants of one draw."""
    return form._replace(**{name: float(value[i]) for name, value in form._asdict().items() if np.ndim(value)})


def budget(flop):
    return Task(LAW, (Ceiling("flops", flop),))


def test_draws_have_the_constants_as_their_mean_and_the_widened_covariance():
    values = logged(law_draws(LAW, 200_000, seed=3))
    scale = OWN.kappa**2 * OWN.dof / (OWN.dof - 2)
    expected = scale * np.array(OWN.covariance)
    sd = np.sqrt(np.diag(expected))
    assert np.abs(values.mean(axis=1) - logged(LAW)).max() < 5 * sd.max() / math.sqrt(200_000)
    assert np.abs((np.cov(values) - expected) / np.outer(sd, sd)).max() < 0.02


def test_draws_have_student_s_tails():
    few = LAW._replace(
        uncertainty=OWN._replace(dof=4, covariance=tuple(tuple(x / 25 for x in r) for r in OWN.covariance))
    )
    alpha = law_draws(few, 200_000, seed=5).surface.alpha
    half = two_sided_quantile(0.95, 4) * OWN.kappa * math.sqrt(OWN.covariance[3][3]) / 5
    assert np.mean(np.abs(alpha - LAW.surface.alpha) < half) == pytest.approx(0.95, abs=0.003)


def test_a_seed_gives_the_same_draws_and_another_seed_others():
    first, again, other = (law_draws(LAW, 50, seed=seed).surface for seed in (7, 7, 8))
    for name in ("A", "B", "E", "alpha", "beta"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))


def test_constants_that_a_form_needs_above_zero_stay_there_and_say_how_often_they_did_not():
    wide = tuple(tuple(60 * x for x in row) for row in OWN.covariance)
    drawn = draws(LAW._replace(uncertainty=OWN._replace(covariance=wide)), 5_000, seed=1)
    surface = drawn.constants().surface
    assert len(surface.alpha) == 5_000
    assert min(surface.alpha.min(), surface.beta.min()) > 0
    assert drawn.redrawn > 0
    assert draws(LAW, 5_000, seed=1).redrawn == 0


def test_a_covariance_that_mostly_leaves_the_form_s_range_is_refused():
    wide = tuple(tuple(1e5 * x for x in row) for row in OWN.covariance)
    with pytest.raises(UsageError, match="too wide for draws"):
        draws(LAW._replace(uncertainty=OWN._replace(covariance=wide)), 100)


@pytest.mark.parametrize("name", ["kaplan-2020", "besiroglu-2024:printed", "hoffmann-2022-a1"])
def test_a_law_without_a_covariance_of_its_surface_has_no_draws(name):
    with pytest.raises(UsageError):
        draws(load_law(name), 10)


@pytest.mark.parametrize("n", [-100, 0, 1, 1_000_001, 10**12])
def test_too_few_or_too_many_draws_are_refused(n):
    with pytest.raises(UsageError, match=rf"draws must be at least 2 and at most 1,000,000 \(got {n:,}\)"):
        draws(LAW, n)


def test_repeated_data_is_drawn_with_the_surface():
    own = LAW.surface
    law = LAW._replace(repeated=DataConstrained(own.E, own.A, own.B, own.alpha, own.beta, 15.4, 5.3))
    drawn = law_draws(law, 20, seed=2)
    assert np.array_equal(drawn.repeated.alpha, drawn.surface.alpha)
    at_once = bands_by_draws(Task(law, (Ceiling("flops", 1e22),), unique_tokens=2e10), 500, seed=2)
    one_by_one = []
    for i in range(20):
        one = law._replace(surface=part(drawn.surface, i), repeated=part(drawn.repeated, i))
        one_by_one.append(solve(Task(one, (Ceiling("flops", 1e22),), unique_tokens=2e10)).loss)
    together = solve(Task(drawn, (Ceiling("flops", 1e22),), unique_tokens=2e10)).loss
    assert together == pytest.approx(np.array(one_by_one), rel=1e-10)
    assert at_once.of["params"].low < at_once.of["params"].high


def test_draws_are_solved_together_as_each_alone():
    money = Ceiling("usd", limit=1e7, per_flop=1e-17, beside=lambda params: 2e-5 * params)
    task = Task(LAW, (Ceiling("flops", 1e24), money, Range("memory", "params", None, 1e11)))
    drawn = law_draws(LAW, 30, seed=6)
    for more in ({}, {"loss": 2.1}):
        asked = task._replace(**more)
        together = solve(asked._replace(law=drawn))
        for i in range(30):
            alone = solve(asked._replace(law=LAW._replace(surface=part(drawn.surface, i))))
            assert together.feasible[i] == alone.feasible
            spent = together.spent(asked, Ceiling("flops"))[i]
            assert together.loss[i] == pytest.approx(alone.loss, rel=1e-11)
            assert spent == pytest.approx(alone.spent(asked, Ceiling("flops")), rel=1e-6)


@pytest.mark.parametrize("shift", [-0.7, 0.0, 1.2])
def test_a_tilted_law_moves_the_best_size_and_neither_loss_nor_compute(shift):
    plain, moved = solve(budget(1e23)), solve(budget(1e23)._replace(law=tilt(LAW, shift)))
    assert math.log(moved.params / plain.params) == pytest.approx(shift, abs=1e-6)
    assert moved.loss == pytest.approx(plain.loss, rel=1e-12)
    surface = tilt(LAW, shift).surface
    tokens = surface.tokens_for_loss(1e10, 2.2)
    assert surface.loss(1e10, tokens) == pytest.approx(2.2, rel=1e-12)
    assert surface.params_for_loss(tokens, 2.2) == pytest.approx(1e10, rel=1e-9)


@pytest.mark.parametrize("flop", [1e21, 1e22, 1e23, 1e24, 1e25])
def test_bands_of_a_free_plan_agree_with_the_delta_method(flop):
    point = surface_optimum(LAW, LAW.surface, DEFAULT_ACCOUNTING, flop)
    ends = plan_ends(LAW, Problem(train_flop=flop), point)
    found = bands_by_draws(budget(flop), 20_000, seed=1).ends()
    assert set(found) == set(ends)
    for key, centre in (("params", point.size.total), ("tokens", point.tokens), ("loss", point.loss)):
        for end in ("low", "high"):
            own, other = (math.log(each[f"{key}_{end}"] / centre) for each in (found, ends))
            assert own == pytest.approx(other, rel=0.06), (key, end)


def test_the_budget_of_a_loss_has_the_delta_method_s_band_and_its_other_ends():
    point = surface_optimum_for_loss(LAW, LAW.surface, DEFAULT_ACCOUNTING, 2.3)
    ends = plan_ends(LAW, Problem(loss=2.3), point)
    found = bands_by_draws(Task(LAW, (), loss=2.3), 20_000, seed=1).ends()
    assert "loss_low" not in found
    for key in ("train_flop_low", "train_flop_high", "params_low", "params_high", "tokens_low", "tokens_high"):
        assert found[key] == pytest.approx(ends[key], rel=0.05), key


def test_a_law_that_overstates_its_losses_errors_has_its_own_band_of_them():
    law = LAW._replace(uncertainty=OWN._replace(kappa=0.5, tau=0.0, drift=0.0))
    point = surface_optimum(law, law.surface, DEFAULT_ACCOUNTING, 1e22)
    ends = plan_ends(law, Problem(train_flop=1e22), point)
    found = bands_by_draws(Task(law, (Ceiling("flops", 1e22),)), 20_000, seed=4).ends()
    for key, centre in (("loss_high", point.loss), ("params_high", point.size.total)):
        assert math.log(found[key] / centre) == pytest.approx(math.log(ends[key] / centre), rel=0.05), key


def test_what_is_at_its_bound_under_every_draw_has_no_band():
    task = Task(LAW, (Ceiling("flops", 1e23), Range("max_params", "params", None, 5e9)))
    found = bands_by_draws(task, 2_000)
    assert found.of["params"].low == found.of["params"].high == pytest.approx(5e9, rel=1e-9)
    assert set(found.ends()) == {"loss_low", "loss_high"}


def test_a_bound_that_only_some_draws_reach_ends_the_band():
    task = Task(LAW, (Ceiling("flops", 1e22), Range("max_params", "params", None, 8e9)))
    found = bands_by_draws(task, 2_000).of["params"]
    assert found.high == pytest.approx(8e9, rel=1e-9)
    assert found.low < 7.9e9


def test_a_fixed_size_leaves_the_band_of_the_loss_alone():
    task = Task(LAW, (Ceiling("flops", 1e22), fixed("params", "params", 1e10)))
    assert set(bands_by_draws(task, 500).ends()) == {"loss_low", "loss_high"}


def test_money_that_serving_takes_has_the_band_of_the_size_it_serves():
    money = Ceiling("usd", limit=5e6, per_flop=1e-16, beside=lambda params: 1e-5 * params)
    found = bands_by_draws(Task(LAW, (Ceiling("flops", 1e22), money)), 2_000, ceilings=(money,)).of
    for end in ("low", "median", "high"):
        assert getattr(found["usd"], end) == pytest.approx(1e6 + 1e-5 * getattr(found["params"], end), rel=1e-9)
    assert found["usd"].low < found["usd"].high


def test_money_that_binds_has_no_band_and_the_size_that_it_leaves_one():
    money = Ceiling("usd", limit=5e5, per_flop=1e-16, beside=lambda params: 1e-5 * params)
    ends = bands_by_draws(Task(LAW, (Ceiling("flops", 1e22), money)), 2_000, ceilings=(money,)).ends()
    assert "usd_low" not in ends
    assert ends["params_low"] < ends["params_high"]
    assert ends["train_flop_low"] < ends["train_flop_high"] < 5e21


def test_days_of_a_loss_have_the_band_of_its_compute():
    days = Ceiling("days", per_flop=1e-21)
    found = bands_by_draws(Task(LAW, (), loss=2.3), 2_000, ceilings=(days,)).of
    for end in ("low", "median", "high"):
        assert getattr(found["days"], end) == pytest.approx(1e-21 * getattr(found["train_flop"], end), rel=1e-9)


def test_a_loss_that_draws_do_not_reach_leaves_the_high_end_open():
    found = bands_by_draws(Task(LAW, (), loss=1.88), 4_000, seed=1)
    assert 0.5 < found.reached < 0.975
    assert found.of["train_flop"].high is None
    assert found.ends()["train_flop_high"] is None
    task = Task(LAW, (), loss=1.88)
    assert found.of["train_flop"].low < solve(task).spent(task, Ceiling("flops"))


def test_blocks_leave_no_seam():
    together = bands_by_draws(budget(1e24), BLOCK + 100, seed=9)
    assert together.draws == BLOCK + 100
    drawn = law_draws(LAW, BLOCK + 100, seed=9)
    losses = np.sort(solve(budget(1e24)._replace(law=drawn)).loss)
    assert len(losses) == BLOCK + 100
    assert together.of["loss"].median == pytest.approx(losses[len(losses) // 2], rel=5e-3)


def test_a_problem_of_arrays_or_without_a_solution_has_no_bands_by_draws():
    with pytest.raises(UsageError, match="one problem"):
        bands_by_draws(budget(np.array([1e21, 1e22])), 10)
    with pytest.raises(UsageError, match="one problem"):
        bands_by_draws(Task(LAW, (), loss=1.0), 10)
