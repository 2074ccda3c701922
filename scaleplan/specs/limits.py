"""Limits on a plan: words of flags, Python keywords or the heading ``limits`` to numbers, and what contradicts itself.

The keys are those of the budget file; a flag is its key with dashes, save ``--days`` for ``deadline_days`` and
``--critical-batch`` for ``batch: critical``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from numbers import Real as AnyNumber
from typing import Any, Literal, NamedTuple, cast

from scaleplan import units
from scaleplan.compute.expert_counts import MOST_EXPERTS
from scaleplan.errors import InfeasibleError, UsageError, brief, nearest, quoted
from scaleplan.ops import Real, any_true, extremes, first_where
from scaleplan.specs.numbers import number

FIT = "fit"
CRITICAL = "critical"
FREE = "free"


class LimitWords(NamedTuple):
    """What was given, read but not yet looked up, each by its key; ``None`` for what was not. Numbers may be arrays.

    ``params``, ``tokens`` and ``tokens_per_param`` fix a value; ``min_params`` and ``max_params`` bound it, embeddings
    and all experts counted. ``unique_tokens`` may be seen ``max_epochs`` times. ``deadline_days`` [days], ``max_usd``
    [USD] and ``max_mwh`` [MWh] are ceilings. ``memory`` is that of an accelerator [bytes], or ``"fit"``, that of the
    one named by ``on``. ``batch`` is ``"critical"``: at most the critical one. ``experts`` is their number, or
    ``"free"``.
    """

    min_params: Real | None = None
    max_params: Real | None = None
    params: Real | None = None
    tokens: Real | None = None
    tokens_per_param: Real | None = None
    unique_tokens: Real | None = None
    max_epochs: Real | None = None
    deadline_days: Real | None = None
    max_usd: Real | None = None
    max_mwh: Real | None = None
    memory: float | Literal["fit"] | None = None
    batch: Literal["critical"] | None = None
    experts: float | Literal["free"] | None = None


class Clash(NamedTuple):
    """Limits that contradict each other: the key under which it is told, why, and whether no plan can meet them.

    Where one could, the limits leave nothing to plan or leave open what they mean.
    """

    key: str
    text: str
    infeasible: bool = False


FIXED = ("params", "tokens", "tokens_per_param")
"""What fixes a value; with a budget beside it one of them is a plan."""
OF_MACHINE = ("deadline_days", "max_usd", "max_mwh", "memory", "batch")
"""What bounds a plan only once it is known on what it runs."""
_ONE_VALUE = ("memory", "batch", "experts")


def _at_least_one(word: Any) -> float:
    value = _float(word)
    if not 1 <= value < math.inf:
        raise UsageError(f"must be a number of at least 1, such as 4 (got {_shown(word)})")
    return value


def _ratio(word: Any) -> float:
    value = _float(word)
    if not 0 < value < math.inf:
        raise UsageError(f"must be a number > 0, such as 20 (got {_shown(word)})")
    return value


def _energy(word: Any) -> float:
    """Energy [MWh], a number or text with its unit."""
    found = re.fullmatch(r"\s*(\S*?)\s*([kmg]wh)?\s*", str(word), re.IGNORECASE)
    digits, unit = ("", None) if found is None else found.groups()
    value = _float(digits) * _MWH[(unit or "mwh").lower()]
    if not 0 < value < math.inf:
        raise UsageError(f"must be an energy > 0 in MWh, such as 4000 or 4 GWh (got {_shown(word)})")
    return value


_MWH = {"kwh": 1e-3, "mwh": 1.0, "gwh": 1e3}


def size_bytes(word: Any) -> float:
    """A size of memory [bytes]: text with its unit, ``80GB`` (1e9) or ``64 GiB`` (2^30); M and T likewise.

    Raises:
        UsageError: not a size, or a number without a unit, which would have to be guessed.
    """
    found = re.fullmatch(r"\s*(\S+?)\s*([mgt])(i?)b\s*", str(word), re.IGNORECASE)
    digits, suffix, binary = ("", "m", "") if found is None else found.groups()
    power = "mgt".index(suffix.lower()) + 2
    value = _float(digits) * (1024.0**power if binary else 1000.0**power)
    if not 0 < value < math.inf:
        bare = 0 < _float(word) < math.inf
        raise UsageError(f"{'needs its unit' if bare else 'must be a size > 0'}: 80GB or 64GiB (got {_shown(word)})")
    return value


def _memory(word: Any) -> float | Literal["fit"]:
    if isinstance(word, str) and word.strip().lower() == FIT:
        return FIT
    try:
        return size_bytes(word)
    except UsageError as error:
        raise UsageError(f"{error.message}; or {FIT}, what the accelerator of on has") from None


def _batch(word: Any) -> Literal["critical"]:
    if word == CRITICAL:
        return CRITICAL
    written = int(word) if isinstance(word, float) and word.is_integer() else word
    raise UsageError(
        f"must be {CRITICAL}: at most the critical batch (got {_shown(written)}); tokens of a step are of budget"
    )


def _experts(word: Any) -> float | Literal["free"]:
    if isinstance(word, str) and word.strip().lower() == FREE:
        return FREE
    value = _float(word)
    if not (1 <= value < math.inf and value % 1 == 0):
        raise UsageError(f"must be a whole number of at least 1, or {FREE} (got {_shown(word)})")
    if value > MOST_EXPERTS:
        raise UsageError(f"must be at most {MOST_EXPERTS:,}, or {FREE} (got {_shown(word)})")
    return value


def _days(word: Any) -> float:
    try:
        return units.days(word)
    except OverflowError:
        raise UsageError(f"must be a finite time > 0 (got {_shown(word)})") from None


READERS: dict[str, Callable[[Any], Any]] = {
    "min_params": lambda word: units.parse(word, "params"),
    "max_params": lambda word: units.parse(word, "params"),
    "params": lambda word: units.parse(word, "params"),
    "tokens": lambda word: units.parse(word, "tokens"),
    "tokens_per_param": _ratio,
    "unique_tokens": lambda word: units.parse(word, "tokens"),
    "max_epochs": _at_least_one,
    "deadline_days": _days,
    "max_usd": lambda word: units.parse(word, "usd"),
    "max_mwh": _energy,
    "memory": _memory,
    "batch": _batch,
    "experts": _experts,
}
"""The reader of one word, by its key; each raises ``UsageError`` without the name of the key."""
assert tuple(READERS) == LimitWords._fields


def read_limits(words: Mapping[str, Any]) -> LimitWords:
    """Limits from words by key, what was not given ``None``; arrays where a sequence or array was given.

    Raises:
        UsageError: an unknown key, with the nearest; the first word that cannot be read, by its name.
    """
    read: dict[str, Any] = {}
    for key, word in words.items():
        if word is None:
            continue
        if key not in READERS:
            raise UsageError(f"unknown limit {quoted(key)}.{nearest(key, READERS)} There are {', '.join(READERS)}")
        many = isinstance(word, bool) or not isinstance(word, (str, AnyNumber))
        read[key] = (_many if many else _one)(key, word)
    return LimitWords(**read)


def given(limits: LimitWords) -> dict[str, Any]:
    """What was given, by key."""
    return {key: value for key, value in limits._asdict().items() if value is not None}


def merged(file: LimitWords, flags: LimitWords) -> LimitWords:
    """The limits of a file with those of flags, which win key by key."""
    return file._replace(**given(flags))


def clashes(limits: LimitWords) -> tuple[Clash, ...]:
    """What contradicts itself among limits, whatever the budget, the law and the machine."""
    return (*_meaningless(limits), *_impossible(limits))


def check_limits(limits: LimitWords) -> None:
    """Check that limits do not contradict each other.

    Raises:
        UsageError: they leave nothing to plan, or leave open what they mean.
        InfeasibleError: no plan can meet them.
    """
    for clash in clashes(limits):
        raise (InfeasibleError if clash.infeasible else UsageError)(f"{_flag(clash.key)}: {clash.text}")


def _meaningless(limits: LimitWords) -> list[Clash]:
    found: list[Clash] = []
    fixed = [key for key in FIXED if getattr(limits, key) is not None]
    if len(fixed) > 1:
        names = f"{', '.join(fixed[:-1])} and {fixed[-1]}"
        text = f"{names} are {'both' if len(fixed) == 2 else 'all'} fixed, which leaves nothing to plan: keep one"
        found.append(Clash(fixed[1], text))
    if limits.max_epochs is not None and limits.unique_tokens is None:
        found.append(Clash("max_epochs", "epochs of how many tokens? Add unique_tokens"))
    return found


def _impossible(limits: LimitWords) -> list[Clash]:
    least, most, params = limits.min_params, limits.max_params, limits.params
    found = [
        _above("min_params", least, "max_params", most),
        _above("params", params, "max_params", most),
        _above("min_params", least, "params", params),
    ]
    unique, epochs = limits.unique_tokens, limits.max_epochs
    if unique is not None and epochs is not None:
        found.append(_above("tokens", limits.tokens, "max_epochs x unique_tokens", cast("Any", epochs) * unique))
    return [clash for clash in found if clash is not None]


def _above(key: str, value: Real | None, name: str, most: Real | None) -> Clash | None:
    if value is None or most is None:
        return None
    bad = cast("Any", value > most)
    if not any_true(bad):
        return None
    shown, bound = units.count(first_where(bad, value)), units.count(first_where(bad, most))
    if shown == bound:  # the same to four digits
        shown, bound = f"{first_where(bad, value):.17g}", f"{first_where(bad, most):.17g}"
    return Clash(key, f"{shown} is above the {bound} of {name}: no plan meets both; change one", infeasible=True)


def _one(key: str, word: Any) -> Any:
    try:
        return READERS[key](word)
    except UsageError as error:
        raise UsageError(f"{_flag(key)}: {error.message}") from None


def _many(key: str, words: Any) -> Any:
    if key in _ONE_VALUE or isinstance(words, bool):
        raise UsageError(f"{_flag(key)}: must be one number or text (got {type(words).__name__})")
    values = number(_flag(key), words)
    for each in extremes(values):  # not a number at all, if any of them is not
        _one(key, each)
    return values


def _flag(key: str) -> str:
    return key.replace("_", "-")


def _float(word: Any) -> float:
    """The number of a word, not a number where it is none."""
    try:
        return float(word)
    except (TypeError, ValueError):
        return math.nan
    except OverflowError:
        return math.inf


def _shown(word: Any) -> str:
    return brief(units.shown(word))
