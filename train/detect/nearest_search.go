package detect

import (
	"cmp"
	"context"
	"math"
	"slices"

	"flowbench/data/parallel"
)

// neighbour is a row of an atlas and its squared distance to another row.
type neighbour struct {
	square float64
	place  int32
}

// nearestSearch finds nearest rows exactly. Equally near rows come in the order of the
// matrix that the atlas was made of, so that the answer does not depend on how
// it was found.
type nearestSearch struct {
	in *atlas
	k  int // neighbours wanted, each counted weight times
	// weight is by place; nil is 1 each.
	weight []int32
}

// each calls take once for every place of q with its neighbours, nearest first.
// Calls come from several goroutines; found is theirs until they return.
func (s nearestSearch) each(ctx context.Context, q *atlas, watch *watch, take func(place int, found []neighbour)) error {
	probes := newProbes(q)
	parallel.Each(q.blocks(), func(b int) {
		if ctx.Err() != nil {
			return
		}
		p := probes.get()
		first, end := q.block(b)
		lists := s.block(ctx, p, b)
		for i := first; i < end && ctx.Err() == nil; i++ {
			take(i, lists[i-first])
		}
		probes.put(p)
		watch.done()
	})
	return ctx.Err()
}

// target is a block to be searched and how far it is.
type target struct {
	block       int32
	gap, middle float32
}

// block searches for all rows of a block of q.
func (s nearestSearch) block(ctx context.Context, p *probe, b int) [][]neighbour {
	q, in := p.q, s.in
	first, end := q.block(b)
	lists := make([][]neighbour, end-first)
	bounds := make([]float32, end-first)
	for i := range lists {
		lists[i] = make([]neighbour, 0, s.k+1)
	}
	for _, t := range s.targets(q, b) {
		if ctx.Err() != nil {
			break
		}
		far := float32(0) // of the rows, the farthest bound
		for i, list := range lists {
			bounds[i] = in.bound(s.limit(list))
			far = max(far, bounds[i])
		}
		if t.gap > far+q.room[b]+in.room[t.block] {
			continue
		}
		p.choose()
		for i, bound := range bounds {
			p.offer(in, int(t.block), first+i, bound)
		}
		for _, f := range p.within(in, int(t.block)) {
			list := &lists[int(f.row)-first]
			limit := s.limit(*list)
			if d := distance2(q.row(int(f.row)), in.row(int(f.col)), limit); d <= limit {
				*list = s.insert(*list, neighbour{d, f.col})
			}
		}
	}
	return lists
}

// targets lists the blocks, nearest first.
func (s nearestSearch) targets(q *atlas, b int) []target {
	in, none := s.in, float32(math.Inf(1))
	list := make([]target, in.blocks())
	box := q.box(b)
	for t := range list {
		list[t] = target{int32(t), boxGap(box, in.box(t), none), middleGap(box, in.box(t))}
	}
	slices.SortFunc(list, func(a, b target) int {
		return cmp.Or(cmp.Compare(a.gap, b.gap), cmp.Compare(a.middle, b.middle), cmp.Compare(a.block, b.block))
	})
	return list
}

// limit is the squared distance up to which a row may still come into a list.
func (s nearestSearch) limit(list []neighbour) float64 {
	n := 0
	for _, f := range list {
		if n += s.count(f); n >= s.k {
			return f.square
		}
	}
	return math.Inf(1)
}

func (s nearestSearch) count(f neighbour) int {
	if s.weight == nil {
		return 1
	}
	return int(s.weight[f.place])
}

// insert puts f in its place and drops who is not wanted any more.
func (s nearestSearch) insert(list []neighbour, f neighbour) []neighbour {
	at, _ := slices.BinarySearchFunc(list, f, func(a, b neighbour) int {
		return cmp.Or(cmp.Compare(a.square, b.square), cmp.Compare(s.in.order[a.place], s.in.order[b.place]))
	})
	list = slices.Insert(list, at, f)
	n := 0
	for i, f := range list {
		if n += s.count(f); n >= s.k {
			return list[:i+1]
		}
	}
	return list
}
