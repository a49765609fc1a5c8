package ledger_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"flowbench/data/ledger"
	"flowbench/data/schema"

	"github.com/google/go-cmp/cmp"
)

// TestParts counts rows in one go and in parts of every length, several of them
// started at once: the ledgers are the same, signs of zeros and all.
func TestParts(t *testing.T) {
	const cols, rows = 7, 60
	r := rand.New(rand.NewPCG(1, 2))
	nan, minusZero := float32(math.NaN()), float32(math.Copysign(0, -1))
	choice := []float32{0, minusZero, 0, 1, 1, 2, -1, -2.5, 1e-45, math.MaxFloat32, nan}
	features := make([]float32, rows*cols)
	for i := range features {
		features[i] = choice[r.IntN(2+i/40%len(choice))%len(choice)] // the first rows hold little else than zeros
		if i%cols == 0 {
			features[i] = choice[r.IntN(2)] // the least value is a zero of either sign
		}
		if j := i % cols; j == 3 || j == 5 {
			features[i] = features[i-j+2] // columns that stay equal
		}
	}
	names := []string{"a", "init_win_bytes_forward", "c", "d", "e", "f", "g"}
	labels := []string{"BENIGN", "Bot"}
	one := ledger.NewBuilder(names, labels, schema.AttemptedKeep)
	file := one.File("a.csv", "form")
	for i := range rows {
		keepOrDrop(i, features[i*cols:][:cols], file.Keep, func(row []float32) { one.Observe(row) }, func(label int, reason string) { file.Drop(label, reason, int64(i+1)) })
	}
	want := one.Ledger()
	for length := 1; length <= rows; length++ {
		b := ledger.NewBuilder(names, labels, schema.AttemptedKeep)
		file := b.File("a.csv", "form")
		ring := []*ledger.Part{b.NewPart(), b.NewPart(), b.NewPart()}
		for first := 0; first < rows; first += length * len(ring) {
			for _, p := range ring {
				b.Start(p)
			}
			for k, p := range ring {
				from := min(first+k*length, rows)
				to := min(from+length, rows)
				for i := from; i < to; i++ {
					keepOrDrop(i, features[i*cols:][:cols], p.Keep, p.Observe, func(label int, reason string) { p.Drop(label, reason, int64(i-from+1)) })
				}
				file.Add(p, int64(from))
			}
		}
		got := b.Ledger()
		if diff := cmp.Diff(want, got); diff != "" || fmt.Sprint(want) != fmt.Sprint(got) {
			t.Fatalf("parts of %d rows (-want +got):\n%s", length, diff)
		}
	}
	if len(want.DuplicateColumns) != 1 || len(want.DuplicateColumns[0]) != 3 {
		t.Errorf("equal columns %v", want.DuplicateColumns)
	}
}

// keepOrDrop counts row i, one in five as dropped.
func keepOrDrop(i int, row []float32, keep func(int, bool, []ledger.Cell), observe func([]float32), drop func(int, string)) {
	if i%5 == 4 {
		drop(i%3-1, []string{"late", "early"}[i%2])
		return
	}
	var missing []ledger.Cell
	for j, v := range row {
		if v != v {
			missing = append(missing, ledger.Cell{Column: j, Kind: ledger.Missing(i % 3)})
		}
	}
	keep(i%2, i%7 == 0, missing)
	observe(row)
}
