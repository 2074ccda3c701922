"""What grids of starts share: fewer rows, levels by linear least squares, coordinates of one scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

_GRID_ROWS = 2000
"""Our choice: rows beyond these, evenly spread over compute, do not move a grid's best node."""


def whitening(jacobian: Floats, weight: Floats) -> Floats:
    """Coordinates (k, k) in which J' W J is the unit matrix, so that damping treats all directions alike."""
    matrix = (jacobian * weight[:, None]).T @ jacobian
    diagonal = np.diag(matrix)
    scale = 1 / np.sqrt(np.maximum(diagonal, 1e-12 * diagonal.max()))
    unit = matrix * np.outer(scale, scale)
    # The ridge keeps directions that nothing holds at a finite length.
    lower: Any = np.linalg.cholesky(unit + 1e-8 * np.eye(len(unit)))
    inverse = np.asarray(np.linalg.inv(lower), dtype=np.float64)
    return scale[:, None] * inverse.T


def grid_rows(runs: Runs) -> Runs:
    """The runs that a grid of starts sees: those that count, an even choice over compute of very many."""
    counted = runs.weight > 0
    return (runs if counted.all() else runs.subset(counted)).evenly(_GRID_ROWS)


def two_levels(one: Floats, other: Floats, weight: Floats, least: float = 1e-3) -> Floats:
    """Levels (M, 2) with which one_i p + other_i q is nearest to 1, for columns (M, n).

    Where a level is not above ``least`` of what it would be alone, it is held there and the other solved for again.
    """
    aa, bb = (one * one) @ weight, (other * other) @ weight
    ab = (one * other) @ weight
    a, b = one @ weight, other @ weight
    determinant = np.maximum(aa * bb - ab * ab, 1e-12 * aa * bb)
    p, q = (bb * a - ab * b) / determinant, (aa * b - ab * a) / determinant
    p_least, q_least = least * a / aa, least * b / bb
    low_p, low_q = p < p_least, q < q_least
    q = np.where(low_p, np.maximum((b - ab * p_least) / bb, q_least), np.maximum(q, q_least))
    p = np.where(low_q & ~low_p, np.maximum((a - ab * q_least) / aa, p_least), np.maximum(p, p_least))
    return np.stack([p, q], axis=1)
