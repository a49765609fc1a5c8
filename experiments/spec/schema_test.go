package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// beyondSchema lists the bad examples that no schema can tell: the file is no
// YAML mapping at all, or only two fields together are wrong.
var beyondSchema = map[string]bool{
	"duplicate-key": true, "syntax": true, "anchor": true, "two-documents": true,
	"utf16": true, "too-deep": true,
	"bad-scheme": true, "bad-synth-profile": true, "no-positive": true, "unknown-label": true,
	"positive-benign": true, "unknown-column": true, "multiclass-positive": true, "multiclass-autoencoder": true,
	"impossible-split": true, "half-a-split": true, "split-file-without-files": true, "split-file-shares": true,
	"no-model-kind": true, "no-effect": true, "autoencoder-weighted": true, "loss-of-other-model": true,
	"class-weight-missing-label": true, "class-weight-unknown-label": true, "two-thresholds": true,
	"sweep-empty": true, "sweep-random-no-trials": true, "sweep-grid-trials": true, "sweep-grid-distribution": true,
	"sweep-wrong-goal": true, "sweep-min-above-max": true, "sweep-log-of-zero": true, "sweep-step-too-long": true,
	"sweep-value-without-effect": true, "sweep-value-in-two-places": true,
	"variants-same-name": true, "variant-cannot-train": true,
	"detector-of-other-kind": true, "detector-score": true, "detector-two-sizes": true, "detector-whiten-alone": true,
	"detector-max-rows-of-network": true, "detector-multiclass": true,
	"sweep-tpe-no-trials": true, "sweep-concurrency-of-random": true, "sweep-tpe-of-sobol": true,
	"terminate-detectors": true, "terminate-eta-of-median": true, "terminate-every-of-asha": true,
	"terminate-metric-at-end": true, "terminate-too-late": true,
	"budget-disk-too-large": true, "budget-wall-zero": true, "slurm-warn": true,
	"when-cannot-train": true, "when-cycle": true, "when-exclude": true, "when-itself": true,
	"when-never": true, "when-never-in-variants": true, "when-never-on-step": true,
	"when-not-varied": true, "when-range": true, "when-without-effect": true,
}

func compiledSchema(t testing.TB) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("spec.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("spec.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validateFile holds a file against the schema. An error that is no
// *jsonschema.ValidationError means that it did not come so far.
func validateFile(s *jsonschema.Schema, path string) error {
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	v, wrong := (&source{name: path, text: string(src)}).parse(string(src), 1)
	if wrong != nil {
		return wrong
	}
	return s.Validate(asJSON(v))
}

// asJSON is v as a JSON decoder gives it.
func asJSON(v value) any {
	switch v.kind {
	case null:
		return nil
	case boolean:
		return v.text == "true"
	case whole, number:
		if otherForm.MatchString(v.text) {
			return v.text // JSON has no infinity
		}
		return json.Number(v.text)
	case list:
		items := []any{}
		for _, item := range v.items {
			items = append(items, asJSON(item))
		}
		return items
	case mapping:
		object := map[string]any{}
		for _, e := range v.entries {
			object[e.key] = asJSON(e.value)
		}
		return object
	}
	return v.text
}

func shipped(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("../*.yaml")
	if err != nil || len(paths) < 5 {
		t.Fatalf("found %d shipped specs: %v", len(paths), err)
	}
	return paths
}

func TestShippedSpecsPassTheSchema(t *testing.T) {
	s := compiledSchema(t)
	for _, path := range shipped(t) {
		if err := validateFile(s, path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		src, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(src, []byte("# yaml-language-server: $schema=spec/spec.schema.json\n")) {
			t.Errorf("%s does not name its schema for editors (%v)", path, err)
		}
	}
}

func TestBadExamplesFailTheSchema(t *testing.T) {
	s := compiledSchema(t)
	listed := 0
	for _, path := range badExamples(t) {
		name := strings.TrimSuffix(filepath.Base(path), ".bad.yaml")
		err := validateFile(s, path)
		var refused *jsonschema.ValidationError
		switch {
		case beyondSchema[name]:
			listed++
			if errors.As(err, &refused) {
				t.Errorf("%s fails the schema after all: take it off the list", path)
			}
		case err == nil:
			t.Errorf("%s passes the schema", path)
		case !errors.As(err, &refused):
			t.Errorf("%s does not reach the schema: %v", path, err)
		}
	}
	if listed != len(beyondSchema) {
		t.Errorf("%d of the %d listed are there", listed, len(beyondSchema))
	}
}
