"""How likely one run is better than another under one law, by draws of its constants.

Every run is judged under the same draws, so that what moves all their losses alike (the runs' scatter, the misfit of
the loss) cancels. The draws hold the covariance of the constants and, beyond the runs behind the law, the shift of the
best size that misfit may bring (``draws``). Equal losses count half for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaleplan.compute.accounting import ModelSize
from scaleplan.errors import UsageError
from scaleplan.laws.law import Law
from scaleplan.planning.comparison import Odds
from scaleplan.planning.draws import draws
from scaleplan.planning.moved import moves


def odds(law: Law, runs: Sequence[tuple[ModelSize, float]], train_flop: float, n: int, seed: int) -> list[Odds] | None:
    """The odds of each run (its size and tokens) among them; ``None`` where the law has no covariance.

    Args:
        law: with a surface.
        runs: at least one.
        train_flop: the budget that they are compared at, as the law counts it.
        n: how many draws.
        seed: of the draws.

    Raises:
        UsageError: fewer than one draw, or a covariance too wide for draws.
    """
    if n < 1:
        raise UsageError(f"draws must be at least 1 (got {n})")
    if not moves(law):
        return None
    losses = drawn_losses(law, runs, train_flop, n, seed)
    least = losses == losses.min(axis=0)
    best = (least / least.sum(axis=0)).mean(axis=1)
    beats = [None, *(p_beats(run, losses[0]) for run in losses[1:])]
    return [Odds(float(p), against) for p, against in zip(best, beats, strict=True)]


def drawn_losses(law: Law, runs: Sequence[tuple[ModelSize, float]], train_flop: float, n: int, seed: int) -> Any:
    """Losses (runs, draws) of runs under the same draws of a law."""
    import numpy as np

    surface = draws(law, n, seed).tilted(train_flop).require_surface("a comparison")
    return np.array([surface.loss(size.counted(law.counts_params), tokens) for size, tokens in runs])


def p_beats(losses: Any, others: Any) -> float:
    """Share of the draws in which the first have the lower loss."""
    return float((losses < others).mean() + 0.5 * (losses == others).mean())
