"""Models as tables: the catalogue, and one model with the source of each number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaleplan.specs.models import FIELDS, CatalogueModel
from scaleplan.specs.presets import aliases_of
from scaleplan.specs.values import Value
from scaleplan.views.marks import LEGEND, marked
from scaleplan.views.table import Grid, Row, Table, count, flop, notes

_LISTED = ("params", "params_active", "tokens", "train_flop")
_COMPUTED = ("flop_6nd", "published_over_6nd")
_MARKED = ("params", "tokens", "train_flop", *_COMPUTED)
_MIXTURE = "MoE"
MODELS_COLUMNS = (
    "model",
    "name",
    "organisation",
    "announced",
    "mixture_of_experts",
    *_LISTED,
    *_COMPUTED,
    *(f"{field}_status" for field in _MARKED),
    "params_active_status",
)
MODEL_COLUMNS = ("field", "value", "status", "source")
_ACTIVE_IS = f"of it: what each token passes in a mixture of experts, {_MIXTURE} where that was never published"
_OVER_IS = "/6ND: FLOP over 6 N D, N active in a mixture of experts; above 1 where more than 6ND was counted"


def models_table(models: Sequence[CatalogueModel]) -> Table:
    """Every model, one a row; what was never published is absent."""
    rows = [_row(model) for model in models]

    def grids() -> list[Grid]:
        grid = Grid(
            title=f"models ({LEGEND}, - never published)",
            headers=("model or alias", "year", "N", "of it", "D", "FLOP", "/6ND"),
            rows=[_cells(row) for row in rows],
            numeric=(False, False, True, True, True, True, True),
            note=f"{_ACTIVE_IS}; {_OVER_IS}",
        )
        return [grid]

    attribution = sorted({model.attribution for model in models if model.attribution})
    inputs = {"attribution": attribution}
    return Table(verb="models", inputs=inputs, columns=MODELS_COLUMNS, rows=rows, warnings=(), grids=grids)


def model_table(model: CatalogueModel) -> Table:
    """One model, a row a field; of its shape and its run the table shows what is known, the rows every field."""
    from scaleplan.views.model_details import detail_grids, run_rows, shape_rows

    values = {field: model.values.get(field) for field in FIELDS} | _computed(model)
    rows: list[dict[str, Any]] = [
        {"field": field, "value": None, "status": "unpublished", "source": None}
        if value is None
        else {"field": field, "value": value.value, "status": value.status, "source": value.source}
        for field, value in values.items()
    ]
    inputs = {
        "model": model.id,
        "aliases": list(aliases_of("models", model.id)),
        "name": model.name,
        "organisation": model.organisation,
        "announced": model.announced,
        "mixture_of_experts": model.mixture_of_experts,
        "note": model.note,
        "attribution": model.attribution,
        **_run_inputs(model),
    }
    shape, run = shape_rows(model), run_rows(model)
    cells = [(row["field"], _written(row["field"], row["value"]), row["status"], row["source"] or "-") for row in rows]
    grids = [
        Grid(
            title=f"{model.name} ({model.organisation}, {model.announced})",
            headers=("field", "value", "status", "source"),
            rows=cells,
            numeric=(False, True, False, False),
        ),
        *detail_grids(model, shape, run),
        *([notes("notes", said)] if (said := [text for text in _notes(model) if text]) else []),
    ]
    every = [*rows, *shape, *run]
    return Table(verb="models", inputs=inputs, columns=MODEL_COLUMNS, rows=every, warnings=(), grids=lambda: grids)


def _run_inputs(model: CatalogueModel) -> dict[str, Any]:
    """What is said of a run without a number."""
    run = model.run
    return {
        "hardware": None if run is None else run.hardware,
        "accelerator": None if run is None else run.accelerator,
        "mfu_scope": None if run is None else run.mfu_scope,
        "hfu_scope": None if run is None else run.hfu_scope,
        "pue_included": None if run is None else run.pue_included,
        "co2_pue_included": None if run is None else run.co2_pue_included,
        "run_note": None if run is None else run.note,
    }


def _notes(model: CatalogueModel) -> list[str | None]:
    return [model.note, None if model.run is None else model.run.note, model.attribution]


def _computed(model: CatalogueModel) -> dict[str, Value | None]:
    return {"flop_6nd": model.flop_6nd, "published_over_6nd": model.published_over_6nd}


def _row(model: CatalogueModel) -> dict[str, Any]:
    values = {field: model.values.get(field) for field in _LISTED} | _computed(model)
    statuses = {field: "unpublished" if value is None else value.status for field, value in values.items()}
    return {
        "model": model.id,
        "name": model.name,
        "organisation": model.organisation,
        "announced": model.announced,
        "mixture_of_experts": model.mixture_of_experts,
        **{field: None if value is None else value.value for field, value in values.items()},
        **{f"{field}_status": statuses[field] for field in _MARKED},
        "params_active_status": statuses["params_active"] if model.mixture_of_experts else None,
    }


def _cells(row: Row) -> tuple[str, ...]:
    numbers = [
        marked(_written(field, row[field]), row[f"{field}_status"])
        for field in ("params", "tokens", "train_flop", "published_over_6nd")
    ]
    active = marked(_written("params_active", row["params_active"]), row["params_active_status"])
    of_it = "" if not row["mixture_of_experts"] else _MIXTURE if active == "-" else active
    called = ", ".join((row["model"], *aliases_of("models", row["model"])))
    return (called, row["announced"][:4], numbers[0], of_it, *numbers[1:])


def _written(field: str, value: float | None) -> str:
    """A number of a field for reading."""
    if field == "published_over_6nd":
        return "-" if value is None else f"{value:.2f}"
    return flop(value) if field in ("train_flop", "flop_6nd") else count(value)
