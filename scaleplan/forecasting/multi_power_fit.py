"""The multi-power law fitted to finished runs: of one model, or of several that share the shape of the drop.

    minimise sum_i rho_delta(ln Lhat_i - ln L_i),   rho: Huber's loss

as Luo et al. 2025 (arXiv 2503.12811) do, whose delta is 1e-3; here it is that or 1.345 robust standard deviations of
the residuals, whichever is more, so that noisy logs are weighed by more than their signs. Given alpha, C, beta and
gamma the law is linear in L0, A and B: starts are found that way on a few points, and the best of them go on by damped
Newton (``fitting.newton``) in all constants at once, logarithms of those above 0.

A prior holds what the runs cannot tell: normal in ln C', ln beta, gamma, ln alpha and ln B' (of ``multi_power_points``)
about the published constants of three models, and wider than those differ (our choice). It is weighed against the
noise of the fit, and says nothing where that is nil.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaleplan.errors import UsageError
from scaleplan.fitting.model import Local
from scaleplan.fitting.newton import Minima, minimise
from scaleplan.fitting.objective import HOFFMANN_DELTA, adaptive_delta, huber, robust_sd
from scaleplan.forecasting.lr_drops import COARSE, FINE, drop_of
from scaleplan.forecasting.multi_power import PUBLISHED, MultiPower
from scaleplan.forecasting.multi_power_points import OWN, SHARED, CurveRows, Field, different, field_of

Floats = NDArray[np.float64]
POINTS, FEW = 160, 40
"""Points fitted of a curve, and to choose starts by (our choices: neighbours are correlated)."""
_PEAK, _LEVEL = 3e-4, 3.0
"""Of the published models: the peak, and about the loss at the end (2.7 to 3.3)."""
_SHAPE = np.mean([(np.log(m.C * _PEAK ** (1 - m.gamma)), np.log(m.beta), m.gamma) for m in PUBLISHED.values()], axis=0)
_OWN = np.mean([(0.0, 0.0, np.log(m.alpha), np.log(m.B * _PEAK / _LEVEL)) for m in PUBLISHED.values()], axis=0)
_SHAPE_WIDTH, _OWN_WIDTH = np.array([0.5, 0.2, 0.14]), np.array([np.inf, np.inf, 0.35, 0.5])
"""Of ln C', ln beta, gamma; L0, ln power (both free), ln alpha, ln B'. From one of the three models to another these
move by up to 0.22, 0.03, 0.02; 0.17, 0.36."""
_OFFSETS = [(c, b, g) for c in (-1.1, 0.0, 1.1) for b in (-0.4, 0.0, 0.4) for g in (-0.25, 0.0)]
"""Starts about the means (our choice: a factor of 3 either way in C, of 1.5 in beta)."""
_ALPHAS = (0.25, 0.4, 0.55, 0.8)
_TRIED, _LEAST_SHARE = 3, 0.1
"""Starts that are searched from; of the loss, what a start must predict at least (our choices)."""
_FEW_STEPS, _MOST_STEPS = 30, 100
_TOLERANCE = 1e-9
_LEAST_SD = 1e-9
"""Our choice: the least noise that the prior is weighed against; losses printed to nine digits have it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MultiPowerFit:
    """A fitted law.

    ``sd``: robust standard deviation of ln Lhat - ln L; ``residuals``: of every point fitted; ``converged``: whether
    the search settled; ``schedules``: how many different ones it saw, below 2 the drop is the prior's.
    """

    law: MultiPower
    sd: float
    residuals: Floats
    converged: bool
    schedules: int


class DropShape(NamedTuple):
    """The constants of the drop that models share, in the unit of their learning rates."""

    C: float
    beta: float
    gamma: float


class SharedDrop(NamedTuple):
    """A drop of several donors: its shape, the median ``B``, the robust ``spread`` of ln B between them.

    ``sd``: of ln Lhat - ln L; ``converged``: whether the search settled; ``laws``: of each donor.
    """

    shape: DropShape
    B: float
    spread: float
    sd: float
    converged: bool
    laws: tuple[MultiPower, ...]


def fit_multi_power(curves: Sequence[CurveRows]) -> MultiPowerFit:
    """The law that fits finished curves of one model best.

    Args:
        curves: at least one; two different schedules are needed to tell what falls of the learning rate bring.

    Raises:
        UsageError: none, fewer than 8 points after warm-up, losses not above 0, steps outside of the schedule.
    """
    if not curves:
        raise UsageError("the multi-power law needs a finished curve (got none)")
    found = _fitted(curves, [0] * len(curves))
    return MultiPowerFit(
        law=found.field.law(found.theta),
        sd=found.sd,
        residuals=found.residuals,
        converged=found.converged,
        schedules=different([schedule for schedule, _, _ in curves]),
    )


def shared_drop(donors: Sequence[CurveRows]) -> SharedDrop | None:
    """The drop of finished runs of any size, each with L0, A, alpha and B of its own.

    ``None`` where fewer than two of their schedules differ while both last, or none of them falls.

    Raises:
        UsageError: fewer than 8 points after warm-up, losses not above 0, steps outside of the schedule.
    """
    if different([schedule for schedule, _, _ in donors]) < 2:
        return None
    found = _fitted(donors, list(range(len(donors))))
    laws = tuple(found.field.law(found.theta, model) for model in range(len(donors)))
    ln_b = np.log([law.B for law in laws])
    middle = float(np.median(ln_b))
    shape = DropShape(laws[0].C, laws[0].beta, laws[0].gamma)
    return SharedDrop(shape, float(np.exp(middle)), robust_sd(ln_b - middle), found.sd, found.converged, laws)


class _Found(NamedTuple):
    field: Field
    theta: Floats
    residuals: Floats
    converged: bool

    @property
    def sd(self) -> float:
        return robust_sd(self.residuals, self.field.weight)


def _fitted(curves: Sequence[CurveRows], models: Sequence[int]) -> _Found:
    few = field_of(curves, models, points=FEW, fine=COARSE)
    starts = sorted((_start(few, _SHAPE + offset) for offset in _OFFSETS), key=lambda start: start[0])
    thetas = np.array([theta for _, theta in starts[:_TRIED]])
    sd = max(float(np.sqrt(starts[0][0])), _LEAST_SD)
    rough = _searched(few, thetas, max(HOFFMANN_DELTA, sd), sd, _FEW_STEPS)
    theta = rough.theta[int(np.argmin(rough.value))]
    field = field_of(curves, models, points=POINTS, fine=FINE)
    theta[SHARED + 1 :: OWN] += np.exp(theta[SHARED + 2 :: OWN]) * np.log(few.middle / field.middle)
    for steps in (_FEW_STEPS, _MOST_STEPS):
        residuals = field.residuals(theta)[0]
        sd = max(robust_sd(residuals, field.weight), _LEAST_SD)
        delta = max(HOFFMANN_DELTA, adaptive_delta(residuals, field.weight))
        search = _searched(field, theta[None, :], delta, sd, steps)
        theta = search.theta[0]
    return _Found(field, theta, field.residuals(theta)[0], bool(search.converged[0]))


def _start(field: Field, shape: Floats) -> tuple[float, Floats]:
    """Linear least squares of L0, A, B given the shape, the best alpha of a few for each model; and its misfit."""
    C, beta, gamma = float(np.exp(shape[0])), float(np.exp(shape[1])), float(shape[2])
    theta, misfit = [shape], 0.0
    drops = [drop_of(points.pairs, C, beta, gamma) for points in field.curves]
    for model in range(field.models):
        own = [(points, drop) for points, drop in zip(field.curves, drops, strict=True) if points.model == model]
        ln_S = np.log(np.concatenate([points.sums for points, _ in own]) / field.middle)
        D, y = np.concatenate([drop for _, drop in own]), np.concatenate([points.loss for points, _ in own])
        weight = np.concatenate([points.weight for points, _ in own])
        best = min((_linear(ln_S, D, y, weight, alpha) for alpha in _ALPHAS), key=lambda each: each[0])
        theta.append(best[1])
        misfit += best[0]
    return misfit / float(field.weight.sum()), np.concatenate(theta)


def _linear(ln_S: Floats, D: Floats, y: Floats, weight: Floats, alpha: float) -> tuple[float, Floats]:
    """Sum of squared relative residuals, and L0, ln power, ln alpha, ln B'; B' is the usual where it comes out odd."""
    root = np.sqrt(weight)
    X = np.stack([np.ones_like(y), np.exp(-alpha * ln_S), -D], axis=1) * (root / y)[:, None]
    usual = float(np.exp(_OWN[3]))
    c = np.linalg.lstsq(X, root, rcond=None)[0]
    if not usual / 10 < c[2] < usual * 10:
        c = np.r_[np.linalg.lstsq(X[:, :2], root - usual * X[:, 2], rcond=None)[0], usual]
    if c[1] <= 0 or (X @ c / root).min() <= _LEAST_SHARE:  # a loss that rises, or falls below 0: begin flat
        c = np.r_[float(np.mean(y)), 1e-3 * float(np.mean(y)), usual]
    off = X @ c - root
    return float(off @ off), np.array([c[0], np.log(c[1]), np.log(alpha), np.log(c[2])])


def _searched(field: Field, thetas: Floats, delta: float, sd: float, steps: int) -> Minima:
    centre = np.r_[_SHAPE, np.tile(_OWN, field.models)]
    pull = (sd / np.r_[_SHAPE_WIDTH, np.tile(_OWN_WIDTH, field.models)]) ** 2

    def local(points: Floats, _: NDArray[np.int64]) -> Local:
        found = [_objective(field, theta, delta, centre, pull) for theta in points]
        return Local(*(np.array([each[part] for each in found]) for part in range(3)))

    return minimise(local, thetas, tolerance=_TOLERANCE, most_steps=steps)


def _objective(field: Field, theta: Floats, delta: float, centre: Floats, pull: Floats) -> tuple[float, Floats, Floats]:
    """Value, gradient and the matrix of Gauss and Newton, residuals beyond delta weighed as if on a parabola."""
    away = theta - centre
    # A step that is far too long overflows; its value is then no number, and the search takes a shorter one.
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        r, J = field.residuals(theta)
        value = float(field.weight @ huber(r, delta) + pull @ away**2 / 2)
        weight = field.weight * np.minimum(1.0, delta / np.maximum(np.abs(r), 1e-300))
        weighed = J * weight[:, None]
        return value, weighed.T @ r + pull * away, J.T @ weighed + np.diag(pull)
