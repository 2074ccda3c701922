"""The size of least expected or least worst regret between the plans of several laws.

Regret is not convex where a law is one of many, so that ever finer grids over ln N look for it, all sizes of a grid
at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from scaleplan.planning.solver import Task, at_params
from scaleplan.planning.worlds import World

How = Literal["mean", "worst"]
HIGH = 0.95
"""Our choice of the quantile that counts as the worst of draws."""
_GRID, _DRAWN_GRID, _ROUNDS = 33, 17, 4
"""Our choice: a grid over ln N, then ever finer ones around its best: 16^4 cells of the range, with draws 8^4."""
_ALIKE = 1e-9
"""Our choice: plans whose ln N differ by less are one."""


class Between(NamedTuple):
    """A size between plans, embeddings counted, its tokens and its score."""

    params: float
    tokens: float
    score: float


def best_between(
    tasks: Sequence[Task], worlds: Sequence[World], low: float, high: float, how: How, drawn: bool
) -> Between | None:
    """The best size from ``low`` to ``high`` parameters; ``None`` where they are alike or nothing between does.

    Args:
        tasks: the problem under each law.
        worlds: the laws taken as true.
        low: fewest parameters, embeddings counted.
        high: most.
        how: whether the mean or the worst regret is to be least.
        drawn: whether any law stands for draws: the grid is coarser then.
    """
    import numpy as np

    least, most = math.log(low), math.log(high)
    if most - least < _ALIKE:
        return None
    cells = _DRAWN_GRID if drawn else _GRID
    best: Between | None = None
    for _ in range(_ROUNDS):
        sizes = np.exp(np.linspace(least, most, cells))
        tokens = _tokens(tasks, sizes)
        found = scores(regrets(worlds, sizes, tokens), how)
        at = int(np.argmin(found))
        if not math.isfinite(found[at]):
            return None
        best = Between(float(sizes[at]), float(tokens[at]), float(found[at]))
        step = (most - least) / (cells - 1)
        least, most = max(least, math.log(sizes[at]) - step), min(most, math.log(sizes[at]) + step)
    return best


def regrets(worlds: Sequence[World], params: Any, tokens: Any) -> list[Any]:
    """Regret of runs (k,) under every law: (k, draws) each, of one column without draws; infinite where none is."""
    import numpy as np

    n, d = np.asarray(params)[:, None], np.asarray(tokens)[:, None]
    none = np.isnan(d)
    return [np.where(none, math.inf, each.regret(n, np.where(none, 1.0, d))) for each in worlds]


def scores(values: Sequence[Any], how: How) -> Any:
    """What is to be least (k,): the mean over laws of mean regret, or the largest of what counts as worst."""
    import numpy as np

    if how == "mean":
        return np.mean([value.mean(axis=1) for value in values], axis=0)
    return np.max([high(value) for value in values], axis=0)


def high(value: Any) -> Any:
    """What counts as the worst of (k, draws): their quantile, or the only one."""
    import numpy as np

    return value[:, 0] if value.shape[1] == 1 else np.quantile(value, HIGH, axis=1)


def _tokens(tasks: Sequence[Task], sizes: Any) -> Any:
    """At each size the most tokens; where a loss is asked for as many as the law that asks for most of them."""
    import numpy as np

    runs: list[Any] = [at_params(task, sizes).tokens for task in tasks]
    return np.min(runs, axis=0) if tasks[0].loss is None else np.max(runs, axis=0)
