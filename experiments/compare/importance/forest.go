package importance

import (
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

const (
	// A leaf has at least smallestLeaf observations, and leafShare of all. Smaller
	// ones follow the luck of the seeds: of the additive function in the tests with
	// noise of its own size, 1,000 observations, single trees then put 0.26 into
	// interactions that are not there, in place of 0.13.
	smallestLeaf = 3
	leafShare    = 0.01
	// tried is the share of the parameters that a cut is chosen from, that of the
	// forest in Hutter, Hoos, Leyton-Brown, Sequential Model-Based Optimization for
	// General Algorithm Configuration, LION 5, 2011, section 4.1.
	tried = 5.0 / 6
)

// leaf is a box in which a tree has one value.
type leaf struct {
	sets  []uint64 // of levels, by axis
	value float64
}

// tree is a regression tree and what it foretells of the observations that were
// not drawn for it; NaN for those that were.
type tree struct {
	leaves []leaf
	told   []float64
}

// grower grows one tree.
type grower struct {
	*space
	random   *rand.Rand
	smallest int // leaf
	tree
}

// grow fits a tree to observations drawn with replacement, as many as there are
// (Breiman, Random Forests, Machine Learning 45, 2001). It depends on (seed,
// index) alone.
func grow(s *space, seed, index uint64) tree {
	g := grower{space: s, random: rand.New(rand.NewPCG(seed, index)), smallest: max(smallestLeaf, int(leafShare*float64(len(s.values))))}
	g.told = make([]float64, len(s.values))
	drawn := make([]int32, len(s.values))
	for i := range drawn {
		drawn[i] = int32(g.random.IntN(len(drawn)))
		g.told[drawn[i]] = math.NaN()
	}
	var held []int32
	for i, v := range g.told {
		if !math.IsNaN(v) {
			held = append(held, int32(i))
		}
	}
	box := make([]uint64, len(s.axes))
	for j := range box {
		box[j] = s.axes[j].all()
	}
	g.split(drawn, held, box)
	return g.tree
}

// split cuts a box in two at the best place, and goes on with both halves. rows
// were drawn, held were not.
func (g *grower) split(rows, held []int32, box []uint64) {
	best := cut{axis: -1}
	if len(rows) >= 2*g.smallest {
		for _, j := range g.candidates(rows) {
			if c := g.cut(rows, j, box[j]); c.gain > best.gain {
				best = c
			}
		}
	}
	if best.axis < 0 {
		l := leaf{box, g.mean(rows)}
		g.leaves = append(g.leaves, l)
		for _, i := range held {
			g.told[i] = l.value
		}
		return
	}
	low, high := best.part(&g.axes[best.axis], rows)
	heldLow, heldHigh := best.part(&g.axes[best.axis], held)
	other := slices.Clone(box)
	box[best.axis] &= best.low
	other[best.axis] &^= best.low
	g.split(low, heldLow, box)
	g.split(high, heldHigh, other)
}

// candidates are the axes that a cut is chosen from, by chance: of those that all
// rows have, a share.
func (g *grower) candidates(rows []int32) []int {
	var all []int
	for j := range g.axes {
		level := g.axes[j].level
		if !slices.ContainsFunc(rows, func(i int32) bool { return level[i] < 0 }) {
			all = append(all, j)
		}
	}
	g.random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	return all[:int(tried*float64(len(all))+0.999)]
}

func (g *grower) mean(rows []int32) float64 {
	sum := 0.0
	for _, i := range rows {
		sum += g.values[i]
	}
	return sum / float64(len(rows))
}

// cut is where a box is cut in two.
type cut struct {
	axis int
	low  uint64  // the levels of one half
	gain float64 // by which the squared error falls
}

// part deals rows to both halves; those without the parameter go to the high one.
func (c cut) part(a *axis, rows []int32) (low, high []int32) {
	for _, i := range rows {
		if l := a.level[i]; l >= 0 && c.low>>l&1 == 1 {
			low = append(low, i)
		} else {
			high = append(high, i)
		}
	}
	return low, high
}

// cut finds the best cut of an axis within set. Categories are put in the order
// of their means, among whose cuts the best of all is (Breiman et al.,
// Classification and Regression Trees, 1984, theorem 4.5).
func (g *grower) cut(rows []int32, j int, set uint64) cut {
	a := &g.axes[j]
	var count, sum [maxLevels]float64
	total := 0.0
	for _, i := range rows {
		v := g.values[i]
		count[a.level[i]]++
		sum[a.level[i]] += v
		total += v
	}
	var seen []int
	for l := range a.weights {
		if count[l] > 0 {
			seen = append(seen, l)
		}
	}
	if !a.ordered {
		slices.SortStableFunc(seen, func(x, y int) int { return cmp.Compare(sum[x]/count[x], sum[y]/count[y]) })
	}
	best := cut{axis: -1}
	n, smallest := float64(len(rows)), float64(g.smallest)
	nLow, sumLow := 0.0, 0.0
	low := uint64(0)
	for k, l := range seen[:len(seen)-1] {
		nLow, sumLow, low = nLow+count[l], sumLow+sum[l], low|1<<l
		if nLow < smallest || n-nLow < smallest {
			continue
		}
		gain := sumLow*sumLow/nLow + (total-sumLow)*(total-sumLow)/(n-nLow) - total*total/n
		if gain > best.gain {
			best = cut{j, low, gain}
			if a.ordered { // what was not seen goes to what it is nearer to
				best.low = set & (1<<((l+seen[k+1]+1)/2) - 1)
			}
		}
	}
	if best.axis >= 0 && !a.ordered && 2*g.rowsIn(&count, best.low) > n {
		best.low |= set &^ mask(seen) // what was not seen goes with the most
	}
	return best
}

func (g *grower) rowsIn(count *[maxLevels]float64, set uint64) float64 {
	n := 0.0
	for ; set != 0; set &= set - 1 {
		n += count[bits.TrailingZeros64(set)]
	}
	return n
}

func mask(levels []int) uint64 {
	set := uint64(0)
	for _, l := range levels {
		set |= 1 << l
	}
	return set
}

// explained is the share of the variance of the values that trees foretell of
// observations that were not drawn for them.
func explained(s *space, grown []tree) float64 {
	mean, n := 0.0, float64(len(s.values))
	for _, v := range s.values {
		mean += v / n
	}
	wrong, all := 0.0, 0.0
	for i, v := range s.values {
		sum, told := 0.0, 0.0
		for _, t := range grown {
			if !math.IsNaN(t.told[i]) {
				sum, told = sum+t.told[i], told+1
			}
		}
		if told > 0 {
			wrong += (v - sum/told) * (v - sum/told)
			all += (v - mean) * (v - mean)
		}
	}
	return 1 - wrong/all
}
