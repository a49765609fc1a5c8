#!/usr/bin/env bash
# Proves that a long sweep needs no more memory at its end than at its start, and
# that a large study answers at once: sweeps very many very small trials, watches
# the memory of the sweep and of its workers, and times flowbench runs and compare.
#
# usage: scripts/soak.sh [TRIALS]     default 5000
# Needs Go and procps. Exit 1 where memory grew by 5 % or more
# from a fifth of the trials to the last, the sweep took half an hour, or the best
# of three answers 2 s; the folder is then kept.
set -euo pipefail
cd "$(dirname "$0")/.."

trials=${1:-5000}
work=$(mktemp -d "${TMPDIR:-/tmp}/soak.XXXXXX")
dir=$work/study

fail() {
	echo "FAILED: $*" >&2
	echo "everything lies in $work" >&2
	exit 1
}

cat >"$work/spec.yaml" <<-SPEC
	name: soak
	data:
	  source: synth://infiltration?seed=7&rows=400
	  positive: [Infiltration]
	  split: {by: random, train: 0.5, validation: 0.2, test: 0.3, seed: 1}
	model: {kind: dnn, hidden: [4]}
	train: {batch: 64, epochs: 1}
	sweep:
	  method: random
	  trials: $((trials - 3))
	  parameters:
	    optimizer.learning_rate: {distribution: log_uniform, min: 1e-4, max: 1e-1}
	    model.dropout: {distribution: uniform, min: 0, max: 0.5}
SPEC
CGO_ENABLED=0 go build -o "$work/flowbench" .

# memory is the resident kilobytes of the sweep and its workers, without pages of
# mapped files, which are the kernel's to drop.
memory() {
	local pid n sum=0
	for pid in "$sweep" $(pgrep -P "$sweep"); do
		# One that exits has no such line, and then no file.
		n=$(awk '/^RssAnon:/ {n = $2} END {print n + 0}' "/proc/$pid/status" 2>/dev/null || true)
		sum=$((sum + ${n:-0}))
	done
	echo "$sum"
}

# As many threads, each with a cache of memory of its own, on every machine.
export GOMAXPROCS=2
limit=1800 began=$SECONDS
"$work/flowbench" sweep "$work/spec.yaml" --workers 2 --device cpu --out "$dir" >"$work/log" 2>&1 &
sweep=$!
samples=()
while kill -0 "$sweep" 2>/dev/null; do
	sleep 0.1
	[ $((SECONDS - began)) -lt "$limit" ] || { kill -9 "$sweep"; fail "the sweep has not ended after $limit s: $(tail -3 "$work/log")"; }
	# Files come and go while find looks.
	done_now=$({ find "$dir/trials" -maxdepth 2 -name result.json 2>/dev/null || true; } | wc -l)
	[ "$done_now" -eq 0 ] || samples+=("$done_now $(memory)")
done
wait "$sweep" || fail "the sweep ended with exit code $?: $(tail -3 "$work/log")"

# A collector lets memory swing; medians of a span at either end do not.
median() { sort -n | awk '{v[NR] = $1} END {print v[int((NR + 1) / 2)]}'; }
# window lists the memory in the samples between two shares of the trials, of which
# there must be enough.
window() {
	local found
	found=$(printf '%s\n' "${samples[@]}" | awk -v n="$trials" -v from="$1" -v to="$2" '$1 >= n * from && $1 <= n * to && $2 > 0 {print $2}')
	[ "$(wc -l <<<"$found")" -ge 10 ] || fail "fewer than 10 samples between $1 and $2 of the trials: give it more of them"
	echo "$found"
}
early=$(window 0.2 0.4 | median)
late=$(window 0.8 1 | median)
echo "$trials trials: memory $early kB at a fifth, $late kB at the end ($(awk -v a="$early" -v b="$late" 'BEGIN {printf "%+.1f", 100 * (b / a - 1)}') %)"
awk -v a="$early" -v b="$late" 'BEGIN {exit b < 1.05 * a ? 0 : 1}' || fail "memory grew by 5 % or more"

# answer times a command: the best of three, since other work on the machine is no
# fault of the program.
answer() {
	local began took best=
	for _ in 1 2 3; do
		began=$(date +%s%3N)
		"$work/flowbench" "$@" >"$work/answer" || fail "flowbench $*"
		took=$(($(date +%s%3N) - began))
		best=$((took < ${best:-took} ? took : ${best:-took}))
	done
	echo "flowbench $1: $best ms, $(wc -l <"$work/answer") lines"
	[ "$best" -lt 2000 ] || fail "flowbench $1 took $best ms"
}
answer runs "$dir"
answer compare "$dir"
rm -rf "$work"
