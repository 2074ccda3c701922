"""The estimated speed of a cluster: the batch it shares, the part of it that is used, and what is said of it."""

from __future__ import annotations

import pytest

from scaleplan.compute.costing import floor_binary
from scaleplan.compute.divisions import ROUNDING, near_sequences, odd_part, shared_sequences
from scaleplan.compute.family import generic_shape
from scaleplan.compute.speed import Batch, estimated_speed
from scaleplan.compute.transformer import Experts
from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.specs.accelerators import device, load_accelerator
from scaleplan.specs.calibration import load_calibration

H100 = device(load_accelerator("h100-sxm"), "bf16")
FITTED = load_calibration("h100-sxm", "bf16").calibration
SHAPE = generic_shape(70e9)
STEP = Batch(5e6, given=False)


def speed(accelerators, *, shape=SHAPE, params=70e9, batch=STEP, node=8):
    return estimated_speed(shape, params, H100, FITTED, batch, accelerators, node)


def codes(found):
    return {notice.code for notice in found.warnings}


@pytest.mark.parametrize("wanted", [1.0, 3.3, 63.0, 610.35, 1562.5, 2363.0])
@pytest.mark.parametrize("accelerators", [1, 8, 96, 512, 704, 1000, 16384])
def test_an_assumed_batch_becomes_the_next_that_is_shared_and_a_given_one_moves_little(wanted, accelerators):
    odd = odd_part(accelerators)
    if odd > 2 * wanted:
        with pytest.raises(UsageError, match="share no step of about"):
            shared_sequences(wanted, accelerators, given=False)
    else:
        assumed = shared_sequences(wanted, accelerators, given=False)
        assert assumed % odd == 0
        assert odd_part(assumed // odd) == 1
        assert wanted <= assumed <= 2 * max(wanted, odd)
    given = shared_sequences(wanted, accelerators, given=True)
    assert abs(given - wanted) <= max(ROUNDING * wanted, 0.5 + 1e-12)


def test_a_batch_that_is_asked_for_keeps_the_largest_power_of_two_within_the_rounding():
    assert near_sequences(1562.5, 1) == 1536
    assert near_sequences(512.0, 1) == 512
    assert near_sequences(100.0, 3) == 96


def test_numbers_round_down_to_few_binary_digits():
    assert [floor_binary(n, 5) for n in (31, 32, 33, 250, 2500)] == [31, 32, 32, 248, 2432]
    assert [floor_binary(n, 1) for n in (1, 3, 64, 65, 127)] == [1, 2, 64, 64, 64]


def test_utilisation_counts_six_a_parameter_and_token_over_every_accelerator():
    found = speed(512)
    assert found.mfu.value == pytest.approx(6 * 70e9 * found.tokens_per_second.value / H100.peak)
    assert found.tokens_per_second.value == pytest.approx(found.batch_tokens / found.step_seconds.value / 512)
    assert found.mfu.low < found.mfu.value < found.mfu.high
    assert found.layout.accelerators == 512


@pytest.mark.parametrize("accelerators", [513, 520, 1009, 2000, 4100])
def test_what_divides_badly_is_left_idle_and_paid_for(accelerators):
    found, well = speed(accelerators), speed(2 ** (accelerators.bit_length() - 1))
    used = int(found.layout.accelerators)
    assert used <= accelerators
    assert ("idle_accelerators" in codes(found)) is (used < accelerators)
    # Never slower in all than the power of two below.
    below = 2 ** (accelerators.bit_length() - 1)
    assert found.tokens_per_second.value * accelerators >= well.tokens_per_second.value * below * (1 - 1e-12)


def test_a_prime_number_of_accelerators_is_not_used_whole():
    for many in (509, 1009, 99_991):
        found = speed(many)
        assert int(found.layout.accelerators) < many
        assert found.batch_tokens < 2 * STEP.tokens


def test_more_accelerators_than_a_batch_keeps_busy_are_said_to_wait():
    found = speed(32768)
    assert codes(found) & {"small_batch", "idle_accelerators"}
    assert codes(speed(512)) == set()


def test_a_batch_that_was_given_and_moved_is_said():
    assert "batch_rounded" in codes(speed(512, batch=Batch(3.2e6, given=True)))
    assert "batch_rounded" not in codes(speed(512, batch=Batch(4194304.0, given=True)))


def test_a_mixture_of_experts_says_how_little_is_known():
    shape = SHAPE._replace(layers=48, width=2048, heads=32, kv_heads=4, feed_forward=6144, experts=Experts(128, 8, 768))
    found = speed(256, shape=shape, params=float(shape.params.active))
    assert "experts" in codes(found)
    assert 1 < found.mfu.high / found.mfu.low <= 2.5


def test_what_fits_nowhere_says_by_how_much():
    with pytest.raises(InfeasibleError, match="short by"):
        speed(8, shape=generic_shape(400e9), params=400e9)
