package schema

import (
	"fmt"
	"slices"
	"strings"

	"flowbench/data/suggest"
)

// ResolvePartial reads the header of a file that needs to hold no more than the
// given canonical columns, as one has that is to be scored: other features, the
// label and the columns of either form may be there or not, and a column that is
// unknown is skipped. Spellings and order are as in Resolve.
//
// It is an error if a needed column is missing, which names all that are and what
// they may have been called, or if one comes twice (but for Fwd Header Length).
func ResolvePartial(header, need []string) (*Layout, error) {
	layout := &Layout{Form: Form79, Fields: make([]Field, len(header))}
	seen := make(map[string]int, len(header))
	var unknown []string
	for i, raw := range header {
		name := Normalize(raw)
		field, ok := lookup(name, i)
		if !ok {
			unknown = append(unknown, name)
			layout.Fields[i] = Field{Name: name, Role: RoleIgnored, Index: -1}
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
	return layout, missingOf(need, seen, unknown)
}

// missingOf names the needed columns that were not seen.
func missingOf(need []string, seen map[string]int, unknown []string) error {
	var missing, guesses []string
	for _, name := range need {
		if _, ok := seen[name]; ok {
			continue
		}
		missing = append(missing, name)
		for _, other := range unknown {
			if suggest.Nearest(other, []string{name}) != "" {
				guesses = append(guesses, fmt.Sprintf("%q looks like %s", other, name))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	remedy := "name the columns in the first line as the 79-, 85- or 91-column form does"
	if len(guesses) > 0 {
		remedy = strings.Join(slices.Compact(guesses), ", ") + "; rename it in the header"
	}
	return fmt.Errorf("%d of the %d columns that the model reads are missing: %s; %s", len(missing), len(need), strings.Join(missing, ", "), remedy)
}
