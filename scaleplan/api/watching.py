"""The verb ``watch``: what goes wrong in a run, from its log as it stands, or as it grows."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan.api.following import EVERY, Follower, quiet_for
from scaleplan.errors import InputFileError, Notice, UsageError, brief
from scaleplan.forecasting.series import Series
from scaleplan.forecasting.watch import FLOOR, Expected, Watcher, WatchSettings
from scaleplan.specs.durations import seconds
from scaleplan.specs.expected_bands import ExpectedBand, read_expected
from scaleplan.specs.files import shown
from scaleplan.specs.log_stream import LogStream
from scaleplan.specs.numbers import whole
from scaleplan.specs.watched import Watch, status_of

if TYPE_CHECKING:
    from scaleplan.forecasting.readings import Readings

IDLE = "30m"
"""Our choice: longer than an evaluation or a checkpoint takes, shorter than a night."""


class Wanted(NamedTuple):
    """What is asked of a watch, resolved."""

    form: str | None
    columns: Mapping[str, str]
    run: str | None
    total_steps: float | None
    warm_up: float | None
    band: ExpectedBand | None
    floor: float
    idle: float

    @property
    def settings(self) -> dict[str, Any]:
        """For the inputs of a result."""
        return {
            "format_in": self.form,
            "columns": dict(self.columns),
            "run": self.run,
            "total_steps": self.total_steps,
            "warm_up_steps": self.warm_up,
            "expected": None if self.band is None else self.band.name,
            "floor": self.floor,
            "idle_s": self.idle,
        }


def watch(path: str | os.PathLike[str], **asked: Any) -> Watch:
    """What a log tells of its run: events, how it stands, and its curve.

    Args:
        path: a log in any format that is read, or the folder of a tool that keeps one there; ``-`` is standard input.
        asked: ``form`` of the log, where it is not seen by itself; ``columns``, ours to the log's
            (``{"loss": "train/ce"}``); ``run`` of a log with several; ``total_steps``, where the log does not say how
            long the run is; ``warm_up`` [steps]; ``expected``, the path of a band that the loss is to be in; ``floor``,
            the least credible loss [nats/token]; ``idle``, after how long without a line it stands still (``"30m"``,
            or seconds).

    Raises:
        UsageError: a word that is not known, or a number that is none.
        InputFileError: the log or the band cannot be used.
    """
    return watched(os.fspath(path), wanted(**asked))


def follow(
    path: str | os.PathLike[str],
    *,
    until_idle: bool = False,
    every: float | str = EVERY,
    ready: Callable[[Follower], None] | None = None,
    tell: Callable[[Notice], None] | None = None,
    **asked: Any,
) -> Follower:
    """The events of a log that goes on being written, as they come.

    Args:
        path: of a log that is written line by line; it may not be there yet.
        until_idle: end when the log stood still for ``idle``; otherwise the end is a divergence or the last step.
        every: how long to wait before looking again (``"1s"``, or seconds).
        ready: called once all that was there before is read.
        tell: called with what there is to say of how the log is read, as it comes up.
        asked: as for ``watch``.

    Raises:
        UsageError: a word that is not known, or a number that is none.
        InputFileError: the log or the band cannot be used.
    """
    name = os.fspath(path)
    resolved = wanted(**asked)
    folder = Path(name).parent
    if name != "-" and not folder.is_dir():
        raise InputFileError(f"{shown(name)}: no such folder as {shown(str(folder))}")
    stream = _stream(name, resolved, wait=True)
    return Follower(
        stream,
        lambda: _watcher(resolved, stream),
        path=None if name == "-" else Path(name),
        total_steps=lambda: _total_steps(resolved, stream),
        idle=resolved.idle,
        until_idle=until_idle,
        every=seconds("every", every),
        ready=ready,
        tell=tell,
    )


def wanted(
    *,
    form: str | None = None,
    columns: Mapping[str, str] | None = None,
    run: str | None = None,
    total_steps: float | str | None = None,
    warm_up: float | str | None = None,
    expected: str | os.PathLike[str] | None = None,
    floor: float | str = FLOOR,
    idle: float | str = IDLE,
) -> Wanted:
    """What is asked, from words and numbers.

    Raises:
        UsageError: a number that is none.
        InputFileError: the band cannot be used.
    """
    return Wanted(
        form=form,
        columns=dict(columns or {}),
        run=run,
        total_steps=None if total_steps is None else _steps("total-steps", total_steps, least=1),
        warm_up=None if warm_up is None else _steps("warm-up", warm_up, least=0),
        band=None if expected is None else read_expected(os.fspath(expected)),
        floor=_floor(floor),
        idle=seconds("idle", idle),
    )


def watched(path: str, asked: Wanted) -> Watch:
    """What a log tells, as ``watch`` does it."""
    quiet = quiet_for(None if path == "-" else Path(path))
    watcher, series = None, Series()
    with _stream(path, asked) as stream:
        for part in _parts(stream):
            watcher = watcher or _watcher(asked, stream)
            watcher.feed(part)
            series.feed(part)
    events = () if watcher is None else tuple(watcher.close())
    if watcher is None or watcher.summary().last_step is None:
        what = (
            "no training loss at a step, which is what is watched" if stream.form else "empty, or no whole line in it"
        )
        raise InputFileError(f"{shown(path)}: {what}; --follow waits for more")
    summary, total_steps = watcher.summary(), _total_steps(asked, stream)
    return Watch(
        log=shown(path),
        format=stream.form,
        events=events,
        summary=summary,
        curve=series.curve(),
        status=status_of(summary, events, total_steps=total_steps, quiet=quiet, idle=asked.idle),
        diverged=watcher.diverged,
        total_steps=total_steps,
        quiet=quiet,
        settings=asked.settings,
        warnings=tuple(stream.notices),
    )


def _stream(path: str, asked: Wanted, *, wait: bool = False) -> LogStream:
    return LogStream(path, form=asked.form, columns=asked.columns, run=asked.run, wait=wait)


def _parts(stream: LogStream) -> Iterator[Readings]:
    """The rows of a log to its end, a last line without an end among them."""
    while (part := stream.read()) is not None:
        yield part
    rest = stream.finish()
    if rest is not None:
        yield rest


def _total_steps(asked: Wanted, stream: LogStream) -> float | None:
    """How long the run is to be: as it was asked, else as its log says."""
    stated = stream.facts.get("total_steps")
    return asked.total_steps or (stated if isinstance(stated, float) and stated > 0 else None)


def _watcher(asked: Wanted, stream: LogStream) -> Watcher:
    """What looks at the rows; to be asked for once some are read, so that the log could say how long the run is."""
    settings = WatchSettings(warm_up=asked.warm_up, total_steps=_total_steps(asked, stream), floor=asked.floor)
    return Watcher(settings, None if asked.band is None else Expected(*asked.band[:3]))


def _steps(name: str, word: float | str, *, least: int) -> float:
    value = whole(name, word)
    if value < least:
        raise UsageError(f"{name} must be at least {least} (got {value})")
    return float(value)


def _floor(word: float | str) -> float:
    try:
        value = float(word)
    except ValueError:
        value = -1.0
    if not 0 <= value < math.inf:
        raise UsageError(f"floor must be a loss in nats/token, 0 or more (got {brief(str(word))})")
    return value
