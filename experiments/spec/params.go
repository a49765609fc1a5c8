package spec

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// VariantKey is the path under which Params name a sweep's variant.
const VariantKey = "variant"

// Param is one value that a sweep chose.
type Param struct {
	Path string
	// Value is a bool, int64, float64, string, []any of these, or, for weights a
	// label, a map[string]any.
	Value any

	written value // where Param stands in a spec; else zero
}

// String is path=value, the value in JSON but for bare words.
func (p Param) String() string {
	if word, ok := p.Value.(string); ok {
		return p.Path + "=" + word
	}
	return p.Path + "=" + string(mustJSON(p.Value))
}

// Params are the values of one configuration, the variant first and then in the
// order of the spec. In JSON they are one object in that order.
type Params []Param

// String joins the parameters with blanks.
func (p Params) String() string {
	words := make([]string, len(p))
	for i, param := range p {
		words[i] = param.String()
	}
	return strings.Join(words, " ")
}

// value is the value of a path, nil where there is none.
func (p Params) value(path string) any {
	for _, param := range p {
		if param.Path == path {
			return param.Value
		}
	}
	return nil
}

// Get is the value of a path.
func (p Params) Get(path string) (any, bool) {
	i := slices.IndexFunc(p, func(param Param) bool { return param.Path == path })
	if i < 0 {
		return nil, false
	}
	return p[i].Value, true
}

// MarshalJSON writes one object with the paths in order.
func (p Params) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, param := range p {
		if i > 0 {
			b.WriteByte(',')
		}
		encoded, err := json.Marshal(param.Value)
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", param.Path, err)
		}
		b.Write(mustJSON(param.Path))
		b.WriteByte(':')
		b.Write(encoded)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// UnmarshalJSON reads what MarshalJSON writes, in its order. A number that is
// whole becomes an int64.
func (p *Params) UnmarshalJSON(src []byte) error {
	d := json.NewDecoder(bytes.NewReader(src))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("parameters are no JSON object: %.40q", src)
	}
	*p = Params{}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		var v any
		if err := d.Decode(&v); err != nil {
			return err
		}
		*p = append(*p, Param{Path: key.(string), Value: fromJSON(v)})
	}
	_, err := d.Token() // the closing brace
	return err
}

// fromJSON puts the numbers of a decoded value into the types of Param.Value.
func fromJSON(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
			return n
		}
		n, _ := v.Float64()
		return n
	case []any:
		for i := range v {
			v[i] = fromJSON(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = fromJSON(v[key])
		}
	}
	return v
}

// plain is the Param.Value of a leaf's Go value.
func plain(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Int:
		return v.Int()
	case reflect.Uint64:
		return int64(v.Uint())
	case reflect.Slice:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = plain(v.Index(i))
		}
		return items
	case reflect.Struct: // a ClassWeight is the only leaf that is one
		weights := v.FieldByName("Weights")
		if weights.IsNil() {
			return v.FieldByName("Scheme").String()
		}
		labels := map[string]any{}
		for _, key := range weights.MapKeys() {
			labels[key.String()] = weights.MapIndex(key).Float()
		}
		return labels
	}
	return v.Interface()
}

// valueOf is a Param.Value as if it had been written at a place. It panics on
// any other type.
func valueOf(v any, at place) value {
	switch v := v.(type) {
	case bool:
		return value{kind: boolean, text: strconv.FormatBool(v), at: at}
	case int64:
		return value{kind: whole, text: strconv.FormatInt(v, 10), at: at}
	case int:
		return value{kind: whole, text: strconv.Itoa(v), at: at}
	case float64:
		return value{kind: number, text: strconv.FormatFloat(v, 'g', -1, 64), at: at}
	case string:
		return value{kind: text, text: v, at: at}
	case []any:
		l := value{kind: list, at: at}
		for _, item := range v {
			l.items = append(l.items, valueOf(item, at))
		}
		return l
	case map[string]any:
		m := value{kind: mapping, at: at}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m.entries = append(m.entries, entry{key, at, valueOf(v[key], at)})
		}
		return m
	}
	panic(fmt.Sprintf("spec: a parameter of type %T", v))
}
