"""Fit the cheap runs, predict the dear ones: how far a law can be trusted beyond its runs, from the runs themselves.

Forward chaining: the runs are put in groups of rising compute; the first j groups are fitted by the same recipe and
every run of the later groups is predicted. With r = ln L predicted - ln L measured and se the error that sampling and
noise explain (se^2 = g' S g + s^2),

    kappa^2 = mean over splits of mean (r / se)^2         how much too small se is
    tau     = what is left of |r| a decade beyond the fit, once kappa se is taken off

docs/decisions/0012 has the figures behind the defaults and the floors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scaleplan.errors import UsageError
from scaleplan.fitting.budgets import cheap_to_dear
from scaleplan.fitting.point import fit_form
from scaleplan.laws.uncertainty import DEFAULT_DRIFT, DEFAULT_KAPPA, DEFAULT_TAU

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.forms import FitForm
    from scaleplan.fitting.objective import Objective
    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.solution import Fit, Prior

    Floats = NDArray[np.float64]

LEAST_GROUPS = 4
"""Our choice: with three budgets the back-test would rest on one fit of two."""
_MOST_RUNS = 2000
"""Our choice: an even choice of so many runs tells the errors of a forecast to a few per cent of themselves."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Split:
    """One step: what was fitted, and of each row predicted the error of ln L, its standard error and its reach."""

    budgets: int
    runs_fitted: int
    train_flop_max: float
    errors: Floats
    standard_errors: Floats
    decades: Floats

    @property
    def error(self) -> float:
        """Mean of |ln L predicted - ln L measured|."""
        return float(np.abs(self.errors).mean())

    @property
    def bias(self) -> float:
        """Mean of ln L predicted - ln L measured."""
        return float(self.errors.mean())

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
    source: str


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


def back_test(runs: Runs, form: FitForm, *, objective: Objective, prior: Prior | None) -> BackTest | None:
    """The back-test of a form on runs, or ``None`` where they have too few budgets or runs for it."""
    runs = _evenly(runs)
    groups = cheap_to_dear(_last_rows(runs))
    if len(groups) < LEAST_GROUPS:
        return None
    last = _last_rows(runs)
    of_run = np.empty(runs.count, dtype=np.int64)
    for number, members in enumerate(groups):
        of_run[last.run[members]] = number
    group = of_run[runs.run]
    splits: list[Split] = []
    for fitted in range(1, len(groups)):
        train = runs.subset(group < fitted)
        try:
            fit = fit_form(train, form, objective=objective, prior=prior)
        except UsageError:
            continue  # too few runs for the form yet
        if fit.usable:
            splits.append(_split(fit, fitted, runs.subset(group >= fitted)))
    return BackTest(splits=tuple(splits)) if splits else None


def allowances_of(tested: BackTest | None) -> Allowances:
    """Kappa, tau and drift: of the runs' own back-test where there is one, the defaults where there is none."""
    if tested is None:
        return Allowances(DEFAULT_KAPPA, DEFAULT_TAU, DEFAULT_DRIFT, "default allowances, too few budgets to back-test")
    squares = [float(np.mean((split.errors / split.standard_errors) ** 2)) for split in tested.splits]
    kappa = max(DEFAULT_KAPPA, math.sqrt(float(np.mean(squares))))
    return Allowances(kappa, DEFAULT_TAU, DEFAULT_DRIFT, f"allowances from {len(tested.splits)} back-tests")


def _split(fit: Fit, budgets: int, test: Runs) -> Split:
    dearest = float(fit.runs.train_flop.max())
    model = fit.form.bind(test)
    theta = np.linalg.solve(model.to_natural, fit.theta)
    jacobian = model.jacobian(theta) @ np.linalg.inv(model.to_natural)
    variance = np.einsum("ni,ij,nj->n", jacobian, fit.covariance, jacobian) + fit.sd**2
    return Split(
        budgets=budgets,
        runs_fitted=fit.runs.count,
        train_flop_max=dearest,
        errors=model.residuals(theta[None, :])[0],
        standard_errors=np.sqrt(variance),
        decades=np.maximum(np.log10(test.train_flop / dearest), 0.0),
    )


def _last_rows(runs: Runs) -> Runs:
    """The last checkpoint of every run, by tokens."""
    if not runs.clustered:
        return runs
    order = np.lexsort((runs.tokens, runs.run))
    ends = np.flatnonzero(np.append(np.diff(runs.run[order]) != 0, True))
    return runs.subset(order[ends])


def _evenly(runs: Runs) -> Runs:
    """Every run, or an even choice of them along compute where there are very many."""
    if runs.count <= _MOST_RUNS:
        return runs
    last = _last_rows(runs)
    order = np.argsort(last.train_flop, kind="stable")
    chosen = last.run[order[np.linspace(0, len(order) - 1, _MOST_RUNS).astype(np.int64)]]
    return runs.subset(np.isin(runs.run, chosen))
