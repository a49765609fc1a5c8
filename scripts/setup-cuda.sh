#!/usr/bin/env bash
# Finds a CUDA toolkit, or installs Debian's, and prints its folder: the one with
# bin/nvcc and include/cuda.h. Messages go to stderr. What `make gpu` and
# `make kernels` need is there afterwards.
set -euo pipefail

say() { echo "setup-cuda: $*" >&2; }

# found prints the folder of a toolkit that has all parts.
found() {
	local dir
	for dir in "${CUDA_HOME:-}" /usr/local/cuda /usr; do
		[ -n "$dir" ] || continue
		if [ -x "$dir/bin/nvcc" ] && [ -x "$dir/bin/ptxas" ] && [ -f "$dir/include/cuda.h" ]; then
			echo "$dir"
			return 0
		fi
	done
	return 1
}

# install adds the component non-free, which holds the toolkit, to the mirrors
# that this machine already uses.
install() {
	[ "$(id -u)" = 0 ] || { say "not root: install the package nvidia-cuda-toolkit (component non-free), or set CUDA_HOME"; exit 1; }
	command -v apt-get >/dev/null || { say "no apt-get: install a CUDA toolkit (11.8 or newer) and set CUDA_HOME"; exit 1; }
	local extra=/etc/apt/sources.list.d/non-free.sources
	if [ -f /etc/apt/sources.list.d/debian.sources ] && ! grep -qr non-free /etc/apt/sources.list.d; then
		sed 's/^Components:.*/Components: contrib non-free/' /etc/apt/sources.list.d/debian.sources >"$extra"
	elif ! grep -qr non-free /etc/apt/sources.list /etc/apt/sources.list.d 2>/dev/null; then
		say "add the component non-free to /etc/apt/sources.list, then run this again"
		exit 1
	fi
	say "installing nvidia-cuda-toolkit (some 2 GB)"
	apt-get -o Acquire::Retries=5 update >&2
	DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 install -y --no-install-recommends nvidia-cuda-toolkit g++ >&2
}

found && exit 0
install
found || { say "nvidia-cuda-toolkit is installed, but nvcc, ptxas or cuda.h is missing"; exit 1; }
