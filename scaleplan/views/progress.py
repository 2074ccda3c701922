"""How far long work is, on stderr, where that is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

_QUIET_SECONDS = 1.0
"""Our choice: work that ends sooner needs no progress."""
_EVERY_SECONDS = 0.2


@contextmanager
def progress_on_stderr(what: str, *, quiet: bool) -> Generator[Callable[[int, int], None] | None]:
    """A function to call with what is done and what there is to do; ``None`` where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    start = time.monotonic()
    last = start
    shown = False

    def show(done: int, total: int) -> None:
        nonlocal last, shown
        now = time.monotonic()
        if now - start < _QUIET_SECONDS or (now - last < _EVERY_SECONDS and done < total):
            return
        last, shown = now, True
        left = (now - start) * (total - done) / max(done, 1)
        sys.stderr.write(f"\r{done:,} of {total:,} {what}, {left:.0f} s left \x1b[K")
        sys.stderr.flush()

    try:
        yield show
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
