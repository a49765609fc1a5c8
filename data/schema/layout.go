package schema

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/data/suggest"
)

// Form is one of the published shapes of the data.
type Form string

// The forms, as they are named in ledgers and messages.
const (
	Form79 Form = "79-column" // MachineLearningCVE
	Form85 Form = "85-column" // GeneratedLabelledFlows: with addresses
	Form91 Form = "91-column" // corrected: with addresses, other names, extra columns
)

// Role says what a reader does with the cells of a column.
type Role uint8

// The roles of a column.
const (
	RoleIgnored  Role = iota // identity without use (row number, flow id, time), or ignored by request
	RoleFeature              // Field.Index is its place in Features
	RoleExtra                // Field.Index is its place in Extras
	RoleRepeat               // must equal the feature Field.Index: the second Fwd Header Length
	RoleLabel                // the label
	RoleCategory             // the corrected form's Attempted Category: -1, or why the attack had no effect
	RoleSourceAddress
	RoleSourcePort
	RoleDestinationAddress
)

// Field is what one column of a file means.
type Field struct {
	Name  string // canonical name
	Role  Role
	Index int // meaning as the Role says, else -1
}

// Layout is what the columns of a file mean, in file order.
type Layout struct {
	Form   Form
	Fields []Field
}

const (
	labelColumn    = "label"
	categoryColumn = "attempted_category"
)

// Resolve reads a header: cells as they stand in the file, quotes and byte
// order mark removed. Columns may stand in any order, and spellings of the
// forms may mix. ignore lists further column names (any spelling) that the file
// may have and that are skipped.
//
// It is an error if a column is unknown, comes twice (but for Fwd Header
// Length), or if a feature or the label is missing; the message names the
// columns and what was probably meant.
func Resolve(header []string, ignore []string) (*Layout, error) {
	skip := make(map[string]bool, len(ignore))
	for _, name := range ignore {
		skip[Normalize(name)] = true
	}
	layout := &Layout{Form: Form79, Fields: make([]Field, len(header))}
	seen := make(map[string]int, len(header))
	var unknown []int
	for i, raw := range header {
		name := Normalize(raw)
		if skip[name] {
			layout.Fields[i] = Field{Name: name, Role: RoleIgnored, Index: -1}
			continue
		}
		field, ok := lookup(name, i)
		if !ok {
			unknown = append(unknown, i)
			continue
		}
		if first, twice := seen[field.Name]; twice {
			if field.Name != ForwardHeaderLength || hasRepeat(layout.Fields) {
				return nil, fmt.Errorf("column %q comes twice, as fields %d and %d; remove one", strings.TrimSpace(raw), first+1, i+1)
			}
			field.Role = RoleRepeat
		} else {
			seen[field.Name] = i
		}
		layout.Fields[i] = field
		layout.Form = max(layout.Form, formOf(name, field))
	}
	if err := complete(header, seen, unknown); err != nil {
		return nil, err
	}
	return layout, nil
}

// Index returns the field with the given role, or -1.
func (l *Layout) Index(role Role) int {
	return slices.IndexFunc(l.Fields, func(f Field) bool { return f.Role == role })
}

// HasExtras reports whether every column of Extras is there.
func (l *Layout) HasExtras() bool {
	n := 0
	for _, f := range l.Fields {
		if f.Role == RoleExtra {
			n++
		}
	}
	return n == len(Extras())
}

func hasRepeat(fields []Field) bool {
	return slices.ContainsFunc(fields, func(f Field) bool { return f.Role == RoleRepeat })
}

// lookup finds the meaning of a normalised name at column i.
func lookup(name string, i int) (Field, bool) {
	if canonical, ok := correctedAlias(name); ok {
		name = canonical
	}
	if name == ForwardHeaderLength+".1" { // as pandas writes the second one
		name = ForwardHeaderLength
	}
	if index, ok := featureIndex()[name]; ok {
		return Field{Name: name, Role: RoleFeature, Index: index}, true
	}
	if index := slices.Index(Extras(), name); index >= 0 {
		return Field{Name: name, Role: RoleExtra, Index: index}, true
	}
	if i == 0 && (name == "" || name == "unnamed:_0") { // the row number that data frames write
		return Field{Name: "row", Role: RoleIgnored, Index: -1}, true
	}
	if field, ok := identity(name); ok {
		field.Index = -1
		return field, true
	}
	return Field{}, false
}

func identity(name string) (Field, bool) {
	switch name {
	case labelColumn:
		return Field{Name: labelColumn, Role: RoleLabel}, true
	case categoryColumn:
		return Field{Name: categoryColumn, Role: RoleCategory}, true
	case "source_ip", "src_ip":
		return Field{Name: "source_ip", Role: RoleSourceAddress}, true
	case "source_port", "src_port":
		return Field{Name: "source_port", Role: RoleSourcePort}, true
	case "destination_ip", "dst_ip":
		return Field{Name: "destination_ip", Role: RoleDestinationAddress}, true
	case "id", "flow_id", "timestamp":
		return Field{Name: name, Role: RoleIgnored}, true
	}
	return Field{}, false
}

// formOf is the least form that has the column; Form values order as strings.
func formOf(name string, field Field) Form {
	_, renamed := correctedAlias(name)
	switch {
	case renamed || field.Role == RoleCategory || field.Role == RoleExtra && field.Name != Protocol:
		return Form91
	case field.Role == RoleSourceAddress || field.Role == RoleDestinationAddress:
		return Form85
	}
	return Form79
}

// complete reports columns that are unknown or missing.
func complete(header []string, seen map[string]int, unknown []int) error {
	var missing []string
	for _, name := range append(Features(), labelColumn) {
		if _, ok := seen[name]; !ok {
			missing = append(missing, name)
		}
	}
	if len(seen) == 0 || len(missing) > Cols/2 {
		return fmt.Errorf("this is no CICIDS2017 header: %d of %d columns are missing, among them %s; "+
			"the first line must hold the column names of the 79-, 85- or 91-column form",
			len(missing), Cols+1, list(missing, 3))
	}
	var problems []string
	for _, i := range unknown {
		problem := fmt.Sprintf("column %d %q is unknown", i+1, strings.TrimSpace(header[i]))
		problems = append(problems, problem+suggest.Aside(Normalize(header[i]), missing))
	}
	if len(missing) > 0 {
		problems = append(problems, "missing: "+list(missing, 8))
	}
	if len(problems) == 0 {
		return nil
	}
	remedy := "rename the columns in the header"
	if len(missing) == 0 {
		remedy = "remove the columns, or list them as ignored"
	}
	return fmt.Errorf("%s; %s", strings.Join(problems, "; "), remedy)
}

// list joins up to n names and says how many more there are.
func list(names []string, n int) string {
	if len(names) <= n {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:n], ", "), len(names)-n)
}

// HasConnections reports whether the file has all that tells one connection
// from another: both addresses, both ports and the protocol.
func (l *Layout) HasConnections() bool {
	return l.Index(RoleSourceAddress) >= 0 && l.Index(RoleSourcePort) >= 0 && l.Index(RoleDestinationAddress) >= 0 &&
		slices.ContainsFunc(l.Fields, func(f Field) bool { return f.Role == RoleExtra && f.Name == Protocol })
}
