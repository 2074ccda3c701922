"""What memory holds: agreement with the layouts that a bill finds, how it grows, and mixtures of experts."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from scaleplan.compute.expert_counts import ExpertCounts, joint_shape
from scaleplan.compute.family import generic_shape
from scaleplan.compute.speed import Batch, estimated_speed
from scaleplan.errors import InfeasibleError, UsageError
from scaleplan.planning.constraints import Ceiling, Range
from scaleplan.planning.solver import Task, solve
from scaleplan.specs.accelerators import device
from scaleplan.specs.calibration import calibration_for
from scaleplan.specs.conditions import Conditions
from scaleplan.specs.holdings import TOKENS_PER_PARAM, most_params
from scaleplan.specs.laws import load_law
from scaleplan.specs.machines import machine_of


def held(on, **given):
    keywords = {name: given.pop(name) for name in ("memory", "experts") if name in given}
    return most_params(machine_of(Conditions(on=on, **given)), **keywords)


def runs(on, params, experts=1):
    """Whether the speed of a model is found, by its active parameters: with Step Law's batch, as holdings take it."""
    machine = machine_of(Conditions(on=on))
    built = device(machine.accelerator, "bf16")
    batch = Batch(0.58 * (TOKENS_PER_PARAM * params) ** 0.571, given=False)
    calibration = calibration_for(built).calibration
    shape = generic_shape(params) if experts == 1 else joint_shape(params, experts)
    estimated_speed(shape, params, built, calibration, batch, machine.accelerators, machine.part.node)


@pytest.mark.parametrize("on", ["1xh100-sxm", "8xh100-sxm", "64xh100-sxm", "1000xh100-sxm", "2048xh100-sxm"])
def test_the_largest_model_is_the_last_that_a_bill_finds_a_layout_for(on):
    most = held(on)
    runs(on, most)
    with pytest.raises(InfeasibleError, match="nothing fits"):
        runs(on, 1.02 * most)


@pytest.mark.parametrize("experts", [2, 8, 32])
def test_so_it_is_of_mixtures(experts):
    counts, most = ExpertCounts(experts), held("64xh100-sxm", experts=experts)
    runs("64xh100-sxm", counts.active(most), experts)
    with pytest.raises(InfeasibleError, match="nothing fits"):
        runs("64xh100-sxm", 1.02 * counts.active(most), experts)


def test_more_accelerators_hold_more():
    sizes = [held(f"{count}xh100-sxm") for count in (1, 2, 4, 8, 16, 64, 256, 1024, 4096)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 500


@pytest.mark.parametrize("experts", [None, 8])
def test_more_memory_holds_more(experts):
    sizes = [held("64xh100-sxm", memory=gb * 1e9, experts=experts) for gb in (16, 24, 40, 80, 141, 192)]
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] / 8


def test_the_accelerator_has_the_memory_that_is_not_given():
    assert held("64xh100-sxm", memory=80e9) == held("64xh100-sxm", memory="fit") == held("64xh100-sxm")


def test_nothing_is_larger_than_weights_gradients_and_optimizer_allow():
    """16 bytes a parameter (Rajbhandari et al. 2020, arXiv 1910.02054), of 0.8 of the memory."""
    for count in (1, 8, 64, 1024):
        assert held(f"{count}xh100-sxm") < 0.8 * 80e9 * count / 16


def test_a_mixture_is_bounded_by_all_of_its_parameters():
    dense, mixture = held("64xh100-sxm"), held("64xh100-sxm", experts=16)
    assert mixture == pytest.approx(dense, rel=0.2)
    assert held("64xh100-sxm", experts=1) == dense


def test_without_a_number_of_accelerators_memory_is_no_bound():
    assert held("h100-sxm") == math.inf


def test_long_sequences_leave_less_room():
    assert held("8xh100-sxm", context=131_072.0, batch=4_194_304.0) < held("8xh100-sxm", batch=4_194_304.0)


def test_too_little_memory_for_any_model_is_said():
    with pytest.raises(
        InfeasibleError, match="memory: 1 h100-sxm of 4 GB train no model of 300M parameters or more: give"
    ):
        held("1xh100-sxm", memory=4e9)


def test_a_batch_that_so_many_cannot_share_is_said():
    with pytest.raises(InfeasibleError, match=r"in steps of 8\.192K tokens: give more memory or a larger batch"):
        held("16384xh100-sxm", batch=8192.0)


@pytest.mark.parametrize(("flop", "binds"), [(1e22, False), (1e24, True)])
def test_a_plan_under_memory_is_at_most_what_it_holds(flop, binds):
    law, most = load_law("besiroglu-2024"), held("8xh100-sxm")
    free = solve(Task(law, (Ceiling("flops", flop),)))
    bound = solve(Task(law, (Ceiling("flops", flop), Range("memory", "params", None, most))))
    assert (free.params > most) == binds
    assert bound.params == pytest.approx(min(free.params, most), rel=1e-7)
    assert (bound.loss > free.loss * (1 + 1e-9)) == binds


def test_an_accelerator_of_unknown_memory_needs_one():
    machine = machine_of(Conditions(on="8xh100-sxm"))
    values = {name: value for name, value in machine.accelerator.values.items() if name != "memory"}
    unknown = machine._replace(accelerator=replace(machine.accelerator, values=values))
    with pytest.raises(UsageError, match="no known memory: give a size instead of fit"):
        most_params(unknown)
    assert most_params(unknown, memory=80e9) == most_params(machine)
