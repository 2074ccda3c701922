"""What the files of one run say of it: its result and its log together, as evidence to be judged.

The result counts before the log; the log adds the curve and what the result leaves open.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from scaleplan.errors import quoted
from scaleplan.pilots.manifest import PilotRun
from scaleplan.pilots.outcomes import CONTRADICTION, Evidence, Status
from scaleplan.pilots.rises import rise_above_minimum
from scaleplan.specs.files import shown
from scaleplan.specs.log_files import exists, is_regular, open_regular
from scaleplan.specs.log_json import OBJECT
from scaleplan.specs.training_logs import FinalLoss, LogContentError, TrainingLog, final_loss, old_evaluation, read_log

if TYPE_CHECKING:
    from scaleplan.specs.log_rows import Floats

RESULTS = (".json", ".jsonl")
"""Endings of result files, the first that is there counts."""
DONE, FAILED, LOG = ".done", ".failed", ".log"


class Found(NamedTuple):
    """Evidence of a run; the kind of its loss; what could not be read of files that were used, a line each.

    ``unmarked``: a result without a word on how the run ended; ``done``: a word that it ended well.
    """

    evidence: Evidence
    kind: str | None
    remarks: tuple[str, ...] = ()
    unmarked: bool = False
    done: bool = False
    old: str = ""
    """At which step the evaluation was that is too old to count."""


class _Reading(NamedTuple):
    """A file that is there: its log, or why there is none."""

    name: str
    log: TrainingLog | None
    problem: str


def of_run(run: PilotRun, folder: Path) -> Found:
    """What a run of a manifest left in the folder of results.

    Raises:
        InputFileError: a file that is there cannot be opened.
    """
    result = next((each for end in RESULTS if (each := _read(folder / f"{run.id}{end}")) is not None), None)
    text = _read(folder / f"{run.id}{LOG}")
    readings = [each for each in (result, text) if each is not None]
    logs = [each.log for each in readings if each.log is not None]
    loss = _first_loss(logs)
    status, detail = _status(run.id, folder, readings)
    whole = result is not None and _is_whole(result.log)
    unmarked = status == "unfinished" and whole
    if unmarked:
        status, detail = "finished", ""
    if status == "finished" and loss is None:
        detail = _no_loss(run.id, readings)
    evidence = of_logs(run.id, status, logs, loss)
    if evidence.total_steps is None and (logs[0].fact("step") is not None if unmarked else logs and not whole):
        # A result may be written anew as a run goes on; that of an ended one is whole whatever its steps are called.
        evidence = evidence._replace(total_steps=float(run.steps))
    if evidence.params is not None and _same(evidence.params, run.params_nonembedding):
        evidence = evidence._replace(params=None)  # counted the other way, not another size
    planned = evidence._replace(
        planned_params=run.params,
        planned_tokens=run.tokens,
        vocabulary=float(run.shape.vocabulary),
        detail=detail,
        seed=run.seed,
    )
    remarks = _remarks(readings) if loss is not None else ()
    kind = None if loss is None else loss.kind
    old = "" if kind != "training" else next((said for log in logs if (said := old_evaluation(log))), "")
    return Found(planned, kind, remarks, unmarked, exists(folder / f"{run.id}{DONE}"), old)


def _is_whole(result: TrainingLog | None) -> bool:
    """Whether a result is one object with a loss, which a training command writes when it is through."""
    return result is not None and result.format == OBJECT and final_loss(result) is not None


def of_logs(name: str, status: Status, logs: Sequence[TrainingLog], loss: FinalLoss | None) -> Evidence:
    """What logs of one run say, the first that says something."""
    tokens, tokens_between = _first([_tokens(log) for log in logs])
    steps, steps_between = _first([_steps(log) for log in logs])
    curve = next((each for log in logs for each in (log.loss, log.eval_loss) if each.size > 1), None)
    return Evidence(
        run_id=name,
        status=status,
        params=_fact(logs, "params"),
        tokens=tokens,
        tokens_between=tokens_between,
        steps=steps,
        steps_between=steps_between,
        total_steps=_fact(logs, "total_steps"),
        vocabulary=_fact(logs, "vocabulary"),
        loss=None if loss is None else loss.value,
        how="" if loss is None else loss.how,
        rise=None if curve is None else rise_above_minimum(curve),
        seed=_whole(_fact(logs, "seed")),
    )


def _read(path: Path) -> _Reading | None:
    if not exists(path):
        return None
    try:
        return _Reading(path.name, read_log(path), "")
    except LogContentError as error:
        return _Reading(path.name, None, error.message.partition("; looked for")[0].removeprefix(shown(str(path))))


def _status(name: str, folder: Path, readings: Sequence[_Reading]) -> tuple[Status, str]:
    """What the files say of how a run ended; one that ended well after it had failed counts as ended well."""
    if is_regular(folder / f"{name}{DONE}"):
        return "finished", ""
    failed = folder / f"{name}{FAILED}"
    if exists(failed):
        with open_regular(failed) as file:
            code = file.read(100).decode(errors="replace").strip()
        return "failed", f"exit code {code if code.isdecimal() and code.isascii() else quoted(code)}"
    return ("unfinished", "neither ended nor failed so far") if readings else ("missing", "")


def _no_loss(name: str, readings: Sequence[_Reading]) -> str:
    if not readings:
        return f"ended well but left neither {name}{RESULTS[0]} nor {name}{LOG}"
    return "; ".join(f"{each.name}{each.problem or ': no loss in it'}" for each in readings)


def _remarks(readings: Sequence[_Reading]) -> tuple[str, ...]:
    """What was passed over in files that were used, and results that were not."""
    found: list[str] = []
    for each in readings:
        if each.log is None and not each.name.endswith(LOG):
            found.append(f"{each.name}{each.problem}")
        elif each.log is not None and each.log.unreadable:
            found.append(f"{each.name}: {each.log.unreadable:,} of its rows cannot be read")
    return tuple(found)


def _first_loss(logs: Sequence[TrainingLog]) -> FinalLoss | None:
    return next((loss for log in logs if (loss := final_loss(log)) is not None), None)


def _first(found: Sequence[tuple[float | None, float]]) -> tuple[float | None, float]:
    return next((each for each in found if each[0] is not None), (None, 0.0))


def _fact(logs: Sequence[TrainingLog], role: str) -> float | None:
    return next((value for log in logs if (value := log.fact(role)) is not None), None)


def _tokens(log: TrainingLog) -> tuple[float | None, float]:
    """Tokens trained, and how many more may have been since the log's last row."""
    import numpy as np

    stated = log.fact("tokens")
    if stated is not None:
        return stated, 0.0
    if log.tokens is None:
        return None, 0.0
    return _last_and_gap(log.tokens[np.isfinite(log.tokens)])


def _steps(log: TrainingLog) -> tuple[float | None, float]:
    stated = log.fact("step")
    if stated is not None:
        return stated, 0.0
    return (None, 0.0) if log.counted else _last_and_gap(log.step if log.step.size else log.eval_step)


def _last_and_gap(values: Floats) -> tuple[float | None, float]:
    """The last of them, and how far it is from the one before; a row alone may be the first of many as far apart."""
    if not values.size:
        return None, 0.0
    last = float(values[-1])
    return last, max(0.0, last - float(values[-2]) if values.size > 1 else last)


def _same(measured: float, planned: float) -> bool:
    return abs(measured - planned) <= CONTRADICTION * planned


def _whole(value: float | None) -> int | None:
    return int(value) if value is not None and value.is_integer() else None
