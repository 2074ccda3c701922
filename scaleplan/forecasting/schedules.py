"""The learning rate over the whole planned run: a piecewise-linear curve, its integral, and whether a log follows it.

The laws of curves are in S1(t) = integral of the learning rate to t and in its falls (Tissue et al. 2024, arXiv
2408.11029; Luo et al. 2025, arXiv 2503.12811): both need the warm-up and all that is still to come.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scaleplan.errors import UsageError
from scaleplan.forecasting.readings import Readings, last_of_each

Floats = NDArray[np.float64]
_TOLERANCE = 0.01
"""Our choice, of the peak: a log rounds its lr to three digits or more."""
_SLACK = 1e-9
"""Our choice, of the total steps: what rounding may add to a step."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Schedule:
    """The learning rate of a run from step 0 to its last one, linear between knots.

    ``step`` rises strictly from 0, ``lr`` is finite, nowhere negative and somewhere above zero; ``name`` is what it was
    made from, and ``text`` says it in words.

    Raises:
        UsageError: arrays that are none of that.
    """

    step: Floats
    lr: Floats
    name: str
    text: str

    def __post_init__(self) -> None:
        wrong = problem(self.step, self.lr)
        if wrong is not None:
            raise UsageError(f"schedule {self.name}: {wrong}")
        if self.step[0] != 0:
            raise UsageError(f"schedule {self.name}: begins at step {self.step[0]:g}, not at 0")

    @classmethod
    def from_rows(
        cls,
        step: ArrayLike,
        lr: ArrayLike,
        *,
        warm_up: float | None = None,
        name: str = "rows",
        text: str | None = None,
    ) -> Schedule:
        """The curve through rows.

        Args:
            step: rising; the last is the end of the run.
            lr: at each of them.
            warm_up: steps of a rise from 0 to the lr of the first row, where rows begin after it; 0 for an lr held from
                step 0. Where left out it is up to the first row, if that is later than the rows' own distance: our
                choice, as every published recipe warms up.
            name: for messages.
            text: in words.

        Raises:
            UsageError: rows that are no schedule, or a warm-up that ends after the first of them.
        """
        at, rate = np.array(step, dtype=np.float64), np.array(lr, dtype=np.float64)
        wrong = problem(at, rate)
        if wrong is not None:
            raise UsageError(f"schedule {name}: {wrong}")
        if warm_up is None:
            warm_up = float(at[0]) if at[0] > at[1] - at[0] else 0.0
        if not 0 <= warm_up <= at[0]:
            raise UsageError(f"schedule {name}: a warm-up of {warm_up:g} steps, but rows begin at step {at[0]:g}")
        ramp = {0.0: 0.0, warm_up: rate[0]} if warm_up > 0 else {0.0: rate[0]}
        before = [each for each in ramp if each < at[0]]
        at, rate = np.r_[before, at], np.r_[[ramp[each] for each in before], rate]
        said = f"{len(at) - len(before):,} rows to step {at[-1]:,.0f}" if text is None else text
        return cls(step=at, lr=rate, name=name, text=said)

    @classmethod
    def of_readings(cls, readings: Readings, *, warm_up: float | None = None, name: str = "log") -> Schedule | None:
        """What a log says the learning rate was, to its last row with one: of a step that stands twice the later row.

        ``None`` for a log without two rows of a learning rate, or with none above zero.

        Raises:
            UsageError: a negative or infinite learning rate, or a warm-up that ends after the first row.
        """
        if readings.lr is None:
            return None
        known = np.isfinite(readings.step) & ~np.isnan(readings.lr) & (readings.step >= 0)
        step, lr = last_of_each(readings.step[known], readings.lr[known])
        if len(step) < 2 or not (lr > 0).any():
            return None
        return cls.from_rows(step, lr, warm_up=warm_up, name=name)

    @property
    def total_steps(self) -> float:
        """The last step of the run."""
        return float(self.step[-1])

    @property
    def peak(self) -> float:
        """The highest learning rate."""
        return float(self.lr.max())

    @property
    def final(self) -> float:
        """The learning rate at the end."""
        return float(self.lr[-1])

    @property
    def warm_up(self) -> float:
        """The step at which the highest learning rate is first reached."""
        return float(self.step[self.lr.argmax()])

    def fraction(self, step: Any) -> Any:
        """The share of the run that lies before a step, or steps."""
        return step / self.total_steps

    def lr_at(self, steps: ArrayLike) -> Floats:
        """The learning rate at steps.

        Raises:
            UsageError: steps outside of the run.
        """
        return np.interp(self._inside(steps), self.step, self.lr)

    def cumulative(self, steps: ArrayLike) -> Floats:
        """The integral of the learning rate from step 0 [lr x steps] to each of some steps, exact for the curve.

        Raises:
            UsageError: steps outside of the run.
        """
        at = self._inside(steps)
        sums = np.r_[0.0, np.cumsum(np.diff(self.step) * (self.lr[1:] + self.lr[:-1]) / 2)]
        left = np.clip(np.searchsorted(self.step, at, side="right") - 1, 0, len(self.step) - 2)
        over = at - self.step[left]
        return sums[left] + over * (self.lr[left] + np.interp(at, self.step, self.lr)) / 2

    def up_to(self, step: float) -> Schedule:
        """The schedule of a run that stops at a step.

        Raises:
            UsageError: a step that is not within the run, or no learning rate above zero before it.
        """
        if not step > 0:
            raise UsageError(f"schedule {self.name}: nothing is left up to step {step:g}")
        end = float(self._inside(step))
        before = self.step < end
        at, lr = np.r_[self.step[before], end], np.r_[self.lr[before], self.lr_at(end)]
        return Schedule(step=at, lr=lr, name=self.name, text=f"{self.text}, up to step {end:,.0f}")

    def continued(self, total_steps: float, end_lr: float) -> Schedule:
        """This one and then a straight line to ``end_lr`` at ``total_steps``: the same lr, or zero, or between.

        Raises:
            UsageError: an end that is not after this one's, or a learning rate that is none.
        """
        if not total_steps > self.total_steps:
            raise UsageError(f"schedule {self.name}: goes to step {self.total_steps:g}, {total_steps:g} is not beyond")
        text = f"{self.text}, then to {end_lr:.4g} at step {total_steps:,.0f}"
        return Schedule(step=np.r_[self.step, total_steps], lr=np.r_[self.lr, end_lr], name=self.name, text=text)

    def _inside(self, steps: ArrayLike) -> Floats:
        at = np.asarray(steps, dtype=np.float64)
        slack = _SLACK * self.total_steps
        out = ~((at >= -slack) & (at <= self.total_steps + slack))
        if out.any():
            raise UsageError(f"schedule {self.name}: step {at[out].flat[0]:g} is outside of 0 to {self.total_steps:g}")
        return np.clip(at, 0.0, self.total_steps)  # what rounding added


def problem(step: Floats, lr: Floats) -> str | None:
    """What keeps rows from being a schedule, in words; ``None`` where nothing does."""
    if step.ndim != 1 or step.shape != lr.shape:
        return f"steps and learning rates are columns of one length (got {step.shape} and {lr.shape})"
    if len(step) < 2:
        return f"needs two rows at least, the first and the last step (got {len(step)})"
    if not np.isfinite(step).all() or step[0] < 0:
        return "steps are finite and not negative"
    fall = np.flatnonzero(np.diff(step) <= 0)
    if fall.size:
        return f"steps must rise (got {step[fall[0]]:.10g}, then {step[fall[0] + 1]:.10g})"
    bad = np.flatnonzero(~(np.isfinite(lr) & (lr >= 0)))
    if bad.size:
        return f"the learning rate at step {step[bad[0]]:.10g} must be a finite number, 0 or above (got {lr[bad[0]]:g})"
    return None if lr.max() > 0 else "the learning rate is zero at every step"


def disagreement(schedule: Schedule, readings: Readings) -> str | None:
    """Where a log's learning rate is not that of the schedule, in a sentence; ``None`` where it is, or is not logged.

    A difference counts above 1 % of the peak, and only if no neighbouring step explains it: tools differ in whether
    they log the rate of the step that was done or of the next one.
    """
    if readings.lr is None:
        return None
    inside = (readings.step >= 0) & (readings.step <= schedule.total_steps) & np.isfinite(readings.lr)
    if not inside.any():
        return None
    step, logged = readings.step[inside], readings.lr[inside]
    near = [schedule.lr_at(np.clip(step + shift, 0, schedule.total_steps)) for shift in (-1, 0, 1)]
    off = np.maximum(logged - np.max(near, axis=0), np.min(near, axis=0) - logged)
    far = off > _TOLERANCE * schedule.peak
    if not far.any():
        return None
    first, most = int(far.argmax()), int(off.argmax())
    planned = near[1]
    return (
        f"the log's learning rate is not the schedule's at {int(far.sum()):,} of {len(step):,} rows: first at step "
        f"{step[first]:,.10g}, {logged[first]:.4g} logged and {planned[first]:.4g} planned; most at step "
        f"{step[most]:,.10g}, {logged[most]:.4g} and {planned[most]:.4g}."
    )
