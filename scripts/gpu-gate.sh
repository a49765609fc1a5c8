#!/usr/bin/env bash
# gpu-gate.sh OUT: proves flowbench on an NVIDIA GPU and measures it there. Go is
# not needed: `scripts/gpu-gate.sh build DIR` puts what it runs into DIR on a machine
# that has it, to be carried with this script. OUT gets a log a part, summary.txt and
# gate.json, from which `go run ./scripts/gate OUT/gate.json` writes
# kernels/cuda/BENCH.md; the exit code is 1 if a part failed.
#
#   BIN=dir        where build put the binaries (default: beside this script's bin/)
#   PEERS=dir      the rulers, of which gpu_torch.py runs where PyTorch is
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
	cp experiments/demo.yaml "$dir/"
	git rev-parse HEAD >"$dir/commit"
}

if [ "${1:-}" = build ]; then
	build "${2:?a folder}"
	exit
fi

out=${1:?a folder for the results}
bin=${BIN:-$here/../bin}
mkdir -p "$out"
out=$(cd "$out" && pwd)
bin=$(cd "$bin" && pwd) || { echo "gpu-gate: no $bin: run $0 build DIR first, and set BIN=DIR" >&2; exit 2; }
if [ -z "$emulate" ] && ! command -v nvidia-smi >/dev/null; then
	echo "gpu-gate: no nvidia-smi: this machine has no NVIDIA driver; EMULATE=1 tries the script without one" >&2
	exit 1
fi
steps=${STEPS:-200} neighbours=${NEIGHBOURS:-131} conformance=Conformance device=cuda
small=()
if [ -n "$emulate" ]; then
	steps=${STEPS:-20} neighbours=${NEIGHBOURS:-3} conformance=Conformance/forwards device=cpu
	small=(--set train.epochs=1 --set sweep.replicates=1 --set 'data.source=synth://infiltration?seed=7&rows=3000')
fi

summary=$out/summary.txt
: >"$summary"
: >"$out/parts.json"
failed=0

# note NAME STATE SECONDS WHY: a line of the table, and of gate.json.
note() {
	printf '%-16s %-13s %5s  %s\n' "$1" "$2" "$3" "$4" | tee -a "$summary"
	printf '{"name": "%s", "state": "%s", "seconds": %s, "why": "%s"}\n' "$1" "$2" "${3:-0}" "$4" >>"$out/parts.json"
}

# part NAME COMMAND...: runs one part, its output in NAME.log.
part() {
	local name=$1 start=$SECONDS state=ok
	shift
	"$@" >"$out/$name.log" 2>&1 || { state=failed; failed=1; }
	note "$name" $state $((SECONDS - start)) "${emulate:+no GPU: emulated, or on the CPU}"
	[ $state = ok ] || tail -20 "$out/$name.log"
}

absent() { note "$1" "not measured" 0 "$2"; }

# sweep DIR: the demo from its start.
sweep() {
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

bench() { "$bin/flowbench-gpu" bench gpu --json --rows "${ROWS:-818520}" >"$out/bench.json"; }

# tests PATTERN: the tests of that name, of which there must be one.
tests() {
	"$bin/conformance.test" -test.v -parity-steps "$steps" -neighbours "$neighbours" -test.run "$1" |
		awk '{ print } /^--- PASS/ { ran = 1 } END { exit !ran }'
}

if [ -n "$emulate" ]; then
	absent driver "emulated"
else
	part driver nvidia-smi -q
fi
part doctor "$bin/flowbench" doctor
part conformance tests "$conformance"
part parity tests 'StepsEqualCPU'
part alone-and-among tests 'AloneAndAmongOthers'
part plans tests 'Sequence|Independent|Diverges|Order|StepsSend'
part sweep again
if [ -n "$emulate" ]; then
	absent sanitizer "emulated"
elif command -v compute-sanitizer >/dev/null; then
	sanitized=(-parity-steps 20 -test.run StepsEqualCPU)
	part sanitizer compute-sanitizer --error-exitcode 9 "$bin/conformance.test" "${sanitized[@]}"
	part races compute-sanitizer --tool racecheck --error-exitcode 9 "$bin/conformance.test" "${sanitized[@]}"
else
	absent sanitizer "no compute-sanitizer here"
fi
if [ -n "$emulate" ]; then
	absent bench "emulated"
	absent ruler "emulated"
else
	part bench bench
	if [ -f "${PEERS:-}/gpu_torch.py" ] && python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
		part ruler python3 "$PEERS/gpu_torch.py"
		part ruler-tf32 python3 "$PEERS/gpu_torch.py" --tf32
		part bench-again bench
	else
		absent ruler "no PyTorch with CUDA, or PEERS is not set"
	fi
fi

# objects FILE: its lines, a JSON object each, as a list.
objects() { printf '[%s]' "$([ -f "$1" ] && paste -sd, "$1")"; }

# lines FILE: its lines as a list of JSON strings.
lines() {
	printf '['
	[ -f "$1" ] && sed -e 's/[\\"]/\\&/g' -e 's/.*/"&"/' "$1" | paste -sd,
	printf ']'
}

facts=emulated,,
[ -n "$emulate" ] || facts=$(nvidia-smi --query-gpu=name,driver_version,uuid --format=csv,noheader | head -1)
{
	printf '{"commit": "%s", "emulated": %s,\n' "$(cat "$bin/commit")" "$([ -n "$emulate" ] && echo true || echo false)"
	printf '"device": "%s", "driver": "%s", "uuid": "%s",\n' \
		"$(cut -d, -f1 <<<"$facts")" "$(cut -d, -f2 <<<"$facts" | tr -d ' ')" "$(cut -d, -f3 <<<"$facts" | tr -d ' ')"
	printf '"steps": %s, "neighbours": %s,\n' "$steps" "$neighbours"
	printf '"parts": %s,\n"bench": %s,\n"ruler": %s,\n"ruler_tf32": %s}\n' \
		"$(objects "$out/parts.json")" "$(objects "$out/bench.json")" "$(lines "$out/ruler.log")" "$(lines "$out/ruler-tf32.log")"
} >"$out/gate.json"
cat "$out/bench.json" "$out/ruler.log" 2>/dev/null
exit $failed
