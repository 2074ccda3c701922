"""Several forms fitted to the same runs, ranked by how they predict the dear from the cheap.

First comes the mean |error| of the forward-chaining back-test, over the steps that every form could be fitted at, each
step weighed by the logarithm of how far it reaches; where the runs have too few budgets for one, Akaike's criterion
corrected for small samples (Hurvich & Tsai 1989),

    AICc = n ln(RSS / n) + 2 K + 2 K (K + 1) / (n - K - 1),

with K the form's parameters and the noise, and RSS twice Huber's loss of the plain fit's residuals at the threshold of
the first form, so that neither priors nor a few bad runs choose the form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaleplan.errors import UsageError
from scaleplan.fitting.backtest import BackTest, back_test
from scaleplan.fitting.fitted_law import fitter
from scaleplan.fitting.forms import DEFAULT_FORM, FIT_FORMS
from scaleplan.fitting.objective import huber
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.solution import CONVERGED

if TYPE_CHECKING:
    from scaleplan.fitting.forms import FitForm
    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.settings import Settings
    from scaleplan.fitting.solution import Fit

_WORTH = 0.9
"""Our choice: a form takes the default's place only if its back-test error is a tenth less, about what chance moves."""
_SAME_AICC = 10.0
"""Burnham & Anderson 2002, sec. 2.6: with a difference beyond ten the worse model has essentially no support."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ComparedForm:
    """One form's fit, its ``aicc``, and its back-test ``error`` and ``bias`` of ln L over the ``steps`` in common."""

    fit: Fit
    aicc: float | None
    error: float | None
    bias: float | None
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FormComparison:
    """Forms by rank, the best first; ``left_out`` maps the others to the reason."""

    forms: tuple[ComparedForm, ...]
    left_out: dict[str, str]

    @property
    def best(self) -> str:
        """The surface to plan with: the default form unless another is clearly better."""
        surfaces = [each for each in self.forms if not each.fit.form.compute_only]
        default = next((each for each in surfaces if each.fit.form.name == DEFAULT_FORM), None)
        if not surfaces:
            return self.forms[0].fit.form.name
        first = surfaces[0]
        if default is None or first is default:
            return first.fit.form.name
        if first.error is not None and default.error is not None:
            better = first.error < _WORTH * default.error
        elif first.aicc is not None and default.aicc is not None:
            better = first.aicc < default.aicc - _SAME_AICC
        else:
            better = False
        return first.fit.form.name if better else DEFAULT_FORM


def compare_forms(runs: Runs, settings: Settings) -> FormComparison:
    """Every form that the runs allow, ranked.

    Raises:
        UsageError: the runs allow no form.
    """
    fits: list[Fit] = []
    left_out: dict[str, str] = {}
    for form in FIT_FORMS:
        reason = _unfit(form, runs)
        if reason is None:
            try:
                fit = fitter(form, settings)(runs)
            except UsageError as error:
                reason = error.message
            else:
                reason = None if fit.usable and fit.status == CONVERGED else f"its fit ended {fit.status}"
                if reason is None:
                    fits.append(fit)
        if reason is not None:
            left_out[form.name] = reason
    if not fits:
        raise UsageError(f"{runs.source}: no form can be fitted: {'; '.join(left_out.values())}")
    tests = [back_test(runs, fitter(fit.form, settings)) for fit in fits]
    criteria = [_criterion(fits[0], fit) for fit in fits]
    compared = [_compared(*each, tests) for each in zip(fits, tests, criteria, strict=True)]
    compared.sort(key=_order)
    return FormComparison(forms=tuple(compared), left_out=left_out)


def _unfit(form: FitForm, runs: Runs) -> str | None:
    """Why a form is not tried."""
    if form.name == "over-training":
        return "the same surface as tied, in other constants"
    if form.needs_unique_tokens and (runs.unique_tokens is None or bool((runs.unique_tokens >= runs.tokens).all())):
        return "no run repeats its data, or there is no column unique_tokens"
    return None


def _order(each: ComparedForm) -> tuple[bool, float]:
    if each.error is not None:
        return False, each.error
    return True, math.inf if each.aicc is None else each.aicc


def _criterion(first: Fit, fit: Fit) -> float | None:
    """AICc of the plain fit of a form, at the threshold of the first form's."""
    try:
        return _aicc(fit_form(fit.runs, fit.form), fit_form(first.runs, first.form).delta)
    except UsageError:
        return None


def _compared(fit: Fit, own: BackTest | None, aicc: float | None, tests: list[BackTest | None]) -> ComparedForm:
    error = bias = None
    steps = 0
    if own is not None and all(each is not None for each in tests):
        common = set[int].intersection(
            *({split.budgets for split in each.splits} for each in tests if each is not None)
        )
        shared = [split for split in own.splits if split.budgets in common]
        steps = len(shared)
        if shared:
            weights = [math.log(split.reach) for split in shared]
            error = sum(w * split.error for w, split in zip(weights, shared, strict=True)) / sum(weights)
            bias = sum(w * split.bias for w, split in zip(weights, shared, strict=True)) / sum(weights)
    return ComparedForm(fit=fit, aicc=aicc, error=error, bias=bias, steps=steps)


def _aicc(plain: Fit, delta: float) -> float | None:
    """Of a plain fit; ``None`` with too few runs for the correction."""
    n, parameters = plain.runs.count, len(plain.form.parameters) + 1
    if n <= parameters + 1:
        return None
    weight = plain.runs.weight
    mean = 2 * float(weight @ huber(plain.residuals, delta)) / float(weight.sum())
    correction = 2 * parameters * (parameters + 1) / (n - parameters - 1)
    return n * math.log(max(mean, 1e-300)) + 2 * parameters + correction
