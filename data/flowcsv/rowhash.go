package flowcsv

import (
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"unsafe"
)

// rowHash computes the digests of rows of one length. Each half of a digest is
// the hash NH (Black et al. 1999, "UMAC", with words of 64 bits as in VMAC)
//
//	Σ (words[2i] + keys[2i] mod 2^64) * (words[2i+1] + keys[2i+1] mod 2^64) mod 2^128
//
// of the bits of the row, padded with zeros, brought to 64 bits by a strongly
// universal hash (Lemire & Kaser 2014),
//
//	(k0 + k1 * low + k2 * high) mod 2^128, of which the upper 64 bits.
//
// Any two different rows have one half in common for at most 2^-63 of all keys,
// and both, whose keys are independent, for 2^-126. It takes a fifth of the
// time of SHA-256.
type rowHash struct {
	pairs  [][2][2]uint64 // for each pair of words the keys of both halves
	finish [2][3]wide
}

// wide is a number of 128 bits.
type wide struct{ hi, lo uint64 }

// pairSize is the size of a pair of words in bytes.
const pairSize = 16

// newRowHash is the hash of rows of so many values. Its keys are the same in
// every run: the digests of a fixed list of texts.
func newRowHash(cols int) *rowHash {
	next := uint64(0)
	key := func() wide {
		sum := sha256.Sum256(binary.LittleEndian.AppendUint64([]byte("flowbench rows"), next))
		next++
		return wide{binary.LittleEndian.Uint64(sum[:]), binary.LittleEndian.Uint64(sum[8:])}
	}
	h := &rowHash{pairs: make([][2][2]uint64, (4*cols+pairSize-1)/pairSize)}
	for half := range 2 {
		for i := range h.pairs {
			k := key()
			h.pairs[i][half] = [2]uint64{k.hi, k.lo}
		}
		h.finish[half] = [3]wide{key(), key(), key()}
	}
	return h
}

// digest is the digest of the bits of a row of the length that the hash was made for.
func (h *rowHash) digest(row []float32) digest {
	if len(row) == 0 || (4*len(row)+pairSize-1)/pairSize != len(h.pairs) {
		panic("flowcsv: row of another length")
	}
	text := unsafe.Slice((*byte)(unsafe.Pointer(&row[0])), 4*len(row))
	var a, b wide
	last := len(h.pairs) - 1
	for i := range h.pairs[:last] {
		pair := (*[pairSize]byte)(text[i*pairSize:])
		a, b = addProducts(&h.pairs[i], pair, a, b)
	}
	var pair [pairSize]byte
	copy(pair[:], text[last*pairSize:])
	a, b = addProducts(&h.pairs[last], &pair, a, b)
	return digest{a.upper(&h.finish[0]), b.upper(&h.finish[1])}
}

// addProducts adds the product of a pair of words, with the keys of either half, to a and b.
func addProducts(keys *[2][2]uint64, pair *[pairSize]byte, a, b wide) (wide, wide) {
	x, y := binary.LittleEndian.Uint64(pair[:8]), binary.LittleEndian.Uint64(pair[8:])
	hi, lo := bits.Mul64(x+keys[0][0], y+keys[0][1])
	var carry uint64
	a.lo, carry = bits.Add64(a.lo, lo, 0)
	a.hi, _ = bits.Add64(a.hi, hi, carry)
	hi, lo = bits.Mul64(x+keys[1][0], y+keys[1][1])
	b.lo, carry = bits.Add64(b.lo, lo, 0)
	b.hi, _ = bits.Add64(b.hi, hi, carry)
	return a, b
}

// upper brings a sum to 64 bits.
func (w wide) upper(keys *[3]wide) uint64 {
	return keys[2].timesPlus(w.hi, keys[1].timesPlus(w.lo, keys[0])).hi
}

// timesPlus is (w*word + sum) mod 2^128.
func (w wide) timesPlus(word uint64, sum wide) wide {
	hi, lo := bits.Mul64(w.lo, word)
	lo, carry := bits.Add64(lo, sum.lo, 0)
	hi, _ = bits.Add64(hi+w.hi*word, sum.hi, carry)
	return wide{hi, lo}
}
