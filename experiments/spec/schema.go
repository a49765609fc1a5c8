package spec

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"

	"flowbench/train"
)

//go:generate go test -run TestSchemaIsCurrent -update .

// object is a JSON object. encoding/json writes its keys in sorted order, so the
// schema's bytes depend on the rules alone.
type object = map[string]any

// Schema is the JSON Schema (2020-12) of a spec, made from the structs and rules
// that Parse reads by. A spec that it refuses is refused by Parse. Parse refuses
// more: what no single field shows.
func Schema() []byte {
	root := section(reflect.TypeFor[Run](), "")
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "flowbench spec"
	root["required"] = []string{"name", "data"}
	properties := root["properties"].(object)
	properties["name"].(object)["pattern"] = nameForm.String()
	properties["data"].(object)["required"] = []string{"source"}
	properties["sweep"] = sweepSchema()
	root["$defs"] = definitions()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(root); err != nil {
		panic("spec: " + err.Error())
	}
	return b.Bytes()
}

// definitions are what is spoken of more than once: every field that a sweep may
// vary, by its path, and the parameters.
func definitions() object {
	defs := object{"parameters": parametersSchema(), "when": whenSchema()}
	for _, path := range Sweepable() {
		l, _ := leafAt(path)
		defs[path] = fieldSchema(l.typ, path)
	}
	return defs
}

func refer(definition string) object { return object{"$ref": "#/$defs/" + definition} }

// section is the schema of a struct.
func section(t reflect.Type, path string) object {
	properties := object{}
	for _, f := range fieldsOf(t) {
		at := join(path, f.name)
		if f.typ.Kind() == reflect.Pointer {
			f.typ = f.typ.Elem()
		}
		if f.typ.Kind() == reflect.Struct && f.typ != classWeightType {
			properties[f.name] = section(f.typ, at)
			continue
		}
		properties[f.name] = fieldSchema(f.typ, at)
		if slices.Contains(Sweepable(), at) {
			properties[f.name] = refer(at)
		}
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties}
}

// fieldSchema is the schema of a leaf, with its rule.
func fieldSchema(t reflect.Type, path string) object {
	rule, _ := ruleOf(path)
	s := typeSchema(t, rule)
	if rule.Doc != "" {
		s["description"] = rule.Doc
	}
	return s
}

func typeSchema(t reflect.Type, rule train.Rule) object {
	switch {
	case t == classWeightType:
		weights := object{"type": "object", "minProperties": 1, "additionalProperties": bounded("number", rule.Range)}
		return object{"anyOf": []any{object{"enum": rule.OneOf}, weights}}
	case t == reflect.TypeFor[Sources]():
		address := object{"type": "string", "minLength": 1}
		return object{"anyOf": []any{address, object{"type": "array", "minItems": 1, "items": address}}}
	case t == reflect.TypeFor[Duration]():
		return object{"type": "string", "minLength": 1, "pattern": durationForm.String()}
	case t == reflect.TypeFor[Size]():
		return object{"type": "string", "pattern": sizeForm.String()}
	}
	switch t.Kind() {
	case reflect.String:
		if rule.OneOf != nil {
			return object{"enum": rule.OneOf}
		}
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Uint64:
		return bounded("integer", rule.Range)
	case reflect.Float64:
		return bounded("number", rule.Range)
	case reflect.Slice:
		return listSchema(t, rule)
	}
	panic("spec: no schema for " + t.String())
}

func listSchema(t reflect.Type, rule train.Rule) object {
	s := object{"type": "array", "items": typeSchema(t.Elem(), rule)}
	if rule.MinItems > 0 {
		s["minItems"] = rule.MinItems
	}
	if rule.MaxItems > 0 {
		s["maxItems"] = rule.MaxItems
	}
	return s
}

func bounded(typ string, r *train.Range) object {
	s := object{"type": typ}
	if r == nil {
		return s
	}
	for _, end := range []struct {
		value     float64
		open      bool
		inclusive string
	}{{r.Min, r.OpenMin, "minimum"}, {r.Max, r.OpenMax, "maximum"}} {
		switch {
		case math.IsInf(end.value, 0):
		case end.open:
			s["exclusive"+strings.ToUpper(end.inclusive[:1])+end.inclusive[1:]] = end.value
		default:
			s[end.inclusive] = end.value
		}
	}
	return s
}

func sweepSchema() object {
	s := section(reflect.TypeFor[struct {
		Method         string          `yaml:"method"`
		Trials         int             `yaml:"trials"`
		Concurrency    int             `yaml:"concurrency"`
		Replicates     int             `yaml:"replicates"`
		Seed           uint64          `yaml:"seed"`
		Metric         Metric          `yaml:"metric"`
		TPE            *TPE            `yaml:"tpe"`
		EarlyTerminate *EarlyTerminate `yaml:"early_terminate"`
		Retries        int             `yaml:"retries"`
		MaxFailed      int             `yaml:"max_failed"`
		Budget         Budget          `yaml:"budget"`
		Slurm          *Slurm          `yaml:"slurm"`
	}](), "sweep")
	s["required"] = []string{"method"}
	properties := s["properties"].(object)
	properties["early_terminate"].(object)["required"] = []string{"type"}
	properties["parameters"] = refer("parameters")
	properties["variants"] = object{
		"type": "array", "minItems": 1, "description": ruleTable()["sweep.variants"].Doc,
		"items": object{
			"type": "object", "additionalProperties": false, "required": []string{"name"},
			"properties": object{
				"name":       object{"type": "string", "pattern": nameForm.String(), "description": "stands for the variant in tables"},
				"set":        settingsSchema(),
				"parameters": refer("parameters"),
			},
		},
	}
	return s
}

// settingsSchema is a mapping from path to value.
func settingsSchema() object {
	properties := object{}
	for _, path := range Sweepable() {
		properties[path] = refer(path)
	}
	return object{"type": "object", "additionalProperties": false, "properties": properties, "description": "values of this variant by path"}
}

func parametersSchema() object {
	properties := object{}
	for _, path := range Sweepable() {
		l, _ := leafAt(path)
		properties[path] = parameterSchema(l)
	}
	return object{
		"type": "object", "additionalProperties": false, "minProperties": 1,
		"properties": properties, "description": ruleTable()["sweep.parameters"].Doc,
	}
}

func parameterSchema(l leaf) object {
	values := object{
		"type": "object", "additionalProperties": false, "required": []string{"values"},
		"properties": object{"values": valuesSchema(l.path), "when": refer("when")},
	}
	if kind := l.typ.Kind(); kind != reflect.Int && kind != reflect.Float64 {
		return values
	}
	return object{"anyOf": []any{values, rangeSchema(l)}}
}

func rangeSchema(l leaf) object {
	distributions := Distributions()
	if l.typ.Kind() == reflect.Int {
		distributions = slices.DeleteFunc(distributions, func(d string) bool { return !drawsWhole(d) })
	}
	return object{
		"type": "object", "additionalProperties": false, "required": []string{"distribution", "min", "max"},
		"properties": object{
			"distribution": object{"enum": distributions},
			"min":          refer(l.path), "max": refer(l.path),
			"step": object{"type": "number", "exclusiveMinimum": 0},
			"when": refer("when"),
		},
	}
}

// valuesSchema is a list of different values of a field.
func valuesSchema(path string) object {
	return object{"type": "array", "minItems": 1, "uniqueItems": true, "items": refer(path)}
}

// whenSchema is the conditions of a parameter.
func whenSchema() object {
	properties := object{}
	for _, path := range Sweepable() {
		properties[path] = valuesSchema(path)
	}
	return object{
		"type": "object", "additionalProperties": false, "minProperties": 1, "properties": properties,
		"description": "the parameter exists only where each of these has one of the values",
	}
}
