"""The fit for forecasting: what the runs say, read in the light of what laws are like.

A plain fit to few or cheap runs lets E fall to zero or an exponent run away, and gives the cheapest and worst trained
runs as much to say as the dear ones that the forecast starts from. So

    F = sum_i rho(q_i r_i) / (m_i s^2) + sum_p ((p - mean_p) / sd_p)^2 / 2,

    q_i = c_i^(1/2) (L_min / L_i)^6 (C_i / C_max)^(1/4) min(1, D_i / (5 N_i))^(1/2), the largest scaled to 1,
    alpha, beta ~ N(0.35, 0.075^2),
    ln E ~ N(ln(share L_min), 0.075^2), share = max(0.65, 0.95 / (1 + 0.2686 (C_max / 1e21)^-0.178)),

    ln N*(C_max) ~ N(what the plain fit says of it, (1.7 se)^2 + 0.1^2),

with m_i the rows of the run that row i is of and s the robust standard deviation of q_i r_i, at least 0.6 %: no form is
truer than that, and exact data must not silence the priors. E is thus expected at about two thirds of the best loss,
and nearer to it where the runs are dear, as along the frontier of Besiroglu et al. 2024 (arXiv 2404.10102), from whose
law 0.2686 and 0.178 follow. The best size is what runs of all losses tell and the weights nearly drop: without the last
line the split of a budget, to which the loss is all but blind, drifts with E.

Every constant is our choice by forward chaining over measured runs of seven origins, each left out in turn:
docs/decisions/0012 has the figures, with what was tried and dropped. ``--no-prior`` is the plain fit.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scaleplan.fitting.covariance import posterior_covariance
from scaleplan.fitting.model import searched
from scaleplan.fitting.newton import Minima, minimise
from scaleplan.fitting.objective import HUBER_CONSTANT, Objective, Penalty, huber, robust_sd
from scaleplan.fitting.point import COARSE_RUNS, fit_form, has_distinct, require_runs, status_of
from scaleplan.fitting.solution import Fit, Prior
from scaleplan.laws.additive import Additive
from scaleplan.laws.uncertainty import DEFAULT_KAPPA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.forms import FitForm
    from scaleplan.fitting.model import Model
    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

_EXPONENT, _EXPONENT_SD = 0.35, 0.075
_E_SHARE, _E_CEILING, _E_SD = 0.65, 0.95, 0.075
_REDUCIBLE, _REDUCIBLE_SLOPE, _REDUCIBLE_FLOP = 0.2686, 0.178, 1e21
_LOSS_POWER, _FLOP_POWER, _RATIO_POWER, _FULL_RATIO = 6.0, 0.25, 0.5, 5.0
_LEAST_WEIGHT = 1e-3
_FIRST_SD, _LEAST_SD = 0.02, 0.006
_NO_SLOPE = 1e-3
"""Our choice: with a smaller exponent, N* of the plain fit is wherever rounding puts it."""
_FLOOR_SD = 0.004
"""Added to the noise of a forecast in quadrature: what the form misses even inside the range."""
_PLAIN_KAPPA, _LEAST_SIZE_SD = DEFAULT_KAPPA, 0.1
_ROUNDS = 4
"""Our choice: noise and the line of N* are settled to a thousandth of themselves by then."""
_LOST = 3
"""Degrees of freedom that the fit takes, and the fewest it has: the priors stand in for the rest."""


def has_prior(form: FitForm) -> bool:
    """Whether the priors speak of this form at all: of its exponents and its E."""
    return bool(form.exponents) and "ln_E" in form.parameters


def fit_forecast(runs: Runs, form: FitForm, *, plain: Fit | None = None) -> Fit:
    """The fit to forecast by.

    Args:
        runs: at least as many different ones as the form has parameters.
        form: one that ``has_prior``.
        plain: the plain fit to the same runs, where it is there already.

    Raises:
        UsageError: fewer runs than that.
    """
    require_runs(runs, form, len(form.parameters))
    scale = row_scale(runs)
    prior = _priors(runs, form)
    some = runs.evenly(COARSE_RUNS)
    model = form.bind(some)
    weight = _row_weight(some, row_scale(some))
    sd = _FIRST_SD
    penalty = penalty_of(model.to_natural, prior, sd**2)
    found = _search(model, weight, math.inf, penalty, model.starts(weight))
    starts, best = len(found.value), int(np.argmin(found.value))
    agree = int(np.sum(found.value <= found.value[best] * (1 + 1e-6)))
    natural = model.to_natural @ found.theta[best]
    if some is not runs:
        model = form.bind(runs)
    weight = _row_weight(runs, scale)
    theta = searched(model, natural)
    if plain is None and has_distinct(runs, len(form.parameters) + 1):
        plain = fit_form(runs, form)
    for _ in range(_ROUNDS):
        residuals = model.residuals(theta[None, :])[0]
        sd = max(robust_sd(scale * residuals) * _inflation(runs), _LEAST_SD)
        prior = (*_priors(runs, form), *_best_size(plain, model.to_natural @ theta))
        penalty = penalty_of(model.to_natural, prior, sd**2)
        found = _search(model, weight, HUBER_CONSTANT * sd / scale, penalty, theta[None, :])
        theta = found.theta[0]
    residuals = model.residuals(theta[None, :])[0]
    threshold = HUBER_CONSTANT * sd / scale
    jacobian = model.jacobian(theta)
    held = model.steadying(threshold)
    precision = penalty.precision if held is None else penalty.precision + held.precision
    covariance = posterior_covariance(runs, weight, jacobian, residuals, threshold, precision, sd**2)
    natural = model.to_natural @ theta
    noise = robust_sd(residuals, weight) * _inflation(runs)
    return Fit(
        form=form,
        runs=runs,
        objective=Objective.HUBER,
        delta=HUBER_CONSTANT * sd,
        row_scale=scale,
        prior=prior,
        theta=natural,
        covariance=model.to_natural @ covariance @ model.to_natural.T,
        value=float(weight @ huber(residuals, threshold)),
        sd=math.hypot(noise, _FLOOR_SD),
        scale=sd,
        dof=max(runs.count - _LOST, _LOST),
        residuals=residuals,
        weight=weight,
        status=status_of(form, natural, bool(found.converged[0]), float(runs.loss.min())),
        starts=starts,
        agree=agree,
        steps=int(found.steps[0]),
        plain=None if plain is None else plain.theta,
    )


def row_scale(runs: Runs) -> Floats:
    """q: what a row's residual is multiplied by, the square root of its precision; 1 for the one that counts most.

    A row's own weight is a precision too. Rows of next to no weight do not set the scale of the others.
    """
    told = _told(runs)
    flop, loss = runs.train_flop, runs.loss
    ratio = np.minimum(1.0, runs.tokens / runs.params / _FULL_RATIO)
    best, dearest = loss[told].min(), flop[told].max()
    q = (best / loss) ** _LOSS_POWER * (flop / dearest) ** _FLOP_POWER * ratio**_RATIO_POWER * np.sqrt(runs.weight)
    return q / q[told].max()


def _told(runs: Runs) -> NDArray[np.bool_]:
    """Which rows say anything: those of more than a thousandth of the most weight."""
    return runs.weight > _LEAST_WEIGHT * runs.weight.max()


def _dearest(runs: Runs) -> float:
    """The compute of the dearest run that says anything."""
    return float(runs.train_flop[_told(runs)].max())


def _row_weight(runs: Runs, scale: Floats) -> Floats:
    """What rows count: those of one run together as much as their mean, for they share its luck."""
    return scale**2 / np.bincount(runs.run)[runs.run]


def expected_share(train_flop: float) -> float:
    """E over the least loss of runs that go up to ``train_flop``."""
    reducible = _REDUCIBLE * (train_flop / _REDUCIBLE_FLOP) ** -_REDUCIBLE_SLOPE
    return max(_E_SHARE, _E_CEILING / (1 + reducible))


def penalty_of(to_natural: Floats, prior: tuple[Prior, ...], noise: float) -> Penalty:
    """The penalty that priors make in a model's coordinates, for an objective of residuals of variance ``noise``."""
    rows, targets = prior_rows(to_natural, prior, noise)
    centre: Any = np.linalg.lstsq(rows, targets, rcond=None)[0]
    return Penalty(centre, rows.T @ rows)


def prior_rows(to_natural: Floats, prior: tuple[Prior, ...], noise: float) -> tuple[Floats, Floats]:
    """Rows (q, k) and targets (q,) whose squared misses, halved, are the penalty."""
    sd = np.array([each.sd for each in prior]) / math.sqrt(noise)
    rows = np.array([each.row for each in prior]) @ to_natural
    return rows / sd[:, None], np.array([each.mean for each in prior]) / sd


def _priors(runs: Runs, form: FitForm) -> tuple[Prior, ...]:
    """Of the exponents and of E."""
    told = _told(runs)
    centre = math.log(expected_share(_dearest(runs)) * float(runs.loss[told].min()))
    means = dict.fromkeys(form.exponents, (_EXPONENT, _EXPONENT_SD)) | {"ln_E": (centre, _E_SD)}
    return tuple(
        Prior(name, tuple(float(name == each) for each in form.parameters), mean, sd, mean)
        for name, (mean, sd) in means.items()
    )


def _best_size(plain: Fit | None, natural: Floats) -> tuple[Prior, ...]:
    """What the plain fit says of N* at the dearest run, as a measurement made linear at ``natural``."""
    if plain is None or not plain.usable or min(plain.values()[name] for name in plain.form.exponents) < _NO_SLOPE:
        return ()
    flop = _dearest(plain.runs)
    said, slope = _ln_params_opt(plain.form, plain.theta, flop)
    error = _PLAIN_KAPPA * math.sqrt(max(float(slope @ plain.covariance @ slope), 0.0))
    now, row = _ln_params_opt(plain.form, natural, flop)
    mean = said - now + float(row @ natural)
    return (Prior("ln_N_opt", tuple(row.tolist()), mean, math.hypot(error, _LEAST_SIZE_SD), said),)


def _ln_params_opt(form: FitForm, natural: Floats, flop: float) -> tuple[float, Floats]:
    """ln N* of a budget and its gradient by the form's parameters."""
    spread = form.surface_jacobian()
    ln_a, ln_b, ln_e, alpha, beta = (float(x) for x in spread @ natural)
    law = Additive(math.exp(ln_e), math.exp(ln_a), math.exp(ln_b), alpha, beta)
    best = law.optimum(flop)
    return math.log(best.params), np.array(law.log_params_sensitivity(best.params, best.tokens)) @ spread


def _inflation(runs: Runs) -> float:
    """What the fit took from the residuals: sqrt(n / (n - 4)), no more than sqrt(2)."""
    n = runs.count
    return math.sqrt(n / max(n - 4, n / 2))


def _search(model: Model, weight: Floats, threshold: float | Floats, penalty: Penalty, theta: Floats) -> Minima:
    return minimise(lambda points, _: model.local(points, weight[None, :], threshold, penalty), theta, most_steps=60)
