"""Numbers as callers write them: text with units, plain numbers, sequences and arrays."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any, TypeAlias

from scaleplan import units
from scaleplan.errors import UsageError, brief
from scaleplan.ops import Real

_TOO_LARGE = 2**63
"""Our choice: whole numbers are those of 64 bits, as seeds, counts and years are."""
Number: TypeAlias = "Real | str | Sequence[float]"


def number(name: str, value: Number, quantity: str | None = None) -> Real:
    """A float from a number or text, an array of floats from a sequence or array.

    Args:
        name: what it is called, for messages.
        value: what was given.
        quantity: ``flop``, ``loss``, ``params`` or ``tokens``, for units; the name where left out.

    Raises:
        UsageError: not numbers, none at all, or out of range.
    """
    if not isinstance(value, (str, int, float)):
        return _array(name, value, quantity)
    try:
        return units.parse(value, quantity or ("flop" if name == "flops" else name))
    except UsageError as error:
        raise UsageError(f"{name}: {error.message}") from None


def scalar(name: str, value: Number, quantity: str | None = None) -> float:
    """One number.

    Raises:
        UsageError: an array, or as for ``number``.
    """
    result = number(name, value, quantity)
    if not isinstance(result, float):
        raise UsageError(f"{name}: one number at a time (got an array)")
    return result


def fraction(level: float | str) -> float:
    """The coverage of a band, between 0 and 1.

    Raises:
        UsageError: with what was given.
    """
    try:
        value = float(level)
    except (TypeError, ValueError):
        value = -1.0
    if not 0 < value < 1:
        raise UsageError(f"level must be a fraction between 0 and 1, such as 0.95 (got {brief(str(level))})")
    return value


def whole(name: str, value: float | str) -> int:
    """A whole number between -2^63 and 2^63; 1e6 is one too.

    Raises:
        UsageError: with what was given.
    """
    try:
        number = _whole(value)
    except (TypeError, ValueError):
        raise UsageError(f"{name} must be a whole number (got {brief(str(value))})") from None
    if number is None or abs(number) >= _TOO_LARGE:
        raise UsageError(f"{name} must be a whole number between -2^63 and 2^63 (got {_written(value)})")
    return number


def _whole(value: Any) -> int | None:
    """The whole number of a word or a number, ``None`` for one that floats do not hold.

    Raises:
        TypeError: neither.
        ValueError: not a whole number.
    """
    if hasattr(value, "__index__"):
        return operator.index(value)
    number = float(value)
    if math.isinf(number):
        return None
    if not number.is_integer():
        raise ValueError
    try:
        return int(value)  # of digits, all of them
    except ValueError:
        return int(number)


def _written(value: Any) -> str:
    """What was given; of whole numbers of thousands of digits, which Python does not write out, how long it is."""
    try:
        return brief(str(value))
    except ValueError:
        return f"one of {value.bit_length():,} bits"


def gigabytes(name: str, value: float | str) -> float:
    """A size of memory [GB], with or without its unit.

    Raises:
        UsageError: with what was given.
    """
    try:
        size = float(value.strip().lower().removesuffix("gb") if isinstance(value, str) else value)
    except (TypeError, ValueError):
        size = -1.0
    if not 0 < size < math.inf:
        raise UsageError(f"{name} must be a number of GB above zero, such as 80 (got {brief(str(value))})")
    return size


def _array(name: str, values: Any, quantity: str | None) -> Real:
    import numpy as np

    try:
        given = np.asarray(values)
        if given.dtype.kind not in "fiuO" or hasattr(values, "mask"):
            raise TypeError
        array = np.array(given, dtype=np.float64)  # a copy: a plan must not change with the caller's array
    except (TypeError, ValueError):
        raise UsageError(f"{name}: must be a number or an array of numbers (got {type(values).__name__})") from None
    if array.size == 0:
        raise UsageError(f"{name}: an empty array")
    return number(name, float(array), quantity) if array.ndim == 0 else array
