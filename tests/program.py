"""The program's ``main`` inside this process: what a process of its own prints, without what starting one costs.

That commands start on their own, and what they load, is for the tests that start processes, above all tests/startup.
"""

from __future__ import annotations

import contextlib
import io
import os
import pty
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack, chdir, contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
import typer.main

SWAYING = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TERM", "PYTHONIOENCODING", "SCALEPLAN_DEBUG")
SWAYING += ("SCALEPLAN_PRESETS",)
"""Variables that would change the look of the output, or the presets."""

_command_of = cache(typer.main.get_command)


class Printed(NamedTuple):
    """What a run inside this process printed, and its exit code."""

    stdout: bytes
    stderr: bytes
    code: int


def main_inside(*arguments: str) -> int:
    """The exit code of ``main`` given these words, with the streams, the folder and the environment as they are.

    typer makes its tree of commands anew for each run, which takes longer than most commands; here it is made once.
    """
    from scaleplan.cli.app import main

    pipes = signal.getsignal(signal.SIGPIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(typer.main, "get_command", _command_of)
        patch.setattr(sys, "argv", ["scaleplan", *arguments])
        try:
            with pytest.raises(SystemExit) as ended:
                main()
        finally:
            signal.signal(signal.SIGPIPE, pipes)
    return int(ended.value.code or 0)


def run_inside(
    *arguments: str, folder: Path, stdin: bytes = b"", environment: dict[str, str] | None = None, together: bool = False
) -> Printed:
    """Run with files for stdin, stdout and stderr (one for both where ``together``) and nothing swaying set."""
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        asked.write(stdin)
        asked.seek(0)
        with (
            _streams(asked.fileno(), said.fileno(), (said if together else told).fileno()),
            _place(folder, environment),
        ):
            code = main_inside(*arguments)
        said.seek(0)
        told.seek(0)
        return Printed(said.read(), told.read(), code)


def run_in_terminal(*arguments: str, folder: Path, size: bytes, environment: dict[str, str] | None = None) -> Printed:
    """Run with a terminal for stdin and stdout; ``size`` is a packed ``struct winsize``."""
    import fcntl
    import termios

    screen, keyboard = pty.openpty()
    fcntl.ioctl(keyboard, termios.TIOCSWINSZ, size)
    shown: list[bytes] = []

    def watch() -> None:
        with contextlib.suppress(OSError):  # Linux ends a terminal whose last user has gone with an error
            while chunk := os.read(screen, 65_536):
                shown.append(chunk)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with tempfile.TemporaryFile() as told:
            with _streams(keyboard, keyboard, told.fileno()), _place(folder, environment):
                code = main_inside(*arguments)
            told.seek(0)
            errors = told.read()
    finally:
        os.close(keyboard)
        watcher.join()
        os.close(screen)
    return Printed(b"".join(shown), errors, code)


@contextmanager
def _streams(stdin: int, stdout: int, stderr: int):
    """These descriptors as 0, 1 and 2, and Python's streams upon them."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [os.dup(number) for number in range(3)]
    old = sys.stdin, sys.stdout, sys.stderr
    try:
        for number, put in enumerate((stdin, stdout, stderr)):
            os.dup2(put, number)
        with ExitStack() as opened:
            modes = (("r", "strict"), ("w", "strict"), ("w", "backslashreplace"))
            sys.stdin, sys.stdout, sys.stderr = (
                opened.enter_context(open(number, mode, encoding="utf-8", errors=errors, closefd=False, newline=None))
                for number, (mode, errors) in enumerate(modes)
            )
            assert isinstance(sys.stderr, io.TextIOWrapper)
            sys.stderr.reconfigure(line_buffering=True)
            yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = old
        for number, back in enumerate(kept):
            os.dup2(back, number)
            os.close(back)


@contextmanager
def _place(folder: Path, environment: dict[str, str] | None):
    """The folder to be in, and the environment without what sways, then with the changes."""
    with chdir(folder), pytest.MonkeyPatch.context() as patch:
        for name in SWAYING:
            patch.delenv(name, raising=False)
        for name, value in ({"TERM": "xterm-256color"} | (environment or {})).items():
            patch.setenv(name, value)
        yield
