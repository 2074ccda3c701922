"""How far the fitted parameters would move with other runs of the same kind.

For Huber's estimator (Huber 1981, sec. 7.6) with m = mean psi' and n runs, k parameters,

    S = s^2 (J' W J)^-1,   s^2 = K^2 sum c psi^2 / (n - k) / m^2,   K = 1 + k/n (1 - m) / m.

With m = 1 and K = 1 this is the delta method of least squares. Where runs have several rows, the scores of a run's
rows are added before they are squared (the sandwich by clusters, Liang & Zeger 1986), since the checkpoints of one run
share its luck.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaleplan.fitting.objective import influence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]


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
    n, k = jacobian.shape
    weight = runs.weight
    psi = influence(residuals, delta)
    inside = np.abs(residuals) <= delta
    mean = max(float(weight @ inside / weight.sum()), 1 / n)
    information = (jacobian * weight[:, None]).T @ jacobian
    precision, worth = (np.zeros((k, k)), 0.0) if steadying is None else steadying
    bread = _inverse(mean * information + precision)
    if runs.clustered:
        scores = np.zeros((runs.count, k))
        np.add.at(scores, runs.run, (weight * psi)[:, None] * jacobian)
        clusters = runs.count
        meat = scores.T @ scores * clusters / max(clusters - k, 1) + worth * precision
        return bread @ meat @ bread
    correction = 1 + k / n * (1 - mean) / mean
    scale = correction**2 * float(weight @ (psi * psi)) / max(n - k, 1)
    return bread @ (scale * information + worth * precision) @ bread


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
