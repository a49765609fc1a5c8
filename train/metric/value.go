package metric

import (
	"encoding/json"
	"fmt"
	"math"
)

// Value is a figure, or the reason why there is none. The zero Value is not
// evaluable and has no reason.
type Value struct {
	V      float64 // finite; 0 and without meaning where OK is false
	OK     bool
	Reason string // why not, in words: "no positives in test"
}

// Of is the evaluable Value v. It panics where v is NaN or infinite: such a
// figure has to be made a NotEvaluable where its reason is known.
func Of(v float64) Value {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		panic("metric: value is not finite")
	}
	return Value{V: v, OK: true}
}

// NotEvaluable is the Value that does not exist, with the reason why.
func NotEvaluable(reason string) Value { return Value{Reason: reason} }

// String is the figure in four significant digits (whole from 10,000 on), or
// "not evaluable (reason)".
func (v Value) String() string {
	switch {
	case v.OK && math.Abs(v.V) >= 1e4:
		return fmt.Sprintf("%.0f", v.V)
	case v.OK:
		return fmt.Sprintf("%.4g", v.V)
	case v.Reason == "":
		return "not evaluable"
	}
	return "not evaluable (" + v.Reason + ")"
}

// MarshalJSON writes the number, or null. The reason of a null is kept by the
// struct around it (Report.NotEvaluable), so that a figure has one JSON type.
func (v Value) MarshalJSON() ([]byte, error) {
	if !v.OK {
		return []byte("null"), nil
	}
	return json.Marshal(v.V)
}

// UnmarshalJSON reads a number or null.
func (v *Value) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*v = Value{}
		return nil
	}
	var x float64
	if err := json.Unmarshal(text, &x); err != nil {
		return fmt.Errorf("metric value: want a number or null: %w", err)
	}
	*v = Value{V: x, OK: true}
	return nil
}

// in adds the name of the rows to the reason of a Value that has none to show:
// "no positives" becomes "no positives in test".
func (v Value) in(part string) Value {
	if !v.OK && v.Reason != "" && part != "" {
		v.Reason += " in " + part
	}
	return v
}

// ratio is k/n, or the reason where n is 0.
func ratio(k, n int, reason string) Value {
	if n == 0 {
		return NotEvaluable(reason)
	}
	return Of(float64(k) / float64(n))
}
