"""Levels outside the band that a forecast or a plan gave, for 2 % of the run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from scaleplan.forecasting.course import Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.forecasting.course import Course, Outlook, Sign

    Floats = NDArray[np.float64]

SPAN = 0.02
"""The share of the run that the level must be outside (2 %: our choice, some blocks of the 64 and more there are)."""


def off_band(course: Course, going: dict[Sign, Finding], look: Outlook) -> list[Finding]:
    """What begins or ends above (``off_band``) or below (``low``) the band; ``look`` has one."""
    assert look.step is not None
    assert look.low is not None
    assert look.high is not None
    steps = np.array(course.ends)
    inside = (steps >= look.step[0]) & (steps <= look.step[-1])
    if not inside[-1]:
        return []
    span = SPAN * (look.total_steps if math.isfinite(look.total_steps) else float(look.step[-1]))
    excess = course.levels - np.interp(steps, look.step, look.high)
    short = np.interp(steps, look.step, look.low) - course.levels
    sides: tuple[tuple[Sign, Floats], ...] = (("off_band", excess), ("low", short))
    found = [_side(kind, far, inside, steps, span, going.get(kind)) for kind, far in sides]
    return [each for each in found if each is not None]


def _side(
    kind: Sign, far: Floats, inside: NDArray[np.bool_], steps: Floats, span: float, going: Finding | None
) -> Finding | None:
    """One side of the band: how far outside each level is, and what is going on there."""
    out, now = (far > 0) & inside, float(steps[-1])
    if going is not None:
        over = going.why == "band" and len(out) >= 2 and not out[-2:].any()
        return going._replace(seen=now, over=True) if over else None
    calm = np.flatnonzero(~out)
    start = int(calm[-1]) + 1 if len(calm) else 0
    if len(steps) - start < 2 or now - steps[start] < span:
        return None
    return Finding(kind, float(steps[start]), now, float(np.median(far[start:])), -math.inf, over=False, why="band")
