"""What a fit shows about itself: whether it ended, what the runs left open, and where the form does not hold.

All of this is judged on the plain fit, which says what the runs alone say; the fit for forecasting is judged by how far
it leaves that. Every threshold is our choice; beside it stands the reason. Residuals here are those of the rows with
weight, each times the square root of its weight over the mean, so that rows that count less may lie further off.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from scaleplan.errors import Notice
from scaleplan.fitting import misfit_diagnostics
from scaleplan.fitting.diagnostic_statistics import (
    MOST_CONDITION,
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

    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.solution import Fit

    Floats = NDArray[np.float64]

_OPEN_E = 0.3
"""Standard error of ln E: E known to a third says nothing of budgets beyond; good grids give 0.01, small ones 0.06."""
_OPEN_EXPONENT, _OPEN_SHARE = 0.1, 0.3
"""Standard error of an exponent: 0.1 is more than the prior's 0.075, by which a forecast then mostly goes; or 30 % of
it."""
_OPEN_SCALE = 1.0
"""Standard error of the logarithm of a constant: known to a factor of e."""
_MOVED_ERRORS, _MOVED_LOSS, _FURTHER = 1.0, 0.005, 10.0
"""How far priors and weights may move the answer unsaid: one standard error of the fit for forecasting, and of the loss
at ten times the dearest compute 0.5 % besides, below which no form is true there. Of 400 grids of 36 runs with 0.3 %
noise 1 % are further off, of those with 1 % noise 36 %. Not the plain fit's standard errors: on these grids they are
0.007 for an exponent, while 0.02 is what down-weighting the cheap runs moves it by, and the loss by 0.3 %."""
_ONE_BUDGET = 0.9
"""Runs of one nominal budget differ by rounding of sizes, budgets by a factor of two and more."""
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


class Move(NamedTuple):
    """A quantity by the plain fit, by the fit for forecasting, and their distance in standard errors of the latter."""

    plain: float
    now: float
    errors: float


class PriorShift(NamedTuple):
    """How far the fit for forecasting is from the plain one.

    ``exponents`` by name; ``ln_loss`` at ten times the compute of the best run of the dearest budget and its tokens a
    parameter.
    """

    exponents: dict[str, Move]
    ln_loss: Move


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
        ("e_unidentified", _e_unidentified(fit)),
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
    """What is to be said of a fit for forecasting beside the notices on the plain one; nothing of a plain fit."""
    text = _prior_moved(fit)
    return (Notice("prior_moved", f"{fit.runs.source}: {text}."),) if text else ()


def prior_shift(fit: Fit) -> PriorShift | None:
    """How far priors and weights moved the answer; ``None`` for a plain fit."""
    if fit.plain is None:
        return None
    errors = fit.standard_errors()
    exponents: dict[str, Move] = {}
    for name in fit.form.exponents:
        place = fit.form.parameters.index(name)
        exponents[name] = _move(float(fit.plain[place]), float(fit.theta[place]), float(errors[place]))
    params, tokens = (np.array([x * math.sqrt(_FURTHER)]) for x in _dearest(fit.runs))
    model = fit.form.bind(runs_of(params, tokens, np.ones(1), unique_tokens=tokens))
    both = np.asarray(np.linalg.solve(model.to_natural, np.stack([fit.theta, fit.plain], axis=1)).T, dtype=np.float64)
    now, plain = model.residuals(both)[:, 0].tolist()
    slope: Floats = model.jacobian(both[0])[0] @ np.linalg.inv(model.to_natural)
    variance = max(float(slope @ fit.covariance @ slope), 0.0)
    return PriorShift(exponents, _move(plain, now, math.sqrt(variance)))


def _move(plain: float, now: float, error: float) -> Move:
    return Move(plain, now, abs(now - plain) / max(error, 1e-300))


def _dearest(runs: Runs) -> tuple[float, float]:
    """Parameters and tokens of the lowest loss at the highest budget."""
    dear = np.flatnonzero(runs.train_flop >= _ONE_BUDGET * runs.train_flop.max())
    best = dear[np.argmin(runs.loss[dear])]
    return float(runs.params[best]), float(runs.tokens[best])


def _counted(fit: Fit) -> Fit:
    """The fit with its rows of weight alone."""
    kept = fit.runs.weight > 0
    return fit if kept.all() else _of_rows(fit, np.flatnonzero(kept))


def _thinned(fit: Fit) -> Fit:
    """The fit with at most so many rows as the shape of a misfit takes, by a fixed draw."""
    if len(fit.runs) <= _ENOUGH:
        return fit
    chosen = np.random.default_rng(0).choice(len(fit.runs), _ENOUGH, replace=False, shuffle=False)
    return _of_rows(fit, np.sort(chosen).astype(np.int64))


def _of_rows(fit: Fit, rows: NDArray[np.int64]) -> Fit:
    return replace(
        fit,
        runs=fit.runs.subset(rows),
        residuals=fit.residuals[rows],
        weight=fit.weight[rows],
        row_scale=None if fit.row_scale is None else fit.row_scale[rows],
    )


def _not_converged(fit: Fit) -> str:
    if fit.status != NOT_CONVERGED:
        return ""
    return (
        f"the search for the plain fit of the form {fit.form.name} did not settle in {fit.steps} steps, as where the "
        f"runs leave something open: add runs of other sizes and tokens a parameter, or fit a simpler form"
    )


def _starts_disagree(fit: Fit) -> str:
    if 2 * fit.agree >= fit.starts:
        return ""
    return (
        f"only {fit.agree} of {fit.starts} searches for the plain fit ended at the best one found, so that a better "
        f"one may be left: compare forms with --compare, or fit one with fewer parameters"
    )


def _at_bound(fit: Fit) -> str:
    if fit.status != AT_BOUND:
        return ""
    values = dict(zip(fit.form.parameters, fit.theta.tolist(), strict=True))
    floor = next((name for name in _FLOORS if name in values), None)
    low = [name for name, value in values.items() if name in _EXPONENTS and value < 1e-2]
    what = ", ".join(low) if low else _FLOORS[floor] if floor else "a parameter"
    return (
        f"{what} of the plain fit ran to zero, where its standard errors mean nothing: add dearer runs, or leave out "
        f"with --where rows for which the form does not hold (few tokens per parameter)"
    )


def _e_unidentified(fit: Fit) -> str:
    for name, label in _FLOORS.items():
        if name in fit.form.parameters:
            place = fit.form.parameters.index(name)
            error, value = float(fit.standard_errors()[place]), math.exp(float(fit.theta[place]))
            if not error <= _OPEN_E:
                known = f"a standard error of {error:.2g} in its logarithm" if error < 10 else "no bounds that matter"
                return (
                    f"the runs do not show where the loss levels off ({label} = {value:.3g} by the plain fit, with "
                    f"{known}): add dearer runs before planning far beyond these"
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
    leans = ", and a forecast leans on its priors there" if fit.form.exponents else ""
    what = "compute" if fit.form.compute_only else "sizes and of tokens"
    hint = ", or fit --form tied" if len(_EXPONENTS.intersection(fit.form.parameters)) > 1 else ""
    return (
        f"the runs do not determine {' and '.join(open_ones)} by the plain fit{leans}: add runs over a wider range "
        f"of {what}{hint}"
    )


def _constant_unidentified(fit: Fit) -> str:
    errors = dict(zip(fit.form.parameters, fit.standard_errors().tolist(), strict=True))
    open_ones = [text for name, text in _OTHERS.items() if name in errors and not errors[name] <= _OPEN_SCALE]
    if not open_ones:
        return ""
    return (
        f"the runs do not determine {' and '.join(open_ones)} of the form {fit.form.name} to a factor of 2.7: a "
        f"simpler form may predict as well, rank them with --compare"
    )


def _ill_conditioned(fit: Fit, jacobian: Floats) -> str:
    # Forms whose constants are scales of N and D themselves have large numbers by their parametrisation alone.
    if not fit.form.exponents:
        return ""
    condition = condition_of(jacobian, fit.runs.weight)
    if condition <= MOST_CONDITION:
        return ""
    return (
        f"some mix of the parameters is open, whatever their standard errors (condition number "
        f"{condition_text(condition)}; good grids have 300 to 5,000), as along one ray tokens = k params, so that only "
        f"predictions near these runs hold: add runs with other tokens per parameter"
    )


def _prior_moved(fit: Fit) -> str:
    shift = prior_shift(fit)
    if shift is None:
        return ""
    loss = shift.ln_loss
    off = loss.now - loss.plain
    far = abs(off) > _MOVED_LOSS and loss.errors > _MOVED_ERRORS
    if not far and all(each.errors <= _MOVED_ERRORS for each in shift.exponents.values()):
        return ""
    parts = [
        f"{name} from {each.plain:.3g} to {each.now:.3g} ({each.errors:.1f} standard errors)"
        for name, each in shift.exponents.items()
    ]
    return (
        f"priors and weights for forecasting moved {', '.join(parts)} and the loss at ten times the dearest compute by "
        f"{math.expm1(off):+.1%} ({loss.errors:.1f} standard errors): dearer runs would tell which is right, and "
        f"--no-prior gives the plain fit"
    )
