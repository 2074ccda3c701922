"""A law from runs: the fit, how sure it is, how it did on runs it had not seen, and what is wrong with the table."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from scaleplan.errors import ConvergenceError, Notice, UsageError
from scaleplan.fitting.backtest import PLAIN, Allowances, BackTest, allowances_of, back_test
from scaleplan.fitting.disagreement import widened
from scaleplan.fitting.envelope import fit_envelope
from scaleplan.fitting.fit_diagnostics import PriorShift, fit_notices, prior_notices, prior_shift
from scaleplan.fitting.forecast import fit_forecast
from scaleplan.fitting.forms import FIT_FORMS, find_fit_form
from scaleplan.fitting.isoflop import fit_isoflop
from scaleplan.fitting.ladder import fit_ladder
from scaleplan.fitting.objective import Objective
from scaleplan.fitting.point import fit_form, has_distinct
from scaleplan.fitting.profile import profile_interval
from scaleplan.fitting.row_diagnostics import replicate_noise
from scaleplan.fitting.run_diagnostics import run_notices
from scaleplan.fitting.solution import AT_BOUND
from scaleplan.laws.student import two_sided_coverage, two_sided_quantile

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from scaleplan.fitting.forms import FitForm
    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.settings import Method, Settings
    from scaleplan.fitting.solution import Fit
    from scaleplan.laws.power_rule import PowerRule

    Floats = NDArray[np.float64]
    Progress = Callable[[int, int], None]


DEFAULT = FIT_FORMS[0].name


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


_LOOSE = 0.3
"""Our choice: where the logarithm of E is so unsure, the delta method's upper end of E lies above measured losses."""
_SURE = 1 - 1e-12
"""Our choice: the highest level of a profile; quantiles beyond it are lost to rounding."""


class FittedConstant(NamedTuple):
    """A constant of the law's form, with the ends of its interval; ``None`` where there is none."""

    symbol: str
    value: float
    low: float | None
    high: float | None


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
    covariance, by = _covariance(fit, settings, progress)
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
        constants=_constants(fit, covariance, settings, allowances.kappa),
        warnings=(
            *notices,
            *(() if plain is None else fit_notices(plain)),
            *prior_notices(fit),
            *(() if rule is None else rule.notices),
            *said,
        ),
        params_exponent=_params_exponent(fit, covariance, settings, allowances.kappa),
        shift=prior_shift(fit),
        replicates=replicate_noise(runs),
    )


def _by_rule(runs: Runs, settings: Settings) -> FittedLaw:
    """Hoffmann's approach 2 or 1 alone: an allocation, and the loss along it."""
    found = _approach(runs, settings.method, _exponents(runs, settings))
    allowances = PLAIN._replace(source="default allowances, approaches 1 and 2 are not back-tested")
    fit = found.trend
    constants: tuple[FittedConstant, ...] = ()
    if fit is not None:
        constants = _constants(fit, fit.covariance, settings, allowances.kappa)
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
        fit = fitter(find_fit_form(DEFAULT), settings)(runs)
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


def _covariance(fit: Fit, settings: Settings, progress: Progress | None) -> tuple[Floats, str]:
    if not settings.resamples:
        return fit.covariance, "delta"
    from scaleplan.fitting.bootstrap import bootstrap

    drawn = bootstrap(
        fit,
        settings.resamples,
        seed=settings.seed,
        workers=settings.workers,
        scheduler=settings.scheduler,
        progress=progress,
    )
    return drawn.covariance(), "bootstrap"


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


def _constants(fit: Fit, covariance: Floats, settings: Settings, kappa: float) -> tuple[FittedConstant, ...]:
    """The constants of the fit; a parameter ``ln_X`` gives X, with ends that X cannot fall below zero by."""
    wide = two_sided_quantile(settings.level, fit.dof) * _times(settings, kappa)
    out: list[FittedConstant] = []
    errors = covariance.diagonal() ** 0.5
    profiled = needs_profile(fit, settings)
    # The profile is followed further, not stretched: from an E that fell to nothing it would go beyond any loss.
    level = min(two_sided_coverage(wide, fit.dof), _SURE)
    for place, (name, value, error) in enumerate(
        zip(fit.form.parameters, fit.theta.tolist(), errors.tolist(), strict=True)
    ):
        ends: tuple[float | None, float | None] = (value - wide * error, value + wide * error)
        if profiled:
            ends = _profiled(fit, place, level)
        if name.startswith("ln_"):
            out.append(FittedConstant(name[3:], math.exp(value), *(None if x is None else _exp(x) for x in ends)))
        else:
            out.append(FittedConstant(name, value, *ends))
    return tuple(out)


def _profiled(fit: Fit, place: int, level: float) -> tuple[float | None, float | None]:
    """The profile's ends of one parameter; none where the profile cannot be followed."""
    try:
        return profile_interval(fit, lambda theta: theta[place], level)
    except ConvergenceError:
        return None, None


def _params_exponent(fit: Fit, covariance: Floats, settings: Settings, kappa: float) -> FittedConstant | None:
    """beta / (alpha + beta), where the form has both; of tied exponents it is a half, whatever the runs say."""
    values = fit.values()
    if "alpha" not in values or "beta" not in values:
        return None
    total = values["alpha"] + values["beta"]
    slope = [{"alpha": -values["beta"], "beta": values["alpha"]}.get(name, 0.0) / total**2 for name in values]
    variance = sum(x * y * float(covariance[i, j]) for i, x in enumerate(slope) for j, y in enumerate(slope))
    error = math.sqrt(max(variance, 0.0))
    half = two_sided_quantile(settings.level, fit.dof) * _times(settings, kappa) * error
    a = values["beta"] / total
    return FittedConstant("a", a, a - half, a + half)


def _times(settings: Settings, kappa: float) -> float:
    """What standard errors are multiplied by: kappa, of which the sampling band takes no more than one."""
    return kappa if settings.band == "forecast" else min(1.0, kappa)


def needs_profile(fit: Fit, settings: Settings) -> bool:
    """Whether the delta method's ends of the constants do not hold: a bound is near, and nothing else steadies them."""
    if settings.resamples or fit.prior or fit.form.steadying(fit.runs):
        return False
    errors = dict(zip(fit.form.parameters, fit.standard_errors().tolist(), strict=True))
    return fit.status == AT_BOUND or max(errors.get("ln_E", 0.0), errors.get("ln_L_inf", 0.0)) > _LOOSE


def _exp(x: float) -> float | None:
    """The end of X by that of ln X; none where it is beyond any number."""
    return math.exp(x) if x < 700 else None
