"""Model documents (``scaleplan.model/1``) to catalogue models.

A shipped model's shape and run stand in a second YAML document of its file, which lists and comparisons never read:
they are read when first asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

from scaleplan.errors import UsageError, quoted
from scaleplan.specs import presets
from scaleplan.specs.presets import looks_like_path
from scaleplan.specs.values import Value, weakest

if TYPE_CHECKING:
    from scaleplan.compute.transformer import Transformer
    from scaleplan.specs.published_runs import PublishedRun
    from scaleplan.specs.shapes import SourcedShape

FIELDS = ("params", "params_active", "params_nonembedding", "tokens", "train_flop")


class Details(NamedTuple):
    """What is known of a model beyond its size and training: its shape, and the run that trained it."""

    shape: SourcedShape | None
    run: PublishedRun | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueModel:
    """A model. ``values`` holds those of ``FIELDS`` that are known; the others were never published.

    ``params`` counts all parameters, ``params_active`` those that a token passes through in a mixture of experts.
    ``details`` reads the rest.
    """

    id: str
    name: str
    organisation: str
    announced: str
    values: Mapping[str, Value]
    mixture_of_experts: bool
    note: str | None
    attribution: str | None
    details: Callable[[], Details] = field(repr=False, compare=False)

    @property
    def sourced_shape(self) -> SourcedShape | None:
        """Its shape with status and source; ``None`` where it is not known."""
        return self.details().shape

    @property
    def shape(self) -> Transformer | None:
        """Its shape; ``None`` where it is not known."""
        found = self.details().shape
        return None if found is None else found.transformer

    @property
    def run(self) -> PublishedRun | None:
        """The run that trained it; ``None`` where nothing of it was published."""
        return self.details().run

    @property
    def year(self) -> int:
        """The year of its announcement."""
        return int(self.announced[:4])

    @property
    def flop_6nd(self) -> Value | None:
        """6 N D, N the parameters that a token passes through; ``None`` where N or D was never published."""
        size = "params_active" if self.mixture_of_experts else "params"
        N, D = self.values.get(size), self.values.get("tokens")
        if N is None or D is None:
            return None
        return Value(
            value=6 * N.value * D.value, status=weakest((N.status, D.status)), source=f"computed: 6 x {size} x tokens"
        )

    @property
    def published_over_6nd(self) -> Value | None:
        """The FLOPs named for it over 6 N D, which they may or may not be; ``None`` where a part is unknown."""
        named, counted = self.values.get("train_flop"), self.flop_6nd
        if named is None or counted is None:
            return None
        return Value(
            value=named.value / counted.value,
            status=weakest((named.status, counted.status)),
            source="computed: train_flop / flop_6nd",
        )

    def number(self, field: str) -> float | None:
        """The number of a field, ``None`` where it was never published."""
        value = self.values.get(field)
        return None if value is None else value.value


def load_model(name: str) -> CatalogueModel:
    """A catalogue model by id or alias, or the model of a file by its path.

    Raises:
        UsageError: no such model, with the nearest names.
        InputFileError: the file cannot be used.
    """
    return build_model(model_data(name))


def model_data(name: str) -> dict[str, Any]:
    """The data of a model by id, alias or path; of a shipped one without its shape and run.

    Raises:
        UsageError: no such model, with the nearest names.
        InputFileError: the file cannot be used.
    """
    if looks_like_path(name):
        from scaleplan.specs.own_presets import read_own

        return read_own(name, "models").data
    return presets.read("models", name, whole=False).data


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
        InputFileError: a user's own model, or his folder of them, is not as it must be.
    """
    if sort not in SORT_KEYS:
        raise UsageError(f"cannot sort by {quoted(sort)}; it takes {', '.join(SORT_KEYS)}")
    models = [
        model
        for model in (build_model(document.data) for document in presets.read_all("models", whole=False))
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
        name: Value(value=float(raw["value"]), status=raw["status"], source=raw["source"])
        for name, raw in ((name, data.get(name)) for name in FIELDS)
        if raw is not None
    }
    own = "shape" in data or "run" in data
    return CatalogueModel(
        id=data["id"],
        name=data["name"],
        organisation=data["organisation"],
        announced=str(data["announced"]),
        values=values,
        mixture_of_experts=bool(data.get("mixture_of_experts")) or "params_active" in values,
        note=data.get("note"),
        attribution=data.get("attribution"),
        details=partial(_details, data) if own else partial(_shipped_details, data["id"]),
    )


@cache
def _shipped_details(model: str) -> Details:
    """Those of a shipped model; none of a user's, whose file is read as one."""
    if not presets.is_shipped("models", model):
        return Details(None, None)
    return _details(presets.read("models", model).data)


def _details(data: Mapping[str, Any]) -> Details:
    from scaleplan.specs.published_runs import build_run
    from scaleplan.specs.shapes import build_shape

    shape, run = data.get("shape"), data.get("run")
    return Details(
        shape=None if shape is None else build_shape(shape),
        run=None if run is None else build_run(run),
    )
