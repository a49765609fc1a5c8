package rank

import (
	"cmp"
	"fmt"
	"slices"
)

// Column is one column's cells in two classes. The zero value is empty and
// Reset fills it; memory is kept from one Reset to the next. Not safe for
// concurrent use.
type Column struct {
	// Positives and Negatives count the cells of each class, the missing ones
	// among them.
	Positives, Negatives               int
	MissingPositives, MissingNegatives int
	runs                               []run // by value, ascending; missing cells left out
	filled                             []run // runs with the missing cells put at the median
}

// run is the cells with one value.
type run struct {
	value     float32
	positives int32
	negatives int32
}

// Reset makes c the column with the given sorted cells (see Sorter), and the
// given numbers of missing ones. Nothing is kept of the arguments.
func (c *Column) Reset(positives, negatives []float32, missingPositives, missingNegatives int) {
	c.Positives, c.MissingPositives = len(positives)+missingPositives, missingPositives
	c.Negatives, c.MissingNegatives = len(negatives)+missingNegatives, missingNegatives
	c.runs = c.runs[:0]
	for len(positives) > 0 || len(negatives) > 0 {
		var r run
		if len(negatives) == 0 || len(positives) > 0 && positives[0] < negatives[0] {
			r.value = positives[0]
		} else {
			r.value = negatives[0]
		}
		r.positives, positives = leading(positives, r.value)
		r.negatives, negatives = leading(negatives, r.value)
		c.runs = append(c.runs, r)
	}
	c.fill()
}

// leading counts how many values at the front of v equal x, and cuts them off.
func leading(v []float32, x float32) (int32, []float32) {
	n := 0
	for n < len(v) && v[n] == x {
		n++
	}
	return int32(n), v[n:]
}

// fill puts the missing cells at the median of the others, where a model that
// imputes as package scale does will see them. Without any others they are one
// run of value 0.
func (c *Column) fill() {
	c.filled = append(c.filled[:0], c.runs...)
	if c.MissingPositives+c.MissingNegatives == 0 {
		return
	}
	missing := run{value: c.median(), positives: int32(c.MissingPositives), negatives: int32(c.MissingNegatives)}
	at, found := slices.BinarySearchFunc(c.filled, missing.value, func(r run, x float32) int { return cmp.Compare(r.value, x) })
	if !found {
		c.filled = slices.Insert(c.filled, at, missing)
		return
	}
	c.filled[at].positives += missing.positives
	c.filled[at].negatives += missing.negatives
}

func (c *Column) median() float32 {
	n := c.Positives + c.Negatives - c.MissingPositives - c.MissingNegatives
	if n == 0 {
		return 0
	}
	lower, upper := c.nth((n-1)/2), c.nth(n/2)
	return float32((float64(lower) + float64(upper)) / 2)
}

// nth is the value at index k of all cells that are not missing, sorted.
func (c *Column) nth(k int) float32 {
	for _, r := range c.runs {
		if k -= int(r.positives) + int(r.negatives); k < 0 {
			return r.value
		}
	}
	panic("rank: index beyond the cells")
}

// Evaluable reports whether both classes have a cell; without that no figure
// below is defined, and asking for one is a panic.
func (c *Column) Evaluable() bool { return c.Positives > 0 && c.Negatives > 0 }

func (c *Column) mustBeEvaluable() {
	if !c.Evaluable() {
		panic("rank: a class has no cell")
	}
}

// AUROC is the chance that a positive cell is larger than a negative one, ties
// counting half. Smaller cells are the suspicious ones where it is below 0.5.
func (c *Column) AUROC() float64 {
	c.mustBeEvaluable()
	var twice, below uint64 // of pairs won; at most 2·2^31·2^31
	for _, r := range c.filled {
		twice += uint64(r.positives) * (2*below + uint64(r.negatives))
		below += uint64(r.negatives)
	}
	return float64(twice) / 2 / (float64(c.Positives) * float64(c.Negatives))
}

// Ranking is what thresholds on a column achieve when cells are taken from one end.
type Ranking struct {
	// AveragePrecision is that of scikit-learn, tied cells taken together. Its
	// chance level is the share of positives.
	AveragePrecision float64 `json:"average_precision"`
	// Found1Percent and Found01Percent count the positives above a threshold that
	// at most 1 % and 0.1 % of the negatives pass.
	Found1Percent  int `json:"found_at_fpr_0.01"`
	Found01Percent int `json:"found_at_fpr_0.001"`
}

// Higher ranks the cells from the largest, Lower from the smallest.
func (c *Column) Higher() Ranking {
	return c.ranking(func(i int) run { return c.filled[len(c.filled)-1-i] })
}

func (c *Column) Lower() Ranking {
	return c.ranking(func(i int) run { return c.filled[i] })
}

func (c *Column) ranking(nth func(i int) run) Ranking {
	c.mustBeEvaluable()
	var out Ranking
	found, alarms := 0, 0
	for i := 0; i < len(c.filled) && found < c.Positives; i++ {
		r := nth(i)
		found += int(r.positives)
		alarms += int(r.negatives)
		if r.positives == 0 {
			continue
		}
		out.AveragePrecision += float64(float64(r.positives) / float64(c.Positives) * float64(found) / float64(found+alarms))
		if float64(alarms) <= 0.01*float64(c.Negatives) {
			out.Found1Percent = found
		}
		if float64(alarms) <= 0.001*float64(c.Negatives) {
			out.Found01Percent = found
		}
	}
	return out
}

// Rule is `column == Value`, or `column is missing`.
type Rule struct {
	Value   float32 `json:"value"`
	Missing bool    `json:"missing,omitempty"`
	// Found counts the positives it holds for, Alarms the negatives.
	Found  int `json:"found"`
	Alarms int `json:"false_alarms"`
	// F1 is 2·Found / (Found + Alarms + positives).
	F1 float64 `json:"f1"`
}

// Precision is Found over all rows the rule holds for.
func (r Rule) Precision() float64 { return float64(r.Found) / float64(r.Found+r.Alarms) }

// Text is the rule in words, for the column of the given name.
func (r Rule) Text(column string) string {
	if r.Missing {
		return column + " is missing"
	}
	return fmt.Sprintf("%s == %v", column, r.Value)
}

// BestRule is the rule with the largest F1; of several that with fewer alarms,
// then the smallest value. It always finds a positive.
func (c *Column) BestRule() Rule {
	c.mustBeEvaluable()
	best := c.rule(run{positives: int32(c.MissingPositives), negatives: int32(c.MissingNegatives)}, true)
	for _, r := range c.runs {
		if r.positives == 0 {
			continue
		}
		if rule := c.rule(r, false); rule.F1 > best.F1 || rule.F1 == best.F1 && rule.Alarms < best.Alarms {
			best = rule
		}
	}
	return best
}

func (c *Column) rule(r run, missing bool) Rule {
	found, alarms := int(r.positives), int(r.negatives)
	return Rule{
		Value: r.value, Missing: missing, Found: found, Alarms: alarms,
		F1: 2 * float64(found) / float64(found+alarms+c.Positives),
	}
}
