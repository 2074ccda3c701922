"""Logs that keep each number in a series of its own (TensorBoard's tags, MLflow's metrics), made into rows.

A row is a step at which there is a training loss. Of another series it has the value at the same step; where a step was
logged several times (a run that was resumed), the first goes with the first, the second with the second.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import TYPE_CHECKING

from scaleplan.errors import InputFileError, Notice, nearest, quoted
from scaleplan.specs.log_messages import brief_line, some
from scaleplan.specs.log_names import COLUMNS, known_names, scale_of
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogContentError, LogRows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WANTED = (*COLUMNS, "eval_loss")
"""The roles that a series can have."""


class Series:
    """One number of a run: its values at steps, when each was written [s since the epoch], and by which record."""

    __slots__ = ("record", "step", "time", "value")

    def __init__(self) -> None:
        self.step, self.value, self.time = array("d"), array("d"), array("d")
        self.record = array("q")

    def __len__(self) -> int:
        return len(self.step)

    def add(self, step: float, value: float, time: float, record: int = 0) -> None:
        """A value that was logged."""
        self.step.append(step)
        self.value.append(value)
        self.time.append(time)
        self.record.append(record)

    def keep(self, mask: Sequence[bool]) -> None:
        """Leave out all values but those of the mask."""
        for each in self.__slots__:
            column: array[float] = getattr(self, each)
            setattr(self, each, array(column.typecode, compress(column, mask)))


def chosen(names: Iterable[str], roles: Roles, name: str, word: str) -> dict[str, str]:
    """Which name stands for each role, of several the first that tools use.

    Args:
        names: of all series of the run.
        roles: what the columns are called.
        name: of the log, for messages.
        word: what a name is called there: ``tag``, ``metric``, ``column``.

    Raises:
        LogContentError: no loss, or a name that was given is not there.
    """
    known = sorted(set(names))
    for role in WANTED:
        if role in roles.given and roles.given[role] not in known:
            given = roles.given[role]
            raise LogContentError(
                f"{name}: no {word} {quoted(given)} for {role}.{nearest(given, known)} There is {_listed(known)}"
            )
    found: dict[str, tuple[int, str]] = {}
    for each in known:
        role = roles.of(each)
        if role is not None and role[0] in WANTED and (role[0] not in found or role[1] < found[role[0]][0]):
            found[role[0]] = role[1], each
    if not found.keys() & {"loss", "eval_loss"}:
        raise LogContentError(
            f"{name}: no {word} is a loss (read as one: {known_names('loss')}); there is {_listed(known)}. "
            "Say what the column loss is called here"
        )
    return {role: each for role, (_, each) in found.items()}


def _listed(names: Sequence[str]) -> str:
    return brief_line(some([quoted(each) for each in names])) if names else f"no {'number'} at all"


def add_rows(rows: LogRows, names: Mapping[str, str], named: Mapping[str, Series]) -> int:
    """Make one part of a run, written by one process, into rows.

    Args:
        rows: to be filled.
        names: which series stands for each role.
        named: the series, as far as this part of the run has them. The time of a row is that of its loss, unless a
            series stands for ``time``.

    Returns:
        How many values of other series stand at steps without a loss, in no row.
    """
    import numpy as np

    series = {role: named[each] for role, each in names.items() if each in named}
    evaluations = series.get("eval_loss")
    if evaluations:
        rows.extend_evaluations(np.array(evaluations.step), np.array(evaluations.value))
    loss = series.get("loss")
    others = {role: each for role, each in series.items() if role not in ("loss", "eval_loss") and len(each)}
    if not loss:
        return sum(map(len, others.values()))
    step = np.array(loss.step)
    columns: dict[str, Floats] = {"loss": np.array(loss.value), "time": np.array(loss.time)}
    left = 0
    for role, each in others.items():
        columns[role], unplaced = _at(step, np.array(each.step), np.array(each.value) * scale_of(names[role], role))
        left += unplaced
    rows.extend(step, columns)
    return left


def joined(step: Floats, here: NDArray[np.bool_], others: NDArray[np.bool_], values: Floats) -> Floats:
    """A column at the rows with a loss, where one lacks a value that of a row without a loss at the same step.

    Args:
        step: of all rows.
        here: which rows have a loss.
        others: which have none, and no evaluation.
        values: of all rows, NaN where one has none.
    """
    import numpy as np

    own = values[here]
    theirs = others & ~np.isnan(values) & np.isfinite(step)
    if not theirs.any():
        return own
    return np.where(np.isnan(own), _at(step[here], step[theirs], values[theirs])[0], own)


def _at(step: Floats, theirs: Floats, values: Floats) -> tuple[Floats, int]:
    """Values at the steps of rows, NaN where there is none, and how many are at no row."""
    import numpy as np

    if np.array_equal(step, theirs):
        return values, 0
    both = np.concatenate((step, theirs))
    number = np.unique(both, return_inverse=True)[1].reshape(-1)
    count = step.size
    again = np.concatenate((_times_before(step), _times_before(theirs)))
    key = number * (int(again.max(initial=0)) + 1) + again
    _, ours, places = np.intersect1d(key[:count], key[count:], assume_unique=True, return_indices=True)
    found = np.full(count, np.nan)
    found[ours] = values[places]
    return found, theirs.size - places.size


def _times_before(step: Floats) -> NDArray[np.int64]:
    """How often each step stood before."""
    import numpy as np

    order = np.argsort(step, kind="stable")
    ranked = step[order]
    starts = np.flatnonzero(np.concatenate((ranked[:1] == ranked[:1], ranked[1:] != ranked[:-1])))
    found = np.empty(step.size, dtype=np.int64)
    found[order] = np.arange(step.size) - np.repeat(starts, np.diff(np.append(starts, step.size)))
    return found


def without_rows(left: int, form: str) -> list[Notice]:
    """A notice of values that stand at steps without a loss."""
    text = f"{form}: {left:,} other values stand at steps without a training loss; they are left out."
    return [Notice("values_without_loss", text)] if left else []


def one_run(runs: Sequence[str], run: str | None, name: str, how: str) -> str:
    """The run that is wanted of those that are there.

    Args:
        runs: names, at least one.
        run: the name that the user gave, if any.
        name: of the log, for messages.
        how: what to do to choose one.

    Raises:
        InputFileError: several and none was named, or there is none of the name.
    """
    if run is not None:
        if run in runs:
            return run
        raise InputFileError(
            f"{name}: no run {quoted(run)}.{nearest(run, runs)} There is {brief_line(some(map(quoted, runs)))}"
        )
    if len(runs) > 1:
        raise LogContentError(f"{name}: {len(runs)} runs ({brief_line(some(map(quoted, runs)))}); {how}")
    return runs[0]
