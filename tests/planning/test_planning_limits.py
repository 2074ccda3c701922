"""What a planner says of a run, to constraints under the keys that were given."""

import pytest

from scaleplan.compute.accounting import DEFAULT_ACCOUNTING, Accounting
from scaleplan.compute.bill import Span
from scaleplan.compute.serving import Demand, Server, Service
from scaleplan.conventions import FlopConvention
from scaleplan.errors import UsageError
from scaleplan.planning.constraints import Ceiling, Range
from scaleplan.planning.limits import Effort, Limits, constraints_of

EFFORT = Effort(hours_per_flop=2e-18, fixed_hours=1e3, accelerators=100, price=3.0, mwh_per_hour=8e-4)
SERVER = Server("any", "bf16", 1e15, 3e12, 80e9, 2.0, 2.0, 0.5, 0.6, 64.0, 1, Span(2.0, 3.0, 4.0), 700.0, 1.1)
SERVED = Service(Demand(1e12, None, None), SERVER)


def constraints(limits, **given):
    return {each.name: each for each in constraints_of(limits, DEFAULT_ACCOUNTING, **given)}


def test_nothing_said_is_no_constraint():
    assert constraints_of(Limits(), DEFAULT_ACCOUNTING, effort=EFFORT) == ()


@pytest.mark.parametrize(
    ("name", "limit", "per_flop", "fixed"),
    [
        ("gpu_hours", 1e5, 2e-18, 1e3),
        ("days", 10.0, 2e-18 / 2400, 1e3 / 2400),
        ("deadline_days", 10.0, 2e-18 / 2400, 1e3 / 2400),
        ("usd", 1e6, 6e-18, 3e3),
        ("max_usd", 1e6, 6e-18, 3e3),
        ("max_mwh", 300.0, 1.6e-21, 0.8),
    ],
)
def test_what_a_machine_gives_is_a_ceiling_by_the_flop(name, limit, per_flop, fixed):
    (ceiling,) = constraints_of(Limits()._replace(**{name: limit}), DEFAULT_ACCOUNTING, effort=EFFORT)
    assert (ceiling.name, ceiling.limit, ceiling.flop) == (name, limit, FlopConvention.SIX_ND)
    assert (ceiling.per_flop, ceiling.fixed) == pytest.approx((per_flop, fixed), rel=1e-12)
    assert ceiling.beside is None


@pytest.mark.parametrize("name", ["gpu_hours", "days", "usd", "max_usd", "deadline_days", "max_mwh"])
def test_without_a_machine_there_is_no_such_limit(name):
    with pytest.raises(UsageError, match=rf"{name} without an accelerator: name one with on"):
        constraints_of(Limits()._replace(**{name: 10.0}), DEFAULT_ACCOUNTING)


def test_without_a_price_or_a_power_money_and_energy_are_unknown():
    bare = EFFORT._replace(price=None, mwh_per_hour=None)
    with pytest.raises(UsageError, match="max_usd: the price of the accelerator is not known: give one"):
        constraints(Limits(max_usd=1e6), effort=bare)
    with pytest.raises(UsageError, match=r"max_mwh: the power \[W\] of the accelerator is not known"):
        constraints(Limits(max_mwh=1e3), effort=bare)


def test_without_a_number_of_accelerators_a_time_decides_that_number_and_bounds_nothing():
    assert constraints(Limits(deadline_days=10.0), effort=EFFORT._replace(accelerators=None)) == {}


def test_serving_is_paid_beside_training_from_flops_money_and_energy_and_takes_no_time():
    limits = Limits(flops=1e24, max_usd=1e6, max_mwh=1e3, deadline_days=10.0)
    found = constraints(limits, effort=EFFORT, service=SERVED)
    assert found["deadline_days"].beside is None
    params = 2e10
    assert found["flops"].beside(params) == 2 * params * 1e12
    assert found["max_usd"].beside(params) == SERVED.usd(params) > 0
    assert found["max_mwh"].beside(params) == SERVED.mwh(params) > 0
    # One accelerator a replica: 90 % of 80 GB at two bytes a parameter.
    assert found["serving_memory"].most == pytest.approx(36e9, rel=1e-12)


def test_flops_are_counted_as_the_problem_counts_them():
    accounting = Accounting(flop=FlopConvention.SIX_ND_NONEMBEDDING)
    (ceiling,) = constraints_of(Limits(flops=1e24), accounting)
    assert ceiling == Ceiling("flops", 1e24, flop=FlopConvention.SIX_ND_NONEMBEDDING)


def test_sizes_data_and_their_ratio_are_ranges():
    found = constraints(
        Limits(min_params=1e9, max_params=9e9, memory=8e9, batch=1e10, unique_tokens=1e12, max_epochs=4.0)
    )
    assert found["min_params"] == Range("min_params", "params", 1e9, None)
    assert found["max_params"] == Range("max_params", "params", None, 9e9)
    assert found["memory"] == Range("memory", "params", None, 8e9)
    assert found["tokens_for_batch"] == Range("tokens_for_batch", "tokens", 1e10, None)
    # A law that does not value repeats sees every token once, however many epochs are allowed.
    assert found["unique_tokens"] == Range("unique_tokens", "tokens", None, 1e12)
    for name in ("params", "tokens", "tokens_per_param"):
        (fixed,) = constraints_of(Limits()._replace(**{name: 20.0}), DEFAULT_ACCOUNTING)
        assert fixed == Range(name, name, 20.0, 20.0)
        assert fixed.fixes


def test_under_a_law_of_repeats_only_epochs_bound_the_tokens():
    assert constraints(Limits(unique_tokens=1e12), values_repeats=True) == {}
    found = constraints(Limits(unique_tokens=1e12, max_epochs=4.0), values_repeats=True)
    assert found["unique_tokens"] == Range("unique_tokens", "tokens", None, 4e12)
    with pytest.raises(UsageError, match="max_epochs of how many tokens"):
        constraints(Limits(max_epochs=4.0))
