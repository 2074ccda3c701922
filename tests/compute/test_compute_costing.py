"""A run on a cluster: how many accelerators, how long, and what a deadline decides."""

from __future__ import annotations

import pytest

from scaleplan.compute.bill import Extra, Rates, Span, exactly
from scaleplan.compute.costing import ASSUMED_DAYS, Part, Speed, Workload, cost, speed_at
from scaleplan.errors import InfeasibleError

PART = Part("part", "bf16", 1e15, 8)
RATES = Rates(goodput=0.8, price=exactly(2.0), watts=700.0, pue=1.1)
RUN = Workload("run", 1e10, 1e10, 2e11)
HOURS = 6 * 1e10 * 2e11 / (0.4 * 1e15 * 3600) / 0.8
"""10,416.67 h: 1.2e22 FLOP at 40 % of 1e15 FLOP/s, of which 80 % move the run on."""


def at(mfu):
    found = speed_at(mfu, PART, RUN.params)
    return lambda _: found


def round_nodes(most):
    """Numbers of nodes that are round in binary, of at most five digits that are not zeros at the end, naively."""
    return [nodes for nodes in range(1, most + 1) if len(f"{nodes:b}".rstrip("0")) <= 5]


def slowing(accelerators):
    """The more accelerators, the slower each: 40 % at 8, falling with their root."""
    return speed_at(0.4 * (8 / accelerators) ** 0.5, PART, RUN.params)


def test_hours_do_not_depend_on_how_many_share_them():
    for accelerators in (1, 8, 1000):
        found = cost(RUN, PART, RATES, at(0.4), accelerators=accelerators)
        assert found.bill.total.gpu_hours.value == pytest.approx(HOURS, rel=1e-13)
        assert found.days == pytest.approx(HOURS / 24 / accelerators, rel=1e-13)
        assert found.accelerators == accelerators


def test_a_mixture_of_experts_takes_the_hours_of_what_a_token_passes():
    mixture = RUN._replace(params_total=8e10)
    assert mixture.train_flop == RUN.train_flop
    assert cost(mixture, PART, RATES, at(0.4)).bill == cost(RUN, PART, RATES, at(0.4)).bill


def test_without_a_number_or_a_deadline_neither_days_nor_accelerators_are_claimed():
    found = cost(RUN, PART, RATES, at(0.4))
    assert (found.accelerators, found.days) == (None, None)
    assert found.bill.total.gpu_hours.value == pytest.approx(HOURS, rel=1e-13)


@pytest.mark.parametrize("days", [0.5, 1.0, 3.0, 10.0, 54.25, 60.0, 1000.0])
@pytest.mark.parametrize("speed_of", [at(0.4), at(0.9), slowing], ids=["40%", "90%", "slowing"])
def test_a_deadline_takes_the_fewest_whole_nodes_that_meet_it(days, speed_of):
    """Of numbers of nodes that are round in binary, so that they divide into something."""
    found = cost(RUN, PART, RATES, speed_of, deadline_days=days)
    nodes, rest = divmod(found.accelerators, PART.node)
    assert rest == 0
    assert found.days <= days * (1 + 1e-9)
    *fewer, last = round_nodes(nodes)
    assert last == nodes
    if fewer:
        late = cost(RUN, PART, RATES, speed_of, accelerators=fewer[-1] * PART.node)
        assert late.days > days


def test_a_deadline_that_whole_nodes_meet_to_the_hour_takes_no_node_more():
    found = cost(RUN, PART, RATES, at(0.4), deadline_days=HOURS / 24 / 16)
    assert found.accelerators == 16
    assert found.days == pytest.approx(HOURS / 24 / 16, rel=1e-12)


def test_every_line_of_the_bill_is_within_the_deadline():
    laden = RATES._replace(evaluation=Extra(share=0.5), pilots=Extra(gpu_hours=HOURS))
    alone = cost(RUN, PART, RATES, at(0.4), deadline_days=10.0)
    found = cost(RUN, PART, laden, at(0.4), deadline_days=10.0)
    assert found.bill.total.gpu_hours.value == pytest.approx(2.5 * HOURS)
    assert found.days <= 10.0
    assert found.accelerators >= 2 * alone.accelerators


def test_the_number_given_stands_whatever_the_deadline():
    found = cost(RUN, PART, RATES, at(0.4), accelerators=8, deadline_days=1.0)
    assert found.accelerators == 8
    assert found.days > 1.0


def test_hours_that_are_the_budget_say_how_many_take_the_deadline():
    asked: list[int] = []

    def speed_of(accelerators):
        asked.append(accelerators)
        return at(0.4)(accelerators)

    found = cost(RUN, PART, RATES, speed_of, deadline_days=10.0, gpu_hours=24 * 10 * 160.0)
    assert found.accelerators == 160
    assert asked == [160]
    cost(RUN, PART, RATES, speed_of, gpu_hours=24 * ASSUMED_DAYS * 160.0)
    assert asked == [160, 160]


def test_a_speed_between_ends_gives_hours_between_ends():
    speed = Speed(Span(500.0, 1000.0, 2000.0), Span(0.1, 0.2, 0.4))
    found = cost(RUN, PART, RATES, lambda _: speed, accelerators=8)
    hours = found.bill.total.gpu_hours
    assert (hours.low / hours.value, hours.high / hours.value) == pytest.approx((0.5, 2.0))
    assert found.duration.low < found.days < found.duration.high


def test_a_speed_that_gains_nothing_from_more_accelerators_is_said_not_to_meet_a_deadline():
    with pytest.raises(InfeasibleError, match=r"no number of part finishes in 1 days: give a later deadline"):
        cost(RUN, PART, RATES, lambda many: speed_at(0.4 / many, PART, RUN.params), deadline_days=1.0)


def test_notices_of_the_speed_are_those_of_the_bill():
    from scaleplan.errors import Notice

    notice = Notice("slow", "it is slow.")
    speed = at(0.4)(8)._replace(warnings=(notice,))
    assert cost(RUN, PART, RATES, lambda _: speed, accelerators=8).warnings == (notice,)


def test_a_deadline_takes_the_fewest_of_the_round_numbers_even_where_speed_jumps():
    """Slow below 64: what so few ask for overshoots, and the search comes back down."""

    def jumping(many):
        return speed_at(0.4 if many >= 64 else 0.2, PART, RUN.params)

    hours = cost(RUN, PART, RATES, at(0.4), accelerators=8).gpu_hours
    days = hours / 24 / 70
    found = cost(RUN, PART, RATES, jumping, deadline_days=days)
    assert found.accelerators == 72
    assert found.days <= days
