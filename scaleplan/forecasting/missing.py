"""Losses and gradient norms that are no numbers.

A NaN gradient norm beside a finite loss is a row that does not log one (``Readings``) and counts for nothing; an
infinite one counts. Runs that less than ``CALM`` sound rows part are one event.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CALM = 10
LASTING = 50


class Lost(NamedTuple):
    """Values that are no numbers: rows so far, ``end`` where sound rows began; ``lasting``: the run is lost."""

    start: float
    seen: float
    end: float | None
    rows: int
    of_loss: bool
    lasting: bool


class Change(NamedTuple):
    """A run of them as it stood when it began, turned out to last or was over, known ``at`` a step."""

    at: float
    lost: Lost


@dataclass(slots=True)
class Missing:
    """The state: the open run and the sound rows since."""

    _open: Lost | None = None
    _calm: int = 0
    _calm_step: float = math.nan
    _rows: int = 0
    _row: int = 0

    def feed(self, step: Floats, loss: Floats, grad: Floats | None) -> list[Change]:
        """Take rows; the runs that begin, turn out to last, or end."""
        bad_loss = ~np.isfinite(loss)
        bad = bad_loss if grad is None else bad_loss | np.isinf(grad)
        found: list[Change] = []
        done, self._rows = self._rows, self._rows + len(step)
        if not bad.any() and self._open is None:
            return found
        edges = np.flatnonzero(bad[1:] != bad[:-1]) + 1
        for first, stop in zip([0, *edges.tolist()], [*edges.tolist(), len(bad)], strict=True):
            part = slice(first, stop)
            if bad[first]:
                self._lost(step[part], bool(bad_loss[part].any()), done + first, found)
            elif self._open is not None:
                self._sound(step[part], found)
        return found

    def restart(self) -> None:
        """The run went back to before."""
        self._open, self._calm, self._row = None, 0, 0

    def _lost(self, step: Floats, of_loss: bool, before: int, found: list[Change]) -> None:
        if self._open is None:
            self._open, self._row = Lost(float(step[0]), float(step[0]), None, 0, of_loss, lasting=False), 0
            found.append(Change(self._open.seen, self._open))
        if self._calm:
            self._calm, self._row = 0, 0
        limit = max(4, min(LASTING, math.ceil(0.05 * (before - self._row))))
        self._open = self._open._replace(rows=self._open.rows + len(step), of_loss=self._open.of_loss or of_loss)
        begun, self._row = self._row, self._row + len(step)
        if begun < limit <= self._row and self._open.of_loss and not self._open.lasting:
            self._open = self._open._replace(seen=float(step[limit - begun - 1]), lasting=True)
            found.append(Change(self._open.seen, self._open))

    def _sound(self, step: Floats, found: list[Change]) -> None:
        assert self._open is not None
        if not self._calm:
            self._calm_step = float(step[0])
        before, self._calm = self._calm, self._calm + len(step)
        if self._calm >= CALM:
            found.append(Change(float(step[CALM - before - 1]), self._open._replace(end=self._calm_step)))
            self._open, self._calm, self._row = None, 0, 0
