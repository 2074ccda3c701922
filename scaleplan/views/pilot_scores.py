"""Sets of pilot runs judged: what each tells of the target for its compute."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from scaleplan.fitting.diagnostic_statistics import condition_text
from scaleplan.views.inputs import accounting_inputs, law_inputs
from scaleplan.views.table import Grid, Table, flop, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scaleplan.pilots.scoring import Scored
    from scaleplan.specs.pilot_plan import PilotPlan, ScoredPilots

SCORE_COLUMNS = (
    "name",
    "runs",
    "train_flop",
    "loss_se",
    "params_se",
    "condition",
    "params_decades",
    "tokens_per_param_decades",
    "flop_decades",
    "decades_to_target",
    "moved",
    "compute_for_same",
)


def score_table(scored: ScoredPilots) -> Table:
    """One's own runs, then other designs of the same compute, best first."""
    every = [scored.own, *scored.others]
    return Table(
        verb="pilot",
        inputs={
            "target": target_inputs(scored),
            "noise": scored.ask.noise._asdict(),
            "laws_averaged": list(scored.ask.plausible.sources),
            **counting(scored),
        },
        columns=SCORE_COLUMNS,
        rows=[score_row(each) for each in every],
        warnings=scored.warnings,
        grids=lambda: [score_grid(every)],
    )


def score_row(scored: Scored) -> dict[str, Any]:
    """What a set of runs tells, as data; what cannot be told is absent."""
    return {
        "name": scored.name,
        "runs": len(scored.points),
        "train_flop": float(scored.points.flop.sum()),
        "loss_se": finite(scored.loss_se),
        "params_se": finite(scored.params_se),
        "condition": finite(scored.condition),
        "params_decades": scored.ranges.params,
        "tokens_per_param_decades": scored.ranges.ratio,
        "flop_decades": scored.ranges.flop,
        "decades_to_target": scored.ranges.short,
        "moved": scored.moved,
        "compute_for_same": scored.compute_for_same,
    }


def finite(value: float) -> float | None:
    """A number, or nothing where it is infinite."""
    return value if math.isfinite(value) else None


def target_inputs(plan: PilotPlan | ScoredPilots) -> dict[str, Any]:
    """The run that pilots are for."""
    target = plan.plan
    return {
        "train_flop": float(target.train_flop),
        "params": float(target.params),
        "tokens": float(target.tokens),
        "loss": None if target.loss is None else float(target.loss),
    }


def counting(plan: PilotPlan | ScoredPilots) -> dict[str, Any]:
    """How FLOPs and parameters are counted, and by which law."""
    return {**accounting_inputs(plan.plan.problem.accounting), "laws": [law_inputs(plan.law)]}


def score_grid(every: Sequence[Scored]) -> Grid:
    """Sets of runs side by side."""
    headers = ["design", "runs", "FLOP", "loss +-", "N* x/", "D/N", "condition", "same for"]
    cells = [
        [
            each.name + ("*" if each.moved else ""),
            str(len(each.points)),
            flop(float(each.points.flop.sum())),
            percent(each.loss_se),
            factor(each.params_se),
            f"10^{each.ranges.ratio:.1f}",
            condition_text(each.condition),
            _same(each.compute_for_same),
        ]
        for each in every
    ]
    moved = "; *: sizes below the smallest that can be built are moved there" if any(e.moved for e in every) else ""
    note = (
        "loss +-: standard error of the loss at the target; N* x/: of its best size, as a factor; D/N: how far tokens "
        f"a parameter range; same for: the share of this compute for which the design tells as much; errors are those "
        "of least squares weighted by the noise assumed, without what all runs miss alike, which bands of plans add"
        f"{moved}"
    )
    return Grid(
        title="what equal compute tells of the target",
        headers=headers,
        rows=cells,
        numeric=[False, *[True] * (len(headers) - 1)],
        note=note,
    )


def _same(part: float | None) -> str:
    from scaleplan.pilots.savings import FRACTIONS

    if part is None:
        return "-"
    return f"< {share(part)}" if part == min(FRACTIONS) else share(part)


def percent(se: float) -> str:
    """A standard error of a logarithm in per cent, a dash where it says nothing."""
    return f"{100 * se:.3g}%" if se < 1 else "-"


def factor(se: float) -> str:
    """A standard error of a logarithm as a factor, a dash where it says nothing."""
    return f"{math.exp(se):.3g}" if se < 10 else "-"
