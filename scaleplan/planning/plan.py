"""The answer: frozen results whose field names are the names used everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaleplan.errors import Notice
from scaleplan.laws.law import Law
from scaleplan.ops import Real
from scaleplan.planning.problem import Problem

if TYPE_CHECKING:
    from scaleplan.compute.bill import Assumption
    from scaleplan.compute.costing import Costing
    from scaleplan.compute.serving import Served
    from scaleplan.planning.draw_bands import Spread
    from scaleplan.planning.forgiveness import Forgiveness
    from scaleplan.planning.hyper import HyperRow
    from scaleplan.planning.regret import RegretTable
    from scaleplan.planning.why import Why


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Plan:
    """One law's answer to a problem.

    Numbers are floats, or arrays that broadcast against each other where the problem has arrays. ``*_low`` and
    ``*_high`` are the ends of the band at ``problem.level``; ``None`` where the law has no covariance, or where the
    quantity was given (or follows exactly from what was given). ``params`` counts embeddings. ``loss`` is ``None``
    under a law without one. ``method`` says how the numbers came about. ``cross_check`` holds the other laws' answers,
    ``flop_over_runs`` the FLOPs over those of the dearest run behind the law (as it counts them; ``None`` where
    that is not known), ``costing`` the bill where a machine was named, ``hyper`` learning rate and batch by the default
    rule, where they were asked for.

    ``why`` is what holds a plan under limits back; ``serving`` what serving it takes and ``serving_assumptions`` what
    stands behind that; ``epochs`` how often its unique tokens are seen; ``params_active`` and ``experts`` are of
    mixtures, whose ``params`` are all of them; ``forgiveness`` is what another size costs in compute; ``regret`` what
    this plan and others cost if another law is true, where a robust plan was asked for; ``spread`` the percentiles
    behind bands by draws; ``bindings`` the names of the limits that bind, joined by a plus, for each of many budgets.
    """

    law: Law
    problem: Problem
    method: str
    train_flop: Real
    params: Real
    params_nonembedding: Real
    tokens: Real
    tokens_per_param: Real
    loss: Real | None
    train_flop_low: Real | None = None
    train_flop_high: Real | None = None
    params_low: Real | None = None
    params_high: Real | None = None
    tokens_low: Real | None = None
    tokens_high: Real | None = None
    tokens_per_param_low: Real | None = None
    tokens_per_param_high: Real | None = None
    loss_low: Real | None = None
    loss_high: Real | None = None
    flop_over_runs: Real | None = None
    hyper: HyperRow | None = None
    costing: Costing | None = None
    why: Why | None = None
    serving: Served | None = None
    serving_assumptions: tuple[Assumption, ...] = ()
    epochs: Real | None = None
    params_active: Real | None = None
    experts: Real | None = None
    forgiveness: Forgiveness | None = None
    regret: RegretTable | None = None
    spread: Spread | None = None
    bindings: list[str | None] | None = None
    warnings: tuple[Notice, ...] = ()
    cross_check: tuple[Plan, ...] = ()

    @property
    def binding(self) -> tuple[str, ...]:
        """The constraints that bind, by their keys; none where the budget alone does."""
        return () if self.why is None else self.why.binding

    @property
    def accelerators(self) -> int | None:
        """How many accelerators it runs on; this and what follows are of ``costing``, ``None`` without one."""
        return None if self.costing is None else self.costing.accelerators

    @property
    def days(self) -> float | None:
        """How long it takes with everything on its bill."""
        return None if self.costing is None else self.costing.days

    @property
    def gpu_hours(self) -> float | None:
        """Accelerator-hours of its bill."""
        return None if self.costing is None else self.costing.gpu_hours

    @property
    def cost_usd(self) -> float | None:
        """Money of its bill."""
        return None if self.costing is None else self.costing.cost_usd

    @property
    def energy_mwh(self) -> float | None:
        """Energy of its bill."""
        return None if self.costing is None else self.costing.energy_mwh

    def __repr__(self) -> str:
        numbers = ", ".join(f"{key}={getattr(self, key)!r}" for key in ("train_flop", "params", "tokens", "loss"))
        return f"Plan(law={self.law.id!r}, {numbers})"
