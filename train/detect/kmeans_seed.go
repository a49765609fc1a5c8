package detect

import (
	"context"
	"math"
	"math/rand/v2"
	"sort"

	"flowbench/data/parallel"
)

// seeding chooses centres among points, each with a probability that grows with
// the squared distance to those chosen before.
type seeding struct {
	*points
	weight []float64 // of each row; nil is 1
	random *rand.Rand
	at     []float32 // the chosen centres
	// nearest is the chosen centre that is nearest to a row, squared its squared
	// distance: 0 only where they are equal.
	nearest []int32
	squared []float32
}

func newSeeding(p *points, weight []float64, random *rand.Rand) *seeding {
	s := &seeding{points: p, weight: weight, random: random, nearest: make([]int32, p.rows), squared: make([]float32, p.rows)}
	for i := range s.squared {
		s.squared[i] = math.MaxFloat32
	}
	return s
}

// seedTrials is how many rows compete to be the next centre: 2 + ln k, the number
// that Arthur and Vassilvitskii (2007, section 6) tried and scikit-learn takes.
func seedTrials(k int) int { return 2 + int(math.Log(float64(k))) }

// plusPlus chooses k centres by greedy k-means++: of some rows drawn by their
// squared distance to the chosen ones, that which leaves the least sum of them.
// Where fewer rows are distinct, it returns those.
func (s *seeding) plusPlus(ctx context.Context, k int, progress Progress) ([]float32, error) {
	first := s.random.IntN(s.rows)
	if s.weight != nil {
		first = s.draw(s.cumulated(func(i int) float64 { return s.weight[i] }))
	}
	s.choose([]int32{int32(first)})
	for len(s.at) < k*s.cols {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sums := s.cumulated(s.cost)
		if sums[len(sums)-1] == 0 {
			break
		}
		candidates := make([]int32, seedTrials(k))
		for i := range candidates {
			candidates[i] = int32(s.draw(sums))
		}
		s.choose(candidates)
		if chosen := len(s.at) / s.cols; chosen%16 == 0 {
			progress.report("choosing centres", chosen, k)
		}
	}
	return s.at, nil
}

func (s *seeding) cost(i int) float64 {
	if s.weight == nil {
		return float64(s.squared[i])
	}
	return float64(s.squared[i]) * s.weight[i]
}

// cumulated is the running sum of a cost over strips of rows, then over the rows
// before each strip's end.
func (s *seeding) cumulated(cost func(i int) float64) []float64 {
	sums := make([]float64, s.rows)
	size := stripRows(s.rows)
	parallel.Blocks(s.rows, size, func(lo, hi int) {
		sum := 0.0
		for i := lo; i < hi; i++ {
			sum += cost(i)
			sums[i] = sum
		}
	})
	before := 0.0
	for lo := 0; lo < s.rows; lo += size {
		hi := min(lo+size, s.rows)
		total := sums[hi-1]
		for i := lo; i < hi; i++ {
			sums[i] += before
		}
		before += total
	}
	return sums
}

// draw takes a row with a probability of its part of the sums.
func (s *seeding) draw(sums []float64) int {
	total := sums[len(sums)-1]
	at := s.random.Float64() * total
	i := sort.Search(len(sums), func(i int) bool { return sums[i] > at })
	for i = min(i, len(sums)-1); i > 0 && sums[i] == sums[i-1]; i-- { // rounding at the end
	}
	return i
}

// candidates are rows that may become the next centre.
type candidates struct {
	at     []float32
	norm   []float64
	onto   *operand
	cutoff []float64 // by chosen centre: rows nearer to it stay with it
}

// pull is what the candidates would change in a strip of rows.
type pull struct {
	rows    []int32
	squared []float32 // rows×candidates
	gain    []float64 // by candidate
}

// choose takes the candidate that lowers the costs most, the first of equals, as
// a centre.
func (s *seeding) choose(rows []int32) {
	c := s.prepare(rows)
	size := stripRows(s.rows)
	pulls := make([]pull, (s.rows+size-1)/size)
	parallel.Blocks(s.rows, size, func(lo, hi int) { pulls[lo/size] = s.pulled(c, lo, hi) })
	winner, most := 0, math.Inf(-1)
	for i := range rows {
		gain := 0.0
		for _, p := range pulls {
			gain += p.gain[i]
		}
		if gain > most {
			winner, most = i, gain
		}
	}
	number := int32(len(s.at) / s.cols)
	s.at = append(s.at, c.at[winner*s.cols:(winner+1)*s.cols]...)
	parallel.Each(len(pulls), func(i int) {
		p := pulls[i]
		for j, row := range p.rows {
			if d := p.squared[j*len(rows)+winner]; d < s.squared[row] {
				s.squared[row], s.nearest[row] = d, number
			}
		}
	})
}

// prepare packs the candidates, and finds how near to a chosen centre a row has to
// be for none of them to be nearer: half of the way between centre and candidate.
func (s *seeding) prepare(rows []int32) *candidates {
	c := &candidates{at: s.gather(make([]float32, len(rows)*s.cols), rows)}
	bias := make([]float32, len(rows))
	for i, row := range rows {
		c.norm = append(c.norm, float64(s.norm[row]))
		bias[i] = -s.norm[row] / 2
	}
	c.onto = newOperand(c.at, bias, s.cols, len(rows))
	products := make([]float32, blockRows*len(rows))
	for chosen := s.at; len(chosen) > 0; {
		n := min(blockRows, len(chosen)/s.cols)
		c.onto.product(products, chosen, n)
		for i := range n {
			c.cutoff = append(c.cutoff, s.cutoff(chosen[i*s.cols:(i+1)*s.cols], c, products[i*len(rows):(i+1)*len(rows)]))
		}
		chosen = chosen[n*s.cols:]
	}
	return c
}

func (s *seeding) cutoff(centre []float32, c *candidates, products []float32) float64 {
	length := 0.0
	for _, v := range centre {
		length += float64(float64(v) * float64(v))
	}
	nearest := math.Inf(1)
	for i, p := range products {
		squared := length - 2*float64(p)
		// What rounding may have added to it and to the row's own distance.
		nearest = math.Min(nearest, squared/4-2*s.rounding()*(length+c.norm[i]))
	}
	return nearest
}

// pulled computes rows lo to hi as far as a candidate may be nearer.
func (s *seeding) pulled(c *candidates, lo, hi int) pull {
	count := len(c.norm)
	p := pull{gain: make([]float64, count)}
	for i := lo; i < hi; i++ {
		if len(c.cutoff) == 0 || !(float64(s.squared[i]) <= c.cutoff[s.nearest[i]]) {
			p.rows = append(p.rows, int32(i))
		}
	}
	p.squared = make([]float32, len(p.rows)*count)
	buffer := make([]float32, blockRows*s.cols)
	for at := 0; at < len(p.rows); at += blockRows {
		rows := p.rows[at:min(at+blockRows, len(p.rows))]
		x, squared := s.gather(buffer, rows), p.squared[at*count:(at+len(rows))*count]
		c.onto.product(squared, x, len(rows))
		for j, row := range rows {
			s.gains(c, p.gain, squared[j*count:(j+1)*count], x[j*s.cols:(j+1)*s.cols], row)
		}
	}
	return p
}

// gains turns the products of a row into squared distances, and adds to gain what
// each candidate would take off the row's cost.
func (s *seeding) gains(c *candidates, gain []float64, squared, x []float32, row int32) {
	for i, product := range squared {
		d := float64(s.norm[row]) - 2*float64(product)
		if d < 4*s.rounding()*(float64(s.norm[row])+c.norm[i]) {
			d = squaredDistance(x, c.at[i*s.cols:(i+1)*s.cols])
		}
		squared[i] = float32(d)
		if squared[i] < s.squared[row] {
			g := float64(s.squared[row]) - float64(squared[i])
			if s.weight != nil {
				g *= s.weight[row]
			}
			gain[i] += g
		}
	}
}

// seedRounds and seedFactor are those of k-means‖: five rounds of half as many
// rows as centres, the least that Bahmani et al. (2012, section 5) find as good as
// more.
const (
	seedRounds = 5
	seedFactor = 0.5
)

// scalable chooses k centres by k-means‖: in a few rounds every row becomes a
// candidate with a probability that grows with its squared distance to those
// before; weighted by the rows that are nearest to each, they are then thinned
// out by k-means++.
func (s *seeding) scalable(ctx context.Context, k int, progress Progress) ([]float32, error) {
	s.choose([]int32{int32(s.random.IntN(s.rows))})
	for round := range seedRounds {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sums := s.cumulated(s.cost)
		total := sums[len(sums)-1]
		if total == 0 {
			break
		}
		key := s.random.Uint64()
		var drawn []int32
		for i := range s.rows {
			if uniform(key, i)*total < seedFactor*float64(k)*float64(s.squared[i]) {
				drawn = append(drawn, int32(i))
			}
		}
		s.join(drawn)
		progress.report("choosing centres", round+1, seedRounds)
	}
	return s.thinned(ctx, k, progress)
}

// join makes all given rows centres.
func (s *seeding) join(rows []int32) {
	if len(rows) == 0 {
		return
	}
	at := s.gather(make([]float32, len(rows)*s.cols), rows)
	first, onto := int32(len(s.at)/s.cols), newPointSet(at, s.cols)
	s.at = append(s.at, at...)
	parallel.Blocks(s.rows, chunkRows, func(lo, hi int) {
		index, distance, buffer := make([]int32, hi-lo), make([]float32, hi-lo), make([]float32, (hi-lo)*s.cols)
		x := s.block(buffer, lo, hi-lo)
		onto.Nearest(index, distance, x)
		for i, d := range distance {
			row, c := lo+i, int(index[i])
			if float64(d) < 4*s.rounding()*(float64(s.norm[row])+float64(s.norm[rows[c]])) {
				d = float32(squaredDistance(x[i*s.cols:(i+1)*s.cols], at[c*s.cols:(c+1)*s.cols]))
			}
			if d < s.squared[row] {
				s.squared[row], s.nearest[row] = d, first+index[i]
			}
		}
	})
}

// thinned is k of the centres, by k-means++ with the rows of each as its weight.
func (s *seeding) thinned(ctx context.Context, k int, progress Progress) ([]float32, error) {
	weight := make([]float64, len(s.at)/s.cols)
	for _, c := range s.nearest {
		weight[c]++
	}
	p := &points{x: s.at, rows: len(weight), cols: s.cols, norm: make([]float32, len(weight)), largest: s.largest}
	p.measure(p.x, p.norm, make([]float64, p.rows), make([]uint32, s.cols))
	return newSeeding(p, weight, s.random).plusPlus(ctx, k, progress)
}

// uniform is a number in [0, 1) that is a function of both (Steele et al. 2014,
// SplitMix64).
func uniform(key uint64, i int) float64 {
	z := key + uint64(i+1)*0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return float64((z^z>>31)>>11) * 0x1p-53
}
