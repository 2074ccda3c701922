"""Smoothly broken power law with one break.

    y(x) = a + b x^-c_0 (1 + (x / d_1)^(1/f_1))^(-c_1 f_1)

Source: Caballero et al. 2022 (arXiv 2210.14891), with one break. It has no universal constants, and extrapolates
poorly past a break that the data do not show. As a law's trend x is the training FLOPs and y the loss.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scaleplan.ops import Real, asinh, exp, log, power, where
from scaleplan.search import increasing_root

_LN_LARGEST = math.log(1e40)
"""Ends of searches over ln x, either way; our choice, far beyond any budget."""


class BrokenPower(NamedTuple):
    """a, b [unit of y], c_0, c_1 [1]: the slopes; d_1 [unit of x]: where it breaks; f_1 [1]: how smoothly."""

    a: float
    b: float
    c_0: float
    c_1: float
    d_1: float
    f_1: float

    equation = "y(x) = a + b x^-c_0 (1 + (x / d_1)^(1/f_1))^(-c_1 f_1)"
    symbols = (
        "x what is scaled, y what follows; a the limit; b, c_0 the first slope; c_1 the change of slope at d_1; f_1"
        " how smooth the break is"
    )
    latex = r"y(x) = a + b\,x^{-c_0}\left(1 + \left(\frac{x}{d_1}\right)^{1/f_1}\right)^{-c_1 f_1}"
    signed = ("a", "b", "c_0", "c_1")
    covariance_of = ("ln_a", "ln_b", "c_0", "c_1", "ln_d_1", "ln_f_1")

    def value(self, x: Real) -> Real:
        """y(x)."""
        return self.a + self.b * exp(-self.c_0 * log(x) - self.c_1 * self.f_1 * self._softplus(x))

    def loss(self, train_flop: Real) -> Real:
        """L(C): y of the training FLOPs."""
        return self.value(train_flop)

    def flop_for_loss(self, loss: Real) -> Real:
        """C at which the loss has fallen to ``loss``; infinite where it does not fall so low by 1e40 FLOP.

        Where the loss falls on one side of the break only, that side is meant. A loss above all of it is reached at
        the beginning of that side.
        """
        low, high = self._falling()
        if not low < high:
            return math.inf + 0.0 * loss
        least, most = self.value(exp(high)), self.value(exp(low))
        possible = loss > least
        target = where(possible, where(loss < most, loss, most), most)
        ln_flop = increasing_root(lambda x: target - self.value(exp(x)), low + 0.0 * loss, high + 0.0 * loss)
        return where(possible, exp(ln_flop), math.inf + 0.0 * loss)

    def log_loss_sensitivity(self, train_flop: Real) -> tuple[Real, ...]:
        """d ln L / d ``covariance_of`` at C."""
        loss = self.value(train_flop)
        share = (loss - self.a) / loss
        t = log(train_flop / self.d_1) / self.f_1
        # ln(1 + e^t) less t times its slope is the same on both sides of the break; asinh keeps ln(1 + small) exact.
        away = where(t.real > 0, t, -t)
        fading = exp(-away)
        lean = asinh(fading * (2 + fading) / (2 * (1 + fading))) + away * fading / (1 + fading)
        beyond = 1 / (1 + power(self.d_1 / train_flop, 1 / self.f_1))
        return (
            self.a / loss,
            share,
            -share * log(train_flop),
            -share * self.f_1 * self._softplus(train_flop),
            share * self.c_1 * beyond,
            -share * self.c_1 * self.f_1 * lean,
        )

    def gradient(self, x: Real) -> tuple[Real]:
        """(dy/dx,)."""
        beyond = 1 / (1 + power(self.d_1 / x, 1 / self.f_1))
        return (-(self.value(x) - self.a) * (self.c_0 + self.c_1 * beyond) / x,)

    def _falling(self) -> tuple[float, float]:
        """The ends of ln x between which y falls: its slope is c_0 + c_1 S, S from 0 to 1 over the break."""
        early, late = self.c_0 > 0, self.c_0 + self.c_1 > 0
        if self.b <= 0 or not (early or late):
            return 0.0, 0.0
        if early and late:
            return -_LN_LARGEST, _LN_LARGEST
        turned = -self.c_0 / self.c_1
        bottom = 0.0 if not 0 < turned < 1 else math.log(turned / (1 - turned))
        turn = math.log(self.d_1) + self.f_1 * bottom
        return (-_LN_LARGEST, min(turn, _LN_LARGEST)) if early else (max(turn, -_LN_LARGEST), _LN_LARGEST)

    def _softplus(self, x: Real) -> Real:
        """ln(1 + (x/d_1)^(1/f_1)), written so that a sharp break does not overflow."""
        t = log(x / self.d_1) / self.f_1
        above = where(t.real > 0, 1.0, 0.0)
        return above * t + log(1 + exp(t * (1 - 2 * above)))
