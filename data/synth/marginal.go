package synth

import (
	"fmt"
	"math"
	"slices"
)

// marginal maps a normal score to a value of one column. Either at[i] for a
// score above parts[i-1] and up to parts[i]; or, where grid is set, at holds
// quantiles at the scores of grid, between which it is a straight line (of the
// logarithm, if log is set). Equal scores in grid are a jump, equal values in at
// a step: a value that many rows have.
type marginal struct {
	at    []float64
	parts []float64
	grid  []float64
	log   bool
}

func newMarginal(raw rawMarginal, grids map[string][]float64, log bool) (marginal, error) {
	if len(raw.At) > 0 {
		if len(raw.Z) != len(raw.At)-1 || !slices.IsSorted(raw.Z) {
			return marginal{}, fmt.Errorf("%d values parted by %d scores", len(raw.At), len(raw.Z))
		}
		return marginal{at: raw.At, parts: thousandths(raw.Z)}, nil
	}
	grid := raw.Z
	if raw.Grid != "" {
		grid = grids[raw.Grid]
	}
	if len(grid) != len(raw.Q) || len(grid) < 2 || !slices.IsSorted(raw.Q) || !slices.IsSorted(grid) {
		return marginal{}, fmt.Errorf("%d quantiles at %d scores (grid %q)", len(raw.Q), len(grid), raw.Grid)
	}
	return marginal{at: thousandths(raw.Q), grid: thousandths(grid), log: log}, nil
}

func thousandths(in []float64) []float64 {
	out := make([]float64, len(in))
	for i, v := range in {
		out[i] = v / 1000
	}
	return out
}

// value is the value at normal score z. Scores beyond the grid give its ends.
func (m *marginal) value(z float64) float64 {
	if m.grid == nil {
		i := 0
		for i < len(m.parts) && z > m.parts[i] {
			i++
		}
		return m.at[i]
	}
	v := m.at[len(m.at)-1]
	if z <= m.grid[0] {
		v = m.at[0]
	} else if i, _ := slices.BinarySearch(m.grid, z); i < len(m.grid) {
		t := (z - m.grid[i-1]) / (m.grid[i] - m.grid[i-1])
		v = m.at[i-1] + float64(t*(m.at[i]-m.at[i-1]))
	}
	if m.log {
		return exp(v) - 1
	}
	return v
}

// exp is e to the x for 0 <= x <= 700, to within 1e-15 of it. math.Exp differs in the
// last bit between processors, and equal seeds are to give equal bytes on all.
func exp(x float64) float64 {
	const ln2Hi, ln2Lo = 6.93147180369123816490e-01, 1.90821492927058770002e-10 // their sum is ln 2; hi ends in zeros
	k := math.Floor(x/math.Ln2 + .5)
	r := x - float64(k*ln2Hi) - float64(k*ln2Lo)
	sum := 1.0
	for i := 13.0; i > 0; i-- { // Taylor, |r| <= ln(2)/2: the next term is below 1e-17
		sum = 1 + float64(r*sum)/i
	}
	return math.Ldexp(sum, int(k))
}
