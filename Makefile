# flowbench: every target works on a machine with Go, gcc, git and make alone.

FUZZ_COUNT ?= 20000
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help build gpu kernels emulate demo test check race fuzz generate bench benchmarks clean

help: ## print these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the flowbench binary here
	go build -trimpath -o flowbench .

gpu: ## build flowbench-gpu, for NVIDIA GPUs (needs the headers of a CUDA toolkit, which it finds or installs)
	bash scripts/build-gpu.sh

kernels: ## compile the CUDA kernels to the PTX that is in the tree
	bash scripts/kernels.sh

emulate: ## run the CUDA kernels' tests on the processor (needs g++)
	CGO_ENABLED=1 go test -tags emu -timeout 30m ./kernels/cuda/...
	CGO_ENABLED=1 go test -tags emu -timeout 30m -run 'Emulated|GPUCases|NeverLaunched' ./experiments/doctor ./experiments/bench ./experiments/study

demo: build ## sweep DNNs and autoencoders on synthetic flows and compare them (about a minute)
	./flowbench sweep experiments/demo.yaml

test: ## run the tests
	go test -timeout 30m ./...

check: ## run what CI runs
	bash .ci/run

race: ## run the tests of what computes in parallel under the race detector (needs gcc)
	CGO_ENABLED=1 go test -race -timeout 30m ./kernels/... ./data/... ./train/graph/... ./train/checkpoint/... ./experiments/pruner ./experiments/search ./experiments/store/... ./experiments/study ./experiments/score ./experiments/compare/...

fuzz: ## run every fuzz target for FUZZ_COUNT inputs
	bash scripts/fuzz.sh $(FUZZ_COUNT)

generate: ## write the generated files again
	go generate ./...

bench: ## measure flowbench and the rulers in PEERS in turn, and write BENCH.md (half an hour)
	go run ./scripts/bench

benchmarks: ## run the Go benchmarks of every package
	go test -run '^$$' -bench . -benchmem ./...

clean: ## remove what build, demo and the tests wrote
	rm -rf flowbench flowbench-gpu runs
	go clean -testcache
