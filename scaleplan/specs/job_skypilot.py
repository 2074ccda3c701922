"""The runs as SkyPilot managed jobs: one task file for each number of accelerators, launched once a run.

A managed job gives its machines back at the end, with all that is on them, so results go to a bucket of the user's,
mounted with a cache that SkyPilot empties into the bucket before a job counts as finished (mode MOUNT_CACHED).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from scaleplan.specs.job_set import HEAD, JobSet, id_list, slug
from scaleplan.specs.yaml12 import yaml_text

SKYPILOT_NAMES: Mapping[str, str] = {
    "a10g": "A10G",
    "a100-pcie-40": "A100",
    "a100-sxm-40": "A100",
    "a100-pcie-80": "A100-80GB",
    "a100-sxm-80": "A100-80GB",
    "b200": "B200",
    "gh200-96": "GH200",
    "h100-sxm": "H100",
    "h200": "H200",
    "l4": "L4",
    "l40s": "L40S",
    "mi300x": "MI300X",
    "rtx-3090": "RTX3090",
    "rtx-4090": "RTX4090",
    "rtx-5090": "RTX5090",
    "v100-pcie-16": "V100",
    "v100-sxm2-16": "V100",
    "v100-sxm2-32": "V100-32GB",
}
"""Accelerators as SkyPilot calls them (skypilot-org/skypilot-catalog, catalogs/v8/common/accelerators.csv).

``H100`` is offered as SXM by most clouds, so the slower PCIe card goes without; TPUs are named there with their number.
"""
_MOUNT = "~/pilot-results"
_RUN = f'PILOT_RESULTS={_MOUNT} bash run.sh "$RUN_ID"'
_RUN_MANY = (
    'if [ "${SKYPILOT_NODE_RANK:-0}" -eq 0 ]; then export PILOT_RESULTS=' + _MOUNT + '; fi; bash run.sh "$RUN_ID"'
)
"""Every node runs the command, which finds its place by SKYPILOT_NODE_RANK; the first one keeps what it measured."""
IGNORED = "/results\n"
"""``.skyignore``: what the machines need not be sent."""
_ABOUT = """\
#!/usr/bin/env bash
# Launches the runs as SkyPilot managed jobs, cheapest first, and leaves out what results/ has as finished:
#   RESULTS_BUCKET=s3://NAME ./sky.sh        all but the dearest; options for `sky jobs launch` may follow
#   RESULTS_BUCKET=s3://NAME ./sky.sh ID     one run; before the dearest ./check.sh must say go
# Results are files in the bucket. Copy them into results/ before the check: aws s3 sync s3://NAME results
"""
_LAUNCH = """\
unset PILOT_RESULTS # what was copied from the bucket is looked for in results/
only=''
case "${1:-}" in
  '' | -*) ;;
  *)
    only=$1
    shift
    ;;
esac
options=("$@")
known=0
for id in "${ids[@]}"; do
  [ "$only" != "$id" ] || known=1
done
if [ -n "$only" ] && [ "$known" -eq 0 ]; then
  printf 'sky.sh: no run %q in manifest.csv\\n' "$only" >&2
  exit 2
fi
if [ -z "${RESULTS_BUCKET:-}" ]; then
  echo "sky.sh: say where results go: RESULTS_BUCKET=s3://NAME ./sky.sh" >&2
  exit 2
fi
failed=()
# launch TASK ID NAME: launches a run if it is asked for and has not finished
launch() {
  [ -z "$only" ] || [ "$only" = "$2" ] || return 0
  if [ -e "results/$2.done" ]; then
    echo "$2: finished before, left out"
    return 0
  fi
  sky jobs launch -y --detach-run --name "$3" --env "RUN_ID=$2" --env "RESULTS_BUCKET=$RESULTS_BUCKET" \\
    ${options[@]+"${options[@]}"} "$1" || failed+=("$2")
}
"""
_LAST = """\
if [ "$only" = {id} ]; then
  [ -e results/{id}.done ] || ./check.sh
  launch {task} {id} {name}
elif [ -z "$only" ]; then
  echo "once all these have finished and results/ has what they left in the bucket: ./sky.sh "{id}
fi
"""
_END = """\
if [ "${#failed[@]}" -gt 0 ]; then
  echo "not launched: ${failed[*]}" >&2
  exit 1
fi
"""


def task_files(jobs: JobSet) -> dict[str, str]:
    """``sky-8.yaml`` and so on by name; none where SkyPilot has no name for the accelerator."""
    name = SKYPILOT_NAMES.get(jobs.runs[0].accelerator or "")
    if name is None:
        return {}
    files: dict[str, str] = {}
    for group in jobs.groups(jobs.runs):
        document: dict[str, Any] = {
            "name": jobs.slug,
            "resources": {"accelerators": f"{name}:{group.per_node}"},
            "num_nodes": group.nodes,
            "workdir": ".",
            "envs": {"RUN_ID": None, "RESULTS_BUCKET": None},
            "file_mounts": {_MOUNT: {"source": "${RESULTS_BUCKET}", "mode": "MOUNT_CACHED"}},
            "run": _RUN if group.nodes == 1 else _RUN_MANY,
        }
        files[_task(group.accelerators)] = yaml_text(document, width=200)
    return files


def sky_script(jobs: JobSet) -> str:
    """``sky.sh``: launches the runs."""
    lines = [f"launch {_words(jobs, run.id, run.accelerators)}\n" for run in jobs.first]
    if jobs.last is not None:
        task, last, name = _words(jobs, jobs.last.id, jobs.last.accelerators).split()
        lines.append(_LAST.format(task=task, id=last, name=name))
    return f"{_ABOUT}{HEAD}{id_list('ids', jobs.runs)}\n{_LAUNCH}{''.join(lines)}{_END}"


def _words(jobs: JobSet, run_id: str, accelerators: int | None) -> str:
    return f"{_task(accelerators or 0)} {shlex.quote(run_id)} {slug(f'{run_id}-{jobs.slug}')}"


def _task(accelerators: int) -> str:
    return f"sky-{accelerators}.yaml"
