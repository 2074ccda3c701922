"""Which number of a row of a training log stands for what: by the names that tools use, or those that a user gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from scaleplan.errors import UsageError, nearest, quoted
from scaleplan.specs.log_names import GIVEN, NAMES, RUN_NAMES, SUMMARY, is_epoch_mean, role_of, scale_of
from scaleplan.specs.log_values import as_number, as_time

_MOST_NAMES = 1000
"""Our choice: so many names are kept, to say the nearest where one that was given is not there, and so many shapes of
rows."""


class _Look(NamedTuple):
    """A key that is looked at: the role of its number, what that is multiplied with, whether it is an epoch's mean."""

    key: str
    role: str
    scale: float
    mean: bool


class Roles:
    """Which number a name stands for: by the names that tools use, or the one that the user gave for a role.

    Args:
        columns: the name in the log by role (``{"loss": "train/ce"}``). A name stands as it is written; a role that is
            given has no other name, and a name that is given no other role.

    ``met``: the names that were looked up, where any was given. ``odd_times``: texts in place of a time that are none.
    ``by_step``: rows had losses of steps, beside which means over an epoch are no rows.

    Raises:
        UsageError: no such role, or one name for two roles.
    """

    def __init__(self, columns: Mapping[str, str] | None = None) -> None:
        self.given = dict(columns or {})
        for role in self.given:
            if role not in GIVEN:
                raise UsageError(
                    f"no column {quoted(role)} in a training log.{nearest(role, GIVEN)} Columns are {', '.join(GIVEN)}"
                )
        self._by_name = {name: role for role, name in self.given.items()}
        if len(self._by_name) < len(self.given):
            doubled = next(name for role, name in self.given.items() if self._by_name[name] != role)
            raise UsageError(f"{quoted(doubled)} was given for two columns; each has its own")
        self.met: set[str] = set()
        self.odd_times = 0
        self.by_step = False
        self._plans: dict[tuple[str, ...], list[_Look]] = {}
        self.run_names = (self.given["run"],) if "run" in self.given else RUN_NAMES

    def of(self, name: str) -> tuple[str, int] | None:
        """The role of a name and its rank among the names of that role, 0 first; ``None`` for any other name."""
        if not self.given:
            return role_of(name)
        if len(self.met) < _MOST_NAMES or name in self._by_name:
            self.met.add(name)
        role = self._by_name.get(name)
        if role is not None:
            return (role, 0) if role != "run" else None
        found = role_of(name)
        return None if found is None or found[0] in self.given else found

    def names(self, role: str) -> tuple[str, ...]:
        """The names by which a role is found."""
        return (self.given[role],) if role in self.given else NAMES[role]

    def numbers(self, values: Mapping[str, object]) -> dict[str, float]:
        """The numbers of a row by role, ``step_time`` in seconds, ``time`` also where it is a date in words."""
        keys = tuple(values)
        plan = self._plans.get(keys)
        if plan is None:
            plan = self._plan(keys)
        found: dict[str, float] = {}
        for key, role, scale, mean in plan:
            if role not in found and not (mean and self.by_step):
                value = values[key]
                number = as_time(value) if role == "time" else as_number(value)
                self.odd_times += number is None and role == "time" and isinstance(value, str) and bool(value.strip())
                if number is not None:
                    found[role] = number if scale == 1 else number * scale
                    self.by_step = self.by_step or (role == "loss" and not mean)
        return found

    def _plan(self, keys: tuple[str, ...]) -> list[_Look]:
        """Which keys are looked at: by role the first in rank, of one rank the last."""
        ranked = [(role[1], -place, key, role[0]) for place, key in enumerate(keys) if (role := self.of(key))]
        plan = [_Look(key, role, scale_of(key, role), self._is_mean(key, role)) for _, _, key, role in sorted(ranked)]
        if len(self._plans) >= _MOST_NAMES:
            self._plans.clear()
        self._plans[keys] = plan
        return plan

    def _is_mean(self, key: str, role: str) -> bool:
        return role == "loss" and role not in self.given and is_epoch_mean(key)

    def numbers_of_row(self, values: Mapping[str, object]) -> dict[str, float]:
        """The numbers of a row by role, without a loss that is a mean over all of training."""
        found = self.numbers(values)
        if "loss" not in values and "loss" not in self.given and any(key in values for key in SUMMARY):
            found.pop("loss", None)
        return found
