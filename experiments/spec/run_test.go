package spec

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"flowbench/train"
)

const (
	head     = "name: a\ndata: {source: flows.csv, positive: [Infiltration]}\n"
	plainDNN = head + "model: {kind: dnn}\n"
)

func mustParse(t testing.TB, text string, set ...string) *Spec {
	t.Helper()
	s, err := Parse("folder/a.yaml", []byte(text), set...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustRun(t testing.TB, s *Spec, p Params) *Run {
	t.Helper()
	run, err := s.With(p)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func TestDefaults(t *testing.T) {
	run := mustRun(t, mustParse(t, plainDNN), nil)
	if diff := cmp.Diff(train.Defaults("dnn"), run.Config); diff != "" {
		t.Errorf("(-train.Defaults +run)\n%s", diff)
	}
	want := Data{
		Source: Sources{"folder/flows.csv"}, Positive: []string{"Infiltration"}, OtherLabels: "drop", Task: "binary",
		Drop: []string{"destination_port"}, Duplicates: "keep", Scale: "signed_log1p", ExtraLabels: []string{}, FlowsPerDay: 566_000,
	}
	want.Split.By, want.Split.Train, want.Split.Validation, want.Split.Test, want.Split.Seed = "group", 0.6, 0.2, 0.2, 1
	if diff := cmp.Diff(want, run.Data); diff != "" {
		t.Errorf("(-want +run)\n%s", diff)
	}
	if run.Seed != 1 {
		t.Errorf("seed %d", run.Seed)
	}
}

func TestExplicitEmptyDropKeepsThePort(t *testing.T) {
	run := mustRun(t, mustParse(t, strings.Replace(plainDNN, "positive", "drop: [], positive", 1)), nil)
	if len(run.Data.Drop) != 0 {
		t.Errorf("drop is %v", run.Data.Drop)
	}
}

func TestCanonicalSpelling(t *testing.T) {
	text := "name: a\ndata: {source: x, drop: [Dst Port, ' Flow Duration'], positive: [infiltration, 'Web Attack \x96 XSS', botnet]}\nmodel: {kind: dnn}\n" +
		"loss: {class_weight: {benign: 1, INFILTRATION: 9, web attack xss: 9, bot: 9}}\n"
	run := mustRun(t, mustParse(t, strings.ToValidUTF8(text, "\ufffd")), nil)
	if diff := cmp.Diff([]string{"destination_port", "flow_duration"}, run.Data.Drop); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"Infiltration", "Web Attack - XSS", "Bot"}, run.Data.Positive); diff != "" {
		t.Error(diff)
	}
	want := map[string]float64{"BENIGN": 1, "Infiltration": 9, "Web Attack - XSS": 9, "Bot": 9}
	if diff := cmp.Diff(want, run.Loss.ClassWeight.Weights); diff != "" {
		t.Error(diff)
	}
}

func TestSourcesStandBesideTheSpec(t *testing.T) {
	text := strings.Replace(plainDNN, "flows.csv", `[../a.csv, /abs/b.csv, "synth://full?seed=3", "c/*.csv"]`, 1)
	run := mustRun(t, mustParse(t, text), nil)
	want := Sources{"a.csv", "/abs/b.csv", "synth://full?seed=3", "folder/c/*.csv"}
	if diff := cmp.Diff(want, run.Data.Source); diff != "" {
		t.Error(diff)
	}
}

func TestCanonicalIgnoresLayout(t *testing.T) {
	short := mustParse(t, plainDNN)
	long, err := Parse("elsewhere/b.yaml", []byte("# a comment\nmodel:\n  kind: 'dnn'\n  hidden: [128, 64, 32]\noptimizer: {learning_rate: .001}\n"+
		"data:\n  positive: [INFILTRATION]\n  source: [flows.csv]\n  drop: [destination_port]\nname: a\n"))
	if err != nil {
		t.Fatal(err)
	}
	if string(short.Canonical()) != string(long.Canonical()) {
		t.Errorf("the same spec twice:\n%s\n%s", short.Canonical(), long.Canonical())
	}
	for _, set := range []string{"seed=2", "model.hidden=[128, 64]", "data.drop=[]", "data.source=other.csv", "name=b", "train.epochs=21"} {
		if string(mustParse(t, plainDNN, set).Canonical()) == string(short.Canonical()) {
			t.Errorf("%s changes nothing", set)
		}
	}
}

// TestRunRoundTrip writes the run of every variant of every shipped spec as YAML and reads it back.
func TestRunRoundTrip(t *testing.T) {
	texts := []string{
		plainDNN + "optimizer: {kind: sgd, momentum: 0, schedule: {kind: step}}\nthreshold: {maximize: f2}\n",
		plainDNN + "seed: 9007199254740991\noptimizer: {kind: adamw, weight_decay: 0, learning_rate: 1.2345e-7}\nloss: {kind: focal, gamma: 0, class_weight: {BENIGN: 1, Infiltration: 1e+3}}\n",
		"name: a\ndata: {source: 'a\"b: #.csv', positive: [Infiltration], drop: [], split: {by: file, train_files: [Mon*], test_files: ['null'], validation: 0.1, per_replicate: true}}\nmodel: {kind: autoencoder}\nloss: {kind: huber}\n",
		"name: 'true'\ndata: {source: x, task: multiclass, extra_labels: ['yes', 'no: way', '1e3'], split: {by: file, train_files: [a], test_files: [b], validation_files: [c]}}\nmodel: {kind: dnn}\n",
	}
	var specs []*Spec
	for _, text := range texts {
		specs = append(specs, mustParse(t, text))
	}
	for _, path := range shipped(t) {
		s, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		specs = append(specs, s)
	}
	for _, s := range specs {
		for _, v := range s.Sweep.variants() {
			var p Params
			if v.Name != "" {
				p = Params{{Path: VariantKey, Value: v.Name}}
			}
			run := mustRun(t, s, p)
			text, err := run.YAML()
			if err != nil {
				t.Fatal(err)
			}
			again, err := Parse("/other/place.yaml", text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			got := mustRun(t, again, nil)
			got.Data.Source, run.Data.Source = nil, nil // relative there, absolute here
			if diff := cmp.Diff(run, got); diff != "" {
				t.Errorf("%s %s (-run +read back):\n%s\n%s", s.Name, v.Name, diff, text)
			}
		}
	}
}

const swept = plainDNN + `sweep:
  method: grid
  parameters:
    optimizer.learning_rate: {values: [1, 1e-3]}
    optimizer.schedule.min_rate: {values: [0, 0.5]}
    model.hidden: {values: [[8], [4, 4]]}
    loss.class_weight: {values: [balanced, {BENIGN: 1, Infiltration: 7}]}
optimizer: {schedule: {kind: cosine}}
`

func TestWith(t *testing.T) {
	s := mustParse(t, swept)
	p := Params{
		{Path: "optimizer.learning_rate", Value: int64(1)}, {Path: "optimizer.schedule.min_rate", Value: 0.5},
		{Path: "model.hidden", Value: []any{int64(4), int64(4)}},
		{Path: "loss.class_weight", Value: map[string]any{"BENIGN": 1.0, "Infiltration": int64(7)}},
	}
	run := mustRun(t, s, p)
	if run.Optimizer.LearningRate != 1 || run.Optimizer.Schedule.MinRate != 0.5 || len(run.Model.Hidden) != 2 || run.Loss.ClassWeight.Weights["Infiltration"] != 7 {
		t.Errorf("%+v", run)
	}
	encoded, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	var decoded Params
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	if again := mustRun(t, s, decoded); string(again.Canonical()) != string(run.Canonical()) {
		t.Errorf("%s gives another run than %v", encoded, p)
	}
	base := mustRun(t, s, nil)
	if !reflect.DeepEqual(base.Model.Hidden, []int{128, 64, 32}) || base.Loss.ClassWeight.Scheme != "none" {
		t.Errorf("a choice changed the spec: %+v", base)
	}
}

// TestWithPointsAtTheOffer wants a combination that cannot be trained reported
// at the line that offers the value, not at a place of its own.
func TestWithPointsAtTheOffer(t *testing.T) {
	s := mustParse(t, swept)
	_, err := s.With(Params{{Path: "optimizer.learning_rate", Value: 1e-3}, {Path: "optimizer.schedule.min_rate", Value: 0.5}})
	var wrong *Error
	if !errors.As(err, &wrong) || wrong.Line != 8 || wrong.Column != 47 || wrong.Field != "optimizer.schedule.min_rate" {
		t.Errorf("got %v", err)
	}
	for _, p := range []Params{
		{{Path: "model.hiden", Value: 1.0}}, {{Path: "model.hidden", Value: "x"}}, {{Path: VariantKey, Value: "dnn"}},
	} {
		if _, err := s.With(p); err == nil {
			t.Errorf("%v was taken", p)
		}
	}
}

const variants = head + `sweep:
  method: grid
  variants:
    - name: deep
      set: {model.kind: dnn, model.hidden: [9, 9, 9]}
      parameters: {loss.class_weight: {values: [none, balanced]}}
    - name: coder
      set: {model.kind: autoencoder}
`

func TestVariants(t *testing.T) {
	s := mustParse(t, variants)
	if run := mustRun(t, s, nil); run.Model.Kind != "dnn" || len(run.Model.Hidden) != 3 {
		t.Errorf("the first variant is not the spec's own run: %+v", run.Model)
	}
	run := mustRun(t, s, Params{{Path: VariantKey, Value: "coder"}})
	if diff := cmp.Diff(train.Defaults("autoencoder"), run.Config); diff != "" {
		t.Errorf("the defaults do not follow the variant's model:\n%s", diff)
	}
}

func TestSet(t *testing.T) {
	s := mustParse(t, variants, "train.epochs=3", "model.hidden=[5]", "train.stratified=false", "sweep.replicates=2", "data.drop=[]", "data.source=b.csv")
	deep := mustRun(t, s, nil)
	coder := mustRun(t, mustParse(t, variants, "model.hidden=[5]"), Params{{Path: VariantKey, Value: "coder"}})
	if deep.Train.Epochs != 3 || deep.Model.Hidden[0] != 5 || len(deep.Data.Drop) != 0 || deep.Data.Source[0] != "folder/b.csv" || s.Sweep.Replicates != 2 {
		t.Errorf("%+v, %d replicates", deep, s.Sweep.Replicates)
	}
	if coder.Model.Hidden[0] != 5 {
		t.Errorf("hidden of a variant that does not set it is %v", coder.Model.Hidden)
	}
	pinned := mustParse(t, swept, "loss.class_weight=effective")
	if values := pinned.Sweep.Parameters[3].Values; len(values) != 1 || values[0] != "effective" {
		t.Errorf("a pinned parameter still varies over %v", values)
	}
	if values := pinned.Sweep.Parameters[2].Values; len(values) != 2 {
		t.Errorf("another parameter varies over %v", values)
	}
	again, err := Restore(s.Document())
	if err != nil || string(again.Canonical()) != string(s.Canonical()) {
		t.Errorf("a restored document is another spec: %v", err)
	}
}

// TestSetPinsInVariants: no variant escapes a --set, neither by its settings nor by its parameters.
func TestSetPinsInVariants(t *testing.T) {
	s := mustParse(t, head+`model: {kind: dnn}
sweep:
  method: grid
  variants:
    - name: fixed
      set: {train.epochs: 9}
    - name: varied
      parameters: {train.epochs: {values: [7, 8]}}
`, "train.epochs=3")
	fixed, varied := s.Sweep.Variants[0], s.Sweep.Variants[1]
	if fixed.Set[0].Value != int64(3) || len(varied.Parameters[0].Values) != 1 || varied.Parameters[0].Values[0] != int64(3) {
		t.Errorf("%+v", s.Sweep.Variants)
	}
	if run := mustRun(t, s, Params{{Path: VariantKey, Value: "fixed"}}); run.Train.Epochs != 3 {
		t.Errorf("%d epochs", run.Train.Epochs)
	}
}

func TestSetErrors(t *testing.T) {
	for assignment, part := range map[string]string{
		"train.epochs":                    "--set:1:1: write key=value",
		"=3":                              "--set:1:1: write key=value",
		"train.epochs=":                   "--set:1:1: train.epochs: has no value",
		"train.epochs=many":               `--set:1:14: train.epochs: must be a whole number in digits, not the text "many"`,
		"train.epoch=3":                   `did you mean "train.epochs"?`,
		"epochs=3":                        `did you mean "train.epochs"?`,
		"model.hidden=[64, 0]":            "--set:1:19: model.hidden[1]: is 0",
		"model={kind: dnn}":               "model: is no field of a spec",
		"sweep.parameters.a=1":            "cannot be set from outside",
		"model.hidden=[":                  "--set:1:",
		"optimizer.schedule.min_rate=0.1": "--set:1:29: optimizer.schedule.min_rate: has an effect only where",
	} {
		_, err := Parse("a.yaml", []byte(plainDNN), assignment)
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: got %v, want ...%s...", assignment, err, part)
		}
	}
	if _, err := Parse("a.yaml", []byte("name: a\nmodel: 3\n"), "model.kind=dnn"); err == nil || !strings.Contains(err.Error(), "a.yaml:2:8: model: must be a mapping") {
		t.Errorf("a section of the wrong type is hidden by --set: %v", err)
	}
}

func TestReplicate(t *testing.T) {
	run := *mustRun(t, mustParse(t, strings.Replace(plainDNN, "positive", "split: {by: random, seed: 5, per_replicate: true}, positive", 1)), nil)
	if r := run.Replicate(2, 77); r.Seed != 77 || r.Data.Split.Seed != 7 || run.Data.Split.Seed != 5 {
		t.Errorf("seed %d, split seed %d", r.Seed, r.Data.Split.Seed)
	}
	run = *mustRun(t, mustParse(t, plainDNN), nil)
	if r := run.Replicate(2, 77); r.Seed != 77 || r.Data.Split.Seed != 1 {
		t.Errorf("seed %d, split seed %d", r.Seed, r.Data.Split.Seed)
	}
}

func TestParamsJSON(t *testing.T) {
	p := Params{{Path: "variant", Value: "dnn"}, {Path: "a.z", Value: 1e-7}, {Path: "a.b", Value: []any{int64(64), int64(32)}}, {Path: "c", Value: true}}
	encoded, err := json.Marshal(p)
	if want := `{"variant":"dnn","a.z":1e-7,"a.b":[64,32],"c":true}`; err != nil || string(encoded) != want {
		t.Errorf("%s, want %s (%v)", encoded, want, err)
	}
	var again Params
	if err := json.Unmarshal(encoded, &again); err != nil || !reflect.DeepEqual(again, p) {
		t.Errorf("%v, want %v (%v)", again, p, err)
	}
	if want := "variant=dnn a.z=1e-7 a.b=[64,32] c=true"; p.String() != want {
		t.Errorf("%s, want %s", p, want)
	}
	for _, bad := range []string{`[]`, `{"a":}`, `{"a":1`, `3`, ``} {
		if err := again.UnmarshalJSON([]byte(bad)); err == nil {
			t.Errorf("%s was read as %v", bad, again)
		}
	}
}

// TestEveryFieldHasARule fails where a field of a spec has no words in the schema.
func TestEveryFieldHasARule(t *testing.T) {
	known := map[string]bool{}
	for _, l := range leaves() {
		known[l.path] = true
		if l.rule.Doc == "" {
			t.Errorf("%s has no rule", l.path)
		}
	}
	for path := range ruleTable() {
		if !known[path] && !strings.HasPrefix(path, "sweep.") {
			t.Errorf("the rule of %s is of no field", path)
		}
	}
	for _, path := range Sweepable() {
		if !known[path] {
			t.Errorf("%s is sweepable but no field", path)
		}
	}
}

// TestScalars pins the reading of plain scalars, which differs from the parser's own.
func TestScalars(t *testing.T) {
	for s, want := range map[string]kind{
		"1e-3": number, "1E5": number, "-.5": number, "+1.": number, ".inf": number, "-.INF": number, ".nan": number, "010": number,
		"0": whole, "-12": whole, "+1": whole, "18446744073709551616": whole,
		"true": boolean, "yes": text, "null": null, "~": null, "0x10": text, "1_000": text, "1e": text, "2001-01-01": text, "1,5": text,
	} {
		v, err := (&source{name: "x", text: s}).parse(s, 1)
		if err != nil || v.kind != want {
			t.Errorf("%s is of kind %d, want %d (%v)", s, v.kind, want, err)
		}
	}
	v, err := (&source{name: "x"}).parse("[\"1e-3\", '5', |\n  true\n]", 1)
	if err == nil {
		for _, item := range v.items {
			if item.kind != text {
				t.Errorf("quoted %q is of kind %d", item.text, item.kind)
			}
		}
	}
}

// TestAssignedSourceStartsHere: a path on the command line starts at the current
// folder, one in the file beside the file.
func TestAssignedSourceStartsHere(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("specs", 0o755); err != nil {
		t.Fatal(err)
	}
	text := "name: a\ndata: {source: [beside.csv, /other.csv], positive: [Infiltration]}\nmodel: {kind: dnn}\n"
	if err := os.WriteFile("specs/a.yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for set, want := range map[string]Sources{
		"seed=2":                                    {"specs/beside.csv", "/other.csv"},
		"data.source=here.csv":                      {"here.csv"},
		"data.source=../up.csv":                     {"../up.csv"},
		"data.source=[a b, /c]":                     {"a b", "/c"},
		"data.source=synth://infiltration?rows=600": {"synth://infiltration?rows=600"},
	} {
		s, err := Load("specs/a.yaml", set)
		if err != nil {
			t.Fatal(err)
		}
		run, err := s.With(nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, run.Data.Source); diff != "" {
			t.Errorf("%s: %s", set, diff)
		}
	}
	if _, err := Load("specs/a.yaml", "data.source={a: b}"); err == nil || !strings.Contains(err.Error(), "--set:1:14") {
		t.Errorf("no place in %v", err)
	}
}
