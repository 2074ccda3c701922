"""The headings of a budget file: what may be spent and where, limits, pilot runs."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from scaleplan import units
from scaleplan.compute.bill import Extra
from scaleplan.errors import InputFileError, UsageError, nearest, quoted
from scaleplan.specs.conditions import BUDGETS, READERS, Conditions, check_budget, extra
from scaleplan.specs.document import Flop, Loss, Strict
from scaleplan.specs.limits import FIXED, LimitWords, clashes
from scaleplan.specs.limits import READERS as LIMIT_READERS

if TYPE_CHECKING:
    from scaleplan.specs.yaml12 import Document


def _said(read: Callable[[Any], Any]) -> BeforeValidator:
    """A reader of words as a validator of values."""

    def checked(value: Any) -> Any:
        if isinstance(value, (bool, list, dict)) or value is None:
            raise ValueError("must be a number or text")
        try:
            return read(value)
        except UsageError as error:
            raise ValueError(error.message) from None

    return BeforeValidator(checked)


def _number_or_text(*examples: float | str, minimum: float = 0) -> WithJsonSchema:
    number = {"type": "number", "minimum": minimum}
    return WithJsonSchema({"anyOf": [number, {"type": "string", "minLength": 1}], "examples": list(examples)})


def _text(*examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "minLength": 1, "examples": list(examples)})


class BudgetSpec(Strict):
    """What may be spent, one of flops, loss, days, gpu_hours, usd; and where and how it is spent."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [name]} for name in BUDGETS]})

    flops: Flop | None = Field(None, description="Training FLOPs, as the first law counts them.")
    loss: Loss | None = Field(None, description="The loss to reach [nats/token], in the first law's measure.")
    days: Annotated[float | None, _said(READERS["days"]), _number_or_text(60, "8 weeks")] = Field(
        None, description="The time that the cluster named by `on` is there for [days]."
    )
    gpu_hours: Annotated[float | None, _said(READERS["gpu_hours"]), _number_or_text(3e6, "3M")] = Field(
        None, description="Accelerator-hours of the kind named by `on`."
    )
    usd: Annotated[float | None, _said(READERS["usd"]), _number_or_text(5e6, "$5M")] = Field(
        None, description="Money [USD], at `price` an accelerator-hour."
    )
    on: Annotated[str | None, _said(READERS["on"]), _text("2048xh100-sxm", "h100-sxm")] = Field(
        None, description="An accelerator, or so many of them."
    )
    precision: Annotated[str | None, _said(READERS["precision"]), _text("bf16", "fp8")] = Field(
        None, description="Of the matrix products; bf16 where left out."
    )
    mfu: Annotated[float | None, _said(READERS["mfu"]), _number_or_text(0.4, "40%")] = Field(
        None, description="Model FLOPs utilisation, 6 N a token; estimated where left out."
    )
    goodput: Annotated[float | None, _said(READERS["goodput"]), _number_or_text(0.85)] = Field(
        None, description="The share of paid hours that moves the run on; 0.85 where left out."
    )
    price: Annotated[float | None, _said(READERS["price"]), _number_or_text(2.5, "$2.5")] = Field(
        None, description="USD an accelerator-hour."
    )
    watts: Annotated[float | None, _said(READERS["watts"]), _number_or_text(700)] = Field(
        None, description="Average power of an accelerator with its share of the host [W]."
    )
    pue: Annotated[str | None, _said(READERS["pue"]), _number_or_text(1.1, "google")] = Field(
        None, description="Power of the site over that of its machines: a number, or a fleet."
    )
    grid: Annotated[str | None, _said(READERS["grid"]), _number_or_text(0.37, "usa")] = Field(
        None, description="Emissions of its energy: kg CO2e/kWh, or a country."
    )
    water: Annotated[float | None, _said(READERS["water"]), _number_or_text(1.8)] = Field(
        None, description="Water of its energy [l/kWh]."
    )
    network: Annotated[float | None, _said(READERS["network"]), _number_or_text(400)] = Field(
        None, description="Network between nodes, an accelerator, one way [Gbit/s]."
    )
    batch: Annotated[float | None, _said(READERS["batch"]), _number_or_text(4e6, "4M")] = Field(
        None, description="Tokens of a step."
    )
    context: Annotated[float | None, _said(READERS["context"]), _number_or_text(8192)] = Field(
        None, description="Tokens of a sequence."
    )
    cluster: Annotated[str | None, _said(READERS["cluster"]), _text("hgx-h100", "nvl72")] = Field(
        None, description="The type of cluster, for the share of its links that collectives reach."
    )
    evaluation: Annotated[Extra | None, _said(extra), _number_or_text(0.02, "2%", "20k gpu-hours")] = Field(
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


def _limit(key: str) -> BeforeValidator:
    return _said(LIMIT_READERS[key])


class LimitsSpec(Strict):
    """Limits on the plan."""

    model_config = ConfigDict(
        json_schema_extra={
            "dependentRequired": {"max_epochs": ["unique_tokens"]},
            "allOf": [{"not": {"required": list(pair)}} for pair in combinations(FIXED, 2)],
        }
    )

    max_params: Annotated[float | None, _limit("max_params"), _number_or_text(7e10, "70B", minimum=1)] = Field(
        None, description="At most so many parameters, embeddings counted."
    )
    min_params: Annotated[float | None, _limit("min_params"), _number_or_text(7e10, "70B", minimum=1)] = Field(
        None, description="At least so many parameters, embeddings counted."
    )
    params: Annotated[float | None, _limit("params"), _number_or_text(7e10, "70B", minimum=1)] = Field(
        None, description="The parameters, fixed."
    )
    tokens: Annotated[float | None, _limit("tokens"), _number_or_text(1.5e12, "1.5T", minimum=1)] = Field(
        None, description="The training tokens, fixed."
    )
    tokens_per_param: Annotated[float | None, _limit("tokens_per_param"), _number_or_text(20)] = Field(
        None, description="Training tokens a parameter, fixed."
    )
    unique_tokens: Annotated[float | None, _limit("unique_tokens"), _number_or_text(1.5e12, "1.5T", minimum=1)] = Field(
        None, description="Tokens that there are, before any is repeated."
    )
    max_epochs: Annotated[float | None, _limit("max_epochs"), _number_or_text(4, minimum=1)] = Field(
        None, description="How often a unique token may be seen at most."
    )
    memory: Annotated[float | Literal["fit"] | None, _limit("memory"), _text("fit", "80GB", "64GiB")] = Field(
        None, description="The run must fit it: fit, what the accelerator of `on` has, or a size for each."
    )
    deadline_days: Annotated[float | None, _limit("deadline_days"), _number_or_text(90, "12 weeks")] = Field(
        None, description="By when all of the bill must be done [days]; it decides how many accelerators."
    )
    max_usd: Annotated[float | None, _limit("max_usd"), _number_or_text(8e6, "$8M")] = Field(
        None, description="At most so much money [USD], at the price of an accelerator-hour."
    )
    max_mwh: Annotated[float | None, _limit("max_mwh"), _number_or_text(4000, "4 GWh")] = Field(
        None, description="At most so much energy [MWh], that of the site counted."
    )
    batch: Annotated[Literal["critical"] | None, _limit("batch"), WithJsonSchema({"const": "critical"})] = Field(
        None, description="critical: a batch at or below the critical one."
    )
    experts: Annotated[float | Literal["free"] | None, _limit("experts"), _number_or_text(8, "free", minimum=1)] = (
        Field(None, description="Experts of a mixture: their number, or free, to be planned too.")
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


class PilotsSpec(Strict):
    """The runs that come before the run: a share of its hours, or accelerator-hours."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": ["share"]}, {"required": ["gpu_hours"]}]})

    share: Annotated[float | None, _said(units.share), _number_or_text(0.01, "1%")] = None
    gpu_hours: Annotated[float | None, _said(READERS["gpu_hours"]), _number_or_text(2e4, "20k")] = None

    @model_validator(mode="after")
    def _exactly_one(self) -> PilotsSpec:
        if (self.share is None) == (self.gpu_hours is None):
            raise ValueError("needs exactly one of share, gpu_hours")
        return self

    @property
    def extra(self) -> Extra:
        """As the bill takes it."""
        return Extra(share=self.share or 0.0, gpu_hours=self.gpu_hours or 0.0)


def unknown_words(document: Document, budget: Any, beside: Callable[[str], str]) -> list[str]:
    """The accelerator, precision, grid and fleet of a document's ``budget`` that are not known, one problem each.

    Whether the accelerator has the precision and a price is asked later: the command line may name others.
    """
    said = cast("dict[str, Any]", budget) if isinstance(budget, dict) else {}
    problems: list[str] = []
    for key, look_up in _LOOK_UPS.items():
        word: Any = said.get(key)
        if isinstance(word, bool) or not isinstance(word, (str, int, float)) or not str(word).strip():
            continue
        try:
            look_up(str(word), beside)
        except (UsageError, InputFileError) as error:
            problems.append(f"{document.where(('budget', key))}: budget.{key}: {error.message}")
    return problems or _without_number(document, said)


def _without_number(document: Document, budget: dict[str, Any]) -> list[str]:
    """A time of an accelerator without how many of it."""
    word = budget.get("on")
    if "days" not in budget or not isinstance(word, str):
        return []
    from scaleplan.specs.accelerators import cluster

    if cluster(word)[0] is not None:
        return []
    return [f"{document.where(('budget', 'on'))}: budget.on: days of how many {word}? Write 512x{word}"]


def with_own_accelerator(budget: BudgetSpec, beside: Callable[[str], str]) -> BudgetSpec:
    """The budget with the path of an accelerator file of one's own as seen from here."""
    if budget.on is None:
        return budget
    from scaleplan.specs.accelerators import cluster

    count, name = cluster(budget.on)
    path = beside(name)
    return budget if path == name else budget.model_copy(update={"on": path if count is None else f"{count}x{path}"})


def _accelerator(word: str, beside: Callable[[str], str]) -> None:
    from scaleplan.specs.accelerators import cluster, load_accelerator

    load_accelerator(beside(cluster(word)[1]))


def _precision(word: str, _: Callable[[str], str]) -> None:
    from scaleplan.specs.accelerators import FLOATS

    if word.strip().lower() not in FLOATS:
        raise UsageError(f"unknown precision {quoted(word)}.{nearest(word, FLOATS)} There are {', '.join(FLOATS)}")


def _grid(word: str, _: Callable[[str], str]) -> None:
    from scaleplan.specs.energy import grid

    grid(word)


def _pue(word: str, _: Callable[[str], str]) -> None:
    from scaleplan.specs.energy import pue

    pue(word)


_LOOK_UPS = {"on": _accelerator, "precision": _precision, "grid": _grid, "pue": _pue}
