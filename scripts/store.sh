#!/usr/bin/env bash
# The store at the size of its promises, which CI proves at a tenth: sixteen
# processes race for 8,000 trials on each kind of store, and every operation on
# a store's file fails in three ways. Prints the figures beside the load.
set -euo pipefail
cd "$(dirname "$0")/.."

cat /proc/loadavg
REQUIRE_POSTGRES=1 FLOWBENCH_STORE_FULL=1 go test -count=1 -timeout 30m -v \
	-run 'ManyProcesses|TestFaults|MigrationFaults' ./experiments/store
go test -run '^$' -bench Soaked -benchtime 200x ./experiments/store
cat /proc/loadavg
