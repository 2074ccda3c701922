"""The runs as Slurm job arrays, one for each number of accelerators and about equal times, then check and dearest run.

Accelerators are asked for by ``--gres=gpu:N``, which counts those of one node: the newer ``--gpus-per-node`` means the
same but works only where the cluster schedules with select/cons_tres (Slurm documentation, "Generic Resource (GRES)
Scheduling").
"""

from __future__ import annotations

from scaleplan.specs.job_set import HEAD, JobGroup, JobSet, id_list

_CHECK_MINUTES = 10
"""Our choice: it reads a few dozen results and fits one law, in seconds."""
_BATCH = """\
#!/usr/bin/env bash
#SBATCH --job-name={slug}
#SBATCH --output=results/slurm-%A_%a.out
#SBATCH --open-mode=append
#SBATCH --requeue
# Submitted by ./submit.sh: the task with index I is the run with place I in manifest.csv, from 0.
# On several nodes this starts on the first of them: begin the command with srun there.
set -euo pipefail
"""
_TASK = """\
unset PILOT_RESULTS # the check looks into results/
id=${ids[${SLURM_ARRAY_TASK_ID:?start it by ./submit.sh}]}
exec ./run.sh "$id"
"""
_SUBMIT_ABOUT = """\
#!/usr/bin/env bash
# Submits the runs that have not finished to Slurm, cheapest first, then the check, then the dearest run if that says
# go. Options for sbatch may follow and come last, so that they win: ./submit.sh --partition=NAME --account=NAME
# Nothing is submitted while jobs of this folder are queued or running: they would be made and paid twice.
"""
_SUBMIT = """\
options=("$@")
for option in ${options[@]+"${options[@]}"}; do
  if [[ $option =~ ^(-[hHIkOQsvVW]*[ad]|--(ar|dep)) ]]; then
    printf 'submit.sh: %q is not taken: it would replace the arrays of runs, or start the dearest too early\\n' \\
      "$option" >&2
    exit 2
  fi
done
unset PILOT_RESULTS SBATCH_ARRAY_INX SBATCH_DEPENDENCY # the same from the environment; all looks into results/
if ! queue=$(squeue --user="$(id -un)" --noheader --format='%A %Z'); then
  echo 'submit.sh: squeue does not say whether these runs are queued already: nothing submitted' >&2
  exit 1
fi
while read -r job place; do
  if [ "$place" = "$PWD" ]; then
    echo "submit.sh: job $job of this folder is queued or running: wait until all have ended, or scancel them" >&2
    exit 1
  fi
done <<<"$queue"
mkdir -p results
jobs=''
# array NODES ACCELERATORS_A_NODE MINUTES DEPENDENCY PLACE...: submits the runs with these places in manifest.csv
array() {
  local nodes=$1 gpus=$2 minutes=$3 dependency=$4 place list='' job
  shift 4
  for place in "$@"; do
    if [ -e "results/${ids[place]}.done" ]; then
      echo "${ids[place]}: finished before, left out"
    else
      list+=${list:+,}$place
    fi
  done
  [ -n "$list" ] || return 0
  job=$(sbatch --parsable --chdir="$PWD" --nodes="$nodes" --gres="gpu:$gpus" --time="$minutes" \\
    --array="$list$limit" ${dependency:+"--dependency=$dependency" --kill-on-invalid-dep=yes} \\
    ${options[@]+"${options[@]}"} pilots.sbatch)
  job=${job%%;*} # the name of the cluster may follow
  echo "job $job: runs at places $list, nodes $nodes, accelerators on each $gpus, minutes $minutes"
  jobs+=:$job
}
"""
_SUBMIT_LAST = """\
if [ -e "results/${{ids[{place}]}}.done" ]; then
  echo "${{ids[{place}]}}: finished before, left out"
  exit 0
fi
check=$(sbatch --parsable --chdir="$PWD" --job-name={slug}-check --nodes=1 --ntasks=1 --time={minutes} --requeue \\
  --open-mode=append --output=results/slurm-%j.out ${{jobs:+"--dependency=afterany$jobs"}} \\
  ${{options[@]+"${{options[@]}}"}} --wrap='exec ./check.sh')
check=${{check%%;*}}
echo "job $check: the check before ${{ids[{place}]}}"
"""


def batch_script(jobs: JobSet) -> str:
    """``pilots.sbatch``: a task of an array."""
    return f"{_BATCH.format(slug=jobs.slug)}{id_list('ids', jobs.runs)}\n{_TASK}"


def submit_script(jobs: JobSet) -> str:
    """``submit.sh``: the arrays, at most ``at_once`` tasks of each at a time, the check, and the dearest run."""
    limit = "" if jobs.at_once is None else f"%{jobs.at_once}"
    lines = [f"{id_list('ids', jobs.runs)}\nlimit={limit}\n{_SUBMIT}"]
    lines += [f"array {_needs(group)} '' {_places(group)}\n" for group in jobs.groups(jobs.first)]
    if jobs.last is not None:
        (last,) = jobs.groups([jobs.last])
        lines.append(_SUBMIT_LAST.format(place=last.places[0], slug=jobs.slug, minutes=_CHECK_MINUTES))
        lines.append(f'array {_needs(last)} "afterok:$check" {_places(last)}\n')
    return f"{_SUBMIT_ABOUT}{HEAD}{''.join(lines)}"


def _needs(group: JobGroup) -> str:
    return f"{group.nodes} {group.per_node} {group.minutes}"


def _places(group: JobGroup) -> str:
    return " ".join(map(str, group.places))
