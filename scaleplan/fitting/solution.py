"""What a fit found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.forms import FitForm
    from scaleplan.fitting.objective import Objective
    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

CONVERGED = "converged"
NOT_CONVERGED = "not_converged"
AT_BOUND = "at_bound"
SLOPES = ("alpha", "beta", "alpha_N", "alpha_D")
"""Parameters below which, at zero, loss no longer falls."""


@dataclass(frozen=True, slots=True)
class Prior:
    """A quantity is taken as normal around ``mean`` with standard deviation ``sd``, as if measured once.

    The quantity is ``row`` times the natural parameters: one of them, or a function of them made linear at the fit.
    ``value`` is its mean in its own terms.
    """

    quantity: str
    row: tuple[float, ...]
    mean: float
    sd: float
    value: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fit:
    """A form fitted to runs.

    ``theta`` (k,) are the form's natural parameters, ``covariance`` (k, k) theirs, ``residuals`` (n,) ln Lhat - ln L.
    ``value`` is the objective over the runs alone, ``sd`` the standard deviation of ln L that a run has around the law,
    with ``dof`` degrees of freedom. ``delta`` is Huber's threshold of ``row_scale`` times the residual, ``scale`` the
    standard deviation of these, by which priors were weighed; ``prior`` is empty for the plain fit.
    ``status`` is ``converged``, ``not_converged``, or ``at_bound`` where E or an exponent has nothing to hold it.
    ``agree`` of the ``starts`` searches ended at the same minimum.
    """

    form: FitForm
    runs: Runs
    objective: Objective
    delta: float
    prior: tuple[Prior, ...]
    theta: Floats
    covariance: Floats
    value: float
    sd: float
    scale: float
    dof: int
    residuals: Floats
    status: str
    starts: int
    agree: int
    steps: int
    weight: Floats
    """(n,) What each row's loss of the residual is multiplied by."""
    row_scale: Floats | None = None
    """(n,), of a fit for forecasting: below 1 where a row says less than the best one; ``None`` for all alike."""
    plain: Floats | None = None
    """The natural parameters without the prior, where there is one."""

    def __repr__(self) -> str:
        numbers = ", ".join(f"{name}={value:.6g}" for name, value in zip(self.form.parameters, self.theta, strict=True))
        return f"Fit({self.form.name}: {numbers}; {self.status})"

    @property
    def law_form(self) -> Any:
        """The form of ``laws/`` with the fitted constants."""
        return self.form.law_form([float(x) for x in self.theta])

    @property
    def threshold(self) -> float | Floats:
        """Huber's threshold of the residual itself, one for all rows or (n,)."""
        return self.delta if self.row_scale is None else self.delta / self.row_scale

    @property
    def usable(self) -> bool:
        """Whether the law predicts at all: loss falls with size and with data, and all its numbers are finite."""
        if self.form.compute_only:
            predicted, flop = self.runs.loss * np.exp(self.residuals), self.runs.train_flop
            if not predicted[int(np.argmax(flop))] < predicted[int(np.argmin(flop))]:
                return False
        slopes = [value for name, value in self.values().items() if name in SLOPES]
        sound = np.isfinite(self.theta).all() and np.isfinite(self.covariance).all()
        return bool(sound and (np.diag(self.covariance) >= 0).all()) and min(slopes, default=1) > 0

    def values(self) -> dict[str, float]:
        """The natural parameters by name."""
        return dict(zip(self.form.parameters, self.theta.tolist(), strict=True))

    def standard_errors(self) -> Floats:
        """(k,) by the delta method."""
        return np.sqrt(np.diag(self.covariance))
