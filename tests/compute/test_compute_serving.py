"""What serving takes, against plain arithmetic, published shapes and sums written out request by request."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scaleplan.compute.bill import Span, exactly
from scaleplan.compute.demand import Demand
from scaleplan.compute.family import generic_shape
from scaleplan.compute.serving import LARGEST_REPLICA, Served, Server, Service, served
from scaleplan.errors import InfeasibleError, UsageError

DEMAND = Demand(tokens=2e12, prompt=1000.0, answer=300.0, days=730.0, discount=0.1)
H100 = Server(
    accelerator="h100-sxm",
    precision="bf16",
    peak=989.4e12,
    bandwidth=3.35e12,
    memory=80e9,
    weight_bytes=2.0,
    kv_bytes=2.0,
    mfu=0.5,
    mbu=0.6,
    batch=64.0,
    price=Span(2.0, 3.0, 4.0),
    watts=700.0,
    pue=1.12,
)
SIZES = np.geomspace(1e6, 1e13, 300)


def shape_numbers(params):
    """Layers times width and the bytes of a token in the cache (bf16), from the family's shape."""
    shape = generic_shape(params)
    return shape.layers * shape.width, 2 * 2 * shape.layers * shape.kv_heads * shape.head_size


def by_hand(params, demand=DEMAND, server=H100, batch=64.0):
    """Accelerator-seconds of one request, token by token of the answer, for a replica that holds ``batch``."""
    size, cached = shape_numbers(params)
    rate = server.peak * server.mfu
    seconds = (2 * params * demand.prompt + 2 * size * demand.prompt**2) / rate
    answer_flop, answer_bytes = 0.0, 0.0
    for i in range(int(demand.answer)):
        context = demand.prompt + i + 0.5
        answer_flop += 2 * params + 4 * size * context
        answer_bytes += server.weight_bytes * params / batch + cached * context
    return seconds + max(answer_flop / rate, answer_bytes / (server.bandwidth * server.mbu))


# FLOPs


def test_without_lengths_a_token_takes_two_flops_a_parameter():
    assert Service(Demand(5e12)).flop(3e10) == 2 * 3e10 * 5e12


def test_a_mixture_pays_for_the_parameters_that_a_token_passes():
    assert Service(Demand(1e12), active_share=37 / 671).flop(671e9) == pytest.approx(2 * 37e9 * 1e12, rel=1e-12)


def test_attention_is_that_of_summing_over_the_tokens_of_a_request():
    params, requests = 7e10, 2e12 / 1300
    size, _ = shape_numbers(params)
    prompt = sum(4 * size * (i + 0.5) for i in range(1000))  # token i attends to those before it and half of itself
    answer = sum(4 * size * (1000 + i + 0.5) for i in range(300))
    expected = requests * (2 * params * 1300 + prompt + answer)
    assert Service(DEMAND).flop(params) == pytest.approx(expected, rel=1e-12)


def test_attention_of_a_mixture_is_that_of_its_active_parameters():
    whole, part = Service(DEMAND), Service(DEMAND, active_share=0.1)
    assert part.flop(1e12) == pytest.approx(whole.flop(1e11), rel=1e-12)


def test_attention_of_a_published_shape_is_met_within_a_tenth():
    """DeepSeek-V3 (Liu et al. 2024, arXiv 2412.19437): 61 layers of 7,168 for 37B active of 671B."""
    size, _ = shape_numbers(37e9)
    assert size == pytest.approx(61 * 7168, rel=0.1)


def test_long_prompts_take_more_than_in_proportion_to_their_tokens():
    short, long = (Service(Demand(1e12, prompt, 100.0)).flop(8e9) for prompt in (1000.0, 100_000.0))
    assert long > 2 * short


# Accelerator-hours


@pytest.mark.parametrize("params", [1e9, 8e9, 7e10, 4e11])
def test_hours_are_those_of_every_request_summed_token_by_token(params):
    hours = Service(DEMAND, H100).hours(params)
    assert hours == pytest.approx(2e12 / 1300 * by_hand(params) / 3600, rel=1e-12)


def test_a_case_by_plain_arithmetic():
    """All tokens as prompts: 2 x 1e10 x 1e12 FLOPs at 0.5 x 989.4 TFLOP/s."""
    hours = Service(Demand(1e12), H100).hours(1e10)
    assert hours == pytest.approx(2e22 / (0.5 * 989.4e12) / 3600, rel=1e-12)
    assert hours == pytest.approx(11_230, rel=1e-3)


def test_answers_are_bound_by_bandwidth_at_few_requests_and_by_compute_at_many():
    demand = Demand(1e12, prompt=1.0, answer=1.0)  # next to no cache
    few, many = (Service(demand, H100._replace(batch=batch)) for batch in (1.0, 4096.0))
    params = 7e10
    prompts = 0.5 * 2 * params * 1e12 / (0.5 * 989.4e12) / 3600
    read = 0.5 * 1e12 * 2 * params / (0.6 * 3.35e12) / 3600
    assert few.hours(params) - prompts == pytest.approx(read, rel=1e-3)
    assert many.hours(params) - prompts == pytest.approx(prompts, rel=1e-3)


def test_the_regime_changes_where_both_take_as_long():
    """2 N / (peak mfu) = w N / (b bandwidth mbu) at b = peak mfu / (bandwidth mbu): 246 for w = 2."""
    demand, turn = Demand(1e12, prompt=1.0, answer=1.0), 0.5 * 989.4e12 / (0.6 * 3.35e12)
    assert turn == pytest.approx(246, abs=0.5)
    hours = [Service(demand, H100._replace(batch=turn * f)).hours(7e10) for f in (0.5, 0.9, 1.1, 2.0)]
    assert hours[0] > hours[1] > hours[2]
    assert hours[2] == pytest.approx(hours[3], rel=1e-12)


def test_few_bits_are_read_faster():
    eight = H100._replace(weight_bytes=1.0, kv_bytes=1.0)
    few = Demand(1e12, prompt=1.0, answer=1000.0)
    assert Service(few, eight).hours(7e10) == pytest.approx(Service(few, H100).hours(7e10) / 2, rel=5e-3)


def test_a_mixture_reads_all_of_its_weights():
    demand, alone = Demand(1e12, prompt=1.0, answer=1.0), H100._replace(batch=1.0)
    dense, mixture = Service(demand, alone), Service(demand, alone, active_share=0.05)
    assert mixture.hours(1e12) == pytest.approx(dense.hours(1e12), rel=0.01)


@pytest.mark.parametrize("server", [H100, H100._replace(accelerators=8), H100._replace(accelerators=1, batch=1.0)])
@pytest.mark.parametrize("demand", [DEMAND, Demand(1e12), DEMAND._replace(prompt=30_000.0, answer=10.0)])
def test_everything_rises_with_size(server, demand):
    service = Service(demand, server)
    for found in (service.flop(SIZES), service.hours(SIZES), service.usd(SIZES), service.mwh(SIZES)):
        within = found[np.isfinite(found)]
        assert len(within) > 100
        assert (np.diff(within) > 0).all()
        assert np.isfinite(found[: len(within)]).all()  # what does not fit lies above what does


def test_hours_are_in_proportion_to_tokens():
    half = Service(DEMAND._replace(tokens=1e12), H100)
    assert Service(DEMAND, H100).hours(8e9) == pytest.approx(2 * half.hours(8e9), rel=1e-14)


@pytest.mark.parametrize("accelerators", [None, 4])
@pytest.mark.parametrize("demand", [DEMAND, Demand(1e12, days=100.0, discount=0.02)])
def test_arrays_give_element_by_element_what_floats_give(accelerators, demand):
    service = Service(demand, H100._replace(accelerators=accelerators), active_share=0.5)
    sizes = np.array([1.0, 1e6, 8e9, 7e10, 2e11, 1e12, 3e13, 1e20, 1e30])
    for method in (service.flop, service.hours, service.usd, service.mwh, service.replica):
        many = method(sizes)
        for size, value in zip(sizes.tolist(), np.broadcast_to(many, sizes.shape), strict=True):
            one = method(size)
            assert isinstance(one, float)
            assert value == pytest.approx(one, rel=1e-12)
    assert [bool(fits) for fits in service.fits(sizes)] == [service.fits(size) for size in sizes.tolist()]


def test_tokens_and_discounts_may_be_arrays():
    tokens, discounts = np.array([1e11, 1e12, 1e13]), np.array([0.0, 0.05, 0.5])
    found = Service(DEMAND._replace(tokens=tokens, discount=discounts), H100).usd(8e9)
    each = [
        Service(DEMAND._replace(tokens=t, discount=r), H100).usd(8e9)
        for t, r in zip(tokens.tolist(), discounts.tolist(), strict=True)
    ]
    np.testing.assert_allclose(found, each, rtol=1e-12)


# Memory


def test_a_replica_is_the_least_power_of_two_that_holds_weights_and_caches():
    service = Service(DEMAND, H100)
    for params in (1e9, 8e9, 3e10, 7e10, 4e11, 1e12):
        _, cached = shape_numbers(params)
        needed = 2 * params + 64 * 1300 * cached
        many = service.replica(params)
        assert math.log2(many).is_integer()
        assert many * 0.9 * 80e9 >= needed
        assert many == 1 or many / 2 * 0.9 * 80e9 < needed


def test_replicas_grow_in_steps_and_what_serving_takes_does_not():
    service = Service(DEMAND, H100)
    replicas = service.replica(SIZES)
    assert set(replicas.tolist()) == {2.0**i for i in range(10)}
    assert (np.diff(replicas) >= 0).all()
    sizes = np.geomspace(1e10, 1e12, 100_001)  # the replica goes from 1 to 64 here
    assert np.diff(np.log(service.hours(sizes))).max() < 1e-4


def test_fewer_requests_fit_beside_a_larger_model_on_a_given_replica():
    service = Service(DEMAND, H100._replace(accelerators=1))
    _, cached = shape_numbers(3.2e10)
    assert service.concurrent(3.2e10) == pytest.approx((72e9 - 6.4e10) / (1300 * cached), rel=1e-12)
    assert service.concurrent(1e9) == 64
    batches = service.concurrent(np.array([3.1e10, 3.2e10, 3.4e10, 3.5e10]))
    assert (np.diff(batches) < 0).all()
    assert service.hours(3.2e10) == pytest.approx(
        2e12 / 1300 * by_hand(3.2e10, batch=service.concurrent(3.2e10)) / 3600, rel=1e-12
    )


@pytest.mark.parametrize("accelerators", [1, 8, 1000])
def test_the_largest_model_fills_memory_with_one_request(accelerators):
    service = Service(DEMAND, H100._replace(accelerators=accelerators))
    largest = service.largest()
    _, cached = shape_numbers(largest)
    assert 2 * largest + 1300 * cached == pytest.approx(accelerators * 72e9, rel=1e-9)
    assert service.fits(largest)
    assert math.isfinite(service.hours(largest))
    assert not service.fits(largest * 1.000001)
    assert service.hours(largest * 1.000001) == math.inf
    assert service.concurrent(largest) == pytest.approx(1, abs=1e-3)


def test_without_lengths_weights_alone_must_fit():
    service = Service(Demand(1e12), H100._replace(accelerators=2))
    assert service.largest() == 2 * 72e9 / 2
    assert service.concurrent(1e9) is None
    assert Service(Demand(1e12), H100).replica(7.3e10) == 4


def test_a_free_replica_has_no_largest_model_and_ends_at_a_thousand():
    service = Service(DEMAND, H100)
    assert service.largest() is None
    assert Service(DEMAND).largest() is None
    assert service.fits(3e13)
    assert not service.fits(LARGEST_REPLICA * 72e9 / 2)


# Money and energy


def test_money_without_a_discount_is_hours_times_the_middle_price():
    service = Service(DEMAND._replace(discount=0.0), H100)
    assert service.usd(8e9) == service.hours(8e9) * 3.0


@pytest.mark.parametrize("days", [30.0, 365.0, 3650.0])
@pytest.mark.parametrize("discount", [0.01, 0.1, 0.9])
def test_the_present_share_is_the_mean_of_what_each_day_is_worth(days, discount):
    moments = (np.arange(200_000) + 0.5) / 200_000 * days / 365
    expected = np.mean((1 + discount) ** -moments)
    assert Demand(1.0, days=days, discount=discount).present_share == pytest.approx(expected, rel=1e-9)


def test_the_present_share_of_no_discount_is_one_and_nears_it_smoothly():
    assert Demand(1.0).present_share == 1.0
    for discount in (1e-18, 1e-15, 1e-12, 1e-9, 1e-6):
        expected = 1 - math.log1p(discount) / 2
        assert Demand(1.0, discount=discount).present_share == pytest.approx(expected, rel=1e-12)


def test_the_present_share_of_a_very_long_time_is_that_of_a_perpetuity():
    share = Demand(1.0, days=365e6, discount=0.1).present_share
    assert share == pytest.approx(1 / (1e6 * math.log(1.1)), rel=1e-12)


def test_energy_is_hours_times_power_at_the_site():
    service = Service(DEMAND, H100)
    assert service.mwh(8e9) == pytest.approx(service.hours(8e9) * 700 * 1.12 / 1e6, rel=1e-14)


# Everything together


def test_served_says_all_of_it():
    service = Service(DEMAND, H100)
    found = served(service, 7e10)
    hours = service.hours(7e10)
    assert found == Served(
        flop=service.flop(7e10),
        gpu_hours=hours,
        cost_usd=service.usd(7e10),
        energy_mwh=service.mwh(7e10),
        usd_per_day=pytest.approx(hours * 3.0 / 730),
        mwh_per_day=pytest.approx(hours * 700 * 1.12e-6 / 730),
        accelerators=pytest.approx(hours / (24 * 730)),
        replica=4.0,
        batch=64.0,
    )
    assert found.cost_usd < found.usd_per_day * 730  # discounted; by the day it is not


def test_served_leaves_out_what_is_not_known():
    assert served(Service(Demand(1e12)), 1e10) == Served(2e22)
    found = served(Service(DEMAND, H100._replace(price=None, watts=None)), 7e10)
    assert (found.cost_usd, found.usd_per_day, found.energy_mwh, found.mwh_per_day) == (None, None, None, None)
    assert found.gpu_hours is not None


def test_served_of_an_array_is_infinite_where_the_model_does_not_fit():
    found = served(Service(DEMAND, H100._replace(accelerators=1)), np.array([1e10, 1e11]))
    assert np.isfinite(found.gpu_hours).tolist() == [True, False]


def message(call, *arguments, error=UsageError):
    with pytest.raises(error) as caught:
        call(*arguments)
    return caught.value.message


def test_what_is_missing_is_said_with_what_to_add():
    bare, unknown = Service(DEMAND), Service(DEMAND, H100._replace(price=None, watts=None))
    assert message(bare.hours, 1e9) == (
        "the accelerator-hours of serving depend on the accelerator: name one, serving.on: h100-sxm "
        "(--serve-on h100-sxm)"
    )
    assert "costs of serving" in message(bare.usd, 1e9)
    assert "MWh of serving" in message(bare.mwh, 1e9)
    assert "memory of serving" in message(bare.fits, 1e9)
    assert message(unknown.usd, 1e9) == ("no price of h100-sxm is known: give one [USD an hour], serving.price: 2.5")
    assert message(unknown.mwh, 1e9) == "no power of h100-sxm is known: give one [W], serving.watts: 700"


def test_a_model_that_no_replica_holds_is_infeasible():
    service = Service(DEMAND, H100._replace(accelerators=8, price=exactly(2.5)))
    assert message(served, service, 1e12, error=InfeasibleError) == (
        "8 h100-sxm do not hold it in bf16 with one request: serve it on more, serving.on: 16xh100-sxm "
        "(--serve-on 16xh100-sxm), or bound its size (max_params)"
    )
