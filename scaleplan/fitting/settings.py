"""What can be asked of a fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from scaleplan.errors import UsageError
from scaleplan.fitting.forecast import has_prior
from scaleplan.fitting.forms import DEFAULT_FORM
from scaleplan.fitting.objective import Objective

if TYPE_CHECKING:
    from scaleplan.fitting.forms import FitForm

Method = Literal["parametric", "isoflop", "envelope", "all"]
METHODS: tuple[Method, ...] = ("parametric", "isoflop", "envelope", "all")
BANDS = ("forecast", "sampling")
DEFAULT_BOOTSTRAP = 1000
"""Our choice, where the objective leaves no other interval: 95 % percentiles then move by a tenth of their width."""
_MOST_BOOTSTRAP = 10_000_000
"""Our choice: ten times the resamples that settle a percentile of one in a million."""
_LEAST_BOOTSTRAP = 40
"""Our choice: fewer resamples have no 2.5 % percentile that is not their extreme."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to fit.

    ``form`` of the surface, ``method`` Hoffmann's approach 3 (parametric), 2 (isoflop), 1 (envelope) or all;
    ``prior`` whether the fit is that for forecasting, with its priors and weights; ``bootstrap`` resamples of the runs
    behind the covariance, none for the delta method; ``level`` and ``band`` of the intervals reported; ``workers``
    processes, or a Dask ``scheduler``.
    """

    form: str = DEFAULT_FORM
    method: Method = "parametric"
    objective: Objective = Objective.HUBER
    prior: bool = True
    bootstrap: int | None = None
    seed: int = 0
    level: float = 0.95
    band: str = "forecast"
    workers: int = 1
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.method in ("isoflop", "envelope"):
            asked = {
                "form": self.form != DEFAULT_FORM,
                "objective": self.objective is not Objective.HUBER,
                "bootstrap": bool(self.bootstrap),
            }
            given = [name for name, is_given in asked.items() if is_given]
            if given:
                raise UsageError(
                    f"method {self.method} finds N*(C) and its loss by itself; {' and '.join(given)} belong to "
                    "the parametric fit: leave them out, or take method parametric or all"
                )
        if self.scheduler is not None and not self.resamples:
            raise UsageError("a Dask scheduler takes resamples, and there are none: add --bootstrap N")
        if self.resamples > _MOST_BOOTSTRAP:
            raise UsageError(f"bootstrap takes at most {_MOST_BOOTSTRAP:,} resamples (got {self.resamples:,})")
        if self.workers < 1:
            raise UsageError(f"workers must be at least 1 (got {self.workers})")
        if self.bootstrap is not None and self.bootstrap and self.bootstrap < _LEAST_BOOTSTRAP:
            raise UsageError(
                f"bootstrap must be 0 or at least {_LEAST_BOOTSTRAP} resamples (got {self.bootstrap}); "
                "fewer give no 95 % interval"
            )

    def forecasts(self, form: FitForm) -> bool:
        """Whether the fit is that for forecasting: the other objectives reproduce what was published without priors."""
        return self.prior and self.objective is Objective.HUBER and has_prior(form)

    @property
    def resamples(self) -> int:
        """How many resamples of the runs to refit."""
        if self.bootstrap is not None:
            return self.bootstrap
        # A threshold far below the noise makes the estimator one of signs, whose delta method covers too little.
        return DEFAULT_BOOTSTRAP if self.objective is Objective.HOFFMANN else 0
