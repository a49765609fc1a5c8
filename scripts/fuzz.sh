#!/usr/bin/env bash
# Runs every fuzz target of the module for COUNT inputs each (default 20000).
# An interesting input is made smaller in 10 tries at most: left alone, go would
# take up to a minute for each.
set -euo pipefail
cd "$(dirname "$0")/.."
count="${1:-20000}"

for package in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "fuzz $package $target"
		go test -run '^$' -fuzz "^${target}\$" -fuzztime "${count}x" -fuzzminimizetime 10x "$package"
	done
done
