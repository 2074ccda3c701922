"""The ten values that Sardana et al. 2023 (arXiv 2401.00448) publish for a life of training and serving.

They come from the one solver: through the checks of the law's preset, and through a service as plans have it; and a
brute grid agrees with both.
"""

from __future__ import annotations

import numpy as np
import pytest

from scaleplan import law_record, load_law
from scaleplan.compute.demand import Demand
from scaleplan.compute.serving import Service
from scaleplan.errors import UsageError
from scaleplan.laws.expression import evaluate
from scaleplan.planning.constraints import Ceiling
from scaleplan.planning.solver import Task, solve
from scaleplan.specs.check_functions import serving_plan

RECORD = law_record("sardana-2023")
SURFACE = RECORD.groups["coeffs_used"].form
LAW = load_law("besiroglu-2024")._replace(surface=SURFACE, uncertainty=None)


def planned(params, served):
    """The least 6 N D + 2 N D_inf as good as ``params`` on their compute-optimal tokens, and what those take."""
    tokens = SURFACE.tokens_for_params(params)
    expense = Ceiling("flops", beside=Service(Demand(served)).flop)
    task = Task(LAW, (), loss=SURFACE.loss(params, tokens), expense=expense)
    best = solve(task)
    return best, best.spent(task, expense), params * (6 * tokens + 2 * served)


def test_the_preset_records_ten_values_and_all_are_reproduced():
    assert len(RECORD.checks) == 10
    for check in RECORD.checks:
        assert check.outcome == "reproduced"
        assert abs(check.value(RECORD) / check.expected - 1) <= check.rtol, check.what
    assert sum("serving_plan(" in check.expression for check in RECORD.checks) == 8


@pytest.mark.parametrize(
    ("params", "served", "best_params", "best_tokens", "saving", "rtol"),
    [
        (3e10, 5e12, 1.64e10, 3.27e12, 0.16, 0.005),
        (7e10, 1e13, 4.16e10, 7.92e12, 0.12, 0.005),
        (7e9, 1e11, 6e9, None, None, 0.01),
    ],
)
def test_a_service_in_the_solver_gives_the_published_plans(params, served, best_params, best_tokens, saving, rtol):
    best, spent, original = planned(params, served)
    assert best.feasible
    assert best.params == pytest.approx(best_params, rel=rtol)
    if best_tokens is None:
        assert best.tokens / SURFACE.tokens_for_params(params) == pytest.approx(1.18, rel=0.01)
    else:
        assert best.tokens == pytest.approx(best_tokens, rel=rtol)
        assert 1 - spent / original == pytest.approx(saving, rel=0.03)


@pytest.mark.parametrize(("params", "tokens"), [(3e10, 1.56e12), (7e10, 4.26e12)])
def test_the_compute_optimal_tokens_are_those_of_the_solver_too(params, tokens):
    assert SURFACE.tokens_for_params(params) == pytest.approx(tokens, rel=0.005)
    budget = 6 * params * SURFACE.tokens_for_params(params)
    best = solve(Task(LAW, (Ceiling("flops", budget),)))
    assert best.params == pytest.approx(params, rel=1e-6)
    assert best.tokens == pytest.approx(tokens, rel=0.005)


@pytest.mark.parametrize("params", [1e9, 3e10, 7e10])
@pytest.mark.parametrize("served", [1e9, 1e12, 5e12, 1e14])
def test_the_plan_is_the_cheapest_of_a_brute_grid_of_equal_quality(params, served):
    tokens = SURFACE.tokens_for_params(params)
    quality = SURFACE.loss(params, tokens)
    least = (SURFACE.A / (quality - SURFACE.E)) ** (1 / SURFACE.alpha)
    sizes = np.exp(np.linspace(np.log(least * 1.0001), np.log(params), 400_001))
    lefts = quality - SURFACE.E - SURFACE.A * sizes**-SURFACE.alpha
    costs = sizes * (6 * (SURFACE.B / lefts) ** (1 / SURFACE.beta) + 2 * served)
    cheapest = costs.argmin()
    for best, spent in (
        planned(params, served)[:2],
        (serving_plan(SURFACE, params, served), None),
    ):
        assert best.params == pytest.approx(sizes[cheapest], rel=1e-4)
        assert SURFACE.loss(best.params, best.tokens) == pytest.approx(quality, rel=1e-12)
        if spent is not None:
            assert spent == pytest.approx(costs[cheapest], rel=1e-7)
            assert spent <= costs[cheapest] * (1 + 1e-12)
    original = params * (6 * tokens + 2 * served)
    assert serving_plan(SURFACE, params, served).saving == pytest.approx(1 - costs[cheapest] / original, abs=1e-7)


def test_at_the_best_size_the_marginal_conditions_hold():
    """(6 D + 2 D_inf) / (6 N) = (alpha A N^(-alpha - 1)) / (beta B D^(-beta - 1)), Lagrange's for the two."""
    best, _, _ = planned(3e10, 5e12)
    N, D = best.params, best.tokens
    left = (6 * D + 2 * 5e12) / (6 * N)
    right = (SURFACE.alpha * SURFACE.A * N ** (-SURFACE.alpha - 1)) / (
        SURFACE.beta * SURFACE.B * D ** (-SURFACE.beta - 1)
    )
    assert left == pytest.approx(right, rel=1e-6)


def test_the_more_is_served_the_smaller_and_the_longer_trained_the_model():
    plans = [serving_plan(SURFACE, 3e10, served) for served in (1e8, 1e11, 1e12, 1e13, 1e14)]
    assert (np.diff([plan.params for plan in plans]) < 0).all()
    assert (np.diff([plan.tokens for plan in plans]) > 0).all()
    assert (np.diff([plan.saving for plan in plans]) > 0).all()


def test_with_nothing_to_serve_the_compute_optimal_model_is_the_cheapest():
    plan = serving_plan(SURFACE, 3e10, 0.0)
    assert plan.params == pytest.approx(3e10, rel=1e-6)
    assert plan.tokens == pytest.approx(SURFACE.tokens_for_params(3e10), rel=1e-6)
    assert plan.saving == pytest.approx(0.0, abs=1e-9)


def test_many_demands_at_once_give_what_each_gives():
    served = np.array([1e11, 1e12, 1e13])
    many = serving_plan(SURFACE, 3e10, served)
    for i, each in enumerate(served.tolist()):
        one = serving_plan(SURFACE, 3e10, each)
        assert many.params[i] == pytest.approx(one.params, rel=1e-5)
        assert many.saving[i] == pytest.approx(one.saving, rel=1e-9)


def test_attention_and_bandwidth_make_the_best_model_smaller_still():
    """In FLOPs attention adds to what serving takes; both are more by the parameter than 2 D_inf alone."""
    plain, _, _ = planned(3e10, 5e12)
    tokens = SURFACE.tokens_for_params(3e10)
    longer = Ceiling("flops", beside=Service(Demand(5e12, prompt=30_000.0, answer=2000.0)).flop)
    best = solve(Task(LAW, (), loss=SURFACE.loss(3e10, tokens), expense=longer))
    assert best.params < 0.97 * plain.params
    assert best.tokens > plain.tokens


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("serving_plan(1, 2, 3).params", "serving_plan takes a group of the form additive first"),
        ("serving_plan(examples, 3e10, 5e12).params", "serving_plan takes a group of the form additive first"),
        ("serving_plan(coeffs_used, 3e10).params", "has no value"),
        ("serving_plan(coeffs_used, 3e10, 5e12)", "is not a number"),
        ("serving_plan(coeffs_used, -3e10, 5e12).params", "has no value"),
        ("serving_plan(coeffs_used, 3e10, 5e12).__class__", "is not allowed"),
        ("serving_plan.params", "no group is called 'serving_plan'"),
        ("solve(coeffs_used)", "cannot be called"),
    ],
)
def test_checks_call_it_with_care(text, problem):
    with pytest.raises(UsageError) as caught:
        evaluate(text, RECORD.groups, RECORD.functions)
    assert problem in caught.value.message


def test_expressions_have_it_only_where_it_is_given():
    with pytest.raises(UsageError, match="cannot be called"):
        evaluate("serving_plan(coeffs_used, 3e10, 5e12).params", RECORD.groups)
