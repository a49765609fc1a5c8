package metric

import (
	"math"
	"math/bits"
)

// strata are the rows of one kind in groups, to be drawn from with replacement.
// The number of draws that fall on a block is binomial given those before it; a
// block of one group is done with that, a block of several small groups then
// draws row by row, within the nearest cache.
type strata struct {
	rows   int
	blocks []block
}

// block is a run of groups that is drawn together.
type block struct {
	rows          int
	first, groups int
	group         []int32 // the group of each row, first being 0; nil for one group
}

const (
	// A group of this size is a block: a binomial draw costs about 130 ns, as
	// much as so many rows do at 4 ns each (Xeon of 2.0 GHz).
	ownBlock = 32
	// Smaller groups share blocks of this many rows: 4 KiB of group numbers.
	sharedBlock = 1024
)

// newStrata cuts groups of the given sizes into blocks.
func newStrata(size []int32) strata {
	var s strata
	var open block
	flush := func(next int) {
		if open.groups > 0 {
			s.blocks = append(s.blocks, open)
		}
		open = block{first: next}
	}
	for g, n := range size {
		s.rows += int(n)
		if n >= ownBlock {
			flush(g + 1)
			s.blocks = append(s.blocks, block{rows: int(n), first: g, groups: 1})
			continue
		}
		for range n {
			open.group = append(open.group, int32(open.groups))
		}
		open.rows += int(n)
		open.groups++
		if open.rows >= sharedBlock {
			flush(g + 1)
		}
	}
	flush(len(size))
	return s
}

// draw draws as many rows as there are and counts them by group.
func (s strata) draw(count []int32, src *source) {
	left, pool := s.rows, s.rows
	for _, b := range s.blocks {
		k := left
		if b.rows < pool {
			k = src.binomial(left, float64(b.rows)/float64(pool))
		}
		if b.group == nil && b.groups == 1 {
			count[b.first] = int32(k)
		} else {
			drawRows(count[b.first:b.first+b.groups], b.group, k, src)
		}
		left -= k
		pool -= b.rows
	}
}

// drawRows draws k of the rows, one at a time, and counts them by group. An
// index is the high word of 32 random bits times n; the few low words that
// would favour some index are drawn again (Lemire 2019).
func drawRows(count, group []int32, k int, src *source) {
	clear(count)
	if k == 0 {
		return
	}
	n := uint32(len(group))
	reject := -n % n
	for k > 0 {
		word := src.next()
		for _, half := range [2]uint32{uint32(word), uint32(word >> 32)} {
			hi, lo := bits.Mul32(half, n)
			if lo < reject || k == 0 {
				continue
			}
			count[group[hi]]++
			k--
		}
	}
}

// source is the generator SplitMix64 (Steele, Lea, Flood 2014).
type source uint64

// newSource is the generator of resample i.
func newSource(seed uint64, i int) source { return source(mix(seed ^ mix(uint64(i)+1))) }

func (s *source) next() uint64 {
	*s += 0x9E3779B97F4A7C15
	return mix(uint64(*s))
}

func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// unit is uniform in the open interval (0, 1).
func (s *source) unit() float64 { return (float64(s.next()>>12) + 0.5) * 0x1p-52 }

// binomial draws the number of successes in n trials of probability p, in [0, 1).
func (s *source) binomial(n int, p float64) int {
	switch {
	case n == 0 || p == 0:
		return 0
	case p > 0.5:
		return n - s.binomial(n, 1-p)
	case float64(n)*p < 10:
		return s.binomialInverse(n, p)
	}
	return s.binomialReject(n, p)
}

// binomialInverse walks up the distribution from 0: n·p+1 steps on average.
func (s *source) binomialInverse(n int, p float64) int {
	odds := p / (1 - p)
	mass := math.Exp(float64(n) * math.Log1p(-p))
	u, k := s.unit(), 0
	for ; u > mass && k < n; k++ {
		u -= mass
		mass *= odds * float64(n-k) / float64(k+1)
	}
	return k
}

// binomialReject is Hörmann's transformed rejection (1993, algorithm BTRS), for
// p <= 1/2 and n·p >= 10: a table mountain around the mode covers the
// distribution, and 86 % or more of the pairs need no logarithm.
func (s *source) binomialReject(n int, p float64) int {
	total, odds := float64(n), p/(1-p)
	deviation := math.Sqrt(total * p * (1 - p))
	b := 1.15 + 2.53*deviation
	a := -0.0873 + 0.0248*b + 0.01*p
	centre, mode := total*p+0.5, math.Floor((total+1)*p)
	for {
		u, v := s.unit()-0.5, s.unit()
		edge := 0.5 - math.Abs(u)
		k := math.Floor((2*a/edge+b)*u + centre)
		if edge >= 0.07 && v <= 0.92-4.2/b {
			return int(k)
		}
		if k < 0 || k > total {
			continue
		}
		v *= (2.83 + 5.1/b) * deviation / (a/(edge*edge) + b)
		if math.Log(v) <= logChoose(total, k)-logChoose(total, mode)+(k-mode)*math.Log(odds) {
			return int(k)
		}
	}
}

// logChoose is the logarithm of n over k, less that of n!.
func logChoose(n, k float64) float64 {
	a, _ := math.Lgamma(k + 1)
	b, _ := math.Lgamma(n - k + 1)
	return -a - b
}
