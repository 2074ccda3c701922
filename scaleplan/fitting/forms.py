"""The forms that can be fitted, by the names that ``--form`` takes.

A fitted form knows its natural parameters (logarithms of what is positive), how to bind itself to runs, the form of
``laws/`` that its parameters make, and how that form's covariance follows from its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from scaleplan.errors import UsageError, nearest
from scaleplan.fitting.break_fit import BREAK_NAMES, BreakFit, break_steadying
from scaleplan.fitting.exponential_sum import ExponentialSum, Power
from scaleplan.fitting.kaplan_fit import KAPLAN_NAMES, KaplanFit, kaplan_steadying
from scaleplan.fitting.repetition_fit import REPETITION_NAMES, RepetitionFit, repetition_steadying
from scaleplan.laws.additive import Additive
from scaleplan.laws.broken_power import BrokenPower
from scaleplan.laws.compute_trend import ComputeTrend
from scaleplan.laws.data_constrained import DataConstrained
from scaleplan.laws.kaplan_joint_nd import KaplanJointNd
from scaleplan.laws.overtraining import Overtraining
from scaleplan.ops import exp as exp_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scaleplan.fitting.general import Steady
    from scaleplan.fitting.model import Model
    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

exp: Callable[[Any], Any] = exp_of
"""Of numbers, arrays and complex numbers alike."""
ADDITIVE_NAMES = ("ln_A", "ln_B", "ln_E", "alpha", "beta")


def _unsteadied(runs: Runs) -> tuple[Steady, ...]:
    del runs
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FitForm:
    """A form that can be fitted to runs."""

    name: str
    parameters: tuple[str, ...]
    """What is fitted: ``ln_X`` is the logarithm of the constant X."""
    bind: Callable[[Runs], Model]
    law_form: Callable[[Sequence[Any]], Any]
    """The form of ``laws/`` that natural parameters make."""
    law_form_name: str
    exponents: tuple[str, ...] = ()
    """The parameters that the prior on exponents speaks of."""
    needs_unique_tokens: bool = False
    compute_only: bool = False
    """Sees 6 N D alone: a trend along the way in which the runs spent their compute."""
    spread: tuple[tuple[str, ...], ...] = ()
    """Of each parameter, what it is in the covariance of the law's form, where that is not itself."""
    steadying: Callable[[Runs], tuple[Steady, ...]] = _unsteadied
    """Priors on constants that runs often leave open: part of the form, always applied."""

    @property
    def covariance_names(self) -> tuple[str, ...]:
        """What the law file's covariance is of: the rows of ``surface_jacobian``."""
        if not self.spread:
            return self.parameters
        return tuple(name for name in ADDITIVE_NAMES if any(name in group for group in self.spread))

    def surface_jacobian(self) -> Floats:
        """(m, k): the parameters that the law file's covariance is of, by the fitted ones; both linear."""
        if not self.spread:
            return np.eye(len(self.parameters))
        order = self.covariance_names
        out = np.zeros((len(order), len(self.parameters)))
        for column, group in enumerate(self.spread):
            for name in group:
                out[order.index(name), column] = 1.0
        return out


def find_fit_form(name: str) -> FitForm:
    """The form called ``name``.

    Raises:
        UsageError: there is none.
    """
    for form in FIT_FORMS:
        if form.name == name:
            return form
    known = [form.name for form in FIT_FORMS]
    raise UsageError(f"unknown form {name!r}.{nearest(name, known)} Forms to fit: {', '.join(known)}")


def _two_powers(parameters: tuple[str, ...], powers: tuple[Power, Power]) -> Callable[[Runs], Model]:
    def bind(runs: Runs) -> Model:
        return ExponentialSum(parameters, powers, 2, (np.log(runs.params), np.log(runs.tokens)), runs.loss)

    return bind


def _bind_compute(runs: Runs) -> Model:
    return ExponentialSum(_COMPUTE_NAMES, (Power(0, 2, 0),), 1, (np.log(runs.train_flop),), runs.loss)


def _additive(theta: Sequence[Any]) -> Additive:
    ln_a, ln_b, ln_e, alpha, beta = theta
    return Additive(exp(ln_e), exp(ln_a), exp(ln_b), alpha, beta)


def _tied(theta: Sequence[Any]) -> Additive:
    ln_a, ln_b, ln_e, alpha = theta
    return Additive(exp(ln_e), exp(ln_a), exp(ln_b), alpha, alpha)


def _overtraining(theta: Sequence[Any]) -> Overtraining:
    ln_a, ln_b, ln_e, alpha = theta
    eta = alpha / 2
    return Overtraining(exp(ln_e), exp(ln_a + eta * math.log(6)), exp(ln_b + eta * math.log(6)), eta)


def _kaplan(theta: Sequence[Any]) -> KaplanJointNd:
    ln_n, ln_d, alpha_n, alpha_d = theta
    return KaplanJointNd(exp(ln_n), exp(ln_d), alpha_n, alpha_d)


def _compute_trend(theta: Sequence[Any]) -> ComputeTrend:
    ln_k, ln_floor, alpha = theta
    return ComputeTrend(exp(ln_floor), exp(ln_k / alpha), alpha)


def _data_constrained(theta: Sequence[Any]) -> DataConstrained:
    ln_a, ln_b, ln_e, alpha, beta, ln_rd, ln_rn = theta
    return DataConstrained(exp(ln_e), exp(ln_a), exp(ln_b), alpha, beta, exp(ln_rd), exp(ln_rn))


def _broken(theta: Sequence[Any]) -> BrokenPower:
    ln_a, ln_b, c_0, c_1, ln_d, ln_f = theta
    return BrokenPower(exp(ln_a), exp(ln_b), c_0, c_1, exp(ln_d), exp(ln_f))


_TIED_NAMES = ("ln_A", "ln_B", "ln_E", "alpha")
_COMPUTE_NAMES = ("ln_K", "ln_L_inf", "alpha")

_ADDITIVE = FitForm(
    name="additive",
    parameters=ADDITIVE_NAMES,
    bind=_two_powers(ADDITIVE_NAMES, (Power(0, 3, 0), Power(1, 4, 1))),
    law_form=_additive,
    law_form_name="additive",
    exponents=("alpha", "beta"),
)
_TIED_SPREAD = (("ln_A",), ("ln_B",), ("ln_E",), ("alpha", "beta"))
_TIED = FitForm(
    name="tied",
    parameters=_TIED_NAMES,
    bind=_two_powers(_TIED_NAMES, (Power(0, 3, 0), Power(1, 3, 1))),
    law_form=_tied,
    law_form_name="additive",
    exponents=("alpha",),
    spread=_TIED_SPREAD,
)
_COMPUTE_ONLY = FitForm(
    name="compute-only",
    parameters=_COMPUTE_NAMES,
    bind=_bind_compute,
    law_form=_compute_trend,
    law_form_name="compute-trend",
    compute_only=True,
)
FIT_FORMS = (
    _ADDITIVE,
    _TIED,
    FitForm(
        name="kaplan-joint",
        parameters=KAPLAN_NAMES,
        bind=KaplanFit,
        law_form=_kaplan,
        law_form_name="kaplan-joint-nd",
        steadying=kaplan_steadying,
    ),
    _COMPUTE_ONLY,
    FitForm(
        name="repetition",
        parameters=REPETITION_NAMES,
        bind=RepetitionFit,
        law_form=_data_constrained,
        law_form_name="data-constrained",
        exponents=("alpha", "beta"),
        needs_unique_tokens=True,
        spread=(*((name,) for name in ADDITIVE_NAMES), (), ()),
        steadying=repetition_steadying,
    ),
    replace(_TIED, name="over-training", law_form=_overtraining, law_form_name="overtraining"),
    FitForm(
        name="one-break",
        parameters=BREAK_NAMES,
        bind=BreakFit,
        law_form=_broken,
        law_form_name="broken-power",
        compute_only=True,
        steadying=break_steadying,
    ),
)
"""Every form that can be fitted; the first is the default."""

DEFAULT_FORM = FIT_FORMS[0].name
