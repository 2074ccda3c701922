"""Results of pilot runs gathered from a folder into outcomes and the rows that a fit reads.

A job folder has ``manifest.csv`` and, in ``results``, for a run ID: ``ID.done`` (ended well) or ``ID.failed`` (holds
the exit code), ``ID.json`` (what the training command measured) and ``ID.log`` (what it printed). Such results may also
stand beside a copy of the manifest, or in a folder beside it. Runs of ``before.csv``, finished before those of the
manifest were designed, come first. In a folder without a manifest every JSON file with params, tokens and a loss is a
finished run.
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
from scaleplan.specs.log_evidence import DONE, FAILED, LOG, RESULTS, Found, of_run
from scaleplan.specs.log_files import exists, is_regular, open_regular
from scaleplan.specs.log_folder import read_folder
from scaleplan.specs.log_messages import brief_line, named, some
from scaleplan.specs.manifest import COLUMNS, FILE, RESULTS_FOLDER, read_manifest
from scaleplan.specs.pilot_budget import BEFORE

_NEXT: dict[Status, tuple[str, str]] = {
    "missing": ("left nothing yet", "start the jobs again, finished runs are skipped, and collect again"),
    "unfinished": ("did not reach the end", "still running, killed or stopped: collect later, or start them again"),
    "failed": ("failed", "see their logs, then start them again"),
    "diverged": ("diverged and are left out", "try a lower learning rate or look at their data"),
}
"""What is said of runs of a status, and what to do next."""


_ENDS = (*RESULTS, LOG, DONE, FAILED)


class Collected(NamedTuple):
    """What became of every run, what there is to say of it, and what the runs are called.

    ``outcomes`` are first the runs made before, then those of the manifest in its order.
    """

    outcomes: tuple[Outcome, ...]
    notices: tuple[Notice, ...]
    name: str


def collect(folder: str | os.PathLike[str]) -> Collected:
    """The results in a folder.

    Args:
        folder: a job folder, its results, or a folder of result files.

    Raises:
        InputFileError: no folder, no results in it, a run that stands twice, a manifest or file that cannot be read.
    """
    place = Path(folder)
    name = shown(os.fspath(folder))
    try:
        is_folder = bool(os.fspath(folder)) and place.is_dir()
        if not is_folder:
            place.stat()  # says why, where there is nothing
    except OSError as error:
        raise unreadable(name, error) from None
    except ValueError:
        raise InputFileError(f"{name}: no path of a folder") from None
    if not is_folder:
        raise InputFileError(f"{name}: not a folder of results; a table of runs is read by `scaleplan fit`")
    if is_regular(place / FILE):
        return _of_jobs(place, place)
    if _are_results(place):
        return _of_jobs(place.absolute().parent, place)
    found, notices = read_folder(place)
    return _judged(found, notices, place.resolve().name or "runs")


def runs_rows(collected: Collected) -> list[dict[str, Any]]:
    """The finished runs as rows for a fit, ``run params tokens loss``, in their order."""
    return [
        {"run": each.run_id, "params": each.params, "tokens": each.tokens, "loss": each.loss}
        for each in collected.outcomes
        if each.status == "finished"
    ]


def _are_results(place: Path) -> bool:
    """Whether a folder holds the results of a manifest of ours beside it."""
    manifest = place.absolute().parent / FILE
    if place.absolute().name != RESULTS_FOLDER or not manifest.is_file():
        return False
    with open_regular(manifest) as file:
        return file.readline().decode(errors="replace").strip() == ",".join(COLUMNS)


def _has_results(manifest: Manifest, place: Path) -> bool:
    return any(exists(place / f"{run.id}{end}") for run in manifest.runs for end in _ENDS)


def _of_jobs(home: Path, place: Path) -> Collected:
    """The runs of the manifest of a folder, by their results in a place, which may be that folder."""
    manifest = read_manifest(str(home / FILE))
    results = place / RESULTS_FOLDER if home == place else place
    if home == place and not exists(results) and _has_results(manifest, place):
        results = place  # where PILOT_RESULTS put them, beside a copy of the manifest
    if exists(results) and not results.is_dir():
        raise InputFileError(f"{shown(str(results))}: not a folder; the results of the runs belong in it")
    found = [of_run(run, results) for run in manifest.runs]
    collected = _judged(found, [] if results == home else _unknown(manifest, results), manifest.name)
    return collected if not is_regular(home / BEFORE) else _after(home / BEFORE, collected)


def _after(path: Path, collected: Collected) -> Collected:
    """What was collected, behind the runs of the table of those made before."""
    from scaleplan.conventions import ParamCount
    from scaleplan.specs.run_tables import read_runs

    runs = read_runs(str(path)).runs
    if runs.counts_params is not ParamCount.TOTAL:
        text = f"runs of {BEFORE} count no embeddings, those of {FILE} do: left out; put both in one table yourself."
        return collected._replace(notices=(Notice("earlier_runs_left_out", text), *collected.notices))
    taken = {each.run_id for each in collected.outcomes}
    called = (
        [f"{runs.row_word}-{i}" for i in runs.row] if runs.names is None else [runs.names[int(i)] for i in runs.run]
    )
    renamed = {name: _free(name, taken | set(called)) for name in dict.fromkeys(called) if name in taken}
    earlier = [
        Outcome(renamed.get(name, name), "finished", float(params), float(tokens), float(loss), BEFORE, "")
        for name, params, tokens, loss in zip(called, runs.params, runs.tokens, runs.loss, strict=True)
    ]
    also = some(f"{named(old)} is {named(new)} here" for old, new in renamed.items())
    text = f"{len(earlier)} rows of runs finished before, of {BEFORE}, come first{f'; {also}' if also else ''}."
    return collected._replace(
        outcomes=(*earlier, *collected.outcomes), notices=(Notice("earlier_runs", text), *collected.notices)
    )


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"{name}-before"
    return name


def _unknown(manifest: Manifest, results: Path) -> list[Notice]:
    """A word on result files of runs that the manifest does not have."""
    if not exists(results):
        return []
    known = {run.id for run in manifest.runs}
    try:
        files = sorted(each.name for each in results.iterdir())
    except OSError as error:
        raise unreadable(shown(str(results)), error) from None
    pairs = [(file, end) for file in files for end in _ENDS if file.endswith(end)]
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
    old = [f"{named(each.evidence.run_id)} ({each.old})" for each, outcome in pairs if each.old and outcome.loss]
    if old:
        text = f"runs whose last evaluation is too old, the mean of training losses at the end counts: {some(old)}."
        said.append(Notice("old_evaluations", text))
    kinds = [(each.kind, outcome) for each, outcome in pairs if outcome.status == "finished"]
    training = [named(outcome.run_id) for kind, outcome in kinds if kind == "training"]
    if training and len(training) < len(kinds):
        text = (
            f"{len(training)} of {len(kinds)} losses are means of the training loss, the others are not, which biases "
            f"a fit: {some(training)}; log an evaluation, or write the loss to the result."
        )
        said.append(Notice("mixed_losses", text))
    return said
