"""What the log of one training run says, once it was read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scaleplan.errors import InputFileError, Notice
from scaleplan.forecasting.readings import Readings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


class LogContentError(InputFileError):
    """A file that could be read but holds no training log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingLog:
    """What a training run wrote of itself.

    ``step``, ``loss`` [nats/token as logged], and where any row has them ``tokens``, ``grad_norm``, ``lr``, ``time``
    [s, since the epoch or a zero of the log's own] and ``step_time`` [s]: one value a row, steps rising, NaN where a
    row lacks it; a loss that is not finite stands as it was logged. ``written``: the same rows in the order in which
    they were written, a step that was logged twice standing twice; the same arrays where steps rise. ``eval_step``,
    ``eval_loss``: the evaluations. ``facts``: numbers of the whole run by role (see ``NAMES``), and ``id`` as text.
    ``ignored`` lines or objects held no loss, ``unreadable`` were none of the format. ``counted``: the log has no
    steps, its rows were numbered instead. ``notices``: what else there is to say of how it was read.
    """

    name: str
    format: str
    step: Floats
    loss: Floats
    tokens: Floats | None
    grad_norm: Floats | None
    lr: Floats | None
    time: Floats | None
    step_time: Floats | None
    written: Readings
    eval_step: Floats
    eval_loss: Floats
    facts: Mapping[str, float | str]
    ignored: int
    unreadable: int
    counted: bool
    notices: tuple[Notice, ...] = ()

    def fact(self, role: str) -> float | None:
        """A number that stands for the whole run; ``None`` where the log has none."""
        value = self.facts.get(role)
        return value if isinstance(value, float) else None
