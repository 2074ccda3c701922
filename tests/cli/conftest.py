"""Running the program: as a process of its own, inside this one, in a terminal, or with a pipe that stays open."""

from __future__ import annotations

import contextlib
import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.program import SWAYING, Printed, main_inside, run_in_terminal, run_inside
from tests.specs.test_specs_own_presets import IDS, TEXTS

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = (sys.executable, "-m", "scaleplan")
NOTICE = re.compile(r"warning: ([a-z_]+): (\S.*)")
STUCK = 60
"""Seconds after which a process that should have spoken is given up, so that a fault cannot hang the suite."""


@dataclass(frozen=True)
class Result:
    """What a run printed, and how it ended."""

    stdout: str
    stderr: str
    code: int

    @property
    def envelope(self) -> dict[str, Any]:
        """The JSON of stdout, which must be strict: no NaN, no Infinity."""
        return json.loads(self.stdout, parse_constant=_refuse)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The NDJSON rows of stdout."""
        return [json.loads(line, parse_constant=_refuse) for line in self.stdout.splitlines()]

    @property
    def table(self) -> list[dict[str, str]]:
        """The CSV rows of stdout."""
        return list(csv.DictReader(io.StringIO(self.stdout)))

    @property
    def notices(self) -> list[tuple[str, str]]:
        """The notices on stderr, each a line with its code; stderr must hold nothing else."""
        found = [NOTICE.fullmatch(line) for line in self.stderr.splitlines()]
        assert all(found), self.stderr
        return [match.group(1, 2) for match in found if match]

    def succeeded(self, *codes: str) -> Result:
        """Check for exit code 0, a result, and these notices among those on stderr: none where none is named."""
        assert self.code == 0, self.stderr
        assert self.stdout
        found = {code for code, _ in self.notices}
        assert found >= set(codes), self.stderr
        assert codes or not found, self.stderr
        return self

    def failed(self, code: int, *fragments: str) -> Result:
        """Check for this exit code, nothing on stdout, and one clear line on stderr that says all of this."""
        assert self.code == code, (self.code, self.stderr)
        assert self.stdout == ""
        assert len(self.stderr.splitlines()) == 1, self.stderr
        assert "scaleplan: unexpected" not in self.stderr
        for fragment in fragments:
            assert fragment in self.stderr
        return self


class Live:
    """A running program whose stdin stays open."""

    def __init__(self, arguments: tuple[str, ...], folder: Path, environment: dict[str, str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            [*PROGRAM, *arguments], stdin=pipe, stdout=pipe, stderr=pipe, cwd=folder, env=environment, bufsize=0
        )
        self._rest = b""

    def send(self, text: str) -> None:
        """Write to its stdin, which stays open."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())

    def receive(self, until: str = "\n") -> str:
        """What it prints up to and including ``until``, while its stdin is open."""
        assert self.process.stdout is not None
        mark = until.encode()
        while mark not in self._rest:
            ready, _, _ = select.select([self.process.stdout], [], [], STUCK)
            chunk = os.read(self.process.stdout.fileno(), 65_536) if ready else b""
            if not chunk:
                pytest.fail(f"no {until!r} came while stdin was open, only {self._rest!r}")
            self._rest += chunk
        before, found, self._rest = self._rest.partition(mark)
        return (before + found).decode()

    def interrupt(self) -> None:
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)

    def close_stdout(self) -> None:
        """Go away as ``head`` does."""
        assert self.process.stdout is not None
        self.process.stdout.close()

    def finish(self) -> Result:
        """Close stdin, and wait for the end; stdout is what was not received before."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        stdout = b"" if self.process.stdout.closed else self.process.stdout.read()
        stderr = self.process.stderr.read()
        return Result((self._rest + stdout).decode(), stderr.decode(), self.process.wait(STUCK))

    def stop(self) -> None:
        """End it whatever it does."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _environment(changes: dict[str, str] | None = None) -> dict[str, str]:
    """The environment without what would change the look of the output, then the changes."""
    kept = {name: value for name, value in os.environ.items() if name not in SWAYING}
    return kept | {"TERM": "xterm-256color", "PYTHONUTF8": "1"} | (changes or {})


def _run(
    folder: Path, arguments: tuple[str | bytes, ...], stdin: str | bytes, environment: dict[str, str] | None
) -> Result:
    done = subprocess.run(
        [*PROGRAM, *arguments],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        cwd=folder,
        env=_environment(environment),
        check=False,
    )
    return Result(done.stdout.decode(), done.stderr.decode(), done.returncode)


def _result(printed: Printed) -> Result:
    return Result(printed.stdout.decode(), printed.stderr.decode(), printed.code)


@pytest.fixture
def run(tmp_path):
    """The real program as a process: ``run("allocate", "--flops", "1e24")``."""

    def start(*arguments: str | bytes, stdin: str | bytes = "", environment: dict[str, str] | None = None) -> Result:
        return _run(tmp_path, arguments, stdin, environment)

    return start


@pytest.fixture(scope="session")
def run_once(tmp_path_factory):
    """The program inside this process, remembering what it ran: for results that several tests look at."""
    folder = tmp_path_factory.mktemp("once")

    @cache
    def start(*arguments: str) -> Result:
        return _result(run_inside(*arguments, folder=folder))

    return start


@pytest.fixture
def call(tmp_path, monkeypatch, capfdbinary):
    """The program's ``main`` inside this process, for long tables of words that need no process each."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "NO_COLOR", "SCALEPLAN_DEBUG", "SCALEPLAN_PRESETS"):
        monkeypatch.delenv(name, raising=False)

    def start(*arguments: str, stdin: str | bytes = "", environment: dict[str, str] | None = None) -> Result:
        file = tmp_path.parent / f"{tmp_path.name}.stdin"
        file.write_bytes(stdin.encode() if isinstance(stdin, str) else stdin)
        capfdbinary.readouterr()
        with file.open() as opened, monkeypatch.context() as patch:
            patch.setattr(sys, "stdin", opened)
            for name, value in (environment or {}).items():
                patch.setenv(name, value)
            code = main_inside(*arguments)
        stdout, stderr = capfdbinary.readouterr()
        return Result(stdout.decode(), stderr.decode(), code)

    return start


@pytest.fixture
def live(tmp_path):
    """The program with a stdin that stays open: ``live("allocate", "--flops", "-")``."""
    started: list[Live] = []

    def start(*arguments: str) -> Live:
        started.append(Live(arguments, tmp_path, _environment()))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.fixture
def terminal(tmp_path):
    """The program inside this process, with a real terminal of some width; line ends are those of a file."""

    def start(*arguments: str, columns: int = 80, environment: dict[str, str] | None = None) -> Result:
        size = struct.pack("HHHH", 40, columns, 0, 0)
        printed = run_in_terminal(*arguments, folder=tmp_path, size=size, environment=environment)
        return _result(printed._replace(stdout=printed.stdout.replace(b"\r\n", b"\n")))

    return start


@pytest.fixture
def terminal_of_its_own(tmp_path):
    """Like ``terminal``, as a process: for what is settled when Python starts."""

    def start(*arguments: str, columns: int = 80, environment: dict[str, str] | None = None) -> Result:
        screen, keyboard = pty.openpty()
        fcntl.ioctl(keyboard, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = subprocess.Popen(
            [*PROGRAM, *arguments],
            stdin=keyboard,
            stdout=keyboard,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=_environment(environment),
        )
        os.close(keyboard)
        shown = b""
        with contextlib.suppress(OSError):  # Linux ends a terminal whose last user has gone with an error
            while chunk := os.read(screen, 65_536):
                shown += chunk
        os.close(screen)
        assert process.stderr is not None
        with process.stderr:
            stderr = process.stderr.read()
        return Result(shown.decode().replace("\r\n", "\n"), stderr.decode(), process.wait(STUCK))

    return start


@pytest.fixture(scope="session")
def configs():
    """The folder of examples."""
    return ROOT / "configs"


@pytest.fixture
def own(tmp_path):
    """A folder of presets with one of each kind, and the environment that names it."""
    folder = tmp_path / "presets"
    for kind, text in TEXTS.items():
        (folder / kind).mkdir(parents=True)
        (folder / kind / f"{IDS[kind]}.yaml").write_text(text, encoding="utf-8")
    return folder
