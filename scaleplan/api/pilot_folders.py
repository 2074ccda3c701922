"""Pilot runs as a folder that a cluster works through, and the results gathered from it."""

from __future__ import annotations

import os
from dataclasses import replace

from scaleplan.errors import UsageError
from scaleplan.specs.job_files import GPUS_PER_NODE, write_jobs
from scaleplan.specs.numbers import whole
from scaleplan.specs.pilot_budget import BEFORE, BUDGET, pilot_budget_text, runs_before_text
from scaleplan.specs.pilot_plan import PilotPlan
from scaleplan.specs.pilot_results import Collected, collect


def write_pilots(
    plan: PilotPlan,
    folder: str | os.PathLike[str],
    *,
    command: str | None = None,
    at_once: int | str | None = None,
    gpus_per_node: int | str | None = None,
) -> PilotPlan:
    """Write the job folder of pilot runs: the manifest, the budget that it is for, and scripts that run it.

    Of a later stage the runs finished before stand beside it, and are collected with those of the folder.

    Args:
        plan: the runs.
        folder: made where it is not there; one with results of other runs is left alone.
        command: the training command with places such as ``{params}``, ``{tokens}``, ``{lr}``, ``{batch}``,
            ``{shape}`` and ``{result}``; without it the manifest alone is written.
        at_once: runs of a Slurm array at the same time; as many as the cluster starts where left out.
        gpus_per_node: of the cluster; where left out as many as the accelerator's nodes have, at most 8.

    Returns:
        The plan with what is to be said of the files among its warnings.

    Raises:
        UsageError: no runs, a command that cannot be read, a folder in use, one that cannot be written.
    """
    if not isinstance(plan, PilotPlan):  # pyright: ignore[reportUnnecessaryIsInstance] # a slip worth a word
        raise UsageError(f"write_pilots takes what pilot() returns (got {type(plan).__name__})")
    place = _path(folder)
    if plan.manifest is None:
        raise UsageError("there are no further runs to write a job folder of")
    many = None if at_once is None else _at_least_one("at-once", at_once)
    node = _node(plan) if gpus_per_node is None else _at_least_one("gpus-per-node", gpus_per_node)
    texts = {BUDGET: pilot_budget_text(plan), BEFORE: runs_before_text(plan)}
    beside = {name: text for name, text in texts.items() if text is not None}
    notices = write_jobs(place, plan.manifest, command, beside=beside, gpus_per_node=node, at_once=many)
    return replace(plan, folder=place, warnings=(*plan.warnings, *notices))


def collect_pilots(folder: str | os.PathLike[str]) -> Collected:
    """What the runs of a job folder, or the result files of any folder, came to.

    Raises:
        InputFileError: no such folder, or nothing in it that can be used.
    """
    return collect(_path(folder))


def _path(folder: str | os.PathLike[str]) -> str:
    if not isinstance(folder, (str, os.PathLike)):  # pyright: ignore[reportUnnecessaryIsInstance] # a slip worth a word
        raise UsageError(f"must be the path of a folder (got {type(folder).__name__})")
    return os.fspath(folder)


def _node(plan: PilotPlan) -> int:
    """Accelerators of a node, as the numbers of them that the runs take were chosen by; racks are several nodes."""
    return GPUS_PER_NODE if plan.machine is None else min(GPUS_PER_NODE, plan.machine.part.node)


def _at_least_one(name: str, word: int | str) -> int:
    value = whole(name, word)
    if value < 1:
        raise UsageError(f"{name} must be at least 1 (got {value})")
    return value
