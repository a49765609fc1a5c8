#!/usr/bin/env bash
# Proves that a sweep survives being killed: sweeps a small spec undisturbed, then
# once more with kill -9 at random moments, in turn on the sweep alone, on one
# worker, and on everything at once. It is started again each time, and must end
# with the same bytes, every trial brought to its end once.
#
# usage: scripts/kill-sweep.sh [KILLS [TRIALS [SEED]]]     default 20 20 1
# TRIALS are rounded up to a multiple of 10. SEED chooses the moments. Needs Go,
# procps and coreutils. Exit 1 on any difference; the folder is then kept.
set -euo pipefail
cd "$(dirname "$0")/.."

kills=${1:-20} trials=${2:-20} seed=${3:-1}
work=$(mktemp -d "${TMPDIR:-/tmp}/kill-sweep.XXXXXX")
RANDOM=$seed
pid=

fail() {
	echo "FAILED: $*" >&2
	echo "everything lies in $work" >&2
	exit 1
}

trap '[ -z "$pid" ] || kill -9 "$pid" 2>/dev/null || true' EXIT

now() { date +%s%3N; } # milliseconds

write_spec() {
	cat >"$work/spec.yaml" <<-SPEC
		name: kill-sweep
		data:
		  source: synth://infiltration?seed=7&rows=20000
		  positive: [Infiltration]
		  split: {by: group, train: 0.5, validation: 0.2, test: 0.3, seed: 1, per_replicate: true}
		train: {batch: 256, epochs: 8}
		sweep:
		  method: grid
		  replicates: $(((trials + 9) / 10))
		  metric: {name: validation.average_precision, goal: maximize}
		  variants:
		    - name: dnn
		      set: {model.kind: dnn, model.hidden: [32, 16], model.dropout: 0.1}
		      parameters: {loss.class_weight: {values: [none, balanced, effective]}}
		    - name: ensemble
		      set: {model.kind: dnn, model.hidden: [16], model.norm: batch, model.ensemble: 3, train.checkpoint_epochs: 3, train.early_stop.metric: validation.average_precision, train.early_stop.patience: 2}
		      parameters: {optimizer.learning_rate: {values: [1e-3, 3e-3]}}
		    - name: autoencoder
		      set: {model.kind: autoencoder, model.hidden: [32, 8, 32], model.noise: 0.1}
		      parameters: {model.score: {values: [squared, variance]}}
	SPEC
}

start() {
	"$work/flowbench" sweep "$work/spec.yaml" --out "$work/killed" --workers 2 --device cpu >>"$work/killed.log" 2>&1 &
	pid=$!
}

# reap waits for the sweep's end.
reap() { wait "$pid" 2>/dev/null || true; }

# strike kills the sweep alone, one worker, or everything, in turn.
strike() {
	local workers one
	kill -0 "$pid" 2>/dev/null || return 1
	mapfile -t workers < <(pgrep -P "$pid" || true)
	case $(($1 % 3)) in
	0) kill -9 "$pid" && sweeps=$((sweeps + 1)) && reap && start ;;
	1)
		[ ${#workers[@]} -gt 0 ] || return 1
		one=${workers[RANDOM % ${#workers[@]}]}
		kill -9 "$one" 2>/dev/null && singles=$((singles + 1))
		;;
	2) kill -9 "$pid" "${workers[@]}" 2>/dev/null; alls=$((alls + 1)) && reap && start ;;
	esac
}

kill_all() {
	local mean=$1 i wait_ms
	start
	for ((i = 0; i < kills; i++)); do
		wait_ms=$((mean / 4 + RANDOM % (mean * 3 / 2)))
		sleep "$((wait_ms / 1000)).$(printf %03d $((wait_ms % 1000)))"
		until strike "$i"; do # a worker between two lives cannot be hit
			kill -0 "$pid" 2>/dev/null || fail "the sweep ended by itself after $i of $kills kills: give it more trials"
			sleep 0.01
		done
	done
	wait "$pid" || fail "the last sweep ended with exit code $?: $(tail -3 "$work/killed.log")"
	pid=
}

# compare proves that what was kept is equal: all but logs, locks, the store and
# the checkpoints that only a resume would need.
compare() {
	diff -rq --exclude='study.db*' --exclude=lock --exclude=log.txt --exclude='*-last.safetensors' \
		"$work/calm" "$work/killed" >&2 || fail "the killed sweep kept other files than the undisturbed one"
	cmp "$work/calm/comparison.txt" "$work/killed/comparison.txt" || fail "comparison.txt differs"
	cmp "$work/calm/comparison.jsonl" "$work/killed/comparison.jsonl" || fail "comparison.jsonl differs"
	sums calm >"$work/calm.sums"
	sums killed >"$work/killed.sums"
	[ -s "$work/calm.sums" ] || fail "no weights to compare"
	diff "$work/calm.sums" "$work/killed.sums" >&2 || fail "weights or metrics differ"
}

sums() { (cd "$work/$1" && sha256sum trials/*/checkpoint-*-best.safetensors trials/*/metrics.jsonl); }

# count proves from the store that each trial was brought to its end by one attempt.
count() {
	"$work/flowbench" runs "$work/killed" --attempts >"$work/attempts.txt"
	awk -v trials="$planned" '
		NR == 1 { next }
		{ attempts++; states[$3]++; seen[$1] }
		$3 == "done" || $3 == "diverged" { ends[$1]++ }
		END {
			for (t in seen) { n++; if (ends[t] != 1) { print "trial " t " was brought to its end " ends[t] + 0 " times"; bad = 1 } }
			if (n != trials) { print n " trials were attempted, " trials " were planned"; bad = 1 }
			if (states["running"] > 0 || states["failed"] > 0) { print "attempts still running: " states["running"] + 0 ", failed: " states["failed"] + 0; bad = 1 }
			printf "store: %d attempts at %d trials, %d to the end, %d cut short, %d superseded\n", attempts, n, states["done"] + states["diverged"], states["stale"], states["superseded"]
			exit bad
		}' "$work/attempts.txt" || fail "the store does not add up"
}

CGO_ENABLED=0 go build -o "$work/flowbench" .
write_spec
began=$(now)
"$work/flowbench" sweep "$work/spec.yaml" --out "$work/calm" --workers 2 --device cpu >"$work/calm.log" 2>&1 ||
	fail "the undisturbed sweep: $(tail -3 "$work/calm.log")"
took=$(($(now) - began))
planned=$(find "$work/calm/trials" -mindepth 1 -maxdepth 1 | wc -l)
echo "undisturbed: $planned trials with 2 workers in $took ms"

sweeps=0 singles=0 alls=0
began=$(now)
# The moments span about half of the undisturbed time, so that there is work left
# at the last of them, also on a machine that has become faster meanwhile.
kill_all $((took / 2 / kills))
echo "killed: $((sweeps + singles + alls)) times ($sweeps the sweep, $singles a worker, $alls everything; seed $seed), ended in $(($(now) - began)) ms"
count
compare
echo "equal: comparison.txt, comparison.jsonl, $(grep -c safetensors "$work/calm.sums") weights, $(grep -c metrics "$work/calm.sums") metrics.jsonl, and every other file that is kept"
rm -rf "$work"
