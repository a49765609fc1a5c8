// Command search measures what an adaptive search gains on the demo's synthetic
// flows. For every seed it sweeps three studies over one space with the flowbench
// binary: random search, TPE with as many configurations, and random search with
// ASHA over four times as many. It compares the best validation loss of random and
// TPE by Wilcoxon's signed-rank test over seeds, and counts the epochs that ASHA
// trains until it is at least as good as the whole of random search.
//
//	usage: search [-first SEED] [-configurations N] [-asha=false] BINARY SEEDS FOLDER
//
// Exit 1 where TPE is not better at p < 0.05, or the median of ASHA's shares of
// epochs is above a third.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"

	"flowbench/experiments/compare/significance"
)

// wider is how many times as many configurations ASHA may look at.
const wider = 4

// space is what is searched: six parameters, wide enough that a tenth of what is
// drawn from it comes within half of the least loss. The measure is validation loss, not average precision:
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
    optimizer.learning_rate: {distribution: log_uniform, min: 1e-6, max: 1}
    optimizer.weight_decay: {distribution: log_uniform, min: 1e-6, max: 1}
    model.hidden: {values: [[4], [16], [32, 16], [64, 32]]}
    model.dropout: {distribution: uniform, min: 0, max: 0.6}
    model.noise: {distribution: uniform, min: 0, max: 2}
    model.activation: {values: [relu, gelu, tanh, sigmoid]}
`

const asha = "  early_terminate: {type: asha, min_epochs: 1, eta: 3}\n"

func main() {
	m := measurement{}
	flag.IntVar(&m.first, "first", 1, "seed of the first study")
	flag.IntVar(&m.configurations, "configurations", 60, "of random search and of TPE")
	flag.BoolVar(&m.asha, "asha", true, "measure ASHA as well")
	flag.Parse()
	if flag.NArg() != 3 {
		fmt.Fprintln(os.Stderr, "usage: search [-first SEED] [-configurations N] [-asha=false] BINARY SEEDS FOLDER")
		os.Exit(2)
	}
	seeds, err := strconv.Atoi(flag.Arg(1))
	if err != nil || seeds < 1 {
		fmt.Fprintf(os.Stderr, "search: SEEDS is %q, not a number from 1\n", flag.Arg(1))
		os.Exit(2)
	}
	m.binary, m.folder = flag.Arg(0), flag.Arg(2)
	good, err := m.run(seeds)
	if err != nil {
		fmt.Fprintln(os.Stderr, "search:", err)
	}
	if err != nil || !good {
		os.Exit(1)
	}
}

// measurement is what is measured, with which program, in which folder.
type measurement struct {
	first, configurations int
	asha                  bool
	binary, folder        string
}

// run prints a line a seed and the verdicts, and says whether they hold.
func (m measurement) run(seeds int) (bool, error) {
	var gains, shares []float64
	fmt.Println("seed  random's best  TPE's best  ASHA's share of random's epochs")
	for seed := m.first; seed < m.first+seeds; seed++ {
		random, err := m.sweep("random", m.configurations, seed, "")
		if err != nil {
			return false, err
		}
		tpe, err := m.sweep("tpe", m.configurations, seed, "")
		if err != nil {
			return false, err
		}
		gains = append(gains, math.Log(bestEnd(random))-math.Log(bestEnd(tpe)))
		fmt.Printf("%4d  %.5g  %.5g", seed, bestEnd(random), bestEnd(tpe))
		if m.asha {
			pruned, err := m.sweep("random", m.configurations*wider, seed, asha)
			if err != nil {
				return false, err
			}
			shares = append(shares, share(slices.Concat(random...), slices.Concat(pruned...)))
			fmt.Printf("  %.3f", shares[len(shares)-1])
		}
		fmt.Println()
	}
	better := tpeVerdict(gains)
	return (!m.asha || ashaVerdict(shares)) && better, nil
}

// bestEnd is the least loss that a trial ended with, which is what a study ranks
// by and what TPE is told.
func bestEnd(curves [][]float64) float64 {
	best := math.Inf(1)
	for _, c := range curves {
		best = min(best, c[len(c)-1])
	}
	return best
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

// tpeVerdict prints the median gain and its two-sided p-value.
func tpeVerdict(gains []float64) bool {
	gain, test := median(gains), significance.SignedRank(gains)
	fmt.Printf("TPE: median gain %.3f in log loss over random, p = %.3g\n", gain, test.P)
	if gain > 0 && test.P < 0.05 {
		return true
	}
	fmt.Println("FAILED: TPE is not better than random at p < 0.05")
	return false
}

// ashaVerdict prints the median share and the two-sided p-value of its being a third.
func ashaVerdict(shares []float64) bool {
	under := make([]float64, len(shares))
	for i, s := range shares {
		// A share that was never reached ranks last, whatever its size.
		under[i] = 1.0/3 - min(s, 1e6)
	}
	part, test := median(shares), significance.SignedRank(under)
	fmt.Printf("ASHA: median share %.3f, against a third p = %.3g\n", part, test.P)
	if part <= 1.0/3 {
		return true
	}
	fmt.Println("FAILED: ASHA needs more than a third of random's epochs")
	return false
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return sorted[(n-1)/2]/2 + sorted[n/2]/2
}

// sweep runs one study and returns the validation losses of the epochs of each
// trial, in the order of the plan, which is a schedule that one worker
// could have followed. A loss that is not a number counts as +Inf.
func (m measurement) sweep(method string, configurations, seed int, terminate string) ([][]float64, error) {
	dir, err := os.MkdirTemp(m.folder, fmt.Sprintf("%s-%d-*", method, seed))
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
	command := exec.Command(m.binary, "sweep", spec, "--out", filepath.Join(dir, "study"), "--workers", "2", "--device", "cpu")
	if out, err := command.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", spec, err, out)
	}
	curves, err := filepath.Glob(filepath.Join(dir, "study", "trials", "*", "metrics.jsonl"))
	if err != nil {
		return nil, err
	}
	slices.Sort(curves)
	var losses [][]float64
	for _, curve := range curves {
		trained, err := epochs(curve)
		if err != nil {
			return nil, err
		}
		if len(trained) > 0 {
			losses = append(losses, trained)
		}
	}
	if len(losses) == 0 {
		return nil, fmt.Errorf("%s: the study trained no epoch; see its trials/*/log.txt", dir)
	}
	return losses, nil
}

// epochs are the validation losses of one trial's curve.
func epochs(path string) (losses []float64, err error) {
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
