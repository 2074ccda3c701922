"""Rows of a training log in the order of the run: restarts told from lines out of order and from duplicates.

A row whose step is not above every step before it is one of three. The same step as the row before: a duplicate, and
the first counts. Otherwise the next row decides: if it goes on from there, the run went back to a checkpoint; if it
stands above all before it, or the step back was a few rows only, the line came late. So one row may be held until the
next arrives; nothing else is remembered, and how a log is cut into parts makes no difference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from scaleplan.forecasting.readings import Readings

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECE = 8192
"""Rows looked at in one go: bounds what a line out of order costs."""
LATE_ROWS = 4
"""Steps back of up to so many rows are lines that came late, as several writers of one file make them: our choice, as
no run keeps checkpoints so close."""
GAP = 3.5
"""A gap is a distance of so many usual ones: our choice, so that one or two lost lines are none."""


class Piece(NamedTuple):
    """Rows with rising steps.

    ``gap`` is the usual distance of the steps before them (NaN: not known yet), ``back_to`` the step that a restart
    before them went back to, from ``left``.
    """

    rows: Readings
    gap: float
    back_to: float | None = None
    left: float = math.nan


@dataclass(slots=True)
class RowOrder:
    """The state of the sorting: counts, the highest step, the row that is held."""

    last: float = -math.inf
    previous: float = math.nan
    usual: float = math.nan
    rows: int = 0
    restarts: int = 0
    duplicates: int = 0
    out_of_order: int = 0
    gaps: int = 0
    unreadable: int = 0
    _recent: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    _taken: int = 0
    _held: Readings | None = None

    def take(self, rows: Readings) -> list[Piece]:
        """The rows that can be placed now, in the order of the run."""
        self.rows += len(rows)
        readable = np.isfinite(rows.step)
        if not readable.all():
            self.unreadable += int((~readable).sum())
            rows = rows.part(readable)
        if not len(rows):
            return []
        before = np.concatenate(([self.previous], rows.step[:-1]))
        again = rows.step == before
        self.previous = float(rows.step[-1])
        if again.any():
            self.duplicates += int(again.sum())
            rows = rows.part(~again)
        if self._held is not None and len(rows):
            rows, self._held = joined(self._held, rows), None
        found: list[Piece] = []
        for at in range(0, len(rows), PIECE):
            self._sort(rows.part(slice(at, at + PIECE)), found)
        return found

    def close(self) -> None:
        """The log is over: a row still held came late."""
        self.out_of_order += self._held is not None
        self._held = None

    def _sort(self, rows: Readings, found: list[Piece]) -> None:
        """Append the rows to ``found`` in runs of rising steps."""
        if self._held is not None:
            rows, self._held = joined(self._held, rows), None
        step, at, back, left = rows.step, 0, None, math.nan
        while at < len(step):
            floor = np.maximum.accumulate(np.concatenate(([self.last], step[at:])))
            fell = np.flatnonzero(step[at:] <= floor[:-1])
            stop = at + int(fell[0]) if len(fell) else len(step)
            if stop > at:
                for length, gap in self._accept(step[at:stop]):
                    found.append(Piece(rows.part(slice(at, at + length)), gap, back, left))
                    at, back = at + length, None
            at = stop
            if at == len(step):
                return
            if at + 1 == len(step):
                self._held = rows.part(slice(at, at + 1))
                return
            here, after = float(step[at]), float(step[at + 1])
            usual = self.usual if self.usual == self.usual else 0.0
            if here < after <= self.last and self.last - here > LATE_ROWS * usual:
                self.restarts += 1
                back, left = here, self.last
                self.last = -math.inf
            else:
                self.out_of_order += 1
                at += 1

    def _accept(self, step: NDArray[np.float64]) -> list[tuple[int, float]]:
        """Count gaps; cut the rows where the usual distance, a median of 64, is renewed: (rows, distance)."""
        before = np.concatenate(([self.last], step[:-1]))
        cuts: list[tuple[int, float]] = []
        at = 0
        while at < len(step):
            every = 4 if self._taken < 64 else 1024 if self._taken < PIECE else PIECE
            stop = at + every - self._taken % every
            apart = (step - before)[at:stop]
            cuts.append((len(apart), self.usual))
            apart_known = apart[np.isfinite(apart)]
            if self.usual > 0:
                self.gaps += int((apart_known > GAP * self.usual).sum())
            self._recent = np.concatenate((self._recent, apart_known))[-64:]
            self._taken += len(apart)
            at += len(apart)
            if self._taken % every == 0 and len(self._recent):
                self.usual = float(np.median(self._recent))
        self.last = float(step[-1])
        return cuts


def joined(first: Readings, second: Readings) -> Readings:
    """The rows of two, one after the other; a column that one lacks is NaN there."""
    found: dict[str, Any] = {}
    for each in fields(Readings):
        one, two = getattr(first, each.name), getattr(second, each.name)
        if one is None and two is None:
            found[each.name] = None
            continue
        one = np.full(len(first), math.nan) if one is None else one
        two = np.full(len(second), math.nan) if two is None else two
        found[each.name] = np.concatenate((one, two))
    return Readings(**found)


_FEW = 0.05
"""Our choice: a log of which more rows than this stand out of order did not restart, it was shuffled."""


def without_abandoned(rows: Readings) -> tuple[Readings, list[tuple[float, int]]]:
    """A log without what its run did before it went back to a checkpoint, and the steps and rows of each time.

    Args:
        rows: in the order in which they were written; of a shuffled log all rows are kept.
    """
    if bool((rows.step[1:] > rows.step[:-1]).all()):
        return rows, []
    order = RowOrder()
    kept: list[Readings] = []
    left: list[tuple[float, int]] = []
    for piece in order.take(rows):
        if piece.back_to is not None:
            before = sum(map(len, kept))
            kept = [each.part(each.step < piece.back_to) for each in kept]
            left.append((piece.back_to, before - sum(map(len, kept))))
        kept.append(piece.rows)
    if not order.restarts or order.restarts + order.out_of_order > _FEW * order.rows:
        return rows, []
    while len(kept) > 1:  # in pairs, so that no row is copied more than a few times
        kept = [joined(*kept[at : at + 2]) if at + 1 < len(kept) else kept[at] for at in range(0, len(kept), 2)]
    return kept[0], left
