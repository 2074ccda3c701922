"""What pilot runs are asked for: the target, what they may take, and what they are to tell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.errors import UsageError
from scaleplan.pilots.candidates import Reach
from scaleplan.pilots.certainty import CONSTANTS
from scaleplan.pilots.goals import MOST_RUN, RUNS, SEEDS, Goal
from scaleplan.pilots.noise import Noise

if TYPE_CHECKING:
    from scaleplan.pilots.candidates import Kind
    from scaleplan.pilots.certainty import Points, Target
    from scaleplan.pilots.plausible import Plausible


class Ask(NamedTuple):
    """What pilots are asked for.

    ``flop`` is what all of them may take, as the law counts; ``most_run`` the share of it that one may take; ``runs``
    their number with ``seeds`` of one of them; ``tokens`` the unique ones, which no run repeats; ``most_params`` the
    largest size that can be trained.
    """

    plausible: Plausible
    target: Target
    kind: Kind
    flop: float
    noise: Noise = Noise()
    goal: Goal = "both"
    runs: int = RUNS
    seeds: int = SEEDS
    most_run: float = MOST_RUN
    tokens: float = math.inf
    most_params: float = math.inf
    done: Points | None = None

    def check(self) -> None:
        """Check the numbers.

        Raises:
            UsageError: one is out of range.
        """
        self.noise.check()
        made = 0 if self.done is None else len(self.done)
        if self.seeds < 1:
            raise UsageError(f"seeds must be at least 1 (got {self.seeds})")
        least = CONSTANTS + 2 + (self.seeds - 1) - made
        if self.runs < least:
            raise UsageError(
                f"runs must be at least {least}: {CONSTANTS + 1} different ones to fit the law's {CONSTANTS} constants "
                f"and judge the fit, one that they foretell, and {self.seeds - 1} further seeds (got {self.runs})"
            )
        if not 0 < self.most_run <= 1:
            raise UsageError(f"max-run must be a share above 0 and at most 100% (got {self.most_run:g})")

    @property
    def reach(self) -> Reach:
        """How far single runs may go."""
        flop = min(self.most_run * self.flop, self.target.train_flop)
        return Reach(flop=flop, tokens=self.tokens, params=self.most_params)
