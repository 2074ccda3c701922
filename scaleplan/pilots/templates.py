"""Designs that labs have used, scaled to a budget: what a design of one's own is held against.

An IsoFLOP grid has several budgets, and sizes between an eighth and eight times the best size of each, even in the
logarithm (Hoffmann et al. 2022, arXiv 2203.15556, sec. 3.2, for the method). The compute of a template's runs is
multiplied by one factor, so that all of them together take the budget:

    6x6     6 budgets evenly over two decades, 6 sizes each        9x4     9 evenly over 3.2 decades, 4 sizes each
    hoffmann-2022   their 9 budgets, 6e18 to 3e21 (fig. 3)         llama3-2024    their 10, 6e18 to 1e22 (sec. 3.2.1)
    olmo-ladder-2024   4 sizes (190M to 1.3B in theirs) at 1, 2, 5 and 10 times 20 tokens a parameter (sec. 3.1)

with as many runs as the design has, 16 for the ladder (Bhagia et al. 2024, arXiv 2412.04403), which grows in size
alone. Llama 3: Grattafiori et al. 2024, arXiv 2407.21783. The grids of 6x6 and 9x4 are the usual ones; their spans are
our choice: 1e19 to 1e21 and 1e18 to 1.5e21 for pilots of 1e22.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan.pilots.certainty import CONSTANTS, Points

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

HALF_WIDTH = 8.0
"""Sizes go from an eighth to eight times the best."""
_CHINCHILLA_RATIO = 20.0
_LADDER_SIZES, _LADDER_TIMES = (190e6, 370e6, 760e6, 1.3e9), (1.0, 2.0, 5.0, 10.0)
_HOFFMANN = (6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21)
_LLAMA = (*_HOFFMANN, 1e22)
_SPANS = {"6x6": tuple(np.geomspace(1e19, 1e21, 6)), "9x4": tuple(np.geomspace(1e18, 1.5e21, 9))}
GRIDS = {**_SPANS, "hoffmann-2022": _HOFFMANN, "llama3-2024": _LLAMA}
LADDER = "olmo-ladder-2024"


class Template(NamedTuple):
    """A design by name; ``moved`` of its runs stand at the smallest size there is, which theirs is below."""

    name: str
    points: Points
    moved: int


def templates(best_size: Callable[[Floats], Floats], *, runs: int, flop: float, least: float) -> tuple[Template, ...]:
    """Every template at a budget.

    Args:
        best_size: N* of budgets, around which grids are centred.
        runs: how many runs a grid has; those with fewer than two a budget are left out.
        flop: the compute of all runs.
        least: the smallest size that can be built; smaller ones are moved there, at the same compute.
    """
    wide = {name: np.array(budgets) for name, budgets in GRIDS.items() if runs >= 2 * len(budgets)}
    found = {name: _grid(budgets, best_size, runs, flop) for name, budgets in wide.items()}
    found[LADDER] = _ladder(flop)
    return tuple(_from_least(name, points, least) for name, points in found.items() if len(points) >= CONSTANTS)


def isoflop(budgets: Floats, sizes: list[int], best_size: Callable[[Floats], Floats]) -> Points:
    """A grid: of each budget so many sizes, evenly between an eighth and eight times the best."""
    params = [
        best * np.exp(_spread(many)) for best, many in zip(best_size(budgets).tolist(), sizes, strict=True) if many
    ]
    flop = np.repeat(budgets, sizes)
    every = np.concatenate(params)
    return Points(every, flop / (6 * every), flop)


def _spread(many: int) -> Floats:
    reach = math.log(HALF_WIDTH)
    return np.linspace(-reach, reach, many) if many > 1 else np.zeros(1)


def _grid(budgets: Floats, best_size: Callable[[Floats], Floats], runs: int, flop: float) -> Points:
    # The cheapest budgets take the runs that do not divide.
    sizes = [runs // len(budgets) + (i < runs % len(budgets)) for i in range(len(budgets))]
    scale = flop / float(budgets @ np.array(sizes))
    return isoflop(budgets * scale, sizes, best_size)


def _ladder(flop: float) -> Points:
    params = np.repeat(_LADDER_SIZES, len(_LADDER_TIMES))
    tokens = _CHINCHILLA_RATIO * params * np.tile(_LADDER_TIMES, len(_LADDER_SIZES))
    scale = math.sqrt(flop / float(6 * params @ tokens))
    return Points(params * scale, tokens * scale, 6 * params * tokens * scale**2)


def _from_least(name: str, points: Points, least: float) -> Template:
    params = np.maximum(points.params, least)
    return Template(name, Points(params, points.flop / (6 * params), points.flop), int(np.sum(points.params < least)))
