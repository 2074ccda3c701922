"""The arithmetic of a bill against sums done by hand, and its inverse."""

from __future__ import annotations

import pytest

from scaleplan.compute.bill import (
    Extra,
    Rates,
    Span,
    bill,
    exactly,
    tokens_per_second_at,
    training_hours,
    training_within,
)
from scaleplan.errors import InfeasibleError

PLAIN = Rates(goodput=1.0, price=None, watts=None, pue=1.0)
FULL = Rates(
    goodput=0.8,
    price=Span(1.0, 2.0, 4.0),
    watts=500.0,
    pue=1.2,
    kg_per_kwh=0.4,
    litres_per_kwh=1.8,
    evaluation=Extra(share=0.02),
    pilots=Extra(gpu_hours=600.0),
)
NAMES = ("gpu_hours", "cost_usd", "energy_mwh", "co2_t", "water_m3")


def by_name(found):
    return {line.name: line for line in found.lines}


def test_speed_is_utilisation_times_peak_over_six_n():
    # 0.4 x 1e15 FLOP/s over 6 x 1e9 FLOP a token.
    assert tokens_per_second_at(0.4, 1e15, 1e9) == pytest.approx(66_666.666_666_7, rel=1e-12)


def test_hours_are_tokens_over_speed_and_the_slow_end_takes_the_most():
    hours = training_hours(3.6e9, Span(500.0, 1000.0, 2000.0))
    assert hours == pytest.approx(Span(500.0, 1000.0, 2000.0))


def test_every_line_by_hand():
    """8,000 h of training at goodput 0.8 are 10,000 paid; evaluation 2 % of those, pilots 600 h of their own."""
    found = by_name(bill(exactly(8000.0), FULL))
    hours = {name: line.gpu_hours.value for name, line in found.items()}
    assert hours == pytest.approx({"training": 8000, "restarts": 2000, "evaluation": 200, "pilot runs": 600})
    assert found["training"].energy_mwh.value == pytest.approx(8000 * 500 * 1.2 / 1e6)  # 4.8 MWh
    assert found["training"].co2_t.value == pytest.approx(4.8 * 0.4)
    assert found["training"].water_m3.value == pytest.approx(4.8 * 1.8)
    assert found["restarts"].cost_usd == pytest.approx(Span(2000, 4000, 8000))


def test_the_total_by_hand():
    total = bill(exactly(8000.0), FULL).total
    assert total.name == "total"
    assert total.gpu_hours.value == pytest.approx(10_800)
    assert total.cost_usd == pytest.approx(Span(10_800, 21_600, 43_200))
    assert total.energy_mwh.value == pytest.approx(6.48)
    assert total.co2_t.value == pytest.approx(2.592)
    assert total.water_m3.value == pytest.approx(11.664)


@pytest.mark.parametrize("rates", [FULL, FULL._replace(goodput=1.0), FULL._replace(evaluation=Extra(), pilots=Extra())])
def test_the_lines_add_up_to_the_total_in_every_quantity_and_end(rates):
    found = bill(Span(7000.0, 8000.0, 9500.0), rates)
    for name in NAMES:
        for end in range(3):
            added = sum(getattr(line, name)[end] for line in found.lines)
            assert added == pytest.approx(getattr(found.total, name)[end], rel=1e-13), name


def test_only_the_lines_that_take_hours_stand_in_the_bill():
    assert [line.name for line in bill(exactly(10.0), PLAIN).lines] == ["training"]
    assert [line.name for line in bill(exactly(10.0), PLAIN._replace(goodput=0.5)).lines] == ["training", "restarts"]
    assert [line.name for line in bill(exactly(10.0), FULL).lines] == [
        "training",
        "restarts",
        "evaluation",
        "pilot runs",
    ]


def test_the_main_run_is_the_first_line():
    found = bill(exactly(8000.0), FULL)
    assert found.training == found.lines[0]
    assert found.training.name == "training"


def test_what_is_not_known_stays_unknown():
    total = bill(exactly(8000.0), PLAIN).total
    assert (total.cost_usd, total.energy_mwh, total.co2_t, total.water_m3) == (None, None, None, None)


@pytest.mark.parametrize(
    ("missing", "gone"),
    [
        ("price", {"cost_usd"}),
        ("watts", {"energy_mwh", "co2_t", "water_m3"}),
        ("kg_per_kwh", {"co2_t"}),
        ("litres_per_kwh", {"water_m3"}),
    ],
)
def test_an_unknown_rate_takes_only_what_depends_on_it(missing, gone):
    found = bill(exactly(8000.0), FULL._replace(**{missing: None}))
    for line in (*found.lines, found.total):
        assert {name for name in NAMES if getattr(line, name) is None} == gone


def test_a_grid_without_emissions_gives_zero_not_unknown():
    assert bill(exactly(1.0), FULL._replace(kg_per_kwh=0.0)).total.co2_t == Span(0.0, 0.0, 0.0)


def test_the_ends_of_hours_and_of_price_multiply():
    assert Span(1.0, 2.0, 3.0).by(Span(10.0, 20.0, 40.0)) == Span(10.0, 40.0, 120.0)
    assert Span(1.0, 2.0, 3.0).plus(exactly(1.0)) == Span(2.0, 3.0, 4.0)
    assert exactly(2.0).times(3.0) == Span(6.0, 6.0, 6.0)


@pytest.mark.parametrize("rates", [PLAIN, FULL, FULL._replace(pilots=Extra(share=0.1), evaluation=Extra(gpu_hours=5))])
@pytest.mark.parametrize("hours", [1000.0, 2.9e6, 3.3e9])
def test_the_training_that_hours_pay_for_comes_to_those_hours(rates, hours):
    training = training_within(hours, rates)
    assert bill(exactly(training), rates).total.gpu_hours.value == pytest.approx(hours, rel=1e-13)


def test_the_inverse_by_hand():
    assert training_within(10_800.0, FULL) == pytest.approx(8000.0, rel=1e-14)


@pytest.mark.parametrize("hours", [600.0, 599.0])
def test_extras_that_take_everything_leave_no_training(hours):
    with pytest.raises(
        InfeasibleError, match=r"evaluation and pilot runs alone take 600 of (600|599) .*raise the budget"
    ):
        training_within(hours, FULL)
