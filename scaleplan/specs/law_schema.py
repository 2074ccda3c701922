"""The schema of a law file, ``scaleplan.law/1``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scaleplan.specs.document import Finite, Strict

Pair = tuple[Finite, Finite]


class ConstantSpec(Strict):
    """One published number."""

    value: Finite
    unit: str
    source: str | None = None


class GroupSpec(Strict):
    """The constants of one form."""

    form: str
    source: str
    constants: dict[str, ConstantSpec]
    note: str | None = None


class LossSpec(Strict):
    """What the loss is measured in."""

    unit: str
    corpus: str
    tokenizer: str
    context: int | None = None


class CountsSpec(Strict):
    """What the law's numbers count."""

    params: Literal["total", "nonembedding"]
    flop: Literal["6ND", "6ND-nonembedding"]
    tokens: str
    loss: LossSpec


class RolesSpec(Strict):
    """Which group gives the loss surface, the allocation, and the loss along the allocation."""

    surface: str | None = None
    allocation: str | None = None
    trend: str | None = None
    refuses: dict[str, str] = Field(default_factory=dict)
    counts_flop: Literal["6ND", "6ND-nonembedding", "C_min"] | None = None


class FittedSpec(Strict):
    """The range of the runs behind the law."""

    params: Pair | None = None
    tokens: Pair | None = None
    train_flop: Pair | None = None
    tokens_per_param: Pair | None = None
    source: str


class ExponentsSpec(Strict):
    """N* ~ C^params, D* ~ C^tokens as printed."""

    params: Finite
    tokens: Finite
    source: str


class UncertaintySpec(Strict):
    """Covariance of the constants; ``ln_X`` is the logarithm of the constant X."""

    parameters: list[str]
    covariance: list[list[Finite]]
    residual_sd: Annotated[Finite, Field(gt=0)]
    dof: int = Field(ge=1)
    source: str
    kappa: Annotated[Finite, Field(ge=1)] | None = None
    tau: Annotated[Finite, Field(ge=0)] | None = None
    drift: Annotated[Finite, Field(ge=0)] | None = None


class CheckSpec(Strict):
    """A published value and the call that should give it."""

    group: str
    call: str
    at: dict[str, Finite]
    take: str | None = None
    expected: Finite
    rtol: Finite
    outcome: Literal["reproduced", "not_reproduced"]
    source: str
    note: str | None = None


class LawSpec(Strict):
    """A law file."""

    schema_: Literal["scaleplan.law/1"] = Field(alias="schema")
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    year: int
    authors: str
    paper: str
    kind: Literal["loss", "allocation"]
    counts: CountsSpec
    fitted: FittedSpec | None = None
    groups: dict[str, GroupSpec]
    default: RolesSpec
    variants: dict[str, RolesSpec] = Field(default_factory=dict)
    published_exponents: ExponentsSpec | None = None
    uncertainty: UncertaintySpec | None = None
    traps: list[str] = Field(default_factory=list)
    checks: list[CheckSpec] = Field(default_factory=list[CheckSpec])
