"""The scripts that need bash alone: one run, all runs in order, and the stop/go check before the dearest."""

from __future__ import annotations

import shlex

from scaleplan.specs.job_set import HEAD, JobSet, id_list

_RUN_ABOUT = """\
#!/usr/bin/env bash
# One pilot run: ./run.sh ID. What it prints is added to results/ID.log, what it measured goes to results/ID.json.
# Ended well, it leaves results/ID.done and is skipped from then on; otherwise results/ID.failed with its exit code.
# Stopped by a signal it ends the command too, and leaves neither. While it runs it holds a lock on results/ID.lock:
# exit code 75 says that another does. The command runs in this folder, without input.
# PILOT_RESULTS names another folder for results, which gets a copy of the manifest, so that they can be collected.
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
mkdir -p -- "$results"
# The lock goes with the processes that hold it, so that a node that died keeps nobody out.
exec 9>>"$results/$id.lock"
locked=0
if command -v flock >/dev/null; then
  flock -n 9 || locked=$?
else
  locked=127
fi
if [ "$locked" -eq 1 ]; then
  echo "$id: is running already, holding $results/$id.lock; left alone" >&2
  exit 75
elif [ "$locked" -ne 0 ]; then
  echo "$id: no lock (flock ended with $locked): see to it that no run is started twice" >&2
fi
trap '[ "$locked" -ne 0 ] || flock -u 9' EXIT # what the command leaves running holds the lock too
if [ -e "$results/$id.done" ]; then
  echo "$id: finished before, skipped"
  exit 0
fi
if [ -n "${PILOT_RESULTS:-}" ]; then
  for file in manifest.csv before.csv; do
    [ ! -e "$file" ] || [ "$file" -ef "$results/$file" ] || cmp -s -- "$file" "$results/$file" || {
      cp -f -- "$file" "$results/$file.$id.part"
      mv -f -- "$results/$file.$id.part" "$results/$file"
    }
  done
fi
rm -f -- "$results/$id.failed"
export PILOT_ID=$id
child='' stopped=''
stop() {
  stopped=$1
  [ -z "$child" ] || kill -s TERM -- "-$child" 2>/dev/null || true
}
trap 'stop 143' TERM
trap 'stop 130' INT
trap 'stop 129' HUP
set -m # the command leads a group of its own: all that it starts is ended with it
env -- "${words[@]}" </dev/null >>"$results/$id.log" 2>&1 &
child=$!
set +m
[ -z "$stopped" ] || stop "$stopped"
while true; do
  status=0
  wait "$child" || status=$?
  kill -s 0 -- "$child" 2>/dev/null || break # a signal ends the waiting, not the command
done
case "${stopped:-$status}" in
  129 | 130 | 143)
    echo "$id: stopped by a signal, not finished" >&2
    exit "${stopped:-$status}"
    ;;
esac
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
results=${PILOT_RESULTS:-results}
child=''
# shellcheck disable=SC2317 # signals call it
stop() {
  trap '' TERM INT HUP
  [ -z "$child" ] || kill -s TERM "$child" 2>/dev/null || true
  wait
  exit "$1"
}
trap 'stop 143' TERM
trap 'stop 130' INT
trap 'stop 129' HUP
# run ID: in the background, since bash answers a signal only once what stands before it has ended
run() {
  ./run.sh "$1" &
  child=$!
  wait "$child"
}
failed=()
for id in "${ids[@]}"; do
  run "$id" || failed+=("$id")
done
"""
_ALL_LAST = """\
stop=0
if [ ! -e "$results/$last.done" ]; then
  ./check.sh || stop=$?
fi
if [ "$stop" -eq 0 ]; then
  run "$last" || failed+=("$last")
elif [ "$stop" -ne 3 ]; then
  echo "$last: not started, the check before it could not be made" >&2
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
# SCALEPLAN names another program in place of scaleplan, PILOT_RESULTS another folder than results.
"""
_CHECK = """\
stop() {
  echo "stop: $1" >&2
  exit 3
}
results=${PILOT_RESULTS:-results}
open=()
for id in "${ids[@]}"; do
  [ -e "$results/$id.done" ] || open+=("$id")
done
[ "${#open[@]}" -eq 0 ] || stop "not finished: ${open[*]}; ./run.sh ID runs one, ./all.sh all of them"
[ -e budget.yaml ] || stop "no budget.yaml in this folder to decide by; ./run.sh $last runs the dearest all the same"
program=${SCALEPLAN:-scaleplan}
if ! command -v -- "$program" >/dev/null; then
  echo "check.sh: no program $program; pip install scaleplan, or name it: SCALEPLAN=/path/to/scaleplan" >&2
  exit 127
fi
runs=$results/collected.csv
"$program" pilot --collect "${PILOT_RESULTS:-.}" --format csv -o "$runs" || stop "the results could not be collected"
judge=(pilot budget.yaml --after "$runs" --judge manifest.csv)
decision=$("$program" "${judge[@]}" --get decision) || stop "no decision from the runs in $runs"
[ "$decision" = go ] || stop "the runs say ${decision:-nothing}, see: $program ${judge[*]}"
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
