"""What every reader of training logs fills: rows by step, evaluations by step, and facts of the whole run."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from scaleplan.errors import Notice, brief, quoted
from scaleplan.forecasting.readings import Readings
from scaleplan.specs.log_columns import floats, in_seconds, ordered, without_values
from scaleplan.specs.log_names import COLUMNS, known_names
from scaleplan.specs.log_of_run import LogContentError, TrainingLog
from scaleplan.specs.log_roles import Roles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["LogContentError", "LogRows", "TrainingLog"]

_ID_NAMES = ("run", "id", "run_id")
"""What a result calls its run, the first that is there counts."""
JOINED = ("tokens", "grad_norm", "lr", "step_time")
"""What a row of training takes from rows without a loss at its step; a time is that of its own row."""
_WAITING = 64
"""Our choice: at so many steps values may wait for the loss, which tools write a row or two later."""


class LogRows:
    """Rows as they are found, in columns.

    A row with other numbers than a loss (Lightning writes ``lr-AdamW`` in one of its own) is part of the row of
    training at its step: of the last one, where that lacks them and was not given out yet, or of the next. Rows of
    evaluations stay what they are.

    Args:
        form: what the format is called.
        roles: what the columns are called.
        run: the only run of which rows are taken; those of others are named in ``runs`` and passed over.
    """

    LASTING = ("params", "vocabulary", "total_steps", "seed", "final_loss")
    """What stands for the whole run even in a row with a step."""

    def __init__(self, form: str, roles: Roles | None = None, run: str | None = None) -> None:
        self.form = form
        self.roles = Roles() if roles is None else roles
        self.run = run
        self.steps = array("d")
        self.columns: dict[str, array[float]] = {"loss": array("d")}
        self.eval_steps, self.eval_losses = array("d"), array("d")
        self.facts: dict[str, float | str] = {}
        self.runs: set[str] = set()
        self.stepless = self.ignored = self.unreadable = 0
        self.counted = False
        self.first_unreadable = ""
        self.notices: list[Notice] = []
        self.last_step: float | None = None
        self._given = self._given_evaluations = 0
        self._waiting: dict[float, dict[str, float]] = {}

    def __len__(self) -> int:
        return self._given + len(self.steps) + self._given_evaluations + len(self.eval_steps)

    def train(self, step: float, found: Mapping[str, float]) -> None:
        """A row of training at a step: its ``loss``, and what else it has by role."""
        columns = self.columns
        if self._waiting and (waited := self._waiting.pop(step, None)) is not None:
            found = {
                **found,
                **{role: value for role, value in waited.items() if math.isnan(found.get(role, math.nan))},
            }
        for role in found:
            self._add_column(role)
        self.steps.append(step)
        for role, column in columns.items():
            column.append(found.get(role, math.nan))

    def extend(self, step: Floats, columns: Mapping[str, Floats | None]) -> None:
        """Many rows of training at once: columns by role, each as long as ``step``, ``loss`` among them.

        NaN stands for a value that a row lacks, ``None`` for a column that is not there; every row has a loss, which
        may be NaN as it was logged.
        """
        import numpy as np

        here = {role: column for role, column in columns.items() if column is not None and role in COLUMNS}
        for role in here:
            self._add_column(role)
        for role, column in self.columns.items():
            values = here.get(role)
            if values is None:
                column.extend(without_values(len(step)))
            else:
                column.frombytes(np.ascontiguousarray(values, dtype=np.float64).data.cast("B"))
        self.steps.frombytes(np.ascontiguousarray(step, dtype=np.float64).data.cast("B"))
        for each in [each for each in self._waiting if (step == each).any()]:
            place = len(self.steps) - len(step) + int(np.argmax(step == each))
            self._fill_in(place, self._waiting.pop(each))

    def _add_column(self, role: str) -> None:
        if role not in self.columns and role in COLUMNS:
            self.columns[role] = without_values(len(self.steps))

    def _fill_in(self, place: int, found: Mapping[str, float]) -> dict[str, float]:
        """Give a row what it lacks; what is left over."""
        left: dict[str, float] = {}
        for role, value in found.items():
            self._add_column(role)
            if math.isnan(self.columns[role][place]):
                self.columns[role][place] = value
            else:
                left[role] = value
        return left

    def _join(self, step: float, found: Mapping[str, float]) -> None:
        """Numbers that stand in a row without a loss."""
        left = {role: value for role, value in found.items() if role in JOINED and not math.isnan(value)}
        if left and self.steps and self.steps[-1] == step:
            left = self._fill_in(len(self.steps) - 1, left)
        if left:
            self._waiting[step] = self._waiting.pop(step, {}) | left
            if len(self._waiting) > _WAITING:
                del self._waiting[next(iter(self._waiting))]

    def evaluate(self, step: float, loss: float) -> None:
        """An evaluation at a step."""
        self.eval_steps.append(step)
        self.eval_losses.append(loss)

    def extend_evaluations(self, step: Floats, loss: Floats) -> None:
        """Many evaluations at once."""
        self.eval_steps.extend(step.tolist())
        self.eval_losses.extend(loss.tolist())

    def row(self, values: Mapping[str, object], *, count: bool = False) -> bool:
        """A row of named values; whether it held a loss.

        One without a step speaks of the whole run; with ``count`` it is the next row instead, if no row had a step.
        """
        found = self.roles.numbers_of_row(values)
        if not self.of_run(values[key] for key in self.roles.run_names if key in values):
            return True
        has_loss = "loss" in found or "eval_loss" in found
        step = found.get("step")
        if step is None and has_loss and count and (self.counted or not len(self)):
            self.counted = True
            step = float(self._given + len(self.steps) + ("loss" in found))
        if step is None or not math.isfinite(step):
            self.stepless += has_loss
            self.state(values, found)
            return has_loss or "final_loss" in found
        return self.place(step, found)

    def of_run(self, names: Iterable[object]) -> bool:
        """Whether a row that names these runs is of the run that is wanted."""
        wanted = True
        for each in names:
            name = str(each)
            self.runs.add(name)
            wanted = wanted and self.run in (None, name)
        return wanted

    def place(self, step: float, found: Mapping[str, float]) -> bool:
        """Numbers by role that stand at a step; whether a loss was among them."""
        self.facts |= {role: found[role] for role in self.LASTING if role in found}
        if "loss" in found:
            self.train(step, found)
        if "eval_loss" in found:
            self.evaluate(step, found["eval_loss"])
        elif "loss" not in found:
            self._join(step, found)
        return "loss" in found or "eval_loss" in found or "final_loss" in found

    def state(self, values: Mapping[str, object], found: Mapping[str, float]) -> None:
        """Values that stand for the whole run."""
        self.facts |= found
        named = next((values[key] for key in _ID_NAMES if type(values.get(key)) in (str, int)), None)
        if named is not None:
            self.facts["id"] = str(named)

    def bad(self, place: str, text: str) -> None:
        """A line that is none of the format, or that holds no number where one must be; the first is kept."""
        self.unreadable += 1
        if not self.first_unreadable:
            self.first_unreadable = f"{place}: {quoted(brief(text.strip()))}"

    def said(self) -> list[Notice]:
        """What there is to say of how the rows were read."""
        found = list(self.notices)
        if self.first_unreadable:
            text = f"{_many(self.unreadable, 'line')} cannot be read as {self.form}; first {self.first_unreadable}."
            found.append(Notice("unreadable_lines", text))
        if self.roles.odd_times:
            text = f"{_many(self.roles.odd_times, 'time')} taken as missing: neither a number nor an ISO 8601 date."
            found.append(Notice("odd_times", text))
        if self.counted:
            text = f"the rows name no step (read as one: {known_names('step')}): they were numbered from 1 on."
            found.append(Notice("rows_numbered", text))
        return found

    @property
    def has_loss(self) -> bool:
        """Whether any row or the run as a whole has a loss."""
        return bool(len(self)) or not self.facts.keys().isdisjoint(("loss", "eval_loss", "final_loss"))

    def drain(self) -> Readings | None:
        """The rows of training since the last time, in the order in which they were written; ``None`` without any."""
        self._given_evaluations += len(self.eval_steps)
        self.eval_steps, self.eval_losses = array("d"), array("d")
        if not self.steps:
            return None
        self.last_step = self.steps[-1]
        self._given += len(self.steps)
        written = self._written()
        self.steps, self.columns = array("d"), {"loss": array("d")}
        return written

    def log(self, name: str) -> TrainingLog:
        """The rows in order of their steps; of a step that was logged twice the later line. To be asked for once."""
        written = self._written()
        rising = ordered(written)
        evaluations = ordered(Readings(step=floats(self.eval_steps), loss=floats(self.eval_losses)))
        return TrainingLog(
            name=name,
            format=self.form,
            **{each: getattr(rising, each) for each in ("step", *COLUMNS)},
            written=written,
            eval_step=evaluations.step,
            eval_loss=evaluations.loss,
            facts=self.facts,
            ignored=self.ignored,
            unreadable=self.unreadable,
            counted=self.counted,
            notices=tuple(self.said()),
        )

    def _written(self) -> Readings:
        import numpy as np

        found: dict[str, Any] = {}
        for role, column in self.columns.items():
            values = floats(column)
            if role == "time":
                values = in_seconds(values)
            found[role] = None if role != "loss" and bool(np.isnan(values).all()) else values
        return Readings(step=floats(self.steps), **found)


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
