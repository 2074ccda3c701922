"""Progress of long work: on a terminal only, not for work that is soon done, and gone at the end."""

import io
from types import SimpleNamespace

import pytest

from scaleplan.views import progress
from scaleplan.views.progress import progress_on_stderr


class Screen(io.StringIO):
    def __init__(self, terminal=True):
        super().__init__()
        self._terminal = terminal

    def isatty(self):
        return self._terminal


@pytest.fixture(name="screen")
def _screen(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=screen))
    return screen


@pytest.fixture(name="clock")
def _clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(("terminal", "quiet"), [(False, False), (True, True), (False, True)])
def test_nobody_is_told_where_nobody_looks(monkeypatch, terminal, quiet):
    screen = Screen(terminal)
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=screen))
    with progress_on_stderr("resamples", quiet=quiet) as show:
        assert show is None
    assert screen.getvalue() == ""


def test_short_work_stays_silent(screen, clock):
    with progress_on_stderr("resamples", quiet=False) as show:
        clock[0] += 0.99
        show(1000, 1000)
    assert screen.getvalue() == ""


def test_long_work_is_told_in_place_and_cleared(screen, clock):
    with progress_on_stderr("resamples", quiet=False) as show:
        clock[0] += 2.0
        show(1000, 5000)
        assert screen.getvalue() == "\r1,000 of 5,000 resamples, 8 s left \x1b[K"
        clock[0] += 0.1
        show(1100, 5000)  # too soon after the last
        assert "1,100" not in screen.getvalue()
        clock[0] += 0.05
        show(5000, 5000)  # the last is told at once
        assert "5,000 of 5,000 resamples, 0 s left" in screen.getvalue()
    assert screen.getvalue().endswith("left \x1b[K\r\x1b[K")
    assert "\n" not in screen.getvalue()


def test_the_line_is_cleared_when_work_fails(screen, clock):
    def work():
        with progress_on_stderr("resamples", quiet=False) as show:
            clock[0] += 2.0
            show(0, 5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert screen.getvalue().endswith("\r\x1b[K")
    assert "0 of 5" in screen.getvalue()
