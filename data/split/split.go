package split

import "slices"

// Split is the rows of each part, ascending. The four lists are disjoint and
// together hold every row in play.
type Split struct {
	Train      []int32 `json:"train"`
	Validation []int32 `json:"validation"`
	Test       []int32 `json:"test"`
	// Unused holds the rows in no part. Only ByFile has any: rows of files that
	// no glob names, and rows whose duplicates lie in a later part (see Make).
	Unused []int32 `json:"unused,omitempty"`
}

// Make cuts the rows in play by cfg, and reports what a plain random split of
// the same seed and shares would have let cross.
//
//   - ByRandom deals sets of duplicates, stratified by label.
//   - ByGroup deals connections the same way; connections that share a
//     duplicate are dealt together. With Rows.Groups nil it is ByRandom.
//   - ByFile gives each part the files that its globs name. Where duplicates lie
//     in files of several parts, only those in the last of them stay (test before
//     validation before train) and the others become Unused: the part that is
//     measured on keeps its natural mix. Without ValidationFiles, validation is
//     dealt out of the train files like ByRandom.
//
// place.go says how groups are dealt. An impossible split is a *FieldError:
// a Config that Validate refuses, a glob without a file, a file in two parts, a
// part that was promised rows and would have none. A part that has rows but none
// of some label is no error. Slices that do not fit together are a panic.
func Make(cfg Config, rows Rows) (Split, Leakage, error) {
	if err := cfg.Validate(); err != nil {
		return Split{}, Leakage{}, err
	}
	v := rows.checked()
	if len(v.rows) == 0 {
		return Split{}, Leakage{}, fieldError("train", "there are no rows to split: no row is left in play")
	}
	same := findDuplicates(v)
	part, err := assign(cfg, v, same)
	if err != nil {
		return Split{}, Leakage{}, err
	}
	if err := checkParts(cfg, part); err != nil {
		return Split{}, Leakage{}, err
	}
	return collect(v, part), leakage(cfg, v, same, part), nil
}

func assign(cfg Config, v view, same grouping) ([]int8, error) {
	switch {
	case cfg.By == ByFile:
		return assignFiles(cfg, v, same)
	case cfg.By == ByGroup && v.Groups != nil:
		return deal(v, join(same, connections(v)), cfg.shares(), cfg.Seed), nil
	}
	return deal(v, same, cfg.shares(), cfg.Seed), nil
}

// checkParts refuses a part that was promised rows and has none.
func checkParts(cfg Config, part []int8) error {
	var rows [parts]int
	for _, p := range part {
		if p != noPart {
			rows[p]++
		}
	}
	for p, globs := range cfg.globs() {
		if rows[p] > 0 {
			continue
		}
		switch {
		case cfg.By == ByFile && len(globs) > 0:
			return fieldError(partNames[p]+"_files", "%q leaves %s without a row: every row there repeats one of a later part, or was filtered out", globs, partNames[p])
		case cfg.shares()[p] == 0:
		default:
			return fieldError(partNames[p], "%v of %d rows in play leaves no row for %s once duplicates and connections stay together: give more rows, or set it to 0",
				cfg.shares()[p], len(part), partNames[p])
		}
	}
	return nil
}

func collect(v view, part []int8) Split {
	var lists [parts][]int32
	var unused []int32
	for p, row := range v.rows {
		if part[p] == noPart {
			unused = append(unused, row)
		} else {
			lists[part[p]] = append(lists[part[p]], row)
		}
	}
	return Split{Train: lists[train], Validation: lists[validation], Test: lists[test], Unused: unused}
}

// connections numbers the values of Rows.Groups among the rows in play.
func connections(v view) grouping {
	g := grouping{of: make([]int32, len(v.rows))}
	number := make(map[int64]int32, len(v.rows)/4)
	for p, row := range v.rows {
		n, known := number[v.Groups[row]]
		if !known {
			n = int32(len(number))
			number[v.Groups[row]] = n
		}
		g.of[p] = n
	}
	g.count = len(number)
	return g
}

// join is the finest grouping that splits no group of a and none of b. It walks
// along both by union-find with path halving, the earlier position the root.
func join(a, b grouping) grouping {
	parent := make([]int32, len(a.of))
	for p := range parent {
		parent[p] = int32(p)
	}
	root := func(p int32) int32 {
		for parent[p] != p {
			parent[p] = parent[parent[p]]
			p = parent[p]
		}
		return p
	}
	for _, g := range [...]grouping{a, b} {
		first := slices.Repeat([]int32{-1}, g.count)
		for p, group := range g.of {
			if first[group] < 0 {
				first[group] = int32(p)
				continue
			}
			one, other := root(first[group]), root(int32(p))
			parent[max(one, other)] = min(one, other)
		}
	}
	out := grouping{of: make([]int32, len(parent))}
	for p := range parent { // a root comes before the rest of its tree, so it is numbered first
		if r := root(int32(p)); r == int32(p) {
			out.of[p] = int32(out.count)
			out.count++
		} else {
			out.of[p] = out.of[r]
		}
	}
	return out
}
