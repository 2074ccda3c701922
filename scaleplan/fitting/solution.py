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


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """Exponents are taken as normal around ``mean`` with standard deviation ``sd``, as if measured once."""

    mean: float
    sd: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fit:
    """A form fitted to runs.

    ``theta`` (k,) are the form's natural parameters, ``covariance`` (k, k) theirs, ``residuals`` (n,) ln Lhat - ln L.
    ``value`` is the objective over the runs alone, ``sd`` the robust standard deviation of the residuals with n - k
    degrees of freedom. ``status`` is ``converged``, ``not_converged``, or ``at_bound`` where E or an exponent has
    nothing to hold it. ``agree`` of the ``starts`` searches ended at the same minimum.
    """

    form: FitForm
    runs: Runs
    objective: Objective
    delta: float
    prior: Prior | None
    theta: Floats
    covariance: Floats
    value: float
    sd: float
    dof: int
    residuals: Floats
    status: str
    starts: int
    agree: int
    steps: int
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
    def usable(self) -> bool:
        """Whether the law predicts at all: loss falls with size and with data, and all its numbers are finite."""
        slopes = [value for name, value in self.values().items() if name in SLOPES]
        return bool(np.isfinite(self.theta).all() and np.isfinite(self.covariance).all()) and min(slopes, default=1) > 0

    def values(self) -> dict[str, float]:
        """The natural parameters by name."""
        return dict(zip(self.form.parameters, self.theta.tolist(), strict=True))

    def standard_errors(self) -> Floats:
        """(k,) by the delta method."""
        return np.sqrt(np.diag(self.covariance))
