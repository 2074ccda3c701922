"""Which rows of a table spent the same compute, and how to part its cheap rows from its dear ones.

Rows belong to one budget where their C = 6 N D lies within a factor of 1.22 (0.2 in ln C): starting from the whole
table, whatever is wider is parted at its widest gap, or, where no gap is above 2 %, at the widest of the middle half of
its width, so that rows without budgets, such as checkpoints, fall into bins. Our choice: neighbouring budgets of
published IsoFLOP grids differ by a factor of 1.67 or more (6e18 and 1e19, Hoffmann et al. 2022, arXiv 2203.15556, sec.
3.2), while the rows of one budget scatter by the rounding of steps and sizes; the nine budgets of the runs that
Besiroglu et al. 2024 (arXiv 2404.10102) digitised from that paper scatter by 10 to 20 %.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

BUDGET_WIDTH = 0.2
_GAP = 0.02
SAME_SIZE = 0.01
"""Our choice, in ln N: a per cent apart is one size that was counted or digitised twice."""
_ISOFLOP_SIZES = 3
"""A parabola needs as many."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Budgets:
    """The compute budgets of a table, cheapest first; arrays but ``index`` have the shape (budgets,).

    ``index`` (n,) is each row's budget, ``flop`` the geometric mean of its rows' C [FLOP], ``rows`` how many rows it
    has and ``sizes`` of how many different N.
    """

    index: Indices
    flop: Floats
    rows: Indices
    sizes: Indices

    def __len__(self) -> int:
        return len(self.flop)

    @property
    def isoflop(self) -> bool:
        """Whether half of the rows or more lie in budgets of three sizes or more, and there are two such budgets."""
        full = self.sizes >= _ISOFLOP_SIZES
        return int(full.sum()) >= 2 and 2 * int(self.rows[full].sum()) >= int(self.rows.sum())


def compute_budgets(runs: Runs) -> Budgets:
    """The budgets of the rows, by 6 N D; checkpoints count as rows of their own."""
    x = np.log(runs.train_flop)
    order = np.argsort(x, kind="stable")
    cuts = _cuts(x[order])
    index = np.empty(len(x), dtype=np.int64)
    index[order] = np.searchsorted(cuts, np.arange(len(x)), side="right")
    rows = np.bincount(index, minlength=len(cuts) + 1)
    flop = np.exp(np.bincount(index, weights=x) / rows)
    sizes = np.array([len(distinct_sizes(np.log(runs.params[members]))) for members in np.split(order, cuts)])
    return Budgets(index=index, flop=flop, rows=rows.astype(np.int64), sizes=sizes.astype(np.int64))


def size_index(ln_params: Floats) -> Indices:
    """Which of the different sizes each row has, counted from the smallest.

    Sizes with less than a per cent between neighbours are one, in so far as all of them are within a per cent.
    """
    order = np.argsort(ln_params, kind="stable")
    x = ln_params[order]
    new = np.concatenate([[True], np.diff(x) > SAME_SIZE])
    chain = np.cumsum(new) - 1
    bins = np.floor((x - x[new][chain]) / SAME_SIZE)
    out = np.empty(len(x), dtype=np.int64)
    out[order] = np.cumsum(np.concatenate([[0], new[1:] | (np.diff(bins) > 0)]))
    return out


def distinct_sizes(ln_params: Floats) -> Floats:
    """ln N of the different sizes, rising: of each the mean of its rows."""
    index = size_index(ln_params)
    return np.bincount(index, weights=ln_params) / np.bincount(index)


def cheap_to_dear(runs: Runs, most: int = 8, least: int = 3) -> tuple[Indices, ...]:
    """The rows in groups of rising compute, each the indices of its rows: what a forward-chaining back-test steps by.

    Budgets are never parted. First the smallest group is joined to its smaller neighbour until none has fewer than
    ``least`` rows (our choice: fewer than three judge no prediction), then the two neighbours of the fewest rows until
    there are at most ``most`` groups: an IsoFLOP table gives its budgets, scattered runs give bins of roughly as many
    rows each. Rows go by their own C: checkpoints of one run may lie in several groups.
    """
    budgets = compute_budgets(runs)
    order = np.argsort(budgets.index, kind="stable")
    counts = [int(rows) for rows in budgets.rows]
    while len(counts) > 1:
        smallest = min(range(len(counts)), key=counts.__getitem__)
        pairs = range(len(counts) - 1)
        if counts[smallest] < least:
            pairs = [i for i in (smallest - 1, smallest) if 0 <= i < len(counts) - 1]
        elif len(counts) <= most:
            break
        first = min(pairs, key=lambda i: counts[i] + counts[i + 1])
        counts[first : first + 2] = [counts[first] + counts[first + 1]]
    return tuple(np.sort(part) for part in np.split(order, np.cumsum(counts)[:-1]))


def _cuts(x: Floats) -> Indices:
    """Where sorted ``x`` is parted: the places of the first members but that of the first part."""
    gaps: Floats = np.diff(x)
    cuts: list[int] = []
    parts = [(0, len(x))]
    while parts:
        first, end = parts.pop()
        width = float(x[end - 1] - x[first])
        if width <= BUDGET_WIDTH:
            continue
        low, high = first, end - 1
        if float(gaps[low:high].max()) < _GAP:
            # Without bounds the gaps of checkpoints at even steps, widest at the cheap end, would part row from row.
            bounds = float(x[first]) + width / 4, float(x[end - 1]) - width / 4
            low, high = np.searchsorted(x, bounds).tolist()
            low -= 1
        cut = low + 1 + int(np.argmax(gaps[low:high]))
        cuts.append(cut)
        parts += [(first, cut), (cut, end)]
    return np.array(sorted(cuts), dtype=np.int64)
