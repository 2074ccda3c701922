"""Training logs as they are: which format a file is in, its rows, and the loss that the run ended with.

The format is detected from how the file begins: ``{`` JSON, ``[{`` a JSON list, a line of names with ``step`` or
``loss`` among them CSV, anything else text, in which the lines of a known tool are found among all others. A file is
read line by line (one that is a single JSON value whole), in time linear in its size.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Generator
from typing import Literal, NamedTuple

from scaleplan.errors import quoted
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_csv import header_of, read_csv
from scaleplan.specs.log_files import open_regular
from scaleplan.specs.log_json import OBJECT, CutOffError, read_json, read_json_lines
from scaleplan.specs.log_rows import NAMES, LogContentError, LogRows, TrainingLog
from scaleplan.specs.log_text import read_text

__all__ = ["FinalLoss", "LogContentError", "TrainingLog", "final_loss", "old_evaluation", "read_log"]

TAIL_SHARE = 0.01
"""Our choice: without an evaluation the loss is the mean over so much of the steps at the end ..."""
TAIL_ROWS = 10
"""... and over at least so many rows (our choice): one batch alone is noisy by a few per cent."""
_HEAD = 2**16
_LONGEST_LINE = 2**26
"""Our choice [bytes]: no tool writes longer lines; a file with one is no log."""
_LOOKED_FOR = (
    "CSV with a header (step, loss), JSON lines, a JSON object with a loss, a list of them, trainer_state.json, "
    "lines of Megatron-LM ('iteration 1/ 10 | lm loss: ... |') or nanoGPT ('iter 1: loss ...'), or rows printed as "
    "{'loss': ...}"
)


class FinalLoss(NamedTuple):
    """The loss that a run ended with: an evaluation's, that of a result, or the mean of the last training losses."""

    value: float
    how: str
    kind: Literal["evaluation", "result", "training"]


def read_log(path: str | os.PathLike[str]) -> TrainingLog:
    """The log of a training run.

    Args:
        path: a regular file.

    Raises:
        LogContentError: empty, binary, cut-off JSON, or no line in it could be read; an ``InputFileError``.
        InputFileError: missing, a folder or device, unreadable.
    """
    path = os.fspath(path)
    name = shown(path)
    try:
        with open_regular(path) as file:
            head = file.read(_HEAD)
        rows = _rows(path, name, head)
    except OSError as error:
        raise unreadable(name, error) from None
    if not rows.has_loss and not (rows.form == OBJECT and not rows.ignored):
        raise LogContentError(_nothing(rows, name))
    if not len(rows) and rows.stepless > 1:
        known = ", ".join(NAMES["step"])
        raise LogContentError(
            f"{name}: {rows.stepless} rows with a loss and none with a step (read as one: {known}); if each is a run, "
            "`scaleplan fit` reads the file as it is"
        )
    if len(rows.runs) > 1:
        named = ", ".join(quoted(each) for each in sorted(rows.runs)[:2])
        raise LogContentError(f"{name}: rows of {len(rows.runs)} runs ({named} ...); a log is of one: split the file")
    return rows.log(name)


def _nothing(rows: LogRows, name: str) -> str:
    seen = rows.ignored + rows.unreadable
    return f"{name}: no line of {seen:,} could be read as a training log ({rows.form}); looked for {_LOOKED_FOR}"


def _rows(path: str, name: str, head: bytes) -> LogRows:
    if not head.strip():
        raise LogContentError(f"{name}: {'blank' if head else 'empty'}; looked for {_LOOKED_FOR}")
    if b"\0" in head:
        raise LogContentError(f"{name}: a binary file; looked for {_LOOKED_FOR}")
    start = head.decode("utf-8-sig", errors="replace").lstrip()
    if start.startswith("{") and not start[1:].lstrip().startswith("'"):
        return _json(path, name)
    if start.startswith("[") and start[1:].lstrip()[:1] in ("{", "]", ""):
        return read_json(_whole(path, name), name)
    header = header_of(start.partition("\n")[0])
    if header is not None:
        return read_csv(lines(path, name), header, name)
    return read_text(part for line in lines(path, name) for part in line.split("\r"))


def _json(path: str, name: str) -> LogRows:
    """A file that begins with ``{``: an object a line, one object, or text whose first line looks like one."""
    filled = (line for line in lines(path, name) if line.strip())
    first = next(filled)
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return _not_a_line_each(path, name)
    if next(filled, None) is not None:
        return read_json_lines(lines(path, name))
    return read_json(first, name)


def _not_a_line_each(path: str, name: str) -> LogRows:
    """A file of which the first line is no object: one object over several lines, or else what lines can be read."""
    try:
        return read_json(_whole(path, name), name)
    except CutOffError:
        raise
    except LogContentError:
        for rows in (read_json_lines(lines(path, name)), read_text(lines(path, name))):
            if len(rows):
                return rows
        raise


def _whole(path: str, name: str) -> str:
    with open_regular(path) as file:
        data = file.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise LogContentError(f"{name}:{line}: not UTF-8 text") from None


def lines(path: str, name: str) -> Generator[str]:
    """The lines of a file with their ends; bytes that are not UTF-8 become replacement characters.

    Raises:
        LogContentError: a line of more than 64 MiB.
    """
    with open_regular(path) as file:
        number = 0
        while line := file.readline(_LONGEST_LINE):
            number += 1
            if len(line) == _LONGEST_LINE:
                raise LogContentError(f"{name}:{number}: a line of over 64 MiB, which no training log has")
            yield line.decode("utf-8-sig" if number == 1 else "utf-8", errors="replace")


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
