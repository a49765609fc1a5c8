package flowcsv

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"flowbench/data/schema"
)

// FormGiven is the form, in the ledger, of files read with Options.Columns.
const FormGiven schema.Form = "given columns"

// labelColumn is the normalised name of the column that is no feature in any file.
const labelColumn = "label"

// FeatureColumns names, normalised and in file order, every column of a source
// but the label: Options.Columns for a file that has no known schema, such as a
// table made for a measurement. It reads the header only, and is no check of
// anything: the names of a file of another kind come back as they are.
func FeatureColumns(src Source) (_ []string, err error) {
	stream, err := src.Open()
	if err != nil {
		return nil, fileError(src.place(), err)
	}
	defer func() {
		if closing := stream.Close(); closing != nil && err == nil {
			err = readError(src.place(), 0, closing)
		}
	}()
	in := newLines(stream, DefaultMaxLine)
	cells, _, err := readNames(in, src.place(), DefaultMaxLine)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, name := range normalized(cells) {
		if string(name) != labelColumn {
			names = append(names, string(name))
		}
	}
	if err := checkColumns(names); err != nil {
		return nil, &Error{File: src.place(), Line: in.number, Problem: err.Error(), Remedy: "correct the header"}
	}
	return names, nil
}

// checkColumns finds what makes a list no names of features.
func checkColumns(names []string) error {
	if len(names) == 0 {
		return errors.New("columns: none but the label")
	}
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		switch {
		case name == "" || name != schema.Normalize(name):
			return fmt.Errorf("columns: %d is %q, which is no normalised name", i+1, name)
		case name == labelColumn:
			return fmt.Errorf("columns: %d is the label, which is no feature", i+1)
		case seen[name]:
			return fmt.Errorf("columns: %q comes twice", name)
		}
		seen[name] = true
	}
	return nil
}

// resolveGiven is what schema.Resolve is, for given columns in place of the
// known ones: a file must have them and the label, in any order, and nothing
// else but what is ignored.
func resolveGiven(names, columns, ignore []string) (*schema.Layout, error) {
	layout := &schema.Layout{Form: FormGiven, Fields: make([]schema.Field, len(names))}
	missing := append(slices.Clone(columns), labelColumn)
	for i, raw := range names {
		name := schema.Normalize(raw)
		field := schema.Field{Name: name, Role: schema.RoleIgnored, Index: -1}
		ignored := slices.ContainsFunc(ignore, func(other string) bool { return schema.Normalize(other) == name })
		switch index := slices.Index(columns, name); {
		case ignored:
		case index >= 0:
			field.Role, field.Index = schema.RoleFeature, index
		case name == labelColumn:
			field.Role = schema.RoleLabel
		default:
			return nil, fmt.Errorf("column %d %q is none of the %d given ones; list it as ignored", i+1, strings.TrimSpace(raw), len(columns))
		}
		layout.Fields[i] = field
		if ignored {
			continue
		}
		at := slices.Index(missing, name)
		if at < 0 {
			return nil, fmt.Errorf("column %q comes twice; remove one", strings.TrimSpace(raw))
		}
		missing = slices.Delete(missing, at, at+1)
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("missing: %s; name the columns that the file has", strings.Join(missing, ", "))
	}
	return layout, nil
}
