#!/usr/bin/env bash
# Runs a Slurm of its own on this machine's loopback, for tests: munged, one
# slurmctld and two slurmd (nodes n1 and n2) as the user who calls it, who must
# be root. Needs Debian's slurm-wlm and munge; tried with 22.05.8.
#
# usage: scripts/slurm-local.sh start DIR        writes DIR/slurm.conf and starts all
#        scripts/slurm-local.sh stop DIR         ends all, jobs included
#        scripts/slurm-local.sh controller DIR   starts slurmctld again, after it was killed
# Then: SLURM_CONF=DIR/slurm.conf sbatch ...
# PORT, default 16817, and the two ports above it are used.
set -euo pipefail

usage="usage: scripts/slurm-local.sh start|stop|controller DIR"
command=${1:?$usage} dir=$(realpath -m "${2:?$usage}") port=${PORT:-16817}
export SLURM_CONF=$dir/slurm.conf

configure() {
	local user
	user=$(id -un)
	cat >"$SLURM_CONF" <<-CONF
		ClusterName=local
		SlurmctldHost=localhost(127.0.0.1)
		SlurmUser=$user
		SlurmdUser=$user
		AuthType=auth/munge
		# A task that is put back waits for as long as its credential lives.
		AuthInfo=socket=$dir/munge/socket,cred_expire=5
		CredType=cred/munge
		SlurmctldPort=$port
		StateSaveLocation=$dir/state
		SlurmdSpoolDir=$dir/spool-%n
		SlurmctldPidFile=$dir/slurmctld.pid
		SlurmdPidFile=$dir/slurmd-%n.pid
		SlurmctldLogFile=$dir/log/slurmctld.log
		SlurmdLogFile=$dir/log/slurmd-%n.log
		ProctrackType=proctrack/linuxproc
		TaskPlugin=task/none
		JobAcctGatherType=jobacct_gather/none
		AccountingStorageType=accounting_storage/none
		JobCompType=jobcomp/none
		SchedulerType=sched/backfill
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
		KillWait=5
		JobRequeue=1
		ReturnToService=2
		SlurmdTimeout=300
		# Cores are counted, not bound, so that two nodes may each have both of a
		# small machine.
		SlurmdParameters=config_overrides
		SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=100000,requeue_delay=0,bf_interval=2
		NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((port + 1)) CPUs=4 RealMemory=1000
		NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port=$((port + 2)) CPUs=4 RealMemory=1000
		PartitionName=local Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
	CONF
}

controller() {
	slurmctld
	for _ in $(seq 1200); do
		scontrol ping 2>/dev/null | grep -q UP && return
		sleep 0.1
	done
	echo "slurmctld does not answer; see $dir/log/slurmctld.log" >&2
	exit 1
}

start() {
	for program in munged slurmctld slurmd sbatch; do
		command -v "$program" >/dev/null || PATH=$PATH:/usr/sbin command -v "$program" >/dev/null ||
			{ echo "$program is missing: apt-get install --no-install-recommends slurm-wlm munge" >&2; exit 1; }
	done
	mkdir -p "$dir"/{munge,state,log,spool-n1,spool-n2}
	chmod 700 "$dir/munge"
	[ -f "$dir/munge/key" ] || (umask 077 && head -c 1024 /dev/urandom >"$dir/munge/key")
	configure
	munged --force --socket="$dir/munge/socket" --key-file="$dir/munge/key" \
		--pid-file="$dir/munge/pid" --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
	controller
	slurmd -N n1
	slurmd -N n2
	for _ in $(seq 1200); do
		[ "$(sinfo -h -N -t idle | wc -l)" -eq 2 ] && return
		sleep 0.1
	done
	echo "the nodes do not come up; see $dir/log" >&2
	sinfo -N >&2
	exit 1
}

# end kills the processes whose numbers lie in files, if they still run, and waits
# for that.
end() {
	local file pid
	for file in "$@"; do
		[ -f "$file" ] || continue
		pid=$(cat "$file")
		kill "$pid" 2>/dev/null || continue
		for _ in $(seq 50); do
			kill -0 "$pid" 2>/dev/null || continue 2
			sleep 0.1
		done
		kill -9 "$pid" 2>/dev/null || true
	done
}

stop() {
	[ -f "$SLURM_CONF" ] || exit 0
	scancel --quiet --user="$(id -un)" 2>/dev/null || true
	sleep 0.2
	end "$dir"/slurmd-n1.pid "$dir"/slurmd-n2.pid "$dir"/slurmctld.pid "$dir"/munge/pid
}

PATH=$PATH:/usr/sbin
case $command in
start) start ;;
stop) stop ;;
controller)
	controller
	# Slurm drains a node on which it finds a task that it has forgotten.
	scontrol update nodename=n1,n2 state=resume 2>/dev/null || true
	;;
*) echo "$usage" >&2 && exit 2 ;;
esac
