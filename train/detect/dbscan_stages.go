package detect

import (
	"context"
	"fmt"

	"flowbench/train/checkpoint"
)

// dbscanStages is what Cluster has found so far. Its stages, each of which goes
// over pairs of blocks, are what it can be interrupted between: the radius, the
// neighbours, the clusters. The last, the borders, is over when Cluster is.
type dbscanStages struct {
	options DBSCANOptions
	between Between
	at      dbscanAt
	count   []int32 // crowd.count of each place, cut to MinPoints; nil before
	root    []int32 // of each core, by its place among the cores; nil before
}

// dbscanAt is the figures of a state.
type dbscanAt struct {
	Eps     float64 `json:"eps"`
	Counted int     `json:"counted"` // distinct rows, once their neighbours are
	Joined  int     `json:"joined"`  // cores, once they are
}

// state has what was found as its tensors.
func (s *dbscanStages) state() *checkpoint.File {
	f := newProgress("dbscan", s.options, s.at)
	if s.count != nil {
		f.Tensors = append(f.Tensors, labels("count", s.count))
	}
	if s.root != nil {
		f.Tensors = append(f.Tensors, labels("root", s.root))
	}
	return f
}

// done offers the state behind a stage.
func (s *dbscanStages) done() error { return s.between.offer(s.state) }

// restore takes up a state of so many distinct rows.
func (s *dbscanStages) restore(f *checkpoint.File, distinct int) error {
	if err := readProgress(f, "dbscan", s.options, &s.at); err != nil {
		return err
	}
	if !(s.at.Eps > 0) || s.at.Counted != 0 && s.at.Counted != distinct || s.at.Joined > s.at.Counted {
		return fmt.Errorf("the state of the fit is not one of %d distinct rows: %+v", distinct, s.at)
	}
	var err error
	if s.at.Counted > 0 {
		if s.count, err = readLabels(f, "count", distinct, s.options.MinPoints+1); err != nil {
			return err
		}
	}
	if s.at.Joined > 0 {
		s.root, err = readLabels(f, "root", s.at.Joined, s.at.Joined)
	}
	return err
}

// restore gives the rows the counts that they were found to have.
func (c *crowd) restore(count []int32) {
	copy(c.count, count)
	clear(c.sparse)
	for i, n := range c.count {
		if n < c.enough {
			c.sparse[i/leafRows]++
		}
	}
}

// counts is what restore takes: more than enough says no more than enough, and
// depends on the order in which pairs were looked at.
func (c *crowd) counts() []int32 {
	list := make([]int32, len(c.count))
	for i, n := range c.count {
		list[i] = min(n, c.enough)
	}
	return list
}

// roots is the least of the set of each, which joined sets are made of again.
func (u union) roots() []int32 {
	list := make([]int32, len(u))
	for i := range u {
		list[i] = u.find(int32(i))
	}
	return list
}

// countAll is the second stage.
func (s *dbscanStages) countAll(ctx context.Context, c *crowd, progress Progress) error {
	if s.count != nil {
		c.restore(s.count)
		return nil
	}
	if err := c.countAll(ctx, progress); err != nil {
		return err
	}
	s.count, s.at.Counted = c.counts(), c.rows
	return s.done()
}

// connect is the third.
func (s *dbscanStages) connect(ctx context.Context, cores *atlas, r radius, progress Progress) (union, error) {
	if len(s.root) == cores.rows {
		return s.root, nil
	}
	sets, err := connect(ctx, cores, r, progress)
	if err != nil {
		return nil, err
	}
	s.root, s.at.Joined = sets.roots(), len(sets)
	return sets, s.done()
}
