package dataset

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"flowbench/data/prepared"
	"flowbench/experiments/spec"
)

// section reads a data section of synthetic flows with further keys, one a line.
func section(t *testing.T, rows string, keys ...string) spec.Data {
	t.Helper()
	text := "name: test\ndata:\n  source: synth://infiltration?seed=3&rows=" + rows + "\n"
	for _, k := range keys {
		text += "  " + k + "\n"
	}
	text += "model: {kind: dnn}\n"
	s, err := spec.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	run, err := s.With(nil)
	if err != nil {
		t.Fatal(err)
	}
	return run.Data
}

func open(t *testing.T, d spec.Data) *prepared.Set {
	t.Helper()
	set, err := Open(context.Background(), d, filepath.Join(t.TempDir(), "data"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { set.Close() })
	return set
}

func TestNewPutsEveryRowWhereItBelongs(t *testing.T) {
	d := section(t, "3000", "positive: [Infiltration]", "duplicates: drop")
	set := open(t, d)
	ds, err := New(set, d)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(ds.Train) + len(ds.Validation) + len(ds.Test); n != ds.Data.Rows || n != len(ds.Rows.Keep) {
		t.Errorf("%d rows in parts, %d in the table, %d in play", n, ds.Data.Rows, len(ds.Rows.Keep))
	}
	if ds.Deduplication == nil || ds.Deduplication.Kept != ds.Data.Rows {
		t.Errorf("deduplication %+v does not account for %d rows", ds.Deduplication, ds.Data.Rows)
	}
	names := set.Manifest().Labels
	for i, row := range ds.Rows.Keep {
		label := names[set.Labels()[row]]
		if (ds.Class[i] == 1) != (label == "Infiltration") || ds.Labels[ds.Label[i]] != label {
			t.Fatalf("row %d is %s but has class %d, label %s", row, label, ds.Class[i], ds.Labels[ds.Label[i]])
		}
	}
	if slices.Contains(ds.Columns, "destination_port") || !slices.Contains(ds.Columns, "flow_duration") {
		t.Errorf("columns in use: %v", ds.Columns)
	}
	if !slices.Contains(ds.Constant, "bwd_psh_flags") || slices.Contains(ds.Columns, "bwd_psh_flags") {
		t.Errorf("constant columns: %v", ds.Constant)
	}
}

func TestScalingIsFittedOnTrainRowsAlone(t *testing.T) {
	d := section(t, "3000", "positive: [Infiltration]")
	ds, err := New(open(t, d), d)
	if err != nil {
		t.Fatal(err)
	}
	for j, name := range ds.Columns {
		sum := 0.0
		for _, r := range ds.Train {
			sum += float64(ds.X[int(r)*ds.Cols+j])
		}
		if mean := sum / float64(len(ds.Train)); !(mean < 1e-3 && mean > -1e-3) {
			t.Errorf("%s: mean %v over the train rows, want 0", name, mean)
		}
	}
}

func TestFingerprintNamesWhatDecides(t *testing.T) {
	d := section(t, "2000", "positive: [Infiltration]")
	set := open(t, d)
	of := func(change func(*spec.Data)) string {
		c := d
		change(&c)
		ds, err := New(set, c)
		if err != nil {
			t.Fatal(err)
		}
		return ds.Fingerprint
	}
	same := of(func(*spec.Data) {})
	if same != of(func(d *spec.Data) { d.Source = spec.Sources{"elsewhere"} }) {
		t.Error("the place of the flows shows")
	}
	if same == of(func(d *spec.Data) { d.Split.Seed++ }) || same == of(func(d *spec.Data) { d.Scale = "identity" }) {
		t.Error("another split or scaling does not show")
	}
}

func TestMulticlassGivesEveryLabelAClass(t *testing.T) {
	d := section(t, "2000", "task: multiclass")
	ds, err := New(open(t, d), d)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"BENIGN", "Infiltration"}; !slices.Equal(ds.Classes, want) {
		t.Errorf("classes %v, want %v", ds.Classes, want)
	}
}

func TestErrorsNameTheFieldAndTheRemedy(t *testing.T) {
	d := section(t, "2000", "positive: [Infiltration]")
	set := open(t, d)
	cases := map[string]struct {
		change func(*spec.Data)
		want   []string
	}{
		"absent label":   {func(d *spec.Data) { d.Positive = []string{"Bot"} }, []string{"data.positive[0]", `"Bot"`, "Infiltration"}},
		"absent column":  {func(d *spec.Data) { d.Drop = []string{"flow_durations"} }, []string{"data.drop[0]", `did you mean "flow_duration"?`}},
		"no column left": {func(d *spec.Data) { d.Drop = set.Manifest().Columns }, []string{"data.drop", "no column"}},
		"no test share":  {func(d *spec.Data) { d.Split.Train = 2 }, []string{"data.split"}},
	}
	for name, c := range cases {
		changed := d
		c.change(&changed)
		_, err := New(set, changed)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q lacks %q", name, err, want)
			}
		}
	}
}
