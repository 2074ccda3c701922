"""Lines for stderr, fitted to the terminal where it is one."""

from __future__ import annotations

import re
import sys

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


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
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)
