"""Times of waiting as people write them: 90s, 30m, 2h, 1d."""

from __future__ import annotations

import math
import re

from scaleplan.errors import UsageError, brief

_UNITS = (("d", 86400.0, "day"), ("h", 3600.0, "hour"), ("m", 60.0, "minute"), ("s", 1.0, "second"))
_WRITTEN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|d|(?:sec|second|min|minute|hour|day)s?)\s*")


def seconds(name: str, value: float | str) -> float:
    """A time to wait [s]: a number of seconds, or text with its unit.

    Args:
        name: what it is called, for messages.
        value: a number, or text such as ``90s``, ``30m``, ``2 hours``; text without a unit could be any of them.

    Raises:
        UsageError: not a time, not above zero, not finite.
    """
    if isinstance(value, str):
        found = _WRITTEN.fullmatch(value.lower())
        if found is None:
            raise UsageError(f"{name}: not a time: {brief(value)!r}; write 90s, 30m, 2h or 1d")
        length = float(found[1]) * next(size for unit, size, _ in _UNITS if found[2].startswith(unit))
    else:
        length = float(value)
    if not 0 < length < math.inf:
        raise UsageError(f"{name} must be a finite time above zero (got {brief(str(value))})")
    return length


def in_words(length: float) -> str:
    """A time [s] in the largest unit of which it has at least two, or one exactly: ``30 minutes``, ``1 day``."""
    for _, size, word in _UNITS:
        many = length / size
        if many >= 2 or many == 1:
            return f"{many:.3g} {word}{'' if many == 1 else 's'}"
    return f"{length:.3g} seconds"
