package kernels

import (
	"fmt"
	"slices"
)

// Order is the rows of one epoch as data: which there are and how they are put in
// order. The row at any place follows from it alone, so that a device makes the
// rows of a batch itself and is sent the lists once.
//
// An epoch goes once over Rows. Where Positives are given, its batches begin with
// some of them: Dealt places are dealt out evenly among the batches, which the
// positives fill in turn, all of them in a new order each time round.
type Order struct {
	// Rows and Positives are table rows. They may be shared by any number of
	// Orders and must not change while a Machine that trained on one is open, or
	// until it trains on other lists.
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

// Append adds the rows at the places from first to first+n to dst. It equals a
// loop that asks for each by itself, as a device does.
func (o *Order) Append(dst []int32, first, n int) []int32 {
	w := walk{order: o, deck: -1}
	if len(o.Rows) > 0 {
		w.rows = NewShuffle(len(o.Rows), o.Seed, streamOrder, o.Epoch)
	}
	if o.Dealt == 0 {
		dst = slices.Grow(dst, n)[:len(dst)+n]
		part := dst[len(dst)-n:]
		w.rows.Fill(part, first)
		for i, p := range part {
			part[i] = o.Rows[p]
		}
		return dst
	}
	for p := first; p < first+n; p++ {
		dst = append(dst, w.at(p))
	}
	return dst
}

// walk remembers the shuffles of an Order.
type walk struct {
	order     *Order
	rows      Shuffle
	positives Shuffle // of the deck in hand
	deck      int
}

// at is the row at a place. The batch of places [from, to) begins with
// ⌊Dealt·to/Len⌋ - ⌊Dealt·from/Len⌋ positives; that is at least one in each where
// Dealt·Batch >= Len.
func (w *walk) at(place int) int32 {
	o := w.order
	length, dealt := int64(o.Len()), int64(o.Dealt)
	from := place / o.Batch * o.Batch
	to := min(from+o.Batch, o.Len())
	before := int(dealt * int64(from) / length)
	count := int(dealt*int64(to)/length) - before
	k := place - from
	if k >= count {
		return o.Rows[w.rows.At(int32(from-before+k-count))]
	}
	drawn := before + k
	if deck := drawn / len(o.Positives); deck != w.deck {
		w.deck = deck
		w.positives = NewShuffle(len(o.Positives), o.Seed, streamPositives+uint32(deck), o.Epoch)
	}
	return o.Positives[w.positives.At(int32(drawn%len(o.Positives)))]
}
