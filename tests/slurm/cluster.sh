#!/usr/bin/env bash
# A SLURM cluster on this machine alone: one node, two pretend GPUs, all of its files in one folder.
#
#     cluster.sh install      Debian's packages of it (root)
#     cluster.sh up DIR       start it; then: export SLURM_CONF=DIR/slurm.conf
#     cluster.sh down DIR     cancel its jobs and stop it
#     cluster.sh controller DIR stop|start
#                             as if the controller were restarted: jobs are kept
#
# To be run as root. Nothing is written outside DIR, but for the machine's name in /etc/hosts where
# that is missing. Everything listens on 127.0.0.1 only. For up: GPUS=2 CPUS=8 PORT=16817.
set -euo pipefail

install() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    slurmctld slurmd slurm-client munge
}

up() {
  local host address communication memory
  mkdir -p "$dir"/{state,spool,log,munge}
  chmod 755 "$dir"
  chmod 711 "$dir/munge"
  host=$(hostname -s)
  # What listens on no more than the address of the host's name must have a local one.
  address=$(getent ahostsv4 "$host" | awk 'NR == 1 {print $1}') || true
  communication=CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
  case $address in
    127.0.0.1) ;;
    "") echo "127.0.0.1 $host" >> /etc/hosts ;;
    *) communication= ;;
  esac
  memory=$(awk '/MemTotal/ {printf "%d", $2 / 1024 * 0.9}' /proc/meminfo)

  (umask 077 && head -c 1024 /dev/urandom > "$dir/munge/key")
  munged --key-file="$dir/munge/key" --socket="$dir/munge/sock" --pid-file="$dir/munge/pid" \
    --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"

  # Only devices whose names end in a number get CUDA_VISIBLE_DEVICES set. These are /dev/null.
  for number in $(seq 0 $((GPUS - 1))); do
    [ -e "$dir/gpu$number" ] || mknod -m 666 "$dir/gpu$number" c 1 3
  done
  echo "NodeName=$host Name=gpu File=$dir/gpu[0-$((GPUS - 1))]" > "$dir/gres.conf"

  cat > "$dir/slurm.conf" << EOF
ClusterName=pretend
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$PORT
SlurmdPort=$((PORT + 1))
SlurmUser=root
SlurmdUser=root
# Shorter than 5 is not heeded. A job that is requeued starts again after as long.
AuthInfo=socket=$dir/munge/sock,cred_expire=5
$communication
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
# Containers have no cgroups to give away.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherParams=OverMemoryKill
JobAcctGatherFrequency=task=2
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=2,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
MinJobAge=300
KillWait=10
SlurmctldTimeout=60
SlurmdTimeout=60
GresTypes=gpu
# More CPUs than the machine may have, so that small jobs run side by side.
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=$CPUS RealMemory=$memory Gres=gpu:$GPUS State=UNKNOWN
PartitionName=gpu Nodes=$host Default=YES PriorityTier=1 MaxTime=INFINITE State=UP
PartitionName=cancelling Nodes=$host PriorityTier=1 PreemptMode=CANCEL MaxTime=INFINITE State=UP
PartitionName=urgent Nodes=$host PriorityTier=10 PreemptMode=OFF MaxTime=INFINITE State=UP
EOF
  slurmctld -c
  slurmd
  wait_until_idle
}

wait_until_idle() {
  for _ in $(seq 100); do
    if [ "$(timeout 3 sinfo -h -p gpu -o %T 2> /dev/null)" = idle ]; then return; fi
    sleep 0.1
  done
  echo "the node is not idle:" >&2
  timeout 10 sinfo -R >&2 || true
  tail -n 20 "$dir/log/slurmd.log" >&2
  exit 1
}

down() {
  timeout 10 scancel -u "$(id -un)" 2> /dev/null || true
  for _ in $(seq 150); do
    [ -n "$(timeout 3 squeue -h 2> /dev/null)" ] || break
    sleep 0.1
  done
  for name in slurmd slurmctld munge/; do stop "$dir/${name}pid"; done
}

# Of slurmd, whose file is slurmd.pid, and of munged, whose file is munge/pid.
stop() {
  local file=${1/%dpid/d.pid} process
  process=$(cat "$file" 2> /dev/null) || return 0
  kill "$process" 2> /dev/null || return 0
  # Until somebody waits for it, a dead process is a zombie, to which signals can still be sent.
  for _ in $(seq 100); do
    case $(awk '/^State/ {print $2}' "/proc/$process/status" 2> /dev/null) in "" | Z) return ;; esac
    sleep 0.1
  done
}

controller() {
  case $1 in
    stop) stop "$dir/slurmctldpid" ;;
    start) slurmctld ;;
  esac
}

GPUS=${GPUS:-2} CPUS=${CPUS:-8} PORT=${PORT:-16817}
verb=${1:?} dir=${2:-}
if [ -n "$dir" ]; then
  mkdir -p "$dir"
  dir=$(cd "$dir" && pwd)
  export SLURM_CONF="$dir/slurm.conf"
fi
"$verb" "${@:3}"
