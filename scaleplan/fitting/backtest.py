"""Fit the cheap runs, predict the dear ones: how far a law can be trusted beyond its runs, from the runs themselves.

Forward chaining: the runs are put in groups of rising compute; the first j groups are fitted by the same recipe and
every run of the later groups is predicted. With r = ln L predicted - ln L measured, and h the half-width of the band by
the default allowances without Student's quantile, the bands of the law are widened or narrowed by one factor,

    phi^2 = (4 + sum_j min(mean (r / h)^2, 4)) / (4 + J),

a mean over the J steps in which the defaults count as four and no step as more than twice too narrow. It multiplies
all allowances: kappa (of the standard errors), tau (a decade of compute beyond the fit) and starvation (a decade of
tokens a parameter below five). For the plain fit kappa is at least its default, 1.7.

docs/decisions/0012 has the figures behind the defaults, and the factor's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scaleplan.errors import UsageError
from scaleplan.fitting.budgets import cheap_to_dear
from scaleplan.fitting.model import searched
from scaleplan.fitting.thinning import thinned
from scaleplan.laws.student import two_sided_quantile
from scaleplan.laws.uncertainty import DEFAULT_DRIFT, DEFAULT_KAPPA, DEFAULT_TAU, FULL_TOKENS_PER_PARAM

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.solution import Fit

    Floats = NDArray[np.float64]

LEAST_GROUPS = 4
"""Our choice: with three budgets the back-test would rest on one fit of two."""
_LEAST_FITTED = 2
"""Within one budget size and data change places: nothing tells the two exponents apart."""
_MOST_RUNS, _MOST_ROWS = 2000, 10_000
"""Our choice: an even choice of so many runs and rows tells a forecast's errors to a few per cent of themselves."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One step: what was fitted, and of each row predicted the error of ln L, its standard error and its reach."""

    budgets: int
    runs_fitted: int
    dof: int
    train_flop_max: float
    errors: Floats
    standard_errors: Floats
    decades: Floats
    starved: Floats

    @property
    def error(self) -> float:
        """Mean of |ln L predicted - ln L measured|."""
        return float(np.abs(self.errors).mean())

    @property
    def bias(self) -> float:
        """Mean of ln L predicted - ln L measured."""
        return float(self.errors.mean())

    def covered(self, allowances: Allowances, level: float) -> float:
        """Share of the rows predicted that lie in the band with these allowances."""
        inside = np.abs(self.errors) <= two_sided_quantile(level, self.dof) * self._widths(allowances)
        return float(inside.mean())

    def square(self, allowances: Allowances) -> float:
        """Mean of (error / half-width of the band before Student's quantile)^2."""
        return float(np.mean((self.errors / self._widths(allowances)) ** 2))

    def _widths(self, allowances: Allowances) -> Floats:
        kappa, tau, starvation = allowances.kappa, allowances.tau, allowances.starvation
        squares = (kappa * self.standard_errors) ** 2 + (tau * self.decades) ** 2 + (starvation * self.starved) ** 2
        return np.sqrt(squares)

    @property
    def reach(self) -> float:
        """FLOPs of the dearest row predicted over those of the dearest fitted."""
        return float(10 ** self.decades.max())

    def summary(self) -> dict[str, Any]:
        """The step as it is written down."""
        return {
            "budgets": self.budgets,
            "runs_fitted": self.runs_fitted,
            "train_flop_max": self.train_flop_max,
            "runs_predicted": len(self.errors),
            "reach": self.reach,
            "error": self.error,
            "bias": self.bias,
        }


class Allowances(NamedTuple):
    """What a band carries on top of sampling error, and where that comes from: see ``laws.uncertainty``."""

    kappa: float
    tau: float
    drift: float
    starvation: float
    size_misfit: float
    source: str


_DEFAULT_SOURCE = "default allowances, too few budgets to back-test"
FORECAST = Allowances(1.0, 0.01, DEFAULT_DRIFT, 0.05, 0.12, _DEFAULT_SOURCE)
"""Our choice (docs/decisions/0012); without the 0.12, bands of N* just beyond the fit held 82 % of measured ones."""
PLAIN = Allowances(DEFAULT_KAPPA, DEFAULT_TAU, DEFAULT_DRIFT, 0.0, 0.0, _DEFAULT_SOURCE)
_DEFAULTS_COUNT, _MOST_SQUARE, _MOST_SPLITS = 4, 4.0, 6
"""Our choice: how many steps the defaults count for, the most that one step says, and how many are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BackTest:
    """Every step of a forward-chaining back-test, the shortest fit first."""

    splits: tuple[Split, ...]

    @property
    def error(self) -> float:
        """Mean over the steps of the mean |error| of ln L."""
        return float(np.mean([split.error for split in self.splits]))

    @property
    def bias(self) -> float:
        """Mean over the steps of the mean error of ln L."""
        return float(np.mean([split.bias for split in self.splits]))

    def coverage(self, allowances: Allowances, level: float) -> float:
        """Mean over the steps of the share of rows inside the band; nominally ``level``."""
        return float(np.mean([split.covered(allowances, level) for split in self.splits]))


def back_test(runs: Runs, fitter: Callable[[Runs], Fit]) -> BackTest | None:
    """The back-test of a way of fitting on runs, or ``None`` where they have too few budgets or runs for it."""
    runs = _evenly(runs)
    last = _last_rows(runs)
    groups = cheap_to_dear(last)
    if len(groups) < LEAST_GROUPS:
        return None
    of_run = np.empty(runs.count, dtype=np.int64)
    for number, members in enumerate(groups):
        of_run[last.run[members]] = number
    group = of_run[runs.run]
    splits: list[Split] = []
    for fitted in range(_LEAST_FITTED, len(groups)):
        try:
            fit = fitter(runs.subset(group < fitted))
        except UsageError:
            continue  # too few runs for the form yet
        if fit.usable:
            splits.append(_split(fit, fitted, runs.subset(group >= fitted)))
    return BackTest(splits=tuple(splits[-_MOST_SPLITS:])) if splits else None


def allowances_of(tested: BackTest | None, *, forecast: bool) -> Allowances:
    """The allowances of a law: the defaults, by the factor of the runs' own back-test where there is one.

    Args:
        tested: the back-test.
        forecast: whether the fit was that for forecasting, or the plain one.
    """
    default = FORECAST if forecast else PLAIN
    if tested is None:
        return default
    squares = [min(split.square(default), _MOST_SQUARE) for split in tested.splits]
    factor = math.sqrt((_DEFAULTS_COUNT + sum(squares)) / (_DEFAULTS_COUNT + len(squares)))
    return Allowances(
        kappa=default.kappa * (factor if forecast else max(factor, 1.0)),
        tau=default.tau * factor,
        drift=default.drift,
        starvation=default.starvation * factor,
        size_misfit=default.size_misfit,
        source=f"allowances from {len(tested.splits)} back-tests",
    )


def _split(fit: Fit, budgets: int, test: Runs) -> Split:
    dearest = float(fit.runs.train_flop.max())
    model = fit.form.bind(test)
    theta = searched(model, fit.theta)
    jacobian = model.jacobian(theta) @ np.linalg.inv(model.to_natural)
    variance = np.einsum("ni,ij,nj->n", jacobian, fit.covariance, jacobian) + fit.sd**2
    return Split(
        budgets=budgets,
        runs_fitted=fit.runs.count,
        dof=fit.dof,
        train_flop_max=dearest,
        errors=model.residuals(theta[None, :])[0],
        standard_errors=np.sqrt(variance),
        decades=np.maximum(np.log10(test.train_flop / dearest), 0.0),
        starved=np.maximum(np.log10(FULL_TOKENS_PER_PARAM * test.params / test.tokens), 0.0),
    )


def _last_rows(runs: Runs) -> Runs:
    """The last checkpoint of every run, by tokens."""
    if not runs.clustered:
        return runs
    order = np.lexsort((runs.tokens, runs.run))
    ends = np.flatnonzero(np.append(np.diff(runs.run[order]) != 0, True))
    return runs.subset(order[ends])


def _evenly(runs: Runs) -> Runs:
    """Every row, or where there are very many an even choice of runs along compute and of each run's checkpoints."""
    if len(runs) <= _MOST_ROWS:
        return runs
    last = _last_rows(runs)
    chosen = last.evenly(_MOST_RUNS).row
    chosen = last.run[np.isin(last.row, chosen)]
    kept = runs.subset(np.isin(runs.run, chosen))
    return thinned(kept, max(_MOST_ROWS // kept.count, 2))
