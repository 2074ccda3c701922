"""Whether a run follows its ladder: normalised loss curves of well-scaled runs fall onto one curve.

With x = t / T the share of the run and L0 the loss that no run goes below, the curves

    l(x) = (L(xT) - L0) / (L(T) - L0)

of a ladder whose sizes are trained alike (tokens in proportion to parameters, tuned, the same shape of schedule) are
one curve: Qiu et al. 2025 (arXiv 2507.02119), their spread the "collapse deviation" sd l / mean l. Bergsma et
al. 2025 (arXiv 2509.25087) use a departure from it as an early sign of what goes wrong in a run.

L0 is the caller's (a law's floor), or that between zero and the least final loss which makes the ladder collapse best:
on a ladder with tokens in proportion to parameters that is the irreducible loss (Qiu et al. fit it to final losses). A
run's own final loss is not known yet: its forecast stands for it. Here ln l is compared, so that differences are
relative. Our choices: medians over cells of 1 % of a run, against spikes; Student's t for what few curves leave open.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaleplan.errors import UsageError
from scaleplan.forecasting.ladder_curves import CELLS, LadderRun, cells_of, final_of, same_shape
from scaleplan.laws.student import two_sided_quantile

Floats = NDArray[np.float64]
Verdict = Literal["follows", "leaves", "too_early"]

START = 0.05
"""Our choice, of the run: before it warm-up and the first fall are each run's own."""
_PERSIST = 2
"""Cells in a row, 2 % of the run, that have to be outside (our choice: one alone may be noise)."""
_WINDOW = 5
"""Cells to either side over which the spread of a few curves is averaged; our choice."""
_TRIED = 100
"""Values of L0 that are tried; our choice: the spread is flat around the best."""
_INDEPENDENT = 4
"""Our choice: a smooth curve says about so much anew, of which the floors that a ladder does not rule out depend."""
_LEAST_LEFT = 0.02
"""Of the least final loss that L0 leaves at least: nearer, noise is all there is; our choice."""


class Final(NamedTuple):
    """A forecast of the run's final loss and its band, which says how far the whole curve may be off."""

    loss: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Collapse:
    """A run's normalised curve against its ladder's.

    ``ladder`` and ``left_out`` name the curves that were used and those of another shape of schedule. ``floor`` is L0,
    ``ladder_spread`` the collapse deviation of the ladder, a mean over the run. ``deviation`` is the run's now, the
    mean of its last cells as a share, and ``spreads`` the same in units of the ladder's spread there. ``left_at`` is
    the share of the run at which it leaves the band for 2 % of the run at least, ``left_step`` its step,
    ``side`` whether it was ``above`` (behind the ladder) or ``below``. The series have one value a cell that all curves
    have: ``fraction``, ``run`` (NaN where it has not been, 0 where it is at ``floor`` or below), ``template``, ``low``
    and ``high``.
    """

    verdict: Verdict
    ladder: tuple[str, ...]
    left_out: tuple[str, ...]
    floor: float
    ladder_spread: float
    seen: float
    deviation: float | None
    spreads: float | None
    left_at: float | None
    left_step: float | None
    side: Literal["above", "below"] | None
    fraction: Floats
    run: Floats
    template: Floats
    low: Floats
    high: Floats


class _Comparison(NamedTuple):
    """ln l by cell at one floor.

    ``mean`` and ``spread`` of the ladder (no less than the noise of a cell), how far the run is ``off`` the mean, and
    ``half`` the width within which one is that follows.
    """

    floor: float
    mean: Floats
    spread: Floats
    off: Floats
    half: Floats


def collapse(
    run: LadderRun, final: Final, ladder: Sequence[LadderRun], *, floor: float | None = None, level: float = 0.95
) -> Collapse:
    """Compare a run with the finished runs of its ladder.

    Args:
        run: so far.
        final: forecast of its final loss, the band of the same ``level``.
        ladder: finished curves; those of another shape of schedule are left out and named.
        floor: L0, such as a law's; found from the ladder where left out.
        level: coverage of the band of a run that follows.

    Raises:
        UsageError: fewer than two finished curves of the run's shape, a floor that is not below every final loss.
    """
    used = [each for each in ladder if same_shape(run, each)]
    left_out = tuple(each.name for each in ladder if not same_shape(run, each))
    if len(used) < 2:
        other = f"; {', '.join(left_out)}: another shape of schedule" if left_out else ""
        raise UsageError(f"the collapse check needs two finished curves at least (got {len(used)}{other})")
    cells = np.array([cells_of(each) for each in used])
    finals = np.array([final_of(each, row) for each, row in zip(used, cells, strict=True)])
    own = cells_of(run)
    shared = np.isfinite(cells).all(axis=0) & (np.arange(CELLS) >= START * CELLS)
    if not shared.any():
        raise UsageError("the collapse check needs curves with rows at the same shares of their runs; these share none")
    least = min(float(finals.min()), final.loss)
    if floor is not None and not 0 <= floor < least:
        raise UsageError(
            f"the collapse check needs a floor from 0 to below {least:.4f}, the least loss (got {floor:g})"
        )
    floors = _floors(cells[:, shared], finals, least) if floor is None else np.array([floor])
    found = [_against(own[shared], final, cells[:, shared], finals, float(each), level) for each in floors]
    outside = (
        np.all([each.off > each.half for each in found], axis=0),
        np.all([-each.off > each.half for each in found], axis=0),
    )
    return _judged(run, found[0], outside, np.flatnonzero(shared), tuple(each.name for each in used), left_out)


def _judged(
    run: LadderRun,
    best: _Comparison,
    outside: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    cells: NDArray[np.intp],
    names: tuple[str, ...],
    left_out: tuple[str, ...],
) -> Collapse:
    seen = np.flatnonzero(~np.isnan(best.off))
    left = _first(_leaves(outside[0][seen]), _leaves(outside[1][seen]))
    last = seen[-_PERSIST:]
    now = None if not last.size else float(best.off[last].mean())
    scale = float(best.spread[last].mean()) if last.size else 0.0
    left_at = None if left is None else float(cells[seen[left[0]]]) / CELLS
    return Collapse(
        verdict="too_early" if seen.size < _PERSIST else "follows" if left is None else "leaves",
        ladder=names,
        left_out=left_out,
        floor=best.floor,
        ladder_spread=float(best.spread.mean()),
        seen=float(run.step.max(initial=0.0)) / run.total_steps,
        deviation=None if now is None else math.expm1(now),
        spreads=None if now is None or scale == 0 or now == -math.inf else now / scale,
        left_at=left_at,
        left_step=None if left_at is None else left_at * run.total_steps,
        side=None if left is None else left[1],
        fraction=(cells + 0.5) / CELLS,
        run=np.exp(best.mean + best.off),
        template=np.exp(best.mean),
        low=np.exp(best.mean - best.half),
        high=np.exp(best.mean + best.half),
    )


def _against(own: Floats, final: Final, cells: Floats, finals: Floats, floor: float, level: float) -> _Comparison:
    """A run beside its ladder at one floor."""
    logs = np.log((cells - floor) / (finals[:, None] - floor))
    mine = np.full(len(own), -math.inf)  # of a loss at or below the floor
    above = ~(own <= floor)
    mine[above] = np.log((own[above] - floor) / (final.loss - floor))
    count = len(logs)
    noise = max(_noise(logs), _noise(mine[None]))
    spread = np.sqrt(np.maximum(_smooth(logs.var(axis=0, ddof=1)), noise**2))
    t = two_sided_quantile(level, count - 1)
    half = np.sqrt((t * spread) ** 2 * (1 + 1 / count) + _shift(final, floor) ** 2)
    mean = logs.mean(axis=0)
    return _Comparison(floor=floor, mean=mean, spread=spread, off=mine - mean, half=half)


def _floors(cells: Floats, finals: Floats, least: float) -> Floats:
    """The L0 at which the ladder's curves spread least, relative to what is left above it, then all it may be.

    By the ratio of likelihoods of normal deviations: n ln(v / v_best) within the 95 % point of chi squared, 3.84.
    """
    tried = np.linspace(0.0, (1 - _LEAST_LEFT) * least, _TRIED)
    spreads = np.array([np.log((cells - floor) / (finals[:, None] - floor)).var(axis=0).mean() for floor in tried])
    best = int(spreads.argmin())
    allowed = spreads <= math.exp(3.84 / (_INDEPENDENT * (len(finals) - 1))) * spreads[best]
    allowed[best] = False
    return np.r_[tried[best], tried[allowed]]


def _noise(logs: Floats) -> float:
    """The noise of one cell, by how far cells are off the middle of their neighbours: 3/2 of its variance."""
    logs = np.where(np.isfinite(logs), logs, math.nan)
    bends = logs[:, 1:-1] - (logs[:, :-2] + logs[:, 2:]) / 2
    known = bends[np.isfinite(bends)]
    return math.sqrt(float((known**2).mean()) / 1.5) if known.size else 0.0


def _smooth(values: Floats) -> Floats:
    """Means over a window that is cut off at the ends."""
    sums = np.r_[0.0, np.cumsum(values)]
    place = np.arange(len(values))
    low, high = np.maximum(place - _WINDOW, 0), np.minimum(place + _WINDOW + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def _shift(final: Final, floor: float) -> float:
    """How far the band of the final loss moves ln l as a whole, to either side at most."""
    ends = [end for end in (final.low, final.high) if end > floor]
    return max((abs(math.log((end - floor) / (final.loss - floor))) for end in ends), default=0.0)


def _first(above: int | None, below: int | None) -> tuple[int, Literal["above", "below"]] | None:
    """The earlier of two places, and which it is."""
    if above is None:
        return None if below is None else (below, "below")
    return (above, "above") if below is None or above < below else (below, "below")


def _leaves(outside: NDArray[np.bool_]) -> int | None:
    """Where so many cells in a row are outside for the first time."""
    runs = np.convolve(outside, np.ones(_PERSIST), mode="valid") if len(outside) >= _PERSIST else np.zeros(0)
    full = np.flatnonzero(runs >= _PERSIST)
    return int(full[0]) if full.size else None
