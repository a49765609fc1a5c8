package detect

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// sketchDepth is how many numbers a sketch has at the most: with the one that a
// probe adds, an AVX-512 register. Of 818,520 rows of 78 columns sketches of 8,
// 16, 24 and 32 numbers leave 16,921, 742, 100 and 36 rows for each row to be
// looked at in full for those within 3; beyond 16 the products cost more than
// that saves.
const sketchDepth = 15

// sketcher maps rows to sketches: few numbers, such that no two sketches are
// farther apart than scale times the distance of their rows. Rows of many
// columns are turned to the principal axes of a sample; the sketch is their
// first coordinates and the length of all others. That is a lower bound
// whatever the axes are as long as they are orthonormal, so that nothing but
// speed hangs on the sample.
type sketcher struct {
	cols, depth int
	scale       float64   // a power of two that brings the sample to about 1
	mean        []float64 // of the sample
	axes        []float64 // (depth-1)×cols, nil where the sketch is the row
}

// sketchSample is how many rows at the most the axes are taken from; 8,192 rows
// of 78 columns take 25 ms and give the axes of 818,520 but for a percent of
// what they hold.
const sketchSample = 8192

// newSketcher learns from every few of the rows of x.
func newSketcher(x []float32, cols int) *sketcher {
	rows := len(x) / cols
	s := &sketcher{cols: cols, depth: min(cols, sketchDepth), mean: make([]float64, cols)}
	step := (rows + sketchSample - 1) / sketchSample
	count := 0
	for i := 0; i < rows; i += step {
		for j, v := range x[i*cols:][:cols] {
			s.mean[j] += float64(v)
		}
		count++
	}
	for j := range s.mean {
		s.mean[j] /= float64(count)
	}
	largest := 0.0
	for i := 0; i < rows; i += step {
		for j, v := range x[i*cols:][:cols] {
			largest = max(largest, math.Abs(float64(v)-s.mean[j]))
		}
	}
	_, exponent := math.Frexp(largest)
	s.scale = math.Ldexp(1, -exponent)
	if cols > sketchDepth {
		s.axes = s.principal(x, step)
	}
	return s
}

// principal returns the first axes of the covariance of the sampled rows.
func (s *sketcher) principal(x []float32, step int) []float64 {
	cols, rows := s.cols, len(x)/s.cols
	covariance := make([]float64, cols*cols)
	row := make([]float64, cols)
	for i := 0; i < rows; i += step {
		s.centre(row, x[i*cols:][:cols])
		for a, v := range row {
			to := covariance[a*cols+a:][:cols-a]
			for b, w := range row[a:] {
				to[b] += float64(v * w)
			}
		}
	}
	kept := s.depth - 1
	axes := make([]float64, kept*cols)
	var eigen mat.EigenSym
	if !eigen.Factorize(mat.NewSymDense(cols, covariance), true) {
		for k := range kept { // any orthonormal axes will do
			axes[k*cols+k] = 1
		}
		return axes
	}
	var vectors mat.Dense
	eigen.VectorsTo(&vectors)
	for k := range kept { // values ascend
		mat.Col(axes[k*cols:][:cols], cols-1-k, &vectors)
	}
	return axes
}

// centre writes row less the mean, scaled, to dst.
func (s *sketcher) centre(dst []float64, row []float32) {
	for j, v := range row {
		dst[j] = (float64(v) - s.mean[j]) * s.scale
	}
}

// farthest bounds a sketch's numbers, so that the squares of rows that lie far
// beyond the sample stay finite. To bound a coordinate never adds to a distance.
const farthest = 1 << 40

// sketch writes a row's sketch to dst. centred is memory for cols numbers.
func (s *sketcher) sketch(dst []float32, row []float32, centred []float64) {
	s.centre(centred, row)
	if s.axes == nil {
		for j, v := range centred {
			dst[j] = float32(min(max(v, -farthest), farthest))
		}
		return
	}
	rest := 0.0
	for _, v := range centred {
		rest += float64(v * v)
	}
	for k := range s.depth - 1 {
		sum := wideDot(s.axes[k*s.cols:][:s.cols], centred)
		rest -= float64(sum * sum)
		dst[k] = float32(min(max(sum, -farthest), farthest))
	}
	dst[s.depth-1] = float32(min(math.Sqrt(max(rest, 0)), farthest))
}

// wideDot is Σ a[i]·b[i] in four interleaved sums.
func wideDot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += float64(a[i] * b[i])
		s1 += float64(a[i+1] * b[i+1])
		s2 += float64(a[i+2] * b[i+2])
		s3 += float64(a[i+3] * b[i+3])
	}
	for ; i < len(a); i++ {
		s0 += float64(a[i] * b[i])
	}
	return s0 + s1 + s2 + s3
}

// bound is the squared distance between sketches beyond which no two rows are
// within squared distance d2 of each other, but for the share slack of the
// sketches' own squared lengths.
//
// A sketch q, rounded to float32 from q', is off by e ≤ 2⁻²³·|q|, the error of
// its last number included. With D the rows' distance and E = e₁+e₂,
// |q₁-q₂|² ≤ (D+E)² ≤ D²(1+2⁻²⁰) + E²(1+2²⁰) and E² ≤ 2⁻⁴⁵(|q₁|²+|q₂|²), so that
// 2⁻²⁴ of the lengths cover it. cpu.Points adds (2·depth+10)·2⁻²⁴ of them.
func (s *sketcher) bound(d2 float64) float32 {
	return float32(min(d2*s.scale*s.scale*(1+1.0/(1<<19)), math.MaxFloat32/16)) + math.SmallestNonzeroFloat32
}

// slack: see bound. It leaves as much again for the distances between boxes.
func (s *sketcher) slack() float64 { return float64(2*s.depth+40) / (1 << 24) }

// distance2 is the squared distance of two rows, summed in float64 in four
// interleaved sums; or any number above limit where it is above.
func distance2(a, b []float32, limit float64) float64 {
	var s0, s1, s2, s3 float64
	b = b[:len(a)]
	i := 0
	for ; i+8 <= len(a); i += 8 {
		u, v := a[i:i+8:i+8], b[i:i+8:i+8]
		d0, d1 := float64(u[0])-float64(v[0]), float64(u[1])-float64(v[1])
		d2, d3 := float64(u[2])-float64(v[2]), float64(u[3])-float64(v[3])
		s0 += float64(d0 * d0)
		s1 += float64(d1 * d1)
		s2 += float64(d2 * d2)
		s3 += float64(d3 * d3)
		d0, d1 = float64(u[4])-float64(v[4]), float64(u[5])-float64(v[5])
		d2, d3 = float64(u[6])-float64(v[6]), float64(u[7])-float64(v[7])
		s0 += float64(d0 * d0)
		s1 += float64(d1 * d1)
		s2 += float64(d2 * d2)
		s3 += float64(d3 * d3)
		if sum := s0 + s1 + (s2 + s3); sum > limit {
			return sum
		}
	}
	for ; i < len(a); i++ {
		d := float64(a[i]) - float64(b[i])
		s0 += float64(d * d)
	}
	return s0 + s1 + (s2 + s3)
}

// sameRows says whether two rows are equal, -0 and 0 included.
func sameRows(a, b []float32) bool { return slices.Equal(a, b) }
