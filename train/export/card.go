package export

import (
	"fmt"
	"math"
	"strings"

	"flowbench/train"
)

// card is MODEL_CARD.md: what someone must know before using the model.
func card(f *train.Finished) []byte {
	m := f.Model
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# %s: %s against %s\n", m.Config.Model.Kind, strings.Join(m.Classes[1:], ", "), m.Classes[0])
	p("%s\n", describe(m))
	p("## Use\n")
	p("`model.onnx` reads `features`, float32 [N, %d]: raw feature values in the order of `schema.json`; cells that are NaN or infinite are missing and are filled in as in training. It gives `score`, float64 [N]; higher is more suspicious.", len(m.Scaler.Columns))
	if threshold, ok := Threshold(m); ok {
		p("The threshold is %v, chosen on the %s part: a score at or above it is an alert. It lies %.2g away from the run's own, %v, which is so near to a row's score that rounding would decide.\n", threshold, m.ThresholdOn, math.Abs(threshold-m.Threshold.V), m.Threshold.V)
	} else {
		p("No threshold could be chosen on the %s part: choose one before use.\n", m.ThresholdOn)
	}
	p("## Data and split\n")
	p("Flows %s; scaled matrix and split %s; trial %s; seed %d, trained on %s.\n", m.Flows, m.Data, m.Fingerprint, m.Seed, m.Device)
	p("| part | rows | positives |\n|---|---:|---:|")
	for _, part := range []string{"train", "validation", "test"} {
		p("| %s | %d | %d |", part, m.Parts[part].Rows, m.Parts[part].Positives)
	}
	p("\nLeft out by request: %s. Constant over the train rows: %s.\n", list(m.Dropped), list(m.Constant))
	results(p, f.Result)
	p(`## Known faults of the data set

Where the flows are those of CICIDS2017: labels and flows have known errors (Engelen, Rimmer and Joosen 2021, "Troubleshooting an intrusion detection dataset"; Liu et al. 2022, "Error prevalence in NIDS datasets"), such as flows cut at the wrong packet, attacks without payload under an attack's label, and whole classes told apart by one column. Rare attacks have a few dozen flows, so that their recall is a rough figure.

## Limits

The figures above are those of this network in these days. Another network, another flow meter, or another year needs its own threshold and its own test. The model says how unusual or attack-like a flow is, not what to do about it.`)
	return []byte(b.String())
}

// results writes what the test part showed.
func results(p func(string, ...any), r *train.Result) {
	if r == nil || r.Test == nil {
		return
	}
	p("## Results on the test part\n")
	p("| figure | value |\n|---|---:|")
	for _, name := range []string{"average_precision", "auroc", "precision", "recall", "f1", "mcc", "false_positive_rate"} {
		if v, ok := r.Metrics["test."+name]; ok {
			p("| %s | %.6g |", name, v)
		}
	}
	if len(r.Test.RecallByLabel) > 0 {
		p("\n| label | flows | alerts | share, 95 %% interval |\n|---|---:|---:|---|")
	}
	for _, l := range r.Test.RecallByLabel {
		p("| %s | %d | %d | %.3f (%.3f to %.3f) |", l.Label, l.Rows, l.Detected, l.Recall.V, l.Interval.Low, l.Interval.High)
	}
	p("")
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
