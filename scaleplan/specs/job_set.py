"""What every script of a job folder is made from: the runs in order, the dearest apart, and what each needs."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable
from typing import NamedTuple

from scaleplan.pilots.manifest import Manifest, PilotRun
from scaleplan.specs.command_template import CommandTemplate

_LONGEST_SLUG = 40
"""Our choice: job names are shown in narrow columns."""
_SHORTEST_MINUTES = 10
"""Time limits are told apart by ten minutes, the least there is, times a power of two (our choice)."""


class JobGroup(NamedTuple):
    """Runs that need the same: ``nodes`` with ``per_node`` accelerators each, for at most ``minutes``.

    ``places`` are those of the runs in the manifest, from 0.
    """

    accelerators: int
    nodes: int
    per_node: int
    minutes: int
    places: tuple[int, ...]


class JobSet(NamedTuple):
    """The runs of a manifest as jobs.

    ``last`` is the dearest run, which waits for a stop/go check on the others; ``None`` where it is the only one.
    """

    slug: str
    runs: tuple[PilotRun, ...]
    last: PilotRun | None
    command: CommandTemplate
    gpus_per_node: int
    at_once: int | None

    @property
    def first(self) -> tuple[PilotRun, ...]:
        """All runs but the dearest, in order."""
        return tuple(run for run in self.runs if run is not self.last)

    def groups(self, runs: Iterable[PilotRun]) -> list[JobGroup]:
        """Runs by the number of accelerators and by about how long they take, the group of the earliest run first.

        Each allows what its longest needs, less than twice what any of its runs does: a scheduler starts short jobs
        sooner. None for runs without accelerators.
        """
        found: dict[tuple[int, int], list[PilotRun]] = {}
        for run in runs:
            if run.accelerators is not None:
                found.setdefault((run.accelerators, _doublings(run.time_limit_minutes or 0)), []).append(run)
        places = {run.id: i for i, run in enumerate(self.runs)}
        groups: list[JobGroup] = []
        for (count, _), members in found.items():
            nodes = nodes_of(count, self.gpus_per_node)
            minutes = max(run.time_limit_minutes or 0 for run in members)
            groups.append(JobGroup(count, nodes, count // nodes, minutes, tuple(places[run.id] for run in members)))
        return groups


def job_set(manifest: Manifest, command: CommandTemplate, gpus_per_node: int, at_once: int | None) -> JobSet:
    """The jobs of a manifest: the last run with the role back-test waits for the check, or else the last of all."""
    runs = manifest.runs
    tests = [run for run in runs if run.role == "back-test"]
    last = (tests or list(runs))[-1] if len(runs) > 1 else None
    return JobSet(slug(manifest.name), runs, last, command, gpus_per_node, at_once)


def _doublings(minutes: int) -> int:
    """How often ten minutes are doubled until they are enough."""
    return math.ceil(math.log2(max(minutes, _SHORTEST_MINUTES) / _SHORTEST_MINUTES))


def nodes_of(accelerators: int, per_node: int) -> int:
    """On how few nodes so many accelerators fit with the same number on each."""
    least = math.ceil(accelerators / per_node)
    return next(nodes for nodes in range(least, accelerators + 1) if accelerators % nodes == 0)


def slug(name: str) -> str:
    """A name in letters, digits and dashes alone, ``pilots`` where nothing is left of it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:_LONGEST_SLUG].strip("-") or "pilots"


def id_list(name: str, runs: Iterable[PilotRun]) -> str:
    """An array of the shell with the ids of runs."""
    return f"{name}=({' '.join(shlex.quote(run.id) for run in runs)})"


HEAD = """\
set -euo pipefail
CDPATH='' cd -P -- "$(dirname -- "${BASH_SOURCE[0]}")"
"""
"""Every script ends at its first error and works in its own folder, wherever it is called from."""
