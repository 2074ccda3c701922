#!/usr/bin/env bash
# A Slurm cluster of one node for tests: its own folder, loopback only, no authentication, eight accelerators that are
# null devices by other names. Needs root, which makes the devices, and the programs slurmctld, slurmd, sinfo, scancel.
#   one_node_slurm.sh up FOLDER CONTROLLER_PORT NODE_PORT     returns once the node is idle; SLURM_CONF=FOLDER/slurm.conf
#   one_node_slurm.sh down FOLDER                             cancels what runs, and ends both daemons
set -euo pipefail

verb=$1
folder=$2
export SLURM_CONF=$folder/slurm.conf

settings() {
  cat <<CONF
ClusterName=pilots
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$1
SlurmdPort=$2
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
# A requeued job waits as long as a credential lives: two minutes unless told, five seconds at the least.
AuthInfo=cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
# No cgroups, accounting or mail in a container.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MailProg=/bin/true
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=1,sched_interval=1
ReturnToService=2
# More processors than the machine has, so that jobs are not held back by them.
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=$host NodeAddr=127.0.0.1 NodeHostname=$host CPUs=16 RealMemory=8000 Gres=gpu:h100:8
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
}

up() {
  local host program try
  host=$(hostname -s)
  mkdir -p "$folder/state" "$folder/spool"
  for number in 0 1 2 3 4 5 6 7; do
    mknod "$folder/gpu$number" c 1 3
  done
  printf 'AutoDetect=off\nName=gpu Type=h100 File=%s\n' "$folder/gpu[0-7]" >"$folder/gres.conf"
  settings "$1" "$2" >"$SLURM_CONF"
  for program in slurmctld slurmd; do
    "$program" -D -c >"$folder/$program.out" 2>&1 </dev/null &
    echo $! >"$folder/$program.own"
  done
  for try in {1..300}; do
    [ "$(sinfo --noheader --format=%t 2>/dev/null)" != idle ] || return 0
    sleep 0.1
  done
  echo "after $try tries the node is not idle:" >&2
  tail -n 20 "$folder"/*.out >&2
  return 1
}

# A daemon takes seconds to write down a state that nobody will read: after one second both are ended by force.
down() {
  local pids try
  scancel --user="$(id -un)" 2>/dev/null || true
  pids=$(cat "$folder"/*.own 2>/dev/null || true)
  for try in TERM 0 0 0 0 0 0 0 0 0 KILL; do
    # shellcheck disable=SC2086 # two numbers
    kill -s "$try" $pids 2>/dev/null || return 0
    sleep 0.1
  done
}

case "$verb" in
  up) up "$3" "$4" ;;
  down) down ;;
  *)
    echo "usage: one_node_slurm.sh up FOLDER CONTROLLER_PORT NODE_PORT | down FOLDER" >&2
    exit 2
    ;;
esac
