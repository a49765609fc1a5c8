#!/usr/bin/env bash
# Compiles the CUDA kernels to PTX for compute capability 8.0 and 9.0, then to
# machine code to read what they use: a kernel that spills registers is an error.
set -euo pipefail
cd "$(dirname "$0")/../kernels/cuda"
cuda=$(bash ../../scripts/setup-cuda.sh)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

for source in *.cu; do
	for version in 80 90; do
		ptx=ptx/${source%.cu}_$version.ptx
		"$cuda/bin/nvcc" -ptx -O3 -std=c++17 -arch=compute_$version -o "$work/out.ptx" "$source"
		# The header names the compiler's build; what it made is below.
		sed -e '/^\/\/ /d' -e '/^\/\/$/d' "$work/out.ptx" >"$ptx"
		"$cuda/bin/ptxas" -v -arch=sm_$version -o "$work/out.cubin" "$ptx" 2>&1 |
			awk -v file="$ptx" '
				/Compiling entry function/ { kernel = $0; sub(/.*function ./, "", kernel); sub(/[^a-z_].*/, "", kernel) }
				/spill/ { spills = $0; sub(/.*frame, /, "", spills); bad = spills !~ /^0 bytes spill stores, 0 bytes spill loads/ }
				/Used/ { uses = $0; sub(/.*Used /, "", uses); printf "%-32s %-20s %s\n", file, kernel, uses
				         if (bad) { print "spills: " spills; failed = 1 } }
				END { exit failed }'
	done
done
