"""How a table's own runs split their compute: the allocation of a law that sees compute alone.

    ln N = ln k + a ln C

fitted by least squares to the runs, or to one run a budget where a budget has several: the one of least loss.
A law of L(C) foretells runs that go on in the same way; where the runs do not keep to one line, it says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scaleplan.errors import Notice, UsageError
from scaleplan.fitting.budgets import compute_budgets
from scaleplan.laws.power_rule import PowerRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.solution import Fit

    Floats = NDArray[np.float64]

_LEAST_BUDGETS = 2
_SCATTER = 0.25
"""Our choice: within a quarter of N the loss of a run at equal compute is the same to a few per mille."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ladder:
    """The line: its ``rule``, the ``covariance`` (2, 2) of (ln k, a), ``None`` with two runs, and ``dof``; no loss."""

    rule: PowerRule
    covariance: Floats | None
    dof: int
    notices: tuple[Notice, ...]
    trend: Fit | None = None


def fit_ladder(runs: Runs) -> Ladder:
    """The line through the best run of every budget.

    Raises:
        UsageError: all runs have the same compute.
    """
    budgets = compute_budgets(runs)
    if len(budgets) < _LEAST_BUDGETS:
        raise UsageError(
            f"{runs.source}: all runs have about {budgets.flop[0]:.3g} FLOP: a law of compute needs runs of several"
        )
    order = np.lexsort((runs.loss, budgets.index))
    first = np.flatnonzero(np.diff(budgets.index[order], prepend=-1))
    best = order[first]
    x, y = np.log(runs.train_flop[best]), np.log(runs.params[best])
    centre = float(x.mean())
    a = float(((x - centre) @ y) / ((x - centre) @ (x - centre)))
    middle = float(y.mean())
    away = y - middle - a * (x - centre)
    dof = len(x) - 2
    covariance: Floats | None = None
    if dof:
        noise = float(away @ away) / dof
        of_a = noise / float((x - centre) @ (x - centre))
        covariance = np.array([[noise / len(x) + centre * centre * of_a, -centre * of_a], [-centre * of_a, of_a]])
    return Ladder(
        rule=PowerRule(k=math.exp(middle - a * centre), a=a),
        covariance=covariance,
        dof=dof,
        notices=_notices(runs, middle + a * (np.log(runs.train_flop) - centre)),
    )


def _notices(runs: Runs, ln_params: Floats) -> tuple[Notice, ...]:
    off = np.abs(np.log(runs.params) - ln_params)
    far = int(np.sum(off > _SCATTER))
    if not far:
        return ()
    return (
        Notice(
            "off_the_ladder",
            f"{runs.source}: {far} of {len(runs)} rows are more than a quarter off the line N ~ C^a through the best "
            "run of each budget; a law of compute alone takes them for runs on it: use a form of N and D, or choose "
            "rows with --where.",
        ),
    )
