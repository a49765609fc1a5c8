package split

import "fmt"

// Rows is the table to split. Nothing in it is written or kept.
type Rows struct {
	// Features is row-major with Cols columns; NaN is a missing cell.
	Features []float32
	Cols     int
	// Labels holds one label index a row of the table.
	Labels []int32
	// LabelNames names the label indices in reports; nil prints the indices.
	LabelNames []string
	// Groups holds one connection a row; nil where connections are not known.
	Groups []int64
	// Files holds one index into FileNames a row; only ByFile needs them.
	Files     []int32
	FileNames []string
	// Keep lists the rows in play, ascending; nil means every row.
	Keep []int32
	// Columns lists the columns in use; nil means every column. Two rows are
	// duplicates when they agree in these.
	Columns []int
}

// view is Rows with its defaults filled in. The functions below speak of a
// position p in [0, n): the place of a row in Keep.
type view struct {
	Rows
	rows    []int32 // position -> row
	labels  []int32 // position -> label
	classes int     // labels are below this
}

// checked panics where the slices do not fit together: a programmer's mistake.
func (r Rows) checked() view {
	if r.Cols <= 0 || len(r.Features)%r.Cols != 0 {
		panic("split: len(Features) is not a multiple of Cols")
	}
	n := len(r.Features) / r.Cols
	if len(r.Labels) != n {
		panic("split: len(Labels) is not the number of rows")
	}
	if r.Groups != nil && len(r.Groups) != n {
		panic("split: len(Groups) is not the number of rows")
	}
	if r.Columns == nil {
		r.Columns = make([]int, r.Cols)
		for c := range r.Columns {
			r.Columns[c] = c
		}
	}
	v := view{Rows: r, rows: r.Keep, classes: len(r.LabelNames)}
	if v.rows == nil {
		v.rows = make([]int32, n)
		for i := range v.rows {
			v.rows[i] = int32(i)
		}
	}
	v.labels = make([]int32, len(v.rows))
	for p, row := range v.rows {
		if p > 0 && row <= v.rows[p-1] {
			panic("split: Keep is not ascending")
		}
		v.labels[p] = r.Labels[row]
		v.classes = max(v.classes, int(v.labels[p])+1)
	}
	return v
}

// labelName is what reports call a label.
func (v view) labelName(label int) string {
	if label < len(v.LabelNames) {
		return v.LabelNames[label]
	}
	return fmt.Sprintf("label %d", label)
}
