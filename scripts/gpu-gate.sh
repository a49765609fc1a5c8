#!/usr/bin/env bash
# gpu-gate.sh OUT: proves flowbench on an NVIDIA GPU and measures it there. Go is
# not needed: `scripts/gpu-gate.sh build DIR` puts what it runs into DIR on a machine
# that has it, to be carried with this script. OUT gets a log and a JSON file a part,
# and gate.json; the exit code is 1 if a part failed.
#
#   BIN=dir        where build put the binaries (default: beside this script's bin/)
#   PEERS=dir      the rulers, of which gpu_torch.py runs where PyTorch is
#   ROWS=n         rows of the made-up matrix (default 818520)
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)

build() {
	set -e
	local dir=$1
	mkdir -p "$dir"
	cd "$here/.."
	CGO_ENABLED=0 go build -trimpath -o "$dir/flowbench" .
	bash scripts/build-gpu.sh
	mv flowbench-gpu "$dir/"
	local cuda
	cuda=$(bash scripts/setup-cuda.sh)
	CGO_ENABLED=1 CGO_CFLAGS="-I$PWD/kernels/cuda/nvidia/include -I$cuda/include" \
		CGO_LDFLAGS="-L$cuda/lib64/stubs -L/usr/lib/x86_64-linux-gnu" \
		go test -c -trimpath -tags gpu -o "$dir/conformance.test" ./kernels/cuda
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
command -v nvidia-smi >/dev/null || { echo "gpu-gate: no nvidia-smi: this machine has no NVIDIA driver" >&2; exit 1; }

summary=$out/summary.txt
: >"$summary"
failed=0

# part NAME COMMAND...: runs one part, its output in NAME.log.
part() {
	local name=$1 start=$SECONDS state=ok
	shift
	"$@" >"$out/$name.log" 2>&1 || { state=failed; failed=1; }
	printf '%-14s %-7s %4d s\n' "$name" "$state" $((SECONDS - start)) | tee -a "$summary"
	[ $state = ok ] || tail -20 "$out/$name.log"
}

skip() { printf '%-14s %-7s %s\n' "$1" absent "$2" | tee -a "$summary"; }

# sweep DIR DEVICE: the demo from its start.
sweep() {
	cd "$out"
	rm -rf "$1"
	"$bin/flowbench" sweep "$bin/demo.yaml" --device "$2" --out "$1"
}

# again trains the same study twice and wants the same bytes of weights.
again() {
	sweep sweep-first cuda && sweep sweep-second cuda || return 1
	(cd "$out/sweep-first/trials" && sha256sum */*best.safetensors) >"$out/first.sha256"
	(cd "$out/sweep-second/trials" && sha256sum */*best.safetensors) >"$out/second.sha256"
	cmp "$out/first.sha256" "$out/second.sha256"
}

bench() { "$bin/flowbench-gpu" bench gpu --json --rows "${ROWS:-818520}" >"$out/bench.json"; }

part driver nvidia-smi -q
part doctor "$bin/flowbench" doctor
part conformance "$bin/conformance.test" -test.run 'Conformance'
part parity "$bin/conformance.test" -test.v -test.run 'TwentySteps|Sequence|Independent|Diverges|Order|StepsSend'
part sweep again
if command -v compute-sanitizer >/dev/null; then
	part sanitizer compute-sanitizer --error-exitcode 9 "$bin/conformance.test" -test.run 'TwentySteps'
	part races compute-sanitizer --tool racecheck --error-exitcode 9 "$bin/conformance.test" -test.run 'TwentySteps'
else
	skip sanitizer "no compute-sanitizer here"
fi
part bench bench
if [ -f "${PEERS:-}/gpu_torch.py" ] && python3 -c 'import torch; assert torch.cuda.is_available()' 2>/dev/null; then
	part ruler python3 "$PEERS/gpu_torch.py"
	part ruler-tf32 python3 "$PEERS/gpu_torch.py" --tf32
	part bench-again bench
else
	skip ruler "no PyTorch with CUDA, or PEERS is not set"
fi

{
	printf '{"commit": "%s", "device": "%s", "parts": {' "$(cat "$bin/commit")" \
		"$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader | head -1)"
	awk '{printf "%s\"%s\": \"%s\"", (NR > 1 ? ", " : ""), $1, $2}' "$summary"
	printf '}}\n'
} >"$out/gate.json"
cat "$out/bench.json" 2>/dev/null
cat "$out/ruler.log" 2>/dev/null
exit $failed
