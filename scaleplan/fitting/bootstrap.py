"""Intervals by fitting again to runs drawn with replacement.

Whole training runs are drawn (Davison & Hinkley 1997, sec. 3.8), so that the checkpoints of one stay together: a run's
rows count as often as the run was drawn. Every refit has the objective, the thresholds and the priors' weights of the
fit itself and starts from its parameters. A prior counts as a measurement, so that each refit has one drawn anew: its
mean comes from the normal distribution N(mean, sd^2) that the prior is. Held fixed it would count as certain, and the
intervals would be too narrow where it matters.

Draws come in chunks of a fixed size, each with its own stream of random numbers (``SeedSequence.spawn``): the result
depends on the seed and on the number of resamples, not on how many workers there were.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan.errors import UsageError
from scaleplan.executors import run_chunks
from scaleplan.fitting.forecast import prior_rows
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.newton import Minima, minimise
from scaleplan.fitting.objective import Penalty

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scaleplan.executors import Progress
    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.solution import Fit, Prior

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

_CHUNK = 128
"""Our choice: resamples of one stream; 1,000 of them are still 8 chunks, and a chunk of 240 runs lasts 10 ms."""
_BATCH_BYTES = 500_000
"""Our choice: doubles of one array over resamples and runs; the arrays of a batch then stay in a core's cache."""
_MOST_REDRAWN = 0.25
"""Our choice: with more draws refused than that, those kept are alike, and their spread tells too little."""
_TOLERANCE = 1e-8
"""Our choice: of the objective, what the last step took off; Newton's next would take off its square."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Bootstrap:
    """Refits to resampled runs: ``theta`` (R, k), the form's natural parameters, in the order drawn.

    ``settled`` (R,) says which refits converged; ``redrawn`` how many draws had too few different runs for the form
    and were drawn again.
    """

    theta: Floats
    settled: NDArray[np.bool_]
    redrawn: int
    seed: int

    def __repr__(self) -> str:
        return f"Bootstrap({len(self.theta)} refits, {self.converged:.1%} converged, seed {self.seed})"

    @property
    def converged(self) -> float:
        """Share of the refits that did."""
        return float(self.settled.mean())

    def covariance(self) -> Floats:
        """(k, k), of every refit: those that did not converge are the ones that found out what nothing holds."""
        return np.atleast_2d(np.cov(self.theta, rowvar=False))

    def interval(self, level: float) -> tuple[Floats, Floats]:
        """Percentile ends (k,) of every parameter; ``level`` is the coverage, in (0, 1)."""
        return self.interval_of(lambda theta: theta, level)

    def interval_of(self, function: Callable[[Floats], Floats], level: float) -> tuple[Floats, Floats]:
        """Percentile ends of what ``function`` makes of the natural parameters.

        Args:
            function: takes (R, k) and returns (R, ...); the ends have the shape of the rest.
            level: the coverage, in (0, 1).

        Refits that did not converge count: where E has nothing to hold it, they are the ones that found it out.
        """
        values = function(self.theta)
        tail = (1 - level) / 2
        low, high = np.quantile(values, [tail, 1 - tail], axis=0)
        return low, high


class _Job(NamedTuple):
    """What a worker needs; the form goes by its name, since it holds functions."""

    runs: Runs
    form: str
    theta: Floats
    weight: Floats
    threshold: float | Floats
    prior: tuple[Prior, ...]
    noise: float
    resamples: int
    seed: np.random.SeedSequence


class _Refits(NamedTuple):
    theta: Floats
    settled: NDArray[np.bool_]
    redrawn: int


def bootstrap(
    fit: Fit,
    resamples: int,
    *,
    seed: int = 0,
    workers: int = 1,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> Bootstrap:
    """Refits of a fit's form to resamples of its runs.

    Args:
        fit: what to start from.
        resamples: at least 2.
        seed: fixes every draw.
        workers: processes of this machine; the result is the same for any number.
        scheduler: address of a running Dask scheduler instead.
        progress: called with how many chunks are done, of how many.

    Raises:
        UsageError: fewer resamples; a single training run, which cannot be resampled; what ``run_chunks`` says.
    """
    if resamples < 2:
        raise UsageError(f"bootstrap resamples must be at least 2 (got {resamples})")
    if fit.runs.count < 2:
        raise UsageError(
            f"{fit.runs.source}: all rows are checkpoints of one training run: the bootstrap draws whole runs and "
            "needs at least two"
        )
    sizes = [min(_CHUNK, resamples - first) for first in range(0, resamples, _CHUNK)]
    start: Floats = np.linalg.solve(fit.form.bind(fit.runs).to_natural, fit.theta).astype(np.float64)
    jobs = [
        _Job(fit.runs, fit.form.name, start, fit.weight, fit.threshold, fit.prior, fit.scale**2, size, stream)
        for size, stream in zip(sizes, np.random.SeedSequence(seed).spawn(len(sizes)), strict=True)
    ]
    parts = run_chunks(_refitted, jobs, workers=workers, scheduler=scheduler, progress=progress)
    redrawn = sum(part.redrawn for part in parts)
    if redrawn > _MOST_REDRAWN * resamples:
        raise UsageError(
            f"{fit.runs.source}: {redrawn:,} draws of {fit.runs.count} runs had too few different ones for the form "
            f"{fit.form.name} while {resamples:,} had enough: so few runs cannot be resampled; use --bootstrap 0"
        )
    return Bootstrap(
        theta=np.concatenate([part.theta for part in parts]),
        settled=np.concatenate([part.settled for part in parts]),
        redrawn=redrawn,
        seed=seed,
    )


def _refitted(job: _Job) -> _Refits:
    """One chunk: as many refits at a time as keep memory flat."""
    form = find_fit_form(job.form)
    model = form.bind(job.runs)
    rng = np.random.default_rng(job.seed)
    draw = _Draws(job.runs, job.weight, len(form.parameters))
    batch = min(max(_BATCH_BYTES // (8 * len(job.runs)), 1), job.resamples)
    found: list[Minima] = []
    for first in range(0, job.resamples, batch):
        size = min(batch, job.resamples - first)
        weight = draw.weights(rng, size)
        penalty = _penalty(job, model.to_natural, rng, size)
        found.append(
            minimise(
                lambda theta, which, c=weight, p=penalty: model.local(
                    theta, c[which], job.threshold, None if p is None else p.of(which)
                ),
                np.tile(job.theta, (size, 1)),
                tolerance=_TOLERANCE,
            )
        )
    theta = np.concatenate([each.theta for each in found]) @ model.to_natural.T
    return _Refits(theta, np.concatenate([each.converged for each in found]), draw.redrawn)


def _penalty(job: _Job, to_natural: Floats, rng: np.random.Generator, size: int) -> Penalty | None:
    """The priors as measured anew for each refit."""
    if not job.prior:
        return None
    rows, targets = prior_rows(to_natural, job.prior, job.noise)
    drawn = targets[:, None] + math.sqrt(job.noise) * rng.standard_normal((len(targets), size))
    centre: Floats = np.linalg.lstsq(rows, drawn, rcond=None)[0].T.astype(np.float64)
    return Penalty(centre, rows.T @ rows)


class _Draws:
    """Resamples of runs as weights of their rows; ``redrawn`` counts the draws that could not be fitted to."""

    def __init__(self, runs: Runs, weight: Floats, parameters: int) -> None:
        self._runs = runs
        self._weight = weight
        self.redrawn = 0
        # Rows at one (N, D) say one thing about the form's shape. Sorted by it, a sum over a stretch counts each once.
        points = np.stack([runs.params, runs.tokens])
        order = np.lexsort(points)
        self._order = order[weight[order] > 0]
        sorted_points = points[:, self._order]
        new = np.append(True, np.any(sorted_points[:, 1:] != sorted_points[:, :-1], axis=0))
        self._stretches = np.flatnonzero(new)
        self._least = min(parameters + 1, len(self._stretches))

    def weights(self, rng: np.random.Generator, size: int) -> Floats:
        """(size, n): every row's weight times how often its run was drawn."""
        counts = self._counts(rng, size)
        poor = np.flatnonzero(self._distinct(counts) < self._least)
        while len(poor):
            self.redrawn += len(poor)
            counts[poor] = self._counts(rng, len(poor))
            poor = poor[self._distinct(counts[poor]) < self._least]
        return counts[:, self._runs.run] * self._weight

    def _counts(self, rng: np.random.Generator, size: int) -> Indices:
        """(size, runs): how often each run was drawn."""
        count = self._runs.count
        drawn = rng.integers(0, count, (size, count)) + count * np.arange(size)[:, None]
        return np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count)

    def _distinct(self, counts: Indices) -> Indices:
        """(size,): different (N, D) among the rows drawn."""
        rows = counts[:, self._runs.run[self._order]] > 0
        return np.logical_or.reduceat(rows, self._stretches, axis=1).sum(axis=1)
