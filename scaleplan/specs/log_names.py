"""What the numbers of a training log are called: the role of a name, and the number that a value is.

Tools call one number by many names (``train/loss``, ``lm loss``, ``num_input_tokens_seen``): here each has one role. A
name is compared in lower case with everything but letters and digits as ``_``. The names are those that the public
tools print (Hugging Face Trainer, Megatron-LM, nanoGPT, Lightning, Weights & Biases, TensorBoard's and MLflow's
exports); their order is our choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from scaleplan.errors import UsageError, nearest, quoted

NAMES: Mapping[str, tuple[str, ...]] = {
    "step": ("step", "iteration", "iter", "global_step", "trainer_global_step", "train_global_step", "num_updates"),
    "loss": (
        "loss", "train_loss", "training_loss", "lm_loss", "loss_train", "train_lm_loss", "train_ce_loss",
        "train_crossentropyloss", "ce_loss",
    ),
    "eval_loss": (
        "eval_loss", "val_loss", "valid_loss", "validation_loss", "loss_eval", "loss_val", "loss_validation",
        "evaluation_loss",
    ),
    "final_loss": ("final_loss", "final_eval_loss", "final_val_loss"),
    "tokens": (
        "tokens", "num_tokens", "tokens_seen", "num_input_tokens_seen", "consumed_tokens", "train_tokens",
        "total_tokens", "throughput_total_tokens",
    ),
    "grad_norm": ("grad_norm", "gradient_norm", "train_grad_norm", "gnorm"),
    "lr": ("lr", "learning_rate", "train_lr", "train_learning_rate"),
    "time": (
        "time", "timestamp", "wall_time", "created_at", "walltime", "datetime", "date", "elapsed", "elapsed_time",
        "runtime",
    ),
    "step_time": (
        "step_time", "elapsed_time_per_iteration", "elapsed_time_per_iteration_ms", "iter_time", "iteration_time",
        "time_per_step", "time_per_iteration", "sec_per_step", "seconds_per_step", "step_time_s", "step_time_ms",
        "iter_time_ms", "iteration_time_ms", "time_per_step_ms", "train_step_time", "perf_step_time",
    ),
    "params": ("params", "n_params", "num_params", "parameters", "num_parameters"),
    "vocabulary": ("vocabulary", "vocab_size", "vocabulary_size"),
    "total_steps": ("total_steps", "max_steps"),
    "seed": ("seed",),
}  # fmt: skip
"""Names by role, the first that a row has counts."""
COLUMNS = ("loss", "tokens", "grad_norm", "lr", "time", "step_time")
"""What a row of training may have beside its step."""
GIVEN = ("step", *COLUMNS, "eval_loss", "run")
"""The roles of which a user may say what they are called."""
RUN_NAMES = ("run", "run_id")
"""What a row calls its run; ``id`` may be its own."""
_ROLES = {name: (role, rank) for role, names in NAMES.items() for rank, name in enumerate(names)}
SUMMARY = ("train_runtime", "total_flos")
"""Keys of the row that the Hugging Face Trainer logs last, and of ``train_results.json``, which has the same: their
``train_loss`` is a mean over all of training."""
_CLOCK = re.compile(r"(?:(\d{1,6}) days?,? |(\d{1,6})-)?(\d{1,6}):([0-5]\d):([0-5]\d(?:\.\d{1,9})?)")
_EPOCH = datetime(1970, 1, 1)
_SECOND = timedelta(seconds=1)
_MILLI = {name for name in NAMES["step_time"] if name.endswith("_ms")}


_MOST_NAMES = 1000
"""Our choice: so many names are kept, to say the nearest where one that was given is not there, and so many shapes of
rows."""


class Roles:
    """Which number a name stands for: by the names that tools use, or the one that the user gave for a role.

    Args:
        columns: the name in the log by role (``{"loss": "train/ce"}``). A name stands as it is written; a role that is
            given has no other name, and a name that is given no other role.

    ``met``: the names that were looked up, where any was given. ``odd_times``: texts in place of a time that are none.

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
        self._plans: dict[tuple[str, ...], list[tuple[str, str, float]]] = {}
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
        for key, role, scale in plan:
            if role not in found:
                value = values[key]
                number = as_time(value) if role == "time" else as_number(value)
                self.odd_times += number is None and role == "time" and isinstance(value, str) and bool(value.strip())
                if number is not None:
                    found[role] = number if scale == 1 else number * scale
        return found

    def _plan(self, keys: tuple[str, ...]) -> list[tuple[str, str, float]]:
        """Which keys are looked at: by role the first in rank, of one rank the last."""
        ranked = [(role[1], -place, key, role[0]) for place, key in enumerate(keys) if (role := self.of(key))]
        plan = [(key, role, scale_of(key, role)) for _, _, key, role in sorted(ranked)]
        if len(self._plans) >= _MOST_NAMES:
            self._plans.clear()
        self._plans[keys] = plan
        return plan

    def numbers_of_row(self, values: Mapping[str, object]) -> dict[str, float]:
        """The numbers of a row by role, without a loss that is a mean over all of training."""
        found = self.numbers(values)
        if "loss" not in values and "loss" not in self.given and any(key in values for key in SUMMARY):
            found.pop("loss", None)
        return found


def role_of(name: str) -> tuple[str, int] | None:
    """The role of a name and its rank among the names of that role; ``None`` for any other name."""
    return _ROLES.get(_plain(name))


def scale_of(name: str, role: str) -> float:
    """What a number of this name is multiplied with: a time of a step that is called so stands in milliseconds."""
    return 1e-3 if role == "step_time" and _plain(name) in _MILLI else 1.0


@lru_cache(maxsize=4096)
def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def numbers_of(values: Mapping[str, object]) -> dict[str, float]:
    """The numbers of a row by role."""
    return _KNOWN.numbers(values)


def numbers_of_row(values: Mapping[str, object]) -> dict[str, float]:
    """The numbers of a row by role, without a loss that is a mean over all of training."""
    return _KNOWN.numbers_of_row(values)


def as_number(value: object) -> float | None:
    """A number, or text that is one, NaN and infinity among them; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def as_time(value: object) -> float | None:
    """Seconds: a number, an ISO 8601 date and time (UTC unless it says so), or ``1 day, 2:03:04`` since some zero."""
    number = as_number(value)
    if number is not None or not isinstance(value, str):
        return number
    text = value.strip()
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        clock = _CLOCK.fullmatch(text)
        if clock is None:
            return None
        days = float(clock[1] or clock[2] or 0)
        return days * 86400 + float(clock[3]) * 3600 + float(clock[4]) * 60 + float(clock[5])
    if when.tzinfo is not None:
        when = when.astimezone(UTC).replace(tzinfo=None)
    return (when - _EPOCH) / _SECOND


_KNOWN = Roles()
