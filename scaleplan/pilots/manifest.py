"""The pilot runs of a plan as data: what each trains, on what, for how long, and in which order.

A manifest says no more than what a cluster needs to run it and what a fit needs to read the results.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from scaleplan.compute.bill import HOURS_PER_DAY

if TYPE_CHECKING:
    from scaleplan.compute.transformer import Transformer

Role = Literal["design", "replicate", "back-test"]
"""What a run is for: the design itself, the same run with another seed, or the dearest, which the others foretell."""
TIME_MARGIN = 1.3
"""Our choice: the scheduler ends a run at so many times its expected time; step times are estimated to about 10 %."""


class PilotRun(NamedTuple):
    """One pilot run.

    ``params`` (embeddings counted) and ``tokens`` = ``steps`` times ``batch_tokens`` are those of the real ``shape``;
    ``train_flop`` is 6 N D, N as the law counts it. ``stage`` 1 comes first, cheapest run first. What it takes is
    ``None`` where no accelerator was named: ``accelerators`` at once, for ``days`` of wall-clock time, ``gpu_hours``
    and ``cost_usd`` [USD] in all.
    """

    id: str
    stage: int
    role: Role
    params: float
    params_nonembedding: float
    tokens: float
    shape: Transformer
    batch_tokens: float
    steps: int
    learning_rate: float
    seed: int
    train_flop: float
    accelerator: str | None = None
    accelerators: int | None = None
    days: float | None = None
    gpu_hours: float | None = None
    cost_usd: float | None = None

    @property
    def tokens_per_param(self) -> float:
        """D / N."""
        return self.tokens / self.params

    @property
    def batch_sequences(self) -> int:
        """Sequences of a step."""
        return round(self.batch_tokens / float(self.shape.context))

    @property
    def time_limit_minutes(self) -> int | None:
        """What a scheduler should allow [min]: the expected time with ``TIME_MARGIN``, at least ten minutes."""
        if self.days is None:
            return None
        return max(_LEAST_MINUTES, math.ceil(self.days * HOURS_PER_DAY * 60 * TIME_MARGIN))


_LEAST_MINUTES = 10
"""Our choice: a job loads data and compiles before its first step."""


class Manifest(NamedTuple):
    """Pilot runs, cheapest first, and what they are called together."""

    name: str
    runs: tuple[PilotRun, ...]

    @property
    def train_flop(self) -> float:
        """Training FLOPs of all runs."""
        return math.fsum(run.train_flop for run in self.runs)

    @property
    def gpu_hours(self) -> float | None:
        """Accelerator-hours of all runs; ``None`` where no accelerator was named."""
        hours = [run.gpu_hours for run in self.runs if run.gpu_hours is not None]
        return math.fsum(hours) if len(hours) == len(self.runs) else None

    @property
    def cost_usd(self) -> float | None:
        """Money for all runs [USD]; ``None`` without a price."""
        money = [run.cost_usd for run in self.runs if run.cost_usd is not None]
        return math.fsum(money) if len(money) == len(self.runs) else None
