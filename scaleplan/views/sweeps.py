"""The rows of a sweep, printed as they come."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from scaleplan.errors import UsageError
from scaleplan.planning.sweep import TEXTS
from scaleplan.specs.axes import Axis
from scaleplan.specs.swept import Sweep
from scaleplan.views.inputs import accounting_inputs, law_inputs
from scaleplan.views.table import Grid, Row, Stream, count, flop, loss, ratio

_SHORT = {
    "params": "N", "tokens": "D", "tokens_per_param": "D/N", "train_flop": "FLOP", "params_active": "active N",
    "gpu_hours": "GPU-h", "cost_usd": "USD", "energy_mwh": "MWh", "serving_flop": "served FLOP",
    "lifetime_flop": "all FLOP", "serving_gpu_hours": "served GPU-h", "serving_usd": "served USD",
    "serving_mwh": "served MWh", "lifetime_usd": "all USD",
}  # fmt: skip
"""Headings of people's tables, with their units."""
MOST_READ = 100_000
"""Our choice: a table holds all of its rows, 3 kB each, and nobody reads so many."""
_RATIOS = ("tokens_per_param", "epochs", "days", "mfu", "goodput", "price")


def require_readable(sweep: Sweep, form: str) -> None:
    """Refuse a format that holds all rows, where there are many.

    Raises:
        UsageError: more than ``MOST_READ`` rows, as a table or Markdown.
    """
    if form in ("table", "markdown") and sweep.rows > MOST_READ:
        raise UsageError(
            f"{sweep.rows:,} rows are too many for a {form}, which holds them all (at most {MOST_READ:,}): "
            "--format csv or ndjson prints them as they come"
        )


def sweep_stream(sweep: Sweep) -> Stream:
    """A row a scenario, in the order of the axes, the last one fastest."""
    return Stream(
        verb="sweep",
        inputs=_inputs(sweep),
        columns=sweep.columns,
        blocks=iter(sweep.blocks),
        warnings=sweep.warnings,
        grids_of=partial(_grids, sweep),
    )


def _inputs(sweep: Sweep) -> dict[str, Any]:
    spec = sweep.spec
    return {
        "name": spec.name,
        "file": spec.file,
        "rows": sweep.rows,
        "axes": [_axis_inputs(axis) for axis in spec.axes],
        "held": _held(sweep),
        **accounting_inputs(sweep.accounting),
        "laws": [law_inputs(law) for law in sweep.laws],
    }


def _held(sweep: Sweep) -> dict[str, Any]:
    """What every row has in common, as a budget file has it."""
    held: dict[str, Any] = json.loads(sweep.spec.text)
    for axis in sweep.spec.axes:
        inside: dict[str, Any] = held if axis.heading == "law" else held[axis.heading]
        inside.pop(str(axis.path[-1]), None)
    return {key: value for key, value in held.items() if key not in ("schema", "name") and value != {}}


def _axis_inputs(axis: Axis) -> dict[str, Any]:
    """An axis as a sweep file has it, by its column."""
    span = axis.span
    if span is None:
        return {"column": axis.column, "values": list(axis.values)}
    scale = "linear" if span.linear else "log"
    return {"column": axis.column, "from": span.start, "to": span.stop, "points": span.points, "scale": scale}


def _grids(sweep: Sweep, rows: Sequence[Row]) -> list[Grid]:
    """The rows as a grid, each column written by what it is; an axis goes by its key where nothing else has it.

    Columns without a value are left out, and so are those with the same one in all of several rows, which a note tells.
    """
    axes = {axis.column: axis for axis in sweep.spec.axes}
    keys = [str(axis.path[-1]) for axis in sweep.spec.axes]
    taken = [*keys, *(name for name in sweep.columns if name not in axes)]
    short = {name: key for name, key in zip(axes, keys, strict=True) if taken.count(key) == 1} | _SHORT
    texts = {*TEXTS, *(name for name, axis in axes.items() if isinstance(axis.first, str))}
    write = {name: _text if name in texts else _writer(name) for name in sweep.columns}
    values = {name: {row[name] for row in rows} for name in sweep.columns}
    alike = [name for name in sweep.columns if len(rows) > 1 and len(values[name]) == 1]
    shown = [name for name in sweep.columns if name not in alike and values[name] != {None}]
    said = [f"{short.get(name, name)} {write[name](rows[0][name])}" for name in alike if values[name] != {None}]
    return [
        Grid(
            title=f"{sweep.spec.name or 'sweep'}: {sweep.rows:,} scenarios",
            headers=[short.get(name, name) for name in shown],
            rows=[[write[name](row[name]) for name in shown] for row in rows],
            numeric=[name not in texts for name in shown],
            note=f"In every row: {', '.join(said)}." if said else None,
        )
    ]


def _text(value: str | None) -> str:
    return "-" if value is None else value


def _writer(name: str) -> Callable[[float | None], str]:
    if name.endswith(("flop", "flops")):
        return flop
    if name.endswith("loss"):
        return loss
    return ratio if name.endswith(_RATIOS) else count
