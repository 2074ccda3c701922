"""The optimal run for every budget of a range, and how parameters and tokens grow with ten times the compute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scaleplan.compute.accounting import Accounting
from scaleplan.errors import Notice, UsageError
from scaleplan.laws.law import Law
from scaleplan.planning.allocation import allocate
from scaleplan.planning.notices import joined
from scaleplan.planning.plan import Plan
from scaleplan.planning.problem import Problem, check_quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontierPoint:
    """One budget's plan and the local growth for ten times the compute (ratios at 10 C and C)."""

    plan: Plan
    params_growth_per_10x: float
    params_nonembedding_growth_per_10x: float
    tokens_growth_per_10x: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The points, law by law and within a law by budget."""

    points: tuple[FrontierPoint, ...]
    start: float
    stop: float
    per_decade: int
    warnings: tuple[Notice, ...]


def budgets(start: float, stop: float, per_decade: int) -> list[float]:
    """Budgets from ``start`` to ``stop``, ``per_decade`` of them to a factor of ten, both ends included.

    Raises:
        UsageError: the range is empty, or more than 100,000 budgets were asked for.
    """
    check_quantity("from", start)
    check_quantity("to", stop)
    if stop < start:
        raise UsageError(f"the range is empty: it runs from {start:g} to {stop:g} FLOP")
    if per_decade < 1:
        raise UsageError(f"per-decade must be at least 1 (got {per_decade})")
    decades = math.log10(stop / start)
    steps = math.floor(decades * per_decade + 1e-9)
    if steps > 100_000:
        raise UsageError(f"{steps + 1:,} budgets are more than the 100,000 a frontier prints; lower per-decade")
    exponent = math.log10(start)
    # A power of ten is spelt out, so that 1e24 is 1e24 and not its neighbour after a logarithm.
    values = [float(f"{10 ** (exponent + i / per_decade):.15g}") for i in range(steps + 1)]
    values[0] = start
    if stop / values[-1] > 1 + 1e-9:
        values.append(stop)
    else:
        values[-1] = stop if len(values) > 1 else start
    return values


def frontier(
    laws: Sequence[Law], start: float, stop: float, *, per_decade: int, level: float, accounting: Accounting
) -> Frontier:
    """The frontier of each law over a range of budgets.

    Raises:
        UsageError: an empty range, or a law that refuses to allocate.
    """
    points: list[FrontierPoint] = []
    last: list[Plan] = []
    for law in laws:
        for flop in budgets(start, stop, per_decade):
            plan, tenfold = (
                allocate(law, Problem(train_flop=c, level=level, accounting=accounting)) for c in (flop, 10 * flop)
            )
            points.append(
                FrontierPoint(
                    plan=plan,
                    params_growth_per_10x=float(tenfold.params / plan.params),
                    params_nonembedding_growth_per_10x=float(tenfold.params_nonembedding / plan.params_nonembedding),
                    tokens_growth_per_10x=float(tenfold.tokens / plan.tokens),
                )
            )
        last.append(points[-1].plan)
    notices = joined([(plan.law, plan.warnings) for plan in last])
    return Frontier(points=tuple(points), start=start, stop=stop, per_decade=per_decade, warnings=notices)
