package detect

import (
	"context"
	"math"
	"slices"
	"sync"

	"flowbench/data/parallel"
)

// lloyd is Lloyd's algorithm on points, with the bounds of Yinyang K-Means (Ding
// et al. 2015), which are Hamerly's (2010) where there is one group of centres:
// for each row an upper bound of the distance to its own centre, and for each
// group a lower bound of the distance to all others of it. Where the bounds say
// that computed distances could not show another centre nearer, rounding included,
// none is computed: the labels are to the bit those that all distances give.
//
// A centre's drift is how far it has moved since the start, and a group's the sum
// of the largest of each step. Bounds are kept as they would have been at the
// start, so that a step changes only those of the rows that it computes.
type lloyd struct {
	*points
	*centres
	tally *tally

	label []int32   // -1 before the first step
	upper []float32 // less the drift of the row's centre
	lower []float32 // rows×groups, plus the drift of the group

	drift, groupDrift []float64
	slack             float64 // points.rounding
	everything        bool    // ignore the bounds: what they must equal

	iterations int
	converged  bool
	squares    *float64 // inertia, once it is known
}

// chunkRows is how many rows a goroutine takes at a time: those of 78 columns are
// 640 KB, which a core's second cache holds.
const chunkRows = 2048

func newLloyd(p *points, c *centres) *lloyd {
	l := &lloyd{
		points: p, centres: c, tally: newTally(newExact(p), c.k),
		label: make([]int32, p.rows), upper: make([]float32, p.rows), lower: make([]float32, p.rows*len(c.groups)),
		drift: make([]float64, c.k), groupDrift: make([]float64, len(c.groups)), slack: p.rounding(),
	}
	for i := range l.label {
		l.forget(i)
		l.label[i] = -1
	}
	return l
}

// forget makes a row's bounds say nothing.
func (l *lloyd) forget(row int) {
	l.upper[row] = float32(math.Inf(1))
	g := len(l.groups)
	for i := range g {
		l.lower[row*g+i] = float32(math.Inf(-1))
	}
}

// recount makes the tally that of the labels.
func (l *lloyd) recount() {
	var mutex sync.Mutex
	l.tally = newTally(l.tally.exact, l.k)
	chunks := (l.rows + chunkRows - 1) / chunkRows
	eachWorker(chunks, func(next func() (int, bool)) {
		mine, buffer := newTally(l.tally.exact, l.k), make([]float32, l.cols)
		for i, ok := next(); ok; i, ok = next() {
			for row := i * chunkRows; row < min((i+1)*chunkRows, l.rows); row++ {
				mine.add(l.block(buffer, row, 1), l.label[row])
			}
		}
		mutex.Lock()
		defer mutex.Unlock()
		l.tally.merge(mine)
	})
}

// assign finds the nearest centre of every row, keeps the tally and returns how
// many rows moved.
func (l *lloyd) assign(ctx context.Context) (int, error) {
	moved := 0
	var mutex sync.Mutex
	chunks := (l.rows + chunkRows - 1) / chunkRows
	eachWorker(chunks, func(next func() (int, bool)) {
		s := newSearch(l)
		for i, ok := next(); ok && ctx.Err() == nil; i, ok = next() {
			s.chunk(i*chunkRows, min((i+1)*chunkRows, l.rows))
		}
		mutex.Lock()
		defer mutex.Unlock()
		moved += s.moved
		l.tally.merge(s.tally)
	})
	return moved, ctx.Err()
}

// search is one goroutine's part of a step.
type search struct {
	*lloyd
	tally   *tally // of the rows that moved
	moved   int
	open    []int32   // rows whose bounds do not decide
	wanting [][]int32 // open rows, by the group that has to be computed
	current []near    // of each row of the chunk
	buffer  []float32 // rows
	squares []float32 // distances to the nearest centre of a group,
	seconds []float32 // to the nearest but one,
	norms   []float32 // the squared lengths of rows,
	index   []int32   // and which the nearest is
}

func newSearch(l *lloyd) *search {
	return &search{
		lloyd: l, tally: newTally(l.tally.exact, l.k), wanting: make([][]int32, len(l.groups)), current: make([]near, chunkRows),
		buffer: make([]float32, blockRows*l.cols), squares: make([]float32, blockRows), seconds: make([]float32, blockRows), norms: make([]float32, blockRows), index: make([]int32, blockRows),
	}
}

// chunk settles rows lo to hi.
func (s *search) chunk(lo, hi int) {
	if len(s.groups) == 1 {
		for ; lo < hi; lo += blockRows {
			s.only(lo, min(lo+blockRows, hi))
		}
		return
	}
	s.openRows(lo, hi)
	s.ownGroups(lo)
	s.otherGroups(lo)
	for _, i := range s.open {
		if found := s.current[int(i)-lo]; s.settle(i, found) {
			s.move(i, found.index, s.gather(s.buffer, []int32{i}))
		}
	}
}

// openRows finds the rows that bounds do not decide.
func (s *search) openRows(lo, hi int) {
	s.open = s.open[:0]
	if len(s.groups) == 1 && !s.everything && s.label[lo] >= 0 {
		s.openOfOne(lo, hi)
		return
	}
	for i := lo; i < hi; i++ {
		if s.label[i] < 0 || s.everything || !s.decided(i) {
			s.open = append(s.open, int32(i))
		}
	}
}

// openOfOne is openRows for one group of centres once rows have labels: decided,
// with all that rows share in registers.
func (s *search) openOfOne(lo, hi int) {
	label, upper, lower, norm := s.label[lo:hi], s.upper[lo:hi], s.lower[lo:hi], s.norm[lo:hi]
	drift, moved, slack, reach := s.drift, s.groupDrift[0], s.slack, s.reach
	for i, bound := range lower {
		u, l := float64(upper[i])+drift[label[i]], float64(bound)-moved
		if !(l > 0 && l*l > u*u+2*slack*(float64(norm[i])+reach)) {
			s.open = append(s.open, int32(lo+i))
		}
	}
}

// only settles rows lo to hi, at most blockRows, of the only group. Where most
// are open, all are computed: that costs less than to pick them out.
func (s *search) only(lo, hi int) {
	s.openRows(lo, hi)
	if len(s.open) > (hi-lo)*2/3 {
		s.open = s.open[:0]
		for i := lo; i < hi; i++ {
			s.open = append(s.open, int32(i))
		}
	}
	if len(s.open) == 0 {
		return
	}
	x := s.rowsOf(s.open)
	index, squares, seconds := s.index[:len(s.open)], s.squares[:len(s.open)], s.seconds[:len(s.open)]
	s.groups[0].TwoNearest(index, squares, seconds, x, s.normsOf(s.open))
	for at, i := range s.open {
		found := near{squares[at], index[at]}
		s.bound(i, 0, seconds[at])
		if s.settle(i, found) {
			s.move(i, found.index, x[at*s.cols:(at+1)*s.cols])
		}
	}
}

// margin is what two computed squared distances of a row may be off together.
func (l *lloyd) margin(row int) float64 { return 2 * l.slack * (float64(l.norm[row]) + l.reach) }

// decided says whether the bounds leave a row where it is. NaN decides nothing.
func (l *lloyd) decided(row int) bool {
	u := float64(l.upper[row]) + l.drift[l.label[row]]
	limit := u*u + l.margin(row)
	groups := len(l.groups)
	for g, bound := range l.lower[row*groups : (row+1)*groups] {
		if !out(float64(bound)-l.groupDrift[g], limit) {
			return false
		}
	}
	return true
}

// out says whether centres at least a distance away are beyond a squared limit.
func out(distance, limit float64) bool { return distance > 0 && distance*distance > limit }

// ownGroups computes the group of each open row's centre, or the first.
func (s *search) ownGroups(lo int) {
	for _, i := range s.open {
		g := 0
		if s.label[i] >= 0 {
			g = int(s.label[i]) / groupSize
		}
		s.wanting[g] = append(s.wanting[g], i)
	}
	s.compute(func(g int, rows []int32, x []float32) {
		index, squares, seconds := s.index[:len(rows)], s.squares[:len(rows)], s.seconds[:len(rows)]
		s.groups[g].TwoNearest(index, squares, seconds, x, s.normsOf(rows))
		for i, row := range rows {
			s.current[int(row)-lo] = near{squares[i], index[i] + int32(g*groupSize)}
			s.bound(row, g, seconds[i])
		}
	})
}

// otherGroups computes the groups that may hold a nearer centre than the row's own.
func (s *search) otherGroups(lo int) {
	groups := len(s.groups)
	if groups == 1 {
		return
	}
	for _, i := range s.open {
		current := s.current[int(i)-lo]
		own := int(current.index) / groupSize
		limit := float64(current.distance) + s.margin(int(i))
		for g, bound := range s.lower[int(i)*groups : (int(i)+1)*groups] {
			if g != own && (s.everything || !out(float64(bound)-s.groupDrift[g], limit)) {
				s.wanting[g] = append(s.wanting[g], i)
			}
		}
	}
	s.compute(func(g int, rows []int32, x []float32) {
		index, squares, seconds := s.index[:len(rows)], s.squares[:len(rows)], s.seconds[:len(rows)]
		s.groups[g].TwoNearest(index, squares, seconds, x, s.normsOf(rows))
		for i, row := range rows {
			current, found := &s.current[int(row)-lo], near{squares[i], index[i] + int32(g*groupSize)}
			if !found.before(*current) {
				s.bound(row, g, found.distance)
				continue
			}
			s.bound(row, int(current.index)/groupSize, current.distance)
			*current = found
			s.bound(row, g, seconds[i])
		}
	})
}

// normsOf is the squared lengths of rows, valid until the next call.
func (s *search) normsOf(rows []int32) []float32 {
	for i, r := range rows {
		s.norms[i] = s.norm[r]
	}
	return s.norms[:len(rows)]
}

// compute hands out the rows that want each group, a block at a time, and clears
// what was wanted.
func (s *search) compute(take func(group int, rows []int32, x []float32)) {
	for g, rows := range s.wanting {
		for len(rows) > 0 {
			n := min(blockRows, len(rows))
			take(g, rows[:n], s.rowsOf(rows[:n]))
			rows = rows[n:]
		}
		s.wanting[g] = s.wanting[g][:0]
	}
}

// rowsOf is the given rows, which ascend, one after the other.
func (s *search) rowsOf(rows []int32) []float32 {
	if first, n := int(rows[0]), len(rows); int(rows[n-1])-first == n-1 {
		return s.block(s.buffer, first, n)
	}
	return s.gather(s.buffer, rows)
}

// bound keeps what the least squared distance to the centres of a group, all but
// the row's own, says: none is nearer.
func (l *lloyd) bound(row int32, group int, squared float32) {
	distance := math.Sqrt(math.Max(float64(squared)-l.margin(int(row))/2, 0))
	l.lower[int(row)*len(l.groups)+group] = float32Below(distance + l.groupDrift[group])
}

// settle keeps the distance to the nearest centre of a row, and says whether that
// is another one than before.
func (s *search) settle(row int32, found near) bool {
	distance := math.Sqrt(float64(found.distance) + s.margin(int(row))/2)
	s.upper[row] = float32Above(distance - s.drift[found.index])
	return s.label[row] != found.index
}

// move puts a row, which is x, into another cluster.
func (s *search) move(row, to int32, x []float32) {
	if was := s.label[row]; was >= 0 {
		s.tally.remove(x, was)
	}
	s.tally.add(x, to)
	s.label[row] = to
	s.moved++
}

// float32Below and float32Above round outwards, by a little more than needed.
func float32Below(v float64) float32 { return float32(v - math.Abs(v)*0x1p-22) }
func float32Above(v float64) float32 { return float32(v + math.Abs(v)*0x1p-22) }

// update moves the centres to the means of their rows, gives those without rows
// one far from its centre, and returns the sum of the squared ways.
func (l *lloyd) update() float64 {
	l.repair()
	at := slices.Clone(l.at)
	for c := range l.k {
		if l.tally.count[c] > 0 {
			l.tally.mean(at[c*l.cols:(c+1)*l.cols], c)
		}
	}
	total, most := 0.0, make([]float64, len(l.groups))
	for c := range l.k {
		squared := squaredDistance(at[c*l.cols:(c+1)*l.cols], l.centre(c))
		total += squared
		// With more than sqrt and sum can lose.
		way := math.Sqrt(squared) * (1 + 1e-9)
		l.drift[c] += way
		most[c/groupSize] = math.Max(most[c/groupSize], way)
	}
	for g, way := range most {
		l.groupDrift[g] += way
	}
	l.centres = newCentres(at, l.cols)
	return total
}

// repair gives every cluster without rows the row that is farthest from its
// centre, of a cluster with others, the first of equals; as scikit-learn does.
func (l *lloyd) repair() {
	var empty []int32
	for c, n := range l.tally.count {
		if n == 0 {
			empty = append(empty, int32(c))
		}
	}
	if len(empty) == 0 {
		return
	}
	distance := l.distances()
	order := make([]int32, l.rows)
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		switch {
		case distance[a] > distance[b]:
			return -1
		case distance[a] < distance[b]:
			return 1
		}
		return 0
	})
	buffer := make([]float32, l.cols)
	for _, row := range order {
		if len(empty) == 0 || distance[row] == 0 {
			return
		}
		if l.tally.count[l.label[row]] < 2 {
			continue
		}
		x := l.gather(buffer, []int32{row})
		l.tally.remove(x, l.label[row])
		l.tally.add(x, empty[0])
		l.label[row] = empty[0]
		l.forget(int(row))
		empty = empty[1:]
	}
}

// distances are the squared distances of the rows to their centres.
func (l *lloyd) distances() []float64 {
	d := make([]float64, l.rows)
	parallel.Blocks(l.rows, chunkRows, func(lo, hi int) {
		buffer := make([]float32, l.cols)
		for i := lo; i < hi; i++ {
			d[i] = squaredDistance(l.block(buffer, i, 1), l.centre(int(l.label[i])))
		}
	})
	return d
}

// inertia is the sum of the squared distances of the rows to their centres.
func (l *lloyd) inertia() float64 {
	if l.squares == nil {
		sum := 0.0
		for _, d := range l.distances() {
			sum += d
		}
		l.squares = &sum
	}
	return *l.squares
}

// meanVariance is the mean of the columns' variances, once every row has a cluster.
func (l *lloyd) meanVariance() float64 {
	square := 0.0
	for _, v := range l.norm {
		square += float64(v)
	}
	n := float64(l.rows)
	for j := range l.cols {
		sum := 0.0
		for c := range l.k {
			sum += float64(l.tally.sum[c*l.cols+j]) / l.tally.scale[j]
		}
		square -= sum / n * sum
	}
	return math.Max(square, 0) / n / float64(l.cols)
}
