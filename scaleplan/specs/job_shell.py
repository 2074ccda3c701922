"""The scripts that need bash alone: one run, all runs in order, and the stop/go check before the dearest."""

from __future__ import annotations

import shlex

from scaleplan.specs.job_set import HEAD, JobSet, id_list

_RUN_ABOUT = """\
#!/usr/bin/env bash
# One pilot run: ./run.sh ID. What it prints is added to results/ID.log, what it measured goes to results/ID.json.
# Ended well, it leaves results/ID.done and is skipped from then on; otherwise results/ID.failed with its exit code.
# The command runs in this folder. PILOT_RESULTS names another folder for results.
# shellcheck disable=SC2016,SC2054 # a command's own signs mean nothing here, and it may have commas
"""
_RUN_START = """\
if [ "$#" -ne 1 ]; then
  echo "usage: ./run.sh ID, an id of manifest.csv" >&2
  exit 2
fi
id=$1
results=${PILOT_RESULTS:-results}
result=$results/$id.json
case "$id" in
"""
_RUN_END = """\
  *)
    printf 'run.sh: no run %q in manifest.csv\\n' "$id" >&2
    exit 2
    ;;
esac
if [ -e "$results/$id.done" ]; then
  echo "$id: finished before, skipped"
  exit 0
fi
mkdir -p -- "$results"
rm -f -- "$results/$id.failed"
export PILOT_ID=$id
status=0
env -- "${words[@]}" >>"$results/$id.log" 2>&1 || status=$?
end=$results/$id.done
if [ "$status" -ne 0 ]; then
  end=$results/$id.failed
  echo "$id: failed with exit code $status, see $results/$id.log" >&2
fi
echo "$status" >"$end.part"
mv -f -- "$end.part" "$end"
exit "$status"
"""
_ALL_ABOUT = """\
#!/usr/bin/env bash
# Every pilot run in order on this machine, the dearest after ./check.sh. A run that failed does not stop the others.
"""
_ALL_RUNS = """\
unset PILOT_RESULTS # the check looks into results/
trap 'exit 130' INT
failed=()
for id in "${ids[@]}"; do
  ./run.sh "$id" || failed+=("$id")
done
"""
_ALL_LAST = """\
stop=0
if [ ! -e "results/$last.done" ]; then
  ./check.sh || stop=$?
fi
if [ "$stop" -eq 0 ]; then
  ./run.sh "$last" || failed+=("$last")
else
  echo "$last: not started, the check before it said no" >&2
fi
"""
_ALL_END = """\
if [ "${#failed[@]}" -gt 0 ]; then
  echo "failed: ${failed[*]}" >&2
  exit 1
fi
"""
_CHECK_ABOUT = """\
#!/usr/bin/env bash
# Stop or go before the dearest run: 0 is go, 3 stop, 127 that scaleplan is not there. All others must have finished,
# and what they measured must make the dearest worth its cost by the budget in budget.yaml.
# SCALEPLAN names another program in place of scaleplan.
"""
_CHECK = """\
stop() {
  echo "stop: $1" >&2
  exit 3
}
open=()
for id in "${ids[@]}"; do
  [ -e "results/$id.done" ] || open+=("$id")
done
[ "${#open[@]}" -eq 0 ] || stop "not finished: ${open[*]}; ./run.sh ID runs one, ./all.sh all of them"
[ -e budget.yaml ] || stop "no budget.yaml in this folder to decide by; ./run.sh $last runs the dearest all the same"
program=${SCALEPLAN:-scaleplan}
if ! command -v -- "$program" >/dev/null; then
  echo "check.sh: no program $program; pip install scaleplan, or name it: SCALEPLAN=/path/to/scaleplan" >&2
  exit 127
fi
"$program" pilot --collect . --format csv -o runs.csv || stop "the results could not be collected"
decision=$("$program" pilot budget.yaml --after runs.csv --get decision) || stop "no decision from the runs in runs.csv"
[ "$decision" = go ] || stop "the runs say ${decision:-nothing}, see: $program pilot budget.yaml --after runs.csv"
echo "go: $last"
"""


def run_script(jobs: JobSet) -> str:
    """``run.sh``: a run by its id.

    Raises:
        UsageError: the command has a place for which a run has no value.
    """
    cases = "".join(
        # Quoted whatever it is: a bare esac would end the list.
        f"  '{run.id}') words=({jobs.command.shell_words(run, _RESULT)}) ;;\n"
        for run in jobs.runs
    )
    return f"{_RUN_ABOUT}{HEAD}{_RUN_START}{cases}{_RUN_END}"


_RESULT = '"$result"'


def all_script(jobs: JobSet) -> str:
    """``all.sh``: the runs one after another."""
    ids = f"{id_list('ids', jobs.first)}\n"
    if jobs.last is None:
        return f"{_ALL_ABOUT}{HEAD}{ids}{_ALL_RUNS}{_ALL_END}"
    last = f"last={shlex.quote(jobs.last.id)}\n"
    return f'{_ALL_ABOUT}{HEAD}{ids}{last}{_ALL_RUNS}{_ALL_LAST}{_ALL_END}exit "$stop"\n'


def check_script(jobs: JobSet) -> str | None:
    """``check.sh``: whether the dearest run should start; ``None`` where there is no other."""
    if jobs.last is None:
        return None
    return f"{_CHECK_ABOUT}{HEAD}{id_list('ids', jobs.first)}\nlast={shlex.quote(jobs.last.id)}\n{_CHECK}"
