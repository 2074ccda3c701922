"""Figures that the diagnostics judge by: scales, tests and groups of rows, each linear in the number of runs.

A form is tested by regressing the standardised residuals z on d ln Lhat / d theta and, beside it, on a quadratic in
ln N and ln D, which holds any smooth misfit to second order:

    F = (RSS_0 - RSS_1) / q / (RSS_1 / (n - p)),   q more columns, p in all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from scaleplan.fitting.forms import FitForm
    from scaleplan.fitting.runs import Runs
    from scaleplan.fitting.solution import Fit

    Floats = NDArray[np.float64]
    Indices = NDArray[np.int64]

CLIP = 2.0
"""Huber's proposal 2 at two standard deviations (Huber 1981, sec. 6.7): 36 clean runs give the scale to 13 %, where the
median of |r| gives it to 20 %; a tenth of rows far off raises it by a third."""
_CLIPPED_VARIANCE = 0.9205
"""E min(z^2, 4) for a standard normal z."""
_RANK = 1e-11
"""Our choice: eigenvalues of a unit-diagonal Gram matrix below this share of the greatest are rounding."""


class Misfit(NamedTuple):
    """A smooth surface through the residuals ln Lhat - ln L.

    Its root mean square, how many normal deviates its F test is out, and its mean over the cheapest and over the
    dearest tenth of the runs.
    """

    size: float
    deviate: float
    cheapest: float
    dearest: float


class Trend(NamedTuple):
    """How |r| grows along something: its fitted size at the 5th and the 95th percentile, and Student's t."""

    low: float
    high: float
    t: float


def centred_jacobian(form: FitForm, runs: Runs, theta: Floats) -> Floats:
    """J = d ln Lhat / d theta at the natural ``theta``, (n, k), by levels at the centre of the runs."""
    model = form.bind(runs)
    jacobian = model.jacobian(np.asarray(np.linalg.solve(model.to_natural, theta), dtype=np.float64))
    for level, slope, x in (("ln_A", "alpha", runs.params), ("ln_B", "beta", runs.tokens)):
        if np.array_equal(model.to_natural, np.eye(len(theta))) and level in form.parameters:
            # A search in natural parameters does not centre by itself.
            column = jacobian[:, form.parameters.index(level)]
            jacobian[:, form.parameters.index(slope)] += column * float(np.log(x).mean())
    return jacobian


MOST_CONDITION = 1e4
"""Condition number: IsoFLOP grids and measured tables have 300 to 5,000, runs along one ray D = k N 35,000 and more."""


def condition_of(jacobian: Floats, weight: Floats) -> float:
    """Condition number of J' W J scaled to a unit diagonal; infinite where that is singular to rounding.

    Of a centred J, so that the units of N and D do not count.
    """
    gram, _ = _unit_gram(jacobian * np.sqrt(weight)[:, None])
    values = np.linalg.eigvalsh(gram)
    return float(values[-1] / values[0]) if values[0] > 1e-15 * values[-1] else math.inf


def condition_number(fit: Fit) -> float:
    """That of a fit's scaled information matrix, without the prior: about 1,000 for a good grid of 36 runs."""
    return condition_of(centred_jacobian(fit.form, fit.runs, fit.theta), fit.runs.weight)


def condition_text(condition: float) -> str:
    """A condition number for reading: 883, 2,504, 7.6e+16, infinite."""
    if math.isinf(condition):
        return "infinite"
    return f"{condition:,.0f}" if condition < 1e6 else f"{condition:.1e}"


def clipped_sd(residuals: Floats, parameters: int) -> float:
    """Standard deviation of residuals around a fit of so many parameters, by Huber's proposal 2."""
    square = residuals * residuals
    n = len(square)
    freedom = n / max(n - parameters, 1) / _CLIPPED_VARIANCE
    variance = float(np.mean(square)) * n / max(n - parameters, 1)
    for _ in range(40):
        variance = freedom * float(np.mean(np.minimum(square, CLIP * CLIP * variance)))
    return math.sqrt(variance)


def f_deviate(f: float, numerator: float, denominator: float) -> float:
    """The normal deviate with the tail of F, by Paulson's cube root (Abramowitz & Stegun 26.6.15)."""
    one, two = 2 / (9 * numerator), 2 / (9 * denominator)
    root = math.cbrt(f)
    return ((1 - two) * root - (1 - one)) / math.sqrt(two * root * root + one)


def smooth_misfit(fit: Fit, jacobian: Floats, scale: float) -> Misfit | None:
    """What a quadratic in ln N and ln D finds in the residuals, clipped at two ``scale``.

    Checkpoints of one run share its luck: F is taken down by rows a run. ``None`` with too few rows to tell.
    """
    runs = fit.runs
    root = np.sqrt(runs.weight / runs.weight.mean())
    z = np.clip(fit.residuals * root, -CLIP * scale, CLIP * scale)
    x, y = _standard(np.log(runs.params)), _standard(np.log(runs.tokens))
    k = jacobian.shape[1]
    both = np.empty((len(runs), k + 6))
    both[:, :k] = jacobian
    for place, column in enumerate((1.0, x, y, x * x, x * y, y * y), start=k):
        both[:, place] = column
    both *= root[:, None]
    smaller, p_own = _projected(both[:, :k], z)
    larger, p = _projected(both, z)
    q, dof = p - p_own, len(runs) - p
    if q < 1 or dof < 3 or runs.count <= p_own:
        return None
    bend = larger - smaller
    rss = float(np.sum((z - larger) ** 2))
    explained = float(bend @ bend)
    noise = q * rss / dof
    f = explained / max(noise, 1e-300) * runs.count / len(runs)
    size = math.sqrt(max(explained - noise, 0.0) / len(runs))
    surface: Floats = bend / np.maximum(root, 1e-300)
    flop = runs.train_flop
    low, high = np.quantile(flop, [0.1, 0.9]).tolist()
    cheapest, dearest = float(surface[flop <= low].mean()), float(surface[flop >= high].mean())
    return Misfit(size, f_deviate(f, q, dof), cheapest, dearest)


def size_trend(size: Floats, along: Floats, runs: int) -> Trend:
    """A straight line through ``size`` along something, ``runs`` of its rows independent."""
    x = _standard(along)
    slope = float(np.mean(x * size))
    mean = float(np.mean(size))
    left = float(np.mean((size - mean - slope * x) ** 2))
    ends = np.quantile(x, [0.05, 0.95])
    t = slope / math.sqrt(max(left / max(runs - 2, 1), 1e-300))
    return Trend(max(mean + slope * float(ends[0]), 0.0), max(mean + slope * float(ends[1]), 0.0), t)


def same(*columns: Floats) -> Indices:
    """(n,) a number for each different row of the ``columns``."""
    return np.unique(_mixed(columns), return_inverse=True)[1].astype(np.int64)


def all_different(*columns: Floats) -> bool:
    """Whether no two rows of the ``columns`` are the same; cheaper than to number them."""
    key = np.sort(_mixed(columns))
    return not bool(np.any(key[1:] == key[:-1]))


def _mixed(columns: tuple[Floats, ...]) -> NDArray[np.uint64]:
    """One 64-bit number for the values of a row: equal for equal rows, and by chance for one pair in 2^64."""
    key = np.zeros(len(columns[0]), dtype=np.uint64)
    for column in columns:
        # The mixer of splitmix64 (Steele et al. 2014); one key sorts many times faster than several columns do.
        bits = np.ascontiguousarray(column + 0.0, dtype=np.float64).view(np.uint64)
        key = (key ^ bits) * np.uint64(0xBF58476D1CE4E5B9)
        key ^= key >> np.uint64(27)
        key *= np.uint64(0x94D049BB133111EB)
        key ^= key >> np.uint64(31)
    return key


def _standard(x: Floats) -> Floats:
    away = x - float(np.mean(x))
    return away / max(float(np.sqrt(np.mean(away * away))), 1e-300)


def _unit_gram(columns: Floats) -> tuple[Floats, Floats]:
    gram = columns.T @ columns
    scale = 1 / np.sqrt(np.maximum(np.diag(gram), 1e-300))
    return gram * np.outer(scale, scale), scale


def _projected(columns: Floats, z: Floats) -> tuple[Floats, int]:
    """``z`` projected on the span of ``columns``, and the rank of that."""
    gram, scale = _unit_gram(columns)
    values, vectors = np.linalg.eigh(gram)
    kept = values > _RANK * values[-1]
    basis = vectors[:, kept] / np.sqrt(values[kept])
    return columns @ (scale * (basis @ (basis.T @ (scale * (columns.T @ z))))), int(kept.sum())
