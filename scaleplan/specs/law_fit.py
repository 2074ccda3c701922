"""A law fitted to one's own runs, with the file that was written of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaleplan.fitting.fitted_law import FittedLaw
    from scaleplan.fitting.form_comparison import FormComparison
    from scaleplan.laws.law import Law
    from scaleplan.planning.plan import Plan
    from scaleplan.specs.run_tables import TableOfRuns


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LawFit:
    """A law fitted to one's own runs: ``law`` goes wherever a law does, ``fitted`` says how it came about.

    ``file`` is the law file, where one was written; ``document`` its data; ``compared`` the other forms, if asked for.
    """

    law: Law
    fitted: FittedLaw
    table: TableOfRuns
    document: Mapping[str, Any]
    file: str | None
    optima: tuple[Plan, ...] = ()
    """What the law plans with the compute of the dearest run, ten and a hundred times it."""
    compared: FormComparison | None = None

    def __repr__(self) -> str:
        return f"LawFit({self.fitted.fit!r})"
