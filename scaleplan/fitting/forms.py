"""The forms that can be fitted, by the names that ``--form`` takes.

A fitted form knows its natural parameters (logarithms of what is positive), how to bind itself to runs, the form of
``laws/`` that its parameters make, and how that form's covariance follows from its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from scaleplan.errors import UsageError, nearest
from scaleplan.fitting.exponential_sum import ExponentialSum, Power
from scaleplan.fitting.general import General
from scaleplan.laws.additive import Additive
from scaleplan.laws.broken_power import BrokenPower
from scaleplan.laws.compute_trend import ComputeTrend
from scaleplan.laws.data_constrained import DataConstrained
from scaleplan.laws.kaplan_joint_nd import KaplanJointNd
from scaleplan.laws.overtraining import Overtraining
from scaleplan.ops import exp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from scaleplan.fitting.model import Model
    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

ADDITIVE_NAMES = ("ln_A", "ln_B", "ln_E", "alpha", "beta")


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

    def surface_jacobian(self) -> Floats:
        """(m, k): the parameters that the law file's covariance is of, by the fitted ones; both linear."""
        if not self.spread:
            return np.eye(len(self.parameters))
        names = [name for group in self.spread for name in group]
        order = [name for name in ADDITIVE_NAMES if name in names]
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


def _bind_kaplan(runs: Runs) -> Model:
    """Starts: at each pair of slopes, L^(1/alpha_D) = A N^-(alpha_N/alpha_D) + D_c / D is linear in its levels."""

    def starts(weight: Floats) -> Floats:
        found: list[tuple[float, list[float]]] = []
        for alpha_d in np.geomspace(0.05, 1.0, 8).tolist():
            for alpha_n in np.geomspace(0.03, 1.0, 8).tolist():
                s, target = alpha_n / alpha_d, runs.loss ** (1 / alpha_d)
                columns = np.stack([runs.params**-s, 1 / runs.tokens], axis=1) / target[:, None]
                scale = np.abs(columns).max(axis=0)
                root = np.sqrt(weight)
                levels = np.linalg.lstsq(columns / scale * root[:, None], root, rcond=None)[0] / scale
                levels = np.maximum(levels, 1e-3 / columns.max(axis=0))
                point = [math.log(levels[0]) / s, math.log(levels[1]), alpha_n, alpha_d]
                error = np.log(_kaplan(point).loss(runs.params, runs.tokens) / runs.loss)
                found.append((float(weight @ (error * error)), point))
        found.sort(key=lambda each: each[0])
        return np.array([point for _, point in found[:: len(found) // 4][:4]])

    return General(_KAPLAN_NAMES, lambda t: _kaplan(t).loss(runs.params, runs.tokens), runs.loss, starts)


def _bind_repetition(runs: Runs) -> Model:
    """Starts: the additive fit's own grid, with repeats that fade soon, as published, and late."""
    unique = runs.unique_tokens
    if unique is None:
        raise UsageError(
            f"{runs.source}: the form repetition needs a column unique_tokens: how many of the tokens are different"
        )

    def starts(weight: Floats) -> Floats:
        base = _ADDITIVE.bind(runs)
        points = base.starts(weight) @ base.to_natural.T
        fading = [(math.log(d), math.log(n)) for d in (4.0, 15.4, 60.0) for n in (5.3, 50.0)]
        return np.array([[*point, *pair] for point in points[:2] for pair in fading])

    return General(
        _REPETITION_NAMES,
        lambda t: _data_constrained(t).loss(runs.params, runs.tokens, unique),
        runs.loss,
        starts,
    )


def _bind_broken(runs: Runs) -> Model:
    """Starts: the unbroken trend, broken gently upwards or downwards at the quarters of the compute."""
    flop = runs.train_flop

    def starts(weight: Floats) -> Floats:
        base = _COMPUTE_ONLY.bind(runs)
        ln_k, ln_floor, alpha = (base.starts(weight) @ base.to_natural.T)[0].tolist()
        breaks = np.quantile(np.log(flop), [0.25, 0.5, 0.75]).tolist()
        return np.array([[ln_floor, ln_k, alpha, turn, at, 0.0] for at in breaks for turn in (0.05, -0.05)])

    return General(_BROKEN_NAMES, lambda t: _broken(t).value(flop), runs.loss, starts)


_TIED_NAMES = ("ln_A", "ln_B", "ln_E", "alpha")
_KAPLAN_NAMES = ("ln_N_c", "ln_D_c", "alpha_N", "alpha_D")
_COMPUTE_NAMES = ("ln_K", "ln_L_inf", "alpha")
_REPETITION_NAMES = (*ADDITIVE_NAMES, "ln_R_D_star", "ln_R_N_star")
_BROKEN_NAMES = ("ln_a", "ln_b", "c_0", "c_1", "ln_d_1", "ln_f_1")

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
        parameters=_KAPLAN_NAMES,
        bind=_bind_kaplan,
        law_form=_kaplan,
        law_form_name="kaplan-joint-nd",
    ),
    _COMPUTE_ONLY,
    FitForm(
        name="repetition",
        parameters=_REPETITION_NAMES,
        bind=_bind_repetition,
        law_form=_data_constrained,
        law_form_name="data-constrained",
        exponents=("alpha", "beta"),
        needs_unique_tokens=True,
    ),
    FitForm(
        name="over-training",
        parameters=_TIED_NAMES,
        bind=_two_powers(_TIED_NAMES, (Power(0, 3, 0), Power(1, 3, 1))),
        law_form=_overtraining,
        law_form_name="overtraining",
        exponents=("alpha",),
        spread=_TIED_SPREAD,
    ),
    FitForm(
        name="one-break",
        parameters=_BROKEN_NAMES,
        bind=_bind_broken,
        law_form=_broken,
        law_form_name="broken-power",
        compute_only=True,
    ),
)
"""Every form that can be fitted; the first is the default."""
