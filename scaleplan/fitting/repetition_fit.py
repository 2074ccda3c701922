"""The additive law with repeated data bound to runs, with its derivatives.

    Lhat = E + A N'^-alpha + B D'^-beta

with N' and D' as in ``laws/data_constrained.py`` (Muennighoff et al. 2023, arXiv 2305.16264). Both bend smoothly where
repeats or excess parameters begin: N' - N and D' - D begin with the square of the excess. With V(r, R) =
1 + R (1 - e^(-r/R)) what 1 + r uses are worth, ln D' = ln U_D + ln V(R_D, R_D*), ln N' = ln U_N + ln V(R_N, R_N*), and
ln U_N = ln N_opt(U_D) moves with A, B, alpha and beta where N is in excess. How repeats fade cannot be seen where
nothing is repeated, nor the fading of excess parameters where there are none: both are steadied.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from scaleplan.errors import UsageError
from scaleplan.fitting.exponential_sum import ExponentialSum, Power
from scaleplan.fitting.general import General, Steady, differenced_curvature, steady_floor
from scaleplan.fitting.newton import minimise

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.runs import Runs

    Floats = NDArray[np.float64]

_BASE_NAMES = ("ln_A", "ln_B", "ln_E", "alpha", "beta")
REPETITION_NAMES = (*_BASE_NAMES, "ln_R_D_star", "ln_R_N_star")
_STARTS = 3
_LEAST_SINGLE = 8
"""Our choice: with this many single-epoch runs the base law starts from them alone."""
_FADING_DATA, _FADING_PARAMS = (2.0, 6.0, 15.0, 60.0), (1.0, 5.0, 30.0)
_PUBLISHED = "as if measured once at {} (Muennighoff et al. 2023), within a factor of 4.5"


def repetition_steadying(runs: Runs) -> tuple[Steady, ...]:
    """What is taken of the floor and of fading; the standard deviations are our choice."""
    return (
        steady_floor("ln_E", runs),
        Steady("ln_R_D_star", math.log(15.39), 1.5, _PUBLISHED.format("15.39")),
        Steady("ln_R_N_star", math.log(5.31), 1.5, _PUBLISHED.format("5.31")),
    )


class RepetitionFit(General):
    """L(N, D, U) of ``DataConstrained``; parameters ``REPETITION_NAMES``."""

    def __init__(self, runs: Runs) -> None:
        if runs.unique_tokens is None:
            raise UsageError(
                f"{runs.source}: the form repetition needs a column unique_tokens: how many of the tokens are different"
            )
        used = np.minimum(runs.unique_tokens, runs.tokens)
        self._x, self._ln_used = np.log(runs.params), np.log(used)
        self._repeats = runs.tokens / used - 1
        super().__init__(REPETITION_NAMES, runs, repetition_steadying(runs))

    def ln_loss(self, natural: Floats) -> Floats:
        """ln of the sum of the three terms."""
        return np.log(self._parts([column[:, None] for column in natural.T])[0])

    def derivatives(self, natural: Floats) -> tuple[Floats, Floats]:
        """The shares of the terms times the derivatives of their logarithms."""
        columns = [column[:, None] for column in natural.T]
        total, gradient = self._parts(columns)
        return np.log(total), np.stack(gradient, axis=2)

    def curvature(self, natural: Floats, pull: Floats) -> Floats:
        """By differences of the derivatives: N' has too many second ones to write down."""

        def contracted(at: Floats, weight: Floats) -> Floats:
            gradient = self._parts([column[:, None] for column in at.T])[1]
            return np.stack([np.einsum("bn,bn->b", weight, each) for each in gradient], axis=1)

        return differenced_curvature(contracted, natural, pull)

    def _parts(self, columns: list[Floats]) -> tuple[Floats, list[Floats]]:
        """Lhat and d ln Lhat by each parameter, of columns (B, 1)."""
        ln_a, ln_b, ln_e, alpha, beta, ln_rd, ln_rn = columns
        worth, by_rd = _worth(self._repeats, np.exp(ln_rd))
        ln_d = self._ln_used + np.log(worth)
        total = alpha + beta
        ln_g = (np.log(alpha) + ln_a - np.log(beta) - ln_b) / total
        ratio, reach = beta / alpha, self._ln_used + ln_g
        ln_matched = ln_g + ratio * reach
        above = self._x > ln_matched
        excess = np.where(above, np.expm1(np.where(above, self._x - ln_matched, 0.0)), 0.0)
        decay = np.exp(ln_rn)
        worth_n, by_rn = _worth(excess, decay)
        ln_n = np.where(above, ln_matched + np.log(worth_n), self._x)
        # d ln N' / d ln U_N at fixed N: one more of U_N is worth itself, and takes from the excess.
        by_matched = np.where(above, 1 - (1 + excess) * np.exp(-excess / decay) / worth_n, 0.0)
        u, w, e = np.exp(ln_a - alpha * ln_n), np.exp(ln_b - beta * ln_d), np.exp(ln_e)
        loss = u + w + e
        p, q = u / loss, w / loss
        push = -p * alpha * by_matched
        lift = (1 + ratio) / total
        gradient = [
            p + push * lift,
            q - push * lift,
            e / loss,
            -p * ln_n + push * (lift * (1 / alpha - ln_g) - ratio / alpha * reach),
            -q * ln_d + push * (lift * (-1 / beta - ln_g) + reach / alpha),
            -q * beta * by_rd,
            np.where(above, -p * alpha * by_rn, 0.0),
        ]
        return loss, gradient

    def raw_starts(self, runs: Runs) -> Floats:
        """The additive law of the single-epoch runs, or of all where these are few; repeats fade soon to late."""
        single = self._repeats < 1e-3
        base = runs.subset(single) if single.sum() >= _LEAST_SINGLE else runs
        model = ExponentialSum(
            _BASE_NAMES, (Power(0, 3, 0), Power(1, 4, 1)), 2, (np.log(base.params), np.log(base.tokens)), base.loss
        )
        weight = base.weight[None, :]
        found = minimise(
            lambda at, _: model.local(at, weight, 0.03, None), model.starts(base.weight), tolerance=1e-3, most_steps=30
        )
        grid = model.starts(base.weight)
        points = np.concatenate([found.theta[np.argsort(found.value)[:1]], grid[:2]]) @ model.to_natural.T
        sound = (points[:, 3:] > 0.05) & (points[:, 3:] < 1.2)
        points = points[sound.all(axis=1)] if sound.all(axis=1).any() else points[-1:]
        fading = [(math.log(d), math.log(n)) for d in _FADING_DATA for n in _FADING_PARAMS]
        natural = np.array([[*point, *pair] for point in points for pair in fading])
        with np.errstate(all="ignore"):
            error = np.clip(self.ln_loss(natural) - np.log(runs.loss), -1.0, 1.0)
        squares = np.where(np.isfinite(error).all(axis=1), (error * error) @ runs.weight, np.inf)
        return natural[np.argsort(squares)[:_STARTS]]

    def scaling(self, natural: Floats) -> Floats:
        """Levels at the centre of the runs, which takes most of their correlation with the exponents away."""
        del natural
        scale = np.eye(len(REPETITION_NAMES))
        scale[0, 3], scale[1, 4] = float(self._x.mean()), float(self._ln_used.mean())
        return scale


def _worth(times: Floats, decay: Floats) -> tuple[Floats, Floats]:
    """What 1 + ``times`` uses are worth, and d ln of it by ln ``decay``."""
    fading = np.exp(-times / decay)
    gained = decay * (1 - fading)
    return 1 + gained, (gained - times * fading) / (1 + gained)
