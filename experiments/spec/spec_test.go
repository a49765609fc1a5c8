package spec

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the expected messages and the schema; read the diff")

// golden compares got with a file, or writes it where -update is given.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

func badExamples(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(paths) < 80 {
		t.Fatalf("found %d bad examples: %v", len(paths), err)
	}
	return paths
}

// TestBadExamples holds each testdata/*.bad.yaml against the message beside it.
func TestBadExamples(t *testing.T) {
	for _, path := range badExamples(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".bad.yaml"), func(t *testing.T) {
			_, err := Load(path)
			var wrong *Error
			if !errors.As(err, &wrong) {
				t.Fatalf("no *Error but %v", err)
			}
			if wrong.Line < 1 || wrong.Column < 1 || wrong.Problem == "" {
				t.Errorf("an error without a place or words: %#v", wrong)
			}
			golden(t, strings.TrimSuffix(path, ".yaml")+".txt", []byte(err.Error()+"\n"))
		})
	}
}

// TestMessagesHaveNoOrphans fails on an expected message whose example is gone.
func TestMessagesHaveNoOrphans(t *testing.T) {
	messages, err := filepath.Glob("testdata/*.bad.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) != len(badExamples(t)) {
		t.Errorf("%d messages for %d bad examples", len(messages), len(badExamples(t)))
	}
}

func TestSchemaIsCurrent(t *testing.T) {
	golden(t, "spec.schema.json", Schema())
	if !bytes.Equal(Schema(), Schema()) {
		t.Error("two schemas differ")
	}
}
