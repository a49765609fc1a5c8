package export

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"flowbench/data/scale"
	"flowbench/data/synth"
	"flowbench/train"
)

// card is MODEL_CARD.md: what someone must know before using the model. sources
// are those of its flows, as the run's spec has them, or none.
func card(f *train.Finished, sources []string) []byte {
	m := f.Model
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# %s: %s against %s\n", m.Config.Model.Kind, strings.Join(m.Classes[1:], ", "), m.Classes[0])
	p("%s\n", describe(m))
	use(p, m)
	origin(p, m, sources)
	results(p, f.Result)
	faults(p, m)
	p(`
## Limits

The figures above are those of one split of these flows, by one seed. Another network, another flow meter or another year needs its own threshold and its own test: detectors of flows that were moved between CICIDS2017 and CSE-CIC-IDS2018 lost 25.63 %% of their accuracy on average (Verkerken and others, "Towards Model Generalization for Intrusion Detection", JNSM 2021). Precision and alerts a day hold for the test part's share of attacks alone. The model says how unusual or attack-like a flow is, not what to do about it; who knows the model can shape traffic that it passes over.`)
	return []byte(b.String())
}

// use writes how to run the model.
func use(p func(string, ...any), m *train.ModelFile) {
	p("## Use\n")
	p("`model.onnx` reads `features`, float32 [N, %d]: raw feature values in the order of `schema.json`; cells that are NaN or infinite are missing and are filled in as in training. It gives `score`, float64 [N]; higher is more suspicious.", len(m.Scaler.Columns))
	if m.Config.Model.Kind == "dnn" {
		p("It also gives `probabilities`, float32 [N, %d], of %s. They are those of the training loss: where it weighed classes, rare ones seem likelier than they are.", len(m.Classes), strings.Join(m.Classes, ", "))
	}
	if threshold, ok := Threshold(m); ok {
		p("The threshold is %v, chosen on the %s part: a score at or above it is an alert. It lies %.2g away from the run's own, %v, which is so near to a row's score that rounding would decide.\n", threshold, m.ThresholdOn, math.Abs(threshold-m.Threshold.V), m.Threshold.V)
	} else {
		p("No threshold could be chosen on the %s part: choose one before use.\n", m.ThresholdOn)
	}
}

// origin writes what the model learned from.
func origin(p func(string, ...any), m *train.ModelFile, sources []string) {
	p("## Data and split\n")
	if len(sources) > 0 {
		p("Flows of %s.", strings.Join(sources, ", "))
	}
	if slices.ContainsFunc(sources, func(s string) bool { return strings.HasPrefix(s, synth.Scheme) }) {
		p("**These flows are synthetic**: made by a generator in the likeness of CICIDS2017. No figure here says how the model does on real ones.")
	}
	p("Fingerprints: flows %s; scaled matrix and split %s; trial %s. Seed %d, trained on %s.\n", m.Flows, m.Data, m.Fingerprint, m.Seed, m.Device)
	p("| part | rows | positives |\n|---|---:|---:|")
	for _, part := range []string{"train", "validation", "test"} {
		p("| %s | %d | %d |", part, m.Parts[part].Rows, m.Parts[part].Positives)
	}
	p("\nLabels: %s.", labels(m))
	p("Left out by request: %s. Constant over the train rows: %s.\n", list(m.Dropped), list(m.Constant))
	formula := "(x - mean) / deviation"
	if m.Scaler.Func == scale.SignedLog1p {
		formula = "sign(x)·ln(1 + |x|), less its mean, over its deviation"
	}
	clip := ""
	if m.Scaler.Clip > 0 {
		clip = fmt.Sprintf(", and no further than %v from 0", m.Scaler.Clip)
	}
	p("Each column is scaled: %s, of the train rows%s.\n", formula, clip)
}

// labels says which class each label is of.
func labels(m *train.ModelFile) string {
	var all []string
	for i, name := range m.Labels {
		class := "left out"
		if c := m.LabelClass[i]; c >= 0 && int(c) < len(m.Classes) {
			class = m.Classes[c]
		}
		if class != name {
			name += " (" + class + ")"
		}
		all = append(all, name)
	}
	return strings.Join(all, ", ")
}

// results writes what the test part showed.
func results(p func(string, ...any), r *train.Result) {
	if r == nil || r.Test == nil {
		return
	}
	p("## Results on the test part\n")
	p("| figure | value |\n|---|---:|")
	for _, name := range []string{
		"average_precision", "average_precision_chance", "auroc", "recall_at_fpr_0.01", "recall_at_fpr_0.001", "recall_at_fpr_0.0001",
		"precision", "recall", "f1", "mcc", "false_positive_rate", "alerts_per_day",
	} {
		if v, ok := r.Metrics["test."+name]; ok {
			p("| %s | %.6g |", name, v)
		}
	}
	if c := r.Test.Confusion; c != nil {
		p("\nAt the threshold: %d of %d attacks found, %d of %d benign flows called attacks.", c.TP, c.TP+c.FN, c.FP, c.FP+c.TN)
	}
	if len(r.Test.RecallByLabel) > 0 {
		p("\n| label | flows | alerts | share, 95 %% interval (Clopper-Pearson) |\n|---|---:|---:|---|")
	}
	for _, l := range r.Test.RecallByLabel {
		p("| %s | %d | %d | %.3f (%.3f to %.3f) |", l.Label, l.Rows, l.Detected, l.Recall.V, l.Interval.Low, l.Interval.High)
	}
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
