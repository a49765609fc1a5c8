package train

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// epochOf is the rows of an epoch in order.
func epochOf(s *sampler, epoch int) []int32 {
	o := s.order(epoch)
	rows := make([]int32, o.Len())
	o.Fill(rows, 0)
	return rows
}

func TestEveryStratifiedBatchHoldsAPositive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 400).Draw(t, "rows")
		positives := rapid.IntRange(1, n).Draw(t, "positives")
		batch := rapid.IntRange(2, 64).Draw(t, "batch")
		rows := make([]int32, n)
		for i := range rows {
			rows[i] = int32(3 * i)
		}
		positive := func(r int32) bool { return int(r/3) < positives }
		s := newSampler(rows, batch, 7, 1, positive)
		order := epochOf(s, 2)
		if want := (len(order) + batch - 1) / batch; s.steps() != want {
			t.Fatalf("steps %d, want %d", s.steps(), want)
		}
		seen := map[int32]int{}
		for b := 0; b < len(order); b += batch {
			part := order[b:min(b+batch, len(order))]
			if !slices.ContainsFunc(part, positive) {
				t.Fatalf("batch at %d of %d has no positive", b, len(order))
			}
			for _, r := range part {
				seen[r]++
			}
		}
		for _, r := range rows {
			if seen[r] == 0 || (!positive(r) && seen[r] != 1) {
				t.Fatalf("row %d comes %d times", r, seen[r])
			}
		}
	})
}

// TestDealtIsTheLeastThatWillDo holds the number against the loop that it equals.
func TestDealtIsTheLeastThatWillDo(t *testing.T) {
	for others := range 40 {
		for positives := 1; positives < 9; positives++ {
			for batch := 2; batch < 9; batch++ {
				s := sampler{batch: batch, positives: make([]int32, positives), others: make([]int32, others)}
				want := positives
				for want*batch < others+want {
					want++
				}
				if got := s.dealt(); got != want {
					t.Errorf("%d others, %d positives, batch %d: %d, want %d", others, positives, batch, got, want)
				}
			}
		}
	}
}

func TestEpochOrderIsAFunctionOfSeedAndEpoch(t *testing.T) {
	rows := make([]int32, 100)
	for i := range rows {
		rows[i] = int32(i)
	}
	first := epochOf(newSampler(rows, 8, 1, 1, nil), 5)
	s := newSampler(rows, 8, 1, 1, nil)
	epochOf(s, 0)
	if !slices.Equal(first, epochOf(s, 5)) {
		t.Error("epoch 5 depends on what came before it")
	}
	if slices.Equal(first, epochOf(s, 6)) || slices.Equal(first, epochOf(newSampler(rows, 8, 2, 1, nil), 5)) {
		t.Error("another epoch or seed gives the same order")
	}
	slices.Sort(first)
	if !slices.Equal(first, rows) {
		t.Error("an epoch is not a permutation of the rows")
	}
}

func TestShortTailIsLeftOut(t *testing.T) {
	rows := make([]int32, 17)
	if n := newSampler(rows, 8, 1, 2, nil).steps(); n != 2 {
		t.Errorf("17 rows in batches of 8 with tails of at least 2: %d steps, want 2", n)
	}
	if n := newSampler(rows, 8, 1, 1, nil).steps(); n != 3 {
		t.Errorf("17 rows in batches of 8: %d steps, want 3", n)
	}
}

func TestMemberSeedsDiffer(t *testing.T) {
	seen := map[uint64]bool{}
	for trial := range uint64(100) {
		for m := range 16 {
			seen[memberSeed(trial, m)] = true
		}
	}
	if len(seen) != 1600 {
		t.Errorf("%d distinct seeds of 1600", len(seen))
	}
}
