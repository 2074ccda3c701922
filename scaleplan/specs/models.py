"""Model documents (``scaleplan.model/1``) to catalogue models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaleplan.specs import presets

FIELDS = ("params", "params_nonembedding", "tokens", "train_flop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A number with its source.

    ``status`` is ``published`` (checked against the source), ``unverified`` (not checked), ``estimate`` (somebody
    else's estimate) or ``derived`` (computed here).
    """

    value: float
    status: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModel:
    """A published model. ``values`` holds those of ``FIELDS`` that are known; the others were never published."""

    id: str
    name: str
    organisation: str
    announced: str
    values: Mapping[str, Value]
    note: str | None
    attribution: str | None

    @property
    def year(self) -> int:
        """The year of its announcement."""
        return int(self.announced[:4])

    def number(self, field: str) -> float | None:
        """The number of a field, ``None`` where it was never published."""
        value = self.values.get(field)
        return None if value is None else value.value


def load_model(name: str) -> CatalogueModel:
    """A catalogue model by id or alias.

    Raises:
        UsageError: no such model, with the nearest names.
    """
    return build_model(presets.read("models", name).data)


def list_models() -> tuple[CatalogueModel, ...]:
    """Every catalogue model, oldest first."""
    models = (load_model(name) for name in presets.ids("models"))
    return tuple(sorted(models, key=lambda model: (model.announced, model.id)))


def build_model(data: dict[str, Any]) -> CatalogueModel:
    """The model of a document."""
    values = {
        field: Value(value=float(raw["value"]), status=raw["status"], source=raw["source"])
        for field, raw in ((field, data.get(field)) for field in FIELDS)
        if raw is not None
    }
    return CatalogueModel(
        id=data["id"],
        name=data["name"],
        organisation=data["organisation"],
        announced=str(data["announced"]),
        values=values,
        note=data.get("note"),
        attribution=data.get("attribution"),
    )
