"""Simulated pilot runs and refits of them, thousands at once; for ``score_pilots.py``.

The losses are those of known laws with the noise of ``scaleplan.pilots.noise``: the seeds of one point share its misfit
and differ by their own scatter. Each set is fitted again by least squares of ln L weighted by 1 / sigma^2 without
priors, by the damped method of Levenberg and Marquardt from the true constants; ``cold`` fits the same with the
package's own search, which knows nothing of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import Runs, runs_of
from scaleplan.fitting.solution import AT_BOUND, Fit
from scaleplan.laws.additive import Additive
from scaleplan.pilots.certainty import Points, distinct
from scaleplan.pilots.noise import Noise
from scaleplan.pilots.plausible import Plausible

FORM = find_fit_form("additive")
_STEPS, _CLOSE = 200, 1e-9
_LOST = 20.0
"""Of ln N*: beyond e^20 the fit has no best size."""


class Simulated(NamedTuple):
    """Mean ln L (laws, repetitions, n) of the different ``points``, with ``seeds`` runs each, and their errors (n,)."""

    laws: np.ndarray
    points: Points
    seeds: np.ndarray
    sigma: np.ndarray
    log_loss: np.ndarray


class Errors(NamedTuple):
    """Errors of refits (laws, repetitions): of the forecast ln L*(C), and of ln N*."""

    loss: np.ndarray
    params: np.ndarray

    def rmse(self) -> tuple[float, float]:
        """Root mean squares over repetitions, geometric means over laws."""
        loss, params = (np.exp(np.mean(np.log(np.mean(each**2, axis=1)))) ** 0.5 for each in self)
        return float(loss), float(params)

    @property
    def lost(self) -> float:
        """The share of refits that have no best size to speak of."""
        return float(np.mean(~(np.abs(self.params) < _LOST)))


def constants(plausible: Plausible) -> np.ndarray:
    """(laws, 5): ln A, ln B, ln E, alpha, beta."""
    law: Any = plausible.law
    E, A, B, alpha, beta = (np.asarray(value).reshape(-1) for value in law)
    return np.stack([np.log(A), np.log(B), np.log(E), alpha, beta], axis=1)


def simulated(
    plausible: Plausible, points: Points, noise: Noise, flop: float, repetitions: int, seed: int
) -> Simulated:
    """Runs of ``points`` under every law, made so many times."""
    random = np.random.Generator(np.random.PCG64(seed))
    different, seeds = distinct(points)
    shared = noise.variance(different, flop, np.inf)
    laws = constants(plausible)
    size = (len(laws), repetitions, len(different))
    scatter = random.standard_normal(size) * noise.seed / np.sqrt(seeds)
    misfit = random.standard_normal(size) * np.sqrt(shared)
    true, _ = _model(laws, different)
    sigma = np.sqrt(noise.variance(different, flop, seeds))
    return Simulated(laws, different, seeds, sigma, true[:, None, :] + scatter + misfit)


def refitted(runs: Simulated, flop: float) -> Errors:
    """Errors of weighted least squares."""
    repetitions = runs.log_loss.shape[1]
    truth = np.repeat(runs.laws, repetitions, axis=0)
    observed = runs.log_loss.reshape(len(truth), -1)
    found = _least_squares(truth, runs.points, runs.sigma, observed)
    shape = runs.log_loss.shape[:2]
    return Errors(*(each.reshape(shape) for each in (_forecast(found, flop) - _forecast(truth, flop)).T))


def cold(runs: Simulated, flop: float, laws: int, repetitions: int) -> tuple[Errors, float]:
    """The same from the package's own starts, for some of the runs; and how many ended with E or an exponent at 0."""
    precision = 1 / (runs.sigma**2 * runs.seeds)
    row = np.repeat(np.arange(len(runs.points)), runs.seeds)

    def fit(log_loss: np.ndarray) -> Fit:
        return fit_form(_table(runs, row, log_loss[row], precision[row]), FORM, objective=Objective.MSE)

    fits = [[fit(runs.log_loss[i, j]) for j in range(repetitions)] for i in range(laws)]
    bound = float(np.mean([each.status == AT_BOUND for line in fits for each in line]))
    return _errors(fits, runs, flop), bound


def forecast(runs: Simulated, flop: float, laws: int, repetitions: int) -> Errors:
    """Errors of the default fit, with its own weights and priors; seeds are rows of their own."""
    return _by_itself(runs, flop, (laws, repetitions), lambda table: fit_forecast(table, FORM))


def plain(runs: Simulated, flop: float, laws: int, repetitions: int) -> Errors:
    """Errors of the fit with ``--no-prior``, which weighs all rows alike."""
    return _by_itself(runs, flop, (laws, repetitions), lambda table: fit_form(table, FORM))


def _by_itself(runs: Simulated, flop: float, count: tuple[int, int], fit: Callable[[Runs], Fit]) -> Errors:
    row = np.repeat(np.arange(len(runs.points)), runs.seeds)
    tables = [[_table(runs, row, each[row], np.ones(len(row))) for each in line[: count[1]]] for line in runs.log_loss]
    return _errors([[fit(each) for each in line] for line in tables[: count[0]]], runs, flop)


def _table(runs: Simulated, row: np.ndarray, log_loss: np.ndarray, weight: np.ndarray) -> Runs:
    return runs_of(runs.points.params[row], runs.points.tokens[row], np.exp(log_loss), weight=weight)


def _errors(fits: list[list[Fit]], runs: Simulated, flop: float) -> Errors:
    spread = FORM.surface_jacobian()
    said = np.array([[_forecast((spread @ each.theta)[None], flop)[0] for each in line] for line in fits])
    true = _forecast(runs.laws[: len(fits)], flop)[:, None, :]
    return Errors(*(said - true).transpose(2, 0, 1))


def _forecast(theta: np.ndarray, flop: float) -> np.ndarray:
    """(m, 2): ln L* and ln N* of a budget."""
    ln_a, ln_b, ln_e, alpha, beta = theta.T
    with np.errstate(all="ignore"):
        ln_n = (np.log(alpha / beta) + ln_a - ln_b + beta * math.log(flop / 6)) / (alpha + beta)
        law: Any = Additive(np.exp(ln_e), np.exp(ln_a), np.exp(ln_b), alpha, beta)
        return np.stack([np.log(np.asarray(law.loss(np.exp(ln_n), flop / 6 / np.exp(ln_n)))), ln_n], axis=1)


def _model(theta: np.ndarray, points: Points) -> tuple[np.ndarray, np.ndarray]:
    """ln L (m, n) and its derivatives (m, n, 5)."""
    x, y = np.log(points.params), np.log(points.tokens)
    ln_a, ln_b, ln_e, alpha, beta = theta.T[:, :, None]
    u, v, e = np.exp(ln_a - alpha * x), np.exp(ln_b - beta * y), np.exp(ln_e)
    total = u + v + e
    return np.log(total), np.stack([u, v, e + 0 * u, -u * x, -v * y], axis=-1) / total[..., None]


def _least_squares(theta: np.ndarray, points: Points, sigma: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """The constants (m, 5) that fit rows (m, n) best; each fit has its own damping and leaves when it is done."""
    # In centred logarithms level and slope are two directions; in raw ones nearly one.
    centre = float(np.mean(np.log(points.params))), float(np.mean(np.log(points.tokens)))
    near = Points(points.params / math.exp(centre[0]), points.tokens / math.exp(centre[1]), points.flop)
    raw = np.eye(5)
    raw[0, 3], raw[1, 4] = centre
    theta = theta @ np.linalg.inv(raw).T
    active, damping = np.arange(len(theta)), np.full(len(theta), 1e-3)
    for _ in range(_STEPS):
        now = theta[active]
        value, slope = _model(now, near)
        miss, rows = (value - observed[active]) / sigma, slope / sigma[:, None]
        matrix = rows.transpose(0, 2, 1) @ rows
        pull = (rows * miss[..., None]).sum(axis=1)
        diagonal = np.diagonal(matrix, axis1=1, axis2=2)
        # A term that has vanished has no curvature of its own left.
        diagonal = np.maximum(diagonal, 1e-12 * diagonal.max(axis=1, keepdims=True))
        damped = matrix + (damping[active, None] * diagonal)[..., None] * np.eye(5)
        step: Any = np.linalg.solve(damped, pull[..., None])[..., 0]
        with np.errstate(over="ignore", invalid="ignore"):
            after = (_model(now - step, near)[0] - observed[active]) / sigma
        gain = np.sum(miss**2, axis=1) - np.sum(after**2, axis=1)
        better = gain > 0
        theta[active[better]] -= step[better]
        damping[active] = np.clip(damping[active] * np.where(better, 0.1, 10.0), 1e-12, 1e12)
        active = active[~((np.sum(pull * step, axis=1) < _CLOSE) & (damping[active] < 1e6)) & (damping[active] < 1e9)]
        if not len(active):
            break
    return theta @ raw.T
