// Package ledger accounts for every row and cell of a set of flow records:
// what was read, kept and dropped, which cells are missing and why, and what is
// odd in the columns. Check proves that the sums hold.
package ledger

// Ledger is the account of one read of a set of files. It is plain data: it
// survives a round trip through JSON, and Check works on the result.
type Ledger struct {
	Read    int64 `json:"rows_read"`
	Kept    int64 `json:"rows_kept"`
	Dropped int64 `json:"rows_dropped"`
	// Attempted is what became of flows marked as attempted attacks: keep
	// (a label of their own), benign, or attack.
	Attempted string   `json:"attempted_policy"`
	Files     []File   `json:"files"`
	Labels    []Label  `json:"labels"` // sums over Files, labels that occur only
	Columns   []Column `json:"columns"`
	// DuplicateColumns lists sets of columns that are equal in every kept row,
	// constant ones left out.
	DuplicateColumns [][]string `json:"duplicate_columns"`
	Duplicates       Duplicates `json:"duplicate_rows"`
}

// File is the account of one file: Lines = 1 header + RepeatedHeaders + Blank + Read,
// and Read = Kept + Dropped.
type File struct {
	Name            string   `json:"name"`
	Form            string   `json:"form"`
	Bytes           int64    `json:"bytes"`
	Lines           int64    `json:"lines"`
	RepeatedHeaders int64    `json:"repeated_headers"`
	Blank           int64    `json:"blank_lines"` // empty, or separators only
	IgnoredColumns  []string `json:"ignored_columns,omitempty"`
	// HeaderLengthTwice tells that the second Fwd Header Length was there,
	// compared with the first row by row, and left out.
	HeaderLengthTwice bool    `json:"header_length_twice"`
	Read              int64   `json:"rows_read"`
	Kept              int64   `json:"rows_kept"`
	Dropped           int64   `json:"rows_dropped"`
	Labels            []Label `json:"labels"`
}

// Unreadable is the label of dropped rows whose label could not be read.
const Unreadable = "(unreadable)"

// Label is the account of one label: Read = Kept + the rows of Drops.
type Label struct {
	Name  string `json:"name"`
	Read  int64  `json:"rows_read"`
	Kept  int64  `json:"rows_kept"`
	Drops []Drop `json:"drops,omitempty"`
	// Attempted is how many of the kept rows the file marks as attempted attacks.
	Attempted int64 `json:"attempted,omitempty"`
	// MissingRows is how many of the kept rows have missing cells, and MissingCells how many those are.
	MissingRows  int64 `json:"rows_with_missing_cells"`
	MissingCells int64 `json:"missing_cells"`
}

// Dropped is the number of rows in l.Drops.
func (l Label) Dropped() int64 {
	var n int64
	for _, d := range l.Drops {
		n += d.Rows
	}
	return n
}

// Drop counts the rows left out for one reason.
type Drop struct {
	Reason string `json:"reason"`
	Rows   int64  `json:"rows"`
	// First is the place of the first of them, "file:line".
	First string `json:"first"`
}

// Column is the account of one feature column over the kept rows.
type Column struct {
	Name string `json:"name"`
	// Infinite, NaN and Blank count missing cells by the text that stood there.
	Infinite int64 `json:"infinite"`
	NaN      int64 `json:"nan"`
	Blank    int64 `json:"blank"`
	// Negative counts values below 0, which no column of flow records should
	// have; Sentinel counts, in place of Negative, a -1 that stands for "not seen".
	Negative int64 `json:"negative"`
	Sentinel int64 `json:"sentinel"`
	// Present is the number of cells that are not missing; Min and Max are
	// their range and 0 where there are none.
	Present int64   `json:"present"`
	Min     float32 `json:"min"`
	Max     float32 `json:"max"`
	// Constant tells that the present values are all one value, or that there are none.
	Constant bool `json:"constant"`
}

// Missing is the number of missing cells.
func (c Column) Missing() int64 { return c.Infinite + c.NaN + c.Blank }

// Duplicates counts kept rows that are equal to an earlier one. Published
// counts differ by their basis; this one is stated in Basis.
type Duplicates struct {
	// Counted is false where the read was asked to leave duplicates uncounted.
	Counted bool   `json:"counted"`
	Basis   string `json:"basis"`
	// Distinct is the number of different feature rows; Repeats = kept - Distinct.
	Distinct int64 `json:"distinct"`
	Repeats  int64 `json:"repeats"`
	// Conflicting is the number of different feature rows that come with more than one label.
	Conflicting int64 `json:"conflicting"`
	// Labels holds the number of different feature rows of each label.
	Labels []Distinct `json:"labels"`
	// Connections is the number of different five-tuples among rows with addresses.
	Connections int64 `json:"connections"`
}

// Distinct is the number of different feature rows of one label.
type Distinct struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// Basis is what makes two rows equal for Duplicates.
const Basis = "equal float32 values in every feature column, destination port included, label not"

// Constants lists the columns whose present values are all one value.
func (l *Ledger) Constants() []string {
	var names []string
	for _, c := range l.Columns {
		if c.Constant {
			names = append(names, c.Name)
		}
	}
	return names
}

// MissingCells is the number of missing cells in the kept rows.
func (l *Ledger) MissingCells() int64 {
	var n int64
	for _, c := range l.Columns {
		n += c.Missing()
	}
	return n
}
