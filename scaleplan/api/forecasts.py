"""The verb ``forecast``: where a run is going."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scaleplan.api.donors import read_donor, require_others
from scaleplan.api.run_rows import log_notices, rows_that_count
from scaleplan.errors import Notice, UsageError
from scaleplan.forecasting.collapse import Collapse, Final, collapse
from scaleplan.forecasting.forecast import forecast as forecast_loss
from scaleplan.forecasting.ladder_curves import LadderRun, same_shape
from scaleplan.forecasting.outcome import RunForecast, arrival
from scaleplan.forecasting.plan_check import Ahead, PlanCheck, against_law
from scaleplan.forecasting.readings import Readings
from scaleplan.forecasting.result import FinishedRun, Forecast
from scaleplan.forecasting.schedule_shapes import SHAPES
from scaleplan.forecasting.schedules import Schedule, disagreement
from scaleplan.forecasting.smoothing import sound_curve
from scaleplan.forecasting.watch import Watcher, WatchSettings
from scaleplan.laws.law import Law
from scaleplan.specs.laws import Laws, resolve_laws
from scaleplan.specs.numbers import Number, fraction, scalar
from scaleplan.specs.schedule_words import Words
from scaleplan.specs.schedules import Planned, require_whole, schedule_of
from scaleplan.specs.training_logs import TrainingLog, read_log

_MOST_STEPS = 1e15
"""Our choice: a thousand times the tokens of any run, for whoever counts those as steps."""
_LATE = 0.2
"""Our choice: a log that begins after this share of its last step is of a run that was continued."""
_SPOIL = ("divergence", "spike", "nan", "stall")
"""What makes the loss now another than the run's, where it lasts."""
_LADDER = 3
"""The collapse check is made from so many donors of one shape on; with two it can hardly ever tell."""


def forecast(
    log: str | os.PathLike[str],
    *,
    total_steps: Number | None = None,
    total_tokens: Number | None = None,
    schedule: str | os.PathLike[str] | Schedule | None = None,
    donors: Sequence[str | os.PathLike[str]] = (),
    law: Laws = None,
    params: Number | None = None,
    level: float | str = 0.95,
    any_loss: bool = False,
    form: str | None = None,
    columns: Mapping[str, str] | None = None,
    run: str | None = None,
    **words: Any,
) -> RunForecast:
    """Where a run is going: its final loss with a band, and how that compares with what was planned.

    Args:
        log: of the run so far, in any format that ``read_log`` takes; ``-`` is standard input.
        total_steps: of the whole run; of the schedule's file or the log where left out.
        total_tokens: in its place, by the tokens that the log counts; or beside it, for ``law``.
        schedule: the planned learning rate: a file with step and lr, or cosine, wsd, linear, constant, inverse-sqrt.
        donors: logs of finished runs.
        law: what the final loss is compared with, together with ``params``.
        params: of the run, embeddings counted.
        level: coverage of the bands.
        any_loss: take donors although their losses look like another unit or tokeniser.
        form: of the log, detected where left out.
        columns: our names to the log's: ``{"loss": "train/ce"}``.
        run: which run, of a log of several.
        words: of a named schedule: ``warm_up``, ``peak``, ``floor``, ``decay``, ``decay_share``.

    Raises:
        UsageError: words that are none, or do not go together.
        InputFileError: a file that cannot be used.
    """
    coverage = fraction(level)
    require_others(log, donors)
    read = read_log(log, form=form, columns=columns, run=run)
    readings, of_rows = rows_that_count(read)
    total, planned = _planned(read, readings, total_steps, total_tokens, schedule, Words(**words))
    own = sound_curve(readings, read.name)
    found = [read_donor(each, read, own, total, columns, any_loss=any_loss) for each in donors]
    ready = [donor for donor, _ in found]
    made = forecast_loss(readings, total, planned and planned.schedule, ready, level=coverage, name=read.name)
    warnings = [
        *of_rows,
        *log_notices(read),
        *_late_notices(read, readings, schedule),
        *_schedule_notices(read, readings, planned),
    ]
    warnings += [notice for _, notices in found for notice in notices]
    warnings += made.warnings
    if made.refused is not None:
        warnings.append(Notice("no_point", f"{read.name}: no point forecast: {made.refused}."))
    chosen = _law(law, params)
    plan = None if chosen is None else _against(made, chosen, params, _tokens(read, readings, total, total_tokens))
    if plan is not None:
        warnings += plan.warnings
    watcher = Watcher(WatchSettings(total_steps=max(total, float(readings.step[-1]))))
    watcher.feed(read.written)
    events = tuple(watcher.close())
    warnings += [
        Notice("event_open", f"{read.name}: {each.kind} since step {each.step:,.0f}: the forecast takes it as it is.")
        for each in events
        if each.end is None and each.kind in _SPOIL
    ]
    return RunForecast(
        log=read.name,
        format=read.format,
        forecast=made,
        schedule=None if planned is None else planned.schedule.text,
        arrival=arrival(readings, total),
        plan=plan,
        collapse=_collapsed(read.name, readings, total, planned, ready, made, chosen),
        events=events,
        warnings=tuple(warnings),
    )


def _late_notices(read: TrainingLog, readings: Readings, schedule: object) -> list[Notice]:
    """A word on a log that begins in the middle, where a schedule's name counts from step 0."""
    first, last = float(readings.step[0]), float(readings.step[-1])
    if not isinstance(schedule, str) or _is_file(schedule) or first <= _LATE * last:
        return []
    text = (
        f"{read.name}: begins at step {first:,.0f}; --schedule {schedule} counts from step 0. A file says it as it is."
    )
    return [Notice("begins_late", text)]


def _planned(
    read: TrainingLog,
    readings: Readings,
    total_steps: Number | None,
    total_tokens: Number | None,
    schedule: str | os.PathLike[str] | Schedule | None,
    words: Words,
) -> tuple[float, Planned | None]:
    """The steps of the whole run, and the schedule.

    Raises:
        UsageError: the steps are not known.
    """
    total = None if total_steps is None else scalar("--total-steps", total_steps, "tokens")
    known = isinstance(schedule, Schedule) or _is_file(schedule)
    if total is None and total_tokens is not None and not known:
        total = scalar("--total-tokens", total_tokens, "tokens") / _tokens_a_step(read, readings)
    if total is None and not isinstance(schedule, Schedule):
        total = _said(read, schedule)
    if schedule is None:
        given = [f"--{name.replace('_', '-')}" for name, value in words._asdict().items() if value is not None]
        if given:
            raise UsageError(f"{given[0]}: says something of a schedule; name it with --schedule")
        planned = None
    else:
        planned = schedule_of(schedule, words, total_steps=total, log=readings)
        total = planned.schedule.total_steps
        require_whole(planned.schedule, float(readings.step[-1]))
    if total is None:
        raise UsageError("--total-steps is needed, or --total-tokens, or a --schedule file: how long is the run?")
    if not total < _MOST_STEPS:
        raise UsageError(f"--total-steps {total:.10g}: no run has so many; below {_MOST_STEPS:g}")
    if total < float(readings.step[-1]):
        raise UsageError(
            f"--total-steps {total:.10g}: {read.name} is at step {readings.step[-1]:.10g} already; give the steps of "
            "the whole planned run"
        )
    return total, planned


def _said(read: TrainingLog, schedule: str | os.PathLike[str] | None) -> float | None:
    """What the log says of its total steps, where no schedule file says it."""
    said = read.fact("total_steps")
    return None if _is_file(schedule) or said is None or said < 1 else said


def _is_file(schedule: str | os.PathLike[str] | Schedule | None) -> bool:
    """Whether a schedule is a file's, which says how long the run is."""
    return isinstance(schedule, os.PathLike) or (
        isinstance(schedule, str) and schedule.strip().lower().replace("_", "-") not in SHAPES
    )


def _tokens_a_step(read: TrainingLog, readings: Readings) -> float:
    if readings.tokens is not None:
        known = np.isfinite(readings.tokens) & (readings.step > 0) & (readings.tokens > 0)
        if known.any():
            return float(readings.tokens[known][-1] / readings.step[known][-1])
    raise UsageError(f"--total-tokens: {read.name} counts no tokens; give --total-steps")


def _tokens(read: TrainingLog, readings: Readings, total: float, total_tokens: Number | None) -> float:
    if total_tokens is not None:
        return scalar("--total-tokens", total_tokens, "tokens")
    try:
        return total * _tokens_a_step(read, readings)
    except UsageError:
        raise UsageError(
            f"--law: {read.name} counts no tokens, so that the law cannot say what was promised; give --total-tokens"
        ) from None


def _law(law: Laws, params: Number | None) -> Law | None:
    if law is None and params is None:
        return None
    if law is None or params is None:
        raise UsageError("--law and --params go together: the law says what was promised for a run of that size")
    laws = resolve_laws(law, ())
    if len(laws) != 1:
        raise UsageError(f"--law: one law says what was promised (got {len(laws)})")
    return laws[0]


def _against(made: Forecast, law: Law, params: Number | None, tokens: float) -> PlanCheck | None:
    if made.loss is None or params is None:
        return None
    ahead = Ahead(made.loss, made.loss_low, made.loss_high)
    return against_law(ahead, law, scalar("--params", params, "params"), tokens, level=made.level)


def _collapsed(
    name: str,
    readings: Readings,
    total: float,
    planned: Planned | None,
    donors: Sequence[FinishedRun],
    made: Forecast,
    law: Law | None,
) -> Collapse | None:
    """The collapse check, where there are three finished runs or more of one shape of schedule."""
    if made.loss is None or planned is None:
        return None
    run = LadderRun(name, readings.step, readings.loss, total, planned.schedule)
    used = {each for each, _ in made.donors}
    ladder = [
        LadderRun(each.name, each.readings.step, each.readings.loss, float(each.readings.step[-1]), each.schedule)
        for each in donors
        if each.name in used
    ]
    if sum(same_shape(run, each) for each in ladder) < _LADDER:
        return None
    final = Final(made.loss, made.loss_low, made.loss_high)
    floor = None if law is None or law.surface is None else getattr(law.surface, "floor", None)
    least = min([made.loss, *(float(np.nanmin(each.loss)) for each in ladder)])
    return collapse(run, final, ladder, floor=floor if floor is not None and floor < least else None, level=made.level)


def _schedule_notices(read: TrainingLog, readings: Readings, planned: Planned | None) -> list[Notice]:
    if planned is None:
        return []
    off = disagreement(planned.schedule, readings) if planned.schedule.peak != 1 else None
    own = [] if off is None else [Notice("schedule_differs", f"{read.name}: {off}")]
    return [*planned.notices, *own]
