"""Events printed one by one, as they come."""

from __future__ import annotations

import csv
import io
import json
import sys
from typing import TYPE_CHECKING, Literal, TypeAlias

from scaleplan.views.screen import clean
from scaleplan.views.table import loss
from scaleplan.views.watching import EVENT_COLUMNS, event_row, size, steps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scaleplan.forecasting.events import Event
    from scaleplan.forecasting.watch import WatchSummary

_ENDS = {
    "diverged": "diverged",
    "finished": "reached its last step",
    "idle": "stands still",
    "end": "ended",
    None: "interrupted",
}
LineFormat: TypeAlias = Literal["table", "ndjson", "csv"]
"""The formats in which an event is a line of its own."""


class EventPrinter:
    """Prints events on standard output, each at once: a line of text, a JSON object, or a row of CSV."""

    def __init__(self, form: LineFormat) -> None:
        self._form = form
        if form == "csv":
            self._put(_csv_line(EVENT_COLUMNS))

    def show(self, event: Event) -> None:
        """Print an event."""
        if self._form == "table":
            self._put(_fitted(event_line(event)))
            return
        row = event_row(event)
        if self._form == "ndjson":
            self._put(json.dumps(row, ensure_ascii=False, allow_nan=False))
        else:
            self._put(_csv_line(["" if row[key] is None else row[key] for key in EVENT_COLUMNS]))

    def _put(self, line: str) -> None:
        sys.stdout.buffer.write(f"{line}\n".encode("utf-8", "surrogateescape"))
        sys.stdout.buffer.flush()


def event_line(event: Event) -> str:
    """An event on a line: where, what, how large, what was seen and what to do."""
    head = f"step {steps(event.step)}  {event.kind}  {size(event)}"
    if event.end is not None:
        return f"{head}  over at step {steps(event.end)}: {event.detail}"
    return f"{head}  {event.detail.rstrip('.')}. {event.advice}"


def following_line(log: str, form: str, summary: WatchSummary) -> str:
    """What is known once all that was there is read."""
    if not summary.rows:
        return f"{log}: {'no rows' if form else 'nothing'} so far; waiting for more, Ctrl-C ends it"
    return f"{log} ({form}): {so_far(summary, None)}; following, Ctrl-C ends it"


def ended_line(
    log: str, ended: str | None, summary: WatchSummary, total_steps: float | None, kinds: Mapping[str, int]
) -> str:
    """How it ended, and what was seen."""
    events = ", ".join(f"{number:,} {kind}" for kind, number in kinds.items()) or "no events"
    return f"{log}: {_ENDS[ended]}; {so_far(summary, total_steps)}; {events}"


def so_far(summary: WatchSummary, total_steps: float | None) -> str:
    """Where the run is."""
    if not summary.rows:
        return "no rows"
    of = "" if total_steps is None else f" of {steps(total_steps)}"
    rows = "1 row" if summary.rows == 1 else f"{summary.rows:,} rows"
    return f"{rows} to step {steps(summary.last_step)}{of}, loss {loss(summary.loss)}"


def _csv_line(values: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)  # pyright: ignore[reportArgumentType]
    return text.getvalue()


def _fitted(line: str) -> str:
    """A line for standard output: for a terminal broken between words to its width."""
    line = clean(line)
    if not sys.stdout.isatty():
        return line
    import shutil
    import textwrap

    width = max(20, shutil.get_terminal_size().columns)
    return textwrap.fill(line, width, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False)
