"""The headings of a budget file: what may be spent and where, limits."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from scaleplan.compute.bill import Extra
from scaleplan.compute.expert_counts import MOST_EXPERTS
from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.specs.conditions import BUDGETS, READERS, Conditions, check_budget, extra
from scaleplan.specs.document import Flop, Loss, Strict
from scaleplan.specs.headings import (
    ABOVE_ZERO,
    COUNT,
    PART,
    SHARE,
    Beside,
    LookUp,
    accelerator,
    fleet,
    number_or_text,
    said,
    unknown_words,
    word,
)
from scaleplan.specs.limits import FIXED, LimitWords, clashes
from scaleplan.specs.limits import READERS as LIMIT_READERS

if TYPE_CHECKING:
    from scaleplan.specs.yaml12 import Document


def _given(name: str) -> dict[str, Any]:
    """The JSON Schema of a mapping in which a key stands that is not empty."""
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}


class BudgetSpec(Strict):
    """What may be spent, one of flops, loss, days, gpu_hours, usd; and where and how it is spent."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [_given(name) for name in BUDGETS]})

    flops: Flop | None = Field(None, description="Training FLOPs, as the first law counts them.")
    loss: Loss | None = Field(None, description="The loss to reach [nats/token], in the first law's measure.")
    days: Annotated[float | None, said(READERS["days"]), number_or_text(ABOVE_ZERO, 60, "8 weeks")] = Field(
        None, description="The time that the cluster named by `on` is there for [days]."
    )
    gpu_hours: Annotated[float | None, said(READERS["gpu_hours"]), number_or_text(ABOVE_ZERO, 3e6, "3M")] = Field(
        None, description="Accelerator-hours of the kind named by `on`."
    )
    usd: Annotated[float | None, said(READERS["usd"]), number_or_text(ABOVE_ZERO, 5e6, "$5M")] = Field(
        None, description="Money [USD], at `price` an accelerator-hour."
    )
    on: Annotated[str | None, said(READERS["on"]), word("2048xh100-sxm", "h100-sxm")] = Field(
        None, description="An accelerator, or so many of them."
    )
    precision: Annotated[str | None, said(READERS["precision"]), word("bf16", "fp8")] = Field(
        None, description="Of the matrix products; bf16 where left out."
    )
    mfu: Annotated[float | None, said(READERS["mfu"]), number_or_text(PART, 0.4, "40%")] = Field(
        None, description="Model FLOPs utilisation, 6 N a token; estimated where left out."
    )
    goodput: Annotated[float | None, said(READERS["goodput"]), number_or_text(PART, 0.85)] = Field(
        None, description="The share of paid hours that moves the run on; 0.85 where left out."
    )
    price: Annotated[float | None, said(READERS["price"]), number_or_text(ABOVE_ZERO, 2.5, "$2.5")] = Field(
        None, description="USD an accelerator-hour."
    )
    watts: Annotated[float | None, said(READERS["watts"]), number_or_text(ABOVE_ZERO, 700)] = Field(
        None, description="Average power of an accelerator with its share of the host [W]."
    )
    pue: Annotated[str | None, said(READERS["pue"]), number_or_text(COUNT, 1.1, "google")] = Field(
        None, description="Power of the site over that of its machines: a number, or a fleet."
    )
    grid: Annotated[str | None, said(READERS["grid"]), number_or_text({"minimum": 0}, 0.37, "usa")] = Field(
        None, description="Emissions of its energy: kg CO2e/kWh, or a country."
    )
    water: Annotated[float | None, said(READERS["water"]), number_or_text({"minimum": 0}, 1.8)] = Field(
        None, description="Water of its energy [l/kWh]."
    )
    network: Annotated[float | None, said(READERS["network"]), number_or_text(ABOVE_ZERO, 400)] = Field(
        None, description="Network between nodes, an accelerator, one way [Gbit/s]."
    )
    batch: Annotated[float | None, said(READERS["batch"]), number_or_text(COUNT, 4e6, "4M")] = Field(
        None, description="Tokens of a step."
    )
    context: Annotated[float | None, said(READERS["context"]), number_or_text(COUNT, 8192)] = Field(
        None, description="Tokens of a sequence."
    )
    cluster: Annotated[str | None, said(READERS["cluster"]), word("hgx-h100", "nvl72")] = Field(
        None, description="The type of cluster, for the share of its links that collectives reach."
    )
    evaluation: Annotated[Extra | None, said(extra), number_or_text(SHARE, 0.02, "2%", "20k gpu-hours")] = Field(
        None, description="Evaluation beside the run: a share of its hours, or accelerator-hours."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> BudgetSpec:
        given = [name for name in BUDGETS if getattr(self, name) is not None]
        if len(given) != 1:
            late = "; a deadline is limits: {deadline_days: 30}" if "days" in given else ""
            raise ValueError(f"needs exactly one of {', '.join(BUDGETS)} (got {' and '.join(given) or 'none'}){late}")
        try:
            check_budget(self.conditions)
        except UsageError as error:
            raise ValueError(error.message) from None
        return self

    @property
    def conditions(self) -> Conditions:
        """What the file says of the cluster."""
        named = {name: getattr(self, name) for name in READERS if name in BudgetSpec.model_fields}
        return Conditions(**{name: value for name, value in named.items() if value is not None})


_EXPERTS = {"minimum": 1, "maximum": MOST_EXPERTS, "multipleOf": 1}


def _limit(key: str) -> BeforeValidator:
    return said(LIMIT_READERS[key])


class LimitsSpec(Strict):
    """Limits on the plan."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"max_epochs": ["unique_tokens"]},
            "allOf": [{"not": {"required": list(pair)}} for pair in combinations(FIXED, 2)],
        }
    )

    max_params: Annotated[float | None, _limit("max_params"), number_or_text(COUNT, 7e10, "70B")] = Field(
        None, description="At most so many parameters, embeddings counted."
    )
    min_params: Annotated[float | None, _limit("min_params"), number_or_text(COUNT, 7e10, "70B")] = Field(
        None, description="At least so many parameters, embeddings counted."
    )
    params: Annotated[float | None, _limit("params"), number_or_text(COUNT, 7e10, "70B")] = Field(
        None, description="The parameters, fixed."
    )
    tokens: Annotated[float | None, _limit("tokens"), number_or_text(COUNT, 1.5e12, "1.5T")] = Field(
        None, description="The training tokens, fixed."
    )
    tokens_per_param: Annotated[float | None, _limit("tokens_per_param"), number_or_text(ABOVE_ZERO, 20)] = Field(
        None, description="Training tokens a parameter, fixed."
    )
    unique_tokens: Annotated[float | None, _limit("unique_tokens"), number_or_text(COUNT, 1.5e12, "1.5T")] = Field(
        None, description="Tokens that there are, before any is repeated."
    )
    max_epochs: Annotated[float | None, _limit("max_epochs"), number_or_text(COUNT, 4)] = Field(
        None, description="How often a unique token may be seen at most."
    )
    memory: Annotated[float | Literal["fit"] | None, _limit("memory"), word("fit", "80GB", "64GiB")] = Field(
        None, description="The run must fit it: fit, what the accelerator of `on` has, or a size for each."
    )
    deadline_days: Annotated[float | None, _limit("deadline_days"), number_or_text(ABOVE_ZERO, 90, "12 weeks")] = Field(
        None, description="By when all of the bill must be done [days]; it decides how many accelerators."
    )
    max_usd: Annotated[float | None, _limit("max_usd"), number_or_text(ABOVE_ZERO, 8e6, "$8M")] = Field(
        None, description="At most so much money [USD], at the price of an accelerator-hour."
    )
    max_mwh: Annotated[float | None, _limit("max_mwh"), number_or_text(ABOVE_ZERO, 4000, "4 GWh")] = Field(
        None, description="At most so much energy [MWh], that of the site counted."
    )
    batch: Annotated[Literal["critical"] | None, _limit("batch"), WithJsonSchema({"const": "critical"})] = Field(
        None, description="critical: a batch at or below the critical one."
    )
    experts: Annotated[float | Literal["free"] | None, _limit("experts"), number_or_text(_EXPERTS, 8, "free")] = Field(
        None, description="Experts of a mixture: their number, or free, to be planned too."
    )

    @model_validator(mode="after")
    def _no_clash(self) -> LimitsSpec:
        found: list[Any] = [
            {"type": "value_error", "loc": (clash.key,), "ctx": {"error": ValueError(clash.text)}}
            for clash in clashes(self.words)
        ]
        if found:
            # Each under its own key, so that it is told with the line of that key.
            raise ValidationError.from_exception_data("limits", found)
        return self

    @property
    def words(self) -> LimitWords:
        """As flags give them."""
        return LimitWords(**{key: getattr(self, key) for key in LimitWords._fields})


def unknown_budget_words(document: Document, budget: Any, beside: Beside) -> list[str]:
    """The accelerator, precision, grid and fleet of a document's ``budget`` that are not known, one problem each.

    Whether the accelerator has the precision and a price is asked later: the command line may name others.
    """
    problems = unknown_words(document, "budget", budget, _LOOK_UPS, beside)
    return problems or _without_number(document, cast("dict[str, Any]", budget) if isinstance(budget, dict) else {})


def _without_number(document: Document, budget: dict[str, Any]) -> list[str]:
    """A time of an accelerator without how many of it."""
    on = budget.get("on")
    if "days" not in budget or not isinstance(on, str):
        return []
    from scaleplan.specs.accelerators import cluster

    if cluster(on)[0] is not None:
        return []
    return [f"{document.where(('budget', 'on'))}: budget.on: days of how many {on}? Write 512x{on}"]


def _precision(name: str, _: Beside) -> None:
    from scaleplan.specs.accelerators import FLOATS

    if name.strip().lower() not in FLOATS:
        raise UsageError(f"unknown precision {quoted(name)}.{nearest(name, FLOATS)} There are {', '.join(FLOATS)}")


def _grid(name: str, _: Beside) -> None:
    from scaleplan.specs.energy import grid

    grid(name)


def _cluster(name: str, _: Beside) -> None:
    from scaleplan.specs.calibration import cluster_types

    known = cluster_types()
    if name.strip() not in known:
        text = f"unknown type of cluster {quoted(name)}.{nearest(name, known)}"
        raise UsageError(f"{text} There are {', '.join(known)}")


_LOOK_UPS: Mapping[str, LookUp] = {
    "on": accelerator,
    "precision": _precision,
    "grid": _grid,
    "pue": fleet,
    "cluster": _cluster,
}
