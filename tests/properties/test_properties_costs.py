"""A budget is one budget, however it is written: as FLOPs, a cluster and days, accelerator-hours or money."""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scaleplan import allocate
from scaleplan.api.costs import cost
from scaleplan.compute.bill import Extra, Rates, Span, bill, exactly, training_within
from scaleplan.errors import InfeasibleError

PRICE = 2.5
LAWS = ("besiroglu-2024", "kaplan-2020", "hoffmann-2022-a1")
"""A closed form; one that counts FLOPs without embeddings; a rule of allocation, which gives no loss."""
PLANNED = ("train_flop", "params", "tokens", "loss")

SHARES = st.floats(0, 0.5)
RATES = st.builds(
    Rates,
    goodput=st.floats(0.05, 1),
    price=st.builds(lambda low, more: Span(low, low + more / 2, low + more), st.floats(0.1, 10), st.floats(0, 10)),
    watts=st.floats(100, 2000),
    pue=st.floats(1, 2),
    kg_per_kwh=st.floats(0, 1),
    litres_per_kwh=st.floats(0.1, 5),
    evaluation=st.builds(Extra, share=SHARES, gpu_hours=st.floats(0, 1e4)),
    pilots=st.builds(Extra, share=SHARES, gpu_hours=st.floats(0, 1e4)),
)


def numbers(plan):
    return {key: getattr(plan, key) for key in PLANNED if getattr(plan, key) is not None}


def total(costing):
    return costing.bill.total


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    "conditions",
    [
        {},
        {"goodput": 0.6},
        {"evaluation": "2%", "pilots": "1%"},
        {"evaluation": "20k gpu-hours", "pilots": 0.05, "goodput": 1},
        {"precision": "fp8"},
    ],
    ids=str,
)
@pytest.mark.parametrize("fixed", [{}, {"params": 3e10}], ids=["free", "params"])
def test_every_way_to_write_a_budget_gives_the_same_plan(law, conditions, fixed):
    """2,048 accelerators for 60 days are 2,949,120 accelerator-hours, and at $2.5 each $7,372,800."""
    said = {"law": law, "mfu": 0.4, "price": PRICE, **conditions, **fixed}
    cluster = allocate(on="2048xh100-sxm", days=60, **said)
    others = {
        "words": allocate(flops="2048xh100-sxm for 60d", **said),
        "weeks": allocate(on="2048xh100-sxm", days="8.571428571428571 weeks", **said),
        "hours": allocate(on="h100-sxm", gpu_hours=2_949_120, **said),
        "hours on a cluster": allocate(on="64xh100-sxm", gpu_hours="2.94912M", **said),
        "hours in words": allocate(flops="2949120 gpu-hours on h100-sxm", **said),
        "money": allocate(on="h100-sxm", usd="$7372800", **said),
        "money in words": allocate(flops="$7.3728M", **said),
        "flops": allocate(flops=cluster.train_flop, on="2048xh100-sxm", **said),
    }
    for name, plan in others.items():
        assert numbers(plan) == pytest.approx(numbers(cluster), rel=1e-9), name
        assert total(plan.costing).gpu_hours.value == pytest.approx(2_949_120, rel=1e-9), name
        assert total(plan.costing).cost_usd.value == pytest.approx(7_372_800, rel=1e-9), name
    assert cluster.costing.days == pytest.approx(60, rel=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_without_other_work_the_flops_are_those_that_the_cluster_does(law):
    """60 days of 2,048 accelerators at 40 % of 989.4 TFLOP/s, all hours good: 4.2e24 of 6 N D, embeddings counted."""
    plan = allocate(on="2048xh100-sxm", days=60, mfu=0.4, goodput=1, law=law)
    assert 6 * plan.params * plan.tokens == pytest.approx(2048 * 60 * 86_400 * 0.4 * 9.894e14, rel=1e-4)


@pytest.mark.parametrize("law", LAWS)
def test_the_cost_of_the_plan_gives_the_budget_back(law):
    said = {"mfu": 0.4, "price": PRICE, "goodput": 0.7, "evaluation": "3%"}
    plan = allocate(on="512xh100-sxm", days=30, law=law, **said)
    found = cost(params=plan.params, tokens=plan.tokens, on="512xh100-sxm", **said)
    assert found.days == pytest.approx(30, rel=1e-9)
    assert total(found).gpu_hours.value == pytest.approx(512 * 24 * 30, rel=1e-9)
    assert total(found).cost_usd.value == pytest.approx(512 * 24 * 30 * PRICE, rel=1e-9)


def test_a_price_range_spends_the_money_at_its_middle():
    plan = allocate(on="h100-sxm", usd="5M", mfu=0.4, law="chinchilla")
    spent = total(plan.costing).cost_usd
    assert spent.value == pytest.approx(5e6, rel=1e-9)
    assert spent.low < spent.value < spent.high


def test_a_loss_to_reach_and_the_money_it_takes_are_the_same_plan():
    said = {"on": "h100-sxm", "mfu": 0.4, "price": PRICE, "law": "chinchilla"}
    plan = allocate(loss=1.95, **said)
    again = allocate(usd=total(plan.costing).cost_usd.value, **said)
    assert numbers(again) == pytest.approx(numbers(plan), rel=1e-9)


@given(
    accelerators=st.integers(1, 100_000),
    days=st.floats(0.5, 400),
    mfu=st.floats(0.05, 1),
    goodput=st.floats(0.1, 1),
    law=st.sampled_from(LAWS),
)
@settings(max_examples=60, deadline=None)
def test_any_cluster_for_any_time_is_spent_to_the_hour(accelerators, days, mfu, goodput, law):
    plan = allocate(on=f"{accelerators}xh100-sxm", days=days, mfu=mfu, goodput=goodput, law=law)
    assert plan.costing.days == pytest.approx(days, rel=1e-9)
    assert plan.costing.accelerators == accelerators


@given(flop=st.floats(20, 27).map(lambda exponent: 10**exponent), days=st.floats(1, 300), mfu=st.floats(0.1, 0.8))
@settings(max_examples=60, deadline=None)
def test_a_deadline_takes_few_nodes_that_meet_it_and_a_cluster_that_misses_it_is_told_how_many(flop, days, mfu):
    said = {"flops": flop, "mfu": mfu, "law": "chinchilla"}
    assume(flop / (days * 86_400 * mfu * 9.894e14) < 1e8)
    found = cost(on="h100-sxm", days=days, **said)
    assert found.accelerators % 8 == 0
    assert found.days <= days * (1 + 1e-9)
    needed = total(found).gpu_hours.value / 24 / days
    # Whole nodes, rounded up to five binary digits.
    assert found.accelerators < max(8 + needed, (1 + 1 / 16) * needed + 8)
    if needed > 1.01:
        many = int(needed / 1.001)
        run = {"params": found.workload.params, "tokens": found.workload.tokens, "mfu": mfu}
        with pytest.raises(InfeasibleError, match=f"it needs about {found.accelerators:,} of them"):
            cost(on=f"{many}xh100-sxm", days=days, **run)
        # A plan, unlike a run, is free to be smaller: what so few can do until then.
        assert allocate(on=f"{many}xh100-sxm", days=days, **said).costing.days == pytest.approx(days, rel=1e-9)


@given(hours=st.floats(1e-3, 1e10), rates=RATES)
@settings(max_examples=200, deadline=None)
def test_a_bill_adds_up_and_its_inverse_is_exact(hours, rates):
    found = bill(exactly(hours), rates)
    for name in ("gpu_hours", "cost_usd", "energy_mwh", "co2_t", "water_m3"):
        for end in range(3):
            whole = getattr(found.total, name)[end]
            assert sum(getattr(line, name)[end] for line in found.lines) == pytest.approx(whole, rel=1e-12)
    back = training_within(found.total.gpu_hours.value, rates)
    # What is left after hours of their own loses digits where those are nearly everything.
    fixed = rates.evaluation.gpu_hours + rates.pilots.gpu_hours
    assert back == pytest.approx(hours, rel=1e-12 * (1 + fixed / hours) + 1e-13)


@given(hours=st.floats(1, 1e9), rates=RATES, factor=st.floats(1.01, 100))
@settings(max_examples=100, deadline=None)
def test_longer_runs_cost_more_and_better_goodput_less(hours, rates, factor):
    here = bill(exactly(hours), rates).total
    longer = bill(exactly(hours * factor), rates).total
    worse = bill(exactly(hours), rates._replace(goodput=rates.goodput / factor)).total
    for more in (longer, worse):
        assert more.gpu_hours.value > here.gpu_hours.value
        assert more.cost_usd.value > here.cost_usd.value
        assert more.energy_mwh.value > here.energy_mwh.value


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("on", ["h100-sxm", "128xh100-sxm"])
@pytest.mark.parametrize("fixed", [{}, {"params": 1e9}], ids=["free", "params"])
def test_hours_that_just_end_by_the_deadline_are_planned_wherever_the_search_passes(law, on, fixed):
    """128 accelerators for 10 days are 30,720 hours; trial plans of a law that counts otherwise take more."""
    plan = allocate(on=on, gpu_hours=30_720, days=10, mfu=0.4, law=law, **fixed)
    assert plan.costing.accelerators == 128
    assert plan.costing.days == pytest.approx(10, rel=1e-9)


@pytest.mark.parametrize("law", LAWS)
def test_hours_that_do_not_end_by_the_deadline_leave_a_plan_of_those_that_do_and_say_how_many_would(law):
    plan = allocate(on="128xh100-sxm", gpu_hours=184_320, days=10, mfu=0.4, law=law)
    assert plan.binding == ("deadline_days",)
    assert plan.costing.days == pytest.approx(10, rel=1e-9)
    assert plan.train_flop == pytest.approx(allocate(on="128xh100-sxm", days=10, mfu=0.4, law=law).train_flop, rel=1e-9)
    unspent = next(notice.message for notice in plan.warnings if notice.code == "unspent")
    assert "83.3% of the budget, gpu_hours, is left: deadline_days ends the run first" in unspent
    assert "all of it takes 768 accelerators" in unspent


def test_money_with_a_deadline_needs_no_accelerator_named():
    plan = allocate(usd="5M", days=60, mfu=0.4, law="chinchilla")
    assert plan.costing.part.id == "h100-sxm"
    assert plan.costing.days <= 60
    assert "assumed_accelerator" in [notice.code for notice in plan.warnings]
