"""The verb ``forecast``: where a run is going."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scaleplan.errors import InputFileError, Notice, UsageError
from scaleplan.forecasting.collapse import Collapse, Final, collapse
from scaleplan.forecasting.forecast import forecast as forecast_loss
from scaleplan.forecasting.ladder_curves import LadderRun, same_shape
from scaleplan.forecasting.outcome import RunForecast, arrival
from scaleplan.forecasting.plan_check import Ahead, PlanCheck, against_law
from scaleplan.forecasting.readings import Readings, last_of_each
from scaleplan.forecasting.result import FinishedRun, Forecast
from scaleplan.forecasting.row_order import without_abandoned
from scaleplan.forecasting.schedule_shapes import SHAPES
from scaleplan.forecasting.schedules import Schedule, disagreement
from scaleplan.forecasting.smoothing import Curve, sound_curve
from scaleplan.forecasting.watch import Watcher, WatchSettings
from scaleplan.laws.law import Law
from scaleplan.specs.files import shown
from scaleplan.specs.laws import Laws, resolve_laws
from scaleplan.specs.numbers import Number, fraction, scalar
from scaleplan.specs.schedule_words import Words
from scaleplan.specs.schedules import Planned, require_whole, schedule_of
from scaleplan.specs.training_logs import TrainingLog, read_log

_FAR = 1.8
"""Our choice: losses of runs of one kind, at the same steps, are within this factor from 70M to 12B
parameters (25M to 400M of one recipe: 1.24); losses a byte or a character are beyond it."""
_NEAR = 1.35
"""Our choice: further apart than sizes a factor of 16 from each other, and worth a word."""
_BITS = 1 / math.log(2)
_CLOSE = 0.03
"""Our choice: a factor that is that of bits to within this and moves by less along the curve is the unit's; that of a
smaller model moves (25M to 400M: 5 %)."""
_MOST_STEPS = 1e15
"""Our choice: a thousand times the tokens of any run, for whoever counts those as steps."""
_LATE = 0.2
"""Our choice: a log that begins after this share of its last step is of a run that was continued."""
_SPOIL = ("divergence", "spike", "nan", "stall")
"""What makes the loss now another than the run's, where it lasts."""
_ENDED = 0.98
"""Our choice: logs and schedules may leave out the last few rows."""
_SHARES = np.linspace(0.3, 1.0, 8)
"""Of what was seen, where the factor is taken."""
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
    donors = _others(log, donors)
    read = read_log(log, form=form, columns=columns, run=run)
    readings, of_rows = _readings(read)
    total, planned = _planned(read, readings, total_steps, total_tokens, schedule, Words(**words))
    own = sound_curve(readings, read.name)
    found = [_donor(each, read, own, total, columns, any_loss=any_loss) for each in donors]
    ready = [donor for donor, _ in found]
    made = forecast_loss(readings, total, planned and planned.schedule, ready, level=coverage, name=read.name)
    warnings = [
        *of_rows,
        *_log_notices(read),
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


def _others(log: str | os.PathLike[str], donors: Sequence[str | os.PathLike[str]]) -> list[str | os.PathLike[str]]:
    """The donors, each once.

    Raises:
        UsageError: the run as its own donor, or one that is given twice.
    """
    seen = [os.fspath(log)]
    for each in donors:
        path = os.fspath(each)
        for known in seen:
            if path == known or (os.path.exists(path) and os.path.exists(known) and os.path.samefile(path, known)):  # noqa: PTH110, PTH121
                what = "that is the run itself" if known == seen[0] else "that donor is given twice"
                raise UsageError(f"--donor {shown(path)}: {what}; a donor is another run, finished")
        seen.append(path)
    return list(donors)


def _readings(read: TrainingLog) -> tuple[Readings, list[Notice]]:
    """The training rows that count, or those of evaluations where there are no others, and what was left out."""
    if not read.step.size:
        if not read.eval_step.size:
            raise InputFileError(f"{read.name}: no row has both a step and a loss")
        return Readings(step=read.eval_step, loss=read.eval_loss), []
    rows, left = without_abandoned(read.written)
    said = [
        Notice(
            "restart", f"{read.name}: went back to step {step:,.0f}; {count:,} rows of what was left behind not used."
        )
        for step, count in left
    ]
    negative = rows.step < 0
    if negative.any():
        said.append(Notice("negative_steps", f"{read.name}: {int(negative.sum()):,} rows of steps below 0, left out."))
        rows = rows.part(~negative)
    if not left and not bool((rows.step[1:] > rows.step[:-1]).all()):
        step, places = last_of_each(rows.step, np.arange(float(len(rows))))
        if len(step) < len(rows) or (len(step) > 1 and (np.diff(rows.step) <= 0).any()):
            rows = rows.part(places.astype(np.intp))
    return rows, said


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


def _donor(
    path: str | os.PathLike[str],
    run: TrainingLog,
    mine: Curve,
    total: float,
    columns: Mapping[str, str] | None,
    *,
    any_loss: bool,
) -> tuple[FinishedRun, tuple[Notice, ...]]:
    """A finished run, and what there is to say of it.

    Raises:
        InputFileError: no log, one of a run that has not ended, or one that looks like another tokeniser or unit.
    """
    read = read_log(path, columns=columns)
    own, of_rows = _readings(read)
    curve = sound_curve(own, read.name)
    last, planned = float(curve.step[-1]), read.fact("total_steps")
    whole = float(own.step[-1]) if planned is None else max(planned, float(own.step[-1]))
    if last < _ENDED * whole:
        raise InputFileError(
            f"{read.name}: a donor has finished, and its last finite loss is at step {last:,.0f} of {whole:,.0f}"
        )
    notices = [] if any_loss else list(_same_unit(read, curve, run, mine, total))
    try:
        schedule = Schedule.of_readings(own, name=read.name)
    except UsageError as error:
        raise InputFileError(error.message) from None
    if schedule is None:
        text = f"{read.name}: logs no learning rate; its schedule is taken to have the shape of the run's."
        notices.append(Notice("donor_schedule", text))
    elif schedule.final >= schedule.peak:
        text = f"{read.name}: its learning rate never falls, so that it tells nothing of a decay."
        notices.append(Notice("donor_schedule", text))
    elif schedule.total_steps < _ENDED * last:
        raise InputFileError(
            f"{read.name}: its learning rate ends at step {schedule.total_steps:,.0f} of {last:,.0f}; leave the column "
            "out, or complete it"
        )
    return FinishedRun(read.name, own, schedule), (*of_rows, *_log_notices(read), *notices)


def _same_unit(read: TrainingLog, theirs: Curve, run: TrainingLog, mine: Curve, total: float) -> tuple[Notice, ...]:
    """Ask about a donor of another tokeniser or unit of loss; a notice of one that is near that.

    Raises:
        InputFileError: it looks like one.
    """
    words = run.fact("vocabulary"), read.fact("vocabulary")
    if words[0] is not None and words[1] is not None and words[0] != words[1]:
        raise InputFileError(
            f"{read.name}: vocabulary {words[1]:.0f}, the run's is {words[0]:.0f}: losses a token of two tokenisers do "
            "not compare; --any-loss takes it all the same"
        )
    steps = _SHARES * min(float(mine.step[-1]), float(theirs.step[-1]))
    shares = _SHARES * float(mine.step[-1]) / total
    at_steps = theirs.loss_at(steps) / mine.loss_at(steps)
    at_shares = theirs.loss_at(shares * float(theirs.step[-1])) / mine.loss_at(shares * total)
    # Steps may be of other lengths, and shares of runs of other lengths: what is alike by either is alike.
    factors = min(at_steps, at_shares, key=lambda each: abs(math.log(float(np.median(each)))))
    factor = float(np.median(factors))
    for name, unit in (("bits", _BITS), ("nats, and the run's are bits", 1 / _BITS)):
        if abs(factor / unit - 1) < _CLOSE and float(np.ptp(factors)) < _CLOSE * factor:
            raise InputFileError(
                f"{read.name}: its losses are {factor:.3f} of the run's all along: they look like {name}; --any-loss "
                "takes it all the same"
            )
    if not 1 / _FAR < factor < _FAR:
        raise InputFileError(
            f"{read.name}: its losses are {factor:.2f} of the run's at the same point: another unit or "
            "tokeniser? --any-loss takes it all the same"
        )
    if not 1 / _NEAR < factor < _NEAR:
        text = (
            f"{read.name}: its losses are {factor:.2f} of the run's at the same point: is it of a very different size, "
            "or in bits (1.44 nats)?"
        )
        return (Notice("donor_level", text),)
    return ()


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


def _log_notices(read: TrainingLog) -> list[Notice]:
    found = list(read.notices)
    bad = int((~np.isfinite(read.loss)).sum())
    if bad:
        found.append(Notice("not_finite", f"{read.name}: {bad:,} losses that are no finite number, left out."))
    if read.unreadable:
        found.append(Notice("unreadable", f"{read.name}: {read.unreadable:,} lines could not be read, left out."))
    return found


def _schedule_notices(read: TrainingLog, readings: Readings, planned: Planned | None) -> list[Notice]:
    if planned is None:
        return []
    off = disagreement(planned.schedule, readings) if planned.schedule.peak != 1 else None
    own = [] if off is None else [Notice("schedule_differs", f"{read.name}: {off}")]
    return [*planned.notices, *own]
