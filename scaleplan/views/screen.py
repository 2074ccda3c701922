"""Lines for stderr, fitted to the terminal where it is one."""

from __future__ import annotations

import sys


def for_stderr(line: str) -> str:
    """A line as it is for a pipe or file; broken between words to the width of a terminal."""
    if not sys.stderr.isatty():
        return line
    import shutil
    import textwrap

    width = max(20, shutil.get_terminal_size().columns)
    return textwrap.fill(line, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
