package cpu

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// Apply is the textbook's sum at every level, and a row's bits are those it has
// alone.
func TestAffine(t *testing.T) {
	for _, simd := range Levels() {
		for _, size := range [][3]int{{1, 1, 1}, {7, 3, 2}, {8, 16, 32}, {9, 17, 33}, {300, 78, 78}, {65, 5, 64}} {
			t.Run(fmt.Sprint(simd, size), func(t *testing.T) { testAffine(t, simd, size[0], size[1], size[2]) })
		}
	}
}

func testAffine(t *testing.T, simd string, rows, cols, count int) {
	random := rand.New(rand.NewPCG(uint64(rows), uint64(cols)))
	fill := func(n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		return v
	}
	x, vectors, bias := fill(rows*cols), fill(count*cols), fill(count)
	a, err := NewAffine(simd, vectors, bias, cols)
	if err != nil {
		t.Fatal(err)
	}
	keptVectors, keptBias := slices.Clone(vectors), slices.Clone(bias)
	clear(vectors) // it keeps neither
	clear(bias)
	images := make([]float32, rows*count)
	a.Apply(images, x)
	sums := make([]float64, rows)
	a.SquareSums(sums, images)
	ofRows := make([]float64, rows)
	SquareSums(ofRows, x, cols)
	alone := make([]float32, count)
	for i := range rows {
		row, square := x[i*cols:(i+1)*cols], 0.0
		for j := range count {
			want, size := float64(keptBias[j]), math.Abs(float64(keptBias[j]))
			for k, v := range row {
				term := float64(v) * float64(keptVectors[j*cols+k])
				want, size = want+term, size+math.Abs(term)
			}
			got := float64(images[i*count+j])
			if !(math.Abs(got-want) <= float64(cols+2)*0x1p-24*size) {
				t.Fatalf("row %d, vector %d: %v, want %v", i, j, got, want)
			}
			square += got * got
		}
		if !(math.Abs(sums[i]-square) <= 1e-12*square) {
			t.Fatalf("row %d: sum of squares %v, want %v", i, sums[i], square)
		}
		square = 0
		for _, v := range row {
			square += float64(v) * float64(v)
		}
		if !(math.Abs(ofRows[i]-square) <= 1e-12*square) {
			t.Fatalf("row %d itself: sum of squares %v, want %v", i, ofRows[i], square)
		}
		if a.Apply(alone, row); !slices.Equal(alone, images[i*count:(i+1)*count]) {
			t.Fatalf("row %d alone has other bits", i)
		}
	}
}
