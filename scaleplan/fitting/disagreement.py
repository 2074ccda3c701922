"""Approaches that disagree on the best size make it less sure.

Where approaches 2 and 1 give other N*(C) at the dearest runs than the parametric fit, the standard deviation d of
their ln N* there joins the fit's covariance S, along the one direction that moves ln N* and nothing else that S knows:

    S' = S + (d / kappa)^2 (S g)(S g)' / (g' S g)^2,   g = d ln N* / d theta,

so that g' S' g = g' S g + (d / kappa)^2; kappa, by which bands multiply standard errors, is not counted twice. On real
held-out budgets neither approach is always the better one; the spread between them tells how far either may be off.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from scaleplan.errors import Notice
from scaleplan.fitting.covariance import widened_along
from scaleplan.laws.additive import Additive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from scaleplan.fitting.solution import Fit
    from scaleplan.laws.power_rule import PowerRule

    Floats = NDArray[np.float64]

_SAID = 0.1
"""Our choice: a tenth in N costs a fifth of a per cent of compute, which nobody decides by."""


def widened(
    fit: Fit, covariance: Floats, kappa: float, rules: Sequence[PowerRule]
) -> tuple[Floats, tuple[Notice, ...]]:
    """The covariance with the disagreement in it, and a notice where it is large; of a law of compute alone its own."""
    surface: Any = fit.law_form
    if fit.form.needs_unique_tokens:  # what plans is its part at a single epoch
        surface = Additive(surface.E, surface.A, surface.B, surface.alpha, surface.beta)
    surface = surface.at() if hasattr(surface, "at") else surface
    if fit.form.compute_only or not hasattr(surface, "log_params_sensitivity"):
        return covariance, ()
    dearest = float(fit.runs.train_flop.max())
    best = surface.optimum(dearest)
    sizes = np.array([float(best.params), *(float(rule.params(dearest)) for rule in rules)])
    spread = float(np.std(np.log(sizes), ddof=1))
    full = np.array(surface.log_params_sensitivity(best.params, best.tokens), dtype=float)
    g = fit.form.surface_jacobian().T @ full
    out = widened_along(covariance, g, spread / kappa)
    if spread < _SAID:
        return out, ()
    low, high = float(sizes.min()), float(sizes.max())
    text = (
        f"{fit.runs.source}: the approaches put N* at {dearest:.3g} FLOP between {low:.3g} and {high:.3g} "
        f"({100 * math.expm1(math.log(high / low)):.0f} % apart); the bands of N* and D* are widened by it."
    )
    return out, (Notice("approaches_disagree", text),)
