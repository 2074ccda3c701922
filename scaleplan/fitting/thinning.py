"""Fewer checkpoints of long runs, evenly spread in ln tokens.

Neighbouring checkpoints of one run say nearly the same, and most of them lie in the last decade of tokens. A run of
m > M checkpoints keeps M: the first at or beyond each of M marks between the least and the most tokens D,

    ln D_k = ln D_min + k / (M - 1) (ln D_max - ln D_min),   k = 0 .. M - 1,

where two marks would take the same checkpoint, the next ones along, so that exactly M are left. Our choice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scaleplan.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

MOST = 200
"""Checkpoints a run; our choice: a form has at most a handful of parameters, and a run is one cluster of its errors."""


def thinned(runs: Runs, most: int = MOST) -> Runs:
    """The runs with at most ``most`` checkpoints each, in the order of their rows.

    Runs of no more keep all of theirs; where every run does, the same object comes back.

    Args:
        runs: of any number of rows.
        most: checkpoints that a run keeps, at least 2: the one with the fewest tokens and the one with the most.

    Raises:
        UsageError: ``most`` below 2.
    """
    if most < 2:
        raise UsageError(f"a thinned run keeps at least its first and last checkpoint: most must be >= 2 (got {most})")
    if not len(runs):
        return runs
    counts = np.bincount(runs.run)
    if counts.max() <= most:
        return runs
    # Equal tokens stay in the order of their rows: both sorts are stable.
    order = np.lexsort((runs.tokens, runs.run))
    logs = np.log(runs.tokens[order])
    keep = np.ones(len(runs), dtype=bool)
    starts = np.cumsum(counts) - counts
    for start, count in zip(starts[counts > most].tolist(), counts[counts > most].tolist(), strict=True):
        rows = order[start : start + count]
        keep[rows] = False
        keep[rows[_marked(logs[start : start + count], most)]] = True
    return runs.subset(keep)


def _marked(logs: Floats, most: int) -> Indices:
    """(most,) different indices into increasing values, rising: the first and the last among them."""
    steps: Indices = np.arange(most, dtype=np.int64)
    marks: Floats = logs[0] + (logs[-1] - logs[0]) / (most - 1) * steps
    found: Indices = np.searchsorted(logs, marks)
    apart: Indices = np.maximum.accumulate(found - steps) + steps
    index = np.minimum(apart, len(logs) - most + steps)
    index[-1] = len(logs) - 1
    return index
