"""The schema of a law file, ``scaleplan.law/1``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from scaleplan.specs.document import Finite, Strict
from scaleplan.specs.recipe_schema import RecipeSpec
from scaleplan.specs.records import Kind

Pair = tuple[Finite, Finite]
Text = Annotated[str, Field(min_length=1)]

ParamsCounted = Literal["total", "nonembedding", "head", "flops-per-token"]
FlopCounted = Literal["6ND", "6ND-nonembedding", "C_min", "MD"]
Verb = Literal["allocate", "compare"]


class IntervalSpec(Strict):
    """The published interval of a constant."""

    low: Finite
    high: Finite
    level: Annotated[Finite, Field(gt=0, lt=1, description="share of cases that the interval is meant to hold")]


class ConstantSpec(Strict):
    """One published number, or a column of a published table."""

    value: Finite | list[Finite]
    unit: Text = Field(description="the unit; 1 for a pure number")
    source: Text | None = Field(default=None, description="where this number stands, if not where its group does")
    interval: IntervalSpec | None = None


class GroupSpec(Strict):
    """Constants that belong together: those of a form, or numbers beside one."""

    form: Text | None = Field(default=None, description="the functional form that these are the constants of")
    equation: Text | None = Field(default=None, description="an equation that no form stands for")
    latex: Text | None = None
    source: Text = Field(description="paper, table or equation number")
    constants: dict[str, ConstantSpec]
    note: Text | None = None
    from_memory: bool = Field(default=False, description="no source confirms these numbers")


class LossSpec(Strict):
    """What the loss is measured in."""

    unit: Text
    corpus: Text
    tokenizer: Text
    context: int | None = None


class CountsSpec(Strict):
    """What the law's numbers count; a law that plans says all but the note."""

    params: ParamsCounted | None = None
    flop: FlopCounted | None = None
    tokens: Text | None = None
    loss: LossSpec | None = None
    note: Text | None = Field(default=None, description="what the counts above do not say")


class ExponentsSpec(Strict):
    """N* ~ C^params, D* ~ C^tokens as printed."""

    params: Finite
    tokens: Finite
    source: Text


class RolesSpec(Strict):
    """Which group gives the loss surface, that of repeated data, the allocation, the loss along it, and so on."""

    surface: str | None = None
    allocation: str | None = None
    trend: str | None = None
    repeated: str | None = Field(default=None, description="the surface where tokens repeat: L(N, D, unique tokens)")
    hyper: list[str] = Field(default_factory=list[str])
    at: dict[str, Finite] = Field(
        default_factory=dict, description="further variables of the surface's form, held: {experts: 8}"
    )
    refuses: dict[Verb, Text] = Field(
        default_factory=dict[Verb, Text], description="verb to the reason for refusing it"
    )
    counts_params: ParamsCounted | None = None
    counts_flop: FlopCounted | None = None
    published_exponents: ExponentsSpec | None = Field(default=None, description="where not those of the document")
    loss: LossSpec | None = Field(
        default=None, description="what these constants measure the loss in, if not counts.loss"
    )


class FittedSpec(Strict):
    """The range of the runs behind the law."""

    params: Pair | None = None
    tokens: Pair | None = None
    train_flop: Pair | None = None
    tokens_per_param: Pair | None = None
    source: Text


class UncertaintySpec(Strict):
    """Covariance of the constants of one role; ``ln_X`` is the logarithm of the constant X.

    ``residual_sd`` is that of the logarithm of what the role gives: of the loss, or of N* for an allocation.
    """

    parameters: list[str]
    covariance: list[list[Finite]]
    residual_sd: Annotated[Finite, Field(gt=0)]
    dof: int = Field(ge=1)
    source: Text
    kappa: Annotated[Finite, Field(gt=0)] | None = None
    tau: Annotated[Finite, Field(ge=0)] | None = None
    drift: Annotated[Finite, Field(ge=0)] | None = None
    starvation: Annotated[Finite, Field(ge=0)] | None = None
    size_misfit: Annotated[Finite, Field(ge=0)] | None = None


class CheckSpec(Strict):
    """A published value and the expression that should give it."""

    what: Text = Field(description="the published value in words")
    value: str = Field(max_length=500, description="an expression over the groups, such as fit.optimum(1e20).params")
    expected: Finite
    rtol: Annotated[Finite, Field(ge=0)] = 0.0
    atol: Annotated[Finite, Field(ge=0)] = 0.0
    outcome: Literal["reproduced", "not_reproduced"] = "reproduced"
    source: Text
    note: Text | None = Field(default=None, description="why the constants do not give it; required where they do not")
    from_memory: bool = False


class LawSpec(Strict):
    """A law file: who published it, what it counts, its constants, and which of them plan."""

    schema_: Literal["scaleplan.law/1"] = Field(alias="schema")
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: Text
    year: int
    authors: Text
    paper: Text
    kind: Kind
    gives: Text | None = Field(
        default=None, description="what the law says, where it neither allocates nor gives L(N, D)"
    )
    counts: CountsSpec = CountsSpec()
    fitted: FittedSpec | None = None
    groups: dict[str, GroupSpec]
    default: RolesSpec | None = None
    variants: dict[str, RolesSpec] = Field(default_factory=dict)
    published_exponents: ExponentsSpec | None = None
    uncertainty: UncertaintySpec | None = Field(
        default=None, description="of the default surface's constants, or where there is no surface of the trend's"
    )
    allocation_uncertainty: UncertaintySpec | None = Field(
        default=None, description="of the default allocation's constants"
    )
    recipe: RecipeSpec | None = Field(default=None, description="how the constants were fitted")
    traps: list[Text] = Field(default_factory=list[Text])
    checks: list[CheckSpec] = Field(default_factory=list[CheckSpec])
