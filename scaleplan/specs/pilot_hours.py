"""The accelerator-hours of a manifest that a budget file names: what the pilot runs of its plan really take.

Hours are of one accelerator. Those of another than the budget's would be paid for at the wrong price, so that they are
refused, and so are hours where no accelerator is named, which would stand on no bill.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from scaleplan.errors import InputFileError, UsageError
from scaleplan.specs.headings import Beside
from scaleplan.specs.presets import looks_like_path

if TYPE_CHECKING:
    from scaleplan.pilots.manifest import Manifest
    from scaleplan.specs.yaml12 import Document

_PLACE = ("pilots", "manifest")


def manifest_path(name: str, beside: Beside) -> str:
    """The path of a manifest as a document gives it, seen from here; any name is a path, ``-`` too."""
    return beside(name if looks_like_path(name) else f"./{name}")


def pilot_hours(document: Document, beside: Beside) -> tuple[float | None, list[str]]:
    """The accelerator-hours of the manifest that a budget document names, ``None`` where it names none; its problems.

    Args:
        document: as parsed; what is wrong with its own values is not told here.
        beside: turns a path as the document gives it into one as seen from here.
    """
    name = _at(document.data, *_PLACE)
    if not isinstance(name, str) or not name.strip():
        return None, []
    from scaleplan.specs.manifest import read_manifest

    try:
        path = manifest_path(name, beside)
        return _hours(read_manifest(path), path, _accelerator(document.data, beside)), []
    except InputFileError as error:
        problems = error.problems
    except UsageError as error:
        problems = (error.message,)
    where = f"{document.where(_PLACE)}: {'.'.join(_PLACE)}"
    return None, [f"{where}: {problem}" for problem in problems]


def _hours(manifest: Manifest, path: str, accelerator: str | None) -> float:
    """The hours of a manifest, all of them of the accelerator.

    Raises:
        InputFileError: it has no runs, no hours, or hours of another accelerator.
    """
    from scaleplan.specs.files import shown

    hours, name = manifest.gpu_hours, shown(path)
    if not manifest.runs:
        raise InputFileError(f"{name}: no runs, so no hours")
    if hours is None:
        more = "name an accelerator when it is written, `scaleplan pilot --on h100-sxm`, or give gpu_hours instead"
        raise InputFileError(f"{name}: without accelerator-hours: {more}")
    theirs = list(dict.fromkeys(run.accelerator for run in manifest.runs if run.accelerator is not None))
    if accelerator is None:
        raise InputFileError(f"{name}: its hours are of {' and '.join(theirs)}: name that in budget.on")
    others = [each for each in theirs if each != accelerator]
    if others:
        more = f"write it anew for {accelerator}, or give gpu_hours instead"
        raise InputFileError(f"{name}: its hours are of {' and '.join(others)}, the budget is of {accelerator}: {more}")
    return hours


def _accelerator(data: Any, beside: Beside) -> str | None:
    """The id of a budget's accelerator: the one it names, or the default one of money; ``None`` where it has none.

    Raises:
        UsageError, InputFileError: it is not known.
    """
    on = _at(data, "budget", "on")
    if not isinstance(on, str):
        from scaleplan.specs.machines import DEFAULT_ACCELERATOR

        return None if _at(data, "budget", "usd") is None else DEFAULT_ACCELERATOR
    from scaleplan.specs.accelerators import cluster, load_accelerator

    return load_accelerator(beside(cluster(on)[1])).id


def _at(data: Any, *keys: str) -> Any:
    """The value at some keys of what may be no mapping at all."""
    for key in keys:
        data = cast("dict[str, Any]", data).get(key) if isinstance(data, dict) else None
    return data
