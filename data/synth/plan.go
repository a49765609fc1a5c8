package synth

import (
	"math/rand/v2"

	"flowbench/data/schema"
)

// blockRows is how many rows are made at a time. A block is a function of the
// seed, the file and its number, so any number of processors gives the same file.
const blockRows = 4096

// segment is the rows of one class in one file: benign traffic all along, an
// attack within its stretch.
type segment struct {
	class    *class
	mix      int    // which of the class's mixes of clusters
	label    string // as it is written
	rows     int
	from, to float64
	odd      []oddity // the faults of its rows, in order; spread evenly over them
}

// before is how many rows of the segment come before row of a file of that many.
func (s *segment) before(row, rows int) int {
	at := (float64(row)/float64(rows) - s.from) / (s.to - s.from)
	if row == rows || at >= 1 {
		return s.rows
	}
	if at <= 0 {
		return 0
	}
	return int(at * float64(s.rows))
}

// oddity is the fault of row k of the segment: len(odd) of its rows have one.
func (s *segment) oddity(k int) oddity {
	here := int(int64(k) * int64(len(s.odd)) / int64(s.rows))
	if next := int(int64(k+1) * int64(len(s.odd)) / int64(s.rows)); next > here {
		return s.odd[here]
	}
	return sound
}

// filePlan is all that the blocks of a file are made from.
type filePlan struct {
	tables   *tables
	seed     uint64
	key      uint64 // of the file: its real row count, which no two share
	rows     int
	style    numberStyle
	benign   *segment
	segments []*segment // the others
}

func planFile(t *tables, spec fileSpec, counts fileCounts, seed uint64) (filePlan, error) {
	plan := filePlan{tables: t, seed: seed, key: uint64(spec.rows()), rows: counts.rows(), style: spec.style}
	scanned := share(spec.scanned, counts.benign, spec.benign)
	benign, err := t.class(schema.Benign)
	if err != nil {
		return plan, err
	}
	plan.benign = &segment{class: benign, mix: benign.mixNamed(spec.mix), label: benign.label, rows: counts.benign - scanned, to: 1}
	plan.benign.odd = benignOddities(plan.benign.rows, counts.benign, spec, stream(seed, plan.key, benignStream))
	attacks := spec.attacks
	rows := counts.attacks
	if scanned > 0 {
		attacks = append([]attackSpec{{label: scan, from: scanFrom, to: scanTo, rows: scanned}}, attacks...)
		rows = append([]int{scanned}, rows...)
	}
	for i, a := range attacks {
		c, err := t.class(a.label)
		if err != nil {
			return plan, err
		}
		s := &segment{class: c, label: labelText(a.label), rows: rows[i], from: a.from, to: a.to}
		s.odd = attackOddities(s.rows, a, stream(seed, plan.key, attackStream, uint64(i)))
		plan.segments = append(plan.segments, s)
	}
	plan.makeRoom()
	return plan, nil
}

// makeRoom widens the stretches of a file to all of it where a block would have
// to hold more attacks than rows, as with the attacks of a small set.
func (p *filePlan) makeRoom() {
	for b := range p.blocks() {
		lo, hi := p.bounds(b)
		n := 0
		for _, s := range p.segments {
			n += s.before(hi, p.rows) - s.before(lo, p.rows)
		}
		if n > hi-lo {
			for _, s := range p.segments {
				s.from, s.to = 0, 1
			}
			return
		}
	}
}

func (p *filePlan) blocks() int { return (p.rows + blockRows - 1) / blockRows }

func (p *filePlan) bounds(b int) (lo, hi int) {
	return b * blockRows, min((b+1)*blockRows, p.rows)
}

// slot is one row to make: the k-th of its segment.
type slot struct {
	segment *segment
	k       int
}

// slots lists the rows of block b in the order of the file.
func (p *filePlan) slots(b int, rng *rand.Rand) []slot {
	lo, hi := p.bounds(b)
	list := make([]slot, 0, hi-lo)
	attacksBefore := 0
	for _, s := range p.segments {
		first, last := s.before(lo, p.rows), s.before(hi, p.rows)
		attacksBefore += first
		for k := first; k < last; k++ {
			list = append(list, slot{s, k})
		}
	}
	for k := lo - attacksBefore; len(list) < hi-lo; k++ {
		list = append(list, slot{p.benign, k})
	}
	order := rng.Perm(len(list))
	shuffled := make([]slot, len(list))
	for i, at := range order {
		shuffled[at] = list[i]
	}
	return shuffled
}
