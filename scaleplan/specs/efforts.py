"""What training takes of a machine by the FLOP, where its utilisation is given.

A bill of H = T / goodput (1 + evaluation + pilots) + hours given (``compute.bill``), with T = C / (3600 mfu peak) hours
of training of C = 6 N D, is a line in C: so much an FLOP, and what is paid whatever the run is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scaleplan.compute.bill import SECONDS_PER_HOUR
from scaleplan.errors import UsageError
from scaleplan.planning.limits import Effort

if TYPE_CHECKING:
    from scaleplan.ops import Real
    from scaleplan.specs.machines import Machine


def effort_of(machine: Machine, mfu: Real | None = None) -> Effort:
    """Accelerator-hours, money and energy of a training FLOP (6 N D) on a machine, exactly those of its bill.

    Args:
        machine: where it runs; its price is the middle of its range where it has one.
        mfu: the utilisation, in place of the machine's; may be an array.

    Raises:
        UsageError: no utilisation is given; by the estimate it depends on the run.
    """
    mfu = machine.conditions.mfu if mfu is None else mfu
    if mfu is None:
        raise UsageError(f"the utilisation of {machine.accelerator.id} is not given, and depends on the run: give mfu")
    rates = machine.rates
    beside = rates.evaluation.share + rates.pilots.share
    return Effort(
        hours_per_flop=(1 + beside) / (rates.goodput * SECONDS_PER_HOUR * machine.part.peak * mfu),
        fixed_hours=rates.evaluation.gpu_hours + rates.pilots.gpu_hours,
        accelerators=machine.accelerators,
        price=None if rates.price is None else rates.price.value,
        mwh_per_hour=None if rates.watts is None else rates.watts * rates.pue / 1e6,
    )
