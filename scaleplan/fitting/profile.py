"""Profile intervals: how far a quantity can be pushed before the fit shows it.

With F(c) the least objective over all parameters that give the quantity g the value c, the interval holds every c with

    2 (F(c) - F) <= t^2 s^2,    s^2 = var(g) / (g' B g),    B = (J' W J + P)^-1

t of Student's distribution, g' the gradient, var(g) by the delta method, W the weights of the runs within Huber's
threshold and P the prior's curvature, so that 1 / g' B g is the profile's own curvature at the fit. For least squares
and noise of one size s^2 is RSS / (n - k), and this is the F test of one constraint, n ln(RSS(c) / RSS) <=
n ln(1 + t^2 / (n - k)) (Bates & Watts 1988, sec. 6.1); otherwise s^2 carries what makes the variance differ. Where F is
quadratic the ends are those of the delta method. They differ where a bound is near: as E goes to zero, ln E goes to
minus infinity and the objective stays where it is, so that there is no lower end.

A value is imposed by a pseudo-measurement V/2 (g(theta) - c)^2. What is found minimises F among all theta with the
same g(theta), so that (g, F) lies on the profile whatever V is: V only has to make the problem convex.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scaleplan.errors import ConvergenceError
from scaleplan.fitting.covariance import HELD
from scaleplan.fitting.forecast import penalty_of
from scaleplan.fitting.model import Local
from scaleplan.fitting.newton import minimise
from scaleplan.laws.student import two_sided_quantile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from scaleplan.fitting.solution import Fit

    Floats = NDArray[np.float64]
    Quantity = Callable[[Sequence[Any]], Any]

_STEP = 1e-30
"""Of the complex step: nothing cancels, so that any small one is exact."""
_STIFF = 30.0
"""Our choice: the pseudo-measurement bends the objective so many times more than the profile itself at the fit."""
_DOUBLINGS, _ROOT_STEPS = 40, 60
"""Our choice: from a standard error 40 doublings go anywhere; 60 steps halve what is left below rounding."""
_FLAT, _FAR = 1e-3, 4.0
"""Our choice: a doubled distance that adds less than this share of the rise allowed adds nothing, once it is so many
times the quantity itself (or 1)."""
_CLOSE = 1e-5
"""Our choice: of the rise allowed; an end is then found to 1e-5 of its distance."""
_SAME = 1e-10
"""Our choice: of the quantity itself (or 1); values closer than this are one."""
_ROUNDS, _SETTLED = 5, 1e-3
"""Our choice: searches that go on where the last one ran out of steps, as they do while a term creeps to zero, and the
share of s^2 that one more may take off; an allowed rise is some 2 s^2, so that an end is within a thousandth."""


def profile_interval(fit: Fit, quantity: Quantity, level: float) -> tuple[float | None, float | None]:
    """The ends of the profile interval of a function of the natural parameters; ``None`` where there is no end.

    Args:
        fit: what was fitted, with its prior if it had one.
        quantity: takes the natural parameters in the order of ``fit.form.parameters``, real or complex numbers, by
            analytic functions (those of ``scaleplan.ops`` take both): ``lambda theta: theta[2]`` for ln E.
        level: the coverage, in (0, 1).

    Raises:
        ConvergenceError: the profile could not be followed from the fit to an end.
    """
    profile = _Profile(fit, quantity)
    allowed = two_sided_quantile(level, fit.dof) ** 2 * profile.scale / 2
    return _end(profile, allowed, -1), _end(profile, allowed, 1)


class _Point(NamedTuple):
    """Of a profile: the ``value`` imposed, the ``reached`` one, the objective's ``rise`` there, and the parameters."""

    value: float
    reached: float
    rise: float
    theta: Floats


class _Profile:
    """The least objective by the value of one quantity."""

    def __init__(self, fit: Fit, quantity: Quantity) -> None:
        self._model = fit.form.bind(fit.runs)
        self._quantity = quantity
        self._weight = fit.weight[None, :]
        self._threshold = fit.threshold
        self._penalty = penalty_of(self._model.to_natural, fit.prior, fit.scale**2) if fit.prior else None
        theta: Floats = np.linalg.solve(self._model.to_natural, fit.theta).astype(np.float64)
        self._least = float(self._objective(theta[None, :]).value[0])
        value, slope = self._derivative(theta)
        self.start = _Point(value, value, 0.0, theta)
        by_natural: Floats = np.linalg.solve(self._model.to_natural.T, slope).astype(np.float64)
        variance = float(by_natural @ fit.covariance @ by_natural)
        ratio = variance / self._inverse_information(fit, slope)
        self.scale = ratio if 0 < ratio < math.inf else fit.scale**2
        self.size = max(1.0, abs(value))
        self.first = math.sqrt(variance) if 0 < variance < self.size**2 else 1.0
        self._stiff = _STIFF * self.scale / self.first**2

    def at(self, value: float, near: _Point) -> _Point:
        """The point where ``value`` is imposed, searched from ``near``; its rise is infinite where none is found."""

        def local(theta: Floats, _: NDArray[np.int64]) -> Local:
            here = self._objective(theta)
            reached, slope = self._derivative(theta[0])
            miss = reached - value
            return Local(
                here.value + 0.5 * self._stiff * miss * miss,
                here.gradient + self._stiff * miss * slope,
                here.hessian + self._stiff * np.outer(slope, slope),
            )

        theta, value_before, sound = near.theta, math.inf, False
        with np.errstate(all="ignore"):
            for _ in range(_ROUNDS):
                found = minimise(local, theta[None, :], tolerance=1e-10)
                theta, value_now = found.theta[0], float(found.value[0])
                sound = bool(found.converged[0]) or value_before - value_now < _SETTLED * self.scale
                if sound or not math.isfinite(value_now):
                    break
                value_before = value_now
            rise = float(self._objective(theta[None, :]).value[0]) - self._least
            reached = self._derivative(theta)[0]
        sound = sound and math.isfinite(rise) and math.isfinite(reached)
        return _Point(value, reached, max(rise, 0.0) if sound else math.inf, theta)

    def _objective(self, theta: Floats) -> Local:
        return self._model.local(theta, self._weight, self._threshold, self._penalty)

    def _derivative(self, theta: Floats) -> tuple[float, Floats]:
        """The quantity and its gradient by the parameters searched in."""
        natural = self._model.to_natural @ theta
        moves = self._model.to_natural.T * (1j * _STEP)
        values = [complex(self._quantity(list(natural + move))) for move in moves]
        return values[0].real, np.array([value.imag for value in values]) / _STEP

    def _inverse_information(self, fit: Fit, slope: Floats) -> float:
        """g' B g, scaled to a unit diagonal first."""
        jacobian = self._model.jacobian(self.start.theta)
        bend = fit.weight * np.where(np.abs(fit.residuals) <= fit.threshold, 1.0, HELD)
        information = (jacobian * bend[:, None]).T @ jacobian
        if self._penalty is not None:
            information += self._penalty.precision
        unit = 1 / np.sqrt(np.maximum(np.diag(information), 1e-300))
        inverse = np.linalg.pinv(information * np.outer(unit, unit), rcond=1e-14, hermitian=True)
        return float((slope * unit) @ inverse @ (slope * unit)) or math.inf


def _end(profile: _Profile, allowed: float, side: int) -> float | None:
    """Where the rise is what is allowed: doubled distances until it is passed, then false position."""
    inside, distance = profile.start, profile.first
    for _ in range(_DOUBLINGS):
        outside = profile.at(profile.start.value + side * distance, inside)
        if outside.rise >= allowed:
            return _between(profile, inside, outside, allowed)
        if outside.rise - inside.rise < _FLAT * allowed and distance > _FAR * profile.size:
            return None
        inside, distance = outside, 2 * distance
    return None


def _between(profile: _Profile, inside: _Point, outside: _Point, allowed: float) -> float:
    """The value whose rise is ``allowed``: Illinois steps on the root of the rise, which is nearly straight."""
    goal = math.sqrt(allowed)
    low, high = math.sqrt(inside.rise) - goal, math.sqrt(outside.rise) - goal
    last = 0
    for _ in range(_ROOT_STEPS):
        share = -low / (high - low) if math.isfinite(high) else 0.5
        point = profile.at(inside.value + share * (outside.value - inside.value), inside)
        if abs(point.rise - allowed) <= _CLOSE * allowed:
            return point.reached
        if abs(outside.value - inside.value) <= _SAME * profile.size and math.isfinite(outside.rise):
            return inside.reached
        # An end that stays for a second time counts half, so that it moves too.
        miss = math.sqrt(point.rise) - goal
        if miss < 0:
            inside, low = point, miss
            high = high / 2 if last < 0 else high
        else:
            outside, high = point, miss
            low = low / 2 if last > 0 else low
        last = -1 if miss < 0 else 1
    raise ConvergenceError(
        f"the profile interval has an end between {inside.reached:.6g} and {outside.value:.6g} that could not be found"
    )
