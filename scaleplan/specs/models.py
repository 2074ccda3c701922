"""Model documents (``scaleplan.model/1``) to catalogue models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaleplan.errors import UsageError
from scaleplan.specs import presets

FIELDS = ("params", "params_active", "params_nonembedding", "tokens", "train_flop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """A number with its source.

    ``status`` is ``published`` (checked against the source named, which may be a collection), ``unverified`` (not
    checked), ``estimate`` (somebody else's estimate), ``rumour`` (never disclosed by the developer) or ``derived``
    (computed here).
    """

    value: float
    status: str
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModel:
    """A model. ``values`` holds those of ``FIELDS`` that are known; the others were never published.

    ``params`` counts all parameters, ``params_active`` those that a token passes through in a mixture of experts.
    """

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


SORT_KEYS = ("announced", "params", "tokens", "train_flop", "model")


def list_models(
    *,
    year: int | None = None,
    organisation: str | None = None,
    min_params: float | None = None,
    sort: str = "announced",
) -> tuple[CatalogueModel, ...]:
    """Catalogue models, oldest first unless sorted otherwise.

    Args:
        year: only those announced in it.
        organisation: only those whose organisation has this in its name, upper or lower case.
        min_params: only those of at least so many parameters; a size that was never published does not count.
        sort: one of ``SORT_KEYS``; numbers largest first, those without one last.

    Raises:
        UsageError: an unknown sort key.
    """
    if sort not in SORT_KEYS:
        raise UsageError(f"cannot sort by {sort!r}; it takes {', '.join(SORT_KEYS)}")
    models = [
        model
        for model in (load_model(name) for name in presets.ids("models"))
        if (year is None or model.year == year)
        and (organisation is None or organisation.lower() in model.organisation.lower())
        and (min_params is None or (model.number("params") or 0.0) >= min_params)
    ]
    if sort in FIELDS:
        return tuple(sorted(models, key=lambda model: (-(model.number(sort) or 0.0), model.id)))
    return tuple(sorted(models, key=lambda model: model.id if sort == "model" else f"{model.announced} {model.id}"))


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
