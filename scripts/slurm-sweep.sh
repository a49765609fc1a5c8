#!/usr/bin/env bash
# Proves that a sweep survives a cluster: on a Slurm of its own (see
# slurm-local.sh) two nodes train a 40-trial study with ASHA, while tasks are put
# back, get the warning of their time limit, and slurmctld is killed. Every trial
# must be brought to its end once, and the comparison be equal to the byte to that
# of a sweep that nobody disturbed.
#
# A sweep that takes longer than 20 minutes has failed.
#
# usage: scripts/slurm-sweep.sh [ROUNDS [SEED]]     default 1 1
# Needs Go, root, Debian's slurm-wlm and munge. Exit 1 on any difference; the
# folder is then kept.
set -euo pipefail
cd "$(dirname "$0")/.."

rounds=${1:-1} RANDOM=${2:-1}
work=$(mktemp -d "${TMPDIR:-/tmp}/slurm-sweep.XXXXXX")
export SLURM_CONF=$work/slurm/slurm.conf PATH=$PATH:/usr/sbin
sweep='' limit=1200

fail() {
	echo "FAILED: $*" >&2
	echo "everything lies in $work" >&2
	exit 1
}

cleanup() {
	[ -z "$sweep" ] || kill -9 "$sweep" 2>/dev/null || true
	bash scripts/slurm-local.sh stop "$work/slurm" || true
}
trap cleanup EXIT

write_spec() {
	cat >"$work/spec.yaml" <<-SPEC
		name: slurm-sweep
		data:
		  source: synth://infiltration?seed=7&rows=60000
		  positive: [Infiltration]
		  split: {by: group, train: 0.5, validation: 0.2, test: 0.3, seed: 1}
		model: {kind: dnn, hidden: [64, 32]}
		train: {batch: 64, epochs: 9}
		sweep:
		  method: random
		  trials: 37
		  metric: {name: validation.average_precision, goal: maximize}
		  early_terminate: {type: asha, min_epochs: 1, eta: 3}
		  slurm: {partition: local, workers: 4, cpus: 1, time: 10m, warn: 60s}
		  parameters:
		    optimizer.learning_rate: {distribution: log_uniform, min: 1e-4, max: 3e-2}
		    model.dropout: {distribution: uniform, min: 0, max: 0.5}
	SPEC
}

# a_task is one that runs, at random; empty where none does.
a_task() { squeue -h --array --states=RUNNING --format=%i | shuf -n 1 --random-source=<(yes "$RANDOM"); }

strike() {
	local task
	case $1 in
	requeue)
		task=$(a_task)
		[ -n "$task" ] && scontrol requeue "$task" && echo "  $task is put back"
		;;
	warning)
		task=$(a_task)
		[ -n "$task" ] && scancel --batch --signal=USR1 "$task" && echo "  $task is warned"
		;;
	controller)
		kill -9 "$(cat "$work/slurm/slurmctld.pid")" && echo "  slurmctld is killed"
		sleep 1
		bash scripts/slurm-local.sh controller "$work/slurm"
		;;
	esac
}

# count proves from the store that each trial was brought to its end by one attempt.
count() {
	"$work/flowbench" runs "$1" --attempts --json >"$work/attempts.jsonl"
	"$work/flowbench" runs "$1" --json >"$work/trials.jsonl"
	[ "$(grep -c '"state":"\(done\|pruned\|diverged\)"' "$work/trials.jsonl")" -eq 40 ] || fail "not all 40 trials have ended in $1"
	local twice
	twice=$(grep '"state":"\(done\|diverged\)"' "$work/attempts.jsonl" | sed 's/.*"trial":\([0-9]*\),.*/\1/' | sort | uniq -d)
	[ -z "$twice" ] || fail "trials brought to their end twice in $1: $twice"
	printf '  40 trials ended once; attempts: %s\n' "$(sed 's/.*"state":"\([a-z]*\)".*/\1/' "$work/attempts.jsonl" | sort | uniq -c | awk '{printf "%s%d %s", s, $1, $2; s = ", "}')"
}

round() {
	local dir=$work/round$1 strikes=0 kind began=$SECONDS
	"$work/flowbench" sweep "$work/spec.yaml" --slurm --serve 127.0.0.1:0 --device cpu --out "$dir" >"$dir.log" 2>&1 &
	sweep=$!
	for kind in requeue warning controller warning requeue; do
		sleep "$((1 + RANDOM % 2)).$((RANDOM % 10))"
		kill -0 "$sweep" 2>/dev/null || break
		strike "$kind" && strikes=$((strikes + 1))
	done
	while kill -0 "$sweep" 2>/dev/null; do
		[ $((SECONDS - began)) -lt "$limit" ] || fail "round $1: the sweep has not ended after $limit s: $(tail -3 "$dir.log")"
		# Nodes that the controller lost sight of are put to work again, once it answers.
		timeout 10 scontrol update nodename=n1,n2 state=resume >/dev/null 2>&1 || true
		sleep 2
	done
	wait "$sweep" || fail "round $1: the sweep ended with exit code $?: $(tail -3 "$dir.log")"
	sweep=''
	count "$dir"
	cmp "$work/calm/comparison.txt" "$dir/comparison.txt" || fail "round $1: comparison.txt differs"
	cmp "$work/calm/comparison.jsonl" "$dir/comparison.jsonl" || fail "round $1: comparison.jsonl differs"
	echo "round $1: $strikes strikes, and the same comparison"
	struck=$((struck + strikes))
}

CGO_ENABLED=0 go build -o "$work/flowbench" .
write_spec
bash scripts/slurm-local.sh start "$work/slurm"
timeout "$limit" "$work/flowbench" sweep "$work/spec.yaml" --device cpu --out "$work/calm" >"$work/calm.log" 2>&1 || fail "the undisturbed sweep: $(tail -3 "$work/calm.log")"
struck=0
for ((n = 1; n <= rounds; n++)); do
	round "$n"
	scancel --quiet --user="$(id -un)" || true
done
[ "$struck" -gt 0 ] || fail "no strike hit: the rounds were too short"
echo "$rounds rounds, $struck strikes: every trial counted once, every comparison equal"
bash scripts/slurm-local.sh stop "$work/slurm"
rm -rf "$work"
