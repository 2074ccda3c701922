"""The shape of a model and the run that trained it, as rows with status and source, and as grids for reading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scaleplan.specs.models import CatalogueModel
from scaleplan.specs.published_runs import RUN_UNITS, PublishedCost
from scaleplan.specs.values import Quantity
from scaleplan.views.marks import by_number, digits
from scaleplan.views.table import Grid, Row, count, notes

_SIZES = ("layers", "width", "heads", "kv_heads", "head_size", "feed_forward", "vocabulary", "context")
_LATER = ("position_matrices", "learned_positions", "norms", "outer_norms")
_MARKS = ("gated", "tied", "biases")
_PARTS = {
    "experts": ("count", "active", "shared", "feed_forward", "dense_layers"),
    "latent": ("query_rank", "key_value_rank", "plain_size", "rotary_size", "value_size"),
    "window": ("tokens", "layers"),
}
_COUNTED = ("shape_params", "shape_params_active")
_BASES = ("rental", "amortised", "authors")
_UNPUBLISHED = {"value": None, "status": "unpublished", "source": None}


def shape_rows(model: CatalogueModel) -> list[dict[str, Any]]:
    """A row a field of the shape and a row a count of it; absent where the shape is not known.

    Experts, latent attention and a window have rows only where a model has them.
    """
    found = model.sourced_shape
    if found is None:
        return [{"field": name, **_UNPUBLISHED} for name in (*_SIZES, *_MARKS, *_LATER, *_COUNTED)]
    shape = found.transformer
    values: dict[str, Any] = {name: getattr(shape, name) for name in (*_SIZES, *_MARKS, *_LATER)}
    for part, names in _PARTS.items():
        if (held := getattr(shape, part)) is not None:
            values |= {f"{part}_{name}": getattr(held, name) for name in names}
    known = {"status": found.status, "source": found.source}
    context = {"status": found.context_status, "source": found.context_source}
    counted = {"status": "derived", "source": "counted from the shape"}
    return [
        *(
            {"field": name, "value": value, **(context if name == "context" else known)}
            for name, value in values.items()
        ),
        *(
            {"field": name, "value": value, **counted}
            for name, value in zip(_COUNTED, (shape.params.total, shape.params.active), strict=True)
        ),
    ]


def run_rows(model: CatalogueModel) -> list[dict[str, Any]]:
    """A row a field of the run, absent where it was never published, and a row a cost."""
    run = model.run
    values: Mapping[str, Quantity] = {} if run is None else run.values
    rows: list[dict[str, Any]] = [
        {"field": field, **_UNPUBLISHED}
        if (value := values.get(field)) is None
        else {"field": field, "value": value.value, "status": value.status, "source": value.source}
        for field in RUN_UNITS
    ]
    costs = () if run is None else run.costs
    return [*rows, *(row for basis in _BASES for row in _cost_rows(basis, [c for c in costs if c.basis == basis]))]


def _cost_rows(basis: str, costs: Sequence[PublishedCost]) -> list[dict[str, Any]]:
    """The costs on one basis: a row a source, the second called ``_2``."""
    name = f"cost_usd_{basis}"
    if not costs:
        return [{"field": name, **_UNPUBLISHED}]
    return [
        {
            "field": name if number == 1 else f"{name}_{number}",
            "value": cost.usd,
            "status": cost.status,
            "source": f"{cost.source}; USD of {cost.date}",
        }
        for number, cost in enumerate(costs, 1)
    ]


def detail_grids(model: CatalogueModel, shape: Sequence[Row], run: Sequence[Row]) -> list[Grid]:
    """The shape and the run for reading: what is known of them, sources by number."""
    told = [row for row in shape if row["value"]]
    known = [row for row in run if row["value"] is not None]
    numbers, sources = by_number([row["source"] for row in (*told, *known)])
    grids = [_grid("shape", told, numbers[: len(told)], "")] if told else []
    if model.run is not None and known:
        grids.append(_grid(f"training run on {model.run.hardware}", known, numbers[len(told) :], _scope(model)))
    return [*grids, notes("sources", sources)] if grids else []


def _grid(title: str, rows: Sequence[Row], numbers: Sequence[str], note: str) -> Grid:
    return Grid(
        title=title,
        headers=("field", "value", "unit", "status", "source"),
        rows=[(row["field"], *_value(row), row["status"], number) for row, number in zip(rows, numbers, strict=True)],
        numeric=(False, True, False, False, True),
        note=note or None,
    )


def _value(row: Row) -> tuple[str, str]:
    """A value and its unit."""
    field, value = row["field"], row["value"]
    if isinstance(value, bool):
        return "yes" if value else "no", "-"
    if field.startswith("cost_usd"):
        return count(value), "USD"
    unit = RUN_UNITS.get(field, "-")
    if field in ("gpu_hours", *_COUNTED):
        return count(value), unit
    return digits(value, figures=8 if unit == "-" else 6), "-" if unit == "1" else unit


def _scope(model: CatalogueModel) -> str:
    """What the numbers of a run are of, where it is known."""
    run = model.run
    if run is None:
        return ""
    said = [f"{name}: {scope}" for name, scope in (("mfu", run.mfu_scope), ("hfu", run.hfu_scope)) if scope]
    if run.pue_included is not None:
        said.append("energy with PUE" if run.pue_included else "energy without PUE")
    if run.co2_pue_included is not None and run.co2_pue_included != run.pue_included:
        said.append("CO2 with PUE" if run.co2_pue_included else "CO2 without PUE")
    return "; ".join(said)
