#!/usr/bin/env bash
# Runs exported models where others would: ONNX Runtime in Node.js, and the onnx and
# numpy of Debian's python3. Installs what is missing, npm packages in a scratch
# folder. Needs root for apt-get.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v npm >/dev/null || ! /usr/bin/python3 -c 'import onnx, numpy' 2>/dev/null; then
	DEBIAN_FRONTEND=noninteractive apt-get -o Acquire::Retries=5 install -y --no-install-recommends python3-onnx python3-numpy nodejs npm
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ONNXRUNTIME_NODE_INSTALL=skip npm install --prefix "$scratch" --no-audit --no-fund --fetch-retries=5 onnxruntime-node@1.30.0
FLOWBENCH_NODE_MODULES="$scratch" REQUIRE_ONNX=1 go test -timeout 30m -run 'Export|ONNX|Verify' .
