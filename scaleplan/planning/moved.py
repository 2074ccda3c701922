"""A law with its constants elsewhere: by the names that covariances are of, ``ln_A`` for the logarithm of ``A``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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
