"""A law with its constants elsewhere, by the names that covariances are of, or with its best sizes elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from scaleplan.laws.form import LossSurface, UniqueTokensForm
from scaleplan.laws.law import Law
from scaleplan.ops import Real, exp

_LN = "ln_"


def moves(law: Law) -> bool:
    """Whether the law's covariance is of constants that its surface has."""
    if law.uncertainty is None or law.surface is None:
        return False
    fields = getattr(law.surface, "_fields", ())
    return all(name.removeprefix(_LN) in fields for name in law.uncertainty.parameters)


def moved(law: Law, shifts: Mapping[str, Real]) -> Law:
    """The law with constants shifted, those of ``ln_`` in the logarithm; shifts may be arrays.

    The law's form of repeated data moves with the surface, whose constants it shares.
    """
    repeated: Any = law.repeated
    return law._replace(
        surface=_moved(law.surface, shifts), repeated=None if repeated is None else _moved(repeated, shifts)
    )


def _moved(form: Any, shifts: Mapping[str, Real]) -> Any:
    values: dict[str, Real] = {}
    for name, shift in shifts.items():
        field = name.removeprefix(_LN)
        value = getattr(form, field)
        values[field] = value * exp(shift) if name.startswith(_LN) else value + shift
    return form._replace(**values)


def tilt(law: Law, shift: Real) -> Law:
    """The law with its best sizes a factor e^``shift`` larger at the same compute and loss."""
    factor = exp(shift)
    surface = Tilted(law.require_surface("a shift of its best size"), factor)
    repeated = None if law.repeated is None else TiltedRepeats(law.repeated, factor)
    return law._replace(surface=surface, repeated=repeated)


class Tilted(NamedTuple):
    """L(N / factor, D factor): the same losses at the same N D, their best sizes ``factor`` times larger."""

    base: LossSurface
    factor: Real

    equation = "L(N / f, D f)"
    symbols = "L the law's loss, f the factor on its best size"
    latex = r"L(N / f, D f)"

    @property
    def floor(self) -> float:
        """That of the law."""
        return self.base.floor

    def loss(self, params: Real, tokens: Real) -> Real:
        """Loss reached."""
        return self.base.loss(params / self.factor, tokens * self.factor)

    def tokens_for_loss(self, params: Real, loss: Real) -> Real:
        """Tokens at which ``params`` reach ``loss``."""
        return self.base.tokens_for_loss(params / self.factor, loss) / self.factor

    def params_for_loss(self, tokens: Real, loss: Real) -> Real:
        """Parameters that reach ``loss`` on ``tokens``."""
        return self.base.params_for_loss(tokens * self.factor, loss) * self.factor


class TiltedRepeats(NamedTuple):
    """The same for repeated data: the epochs stay as they are."""

    base: UniqueTokensForm
    factor: Real

    equation = "L(N / f, D f, U f)"
    symbols = Tilted.symbols
    latex = r"L(N / f, D f, U f)"

    def at(self, unique_tokens: Real) -> Tilted:
        """With so many different tokens."""
        return Tilted(self.base.at(unique_tokens * self.factor), self.factor)
