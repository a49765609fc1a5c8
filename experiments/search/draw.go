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
	return typed(p, pickNumber(p, word))
}

// typed is a number as a Param of p holds it.
func typed(p spec.Parameter, v float64) any {
	if p.Whole {
		return int64(v)
	}
	return v
}

func pickNumber(p spec.Parameter, word uint64) float64 {
	u, step := unit(word), stepOf(p)
	switch logarithmic := strings.HasSuffix(p.Distribution, "log_uniform"); {
	case logarithmic && step > 0:
		// The end is one step above the last value, so that this one has the share
		// that its logarithm gives it.
		end := p.Min + places(p, step)*step
		return onStep(p, step, math.Floor((p.Min*math.Exp(u*math.Log(end/p.Min))-p.Min)/step))
	case step > 0:
		return onStep(p, step, math.Floor(u*places(p, step)))
	case logarithmic:
		return within(p, round(p.Min*math.Exp(u*math.Log(p.Max/p.Min)), drawnDigits))
	}
	return within(p, round(p.Min+u*(p.Max-p.Min), drawnDigits))
}

// stepOf is the distance between the values of a range, 0 where there is none.
func stepOf(p spec.Parameter) float64 {
	if p.Step == 0 && strings.HasPrefix(p.Distribution, "int_") {
		return 1
	}
	return p.Step
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

// places is how many of min, min+step, ... there are up to max.
func places(p spec.Parameter, step float64) float64 {
	return math.Floor(round((p.Max-p.Min)/step, stepDigits)) + 1
}

// onStep is min + k steps, k limited to those there are.
func onStep(p spec.Parameter, step, k float64) float64 {
	k = min(max(k, 0), places(p, step)-1)
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
