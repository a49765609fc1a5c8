package cpu

import (
	"math/rand/v2"
	"testing"
)

// Any batch must fit the slots that were made for the largest.
func TestSlotsFitEveryBatch(t *testing.T) {
	for _, sums := range []int{16, 1<<17 + 16} {
		for batch := 1; batch <= 5000; batch += 1 + batch/100 {
			made := slotCount(batch, sums)
			for n := 1; n <= batch; n++ {
				rows, count := slots(n, sums)
				if count > made || count > maxSlots || rows%sliceRows != 0 || rows*count < n || rows*(count-1) >= n {
					t.Fatalf("%d rows of a batch of up to %d: %d slots of %d rows, room for %d", n, batch, count, rows, made)
				}
			}
		}
	}
}

// noteStage adds a number of its own for each slice to each of its slot's sums.
type noteStage struct{ notes []float32 }

func (st noteStage) slice(_ *step, sl *slice) {
	for j := range sl.partial {
		if sl.fresh {
			sl.partial[j] = 0
		}
		sl.partial[j] += st.notes[sl.first/sliceRows] * float32(j+1)
	}
}

// mergedTree adds up the slots' sums as merge says, one thread.
func (st noteStage) mergedTree(n, slotRows, count, j int) float32 {
	slots := make([]float32, count)
	for first := 0; first < n; first += sliceRows {
		slots[first/slotRows] += st.notes[first/sliceRows] * float32(j+1)
	}
	for width := 1; width < count; width *= 2 {
		for first := 0; first+width < count; first += 2 * width {
			slots[first] += slots[first+width]
		}
	}
	return slots[0]
}

// Whatever thread finishes when, slots must be merged in the same tree.
func TestMergeOfEveryCount(t *testing.T) {
	const sums = 32
	rng := rand.New(rand.NewPCG(11, 12))
	seen := map[int]bool{}
	for _, threads := range []int{1, 2, 5} {
		p := newTestPool(t, threads)
		for _, n := range []int{1, 64, 65, 128, 192, 256, 320, 384, 448, 512, 1000, 1024, 1025, 1280, 1400, 1500, 1664, 1700, 1900, 2048, 5000} {
			st := noteStage{normals(rng, blocks(n, sliceRows))}
			s := &step{rows: make([]int32, n), level: highest(), pool: p, partials: newPartials(sums, n)}
			r := &region{stages: []stage{st}, sumEnd: sums, operations: worthSharing}
			for range 5 {
				r.run(s)
				for j, got := range s.partials.slot(0) {
					if want := st.mergedTree(n, r.slotRows, r.slots, j); got != want {
						t.Fatalf("%d threads, %d slots: sum %d is %v, want %v", threads, r.slots, j, got, want)
					}
				}
			}
			seen[r.slots] = true
		}
	}
	for count := 1; count <= maxSlots; count++ {
		if !seen[count] {
			t.Errorf("no batch had %d slots: %v", count, seen)
		}
	}
}
