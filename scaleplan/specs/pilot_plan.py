"""What the verb ``pilot`` answers: runs proposed for a target, a user's own set of runs judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from scaleplan.compute.bill import Assumption
    from scaleplan.errors import Notice
    from scaleplan.laws.law import Law
    from scaleplan.pilots.ask import Ask
    from scaleplan.pilots.certainty import Target
    from scaleplan.pilots.manifest import Manifest
    from scaleplan.pilots.proposal import Proposal
    from scaleplan.pilots.scoring import Scored
    from scaleplan.planning.plan import Plan
    from scaleplan.specs.law_fit import LawFit
    from scaleplan.specs.machines import Machine
    from scaleplan.specs.pilot_words import PilotWords

Decision = Literal["go", "stop"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PilotPlan:
    """Pilot runs for the ``target`` of ``plan``, which ``law`` made.

    ``proposal`` are the runs and what they tell, ``None`` where nothing is left to spend; ``decision`` whether they are
    expected to save more than they cost. ``words`` is what was asked, defaults filled in. ``fitted`` is the law of the
    runs finished before, which took ``spent_flop`` of ``flop``; ``makespan_days`` how long all take together.
    """

    name: str
    law: Law
    plan: Plan
    target: Target
    words: PilotWords
    flop: float
    spent_flop: float
    held: bool
    """Whether limits decide the target's size, so that a more certain best size changes nothing."""
    decision: Decision
    proposal: Proposal | None
    machine: Machine | None = None
    """What the runs are on; ``None`` where nothing was named."""
    fitted: LawFit | None = None
    makespan_days: float | None = None
    folder: str | None = None
    """The job folder that was written."""
    assumptions: tuple[Assumption, ...] = ()
    warnings: tuple[Notice, ...] = ()

    @property
    def manifest(self) -> Manifest | None:
        """The runs as data."""
        return None if self.proposal is None else self.proposal.manifest

    def __repr__(self) -> str:
        runs = 0 if self.manifest is None else len(self.manifest.runs)
        return f"PilotPlan({self.name!r}, runs={runs}, flop={self.flop!r}, decision={self.decision!r})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class ScoredPilots:
    """A user's own set of runs, ``own``, beside a design and templates of the same compute, best first."""

    law: Law
    plan: Plan
    ask: Ask
    words: PilotWords
    own: Scored
    others: tuple[Scored, ...]
    warnings: tuple[Notice, ...]

    def __repr__(self) -> str:
        return f"ScoredPilots({self.own.name!r}, loss_se={self.own.loss_se!r}, params_se={self.own.params_se!r})"
