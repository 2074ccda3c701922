"""The answer: frozen results whose field names are the names used everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaleplan.errors import Notice
from scaleplan.laws.law import Law
from scaleplan.ops import Real
from scaleplan.planning.problem import Problem

if TYPE_CHECKING:
    from scaleplan.compute.costing import Costing
    from scaleplan.compute.serving import Served
    from scaleplan.planning.beside import Beside
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

    ``forgiveness`` is what another size costs in compute; ``beside`` what else was asked: what holds a plan back, what
    serving it takes, epochs, experts (``params`` are all parameters of a mixture), regret.
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
    forgiveness: Forgiveness | None = None
    beside: Beside | None = None
    warnings: tuple[Notice, ...] = ()
    cross_check: tuple[Plan, ...] = ()

    @property
    def why(self) -> Why | None:
        """What holds a plan under limits back; this and what follows are of ``beside``, ``None`` without it."""
        return None if self.beside is None else self.beside.why

    @property
    def bindings(self) -> list[str | None] | None:
        """The names of the limits that bind, joined by a plus, for each of many budgets."""
        return None if self.beside is None else self.beside.bindings

    @property
    def serving(self) -> Served | None:
        """What serving it takes."""
        return None if self.beside is None else self.beside.serving

    @property
    def epochs(self) -> Real | None:
        """How often its unique tokens are seen."""
        return None if self.beside is None else self.beside.epochs

    @property
    def params_active(self) -> Real | None:
        """Of a mixture of experts, the parameters that a token passes."""
        return None if self.beside is None else self.beside.params_active

    @property
    def experts(self) -> Real | None:
        """Of a mixture, their number."""
        return None if self.beside is None else self.beside.experts

    @property
    def regret(self) -> RegretTable | None:
        """What this plan and others cost if another law is true."""
        return None if self.beside is None else self.beside.regret

    @property
    def spread(self) -> Spread | None:
        """The percentiles behind bands by draws."""
        return None if self.beside is None else self.beside.spread

    @property
    def binding(self) -> tuple[str, ...]:
        """The limits that bind, by their keys; none where there are no limits."""
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
