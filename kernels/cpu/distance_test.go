package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// distanceCase measures rows of x to points at every level.
type distanceCase struct {
	cols      int
	x, points []float32
}

func (c distanceCase) open(t testing.TB, l level) *Points {
	t.Helper()
	p, err := NewPoints(l.String(), len(c.points)/c.cols+3, c.cols)
	if err != nil {
		t.Fatal(err)
	}
	p.Set(make([]float32, c.cols*p.most)) // what a smaller set must not see
	p.Set(c.points)
	return p
}

// exact is the squared distance of row i to point j in float64, and ‖x‖²+‖y‖².
func (c distanceCase) exact(i, j int) (distance, norms float64) {
	x, y := c.x[i*c.cols:][:c.cols], c.points[j*c.cols:][:c.cols]
	for k := range x {
		a, b := float64(x[k]), float64(y[k])
		distance += (a - b) * (a - b)
		norms += a*a + b*b
	}
	return distance, norms
}

func (c distanceCase) check(t testing.TB, l level) []float32 {
	t.Helper()
	p, n := c.open(t, l), len(c.x)/c.cols
	what := fmt.Sprintf("%v: %d rows, %d points of %d", l, n, p.Len(), c.cols)
	d, x := newFenced(n*p.Len()), fencedCopy(c.x)
	p.Distances(d.v, x.v)
	d.check(t, what)
	sameBits(t, what+": x afterwards", x.v, c.x)
	for i := range n {
		for j := range p.Len() {
			want, norms := c.exact(i, j)
			got := float64(d.v[i*p.Len()+j])
			if norms < math.MaxFloat32/4 && !(math.Abs(got-want) <= float64(2*c.cols+8)*0x1p-24*norms+1e-44*float64(c.cols)) || got < 0 {
				t.Fatalf("%s: row %d to point %d is %v, want %v", what, i, j, got, want)
			}
		}
	}
	c.checkNearest(t, what, p, d.v)
	c.checkTwoNearest(t, what, p, d.v)
	for _, radius := range []float32{0, d.v[0], 2, 1e9} {
		if radius < float32(math.Inf(1)) {
			c.checkWithin(t, what, p, d.v, radius)
		}
	}
	return d.v
}

// checkNearest wants the first of the least of d.
func (c distanceCase) checkNearest(t testing.TB, what string, p *Points, d []float32) {
	t.Helper()
	n := len(c.x) / c.cols
	index, distance := make([]int32, n+1), newFenced(n)
	index[n] = -7
	p.Nearest(index[:n:n], distance.v, c.x)
	for i := range n {
		best, least := int32(0), float32(math.Inf(1))
		for j, v := range d[i*p.Len():][:p.Len()] {
			if v < least {
				best, least = int32(j), v
			}
		}
		norm := float32(0)
		for _, v := range c.x[i*c.cols:][:c.cols] {
			norm += v * 0
			if v != v {
				least = v
			}
		}
		if index[i] != best || distance.v[i] != least && !(least != least && distance.v[i] != distance.v[i]) {
			t.Fatalf("%s: nearest to row %d is %d at %v, want %d at %v", what, i, index[i], distance.v[i], best, least)
		}
	}
	if index[n] != -7 {
		t.Fatalf("%s: an index too many was written", what)
	}
	distance.check(t, what)
	without := make([]int32, n)
	p.Nearest(without, nil, c.x)
	for i := range without {
		if without[i] != index[i] {
			t.Fatalf("%s: without distances row %d goes to %d", what, i, without[i])
		}
	}
}

// checkTwoNearest wants what Nearest finds, and the least of d but that one.
func (c distanceCase) checkTwoNearest(t testing.TB, what string, p *Points, d []float32) {
	t.Helper()
	for _, v := range d {
		if v != v {
			return // not for NaN
		}
	}
	n := len(c.x) / c.cols
	index, want, wantDistance := make([]int32, n), make([]int32, n), make([]float32, n)
	p.Nearest(want, wantDistance, c.x)
	distance, second := newFenced(n), newFenced(n)
	norms := make([]float32, n)
	p.level.norms(norms, c.x, c.cols)
	p.TwoNearest(index, distance.v, second.v, c.x, norms)
	for i := range n {
		next := float32(math.Inf(1))
		for j, v := range d[i*p.Len():][:p.Len()] {
			if int32(j) != want[i] {
				next = min(next, v)
			}
		}
		if index[i] != want[i] || distance.v[i] != wantDistance[i] || second.v[i] != next {
			t.Fatalf("%s: row %d goes to %d at %v, then %v; want %d at %v, then %v",
				what, i, index[i], distance.v[i], second.v[i], want[i], wantDistance[i], next)
		}
	}
	distance.check(t, what)
	second.check(t, what)
}

func (c distanceCase) checkWithin(t testing.TB, what string, p *Points, d []float32, radius float32) {
	t.Helper()
	n, words := len(c.x)/c.cols, p.Words()
	bits := make([]uint64, n*words+1)
	for i := range bits {
		bits[i] = 0xA5A5A5A5A5A5A5A5
	}
	p.Within(bits[:n*words:n*words], c.x, radius)
	for i := range n {
		for j := range words * 64 {
			want := j < p.Len() && d[i*p.Len()+min(j, p.Len()-1)] <= radius
			if got := bits[i*words+j/64]>>(j%64)&1 != 0; got != want {
				t.Fatalf("%s: row %d, point %d within %v: %v, want %v", what, i, j, radius, got, want)
			}
		}
	}
	if bits[n*words] != 0xA5A5A5A5A5A5A5A5 {
		t.Fatalf("%s: a word too many was written", what)
	}
}

func TestDistances(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for i, cols := range []int{1, 2, 3, 15, 16, 17, 31, 33, 78} {
		for j, k := range []int{1, 2, 8, 15, 16, 17, 33, 64, 127, 128, 129, 300} {
			n := []int{1, 2, 7, 8, 9, 63, 64, 65, 130}[(i+j)%9]
			c := distanceCase{cols: cols, x: normals(rng, n*cols), points: normals(rng, k*cols)}
			copy(c.x, c.points[(k-1)*cols:])                              // a row that is a point
			copy(c.points[k/2*cols:], c.points[:min(cols, (k-k/2)*cols)]) // two points alike
			if j%3 == 0 {
				c.x[len(c.x)-1], c.points[len(c.points)-1] = 1e9, 1e9
				c.x[0], c.points[0] = 1e-9, -1e-9
			}
			var last []float32
			for l := plain; l <= highest(); l++ {
				d := c.check(t, l)
				if l == avx512 {
					sameBits(t, "AVX-512 beside AVX2", d, last)
				}
				last = d
			}
		}
	}
}

// x to y must be y to x, to the bit, and a row's distances must not depend on
// what stands beside it.
func TestDistancesAreSymmetric(t *testing.T) {
	const n, cols = 70, 19
	rng := rand.New(rand.NewPCG(25, 26))
	c := distanceCase{cols: cols, x: normals(rng, n*cols)}
	c.points = c.x
	for l := plain; l <= highest(); l++ {
		d := c.check(t, l)
		for i := range n {
			for j := range i {
				if d[i*n+j] != d[j*n+i] {
					t.Fatalf("%v: %d to %d is %v, back %v", l, i, j, d[i*n+j], d[j*n+i])
				}
			}
			alone := make([]float32, n)
			c.open(t, l).Distances(alone, c.x[i*cols:][:cols])
			sameBits(t, fmt.Sprintf("%v: row %d alone", l, i), alone, d[i*n:][:n])
		}
	}
}

func TestDistancesOfNonFinite(t *testing.T) {
	rng := rand.New(rand.NewPCG(27, 28))
	for l := plain; l <= highest(); l++ {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.MaxFloat32} {
			c := distanceCase{cols: 5, x: normals(rng, 9*5), points: normals(rng, 20*5)}
			c.x[3*5+2], c.points[7*5+1] = bad, bad
			p := c.open(t, l)
			d := make([]float32, 9*20)
			p.Distances(d, c.x)
			for i, v := range d {
				if hit := i/20 == 3 || i%20 == 7; (v-v != 0) != hit {
					t.Errorf("%v: with %v in row 3 and point 7, row %d to point %d is %v", l, bad, i/20, i%20, v)
				}
			}
			c.checkNearest(t, l.String(), p, d)
			c.checkWithin(t, l.String(), p, d, 3)
		}
	}
}

func TestDistancesAllocateNothing(t *testing.T) {
	c := distanceCase{cols: 9, x: make([]float32, 90), points: make([]float32, 9*140)}
	p := c.open(t, highest())
	d, index, bits := make([]float32, 10*140), make([]int32, 10), make([]uint64, 10*p.Words())
	least, second := make([]float32, 10), make([]float32, 10)
	if n := testing.AllocsPerRun(5, func() {
		p.Set(c.points)
		p.Distances(d, c.x)
		p.Nearest(index, d[:10], c.x)
		p.TwoNearest(index, least, second, c.x, d[:10])
		p.Within(bits, c.x, 1)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzDistances(f *testing.F) {
	f.Add(uint8(9), uint8(5), uint8(17), []byte{0, 0, 128, 63, 0, 0, 0, 64})
	f.Add(uint8(3), uint8(8), uint8(140), []byte{40, 107, 110, 78, 95, 112, 137, 48, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, n, cols, k uint8, data []byte) {
		c := distanceCase{cols: int(cols)%40 + 1}
		next := numbers(data)
		c.x, c.points = next((int(n)%70+1)*c.cols), next((int(k)+1)*c.cols)
		for _, v := range [][]float32{c.x, c.points} {
			for i := range v {
				if !(math.Abs(float64(v[i])) < 1e15) {
					v[i] = 1
				}
			}
		}
		var last []float32
		for l := plain; l <= highest(); l++ {
			d := c.check(t, l)
			if l == avx512 {
				sameBits(t, "AVX-512 beside AVX2", d, last)
			}
			last = d
		}
	})
}

// gramCase is a weighted sum of outer products at every level.
type gramCase struct {
	cols              int
	x, shift, weights []float32
}

func (c gramCase) check(t testing.TB, l level) []float64 {
	t.Helper()
	g, err := NewGram(l.String(), c.cols)
	if err != nil {
		t.Fatal(err)
	}
	what, d := fmt.Sprintf("%v: %d rows of %d", l, len(c.x)/c.cols, c.cols), c.cols
	got := make([]float64, d*d)
	g.Add(c.x, nil, nil)
	g.Reset()
	g.Add(c.x, c.shift, c.weights)
	g.Sum(got)
	want, size := make([]float64, d*d), make([]float64, d*d)
	for i := range len(c.x) / d {
		weight := 1.0
		if c.weights != nil {
			weight = float64(c.weights[i])
		}
		for e := range want {
			a, b := c.x[i*d+e/d], c.x[i*d+e%d]
			if c.shift != nil {
				a, b = a-c.shift[e/d], b-c.shift[e%d]
			}
			term := weight * float64(a) * float64(b)
			want[e] += term
			size[e] += math.Abs(term)
		}
	}
	for e := range want {
		if !(math.Abs(got[e]-want[e]) <= 258*0x1p-24*size[e]+1e-43*float64(len(c.x))) {
			t.Fatalf("%s: element %d,%d is %v, want %v", what, e/d, e%d, got[e], want[e])
		}
	}
	return got
}

func TestGram(t *testing.T) {
	rng := rand.New(rand.NewPCG(29, 30))
	for i, cols := range widths {
		n := []int{1, 2, 63, 65, 256, 257, 600}[i%7]
		c := gramCase{cols: cols, x: normals(rng, n*cols)}
		if i%2 == 0 {
			c.shift = normals(rng, cols)
		}
		if i%3 == 0 {
			c.weights = normals(rng, n)
		}
		c.x[0], c.x[len(c.x)-1] = 1e9, 1e-9
		var last []float64
		for l := plain; l <= highest(); l++ {
			sum := c.check(t, l)
			for e := range sum {
				if l == avx512 && sum[e] != last[e] {
					t.Fatalf("%d columns: AVX-512 gives %v, AVX2 %v", cols, sum[e], last[e])
				}
			}
			last = sum
		}
	}
}

func BenchmarkNearest(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, k := range []int{8, 64, 1000} {
		b.Run(fmt.Sprintf("points=%d", k), func(b *testing.B) {
			const n, cols = 4096, 78
			c := distanceCase{cols: cols, x: normals(rng, n*cols), points: normals(rng, k*cols)}
			p, index, d := c.open(b, highest()), make([]int32, n), make([]float32, n)
			for b.Loop() {
				p.Nearest(index, d, c.x)
			}
			b.ReportMetric(float64(b.N)*n*float64(2*k*cols)/float64(b.Elapsed().Nanoseconds()), "GFlop/s")
		})
	}
}

func BenchmarkGram(b *testing.B) {
	const n, cols = 4096, 78
	x := normals(rand.New(rand.NewPCG(1, 2)), n*cols)
	g, err := NewGram("auto", cols)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		g.Add(x, nil, nil)
	}
	b.ReportMetric(float64(b.N)*n*cols*cols*2/float64(b.Elapsed().Nanoseconds()), "GFlop/s")
}
