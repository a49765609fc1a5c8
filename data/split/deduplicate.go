package split

// Deduplication says what Deduplicate left out. Every row in play is in it:
// Rows = Kept + Dropped, for each label and in sum.
type Deduplication struct {
	Labels []LabelDrop `json:"labels"` // labels with a row in play, by index
	Rows   int         `json:"rows"`
	Kept   int         `json:"kept"`
	// Dropped counts the rows that repeat an earlier row in every column in use
	// and in the label.
	Dropped int `json:"dropped"`
	// ConflictGroups counts the sets of rows that are equal in the columns in
	// use and yet carry different labels: no model can tell them apart. They
	// are kept, one row a label. ConflictRows counts those kept rows.
	ConflictGroups int `json:"conflict_groups"`
	ConflictRows   int `json:"conflict_rows"`
}

// LabelDrop is one label's line of a Deduplication.
type LabelDrop struct {
	Label        string `json:"label"`
	Rows         int    `json:"rows"`
	Kept         int    `json:"kept"`
	Dropped      int    `json:"dropped"`
	ConflictRows int    `json:"conflict_rows"`
}

// Deduplicate returns the rows in play, ascending, without those that repeat an
// earlier one: the first of each (columns in use, label) stays. Equality is
// that of every split here: NaN equals NaN and -0 equals 0.
func Deduplicate(rows Rows) (keep []int32, d Deduplication) {
	v := rows.checked()
	same := findDuplicates(v)
	repeats, conflicting := repeatedRows(v, same)

	lines := make([]LabelDrop, v.classes)
	keep = make([]int32, 0, same.count)
	for p, row := range v.rows {
		line := &lines[v.labels[p]]
		line.Rows++
		if repeats[p] {
			line.Dropped++
			continue
		}
		line.Kept++
		keep = append(keep, row)
		if conflicting[same.of[p]] {
			line.ConflictRows++
		}
	}
	for _, yes := range conflicting {
		if yes {
			d.ConflictGroups++
		}
	}
	for label, line := range lines {
		if line.Rows == 0 {
			continue
		}
		line.Label = v.labelName(label)
		d.Labels = append(d.Labels, line)
		d.Rows += line.Rows
		d.Kept += line.Kept
		d.Dropped += line.Dropped
		d.ConflictRows += line.ConflictRows
	}
	return keep, d
}

// repeatedRows marks the positions whose group has an earlier row of the same
// label, and the groups that hold more than one label.
func repeatedRows(v view, same grouping) (repeats, conflicting []bool) {
	type labelOf struct{ group, label int32 }
	repeats = make([]bool, len(same.of))
	conflicting = make([]bool, same.count)
	first := make([]int32, same.count) // label of the group's first row, plus 1
	others := map[labelOf]bool{}       // further labels: rare, so a map will do
	for p, group := range same.of {
		label := v.labels[p]
		switch {
		case first[group] == 0:
			first[group] = label + 1
		case first[group] == label+1:
			repeats[p] = true
		default:
			conflicting[group] = true
			repeats[p] = others[labelOf{group, label}]
			others[labelOf{group, label}] = true
		}
	}
	return repeats, conflicting
}
