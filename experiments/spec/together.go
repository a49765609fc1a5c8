package spec

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"flowbench/data/schema"
	"flowbench/train"
)

// checkTogether holds the data against the model.
func (r *Run) checkTogether() error {
	if r.Data.Task == "multiclass" && r.Model.Kind != "dnn" {
		return &train.FieldError{Field: "data.task", Problem: fmt.Sprintf("is multiclass, but %s tells benign flows from the rest only: write binary, or model.kind dnn", withArticle(r.Model.Kind))}
	}
	if r.Loss.ClassWeight.Weights == nil {
		return nil
	}
	return r.checkWeights()
}

// withArticle is the kind of a model as a sentence names one.
func withArticle(kind string) string {
	switch kind {
	case "autoencoder", "isolation_forest":
		return "an " + kind
	}
	return "a " + kind
}

// checkWeights makes sure that weights a label name the labels of the task.
func (r *Run) checkWeights() error {
	weights := r.Loss.ClassWeight.Weights
	labels, err := schema.NewLabels(r.Data.ExtraLabels)
	if err != nil {
		panic("spec: labels were not checked: " + err.Error())
	}
	canonical := map[string]float64{}
	for _, name := range slices.Sorted(maps.Keys(weights)) {
		n, err := labels.Parse([]byte(name))
		if err != nil {
			return &train.FieldError{Field: "loss.class_weight." + name, Problem: err.Error()}
		}
		if _, twice := canonical[labels.Names()[n]]; twice {
			return &train.FieldError{Field: "loss.class_weight." + name, Problem: fmt.Sprintf("%q has a weight already", labels.Names()[n])}
		}
		canonical[labels.Names()[n]] = weights[name]
	}
	r.Loss.ClassWeight.Weights = canonical
	if r.Data.Task == "multiclass" {
		return nil // which labels there are is known when the flows are read
	}
	return r.checkBinaryWeights()
}

// checkBinaryWeights: a binary task has two classes, so BENIGN has a weight and
// the positive labels share one.
func (r *Run) checkBinaryWeights() error {
	weights := r.Loss.ClassWeight.Weights
	task := append([]string{schema.Benign}, r.Data.Positive...)
	for _, label := range task {
		w, ok := weights[label]
		if !ok {
			return &train.FieldError{Field: "loss.class_weight", Problem: fmt.Sprintf("has no weight for %s; it needs %s", label, strings.Join(task, ", "))}
		}
		if first := weights[r.Data.Positive[0]]; label != schema.Benign && w != first {
			return &train.FieldError{Field: "loss.class_weight." + label, Problem: fmt.Sprintf(
				"is %v, but %s has %v: the labels that are positive together are one class with one weight", w, r.Data.Positive[0], first)}
		}
	}
	for _, label := range slices.Sorted(maps.Keys(weights)) {
		if !slices.Contains(task, label) {
			return &train.FieldError{Field: "loss.class_weight." + label, Problem: fmt.Sprintf("%q is neither BENIGN nor in data.positive", label)}
		}
	}
	return nil
}
