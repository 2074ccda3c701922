"""What is known of a law beside what planning needs: every constant with its source, its traps, its checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scaleplan.laws.expression import Functions, evaluate
from scaleplan.laws.form import Form
from scaleplan.laws.law import FittedRange, Law, PublishedExponents


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The published interval of a constant, and the share of cases it is meant to hold."""

    low: float
    high: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """One published number or column of a table: value, unit, and source where that differs from its group's."""

    symbol: str
    value: float | tuple[float, ...]
    unit: str
    source: str | None = None
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Constants that belong together: those of a form, or numbers beside one.

    ``from_memory`` says that the numbers were not found in any source that could be read; such a group never plans.
    """

    name: str
    form_name: str | None
    form: Form | None
    equation: str | None
    symbols: str | None
    """What the symbols of a form's equation mean."""
    latex: str | None
    constants: tuple[Constant, ...]
    source: str
    note: str | None = None
    from_memory: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A published value and the expression over the law's groups that should give it.

    ``outcome`` is ``reproduced``, or ``not_reproduced`` where the published constants do not give the published
    value; then ``note`` says why. ``from_memory`` marks an expected value that no source confirms.
    """

    what: str
    expression: str
    expected: float
    rtol: float
    atol: float
    outcome: str
    source: str
    note: str | None = None
    from_memory: bool = False

    def value(self, record: LawRecord) -> float:
        """What the law's constants give."""
        return evaluate(self.expression, record.groups, record.functions)

    def agrees(self, record: LawRecord) -> bool:
        """Whether that is the published value within the tolerance."""
        return abs(self.value(record) - self.expected) <= self.rtol * abs(self.expected) + self.atol + 1e-15

    def as_recorded(self, record: LawRecord) -> bool:
        """Whether the outcome is the one on record: a check that suddenly agrees is as suspicious as one that fails."""
        return self.agrees(record) == (self.outcome == "reproduced")


@dataclass(frozen=True, slots=True, kw_only=True)
class LawRecord:
    """Everything a document says of a law; ``law`` is what planning takes from it, absent where it plans nothing."""

    id: str
    title: str
    year: int
    authors: str
    paper: str
    kind: str
    gives: str
    counts: Mapping[str, str]
    """What N, D, C and the loss count, in words."""
    law: Law | None
    fitted: FittedRange
    published_exponents: PublishedExponents | None
    groups: Mapping[str, Group]
    roles: Mapping[str, tuple[str, ...]]
    held: Mapping[str, float]
    """Further variables of the surface's form, and the values that plans hold them at."""
    variants: tuple[str, ...]
    traps: tuple[str, ...]
    checks: tuple[Check, ...]
    functions: Functions = field(default_factory=dict[str, Callable[..., Any]])
    """What the expressions of checks may call beside the forms of the groups."""
