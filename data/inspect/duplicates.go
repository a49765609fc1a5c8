package inspect

import "math"

// findDuplicates fills in Duplicates: columns of equal hash, then compared cell
// by cell.
func (s *Summary) findDuplicates(f Flows, columns []column) {
	s.Duplicates = [][]string{}
	taken := make([]bool, len(columns))
	for a := range columns {
		if taken[a] || columns[a].Kind == Constant || columns[a].Kind == Empty {
			continue
		}
		set := []string{columns[a].Name}
		for b := a + 1; b < len(columns); b++ {
			if !taken[b] && columns[a].hash == columns[b].hash && f.equalColumns(a, b) {
				taken[b] = true
				set = append(set, columns[b].Name)
			}
		}
		if len(set) > 1 {
			s.Duplicates = append(s.Duplicates, set)
		}
	}
}

func (f Flows) equalColumns(a, b int) bool {
	for i := range f.Labels {
		row := f.row(i)
		if math.Float32bits(canonical(row[a])) != math.Float32bits(canonical(row[b])) {
			return false
		}
	}
	return true
}
