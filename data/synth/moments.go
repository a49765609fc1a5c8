package synth

import "math"

// sizes of the packets of one direction, in bytes. std is the sample standard
// deviation, 0 for less than two packets.
type sizes struct {
	total, max, min int64
	std             float64
}

// gaps between packets, in microseconds, as sizes are.
type gaps struct {
	total, max, min int64
	std             float64
}

// sizesOf gives n packets between low and high a total and a spread. meanAt and
// stdAt are their places between the least and the most that n such packets can
// have: 0 to 1. It is the inverse of lengths() in scripts/synth/base.py.
func sizesOf(n, low, high int64, meanAt, stdAt float64) sizes {
	switch {
	case n == 0:
		return sizes{}
	case n == 1:
		return sizes{total: high, max: high, min: high}
	}
	low = min(low, high)
	least := low + high + (n-2)*low
	total := least + int64(math.Round(meanAt*float64((n-2)*(high-low))))
	return sizes{total: total, max: high, min: low, std: stdOf(n, total, low, high, stdAt)}
}

// gapsOf cuts total into n gaps, the smallest of which is low where that fits.
// maxAt is the place of the largest between the least and the most it can be.
func gapsOf(n, total, low int64, maxAt, stdAt float64) gaps {
	switch {
	case n <= 0:
		return gaps{}
	case n == 1:
		return gaps{total: total, max: total, min: total}
	}
	low = max(0, min(low, total/n))
	least := (total - low + n - 2) / (n - 1)
	most := total - (n-1)*low
	high := least + int64(math.Round(maxAt*float64(most-least)))
	return gaps{total: total, max: high, min: low, std: stdOf(n, total, low, high, stdAt)}
}

// stdOf is the sample standard deviation of n whole numbers with that sum, of
// which one is low, one is high and the others lie between. With two or three
// numbers it is certain; with more the sum of squares lies at the place at
// between its least (the others equal) and its most (the others at the ends).
func stdOf(n, total, low, high int64, at float64) float64 {
	if n < 2 || high == low {
		return 0
	}
	mean := float64(total) / float64(n)
	ends := square(float64(low)-mean) + square(float64(high)-mean)
	rest := float64(n - 2)
	others := 0.0
	if n > 2 {
		sum := float64(total-low-high) - float64(rest*mean) // of the others' distances from the mean
		least := square(sum) / rest
		atTop := (float64(total-low-high) - float64(rest*float64(low))) / float64(high-low)
		most := float64(rest*square(float64(low)-mean)) + float64(atTop*float64(square(float64(high)-mean)-square(float64(low)-mean)))
		others = least
		if n > 3 && most > least {
			others += float64(at * (most - least))
		}
	}
	return math.Sqrt((ends + others) / float64(n-1))
}

func square(x float64) float64 { return float64(x * x) }
