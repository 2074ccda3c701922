"""Forms that are no sum of powers, bound to runs: derivatives by the complex step, steps by reweighted Gauss-Newton.

The derivative of an analytic f is Im f(x + ih) / h with h so small that nothing cancels (Squire & Trapp 1998): exact to
rounding, from the form's own formula in ``laws/``. For the second derivatives stands J' W J with Huber's weights
W = c psi(r) / r, which bounds the objective from above, so that damped steps go down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from scaleplan.fitting.model import Local
from scaleplan.fitting.objective import huber, influence

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from scaleplan.fitting.objective import Penalty

    Floats = NDArray[np.float64]

_STEP = 1e-30


class General:
    """Any form bound to n runs, searched in its natural parameters.

    ``predict`` takes the parameters as a list of arrays (B, 1), real or complex, and returns the loss (B, n);
    ``starts`` the points to search from, given the runs' weights.
    """

    def __init__(
        self,
        parameters: tuple[str, ...],
        predict: Callable[[list[Any]], Any],
        loss: Floats,
        starts: Callable[[Floats], Floats],
    ) -> None:
        self.parameters = parameters
        self.to_natural = np.eye(len(parameters))
        self._predict = predict
        self._ln_loss = np.log(loss)
        self._starts = starts

    def residuals(self, theta: Floats) -> Floats:
        """ln Lhat - ln L, (B, n)."""
        with np.errstate(all="ignore"):
            return np.log(self._predict([column[:, None] for column in theta.T])) - self._ln_loss

    def _derivatives(self, theta: Floats) -> Floats:
        """d ln Lhat / d theta, (B, n, k)."""
        out = np.empty((len(theta), len(self._ln_loss), theta.shape[1]))
        columns: list[Any] = [column[:, None].astype(complex) for column in theta.T]
        with np.errstate(all="ignore"):
            for place in range(theta.shape[1]):
                moved = [column + (1j * _STEP if i == place else 0) for i, column in enumerate(columns)]
                out[:, :, place] = np.imag(np.log(self._predict(moved))) / _STEP
        return out

    def local(self, theta: Floats, weight: Floats, delta: float, penalty: Penalty | None) -> Local:
        """Value, gradient and the bounding matrix in place of the Hessian."""
        with np.errstate(all="ignore"):
            residuals = self.residuals(theta)
            value = np.sum(weight * huber(residuals, delta), axis=1)
            pull = weight * influence(residuals, delta)
            jacobian = self._derivatives(theta)
            gradient = np.einsum("bn,bnk->bk", pull, jacobian)
            reweighted = weight * np.minimum(1.0, delta / np.maximum(np.abs(residuals), 1e-300))
            hessian = np.swapaxes(jacobian * reweighted[:, :, None], 1, 2) @ jacobian
        if penalty is not None:
            value = value + penalty.value(theta)
            gradient += penalty.gradient(theta)
            hessian += penalty.precision
        sound = np.isfinite(value) & np.isfinite(gradient).all(axis=1) & np.isfinite(hessian).all(axis=(1, 2))
        return Local(np.where(sound, value, np.inf), gradient, hessian)

    def jacobian(self, theta: Floats) -> Floats:
        """d ln Lhat / d theta at one point, (n, k)."""
        return self._derivatives(theta[None, :])[0]

    def starts(self, weight: Floats) -> Floats:
        """Points (S, k) from which to search."""
        return self._starts(weight)
