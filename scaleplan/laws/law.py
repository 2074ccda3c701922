"""A law: the forms of one paper with its constants, what they count, where they were fitted, how sure they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scaleplan.conventions import FlopConvention, LossMeasure, ParamCount
from scaleplan.errors import UsageError
from scaleplan.laws.form import AllocationRule, Form, LossSurface, LossTrend
from scaleplan.laws.uncertainty import Uncertainty


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One published number: its value, unit, and source where that differs from its group's."""

    symbol: str
    value: float
    unit: str
    source: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Constants that belong together, as one form."""

    name: str
    form_name: str
    form: Form
    constants: tuple[Constant, ...]
    source: str
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedRange:
    """The runs behind a law: (low, high) of parameters as the law counts them, tokens, FLOPs, D/N."""

    params: tuple[float, float] | None = None
    tokens: tuple[float, float] | None = None
    train_flop: tuple[float, float] | None = None
    tokens_per_param: tuple[float, float] | None = None
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedExponents:
    """N* ~ C^params and D* ~ C^tokens as the paper prints them."""

    params: float
    tokens: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A published value and the call that should give it.

    ``call`` is a method of the form of ``group``, ``at`` its arguments, ``take`` the field of the answer (for an
    optimum). ``outcome`` is ``reproduced``, or ``not_reproduced`` where the published constants do not give the
    published value; then ``note`` says why.
    """

    group: str
    call: str
    at: Mapping[str, float]
    take: str | None
    expected: float
    rtol: float
    outcome: str
    source: str
    note: str | None = None

    def value(self, law: Law) -> float:
        """What the law's constants give."""
        answer: Any = getattr(law.groups[self.group].form, self.call)(**self.at)
        if self.take == "tokens_per_param":
            return answer.tokens / answer.params
        return answer if self.take is None else getattr(answer, self.take)

    def holds(self, law: Law) -> bool:
        """Whether that is the published value within ``rtol``."""
        return abs(self.value(law) / self.expected - 1) <= self.rtol


@dataclass(frozen=True, slots=True, kw_only=True)
class Law:
    """A scaling law as the planner uses it.

    ``surface`` gives loss from parameters and tokens, ``allocation`` the best split of a budget where the paper
    publishes one apart from its surface, ``trend`` the loss along that allocation. At least one is there.
    ``refuses`` maps a verb to the reason why these constants must not serve it.
    """

    id: str
    title: str
    year: int
    authors: str
    paper: str
    kind: str
    counts_params: ParamCount
    counts_flop: FlopConvention
    counts_tokens: str
    measure: LossMeasure
    fitted: FittedRange
    groups: Mapping[str, Group]
    surface: LossSurface | None
    allocation: AllocationRule | None
    trend: LossTrend | None
    uncertainty: Uncertainty | None
    published_exponents: PublishedExponents | None
    refuses: Mapping[str, str] = field(default_factory=dict[str, str])
    variants: tuple[str, ...] = ()
    traps: tuple[str, ...] = ()
    checks: tuple[Check, ...] = ()

    def require_surface(self, purpose: str) -> LossSurface:
        """The loss surface.

        Raises:
            UsageError: this law is an allocation rule only.
        """
        if self.surface is None:
            raise UsageError(
                f"{self.id} is an allocation rule: it gives parameters and tokens for a budget but no loss, "
                f"so it cannot serve {purpose}; a law with a loss surface can, such as besiroglu-2024"
            )
        return self.surface

    def require_allowed(self, verb: str) -> None:
        """Check that these constants may serve ``verb``.

        Raises:
            UsageError: the preset refuses it, with the reason.
        """
        if verb in self.refuses:
            raise UsageError(f"{self.id} is refused for {verb}: {self.refuses[verb]}")
