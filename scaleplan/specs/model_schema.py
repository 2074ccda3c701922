"""The blocks of a model file: sourced numbers, the shape of the model, and the run that trained it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from scaleplan.specs.document import Date, Flop, Id, Params, Positive, Strict, Text, Tokens
from scaleplan.specs.phrases import as_written
from scaleplan.specs.values import Status

STATUS_IS = (
    "published: checked against the source named; derived: computed; unverified: not checked; estimate: somebody "
    "else's; rumour: never disclosed by the developer"
)


def _whole(least: int) -> BeforeValidator:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value // 1 or value < least:
            raise ValueError(f"must be a whole number of at least {least} (got {as_written(value)})")
        return int(value)

    return BeforeValidator(read)


def _share(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 1:
        raise ValueError(f"must be a share above 0, at most 1 (got {as_written(value)})")
    return value


def _overhead(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value < float("inf"):
        raise ValueError(f"must be at least 1: power of the whole site over that of the machines (got {value})")
    return value


Count = Annotated[int, _whole(1), WithJsonSchema({"type": "number", "minimum": 1, "multipleOf": 1})]
Some = Annotated[int, _whole(0), WithJsonSchema({"type": "number", "minimum": 0, "multipleOf": 1})]
Share = Annotated[
    float, BeforeValidator(_share), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1})
]
Overhead = Annotated[float, BeforeValidator(_overhead), WithJsonSchema({"type": "number", "minimum": 1})]


class SourcedSpec(Strict):
    """A number is only as good as its source."""

    status: Status = Field(description=STATUS_IS)
    source: Text = Field(description="Where it comes from.")


class ParamsSpec(SourcedSpec):
    """A number of parameters."""

    value: Params


class TokensSpec(SourcedSpec):
    """A number of tokens."""

    value: Tokens


class TrainFlopSpec(SourcedSpec):
    """Training FLOPs."""

    value: Flop


class ExpertsSpec(Strict):
    """The feed-forward part of a mixture of experts."""

    count: Count = Field(description="Routed experts of a layer.")
    active: Count = Field(description="Of them, those that a token passes.")
    feed_forward: Count = Field(description="Width of one expert.")
    shared: Some = Field(0, description="Experts that every token passes, of the same width.")
    dense_layers: Some = Field(0, description="Layers with an ordinary feed-forward part instead.")

    @model_validator(mode="after")
    def _active_of_all(self) -> ExpertsSpec:
        if self.active > self.count:
            raise ValueError(f"active is above count (got {self.active} of {self.count})")
        return self


class LatentSpec(Strict):
    """Attention with latent keys and values: ranks, and the parts of a head."""

    query_rank: Count
    key_value_rank: Count
    plain_size: Count = Field(description="Of a head, the part without position.")
    rotary_size: Count = Field(description="Of a head, the part with position.")
    value_size: Count = Field(description="Of the values of a head.")


class WindowSpec(Strict):
    """Attention that reaches back only so many tokens, in so many of the layers."""

    tokens: Count
    layers: Count


class ShapeSpec(SourcedSpec):
    """A decoder's shape, from which its parameters and FLOPs are counted.

    A norm is a vector of the width; one with a bias, in a model without other biases, is two of them. Norms of another
    size (of a head, of a latent rank), attention sinks and the biases of single matrices are not counted: together
    they are below 0.05 % of every model shipped.
    """

    layers: Count
    width: Count
    heads: Count
    kv_heads: Count = Field(description="Heads with keys and values of their own.")
    head_size: Count
    feed_forward: Count = Field(description="Width of an ordinary feed-forward part.")
    vocabulary: Count = Field(description="Rows of the embedding, padding counted.")
    context: Count = Field(description="Tokens of a sequence of pre-training: not the length that is advertised.")
    context_status: Status | None = Field(None, description="Where it is not that of the shape.")
    context_source: Text | None = Field(None, description="Where it is not that of the shape.")
    gated: bool = Field(True, description="Three matrices in a feed-forward part rather than two.")
    tied: bool = Field(False, description="The embedding serves as output head too.")
    biases: bool = Field(False, description="Every matrix of a layer and every norm has one.")
    position_matrices: Some = Field(0, description="Matrices of a layer for positions, width x (heads x head size).")
    learned_positions: Some = Field(0, description="Rows of a table of positions.")
    norms: Some = Field(2, description="In a layer.")
    outer_norms: Some = Field(1, description="Outside the layers.")
    experts: ExpertsSpec | None = None
    latent: LatentSpec | None = None
    window: WindowSpec | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> ShapeSpec:
        if self.kv_heads > self.heads:
            raise ValueError(f"kv_heads is above heads (got {self.kv_heads} of {self.heads})")
        if self.heads % self.kv_heads and self.latent is None:
            raise ValueError(f"heads must be a multiple of kv_heads (got {self.heads} and {self.kv_heads})")
        if self.experts is not None and self.experts.dense_layers > self.layers:
            raise ValueError(f"experts.dense_layers is above layers (got {self.experts.dense_layers} of {self.layers})")
        if self.window is not None and self.window.layers > self.layers:
            raise ValueError(f"window.layers is above layers (got {self.window.layers} of {self.layers})")
        if (self.context_status is None) != (self.context_source is None):
            raise ValueError("context_status and context_source go together")
        return self


class AmountSpec(SourcedSpec):
    """A number above zero."""

    value: Positive


class UtilisationSpec(SourcedSpec):
    """A share of the dense peak."""

    value: Share
    scope: Literal["headline", "whole-run"] = Field(
        description="headline: of steps in a good configuration; whole-run: from all the time it was billed."
    )


class OverheadSpec(SourcedSpec):
    """Power usage effectiveness."""

    value: Overhead


class RunCostSpec(SourcedSpec):
    """What a run cost, on one basis."""

    usd: Positive
    basis: Literal["rental", "amortised", "authors"] = Field(
        description="rental: its hours at cloud prices; amortised: its share of the hardware, and energy; authors: as "
        "the developer counts."
    )
    date: Date = Field(description="Of the dollars; where the source does not say, of the source.")


class RunSpec(Strict):
    """The run that trained a model, as published. What was not is left out."""

    hardware: Text = Field(description="In the words of the source.")
    accelerator: Id | None = Field(None, description="The accelerator it was, by its name in commands.")
    accelerators: AmountSpec | None = Field(None, description="How many at once.")
    gpu_hours: AmountSpec | None = Field(None, description="Accelerators times hours, whatever the accelerator.")
    days: AmountSpec | None = None
    mfu: UtilisationSpec | None = Field(None, description="Model FLOPs over the dense peak.")
    hfu: UtilisationSpec | None = Field(None, description="The same with what was recomputed.")
    energy_mwh: AmountSpec | None = None
    watts_per_accelerator: AmountSpec | None = Field(None, description="That the energy was reckoned with.")
    pue: OverheadSpec | None = Field(None, description="Power of the whole site over that of the machines.")
    pue_included: bool | None = Field(None, description="Whether energy_mwh has it in it.")
    grid_kg_per_kwh: AmountSpec | None = Field(None, description="CO2e of the electricity.")
    co2_t: AmountSpec | None = Field(None, description="Tonnes of CO2e.")
    co2_pue_included: bool | None = Field(None, description="Whether co2_t has pue in it, where energy_mwh differs.")
    costs: list[RunCostSpec] = Field(default_factory=list[RunCostSpec], description="One a basis and source.")
    note: Text | None = None

    @model_validator(mode="after")
    def _whether_pue_is_in(self) -> RunSpec:
        if self.pue is not None and self.energy_mwh is not None and self.pue_included is None:
            raise ValueError("energy_mwh and pue need pue_included: whether the energy has it in it")
        return self
