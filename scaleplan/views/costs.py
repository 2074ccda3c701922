"""The bill of a run as a table: its lines, the speed behind them, and every assumption with its source."""

from __future__ import annotations

from typing import Any

from scaleplan.compute.bill import Assumption, Line, Span, value_of
from scaleplan.compute.costing import MFU_IS, Costing
from scaleplan.compute.layout import Layout, in_words
from scaleplan.views.marks import by_number, digits, marked
from scaleplan.views.table import Grid, Table, count, flop, notes

COST_COLUMNS = (
    "line",
    "gpu_hours",
    "gpu_hours_low",
    "gpu_hours_high",
    "days",
    "days_low",
    "days_high",
    "cost_usd",
    "cost_usd_low",
    "cost_usd_high",
    "energy_mwh",
    "co2_t",
    "water_m3",
    "accelerator",
    "accelerators",
    "precision",
    "model",
    "params",
    "params_active",
    "tokens",
    "train_flop",
    "mfu",
    "mfu_low",
    "mfu_high",
    "tokens_per_second",
)
"""Keys of each row; ``rows[0]`` is the total."""


_KEYS = {"context": "context_parallel", "micro_batch": "micro_batch_sequences"}
"""What ``layout`` calls degrees whose own names mean something else beside them."""


def costing_table(costing: Costing) -> Table:
    """The bill of one run."""
    rows = [_row(costing, line) for line in (costing.bill.total, *costing.bill.lines)]
    return Table(
        verb="cost",
        inputs=costing_inputs(costing),
        columns=COST_COLUMNS,
        rows=rows,
        warnings=costing.warnings,
        grids=lambda: costing_grids(costing),
    )


def costing_inputs(costing: Costing) -> dict[str, Any]:
    """Everything that a bill took for granted, for ``inputs``."""
    layout, step = costing.speed.layout, costing.speed.step_seconds
    return {
        "conditions": costing.conditions,
        "assumptions": [each._asdict() for each in costing.assumptions],
        "mfu_is": MFU_IS,
        "layout": None if layout is None else layout_values(layout),
        "step_seconds": None if step is None else step.value,
        "batch_tokens": costing.speed.batch_tokens,
        "goodput": costing.rates.goodput,
    }


def layout_values(layout: Layout) -> dict[str, Any]:
    """The degrees of a layout by name."""
    degrees = ("tensor", "pipeline", "data", "context", "expert", "interleave", "zero", "micro_batch")
    values = {_KEYS.get(name, name): int(getattr(layout, name)) for name in degrees}
    return values | {"recompute": layout.recompute.value}


def costing_row(costing: Costing) -> dict[str, Any]:
    """The total of a bill in the names used everywhere, to stand behind a plan."""
    row = _row(costing, costing.bill.total)
    keys = ("accelerator", "accelerators", "mfu", "days", "gpu_hours", "cost_usd", "energy_mwh", "co2_t")
    return {key: row[key] for key in keys}


def costing_grids(costing: Costing) -> list[Grid]:
    """What a person reads of a bill."""
    return [bill_grid(costing), speed_grid(costing), *_assumption_grids(costing.assumptions)]


def _row(costing: Costing, line: Line) -> dict[str, Any]:
    run, speed = costing.workload, costing.speed
    cluster = costing.accelerators
    days = None if cluster is None else line.gpu_hours.times(1 / (24 * cluster))
    whole_run = line.name in ("total", "training")
    return {
        "line": line.name,
        **_ends("gpu_hours", line.gpu_hours),
        **_ends("days", days),
        **_ends("cost_usd", line.cost_usd),
        "energy_mwh": value_of(line.energy_mwh),
        "co2_t": value_of(line.co2_t),
        "water_m3": value_of(line.water_m3),
        "accelerator": costing.part.id,
        "accelerators": cluster,
        "precision": costing.part.precision,
        "model": run.name,
        "params": run.params_total if whole_run else None,
        "params_active": run.params if whole_run else None,
        "tokens": run.tokens if whole_run else None,
        "train_flop": run.train_flop if whole_run else None,
        **_ends("mfu", speed.mfu if whole_run else None),
        "tokens_per_second": None if cluster is None or not whole_run else speed.tokens_per_second.value * cluster,
    }


def _ends(name: str, span: Span | None) -> dict[str, float | None]:
    if span is None:
        return dict.fromkeys((name, f"{name}_low", f"{name}_high"))
    if span.low == span.high:
        return {name: span.value, f"{name}_low": None, f"{name}_high": None}
    return {name: span.value, f"{name}_low": span.low, f"{name}_high": span.high}


def bill_grid(costing: Costing) -> Grid:
    """The lines of a bill and their sum."""
    run, cluster = costing.workload, costing.accelerators
    where = f"{costing.part.id}, {costing.part.precision}"
    moe = "" if run.params == run.params_total else f" ({count(run.params)} a token)"
    many = f"{cluster:,} x " if cluster is not None else ""
    headers = ("", "GPU-hours", "days", "USD", "MWh", "t CO2e", "m3 water")
    lines = [*costing.bill.lines, costing.bill.total]
    dry = all(line.water_m3 is None for line in lines)
    unseen = {name for name, gone in (("m3 water", dry), ("days", cluster is None)) if gone}
    kept = [i for i, header in enumerate(headers) if header not in unseen]
    rows = [[_line_cells(costing, line)[i] for i in kept] for line in lines]
    return Grid(
        title=f"{run.name}: {count(run.params_total)} parameters{moe}, {count(run.tokens)} tokens, "
        f"{flop(run.train_flop)} FLOP on {many}{where}",
        headers=[headers[i] for i in kept],
        rows=rows,
        numeric=[i > 0 for i in kept],
        note=_money_note(costing),
    )


def _line_cells(costing: Costing, line: Line) -> list[str]:
    cluster = costing.accelerators
    days = None if cluster is None else line.gpu_hours.value / (24 * cluster)
    return [
        line.name,
        hours(line.gpu_hours.value),
        digits(days, figures=3),
        "-" if line.cost_usd is None else money(line.cost_usd.value),
        _amount(value_of(line.energy_mwh)),
        _amount(value_of(line.co2_t)),
        _amount(value_of(line.water_m3)),
    ]


def _amount(value: float | None) -> str:
    """An amount of energy, emissions or water; a million and more with its suffix."""
    return digits(value) if value is None or value < 1e6 else count(value)


def hours(value: float) -> str:
    """Accelerator-hours, four figures: 82.43K, 2.788M."""
    return count(value) if value >= 1000 else digits(value)


def money(value: float) -> str:
    """A sum [USD], four figures with its suffix: $5M, $61.22K."""
    return f"${count(value)}" if value >= 1000 else f"${value:.2f}"


def _money_note(costing: Costing) -> str | None:
    total, price = costing.bill.total, costing.rates.price
    parts: list[str] = []
    if total.cost_usd is not None and price is not None and price.low != price.high:
        low, high = money(total.cost_usd.low), money(total.cost_usd.high)
        parts.append(f"total {low} to {high} over the indicative prices, ${price.low:g} to ${price.high:g} an hour")
    if total.gpu_hours.low != total.gpu_hours.high:
        span = f"{hours(total.gpu_hours.low)} to {hours(total.gpu_hours.high)}"
        parts.append(f"GPU-hours {span} by the error of the step time alone")
    return "; ".join(parts) or None


def speed_grid(costing: Costing) -> Grid:
    """How fast the run goes, and by which layout."""
    speed, cluster = costing.speed, costing.accelerators
    mfu = f"{100 * speed.mfu.value:.1f}%"
    if speed.mfu.low != speed.mfu.high:
        mfu += f" ({100 * speed.mfu.low:.1f} to {100 * speed.mfu.high:.1f})"
    rows = [("model FLOPs utilisation", mfu)]
    rows.append(("tokens a second, each", digits(speed.tokens_per_second.value)))
    if cluster is not None:
        rows.append(("tokens a second, all", count(speed.tokens_per_second.value * cluster)))
    if speed.layout is not None and speed.step_seconds is not None and speed.batch_tokens is not None:
        rows.append(("a step", f"{digits(speed.step_seconds.value)} s for {count(speed.batch_tokens)} tokens"))
        rows.append(("layout", in_words(speed.layout)))
    return Grid(title="speed", headers=("", ""), rows=rows, numeric=(False, False), note=f"utilisation: {MFU_IS}")


def _assumption_grids(assumptions: tuple[Assumption, ...]) -> list[Grid]:
    numbers, sources = by_number([each.source if each.source != "given" else None for each in assumptions])
    rows = [
        (each.name, _written(each), each.unit, each.status, number)
        for each, number in zip(assumptions, numbers, strict=True)
    ]
    grid = Grid(
        title="assumptions",
        headers=("", "value", "unit", "status", "source"),
        rows=rows,
        numeric=(False, True, False, False, True),
    )
    return [grid, *([notes("sources", sources)] if sources else [])]


def _written(each: Assumption) -> str:
    if each.value is None or isinstance(each.value, str):
        return each.value or "-"
    if each.value >= 1e15:
        return flop(each.value)
    return marked(count(each.value) if each.value >= 1e6 else digits(each.value), each.status)
