#!/usr/bin/env bash
# Builds flowbench-gpu here, from the headers of a CUDA toolkit. It is linked to the
# NVIDIA driver of the machine that runs it, whatever its version, not to the toolkit.
# With the word vet it only vets.
set -euo pipefail
cd "$(dirname "$0")/.."
cuda=$(bash scripts/setup-cuda.sh)

# The toolkit's stand-in for the driver's library, for machines without a driver.
stub=
for dir in "$cuda/lib64/stubs" "$cuda/lib/x86_64-linux-gnu/stubs" "$cuda/targets/x86_64-linux/lib/stubs" /usr/lib/x86_64-linux-gnu; do
	[ -e "$dir/libcuda.so" ] && stub=$dir && break
done
[ -n "$stub" ] || { echo "build-gpu: no libcuda.so in $cuda" >&2; exit 1; }

export CGO_ENABLED=1
export CGO_CFLAGS="-I$PWD/kernels/cuda/nvidia/include -I$cuda/include"
export CGO_LDFLAGS="-L$stub"
if [ "${1:-}" = vet ]; then
	go vet -tags gpu ./...
	exit
fi
go build -trimpath -tags gpu -o flowbench-gpu .
