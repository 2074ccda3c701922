"""The figures that the main path must give; expected values from the papers or from arithmetic on their digits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

import scaleplan
from scaleplan import UsageError, allocate, compare, frontier, load_law, predict
from scaleplan.compute.accounting import Accounting
from scaleplan.conventions import FlopConvention
from scaleplan.search import argmin


@pytest.mark.parametrize(
    ("flops", "params", "ratio", "loss"),
    [(1e24, 96.0e9, 18.08, 1.9593), (1e21, 2.782e9, 21.53, 2.3048)],
)
def test_the_default_law_gives_the_published_optimum(flops, params, ratio, loss):
    plan = allocate(flops=flops)
    assert plan.law.id == "besiroglu-2024"
    assert plan.params == pytest.approx(params, rel=1e-3)
    assert plan.tokens_per_param == pytest.approx(ratio, abs=0.006)
    assert plan.loss == pytest.approx(loss, abs=6e-5)
    assert 6 * plan.params * plan.tokens == pytest.approx(flops, rel=1e-12)


def test_the_rounded_digits_give_what_the_rounded_digits_give():
    plan = allocate(flops=1e24, law="besiroglu-2024:printed")
    assert (plan.params, plan.tokens_per_param, plan.loss) == pytest.approx((95.86e9, 18.14, 1.9597), rel=3e-4)
    assert plan.loss_low is None


def test_kaplan_at_1e21_gives_hoffmanns_4_68_billion_because_c_is_twice_c_min():
    plan = allocate(flops=1e21, law="km")
    assert plan.params_nonembedding == pytest.approx(4.68e9, rel=2e-3)
    assert plan.problem.accounting.flop is FlopConvention.SIX_ND_NONEMBEDDING
    assert allocate(flops=1e21, law="km:c-min").params_nonembedding == pytest.approx(7.8e9, rel=0.01)
    assert plan.params > plan.params_nonembedding


def test_three_routes_agree_on_the_loss_to_one_in_a_billion():
    """Closed form, golden-section search, scipy and a brute grid, on the same law and budgets."""
    law = load_law("chinchilla").surface
    for flop in (1e18, 1e21, 1e24, 1e27):
        closed = law.optimum(flop).loss

        def loss_at(x, flop=flop):
            return law.loss(math.exp(x), flop / (6 * math.exp(x)))

        numeric = loss_at(argmin(loss_at, 0.0, math.log(flop / 6)))
        scipys = minimize_scalar(loss_at, bounds=(10, 40), method="bounded", options={"xatol": 1e-10}).fun
        x = np.linspace(math.log(law.optimum(flop).params) - 0.2, math.log(law.optimum(flop).params) + 0.2, 400_001)
        brute = np.min(law.loss(np.exp(x), flop / (6 * np.exp(x))))
        assert numeric == pytest.approx(closed, rel=1e-9)
        assert scipys == pytest.approx(closed, rel=1e-9)
        assert brute == pytest.approx(closed, rel=1e-9)


def test_the_frontier_grows_as_each_paper_says():
    growth = {}
    for law in ("km", "besiroglu-2024", "hoffmann-2022-a1:published"):
        point = frontier(law=law, start=1e22, stop=1e22).points[0]
        growth[law] = (
            point.params_nonembedding_growth_per_10x if law == "km" else point.params_growth_per_10x,
            point.tokens_growth_per_10x,
        )
    assert growth["km"] == pytest.approx((5.37, 1.86), abs=5e-3)
    assert growth["besiroglu-2024"] == pytest.approx((3.26, 3.07), abs=5e-3)
    assert growth["hoffmann-2022-a1:published"] == pytest.approx((3.16, 3.16), abs=5e-3)
    published = load_law("hoffmann-2022-a1").published_exponents
    assert (10**published.params, 10**published.tokens) == pytest.approx((3.16, 3.16), abs=5e-3)


def test_chinchilla_beats_gopher_under_chinchilla_and_loses_under_kaplan():
    rows = {(row.law.id, row.option): row for row in compare().rows}
    chinchilla = {name: rows["besiroglu-2024", f"{name}"].loss for name in ("gopher-280b", "chinchilla-70b")}
    kaplan = {name: rows["kaplan-2020", f"{name}"].loss for name in ("gopher-280b", "chinchilla-70b")}
    assert chinchilla["chinchilla-70b"] < chinchilla["gopher-280b"]
    assert kaplan["gopher-280b"] < kaplan["chinchilla-70b"]
    assert all(row.train_flop == pytest.approx(5.76e23, rel=1e-12) for row in rows.values())


def test_misallocation_costs_what_the_scale_free_identity_says():
    """Same loss with N = k N* costs k / [1 + (beta/alpha)(1 - k^-alpha)]^(1/beta) times the compute."""
    law = load_law("chinchilla").surface
    best = law.optimum(1e24)
    for k, extra in ((0.75, 0.034), (0.5, 0.259), (0.25, 3.47)):
        tokens = law.tokens_for_loss(k * best.params, best.loss)
        assert 6 * k * best.params * tokens / 1e24 - 1 == pytest.approx(extra, rel=0.02)


def test_the_printed_digits_of_approach_3_are_refused_with_the_reason():
    with pytest.raises(UsageError, match=r"rounded to two digits.*use\s+hoffmann-2022-a3"):
        allocate(flops=1e24, law="hoffmann-2022-a3:printed")
    assert predict(params="70B", tokens="1.4T", law="hoffmann-2022-a3:printed").loss > 1.69


def test_bands_follow_the_documented_recipe():
    """The recipe of docs/decisions/0003, computed here from the preset's covariance with numpy and scipy."""
    from scipy.stats import t

    law = load_law("chinchilla")
    u, form = law.uncertainty, law.surface
    for flop in (1e20, 1e24, 1e26):
        plan = allocate(flops=flop, law=law)
        n, d = plan.params, plan.tokens
        a, b = form.A * n**-form.alpha, form.B * d**-form.beta
        g = np.array([a, b, form.E, -a * math.log(n), -b * math.log(d)]) / plan.loss
        beyond = max(0.0, math.log10(flop / 1.3e22))
        quantile = t.ppf(0.975, 235)
        spread = math.sqrt(1.7**2 * (g @ np.array(u.covariance) @ g + u.residual_sd**2) + (0.01 * beyond) ** 2)
        assert math.log(plan.loss_high / plan.loss) == pytest.approx(quantile * spread, rel=1e-9)
        assert math.log(plan.loss / plan.loss_low) == pytest.approx(quantile * spread, rel=1e-9)

        def ln_optimum(theta, flop=flop):
            ln_a, ln_b, _, alpha, beta = theta
            return (math.log(alpha / beta) + ln_a - ln_b + beta * math.log(flop / 6)) / (alpha + beta)

        theta = np.array([math.log(form.A), math.log(form.B), math.log(form.E), form.alpha, form.beta])
        steps = np.eye(5) * 1e-6
        h = np.array([(ln_optimum(theta + s) - ln_optimum(theta - s)) / 2e-6 for s in steps])
        spread = math.sqrt(1.7**2 * (h @ np.array(u.covariance) @ h) + (0.3 * beyond) ** 2)
        for low, value, high in (
            (plan.params_low, n, plan.params_high),
            (plan.tokens_low, d, plan.tokens_high),
        ):
            assert math.log(high / value) == pytest.approx(quantile * spread, rel=1e-5)
            assert math.log(value / low) == pytest.approx(quantile * spread, rel=1e-5)
        assert math.log(plan.tokens_per_param_high / plan.tokens_per_param) == pytest.approx(
            2 * quantile * spread, rel=1e-5
        )


def test_numeric_optimum_under_a_converted_convention_is_the_best_of_a_brute_grid():
    law = load_law("chinchilla")
    accounting = Accounting(flop=FlopConvention.SIX_ND_NONEMBEDDING)
    from scaleplan.planning.allocation import allocate as plan_for
    from scaleplan.planning.problem import Problem

    plan = plan_for(law, Problem(train_flop=1e20, accounting=accounting))
    n = np.exp(np.linspace(math.log(plan.params) - 1, math.log(plan.params) + 1, 200_001))
    d = 1e20 / (6 * accounting.embeddings.nonembedding(n))
    assert plan.loss == pytest.approx(float(np.min(law.surface.loss(n, d))), rel=1e-9)


def test_the_public_names_are_these():
    assert sorted(scaleplan.__all__) == dir(scaleplan)
    assert dir(scaleplan) == [
        "Ability", "Accelerator", "CatalogueModel", "ComparedOption", "Comparison", "ConvergenceError", "Costing",
        "Event", "Follower", "Frontier", "FrontierPoint", "HyperRow", "Hyperparameters", "InfeasibleError",
        "InputFileError", "Law", "LawFit", "LawRecord", "Notice", "Option", "PilotPlan", "Plan", "Prediction",
        "RunForecast", "ScaleplanError", "Schedule", "ScoredPilots", "Tradeoff", "TradeoffRow", "TrainingLog",
        "Transformer", "UsageError", "Watch", "WatchedFolder", "__version__", "allocate", "collect_pilots", "compare",
        "cost", "fit", "follow", "forecast", "frontier", "hyper", "law_record", "layout", "list_abilities",
        "list_accelerators", "list_laws", "list_models", "load_ability", "load_accelerator", "load_law", "load_model",
        "pilot", "predict", "read_log", "score_pilots", "shape", "sweep", "tradeoff", "watch", "watch_folder",
        "write_pilots",
    ]  # fmt: skip
    assert all(getattr(scaleplan, name) is not None for name in scaleplan.__all__)
