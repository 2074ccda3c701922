"""What every reader of training logs fills: rows by step, evaluations by step, and facts that stand for the whole run.

Tools call one number by many names (``train/loss``, ``lm loss``, ``num_input_tokens_seen``): here each has one role. A
name is compared in lower case with everything but letters and digits as ``_``. The names are those that the public
tools print (Hugging Face Trainer, Megatron-LM, nanoGPT, Lightning, Weights & Biases); their order is our choice.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from scaleplan.errors import InputFileError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

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
    "params": ("params", "n_params", "num_params", "parameters", "num_parameters"),
    "vocabulary": ("vocabulary", "vocab_size", "vocabulary_size"),
    "total_steps": ("total_steps", "max_steps"),
    "seed": ("seed",),
}  # fmt: skip
"""Names by role, the first that a row has counts."""
_ID_NAMES = ("run", "id", "run_id")
"""What a result calls its run, the first that is there counts."""
_RUN_NAMES = ("run", "run_id")
"""What a row calls its run; ``id`` may be its own."""
_ROLES = {name: (role, rank) for role, names in NAMES.items() for rank, name in enumerate(names)}
_FACTS = ("params", "vocabulary", "total_steps", "seed", "final_loss")
"""What stands for the whole run even in a row with a step."""
_SUMMARY = ("train_runtime", "total_flos")
"""Keys of the row that the Hugging Face Trainer logs last, and of ``train_results.json``, which has the same: their
``train_loss`` is a mean over all of training."""


class LogContentError(InputFileError):
    """A file that could be read but holds no training log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLog:
    """What a training run wrote of itself.

    ``step``, ``loss`` [nats/token as logged], and where any row has them ``tokens``, ``grad_norm``, ``lr``: one value
    a row, steps rising, NaN where a row lacks it; a loss that is not finite stands as it was logged. ``eval_step``,
    ``eval_loss``: the evaluations. ``facts``: numbers of the whole run by role (see ``NAMES``), and ``id`` as text.
    ``ignored`` lines or objects held no loss, ``unreadable`` were none of the format. ``counted``: the log has no
    steps, its rows were numbered instead. What a run ended with needs neither ``lr`` nor ``grad_norm``: they stand here
    since whoever asks how a run goes on looks at the schedule and at spikes, and each format names them in its own way.
    """

    name: str
    format: str
    step: Floats
    loss: Floats
    tokens: Floats | None
    grad_norm: Floats | None
    lr: Floats | None
    eval_step: Floats
    eval_loss: Floats
    facts: Mapping[str, float | str]
    ignored: int
    unreadable: int
    counted: bool

    def fact(self, role: str) -> float | None:
        """A number that stands for the whole run; ``None`` where the log has none."""
        value = self.facts.get(role)
        return value if isinstance(value, float) else None


class LogRows:
    """Rows as they are found, in columns."""

    def __init__(self, form: str) -> None:
        self.form = form
        self.steps = array("d")
        self.columns = {role: array("d") for role in ("loss", "tokens", "grad_norm", "lr")}
        self.eval_steps, self.eval_losses = array("d"), array("d")
        self.facts: dict[str, float | str] = {}
        self.runs: set[str] = set()
        self.stepless = self.ignored = self.unreadable = 0
        self.counted = False

    def __len__(self) -> int:
        return len(self.steps) + len(self.eval_steps)

    def train(self, step: float, found: Mapping[str, float]) -> None:
        """A row of training at a step: its ``loss``, and what else it has by role."""
        self.steps.append(step)
        for role, column in self.columns.items():
            column.append(found.get(role, math.nan))

    def evaluate(self, step: float, loss: float) -> None:
        """An evaluation at a step."""
        self.eval_steps.append(step)
        self.eval_losses.append(loss)

    def row(self, values: Mapping[str, object], *, count: bool = False) -> bool:
        """A row of named values; whether it held a loss.

        One without a step speaks of the whole run; with ``count`` it is the next row instead, if no row had a step.
        """
        found = numbers_of_row(values)
        for key in _RUN_NAMES:
            if key in values:
                self.runs.add(str(values[key]))
        has_loss = "loss" in found or "eval_loss" in found
        step = found.get("step")
        if step is None and has_loss and count and (self.counted or not len(self)):
            self.counted = True
            step = float(len(self.steps) + ("loss" in found))
        if step is None or not math.isfinite(step):
            self.stepless += has_loss
            self.state(values, found)
            return has_loss or "final_loss" in found
        return self.place(step, found)

    def place(self, step: float, found: Mapping[str, float]) -> bool:
        """Numbers by role that stand at a step; whether a loss was among them."""
        self.facts |= {role: found[role] for role in _FACTS if role in found}
        if "loss" in found:
            self.train(step, found)
        if "eval_loss" in found:
            self.evaluate(step, found["eval_loss"])
        return "loss" in found or "eval_loss" in found or "final_loss" in found

    def state(self, values: Mapping[str, object], found: Mapping[str, float]) -> None:
        """Values that stand for the whole run."""
        self.facts |= found
        named = next((values[key] for key in _ID_NAMES if type(values.get(key)) in (str, int)), None)
        if named is not None:
            self.facts["id"] = str(named)

    @property
    def has_loss(self) -> bool:
        """Whether any row or the run as a whole has a loss."""
        return bool(len(self)) or not self.facts.keys().isdisjoint(("loss", "eval_loss", "final_loss"))

    def log(self, name: str) -> TrainingLog:
        """The rows in order of their steps; of a step that was logged twice the later line."""
        step, columns = _ordered(self.steps, self.columns)
        eval_step, evals = _ordered(self.eval_steps, {"loss": self.eval_losses})
        return TrainingLog(
            name=name,
            format=self.form,
            step=step,
            loss=columns["loss"],
            tokens=_present(columns["tokens"]),
            grad_norm=_present(columns["grad_norm"]),
            lr=_present(columns["lr"]),
            eval_step=eval_step,
            eval_loss=evals["loss"],
            facts=self.facts,
            ignored=self.ignored,
            unreadable=self.unreadable,
            counted=self.counted,
        )


@lru_cache(maxsize=4096)
def role_of(name: str) -> tuple[str, int] | None:
    """The role of a name and its rank among the names of that role; ``None`` for any other name."""
    return _ROLES.get(re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_"))


def numbers_of(values: Mapping[str, object]) -> dict[str, float]:
    """The numbers of a row by role."""
    found: dict[str, tuple[int, float]] = {}
    for key, value in values.items():
        role = role_of(key)
        if role is None or (role[0] in found and found[role[0]][0] < role[1]):
            continue
        number = as_number(value)
        if number is not None:
            found[role[0]] = role[1], number
    return {role: number for role, (_, number) in found.items()}


def numbers_of_row(values: Mapping[str, object]) -> dict[str, float]:
    """The numbers of a row by role, without a loss that is a mean over all of training."""
    found = numbers_of(values)
    if "loss" not in values and any(key in values for key in _SUMMARY):
        found.pop("loss", None)
    return found


def as_number(value: object) -> float | None:
    """A number, or text that is one, NaN and infinity among them; ``None`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _ordered(steps: array[float], columns: Mapping[str, array[float]]) -> tuple[Floats, dict[str, Floats]]:
    """Columns by rising step, each step once as it was logged last."""
    import numpy as np

    step = np.array(steps, dtype=np.float64)
    values = {name: np.array(column, dtype=np.float64) for name, column in columns.items()}
    if step.size < 2 or bool(np.all(step[1:] > step[:-1])):
        return step, values
    kept, first_from_end = np.unique(step[::-1], return_index=True)
    last = step.size - 1 - first_from_end
    return kept, {name: column[last] for name, column in values.items()}


def _present(column: Floats) -> Floats | None:
    import numpy as np

    return None if bool(np.isnan(column).all()) else column


LineReader = Callable[[str, LogRows], bool]
"""Takes one line of text; whether it was a row of its format."""
