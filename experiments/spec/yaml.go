package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"

	"flowbench/data/synth"
)

// YAML is a spec that says r and nothing else: every field that has an effect
// is written out, and paths of files are absolute, so that it may lie in any
// folder. Reading it gives r again.
func (r Run) YAML() ([]byte, error) {
	r.Data.Source = append(Sources{}, r.Data.Source...)
	for i, path := range r.Data.Source {
		if strings.HasPrefix(path, synth.Scheme) {
			continue
		}
		absolute, err := filepath.Abs(path)
		if err != nil {
			return nil, fmt.Errorf("data.source %s: %w", path, err)
		}
		r.Data.Source[i] = absolute
	}
	var b bytes.Buffer
	var open []string
	for _, l := range leaves() {
		field := reflect.ValueOf(&r).Elem().FieldByIndex(l.index)
		if !r.says(l, field) {
			continue
		}
		keys := strings.Split(l.path, ".")
		writeSections(&b, open, keys)
		open = keys
		fmt.Fprintf(&b, "%s%s: %s\n", indent(len(keys)-1), keys[len(keys)-1], scalarYAML(plain(field)))
	}
	return b.Bytes(), nil
}

// says reports whether a field has to be written for r to be read back.
func (r *Run) says(l leaf, field reflect.Value) bool {
	switch {
	case l.path == "data.drop":
		return true // an empty list is not the default
	case field.Kind() == reflect.Slice:
		return field.Len() > 0
	case l.rule.Optional || l.path == "data.split.train" || l.path == "data.split.validation" || l.path == "data.split.test":
		return !field.IsZero()
	}
	return l.rule.Applies(&r.Config)
}

// writeSections writes the names of the sections of a path that are not open yet.
func writeSections(b *bytes.Buffer, open, keys []string) {
	same := true
	for i, key := range keys[:len(keys)-1] {
		same = same && i < len(open)-1 && open[i] == key
		if !same {
			fmt.Fprintf(b, "%s%s:\n", indent(i), key)
		}
	}
}

func indent(depth int) string { return strings.Repeat("  ", depth) }

// bareWord is text that YAML reads as text without quotes.
var bareWord = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// scalarYAML writes a Param.Value in flow style; but for bare words that is JSON.
func scalarYAML(v any) string {
	if word, ok := v.(string); ok && bareWord.MatchString(word) && plainScalar(word, place{}).kind == text {
		return word
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // a URI stays readable
	if err := e.Encode(v); err != nil {
		panic("spec: " + err.Error())
	}
	return strings.TrimSpace(b.String())
}
