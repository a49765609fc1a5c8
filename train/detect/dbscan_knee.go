package detect

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
)

// kneeSample is how many rows the k-distance curve is drawn from at the most.
const kneeSample = 4096

// kneeOf is an eps for rows without one: the knee of the curve of their
// distances to their k-th nearest row, themselves and their copies counted,
// among all rows (Ester et al. 1996), where the curve is farthest below the
// straight line between its ends (Satopää et al., ICDCSW 2011). The curve is
// drawn from every few of the rows. Distances of 0 say nothing and are left out.
func kneeOf(ctx context.Context, rows *atlas, weight []int32, d distinct, data Data, k int) (float64, error) {
	var chosen []int32
	step := (data.Rows + kneeSample - 1) / kneeSample
	for i := 0; i < data.Rows; i += step {
		chosen = append(chosen, d.first[d.of[i]])
	}
	sample, err := newAtlas(ctx, rows.sketcher, data.X, chosen)
	if err != nil {
		return 0, err
	}
	curve := make([]float64, sample.rows)
	find := nearestSearch{in: rows, k: k, weight: weight}
	watch := newWatch(data.Progress, "k-distances", sample.blocks())
	err = find.each(ctx, sample, watch, func(place int, found []neighbour) {
		curve[place] = math.Sqrt(found[len(found)-1].square)
	})
	if err != nil {
		return 0, err
	}
	slices.Sort(curve)
	for len(curve) > 0 && curve[0] == 0 {
		curve = curve[1:]
	}
	if len(curve) == 0 {
		return 0, fmt.Errorf("every row has %d rows equal to it, so that the k-distance curve has no knee: %w", k, errGiveEps)
	}
	return knee(curve), nil
}

var errGiveEps = errors.New("give eps")

// knee is the value of a rising curve where it is farthest below the line
// between its ends, the first of equals.
func knee(curve []float64) float64 {
	last := len(curve) - 1
	best, most := curve[0], 0.0
	for i, v := range curve {
		if below := (curve[last]-curve[0])*float64(i) - (v-curve[0])*float64(last); below > most {
			best, most = v, below
		}
	}
	return best
}
