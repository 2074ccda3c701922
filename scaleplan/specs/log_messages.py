"""Names of runs and files, and what is wrong with them, for messages of one line."""

from __future__ import annotations

from collections.abc import Iterable

from scaleplan.errors import brief

_FEW = 5
"""Our choice: so many runs are named in one message."""
_LONG = 300
"""Our choice [characters]: a detail is a sentence."""


def named(name: str) -> str:
    """A run or file: odd characters spelt out, of what is very long the beginning."""
    return brief(name if name.isprintable() and name.strip() else repr(name))


def brief_line(text: str) -> str:
    """A detail: odd characters spelt out, of what is very long the beginning."""
    line = text if text.isprintable() else repr(text)
    return line if len(line) <= _LONG else f"{line[:_LONG]}..."


def some(texts: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    every = list(texts)
    more = len(every) - _FEW
    return ", ".join(every[:_FEW]) + (f" and {more} more" if more > 0 else "")
