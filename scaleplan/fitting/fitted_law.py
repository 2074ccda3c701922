"""A law from runs: the fit, how sure it is, how it did on runs it had not seen, and what is wrong with the table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.fitting.backtest import Allowances, BackTest, allowances_of, back_test
from scaleplan.fitting.diagnostics import fit_notices, run_notices
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.point import fit_form
from scaleplan.laws.student import two_sided_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from scaleplan.errors import Notice
    from scaleplan.fitting.settings import Settings
    from scaleplan.fitting.solution import Fit
    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]


class FittedConstant(NamedTuple):
    """A constant of the law's form, with the ends of its interval; ``None`` where there is none."""

    symbol: str
    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FittedLaw:
    """A form fitted to runs, ready to be written as a law file.

    ``covariance`` (k, k) of the natural parameters comes from ``covariance_by``: ``delta`` or ``bootstrap``.
    ``constants`` are those of the law's form with intervals of ``settings.level``.
    """

    settings: Settings
    runs: Runs
    fit: Fit
    covariance: Floats
    covariance_by: str
    allowances: Allowances
    back_test: BackTest | None
    constants: tuple[FittedConstant, ...]
    warnings: tuple[Notice, ...]

    def __repr__(self) -> str:
        return f"FittedLaw({self.fit!r})"


def fit_law(
    runs: Runs, settings: Settings, *, progress: Callable[[int, int], None] | None = None
) -> FittedLaw:
    """Fit a law to runs.

    Raises:
        UsageError: too few runs, or runs that cannot tell the form's parameters.
    """
    form = find_fit_form(settings.form)
    notices = run_notices(runs)
    fit = fit_form(runs, form, objective=settings.objective, prior=settings.exponent_prior)
    tested = back_test(runs, form, objective=settings.objective, prior=settings.exponent_prior)
    allowances = allowances_of(tested)
    covariance, by = fit.covariance, "delta"
    if settings.resamples:
        from scaleplan.fitting.bootstrap import bootstrap

        drawn = bootstrap(
            fit,
            settings.resamples,
            seed=settings.seed,
            workers=settings.workers,
            scheduler=settings.scheduler,
            progress=progress,
        )
        covariance, by = drawn.covariance(), "bootstrap"
    return FittedLaw(
        settings=settings,
        runs=runs,
        fit=fit,
        covariance=covariance,
        covariance_by=by,
        allowances=allowances,
        back_test=tested,
        constants=_constants(fit, covariance, settings, allowances.kappa),
        warnings=(*notices, *fit_notices(fit)),
    )


def _constants(fit: Fit, covariance: Floats, settings: Settings, kappa: float) -> tuple[FittedConstant, ...]:
    """The constants of the law's form; a parameter ``ln_X`` gives X, with ends that X cannot fall below zero by."""
    wide = two_sided_quantile(settings.level, fit.dof) * (kappa if settings.band == "forecast" else 1.0)
    out: list[FittedConstant] = []
    errors = covariance.diagonal() ** 0.5
    for name, value, error in zip(fit.form.parameters, fit.theta.tolist(), errors.tolist(), strict=True):
        low, high = value - wide * error, value + wide * error
        if name.startswith("ln_"):
            out.append(FittedConstant(name[3:], *(_exp(x) for x in (value, low, high))))
        else:
            out.append(FittedConstant(name, value, low, high))
    return tuple(out)


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf
