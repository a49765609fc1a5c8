#!/usr/bin/env bash
# Proves that imports run one way: main -> experiments -> train -> {kernels, data},
# and that train/graph alone imports gorgonia and tensor, kernels/cuda/nvidia alone cu.
# Test files count too. Prints every violation; exit 1 if there is one.
set -euo pipefail
cd "$(dirname "$0")/.."

pairs() {
	go list -tags gpu,emu -f '{{$p := .ImportPath}}{{range .Imports}}{{$p}} {{.}}
{{end}}{{range .TestImports}}{{$p}} {{.}}
{{end}}{{range .XTestImports}}{{$p}} {{.}}
{{end}}' ./... | sort -u
}

pairs | awk '
function layer(path) {
	if (path == "flowbench") return "main"
	split(path, part, "/")
	return part[2]
}
BEGIN {
	allowed["main"] = " experiments train kernels data "
	allowed["experiments"] = " experiments train kernels data "
	allowed["train"] = " train kernels data "
	allowed["kernels"] = " kernels "
	allowed["data"] = " data "
	allowed["scripts"] = " experiments train kernels data "
}
$2 ~ /^flowbench\// {
	from = layer($1); to = layer($2)
	if (index(allowed[from], " " to " ") == 0) { print "import: " $1 " must not import " $2; bad = 1 }
}
$2 ~ /^gorgonia\.org\/(gorgonia|tensor)/ && $1 != "flowbench/train/graph" { print "import: only train/graph may import " $2 ", not " $1; bad = 1 }
$2 ~ /^gorgonia\.org\/cu/ && $1 != "flowbench/kernels/cuda/nvidia" { print "import: only kernels/cuda/nvidia may import " $2 ", not " $1; bad = 1 }
END { exit bad }
'
