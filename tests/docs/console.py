"""Command lines of a page of the docs: the program runs inside this process, everything else in a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import chdir, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from tests.program import SWAYING, Printed, run_inside

_BOTH = " 2>&1"
_EXIT_CODE = _BOTH + ' || echo "exit code $?"'


class Shown(NamedTuple):
    """What a line printed on stdout, and what the program said on stderr."""

    stdout: str
    stderr: str


def printed_by(command: str, folder: Path, known: dict[str, Printed] | None = None) -> Shown:
    """Run a line: filters, at most one ``scaleplan`` among them, and ``2>&1``, ``|| echo "exit code $?"`` behind it.

    The program must end with 0 unless the line shows its exit code. ``known`` remembers what it printed, for lines that
    filter the same again; what writes a file runs each time.
    """
    stages = command.removesuffix(_EXIT_CODE).split(" | ")
    place = next((i for i, stage in enumerate(stages) if stage.startswith("scaleplan ")), None)
    if place is None:
        return Shown(shell(command, folder, b"").decode(), "")
    program, filters = stages[place], stages[place + 1 :]
    stdin = shell(" | ".join(stages[:place]), folder, b"") if place else b""
    together = _BOTH in program or command.endswith(_EXIT_CODE)
    words = shlex.split(program.removesuffix(_BOTH))[1:]
    if known is None or stdin or {"--out", "--output", "--emit"} & set(words):
        known = {}
    key = f"{program} {together}"
    if key not in known:
        known[key] = run_inside(*words, folder=folder, stdin=stdin, together=together)
    printed = known[key]
    if command.endswith(_EXIT_CODE):
        code = f"exit code {printed.code}\n" if printed.code else ""
        return Shown(printed.stdout.decode() + code, "")
    assert printed.code == 0, (printed.stdout + printed.stderr).decode()
    text = shell(" | ".join(filters), folder, printed.stdout) if filters else printed.stdout
    return Shown(text.decode(), printed.stderr.decode())


def shell(command: str, folder: Path, stdin: bytes) -> bytes:
    """What bash prints, with the program under test first on the path."""
    environment = {name: value for name, value in os.environ.items() if name not in SWAYING}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, input=stdin, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def printed_by_python(block: str, folder: Path) -> str:
    """What a Python block prints."""
    text = StringIO()
    with chdir(folder), redirect_stdout(text):
        exec(compile(block, "block of the page", "exec"), {"__name__": "__main__"})  # noqa: S102 - the page's own
    return text.getvalue()
