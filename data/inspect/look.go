package inspect

import (
	"cmp"
	"context"
	"slices"
)

// Look is what people see of flows beyond the figures of a Summary: how columns
// are spread, a sample to draw, what moves together, how files differ.
type Look struct {
	Distributions []Distribution `json:"distributions"` // in the order of Flows.Columns
	Scatter       Scatter        `json:"scatter"`
	Correlation   Clustered      `json:"correlation"`
	Drift         *Drift         `json:"drift"` // nil with fewer than two files
}

// LookOptions bounds the work and the size of a Look; zero values mean the
// defaults named.
type LookOptions struct {
	Bins           int    // of a distribution: 48
	ScatterColumns int    // those that tell a label from the benign ones best: 8
	ScatterBenign  int    // sampled rows: 4,000
	ScatterAttack  int    // sampled rows of each attack label: 2,000
	SpearmanRows   int    // 65,536
	Seed           uint64 // of the sample
}

func (o LookOptions) withDefaults() LookOptions {
	for _, d := range []struct {
		field *int
		value int
	}{{&o.Bins, 48}, {&o.ScatterColumns, 8}, {&o.ScatterBenign, 4000}, {&o.ScatterAttack, 2000}, {&o.SpearmanRows, defaultSpearmanRows}} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	return o
}

// Explore takes a Look at flows that s describes. The result does not depend on
// the number of threads. The only error is the end of ctx.
//
// Cost: every column is walked twice and its benign cells are sorted once, which
// takes about as long as Describe, with 4 bytes a benign row for each core
// beyond the matrix.
func Explore(ctx context.Context, f Flows, s *Summary, o LookOptions) (*Look, error) {
	f.check()
	o = o.withDefaults()
	l := &Look{}
	for _, step := range []func(){
		func() { l.Distributions = distribute(f, s, o.Bins) },
		func() {
			l.Scatter = f.sample(s.telling(f, o.ScatterColumns), o.ScatterBenign, o.ScatterAttack, o.Seed)
		},
		func() { l.Correlation = cluster(f, s, o.SpearmanRows) },
		func() { l.Drift = drift(f) },
	} {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		step()
	}
	return l, nil
}

// telling lists the columns that alone tell some label from the benign flows
// best, at most n, those that repeat another left out.
func (s *Summary) telling(f Flows, n int) []int {
	best := map[string]float64{}
	for _, class := range s.Classes {
		for _, single := range class.Columns {
			best[single.Column] = max(best[single.Column], single.Separation())
		}
	}
	columns := s.worthCorrelating()
	slices.SortStableFunc(columns, func(a, b int) int { return cmp.Compare(best[f.Columns[b]], best[f.Columns[a]]) })
	return columns[:min(n, len(columns))]
}
