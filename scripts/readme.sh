#!/usr/bin/env bash
# readme.sh: runs every command that README.md shows in a block, as it is printed
# and in the order of the page, and ends with the first that fails. The table that
# the page shows of the demo must be the one that the demo ends with.
#
# Needs what the page says: Go, git and make; it leaves behind what the commands do.
set -euo pipefail
cd "$(dirname "$0")/.."

# blocks prints the lines of the README's blocks that name no language.
blocks() { awk '/^```/ {inside = !inside; plain = $0 == "```"; next} inside && plain' README.md; }

odd=$(blocks | grep '^flowbench ' || true)
[ -z "$odd" ] || { echo "README.md shows commands that a clone does not have on its PATH: $odd" >&2; exit 1; }

mapfile -t commands < <(blocks | grep -E '^(make|\./flowbench) ')
[ "${#commands[@]}" -gt 0 ] || { echo "README.md shows no command" >&2; exit 1; }
for command in "${commands[@]}"; do
	printf '\n$ %s (%s s)\n' "$command" "$SECONDS"
	bash -c "$command" </dev/null || { echo "README.md: this command failed: $command" >&2; exit 1; }
done

# The table, from its first line to the folder, without blanks at the ends of lines.
shown=$(blocks | sed -n '/^study demo:/,/^chance/p' | sed 's/ *$//; s/; device .*//')
made=$(sed -n '/^study demo:/,/^chance/p' runs/demo/comparison.txt | sed 's/ *$//; s/; device .*//')
[ -n "$shown" ] && [ "$shown" = "$made" ] || {
	echo "README.md shows another table than the demo makes:" >&2
	diff <(echo "$shown") <(echo "$made") >&2 || true
	exit 1
}
