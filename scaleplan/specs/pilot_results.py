"""Results of pilot runs gathered from a folder into outcomes and the rows that a fit reads.

A job folder has ``manifest.csv`` and, in ``results``, for a run ID: ``ID.done`` (ended well) or ``ID.failed`` (holds
the exit code), ``ID.json`` (what the training command measured) and ``ID.log`` (what it printed). In a folder without
a manifest every JSON file with params, tokens and a loss is a finished run.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from scaleplan.errors import InputFileError, Notice
from scaleplan.pilots.manifest import Manifest
from scaleplan.pilots.outcomes import Outcome, Status, contradictions, judge
from scaleplan.specs.files import shown, unreadable
from scaleplan.specs.log_evidence import DONE, FAILED, LOG, RESULTS, Found, exists, of_run
from scaleplan.specs.log_folder import read_folder
from scaleplan.specs.log_messages import brief_line, named, some
from scaleplan.specs.manifest import FILE, read_manifest

FOLDER = "results"
"""Where in a job folder the results are."""
_NEXT: dict[Status, tuple[str, str]] = {
    "missing": ("left nothing yet", "start the jobs again, finished runs are skipped, and collect again"),
    "unfinished": ("did not reach the end", "still running, killed or stopped: collect later, or start them again"),
    "failed": ("failed", "see their logs, then start them again"),
    "diverged": ("diverged and are left out", "try a lower learning rate or look at their data"),
}
"""What is said of runs of a status, and what to do next."""


class Collected(NamedTuple):
    """What became of every run, in the manifest's order, what there is to say of it, and what the runs are called."""

    outcomes: tuple[Outcome, ...]
    notices: tuple[Notice, ...]
    name: str


def collect(folder: str | os.PathLike[str]) -> Collected:
    """The results in a folder.

    Args:
        folder: a job folder, or one of result files.

    Raises:
        InputFileError: no folder, no results in it, a run that stands twice, a manifest or file that cannot be read.
    """
    place = Path(folder)
    name = shown(os.fspath(folder))
    try:
        is_folder = bool(os.fspath(folder)) and place.is_dir()
        has_manifest = is_folder and os.path.lexists(place / FILE)
        if not is_folder:
            place.stat()  # says why, where there is nothing
    except OSError as error:
        raise unreadable(name, error) from None
    except ValueError:
        raise InputFileError(f"{name}: no path of a folder") from None
    if not is_folder:
        raise InputFileError(f"{name}: not a folder of results; a table of runs is read by `scaleplan fit`")
    if has_manifest:
        return _of_jobs(read_manifest(str(place / FILE)), place)
    found, notices = read_folder(place)
    return _judged(found, notices, place.resolve().name or "runs")


def runs_rows(collected: Collected) -> list[dict[str, Any]]:
    """The finished runs as rows for a fit, ``run params tokens loss``, in the manifest's order."""
    return [
        {"run": each.run_id, "params": each.params, "tokens": each.tokens, "loss": each.loss}
        for each in collected.outcomes
        if each.status == "finished"
    ]


def _of_jobs(manifest: Manifest, place: Path) -> Collected:
    results = place / FOLDER
    if exists(results) and not results.is_dir():
        raise InputFileError(f"{shown(str(results))}: not a folder; the results of the runs belong in it")
    _distinct([run.id for run in manifest.runs], shown(str(place / FILE)))
    found = [of_run(run, results) for run in manifest.runs]
    return _judged(found, _unknown(manifest, results), manifest.name)


def _distinct(ids: Sequence[str], place: str) -> None:
    seen: set[str] = set()
    for each in ids:
        if each in seen:
            raise InputFileError(f"{place}: run {named(each)} stands twice")
        if "/" in each or "\0" in each:
            raise InputFileError(f"{place}: run {named(each)} cannot name files")
        seen.add(each)


def _unknown(manifest: Manifest, results: Path) -> list[Notice]:
    """A word on result files of runs that the manifest does not have."""
    if not exists(results):
        return []
    known = {run.id for run in manifest.runs}
    ends = (*RESULTS, LOG, DONE, FAILED)
    try:
        files = sorted(each.name for each in results.iterdir())
    except OSError as error:
        raise unreadable(shown(str(results)), error) from None
    pairs = [(file, end) for file in files for end in ends if file.endswith(end)]
    extra = [file for file, end in pairs if file.removesuffix(end) not in known]
    if not extra:
        return []
    text = f"files of runs that {FILE} does not have, not read: {some(map(named, extra))}."
    return [Notice("unknown_results", text)]


def _judged(found: Sequence[Found], notices: Iterable[Notice], name: str) -> Collected:
    outcomes = judge([each.evidence for each in found])
    said = [*notices, *_doubts(found, outcomes)]
    for status, (what, then) in _NEXT.items():
        places = [i for i, each in enumerate(outcomes) if each.status == status]
        these = [outcomes[i] for i in places]
        if these:
            runs = some(named(each.run_id) + (f" ({brief_line(each.detail)})" if each.detail else "") for each in these)
            skipped = f"; with {DONE} a run is not started again: remove that first" if _any_done(found, places) else ""
            text = f"{len(these)} of {len(outcomes)} runs {what}: {runs}; {then}{skipped}."
            said.append(Notice(f"{status}_runs", text))
    return Collected(outcomes, tuple(said), name)


def _any_done(found: Sequence[Found], places: Sequence[int]) -> bool:
    return any(found[i].done for i in places)


def _doubts(found: Sequence[Found], outcomes: Sequence[Outcome]) -> list[Notice]:
    """What is to be said of how results were read."""
    said: list[Notice] = []
    runs = [(each, contradictions(each.evidence)) for each in found]
    other = [f"{named(each.evidence.run_id)} ({'; '.join(texts)})" for each, texts in runs if texts]
    if other:
        text = f"runs that trained something else than the manifest says, taken as trained: {some(other)}."
        said.append(Notice("contradictions", text))
    remarks = [remark for each in found for remark in each.remarks]
    if remarks:
        said.append(Notice("unreadable_results", f"not read, the rest was used: {some(map(brief_line, remarks))}."))
    pairs = list(zip(found, outcomes, strict=True))
    unmarked = [named(each.run_id) for found_one, each in pairs if found_one.unmarked and each.status != "unfinished"]
    if unmarked:
        text = f"runs with a result but neither {DONE} nor {FAILED}, taken as ended: {some(unmarked)}."
        said.append(Notice("unmarked_runs", text))
    kinds = [(each.kind, outcome) for each, outcome in pairs if outcome.status == "finished"]
    training = [named(outcome.run_id) for kind, outcome in kinds if kind == "training"]
    if training and len(training) < len(kinds):
        text = (
            f"{len(training)} of {len(kinds)} losses are means of the training loss, the others are not, which biases "
            f"a fit: {some(training)}; log an evaluation, or write the loss to the result."
        )
        said.append(Notice("mixed_losses", text))
    return said
