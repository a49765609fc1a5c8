package search

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"flowbench/experiments/spec"
)

// draw is 64 random bits: a function of its arguments alone. It is the first
// eight bytes, big-endian, of SHA-256 over the text
//
//	flowbench search 1/<seed>/<index>/<attempt>/<what>
//
// with the numbers in decimal. Keying on what, the path of a parameter, leaves
// the other parameters' values alone when one is added to a spec.
func draw(seed uint64, index, attempt int, what string) uint64 {
	text := strings.Join([]string{
		"flowbench search 1", strconv.FormatUint(seed, 10), strconv.Itoa(index), strconv.Itoa(attempt), what,
	}, "/")
	sum := sha256.Sum256([]byte(text))
	return binary.BigEndian.Uint64(sum[:8])
}

// below maps 64 random bits to a whole number in [0, n).
func below(word uint64, n int) int {
	high, _ := bits.Mul64(word, uint64(n))
	return int(high)
}

// unit maps 64 random bits to [0, 1).
func unit(word uint64) float64 { return float64(word>>11) / (1 << 53) }

// pick is the value of a parameter for 64 random bits.
func pick(p spec.Parameter, word uint64) any {
	if p.Distribution == "" {
		return p.Values[below(word, len(p.Values))]
	}
	v := pickNumber(p, word)
	if p.Whole {
		return int64(v)
	}
	return v
}

func pickNumber(p spec.Parameter, word uint64) float64 {
	switch p.Distribution {
	case "uniform":
		if p.Step > 0 {
			return stepped(p, p.Step, word)
		}
		return within(p, round(p.Min+unit(word)*(p.Max-p.Min), drawnDigits))
	case "int_uniform":
		return stepped(p, max(p.Step, 1), word)
	case "log_uniform":
		return within(p, round(p.Min*math.Exp(unit(word)*math.Log(p.Max/p.Min)), drawnDigits))
	case "int_log_uniform":
		// The end is one above max, so that max has the share that its logarithm gives it.
		return within(p, math.Floor(p.Min*math.Exp(unit(word)*math.Log((p.Max+1)/p.Min))))
	}
	panic("search: unknown distribution " + p.Distribution)
}

// drawnDigits is to how many significant digits a real number is drawn: more
// than a hyperparameter needs, and few enough that a table can show them all
// and that the last bit of another machine's math.Exp makes no other plan.
const drawnDigits = 4

// stepDigits takes away what multiples of a step such as 0.1 gather in float64.
const stepDigits = 12

func round(v float64, digits int) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		panic("search: " + err.Error())
	}
	return rounded
}

func within(p spec.Parameter, v float64) float64 { return min(max(v, p.Min), p.Max) }

// stepped is one of min, min+step, ... up to max.
func stepped(p spec.Parameter, step float64, word uint64) float64 {
	places := math.Floor(round((p.Max-p.Min)/step, stepDigits)) + 1
	k := math.Floor(unit(word) * places)
	return within(p, round(p.Min+k*step, 15))
}

// seeds are the seeds of the replicates: 32 bits, so that a person can type
// one, derived from the study's seed, stable and all different.
func seeds(study uint64, replicates int) []uint64 {
	taken := make(map[uint64]bool, replicates)
	all := make([]uint64, 0, replicates)
	for r := range replicates {
		for attempt := 0; len(all) == r; attempt++ {
			if seed := draw(study, r, attempt, "replicate") >> 32; !taken[seed] {
				taken[seed] = true
				all = append(all, seed)
			}
		}
	}
	return all
}
