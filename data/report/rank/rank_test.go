package rank

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// sorted sorts the cells that are there and counts those that are not.
func sorted(cells []*float32) (values []float32, missing int) {
	for _, cell := range cells {
		if cell == nil {
			missing++
		} else {
			values = append(values, *cell)
		}
	}
	new(Sorter).Sort(values)
	return values, missing
}

func TestAgreesWithScikitLearn(t *testing.T) {
	text, err := os.ReadFile("testdata/sklearn.json")
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Cases []struct {
			Name                 string
			Positives, Negatives []*float32
			AUROC                float64
			Higher, Lower        Ranking
			RuleF1               float64 `json:"rule_f1"`
		}
	}
	if err := json.Unmarshal(text, &golden); err != nil {
		t.Fatal(err)
	}
	var c Column // one for all, as its memory is reused
	for _, want := range golden.Cases {
		positives, missingPositives := sorted(want.Positives)
		negatives, missingNegatives := sorted(want.Negatives)
		c.Reset(positives, negatives, missingPositives, missingNegatives)
		near(t, want.Name+": AUROC", c.AUROC(), want.AUROC)
		near(t, want.Name+": F1 of the best rule", c.BestRule().F1, want.RuleF1)
		for way, pair := range map[string][2]Ranking{"higher": {c.Higher(), want.Higher}, "lower": {c.Lower(), want.Lower}} {
			near(t, want.Name+": average precision, "+way, pair[0].AveragePrecision, pair[1].AveragePrecision)
			if pair[0].Found1Percent != pair[1].Found1Percent || pair[0].Found01Percent != pair[1].Found01Percent {
				t.Errorf("%s: %s: got %+v, want %+v", want.Name, way, pair[0], pair[1])
			}
		}
	}
}

// near allows for the roundings of some thousand additions.
func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

var hard = rapid.OneOf(
	rapid.SampledFrom([]float32{0, float32(math.Copysign(0, -1)), 1, -1, math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32,
		math.MaxFloat32, -math.MaxFloat32, float32(math.Inf(1)), float32(math.Inf(-1)), 1e9, 1e-9}),
	rapid.Float32Range(-1e6, 1e6),
	rapid.Map(rapid.Uint32Range(0, 0x7F800000), math.Float32frombits),
)

func TestSortIsTheComparisonSort(t *testing.T) {
	var s Sorter
	rapid.Check(t, func(t *rapid.T) {
		pool := rapid.SliceOfN(hard, 1, 60).Draw(t, "cells")
		n := rapid.SampledFrom([]int{0, 1, 2, 19, radixFrom - 1, radixFrom, radixFrom + 1, 3000}).Draw(t, "length")
		values := make([]float32, n)
		for i := range values {
			values[i] = pool[(i*31+i/7)%len(pool)]
		}
		want := slices.Clone(values)
		slices.SortStableFunc(want, func(a, b float32) int {
			switch {
			case a < b:
				return -1
			case a > b:
				return 1
			}
			return 0
		})
		s.Sort(values)
		for i := range want {
			if values[i] != want[i] || math.Signbit(float64(values[i])) && values[i] == 0 {
				t.Fatalf("index %d of %d: got %v, want %v", i, n, values[i], want[i])
			}
		}
	})
}

// The pairs that AUROC counts, one by one; and the value of every rule.
func TestAUROCAndRulesAreWhatTheSlowLoopsFind(t *testing.T) {
	var c Column
	cell := rapid.SampledFrom([]float32{-1, 0, 1, 2, 3, 443, 444, 1e9})
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.SliceOfN(cell, 0, 12).Draw(t, "positives")
		n := rapid.SliceOfN(cell, 0, 40).Draw(t, "negatives")
		missingP, missingN := rapid.IntRange(0, 3).Draw(t, "missing positives"), rapid.IntRange(0, 3).Draw(t, "missing negatives")
		if len(p)+missingP == 0 || len(n)+missingN == 0 {
			t.Skip("one class only")
		}
		slices.Sort(p)
		slices.Sort(n)
		c.Reset(p, n, missingP, missingN)

		all := slices.Concat(p, n)
		slices.Sort(all)
		median := float32(0)
		if k := len(all); k > 0 {
			median = float32((float64(all[(k-1)/2]) + float64(all[k/2])) / 2)
		}
		filledP := append(slices.Clone(p), slices.Repeat([]float32{median}, missingP)...)
		filledN := append(slices.Clone(n), slices.Repeat([]float32{median}, missingN)...)
		won := 0.0
		for _, a := range filledP {
			for _, b := range filledN {
				if a > b {
					won++
				} else if a == b {
					won += 0.5
				}
			}
		}
		if got, want := c.AUROC(), won/float64(len(filledP)*len(filledN)); !(math.Abs(got-want) <= 1e-14) {
			t.Fatalf("AUROC: got %v, want %v", got, want)
		}

		best := 2 * float64(missingP) / float64(2*missingP+missingN+len(filledP)-missingP)
		for _, v := range p {
			found, alarms := count(p, v), count(n, v)
			best = max(best, 2*float64(found)/float64(found+alarms+len(filledP)))
		}
		rule := c.BestRule()
		if !(math.Abs(rule.F1-best) <= 1e-14) {
			t.Fatalf("rule %+v, but another has F1 %v", rule, best)
		}
		if !rule.Missing && (rule.Found != count(p, rule.Value) || rule.Alarms != count(n, rule.Value)) {
			t.Fatalf("rule %+v holds for %d and %d rows", rule, count(p, rule.Value), count(n, rule.Value))
		}
	})
}

func count(v []float32, x float32) (n int) {
	for _, y := range v {
		if x == y {
			n++
		}
	}
	return n
}

func TestOfEqualRulesTheOneWithFewerAlarmsWins(t *testing.T) {
	var c Column
	// 4 of 6 found with 6 alarms has F1 1/2, and so has 2 of 6 with none.
	c.Reset([]float32{1, 1, 1, 1, 2, 2}, []float32{1, 1, 1, 1, 1, 1}, 0, 0)
	if got := c.BestRule(); got != (Rule{Value: 2, Found: 2, F1: 0.5}) {
		t.Errorf("got %+v", got)
	}
	c.Reset([]float32{1, 1, 1}, []float32{1}, 1, 0) // missing: 1 of 4, no alarm
	if got := c.BestRule(); got != (Rule{Value: 1, Found: 3, Alarms: 1, F1: 0.75}) || got.Precision() != 0.75 {
		t.Errorf("got %+v, precision %v", got, got.Precision())
	}
}

func TestOneFalseAlarmInAHundredIsWithinOnePercent(t *testing.T) {
	negatives := make([]float32, 100)
	negatives[99] = 9
	var c Column
	c.Reset([]float32{5}, negatives, 0, 0)
	if got := c.Higher(); got.Found1Percent != 1 || got.Found01Percent != 0 {
		t.Errorf("got %+v", got)
	}
}

func TestQuantileIsLinearBetweenNeighbours(t *testing.T) {
	v := []float32{1, 2, 4, 8}
	for q, want := range map[float64]float64{0: 1, 0.25: 1.75, 0.5: 3, 0.75: 5, 1: 8} { // numpy.quantile 1.24.2
		if got := Quantile(v, q); got != want {
			t.Errorf("quantile %v: got %v, want %v", q, got, want)
		}
	}
	if got := Quantile([]float32{7}, 0.3); got != 7 {
		t.Errorf("of one value: %v", got)
	}
}

func TestUndefinedFiguresPanic(t *testing.T) {
	var c Column
	c.Reset(nil, []float32{1}, 0, 0)
	if c.Evaluable() {
		t.Error("evaluable without a positive")
	}
	for name, call := range map[string]func(){
		"AUROC":    func() { c.AUROC() },
		"Higher":   func() { c.Higher() },
		"BestRule": func() { c.BestRule() },
		"Quantile": func() { Quantile([]float32{1}, math.NaN()) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s did not panic", name)
				}
			}()
			call()
		}()
	}
}

func BenchmarkSort(b *testing.B) {
	for _, n := range []int{256, 512, 1024, 818520} {
		values, work := make([]float32, n), make([]float32, n)
		for i := range values {
			values[i] = math.Float32frombits(uint32(i) * 2654435761 >> 2)
		}
		var s Sorter
		b.Run(fmt.Sprint("radix/", n), func(b *testing.B) {
			for b.Loop() {
				copy(work, values)
				s.sortByRadix(work)
			}
		})
		b.Run(fmt.Sprint("comparison/", n), func(b *testing.B) {
			for b.Loop() {
				copy(work, values)
				slices.Sort(work)
			}
		})
	}
}
