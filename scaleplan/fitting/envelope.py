"""Hoffmann's approach 1: which size is best at each compute, from the curves of runs with checkpoints.

    L_min(C) = min over runs of L_run(C),  C = 6 N D;   ln N* = ln k + a ln C,   D* = C / (6 N*)

Source: Hoffmann et al. 2022 (arXiv 2203.15556), sec. 3.1: curves are smoothed by a Gaussian of 10 steps, and 1,500
values of C at equal steps of ln C each name the run of least loss.

Ours, and why:

- ``curve`` smooths curves of more than 50 rows alone, and goes between checkpoints by monotone cubics.
- A C counts only where the best size has both a smaller and a larger one beside it at that same C: where it has not,
  the design of the runs names the size and not the loss.
- The covariance is the jackknife's over runs: the envelope's points are far from independent, and what they hang on
  is which runs there are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan.errors import Notice, UsageError
from scaleplan.fitting.budgets import SAME_SIZE, size_index
from scaleplan.fitting.curve import interpolated, smoothed
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import runs_of
from scaleplan.laws.power_rule import PowerRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.solution import Fit

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_POINTS = 1500
_SMOOTHED = 50
_SIZES_FOR_TREND = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Envelope:
    """What approach 1 found.

    ``flop`` (n,) are the C that count [FLOP], ``run`` the best run at each, ``params_opt`` its N, ``loss_opt`` its
    loss [nats/token]. ``sizes`` is how many different N are among them, ``share`` how many of the C examined count.
    ``covariance`` (2, 2) is of (ln k, a) of the ``rule`` with ``dof`` degrees of freedom; ``None`` where a run is
    needed for there to be a rule at all. ``trend`` is the form compute-only fitted to one point a size, in the middle
    of its stretch of the envelope; ``None`` with fewer than four sizes.
    """

    flop: Floats
    run: Indices
    params_opt: Floats
    loss_opt: Floats
    sizes: int
    share: float
    rule: PowerRule
    covariance: Floats | None
    dof: int
    trend: Fit | None
    notices: tuple[Notice, ...]

    @property
    def tokens_opt(self) -> Floats:
        """D = C / (6 N) of the best run."""
        return self.flop / (6 * self.params_opt)


class _Curves(NamedTuple):
    """ln C (p,), of each curve its run (r,) and ln N (r,), and ln L of each at each C (r, p), infinite off its ends."""

    x: Floats
    run: Indices
    ln_params: Floats
    ln_loss: Floats


class _Best(NamedTuple):
    """Where the envelope counts (p,), and the best curve at each C (p,)."""

    counts: Flags
    curve: Indices


def fit_envelope(runs: Runs) -> Envelope:
    """Approach 1 on runs with checkpoints.

    Args:
        runs: several rows a run.

    Raises:
        UsageError: no checkpoints, a run of two sizes, or fewer than two sizes on the part of the envelope that counts.
    """
    if not runs.clustered:
        raise UsageError(
            f"{runs.source}: --method envelope needs checkpoints, several rows a run told by a column run; "
            "use --method isoflop or --method parametric for final losses"
        )
    curves = _curves(runs)
    best = _best(curves, np.ones(len(curves.run), dtype=bool))
    line = _line(curves, best)
    if line is None:
        raise UsageError(
            f"{runs.source}: --method envelope finds fewer than two sizes that are best at some compute with both a "
            "smaller and a larger one measured there: train more sizes, each over a wider range of tokens, or use "
            "--method parametric"
        )
    share = float(best.counts.sum()) / len(curves.x)
    counted = best.curve[best.counts]
    places = np.unique(curves.ln_params[counted])
    flop = np.exp(curves.x[best.counts])
    loss = np.exp(curves.ln_loss[counted, np.flatnonzero(best.counts)])
    params = np.exp(curves.ln_params[counted])
    return Envelope(
        flop=flop,
        run=curves.run[counted],
        params_opt=params,
        loss_opt=loss,
        sizes=len(places),
        share=share,
        rule=PowerRule(k=math.exp(line[0]), a=float(line[1])),
        covariance=_jackknife(curves, best),
        dof=max(len(places) - 2, 1),
        trend=_trend(runs, flop, params, loss),
        notices=_notices(runs, share),
    )


def _curves(runs: Runs) -> _Curves:
    """Every run of two rows or more, at 1,500 C from where two sizes begin to overlap to where they end to."""
    x, y = np.log(runs.train_flop), np.log(runs.loss)
    order = np.lexsort((x, runs.run))
    parts = np.split(order, np.cumsum(np.bincount(runs.run, minlength=runs.count))[:-1])
    kept: list[tuple[int, float, Floats, Floats]] = []
    for run, rows in enumerate(parts):
        ln_params = np.log(runs.params[rows])
        if np.ptp(ln_params) > SAME_SIZE:
            name = runs.names[run] if runs.names else str(run + 1)
            raise UsageError(
                f"{runs.source}: the rows of run {name!r} have different params, "
                f"{runs.params[rows].min():.6g} to {runs.params[rows].max():.6g}: a run has one size"
            )
        at, first = np.unique(x[rows], return_inverse=True)
        if len(at) > 1:
            mean = np.bincount(first, weights=y[rows]) / np.bincount(first)
            kept.append((run, float(ln_params.mean()), at, smoothed(at, mean) if len(at) > _SMOOTHED else mean))
    if not kept:
        raise UsageError(f"{runs.source}: --method envelope needs runs measured at two numbers of tokens or more")
    sizes = np.array([size for _, size, *_ in kept])
    index = size_index(sizes)
    low, high = _overlap(runs, index, kept)
    grid = np.linspace(low, high, _POINTS)
    return _Curves(
        grid,
        np.array([run for run, *_ in kept], dtype=np.int64),
        (np.bincount(index, weights=sizes) / np.bincount(index))[index],
        np.stack([interpolated(at, loss, grid) for *_, at, loss in kept]),
    )


def _overlap(runs: Runs, index: Indices, kept: list[tuple[int, float, Floats, Floats]]) -> tuple[float, float]:
    """The least and the greatest ln C at which curves of two sizes are measured."""
    begin, end = np.array([at[0] for *_, at, _ in kept]), np.array([at[-1] for *_, at, _ in kept])
    low, high = math.inf, -math.inf
    for i in range(len(kept)):
        other = index != index[i]
        lows, highs = np.maximum(begin[other], begin[i]), np.minimum(end[other], end[i])
        both = lows < highs
        low, high = float(np.min(lows[both], initial=low)), float(np.max(highs[both], initial=high))
    if low >= high:
        raise UsageError(
            f"{runs.source}: --method envelope needs runs of different sizes with checkpoints at the same compute; "
            "no two overlap: use --method parametric"
        )
    return low, high


def _best(curves: _Curves, use: Flags) -> _Best:
    """The least loss at each C among the curves in ``use``, and whether its size is between two others there."""
    loss = np.where(use[:, None], curves.ln_loss, np.inf)
    curve = np.argmin(loss, axis=0)
    there = np.isfinite(loss)
    size = curves.ln_params[:, None]
    least, greatest = np.min(np.where(there, size, np.inf), axis=0), np.max(np.where(there, size, -np.inf), axis=0)
    chosen = curves.ln_params[curve]
    return _Best((chosen > least) & (chosen < greatest), curve)


def _line(curves: _Curves, best: _Best) -> Floats | None:
    """(ln k, a) by least squares over the C that count; ``None`` where they have fewer than two sizes."""
    y = curves.ln_params[best.curve[best.counts]]
    if len(np.unique(y)) < 2:
        return None
    x = curves.x[best.counts]
    away = x - x.mean()
    a = float(away @ y / (away @ away))
    return np.array([y.mean() - a * x.mean(), a])


def _jackknife(curves: _Curves, best: _Best) -> Floats | None:
    """(n - 1) / n times the sum of squares of what leaving out each run changes."""
    n = len(curves.run)
    there = np.isfinite(curves.ln_loss)
    size = np.where(there, curves.ln_params[:, None], np.nan)
    matters = np.zeros(n, dtype=bool)
    matters[best.curve] = True
    with np.errstate(invalid="ignore"):
        matters |= np.any((size == np.nanmin(size, axis=0)) | (size == np.nanmax(size, axis=0)), axis=1)
    whole = _line(curves, best)
    estimates: list[Floats | None] = []
    for i in range(n):
        left = np.ones(n, dtype=bool)
        left[i] = False
        estimates.append(_line(curves, _best(curves, left)) if matters[i] else whole)
    found = [each for each in estimates if each is not None]
    if len(found) < n:
        return None
    away = np.stack(found) - np.mean(found, axis=0)
    return (n - 1) / n * away.T @ away


def _trend(runs: Runs, flop: Floats, params: Floats, loss: Floats) -> Fit | None:
    sizes = np.unique(params)
    if len(sizes) < _SIZES_FOR_TREND:
        return None
    middles: list[int] = []
    for size in sizes:
        stretch = np.flatnonzero(params == size)
        middles.append(int(stretch[len(stretch) // 2]))
    minima = runs_of(sizes, flop[middles] / (6 * sizes), loss[middles], source=f"{runs.source}, envelope")
    return fit_form(minima, find_fit_form("compute-only"))


def _notices(runs: Runs, share: float) -> tuple[Notice, ...]:
    found: list[Notice] = []
    alone = np.flatnonzero(np.bincount(runs.run) == 1)
    if len(alone):
        rows = ", ".join(str(int(runs.row[np.flatnonzero(runs.run == run)[0]])) for run in alone[:5])
        more = f" and {len(alone) - 5} more" if len(alone) > 5 else ""
        found.append(Notice("envelope_single_rows", f"{runs.source}: runs of one row have no curve: row {rows}{more}."))
    if share < 1:
        found.append(
            Notice(
                "envelope_edge",
                f"{runs.source}: {100 * (1 - share):.0f} % of the compute from end to end was left out: there the best "
                "size has no smaller or no larger one beside it.",
            )
        )
    return tuple(found)
