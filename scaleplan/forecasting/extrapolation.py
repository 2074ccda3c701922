"""Where a learning curve goes by its own past alone: power laws and the last value, weighted by back-test.

No schedule, no donor. Candidates are the loss at the end of what was seen and the four laws of ``power_laws`` (M1 to
M4 of Alabdulmohsin et al. 2022, arXiv 2209.06640), each the geometric mean of two fits: to all rows alike, and with
weights that rise as x^1.5, since a law holds better of the later part of a curve. Each candidate forecasts, from
earlier points of the curve, what followed them, as far on in ln x as is asked now. With e the root mean square of
its errors of ln L,

    weight of a law among the laws   ~ e^-4
    weight of the last value : laws  = (2.5 e_laws / e_last)^3,   e_laws the weighted mean

and the forecast is the weighted mean of ln L. The factor 2.5 stands for bends that have not been seen yet: a law that
was right so far goes wrong at them, the last value hardly does. Powers, factor and 1.5 are our choice, one for all
curves, made so that none of the four domains of that paper's benchmark is forecast worse than by the better of last
value and M2 (tests/benchmarks/score_extrapolation.py). It costs where curves bend less: there M2 alone may be better.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaleplan.errors import UsageError
from scaleplan.forecasting.power_laws import Law, checked, fit_m1, fit_m2, fit_m3, fit_m4_windows

Floats = NDArray[np.float64]

CANDIDATES = ("last", "M1", "M2", "M3", "M4")
_RECENCY = (0.0, 1.5)
_AMONG_LAWS = 4.0
_CAUTION, _AGAINST_LAST = 2.5, 3.0
_SHARES = (0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Our choice: how far back the earlier points lie, in horizons."""
_LEAST = 4
"""Our choice: rows that a law is fitted to at least in a back-test."""
_CELLS = 120
"""Our choice: longer curves are binned to so many cells of equal width in ln x; more change no forecast."""
_END = 0.98
"""The loss at the end is the median of the rows from this share of the last x on (our choice)."""
_WORST, _EXACT = 1.0, 1e-4
"""Our choice: errors of ln L that count no more when larger, and that cannot be told from none."""
_OVERSHOOT = 1.02
"""Our choice: a back-test reads so much beyond its horizon, so that rows spaced like the targets are met."""


class Extrapolation(NamedTuple):
    """A forecast of a curve.

    ``values`` [the loss's unit] at the targets, and ``by_candidate`` those of each. ``weights`` sum to 1.
    ``back_test``: root mean square error of ln L of each in the past of the curve, ``None`` where the curve is too
    short for one and all weight is on the last value; ``tests`` is how many earlier points it was made from.
    """

    values: Floats
    by_candidate: Mapping[str, Floats]
    weights: Mapping[str, float]
    back_test: Mapping[str, float] | None
    tests: int


class _Window(NamedTuple):
    """Candidates fitted to the first rows of a curve: to ``rows`` of them, with the ``laws`` and the ``last`` loss."""

    rows: int
    laws: list[list[Law]]
    last: float

    def predict(self, x: Floats) -> Floats:
        """(candidates, fits, n) ln L at ``x`` (n,)."""
        said = np.full((len(CANDIDATES), len(_RECENCY), len(x)), np.log(self.last))
        for i, fits in enumerate(self.laws):
            said[i + 1] = [np.log(law.predict(x)) for law in fits]
        return said


def extrapolate(x: Floats, y: Floats, targets: Floats) -> Extrapolation:
    """Forecast the loss at ``targets`` (m,), all beyond the last x.

    Args:
        x: examples, tokens or steps seen, > 0, (n,) in any order; n of one or more.
        y: losses > 0, (n,); errors are relative, so any unit does.
        targets: in the unit of ``x``.

    Raises:
        UsageError: columns of different lengths or none, a number outside of its range, or a target that was passed.
    """
    x, y, _ = checked(x, y, None)
    order = np.argsort(x, kind="stable")
    x, y, count = _binned(x[order], y[order])
    targets = np.asarray(targets, dtype=np.float64)
    if targets.ndim != 1 or not len(targets):
        raise UsageError(f"a forecast needs one target or more in a row (got shape {targets.shape})")
    if not (np.isfinite(targets) & (targets > x[-1])).all():
        raise UsageError(f"targets must lie beyond the last x, {x[-1]:g} (got {targets.min():g})")
    horizon = float(np.log(targets.max() / x[-1]))
    now, *past = _windows(x, y, count, _cuts(x, horizon))
    said = now.predict(targets).mean(axis=1)
    errors = np.array([_error(window, x, y, horizon) for window in past])
    weights = _weights(errors)
    return Extrapolation(
        np.exp(weights @ said),
        dict(zip(CANDIDATES, np.exp(said), strict=True)),
        dict(zip(CANDIDATES, weights.tolist(), strict=True)),
        dict(zip(CANDIDATES, _mean_error(errors).tolist(), strict=True)) if past else None,
        len(past),
    )


def _binned(x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """x, the median loss and the number of rows of each cell; a curve of few rows as it is."""
    if len(x) <= _CELLS or x[0] == x[-1]:
        return x, y, np.ones_like(x)
    log_x = np.log(x)
    cell = np.minimum((log_x - log_x[0]) * (_CELLS / (log_x[-1] - log_x[0])), _CELLS - 1).astype(np.intp)
    first = np.flatnonzero(np.diff(cell, prepend=-1))
    parts = np.split(y, first[1:])
    count = np.diff(np.append(first, len(x))).astype(np.float64)
    middle = np.exp(np.add.reduceat(log_x, first) / count)
    # The curve ends where it ended: targets are measured from there.
    middle[-1] = x[-1]
    return middle, np.array([float(np.median(part)) for part in parts]), count


def _cuts(x: Floats, horizon: float) -> list[int]:
    """How many rows to fit: all, and those up to the earlier points, each once; no row beyond them at the same x."""
    if len(x) <= _LEAST:
        return [len(x)]
    horizon = min(horizon, float(np.log(x[-1] / x[_LEAST - 1])))
    cuts = [int(np.sum(x <= x[-1] * np.exp(-horizon * share) * (1 + 1e-9))) for share in _SHARES]
    return [len(x), *dict.fromkeys(cut for cut in cuts if _LEAST <= cut < len(x))]


def _windows(x: Floats, y: Floats, count: Floats, cuts: list[int]) -> list[_Window]:
    weights = np.zeros((len(cuts), len(_RECENCY), len(x)))
    for window, cut in zip(weights, cuts, strict=True):
        for row, power in zip(window, _RECENCY, strict=True):
            row[:cut] = count[:cut] * (x[:cut] / x[cut - 1]) ** power
    fourth = fit_m4_windows(x, y, weights.reshape(-1, len(x)))
    windows: list[_Window] = []
    for i, cut in enumerate(cuts):
        laws: list[list[Law]] = [
            [fit(x[:cut], y[:cut], row[:cut]) for row in weights[i]] for fit in (fit_m1, fit_m2, fit_m3)
        ]
        laws.append([*fourth[i * len(_RECENCY) : (i + 1) * len(_RECENCY)]])
        end = x[:cut] >= _END * x[cut - 1]
        windows.append(_Window(cut, laws, float(np.median(y[:cut][end]))))
    return windows


def _error(window: _Window, x: Floats, y: Floats, horizon: float) -> Floats:
    """(candidates,) root mean square error of ln L over what followed a window, as far as the horizon.

    The mean of those of both fits: where fits differ, their mean is not trusted for having hit.
    """
    reach = x[window.rows - 1] * np.exp(horizon) * _OVERSHOOT
    # Where rows lie wider apart than the horizon, the next one is what there is.
    stop = max(int(np.sum(x <= reach)), window.rows + 1)
    away = window.predict(x[window.rows : stop]) - np.log(y[window.rows : stop])
    return np.minimum(np.sqrt(np.mean(away * away, axis=2)).mean(axis=1), _WORST)


def _mean_error(errors: Floats) -> Floats:
    return np.sqrt(np.mean(errors * errors, axis=0))


def _weights(errors: Floats) -> Floats:
    """(candidates,) from errors (tests, candidates); without tests all on the last value."""
    if not len(errors):
        return np.eye(len(CANDIDATES))[0]
    last, *rest = np.maximum(_mean_error(errors), _EXACT).tolist()
    laws = np.array(rest)
    among = laws**-_AMONG_LAWS
    among /= among.sum()
    odds = (_CAUTION * float(among @ laws) / last) ** _AGAINST_LAST
    return np.concatenate([[odds], among]) / (1 + odds)
