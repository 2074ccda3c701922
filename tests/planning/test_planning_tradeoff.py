"""Runs of one loss, the front of training, serving and loss, and the break-even of two plans."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from scaleplan.compute.accounting import Accounting
from scaleplan.compute.demand import Demand
from scaleplan.compute.serving import Service
from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.laws.additive import Additive
from scaleplan.planning.comparison import Option
from scaleplan.planning.equal_loss import RATIOS
from scaleplan.planning.tradeoff import BUDGETS, between, tradeoff
from scaleplan.specs.laws import load_law, resolve_laws
from scaleplan.specs.serving import read_serving, service_of

DEFAULT = load_law("besiroglu-2024")
SURFACES = [law for law in resolve_laws("all", ()) if law.surface is not None and "allocate" not in law.refuses]
ADDITIVE = [law for law in SURFACES if type(law.surface).__name__ == "Additive" and law.counts_as(law.counts_flop)]
SERVED = 2e12


def traded(law=DEFAULT, *, flop=1e24, loss=None, served=None):
    return tradeoff(
        law,
        train_flop=None if loss else flop,
        loss=loss,
        accounting=Accounting(flop=law.counts_flop),
        service=None if served is None else Service(Demand(served)),
    )


def held_against(first, second, *, law=DEFAULT, served=None):
    service = None if served is None else Service(Demand(served))
    return between(law, first, second, accounting=Accounting(flop=law.counts_flop), service=service)


def curve_of(found):
    return {row.params_ratio: row for row in found.rows if row.kind == "equal-loss" and row.tokens is not None}


def counted(law, row):
    """The parameters of a row as the law counts them."""
    return {"total": row.params, "nonembedding": row.params_nonembedding}[law.counts_params.value]


def codes(found):
    return [notice.code for notice in found.warnings]


# the curve of equal loss


@pytest.mark.parametrize(
    ("ratio", "extra"),
    [(1.3, "2.3"), (0.75, "3.4"), (0.7, "5.4"), (0.5, "25.9"), (0.33, "113.5"), (0.25, "346.7")],
)
def test_a_smaller_model_takes_so_much_more_compute_for_the_same_loss(ratio, extra):
    assert f"{100 * curve_of(traded())[ratio].extra_share:.1f}" == extra


def test_a_fifth_of_the_parameters_takes_fourteen_times_the_compute():
    assert curve_of(traded())[0.2].extra_share == pytest.approx(13.1, abs=0.01)


@pytest.mark.parametrize(("ratio", "times"), [(0.75, "1.38"), (0.5, "2.52"), (0.25, "17.87")])
def test_and_so_many_times_the_tokens(ratio, times):
    curve = curve_of(traded())
    assert f"{curve[ratio].tokens / curve[1.0].tokens:.2f}" == times


def test_below_0_146_of_the_parameters_no_tokens_reach_the_loss():
    found = traded()
    assert f"{found.least_params_ratio:.3f}" == "0.146"
    (least,) = (row for row in found.rows if row.tokens is None)
    assert least.kind == "equal-loss"
    assert least.params_ratio == found.least_params_ratio
    assert (least.train_flop, least.extra_share, least.break_even_tokens, least.tokens_per_param) == (None,) * 4
    surface, floor = DEFAULT.surface, found.loss
    assert surface.loss(least.params * 1.001, 1e200) < floor < surface.loss(least.params * 0.999, 1e200)


@pytest.mark.parametrize("law", ADDITIVE, ids=lambda law: law.id)
@pytest.mark.parametrize("flop", [1e20, 1e24])
def test_the_curve_of_an_additive_law_is_the_closed_form_at_any_budget(law, flop):
    found = traded(law, flop=flop)
    alpha, beta = law.surface.alpha, law.surface.beta
    least = (1 + alpha / beta) ** (-1 / alpha)
    assert found.least_params_ratio == pytest.approx(least, rel=1e-10)
    curve = curve_of(found)
    assert list(curve) == [k for k in RATIOS if k > least]
    for k, row in curve.items():
        tokens = (1 + beta / alpha * (1 - k**-alpha)) ** (-1 / beta)
        # Where the least ratio is near, the tokens rise too steeply for rounding to leave more digits.
        assert row.tokens / curve[1.0].tokens == pytest.approx(tokens, rel=1e-9 if k > 1.2 * least else 1e-7)
        assert row.extra_share == pytest.approx(k * tokens - 1, rel=1e-6, abs=1e-12)


def test_the_laws_of_this_test_are_more_than_one():
    assert {"besiroglu-2024", "hoffmann-2022-a3", "muennighoff-2023"} <= {law.id for law in ADDITIVE}
    assert {"kaplan-2020", "krajewski-2024", "abnar-2025"} <= {law.id for law in SURFACES}


@pytest.mark.parametrize("law", SURFACES, ids=lambda law: law.id)
def test_under_every_law_with_a_surface_runs_of_the_curve_reach_the_loss_and_none_takes_less(law):
    found = traded(law, flop=3e22)
    for row in curve_of(found).values():
        params = counted(law, row)
        assert law.surface.loss(params, row.tokens) == pytest.approx(found.loss, rel=1e-12)
        flop = law.counts_flop.per_param_token * params * row.tokens
        assert row.train_flop == pytest.approx(flop, rel=1e-9)
        assert row.extra_share == pytest.approx(flop / 3e22 - 1, abs=1e-9)
        assert row.extra_share >= -1e-12
    extra = [row.extra_share for row in curve_of(found).values()]
    lowest = extra.index(0.0)
    assert extra[: lowest + 1] == sorted(extra[: lowest + 1], reverse=True)
    assert extra[lowest:] == sorted(extra[lowest:])


def test_the_loss_to_keep_gives_the_same_curve_as_its_budget():
    by_flop = traded(flop=1e24)
    by_loss = traded(loss=by_flop.loss)
    assert by_loss.train_flop == pytest.approx(1e24, rel=1e-9)
    for one, other in zip(by_flop.rows, by_loss.rows, strict=True):
        assert one.params == pytest.approx(other.params, rel=1e-9)
        assert one.loss == pytest.approx(other.loss, rel=1e-12)


# break-even and life


def test_at_its_break_even_a_run_has_taken_as_much_as_the_optimum():
    curve = curve_of(traded())
    best = curve[1.0]
    for k, row in curve.items():
        if k >= 1:
            assert row.break_even_tokens is None
            continue
        tokens = row.break_even_tokens
        own, other = (6 * each.params * each.tokens + 2 * each.params * tokens for each in (row, best))
        assert own == pytest.approx(other, rel=1e-9)
    later = [row.break_even_tokens for k, row in curve.items() if k < 1]
    assert later == sorted(later)


def test_kaplan_s_c_min_is_half_of_what_training_takes_at_the_critical_batch():
    law = load_law("kaplan-2020:c-min")
    curve = curve_of(traded(law, flop=1e21, served=1e11))
    best, row = curve[1.0], curve[0.75]
    assert best.train_flop == pytest.approx(3 * best.params_nonembedding * best.tokens, rel=1e-9)
    assert best.lifetime_flop == pytest.approx(2 * best.train_flop + 2 * best.params * 1e11, rel=1e-12)
    saved = 2 * (best.params - row.params)
    assert row.break_even_tokens == pytest.approx(2 * (row.train_flop - best.train_flop) / saved, rel=1e-12)


@pytest.mark.parametrize("served", [1e9, 1e11, 2e12, 1e14])
@pytest.mark.parametrize("law", [DEFAULT, load_law("kaplan-2020")], ids=lambda law: law.id)
def test_the_least_life_is_that_of_a_dense_scan(law, served):
    found = traded(law, flop=1e24, served=served)
    (least,) = (row for row in found.rows if row.kind == "equal-loss" and row.least_lifetime)
    accounting = Accounting(flop=law.counts_flop)
    start, stop = math.log(found.least_params_ratio), 0.05
    best = next(row for row in found.rows if row.params_ratio == 1.0)
    lives = []
    for i in range(1, 4000):
        size = accounting.size(counted(law, best) * math.exp(start + (stop - start) * i / 4000), law.counts_params)
        tokens = law.surface.tokens_for_loss(size.counted(law.counts_params), found.loss)
        lives.append(accounting.train_flop(size, tokens) + 2 * size.total * served)
    assert least.lifetime_flop <= min(lives) * (1 + 1e-12)
    assert least.lifetime_flop == pytest.approx(min(lives), rel=1e-5)
    others = [row for row in found.rows if row.kind == "equal-loss" and row.lifetime_flop and row is not least]
    assert all(row.lifetime_flop >= least.lifetime_flop and row.least_lifetime is not True for row in others)


def test_the_least_life_meets_sardana_s_condition():
    """(6 D + 2 T) / (6 N) is the slope dD/dN at one loss, alpha A N^-alpha / N over beta B D^-beta / D."""
    found = traded(served=SERVED)
    (row,) = (row for row in found.rows if row.kind == "equal-loss" and row.least_lifetime)
    law, N, D = DEFAULT.surface, row.params, row.tokens
    ratio = (6 * D + 2 * SERVED) / (6 * N)
    slope = (law.alpha * law.A * N ** (-law.alpha - 1)) / (law.beta * law.B * D ** (-law.beta - 1))
    assert ratio == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize(
    ("params", "served", "least", "tokens", "saved"),
    [(3e10, 5e12, 1.64e10, 3.27e12, 0.16), (7e10, 1e13, 4.16e10, 7.92e12, 0.12), (7e9, 1e11, 6e9, None, None)],
)
def test_the_examples_of_sardana_et_al(params, served, least, tokens, saved):
    """Their sec. 3, with the constants that give it to the digit (presets/laws/sardana-2023.yaml)."""
    surface = Additive(E=1.69, A=406.4, B=410.7, alpha=0.336, beta=0.283)
    data = surface.tokens_for_params(params)
    found = traded(DEFAULT._replace(surface=surface), flop=6 * params * data, served=served)
    (row,) = (row for row in found.rows if row.kind == "equal-loss" and row.least_lifetime)
    assert row.params == pytest.approx(least, rel=0.01)
    assert row.tokens == pytest.approx(tokens or 1.18 * data, rel=0.01)
    best = curve_of(found)[1.0]
    assert best.params == pytest.approx(params, rel=1e-9)
    if saved is not None:
        assert 1 - row.lifetime_flop / best.lifetime_flop == pytest.approx(saved, abs=0.005)


def test_nothing_served_leaves_the_optimum_the_least_without_a_row_of_its_own():
    found = traded(served=1.0)
    marked = [row.params_ratio for row in found.rows if row.kind == "equal-loss" and row.least_lifetime]
    assert marked == [1.0]
    assert len(curve_of(found)) == len(RATIOS)


# the front


@pytest.mark.parametrize("served", [None, SERVED])
@pytest.mark.parametrize("law", SURFACES, ids=lambda law: law.id)
def test_at_each_loss_the_front_is_the_sizes_up_to_the_optimum_and_none_above(law, served):
    found = traded(law, served=served)
    front = [row for row in found.rows if row.kind == "front"]
    losses = list(dict.fromkeys(row.loss for row in front))
    assert len(losses) == len(BUDGETS)
    for loss, factor in zip(losses, BUDGETS, strict=True):
        rows = [row for row in front if row.loss == loss]
        assert rows[0].optimal_flop_same_loss == pytest.approx(1e24 * factor, rel=1e-9)
        sampled = [row.params_ratio for row in rows if row.params_ratio in RATIOS]
        again = curve_of(traded(law, flop=1e24 * factor))
        assert sampled == [k for k in again if k <= 1]
        assert sum(row.least_lifetime or False for row in rows) == (0 if served is None else 1)


def test_no_run_of_the_front_beats_another_and_every_sampled_run_off_it_is_beaten():
    front = [row for row in traded().rows if row.kind == "front"]
    on = {(row.train_flop, row.params, row.loss) for row in front}
    sampled = [
        (row.train_flop, row.params, row.loss)
        for factor in BUDGETS
        for row in curve_of(traded(flop=1e24 * factor)).values()
    ]
    for run in {*on, *sampled}:
        beaten = any(o != run and all(a <= b for a, b in zip(o, run, strict=True)) for o in {*on, *sampled})
        assert beaten is (run not in on)


def test_in_money_a_run_too_large_for_what_serves_it_has_no_price():
    """One H100 of 80 GB holds no 96B parameters in 16 bits."""
    served = {"tokens": SERVED, "on": "1xh100-sxm", "prompt": 1000, "answer": 300, "price": 2.5}
    service, _ = service_of(read_serving(served))
    found = tradeoff(DEFAULT, train_flop=1e24, accounting=Accounting(), service=service)
    front = [row for row in found.rows if row.kind == "front"]
    priced = [row for row in front if row.serving_usd is not None]
    assert 0 < len(priced) < len(front)
    assert all(row.params * 2 <= 80e9 for row in priced)
    for row in priced:
        assert row.serving_usd == pytest.approx(service.usd(row.params), rel=1e-12)
        assert not any(
            other.train_flop < row.train_flop and other.serving_usd < row.serving_usd and other.loss < row.loss
            for other in priced
        )


# two plans


GOPHER, CHINCHILLA = (
    Option(name="gopher", params=280e9, tokens=300e9),
    Option(name="chinchilla", params=70e9, tokens=1.4e12),
)


@pytest.mark.parametrize("turned", [False, True])
def test_two_plans_break_even_where_training_and_serving_take_the_same(turned):
    """6 (70e9 x 1.4e12 - 280e9 x 0.3e12) = 2 T (280e9 - 70e9), so T = 2e11."""
    found = held_against(*((CHINCHILLA, GOPHER) if turned else (GOPHER, CHINCHILLA)))
    assert [row.kind for row in found.rows] == ["plan", "plan"]
    assert [row.option for row in found.rows] == (["chinchilla", "gopher"] if turned else ["gopher", "chinchilla"])
    assert [row.break_even_tokens for row in found.rows] == pytest.approx([2e11, 2e11], rel=1e-12)


def test_losses_that_differ_are_said_with_what_they_are_worth_in_compute():
    found = held_against(GOPHER, CHINCHILLA)
    gopher, chinchilla = found.rows
    factor = chinchilla.optimal_flop_same_loss / gopher.optimal_flop_same_loss
    (text,) = (notice.message for notice in found.warnings if notice.code == "unlike_loss")
    assert f"{factor:.3g} times" in text
    assert factor == pytest.approx(2.34, abs=0.01)
    assert gopher.extra_share == pytest.approx(gopher.train_flop / gopher.optimal_flop_same_loss - 1, rel=1e-12)


def test_two_plans_of_the_curve_are_alike_and_break_even_as_the_curve_says():
    curve = curve_of(traded())
    plans = [Option(name=f"{k:g}", params=curve[k].params, tokens=curve[k].tokens) for k in (0.5, 1.0)]
    found = held_against(*plans)
    assert "unlike_loss" not in codes(found)
    assert found.rows[0].break_even_tokens == pytest.approx(curve[0.5].break_even_tokens, rel=1e-9)
    assert [row.params_ratio for row in found.rows] == pytest.approx([0.5, 1.0], rel=1e-6)


def test_a_plan_cheaper_to_train_and_to_serve_has_no_break_even():
    small, large = Option(name="small", params=7e9, tokens=1e12), Option(name="large", params=13e9, tokens=1e12)
    found = held_against(small, large, served=SERVED)
    assert [row.break_even_tokens for row in found.rows] == [None, None]
    assert [row.least_lifetime for row in found.rows] == [True, False]
    (text,) = (notice.message for notice in found.warnings if notice.code == "no_break_even")
    assert text.startswith("small takes less to serve and no more to train than large")


def test_plans_of_one_size_have_no_break_even():
    found = held_against(Option(name="a", params=7e9, tokens=1e12), Option(name="b", params=7e9, tokens=2e12))
    assert found.rows[0].break_even_tokens is None
    (text,) = (notice.message for notice in found.warnings if notice.code == "no_break_even")
    assert "same parameters" in text


@pytest.mark.parametrize(("served", "lesser"), [(1e11, "gopher"), (4e11, "chinchilla")])
def test_on_either_side_of_the_break_even_another_plan_takes_less(served, lesser):
    found = held_against(GOPHER, CHINCHILLA, served=served)
    assert [row.option for row in found.rows if row.least_lifetime] == [lesser]
    for row in found.rows:
        assert row.lifetime_flop == pytest.approx(6 * row.params * row.tokens + 2 * row.params * served, rel=1e-12)


# what is said, and what is refused


def test_tokens_a_parameter_beyond_the_runs_of_the_law_are_said_to_be_overrated():
    found = traded()
    (text,) = (notice.message for notice in found.warnings if notice.code == "over_trained")
    assert "341 tokens per parameter" in text
    assert "Sardana" in text
    assert "over_trained" not in codes(held_against(GOPHER, CHINCHILLA))
    assert "over_trained" in codes(held_against(Option(name="llama", params=8e9, tokens=15e12), CHINCHILLA))


def test_a_law_without_a_surface_or_that_refuses_to_plan_is_refused():
    for name in ("llama3-2024", "porian-2024"):
        with pytest.raises(UsageError, match="trade-off at equal loss"):
            traded(load_law(name))
    with pytest.raises(UsageError, match="refused for allocate"):
        traded(load_law("gadre-2024"))
    with pytest.raises(UsageError, match="refused for allocate"):
        held_against(GOPHER, CHINCHILLA, law=load_law("gadre-2024"))


@pytest.mark.parametrize("loss", [1.0, DEFAULT.surface.floor])
def test_a_loss_at_or_below_the_floor_is_infeasible(loss):
    with pytest.raises(InfeasibleError, match=r"does not go below 1\.8169"):
        traded(loss=loss)


def test_a_budget_below_a_parameter_is_infeasible():
    with pytest.raises(InfeasibleError, match="less than one parameter"):
        traded(flop=3.0)


def test_a_plan_without_tokens_is_refused():
    with pytest.raises(UsageError, match="b: its tokens are not known"):
        held_against(GOPHER, Option(name="b", params=7e9))


def test_neither_or_both_of_budget_and_loss_is_refused():
    for given in ({}, {"train_flop": 1e24, "loss": 2.0}):
        with pytest.raises(UsageError, match="keeps one loss"):
            tradeoff(DEFAULT, accounting=Accounting(), **given)


def test_a_trade_off_loads_no_numpy():
    code = (
        "import sys; from scaleplan.api.tradeoffs import tradeoff; "
        "tradeoff(serving={'tokens': 2e12}); tradeoff('gopher-280b', 'chinchilla-70b'); "
        "sys.exit('numpy' in sys.modules or 'scipy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
