"""The schemas of the catalogue: ``scaleplan.model/1``, ``scaleplan.accelerator/1``, ``scaleplan.ability/1``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from scaleplan.specs.abilities import Kind
from scaleplan.specs.document import Date, Finite, Id, Positive, Strict, Text
from scaleplan.specs.model_schema import (
    STATUS_IS,
    Count,
    ParamsSpec,
    RunSpec,
    ShapeSpec,
    TokensSpec,
    TrainFlopSpec,
)
from scaleplan.specs.values import Status

_STATUS = STATUS_IS
_SOURCE = "Where it comes from. Left out, the document's own source."


class ModelSpec(Strict):
    """A model file: what is known of a trained model. What was never published is left out."""

    schema_: Literal["scaleplan.model/1"] = Field(alias="schema")
    id: Id = Field(description="Its name in commands; in a folder of presets also the name of the file.")
    name: Text
    organisation: Text
    announced: Date
    params: ParamsSpec | None = Field(None, description="All parameters, embeddings counted.")
    params_active: ParamsSpec | None = Field(None, description="Those that a token passes in a mixture of experts.")
    params_nonembedding: ParamsSpec | None = Field(None, description="Those outside the embeddings.")
    tokens: TokensSpec | None = Field(None, description="Trained on, epochs counted: not the size of the corpus.")
    train_flop: TrainFlopSpec | None = Field(None, description="Training FLOPs, as its source counts them.")
    mixture_of_experts: bool | None = Field(None, description="Where params_active, which says so too, is not known.")
    note: Text | None = None
    attribution: Text | None = None
    shape: ShapeSpec | None = Field(None, description="Of the decoder.")
    run: RunSpec | None = Field(None, description="That trained it.")

    @model_validator(mode="after")
    def _parts_of_a_whole(self) -> ModelSpec:
        known = (self.params, self.params_active, self.params_nonembedding, self.tokens, self.train_flop, self.shape)
        if not any(known):
            raise ValueError("needs at least one of params, tokens, train_flop, shape")
        for part in ("params_active", "params_nonembedding"):
            given = getattr(self, part)
            if given is not None and self.params is not None and given.value > self.params.value:
                raise ValueError(f"{part} is part of params, and larger (got {given.value:g} of {self.params.value:g})")
        if self.params_active is not None and self.mixture_of_experts is False:
            raise ValueError("params_active is for a mixture of experts, which mixture_of_experts denies")
        return self


class QuantitySpec(Strict):
    """A number with its unit and its source."""

    value: Positive
    status: Status = Field(description=_STATUS)
    source: Text | None = Field(None, description=_SOURCE)


class FlopRateSpec(QuantitySpec):
    """A rate of floating-point operations."""

    unit: Literal["FLOP/s"]


class OpRateSpec(QuantitySpec):
    """A rate of integer operations."""

    unit: Literal["op/s"]


class MemorySpec(QuantitySpec):
    """A size of memory; 1 GB is 1e9 bytes."""

    unit: Literal["GB"]


class ByteRateSpec(QuantitySpec):
    """A bandwidth; 1 GB is 1e9 bytes."""

    unit: Literal["GB/s"]


class BitRateSpec(QuantitySpec):
    """A bandwidth of a network."""

    unit: Literal["Gbit/s"]


class DomainSpec(Strict):
    """A number of devices."""

    value: Count
    unit: Literal["devices"]
    status: Status = Field(description=_STATUS)
    source: Text | None = Field(None, description=_SOURCE)


class PowerSpec(QuantitySpec):
    """A power."""

    unit: Literal["W"]


class CostSpec(QuantitySpec):
    """An amount of money."""

    unit: Literal["USD"]


class PeakSpec(Strict):
    """Peak rates, dense: without structured sparsity. What is not supported or not published is left out."""

    fp32: FlopRateSpec | None = Field(None, description="Of the vector units.")
    tf32: FlopRateSpec | None = None
    fp16: FlopRateSpec | None = Field(None, description="Accumulated in FP32, as the others.")
    bf16: FlopRateSpec | None = None
    fp8: FlopRateSpec | None = None
    fp4: FlopRateSpec | None = None
    int8: OpRateSpec | None = None

    @model_validator(mode="after")
    def _something(self) -> PeakSpec:
        if not any(getattr(self, name) for name in type(self).model_fields):
            raise ValueError(f"needs at least one of {', '.join(type(self).model_fields)}")
        return self


class InterconnectSpec(Strict):
    """The links of one device to its neighbours, and its share of the network between nodes."""

    type: Text
    one_way: ByteRateSpec | None = Field(None, description="All links of the device together, one direction.")
    two_way: ByteRateSpec | None = Field(None, description="Both directions, as vendors advertise it.")
    scale_out: BitRateSpec | None = Field(None, description="Network between nodes, a device, one direction.")
    domain: DomainSpec | None = Field(None, description="Devices that share these links: those of a node, rack or pod.")

    @model_validator(mode="after")
    def _both_ways_are_more(self) -> InterconnectSpec:
        if self.one_way is not None and self.two_way is not None and self.two_way.value < self.one_way.value:
            raise ValueError(f"two_way is below one_way (got {self.two_way.value:g} and {self.one_way.value:g})")
        return self


class PriceSpec(Strict):
    """An indicative price of one device in the cloud, never a quote."""

    low: Positive
    high: Positive
    unit: Literal["USD/h"]
    date: Date = Field(description="When it was so.")
    indicative: Literal[True] = Field(description="A reminder: no price here is a quote.")
    status: Status = Field(description=_STATUS)
    source: Text | None = Field(None, description=_SOURCE)

    @model_validator(mode="after")
    def _ordered(self) -> PriceSpec:
        if self.low > self.high:
            raise ValueError(f"low is above high (got {self.low:g} and {self.high:g})")
        return self


class AcceleratorSpec(Strict):
    """An accelerator file: one device. What is not supported or not published is left out."""

    schema_: Literal["scaleplan.accelerator/1"] = Field(alias="schema")
    id: Id = Field(description="Its name in commands; in a folder of presets also the name of the file.")
    name: Text
    organisation: Text = Field(description="The vendor.")
    announced: Date
    kind: Text = Field(description="GPU, TPU, NPU or ASIC.")
    availability: Literal["available", "announced", "discontinued"]
    source: Text = Field(description="Of every number that names no other.")
    peak: PeakSpec
    memory: MemorySpec | None = None
    memory_bandwidth: ByteRateSpec | None = None
    interconnect: InterconnectSpec | None = None
    tdp: PowerSpec | None = None
    measured_matmul_bf16: FlopRateSpec | None = Field(None, description="The best matrix product measured in BF16.")
    price: PriceSpec | None = None
    launch_price: CostSpec | None = Field(None, description="At launch; indicative as every price here, no quote.")
    note: Text | None = None
    attribution: Text | None = None


class ScaleSpec(Strict):
    """A number of a claim's scale."""

    value: Positive
    status: Status = Field(description=_STATUS)
    source: Text | None = Field(None, description=_SOURCE)


class FigureSpec(Strict):
    """A number that a claim speaks of."""

    value: Finite
    unit: Text = Field(description="1 for a share or a factor.")
    status: Status = Field(description=_STATUS)
    source: Text | None = Field(None, description=_SOURCE)


class CauseSpec(Strict):
    """What is held to be the cause."""

    text: Text
    status: Status = Field(description=_STATUS)
    source: Text


class AbilitySpec(Strict):
    """An ability file: a claim about what models can do at some scale."""

    schema_: Literal["scaleplan.ability/1"] = Field(alias="schema")
    id: Id = Field(description="Its name in commands; in a folder of presets also the name of the file.")
    name: Text
    kind: Kind
    family: Text | None = Field(None, description="The family of models that the scale is of.")
    setting: Text | None = None
    reference: Text | None = Field(None, description="The work that the claim is about.")
    claim: Text
    status: Status = Field(description=_STATUS)
    source: Text = Field(description="Of the claim, and of every number that names no other.")
    formula: Text | None = None
    tasks: list[Text] = Field(default_factory=list)
    trend: Literal["inverse", "u-shaped", "positive"] | None = None
    cause: CauseSpec | None = None
    train_flop: ScaleSpec | None = Field(None, description="Training FLOPs.")
    params: ScaleSpec | None = Field(None, description="Parameters.")
    loss: ScaleSpec | None = Field(None, description="Pre-training loss [nats/token].")
    figures: dict[str, FigureSpec] = Field(default_factory=dict)
    caveats: list[Text] = Field(default_factory=list)
    attribution: Text | None = None
