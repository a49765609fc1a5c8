// Command search measures what an adaptive search gains on the demo's synthetic
// flows. For every seed it sweeps three studies over one space with the flowbench
// binary: random search, TPE with as many configurations, and random search with
// ASHA over four times as many. It compares the best validation loss of random and
// TPE by Wilcoxon's signed-rank test over seeds, and counts the epochs that ASHA
// trains until it is at least as good as the whole of random search.
//
//	usage: search BINARY SEEDS FOLDER
//
// Exit 1 where TPE is not better at p < 0.05, or the median of ASHA's shares of
// epochs is above a third.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"flowbench/experiments/compare/significance"
)

// trials is the number of configurations of random search and of TPE. ASHA may look
// at wider times as many.
const (
	trials = 24
	wider  = 4
)

// space is what is searched. The measure is validation loss, not average precision:
// the validation part holds a handful of attacks, so that average precision takes
// few values and many configurations share the best of them.
const space = `name: search
data:
  source: synth://infiltration?seed=7&rows=3000
  positive: [Infiltration]
  split: {by: group, train: 0.5, validation: 0.2, test: 0.3, seed: 1}
model: {kind: dnn}
train: {batch: 128, epochs: 18}
sweep:
  method: %s
  trials: %d
  seed: %d
  metric: {name: validation.loss, goal: minimize}
%s  parameters:
    model.hidden: {values: [[4], [16], [32, 16], [64, 32]]}
    model.dropout: {distribution: uniform, min: 0, max: 0.6}
    model.activation: {values: [relu, gelu]}
    optimizer.kind: {values: [adam, sgd]}
    optimizer.learning_rate: {distribution: log_uniform, min: 1e-6, max: 1}
`

const asha = "  early_terminate: {type: asha, min_epochs: 1, eta: 3}\n"

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: search BINARY SEEDS FOLDER")
		os.Exit(2)
	}
	seeds, err := strconv.Atoi(os.Args[2])
	if err != nil || seeds < 1 {
		fmt.Fprintf(os.Stderr, "search: SEEDS is %q, not a number from 1\n", os.Args[2])
		os.Exit(2)
	}
	good, err := measure(os.Args[1], seeds, os.Args[3])
	if err != nil {
		fmt.Fprintln(os.Stderr, "search:", err)
	}
	if err != nil || !good {
		os.Exit(1)
	}
}

// measure prints a line a seed and both verdicts, and says whether both hold.
func measure(binary string, seeds int, folder string) (bool, error) {
	var gains, shares []float64
	fmt.Println("seed  random best  TPE best     ASHA's share of random's epochs")
	for seed := 1; seed <= seeds; seed++ {
		random, err := sweep(binary, folder, "random", trials, seed, "")
		if err != nil {
			return false, err
		}
		tpe, err := sweep(binary, folder, "tpe", trials, seed, "")
		if err != nil {
			return false, err
		}
		pruned, err := sweep(binary, folder, "random", trials*wider, seed, asha)
		if err != nil {
			return false, err
		}
		gains = append(gains, math.Log(slices.Min(random))-math.Log(slices.Min(tpe)))
		shares = append(shares, share(random, pruned))
		fmt.Printf("%4d  %.5g  %.5g  %.3f\n", seed, slices.Min(random), slices.Min(tpe), shares[seed-1])
	}
	return verdicts(gains, shares), nil
}

// share is the epochs of pruned until it is no worse than the best of plain, over
// all epochs of plain; +Inf where it never is.
func share(plain, pruned []float64) float64 {
	best := slices.Min(plain)
	at := slices.IndexFunc(pruned, func(loss float64) bool { return loss <= best })
	if at < 0 {
		return math.Inf(1)
	}
	return float64(at+1) / float64(len(plain))
}

// verdicts prints the medians and the p-values, two-sided.
func verdicts(gains, shares []float64) bool {
	under := make([]float64, len(shares))
	for i, s := range shares {
		// A share that was never reached ranks last, whatever its size.
		under[i] = 1.0/3 - min(s, 1e6)
	}
	tpe, third := significance.SignedRank(gains), significance.SignedRank(under)
	gain, part := median(gains), median(shares)
	fmt.Printf("TPE: median gain %.3f in log loss over random, p = %.3g\n", gain, tpe.P)
	fmt.Printf("ASHA: median share %.3f, against a third p = %.3g\n", part, third.P)
	better, cheap := gain > 0 && tpe.P < 0.05, part <= 1.0/3
	if !better {
		fmt.Println("FAILED: TPE is not better than random at p < 0.05")
	}
	if !cheap {
		fmt.Println("FAILED: ASHA needs more than a third of random's epochs")
	}
	return better && cheap
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return sorted[(n-1)/2]/2 + sorted[n/2]/2
}

// sweep runs one study and returns the validation loss of every epoch it trained,
// trial after trial in the order of the plan, which is a schedule that one worker
// could have followed. A loss that is not a number counts as +Inf.
func sweep(binary, folder, method string, configurations, seed int, terminate string) ([]float64, error) {
	dir, err := os.MkdirTemp(folder, fmt.Sprintf("%s-%d-*", method, seed))
	if err != nil {
		return nil, err
	}
	spec := filepath.Join(dir, "spec.yaml")
	if method == "tpe" {
		terminate += "  concurrency: 2\n"
	}
	text := fmt.Sprintf(space, method, configurations, seed, terminate)
	if err := os.WriteFile(spec, []byte(text), 0o644); err != nil {
		return nil, err
	}
	command := exec.Command(binary, "sweep", spec, "--out", filepath.Join(dir, "study"), "--workers", "2", "--device", "cpu")
	if out, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", spec, err, out)
	}
	curves, err := filepath.Glob(filepath.Join(dir, "study", "trials", "*", "metrics.jsonl"))
	if err != nil {
		return nil, err
	}
	slices.Sort(curves)
	var losses []float64
	for _, curve := range curves {
		if losses, err = epochs(losses, curve); err != nil {
			return nil, err
		}
	}
	if len(losses) == 0 {
		return nil, fmt.Errorf("%s: the study trained no epoch; see its trials/*/log.txt", dir)
	}
	return losses, nil
}

// epochs appends the validation losses of one trial's curve.
func epochs(losses []float64, path string) ([]float64, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line struct {
			Metrics map[string]*float64 `json:"metrics"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		loss := math.Inf(1)
		if value := line.Metrics["validation.loss"]; value != nil {
			loss = *value
		}
		losses = append(losses, loss)
	}
	return losses, lines.Err()
}
