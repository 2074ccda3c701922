"""A law from runs: the fit, how sure it is, how it did on runs it had not seen, and what is wrong with the table."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from scaleplan.errors import ConvergenceError, Notice, UsageError
from scaleplan.fitting.backtest import PLAIN, Allowances, BackTest, allowances_of, back_test
from scaleplan.fitting.constants import FittedConstant, fitted_constants, needs_profile, params_exponent
from scaleplan.fitting.diagnostic_statistics import condition_number
from scaleplan.fitting.disagreement import widened
from scaleplan.fitting.envelope import fit_envelope
from scaleplan.fitting.fit_diagnostics import PriorShift, fit_notices, prior_notices, prior_shift
from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import DEFAULT_FORM, find_fit_form
from scaleplan.fitting.isoflop import fit_isoflop
from scaleplan.fitting.ladder import fit_ladder
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.point import fit_form, has_distinct
from scaleplan.fitting.row_diagnostics import replicate_noise
from scaleplan.fitting.run_diagnostics import run_notices

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from scaleplan.fitting.bootstrap import Bootstrap
    from scaleplan.fitting.forms import FitForm
    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.settings import Method, Settings
    from scaleplan.fitting.solution import Fit
    from scaleplan.laws.power_rule import PowerRule

    Floats = NDArray[np.float64]
    Progress = Callable[[int, int], None]


_SETTLED = 0.99
"""Our choice: one resample in a hundred may lack the runs that hold a constant."""


class Rule(Protocol):
    """An allocation found from runs: N*(C), its covariance (2, 2) of (ln k, a), and perhaps the loss along it."""

    @property
    def rule(self) -> PowerRule:
        """N*(C)."""
        ...

    @property
    def covariance(self) -> Floats | None:
        """Of (ln k, a)."""
        ...

    @property
    def dof(self) -> int:
        """Degrees of freedom of the covariance."""
        ...

    @property
    def trend(self) -> Fit | None:
        """The loss along it, by compute."""
        ...

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What is to be said of it."""
        ...


class Approach(NamedTuple):
    """One of Hoffmann's approaches beside the parametric one, and what it found."""

    method: Method
    found: Rule


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class FittedLaw:
    """A law fitted to runs, ready to be written as a law file.

    ``fit`` gives the loss: a surface, or along ``rule`` a trend; it is absent where a rule came without one.
    ``covariance`` (k, k) is of its natural parameters, by ``covariance_by``: ``delta`` or ``bootstrap``. ``approaches``
    are what ``--method`` asked for beside it. ``constants`` have intervals of ``settings.level``.
    """

    settings: Settings
    runs: Runs
    fit: Fit | None
    covariance: Floats | None
    covariance_by: str
    rule: Rule | None
    approaches: tuple[Approach, ...]
    allowances: Allowances
    back_test: BackTest | None
    constants: tuple[FittedConstant, ...]
    warnings: tuple[Notice, ...]
    params_exponent: FittedConstant | None = None
    """a in N* ~ C^a of a surface, by the delta method."""
    shift: PriorShift | None = None
    """How far the fit for forecasting is from the plain one."""
    condition: float | None = None
    """Condition number of the scaled information matrix: about 1,000 for a good grid; of forms with exponents alone."""
    replicates: tuple[float, int] | None = None
    """Standard deviation of ln L between runs of equal parameters and tokens, and its degrees of freedom."""

    @property
    def intervals_by(self) -> str:
        """Where the intervals of the constants come from."""
        if self.covariance_by == "bootstrap":
            return f"bootstrap of {self.settings.resamples:,} resamples, seed {self.settings.seed}"
        return (
            "profile likelihood" if self.fit is not None and needs_profile(self.fit, self.settings) else "delta method"
        )

    def __repr__(self) -> str:
        return f"FittedLaw({self.fit!r})"


def fit_law(runs: Runs, settings: Settings, *, progress: Progress | None = None) -> FittedLaw:
    """Fit a law to runs.

    Raises:
        UsageError: too few runs, or runs that cannot tell the form's parameters.
        ConvergenceError: the best fit is one in which loss does not fall with size or data.
    """
    if settings.method in ("isoflop", "envelope"):
        return _by_rule(runs, settings)
    form = find_fit_form(settings.form)
    notices = run_notices(runs, form)
    forecast = settings.forecasts(form)
    enough = not forecast or has_distinct(runs, len(form.parameters) + 1)
    plain = fit_form(runs, form, objective=settings.objective) if enough else None
    fit = plain if plain is not None and not forecast else fit_forecast(runs, form, plain=plain)
    _require_usable(fit, settings)
    tested = back_test(runs, fitter(form, settings))
    allowances = allowances_of(tested, forecast=forecast)
    drawn, drawn_said = _drawn(fit, settings, progress)
    covariance, by = (fit.covariance, "delta") if drawn is None else (drawn.covariance(), "bootstrap")
    rule = fit_ladder(runs) if form.compute_only else None
    approaches, said = _approaches(runs, fit) if settings.method == "all" else ((), ())
    if approaches:
        covariance, more = widened(fit, covariance, allowances.kappa, [each.found.rule for each in approaches])
        said = (*said, *more)
    return FittedLaw(
        settings=settings,
        runs=runs,
        fit=fit,
        covariance=covariance,
        covariance_by=by,
        rule=rule,
        approaches=approaches,
        allowances=allowances,
        back_test=tested,
        constants=fitted_constants(fit, covariance, settings, allowances.kappa, drawn),
        warnings=(
            *notices,
            *(() if plain is None else fit_notices(plain)),
            *prior_notices(fit),
            *(() if rule is None else rule.notices),
            *drawn_said,
            *said,
        ),
        params_exponent=params_exponent(fit, covariance, settings, allowances.kappa),
        shift=prior_shift(fit),
        condition=condition_number(fit) if form.exponents else None,
        replicates=replicate_noise(runs),
    )


def _by_rule(runs: Runs, settings: Settings) -> FittedLaw:
    """Hoffmann's approach 2 or 1 alone: an allocation, and the loss along it."""
    found = _approach(runs, settings.method, _exponents(runs, settings))
    allowances = PLAIN._replace(source="default allowances, approaches 1 and 2 are not back-tested")
    fit = found.trend
    constants: tuple[FittedConstant, ...] = ()
    if fit is not None:
        constants = fitted_constants(fit, fit.covariance, settings, allowances.kappa)
    return FittedLaw(
        settings=settings,
        runs=runs,
        fit=fit,
        covariance=None if fit is None else fit.covariance,
        covariance_by="delta",
        rule=found,
        approaches=(Approach(settings.method, found),),
        allowances=allowances,
        back_test=None,
        constants=constants,
        warnings=(*run_notices(runs, find_fit_form("compute-only")), *found.notices),
    )


def fitter(form: FitForm, settings: Settings) -> Callable[[Runs], Fit]:
    """The way of fitting that the settings ask for, as back-tests and comparisons repeat it."""
    if settings.forecasts(form):
        return lambda runs: fit_forecast(runs, form)
    return lambda runs: fit_form(runs, form, objective=settings.objective)


def _exponents(runs: Runs, settings: Settings) -> tuple[float, float] | None:
    """Alpha and beta of the additive fit, by which the minima of parabolas are corrected; absent where it has none."""
    if settings.method != "isoflop":
        return None
    try:
        fit = fitter(find_fit_form(DEFAULT_FORM), settings)(runs)
    except UsageError:
        return None
    values = fit.values()
    return (values["alpha"], values["beta"]) if fit.usable else None


def _approach(runs: Runs, method: Method, exponents: tuple[float, float] | None) -> Rule:
    return fit_isoflop(runs, exponents=exponents) if method == "isoflop" else fit_envelope(runs)


def _approaches(runs: Runs, fit: Fit) -> tuple[tuple[Approach, ...], tuple[Notice, ...]]:
    """Approaches 2 and 1 beside the fit, as far as the table allows them; of the others the reason."""
    found: list[Approach] = []
    notices: list[Notice] = []
    values = fit.values()
    exponents = (values["alpha"], values.get("beta", values["alpha"])) if "alpha" in values else None
    methods: tuple[Method, ...] = ("isoflop", "envelope")
    for method in methods:
        try:
            found.append(Approach(method, _approach(runs, method, exponents)))
        except UsageError as error:
            notices.append(Notice("approach_left_out", f"approach {method} is left out: {error.message}."))
        else:
            notices += found[-1].found.notices
    return tuple(found), tuple(notices)


def _drawn(fit: Fit, settings: Settings, progress: Progress | None) -> tuple[Bootstrap | None, tuple[Notice, ...]]:
    """The bootstrap that was asked for, or that the objective calls for; of the latter it may be done without."""
    if not settings.resamples:
        return None, ()
    from scaleplan.fitting.bootstrap import bootstrap

    try:
        drawn = bootstrap(
            fit,
            settings.resamples,
            seed=settings.seed,
            workers=settings.workers,
            scheduler=settings.scheduler,
            progress=progress,
        )
    except UsageError as error:
        if settings.bootstrap is not None or settings.scheduler is not None:
            raise
        return None, (Notice("bootstrap_left_out", f"{error.message}; the intervals are those of the delta method."),)
    if drawn.converged >= _SETTLED:
        return drawn, ()
    text = (
        f"{fit.runs.source}: {1 - drawn.converged:.1%} of the resamples found no minimum: E or an exponent has nothing "
        "to hold it there; read its interval with care."
    )
    return drawn, (Notice("bootstrap_unsettled", text),)


def _require_usable(fit: Fit, settings: Settings) -> None:
    if fit.usable:
        return
    shown = ", ".join(f"{name} = {value:.4g}" for name, value in fit.values().items())
    hint = ""
    if replace(settings, prior=True, objective=Objective.HUBER).forecasts(fit.form):
        hint = "" if settings.prior else "leave --no-prior out, "
        hint += "" if settings.objective is Objective.HUBER else "leave --objective out, "
    raise ConvergenceError(
        f"{fit.runs.source}: the form {fit.form.name} fits best where loss does not fall with size or data ({shown}), "
        f"which plans nothing; {hint}add runs of other sizes and tokens, or try another --form"
    )
