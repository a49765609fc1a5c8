package metric

import (
	"math"
	"slices"
)

// radixFrom is the length from which counting passes beat comparisons: twice as
// fast at 1,000 and three times at 100,000 on a Xeon of 2.0 GHz.
const radixFrom = 1024

const (
	digitBits = 11
	digits    = 6 // of 11 bits in a float64
)

// sortScores is slices.Sort for numbers that are not NaN and not -0. Long slices
// are sorted by their bits, a digit at a time; a digit that all share costs
// nothing, as the low ones of scores that were float32.
func sortScores(x []float64) {
	if len(x) < radixFrom {
		slices.Sort(x)
		return
	}
	keys := make([]uint64, len(x))
	var count [digits][1 << digitBits]int32
	for i, v := range x {
		keys[i] = orderedBits(v)
		for d := range digits {
			count[d][digit(keys[i], d)]++
		}
	}
	from, to := keys, make([]uint64, len(x))
	for d := range digits {
		if count[d][digit(keys[0], d)] == int32(len(x)) {
			continue
		}
		scatter(to, from, d, &count[d])
		from, to = to, from
	}
	for i, k := range from {
		x[i] = fromOrderedBits(k)
	}
}

// scatter moves keys to their places by digit d, stably; count becomes the
// places after the last key of each digit.
func scatter(to, from []uint64, d int, count *[1 << digitBits]int32) {
	place := int32(0)
	for i, n := range count {
		count[i] = place
		place += n
	}
	for _, k := range from {
		at := &count[digit(k, d)]
		to[*at] = k
		*at++
	}
}

func digit(key uint64, d int) uint64 { return key >> (d * digitBits) & (1<<digitBits - 1) }

// orderedBits rises with the number: the sign is flipped, and all other bits as
// well where it was set.
func orderedBits(v float64) uint64 {
	b := math.Float64bits(v)
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

func fromOrderedBits(k uint64) float64 {
	return math.Float64frombits(k ^ (uint64(int64(^k)>>63) | 1<<63))
}
