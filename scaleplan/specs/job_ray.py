"""The runs as Ray jobs: the arguments of ``JobSubmissionClient.submit_job``, and a script that submits them.

Ray runs a job in a copy of the folder, so results go by PILOT_RESULTS to a path that all nodes see.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from scaleplan.pilots.manifest import PilotRun
from scaleplan.specs.job_set import HEAD, JobSet

_EXCLUDES = ["/results/"]
_ABOUT = """\
#!/usr/bin/env bash
# Submits the runs to a Ray cluster, cheapest first, and leaves out what results/ has as finished:
#   ./ray.sh           all but the dearest; options for `ray job submit` may follow, such as --address=http://HOST:8265
#   ./ray.sh last      the dearest, after ./check.sh
# Results go to results/ here, or to PILOT_RESULTS, a folder that all nodes see under the same path.
# Ray takes an id once: after a failure, `ray job delete ID` first.
"""
_SUBMIT = """\
part=first
if [ "${1:-}" = last ]; then
  part=last
  shift
fi
options=("$@")
results=${PILOT_RESULTS:-$PWD/results}
case "$results" in
  *[!A-Za-z0-9._/+@-]*)
    echo "ray.sh: PILOT_RESULTS must be a path of letters, digits and . _ / + @ - alone" >&2
    exit 2
    ;;
esac
failed=()
# submit ID SUBMISSION METADATA OPTION...: submits a run if it has not finished
submit() {
  local id=$1 submission=$2 metadata=$3
  shift 3
  if [ -e "$results/$id.done" ]; then
    echo "$id: finished before, left out"
    return 0
  fi
  ray job submit --no-wait --submission-id "$submission" --working-dir . --metadata-json "$metadata" "$@" \\
    --runtime-env-json '{"excludes": EXCLUDES, "env_vars": {"PILOT_RESULTS": "'"$results"'"}}' \\
    ${options[@]+"${options[@]}"} -- bash run.sh "$id" || failed+=("$id")
}
""".replace("EXCLUDES", json.dumps(_EXCLUDES))
_END = """\
if [ "${#failed[@]}" -gt 0 ]; then
  echo "not submitted: ${failed[*]}" >&2
  exit 1
fi
"""


def ray_jobs(jobs: JobSet, folder: Path) -> list[dict[str, Any]]:
    """Keyword arguments of ``submit_job``, one mapping a run, the dearest last: check before it is submitted.

    Accelerators are reserved where one node has them; a run on several nodes asks Ray for its own.
    """
    place = str(folder.resolve())
    environment: dict[str, Any] = {
        "working_dir": place,
        "excludes": _EXCLUDES,
        "env_vars": {"PILOT_RESULTS": f"{place}/results"},
    }
    return [
        {
            "submission_id": _submission(jobs, run),
            "entrypoint": f"bash run.sh {shlex.quote(run.id)}",
            **({"entrypoint_num_gpus": run.accelerators} if on_one_node(jobs, run) else {}),
            "runtime_env": environment,
            "metadata": _metadata(run),
        }
        for run in _in_order(jobs)
    ]


def ray_script(jobs: JobSet) -> str:
    """``ray.sh``: submits the runs."""
    first = "".join(f"  submit {_words(jobs, run)}\n" for run in jobs.first)
    last = '  echo "ray.sh: one run alone: ./ray.sh submits it" >&2\n  exit 2\n'
    after = ""
    if jobs.last is not None:
        last = f'  [ -e "$results/"{shlex.quote(jobs.last.id)}.done ] || PILOT_RESULTS=$results ./check.sh\n'
        last += f"  submit {_words(jobs, jobs.last)}\n"
        after = '  echo "once all these have finished: ./ray.sh last"\n'
    return f'{_ABOUT}{HEAD}{_SUBMIT}if [ "$part" = last ]; then\n{last}else\n{first}{after}fi\n{_END}'


def on_one_node(jobs: JobSet, run: PilotRun) -> bool:
    """Whether a node has as many accelerators as the run takes."""
    return run.accelerators is not None and run.accelerators <= jobs.gpus_per_node


def _in_order(jobs: JobSet) -> tuple[PilotRun, ...]:
    return jobs.first if jobs.last is None else (*jobs.first, jobs.last)


def _words(jobs: JobSet, run: PilotRun) -> str:
    words = [run.id, _submission(jobs, run), json.dumps(_metadata(run))]
    words += ["--entrypoint-num-gpus", str(run.accelerators)] if on_one_node(jobs, run) else []
    return shlex.join(words)


def _submission(jobs: JobSet, run: PilotRun) -> str:
    return f"{jobs.slug}-{run.id}"


def _metadata(run: PilotRun) -> dict[str, str]:
    return {"pilot_id": run.id, "role": run.role, "stage": str(run.stage)}
