"""What falls of the learning rate bring by the multi-power law, as a sum over cells of the schedule.

    D(t) = sum_{k=1..t} (eta_{k-1} - eta_k) G(eta_k^-gamma S_k(t)),   S_k(t) = sum_{tau=k..t} eta_tau
    G(x) = 1 - (C x + 1)^-beta

Luo et al. 2025, arXiv 2503.12811, eq. 1 and 2. A rise, such as warm-up, counts as a negative fall; a constant rate adds
nothing. The schedule is cut where it bends, and its slopes into cells of nearly one rate; over a cell eta^-gamma is
held, the fall is spread evenly over S, and the mean of G is then exact:

    mean of (1 + v)^-beta from v1 to v2 = [(1 + v2)^(1-beta) - (1 + v1)^(1-beta)] / [(1 - beta) (v2 - v1)]

Sums over steps are integrals from half a step before to half a step before the end (midpoint rule), so that a fall
within a single step is that step's term of the sum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from scaleplan.forecasting.schedules import Schedule

Floats = NDArray[np.float64]
FINE, COARSE = 48, 16
"""Cells of a fall from the peak to 0 (our choices): with 48 losses are within 2e-5 of the sum over all steps."""
_BEND = 5e-4
"""Bends of less than this share of the peak are left out (our choice: 2e-5 of the loss at published constants)."""
_PAIRS = 2_000_000
"""Pairs of a step and a cell held in memory at a time (our choice: 150 MB)."""
_THIN = 1e-6
"""A cell thinner than this in v is a point: rounding would spoil the difference."""
_NEAR_ONE = 1e-5
"""beta is held this far from 1, where the form is a logarithm."""


class Cells(NamedTuple):
    """Stretches of a schedule over which the learning rate moves, of m cells each (m,).

    ``begin``, ``end``: steps; ``from_sum``, ``to_sum``: S there, less half a step's; ``lr``: the rate within; ``fall``:
    by how much it falls.
    """

    begin: Floats
    end: Floats
    from_sum: Floats
    to_sum: Floats
    lr: Floats
    fall: Floats


def lr_sum(schedule: Schedule, steps: ArrayLike) -> Floats:
    """The sum of the learning rate over steps 1 to t, the integral and half a step's worth at the ends.

    Raises:
        UsageError: steps outside of the run.
    """
    return schedule.cumulative(steps) + (schedule.lr_at(steps) - schedule.lr[0]) / 2


def cells_of(schedule: Schedule, fine: int = FINE) -> Cells:
    """The cells of a schedule, ``fine`` of them on a fall from the peak to 0."""
    corner = _corners(schedule.step, schedule.lr, _BEND * schedule.peak)
    step, lr = schedule.step[corner], schedule.lr[corner]
    moving = np.flatnonzero(np.diff(lr))
    a, b, high, low = step[moving], step[moving + 1], np.sqrt(lr[moving]), np.sqrt(lr[moving + 1])
    # Even steps of the root of the rate: a fall to 0 then has its finest cells where eta^-gamma moves most.
    count = np.ceil(np.abs(high - low) / np.sqrt(schedule.peak) * fine)
    single = count >= b - a  # cells of one step then
    count = np.minimum(count, np.ceil(b - a)).clip(1).astype(np.int64)
    piece = np.repeat(np.arange(len(count)), count)
    place = np.arange(len(piece)) - np.repeat(np.cumsum(count) - count, count)

    def edge(place: NDArray[np.int64]) -> Floats:
        root = high[piece] + (low - high)[piece] * place / count[piece]
        share = (root**2 - high[piece] ** 2) / (low**2 - high**2)[piece]
        share = np.where(single[piece], place / count[piece], share)
        return a[piece] + (b - a)[piece] * np.clip(share, 0.0, 1.0)

    begin, end = edge(place), edge(place + 1)
    mid = schedule.lr_at(np.minimum(end, (begin + end + 1) / 2))
    mid = np.where(mid > 0, mid, (schedule.lr_at(begin) + schedule.lr_at(end)) / 2)
    fall = schedule.lr_at(begin) - schedule.lr_at(end)
    return Cells(begin, end, lr_sum(schedule, begin) - mid / 2, lr_sum(schedule, end) - mid / 2, mid, fall)


class Pairs(NamedTuple):
    """Every cell that begins before a step, for n steps: ``row`` of the step, S from the cell's ends to it, ln lr."""

    rows: int
    row: NDArray[np.intp]
    far: Floats
    near: Floats
    ln_lr: Floats
    fall: Floats


def pairs_of(cells: Cells, steps: Floats, sums: Floats) -> Pairs:
    """The pairs of cells and steps, ``sums`` being S at the steps."""
    row, cell = np.nonzero(steps[:, None] > cells.begin[None, :])
    t, S = steps[row], sums[row]
    share = np.minimum((t - cells.begin[cell]) / (cells.end - cells.begin)[cell], 1.0)
    least = cells.lr[cell] / 2
    near = np.maximum(S - cells.to_sum[cell], least)
    far = np.maximum(S - cells.from_sum[cell], near)
    return Pairs(len(steps), row, far, near, np.log(cells.lr)[cell], cells.fall[cell] * share)


class Drop(NamedTuple):
    """D of n steps (n,), and its derivatives to ln C, beta and gamma (n, 3)."""

    value: Floats
    slopes: Floats


def drop_of(pairs: Pairs, C: float, beta: float, gamma: float) -> Floats:
    """D at the steps of the pairs."""
    v2, v1, width, q = _spans(pairs, C, beta, gamma)
    mean = np.exp(q * np.log1p(v2))
    mean -= np.exp(q * np.log1p(v1))
    mean /= q * width
    return _by_row(pairs, 1 - mean)


def drop_and_slopes(pairs: Pairs, C: float, beta: float, gamma: float) -> Drop:
    """D at the steps of the pairs, and its derivatives."""
    v2, v1, width, q = _spans(pairs, C, beta, gamma)
    l2, l1 = np.log1p(v2), np.log1p(v1)
    e2, e1 = np.exp(q * l2), np.exp(q * l1)
    mean = (e2 - e1) / (q * width)
    by_ln_c = (v2 * e2 / (1 + v2) - v1 * e1 / (1 + v1)) / width - mean
    by_beta = mean / q - (l2 * e2 - l1 * e1) / (q * width)
    slopes = [-by_ln_c, -by_beta, by_ln_c * pairs.ln_lr]
    return Drop(_by_row(pairs, 1 - mean), np.stack([_by_row(pairs, each) for each in slopes], axis=1))


def drop_term(schedule: Schedule, steps: ArrayLike, C: float, beta: float, gamma: float) -> Floats:
    """D at steps of a schedule [lr].

    Args:
        schedule: of the whole run, warm-up with it.
        steps: within the run.
        C: of G, above 0 [lr^(gamma - 1)].
        beta: of G, above 0.
        gamma: of eta_k.

    Raises:
        UsageError: steps outside of the run.
    """
    at = np.atleast_1d(np.asarray(steps, dtype=np.float64))
    cells, sums = cells_of(schedule), lr_sum(schedule, at)
    size = max(1, _PAIRS // max(len(cells.begin), 1))
    parts = [slice(i, i + size) for i in range(0, len(at), size)]
    return np.concatenate([drop_of(pairs_of(cells, at[p], sums[p]), C, beta, gamma) for p in parts] or [at])


def _by_row(pairs: Pairs, G: Floats) -> Floats:
    return np.bincount(pairs.row, pairs.fall * G, pairs.rows).astype(np.float64)


def _spans(pairs: Pairs, C: float, beta: float, gamma: float) -> tuple[Floats, Floats, Floats, float]:
    """v at the ends of each cell, its width, and 1 - beta."""
    c = C * np.exp(-gamma * pairs.ln_lr)
    v1 = c * pairs.near
    v2 = np.maximum(c * pairs.far, v1 + _THIN * (1 + v1))
    q = 1 - beta
    return v2, v1, v2 - v1, q if abs(q) > _NEAR_ONE else _NEAR_ONE


def _corners(step: Floats, lr: Floats, tolerance: float) -> NDArray[np.int64]:
    """Knots between which a straight line is within the tolerance (Ramer 1972, Douglas and Peucker 1973)."""
    kept = [0, len(step) - 1]
    todo = [(0, len(step) - 1)]
    while todo:
        i, j = todo.pop()
        if j - i < 2:
            continue
        slope = (lr[j] - lr[i]) / (step[j] - step[i])
        off = np.abs(lr[i + 1 : j] - lr[i] - slope * (step[i + 1 : j] - step[i]))
        worst = int(off.argmax())
        if off[worst] > tolerance:
            corner = i + 1 + worst
            kept.append(corner)
            todo += [(i, corner), (corner, j)]
    return np.array(sorted(kept), dtype=np.int64)
