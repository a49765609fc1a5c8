package spec

import (
	"errors"
	"os"
	"testing"
)

// FuzzParse: whatever the text, Parse returns a valid spec or an *Error with a
// place. A valid spec trains as it stands, and what it writes is read back.
func FuzzParse(f *testing.F) {
	for _, path := range append(badExamples(f), shipped(f)...) {
		src, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src), "train.epochs=3")
	}
	f.Add(swept, "model.hidden=[1]")
	f.Add(adaptive, "sweep.early_terminate.type=median")
	f.Add(nested, "optimizer.kind=sgd")
	f.Add(conditionsOfVariants, "model.kind=dnn")
	f.Add(variants, "loss.class_weight={BENIGN: 1, Infiltration: 2}")
	f.Fuzz(func(t *testing.T, text, set string) {
		s, err := Parse("fuzz.yaml", []byte(text))
		if err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) || wrong.Line < 1 || wrong.Column < 1 || wrong.Error() == "" {
				t.Fatalf("an error without a place: %#v", err)
			}
			return
		}
		if s.Sweep != nil {
			for _, space := range s.Sweep.Spaces() {
				space.Choose(func(p Parameter) any { return p.plain(p.candidates[0]) })
			}
		}
		run, err := s.With(nil)
		if err != nil {
			t.Fatalf("a valid spec does not train: %v", err)
		}
		written, err := run.YAML()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse("fuzz.yaml", written)
		if err != nil {
			t.Fatalf("%v\nwritten from\n%s", err, text)
		}
		if s.Document().Text != text || len(again.Canonical()) == 0 || len(s.Canonical()) == 0 {
			t.Fatal("a spec lost its text")
		}
		if _, err := Parse("fuzz.yaml", []byte(text), set); err != nil {
			var wrong *Error
			if !errors.As(err, &wrong) {
				t.Fatalf("--set %q: %v", set, err)
			}
		}
	})
}
