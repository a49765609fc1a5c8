package synth

import (
	"fmt"

	"flowbench/data/schema"
)

// keep is the number of rows that a class has in a small set, if it has as many
// at all: that of the Infiltration class.
const keep = 36

// fileCounts is how many rows of each kind a file gets: benign, then its attacks
// in the order of its spec.
type fileCounts struct {
	benign  int
	attacks []int
}

func (c fileCounts) rows() int {
	n := c.benign
	for _, a := range c.attacks {
		n += a
	}
	return n
}

// scaleCounts applies the rule written at Files.
func scaleCounts(p profile, cfg Config) ([]fileCounts, error) {
	if cfg.Rows < 0 || cfg.Positives < 0 {
		return nil, fmt.Errorf("synthetic %s: rows=%d, positives=%d: neither may be negative", p.name, cfg.Rows, cfg.Positives)
	}
	rows := cfg.Rows
	if rows == 0 {
		rows = p.rows()
	}
	counts, attacks := attackCounts(p, rows, cfg.Positives)
	if attacks > rows-len(p.files) {
		return nil, fmt.Errorf("synthetic %s: rows=%d is too small: %d attack rows and a benign row in each of %d files need rows=%d or more",
			p.name, rows, attacks, len(p.files), smallest(p, cfg.Positives))
	}
	spreadBenign(p, counts, rows-attacks)
	return counts, nil
}

// attackCounts gives each attack its rows in a set of that many, and their sum.
func attackCounts(p profile, rows, positives int) ([]fileCounts, int) {
	for floor := keep; ; floor-- {
		counts, sum := make([]fileCounts, len(p.files)), 0
		for i, f := range p.files {
			for _, a := range f.attacks {
				n := attackRows(a, p.rows(), rows, floor, positives)
				counts[i].attacks = append(counts[i].attacks, n)
				sum += n
			}
		}
		if floor == 1 || 2*sum <= rows {
			return counts, sum
		}
	}
}

func attackRows(a attackSpec, from, to, floor, positives int) int {
	if a.label == infiltration {
		if positives > 0 {
			return positives
		}
		return min(a.rows, floor)
	}
	return max(share(a.rows, to, from), min(a.rows, floor))
}

// smallest is the least number of rows that scaleCounts accepts.
func smallest(p profile, positives int) int {
	_, least := attackCounts(p, 0, positives)
	for rows := least + len(p.files); ; rows++ {
		if _, attacks := attackCounts(p, rows, positives); attacks <= rows-len(p.files) {
			return rows
		}
	}
}

// spreadBenign gives the files rows benign rows in proportion to the real ones,
// by running sums, so that they add up. A file without any gets one from the file
// that has most.
func spreadBenign(p profile, counts []fileCounts, rows int) {
	total := 0
	for _, f := range p.files {
		total += f.benign
	}
	running, given := 0, 0
	for i, f := range p.files {
		running += f.benign
		counts[i].benign = share(running, rows, total) - given
		given += counts[i].benign
	}
	for i := range counts {
		if counts[i].benign == 0 {
			most := fullest(counts)
			counts[most].benign--
			counts[i].benign++
		}
	}
}

// fullest is the first file with most benign rows.
func fullest(counts []fileCounts) int {
	most := 0
	for i, c := range counts {
		if c.benign > counts[most].benign {
			most = i
		}
	}
	return most
}

// share is part × to / from, rounded to the nearest.
func share(part, to, from int) int {
	return int((2*int64(part)*int64(to) + int64(from)) / (2 * int64(from)))
}

// labelCounts lists a file's labels, BENIGN first. A class that got no row is left out.
func labelCounts(spec fileSpec, counts fileCounts) []LabelCount {
	list := []LabelCount{{schema.Benign, counts.benign}}
	for i, a := range spec.attacks {
		if counts.attacks[i] > 0 {
			list = append(list, LabelCount{a.label, counts.attacks[i]})
		}
	}
	return list
}

func countOf(labels []LabelCount, label string) int {
	for _, l := range labels {
		if l.Label == label {
			return l.Rows
		}
	}
	return 0
}
