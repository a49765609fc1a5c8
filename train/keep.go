package train

import (
	"fmt"
	"math"

	"flowbench/train/scorefile"
)

// keepScores writes the scores of both parts into the trial's folder. Scores that
// are not finite, which no such file holds, are ranked as the largest finite ones.
func (t *Trial) keepScores(validation, test []float64) error {
	d := t.Data
	if len(d.Labels) > math.MaxUint16+1 {
		return fmt.Errorf("scores: %d labels are more than a file of scores can tell apart", len(d.Labels))
	}
	return scorefile.SaveTo(t.disk(), t.Dir, &scorefile.Set{
		LabelNames: d.Labels,
		Validation: d.scored(d.Validation, validation),
		Test:       d.scored(d.Test, test),
	})
}

// scored is what is kept of the rows of one part.
func (d *Data) scored(rows []int32, values []float64) scorefile.Part {
	p := scorefile.Part{Rows: rows, Scores: make([]float64, len(rows)), Positive: d.positive(rows), Labels: make([]uint16, len(rows))}
	for i, r := range rows {
		p.Labels[i] = uint16(d.Label[r])
		p.Scores[i] = math.Max(-math.MaxFloat64, math.Min(math.MaxFloat64, values[i]))
	}
	if d.Source != nil {
		p.Rows = pick(d.Source, rows)
	}
	if d.Group != nil {
		p.Groups = pick(d.Group, rows)
	}
	return p
}
