"""Numbers as people write them, "1e24", "70B", "1.5T", "10 PF-days", "$5M", "8 weeks", "1%", and back to text.

Suffixes are powers of a thousand as the field uses them (K, M, B, T, and G, P, E, Z, Y of the SI); a
PF-day is 1e15 x 86,400 = 8.64e19 FLOP (Kaplan et al. 2020, sec. 1.3).
"""

from __future__ import annotations

import math
import re

from scaleplan.errors import UsageError, quoted

FLOP_PER_PF_DAY = 8.64e19

_SUFFIX = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18, "z": 1e21, "y": 1e24}
_NUMBER = r"\s*([+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?)\s*([a-zA-Z][^,]*?)\s*"
_UNIT_WORDS = {
    "flop": ("flop", "flops"),
    "params": ("params", "parameters"),
    "tokens": ("tokens",),
    "loss": ("nats", "nats/token"),
    "usd": ("$", "usd", "dollars"),
    "gpu_hours": ("h", "hours", "gpuh", "gpu hours", "gpu-hours"),
}
_EXAMPLE = {
    "flop": "1e24 or 10 PF-days",
    "params": "70B",
    "tokens": "1.5T",
    "loss": "2.1",
    "usd": "$5M",
    "gpu_hours": "3M",
}
_DAYS = {"h": 1 / 24, "hour": 1 / 24, "d": 1.0, "day": 1.0, "w": 7.0, "week": 7.0}
_SCALES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K"))


def parse(text: str | float, quantity: str) -> float:
    """Read one positive, finite number.

    Args:
        text: a number, or text such as ``70B``, ``1.5T``, ``1e24``, ``2.5 ZFLOP``, ``10 PF-days``.
        quantity: ``flop``, ``params``, ``tokens``, ``loss``, ``usd`` or ``gpu_hours``: which unit words may follow the
            number; before dollars a ``$`` may stand.

    Raises:
        UsageError: not a number, an unknown unit, not finite, or not above zero (below one for
            ``params`` and ``tokens``, which are counts).
    """
    try:
        if quantity == "usd" and isinstance(text, str):
            text = text.strip().removeprefix("$")
        value = float(text) if isinstance(text, (int, float)) else _parse_text(text, quantity)
    except OverflowError:
        value = math.inf
    if math.isnan(value) or math.isinf(value):
        raise UsageError(f"must be a finite number (got {shown(text)})")
    if value <= 0:
        raise UsageError(f"must be > 0 (got {shown(text)})")
    if quantity in ("params", "tokens") and value < 1:
        raise UsageError(f"must be at least 1 (got {shown(text)})")
    return value


def _parse_text(text: str, quantity: str) -> float:
    try:
        return float(text)
    except ValueError:
        return _parse_with_unit(text, quantity)


def _parse_with_unit(text: str, quantity: str) -> float:
    if text.strip().lower().lstrip("+-.") in ("nan", "inf", "infinity"):
        raise UsageError(f"must be a finite number (got {text})")
    found = re.fullmatch(_NUMBER, text)
    if found is None:
        hint = ", without thousands separators" if "," in text else ""
        if quantity == "flop" and ("$" in text or " for " in text):
            hint = "; money is usd: 5M, a cluster on: 2048xh100-sxm with days: 60"
        raise UsageError(f"not a number: {quoted(text)}; write {_EXAMPLE[quantity]}{hint}")
    digits, word = found.groups()
    number, rest = float(digits), word.lower()
    if rest in _UNIT_WORDS[quantity]:
        return number
    suffix, unit = rest[0], rest[1:].strip()
    if quantity == "flop" and re.fullmatch(r"pf(?:lops?)?[-/ ]?d(?:ays?)?", rest):
        return number * FLOP_PER_PF_DAY
    if suffix not in _SUFFIX or (unit and unit not in _UNIT_WORDS[quantity]):
        raise UsageError(f"not a number of {_UNIT_WORDS[quantity][-1]}: {quoted(text)}; write {_EXAMPLE[quantity]}")
    if suffix == "e" and not unit:
        raise UsageError(f"not a number: {quoted(text)} ends before its exponent; write {_EXAMPLE[quantity]}")
    return number * _SUFFIX[suffix]


def days(text: str | float) -> float:
    """Read a time [days]: a number of days, or text such as ``60d``, ``8 weeks``, ``36h``.

    Raises:
        UsageError: not a time, not finite, or not above zero; months, which differ in length.
    """
    try:
        value = float(text)
    except ValueError:
        value = _time_with_unit(str(text))
    if not 0 < value < math.inf:
        raise UsageError(f"must be a finite time > 0 (got {shown(text)})")
    return value


def _time_with_unit(text: str) -> float:
    found = re.fullmatch(_NUMBER, text)
    number, word = ("0", "") if found is None else (found.group(1), found.group(2).lower())
    if re.fullmatch(r"m(in(ute)?s?|o(nth)?s?)?", word):
        raise UsageError(f"months and minutes are not read: {quoted(text)}; write 60d or 8 weeks, or 3M gpu-hours")
    unit = _DAYS.get(word) or _DAYS.get(word.removesuffix("s"))
    if unit is None:
        raise UsageError(f"not a time: {quoted(text)}; write 60d or 8 weeks")
    return float(number) * unit


def share(text: str | float) -> float:
    """Read a share: a fraction such as 0.01, or a percentage such as ``1%``.

    Raises:
        UsageError: not a number, below zero, or 1 and more.
    """
    try:
        percent = isinstance(text, str) and text.strip().endswith("%")
        value = float(text.strip().removesuffix("%")) / 100 if percent and isinstance(text, str) else float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise UsageError(f"must be a share from 0 to below 1, such as 1% or 0.01 (got {shown(text)})")
    return value


def count(value: float) -> str:
    """A count for reading, four significant digits with its suffix: 96.01B, 1.736T, 350M."""
    for scale, suffix in _SCALES:
        if value >= scale * 0.99995:
            scaled = value / scale
            return f"{scaled:.4g}{suffix}" if scaled < 9999.5 else flop(value)
    return f"{value:.4g}"


def flop(value: float) -> str:
    """FLOPs for reading: 1e24, 5.76e23, 1.234e100."""
    mantissa, exponent = f"{value:.3e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"


def shown(given: str | float) -> str:
    """What was given, as people write it: -1e24, not -1e+24."""
    return str(given).replace("e+", "e")
