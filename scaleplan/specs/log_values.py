"""The number that a value of a training log is, and the seconds that a time is."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_CLOCK = re.compile(r"(?:(\d{1,6}) days?,? |(\d{1,6})-)?(\d{1,6}):([0-5]\d):([0-5]\d(?:\.\d{1,9})?)")
_EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)


def as_number(value: object) -> float | None:
    """A number, or text that is one, NaN and infinity among them; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def as_time(value: object) -> float | None:
    """Seconds: a number, an ISO 8601 date and time (UTC unless it says so), or ``1 day, 2:03:04`` since some zero."""
    number = as_number(value)
    if number is not None or not isinstance(value, str):
        return number
    text = value.strip()
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        clock = _CLOCK.fullmatch(text)
        if clock is None:
            return None
        days = float(clock[1] or clock[2] or 0)
        return days * 86400 + float(clock[3]) * 3600 + float(clock[4]) * 60 + float(clock[5])
    if when.tzinfo is not None:
        when = when.astimezone(UTC).replace(tzinfo=None)
    return (when - _EPOCH) / _SECOND
