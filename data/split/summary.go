package split

// Summary counts what each part of a Split holds.
type Summary struct {
	Labels []LabelParts `json:"labels"` // labels with a row in play, by index
	Total  LabelParts   `json:"total"`
}

// LabelParts is one label's line, or the sum over all.
type LabelParts struct {
	Label      string `json:"label"`
	Train      Count  `json:"train"`
	Validation Count  `json:"validation"`
	Test       Count  `json:"test"`
	Unused     Count  `json:"unused"`
}

// Count is rows and the connections they belong to (0 where Rows.Groups is nil).
type Count struct {
	Rows        int `json:"rows"`
	Connections int `json:"connections"`
}

// Summarise counts the rows and connections of every label in every part of s,
// which was made of rows.
func Summarise(s Split, rows Rows) Summary {
	names := view{Rows: rows}
	var lines []LabelParts
	total := LabelParts{Label: "all"}
	for part, list := range [...][]int32{s.Train, s.Validation, s.Test, s.Unused} {
		type connection struct {
			label int32
			group int64
		}
		seen, all := map[connection]bool{}, map[int64]bool{}
		for _, row := range list {
			label := rows.Labels[row]
			for int(label) >= len(lines) {
				lines = append(lines, LabelParts{Label: names.labelName(len(lines))})
			}
			line := lines[label].part(part)
			line.Rows++
			total.part(part).Rows++
			if rows.Groups == nil {
				continue
			}
			group := rows.Groups[row]
			if key := (connection{label, group}); !seen[key] {
				seen[key] = true
				line.Connections++
			}
			if !all[group] {
				all[group] = true
				total.part(part).Connections++
			}
		}
	}
	summary := Summary{Total: total}
	for _, line := range lines {
		if line.Train.Rows+line.Validation.Rows+line.Test.Rows+line.Unused.Rows > 0 {
			summary.Labels = append(summary.Labels, line)
		}
	}
	return summary
}

func (l *LabelParts) part(i int) *Count {
	return [...]*Count{&l.Train, &l.Validation, &l.Test, &l.Unused}[i]
}
