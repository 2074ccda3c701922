"""How far the fitted parameters would move with other runs of the same kind.

The jackknife in one step: without run i the estimate moves by

    d_i = (M - M_i)^-1 s_i,    s_i = sum c psi J',    M_i = sum c psi' J'J over its rows,    M = sum M_i

and the covariance is the sum of d_i d_i'. For runs of one row and least squares that is MacKinnon & White's HC3 (1985),
for runs of several CR3 (Bell & McCaffrey 2002), for Huber's loss Huber's sandwich (Huber 1981) with each run's
leverage taken out. It needs no noise of one size: cheap runs are noisier than dear ones, and runs far from the best
size often are.
docs/decisions/0011 has the coverages of what else was tried.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaleplan.fitting.objective import influence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

HELD = 1e-3
"""Our choice: rows beyond Huber's threshold bend the objective by this share of one within, so that a direction that
only such rows see has a variance."""
_MOST_LEVERAGE = 0.9
"""Our choice: a run that alone decides a direction would move it without bound; it counts at most ten times."""


_UNKNOWN = 1e4
"""Our choice: the variance of what no run sees; its exponents and logarithms then have standard errors of a hundred."""


def m_estimator_covariance(
    runs: Runs, jacobian: Floats, residuals: Floats, delta: float, steadying: tuple[Floats, float] | None = None
) -> Floats:
    """Covariance (k, k) of the parameters that ``jacobian`` (n, k) is by.

    Args:
        runs: what was fitted to.
        jacobian: d ln Lhat / d theta at the estimate.
        residuals: ln Lhat - ln L.
        delta: Huber's threshold; infinite for least squares.
        steadying: (k, k) precision of what the form itself adds to the objective, and the variance of its score per
            precision: it counts as measurements.
    """
    pull = runs.weight * influence(residuals, delta)
    bend = runs.weight * np.where(np.abs(residuals) <= delta, 1.0, HELD)
    precision, worth = (0.0, 0.0) if steadying is None else steadying
    white, blind = _whitening((jacobian * bend[:, None]).T @ jacobian + precision)
    rows = jacobian @ white
    if runs.clustered:
        steps = _steps_of_runs(runs, rows, pull, bend)
    else:
        leverage = np.minimum(bend * np.einsum("ni,ni->n", rows, rows), _MOST_LEVERAGE)
        steps = rows * (pull / (1 - leverage))[:, None]
    spread = steps.T @ steps + worth * (white.T @ precision @ white if steadying is not None else 0.0)
    return white @ spread @ white.T + _UNKNOWN * blind @ blind.T


def _steps_of_runs(runs: Runs, rows: Floats, pull: Floats, bend: Floats) -> Floats:
    """(runs, k): what leaving out each run moves, where M is the unit matrix."""
    k = rows.shape[1]
    scores = np.stack([np.bincount(runs.run, pull * rows[:, i]) for i in range(k)], axis=1)
    own = np.empty((len(scores), k, k))
    for i in range(k):
        for j in range(i, k):
            own[:, i, j] = own[:, j, i] = np.bincount(runs.run, bend * rows[:, i] * rows[:, j])
    leverage, axes = np.linalg.eigh(own)
    along = np.einsum("rij,ri->rj", axes, scores) / (1 - np.minimum(leverage, _MOST_LEVERAGE))
    return np.einsum("rij,rj->ri", axes, along)


def _whitening(matrix: Floats) -> tuple[Floats, Floats]:
    """W with W' M W = 1, from M scaled to a unit diagonal; and the directions that M is blind to, left out of W."""
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    sizes, axes = np.linalg.eigh(matrix * np.outer(scale, scale))
    seen = sizes > 1e-14 * sizes[-1]
    root = np.where(seen, 1 / np.sqrt(np.maximum(sizes, 1e-300)), 0.0)
    blind = scale[:, None] * axes[:, ~seen]
    return scale[:, None] * axes * root, blind / np.linalg.norm(blind, axis=0)


def widened_along(covariance: Floats, slope: Floats, sd: float) -> Floats:
    """The covariance with a further error ``sd`` of the quantity whose gradient ``slope`` (k,) is.

    It goes along the one direction that moves the quantity and nothing else that S knows:
    S + sd^2 (S g)(S g)' / (g' S g)^2, so that the quantity's variance is g' S g + sd^2.
    """
    direction = covariance @ slope
    own = float(slope @ direction)
    return covariance if own <= 0 else covariance + sd**2 * np.outer(direction, direction) / own**2


def posterior_covariance(
    runs: Runs,
    weight: Floats,
    jacobian: Floats,
    residuals: Floats,
    threshold: Floats,
    precision: Floats,
    noise: float,
) -> Floats:
    """Covariance (k, k) where rows have their own precision and priors count as measurements.

    The inverse of the objective's curvature, with the rows beyond their threshold left out; by clusters of rows where
    runs have several.

    Args:
        runs: what was fitted to.
        weight: (n,) of each row, its precision times ``noise``.
        jacobian: (n, k) d ln Lhat / d theta at the estimate.
        residuals: (n,) ln Lhat - ln L.
        threshold: (n,) Huber's.
        precision: the penalty's (k, k), in units of the objective.
        noise: variance of a residual of weight one.
    """
    inside = weight * (np.abs(residuals) <= threshold)
    bread = _inverse((jacobian * inside[:, None]).T @ jacobian + precision)
    if not runs.clustered:
        return noise * bread
    scores = np.zeros((runs.count, jacobian.shape[1]))
    np.add.at(scores, runs.run, (weight * influence(residuals, threshold))[:, None] * jacobian)
    meat = scores.T @ scores * runs.count / max(runs.count - 1, 1) + noise * precision
    return bread @ meat @ bread


def _inverse(matrix: Floats) -> Floats:
    """The inverse of a symmetric matrix, scaled to a unit diagonal first; the pseudo-inverse where it has none."""
    scale = 1 / np.sqrt(np.maximum(np.diag(matrix), 1e-300))
    return np.linalg.pinv(matrix * scale[:, None] * scale[None, :], rcond=1e-14, hermitian=True) * np.outer(
        scale, scale
    )
