#!/usr/bin/env bash
# Runs every fuzz target of the module for COUNT inputs each (default 20000).
# An interesting input is made smaller in 10 tries at most: left alone, go would
# take up to a minute for each. A target that hangs is ended after a quarter of an
# hour: go's own limit of tests does not hold for fuzzing.
set -euo pipefail
cd "$(dirname "$0")/.."
count="${1:-20000}"

for package in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
		echo "fuzz $package $target"
		timeout 15m go test -run '^$' -fuzz "^${target}\$" -fuzztime "${count}x" -fuzzminimizetime 10x "$package" ||
			{ echo "FAILED: fuzz $package $target, exit code $? (124: it took 15 minutes)" >&2; exit 1; }
	done
done
