"""Training compute against serving: runs of one loss, the front of training, serving and loss, and two plans.

At one loss the front holds every size from the optimum down to the least that reaches it, and none above: a larger
model takes more training and more serving for the same loss. Two plans break even at (C_1 - C_2) / (s(N_2) - s(N_1))
served tokens (``equal_loss``); where their losses differ that compares unlike models, which is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from scaleplan import units
from scaleplan.compute.accounting import Accounting, ModelSize
from scaleplan.compute.bill import Assumption
from scaleplan.compute.serving import Service
from scaleplan.errors import InfeasibleError, Notice, UsageError
from scaleplan.laws.law import Law
from scaleplan.planning.comparison import ComparedOption, Option, compare
from scaleplan.planning.constraints import LARGEST
from scaleplan.planning.equal_loss import RATIOS, Ground, TradeoffRow, curve, front, least_ratio, loss_of, run_at
from scaleplan.planning.notices import conversion, extrapolation, held, times
from scaleplan.planning.optimum import Point, surface_optimum, surface_optimum_for_loss
from scaleplan.planning.problem import check_quantity

BUDGETS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Our choice: the optima whose losses the front is drawn at, in training FLOPs over those asked for."""
_WORTH_A_WORD = 10.0
"""Our choice: nobody plans runs of more extra compute, which only show where the curve ends; notices leave them out."""
_KEPT = ("unsure", "converted", "held")
"""Notices of a comparison that concern these rows: they have no bands, and that FLOPs differ is the very question."""
_SAME_LOSS = 5e-5
"""Our choice: losses print with four decimals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tradeoff:
    """The rows: the curve and then the front, or two plans.

    ``train_flop`` and ``loss`` are the optimum's, ``least_params_ratio`` the k below which no tokens reach its loss;
    ``None`` where two plans were compared, the last also where the law knows no such ratio.
    """

    rows: tuple[TradeoffRow, ...]
    law: Law
    accounting: Accounting
    train_flop: float | None = None
    loss: float | None = None
    least_params_ratio: float | None = None
    service: Service | None = None
    assumptions: tuple[Assumption, ...] = ()
    """Of ``service``: each of its inputs with where it comes from."""
    options: tuple[Option, ...] = ()
    warnings: tuple[Notice, ...] = ()


def tradeoff(
    law: Law,
    *,
    train_flop: float | None = None,
    loss: float | None = None,
    accounting: Accounting,
    service: Service | None = None,
) -> Tradeoff:
    """The curve of equal loss through an optimum, and the front of training compute, serving and loss around it.

    Args:
        law: a law with a loss surface.
        train_flop: the optimum's training FLOPs, as ``accounting`` counts them.
        loss: or the loss to keep.
        accounting: the convention of training FLOPs.
        service: what will be served; the rows then say what it takes, and which run of a loss takes least over its
            life.

    Raises:
        UsageError: a law without a surface or that refuses to plan, both or neither of FLOPs and loss.
        InfeasibleError: a loss at or below the floor, or a budget below a parameter or a token.
    """
    law.require_allowed("allocate")
    ground = Ground(law, law.require_surface("a trade-off at equal loss"), accounting, service)
    best = _optimum(ground, train_flop, loss)
    least = least_ratio(ground, best)
    rows = curve(ground, best, "equal-loss")
    if least is not None:
        rows.append(run_at(ground, best, "equal-loss", least, endless=True))
    around = [surface_optimum(law, ground.surface, accounting, best.train_flop * factor) for factor in BUDGETS]
    rows += front(ground, [row for each in around for row in curve(ground, each, "front")])
    notices = (*_beyond(ground, rows), *conversion(law, accounting), *held(law))
    return Tradeoff(
        rows=tuple(rows),
        law=law,
        accounting=accounting,
        train_flop=float(best.train_flop),
        loss=loss_of(best),
        least_params_ratio=least,
        service=service,
        warnings=notices,
    )


def between(law: Law, first: Option, second: Option, *, accounting: Accounting, service: Service | None) -> Tradeoff:
    """Two plans as they are trained, and the served tokens beyond which the smaller one has taken less.

    Raises:
        UsageError: as ``tradeoff``, or a plan without parameters or tokens.
    """
    law.require_allowed("allocate")
    ground = Ground(law, law.require_surface("a trade-off between plans"), accounting, service)
    for option in (first, second):
        if option.params is None or option.tokens is None:
            lacks = "parameters" if option.params is None else "tokens"
            raise UsageError(f"{option.name}: its {lacks} are not known; write name={option.name},params=30B,tokens=5T")
    both = compare((law,), (first, second), train_flop=None, as_trained=True, level=0.95, accounting=accounting)
    one, other = both.rows[:2]
    small, large = sorted((one, other), key=lambda row: ground.per_token(row.params))
    tokens = ground.break_even((small.params, small.train_flop), (large.params, large.train_flop))
    rows = [replace(_plan(ground, row), break_even_tokens=tokens) for row in (one, other)]
    if service is not None:
        least = min(row.lifetime_flop or math.inf for row in rows)
        rows = [replace(row, least_lifetime=row.lifetime_flop == least) for row in rows]
    points = [_point(accounting, row) for row in rows]
    kept = [notice for notice in both.warnings if notice.code in _KEPT]
    notices = [*_no_break_even(small, large, tokens), *_unlike(law, one, other), *kept]
    return Tradeoff(
        rows=tuple(rows),
        law=law,
        accounting=accounting,
        service=service,
        options=(first, second),
        warnings=(*notices, *extrapolation(law, *points), *_over_trained(law, points)),
    )


def _plan(ground: Ground, row: ComparedOption) -> TradeoffRow:
    """A plan by the side of another; its ratio is over the optimum of its own loss."""
    law, accounting = ground.law, ground.accounting
    best = surface_optimum(law, ground.surface, accounting, row.optimal_flop_same_loss)
    size = ModelSize(row.params, row.params_nonembedding)
    counted = size.counted(law.counts_params) / best.size.counted(law.counts_params)
    plan = TradeoffRow(
        kind="plan",
        option=row.option,
        params_ratio=float(counted),
        params=row.params,
        params_nonembedding=row.params_nonembedding,
        tokens=row.tokens,
        tokens_per_param=row.tokens_per_param,
        train_flop=row.train_flop,
        loss=row.loss,
        optimal_flop_same_loss=row.optimal_flop_same_loss,
        extra_share=row.train_flop / row.optimal_flop_same_loss - 1,
    )
    return ground.served(plan)


def _optimum(ground: Ground, train_flop: float | None, loss: float | None) -> Point:
    if (train_flop is None) is (loss is None):
        raise UsageError("a trade-off keeps one loss: give training FLOPs, whose best loss is kept, or the loss itself")
    check_quantity("train_flop", train_flop)
    check_quantity("loss", loss)
    law, surface, accounting = ground.law, ground.surface, ground.accounting
    if train_flop is not None:
        given, best = f"{units.flop(train_flop)} FLOP", surface_optimum(law, surface, accounting, train_flop)
    else:
        assert loss is not None
        given = f"a loss of {loss:g}"
        if loss <= surface.floor:
            floor = f"{law.id} does not go below {surface.floor:.4f} {law.measure.unit}"
            raise InfeasibleError(f"{given} cannot be kept: {floor}; ask for a higher loss")
        best = surface_optimum_for_loss(law, surface, accounting, loss)
    for value, what in ((best.size.total, "parameter"), (best.tokens, "token")):
        if value < 1:
            ask = "a higher loss takes even less; ask for a lower one" if train_flop is None else "ask for more"
            raise InfeasibleError(f"{given} takes less than one {what} under {law.id}; {ask}")
    if not max(BUDGETS) * max(RATIOS) * best.size.total < LARGEST:
        ask = "ask for less" if loss is None else "ask for a higher one"
        raise InfeasibleError(f"{given} takes more parameters than searches here go up to under {law.id}; {ask}")
    return best


def _point(accounting: Accounting, row: TradeoffRow) -> Point:
    assert row.tokens is not None
    assert row.train_flop is not None
    size = ModelSize(row.params, row.params_nonembedding, accounting.embeddings)
    return Point(size, row.tokens, row.train_flop, row.loss, "")


def _beyond(ground: Ground, rows: Sequence[TradeoffRow]) -> list[Notice]:
    """How far the runs lie beyond those behind the law, and what that does to the gains of over-training."""
    law = ground.law
    near = [row for row in rows if row.extra_share is not None and row.extra_share <= _WORTH_A_WORD]
    points = [_point(ground.accounting, row) for row in near]
    return [*extrapolation(law, *points), *_over_trained(law, points)]


def _over_trained(law: Law, points: Sequence[Point]) -> list[Notice]:
    known = law.fitted.tokens_per_param
    if known is None or not any(point.tokens / point.size.total > known[1] for point in points):
        return []
    text = (
        f"{law.id}: fitted up to {units.count(known[1])} tokens per parameter; beyond, a law promises more of training "
        "a small model long than it gives (Sardana et al. 2024, arXiv 2401.00448)."
    )
    return [Notice("over_trained", text)]


def _no_break_even(small: ComparedOption, large: ComparedOption, tokens: float | None) -> list[Notice]:
    if tokens is not None:
        return []
    if small.params == large.params:
        text = "both plans have the same parameters, so that serving takes the same"
    else:
        text = f"{small.option} takes less to serve and no more to train than {large.option}"
    return [Notice("no_break_even", f"{text}: no number of served tokens turns one against the other.")]


def _unlike(law: Law, one: ComparedOption, other: ComparedOption) -> list[Notice]:
    """A notice where the plans reach different losses, with what the difference is worth in compute."""
    low, high = sorted((one, other), key=lambda row: row.loss)
    if high.loss - low.loss <= _SAME_LOSS:
        return []
    factor = low.optimal_flop_same_loss / high.optimal_flop_same_loss
    text = (
        f"{law.id}: {low.option} reaches {low.loss:.4f} and {high.option} {high.loss:.4f}, so that they are no equals: "
        f"at best the lower loss takes {times(factor)} the training FLOPs of the higher."
    )
    return [Notice("unlike_loss", text)]
