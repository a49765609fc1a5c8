package detect

import (
	"context"
	"sync"
	"sync/atomic"

	"flowbench/data/parallel"
)

// The three passes of DBSCAN over an atlas. Each goes over pairs of blocks, the
// nearer half of what the boxes leave, and looks at a pair of rows only as long
// as its outcome is open. What they compute does not depend on the order.

// radius is one in both measures.
type radius struct {
	square float64 // squared
	bound  float32 // see sketcher.bound
}

func (s *sketcher) radius(eps float64) radius { return radius{eps * eps, s.bound(eps * eps)} }

// crowd counts the weight of the rows near each row, up to enough.
type crowd struct {
	*atlas
	radius
	enough int32
	weight []int32 // of the row at a place
	count  []int32 // weight within the radius, the row's own included
	sparse []int32 // how many rows of a block have not enough yet
}

func newCrowd(a *atlas, r radius, weight []int32, enough int32) *crowd {
	c := &crowd{atlas: a, radius: r, enough: enough, weight: weight, count: append([]int32(nil), weight...)}
	c.sparse = make([]int32, a.blocks())
	for i, w := range weight {
		if w < enough {
			c.sparse[i/leafRows]++
		}
	}
	return c
}

func (c *crowd) open(place int) bool { return atomic.LoadInt32(&c.count[place]) < c.enough }

func (c *crowd) openBlock(block int) bool { return atomic.LoadInt32(&c.sparse[block]) > 0 }

// add counts weight near the row at place.
func (c *crowd) add(place, weight int32) {
	after := atomic.AddInt32(&c.count[place], weight)
	if after >= c.enough && after-weight < c.enough {
		atomic.AddInt32(&c.sparse[place/leafRows], -1)
	}
}

// countAll fills in count: exact below enough, at least enough else. A block is
// held against itself first, for there most neighbours are.
func (c *crowd) countAll(ctx context.Context, progress Progress) error {
	probes := newProbes(c.atlas)
	watch := newWatch(progress, "neighbours", c.blocks())
	parallel.Each(c.blocks(), func(b int) {
		if ctx.Err() == nil {
			p := probes.get()
			c.countPair(p, b, b)
			probes.put(p)
		}
	})
	parallel.Each(c.blocks(), func(b int) {
		p := probes.get()
		for other := b + 1; other < c.blocks() && ctx.Err() == nil; other++ {
			if (c.openBlock(b) || c.openBlock(other)) && !apart(c.atlas, b, c.atlas, other, c.bound) {
				c.countPair(p, b, other)
			}
		}
		probes.put(p)
		watch.done()
	})
	return ctx.Err()
}

func (c *crowd) countPair(p *probe, b, other int) {
	p.choose()
	every := c.openBlock(other)
	first, end := c.block(b)
	for i := first; i < end; i++ {
		if every || c.open(i) {
			p.offer(c.atlas, other, i, c.bound)
		}
	}
	for _, f := range p.within(c.atlas, other) {
		i, j := f.row, f.col
		if b == other && i >= j || !c.open(int(i)) && !c.open(int(j)) {
			continue
		}
		if distance2(c.row(int(i)), c.row(int(j)), c.square) <= c.square {
			c.add(i, c.weight[j])
			c.add(j, c.weight[i])
		}
	}
}

// union is a forest of sets of places, joined from many goroutines at once: a
// root is the least of its set (Anderson and Woll, STOC 1991).
type union []int32

func newUnion(n int) union {
	u := make(union, n)
	for i := range u {
		u[i] = int32(i)
	}
	return u
}

// find returns the root of a set; it stays the root until a smaller set joins.
func (u union) find(i int32) int32 {
	for {
		parent := atomic.LoadInt32(&u[i])
		if parent == i {
			return i
		}
		above := atomic.LoadInt32(&u[parent])
		if above != parent {
			atomic.CompareAndSwapInt32(&u[i], parent, above)
		}
		i = above
	}
}

func (u union) join(i, j int32) {
	for {
		i, j = u.find(i), u.find(j)
		if i == j {
			return
		}
		if i < j {
			i, j = j, i
		}
		if atomic.CompareAndSwapInt32(&u[i], i, j) {
			return
		}
	}
}

// whole is a block's only set, or -1 where it has several.
func (u union) whole(a *atlas, block int) int32 {
	first, end := a.block(block)
	root := u.find(int32(first))
	for i := first + 1; i < end; i++ {
		if u.find(int32(i)) != root {
			return -1
		}
	}
	return root
}

// connect joins the cores that are within the radius of each other, directly or
// over others.
func connect(ctx context.Context, cores *atlas, r radius, progress Progress) (union, error) {
	u := newUnion(cores.rows)
	probes := newProbes(cores)
	watch := newWatch(progress, "clusters", cores.blocks())
	parallel.Each(cores.blocks(), func(b int) {
		if ctx.Err() == nil {
			p := probes.get()
			u.connectPair(p, cores, b, b, r)
			probes.put(p)
		}
	})
	parallel.Each(cores.blocks(), func(b int) {
		p := probes.get()
		for other := b + 1; other < cores.blocks() && ctx.Err() == nil; other++ {
			if !apart(cores, b, cores, other, r.bound) {
				u.connectPair(p, cores, b, other, r)
			}
		}
		probes.put(p)
		watch.done()
	})
	return u, ctx.Err()
}

func (u union) connectPair(p *probe, cores *atlas, b, other int, r radius) {
	set := u.whole(cores, other)
	p.choose()
	first, end := cores.block(b)
	for i := first; i < end; i++ {
		if set < 0 || u.find(int32(i)) != u.find(set) {
			p.offer(cores, other, i, r.bound)
		}
	}
	for _, f := range p.within(cores, other) {
		if b == other && f.row >= f.col || u.find(f.row) == u.find(f.col) {
			continue
		}
		if distance2(cores.row(int(f.row)), cores.row(int(f.col)), r.square) <= r.square {
			u.join(f.row, f.col)
		}
	}
}

// border gives each of the rows that are not cores the least of the clusters of
// the cores within the radius, or leaves noise. cluster is by place of cores.
func border(ctx context.Context, c *crowd, cores *atlas, cluster []int32, progress Progress) ([]int32, error) {
	label := make([]int32, c.rows)
	least := make([]int32, cores.blocks()) // cluster of a block
	for b := range least {
		first, end := cores.block(b)
		least[b] = noise
		for _, k := range cluster[first:end] {
			least[b] = min(least[b], k)
		}
	}
	probes := newProbes(c.atlas)
	watch := newWatch(progress, "borders", c.blocks())
	parallel.Each(c.blocks(), func(b int) {
		first, end := c.block(b)
		for i := first; i < end; i++ {
			label[i] = noise
		}
		p := probes.get()
		for other := 0; other < cores.blocks() && c.openBlock(b) && ctx.Err() == nil; other++ {
			if apart(c.atlas, b, cores, other, c.bound) {
				continue
			}
			p.choose()
			for i := first; i < end; i++ {
				// Who has no neighbour but his own copies has no core beside him.
				if c.open(i) && c.count[i] > c.weight[i] && least[other] < label[i] {
					p.offer(cores, other, i, c.bound)
				}
			}
			for _, f := range p.within(cores, other) {
				if k := cluster[f.col]; k < label[f.row] &&
					distance2(c.row(int(f.row)), cores.row(int(f.col)), c.square) <= c.square {
					label[f.row] = k
				}
			}
		}
		probes.put(p)
		watch.done()
	})
	return label, ctx.Err()
}

// probes lends a probe to each goroutine that needs one.
type probes struct{ pool sync.Pool }

func newProbes(q *atlas) *probes {
	return &probes{sync.Pool{New: func() any { return &probe{q: q} }}}
}

func (p *probes) get() *probe { return p.pool.Get().(*probe) }

func (p *probes) put(of *probe) { p.pool.Put(of) }
