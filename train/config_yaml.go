package train

import (
	"encoding/json"
	"fmt"
)

// Given is the scheme of a ClassWeight that lists its weights.
const Given = "given"

// plain is what stands for w in YAML and JSON: the name of a scheme, or a weight a label.
func (w ClassWeight) plain() any {
	if w.Weights != nil {
		return w.Weights
	}
	return w.Scheme
}

// MarshalYAML writes the name of the scheme, or the mapping from label to weight.
func (w ClassWeight) MarshalYAML() (any, error) { return w.plain(), nil }

// MarshalJSON writes the name of the scheme, or an object from label to weight
// with its labels in sorted order.
func (w ClassWeight) MarshalJSON() ([]byte, error) { return json.Marshal(w.plain()) }

// UnmarshalYAML reads what MarshalYAML writes. It checks the shape only:
// Config.Validate says whether the scheme exists and the weights are positive.
func (w *ClassWeight) UnmarshalYAML(decode func(any) error) error { return w.unmarshal(decode) }

// UnmarshalJSON reads what MarshalJSON writes and checks the shape only.
func (w *ClassWeight) UnmarshalJSON(b []byte) error {
	return w.unmarshal(func(into any) error { return json.Unmarshal(b, into) })
}

func (w *ClassWeight) unmarshal(decode func(any) error) error {
	var weights map[string]float64
	if err := decode(&weights); err == nil && weights != nil {
		*w = ClassWeight{Scheme: Given, Weights: weights}
		return nil
	}
	var scheme string
	if err := decode(&scheme); err != nil {
		return fmt.Errorf("class_weight is neither none, balanced, effective nor a weight a label: %w", err)
	}
	*w = ClassWeight{Scheme: scheme}
	return nil
}
