"""Points of finished curves as the fit of the multi-power law sees them, and the law there with its derivatives.

The learning rate is measured in a reference peak and the loss in a reference level, so that the constants searched for
are the same in any unit of either: C' = C peak^(1-gamma) [1/step], A' = A / (peak^alpha level), and
B' = B x peak / level, the share of the loss that a whole decay brings in time (see ``multi_power`` for the units).

Only what comes after warm-up is fitted, as in Luo et al. 2025. A law of powers has as much to say of each doubling of
the steps, so points weigh as their share of ln t, those of the first tenth of a curve no more than their share of t;
and residuals are correlated, so a curve weighs as 12 independent points (our choices).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scaleplan.errors import UsageError
from scaleplan.forecasting.lr_drops import Pairs, cells_of, drop_and_slopes, pairs_of
from scaleplan.forecasting.multi_power import MultiPower, learned
from scaleplan.forecasting.schedules import Schedule

Floats = NDArray[np.float64]
CurveRows = tuple[Schedule, ArrayLike, ArrayLike]
"""The schedule of a whole run with its warm-up, steps, and losses [nats/token] there."""
LEAST = 8
"""Points that one curve needs: one more than the law has constants."""
SHARED, OWN = 3, 4
"""Coordinates: ln C', ln beta, gamma, and of each model L0, ln of its power at the middle S, ln alpha, ln B'."""
_ALIKE = 0.01
"""Schedules that differ by less than this share of the peak are the same (a log rounds its lr to that)."""
_COMPARED = 200
_FALLS = 0.05
"""A schedule that falls by less than this share of its peak is constant."""
_INDEPENDENT, _EARLY = 12.0, 0.1


class Points(NamedTuple):
    """Points of one curve: ``pairs`` and ``sums`` of its schedule, losses, weights, and of which model it is."""

    pairs: Pairs
    sums: Floats
    loss: Floats
    weight: Floats
    model: int


class Field(NamedTuple):
    """Points of several curves; ``peak``, ``level``: the references; ``middle``: the S at which powers are."""

    curves: tuple[Points, ...]
    models: int
    peak: float
    level: float
    middle: float

    @property
    def weight(self) -> Floats:
        """Of all points (n,), 12 a curve."""
        return np.concatenate([each.weight for each in self.curves])

    @property
    def coordinates(self) -> int:
        """How many there are."""
        return SHARED + OWN * self.models

    def residuals(self, theta: Floats) -> tuple[Floats, Floats]:
        """ln Lhat - ln L of all points (n,) and its derivatives (n, k); not finite where Lhat is not above 0."""
        found = [self._curve(theta, points) for points in self.curves]
        return np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found])

    def law(self, theta: Floats, model: int = 0) -> MultiPower:
        """The law of a model in the unit of the schedules."""
        ln_c, ln_beta, gamma = theta[:SHARED].tolist()
        L0, ln_power, ln_alpha, ln_fall = theta[self._own(model)].tolist()
        alpha = float(np.exp(ln_alpha))
        return MultiPower(
            L0=L0 * self.level,
            A=float(np.exp(ln_power) * (self.middle * self.peak) ** alpha) * self.level,
            alpha=alpha,
            B=float(np.exp(ln_fall)) * self.level / self.peak,
            C=float(np.exp(ln_c)) * self.peak ** (gamma - 1),
            beta=float(np.exp(ln_beta)),
            gamma=gamma,
        )

    def _own(self, model: int) -> slice:
        return slice(SHARED + OWN * model, SHARED + OWN * (model + 1))

    def _curve(self, theta: Floats, points: Points) -> tuple[Floats, Floats]:
        C, beta, gamma = float(np.exp(theta[0])), float(np.exp(theta[1])), float(theta[2])
        own = self._own(points.model)
        alpha, fall = float(np.exp(theta[own][2])), float(np.exp(theta[own][3]))
        ln_S = np.log(points.sums / self.middle)
        power = np.exp(theta[own][1] - alpha * ln_S)
        drop = drop_and_slopes(points.pairs, C, beta, gamma)
        loss = theta[own][0] + power - fall * drop.value
        slopes = np.zeros((len(loss), self.coordinates))
        slopes[:, :SHARED] = -fall * drop.slopes * (1.0, beta, 1.0)
        slopes[:, own] = np.stack([np.ones_like(loss), power, -alpha * ln_S * power, -fall * drop.value], axis=1)
        safe = np.where(loss > 0, loss, np.nan)
        return np.log(safe) - np.log(points.loss), slopes / safe[:, None]


def field_of(curves: Sequence[CurveRows], models: Sequence[int], *, points: int, fine: int) -> Field:
    """The points of curves, each by itself in at most so many blocks of as many neighbours.

    Args:
        curves: finished ones.
        models: of each curve the number of its model, from 0.
        points: most a curve.
        fine: cells of its schedule, as for ``cells_of``.

    Raises:
        UsageError: fewer than 8 points after warm-up, losses not above 0, steps outside of the schedule.
    """
    peak = float(np.median([schedule.peak for schedule, _, _ in curves]))
    rows = [_rows(*curve) for curve in curves]
    level = float(np.median([loss[-LEAST:].mean() for _, loss in rows]))
    made: list[Points] = []
    for (schedule, _, _), (steps, losses), model in zip(curves, rows, models, strict=True):
        starts = np.unique(np.linspace(0, len(steps), points, endpoint=False).astype(np.int64))
        count = np.diff(np.r_[starts, len(steps)])
        step, loss = np.add.reduceat(steps, starts) / count, np.add.reduceat(losses, starts) / count
        scaled = Schedule(step=schedule.step, lr=schedule.lr / peak, name=schedule.name, text=schedule.text)
        sums = learned(scaled, step)
        made.append(Points(pairs_of(cells_of(scaled, fine), step, sums), sums, loss / level, _weights(step), model))
    middle = float(np.median(np.concatenate([each.sums for each in made])))
    return Field(tuple(made), max(models) + 1, peak, level, middle)


def different(schedules: Sequence[Schedule]) -> int:
    """How many schedules differ while both last; 0 where none of them falls after its peak."""
    if not any(schedule.lr[schedule.lr.argmax() :].min() < (1 - _FALLS) * schedule.peak for schedule in schedules):
        return 0
    kept: list[Schedule] = []
    for schedule in sorted(schedules, key=lambda each: -each.total_steps):
        at = np.linspace(0.0, schedule.total_steps, _COMPARED)
        off = [np.abs(schedule.lr_at(at) - other.lr_at(at)).max() / schedule.peak for other in kept]
        if all(each > _ALIKE for each in off):
            kept.append(schedule)
    return len(kept)


def _rows(schedule: Schedule, steps: ArrayLike, losses: ArrayLike) -> tuple[Floats, Floats]:
    """Steps after warm-up, rising, and losses there."""
    step, loss = np.asarray(steps, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    if step.ndim != 1 or step.shape != loss.shape:
        raise UsageError(f"curve {schedule.name}: steps and losses are columns of one length")
    bad = np.flatnonzero(~(np.isfinite(loss) & (loss > 0)))
    if bad.size:
        raise UsageError(
            f"curve {schedule.name}: the loss at step {step[bad[0]]:g} must be a finite number above 0 "
            f"(got {loss[bad[0]]:g})"
        )
    learned(schedule, step)  # refuses steps that the schedule does not have
    after = step > schedule.warm_up
    if int(after.sum()) < LEAST:
        raise UsageError(
            f"curve {schedule.name}: the multi-power law needs {LEAST} points after warm-up, which ends at step "
            f"{schedule.warm_up:g} (got {int(after.sum())})"
        )
    order = np.argsort(step[after], kind="stable")
    return step[after][order], loss[after][order]


def _weights(step: Floats) -> Floats:
    between = (step[1:] + step[:-1]) / 2
    width = np.diff(np.r_[step[0], between, step[-1]])
    # The ends stand for as much on their far side as on their near one.
    width[[0, -1]] *= 2
    weight = width / np.maximum(step, _EARLY * step[-1])
    return weight * (min(len(step), _INDEPENDENT) / weight.sum())
