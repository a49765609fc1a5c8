#!/usr/bin/env bash
# gpu-gate.sh OUT: proves flowbench on an NVIDIA GPU and measures it there. Go is
# not needed: `scripts/gpu-gate.sh build DIR` puts what it runs into DIR on a machine
# that has it, packed, to be carried with this script. OUT gets a log a part,
# summary.txt and gate.json, from which `go run ./scripts/gate OUT/gate.json` writes
# kernels/cuda/BENCH.md; the exit code is 1 if a part failed. What matters most comes
# first, and gate.json is written again after every part: an end before the last one
# loses nothing that was measured.
#
#   BIN=dir        where build put what is carried (default: beside this script's bin/)
#   PEERS=dir      the rulers, of which gpu_torch.py runs where PyTorch is; build puts
#                  it into DIR as well (default: BIN)
#   LIMIT=s        seconds in all: parts that no time is left for are "not measured"
#   ROWS=n         rows of the made-up matrix (default 818520)
#   STEPS=n        steps of both networks that are compared with the CPU's (default 200)
#   NEIGHBOURS=n   trials beside the one whose bits are compared (default 131)
#   EMULATE=1      a dry run of this script without a GPU, for build and for the gate:
#                  kernels are emulated (build needs g++), steps are 20, neighbours 3,
#                  the sweep is a small one on the CPU; the rest is "not measured"
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
emulate=${EMULATE:-}

build() {
	set -e
	local dir=$1
	mkdir -p "$dir"
	dir=$(cd "$dir" && pwd)
	cd "$here/.."
	export GOFLAGS="${GOFLAGS:-} '-ldflags=-s -w'" # without what debuggers read, half the size
	CGO_ENABLED=0 go build -trimpath -o "$dir/flowbench" .
	if [ -n "$emulate" ]; then
		CGO_ENABLED=1 go test -c -trimpath -tags emu -o "$dir/conformance.test" ./kernels/cuda
	else
		bash scripts/build-gpu.sh
		mv flowbench-gpu "$dir/"
		local cuda
		cuda=$(bash scripts/setup-cuda.sh)
		CGO_ENABLED=1 CGO_CFLAGS="-I$PWD/kernels/cuda/nvidia/include -I$cuda/include" \
			CGO_LDFLAGS="-L$cuda/lib64/stubs -L/usr/lib/x86_64-linux-gnu" \
			go test -c -trimpath -tags gpu -o "$dir/conformance.test" ./kernels/cuda
	fi
	gzip -f "$dir"/flowbench* "$dir/conformance.test"
	cp experiments/demo.yaml scripts/gate/ceilings.py "$dir/"
	[ -z "${PEERS:-}" ] || cp "$PEERS/gpu_torch.py" "$dir/"
	git rev-parse HEAD >"$dir/commit"
}

if [ "${1:-}" = build ]; then
	build "${2:?a folder}"
	exit
fi

out=${1:?a folder for the results}
carried=${BIN:-$here/../bin}
mkdir -p "$out"
out=$(cd "$out" && pwd)
carried=$(cd "$carried" && pwd) || { echo "gpu-gate: no $carried: run $0 build DIR first, and set BIN=DIR" >&2; exit 2; }
[ -f "$carried/flowbench.gz" ] || { echo "gpu-gate: no flowbench.gz in $carried: run $0 build $carried first" >&2; exit 2; }
if [ -z "$emulate" ] && ! command -v nvidia-smi >/dev/null; then
	echo "gpu-gate: no nvidia-smi: this machine has no NVIDIA driver; EMULATE=1 tries the script without one" >&2
	exit 1
fi
peers=${PEERS:-$carried}
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
for packed in "$carried"/*.gz; do
	gunzip -c "$packed" >"$bin/$(basename "$packed" .gz)"
done
chmod +x "$bin"/*
cp "$carried/demo.yaml" "$bin/"

export out bin emulate peers
export steps=${STEPS:-200} neighbours=${NEIGHBOURS:-131} device=cuda rows=${ROWS:-818520}
export CUDA_CACHE_PATH=$bin/cache CUDA_CACHE_MAXSIZE=1073741824 # kernels are compiled once for all parts
conformance=Conformance
if [ -n "$emulate" ]; then
	steps=${STEPS:-20} neighbours=${NEIGHBOURS:-3} conformance=Conformance/forwards device=cpu
fi

summary=$out/summary.txt
: >"$summary"
: >"$out/parts.json"
rm -f "$out"/bench*.json "$out"/ruler*.log "$out/ceilings.log"
failed=0

# objects FILE...: their lines, a JSON object each, as a list. A last line that was
# cut short is left out.
objects() {
	printf '['
	cat "$@" 2>/dev/null | grep '}$' | paste -sd,
	printf ']'
}

# lines FILE: its lines as a list of JSON strings.
lines() {
	printf '['
	[ -f "$1" ] && sed -e 's/[\\"]/\\&/g' -e 's/.*/"&"/' "$1" | paste -sd,
	printf ']'
}

facts=emulated,,
[ -n "$emulate" ] || facts=$(nvidia-smi --query-gpu=name,driver_version,uuid --format=csv,noheader | head -1)

# write makes gate.json of what there is.
write() {
	{
		printf '{"commit": "%s", "emulated": %s,\n' "$(cat "$carried/commit")" "$([ -n "$emulate" ] && echo true || echo false)"
		printf '"device": "%s", "driver": "%s", "uuid": "%s",\n' \
			"$(cut -d, -f1 <<<"$facts")" "$(cut -d, -f2 <<<"$facts" | tr -d ' ')" "$(cut -d, -f3 <<<"$facts" | tr -d ' ')"
		printf '"steps": %s, "neighbours": %s,\n' "$steps" "$neighbours"
		printf '"parts": %s,\n"bench": %s,\n"ceilings": %s,\n"ruler": %s,\n"ruler_tf32": %s}\n' \
			"$(objects "$out/parts.json")" "$(objects "$out"/bench*.json)" "$(lines "$out/ceilings.log")" \
			"$(lines "$out/ruler.log")" "$(lines "$out/ruler-tf32.log")"
	} >"$out/gate.json.new"
	mv "$out/gate.json.new" "$out/gate.json"
}

# note NAME STATE SECONDS WHY: a line of the table, and of gate.json.
note() {
	printf '%-16s %-13s %5s  %s\n' "$1" "$2" "$3" "$4" | tee -a "$summary"
	printf '{"name": "%s", "state": "%s", "seconds": %s, "why": "%s"}\n' "$1" "$2" "${3:-0}" "$4" >>"$out/parts.json"
	write
}

absent() { note "$1" "not measured" 0 "$2"; }

# finish ends the gate with its figures.
finish() {
	cat "$out"/bench*.json "$out/ceilings.log" "$out/ruler.log" 2>/dev/null
	exit $failed
}

# part NAME SECONDS COMMAND...: runs one part for so long at most, its output in
# NAME.log. A part that has to be stopped ends the gate: a device that hangs would
# hang the next one too.
part() {
	local name=$1 limit=$2 start=$SECONDS state=ok why="${emulate:+no GPU: emulated, or on the CPU}" code=0 left
	shift 2
	if [ -n "${LIMIT:-}" ]; then
		left=$((LIMIT - SECONDS - 5))
		[ "$left" -ge 10 ] || { absent "$name" "no time was left of $LIMIT s"; return 1; }
		[ "$left" -ge "$limit" ] || limit=$left
	fi
	timeout -k 5 "$limit" bash -c 'set -uo pipefail; "$@"' part "$@" >"$out/$name.log" 2>"$out/$name.err" || code=$?
	if [ $code != 0 ]; then
		state=failed failed=1
		case $code in 124 | 137) why="stopped after $limit s" ;; esac
	fi
	note "$name" $state $((SECONDS - start)) "$why"
	[ $code = 0 ] || tail -n 20 "$out/$name.log" "$out/$name.err"
	case $code in 124 | 137) finish ;; esac
	return $code
}

# doctor wants every check of a GPU to have passed, and one at least.
doctor() {
	"$bin/flowbench" doctor | tee "$out/doctor.txt" || return 1
	[ -n "$emulate" ] || awk '$1 ~ /^cuda\// { if ($2 == "ok") ok = 1; else bad = 1 } END { exit !ok || bad }' "$out/doctor.txt"
}

# sweep DIR: the demo from its start.
sweep() {
	local small=()
	[ -z "$emulate" ] || small=(--set train.epochs=1 --set sweep.replicates=1 --set 'data.source=synth://infiltration?seed=7&rows=3000')
	cd "$out"
	rm -rf "$1"
	"$bin/flowbench" sweep "$bin/demo.yaml" --device "$device" --out "$1" ${small[@]+"${small[@]}"}
}

# again trains the same study twice and wants the same bytes of weights.
again() {
	sweep sweep-first && sweep sweep-second || return 1
	(cd "$out/sweep-first/trials" && sha256sum */*best.safetensors) >"$out/first.sha256" || return 1
	(cd "$out/sweep-second/trials" && sha256sum */*best.safetensors) >"$out/second.sha256" || return 1
	cmp "$out/first.sha256" "$out/second.sha256"
}

# bench FILE FLAG...: measures into OUT/FILE.
bench() {
	local to=$1
	shift
	"$bin/flowbench-gpu" bench gpu --json --rows "$rows" "$@" >"$out/$to"
}

# tests PATTERN: the tests of that name, of which there must be one.
tests() {
	"$bin/conformance.test" -test.v -test.timeout 10m -parity-steps "$steps" -neighbours "$neighbours" -test.run "$1" |
		awk '{ print } /^--- PASS/ { ran = 1 } END { exit !ran }'
}

# sanitized TOOL: a few steps of a network under one of compute-sanitizer's tools.
sanitized() {
	compute-sanitizer --tool "$1" --error-exitcode 9 "$bin/conformance.test" -parity-steps 5 -test.run StepsEqualCPU/dnn
}

ruler() { PYTHONUNBUFFERED=1 python3 -W ignore "$peers/gpu_torch.py" "$@"; }
ceilings() { python3 -W ignore "$carried/ceilings.py"; }

export carried
export -f doctor sweep again bench tests sanitized ruler ceilings

if [ -n "$emulate" ]; then
	absent driver "emulated"
else
	part driver 30 nvidia-smi -q
fi
part doctor 120 doctor || { failed=1; finish; } # nothing below can be trusted
part parity 120 tests 'StepsEqualCPU|Precisions'
part alone-and-among 90 tests 'AloneAndAmongOthers'
torch=
if [ -n "$emulate" ]; then
	absent bench "emulated"
	absent ruler "emulated"
else
	part bench 90 bench bench.json --batch 1024 --repeat 3 --during 300ms
	if [ -f "$peers/gpu_torch.py" ] && python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
		torch=yes
		part ruler 120 ruler
		part ceilings 60 ceilings
	else
		absent ruler "no PyTorch with CUDA, or no gpu_torch.py in $peers"
	fi
fi
part conformance 180 tests "$conformance"
part sweep 120 again
part plans 120 tests 'Sequence|Independent|Diverges|Order|StepsSend'
if [ -n "$emulate" ]; then
	absent sanitizer "emulated"
elif ! command -v compute-sanitizer >/dev/null; then
	absent sanitizer "no compute-sanitizer here"
elif ! timeout 30 compute-sanitizer "$bin/conformance.test" -test.run '^$' >"$out/sanitizer.log" 2>&1; then
	absent sanitizer "compute-sanitizer does not run on this device"
else
	part sanitizer 120 sanitized memcheck
	part races 120 sanitized racecheck
fi
if [ -z "$emulate" ]; then
	part bench-batches 240 bench bench-batches.json --batch 256 --batch 8192 --repeat 3 --during 300ms
	[ -z "$torch" ] || part ruler-tf32 120 ruler --tf32
fi
finish
