"""Where a run is going, as a table: the final loss, how it was found, how it stands beside what was planned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scaleplan import units
from scaleplan.views.table import Grid, Table, band, count, loss, notes, share
from scaleplan.views.watching import event_row

if TYPE_CHECKING:
    from scaleplan.forecasting.collapse import Collapse
    from scaleplan.forecasting.outcome import RunForecast
    from scaleplan.forecasting.result import Forecast, Line

COLUMNS = (
    "log",
    "step",
    "total_steps",
    "share",
    "loss_now",
    "loss",
    "loss_low",
    "loss_high",
    "refused",
    "days_left",
    "ends",
    "promised_loss",
    "status",
    "gap",
    "gap_share",
    "compute_lost_share",
    "compute_lost_flop",
    "collapse",
    "collapse_left_step",
)
_STATUS = {"on_track": "on track", "above_band": "above the band", "below_band": "below the band"}
_WAYS = {
    "last": "loss now",
    "law": "annealing law",
    "law+": "annealing law: its fall from now",
    "recent": "annealing law, later half",
    "recent+": "later half: its fall from now",
    "ratio": "as {} fell",
    "template": "as {} fell, stretched",
    "multi": "multi-power law",
    "multi+": "multi-power law: its fall from now",
    "power": "power law of steps",
}
_PAST = {
    "last": "end of the curve",
    "M1": "power law of steps",
    "M2": "power law with a floor",
    "M3": "power law with a bend",
    "M4": "sigmoid power law",
}
"""By the names of ``forecasting.extrapolation``."""
_SHOWN = 0.005
"""Our choice: ways of less weight are not shown to people, only counted."""


def forecast_table(run: RunForecast) -> Table:
    """The forecast in one row; its curve, donors, ways and events among the inputs."""
    return Table(
        verb="forecast",
        inputs=_inputs(run),
        columns=COLUMNS,
        rows=[_row(run)],
        warnings=run.warnings,
        grids=lambda: _grids(run),
    )


def _row(run: RunForecast) -> dict[str, Any]:
    made, plan, ladder = run.forecast, run.plan, run.collapse
    worth = None if plan is None else plan.same_size or plan.best_split
    arrival = run.arrival
    return {
        "log": run.log,
        "step": made.step,
        "total_steps": made.total_steps,
        "share": made.step / made.total_steps,
        "loss_now": made.now,
        "loss": made.loss,
        "loss_low": made.loss_low,
        "loss_high": made.loss_high,
        "refused": made.refused,
        "days_left": None if arrival is None else arrival.days,
        "ends": None if arrival is None or arrival.date is None else arrival.date.isoformat(timespec="seconds"),
        "promised_loss": None if plan is None else float(plan.promised.loss),
        "status": None if plan is None else plan.status,
        "gap": None if plan is None else plan.gap,
        "gap_share": None if plan is None else plan.gap_share,
        "compute_lost_share": None if worth is None else worth.lost_share,
        "compute_lost_flop": None if worth is None else worth.lost_flop,
        "collapse": None if ladder is None else ladder.verdict,
        "collapse_left_step": None if ladder is None else ladder.left_step,
    }


def _inputs(run: RunForecast) -> dict[str, Any]:
    made = run.forecast
    return {
        "log": run.log,
        "format": run.format,
        "schedule": run.schedule,
        "level": made.level,
        "decay_worth": {"mean": made.gain.mean, "sd": made.gain.sd},
        "ways": [each._asdict() for each in made.ways],
        "earlier": [each._asdict() for each in made.earlier],
        "events": [event_row(each) for each in run.events],
        "curve": _points(made.ahead),
        "seen": _points(made.seen),
        "donors": [{"name": name, "curve": _points(line)} for name, line in made.donors],
        "collapse": None if run.collapse is None else _collapse_series(run.collapse),
    }


def _points(line: Line) -> list[dict[str, float]]:
    columns = {"step": line.step, "loss": line.loss, "loss_low": line.low, "loss_high": line.high}
    names = [name for name, column in columns.items() if column is not None]
    values = [column.tolist() for column in columns.values() if column is not None]
    return [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]


def _collapse_series(ladder: Collapse) -> dict[str, Any]:
    named = {"fraction": ladder.fraction, "template": ladder.template, "low": ladder.low, "high": ladder.high}
    series = {name: values.tolist() for name, values in named.items()}
    run = [None if value != value else value for value in ladder.run.tolist()]  # noqa: PLR0124 - NaN alone differs
    return {
        "ladder": list(ladder.ladder),
        "left_out": list(ladder.left_out),
        "floor": ladder.floor,
        **series,
        "run": run,
    }


def _grids(run: RunForecast) -> list[Grid]:
    made = run.forecast
    grids = [_main(run)]
    if made.refused is not None:
        grids.append(notes("no point forecast", [made.refused]))
    if made.ways:
        grids.append(_ways_grid(made))
    if made.earlier:
        grids.append(_earlier_grid(made))
    if run.plan is not None:
        grids.append(notes("against the plan", [run.plan.text]))
    if run.collapse is not None:
        grids.append(notes("against the ladder", [_collapse_text(run.collapse)]))
    if run.events:
        kinds = ", ".join(f"{each.kind} at step {count(each.step)}" for each in run.events[-5:])
        more = f" and {len(run.events) - 5} before" if len(run.events) > 5 else ""
        grids.append(notes("events so far", [f"{kinds}{more}; `scaleplan watch` says more"]))
    return grids


def _main(run: RunForecast) -> Grid:
    made = run.forecast
    word = "range, from full decay to a learning rate held" if made.refused else f"{100 * made.level:g}% band"
    rows = [
        ("made at step", f"{made.step:,.0f} of {made.total_steps:,.0f} ({share(made.step / made.total_steps)})"),
        ("loss now", loss(made.now)),
        ("final loss", "-" if made.loss is None else loss(made.loss)),
        (word, band(made.loss_low, made.loss_high, loss)),
    ]
    if run.arrival is not None:
        date = "" if run.arrival.date is None else f", {run.arrival.date:%Y-%m-%d %H:%M} UTC"
        rows.append(("reached", f"in {run.arrival.days:.1f} days{date}"))
    if run.schedule is not None:
        rows.append(("schedule", run.schedule))
    return Grid(title=f"forecast of {run.log}", headers=("", ""), rows=rows, numeric=(False, False))


def _ways_grid(made: Forecast) -> Grid:
    shown = [each for each in made.ways if each.weight >= _SHOWN]
    rows = [
        (
            _way(each.way, made),
            loss(each.loss),
            "-" if each.error is None else f"{100 * each.error:.2f}%",
            share(each.weight),
        )
        for each in shown
    ]
    left = len(made.ways) - len(shown)
    note = "error: expected of the final loss, by back-test on this run's past and on the donors."
    if made.refused is not None:
        note = "these hold only if the learning rate goes on as it did; error: of ln L in back-tests on the run's past."
    if left:
        note += f" {left} more of under {100 * _SHOWN:g}% each."
    return Grid(
        title="how it was found" if made.refused is None else "by its past alone",
        headers=("way", "loss", "error", "weight"),
        rows=rows,
        numeric=(False, True, True, True),
        note=note,
    )


def _way(name: str, made: Forecast) -> str:
    kind, _, place = name.partition(":")
    if kind == "past":
        return _PAST[place]
    return _WAYS[kind].format(made.donors[int(place)][0].rpartition("/")[2]) if place else _WAYS[kind]


def _earlier_grid(made: Forecast) -> Grid:
    rows = [
        (f"{each.step:,.0f}", loss(each.forecast), f"{100 * (each.forecast / each.actual - 1):+.2f}%")
        for each in made.earlier
    ]
    return Grid(
        title="what it would have said before of the loss now",
        headers=("at step", "loss", "off by"),
        rows=rows,
        numeric=(True, True, True),
    )


def _collapse_text(ladder: Collapse) -> str:
    names = ", ".join(ladder.ladder)
    if ladder.verdict == "leaves" and ladder.left_step is not None:
        at = f"step {units.count(ladder.left_step)} ({share(ladder.left_at or 0)})"
        where = f"{ladder.side} the ladder's curve since {at}"
        return f"leaves: {where}; ladder of {names}"
    return f"{ladder.verdict.replace('_', ' ')} the normalised curve of {names}"
