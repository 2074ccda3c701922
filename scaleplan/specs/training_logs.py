"""Training logs as they are: their rows, whatever format they are in, and the loss that the run ended with.

A text log is read in blocks of lines (one that is a single JSON value whole), in time linear in its size.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Literal, NamedTuple

from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_blocks import open_log
from scaleplan.specs.log_forms import STORES, known_form, store_of
from scaleplan.specs.log_roles import Roles
from scaleplan.specs.log_rows import LogContentError, TrainingLog
from scaleplan.specs.log_sources import Wanted, require_log, rows_of_file, rows_of_store

__all__ = ["FinalLoss", "LogContentError", "TrainingLog", "final_loss", "old_evaluation", "read_log"]

TAIL_SHARE = 0.01
"""Our choice: without an evaluation the loss is the mean over so much of the steps at the end ..."""
TAIL_ROWS = 10
"""... and over at least so many rows (our choice): one batch alone is noisy by a few per cent."""


class FinalLoss(NamedTuple):
    """The loss that a run ended with: an evaluation's, that of a result, or the mean of the last training losses."""

    value: float
    how: str
    kind: Literal["evaluation", "result", "training"]


def read_log(
    path: str | os.PathLike[str],
    *,
    form: str | None = None,
    columns: Mapping[str, str] | None = None,
    run: str | None = None,
) -> TrainingLog:
    """The log of a training run.

    Args:
        path: a regular file, packed where its name ends in ``.gz`` or ``.zst``, the folder of a tool that keeps its
            logs in one, or ``-`` for standard input.
        form: the format, by one of the names of ``FORMS``; detected where none is given.
        columns: what roles are called in this log (``{"loss": "train/ce"}``), where not as tools call them.
        run: which run, of a log of several.

    Raises:
        LogContentError: empty, binary, cut-off JSON, or no line in it could be read; an ``InputFileError``.
        InputFileError: missing, a folder of no log, a device, unreadable, no such column or run.
        UsageError: no such format or role.
    """
    path = os.fspath(path)
    wanted = Wanted(shown(path), known_form(form), Roles(columns), run)
    store = wanted.form if wanted.form in STORES else None if wanted.form else store_of(path)
    if store is not None:
        return rows_of_store(path, store, wanted).log(wanted.name)
    try:
        with open_log(path) as file:
            rows = rows_of_file(file, wanted)
    except OSError as error:
        raise unreadable(wanted.name, error) from None
    require_log(rows, wanted)
    return rows.log(wanted.name)


def final_loss(log: TrainingLog) -> FinalLoss | None:
    """The loss that a run ended with; ``None`` where its log has none.

    In this order: the last evaluation of the log, unless it is an old one; of a result ``final_loss``, its evaluation
    loss, its ``loss``; the mean training loss over the last 1 % of the steps, at least ten rows (fewer where the log
    has no more). Rows that are not finite, of steps that were skipped, are left out of the mean unless the last is one.
    """
    if log.eval_loss.size and not old_evaluation(log):
        return FinalLoss(float(log.eval_loss[-1]), "last evaluation loss", "evaluation")
    for role in ("final_loss", "eval_loss", "loss"):
        value = log.fact(role)
        if value is not None:
            word = role.replace("_", " ")
            return FinalLoss(value, f"{word} of the result", "evaluation" if role == "eval_loss" else "result")
    if not log.loss.size:
        return None
    import numpy as np

    start = log.step[-1] - TAIL_SHARE * (log.step[-1] - log.step[0])
    within = int((log.step > start).sum())
    tail = log.loss[-max(within, TAIL_ROWS) :]
    sound = tail[np.isfinite(tail)]
    with np.errstate(over="ignore"):  # nothing guards a log against numbers near the largest
        value = float(sound.mean() if math.isfinite(tail[-1]) else tail[-1])
    share = " (1 % of the steps)" if within >= TAIL_ROWS else ""
    wild = f", without {tail.size - sound.size:,} not finite" if math.isfinite(value) and sound.size < tail.size else ""
    return FinalLoss(value, f"mean training loss of the last {_rows_in_words(tail.size)}{share}{wild}", "training")


def old_evaluation(log: TrainingLog) -> str:
    """At which step the last evaluation was, where training went on for long after it; otherwise nothing.

    Long is more than there usually was between evaluations (the median), and than 1 % of the steps.
    """
    if not log.eval_step.size or not log.step.size:
        return ""
    import numpy as np

    at, last = float(log.eval_step[-1]), float(log.step[-1])
    gap = float(np.median(np.diff(log.eval_step))) if log.eval_step.size > 1 else 0.0
    return f"at step {at:,.0f} of {last:,.0f}" if last - at > max(gap, TAIL_SHARE * last) else ""


def _rows_in_words(count: int) -> str:
    return "row" if count == 1 else f"{count:,} rows"
