"""The annealing law: a power of what was trained, less what the fall of the learning rate brings.

    L(t) = L0 + A S(t)^-alpha - G D(t),   S(t) = integral of u to t,   u = lr / peak lr
    D(t) = sum_k (u_{k-1} - u_k) r(t - t_k),   r(n) = 1/2 (1 - exp(-n/n1)) + 1/2 (1 - exp(-n/n2))

Tissue et al. 2024, arXiv 2408.11029, eq. 1, where r has one memory, 1 / (1 - lambda) steps with lambda from 0.99 to
0.999. Two memories, n1 = 0.6 % and n2 = 10 % of the run, are our choice: a fall of the learning rate shows at once in
part and over thousands of steps in the rest, as in the multi-power law (Luo et al. 2025, arXiv 2503.12811, G). On the
finished healthy curves of two laboratories the residual is half of that with one memory, and the worth G of a whole
decay within 15 % of 0.14 nats. The rise of warm-up has no part in D: it would add a constant, which L0 holds.

G cannot be seen before the decay: a normal prior on it comes from finished runs (``donors``). With G's prior, and a
prior on alpha, the posterior over a grid of alpha is exact: given alpha the law is linear in L0, A, G.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from scaleplan.forecasting.schedules import Schedule
from scaleplan.forecasting.smoothing import Curve

Floats = NDArray[np.float64]
Steps = float | Floats | Sequence[float]

SHORT, LONG = 0.006, 0.1
"""Memories of the response, shares of the run (our choice, see above)."""
_KNOTS = 600
"""Grid of D, points over the run; twice as many move forecasts of measured runs by under 0.02 %."""
ALPHAS = np.geomspace(0.05, 1.2, 28)
"""Range of methods for learning curves; measured curves lie between 0.37 and 0.95."""
ALPHA_MIDDLE, ALPHA_SPREAD = 0.55, 0.35
"""Prior of ln alpha: middle and spread of 36 finished healthy runs of two laboratories."""
GAIN, GAIN_SPREAD = 0.138, 0.3
"""Prior of G [nats for a fall from the peak to 0]: median of the same runs, and twice their spread of 15 %."""
_INDEPENDENT = 12.0
"""A curve counts as at most so many independent points: residuals are correlated over about a twelfth of it (our
choice; with it the bands of back-tests cover)."""
_LEAST_NOISE = 0.0015
"""Relative misfit below which no fit is believed (our choice: the law's own misfit on smooth measured curves)."""
_L0_SHARE, _L0_SPREAD = 0.75, 0.5
"""Weak prior of L0, of the loss now: finished runs of 25M to 8.7B parameters have 0.6 to 0.95 of their loss."""
_BELIEVED = 4.0
"""Residuals beyond so many standard deviations count less (Huber), as a spike or a transient should ..."""
_ROUNDS = 2
"""... found anew so often (our choice)."""


class Track(NamedTuple):
    """A schedule as the law reads it: S [steps at the peak] and D on a grid of steps."""

    step: Floats
    S: Floats
    D: Floats
    warm_up: float

    def at(self, steps: Steps) -> tuple[Floats, Floats]:
        """S and D at steps within the run."""
        at = np.asarray(steps, dtype=np.float64)
        return np.asarray(np.interp(at, self.step, self.S)), np.asarray(np.interp(at, self.step, self.D))


def track(schedule: Schedule) -> Track:
    """S and D of a schedule on a grid over the whole run."""
    step = np.linspace(0.0, schedule.total_steps, _KNOTS + 1)
    u = schedule.lr_at(step) / schedule.peak
    fall = -np.diff(u)
    fall[step[1:] <= schedule.warm_up * (1 + 1e-9)] = 0.0
    after = (np.arange(_KNOTS) + 0.5) / _KNOTS
    response = 1 - (np.exp(-after / SHORT) + np.exp(-after / LONG)) / 2
    D = np.r_[0.0, np.convolve(fall, response)[:_KNOTS]]
    return Track(step, schedule.cumulative(step) / schedule.peak, D, schedule.warm_up)


class Gain(NamedTuple):
    """What is known of G [nats] before the run shows it: a normal distribution."""

    mean: float
    sd: float


USUAL_GAIN = Gain(GAIN, GAIN_SPREAD * GAIN)


class Annealing(NamedTuple):
    """The posterior of the law for one curve.

    By alpha its ``weight``, and of (L0, A, G) the ``mean`` and ``covariance``, A for S in units of ``scale``;
    ``noise``: the relative residual.
    """

    weight: Floats
    mean: Floats
    covariance: Floats
    scale: float
    noise: float

    def losses(self, track: Track, steps: Steps) -> Floats:
        """Expected losses at steps, [nats/token]."""
        return self.weight @ self._by_alpha(track, steps)[0]

    def spread(self, track: Track, step: float) -> float:
        """Standard deviation of ln L at a step."""
        means, features = self._by_alpha(track, [step])
        within = np.einsum("aif,afg,aig->ai", features, self.covariance, features)
        middle = self.weight @ means
        total = self.weight @ (within + (means - middle) ** 2)
        return float(np.sqrt(total[0]) / middle[0])

    @property
    def gain(self) -> Gain:
        """G with its standard deviation."""
        mean = float(self.weight @ self.mean[:, 2])
        variance = float(self.weight @ (self.covariance[:, 2, 2] + (self.mean[:, 2] - mean) ** 2))
        return Gain(mean, variance**0.5)

    def _by_alpha(self, track: Track, steps: Steps) -> tuple[Floats, Floats]:
        features = _features(*track.at(steps), self.scale)
        return np.maximum(np.einsum("aif,af->ai", features, self.mean), 1e-3), features


def fit_annealing(curve: Curve, track: Track, gain: Gain = USUAL_GAIN, skip: float = 0.1) -> Annealing:
    """The posterior of the law on a curve.

    Args:
        curve: what was seen of the run.
        track: of its schedule, over the whole run.
        gain: prior of G.
        skip: share of what was seen after warm-up that is left out at its start.
    """
    kept = body(curve, track.warm_up, skip)
    y, rows = curve.loss[kept], np.sqrt(curve.rows[kept] / curve.rows[kept].mean())
    S, D = track.at(curve.step[kept])
    scale = float(max(S[-1], 1e-12))
    X = _features(np.maximum(S, scale * 1e-6), D, scale) / y[:, None]
    sd, best = _noise(X, rows, gain)
    for _ in range(_ROUNDS):
        rows = rows * np.minimum(1.0, _BELIEVED / np.maximum(np.abs(best) / sd, 1e-9)) ** 0.5
        sd, best = _noise(X, rows, gain)
    count = len(y)
    weigh = rows * np.sqrt(min(count, _INDEPENDENT) / count) / sd
    level = float(y[-1])
    Z = np.einsum("aif,i->aif", X, weigh)
    precision = np.diag([1 / (_L0_SPREAD * level) ** 2, 0.0, 1 / gain.sd**2])
    known = np.array([_L0_SHARE / (_L0_SPREAD**2 * level), 0.0, gain.mean / gain.sd**2])
    H = np.einsum("aif,aig->afg", Z, Z) + precision + np.diag([0.0, 1e-9, 0.0])
    b = np.einsum("aif,i->af", Z, weigh) + known
    covariance = cast("Floats", np.linalg.inv(H))
    mean = np.einsum("afg,ag->af", covariance, b)
    misfit = ((np.einsum("aif,af->ai", Z, mean) - weigh) ** 2).sum(axis=1)
    off = ((mean[:, 0] / level - _L0_SHARE) / _L0_SPREAD) ** 2 + ((mean[:, 2] - gain.mean) / gain.sd) ** 2
    chi: Floats = misfit + off + (np.log(ALPHAS / ALPHA_MIDDLE) / ALPHA_SPREAD) ** 2
    chi = np.where(mean[:, 1] < 0, chi + 50.0, chi)
    weight = np.exp(-(chi - chi.min()) / 2)
    return Annealing(weight / weight.sum(), mean, covariance, scale, sd)


def body(curve: Curve, warm_up: float, skip: float) -> NDArray[np.bool_]:
    """Which points are after warm-up and after so much of what came then; all of them where four are not."""
    start = max(warm_up, float(curve.step[0]))
    kept = curve.step >= start + skip * (curve.step[-1] - start)
    return kept if int(kept.sum()) >= 4 else np.ones(len(curve.step), dtype=bool)


def _features(S: Floats, D: Floats, scale: float) -> Floats:
    """1, (S / scale)^-alpha and -D, shape (alphas, points, 3)."""
    power = np.exp(-ALPHAS[:, None] * np.log(np.maximum(S, scale * 1e-6) / scale)[None, :])
    return np.stack([np.ones_like(power), power, np.broadcast_to(-D, power.shape)], axis=2)


def _noise(X: Floats, rows: Floats, gain: Gain) -> tuple[float, Floats]:
    """The relative residual of the best fit, G held near its prior, and the residuals."""
    Z = np.einsum("aif,i->aif", X, rows)
    tie = (_LEAST_NOISE / gain.sd) ** 2
    H = np.einsum("aif,aig->afg", Z, Z) + np.diag([1e-12, 1e-12, tie])
    b = np.einsum("aif,i->af", Z, rows) + np.array([0.0, 0.0, tie * gain.mean])
    c = cast("Floats", np.linalg.solve(H, b[:, :, None]))[:, :, 0]
    off = np.einsum("aif,af->ai", X, c) - 1.0
    best = off[(off**2 * rows**2).sum(axis=1).argmin()]
    return float(np.sqrt((best**2 * rows**2).sum() / max((rows**2).sum(), 1e-12) + _LEAST_NOISE**2)), best
