"""Damped Newton for B small problems at once.

Each problem takes the step (H + lambda diag|H|)^-1 g, with its own lambda: eight times larger after a step that does
not lower the objective, ten times smaller after one that does (Levenberg 1944, Marquardt 1963; the factors are our
choice). A problem is done when a step that is hardly damped promises less than ``tolerance`` of its objective;
problems that are done leave the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scaleplan.fitting.model import Local

    Floats = NDArray[np.float64]

_FIRST_DAMPING, _MOST_DAMPING = 1e-4, 1e12
_UP, _DOWN = 8.0, 0.1
_WORTH = 1e-2
"""Our choice: damping below this does not change a step enough to be worth a try after one that failed."""
_ROUNDING = 1e-14
"""Our choice: what rounding leaves of a sum of many residuals, relative; below it no step can be told from another."""
_LEAST_VALUE = 1e-30
"""Our choice: an objective that no rounding of ln L leaves; where it is reached the data are fitted exactly."""


class Minima(NamedTuple):
    """Where B searches ended: ``theta`` (B, k), ``value`` (B,), whether each ``converged`` (B,), its ``steps`` (B,)."""

    theta: Floats
    value: Floats
    converged: NDArray[np.bool_]
    steps: NDArray[np.int64]


def minimise(
    local: Callable[[Floats, NDArray[np.int64]], Local],
    theta: Floats,
    *,
    tolerance: float = 1e-13,
    most_steps: int = 200,
) -> Minima:
    """Minimise B objectives from ``theta`` (B, k).

    Args:
        local: the objective around points (b, k) of the problems whose indices (b,) come with them.
        theta: where to start.
        tolerance: relative to the objective, the least decrease worth a step.
        most_steps: evaluations after which a search counts as not converged.
    """
    batch, k = theta.shape
    theta = theta.copy()
    indices: NDArray[np.int64] = np.arange(batch, dtype=np.int64)
    here = local(theta, indices)
    value, gradient, hessian = here.value.copy(), here.gradient.copy(), here.hessian.copy()
    damping = np.full(batch, _FIRST_DAMPING)
    converged = value <= _LEAST_VALUE
    steps = np.ones(batch, dtype=np.int64)
    active = np.flatnonzero(~converged & np.isfinite(value))
    diagonal = list(range(k))
    for _ in range(most_steps):
        if not len(active):
            break
        damped = hessian[active]
        scale = np.abs(damped[:, diagonal, diagonal])
        scale = np.maximum(scale, 1e-12 * scale.max(axis=1, keepdims=True) + 1e-300)
        damped[:, diagonal, diagonal] += (damping[active, None] + 1e-14) * scale
        move = -_solve(damped, gradient[active])
        promised = -np.einsum("bi,bi->b", gradient[active], move) / 2
        trial = theta[active] + move
        there = local(trial, active)
        steps[active] += 1
        slack = _ROUNDING * value[active]
        better = (promised > 0) & (there.value <= value[active] + slack) & np.isfinite(there.value)
        # A promise below rounding cannot be kept: the point is the minimum whether the step was better or not.
        least = tolerance * value[active] + _LEAST_VALUE
        settled = (promised > 0) & (promised <= least) & (damping[active] <= _WORTH)
        taken = active[better]
        theta[taken], value[taken] = trial[better], there.value[better]
        gradient[taken], hessian[taken] = there.gradient[better], there.hessian[better]
        damping[active] = np.where(better, damping[active] * _DOWN, np.maximum(damping[active] * _UP, _WORTH))
        done = settled | (better & (value[active] <= _LEAST_VALUE))
        converged[active[done]] = True
        stuck = damping[active] > _MOST_DAMPING
        active = active[~done & ~stuck]
    return Minima(theta, value, converged, steps)


def _solve(matrices: Floats, vectors: Floats) -> Floats:
    """Solutions of B small systems; of a singular one the least-squares solution."""
    try:
        found: Any = np.linalg.solve(matrices, vectors[..., None])
        return found[..., 0]
    except np.linalg.LinAlgError:
        finite = np.isfinite(matrices).all(axis=(1, 2)) & np.isfinite(vectors).all(axis=1)
        out = np.zeros_like(vectors)
        for i in np.flatnonzero(finite):
            out[i] = np.linalg.lstsq(matrices[i], vectors[i], rcond=None)[0]
        return out
