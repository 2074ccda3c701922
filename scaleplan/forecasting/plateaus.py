"""Runs that do not fall: one that has not begun to learn, and one that has stopped.

A fall of less than 5 % while the number of steps doubles, at a level above 65 % of the first loss, is a run that has
not begun to learn; it is told after 1000 steps. A run has stopped when it fell less in its last half than a tenth of
what it fell in the quarter before, by the scatter of its levels surely, and that half is flat, within 1 % and the
scatter: a loss that jumped up and is on its way down again has not stopped. The limits are our choice, set on measured
runs.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import TYPE_CHECKING

from scaleplan.forecasting.course import Finding

if TYPE_CHECKING:
    from scaleplan.forecasting.course import Course

STILL = 0.01
UNLEARNED, SLOW, UNIFORM = 0.65, 0.05, math.log(256)
"""``UNIFORM``: a first loss below that of guessing bytes means that the log begins after learning did."""


def plateau(course: Course, going: Finding | None, gap: float, *, early: bool, diverging: bool) -> Finding | None:
    """A plateau that begins, or the one that is going on as it ends; ``None`` where nothing changed."""
    level = float(course.smooth[-1])
    if going is not None:
        over = level < going.size * (0.95 if going.share else 0.99)
        return going._replace(seen=course.ends[-1], over=True) if over else None
    if diverging:
        return None
    if _unlearned(course, gap, early=early):
        return Finding(
            "plateau", course.first[0], course.ends[-1], level, 1.0, over=False, why="it has not begun to learn"
        )
    if not early and _stopped(course):
        start = course.ends[bisect_left(course.ends, 0.5 * course.ends[-1])]
        return Finding("plateau", start, course.ends[-1], level, 0.0, over=False, why="it has stopped falling")
    return None


def _unlearned(course: Course, gap: float, *, early: bool) -> bool:
    """Whether the run has not begun to learn, and has had the time to."""
    step, first = course.first
    begins = step <= max(3 * gap, 200) and first >= UNIFORM
    rate_rises = early and course.rates[-1] == course.rates[-1]
    waited = course.ends[-1] - step >= 1000 and len(course.smooth) >= 8 and not rate_rises
    if not (begins and waited and float(course.smooth.min()) > UNLEARNED * first):
        return False
    half = course.at(0.5)
    return (half - float(course.smooth[-1])) / abs(half) < SLOW


def _stopped(course: Course) -> bool:
    """Whether the run has stopped falling."""
    if len(course.smooth) < 64 or course.first[0] > 0.1 * course.ends[-1]:
        return False
    half, level = course.at(0.5), float(course.smooth[-1])
    last = course.smooth[course.place(0.5) :]
    if half == 0 or float(last.max() - last.min()) > STILL * abs(half) + 4 * course.noise:
        return False
    before, fall = (course.at(0.25) - half) / abs(half), (half - level) / abs(half)
    error = 2 * course.noise / abs(half)
    return before >= 0.02 and fall + error < 0.1 * before and fall > -STILL
