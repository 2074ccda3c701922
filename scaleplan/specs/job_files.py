"""A folder that runs pilots: the manifest, and scripts for a shell, Slurm, SkyPilot and Ray made from it.

A folder in which runs have left results keeps its manifest: what was measured would lose what it was measured for. A
folder is ours once it has a manifest; before that, and of the budget file always, what others wrote is never replaced.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from scaleplan.errors import Notice, UsageError, quoted
from scaleplan.pilots.manifest import Manifest
from scaleplan.specs.command_template import command_template
from scaleplan.specs.files import replacing, shown
from scaleplan.specs.job_ray import on_one_node, ray_jobs, ray_script
from scaleplan.specs.job_set import JobSet, job_set
from scaleplan.specs.job_shell import all_script, check_script, run_script
from scaleplan.specs.job_skypilot import IGNORED, sky_script, task_files
from scaleplan.specs.job_slurm import batch_script, submit_script
from scaleplan.specs.manifest import COLUMNS, FILE, RESULTS_FOLDER, manifest_csv
from scaleplan.specs.pilot_budget import BEFORE, BUDGET, HEADER

GPUS_PER_NODE = 8
"""What is assumed: nodes of HGX boards, as most clouds offer them, have eight."""
_NAMES = (
    FILE, BUDGET, BEFORE, "run.sh", "all.sh", "check.sh", "pilots.sbatch", "submit.sh", "sky.sh", ".skyignore",
    "ray_jobs.json", "ray.sh",
)  # fmt: skip
_TASK_FILE = re.compile(r"sky-\d+\.yaml")


def write_jobs(
    folder: str,
    manifest: Manifest,
    command: str | None,
    *,
    beside: Mapping[str, str] | None = None,
    gpus_per_node: int = GPUS_PER_NODE,
    at_once: int | None = None,
) -> tuple[Notice, ...]:
    """Write the files of a job folder, which is made where it is not there.

    Args:
        folder: where to.
        manifest: the runs, cheapest first.
        command: the training command with its places; ``None`` writes the manifest alone.
        beside: texts of files that stand beside the manifest, by name: the budget, the runs made before.
        gpus_per_node: accelerators of a node of the cluster, at least one.
        at_once: runs of one Slurm array that run at the same time, at least one; ``None`` for as many as the cluster
            starts.

    Returns:
        Notices: ``no_accelerator``, where only the shell scripts were written, ``no_skypilot_name``,
        ``ray_many_nodes``.

    Raises:
        UsageError: runs or a command that cannot be written, a folder in use by other runs or for something else, or
            one that cannot be written to.
    """
    place = Path(folder)
    texts, notices = {FILE: manifest_csv(manifest), **(beside or {})}, ()
    if command is not None:
        jobs = job_set(manifest, command_template(command), gpus_per_node, at_once)
        notices = _notices(jobs)
        texts |= _scripts(jobs, place)
    _make_room(place, texts)
    for name, text in texts.items():
        _write(place / name, text)
    return notices


def _scripts(jobs: JobSet, folder: Path) -> dict[str, str]:
    """The texts of the files by name."""
    texts = {"run.sh": run_script(jobs), "all.sh": all_script(jobs)}
    check = check_script(jobs)
    if check is not None:
        texts["check.sh"] = check
    if jobs.runs[0].accelerator is None:
        return texts
    texts |= {"pilots.sbatch": batch_script(jobs), "submit.sh": submit_script(jobs)}
    tasks = task_files(jobs)
    if tasks:
        texts |= {**tasks, "sky.sh": sky_script(jobs), ".skyignore": IGNORED}
    return texts | {"ray_jobs.json": f"{json.dumps(ray_jobs(jobs, folder), indent=1)}\n", "ray.sh": ray_script(jobs)}


def _notices(jobs: JobSet) -> tuple[Notice, ...]:
    accelerator = jobs.runs[0].accelerator
    if accelerator is None:
        left = "no files for Slurm, SkyPilot and Ray, which must know what a run takes: name an accelerator"
        return (Notice("no_accelerator", left),)
    found: list[Notice] = []
    if not task_files(jobs):
        found.append(Notice("no_skypilot_name", f"no SkyPilot files: it has no name of its own for {accelerator}"))
    wide = [run.id for run in jobs.runs if not on_one_node(jobs, run)]
    if wide:
        said = f"{', '.join(wide)} take more than the {jobs.gpus_per_node} accelerators of a node"
        found.append(Notice("ray_many_nodes", f"{said}: under Ray their command must ask for them itself"))
    return tuple(found)


def _make_room(folder: Path, texts: Mapping[str, str]) -> None:
    """Make the folder, or make sure that it is ours and free, and remove what an older manifest left.

    Raises:
        UsageError: it is in use.
    """
    try:
        if not folder.exists():
            folder.mkdir()
        names = sorted(entry.name for entry in folder.iterdir())
        used = (folder / RESULTS_FOLDER).is_dir() and any((folder / RESULTS_FOLDER).iterdir())
        manifest = _start(folder / FILE)
        ours = manifest.startswith(_HEAD_OF_OURS)
        same = manifest == texts[FILE].encode()
    except FileNotFoundError:
        raise UsageError(f"{shown(str(folder))}: no such folder as {shown(str(folder.parent))}") from None
    except OSError as error:
        raise UsageError(f"{shown(str(folder))}: {(error.strerror or str(error)).lower()}") from None
    if used and not same:
        what = "of another manifest" if ours else "and no manifest"
        raise UsageError(f"{shown(str(folder))}: has results {what}: write to another folder, or move results/ away")
    own_budget = BUDGET in names and not _start(folder / BUDGET).startswith(HEADER.encode())
    strange = next((name for name in names if name in texts and (not ours or (own_budget and name == BUDGET))), None)
    if strange is not None:
        raise UsageError(f"{shown(str(folder))}: {quoted(strange)} stands there and is not ours: write elsewhere")
    if ours and not same:
        for name in names:
            old = name in _NAMES or _TASK_FILE.fullmatch(name)
            if old and name not in texts and not (own_budget and name == BUDGET):
                (folder / name).unlink()


_HEAD_OF_OURS = ",".join(COLUMNS).encode() + b"\n"


def _start(path: Path) -> bytes:
    """What a file begins with, all of one of ours; nothing where there is no regular file."""
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(_MOST_BYTES)


_MOST_BYTES = 2**24
"""Our choice: manifests have some hundred lines."""


def _write(path: Path, text: str) -> None:
    with replacing(str(path)) as file:
        file.write(text.encode())
    if text.startswith("#!"):
        path.chmod(0o755)
