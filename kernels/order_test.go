package kernels

import (
	"slices"
	"testing"
)

// dealtOut is the slow truth of Order: it shuffles whole lists and puts them
// together a batch at a time.
func dealtOut(o *Order) []int32 {
	rest := make([]int32, len(o.Rows))
	if len(rest) > 0 {
		for i, p := range shuffled(len(rest), o.Seed, streamOrder, o.Epoch) {
			rest[i] = o.Rows[p]
		}
	}
	var all, deck []int32
	round := uint32(0)
	for dealt := 0; len(all) < o.Len(); {
		to := min(len(all)+o.Batch, o.Len())
		for ; dealt < o.Dealt*to/o.Len(); dealt++ {
			if len(deck) == 0 {
				for _, p := range shuffled(len(o.Positives), o.Seed, streamPositives+round, o.Epoch) {
					deck = append(deck, o.Positives[p])
				}
				round++
			}
			all, deck = append(all, deck[0]), deck[1:]
		}
		n := to - len(all)
		all, rest = append(all, rest[:n]...), rest[n:]
	}
	return all
}

func rowsOf(o *Order, first, n int) []int32 {
	rows := make([]int32, n)
	o.Fill(rows, first)
	return rows
}

func TestOrderEqualsDealing(t *testing.T) {
	list := func(from, n int) []int32 {
		rows := make([]int32, n)
		for i := range rows {
			rows[i] = int32(from + 3*i)
		}
		return rows
	}
	for _, others := range []int{0, 1, 7, 64, 129, 500} {
		for _, positives := range []int{0, 1, 2, 5, 70} {
			for _, batch := range []int{1, 2, 3, 16, 100} {
				o := &Order{Rows: list(0, others), Positives: list(1, positives), Batch: batch, Seed: 3 << 40, Epoch: 4}
				if positives > 0 {
					o.Dealt = positives + batch%5*others/9
				}
				if o.Len() == 0 {
					continue
				}
				if err := o.Check(); err != nil {
					t.Fatal(err)
				}
				want := dealtOut(o)
				if got := rowsOf(o, 0, o.Len()); !slices.Equal(got, want) {
					t.Fatalf("%d others, %d positives, %d dealt, batch %d: %v, want %v", others, positives, o.Dealt, batch, got, want)
				}
				for first := range o.Len() { // each place by itself
					for _, n := range []int{1, batch, 2*batch + 1} { // and runs from it on
						n = min(n, o.Len()-first)
						if got := rowsOf(o, first, n); !slices.Equal(got, want[first:first+n]) {
							t.Fatalf("%d places from %d on hold %v, want %v", n, first, got, want[first:first+n])
						}
					}
				}
			}
		}
	}
}

func TestOrderCheck(t *testing.T) {
	rows := []int32{1, 2, 3}
	for name, o := range map[string]Order{
		"no batch":          {Rows: rows},
		"no places":         {Batch: 1},
		"dealt of none":     {Rows: rows, Batch: 1, Dealt: 1},
		"positives undealt": {Rows: rows, Batch: 1, Positives: rows},
		"negative":          {Rows: rows, Batch: 1, Positives: rows, Dealt: -1},
		"too late an epoch": {Rows: rows, Batch: 1, Epoch: 1 << 32},
		"more than 32 bits": {Rows: rows, Batch: 1, Positives: rows, Dealt: 1<<31 - 1},
	} {
		if o.Check() == nil {
			t.Errorf("%s: no fault found", name)
		}
	}
}

// BenchmarkOrder is the reference's training flows, a batch at a time.
func BenchmarkOrder(b *testing.B) {
	o := &Order{Rows: make([]int32, 818484), Batch: 1024, Seed: 1}
	for i := range o.Rows {
		o.Rows[i] = int32(i)
	}
	dealt := *o
	dealt.Positives, dealt.Dealt = []int32{3, 1, 4, 1, 5}, 801
	for name, o := range map[string]*Order{"plain": o, "stratified": &dealt} {
		rows := make([]int32, o.Batch)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				for first := 0; first+len(rows) <= o.Len(); first += len(rows) {
					o.Fill(rows, first)
				}
			}
			perRow(b, o.Len())
		})
	}
}
