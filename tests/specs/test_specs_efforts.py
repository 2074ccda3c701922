"""What training takes by the FLOP is its bill to rounding, and knows no utilisation that was not given."""

import numpy as np
import pytest

from scaleplan.compute.costing import Workload
from scaleplan.errors import UsageError
from scaleplan.specs.conditions import read_conditions
from scaleplan.specs.efforts import effort_of
from scaleplan.specs.machines import Subject, costing_of, machine_of

WORDS = {"on": "512xh100-sxm", "mfu": "40%", "goodput": 0.9, "pue": 1.2, "watts": 900}


@pytest.mark.parametrize("pilots", ["3%", "20k gpu-hours"])
@pytest.mark.parametrize("evaluation", [None, "2%", "500 gpu-hours"])
@pytest.mark.parametrize("price", [None, "$2.5"])
def test_hours_money_days_and_energy_are_those_of_the_bill(pilots, evaluation, price):
    words = WORDS | {"pilots": pilots, "evaluation": evaluation, "price": price}
    machine = machine_of(read_conditions(words))
    effort = effort_of(machine)
    for params, tokens in ((7e9, 2e12), (405e9, 15e12)):
        costing = costing_of(Subject(Workload("run", params, params, tokens)), machine)
        hours = effort.hours_per_flop * 6 * params * tokens + effort.fixed_hours
        assert hours == pytest.approx(costing.gpu_hours, rel=1e-13)
        assert hours * effort.price == pytest.approx(costing.cost_usd, rel=1e-13)
        assert hours * effort.mwh_per_hour == pytest.approx(costing.energy_mwh, rel=1e-13)
        assert hours / (24 * effort.accelerators) == pytest.approx(costing.days, rel=1e-13)


def test_utilisations_may_be_arrays_in_place_of_the_machine_s():
    machine = machine_of(read_conditions(WORDS))
    many = effort_of(machine, np.array([0.2, 0.4]))
    assert many.hours_per_flop[1] == pytest.approx(effort_of(machine).hours_per_flop, rel=1e-15)
    assert many.hours_per_flop[0] == pytest.approx(2 * many.hours_per_flop[1], rel=1e-15)
    assert many.price == effort_of(machine).price


def test_without_a_number_a_price_or_a_power_there_is_none():
    effort = effort_of(machine_of(read_conditions({"on": "ascend-910c", "mfu": 0.3, "precision": "bf16"})))
    assert effort.accelerators is None
    assert effort.price is None
    assert effort.fixed_hours == 0


def test_a_utilisation_that_depends_on_the_run_is_not_made_up():
    with pytest.raises(UsageError, match="the utilisation of h100-sxm is not given, and depends on the run: give mfu"):
        effort_of(machine_of(read_conditions({"on": "h100-sxm"})))
