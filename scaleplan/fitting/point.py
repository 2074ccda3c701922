"""The plain fit of a form to runs: starts, search, scale, covariance.

1. Starts from a grid of exponents with the levels solved for (``starts`` of the model).
2. Least squares of ln L from every start; its residuals give the noise and Huber's threshold.
3. The objective asked for, from where least squares ended; a small threshold by way of larger ones (3e-2, 5e-3),
   since far from the minimum it weighs almost nothing.

Of very many rows an even choice finds the minimum, and all of them take the last steps.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan.errors import UsageError
from scaleplan.fitting.covariance import m_estimator_covariance
from scaleplan.fitting.general import prior_worth
from scaleplan.fitting.model import searched
from scaleplan.fitting.newton import Minima, minimise
from scaleplan.fitting.objective import HOFFMANN_DELTA, Objective, adaptive_delta, huber, robust_sd
from scaleplan.fitting.solution import AT_BOUND, CONVERGED, NOT_CONVERGED, SLOPES, Fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.forms import FitForm
    from scaleplan.fitting.model import Model
    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

_CONTINUATION = (3e-2, 5e-3)
_ROUGH = 1e-3
"""Our choice: a stage that only leads to the next need not settle its last digits."""
_SAME = 1e-9
"""Our choice: searches whose objectives agree to this ended at the same minimum."""
_LEAST_SHARE, _LEAST_EXPONENT = 1e-4, 1e-3
"""Our choice: an E below this share of the least loss, or an exponent below this, is at its bound."""


COARSE_RUNS = 10_000
"""Our choice: an even choice of so many rows has the basins of all of them; the last steps are taken with every row."""
_FEW_ROWS = 1000
_ROUGH_STEPS = 12
"""Our choice: what is not near a minimum by then goes on under the objective itself."""


class _Search(NamedTuple):
    delta: float
    minima: Minima


def require_runs(runs: Runs, form: FitForm, least: int) -> None:
    """Check that there are enough different runs for a form.

    Raises:
        UsageError: fewer than ``least``.
    """
    if not has_distinct(runs, least):
        raise UsageError(
            f"{runs.source}: {_distinct(runs, len(runs))} different runs (by params and tokens) for the "
            f"{len(form.parameters)} parameters of the form {form.name}: at least {least} are needed; add runs or "
            "choose a form with fewer"
        )


def has_distinct(runs: Runs, least: int) -> bool:
    """Whether there are at least so many different pairs of parameters and tokens."""
    # The first few rows nearly always have them; sorting a million is then spared.
    return _distinct(runs, _FEW_ROWS) >= least or (len(runs) > _FEW_ROWS and _distinct(runs, len(runs)) >= least)


def _distinct(runs: Runs, rows: int) -> int:
    return len(set(zip(runs.params[:rows].tolist(), runs.tokens[:rows].tolist(), strict=True)))


def fit_form(runs: Runs, form: FitForm, *, objective: Objective = Objective.HUBER) -> Fit:
    """The form that fits the runs best.

    Args:
        runs: at least as many different ones as the form has parameters, and one more.
        form: what to fit.
        objective: how residuals are weighed.

    Raises:
        UsageError: fewer runs than that.
    """
    require_runs(runs, form, len(form.parameters) + 1)
    some = runs.evenly(COARSE_RUNS)
    model = form.bind(some)
    found = _searched(model, some.weight[None, :], model.starts(some.weight), objective)
    starts, agree = len(found.minima.value), _agreeing(found)
    best = int(np.argmin(found.minima.value))
    if some is not runs:
        natural = model.to_natural @ found.minima.theta[best]
        model, best = form.bind(runs), 0
        found = _searched(model, runs.weight[None, :], searched(model, natural)[None, :], objective)
    theta = found.minima.theta[best]
    residuals = model.residuals(theta[None, :])[0]
    natural = model.to_natural @ theta
    noise = _noise(residuals, runs, len(form.parameters))
    held = model.steadying(found.delta)
    steadying = None if held is None else (held.precision, prior_worth(found.delta, noise))
    covariance = m_estimator_covariance(runs, model.jacobian(theta), residuals, found.delta, steadying)
    return Fit(
        form=form,
        runs=runs,
        objective=objective,
        delta=found.delta,
        prior=(),
        theta=natural,
        covariance=model.to_natural @ covariance @ model.to_natural.T,
        value=float(runs.weight @ huber(residuals, found.delta)),
        sd=math.sqrt(noise),
        scale=math.sqrt(noise),
        dof=max(runs.count - len(form.parameters), 1),
        residuals=residuals,
        weight=runs.weight,
        status=status_of(form, natural, bool(found.minima.converged[best]), float(runs.loss.min())),
        starts=starts,
        agree=agree,
        steps=int(found.minima.steps[best]),
    )


def _searched(model: Model, weight: Floats, theta: Floats, objective: Objective) -> _Search:
    """Every start searched to its end; the threshold is found on the way."""

    def search(at: Floats, threshold: float, tolerance: float = 1e-13, most_steps: int = 200) -> Minima:
        return minimise(
            lambda points, _: model.local(points, weight, threshold, None),
            at,
            tolerance=tolerance,
            most_steps=most_steps,
        )

    def rough(at: Floats, threshold: float) -> Minima:
        return search(at, threshold, _ROUGH, _ROUGH_STEPS)

    if objective is Objective.MSE:
        return _Search(math.inf, search(theta, math.inf))
    if objective is Objective.HOFFMANN:
        for threshold in _CONTINUATION:
            theta = rough(theta, threshold).theta
        return _Search(HOFFMANN_DELTA, search(theta, HOFFMANN_DELTA))
    threshold = math.inf
    for _ in range(3):
        found = rough(theta, threshold)
        theta, best = found.theta, int(np.argmin(found.value))
        threshold = adaptive_delta(model.residuals(theta[best][None, :])[0], weight[0])
    return _Search(threshold, search(theta, threshold))


def _agreeing(found: _Search) -> int:
    """How many searches ended at the lowest minimum."""
    values = found.minima.value
    return int(np.sum(values <= values.min() * (1 + _SAME) + 1e-25))


def _noise(residuals: Floats, runs: Runs, k: int) -> float:
    """Robust variance of ln L around the fit, with as many degrees of freedom as there are runs beyond k."""
    n = runs.count
    return robust_sd(residuals, runs.weight) ** 2 * n / max(n - k, 1)


def status_of(form: FitForm, natural: Floats, converged: bool, least: float) -> str:  # a fact of the search
    """How a fit ended: see ``Fit.status``."""
    values = dict(zip(form.parameters, natural.tolist(), strict=True))
    floor = next((values[name] for name in ("ln_E", "ln_L_inf") if name in values), None)
    slopes = [values[name] for name in SLOPES if name in values]
    if (floor is not None and floor < math.log(_LEAST_SHARE * least)) or min(slopes, default=1.0) < _LEAST_EXPONENT:
        return AT_BOUND
    return CONVERGED if converged else NOT_CONVERGED
