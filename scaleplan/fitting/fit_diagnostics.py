"""What a fit shows about itself: whether it ended, what the runs left open, and where the form does not hold.

Every threshold is our choice; beside it stands the reason. Residuals here are those of the rows with weight, each times
the square root of its weight over the mean, so that rows that count less may lie further off.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan.errors import Notice
from scaleplan.fitting import misfit_diagnostics
from scaleplan.fitting.diagnostic_statistics import (
    centred_jacobian,
    clipped_sd,
    condition_of,
    condition_text,
    smooth_misfit,
)
from scaleplan.fitting.runs import runs_of
from scaleplan.fitting.solution import AT_BOUND, NOT_CONVERGED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.solution import Fit

    Floats = NDArray[np.float64]

_OPEN_E = 0.3
"""Standard error of ln E: E known to a third says nothing of budgets beyond; good grids give 0.01, small ones 0.06."""
_OPEN_EXPONENT, _OPEN_SHARE = 0.1, 0.3
"""Standard error of an exponent: 0.1 is the width of the prior, by which a fit then mostly goes; or 30 % of it."""
_OPEN_SCALE = 1.0
"""Standard error of the logarithm of a constant: known to a factor of e."""
_SINGULAR = 1e4
"""Condition number: IsoFLOP grids and measured tables have 300 to 5,000, runs along one ray D = k N 35,000 and more."""
_MOVED_ERRORS, _MOVED_LOSS, _FURTHER = 1.0, 0.005, 10.0
"""How far a prior may move the answer unsaid: one standard error, or 0.5 % of the loss at ten times the dearest run;
the misfit of any form ten times beyond its runs is larger than that, on measured grids about 1.5 %."""
_EXPONENTS = frozenset({"alpha", "beta", "alpha_N", "alpha_D"})
_FLOORS = {"ln_E": "E", "ln_L_inf": "L_inf"}
_OTHERS = {
    "ln_R_D_star": "R_D*", "ln_R_N_star": "R_N*",
    "ln_d_1": "the place of the break", "ln_f_1": "the sharpness of the break",
}  # fmt: skip
_ENOUGH = 100_000
"""Rows that show a misfit of 0.5 % under noise of 10 % beyond doubt."""
_LEAST_SCALE = 1e-9
"""Relative: residuals of exact data are rounding."""


class PriorShift(NamedTuple):
    """How far a prior moved a fit: of each exponent (plain, fitted, standard errors), and of the loss further out."""

    exponents: dict[str, tuple[float, float, float]]
    ln_loss: float
    """ln L with the prior less ln L without, at ten times the compute of the dearest run and its tokens a parameter."""


def fit_notices(fit: Fit) -> tuple[Notice, ...]:
    """What is wrong with a plain fit, in the order in which it should be mended."""
    counted = _counted(fit)
    runs = counted.runs
    z = counted.residuals * np.sqrt(runs.weight / runs.weight.mean())
    thin = _thinned(counted)
    jacobian = centred_jacobian(fit.form, thin.runs, fit.theta)
    scale = max(clipped_sd(z, len(fit.theta)), _LEAST_SCALE)
    found = (
        ("not_converged", _not_converged(fit)),
        ("starts_disagree", _starts_disagree(fit)),
        ("at_bound", _at_bound(fit)),
        ("E_unidentified", _e_unidentified(fit)),
        ("exponent_unidentified", _exponent_unidentified(fit)),
        ("constant_unidentified", _constant_unidentified(fit)),
        ("ill_conditioned", _ill_conditioned(thin, jacobian)),
        ("outliers", misfit_diagnostics.outliers(counted, z, scale)),
        ("regime_break", misfit_diagnostics.regime_break(counted, scale)),
        ("misfit", misfit_diagnostics.misfit(counted, smooth_misfit(thin, jacobian, scale), scale)),
        ("noisy", misfit_diagnostics.noisy(scale)),
        ("heteroscedastic", misfit_diagnostics.heteroscedastic(counted, z, scale)),
    )
    return tuple(Notice(code, f"{runs.source}: {text}.") for code, text in found if text)


def prior_notices(fit: Fit) -> tuple[Notice, ...]:
    """What is to be said of a fit with a prior beside what its plain twin's notices say."""
    text = _prior_moved(fit)
    return (Notice("prior_moved", f"{fit.runs.source}: {text}."),) if text else ()


def prior_shift(fit: Fit) -> PriorShift | None:
    """How far the prior moved the answer; ``None`` where there was none."""
    if fit.plain is None:
        return None
    errors = fit.standard_errors()
    exponents: dict[str, tuple[float, float, float]] = {}
    for name in fit.form.exponents:
        place = fit.form.parameters.index(name)
        plain, now = float(fit.plain[place]), float(fit.theta[place])
        exponents[name] = plain, now, abs(now - plain) / max(float(errors[place]), 1e-300)
    dearest = int(np.argmax(fit.runs.train_flop))
    further = math.sqrt(_FURTHER)
    params, tokens = fit.runs.params[[dearest]] * further, fit.runs.tokens[[dearest]] * further
    model = fit.form.bind(runs_of(params, tokens, np.ones(1), unique_tokens=tokens))
    both = np.asarray(np.linalg.solve(model.to_natural, np.stack([fit.theta, fit.plain], axis=1)).T, dtype=np.float64)
    with_prior, without = model.residuals(both)[:, 0].tolist()
    return PriorShift(exponents, with_prior - without)


def _counted(fit: Fit) -> Fit:
    """The fit with its rows of weight alone."""
    kept = fit.runs.weight > 0
    return fit if kept.all() else replace(fit, runs=fit.runs.subset(kept), residuals=fit.residuals[kept])


def _thinned(fit: Fit) -> Fit:
    """The fit with at most so many rows as the shape of a misfit takes, by a fixed draw."""
    if len(fit.runs) <= _ENOUGH:
        return fit
    chosen = np.sort(np.random.default_rng(0).choice(len(fit.runs), _ENOUGH, replace=False, shuffle=False))
    return replace(fit, runs=fit.runs.subset(chosen), residuals=fit.residuals[chosen])


def _not_converged(fit: Fit) -> str:
    if fit.status != NOT_CONVERGED:
        return ""
    return (
        f"the search for the best {fit.form.name} form did not settle in {fit.steps} steps: the runs leave some "
        f"direction open; fit a form with fewer parameters (tied) or add runs where sizes and tokens differ more"
    )


def _starts_disagree(fit: Fit) -> str:
    if 2 * fit.agree >= fit.starts:
        return ""
    return (
        f"only {fit.agree} of {fit.starts} searches ended at the best fit found: there are several minima, and "
        f"a better one may be left; compare forms with --compare, or fit one with fewer parameters"
    )


def _at_bound(fit: Fit) -> str:
    if fit.status != AT_BOUND:
        return ""
    values = dict(zip(fit.form.parameters, fit.theta.tolist(), strict=True))
    floor = next((name for name in _FLOORS if name in values), None)
    low = [name for name, value in values.items() if name in _EXPONENTS and value < 1e-2]
    what = ", ".join(low) if low else _FLOORS[floor] if floor else "a parameter"
    return (
        f"{what} ran to zero, so that no interval by the delta method holds; take the profile's, add dearer runs, or "
        f"leave out rows where the form breaks (few tokens per parameter)"
    )


def _e_unidentified(fit: Fit) -> str:
    for name, label in _FLOORS.items():
        if name in fit.form.parameters:
            place = fit.form.parameters.index(name)
            error, value = float(fit.standard_errors()[place]), math.exp(float(fit.theta[place]))
            if not error <= _OPEN_E:
                known = f"a standard error of {error:.2g} in its logarithm" if error < 10 else "no bounds that matter"
                return (
                    f"{label} = {value:.3g} has {known}: the runs do not show where the loss levels off; do not read "
                    f"{label} by itself, and add dearer runs before planning far beyond these"
                )
    return ""


def _exponent_unidentified(fit: Fit) -> str:
    open_ones: list[str] = []
    errors = fit.standard_errors()
    for place, name in enumerate(fit.form.parameters):
        if name not in _EXPONENTS:
            continue
        error, value = float(errors[place]), float(fit.theta[place])
        if not (error <= _OPEN_EXPONENT and error <= _OPEN_SHARE * abs(value)):
            size = f"{error:.2g}" if error < 10 * _OPEN_EXPONENT else "more than 1"
            open_ones.append(f"{name} = {value:.3g} (standard error {size})")
    if not open_ones:
        return ""
    leans = "; the prior, where it is used, stands in for them" if fit.form.exponents else ""
    return (
        f"the runs do not determine {' and '.join(open_ones)}{leans}: add runs over a wider range of sizes and of "
        f"tokens, or fit --form tied"
    )


def _constant_unidentified(fit: Fit) -> str:
    errors = dict(zip(fit.form.parameters, fit.standard_errors().tolist(), strict=True))
    open_ones = [text for name, text in _OTHERS.items() if name in errors and not errors[name] <= _OPEN_SCALE]
    if not open_ones:
        return ""
    return (
        f"the runs do not determine {' and '.join(open_ones)} (form {fit.form.name}), not even to a factor of "
        f"2.7: a simpler form may predict as well; rank them with --compare"
    )


def _ill_conditioned(fit: Fit, jacobian: Floats) -> str:
    # Forms whose constants are scales of N and D themselves have large numbers by their parametrisation alone.
    if not fit.form.exponents:
        return ""
    condition = condition_of(jacobian, fit.runs.weight)
    if condition <= _SINGULAR:
        return ""
    return (
        f"the condition number of the scaled information matrix is {condition_text(condition)} (good grids: 300 to "
        f"5,000): some mix of the parameters is open, as along one ray tokens = k params or with E near 0; only "
        f"predictions near such runs hold; add runs with other tokens per parameter"
    )


def _prior_moved(fit: Fit) -> str:
    shift = prior_shift(fit)
    if shift is None:
        return ""
    far = abs(shift.ln_loss) > _MOVED_LOSS
    if not far and all(errors <= _MOVED_ERRORS for _, _, errors in shift.exponents.values()):
        return ""
    parts = [
        f"{name} from {plain:.3g} to {now:.3g} ({errors:.2g} standard errors)"
        for name, (plain, now, errors) in shift.exponents.items()
    ]
    return (
        f"the weights and priors of the fit for forecasting moved {', '.join(parts)}, and the loss at ten times the "
        f"dearest run's compute by {math.expm1(shift.ln_loss):+.2%}: the plain fit says otherwise (--no-prior); in "
        f"back-tests over measured runs the one for forecasting errs about half as much, but dearer runs would tell"
    )
