"""Hoffmann's approach 2: the best size of each compute budget by a parabola, and a power law through them.

    ln N* = ln k + a ln C,   D* = C / (6 N*)

Source: Hoffmann et al. 2022 (arXiv 2203.15556), sec. 3.2. The line is weighted by the vertices' standard errors, none
smaller than a third of a grid step: Porian et al. 2024 (arXiv 2406.19146). ``parabola`` says how rows are chosen and
what is done about a parabola's bias.

Ours: rows that missed their budget are moved to it along the trend of the minima, since by the envelope theorem the
slope of the loss in C at constant N is the trend's, at the minimum. It is the median over pairs of budgets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from scaleplan import units
from scaleplan.errors import Notice, UsageError
from scaleplan.fitting.budgets import compute_budgets, distinct_sizes
from scaleplan.fitting.forms import find_fit_form
from scaleplan.fitting.parabola import LEAST_SIZES, OUTLIER, Sample, bias, fit_parabolas
from scaleplan.fitting.point import fit_form
from scaleplan.fitting.runs import runs_of
from scaleplan.laws.power_rule import PowerRule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.parabola import Parabola
    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.solution import Fit

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_FEW_SIZES = 3
_BUDGETS, _BUDGETS_FOR_INTERVAL, _BUDGETS_FOR_TREND = 2, 3, 4
_STEP_SHARE = 1 / 3
_LISTED = 10
"""Our choice: budgets or rows that a notice names; it counts the others."""
_ROUNDING = 1e-6
"""Our choice: a budget missed by less, relative, is one met in all printed digits."""
_BIAS_SAID = 5e-4
"""Our choice: a correction of N* below 0.05 % is not worth a notice."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IsoFlopPoints:
    """The minima of the budgets that have one, cheapest first; every array has the shape (budgets,).

    ``flop`` the budget [FLOP], ``rows`` how many rows its parabola goes through, ``params_opt`` N* after ``shift``,
    ``ln_params_se`` the standard error of ln N*, ``loss_opt`` the loss there [nats/token], ``loss_se`` its standard
    error, ``params_low`` and ``params_high`` the ends of the grid fitted to, ``step`` the median step of ln N on it,
    ``shift`` what was added to ln N* for the parabola's bias. Where no budget has more rows than a parabola has
    parameters, there is no telling the noise: the standard errors are infinite.
    """

    flop: Floats
    rows: Indices
    params_opt: Floats
    ln_params_se: Floats
    loss_opt: Floats
    loss_se: Floats
    params_low: Floats
    params_high: Floats
    step: Floats
    shift: Floats

    def __len__(self) -> int:
        return len(self.flop)

    @property
    def tokens_opt(self) -> Floats:
        """D* = C / (6 N*)."""
        return self.flop / (6 * self.params_opt)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class IsoFlop:
    """What approach 2 found.

    ``covariance`` (2, 2) is of (ln k, a) of the ``rule``, with ``dof`` degrees of freedom; ``None`` with two budgets.
    ``trend`` is the form compute-only fitted to the losses at the minima, ``None`` with fewer than four budgets.
    ``outliers`` are the rows left out, by their place in the runs.
    """

    points: IsoFlopPoints
    rule: PowerRule
    covariance: Floats | None
    dof: int
    trend: Fit | None
    outliers: Indices
    notices: tuple[Notice, ...]


def fit_isoflop(runs: Runs, *, exponents: tuple[float, float] | None = None) -> IsoFlop:
    """Approach 2 on the budgets of four sizes or more, and on those of three where fewer than three have four.

    Args:
        runs: every row counts as it stands, checkpoints too.
        exponents: alpha and beta of the parametric fit, by which vertices are corrected; ``None`` leaves them.

    Raises:
        UsageError: fewer than two budgets have enough sizes and a minimum among them; exponents that are not positive.
    """
    if exponents is not None and min(exponents) <= 0:
        raise UsageError(f"exponents of a law are above 0 (got alpha = {exponents[0]:g}, beta = {exponents[1]:g})")
    budgets = compute_budgets(runs)
    full = int(np.sum(budgets.sizes >= LEAST_SIZES)) >= _BUDGETS_FOR_INTERVAL
    used = np.flatnonzero(budgets.sizes >= (LEAST_SIZES if full else _FEW_SIZES))
    flop = budgets.flop[used]
    members = [np.flatnonzero(budgets.index == b) for b in used]
    parabolas, sd, left_out = _levelled(runs, flop, members)
    each = list(zip(flop.tolist(), parabolas, strict=True))
    found = [(c, p) for c, p in each if p.inside]
    if len(found) < _BUDGETS:
        raise UsageError(_too_few(runs, len(budgets), len(used), len(found)))
    points = _points(found, sd, exponents)
    rule, covariance = _line(points)
    outliers = np.sort(np.concatenate([rows[out] for rows, out in zip(members, left_out, strict=True)]))
    notices = (
        _few_sizes(runs, flop[budgets.sizes[used] == _FEW_SIZES].tolist()),
        _outside(runs, [(c, p) for c, p in each if not p.inside]),
        _outliers(runs, outliers),
        _bias_notice(runs, points, exponents),
    )
    return IsoFlop(
        points=points,
        rule=rule,
        covariance=covariance,
        dof=len(points) - 2,
        trend=_trend(runs, points),
        outliers=outliers,
        notices=tuple(notice for notice in notices if notice is not None),
    )


def _levelled(runs: Runs, flop: Floats, members: list[Indices]) -> tuple[list[Parabola], float, list[Flags]]:
    """The parabolas, after rows that missed their budget were moved to it along the trend of a first round's minima."""
    samples = [Sample(np.log(runs.params[rows]), runs.loss[rows], runs.weight[rows]) for rows in members]
    first = fit_parabolas(samples)
    minima = np.array(
        [(math.log(c), math.log(p.least)) for c, p in zip(flop.tolist(), first[0], strict=True) if p.inside]
    )
    short = [c / runs.train_flop[rows] for c, rows in zip(flop.tolist(), members, strict=True)]
    if len(minima) < _BUDGETS or max(float(np.abs(each - 1).max()) for each in short) < _ROUNDING:
        return first
    i, j = np.triu_indices(len(minima), 1)
    slope = float(np.median((minima[j, 1] - minima[i, 1]) / (minima[j, 0] - minima[i, 0])))
    return fit_parabolas([s._replace(loss=s.loss * more**slope) for s, more in zip(samples, short, strict=True)])


def _points(found: list[tuple[float, Parabola]], sd: float, exponents: tuple[float, float] | None) -> IsoFlopPoints:
    parabolas = [p for _, p in found]
    shift = np.array([-bias(p, *exponents) if exponents else 0.0 for p in parabolas])
    errors = np.array([p.standard_errors(sd) for p in parabolas])
    return IsoFlopPoints(
        flop=np.array([flop for flop, _ in found]),
        rows=np.array([len(p.x) for p in parabolas], dtype=np.int64),
        params_opt=np.exp(np.array([p.vertex for p in parabolas]) + shift),
        ln_params_se=errors[:, 0],
        loss_opt=np.array([p.least for p in parabolas]),
        loss_se=errors[:, 1],
        params_low=np.exp(np.array([p.x.min() for p in parabolas])),
        params_high=np.exp(np.array([p.x.max() for p in parabolas])),
        step=np.array([float(np.median(np.diff(distinct_sizes(p.x)))) for p in parabolas]),
        shift=shift,
    )


def _line(points: IsoFlopPoints) -> tuple[PowerRule, Floats | None]:
    """The weighted line of ln N* on ln C, its covariance scaled by its own residuals."""
    errors = points.ln_params_se
    weight = 1 / np.maximum(np.where(np.isfinite(errors), errors, 0.0), _STEP_SHARE * points.step) ** 2
    x, y = np.log(points.flop), np.log(points.params_opt)
    centre = float(weight @ x / weight.sum())
    away = x - centre
    a = float(weight @ (away * y) / (weight @ (away * away)))
    middle = float(weight @ y / weight.sum())
    rule = PowerRule(k=math.exp(middle - a * centre), a=a)
    dof = len(points) - 2
    if not dof:
        return rule, None
    residuals = y - middle - a * away
    scale = float(weight @ (residuals * residuals)) / dof
    of_a, of_middle = scale / float(weight @ (away * away)), scale / float(weight.sum())
    return rule, np.array([[of_middle + centre * centre * of_a, -centre * of_a], [-centre * of_a, of_a]])


def _trend(runs: Runs, points: IsoFlopPoints) -> Fit | None:
    if len(points) < _BUDGETS_FOR_TREND:
        return None
    minima = runs_of(points.params_opt, points.tokens_opt, points.loss_opt, source=f"{runs.source}, minima")
    return fit_form(minima, find_fit_form("compute-only"))


def _few_sizes(runs: Runs, flop: list[float]) -> Notice | None:
    if not flop:
        return None
    return Notice(
        "isoflop_few_sizes",
        f"{runs.source}: {_named(flop)} of three sizes: the parabola goes through every point and nothing is left to "
        "judge it by; measure four sizes a budget or more.",
    )


def _outside(runs: Runs, outside: list[tuple[float, Parabola]]) -> Notice | None:
    """Each refused budget, its grid and on which side the minimum would lie."""
    if not outside:
        return None
    parts = [
        f"{units.flop(flop)} ({units.count(math.exp(p.x.min()))} to {units.count(math.exp(p.x.max()))} parameters: "
        f"{_side(p)})"
        for flop, p in outside
    ]
    return Notice(
        "isoflop_minimum_outside_grid",
        f"{runs.source}: budgets left out, since the parabola has no minimum among their sizes: {_listed(parts)}; "
        "measure sizes on both sides of the minimum.",
    )


def _side(parabola: Parabola) -> str:
    if parabola.coefficients[2] <= 0:
        return "it opens downwards"
    return "the minimum is below" if parabola.vertex <= parabola.x.min() else "the minimum is above"


def _outliers(runs: Runs, outliers: Indices) -> Notice | None:
    if not len(outliers):
        return None
    rows = _listed([str(int(runs.row[i])) for i in outliers])
    return Notice(
        "isoflop_outliers",
        f"{runs.source}: left out of the parabolas, more than {OUTLIER:g} standard deviations away: row {rows}.",
    )


def _bias_notice(runs: Runs, points: IsoFlopPoints, exponents: tuple[float, float] | None) -> Notice | None:
    if exponents is None or float(np.abs(points.shift).max()) < _BIAS_SAID:
        return None
    low, high = (100 * math.expm1(float(end)) for end in (points.shift.min(), points.shift.max()))
    size = f"{low:+.2f} %" if high - low < 0.005 else f"{low:+.2f} to {high:+.2f} %"
    alpha, beta = exponents
    return Notice(
        "vertex_bias",
        f"{runs.source}: a parabola misses the optimum of a law with alpha = {alpha:.3g}, beta = {beta:.3g}; N* of the "
        f"budgets was corrected by {size}.",
    )


def _named(flop: list[float]) -> str:
    return f"budget{'s' if len(flop) > 1 else ''} {_listed([units.flop(each) for each in flop])}"


def _listed(parts: list[str]) -> str:
    return ", ".join(parts[:_LISTED]) + (f" and {len(parts) - _LISTED} more" if len(parts) > _LISTED else "")


def _too_few(runs: Runs, budgets: int, used: int, found: int) -> str:
    if used < _BUDGETS:
        return (
            f"{runs.source}: --method isoflop needs at least two compute budgets with three sizes each, better three "
            f"with four; of {budgets} budgets {used} have as many: measure them or use --method parametric"
        )
    return (
        f"{runs.source}: --method isoflop needs at least two compute budgets with a minimum among their sizes; "
        f"{found} of {used} have one: measure smaller and larger models at the same compute or use --method parametric"
    )
