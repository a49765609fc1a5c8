package export

import (
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"flowbench/kernels"
	"flowbench/train"
)

// Tolerance is the largest difference that a proof allows between a score and
// ONNX Runtime's, as a share of the larger of 1 and the score.
const Tolerance = 1e-5

// Proof is verify.json: how a model's scores compare with those of its ONNX form.
type Proof struct {
	Runtime   string  `json:"runtime"` // what ran the ONNX form
	Backend   string  `json:"backend"` // what ran the model
	Flows     string  `json:"flows"`   // where the rows come from
	Rows      int     `json:"rows"`
	Awkward   int     `json:"awkward_rows"` // of them, those of NaN, infinities, zeros and extremes
	Largest   float64 `json:"largest_difference"`
	Relative  string  `json:"difference_is"`
	Tolerance float64 `json:"tolerance"`
	// LargestOnFlows is the largest |a-b| on the rows that are not awkward.
	LargestOnFlows float64 `json:"largest_absolute_difference_on_flows"`
	// LargestProbability is the largest difference of a negative class's probability
	// from that of the score; nil for a model without probabilities.
	LargestProbability *float64 `json:"largest_probability_difference,omitempty"`
	// Threshold is that of schema.json, nil where there is none. Different counts the
	// rows that are an alert at it by the model and none by ONNX Runtime, or the
	// reverse; Moved those that the model decides otherwise at the run's own threshold.
	Threshold *float64 `json:"threshold"`
	Alerts    int      `json:"alerts"`
	Different int      `json:"different_decisions"`
	Moved     int      `json:"decisions_other_than_the_runs"`
}

// margin is how far the threshold of a bundle lies from the run's, as a share of
// the larger of 1 and the threshold.
const margin = Tolerance / 4

// Threshold is the run's, a margin away from the score that it was made of: one
// chosen by a false-positive rate is the next number above a row's score, one that
// maximises a figure is a row's score, and in another program's rounding such a
// row, and every copy of it, would fall on either side. ok is false where the run
// has none.
func Threshold(m *train.ModelFile) (threshold float64, ok bool) {
	away := margin * math.Max(1, math.Abs(m.Threshold.V))
	if m.Config.Threshold.Maximize != "" {
		away = -away
	}
	return m.Threshold.V + away, m.Threshold.OK
}

// Verify scores raw rows, and awkward ones made of them, by the model on backend
// and by ONNX Runtime from the file at path. Flows says where the rows come from.
// A difference beyond Tolerance or another decision is an error.
func Verify(ctx context.Context, f *train.Finished, backend kernels.Backend, path string, rows []float32, flows string) (*Proof, error) {
	cols := len(f.Model.Scaler.Columns)
	plain := len(rows) / cols
	x := append(append([]float32{}, rows...), awkward(f.Model, rows)...)
	scorer, err := f.Scorer(backend)
	if err != nil {
		return nil, err
	}
	defer scorer.Close()
	own := make([]float64, len(x)/cols)
	if err := scorer.ScoreRaw(ctx, x, own); err != nil {
		return nil, err
	}
	theirs, shares, runtime, err := runONNX(ctx, path, x, cols)
	if err != nil {
		return nil, err
	}
	p := &Proof{
		Runtime: runtime, Backend: backend.Name(), Flows: flows, Rows: len(own), Awkward: len(own) - plain,
		Relative: "|a-b| / max(1, |a|)", Tolerance: Tolerance,
	}
	if err := p.compare(f.Model, own, theirs); err != nil {
		return nil, err
	}
	if f.Model.Config.Model.Kind == "dnn" {
		return p, p.compareShares(len(f.Model.Classes), own, shares)
	}
	return p, nil
}

// compareShares holds each row's probabilities against its score, the log-odds of
// not being of the negative class, which is the first.
func (p *Proof) compareShares(classes int, own, shares []float64) error {
	if len(shares) != classes*len(own) {
		return fmt.Errorf("verify: ONNX Runtime gives %d probabilities of %d rows and %d classes", len(shares), len(own), classes)
	}
	p.LargestProbability = new(float64)
	for i, v := range own {
		row, sum := shares[i*classes:(i+1)*classes], 0.0
		for _, share := range row {
			sum += share
		}
		difference := math.Max(math.Abs(row[0]-1/(1+math.Exp(v))), math.Abs(sum-1))
		if !(difference <= Tolerance) {
			return fmt.Errorf("verify: row %d scores %v, its probabilities by ONNX Runtime are %v; the model is not exported", i, v, row)
		}
		*p.LargestProbability = math.Max(*p.LargestProbability, difference)
	}
	return nil
}

// compare fills in the figures.
func (p *Proof) compare(m *train.ModelFile, own, theirs []float64) error {
	if len(own) != len(theirs) {
		return fmt.Errorf("verify: ONNX Runtime gives %d scores of %d rows", len(theirs), len(own))
	}
	worst := 0
	for i, a := range own {
		difference := math.Abs(a-theirs[i]) / math.Max(1, math.Abs(a))
		if !(difference <= p.Largest) { // so that a NaN counts
			p.Largest, worst = difference, i
		}
		if i < p.Rows-p.Awkward {
			p.LargestOnFlows = math.Max(p.LargestOnFlows, math.Abs(a-theirs[i]))
		}
	}
	if !(p.Largest <= Tolerance) {
		return fmt.Errorf("verify: row %d scores %v, by ONNX Runtime %v: the difference %.3g is beyond %v; the model is not exported", worst, own[worst], theirs[worst], p.Largest, Tolerance)
	}
	threshold, ok := Threshold(m)
	if !ok {
		return nil
	}
	p.Threshold = &threshold
	for i, a := range own {
		alert := a >= threshold
		if alert {
			p.Alerts++
		}
		if alert != (a >= m.Threshold.V) {
			p.Moved++
		}
		if alert != (theirs[i] >= threshold) {
			p.Different++
			worst = i
		}
	}
	if p.Different > 0 {
		return fmt.Errorf("verify: %d decisions differ, such as that on row %d, which scores %v, by ONNX Runtime %v, at the threshold %v; the model is not exported", p.Different, worst, own[worst], theirs[worst], threshold)
	}
	return nil
}

// awkward is whole rows of each awkward value, and the first row with each of its
// cells replaced by it in turn.
func awkward(m *train.ModelFile, rows []float32) []float32 {
	far := float32(math.MaxFloat32)
	if m.Scaler.Func == "identity" { // where scaled values must stay finite
		far = 1e9
	}
	inf := float32(math.Inf(1))
	values := []float32{float32(math.NaN()), inf, -inf, 0, float32(math.Copysign(0, -1)), 1e-30, far, -far}
	cols := len(m.Scaler.Columns)
	var out []float32
	for _, v := range values {
		for range cols {
			out = append(out, v)
		}
		for j := range cols {
			at := len(out)
			out = append(out, rows[:cols]...)
			out[at+j] = v
		}
	}
	return out
}

// NodeModules is the environment variable that names a folder in which npm has
// put ONNX Runtime.
const NodeModules = "FLOWBENCH_NODE_MODULES"

// install is how one comes to have it.
const install = "ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node@1.30"

//go:embed verify.js
var script string

// missingPackage is the exit code of the script where there is no ONNX Runtime.
const missingPackage = 3

// runONNX gives the scores of rows by onnxruntime-node, the probabilities of those
// models that have some, and its version.
func runONNX(ctx context.Context, path string, x []float32, cols int) (scores, shares []float64, runtime string, err error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return nil, nil, "", fmt.Errorf("--verify runs ONNX Runtime in Node.js, and there is no node: install nodejs and npm, then run %s", install)
	}
	tmp, err := os.MkdirTemp("", "flowbench-verify-")
	if err != nil {
		return nil, nil, "", fmt.Errorf("verify: %w", err)
	}
	defer os.RemoveAll(tmp)
	raw := make([]byte, 0, 4*len(x))
	for _, v := range x {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	in, out := filepath.Join(tmp, "features"), filepath.Join(tmp, "scores")
	if err := os.WriteFile(in, raw, 0o600); err != nil {
		return nil, nil, "", fmt.Errorf("verify: %w", err)
	}
	cmd := exec.CommandContext(ctx, node, "-e", script, "--", path, in, fmt.Sprint(cols), out)
	var complaint strings.Builder
	cmd.Stderr = &complaint
	version, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == missingPackage {
		return nil, nil, "", fmt.Errorf("--verify needs onnxruntime-node, which node does not find from here: run %s, here or in a folder that %s names", install, NodeModules)
	}
	if err != nil {
		return nil, nil, "", fmt.Errorf("verify: ONNX Runtime: %w: %s", err, strings.TrimSpace(complaint.String()))
	}
	if raw, err = os.ReadFile(out); err != nil {
		return nil, nil, "", fmt.Errorf("verify: %w", err)
	}
	values := make([]float64, len(raw)/8)
	for i := range values {
		values[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	rows := min(len(x)/cols, len(values))
	return values[:rows], values[rows:], strings.TrimSpace(string(version)), nil
}
