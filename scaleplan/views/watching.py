"""What a watch found as tables: the events of a log, the runs of a folder."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any

from scaleplan import units
from scaleplan.specs.durations import in_words
from scaleplan.views.table import Grid, Table, loss, notes, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scaleplan.forecasting.events import Event
    from scaleplan.forecasting.watch import WatchSummary
    from scaleplan.specs.watched import Watch, WatchedFolder, WatchedRun

EVENT_COLUMNS = ("step", "kind", "seen", "end", "size", "unit", "detail", "advice")
RUN_COLUMNS = (
    "run",
    "status",
    "diverged",
    "format",
    "step",
    "total_steps",
    "share",
    "loss",
    "events",
    "last_kind",
    "last_step",
    "quiet_s",
    "log",
)


def event_row(event: Event) -> dict[str, Any]:
    """An event as data; a size that is not finite is absent."""
    row = event._asdict()
    return {key: _finite(value) if isinstance(value, float) else value for key, value in row.items()}


def watch_table(watch: Watch) -> Table:
    """The events of a log, by step."""
    return Table(
        verb="watch",
        inputs=_inputs(watch),
        columns=EVENT_COLUMNS,
        rows=[event_row(event) for event in watch.events],
        warnings=watch.warnings,
        grids=lambda: _grids(watch),
    )


def folder_table(folder: WatchedFolder) -> Table:
    """The runs of a folder, one a row."""
    return Table(
        verb="watch",
        inputs={"folder": folder.folder, **folder.settings},
        columns=RUN_COLUMNS,
        rows=[_run_row(each) for each in folder.runs],
        warnings=folder.warnings,
        grids=lambda: [_folder_grid(folder)],
    )


def _inputs(watch: Watch) -> dict[str, Any]:
    summary = {key: _finite(value) for key, value in watch.summary._asdict().items()}
    return {
        "log": watch.log,
        "format": watch.format,
        **watch.settings,
        "total_steps": watch.total_steps,
        "summary": {
            **summary,
            "status": watch.status,
            "diverged": watch.diverged,
            "share": watch.share,
            "quiet_s": watch.quiet,
        },
    }


def _run_row(run: WatchedRun) -> dict[str, Any]:
    watch = run.watch
    last = watch.events[-1] if watch.events else None
    return {
        "run": run.run,
        "status": watch.status,
        "diverged": watch.diverged,
        "format": watch.format,
        "step": _finite(watch.summary.last_step),
        "total_steps": watch.total_steps,
        "share": watch.share,
        "loss": _finite(watch.summary.loss),
        "events": dict(Counter(event.kind for event in watch.events)),
        "last_kind": None if last is None else last.kind,
        "last_step": None if last is None else last.step,
        "quiet_s": watch.quiet,
        "log": watch.log,
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _grids(watch: Watch) -> list[Grid]:
    head = notes(f"{watch.log}: {watch.status}", summary_lines(watch))
    if not watch.events:
        return [head]
    return [head, _event_grid(watch.events), notes("advice", _advice(watch.events))]


def summary_lines(watch: Watch) -> list[str]:
    """A log in a few lines."""
    summary = watch.summary
    of = "" if watch.total_steps is None else f" of {steps(watch.total_steps)} ({share(watch.share)})"
    rows = "1 row" if summary.rows == 1 else f"{summary.rows:,} rows"
    lines = [
        f"{watch.format}: {rows}, steps {steps(summary.first_step)} to {steps(summary.last_step)}{of}",
        f"loss {loss(summary.loss)}, the median of the last 15",
    ]
    if watch.quiet is not None and watch.status in ("stalled", "stopped"):
        lines.append(f"nothing was written for {in_words(watch.quiet)}")
    lines += [line for line in (_scores(summary), _order(summary), _pace(summary)) if line]
    return lines


def _scores(summary: WatchSummary) -> str:
    """OLMo's spike scores, where there are enough rows for them."""
    scores = {"loss": summary.spike_score, "gradient norm": summary.grad_spike_score}
    said = [f"{name} {score:.2f} %" for name, score in scores.items() if score is not None]
    return f"spike score (values 7 sd from the mean of 1,000, OLMo 2): {', '.join(said)}" if said else ""


def _order(summary: WatchSummary) -> str:
    """What was odd about the order of rows."""
    counts = {
        "restarts": summary.restarts,
        "steps logged twice": summary.duplicates,
        "rows out of order": summary.out_of_order,
        "gaps": summary.gaps,
        "rows without a step": summary.unreadable,
    }
    said = [f"{number:,} {name}" for name, number in counts.items() if number]
    return f"order of rows: {', '.join(said)}" if said else ""


def _pace(summary: WatchSummary) -> str:
    if summary.steps_per_second is None:
        return ""
    tokens = "" if summary.tokens_per_second is None else f", {units.count(summary.tokens_per_second)} tokens/s"
    pace = summary.steps_per_second
    return f"pace: {units.count(pace)} steps/s{tokens}" if pace >= 1 else f"pace: {1 / pace:.3g} s a step{tokens}"


def _event_grid(events: Sequence[Event]) -> Grid:
    cells = [[steps(each.step), each.kind, size(each), _lasted(each), each.detail] for each in events]
    many = "1 event" if len(events) == 1 else f"{len(events):,} events"
    return Grid(many, ("step", "kind", "size", "lasted", "what was seen"), cells, [True, False, True, True, False])


def _advice(events: Sequence[Event]) -> list[str]:
    """What to do, each once."""
    kinds: dict[str, list[str]] = {}
    for each in events:
        known = kinds.setdefault(each.advice, [])
        if each.kind not in known:
            known.append(each.kind)
    return [f"{', '.join(names)}: {advice}" for advice, names in kinds.items()]


def _folder_grid(folder: WatchedFolder) -> Grid:
    headers = ("run", "status", "step", "done", "loss", "events", "last event")
    cells = [_run_cells(each) for each in folder.runs]
    statuses = Counter(each.watch.status for each in folder.runs)
    many = "1 run" if len(folder.runs) == 1 else f"{len(folder.runs):,} runs"
    said = ", ".join(f"{number:,} {status}" for status, number in statuses.items())
    note = None
    if "stopped" in statuses:
        note = "stopped: nothing written for long, and how many steps there are to be is not known (--total-steps)"
    return Grid(
        f"{folder.folder}: {many}, {said}", headers, cells, [False, False, True, True, True, False, False], note
    )


def _run_cells(run: WatchedRun) -> list[str]:
    watch = run.watch
    counts = Counter(event.kind for event in watch.events)
    last = f"{watch.events[-1].kind} at {steps(watch.events[-1].step)}" if watch.events else "-"
    return [
        run.run,
        watch.status,
        steps(watch.summary.last_step),
        share(watch.share),
        loss(_finite(watch.summary.loss)),
        ", ".join(f"{number} {kind}" for kind, number in counts.items()) or "-",
        last,
    ]


def steps(value: float | None) -> str:
    """A step with all of its digits, or a dash."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.10g}"


def size(event: Event) -> str:
    """The size of an event with its unit."""
    value = event.size
    if not math.isfinite(value):
        return "-"
    if event.unit == "share":
        return share(value)
    if event.unit == "rows":
        return "1 row" if value == 1 else f"{value:,.0f} rows"
    if event.unit == "times":
        return f"{value:.3g}x"
    if event.unit == "s":
        return f"{value:,.0f} s" if value >= 10 else f"{value:.2g} s"
    return f"{value:.3g} {event.unit}"


def _lasted(event: Event) -> str:
    return "open" if event.end is None else steps(event.end - event.step)
