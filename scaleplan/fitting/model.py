"""What the search asks of a form bound to runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.objective import Penalty

    Floats = NDArray[np.float64]


class Local(NamedTuple):
    """The objective around B points: ``value`` (B,), ``gradient`` (B, k), and a ``hessian`` (B, k, k) to step by."""

    value: Floats
    gradient: Floats
    hessian: Floats


def searched(model: Model, natural: Floats) -> Floats:
    """Natural parameters (k,) in the coordinates that a model is searched in."""
    theta: Any = np.linalg.solve(model.to_natural, natural)
    return theta


class Model(Protocol):
    """A form bound to n runs.

    The search works in coordinates of the model's own choice, ``theta`` (B, k), B points at once; ``natural`` turns
    them into the form's parameters, linearly, so that a covariance follows.
    """

    parameters: tuple[str, ...]
    """Names of the natural parameters: ``("ln_A", "ln_B", "ln_E", "alpha", "beta")``."""
    to_natural: Floats
    """(k, k): natural = to_natural @ theta."""

    def local(self, theta: Floats, weight: Floats, delta: float | Floats, penalty: Penalty | None) -> Local:
        """The objective and its derivatives; ``weight`` is (B, n) or (1, n), ``delta`` one threshold or (n,)."""
        ...

    def steadying(self, delta: float | Floats) -> Penalty | None:
        """The penalty that is part of the form itself, in ``local`` already; ``None`` where there is none."""
        ...

    def residuals(self, theta: Floats) -> Floats:
        """ln Lhat - ln L of every run, (B, n)."""
        ...

    def jacobian(self, theta: Floats) -> Floats:
        """d ln Lhat / d theta at one point (k,), as (n, k)."""
        ...

    def starts(self, weight: Floats) -> Floats:
        """Points (S, k) from which to search, the most promising first; ``weight`` is (n,)."""
        ...
