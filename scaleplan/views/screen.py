"""Lines for stderr, fitted to the terminal where it is one."""

from __future__ import annotations

import sys

_OBEYED = (*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_HARMLESS = dict.fromkeys(_OBEYED, "\N{REPLACEMENT CHARACTER}")


def for_stderr(line: str) -> str:
    """A line, cleaned; for a terminal broken between words to its width."""
    line = clean(line)
    if not sys.stderr.isatty():
        return line
    import shutil
    import textwrap

    width = max(20, shutil.get_terminal_size().columns)
    return textwrap.fill(line, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)


def clean(text: str) -> str:
    """User text without what a terminal would obey: control characters and reversals of direction."""
    return text.translate(_HARMLESS)
