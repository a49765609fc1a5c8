package kernels

import "fmt"

// Order is the rows of one epoch as data: which there are and how they are put in
// order. The row at any place follows from it alone, so that a device makes the
// rows of a batch itself and is sent the lists once.
//
// An epoch goes once over Rows. Where Positives are given, its batches begin with
// some of them: Dealt places are dealt out evenly among the batches, which the
// positives fill in turn, all of them in a new order each time round.
type Order struct {
	// Rows and Positives are table rows. They may be shared by any number of
	// Orders, and must not change while a Machine that trained on one is open, or
	// until it trains on other lists: a device keeps copies, and knows a list that it
	// has by where it lies in memory.
	Rows, Positives []int32
	Dealt           int // places for positives; 0 where there are none
	Batch           int // places of a batch; the last one may have fewer
	Seed            uint64
	Epoch           uint64 // below 2³²
}

// Streams of the counter-based generator that put rows in order; the sites inside
// a Program number theirs from 0.
const (
	streamOrder uint32 = 1<<31 + iota
	streamPositives
)

// Len is the places of the epoch.
func (o *Order) Len() int { return len(o.Rows) + o.Dealt }

// Check says why o names no rows.
func (o *Order) Check() error {
	switch {
	case o.Batch < 1:
		return fmt.Errorf("an order with batches of %d places", o.Batch)
	case o.Len() < 1:
		return fmt.Errorf("an order of no places")
	case o.Dealt < 0 || (o.Dealt > 0) != (len(o.Positives) > 0):
		return fmt.Errorf("an order deals out %d places among %d positives", o.Dealt, len(o.Positives))
	case int64(o.Len()) > 1<<31-1 || o.Epoch > 1<<32-1:
		return fmt.Errorf("an order of %d places in epoch %d, beyond what 32 bits count", o.Len(), o.Epoch)
	}
	return nil
}

// Fill writes the rows at the places from first on to dst. It equals a loop that
// asks for each place by itself, as a device does.
func (o *Order) Fill(dst []int32, first int) {
	w := walk{order: o, deck: -1}
	if len(o.Rows) > 0 {
		w.rows = NewShuffle(len(o.Rows), o.Seed, streamOrder, o.Epoch)
	}
	if o.Dealt == 0 {
		w.fillRows(dst, first)
		return
	}
	for len(dst) > 0 {
		n := min(len(dst), o.Batch-first%o.Batch)
		w.fillBatch(dst[:n], first)
		dst, first = dst[n:], first+n
	}
}

// walk remembers the shuffles of an Order.
type walk struct {
	order     *Order
	rows      Shuffle
	positives Shuffle // of the deck in hand
	deck      int
}

// fillBatch fills dst with places of one batch. That of the places [from, to) begins
// with ⌊Dealt·to/Len⌋ - ⌊Dealt·from/Len⌋ positives, which is at least one in each
// where Dealt·Batch >= Len.
func (w *walk) fillBatch(dst []int32, first int) {
	o := w.order
	length, dealt := int64(o.Len()), int64(o.Dealt)
	from := first / o.Batch * o.Batch
	to := min(from+o.Batch, o.Len())
	before := int(dealt * int64(from) / length)
	count := int(dealt*int64(to)/length) - before
	k := first - from
	if n := min(count-k, len(dst)); n > 0 {
		w.fillPositives(dst[:n], before+k)
		dst, k = dst[n:], k+n
	}
	w.fillRows(dst, from-before+k-count)
}

// fillRows fills dst with Rows from the first-th in their order on.
func (w *walk) fillRows(dst []int32, first int) {
	w.rows.Fill(dst, first)
	for i, p := range dst {
		dst[i] = w.order.Rows[p]
	}
}

// fillPositives fills dst with the positives that are dealt out from the drawn-th on.
func (w *walk) fillPositives(dst []int32, drawn int) {
	o := w.order
	for len(dst) > 0 {
		deck, first := drawn/len(o.Positives), drawn%len(o.Positives)
		if deck != w.deck {
			w.deck = deck
			w.positives = NewShuffle(len(o.Positives), o.Seed, streamPositives+uint32(deck), o.Epoch)
		}
		n := min(len(dst), len(o.Positives)-first)
		w.positives.Fill(dst[:n], first)
		for i, p := range dst[:n] {
			dst[i] = o.Positives[p]
		}
		dst, drawn = dst[n:], drawn+n
	}
}
