// Package pagetest makes what the tests of pages need: studies of any size whose
// results are drawn, not trained, and a browser to look at their pages with.
package pagetest

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	_ "modernc.org/sqlite" // marks the trials as done

	"flowbench/data/parallel"
	"flowbench/experiments/spec"
	"flowbench/experiments/study"
	"flowbench/train"
	"flowbench/train/metric"
	"flowbench/train/scorefile"
)

// Shape is the size of a study.
type Shape struct {
	Configurations int // beside the three baselines
	Replicates     int
	Epochs         int // of a learning curve
	Rows           int // of the test part
	// Scored is how many of the configurations keep their scores: those of the best
	// quality, and the baselines; 0 is all.
	Scored int
}

// Small has 200 trials: 37 configurations and 3 baselines, five seeds each.
var Small = Shape{Configurations: 37, Replicates: 5, Epochs: 20, Rows: 20_000}

// Large has 5,000 trials, each a line of its own.
var Large = Shape{Configurations: 4_997, Replicates: 1, Epochs: 20, Rows: 2_000, Scored: 100}

const document = `name: synthetic-sweep
data:
  source: synth://infiltration?seed=7&rows=4000
  positive: [Infiltration]
  split: {by: group, train: 0.5, validation: 0.2, test: 0.3, seed: 1}
model: {kind: dnn, hidden: [64, 32]}
train: {batch: 256, epochs: %d}
threshold: {max_false_positive_rate: 1e-3}
sweep:
  method: random
  trials: %d
  replicates: %d
  seed: 1
  metric: {name: validation.average_precision, goal: maximize}
  parameters:
    optimizer.learning_rate: {distribution: log_uniform, min: 1e-4, max: 1e-2}
    model.dropout: {distribution: uniform, min: 0, max: 0.5}
    model.hidden: {values: [[64, 32], [128, 64, 32], [256, 128]]}
    train.batch: {values: [128, 256, 512, 1024]}
    loss.class_weight: {values: [none, balanced, effective]}
`

// Study writes a study of a shape into dir, all of whose trials but the last open
// ones are done with drawn results, and opens it. The same shape gives the same
// files. The test closes it.
func Study(t testing.TB, dir string, shape Shape, open int) *study.Study {
	t.Helper()
	text := fmt.Sprintf(document, shape.Epochs, shape.Configurations, shape.Replicates)
	s, err := spec.Parse(filepath.Join(dir, "spec.yaml"), []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := study.NewPlan(s)
	if err != nil {
		t.Fatal(err)
	}
	st, err := study.Create(dir, s, plan, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	if _, err := st.Prepare(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	done := len(plan.Trials) - open
	Finish(t, st, shape, 0, done)
	return st
}

// End marks trials from up to to as done in the store, with the figures of their
// result.json, in one transaction, which 5,000 claims would not be.
func End(t testing.TB, dir string, from, to int) {
	t.Helper()
	if err := end(dir, from, to); err != nil {
		t.Fatal(err)
	}
}

func end(dir string, from, to int) error {
	db, err := sql.Open("sqlite", filepath.Join(dir, "study.db"))
	if err != nil {
		return err
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing, once it is committed
	for i := from; i < to; i++ {
		result, err := train.ReadResult(filepath.Join(dir, "trials", fmt.Sprintf("%04d", i)))
		if err != nil {
			return err
		}
		raw, err := json.Marshal(result.Metrics)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE trial SET state = 'done', attempts = 1, worker = 'host:1', result = ? WHERE idx = ?`, string(raw), i); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// Finish writes the results of trials from up to to, and marks them as done.
func Finish(t testing.TB, st *study.Study, shape Shape, from, to int) {
	t.Helper()
	scored := scoredOf(st.Plan.Configurations, shape)
	failed := make([]error, to-from)
	parallel.Each(to-from, func(k int) { failed[k] = writeTrial(st, from+k, shape, scored) })
	if err := errors.Join(failed...); err != nil {
		t.Fatal(err)
	}
	End(t, st.Dir, from, to)
}

// quality is how well a configuration tells attacks from the benign: best at a
// learning rate of 2e-3 and a dropout of 0.15.
func quality(c study.Configuration) float64 {
	switch {
	case c.Model == "majority":
		return 0
	case c.Baseline:
		return 1.6
	}
	q := 3.4
	for _, p := range c.Params {
		x, isNumber := p.Value.(float64)
		switch {
		case p.Path == "optimizer.learning_rate" && isNumber:
			q -= 1.4 * math.Pow(math.Log10(x/2e-3), 2)
		case p.Path == "model.dropout" && isNumber:
			q -= 4 * math.Pow(x-0.15, 2)
		case p.Path == "loss.class_weight" && p.Value == "none":
			q -= 0.3
		}
	}
	return q
}

// scoredOf marks the configurations that keep their scores.
func scoredOf(all []study.Configuration, shape Shape) map[string]bool {
	order := slices.Clone(all)
	slices.SortStableFunc(order, func(a, b study.Configuration) int {
		if a.Baseline != b.Baseline {
			return map[bool]int{true: -1, false: 1}[a.Baseline]
		}
		return cmp.Compare(quality(b), quality(a))
	})
	scored := map[string]bool{}
	for i, c := range order {
		scored[c.Name] = c.Baseline || shape.Scored == 0 || i < shape.Scored
	}
	return scored
}

// labels of the drawn flows, and how much harder than the others each is.
var labels = []struct {
	name  string
	share float64
	shift float64
}{{"Bot", 0.004, -0.6}, {"DDoS", 0.008, 0.8}, {"Infiltration", 0.002, -0.2}}

// keyed is a source of random numbers that depends on words alone.
func keyed(words ...any) *rand.Rand {
	key := fnv.New64a()
	fmt.Fprint(key, words...)
	return rand.New(rand.NewPCG(key.Sum64(), 0))
}

// drawn is a trial's scores, with what metric.Evaluate takes beside them. The
// flows of a part are the same for all trials.
func drawn(name, part string, replicate int, quality float64, rows int) metric.Input {
	random, flows := keyed(name, part, replicate), keyed(part)
	in := metric.Input{LabelNames: []string{"BENIGN"}, FlowsPerDay: 566_000}
	for _, l := range labels {
		in.LabelNames, in.Attacks = append(in.LabelNames, l.name), append(in.Attacks, l.name)
	}
	luck := 0.25 * random.NormFloat64()
	for range rows {
		label, at, score := int32(0), flows.Float64(), random.NormFloat64()
		for k, l := range labels {
			if at -= l.share; at < 0 {
				label = int32(k + 1)
				score += quality + luck + l.shift
				break
			}
		}
		in.Scores, in.Labels, in.Positive = append(in.Scores, score), append(in.Labels, label), append(in.Positive, label > 0)
	}
	return in
}

func writeTrial(st *study.Study, index int, shape Shape, scored map[string]bool) error {
	trial := st.Plan.Trials[index]
	config := st.Plan.Configurations[trial.Configuration]
	q := quality(config)
	dir := st.TrialDir(index)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	r := &train.Result{State: "done", Seed: trial.Seed, Device: "cpu/avx2", Detector: config.Model, Metrics: map[string]float64{}}
	validation := drawn(config.Name, "validation", trial.Replicate, q, shape.Rows/2)
	threshold, err := metric.ChooseThreshold(validation.Scores, validation.Positive, metric.Rule{MaxFalsePositiveRate: 1e-3})
	if err != nil {
		return err
	}
	parts := map[string]metric.Input{"validation": validation, "test": drawn(config.Name, "test", trial.Replicate, q, shape.Rows)}
	for part, in := range parts {
		in.Part, in.Threshold = part, threshold
		report, err := metric.Evaluate(in)
		if err != nil {
			return err
		}
		for name, v := range report.Flatten() {
			r.Metrics[part+"."+name] = v
		}
		if part == "validation" {
			r.Validation = report
		} else {
			r.Test = report
		}
	}
	if scored[config.Name] {
		if err := writeScores(dir, parts["validation"], parts["test"]); err != nil {
			return err
		}
	}
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "result.json"), raw, 0o644); err != nil || config.Baseline {
		return err
	}
	return writeEpochs(dir, r, shape.Epochs, trial.Seed)
}

// writeScores keeps the scores as a trial does.
func writeScores(dir string, validation, test metric.Input) error {
	part := func(in metric.Input) scorefile.Part {
		p := scorefile.Part{Scores: in.Scores, Positive: in.Positive}
		for i, label := range in.Labels {
			p.Rows, p.Labels = append(p.Rows, int32(i)), append(p.Labels, uint16(label))
		}
		return p
	}
	return scorefile.Save(dir, &scorefile.Set{LabelNames: validation.LabelNames, Validation: part(validation), Test: part(test)})
}

// writeEpochs draws learning curves that end where the result does.
func writeEpochs(dir string, r *train.Result, epochs int, seed uint64) error {
	random := rand.New(rand.NewPCG(seed, 1))
	var lines []byte
	for epoch := 1; epoch <= epochs; epoch++ {
		left := math.Exp(-4 * float64(epoch) / float64(epochs))
		noise := 1 + 0.06*random.NormFloat64()
		values := map[string]float64{
			"train.loss":                   (0.004 + 0.09*left) * noise,
			"validation.loss":              (0.006 + 0.08*left) * noise,
			"validation.average_precision": math.Min(1, r.Metrics["validation.average_precision"]*(1-left)*noise),
		}
		line, err := json.Marshal(train.EpochMetrics{Epoch: epoch, Step: uint64(epoch * 100), LearningRate: 1e-3, Values: maps.Clone(values)})
		if err != nil {
			return err
		}
		lines = append(append(lines, line...), '\n')
	}
	return os.WriteFile(filepath.Join(dir, "metrics.jsonl"), lines, 0o644)
}
