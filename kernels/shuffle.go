package kernels

import "math/bits"

// Shuffle is a pseudo-random permutation of 0 … n-1 in closed form: any place can
// be asked for by itself, by any thread, on any device, without memory.
//
// It is a Feistel network over the next power of two, keyed by Philox, that is
// applied again while it leaves 0 … n-1, which keeps it a bijection (cycle
// walking: Black, Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002),
// the scheme of Mitchell, Stokes, Frank, Holmes, "Bandwidth-optimal random
// shuffling for GPUs", 2021. Their round is one multiplication, and they take 24;
// a round here is two with a shift between them (the finaliser of MurmurHash3),
// and eight cannot be told from Fisher and Yates' shuffle: see shuffleRounds.
type Shuffle struct {
	n           uint32
	low         uint32 // bits of the right half
	left, right uint32 // masks of the halves
	keys        [shuffleRounds]uint32
}

const (
	// shuffleRounds is even, and two more than the least that TestShuffle finds no
	// fault with but one: with four, orders, places and neighbours of short lists
	// are far from even (chi-square 10 to 400 standard deviations off), with six
	// the distances of neighbours among 100 are (6 to 8), with eight none is.
	shuffleRounds = 8
	// shuffleBits is the least domain: networks on a few bits have few
	// permutations. A list of one walks through 64 places on average.
	shuffleBits = 6
)

// NewShuffle returns the permutation that (n, seed, stream, counter) name, counter
// below 2⁴⁸; n is at least 1 and fits an int32.
func NewShuffle(n int, seed uint64, stream uint32, counter uint64) Shuffle {
	if n < 1 || n > 1<<31-1 {
		panic("kernels: a shuffle of no places, or of more than an int32 counts")
	}
	width := max(shuffleBits, bits.Len32(uint32(n-1)))
	s := Shuffle{n: uint32(n), low: uint32(width+1) / 2}
	s.right = 1<<s.low - 1
	s.left = 1<<(uint32(width)-s.low) - 1
	first := stepBlock(permutationDraw, seed, counter, stream, 0)
	second := stepBlock(permutationDraw, seed, counter, stream, 1)
	copy(s.keys[:4], first[:])
	copy(s.keys[4:], second[:])
	return s
}

// At is what stands at place, which must be one of 0 … n-1.
func (s *Shuffle) At(place int32) int32 {
	p := uint32(place)
	for {
		if p = s.once(p); p < s.n {
			return int32(p)
		}
	}
}

// once is the network, a permutation of its power of two.
func (s *Shuffle) once(p uint32) uint32 {
	low := s.low & 31
	l, r := p>>low, p&s.right
	l ^= shuffleMix(r^s.keys[0]) & s.left
	r ^= shuffleMix(l^s.keys[1]) & s.right
	l ^= shuffleMix(r^s.keys[2]) & s.left
	r ^= shuffleMix(l^s.keys[3]) & s.right
	l ^= shuffleMix(r^s.keys[4]) & s.left
	r ^= shuffleMix(l^s.keys[5]) & s.right
	l ^= shuffleMix(r^s.keys[6]) & s.left
	r ^= shuffleMix(l^s.keys[7]) & s.right
	return l<<low | r
}

// shuffleMix leaves 16 well mixed bits in the lower half of its value: more than
// half of the widest domain, 31 bits.
func shuffleMix(h uint32) uint32 {
	h *= 0x85EBCA6B
	h ^= h >> 13
	h *= 0xC2B2AE35
	return h >> 16
}

// walkLength is how many places Fill takes at a time: their numbers fit a byte, and
// both halves of all of them the first-level cache.
const walkLength = 256

// Fill writes what stands at the places from first on to dst: At of each. It takes
// many places through the network together, round by round, and then again those
// that have left 0 … n-1. At must guess at every place whether it has, and what it
// had begun of the next place is lost where it is wrong.
func (s *Shuffle) Fill(dst []int32, first int) {
	for len(dst) > 0 {
		part := dst[:min(len(dst), walkLength)]
		for i := range part {
			part[i] = int32(first + i)
		}
		s.walk(part)
		first += len(part)
		dst = dst[len(part):]
	}
}

// walk is At of each of at most walkLength places, in their place.
func (s *Shuffle) walk(places []int32) {
	var l, r [walkLength]uint32
	var at [walkLength]uint8 // those under way
	for i := range places {
		at[i] = uint8(i)
	}
	low := s.low & 31
	for n := len(places); n > 0; {
		walking := at[:n]
		for k, i := range walking {
			p := uint32(places[i])
			l[k], r[k] = p>>low, p&s.right
		}
		s.rounds(l[:n], r[:n])
		n = 0
		for k, i := range walking {
			p := l[k]<<low | r[k]
			places[i] = int32(p)
			at[n] = i
			if p >= s.n { // compiled without a branch
				n++
			}
		}
	}
}

// rounds is what once does between taking a place apart and putting it together.
func (s *Shuffle) rounds(l, r []uint32) {
	r = r[:len(l)]
	for k := 0; k < shuffleRounds; k += 2 {
		first, second, left, right := s.keys[k], s.keys[k+1], s.left, s.right
		for i := range l {
			a, b := l[i], r[i]
			a ^= shuffleMix(b^first) & left
			b ^= shuffleMix(a^second) & right
			l[i], r[i] = a, b
		}
	}
}
