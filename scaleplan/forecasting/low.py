"""Losses that are lower than is credible: below a floor, or after a fall too sudden for learning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaleplan.forecasting.course import Finding

if TYPE_CHECKING:
    from scaleplan.forecasting.course import Course

SUDDEN = 0.15
"""A fall at once by this share of the level, more than two thirds of which half of the run before did not bring, is no
learning, unless the learning rate fell as well: our choice."""


def low(course: Course, going: Finding | None, floor: float) -> Finding | None:
    """A low level that begins, or the one that is going on as it ends; ``None`` where nothing changed."""
    now, levels = course.ends[-1], course.levels
    if going is not None:
        over = float(levels[-2:].min()) > going.share
        return going._replace(seen=now, over=True) if over else None
    count = len(levels)
    if count >= 3 and float(levels[-3:].max()) < floor:
        size = floor - float(levels[-2:].max())
        return Finding("low", course.ends[-3], now, size, floor, over=False, why="floor")
    return _sudden(course) if count >= 48 else None


def _sudden(course: Course) -> Finding | None:
    """A fall too sudden for learning."""
    levels = course.levels
    level, before = float(levels[-2:].max()), float(levels[-18:-3].min())
    fell = float(levels[len(levels) // 2]) - before
    rates = np.array(course.rates[-18:])
    decayed = bool(rates[-1] < 0.7 * np.nanmax(rates)) if np.isfinite(rates).any() else False
    if level >= (1 - SUDDEN) * before - 4 * course.noise or fell >= SUDDEN / 1.5 * before or decayed:
        return None
    size, back = before - level, (1 - SUDDEN / 2) * before
    return Finding("low", course.ends[-2], course.ends[-1], size, back, over=False, why="sudden")
