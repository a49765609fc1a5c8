package synth

import "math/rand/v2"

// oddity is a fault of the flow meter that a few rows of the real files show.
type oddity uint8

const (
	sound            oddity = iota
	zeroDuration            // packets within one microsecond: infinite rates
	zeroEmpty               // the same without a byte: 0/0 bytes a second
	negativeDuration        // misordered packets: -1 microsecond, and rates below 0
	negativeGap             // a gap of -1 between two packets, more at times
	negativeFwdGap          // the same in forward direction
	negativeHeader          // header lengths below 0
)

// Rows of the full data with a negative value, of 2,273,097 benign ones. Flow
// Duration 115, Flow IAT Min 2,890 (the 115 among them), Fwd IAT Min 17, Fwd
// Header Length and min_seg_size_forward 35.
var oddityRates = []struct {
	kind oddity
	rows int
}{
	{negativeDuration, 115},
	{negativeGap, 2890 - 115},
	{negativeFwdGap, 17},
	{negativeHeader, 35},
}

const benignRows = 2273097

// smallestOdd is the number of rows from which on a file shows every oddity at
// least once, however rare: what reads small files is to meet them all.
const smallestOdd = 500

// benignOddities lists the faults of a benign segment of that many rows, which
// with the hidden scan makes benign rows in the file.
func benignOddities(rows, benign int, spec fileSpec, rng *rand.Rand) []oddity {
	empty := atLeastOnce(share(spec.empty, benign, spec.benign), benign)
	zero := atLeastOnce(share(spec.zero-spec.empty, benign, spec.benign), benign)
	list := append(repeat(zeroEmpty, empty), repeat(zeroDuration, zero)...)
	for _, r := range oddityRates {
		list = append(list, repeat(r.kind, atLeastOnce(share(r.rows, benign, benignRows), benign))...)
	}
	return shuffleTo(list, rows, rng)
}

// attackOddities are those of an attack: rows of duration 0 only.
func attackOddities(rows int, spec attackSpec, rng *rand.Rand) []oddity {
	if spec.rows == 0 {
		return nil
	}
	empty := share(spec.empty, rows, spec.rows)
	zero := share(spec.zero-spec.empty, rows, spec.rows)
	return shuffleTo(append(repeat(zeroEmpty, empty), repeat(zeroDuration, zero)...), rows, rng)
}

func atLeastOnce(n, rows int) int {
	if rows >= smallestOdd {
		return max(n, 1)
	}
	return n
}

func repeat(kind oddity, n int) []oddity {
	list := make([]oddity, n)
	for i := range list {
		list[i] = kind
	}
	return list
}

func shuffleTo(list []oddity, rows int, rng *rand.Rand) []oddity {
	rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:min(len(list), rows)]
}

// shape gives the draw of a row what its oddity needs, before the flow is computed.
func (o oddity) shape(v *values, rng *rand.Rand) {
	switch o {
	case zeroDuration, zeroEmpty, negativeDuration:
		v[duration] = 1
		v[pair] = 201
		if o != negativeDuration && rng.IntN(2) == 0 {
			v[pair] = 202
		}
		size := 6.0
		if o == zeroEmpty || o == negativeDuration && rng.IntN(4) == 0 {
			size = 0
		}
		v[fwdMax], v[fwdMin], v[bwdMax], v[bwdMin] = size, size, size, size
	case negativeGap, negativeFwdGap:
		// Long flows have many packets to misorder: half of the real ones have above 250.
		v[pair], v[fwdPackets], v[bwdRatio] = 0, max(v[fwdPackets], float64(8+rng.IntN(120))), max(v[bwdRatio], 1)
		v[duration] = max(v[duration], 1e5)
	}
}

// apply makes the finished flow odd.
func (o oddity) apply(f *flow, rng *rand.Rand) {
	switch o {
	case zeroDuration, zeroEmpty:
		f.setDuration(0)
	case negativeDuration:
		f.setDuration(-1)
	case negativeGap:
		f.gaps.min = -1
		if rng.IntN(8) == 0 {
			f.gaps.min = -2 - int64(rng.IntN(12))
		}
	case negativeFwdGap:
		f.gaps.min, f.fwd.gaps.min = -1, -1
	case negativeHeader:
		// The meter read a header of this length where a packet was cut off; it
		// did so in the backward direction as well in two of three rows.
		const misread = -536870660
		f.segment = misread
		f.fwd.header = misread * (1 + rng.Int64N(f.fwd.packets))
		if f.bwd.packets > 0 && rng.IntN(3) > 0 {
			f.bwd.header = misread
		}
	}
}
