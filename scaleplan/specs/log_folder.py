"""Result files in a folder without a manifest: each with params, tokens and a loss is a finished run.

Files are ``*.json`` and ``*.jsonl`` in the folder and its subfolders, one level deep; hidden ones are none. A run is
called by its ``run`` or ``id``, else by its file (in a subfolder ``subfolder/file``) without the ending.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from scaleplan.errors import InputFileError, Notice
from scaleplan.specs.files import shown
from scaleplan.specs.log_evidence import RESULTS, Found, of_logs
from scaleplan.specs.log_listing import listed, refuse_loop
from scaleplan.specs.log_messages import brief_line, named, some
from scaleplan.specs.log_rows import LogContentError
from scaleplan.specs.training_logs import final_loss, old_evaluation, read_log


def read_folder(folder: Path) -> tuple[list[Found], list[Notice]]:
    """The runs of a folder, by file name, and a notice that names the files which are none.

    Raises:
        InputFileError: no file of a run, a run that stands twice, links in a circle, a file that cannot be opened.
    """
    found: dict[str, tuple[str, Found]] = {}
    others: list[str] = []
    for path in _files(folder):
        own = path.relative_to(folder)
        run = _run(path, str(own.with_suffix("")))
        if isinstance(run, str):
            others.append(named(str(own)) + brief_line(run))
            continue
        name = run.evidence.run_id
        if name in found:
            first = named(found[name][0])
            raise InputFileError(
                f"{shown(str(folder))}: {first} and {named(str(own))} are both of run {named(name)}; keep one of them, "
                'or give each a "run" of its own'
            )
        found[name] = str(own), run
    if not found:
        looked = "looked for manifest.csv, and in it and its subfolders for .json and .jsonl with params, tokens, loss"
        raise InputFileError(
            f"{shown(str(folder))}: no results; {looked}{f'; no run: {some(others)}' if others else ''}"
        )
    text = f"files without params, tokens and a loss, left out: {some(others)}."
    return [run for _, run in found.values()], [Notice("no_runs", text)] if others else []


def _run(path: Path, name: str) -> Found | str:
    """The run of a file, or why there is none, to be put behind its name."""
    try:
        log = read_log(path)
    except LogContentError as error:
        return error.message.partition("; looked for")[0].removeprefix(shown(str(path)))
    loss = final_loss(log)
    if loss is None:
        return ": no loss"
    own = log.facts.get("id")
    evidence = of_logs(own if isinstance(own, str) else name, "finished", [log], loss)
    sizes: Mapping[str, float | None] = {"params": evidence.params, "tokens": evidence.tokens}
    for word, value in sizes.items():
        if value is None:
            return f": no {word}"
        if not 0 < value < math.inf:
            return f": {word} {value:g}, not a number above zero"
    skipped = f"{named(path.name)}: {log.unreadable:,} of its rows cannot be read"
    old = old_evaluation(log) if loss.kind == "training" else ""
    return Found(evidence, loss.kind, (skipped,) if log.unreadable else (), old=old)


def _files(folder: Path) -> Iterator[Path]:
    """The files that may hold a run, by name."""
    home = folder.resolve()
    for path, is_folder in listed(folder):
        if not is_folder:
            if path.name.endswith(RESULTS):
                yield path
            continue
        refuse_loop(path, home)
        for inner, is_inner_folder in listed(path):
            if not is_inner_folder and inner.name.endswith(RESULTS):
                yield inner
