"""What pilot runs are asked for: words of flags, Python keywords or the heading ``pilots`` of a budget file to numbers.

The keys are those of the budget file; a flag is its key with dashes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from scaleplan import units
from scaleplan.compute.bill import Extra
from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.pilots.goals import GOALS
from scaleplan.specs.conditions import extra, part

_RATIOS = (1e-3, 1e6)
"""Our choice: a hundred times beyond what anybody trains at either end."""
MOST_RUNS = 1000
"""Our choice: several times as many as there are candidates."""
_MOST_TOKENS = 10**9
"""Our choice: vocabularies and contexts are a few million at most."""


class PilotWords(NamedTuple):
    """What was given, each by its key; ``None`` for what was not.

    ``share`` is of the target's training FLOPs, or accelerator-hours of its own. ``runs`` is their number with
    ``seeds`` of one of them. ``goal`` is the forecast to make certain: the loss, the best size (``params``), or both.
    ``noise`` is the scatter of ln L between seeds, ``misfit`` what the law's form misses of it a decade of compute.
    ``max_run`` is the largest run's share of the pilots' FLOPs. ``ratios`` are the least and most tokens a parameter.
    ``vocab`` and ``context`` [tokens] are those of every run. ``on`` is where they run, ``within`` [days] how long all
    of them may take. ``unique_tokens`` are those that there are.
    """

    share: Extra | None = None
    runs: int | None = None
    seeds: int | None = None
    goal: str | None = None
    noise: float | None = None
    misfit: float | None = None
    max_run: float | None = None
    ratios: tuple[float, float] | None = None
    vocab: int | None = None
    context: int | None = None
    on: str | None = None
    within: float | None = None
    unique_tokens: float | None = None


def _goal(word: Any) -> str:
    if not isinstance(word, str) or word not in GOALS:
        raise UsageError(f"must be one of {', '.join(GOALS)} (got {quoted(str(word))})")
    return word


def _above_zero(word: Any) -> float:
    value = units.share(word)
    if value == 0:
        raise UsageError(f"must be a share above 0, such as 0.3% or 0.003 (got {units.shown(word)})")
    return value


def _ratios(word: Any) -> tuple[float, float]:
    """Two numbers of tokens a parameter, ``5:200``."""
    low, _, high = str(word).partition(":")
    try:
        pair = float(low), float(high)
    except ValueError:
        pair = (0.0, 0.0)
    if not _RATIOS[0] <= pair[0] <= pair[1] <= _RATIOS[1]:
        raise UsageError(
            f"must be the least and most tokens a parameter, such as 5:200, from {_RATIOS[0]:g} to {_RATIOS[1]:,.0f} "
            f"(got {quoted(str(word))})"
        )
    return pair


def _count(most: int) -> Callable[[Any], int]:
    """A whole number from 1 to ``most``; 50k is one too."""

    def read(word: Any) -> int:
        try:
            value = units.parse(word, "tokens")
        except (TypeError, UsageError):
            value = 0.0
        if not (1 <= value <= most and value.is_integer()):
            raise UsageError(f"must be a whole number from 1 to {most:,} (got {units.shown(word)})")
        return int(value)

    return read


def _on(word: Any) -> str:
    text = str(word).strip()
    if not text:
        raise UsageError("is empty; name an accelerator, such as 64xh100-sxm")
    return text


READERS: dict[str, Callable[[Any], Any]] = {
    "share": extra,
    "runs": _count(MOST_RUNS),
    "seeds": _count(MOST_RUNS),
    "goal": _goal,
    "noise": _above_zero,
    "misfit": units.share,
    "max_run": part,
    "ratios": _ratios,
    "vocab": _count(_MOST_TOKENS),
    "context": _count(_MOST_TOKENS),
    "on": _on,
    "within": units.days,
    "unique_tokens": lambda word: units.parse(word, "tokens"),
}
assert set(READERS) == set(PilotWords._fields)


def read_pilots(words: Mapping[str, Any]) -> PilotWords:
    """What words by key say, what was not given ``None``.

    Raises:
        UsageError: an unknown key, with the nearest; a word that cannot be read, by its key.
    """
    read: dict[str, Any] = {}
    for key, word in words.items():
        if word is None:
            continue
        if key not in READERS:
            raise UsageError(f"unknown word {quoted(key)}.{nearest(key, READERS)} There are {', '.join(READERS)}")
        try:
            read[key] = READERS[key](word)
        except UsageError as error:
            raise UsageError(f"{key.replace('_', '-')}: {error.message}") from None
    return PilotWords(**read)


def merged(own: PilotWords, flags: PilotWords) -> PilotWords:
    """What a file says, with what a call says in its place where both do."""
    return own._replace(**{key: value for key, value in flags._asdict().items() if value is not None})
