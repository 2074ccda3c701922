"""A learning curve thinned to the points that carry what a forecast needs of it.

Blocks of equal length in steps, of each the mean loss with values beyond 4 robust standard deviations of the block
drawn in to there (Winsorised), so that a spike of a few steps does not move a block. Our choices: 2,000 points are kept
of a curve and 160 fitted at a time (more change no forecast: neighbours are correlated), and 4 is the factor of the
rule for spikes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scaleplan.errors import InputFileError
from scaleplan.fitting.objective import MAD_TO_SD
from scaleplan.forecasting.readings import Readings, last_of_each

Floats = NDArray[np.float64]
KEPT = 2_000
BLOCKS = 160
_CLIP = 4.0
_END = 0.02
"""The loss at the end is the mean over at most so much of the curve ..."""
_SORTED = 200
"""Rows a block up to which sorting them all at once is faster than a median for each (measured)."""
_SPARSE, _NEAR, _FAR, _SMALL = 3, 9, 6.0, 0.02
"""Logs of up to 3 rows a point have too few in a block to tell one that is far out: there each row is held against the
nine around it (our choices); 2 % are left to a fall of the learning rate, which can bring as much within a few rows."""
_CERTAIN = 0.001
"""... and over as few points as leave it this certain, as a share (our choices): a falling curve is not averaged
further back than its noise asks for."""


LEAST = 8
"""Our choice: three constants of the law are fitted, and back-tested on parts of what was seen."""
CREDIBLE = (1e-6, 1e6)
"""Our choice: losses beyond are no losses, and would leave the range of the arithmetic."""


class Curve(NamedTuple):
    """A thinned curve: ``step`` rising strictly, ``loss`` [nats/token], ``rows`` of the log behind each point.

    ``noise``: standard deviation of a single row, as a share of the loss.
    """

    step: Floats
    loss: Floats
    rows: Floats
    noise: float

    def up_to(self, step: float) -> Curve:
        """The points that lie at or before a step."""
        kept = self.step <= step
        return Curve(self.step[kept], self.loss[kept], self.rows[kept], self.noise)

    def loss_at(self, steps: Floats) -> Floats:
        """Its loss at steps, that of its ends beyond them."""
        return np.interp(steps, self.step, self.loss)

    @property
    def last(self) -> tuple[float, float]:
        """The step and the loss of its end: a mean over as few points as its noise asks for, at most 2 % of them."""
        most = max(1, round(_END * len(self.step)))
        single = self.noise / float(np.sqrt(self.rows[-1]))
        count = int(min(most, max(1, np.ceil((single / _CERTAIN) ** 2))))
        return float(self.step[-count:].mean()), float(self.loss[-count:].mean())


def curve_of(readings: Readings) -> Curve:
    """The curve of a log, thinned to at most 2,000 points.

    Rows stand by rising step, of a step that was logged twice the later; losses that are no number are left out.
    """
    known = np.isfinite(readings.step) & np.isfinite(readings.loss)
    step, loss = (readings.step, readings.loss) if known.all() else (readings.step[known], readings.loss[known])
    step, loss = last_of_each(step, loss)
    noise = _noise_of(loss)
    if len(step) <= _SPARSE * KEPT:
        loss = _drawn_in(loss)
    return thinned(Curve(step, loss, np.ones(len(step)), noise), KEPT)


def sound_curve(readings: Readings, name: str) -> Curve:
    """The curve of a log that can be forecast from.

    Raises:
        InputFileError: fewer than eight finite losses, or one that is not above zero or of no known unit.
    """
    known = np.isfinite(readings.step) & np.isfinite(readings.loss)
    if int(known.sum()) < LEAST:
        raise InputFileError(f"{name}: rows with a finite loss: {int(known.sum())}; a forecast needs {LEAST} or more")
    losses = readings.loss if known.all() else readings.loss[known]
    low, high = float(losses.min()), float(losses.max())
    if not CREDIBLE[0] < low or not high < CREDIBLE[1]:
        odd = high if CREDIBLE[0] < low else low
        raise InputFileError(
            f"{name}: a loss of {odd:g}; a forecast needs losses between {CREDIBLE[0]:g} and {CREDIBLE[1]:g}"
        )
    curve = curve_of(readings)
    if len(curve.step) < LEAST:
        raise InputFileError(f"{name}: {len(curve.step)} different steps; a forecast needs {LEAST} or more")
    return curve


def thinned(curve: Curve, blocks: int = BLOCKS) -> Curve:
    """A curve in at most so many blocks of equal length in steps; one of fewer points stays as it is."""
    step, loss = curve.step, curve.loss
    if len(step) <= blocks:
        return curve
    edges: Floats = np.linspace(float(step[0]), float(step[-1]), blocks + 1, dtype=np.float64)
    place = np.clip(np.searchsorted(edges, step, side="right") - 1, 0, blocks - 1)
    starts = np.flatnonzero(np.r_[True, place[1:] != place[:-1]])
    count = np.diff(np.r_[starts, len(step)])
    middle = _block_medians(loss, starts, count)
    away = loss - np.repeat(middle, count)
    spread = MAD_TO_SD * _block_medians(np.abs(away), starts, count)
    reach = np.repeat(np.where(count > 2, _CLIP * spread, np.inf), count)
    kept = np.repeat(middle, count) + np.clip(away, -reach, reach)
    rows = np.add.reduceat(curve.rows, starts)
    means = np.add.reduceat(kept * curve.rows, starts) / rows
    return Curve(np.add.reduceat(step * curve.rows, starts) / rows, means, rows, curve.noise)


def _drawn_in(loss: Floats) -> Floats:
    """Rows that stand far out of the nine around them, ends mirrored, drawn in to 6 standard deviations of those."""
    if len(loss) <= _NEAR:
        return loss
    half = _NEAR // 2
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(loss, half, mode="reflect"), _NEAR)
    middle = np.median(windows, axis=1)
    near = MAD_TO_SD * np.median(np.abs(windows - middle[:, None]), axis=1)
    spread = np.maximum(near, MAD_TO_SD * float(np.median(np.abs(loss - middle))))
    reach = np.maximum(_FAR * spread, _SMALL * middle)
    return middle + np.clip(loss - middle, -reach, reach)


def _noise_of(loss: Floats) -> float:
    """From second differences, which a smooth curve has next to none of."""
    if len(loss) < 5 or not loss.min() > 0:
        return 0.0
    bend = (loss[2:] - 2 * loss[1:-1] + loss[:-2]) / loss[1:-1]
    return float(MAD_TO_SD * np.median(np.abs(bend)) / np.sqrt(6.0))


def _block_medians(values: Floats, starts: NDArray[np.intp], count: NDArray[np.intp]) -> Floats:
    if len(values) < _SORTED * len(starts):
        ordered = values[np.lexsort((values, np.repeat(np.arange(len(starts)), count)))]
        return (ordered[starts + (count - 1) // 2] + ordered[starts + count // 2]) / 2
    return np.array([np.median(values[start : start + size]) for start, size in zip(starts, count, strict=True)])
