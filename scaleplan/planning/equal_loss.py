"""Runs of one loss: how much more training a smaller model takes, and what it saves in serving.

N = k N* reaches the loss of the optimum (N*, D*) on the D with L(N, D) = L(N*, D*). For the additive law

    D/D* = [1 + (beta/alpha)(1 - k^-alpha)]^(-1/beta),   extra_share = k D/D* - 1,   k > (1 + alpha/beta)^(-1/alpha),

whatever the budget (derived from eq. 4 of Hoffmann et al. 2022, arXiv 2203.15556). Every surface is asked for its D,
and the least k is searched for. Over its life a run takes 6 N D + s(N) T, with s(N) the FLOPs of a served token
(Sardana et al. 2024, arXiv 2401.00448, eq. 3): less than the optimum beyond T = (C - C*) / (s(N*) - s(N)).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from scaleplan.compute.accounting import Accounting
from scaleplan.compute.serving import Service
from scaleplan.conventions import FlopConvention
from scaleplan.errors import InfeasibleError
from scaleplan.laws.form import LossSurface
from scaleplan.laws.law import Law
from scaleplan.ops import Real, exp, log
from scaleplan.planning.constraints import Ceiling
from scaleplan.planning.optimum import Point
from scaleplan.planning.solver import Task, solve
from scaleplan.search import increasing_root

RATIOS = (4.0, 3.0, 2.0, 1.5, 1.3, 1.0, 0.9, 0.75, 0.7, 0.5, 0.33, 0.25, 0.2, 0.15)
"""Our choice: parameters over those of the optimum, from four times too many to about the fewest possible."""
_SAME_RATIO = 1e-6
"""Our choice: the solver leaves some 2e-7 of ln N."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeoffRow:
    """One run: ``equal-loss`` (on the curve), ``front`` (of the Pareto front) or ``plan`` (one of two to compare).

    ``params_ratio`` is over the optimum of the same loss, parameters as the law counts them; ``optimal_flop_same_loss``
    what that optimum takes and ``extra_share`` this run's training FLOPs over that, less one. Beyond
    ``break_even_tokens`` served it has taken less than the optimum, training and serving together (of two plans: the
    smaller less than the larger); ``None`` where it never has. ``lifetime_flop`` is that sum for the tokens to be
    served, least among the runs of the loss where ``least_lifetime``. The run of the least ratio has no tokens:
    only endless ones reach the loss.
    """

    kind: str
    option: str | None = None
    params_ratio: float | None
    params: float
    params_nonembedding: float
    tokens: float | None = None
    tokens_per_param: float | None = None
    train_flop: float | None = None
    loss: float
    optimal_flop_same_loss: float
    extra_share: float | None = None
    break_even_tokens: float | None = None
    serving_flop: float | None = None
    lifetime_flop: float | None = None
    serving_usd: float | None = None
    least_lifetime: bool | None = None


class Ground(NamedTuple):
    """What all runs have in common: the law and its surface, how FLOPs are counted, what is served."""

    law: Law
    surface: LossSurface
    accounting: Accounting
    service: Service | None = None

    @property
    def full(self) -> float:
        """FLOPs for one of the accounting's: C_min counts half of what training at the critical batch takes."""
        return FlopConvention.SIX_ND.per_param_token / self.accounting.flop.per_param_token

    def per_token(self, params: float) -> float:
        """FLOPs of a served token: 2 N where no more is known of the serving."""
        return 2 * params if self.service is None else float(self.service.flop(params) / self.service.demand.tokens)

    @property
    def priced(self) -> bool:
        """Whether what serves is known, and its price."""
        return self.service is not None and self.service.server is not None and self.service.server.price is not None

    def break_even(self, small: tuple[float, float], large: tuple[float, float]) -> float | None:
        """Served tokens beyond which the first of two (parameters, training FLOPs) has taken less."""
        saved = self.per_token(large[0]) - self.per_token(small[0])
        extra = self.full * (small[1] - large[1])
        return extra / saved if saved > 0 and extra > 0 else None

    def served(self, row: TradeoffRow) -> TradeoffRow:
        """The row with what serving it takes.

        Raises:
            InfeasibleError: more FLOPs than a float holds.
        """
        if self.service is None:
            return row
        flop = float(self.service.flop(row.params))
        usd = float(self.service.usd(row.params)) if self.priced else math.inf
        if flop == math.inf:
            raise InfeasibleError("serving so many tokens takes more FLOPs than numbers here can hold; serve fewer")
        return replace(
            row,
            serving_flop=flop,
            lifetime_flop=None if row.train_flop is None else self.full * row.train_flop + flop,
            serving_usd=usd if usd < math.inf else None,
        )


def curve(ground: Ground, best: Point, kind: str) -> list[TradeoffRow]:
    """The runs that reach an optimum's loss, from large to small; where served, the least over its life among them."""
    rows = [row for row in (run_at(ground, best, kind, ratio) for ratio in RATIOS) if row.tokens is not None]
    if ground.service is None:
        return rows
    least = _least_lifetime_ratio(ground, best, ground.service)
    known = [row.params_ratio for row in rows if abs((row.params_ratio or 0) / least - 1) < _SAME_RATIO]
    own = [] if known else [run_at(ground, best, kind, least)]
    marked = [replace(row, least_lifetime=row.params_ratio in (*known, least)) for row in (*rows, *own)]
    return sorted(marked, key=lambda row: -row.params)


def run_at(ground: Ground, best: Point, kind: str, ratio: float, *, endless: bool = False) -> TradeoffRow:
    """The run of ``ratio`` times an optimum's parameters that reaches its loss; without tokens where none do.

    ``endless`` says that none do, where only rounding could tell.
    """
    law, accounting = ground.law, ground.accounting
    loss, counted = loss_of(best), ratio * best.size.counted(law.counts_params)
    size, tokens, flop = best.size, best.tokens, best.train_flop
    if ratio != 1:
        size, tokens = accounting.size(counted, law.counts_params), ground.surface.tokens_for_loss(counted, loss)
        flop = accounting.train_flop(size, tokens)
    row = TradeoffRow(
        kind=kind,
        params_ratio=ratio,
        params=float(size.total),
        params_nonembedding=float(size.nonembedding),
        loss=loss,
        optimal_flop_same_loss=float(best.train_flop),
    )
    if endless or row.params < 1 or not 1 <= tokens < math.inf or flop == math.inf:
        return ground.served(row)
    both = (row.params, float(flop)), (float(best.size.total), float(best.train_flop))
    return ground.served(
        replace(
            row,
            tokens=float(tokens),
            tokens_per_param=float(tokens / size.total),
            train_flop=float(flop),
            extra_share=float(flop / best.train_flop) - 1,
            break_even_tokens=ground.break_even(*both) if ratio < 1 else None,
        )
    )


def least_ratio(ground: Ground, best: Point) -> float | None:
    """The k below which no tokens reach an optimum's loss; ``None`` where already one parameter does."""
    loss, counted = loss_of(best), float(best.size.counted(ground.law.counts_params))

    def reached(ln_params: Real) -> Real:
        return 1.0 if ground.surface.tokens_for_loss(exp(ln_params), loss) < math.inf else -1.0

    if reached(0.0) > 0:
        return None
    return float(exp(increasing_root(reached, 0.0, log(counted)))) / counted


def front(ground: Ground, rows: Sequence[TradeoffRow]) -> list[TradeoffRow]:
    """The runs that no other beats: none takes as little training and serving for as low a loss, and less of one.

    Serving is money where that is known, else FLOPs; where no tokens are to be served, those of a token.
    """
    found = [(row, _objectives(ground, row)) for row in rows if row.train_flop is not None]

    def beaten(one: tuple[float, ...]) -> bool:
        return any(other != one and all(a <= b for a, b in zip(other, one, strict=True)) for _, other in found)

    return [row for row, objectives in found if not beaten(objectives)]


def _objectives(ground: Ground, row: TradeoffRow) -> tuple[float, ...]:
    assert row.train_flop is not None
    if ground.priced:
        # Without a price it is too large for what would serve it.
        return row.train_flop, math.inf if row.serving_usd is None else row.serving_usd, row.loss
    return row.train_flop, ground.per_token(row.params), row.loss


def _least_lifetime_ratio(ground: Ground, best: Point, service: Service) -> float:
    accounting = ground.accounting
    lifetime = Ceiling("flops", per_flop=ground.full, flop=accounting.flop, beside=service.flop)
    found = solve(Task(ground.law, (), accounting, loss=best.loss, expense=lifetime))
    return float(found.params / best.size.counted(ground.law.counts_params))


def loss_of(point: Point) -> float:
    """The loss of a run on a surface."""
    assert point.loss is not None
    return float(point.loss)
