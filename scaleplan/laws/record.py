"""What is known of a law beside what planning needs: every constant with its source, its traps, its checks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scaleplan.laws.form import Form
from scaleplan.laws.law import Law


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

    def value(self, record: LawRecord) -> float:
        """What the law's constants give."""
        answer: Any = getattr(record.groups[self.group].form, self.call)(**self.at)
        if self.take == "tokens_per_param":
            return answer.tokens / answer.params
        return answer if self.take is None else getattr(answer, self.take)

    def holds(self, record: LawRecord) -> bool:
        """Whether that is the published value within ``rtol``."""
        return abs(self.value(record) / self.expected - 1) <= self.rtol


@dataclass(frozen=True, slots=True, kw_only=True)
class LawRecord:
    """A law with all that its document says: the forms of all groups, and which of them serve planning, and how."""

    law: Law
    kind: str
    counts_tokens: str
    groups: Mapping[str, Group]
    roles: Mapping[str, str]
    variants: tuple[str, ...]
    traps: tuple[str, ...]
    checks: tuple[Check, ...]
