"""Constants of the step-time model with the time factor of a user's own measured steps: ``--calibrate steps.csv``.

No step takes less than its FLOPs at the peak of its accelerators: a row that says so is refused.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scaleplan import units
from scaleplan.compute.device import Calibration, Device
from scaleplan.compute.step_calibration import USUAL_FACTORS, TimeFactor, calibrated, least_seconds, time_factor
from scaleplan.compute.step_time import step_time
from scaleplan.errors import Notice
from scaleplan.specs.files import shown
from scaleplan.specs.measured_steps import MeasuredStep, read_steps, refuse


class UserCalibration(NamedTuple):
    """Constants with the factor of a user's own steps, the factor, and what is odd about it."""

    calibration: Calibration
    found: TimeFactor
    notices: tuple[Notice, ...]


def calibrate(path: str, device: Device, calibration: Calibration) -> UserCalibration:
    """Constants with the factor of the steps in a CSV file, measured on ``device``.

    Raises:
        InputFileError: the file cannot be used; every bad value with its line and column, a step faster than the peak
            allows among them.
    """
    steps = read_steps(path)
    name = shown(path)
    refuse([problem for step in steps if (problem := _too_fast(step, device, name))], name)
    plain = calibration._replace(time_factor=1.0)
    times = [step_time(step.shape, step.layout, device, plain, step.sequences).seconds for step in steps]
    found = time_factor([step.seconds for step in steps], [float(time) for time in times])
    return UserCalibration(calibrated(plain, found), found, _odd_factor(found.factor, name))


def _too_fast(step: MeasuredStep, device: Device, name: str) -> str | None:
    """What is wrong with a step that takes less than its FLOPs at the peak; ``None`` of any other."""
    least = float(least_seconds(step.shape, step.layout, device, float(step.sequences)))
    if step.seconds >= least:
        return None
    count, unit, bound = step.layout.accelerators, "s", f"at least {readable(least)}"
    if step.column != "seconds":
        tokens = float(step.sequences) * float(step.shape.context) / float(count)
        unit, bound = "tokens/s each", f"at most {readable(tokens / least)}"
    return (
        f"{name}:{step.line}: {step.column}: {readable(step.given)} {unit} is faster than the peak of "
        f"{count} {device.id} in {device.precision} allows: {bound} {unit}"
    )


def readable(value: float) -> str:
    """A number for reading: plain digits where they are few."""
    if value in (0.0, math.inf) or 1e-3 <= value < 1e4:
        return f"{value:.4g}" if value < 1e3 else f"{value:,.0f}"
    return f"{value:,.0f}" if 1e4 <= value < 1e9 else units.flop(value)


def _odd_factor(factor: float, name: str) -> tuple[Notice, ...]:
    """A notice where steps took so much longer or shorter that they are hardly those the table describes."""
    low, high = USUAL_FACTORS
    if low <= factor <= high:
        return ()
    text = (
        f"the steps of {name} took {readable(factor)} times the estimate; published ones stay within {low:g} and "
        f"{high:g} times: check the unit of the times, the layout and the number of accelerators"
    )
    return (Notice("odd_calibration", text),)
